"""Dead letters: records that could not be handled, readable, and whole unless they are too large for a record."""

import base64
import hashlib
import json

from shared.contract.dead_letter import DeadLetter
from shared.messaging.event_log import Record
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import PappusError
from shared.runtime.metrics import DEAD_LETTERS
from shared.runtime.telemetry import logger
from shared.runtime.tracing import current_trace_id

DEAD_LETTERS_IN_A_ROW = 20
"""Up to this many in a row the messages are assumed to be wrong; one more means that the code is."""
WHOLE_BYTES = 800_000
"""A value that takes at most this much in the dead letter is kept whole; the dead letter must fit a record of 1 MB."""
CUT_BYTES = 100_000
"""How much is kept of a larger value: as JSON a byte becomes at most six."""
LINE_CHARACTERS = 4_000
"""How much is kept of a key or an error."""


class TooManyDeadLetters(PappusError):
    """Too many messages in a row could not be handled: the code must be at fault, not the messages."""


def make_dead_letter(
    record: Record, error: BaseException, *, handler: str, attempts: int, clock: Clock = utc_now
) -> DeadLetter:
    """Make the dead letter of a record that `handler` could not handle because of `error`."""
    value = record.value
    text, raw = (None, None) if value is None else _readable(value, len(value))
    cut = value if _takes(text, raw) > WHOLE_BYTES else None
    if cut is not None:
        text, raw = _readable(cut, CUT_BYTES)
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=None if record.key is None else _line(record.key),
        value=text,
        value_base64=raw,
        value_bytes=None if cut is None else len(cut),
        value_sha256=None if cut is None else hashlib.sha256(cut).hexdigest(),
        error=type(error).__name__,
        detail=_line(str(error)),
        attempts=attempts,
        handler=handler,
        trace_id=current_trace_id(),
        failed_at=clock(),
    )


def _readable(value: bytes, first: int) -> tuple[str | None, str | None]:
    """Return the first `first` bytes as text (without half a character at the end), or as base64 if the value is not
    text."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return None, base64.b64encode(value[:first]).decode()
    return value[:first].decode(errors="ignore"), None


def _takes(text: str | None, raw: str | None) -> int:
    """Return how many bytes the text takes in JSON."""
    return len(json.dumps(text or raw, ensure_ascii=False).encode())


def _line(text: str) -> str:
    """Return text that any encoder accepts, cut if it is very long."""
    sound = text.encode(errors="backslashreplace").decode()
    return sound if len(sound) <= LINE_CHARACTERS else sound[:LINE_CHARACTERS] + "…"


def record_dead_letter(dead_letter: DeadLetter) -> None:
    """Log and count a published dead letter."""
    DEAD_LETTERS.labels(dead_letter.handler, dead_letter.topic, dead_letter.error).inc()
    logger.error(
        "dead letter",
        handler=dead_letter.handler,
        partition=f"{dead_letter.topic}[{dead_letter.partition}]@{dead_letter.offset}",
        key=dead_letter.key,
        error=dead_letter.error,
        detail=dead_letter.detail,
        attempts=dead_letter.attempts,
    )
