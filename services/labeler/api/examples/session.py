"""Logins."""

from services.labeler.api.examples.story import NOON, PASSWORD, USER
from shared.clients.answers import AccessToken, Session
from shared.clients.sign_on import LoginOptions
from shared.http.examples import Example
from shared.http.problems import Problem

TOKEN = "eyJhbGciOiJIUzI1NiIs...the rest of the token"  # noqa: S105 - no token: its form
WRONG_LOGIN = "The name or the password is wrong. Check both and try again."
MANY_LOGINS = "Too many logins were tried. Try again in 3 s."


def of_session() -> dict[str, Example]:
    """Return the examples of the two ways to log in."""
    return {
        "get_login_options": Example(answers={200: LoginOptions()}),
        "log_in": Example(
            body={"name": USER, "password": PASSWORD},
            answers={200: Session(token=TOKEN, name=USER, role="labeler", expires_at=NOON)},
            problems=(
                Problem(401, "unauthorised", WRONG_LOGIN),
                Problem(422, "invalid_request", "body.password: Field required"),
                Problem(429, "too_many_logins", MANY_LOGINS),
            ),
        ),
        "issue_access_token": Example(
            body={"grant_type": "password", "username": USER, "password": PASSWORD},
            answers={200: AccessToken(access_token=TOKEN, expires_in=43_200)},
            problems=(
                Problem(400, "invalid_grant", WRONG_LOGIN, {"error_description": WRONG_LOGIN}),
                Problem(422, "invalid_request", "body.grant_type: Field required"),
                Problem(429, "too_many_logins", MANY_LOGINS, {"error_description": MANY_LOGINS}),
            ),
        ),
    }
