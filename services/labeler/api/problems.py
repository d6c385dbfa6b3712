"""The labeler's exceptions as problems over HTTP."""

from typing import Any

from services.labeler.accounts.logins import TooManyLogins
from services.labeler.accounts.sessions import Unauthorised
from services.labeler.accounts.sign_on.errors import SignOnFailed
from services.labeler.commands.outcomes import Refused
from services.labeler.queries.cursors import InvalidCursor
from shared.http.api import Api
from shared.http.problems import Problem, problem_responses
from shared.storage.object_store import ObjectMissing

STATUS_OF_REFUSAL = {
    "superseded": 409,
    "key_reused": 422,
    "image_unknown": 404,
    "image_not_stored": 409,
    "image_withdrawn": 410,
    "prediction_unknown": 404,
    "not_answered": 409,
    "other_image": 409,
    "nothing_to_withdraw": 409,
    "decided_by_votes": 409,
    "model_unknown": 404,
    "class_unknown": 404,
    "person_unknown": 404,
    "webhook_unknown": 404,
    "name_taken": 409,
    "account_of_file": 409,
    "own_account": 409,
    "not_an_admin": 403,
    "data_set_lost": 404,
    "account_of_provider": 409,
    "no_provider": 404,
    "subject_taken": 409,
}
STATUS_OF_LOGIN = {
    "login_not_begun": 400,
    "login_declined": 403,
    "not_admitted": 403,
    "kept_out": 403,
    "name_taken": 409,
    "provider_at_fault": 403,
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe what a route may answer besides success: these, no session, and a dependency that is away."""
    return problem_responses(*statuses, 401, 503)


def of_refusal(error: Refused) -> Problem:
    """Return the problem of a command that was not carried out."""
    return Problem(STATUS_OF_REFUSAL.get(error.code, 422), error.code, str(error), error.facts)


def _invalid_cursor(error: InvalidCursor) -> Problem:
    return Problem(422, "invalid_cursor", str(error))


def unauthorised(error: Unauthorised) -> Problem:
    """Return the problem of a request without a valid session."""
    return Problem(401, "unauthorised", str(error), headers={"WWW-Authenticate": "Bearer"})


def too_many_logins(error: TooManyLogins) -> Problem:
    """Return the problem of a login that has to wait."""
    return Problem(429, "too_many_logins", str(error), retry_after_seconds=error.retry_after_seconds)


def of_failed_login(error: SignOnFailed) -> Problem:
    """Return the problem of a login with the provider that came to nothing."""
    return Problem(STATUS_OF_LOGIN[error.code], error.code, str(error))


def _missing(error: ObjectMissing) -> Problem:
    return Problem(404, "object_missing", str(error))


def report_exceptions(app: Api) -> None:
    """Answer the exceptions of commands, sessions and the store with their problems."""
    app.report_as(Refused, of_refusal)
    app.report_as(InvalidCursor, _invalid_cursor)
    app.report_as(Unauthorised, unauthorised)
    app.report_as(TooManyLogins, too_many_logins)
    app.report_as(SignOnFailed, of_failed_login)
    app.report_as(ObjectMissing, _missing)
