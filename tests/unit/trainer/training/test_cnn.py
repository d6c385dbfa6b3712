"""The backbones that learn from labels: `cnn` and `patches+cnn`."""

import numpy as np
import pytest

from services.trainer.model.correction_layer import empty_layer
from services.trainer.model.head import probabilities
from services.trainer.model.onnx_artefact import Artefact, assemble
from services.trainer.model.sessions import ArtefactSession, FeatureExtractor, mirror
from services.trainer.training import Backbone, train_backbone
from services.trainer.training.logistic_regression import fit_head
from shared.contract.artefact import ArtefactMetadata
from tests.unit.trainer.training.test_training import SMALL, stripes_and_dots

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FEW = {"steps": 6, "batch": 8, "width": 8}  # with four channels torch 2.15 writes beyond the weights of a shortcut
LABELS = ("dots", "stripes")


@pytest.fixture(scope="module", params=["cnn", "patches+cnn"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return learned(request.param)


def learned(name: str, wrong: bool = False) -> Backbone:
    images, labels = stripes_and_dots(24, seed=0)
    settings = FEW if name == "cnn" else {**FEW, **SMALL}
    return train_backbone(name, images, 3, settings, labels=labels[::-1] if wrong else labels)


def test_the_same_images_and_labels_give_the_same_bytes(backbone: Backbone) -> None:
    assert learned(backbone.kind).onnx == backbone.onnx
    assert learned(backbone.kind, wrong=True).onnx != backbone.onnx


def test_it_says_what_it_needs_and_gives(backbone: Backbone) -> None:
    assert (backbone.supervised, backbone.mirror_proof) == (True, True)
    assert backbone.part_widths == ((64,) if backbone.kind == "cnn" else (120, 64))


def test_the_mirror_image_has_the_same_features(backbone: Backbone) -> None:
    images, _ = stripes_and_dots(6, seed=2)
    images[:, :30, :40] = 7
    extractor = FeatureExtractor(backbone.onnx)
    features = extractor.features(images)
    assert np.abs(features - extractor.features(mirror(images))).max() < 1e-4


def test_an_artefact_averages_the_probabilities_of_its_parts(backbone: Backbone) -> None:
    images, labels = stripes_and_dots(24, seed=0)
    features = FeatureExtractor(backbone.onnx).features(images)
    head = fit_head(features, labels, LABELS, part_widths=backbone.part_widths).head.cooled(0.7)
    metadata = ArtefactMetadata(LABELS, backbone.kind, backbone.id, "ab" * 32, input_size=96, kappa=40.0)
    artefact = assemble(backbone.onnx, head, empty_layer(features.shape[1], 2), metadata)
    found = Artefact.parse(artefact.data)  # its operators are among those that predictors run
    assert found.head.parts == len(backbone.part_widths)
    served = ArtefactSession(artefact.data).predict(images).probabilities
    assert np.abs(served - probabilities(head.logits(features))).max() < 1e-5


def test_without_labels_it_says_that_it_needs_them() -> None:
    images, _ = stripes_and_dots(4, seed=0)
    with pytest.raises(ValueError, match="learns from labels"):
        train_backbone("cnn", images, 0, FEW)


def test_it_learns_to_tell_textures_apart_on_new_images() -> None:
    images, labels = stripes_and_dots(32, seed=0)
    backbone = train_backbone("cnn", images, 1, {"steps": 40, "batch": 16, "width": 8}, labels=labels)
    extractor = FeatureExtractor(backbone.onnx)
    head = fit_head(extractor.features(images), labels, LABELS).head
    others, truths = stripes_and_dots(24, seed=1)
    answers = head.logits(extractor.features(others)).argmax(axis=1)
    assert np.mean([LABELS[answer] == truth for answer, truth in zip(answers, truths, strict=True)]) >= 0.9


def test_it_tells_how_each_epoch_went(backbone: Backbone) -> None:
    assert set(backbone.curves) == {"loss", "accuracy", "learning_rate"}
    assert {len(values) for values in backbone.curves.values()} == {2}  # six batches of eight, 24 images
    assert all(0 <= share <= 1 for share in backbone.curves["accuracy"])
