"""Images without an answer go first."""

import asyncio
from uuid import UUID

from services.predictor.data.stored_images import StoredImage
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.worker.scorer import Scorer
from shared.testing import MemoryObjectStore, eventually
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, sha256_of, small_artefact

RED = picture(255, 0, 0)


class SlowStore(MemoryObjectStore):
    """A store whose answers wait for `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.asked: list[str] = []

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        """See ObjectStore."""
        self.asked.append(key)
        await self.go_on.wait()
        return await super().get(key, limit_bytes)


def image(number: int) -> StoredImage:
    return StoredImage(UUID(int=number), sha256_of(RED), f"images/{number}", UUID(int=100 + number))


async def test_scoring_again_waits_while_a_first_answer_is_in_work() -> None:
    store, in_service, artefact = SlowStore(), ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    scorer = Scorer(store, in_service, "worker", clock=lambda: NOON)
    for number in (1, 2, 3):
        await store.put(f"images/{number}", RED)
    firsts = [asyncio.create_task(scorer.score_first(image(number))) for number in (1, 2)]
    await eventually(lambda: len(store.asked) == 2)
    again = asyncio.create_task(scorer.score_again(image(3)))
    await asyncio.sleep(0)
    assert store.asked == ["images/1", "images/2"]
    store.go_on.set()
    events = [await task for task in (*firsts, again)]
    assert store.asked[-1] == "images/3"
    assert [len(event.causes) for event in events] == [1, 1, 2]  # the promotion is a cause of scoring again
