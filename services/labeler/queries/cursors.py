"""Cursors: where a page of a list begins, as text that clients pass back. It checks itself, so that one that was cut,
changed, or made for another filter is refused instead of answered with the wrong page."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from shared.runtime.errors import PappusError

CHECK_BYTES = 8
FORMAT = b"1 "
"""What a cursor says; one of another release is refused."""


class InvalidCursor(PappusError):
    """The cursor is none of an answer to this filter and order."""

    def __init__(self) -> None:
        super().__init__(
            "This cursor is damaged, or it belongs to another filter or order. Ask without a cursor for the first page."
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """A page begins after the image `image_id`, whose value in the order is `value`, or ends before it if `backward`.
    `start` images come before the page; `total` are listed in all, as counted for the first page, or `more`."""

    value: datetime | float
    image_id: UUID
    start: int
    total: int
    more: bool = False
    backward: bool = False


def encode_cursor(cursor: Cursor, list_name: str) -> str:
    """Return the cursor as text. `list_name` says what is listed, and in which order."""
    value = cursor.value.isoformat() if isinstance(cursor.value, datetime) else cursor.value
    numbers = [cursor.start, cursor.total, int(cursor.more), int(cursor.backward)]
    content = json.dumps([value, cursor.image_id.hex, *numbers], separators=(",", ":")).encode()
    return urlsafe_b64encode(_check(content, list_name) + content).decode().rstrip("=")


def decode_cursor(text: str, list_name: str) -> Cursor:
    """Return the cursor in a text. Raises InvalidCursor."""
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError as error:  # UnicodeEncodeError and binascii's are such
        raise InvalidCursor from error
    check, content = data[:CHECK_BYTES], data[CHECK_BYTES:]
    if not content or check != _check(content, list_name):
        raise InvalidCursor
    value, image_id, start, total, more, backward = json.loads(content)
    found = datetime.fromisoformat(value) if isinstance(value, str) else float(value)
    return Cursor(found, UUID(image_id), start, total, bool(more), bool(backward))


def _check(content: bytes, list_name: str) -> bytes:
    return sha256(FORMAT + list_name.encode() + b"\0" + content).digest()[:CHECK_BYTES]
