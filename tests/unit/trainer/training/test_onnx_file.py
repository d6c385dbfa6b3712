"""A backbone from an ONNX file that others made."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from services.trainer.model.correction_layer import empty_layer, fit_layer
from services.trainer.model.onnx_artefact import Artefact, assemble
from services.trainer.model.sessions import ArtefactSession, FeatureExtractor, mirror
from services.trainer.training import recipe_parameters, train_backbone
from services.trainer.training.logistic_regression import fit_head
from services.trainer.training.resizing import Prepare, resize
from shared.contract.artefact import ArtefactMetadata
from shared.contract.events import uuid_of
from tests.unit.trainer.training.test_training import stripes_and_dots

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LABELS = ("dots", "stripes")
SIDE = 40


def written(path: Path, opset: int = 13, batch: int | str = "n", operator: str = "Relu") -> Path:
    """Write a model of random filters: convolution, an activation, means and maxima over squares."""
    filters = np.random.default_rng(0).normal(0, 0.2, (8, 3, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["pixels", "filters"], ["maps"], strides=[2, 2]),
        helper.make_node(operator, ["maps"], ["active"]),
        helper.make_node("MaxPool", ["active"], ["pooled"], kernel_shape=[9, 9], strides=[9, 9]),
        helper.make_node("Identity", ["pooled"], ["embedding"]),
        helper.make_node("GlobalAveragePool", ["active"], ["other"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("embedding", "other")]
    graph = helper.make_graph(nodes, "theirs", [pixels], outputs, [numpy_helper.from_array(filters, "filters")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("opset", "batch"), [(13, "n"), (18, 1)])
def test_a_file_gives_the_features_that_it_gives_alone(tmp_path: Path, opset: int, batch: int | str) -> None:
    file = written(tmp_path / "theirs.onnx", opset, batch)
    images, _ = stripes_and_dots(6, seed=0)
    backbone = train_backbone("onnx", images, 0, {"file": str(file), "size": SIDE})
    features = FeatureExtractor(backbone.onnx).features(images)
    assert features.shape == (6, 8 * 4)
    assert np.abs(features - backbone.probe_features).max() < 1e-4
    assert (backbone.mirror_proof, backbone.supervised) == (False, False)


def test_another_output_and_other_colours_are_settings(tmp_path: Path) -> None:
    file = written(tmp_path / "theirs.onnx")
    images, _ = stripes_and_dots(4, seed=0)
    settings: dict[str, str | int | float] = {
        "file": str(file),
        "size": SIDE,
        "output": "other",
        "mean": "0 0 0",
        "deviation": "1 1 1",
    }
    backbone = train_backbone("onnx", images, 0, settings)
    features = FeatureExtractor(backbone.onnx).features(images)
    assert features.shape == (4, 8)
    assert np.abs(features - backbone.probe_features).max() < 1e-4
    with pytest.raises(ValueError, match="It has embedding, other"):
        train_backbone("onnx", images, 0, {**settings, "output": "third"})
    with pytest.raises(ValueError, match="three numbers"):
        train_backbone("onnx", images, 0, {**settings, "mean": "0.5"})


def test_a_correction_is_answered_as_corrected_on_such_a_backbone(tmp_path: Path) -> None:
    images, labels = stripes_and_dots(24, seed=0)
    backbone = train_backbone("onnx", images, 0, {"file": str(written(tmp_path / "theirs.onnx")), "size": SIDE})
    extractor = FeatureExtractor(backbone.onnx)
    features = extractor.features(images)
    both = np.concatenate((features, extractor.features(mirror(images))))
    head = fit_head(both, labels * 2, LABELS).head
    metadata = ArtefactMetadata(LABELS, "onnx", backbone.id, "ab" * 32, input_size=96, kappa=40.0)
    artefact = Artefact.parse(assemble(backbone.onnx, head, empty_layer(features.shape[1], 2), metadata).data)
    assert artefact.backbone.id == backbone.id
    before = ArtefactSession(artefact.data).predict(images[:1]).probabilities.argmax(axis=1)
    layer = fit_layer(features[:1], head.logits(features[:1]), 1 - before, [(uuid_of(1), 1)])
    after = artefact.with_layer(layer, "cd" * 32).predict(images[:1]).probabilities.argmax(axis=1)
    assert after == 1 - before


def test_the_hash_of_the_file_belongs_to_the_version(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one.onnx"), written(tmp_path / "other.onnx", operator="Sigmoid")
    hashes = [recipe_parameters("onnx", {"file": str(file)})["file_sha256"] for file in (one, other)]
    assert len(set(hashes)) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "name it"),
        ({"file": "missing.onnx"}, "cannot be read"),
        ({"file": "broken.onnx"}, "not an ONNX model"),
        ({"file": "random.onnx", "size": SIDE}, "cannot serve as a backbone"),
        ({"file": "theirs.onnx", "size": 7}, "does not answer images of 7 pixels"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, settings: dict[str, str | int], message: str
) -> None:
    written(tmp_path / "theirs.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    written(tmp_path / "random.onnx", operator="Sin")  # not among the operators of an artefact
    if "file" in settings:
        settings = {**settings, "file": str(tmp_path / str(settings["file"]))}
    images, _ = stripes_and_dots(2, seed=0)
    with pytest.raises(ValueError, match=message):
        train_backbone("onnx", images, 0, settings)


@pytest.mark.parametrize("side", [40, 96, 150])
def test_resizing_by_products_is_resizing(side: int) -> None:
    images, _ = stripes_and_dots(2, seed=0)
    with torch.inference_mode():
        made = Prepare(96, side, (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(made, resize(images, side), atol=1e-2)
