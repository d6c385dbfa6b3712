"""What a request for a batch asks about, from its body: files of a form, a ZIP archive, or JSON."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from pydantic import ValidationError

from services.predictor.api.batches.bodies import NewBatch
from services.predictor.api.batches.unpacking import Unpacking
from services.predictor.api.batches.zips import SentFile, is_zip
from shared.contract.batches import MOST_IMAGES, URL_LENGTH
from shared.contract.event_parts import FILE_NAME_LENGTH
from shared.http.forms import FILE, Form, read_form
from shared.http.limits import too_large
from shared.http.problems import Problem
from shared.runtime.text import clean_path
from shared.web.addresses import refuse_address

JSON_BYTES = 8_000_000
"""The longest list of addresses or ids."""
JSON = "application/json"
ZIPS = ("application/zip", "application/x-zip-compressed")


@dataclass(frozen=True, slots=True)
class Asked:
    """Images of one kind: files, web addresses, or ids of stored images. `callback_url` is told when all are finished;
    None: no address is."""

    files: tuple[SentFile, ...] = ()
    urls: tuple[str, ...] = ()
    image_ids: tuple[UUID, ...] = ()
    callback_url: str | None = None

    @property
    def size(self) -> int:
        """How many images there are."""
        return len(self.files) + len(self.urls) + len(self.image_ids)


async def read_batch(request: Request, unpacking: Unpacking) -> Asked:
    """Read what is asked.

    Raises:
        Problem: 415 if the body is neither a form, an archive nor JSON, 400 if it is a broken form, 413 for a file or
            a list that is too long, 422 if it has no images or too many, or is an archive that cannot be read, 503 if
            it is an archive and others are unpacked.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        asked = _of_json(await request.body())
    elif kind in ZIPS:
        asked = Asked(files=await unpacking.unpack(await request.body()))
    else:
        asked = await _of_form(await read_form(request, MOST_IMAGES + 1), unpacking)
    if not asked.size:
        detail = (
            f"The request names no image. Send files or a ZIP archive in field '{FILE}' of a form, or JSON with"
            " urls or image_ids."
        )
        raise Problem(422, "no_images", detail)
    _check_number(asked.size)
    return asked


def _check_number(size: int) -> None:
    if size > MOST_IMAGES:
        detail = f"The request has {size:,} images; at most {MOST_IMAGES:,} make a batch. Send several requests."
        raise Problem(422, "too_many_images", detail)


def _of_json(body: bytes) -> Asked:
    if len(body) > JSON_BYTES:
        raise Problem(413, "too_large", f"A list may have at most {JSON_BYTES:,} bytes. Send several requests.")
    try:
        asked = NewBatch.model_validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Problem(422, "invalid_request", f"{where}: {first['msg']}. Send urls or image_ids.") from error
    if asked.urls and asked.image_ids:
        raise Problem(422, "several_kinds", "A batch has urls or image_ids, not both. Send two requests.")
    for number, url in enumerate(asked.urls or ()):
        if (why := refuse_address(url)) is not None:
            raise Problem(422, "address_forbidden", f"urls.{number}: {why}")
    return Asked((), tuple(asked.urls or ()), tuple(asked.image_ids or ()), asked.callback_url)


async def _of_form(form: Form, unpacking: Unpacking) -> Asked:
    found: list[SentFile] = []
    for part in form.parts:
        if part.name != FILE:
            continue
        if part.file_name is None:
            raise Problem(422, "file_missing", f"A field '{FILE}' is no file: send it with a file name.")
        data = bytes(part.data)
        part.data.clear()  # a batch is in memory once
        if is_zip(data):
            found += await unpacking.unpack(data)
            _check_number(len(found))  # before the next archive is unpacked
        elif len(data) > unpacking.limits.longest_file_bytes:
            raise too_large(unpacking.limits.longest_file_bytes)
        else:
            found.append(SentFile(clean_path(part.file_name, FILE_NAME_LENGTH), data))
    return Asked(files=tuple(found), callback_url=form.text("callback_url", URL_LENGTH) or None)
