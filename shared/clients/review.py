"""The queues of Review: their names, and the requests that are about them."""

from typing import Literal, get_args
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter

from shared.clients.answers import Body
from shared.clients.browse import ImageFilter, Sort
from shared.clients.request import ApiRequest

QueueName = Literal[
    "doubtful",
    "to_vote",
    "contradicts_label",
    "contradicts_data_set",
    "people_disagree",
    "wrong_answers",
    "second_look",
    "drifted",
    "set_aside",
    "new_today",
    "my_skipped",
    "filter",
]
QUEUES: tuple[QueueName, ...] = get_args(QueueName)


class QueueCount(Body):
    """How many images wait in a queue for this person, or more if `more`."""

    queue: QueueName
    waiting: int
    more: bool = False


class SavedFilter(Body):
    """A filter of Browse that this person saved, with the order of its images."""

    name: str
    filter: ImageFilter
    sort: Sort


class Queues(Body):
    """How many images wait in each queue but "filter", and the filters that this person saved."""

    queues: list[QueueCount]
    filters: list[SavedFilter]


class Skipped(Body):
    """How many images this person has left for later."""

    skipped: int


class DoubleChecked(Body):
    """Up to when this person's decisions are not asked about again."""

    answered_until: AwareDatetime


_FILTERS = TypeAdapter(list[SavedFilter])


def count_queues() -> ApiRequest[Queues]:
    """Get how many images wait in each queue, and the saved filters."""
    return ApiRequest("GET", "/review/queues", Queues.model_validate_json)


def list_filters() -> ApiRequest[list[SavedFilter]]:
    """Get the filters that this person saved."""
    return ApiRequest("GET", "/review/filters", _FILTERS.validate_json)


def save_filter(name: str, asked: ImageFilter, sort: Sort = "newest") -> ApiRequest[list[SavedFilter]]:
    """Save a filter, in the place of one with this name; get all that are saved."""
    body = {"name": name, "filter": asked.params(), "sort": sort}
    return ApiRequest("POST", "/review/filters", _FILTERS.validate_json, json=body)


def forget_filter(name: str) -> ApiRequest[list[SavedFilter]]:
    """Forget a saved filter; get those that are left."""
    return ApiRequest("POST", "/review/filters/forget", _FILTERS.validate_json, json={"name": name})


def skip_image(image_id: UUID, revision: int, *, later: bool = True) -> ApiRequest[Skipped]:
    """Leave an image that was seen at `revision` for later; without `later`, no longer."""
    body = {"image_id": str(image_id), "revision": revision, "later": later}
    return ApiRequest("POST", "/review/skipped", Skipped.model_validate_json, json=body)


def answer_double_check(asked_about: str) -> ApiRequest[DoubleChecked]:
    """Say that you looked again at your decisions up to this time, the `asked_about` of a `DoubleCheck`."""
    body = {"asked_about": asked_about}
    return ApiRequest("POST", "/review/double-check", DoubleChecked.model_validate_json, json=body)
