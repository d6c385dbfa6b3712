"""What the worker says about a place is where the trainer's layer has the image."""

import math
from uuid import UUID

import numpy as np
import pytest

from services.predictor.data.stored_images import StoredImage
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Graph, Model, ParsedArtefact
from services.predictor.model.scoring import answer
from services.predictor.worker.scorer import Scorer
from services.trainer.model.layer_space import DIMENSIONS as DIMENSIONS_OF_LAYER
from services.trainer.model.layer_space import unit_length
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.place import DIMENSIONS, decode_place
from shared.imaging.preprocessing import prepare_image
from shared.testing import MemoryObjectStore
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, sha256_of, small_artefact
from tests.unit.trainer.model.test_onnx_artefact import assembled, backbone, layer_for, pictures, space


@pytest.mark.parametrize("alone", [False, True], ids=["a whole artefact", "a layer on it"])
def test_the_place_is_what_the_trainer_computes(alone: bool) -> None:
    base = Artefact.parse(assembled(layer_for(pictures(3, seed=5), space())).data, "models/full-1/a.onnx")
    images, model = pictures(5, seed=7), Model(base.data)
    if alone:
        made = base.with_layer(layer_for(pictures(9, seed=6), space()), "cd" * 32)
        model = Model(made.data, bases={base.sha256: Graph(ParsedArtefact.of(base.data))})
    expected = unit_length(space().place(FeatureExtractor(backbone()).features(images)))
    for image, direction in zip(images, expected, strict=True):
        place = np.array(decode_place(model.graph.place(model.answer(image).features) or ""), np.float32)
        assert not place[len(direction) :].any()
        cosine = float(place[: len(direction)] @ direction / np.linalg.norm(place))
        assert cosine > 0.9999
        steps = direction / np.abs(direction).max() * 127
        assert np.abs(place[: len(direction)] - steps).max() < 0.51


async def test_the_answer_about_a_stored_image_says_its_place() -> None:
    artefact, data = assembled(layer_for(pictures(3, seed=5), space())).data, picture(200, 10, 10)
    store, in_service, model = MemoryObjectStore(), ModelHolder(), Model(artefact)
    await store.put("images/1", data)
    in_service.swap(ServingModel(promotion(1, artefact), model, NOON))
    scorer = Scorer(store, in_service, "worker", clock=lambda: NOON)
    event = await scorer.score_first(StoredImage(UUID(int=1), sha256_of(data), "images/1", UUID(int=2)))
    assert event.answer is not None
    assert event.answer.place == model.graph.place(answer(data, prepare_image(data), model).features)
    assert event.answer.place is not None


def test_a_model_without_a_space_says_no_place() -> None:
    for artefact in (small_artefact(), assembled(layer_for(pictures(3, seed=5))).data):
        model = Model(artefact)
        data = picture(200, 10, 10)
        scored = answer(data, prepare_image(data), model)
        assert scored.sha256 == sha256_of(data)
        assert model.graph.place(scored.features) is None


def test_features_of_another_length_have_no_place() -> None:
    graph = Graph(ParsedArtefact.of(assembled(layer_for(pictures(3, seed=5), space())).data))
    assert graph.place(np.ones(5, np.float32)) is None
    assert graph.place(np.full(27, math.nan, np.float32)) is None


def test_a_place_holds_all_numbers_of_a_layer() -> None:
    assert DIMENSIONS_OF_LAYER <= DIMENSIONS
