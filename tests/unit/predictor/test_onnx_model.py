"""An artefact serves only if it is what it says it is."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from services.predictor.model import onnx_model
from services.predictor.model.onnx_model import InvalidArtefact, Model
from shared.imaging.structure import Pixels
from tests.unit.predictor.small_model import METADATA, small_artefact


def test_a_model_answers_one_image_with_probabilities_features_and_weights() -> None:
    model = Model(small_artefact(corrections=[(UUID(int=1), (1, 0, 0))]))
    red: Pixels = np.zeros((96, 96, 3), np.uint8)
    red[:, :, 0] = 255
    output = model.answer(red)
    assert output.probabilities.shape == (2,)
    assert output.probabilities[0] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-5)
    assert output.features.tolist() == pytest.approx([1, 0, 0])
    assert output.weights.tolist() == pytest.approx([1])


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(InvalidArtefact, match="cannot load"):
        Model(b"not a model")


def test_a_graph_that_was_cut_short_is_refused() -> None:
    with pytest.raises(InvalidArtefact):
        Model(small_artefact()[:-200])


def test_a_graph_without_metadata_is_refused() -> None:
    with pytest.raises(InvalidArtefact, match="has no property"):
        Model(small_artefact(metadata=None))


def test_an_artefact_of_a_newer_format_is_refused() -> None:
    with pytest.raises(InvalidArtefact, match="format 99"):
        Model(small_artefact(metadata=replace(METADATA, format_version=99)))


def test_an_artefact_for_another_input_size_is_refused() -> None:
    with pytest.raises(InvalidArtefact, match="224 pixels"):
        Model(small_artefact(metadata=replace(METADATA, input_size=224)))


def test_more_labels_than_probabilities_are_refused() -> None:
    with pytest.raises(InvalidArtefact, match="3 labels"):
        Model(small_artefact(metadata=replace(METADATA, labels=("dandelion", "grass", "clover"))))


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InvalidArtefact, match="no probabilities"):
        Model(small_artefact(bias=(float("nan"), 0.0)))


def test_more_corrections_than_rows_are_refused() -> None:
    entries = ((UUID(int=1), 1), (UUID(int=2), 1))
    with pytest.raises(InvalidArtefact, match="2 corrections"):
        Model(small_artefact(metadata=replace(METADATA, corrections=entries)))


def test_a_heavy_model_gets_threads_which_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    light = Model(small_artefact(corrections=[(UUID(int=1), (1, 0, 0))]))
    monkeypatch.setattr(onnx_model, "HEAVY_SECONDS", 0.0)
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 64)
    heavy = Model(small_artefact(corrections=[(UUID(int=1), (1, 0, 0))]))
    assert (light.graph.threads, heavy.graph.threads) == (1, onnx_model.MOST_THREADS)
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    ours, theirs = light.answer(image), heavy.answer(image)
    assert np.array_equal(ours.probabilities, theirs.probabilities)
    assert np.array_equal(ours.features, theirs.features)
    assert np.array_equal(ours.weights, theirs.weights)
