"""A head of several parts: the mean of their probabilities, in numpy and in the graph."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from services.trainer.model.correction_layer import empty_layer
from services.trainer.model.head import Head, probabilities
from services.trainer.model.onnx_artefact import Artefact, assemble
from services.trainer.model.sessions import ArtefactSession, FeatureExtractor
from services.trainer.training.logistic_regression import fit_head
from shared.runtime.errors import InvalidMessage
from tests.unit.trainer.model.test_onnx_artefact import LABELS, WIDTH, backbone, head, metadata, pictures

WIDTHS = (20, 7)


def of_parts(temperature: float = 0.8) -> Head:
    """Return a head of two parts, on 20 and on 7 of the features."""
    generator = np.random.default_rng(4)
    weights = np.zeros((WIDTH, 6), np.float32)
    weights[:20, :3] = generator.normal(0, 2, (20, 3))
    weights[20:, 3:] = generator.normal(0, 2, (7, 3))
    bias = generator.normal(0, 1, 6).astype(np.float32)
    return replace(head(), weights=weights, bias=bias, temperature=temperature)


def test_the_logits_are_those_of_the_mean_of_probabilities() -> None:
    features = FeatureExtractor(backbone()).features(pictures(30))
    both = of_parts(1.0)
    alone = [
        replace(head(), weights=both.weights[:, part : part + 3], bias=both.bias[part : part + 3]) for part in (0, 3)
    ]
    mean = np.mean([probabilities(part.logits(features)) for part in alone], axis=0)
    np.testing.assert_allclose(probabilities(both.logits(features)), mean, atol=1e-6)
    assert (both.parts, alone[0].parts) == (2, 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_graph_of_several_parts_answers_as_numpy_does(temperature: float) -> None:
    two = of_parts(temperature)
    artefact = assemble(backbone(), two, empty_layer(WIDTH, 3), metadata())
    answers = ArtefactSession(artefact.data).predict(pictures(40))
    assert np.abs(answers.probabilities - probabilities(two.logits(answers.features))).max() < 1e-5
    found = Artefact.parse(artefact.data)
    assert found.head.temperature == pytest.approx(temperature)
    assert np.array_equal(found.head.weights, two.weights)
    assert found.hash_weights() == artefact.hash_weights()
    assert found.hash_weights() != assemble(backbone(), of_parts(2.0), empty_layer(WIDTH, 3), metadata()).hash_weights()


def test_certain_parts_give_finite_logits() -> None:
    sure = replace(of_parts(), bias=np.array([500, 0, 0, 500, 0, 0], np.float32))
    artefact = assemble(backbone(), sure, empty_layer(WIDTH, 3), metadata())
    answers = ArtefactSession(artefact.data).predict(pictures(3))
    assert np.isfinite(sure.logits(answers.features)).all()
    assert np.isfinite(answers.probabilities).all()


def test_a_head_of_one_part_is_written_as_it_always_was() -> None:
    names = {node.name for node in onnx.load_model_from_string(assembled_head()).graph.node if "head/" in node.name}
    assert names == {"head/centred", "head/standardised", "head/logits"}


def assembled_head() -> bytes:
    return assemble(backbone(), head(), empty_layer(WIDTH, 3), metadata()).data


@pytest.mark.parametrize("parts", [1, 2])
def test_a_cooled_head_has_its_logits_divided(parts: int) -> None:
    features = FeatureExtractor(backbone()).features(pictures(5))
    plain = head() if parts == 1 else of_parts()
    np.testing.assert_allclose(plain.cooled(2.0).logits(features), plain.logits(features) / 2, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(value: float) -> None:
    model = onnx.load_model_from_string(assemble(backbone(), of_parts(), empty_layer(WIDTH, 3), metadata()).data)
    found = next(tensor for tensor in model.graph.initializer if tensor.name == "head.temperature")
    found.CopyFrom(numpy_helper.from_array(np.array(value, np.float32), found.name))
    with pytest.raises(InvalidMessage, match="temperature"):
        Artefact.parse(model.SerializeToString())


def test_each_part_is_fitted_to_its_own_features() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(3, 2, (60, WIDTH)).astype(np.float32)
    targets = [LABELS[number % 3] for number in range(60)]
    both = fit_head(features, targets, LABELS, part_widths=WIDTHS)
    alone = fit_head(features[:, :20], targets, LABELS).head
    np.testing.assert_array_equal(both.head.weights[:20, :3], alone.weights)
    assert not both.head.weights[20:, :3].any()
    assert not both.head.weights[:20, 3:].any()
    assert list(both.curve) == sorted(both.curve, reverse=True)
    with pytest.raises(ValueError, match="part_widths"):
        fit_head(features, targets, LABELS, part_widths=(20, 8))
