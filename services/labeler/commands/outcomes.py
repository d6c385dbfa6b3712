"""What a command can end with: an answer, "accepted but not seen in the tables yet", or a refusal."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from services.labeler.views import ImageView, View
from shared.runtime.errors import PappusError


class Refused(PappusError):
    """The command was not followed. `code` is for programs, the text for people; `facts` is what they need to go on, in
    JSON-ready values."""

    def __init__(self, code: str, detail: str, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.facts: Mapping[str, object] = facts or {}


class Accepted(View):
    """The log has the event, the tables do not show what became of it yet. Ask again with the same Idempotency-Key."""

    event_id: UUID
    image_id: UUID | None = None

    @property
    def outcome(self) -> str:
        return "accepted"


class Applied(View):
    """The correction is the image's label now."""

    image_id: UUID
    label: str
    revision: int
    event_id: UUID
    state: Literal["applied"] = "applied"

    @property
    def outcome(self) -> str:
        return "applied"


class UploadResult(View):
    """The bytes are stored. `duplicate`: they were before, maybe under another image, which `image` then is."""

    image: ImageView
    duplicate: bool

    @property
    def outcome(self) -> str:
        return "duplicate" if self.duplicate else "stored"


class Answered(View):
    """The gate's answer. `version` and `sequence` are those of the promotion; None if it was refused without one."""

    outcome: Literal["promoted", "rejected"]
    version: str | None
    sequence: int | None
    summary: str
