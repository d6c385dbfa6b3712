"""What the worker says about stored images."""

from uuid import UUID

import pytest

from services.predictor.decisions.answers import needs_answer
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.worker.handlers import StoredImages
from services.predictor.worker.scorer import Scorer
from shared.runtime.errors import InvalidMessage, NotReady
from shared.testing import MemoryObjectStore, image_stored
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, sha256_of, small_artefact

RED = picture(255, 0, 0)
STORED = image_stored(object_key="images/sha256/aa/red", sha256=sha256_of(RED), label=None, trust="claimed")


@pytest.fixture
async def images() -> StoredImages:
    store, in_service = MemoryObjectStore(), ModelHolder()
    await store.put(STORED.object_key, RED)
    artefact = small_artefact(corrections=[(UUID(int=1), (1, 0, 0))])
    in_service.swap(ServingModel(promotion(2, artefact), Model(artefact), NOON))
    return StoredImages(Scorer(store, in_service, "worker", clock=lambda: NOON))


async def test_an_image_without_a_label_is_scored_with_the_champion(images: StoredImages) -> None:
    [event] = await images.on_image_stored(STORED)
    answer = event.answer
    assert answer is not None
    assert (event.image_id, answer.sha256, answer.sequence) == (STORED.image_id, STORED.sha256, 2)
    assert (answer.label, answer.model_version, answer.corrections) == ("dandelion", "fast-2", (UUID(int=1),))
    assert event.causes == (STORED.event_id,)


async def test_a_repeated_event_gives_the_same_answer(images: StoredImages) -> None:
    [first] = await images.on_image_stored(STORED)
    [again] = await images.on_image_stored(STORED)
    assert first.answer is not None
    assert again.answer is not None
    assert (first.event_id, first.answer.prediction_id) == (again.event_id, again.answer.prediction_id)


@pytest.mark.parametrize(
    ("label", "trust", "needed"),
    [
        (None, "claimed", True),
        ("grass", "claimed", True),
        ("grass", "seed", False),
        ("grass", "reviewed", False),
        (None, "seed", True),
    ],
)
def test_only_images_without_a_trusted_label_need_an_answer(label: str | None, trust: str, needed: bool) -> None:
    assert needs_answer(image_stored(label=label, trust=trust)) is needed


async def test_an_image_with_a_trusted_label_is_left_alone(images: StoredImages) -> None:
    assert await images.on_image_stored(image_stored(label="grass", trust="seed")) == []


async def test_without_a_model_the_image_has_to_wait() -> None:
    waiting = StoredImages(Scorer(MemoryObjectStore(), ModelHolder(), "worker"))
    with pytest.raises(NotReady):
        await waiting.on_image_stored(STORED)


async def test_bytes_that_are_gone_or_broken_contradict_the_event(images: StoredImages) -> None:
    with pytest.raises(InvalidMessage, match="gone"):
        await images.on_image_stored(STORED.model_copy(update={"object_key": "images/sha256/bb/gone"}))
    store, in_service = MemoryObjectStore(), ModelHolder()
    await store.put(STORED.object_key, b"not an image")
    artefact = small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    with pytest.raises(InvalidMessage, match=str(STORED.image_id)):
        await StoredImages(Scorer(store, in_service, "worker")).on_image_stored(STORED)


async def test_an_image_that_was_withdrawn_meanwhile_has_no_answer(images: StoredImages) -> None:
    asked: list[UUID] = []

    async def withdrawn(image_id: UUID) -> bool:
        asked.append(image_id)
        return image_id == STORED.image_id

    without_bytes = Scorer(MemoryObjectStore(), images._scorer._in_service, "worker", clock=lambda: NOON)
    worker = StoredImages(without_bytes, withdrawn)
    assert await worker.on_image_stored(STORED) == []
    with pytest.raises(InvalidMessage):
        await worker.on_image_stored(image_stored(label=None))
    assert asked[0] == STORED.image_id
