"""The bytes of a message, field by field, before they are parsed: two bytes make an empty tensor of more than a
hundred, one byte a number of four. The wire format: https://protobuf.dev/programming-guides/encoding/"""

from google.protobuf.descriptor import Descriptor  # type: ignore[import-untyped]

from services.predictor.api.standards.batches import MOST_LISTS, MOST_VALUES, bad_request
from shared.http.problems import Problem

MOST_FIELDS = MOST_LISTS
"""In one message, those of the messages in it included. To look through so many takes some 10 ms."""
DEEPEST = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED32: 4, _FIXED64: 8}


def check_fields(data: bytes, kind: Descriptor) -> None:
    """Raise Problem (400) if these bytes are no message, or one with more than MOST_FIELDS, or with lists of numbers of
    more than MOST_VALUES bytes: parsing would take far more memory than the message has bytes. Fields that `kind` does
    not have are skipped, as the parser does."""
    _Walk(data).message(0, len(data), kind, 0)


def no_message(kind: Descriptor) -> Problem:
    """Return the problem of bytes that are not of this kind."""
    return bad_request(f"The message is no {kind.name}. Send one as the protocol describes it.")


class _Walk:
    """One walk over the bytes. Positions are offsets in them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._fields = 0
        self._numbers_bytes = 0

    def message(self, at: int, end: int, kind: Descriptor, depth: int) -> None:
        """Walk over the fields of one message of this kind. Raises Problem (400)."""
        if depth > DEEPEST:
            raise no_message(kind)
        while at < end:
            tag, at = self._number(at, end, kind)
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise bad_request(
                    f"The message has more than {MOST_FIELDS:,} fields. Send pixels as raw_input_contents, or images"
                    " as files."
                )
            at = self._value(at, end, tag, kind, depth)

    def _value(self, at: int, end: int, tag: int, kind: Descriptor, depth: int) -> int:
        """Walk over one value, and return where the next field begins."""
        wire = tag & 7
        if wire == _VARINT:
            return self._number(at, end, kind)[1]
        if wire == _BYTES:
            length, at = self._number(at, end, kind)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise no_message(kind)
        after = at + length
        if after > end:
            raise no_message(kind)
        field = kind.fields_by_number.get(tag >> 3)
        if wire == _BYTES and field is not None:
            if field.message_type is not None:
                self.message(at, after, field.message_type, depth + 1)
            elif field.is_repeated and field.type not in (field.TYPE_BYTES, field.TYPE_STRING):
                self._count_numbers(length)
        return after

    def _count_numbers(self, length: int) -> None:
        self._numbers_bytes += length
        if self._numbers_bytes > MOST_VALUES:
            raise bad_request(
                f"The lists of numbers in the message have more than {MOST_VALUES:,} bytes. Send pixels as"
                " raw_input_contents, or images as files."
            )

    def _number(self, at: int, end: int, kind: Descriptor) -> tuple[int, int]:
        """Return the number at this position, and the position after it."""
        number, shift = 0, 0
        while at < end and shift < 70:
            byte = self._data[at]
            number, at, shift = number | (byte & 127) << shift, at + 1, shift + 7
            if byte < 128:
                return number, at
        raise no_message(kind)
