"""How a command can end besides the answers in `shared.clients.answers`: an upload that succeeded, or a refusal."""

from collections.abc import Mapping

from shared.clients.answers import Body, ImageView
from shared.runtime.errors import PappusError


class Refused(PappusError):
    """The command was not carried out. `code` is for programs, the text for people; `facts` are JSON-ready values that
    help with the next step."""

    def __init__(self, code: str, detail: str, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.facts: Mapping[str, object] = facts or {}


class UploadResult(Body):
    """The bytes are stored. `duplicate`: they were stored before; `image` is then the image that holds them."""

    image: ImageView
    duplicate: bool

    @property
    def outcome(self) -> str:
        return "duplicate" if self.duplicate else "stored"
