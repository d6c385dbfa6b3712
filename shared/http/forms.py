"""The forms of requests (multipart/form-data, RFC 7578): read whole, and refused if anything about them is wrong. Where
a route takes only an image, the body may also be that image as it is."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.http.docs import PICTURE
from shared.http.limits import too_large
from shared.http.problems import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 20
PIECE_BYTES = 65_536
FILE = "file"
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp")
"""A body of one of these types is the file itself."""


@dataclass(slots=True)
class FormField:
    """One field. `file_name` is None for text; it is a claim of the client."""

    name: str
    file_name: str | None
    data: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in their order."""

    parts: tuple[FormField, ...]

    def file(self, limit_bytes: int) -> bytes:
        """Return the bytes of the one file in the field `file`.

        Raises:
            Problem: 422 if there is no such file, or more than one field of this name; 413 above `limit_bytes`.
        """
        part = self._only(FILE)
        if part is None or part.file_name is None:
            detail = f"The form has no file in field '{FILE}'. Send the image in that field, with a file name."
            raise Problem(422, "file_missing", detail)
        if len(part.data) > limit_bytes:
            raise too_large(limit_bytes)
        return bytes(part.data)

    @property
    def has_file(self) -> bool:
        """Whether there is a field `file`."""
        return any(part.name == FILE for part in self.parts)

    def file_name(self) -> str:
        """Return what the client calls the file in the field `file`: any text, or none."""
        part = self._only(FILE)
        return "" if part is None else part.file_name or ""

    def text(self, name: str, longest: int | None = None) -> str | None:
        """Return the text of a field; None if the form lacks it.

        Raises:
            Problem: 422 if there is more than one field of this name, or more than `longest` characters in it; 400 if
                it is not UTF-8.
        """
        part = self._only(name)
        if part is None:
            return None
        try:
            found = part.data.decode()
        except UnicodeDecodeError as error:
            raise _broken(f"field '{name}' is not UTF-8") from error
        if longest is not None and len(found) > longest:
            detail = f"body.{name}: The text has {len(found):,} characters. Send {longest:,} at most."
            raise Problem(422, "invalid_request", detail)
        return found

    def _only(self, name: str) -> FormField | None:
        found = [part for part in self.parts if part.name == name]
        if len(found) > 1:
            detail = f"The form has {len(found)} fields '{name}'; a request takes one. Send a request for each."
            raise Problem(422, "several_fields", detail)
        return found[0] if found else None


async def read_form(request: Request, most_parts: int = MOST_PARTS) -> Form:
    """Read the body of a request to its end as a form with at most `most_parts`.

    Raises:
        Problem: 415 if it is no form, 400 if it is a broken one; 408, 413, 503: see `shared.http.limits`.
    """
    form = FormReader(request.headers.get("content-type", ""), most_parts)
    async for chunk in request.stream():
        form.add(chunk)
    return form.end()


async def read_image(request: Request, limit_bytes: int) -> bytes:
    """Read the body of a request to its end: an image as it is, or the file in the field `file` of a form.

    Raises:
        Problem: as `read_form` and `Form.file`.
    """
    if not is_image(request.headers.get("content-type", "")):
        return (await read_form(request)).file(limit_bytes)
    body = await request.body()
    if len(body) > limit_bytes:
        raise too_large(limit_bytes)
    return body


def is_image(content_type: str) -> bool:
    """Return whether a body of this Content-Type is an image as it is, and no form."""
    return content_type.partition(";")[0].strip().lower() in IMAGE_TYPES


def check_has_image(content_type: str) -> None:
    """Look whether a body may be an image or a form, before it is read. Raises Problem as `read_form`."""
    if not is_image(content_type) and _USUAL_TYPE.fullmatch(content_type) is None:
        FormReader(content_type)


async def image_of(content_type: str, body: bytes, limit_bytes: int) -> bytes:
    """Return what `read_image` returns of a body that is there. The form of most clients, which holds nothing else, is
    read in one step; every other one as `read_form` does, in pieces, between which other requests are answered.

    Raises:
        Problem: as `read_image`.
    """
    found = body if is_image(content_type) else _only_file(content_type, body)
    if found is None:
        form = FormReader(content_type)
        for at in range(0, len(body), PIECE_BYTES):
            form.add(body[at : at + PIECE_BYTES])
            await asyncio.sleep(0)
        return form.end().file(limit_bytes)
    if len(found) > limit_bytes:
        raise too_large(limit_bytes)
    return found


