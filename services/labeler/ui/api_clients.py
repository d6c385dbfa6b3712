"""The two APIs as the pages use them: each request is sent once, and each failure is a sentence for the person."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from shared.clients.answers import Session
from shared.clients.api import BlockingApi
from shared.clients.errors import ApiError, ApiProblem
from shared.clients.names import read_in_names
from shared.clients.request import ApiRequest
from shared.runtime.errors import PappusError, TransientError

T = TypeVar("T")
LABELER_UNAVAILABLE = "The labeler does not answer. Your work is kept here; try again in a moment."
KEY_REFUSED = (
    "The model does not answer these pages: the predictor refused their key. Labels can be set without it. Tell those"
    " who run Pappus: the pages need a key in PAPPUS_PREDICTOR_KEY."
)
PREDICTOR_UNAVAILABLE = "The model does not answer right now. Labels can be set without it."


class LoggedOut(PappusError):
    """The session has ended, or there was none."""


class NoModel(TransientError):
    """The predictor has no model yet."""


class Declined(PappusError):
    """The API refused the request; the text says why."""


class Superseded(PappusError):
    """Another person changed the label between the look and the click. `label` and `revision` are the current ones."""

    def __init__(self, detail: str, label: str | None, revision: int) -> None:
        super().__init__(detail)
        self.label = label
        self.revision = revision


@dataclass
class ShownNames:
    """What people call the classes now, by label: answers are read with these names."""

    names: Mapping[str, str] = field(default_factory=dict)


class LabelerClient:
    """The labeler's API as one person uses it."""

    def __init__(self, api: BlockingApi, token: str | None = None, shown: ShownNames | None = None) -> None:
        """`shown`: shared with other clients; what it says later counts for all of them."""
        self._api = api
        self._token = token
        self.shown = shown or ShownNames()

    def under(self, session: Session) -> "LabelerClient":
        """Return a client that stays in this session, also when another person logs in: for work beside the page."""
        return LabelerClient(self._api, session.token, self.shown)

    def resume(self, session: Session) -> None:
        """Send later requests in this session."""
        self._api.authenticate(session.token)

    def send(self, request: ApiRequest[T], unavailable: str = "") -> T:
        """Send a request. `unavailable` replaces the API's own words when something behind the API is unavailable.

        Raises:
            LoggedOut: the session has ended.
            Superseded: another correction came first.
            Declined: the API refused; the same request is refused again.
            TransientError: the API, or something behind it, is unavailable.
        """
        if self._token is not None:
            request = replace(request, headers={**(request.headers or {}), "Authorization": f"Bearer {self._token}"})
        try:
            return self._api.send(read_in_names(request, self.shown.names))
        except ApiProblem as problem:
            raise _page_error(problem, unavailable, self.shown.names) from problem
        except ApiError as error:
            raise _no_answer(error, LABELER_UNAVAILABLE) from error


class PredictorClient:
    """The predictor's API."""

    def __init__(self, api: BlockingApi) -> None:
        self._api = api
        self.shown = ShownNames()

    def send(self, request: ApiRequest[T]) -> T:
        """Send a request. Raises Declined, and TransientError (NoModel if there is no model yet)."""
        try:
            return self._api.send(read_in_names(request, self.shown.names))
        except ApiProblem as problem:
            if problem.status == 401:  # the key of the pages, not the session of the person
                raise Declined(KEY_REFUSED) from problem
            raise _page_error(problem) from problem
        except ApiError as error:
            raise _no_answer(error, PREDICTOR_UNAVAILABLE) from error


def _page_error(
    problem: ApiProblem, unavailable: str = "", names: Mapping[str, str] = MappingProxyType({})
) -> PappusError:
    detail = problem.detail if problem.code else f"The answer was HTTP status {problem.status}. Try again in a moment."
    if problem.status == 401:
        return LoggedOut(detail)
    if problem.code == "superseded":
        label = problem.members.get("label")
        named = None if label is None else names.get(label, label)
        return Superseded(detail, named, int(problem.members.get("revision") or 0))
    if problem.code == "no_model":
        return NoModel(detail)
    if problem.retryable:
        return TransientError(unavailable or detail)
    return Declined(detail)


def _no_answer(error: ApiError, unavailable: str) -> PappusError:
    return TransientError(unavailable) if error.retryable else Declined(str(error))
