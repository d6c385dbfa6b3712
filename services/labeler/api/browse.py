"""Routes about many images: list those that fulfil a filter, and correct their labels at once."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.labeler.api.audited import audited_each
from services.labeler.api.export_archives import archive_of, imagefolder_of
from services.labeler.api.export_formats import coco_of, csv_of
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService, IdempotencyKey, Labeler
from services.labeler.commands.bulk_corrections import BulkRequest, correct_all
from services.labeler.commands.naming import filter_named
from services.labeler.commands.votes import Voter
from services.labeler.decisions.exported_names import folder_names
from services.labeler.fields import Sha256
from services.labeler.queries import images
from services.labeler.queries.exports import exported_images, exported_labels
from services.labeler.queries.listed_images import list_page
from shared.clients.answers import ImageView
from shared.clients.browse import MAX_LISTED, ExportFormat, ImageFilter, ImagePage, Sort
from shared.clients.bulk import BulkResult
from shared.http.bodies import JsonBody

ENDINGS: dict[ExportFormat, str] = {"csv": "csv", "coco": "json", "zip": "zip", "imagefolder": "zip"}
MEDIA_TYPES: dict[ExportFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "coco": "application/json",
    "zip": "application/zip",
    "imagefolder": "application/zip",
}
ANY = {"schema": {"type": "string", "format": "binary"}}
router = APIRouter(prefix="/images", tags=["images"])


class ListQuery(ImageFilter):
    """What can be asked of the list."""

    sort: Sort = Field("newest", description="The newest first, or where the model doubts or contradicts the label")
    limit: int = Field(60, ge=1, le=MAX_LISTED, description="How many images at most")
    cursor: str | None = Field(None, max_length=300, description="`next` or `previous` of an earlier answer")
    facets: bool = Field(False, description="Whether to count label, trust, by, split, flagged and copies, too")
    sha256: Sha256 | None = Field(None, description="Instead of all this: the hash of a file, 64 hex digits")


@router.get("", summary="List images", responses=error_responses(422))
async def find_images(
    service: CurrentService, _user: AnyUser, asked: Annotated[ListQuery, Query()]
) -> ImagePage | list[ImageView]:
    """List the stored images that fulfil a filter, page by page. With `sha256` instead: a list of the image that is
    stored with these bytes, in any state; none or one."""
    if asked.sha256 is not None:
        return await images.images_of_bytes(service.database, asked.sha256)
    wanted = filter_named(asked, await service.command_bus.classes())
    return await list_page(service.database, wanted, asked.sort, asked.cursor, asked.limit, asked.facets)


class ExportQuery(ImageFilter):
    """Which images are exported, and how."""

    format: ExportFormat = Field(
        "csv", description="csv, coco (JSON), zip (a folder for each label) or imagefolder (ZIP)"
    )


@router.get(
    "/export",
    summary="Export images",
    response_class=Response,
    responses={
        200: {
            "content": {"text/csv": ANY, "application/json": {"schema": {"type": "object"}}, "application/zip": ANY},
            "description": "The file; COCO's is JSON",
        },
        **error_responses(422),
    },
)
async def export_images(
    service: CurrentService, _user: AnyUser, asked: Annotated[ExportQuery, Query()]
) -> StreamingResponse:
    """Download all stored images that fulfil a filter: as CSV, as COCO's JSON for classification, or with their
    pictures in a ZIP: a folder for each label, or as `load_dataset("imagefolder")` reads it. A file that is cut short
    was not whole: ask again."""
    classes = await service.command_bus.classes()  # asked before the answer begins: it may fail
    labels = await exported_labels(service.database)
    folders = folder_names({classes.name_of(label) for label in (*labels, *classes.labels)})
    found = exported_images(service.database, filter_named(asked, classes), classes)
    content = {
        "csv": lambda: csv_of(found),
        "coco": lambda: coco_of(found, folders),
        "zip": lambda: archive_of(found, service.store, folders),
        "imagefolder": lambda: imagefolder_of(found, service.store),
    }[asked.format]()
    name = f"pappus-{asked.format}.{ENDINGS[asked.format]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(content, media_type=MEDIA_TYPES[asked.format], headers=headers)


@router.post("/labels", tags=["labels"], summary="Set or correct many labels", responses=error_responses(400, 403, 422))
async def set_labels(
    service: CurrentService, user: Labeler, corrections: JsonBody[BulkRequest], idempotency_key: IdempotencyKey = None
) -> BulkResult:
    """Say what many images show, given the revision of each label that you saw. Each image has an outcome of its own:
    one that another person corrected first, or that is not stored, is named with the reason and does not hold up the
    others. A repetition with the same key answers the same, and publishes nothing twice. Where a label
    needs several equal votes, a labeler votes and an operator decides. Needs the role `labeler`."""
    voter = Voter(user.name, settles=user.may_act_as("operator"))
    work = correct_all(service.command_bus, corrections, voter, idempotency_key)
    taken_back = [str(item.image_id) for item in corrections.items if item.no_label == "withdrawn"]
    return await audited_each("withdraw", taken_back, user, work, command="correct_all")
