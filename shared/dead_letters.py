"""What cannot be handled, as it is put on a dead-letter topic: readable, with nothing lost."""

import base64

from shared.clock import Clock, utc_now
from shared.errors import PappusError
from shared.events import DeadLetter
from shared.log import Record
from shared.metrics import DEAD_LETTERS
from shared.telemetry import current_trace_id, log

DEAD_LETTERS_IN_A_ROW = 20
"""So many are believed; one more means that the code is wrong, not the messages."""


class TooManyDeadLetters(PappusError):
    """So many messages in a row could not be handled that the code must be at fault, not the messages."""


def dead_letter(
    record: Record, error: BaseException, *, handler: str, attempts: int, clock: Clock = utc_now
) -> DeadLetter:
    """The letter for a record that `handler` could not handle because of `error`."""
    text, raw = _readable(record.value)
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=text,
        value_base64=raw,
        error=type(error).__name__,
        detail=str(error),
        attempts=attempts,
        handler=handler,
        trace_id=current_trace_id(),
        failed_at=clock(),
    )


def _readable(value: bytes | None) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    try:
        return value.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(value).decode()


def count_dead_letter(letter: DeadLetter) -> None:
    """Say in log and metrics that the letter was published."""
    DEAD_LETTERS.labels(letter.handler, letter.topic, letter.error).inc()
    log.error(
        "dead letter",
        handler=letter.handler,
        place=f"{letter.topic}[{letter.partition}]@{letter.offset}",
        error=letter.error,
        detail=letter.detail,
        attempts=letter.attempts,
    )
