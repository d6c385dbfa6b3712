"""The forms of requests (multipart/form-data, RFC 7578): read whole, and refused if anything about them is wrong."""

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
FILE = "file"


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

    def text(self, name: str) -> str | None:
        """Return the text of a field; None if the form lacks it.

        Raises:
            Problem: 422 if there is more than one field of this name, 400 if it is not UTF-8.
        """
        part = self._only(name)
        if part is None:
            return None
        try:
            return part.data.decode()
        except UnicodeDecodeError as error:
            raise _broken(f"field '{name}' is not UTF-8") from error

    def _only(self, name: str) -> FormField | None:
        found = [part for part in self.parts if part.name == name]
        if len(found) > 1:
            detail = f"The form has {len(found)} fields '{name}'; a request takes one. Send a request for each."
            raise Problem(422, "several_fields", detail)
        return found[0] if found else None


async def read_form(request: Request) -> Form:
    """Read the body of a request to its end as a form.

    Raises:
        Problem: 415 if it is no form, 400 if it is a broken one; 408, 413, 503: see `shared.http.limits`.
    """
    content_type = request.headers.get("content-type", "")
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        detail = f"Send the image as field '{FILE}' of a multipart/form-data form, not as {content_type!r}."
        raise Problem(415, "not_multipart", detail)
    boundary = options.get(b"boundary")
    if not boundary:
        raise _broken("its Content-Type has no boundary")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise _broken(str(error)) from error
    if not reader.ended:
        raise _broken("it ends before its last boundary")
    return Form(tuple(reader.parts))


def _broken(why: str) -> Problem:
    return Problem(400, "broken_form", f"The form cannot be read ({why}). Send it again.")


class _Reader:
    """Collects the parts that the parser finds."""

    def __init__(self) -> None:
        self.parts: list[FormField] = []
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
        if len(self.parts) == MOST_PARTS:
            raise _broken(f"it has more than {MOST_PARTS} parts")
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


def form_description(*, needs_file: bool = True, **texts: object) -> dict[str, object]:
    """Return the request body of a form with a file and optional fields of text, for `openapi_extra` of a route.
    Without `needs_file` one of the texts may stand for the file."""
    schema = {
        "type": "object",
        "required": [FILE] if needs_file else [],
        "properties": {FILE: FORM_SCHEMA_OF_FILE, **texts},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
