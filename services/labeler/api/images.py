"""Routes about images: upload and read them."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response

from services.labeler.api.metrics import measured
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService, IdempotencyKey
from services.labeler.commands.outcomes import Refused, UploadResult
from services.labeler.commands.uploads import UploadedFile, upload
from services.labeler.commands.web_images import fetch
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.fields import LINE_LENGTH
from services.labeler.queries import images, similar, stories
from services.labeler.queries.quarantine import with_resembled
from shared.clients.answers import AcceptedImage, ImageView, Uploaded
from shared.clients.lineage import ImageStory
from shared.clients.similar import MAX_SIMILAR, SimilarImages
from shared.contract.event_parts import FILE_NAME_LENGTH
from shared.http.forms import form_description, read_form
from shared.imaging.decoding import UndecodableImage
from shared.imaging.rendition import LONGEST_SIDE, MEDIA_TYPE, render
from shared.runtime.text import clean_file_name, clean_typed
from shared.web.addresses import MOST_CHARACTERS

LABEL_SCHEMA = {"type": "string", "maxLength": LINE_LENGTH, "description": "One of `GET /labels`, if known"}
URL_SCHEMA = {"type": "string", "maxLength": MOST_CHARACTERS, "description": "Where the image is, instead of a file"}
BYTES = {"schema": {"type": "string", "format": "binary"}}
ImageId = Annotated[UUID, Path(description="From an upload or from `GET /review`")]
router = APIRouter(prefix="/images", tags=["images"])
UNCHANGING = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}


@router.post(
    "",
    status_code=201,
    summary="Upload an image",
    responses={
        200: {"model": Uploaded, "description": "These bytes were stored before"},
        201: {"description": "The image is stored"},
        202: {"model": AcceptedImage, "description": "Accepted; not stored yet"},
        **error_responses(400, 408, 410, 413, 415, 422),
    },
    openapi_extra=form_description(needs_file=False, label=LABEL_SCHEMA, url=URL_SCHEMA),
)
async def upload_image(
    service: CurrentService,
    user: AnyUser,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Uploaded | AcceptedImage:
    """Store an image, with its label if you know it. The model looks at it within a second. An image that cannot be
    used is 422 with the reason. Instead of a file the form may have a `url`: the image there is fetched, if its host is
    public."""
    form = await read_form(request)
    label = clean_typed(form.text("label", LINE_LENGTH) or "") or None
    url = (form.text("url", MOST_CHARACTERS) or "").strip()
    if url and not form.has_file:
        work = fetch(service.command_bus, url, label, user.name, idempotency_key)
    else:
        data, name = form.file(service.settings.upload_limit_bytes), form.file_name()
        file = UploadedFile(data, label, clean_file_name(name, FILE_NAME_LENGTH))
        work = upload(service.command_bus, service.store, file, user.name, idempotency_key)
    result = await measured("upload", work)
    if isinstance(result, AcceptedImage):
        response.status_code = 202
        return result
    if result.duplicate:
        response.status_code = 200
    return _uploaded(result)


@router.get("/{image_id}", summary="Show an image", responses=error_responses(404, 422))
async def get_image(service: CurrentService, _user: AnyUser, image_id: ImageId) -> ImageView:
    """Show an image in any state: its label, who set it, what the model says, and of a quarantined image what it
    resembles."""
    image = await images.image(service.database, image_id)
    if image is None:
        raise unknown(image_id)
    [shown] = await with_resembled(service.database, [image])
    return shown


@router.get("/{image_id}/story", summary="Say where an image went", responses=error_responses(404, 422))
async def get_image_story(
    service: CurrentService,
    _user: AnyUser,
    image_id: ImageId,
    limit: Annotated[int, Query(ge=0, le=1000, description="How many models at most")] = 50,
) -> ImageStory:
    """Show the side of an image, its duplicates, and the models that hold a correction of it."""
    found = await stories.image_story(service.database, image_id, limit)
    if found is None:
        raise unknown(image_id)
    return found


@router.get("/{image_id}/similar", summary="Find similar images", responses=error_responses(404, 410, 422))
async def get_similar_images(
    service: CurrentService,
    _user: AnyUser,
    image_id: ImageId,
    limit: Annotated[int, Query(ge=1, le=MAX_SIMILAR, description="How many at most")] = 24,
) -> SimilarImages:
    """List the stored images that are most like this one to the full model that answered about it, nearest first. After
    a new full model it takes some time until all images have an answer of it."""
    image = await images.image(service.database, image_id)
    if image is None:
        raise unknown(image_id)
    refuse_withdrawn(image)
    return await similar.similar_images(service.database, image, limit)


@router.get(
    "/{image_id}/content",
    summary="Download an image",
    response_class=Response,
    responses={200: {"content": {"image/*": BYTES}, "description": "The bytes"}, **error_responses(404, 410, 422)},
)
async def get_image_content(service: CurrentService, _user: AnyUser, image_id: ImageId) -> Response:
    """Download the bytes of a stored image, as they were uploaded."""
    found = await images.object_key(service.database, image_id)
    if found is None:
        refuse_withdrawn(await images.image(service.database, image_id))
        raise Refused("image_unknown", f"There is no stored image {image_id}. Check the id, or upload the image.")
    key, image_format = found
    return Response(await service.store.get(key), media_type=f"image/{image_format.lower()}", headers=UNCHANGING)


@router.get(
    "/{image_id}/rendition",
    summary="Show an image as the model sees it",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: BYTES}, "description": "The picture as people see it"},
        304: {"description": "The rendition with this ETag is the newest"},
        **error_responses(404, 410, 422),
    },
)
async def get_rendition(
    service: CurrentService,
    _user: AnyUser,
    image_id: ImageId,
    w: Annotated[int, Query(ge=16, le=LONGEST_SIDE, description="Longest side in pixels")] = LONGEST_SIDE,
    if_none_match: Annotated[str | None, Header(description="The ETag of an earlier answer")] = None,
) -> Response:
    """Show a stored image upright, small and as a JPEG. It never changes."""
    image = await images.image(service.database, image_id)
    found = await images.object_key(service.database, image_id)
    refuse_withdrawn(image)
    if image is None or found is None:
        raise Refused("image_unknown", f"There is no stored image {image_id}. Check the id, or upload the image.")
    headers = {**UNCHANGING, "ETag": f'"{image.sha256}-{w}"'}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    data = await service.store.get(found[0])
    try:
        shown = await asyncio.to_thread(render, data, w)
    except UndecodableImage as error:
        raise Refused(error.reason, str(error)) from error
    return Response(shown, media_type=MEDIA_TYPE, headers=headers)


def unknown(image_id: UUID) -> Refused:
    """Return the refusal for an image id without any event."""
    return Refused("image_unknown", f"There is no image {image_id}. Check the id, or upload the image.")


def _uploaded(result: UploadResult) -> Uploaded:
    image = result.image
    return Uploaded(
        image_id=image.image_id,
        sha256=image.sha256 or "",
        label=image.label,
        revision=image.revision,
        duplicate_of=image.image_id if result.duplicate else None,
        quarantined=bool(image.joins),
    )
