"""What the labeler's API answers about the classes, and the requests that change them."""

from typing import Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from shared.clients.answers import Accepted, Body
from shared.clients.request import ApiRequest, idempotency


class ClassView(Body):
    """A class. `id` is its first name, and its label in every answer; people call it `name` now, and called it `former`
    before. `images`: so many stored images have this label. `model`: whether the model in service has learned it,
    answers so only near corrected images ("corrections"), or does not know it ("unknown")."""

    id: str
    name: str
    former: tuple[str, ...] = ()
    images: int = 0
    model: Literal["learned", "corrections", "unknown"] = "unknown"


class ClassChanged(Body):
    """A class as it is called now, in this revision of the classes; `event_id` None: nothing had to be changed."""

    id: str
    name: str
    revision: int
    event_id: UUID | None = None

    @property
    def outcome(self) -> str:
        return "done"


_CLASSES = TypeAdapter(list[ClassView])


def list_classes() -> ApiRequest[list[ClassView]]:
    """Request the classes, in their order."""
    return ApiRequest("GET", "/classes", _CLASSES.validate_json)


def add_class(name: str, reason: str = "", key: str | None = None) -> ApiRequest[ClassChanged | Accepted]:
    """Add a class."""
    body = {"name": name, "reason": reason}
    return ApiRequest("POST", "/classes", _read_change, json=body, headers=idempotency(key))


def rename_class(
    class_id: str, name: str, reason: str = "", key: str | None = None
) -> ApiRequest[ClassChanged | Accepted]:
    """Give a class another name."""
    path, body = f"/classes/{quote(class_id, safe='')}", {"name": name, "reason": reason}
    return ApiRequest("PATCH", path, _read_change, json=body, headers=idempotency(key))


def _read_change(body: bytes) -> ClassChanged | Accepted:
    try:
        return ClassChanged.model_validate_json(body)
    except ValidationError:
        return Accepted.model_validate_json(body)
