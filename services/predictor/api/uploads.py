"""The image of a request: one file of a multipart form."""

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from shared.http.limits import too_large
from shared.http.problems import Problem

FIELD = "file"


async def read_upload(request: Request, limit_bytes: int) -> bytes:
    """Return the bytes of the file in the form field `file`, of several the first.

    Raises:
        Problem: 413 if it has more than `limit_bytes`, 400 if the form is broken, 415 if the body is not a form, 422 if
            the form has no such file.
    """
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        detail = f"Send the image as field '{FIELD}' of a multipart/form-data form, not as {content_type!r}."
        raise Problem(415, "not_multipart", detail)
    try:
        async with request.form() as form:
            return await _file(form, limit_bytes)
    except Problem:
        raise
    except HTTPException as error:
        raise Problem(400, "broken_form", f"The form cannot be read ({error.detail}). Send it again.") from error


async def _file(form: FormData, limit_bytes: int) -> bytes:
    upload = next((value for value in form.getlist(FIELD) if isinstance(value, UploadFile)), None)
    if upload is None:
        detail = f"The form has no complete file in field '{FIELD}'. Send the image in that field, with a file name."
        raise Problem(422, "file_missing", detail)
    if (upload.size or 0) > limit_bytes:
        raise too_large(limit_bytes)
    return await upload.read()
