"""The list of stored images: what it can be asked for, and what the labeler's API answers."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
)

from shared.clients.answers import Body, ShownPrediction
from shared.clients.request import ApiRequest
from shared.contract.events import NoLabel, Trust
from shared.runtime.text import clean_typed

MAX_LISTED = 200
"""The most images of one answer."""
MAX_VALUES = 50
"""The most values of one filter."""
COPIES_COUNTED = 1_000
"""So many other images of a group are counted."""
_TIME = TypeAdapter(datetime)


def read_time(value: object) -> object:
    """Return the time that a text of a request names, or the day at its first moment; what is no text as it is.

    Raises:
        ValueError: the text is no date of ISO 8601: a number would be read as seconds, `20260131` as a day in 1970.
    """
    if not isinstance(value, str):
        return value
    if value[4:5] != "-":
        raise ValueError("write a time as 2026-01-31T12:00:00Z, a day as 2026-01-31")
    return _TIME.validate_python(value)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


Sort = Literal["newest", "doubtful", "contradicting"]
ListedSide = Literal["training", "test", "quarantined"]
Flag = Literal["unlabelled", "none_of_these", "unusable", "unsure"]
ExportFormat = Literal["csv", "coco", "zip", "imagefolder"]
Copies = Literal["same_bytes", "same_pixels", "near"]
Share = Annotated[float, Field(ge=0, le=1)]
Moment = Annotated[datetime, BeforeValidator(read_time), AfterValidator(_in_utc)]
"""A date or a time; UTC without a zone."""
Words = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"),
    AfterValidator(clean_typed),
]


class ImageFilter(BaseModel):
    """Which stored images are meant: those that fulfil all that is given. Of several values of one field one is
    enough."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    label: list[Words] = Field([], max_length=MAX_VALUES, description="The label that holds")
    trust: list[Trust] = Field([], max_length=3, description="How far the label is believed")
    by: list[Words] = Field([], max_length=MAX_VALUES, description="Who gave the label, or decided that there is none")
    since: Moment | None = Field(None, description="Stored at this time or later")
    until: Moment | None = Field(None, description="Stored before this time")
    split: list[ListedSide] = Field([], max_length=3, description="The side of the split")
    predicted: list[Words] = Field([], max_length=MAX_VALUES, description="What the model answers")
    min_confidence: Share | None = Field(None, description="The model gives its answer at least this probability")
    max_confidence: Share | None = Field(None, description="The model gives its answer at most this probability")
    disagrees: bool | None = Field(None, description="The model answers another label, or (false) the same")
    version: list[Words] = Field([], max_length=MAX_VALUES, description="The model that answered")
    name: Words | None = Field(None, description="Part of the file name, in small or large letters")
    flagged: list[Flag] = Field([], max_length=4, description="Without a label, and why")
    copies: list[Copies] = Field([], max_length=3, description="Of which there are copies of this kind")
    group: Words | None = Field(None, description="In this group of near-duplicates: `group_id` of an image")

    def params(self) -> dict[str, Any]:
        """Return what is given as parameters of a request."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ListedImage(Body):
    """A stored image. `name`: of the file, or the last part of its address. `decided_by` gave the label that holds (or
    decided that there is none, and `no_label` says why), at `decided_at`; `revision` is what a correction names.
    `prediction` is the newest answer about it, None before the first. `group_id` names its group of near-duplicates, in
    which there are `in_group` other stored images (of more than COPIES_COUNTED it is not said how many more).
    `copies`: the same bytes came again ("same_bytes"), another stored image has the same pixels ("same_pixels"), or is
    in its group ("near")."""

    image_id: UUID
    name: str | None
    stored_at: AwareDatetime
    label: str | None
    revision: int
    trust: Trust
    no_label: NoLabel | None
    decided_by: str | None
    decided_at: AwareDatetime | None
    split: ListedSide
    sha256: str
    width: int
    height: int
    prediction: ShownPrediction | None
    group_id: str = ""
    in_group: int = 0
    copies: tuple[Copies, ...] = ()


class FacetCount(Body):
    """How many of the images have this value, or would be shown if it was chosen."""

    value: str
    count: int


class ImagePage(Body):
    """Stored images in the order asked for. `start` of them come before these; `next` and `previous` are cursors of the
    neighbouring pages, None where there is none. `total` images fulfil the filter, or more if `more`. `facets`, if they
    are asked for: by field of the filter how many images have which value, the most frequent first; for each field the
    others of these filters count, not its own."""

    items: list[ListedImage]
    start: int
    next: str | None
    previous: str | None
    total: int
    more: bool
    facets: dict[str, list[FacetCount]] | None = None


def list_images(
    asked: ImageFilter, sort: Sort = "newest", *, cursor: str | None = None, limit: int = 60, facets: bool = False
) -> ApiRequest[ImagePage]:
    """Get a page of the stored images that fulfil a filter, at most `limit` (1 to MAX_LISTED). `cursor` is one of an
    earlier answer to the same filter and order."""
    params = asked.params() | {"sort": sort, "limit": limit} | ({"cursor": cursor} if cursor else {})
    if facets:
        params["facets"] = "true"
    return ApiRequest("GET", "/images", ImagePage.model_validate_json, params=params)
