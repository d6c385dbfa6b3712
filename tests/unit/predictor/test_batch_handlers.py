"""What the process of batches says about an image."""

from uuid import UUID, uuid4

import pytest

from services.predictor.batches.handlers import RequestedPredictions
from services.predictor.batches.sources import Refused
from services.predictor.decisions.batches import object_key_of
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.contract.batches import PredictionRequested
from shared.runtime.errors import NotReady, TransientError
from shared.storage.verified import get_verified
from shared.testing import MemoryObjectStore, prediction_requested
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, sha256_of, small_artefact

RED = picture(255, 0, 0)
REQUEST = prediction_requested(
    sha256=sha256_of(RED), object_key=object_key_of(sha256_of(RED)), batch_size=2, file_name="meadow/red.png"
)


class OfStore:
    """Bytes from a store in memory."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore()

    async def fetch(self, request: PredictionRequested) -> bytes:
        assert request.object_key is not None
        assert request.sha256 is not None
        return await get_verified(self.store, request.object_key, request.sha256)


class Without:
    """There are no bytes, for this reason."""

    def __init__(self, why: Exception) -> None:
        self._why = why

    async def fetch(self, request: PredictionRequested) -> bytes:
        raise self._why


def serving(sequence: int = 2) -> ModelHolder:
    in_service, artefact = ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(sequence, artefact), Model(artefact), NOON))
    return in_service


async def stored(data: bytes) -> OfStore:
    images = OfStore()
    await images.store.put(object_key_of(sha256_of(data)), data)
    return images


async def test_an_image_is_answered_with_the_champion() -> None:
    handler = RequestedPredictions(await stored(RED), serving(), "batches-0", lambda: NOON)
    [event] = await handler.on_prediction_requested(REQUEST)
    assert event.answer is not None
    assert (event.answer.label, event.answer.model_version, event.answer.sequence) == ("dandelion", "fast-2", 2)
    assert (event.answer.sha256, event.answer.replica) == (sha256_of(RED), "batches-0")
    assert (event.prediction_id, event.batch_id, event.index) == (REQUEST.prediction_id, REQUEST.batch_id, 0)
    assert (event.batch_size, event.causes) == (2, (REQUEST.event_id,))
    assert event.file_name == REQUEST.file_name == "meadow/red.png"


async def test_a_repetition_has_the_same_id_also_with_another_model() -> None:
    images = await stored(RED)
    ids = set()
    for sequence in (2, 3):
        handler = RequestedPredictions(images, serving(sequence), "batches-0")
        ids |= {event.event_id for event in await handler.on_prediction_requested(REQUEST)}
    assert len(ids) == 1


async def test_what_is_no_image_is_refused_with_its_reason() -> None:
    text = b"this is no picture"
    request = prediction_requested(sha256=sha256_of(text), object_key=object_key_of(sha256_of(text)))
    handler = RequestedPredictions(await stored(text), serving(), "batches-0")
    [event] = await handler.on_prediction_requested(request)
    assert event.answer is None
    assert event.refusal is not None
    assert event.refusal.error == "not_an_image"
    assert event.refusal.detail.endswith(".")


async def test_bytes_that_will_never_be_there_are_a_refusal() -> None:
    handler = RequestedPredictions(Without(Refused("bytes_gone", "They are gone.")), serving(), "batches-0")
    [event] = await handler.on_prediction_requested(REQUEST)
    assert event.refusal is not None
    assert (event.refusal.error, event.refusal.detail) == ("bytes_gone", "They are gone.")


async def test_without_a_model_or_a_store_the_image_has_to_wait() -> None:
    with pytest.raises(NotReady):
        await RequestedPredictions(await stored(RED), ModelHolder(), "batches-0").on_prediction_requested(REQUEST)
    away = RequestedPredictions(Without(TransientError("away")), serving(), "batches-0")
    with pytest.raises(TransientError):
        await away.on_prediction_requested(prediction_requested(image_id=UUID(int=1), batch_id=uuid4()))
