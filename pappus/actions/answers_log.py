"""Answers of the model, as they are on the log of the local stack. Other installations do not open their log."""

from collections.abc import Iterator
from uuid import UUID

from pappus.actions.event_log import running_event_log
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.stack_client import RunningStack
from shared.contract.events import Event, TrainingRequested
from shared.contract.image_scored import ImageScored
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.messaging.codec import decode
from shared.messaging.event_log import Record
from shared.messaging.reading import read_to_the_end
from shared.runtime.errors import InvalidMessage, PappusError, UnknownContent

NEWEST = 2_000
"""So many records of each partition are looked through for what shapes answers now, and the newest so many answers of
all."""
NEWEST_TOGETHER = 200
"""So many records that hold many answers."""


async def find_answer(installation: Installation, prediction_id: UUID) -> PredictionLogged | None:
    """Return the answer with this id; None if the log does not have it, or is not here."""
    answers = await _answers(installation, (str(prediction_id),))
    return next((each for each in answers if each.prediction_id == prediction_id), None)


async def answers_about(installation: Installation, image_id: UUID, sha256: str | None) -> list[PredictionLogged]:
    """Return the answers about an image or its bytes, the oldest first; of each version the newest."""
    found = await _answers(installation, (str(image_id), *([sha256] if sha256 else [])))
    about = [each for each in found if each.image_id == image_id or each.sha256 == sha256]
    newest = {each.model_version: each for each in sorted(about, key=lambda each: each.occurred_at)}
    return sorted(newest.values(), key=lambda each: each.occurred_at)


async def _answers(installation: Installation, texts: tuple[str, ...]) -> list[PredictionLogged]:
    """Return the answers to requests, and those about stored images in the same form."""
    requested = await _requested(installation, texts)
    scored = await _read(installation, ImageScored.topic, texts)
    return [
        *(each for each in requested if not texts or any(text in _names(each) for text in texts)),
        *(answer for each in scored if isinstance(each, ImageScored) and (answer := as_logged(each)) is not None),
    ]


def as_logged(event: ImageScored) -> PredictionLogged | None:
    """Return an answer about a stored image in the form of an answer to a request; None if it was taken back."""
    if event.answer is None:
        return None
    values = event.answer.model_dump(exclude={"sequence", "full_model_sha256"})
    about = event.model_dump(include={"event_id", "occurred_at", "causes", "image_id", "model_name"})
    return PredictionLogged.model_validate({**about, **values, "source": "stored"})


async def newest_answers(installation: Installation) -> list[PredictionLogged] | None:
    """Return the newest answers; None if the log is not here."""
    if not isinstance(installation, RunningStack):
        return None
    found = await _requested(installation, (), NEWEST)
    return sorted(found, key=lambda each: each.occurred_at)[-NEWEST:]


async def _requested(
    installation: Installation, texts: tuple[str, ...], newest: int | None = None
) -> list[PredictionLogged]:
    """Return the answers to requests in the records that contain one of these texts: those of one record for each, as
    earlier releases wrote them, and those of one record for many."""
    alone = await _read(installation, PredictionLogged.topic, texts, newest)
    together = await _read(installation, AnswersLogged.topic, texts, newest and NEWEST_TOGETHER)
    return [
        *(each for each in alone if isinstance(each, PredictionLogged)),
        *(each for event in together if isinstance(event, AnswersLogged) for each in event.each()),
    ]


def _names(answer: PredictionLogged) -> tuple[str, str, str]:
    """Return what an answer is found by."""
    return str(answer.prediction_id), answer.sha256, str(answer.image_id)


async def training_requests(installation: Installation, event_ids: frozenset[UUID]) -> list[TrainingRequested]:
    """Return those of these events that request a training."""
    if not event_ids:
        return []
    found = await _read(installation, TrainingRequested.topic, tuple(str(each) for each in event_ids))
    return [each for each in found if isinstance(each, TrainingRequested) and each.event_id in event_ids]


async def _read(
    installation: Installation, topic: str, texts: tuple[str, ...], newest: int | None = None
) -> list[Event]:
    """Return the events of a topic that contain one of these texts (all without texts); of each partition only the
    `newest` records. Nothing where the log is not here."""
    if not isinstance(installation, RunningStack):
        return []
    try:
        return await _read_log(installation, topic, [text.encode() for text in texts], newest)
    except PappusError as error:
        raise Refused(f"The log cannot be read. {error}") from error


async def _read_log(installation: RunningStack, topic: str, wanted: list[bytes], newest: int | None) -> list[Event]:
    async with running_event_log(installation.state) as (event_log, _), event_log.reader([topic]) as reader:
        starts = {}
        if newest is not None:
            begins, ends = await reader.beginning_offsets(), await reader.end_offsets()
            starts = {place: max(begins[place], end - newest) for place, end in ends.items()}
        return [event async for record in read_to_the_end(reader, starts) for event in _events(topic, record, wanted)]


def _events(topic: str, record: Record, wanted: list[bytes]) -> Iterator[Event]:
    if record.value is None or (wanted and not any(text in record.value for text in wanted)):
        return
    try:
        yield decode(topic, record.value)
    except (InvalidMessage, UnknownContent):
        return
