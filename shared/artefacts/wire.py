"""The bytes of an ONNX model, field by field, before they are parsed.

Parsing is not bounded by the size of the file: two bytes make an empty node of more than a hundred, one byte a number
of eight. And a parser takes what it does not know, so a picture can be a valid model as well. The wire format:
https://protobuf.dev/programming-guides/encoding/
"""

from google.protobuf.descriptor import Descriptor, FieldDescriptor  # type: ignore[import-untyped]
from onnx import ModelProto

from shared.runtime.errors import InvalidMessage

LARGEST_FIELDS = 200_000
LARGEST_PACKED_BYTES = 1_000_000
DEEPEST = 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
}
_TEXT = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


def check_wire(data: bytes) -> None:
    """Look through the fields of an ONNX model. Takes 10 microseconds a field.

    Raises:
        InvalidMessage: the bytes are no such model, or hold a field that ONNX does not know, a single field twice, or
            so many that parsing costs far more memory than the file has bytes.
    """
    try:
        _Walk(data).message(0, len(data), ModelProto.DESCRIPTOR, 0)
    except IndexError as error:
        raise InvalidMessage(
            f"These {len(data)} bytes are not an ONNX graph: a field goes beyond the end. Was the object cut?"
        ) from error


class _Walk:
    """One walk over the bytes. Positions are offsets in them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._fields = 0
        self._packed_bytes = 0

    def message(self, at: int, end: int, kind: Descriptor, depth: int) -> None:
        """Walk over the fields of one message of this kind. Raises InvalidMessage, IndexError."""
        if depth > DEEPEST:
            raise _refused(f"messages lie {depth} deep in each other")
        seen: set[int] = set()
        while at < end:
            tag, at = self._varint(at, end)
            field = kind.fields_by_number.get(tag >> 3)
            if field is None:
                raise _refused(f"{kind.name} has a field {tag >> 3}, which ONNX does not know")
            self._count(field, seen)
            at = self._field(at, end, field, tag & 7, depth)

    def _count(self, field: FieldDescriptor, seen: set[int]) -> None:
        self._fields += 1
        if self._fields > LARGEST_FIELDS:
            raise _refused(f"it has more than {LARGEST_FIELDS} fields")
        if not field.is_repeated:
            if field.number in seen:
                raise _refused(f"the field {field.full_name} is there twice")
            seen.add(field.number)

    def _field(self, at: int, end: int, field: FieldDescriptor, wire: int, depth: int) -> int:
        """Walk over one value, and return where the next field begins."""
        fixed = _FIXED.get(field.type, _VARINT)
        if field.message_type is not None or field.type in _TEXT or (field.is_repeated and wire == _BYTES):
            if wire != _BYTES:
                raise _refused(f"the field {field.full_name} has another type")
            length, at = self._varint(at, end)
            after = at + length
            if after > end:
                raise IndexError(after)
            if field.message_type is not None:
                self.message(at, after, field.message_type, depth + 1)
            elif field.type not in _TEXT and fixed == _VARINT:
                self._count_packed(length)
            return after
        if wire != fixed:
            raise _refused(f"the field {field.full_name} has another type")
        if fixed == _VARINT:
            return self._varint(at, end)[1]
        return at + (4 if fixed == _FIXED32 else 8)

    def _count_packed(self, length: int) -> None:
        self._packed_bytes += length
        if self._packed_bytes > LARGEST_PACKED_BYTES:
            raise _refused(f"its lists of whole numbers have more than {LARGEST_PACKED_BYTES} bytes")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """Return the number at this position, and the position after it."""
        number, shift = 0, 0
        while at < end and shift < 70:
            byte = self._data[at]
            number, at, shift = number | (byte & 127) << shift, at + 1, shift + 7
            if byte < 128:
                return number, at
        raise IndexError(at)


def _refused(problem: str) -> InvalidMessage:
    return InvalidMessage(f"Pappus cannot load this model, which it did not write: {problem}. Train it again.")
