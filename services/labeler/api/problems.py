"""The labeler's exceptions as problems over HTTP."""

from typing import Any

from services.labeler.accounts.logins import TooManyLogins
from services.labeler.accounts.sessions import Unauthorised
from services.labeler.commands.outcomes import Refused
from shared.http.api import Api
from shared.http.problems import Problem, problem_responses
from shared.storage.object_store import ObjectMissing

STATUS_OF_REFUSAL = {
    "superseded": 409,
    "key_reused": 422,
    "image_unknown": 404,
    "image_not_stored": 409,
    "image_withdrawn": 410,
    "nothing_to_withdraw": 409,
    "model_unknown": 404,
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe what a route may answer besides success: these, no session, and a dependency that is away."""
    return problem_responses(*statuses, 401, 503)


def _refused(error: Refused) -> Problem:
    return Problem(STATUS_OF_REFUSAL.get(error.code, 422), error.code, str(error), error.facts)


def unauthorised(error: Unauthorised) -> Problem:
    """Return the problem of a request without a valid session."""
    return Problem(401, "unauthorised", str(error), headers={"WWW-Authenticate": "Bearer"})


def too_many_logins(error: TooManyLogins) -> Problem:
    """Return the problem of a login that has to wait."""
    return Problem(429, "too_many_logins", str(error), retry_after_seconds=error.retry_after_seconds)


def _missing(error: ObjectMissing) -> Problem:
    return Problem(404, "object_missing", str(error))


def report_exceptions(app: Api) -> None:
    """Answer the exceptions of commands, sessions and the store with their problems."""
    app.report_as(Refused, _refused)
    app.report_as(Unauthorised, unauthorised)
    app.report_as(TooManyLogins, too_many_logins)
    app.report_as(ObjectMissing, _missing)