_USUAL_TYPE = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'+_.-]{1,70})")
_USUAL_HEAD = re.compile(
    rb"\r\nContent-Disposition: form-data; (?-i:name=\"file\"); filename=\"[^\"\\\r\n;%&\x80-\xff]{0,255}\"\r\n"
    rb"(?:Content-Type: [0-9A-Za-z/.+-]{1,100}\r\n)?\r\n",
    re.IGNORECASE,
)


def _only_file(content_type: str, body: bytes) -> bytes | None:
    """Return the file of a form that has one part, whose head and end are as clients write them; None for every other
    form: the parser of all forms decides then."""
    usual = _USUAL_TYPE.fullmatch(content_type)
    if usual is None:
        return None
    boundary = b"--" + usual[1].encode()
    end = b"\r\n" + boundary + b"--"
    head = _USUAL_HEAD.match(body, len(boundary))
    ends_at = len(body) - len(end) - (2 if body.endswith(b"\r\n") else 0)
    if head is None or not body.startswith(boundary) or ends_at < head.end():
        return None
    if body.find(b"\r\n" + boundary, head.end() - 2) != ends_at or not body.startswith(end, ends_at):
        return None
    return body[head.end() : ends_at]


class FormReader:
    """Reads a form from its bytes, in pieces of any size.

    Raises:
        Problem: 415 if it is no form, 400 if it is a broken one; from the constructor, `add` and `end`.
    """

    def __init__(self, content_type: str, most_parts: int = MOST_PARTS) -> None:
        self._parts = _Reader(most_parts)
        try:
            self._parser = MultipartParser(_boundary(content_type), self._parts.callbacks())
        except FormParserError as error:
            raise _broken(str(error)) from error

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _broken(str(error)) from error

    def end(self) -> Form:
        """Return the form: there are no more bytes."""
        try:
            self._parser.finalize()
        except FormParserError as error:
            raise _broken(str(error)) from error
        if not self._parts.ended:
            raise _broken("it ends before its last boundary")
        return Form(tuple(self._parts.parts))


def _boundary(content_type: str) -> bytes:
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        detail = f"Send the image as field '{FILE}' of a multipart/form-data form, not as {content_type!r}."
        raise Problem(415, "not_multipart", detail)
    boundary = options.get(b"boundary")
    if not boundary:
        raise _broken("its Content-Type has no boundary")
    return boundary


def _broken(why: str) -> Problem:
    return Problem(400, "broken_form", f"The form cannot be read ({why}). Send it again.")


class _Reader:
    """Collects the parts that the parser finds."""

    def __init__(self, most_parts: int) -> None:
        self.parts: list[FormField] = []
        self._most_parts = most_parts
        self.ended = False
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser calls."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers,
            "on_part_data": lambda data, start, end: self.parts[-1].data.extend(data[start:end]),
            "on_end": self._on_end,
        }

    def _on_header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _on_headers(self) -> None:
        if len(self.parts) == self._most_parts:
            raise _broken(f"it has more than {self._most_parts} parts")
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        if disposition != b"form-data" or b"name" not in options:
            raise _broken("a part has no Content-Disposition: form-data with a name")
        file_name = options.get(b"filename")
        self.parts.append(FormField(_text(options[b"name"]), None if file_name is None else _text(file_name)))

    def _on_end(self) -> None:
        self.ended = True


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


FORM_SCHEMA_OF_FILE = {
    "type": "string",
    "format": "binary",
    "description": f"JPEG, PNG, WebP, GIF or BMP; for a first try [{PICTURE}](docs/{PICTURE})",
}


def form_description(*, needs_file: bool = True, raw: bool = False, **texts: object) -> dict[str, object]:
    """Return the request body of a form with a file and optional fields of text, for `openapi_extra` of a route.
    Without `needs_file` one of the texts may stand for the file; `raw`: the body may be the image itself."""
    schema = {
        "type": "object",
        "required": [FILE] if needs_file else [],
        "properties": {FILE: FORM_SCHEMA_OF_FILE, **texts},
    }
    content: dict[str, object] = {"multipart/form-data": {"schema": schema}}
    if raw:
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in IMAGE_TYPES}
    return {"requestBody": {"required": True, "content": content}}
