"""The route that says whether a picture is stored already."""

from fastapi import APIRouter, Request

from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService
from shared.clients.duplicates import DuplicateCheck
from shared.http.forms import form_description, read_form

router = APIRouter(tags=["images"])


@router.post(
    "/check_duplicate",
    summary="Say whether an image is stored already",
    responses=error_responses(400, 408, 410, 413, 415, 422),
    openapi_extra=form_description(),
)
async def check_duplicate(service: CurrentService, _user: AnyUser, request: Request) -> DuplicateCheck:
    """Say whether the same bytes are stored, the same pixels in another file, or the same picture in another size or
    encoding, or mirrored. Nothing is stored. `distance` counts the bits of 64 in which the perceptual hashes differ.
    Parts of stored pictures are found only when they are stored."""
    form = await read_form(request)
    return await service.duplicates.check(form.file(service.settings.upload_limit_bytes))
