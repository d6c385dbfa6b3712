"""The two APIs the pages speak to, and what can go wrong with them, as a person needs to hear it."""

from typing import Any, Literal
from uuid import UUID

import httpx2
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.labeler.views import HistoryEntry, ImageView, ReviewQueue
from shared.runtime.errors import PappusError, TransientError


class LoggedOut(PappusError):
    """The session has ended, or never began."""


class NoModel(TransientError):
    """The predictor has no model to answer with yet."""


class Declined(PappusError):
    """The API understood and said no; the text says why."""


class SomebodyWasFirst(PappusError):
    """Another person changed the label between the look and the click."""

    def __init__(self, detail: str, label: str | None, revision: int) -> None:
        super().__init__(detail)
        self.label = label
        self.revision = revision


class Reply(BaseModel):
    """Something an API answered; fields it adds later are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Session(Reply):
    """Somebody who logged in."""

    token: str
    name: str
    role: Literal["labeler", "operator"]
    expires_at: AwareDatetime


class Upload(Reply):
    """What became of an upload; `state` and the rest are None while it is on its way."""

    image_id: UUID
    state: Literal["stored"] | None = None
    label: str | None = None
    revision: int = 0
    duplicate_of: UUID | None = None


class Correction(Reply):
    """What became of a correction; `revision` is None while it is on its way."""

    event_id: UUID
    revision: int | None = None


class Weight(Reply):
    """A correction behind an answer, and its share, 0 to 1."""

    image_id: UUID
    weight: float


class Answer(Reply):
    """What the model in service says. Probabilities sum to 1."""

    prediction_id: UUID
    label: str
    probabilities: dict[str, float]
    model_version: str
    model_sequence: int = 0
    milliseconds: float
    corrections: list[Weight] = []


class PendingCorrection(BaseModel):
    """A correction as it is sent. With the same `key` it may be sent again and again."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    image_id: UUID
    label: str
    label_before: str | None
    revision: int
    key: str
    reason: str = ""
    prediction_id: UUID | None = None
    shown_model_version: str | None = None
    shown_label: str | None = None


class LabelerClient:
    """The labeler's API as one person uses it.

    Every method raises LoggedOut, Declined, and TransientError when the API is away or says that something else is.
    """

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self._token: str | None = None

    def log_in(self, name: str, password: str) -> Session:
        """Start a session; later calls belong to it."""
        return self.resume(
            Session.model_validate(self._ask("POST", "/login", json={"name": name, "password": password}))
        )

    def resume(self, session: Session) -> Session:
        """Go on with a session."""
        self._token = session.token
        return session

    def labels(self) -> list[str]:
        """What an image can be called."""
        return [str(label) for label in self._ask("GET", "/labels")["labels"]]

    def upload(self, name: str, data: bytes, key: str) -> Upload:
        """Bring an image."""
        return Upload.model_validate(
            self._ask(
                "POST",
                "/images",
                away="The image could not be saved yet. Press Try again.",
                files={"file": (name, data)},
                headers={"Idempotency-Key": key},
            )
        )

    def image(self, image_id: UUID) -> ImageView:
        """One image."""
        return ImageView.model_validate(self._ask("GET", f"/images/{image_id}"))

    def content(self, image_id: UUID) -> bytes:
        """The bytes of a stored image."""
        return self._send("GET", f"/images/{image_id}/content").content

    def history(self, image_id: UUID) -> list[HistoryEntry]:
        """Every revision of its label."""
        return [HistoryEntry.model_validate(entry) for entry in self._ask("GET", f"/images/{image_id}/history")]

    def review(self, limit: int) -> ReviewQueue:
        """What to look at next."""
        return ReviewQueue.model_validate(self._ask("GET", "/review", params={"limit": limit}))

    def correct(self, wish: PendingCorrection) -> Correction:
        """Set a label. Raises SomebodyWasFirst, too."""
        body = wish.model_dump(mode="json", exclude={"image_id", "label_before", "key"})
        headers = {"Idempotency-Key": wish.key}
        away = "The label could not be saved yet. Press Try again."
        return Correction.model_validate(
            self._ask("POST", f"/images/{wish.image_id}/label", away=away, json=body, headers=headers)
        )

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        return self._send(method, path, **request).json()

    def _send(self, method: str, path: str, away: str = "", **request: Any) -> httpx2.Response:
        """`away` says for people that the API is up but what it needs is not; without it, the API's own words do."""
        headers = dict(request.pop("headers", {}))
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            response = self._http.request(method, path, headers=headers, **request)
        except httpx2.HTTPError as error:
            raise TransientError(
                "The labeler does not answer. Your work is kept here; try again in a moment."
            ) from error
        if response.is_success:
            return response
        refusal = _explained(response)
        raise TransientError(away) if away and isinstance(refusal, TransientError) else refusal


class PredictorClient:
    """The predictor's API. Raises Declined and TransientError, of which NoModel is one."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def predict(self, data: bytes) -> Answer:
        """What the model says about these bytes."""
        return Answer.model_validate(self._ask("POST", "/predict", files={"file": ("image", data)}))

    def version(self) -> str:
        """The model that answers now."""
        return str(self._ask("GET", "/model")["version"])

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = self._http.request(method, path, **request)
        except httpx2.HTTPError as error:
            raise TransientError("The model does not answer right now. Labels can be set without it.") from error
        if response.is_success:
            return response.json()
        raise _explained(response)


def _explained(response: httpx2.Response) -> PappusError:
    """What a refusal means for the person in front of the page."""
    try:
        said = response.json()
        detail, code = str(said["detail"]), str(said["error"])
    except (ValueError, KeyError, TypeError):
        said, detail, code = {}, f"The answer was {response.status_code} {response.reason_phrase}.", ""
    if response.status_code == 401:
        return LoggedOut(detail)
    if response.status_code == 409 and code == "superseded":
        return SomebodyWasFirst(detail, said.get("label"), int(said.get("revision") or 0))
    if response.status_code == 503 and code == "no_model":
        return NoModel(detail)
    if response.status_code in (429, 502, 503, 504):
        return TransientError(detail)
    return Declined(detail)
