"""The one file of a multipart form, read by hand: a framework's form costs a fifth of an answer, and reads a body of
any size before anybody can object."""

from collections.abc import AsyncIterator
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.predictor.api.refusals import Refusal

FIELD = "file"
FRAMING_BYTES = 65_536
"""What boundaries, headers and other fields of the form may take beside the file."""


async def read_upload(content_type: str, body: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """The bytes of the field `file` (of several the first).

    Raises:
        Refusal: 413 if it has more than `limit_bytes`, 400 if this is not a complete form, 422 without the field.
    """
    boundary = _boundary(content_type)
    found = _parse(await _whole(body, limit_bytes), boundary)
    if found is None:
        raise Refusal(422, "file_missing", f"The form has no field '{FIELD}'. Send the image as that field.")
    if len(found) > limit_bytes:
        raise _too_large(limit_bytes)
    return found


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refusal(
            415,
            "not_multipart",
            f"Send the image as field '{FIELD}' of a multipart/form-data form, not as {content_type!r}.",
        )
    return boundary


async def _whole(body: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    chunks, size_bytes = [], 0
    async for chunk in body:
        size_bytes += len(chunk)
        if size_bytes > limit_bytes + FRAMING_BYTES:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit_bytes: int) -> Refusal:
    return Refusal(413, "too_large", f"The image has more than {limit_bytes} bytes. Send a smaller one.")


def _parse(body: bytes, boundary: bytes) -> bytes | None:
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise Refusal(400, "broken_form", f"The form cannot be read ({error}). Send it again.") from error
    if not form.complete:
        raise Refusal(400, "broken_form", "The form ends before its last boundary. Send all of it.")
    return form.file


class _Form:
    """Collects what the parser calls out. `file` is None until the field has come."""

    def __init__(self) -> None:
        self.file: bytes | None = None
        self.complete = False
        self._header = b""
        self._value = b""
        self._wanted = False
        self._chunks: list[bytes] = []

    def callbacks(self) -> Any:
        """By the parser's names for what it meets."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._wanted, self._chunks, self._header, self._value = False, [], b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._wanted = self.file is None and options.get(b"name") == FIELD.encode()
        self._header, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._chunks.append(data[start:end])

    def _end(self) -> None:
        if self._wanted:
            self.file = b"".join(self._chunks)

    def _finish(self) -> None:
        self.complete = True
