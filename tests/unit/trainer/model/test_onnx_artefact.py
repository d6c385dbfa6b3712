from dataclasses import replace
from functools import cache
from hashlib import sha256
from uuid import UUID

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.trainer.model.arrays import Images
from services.trainer.model.correction_layer import (
    RAW_KAPPA,
    CorrectionLayer,
    empty_layer,
    fit_layer,
    kernel_weights,
)
from services.trainer.model.head import Head
from services.trainer.model.layer_space import LayerSpace, fit_space
from services.trainer.model.onnx_artefact import Artefact, ArtefactFile, assemble
from services.trainer.model.reference_inference import compare_runtimes, predict_probabilities
from services.trainer.model.sessions import ArtefactSession, FeatureExtractor
from shared.contract.artefact import CENTERS, COEFFICIENTS, FORMAT_VERSION, ArtefactMetadata, BaseArtefact
from shared.runtime.errors import InvalidMessage
from tests.unit.trainer.model.counting import counted_parses

LABELS = ("dandelion", "fern", "grass")
WIDTH = 27


def backbone() -> bytes:
    """Return mean colours of a 3 x 3 grid, as a small ONNX graph: [b, 96, 96, 3] -> [b, 27]."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "unit"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels"], ["grid"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Flatten", ["grid"], ["features"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 96, 96, 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", WIDTH])
    unit = numpy_helper.from_array(np.array(1 / 255, np.float32), "unit")
    graph = helper.make_graph(nodes, "grid", [image], [features], [unit])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString(deterministic=True))


def pictures(count: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 255, (count, 3, 3, 3), dtype=np.uint8).repeat(32, 1).repeat(32, 2)


def head() -> Head:
    generator = np.random.default_rng(1)
    parts = (generator.random(WIDTH), generator.random(WIDTH) + 0.2, generator.normal(0, 1, (WIDTH, 3)), np.ones(3))
    return Head(LABELS, *(part.astype(np.float32) for part in parts))


@cache
def space() -> LayerSpace:
    """Return the space of other pictures."""
    found = fit_space(FeatureExtractor(backbone()).features(pictures(200, seed=9)))
    assert found is not None
    return found


def layer_for(images: Images, within: LayerSpace | None = None) -> CorrectionLayer:
    """Return a layer that corrects every image to the class after the one the head answers; without a space as in
    format 1."""
    features = FeatureExtractor(backbone()).features(images)
    logits = head().logits(features)
    entries = [(UUID(int=number), 2) for number in range(len(images))]
    kappa, end = (RAW_KAPPA, 0.0) if within is None else (6.0, 0.05)
    return fit_layer(features, logits, (logits.argmax(axis=1) + 1) % 3, entries, space=within, kappa=kappa, end=end)


def metadata() -> ArtefactMetadata:
    identity = sha256(backbone()).hexdigest()
    return ArtefactMetadata(LABELS, "grid", identity, "ab" * 32, input_size=96, kappa=10.0)


def assembled(layer: CorrectionLayer | None = None) -> Artefact:
    return assemble(backbone(), head(), layer or empty_layer(WIDTH, 3), metadata())


@pytest.mark.parametrize("corrections", [0, 1, 12])
@pytest.mark.parametrize("format_version", [1, 2])
def test_the_graph_answers_as_numpy_does(corrections: int, format_version: int) -> None:
    layer = layer_for(pictures(corrections, seed=5), space() if format_version == 2 else None)
    images = np.concatenate((pictures(corrections, seed=5), pictures(40)))
    answers = ArtefactSession(assembled(layer).data).predict(images)
    features = FeatureExtractor(backbone()).features(images)
    assert np.abs(answers.features - features).max() < 1e-6
    assert compare_runtimes(answers.probabilities, predict_probabilities(head(), layer, features)).difference < 1e-4
    assert compare_runtimes(answers.probabilities, predict_probabilities(head(), layer, features)).disagreements == 0
    assert np.abs(answers.correction_weights[:, :corrections] - kernel_weights(layer, features)).max(initial=0) < 1e-4
    assert answers.probabilities.sum(axis=1) == pytest.approx(np.ones(len(images)), abs=1e-5)


def test_corrected_images_are_answered_as_corrected_in_the_graph() -> None:
    images = pictures(6, seed=5)
    before = ArtefactSession(assembled().data).predict(images).probabilities.argmax(axis=1)
    after = ArtefactSession(assembled(layer_for(images)).data).predict(images)
    assert np.array_equal(after.probabilities.argmax(axis=1), (before + 1) % 3)
    assert np.array_equal(after.correction_weights.argmax(axis=1), np.arange(6))


@pytest.mark.parametrize("format_version", [1, 2])
def test_replacing_the_layer_is_assembling_with_it(format_version: int) -> None:
    within = space() if format_version == 2 else None
    layer = layer_for(pictures(4, seed=5), within)
    before = assembled(layer_for(pictures(9, seed=6), within))
    for artefact in (before, Artefact.parse(before.data)):
        replaced = artefact.with_layer(layer, "ab" * 32)
        assert replaced.whole() == assembled(layer).data
        assert replaced.sha256 == sha256(replaced.data).hexdigest()
        assert replaced.hash_weights() == assembled(layer).hash_weights()
        empty = empty_layer(WIDTH, 3, within, layer.kappa, layer.end)
        assert replaced.with_layer(empty, "ab" * 32).whole() == assembled(empty).data
        assert artefact.with_layer(artefact.layer, "ab" * 32).whole() == before.data


@pytest.mark.parametrize("corrections", [0, 1, 12])
@pytest.mark.parametrize("format_version", [1, 2])
def test_a_layer_alone_answers_as_the_whole_graph(corrections: int, format_version: int) -> None:
    within = space() if format_version == 2 else None
    base = Artefact.parse(assembled(layer_for(pictures(3, seed=8), within)).data, "models/full-1/a.onnx")
    made = base.with_layer(layer_for(pictures(corrections, seed=5), within), "cd" * 32)
    found = ArtefactFile.parse(made.data).on(base)
    images = np.concatenate((pictures(corrections, seed=5), pictures(9)))
    served, whole = found.predict(images), ArtefactSession(made.whole()).predict(images)
    assert np.abs(served.probabilities - whole.probabilities).max() < 1e-4
    assert np.abs(served.correction_weights - whole.correction_weights).max() < 1e-4
    assert found.base == BaseArtefact("models/full-1/a.onnx", base.sha256)
    assert len(made.data) < 2_000 + 300 * corrections
    assert len(made.data) < len(made.whole())


def test_a_layer_stands_on_its_base_and_no_other() -> None:
    base, other = assembled(), assemble(backbone(), head(), empty_layer(WIDTH, 3), replace(metadata(), input_size=64))
    made = ArtefactFile.parse(base.with_layer(layer_for(pictures(2)), "cd" * 32).data)
    with pytest.raises(InvalidMessage, match="another base"):
        made.on(other)
    with pytest.raises(InvalidMessage, match="a layer alone"):
        Artefact.parse(made.data)


@pytest.mark.parametrize("change", ["type", "rows", "names", "cut", "nodes"])
def test_damaged_layers_are_refused(change: str) -> None:
    model = onnx.load_model_from_string(assembled().with_layer(layer_for(pictures(2)), "cd" * 32).data)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    match change:
        case "type":
            tensors[CENTERS].data_type = onnx.TensorProto.FLOAT16
        case "rows":
            tensors[COEFFICIENTS].dims[0] = 1
        case "names":
            tensors[CENTERS].name = "else"
        case "cut":
            tensors[CENTERS].raw_data = tensors[CENTERS].raw_data[:-1]
        case "nodes":
            model.graph.node.add(op_type="Loop")
    with pytest.raises(InvalidMessage):
        ArtefactFile.parse(model.SerializeToString())


def test_a_replaced_layer_is_what_parsing_its_bytes_finds() -> None:
    base = Artefact.parse(assembled().data)
    replaced = base.with_layer(layer_for(pictures(4)), "cd" * 32)
    found = ArtefactFile.parse(replaced.data).on(base)
    assert found.metadata == replaced.metadata
    assert found.backbone.id == replaced.backbone.id
    assert found.hash_weights() == replaced.hash_weights()
    assert np.array_equal(found.layer.centers, replaced.layer.centers)


def test_replacing_the_layer_notes_the_new_manifest() -> None:
    replaced = assembled().with_layer(layer_for(pictures(2)), "cd" * 32)
    assert replaced.metadata.manifest_sha256 == "cd" * 32
    assert replaced.metadata.corrections == ((UUID(int=0), 2), (UUID(int=1), 2))
    assert replaced.metadata.labels == LABELS


def test_an_artefact_is_parsed_once_however_much_is_read_or_replaced() -> None:
    data = assembled().data
    with counted_parses() as parses:
        artefact = Artefact.parse(data)
        for seed in range(3):
            artefact = artefact.with_layer(layer_for(pictures(2, seed)), "cd" * 32)
            artefact.hash_weights()
        assert artefact.backbone.onnx == backbone()
    assert parses["onnx"] == 1


@pytest.mark.parametrize("corrections", [0, 3])
@pytest.mark.parametrize("format_version", [1, 2])
def test_the_pieces_can_be_read_back_bit_for_bit(corrections: int, format_version: int) -> None:
    layer = layer_for(pictures(corrections), space() if format_version == 2 else None)
    found = Artefact.parse(assembled(layer).data)
    assert found.backbone.onnx == backbone()
    assert found.backbone.id == found.metadata.backbone_id
    for part in ("mean", "scale", "weights", "bias"):
        assert np.array_equal(getattr(found.head, part), getattr(head(), part))
    assert np.array_equal(found.layer.centers, layer.centers)
    assert np.array_equal(found.layer.coefficients, layer.coefficients)
    assert (found.layer.entries, found.layer.kappa) == (layer.entries, layer.kappa)
    assert found.layer.end == pytest.approx(layer.end)
    if layer.space is None:
        assert found.layer.space is None
    else:
        assert found.layer.space is not None
        assert np.array_equal(found.layer.space.mean, layer.space.mean)
        assert np.array_equal(found.layer.space.projection, layer.space.projection)


def test_an_artefact_of_format_1_is_extended_without_a_space() -> None:
    older = assemble(backbone(), head(), empty_layer(WIDTH, 3), replace(metadata(), format_version=1))
    extended = Artefact.parse(older.data).with_layer(layer_for(pictures(2)), "cd" * 32)
    assert extended.metadata.format_version == 3
    whole = onnx.load_from_string(extended.whole())
    assert not any(tensor.name.startswith("space.") for tensor in whole.graph.initializer)
    assert assembled().metadata.format_version == FORMAT_VERSION == 2


def test_equal_pieces_give_equal_bytes_and_weights() -> None:
    assert assembled().data == assembled().data
    assert assembled().hash_weights() == assembled().hash_weights()


def test_the_weights_hash_sees_weights_and_nothing_else() -> None:
    other_manifest = assembled().with_layer(empty_layer(WIDTH, 3), "ef" * 32)
    assert other_manifest.data != assembled().data
    assert other_manifest.hash_weights() == assembled().hash_weights()
    assert assembled(layer_for(pictures(1))).hash_weights() != assembled().hash_weights()


def test_no_images_give_no_answers() -> None:
    assert ArtefactSession(assembled().data).predict(pictures(0)).probabilities.shape == (0, 3)
    assert FeatureExtractor(backbone()).features(pictures(0)).shape == (0, WIDTH)


def test_many_images_are_answered_in_batches_as_one_by_one() -> None:
    images = pictures(21)
    session = ArtefactSession(assembled().data)
    one_by_one = np.concatenate([session.predict(images[at : at + 1]).probabilities for at in range(21)])
    assert np.abs(session.predict(images).probabilities - one_by_one).max() < 1e-6


def without(tensor_name: str) -> bytes:
    model = onnx.load_model_from_string(assembled(layer_for(pictures(2), space())).data)
    kept = [tensor for tensor in model.graph.initializer if tensor.name != tensor_name]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("data", [b"not onnx", b"\xff" * 100, backbone()])
def test_what_is_no_artefact_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        Artefact.parse(data)


@pytest.mark.parametrize("lacking", ["head.bias", "space.mean", "space.projection", "corrections.end"])
def test_an_artefact_without_some_of_its_numbers_is_refused(lacking: str) -> None:
    with pytest.raises(InvalidMessage):
        Artefact.parse(without(lacking))


def test_a_space_of_another_width_is_refused() -> None:
    narrow = LayerSpace(space().mean, space().projection[:, :8])
    layer = replace(layer_for(pictures(2), space()), space=narrow)
    with pytest.raises(InvalidMessage):
        Artefact.parse(assembled(layer).data)


@pytest.mark.parametrize("format_version", [1, 2])
def test_the_graph_is_valid_onnx(format_version: int) -> None:
    layer = layer_for(pictures(2), space() if format_version == 2 else None)
    onnx.checker.check_model(assembled(layer).data, full_check=True)
