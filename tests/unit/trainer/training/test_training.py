import subprocess
import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.trainer.model.head import probabilities
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training import Backbone, recipe_parameters, train_backbone
from services.trainer.training.logistic_regression import fit_head

# The first export of a process takes seconds, on a busy machine many.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SMALL = {"pairs": 12, "sampled_patches": 3000, "iterations": 4}


def stripes_and_dots(count: int, seed: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return two classes of texture in random colours: stripes and dots."""
    generator = np.random.default_rng(seed)
    images, labels = [], []
    for number in range(count):
        image = np.full((96, 96, 3), generator.integers(20, 120, 3), dtype=np.uint8)
        colour = tuple(int(value) for value in generator.integers(140, 250, 3))
        for at in range(int(generator.integers(0, 8)), 96, 12):
            if number % 2:
                cv2.line(image, (at, 0), (at, 95), colour, 3)
            else:
                for row in range(4, 96, 12):
                    cv2.circle(image, (at, row), 3, colour, -1)
        images.append(image)
        labels.append("stripes" if number % 2 else "dots")
    return np.stack(images), labels


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    images, _ = stripes_and_dots(40, seed=0)
    return train_backbone("patches", images, 3, SMALL)


def test_textures_are_told_apart_on_new_images(backbone: Backbone) -> None:
    extractor = FeatureExtractor(backbone.onnx)
    known, known_labels = stripes_and_dots(40, seed=0)
    head = fit_head(extractor.features(known), known_labels, ("dots", "stripes")).head
    images, labels = stripes_and_dots(40, seed=1)
    answers = probabilities(head.logits(extractor.features(images))).argmax(axis=1)
    assert np.mean([head.labels[answer] == label for answer, label in zip(answers, labels, strict=True)]) >= 0.9


def test_torch_and_onnxruntime_compute_the_same_features(backbone: Backbone) -> None:
    images, _ = stripes_and_dots(40, seed=0)
    features = FeatureExtractor(backbone.onnx).features(images[:16])
    assert backbone.probe_features.shape == (16, 2 * 5 * 12)
    assert np.abs(features - backbone.probe_features).max() < 1e-4


def test_the_features_of_an_image_do_not_depend_on_those_beside_it(backbone: Backbone) -> None:
    images, _ = stripes_and_dots(11, seed=0)
    extractor = FeatureExtractor(backbone.onnx)
    alone = np.concatenate([extractor.features(images[at : at + 1]) for at in range(len(images))])
    assert (extractor.features(images) == alone).all()


def test_the_same_images_give_the_same_model_in_another_process(backbone: Backbone) -> None:
    program = (
        "from tests.unit.trainer.training.test_training import SMALL, stripes_and_dots\n"
        "from services.trainer.training import train_backbone\n"
        "print(train_backbone('patches', stripes_and_dots(40, seed=0)[0], 3, SMALL).id)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == backbone.id


def test_another_seed_gives_another_model(backbone: Backbone) -> None:
    images, _ = stripes_and_dots(40, seed=0)
    assert train_backbone("patches", images, 4, SMALL).id != backbone.id


def test_images_without_any_texture_are_learned_without_a_crash() -> None:
    flat = np.full((2, 96, 96, 3), 128, dtype=np.uint8)
    backbone = train_backbone("patches", flat, 0, SMALL)
    assert np.isfinite(FeatureExtractor(backbone.onnx).features(flat)).all()


def test_the_seconds_of_each_stage_are_known(backbone: Backbone) -> None:
    assert set(backbone.seconds) == {"backbone", "export"}
    assert all(value > 0 for value in backbone.seconds.values())


def test_unknown_names_and_settings_are_refused_with_what_there_is() -> None:
    images = np.zeros((1, 96, 96, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="Choose one of cnn, dinov2, onnx, patches"):
        train_backbone("dreams", images, 0)
    with pytest.raises(ValueError, match="stride"):
        train_backbone("patches", images, 0, {"colour": 1})
    with pytest.raises(ValueError, match="uint8"):
        train_backbone("patches", images.astype(float), 0)


def test_hyper_parameters_are_recorded_in_full() -> None:
    parameters = recipe_parameters("patches", SMALL)
    assert parameters["backbone"] == "patches"
    assert parameters["pairs"] == 12
    assert parameters["stride"] == 4
