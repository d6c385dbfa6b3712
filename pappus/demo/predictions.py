"""Asking the model about many images, and waiting until a correction is live."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from pappus.demo.images import ImageSource
from pappus.errors import Refused
from pappus.plants import PlantRow
from shared.clients.answers import Prediction
from shared.clients.api import AsyncApi
from shared.clients.labeler import get_champion, get_history, list_models
from shared.clients.predictor import predict
from shared.runtime.bounded import map_bounded

AT_ONCE = 8
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said about one image. `confidence` is the probability of `label`, `milliseconds` the client's."""

    row: PlantRow
    sha256: str
    label: str
    runner_up: str
    confidence: float
    model_version: str
    prediction_id: UUID
    milliseconds: float

    @property
    def wrong(self) -> bool:
        """Whether it differs from the true label of the row."""
        return self.label != self.row.label


async def ask(predictor: AsyncApi, source: ImageSource, rows: Sequence[PlantRow]) -> list[Answer]:
    """Return the model's answers about these images, in their order, `AT_ONCE` at a time."""

    async def one(row: PlantRow) -> Answer:
        data = await source.read(row)
        start = time.perf_counter()
        answer = await predictor.send(predict(data, row.url_source.rsplit("/", 1)[-1]))
        return _answer(row, answer, (time.perf_counter() - start) * 1000)

    return await map_bounded(one, rows, AT_ONCE)


def _answer(row: PlantRow, prediction: Prediction, milliseconds: float) -> Answer:
    ranked = sorted(prediction.probabilities, key=lambda label: -prediction.probabilities[label])
    return Answer(
        row=row,
        sha256=prediction.sha256,
        label=prediction.label,
        runner_up=ranked[1],
        confidence=prediction.probabilities[ranked[0]],
        model_version=prediction.model_version,
        prediction_id=prediction.prediction_id,
        milliseconds=milliseconds,
    )


def describe(answers: Sequence[Answer]) -> str:
    """Return one sentence about a round of answers."""
    right = sum(not answer.wrong for answer in answers)
    speed = median(answer.milliseconds for answer in answers)
    return f"{right} of {len(answers)} answers as labelled ({right / len(answers):.1%}), {speed:.1f} ms median"


async def until_live_or_aside(
    person: AsyncApi, image_id: UUID, event_id: UUID, timeout_seconds: float, advice: str
) -> str | None:
    """Wait until a promoted model holds this correction (None) or the gate has set it aside (why). Raises Refused after
    `timeout_seconds`; `advice` says where to look then."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        entry = next((e for e in await person.send(get_history(image_id)) if e.event_id == event_id), None)
        if entry and entry.live_in:
            return None
        if entry and entry.set_aside:
            return entry.set_aside
        if time.monotonic() > deadline:
            await _refuse_frozen(person)
            raise Refused(
                f"The correction of {image_id} is in no model {timeout_seconds:.0f} s after it was made."
                f" {await _describe_newest(person)} {advice}"
            )
        await asyncio.sleep(0.02)


async def _describe_newest(person: AsyncApi) -> str:
    """Return what became of the newest model: most likely it is why a correction is not live."""
    newest = await person.send(list_models(1))
    if not newest:
        return "There is no model yet."
    said = newest[0].summary or "It has no verdict yet."
    return f"The newest model is {newest[0].version} ({newest[0].state}): {said}"


async def unless_set_aside(
    person: AsyncApi, image_id: UUID, event_id: UUID, wait: Callable[[], Coroutine[Any, Any, None]]
) -> str | None:
    """Wait (None), but no longer when the gate has set this correction aside (why). Raises what `wait` raises."""
    waiting = asyncio.create_task(wait())
    try:
        while not (await asyncio.wait({waiting}, timeout=LOOK_SECONDS))[0]:
            entry = next((e for e in await person.send(get_history(image_id)) if e.event_id == event_id), None)
            if entry and entry.set_aside:
                return entry.set_aside
        await waiting
        return None
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def _refuse_frozen(person: AsyncApi) -> None:
    """Raise Refused if promotions are frozen, and that is why no correction becomes live."""
    champion = await person.send(get_champion())
    if champion is not None and champion.frozen:
        raise Refused("Promotions are frozen, so no correction becomes live: pappus unfreeze")
