"""Logins with a provider."""

from services.labeler.api.examples.session import TOKEN
from services.labeler.api.examples.story import ADMIN, NEWCOMER, NOON
from shared.clients.answers import Session
from shared.clients.people import PersonView
from shared.clients.sign_on import BegunLogin
from shared.http.examples import Example
from shared.http.problems import Problem

ISSUER = "https://id.example.org/realms/plants"
SUBJECT = "8f4c1c9e-0d2e-4a35-9f0f-6c1b7a3e2d10"
NO_PROVIDER = "This installation has no provider to log in with. Log in with a name and a password."
SEALED = "eyJhbGciOiJkaXIi...the rest"
AWAY = "Keycloak does not answer (ConnectTimeout). Try again in a moment."
NOT_ADMITTED = "The provider gives you nothing in 'groups' that lets you in here."
OF_ADMINS = Problem(403, "forbidden", "labeler has the role labeler; this needs the role admin. Ask an admin.")
TAKEN = "There is an account anna here already, which is not of Keycloak. If it is yours, ask an admin to join both."


def of_sign_on() -> dict[str, Example]:
    """Return the examples of the way to the provider and back, which are shown where there is one."""
    none = Problem(404, "no_provider", NO_PROVIDER)
    fault = Problem(403, "provider_at_fault", "The ID token of Keycloak does not count: it belongs to another login.")
    away = Problem(503, "unavailable", AWAY)
    return {
        "begin_login": Example(
            answers={200: BegunLogin(address=f"{ISSUER}/protocol/openid-connect/auth?...", login=SEALED)},
            problems=(none, fault, away),
        ),
        "join_person": Example(
            body={"name": NEWCOMER, "subject": SUBJECT},
            answers={200: PersonView(name=NEWCOMER, role="labeler", made_by=ADMIN, made_at=NOON, issuer=ISSUER)},
            problems=(
                OF_ADMINS,
                Problem(404, "person_unknown", f"There is no account {NEWCOMER}. Look at the list again."),
                Problem(409, "subject_taken", "Keycloak logs this person in as frieda already."),
                Problem(422, "invalid_request", "body.subject: Field required"),
            ),
        ),
        "finish_login": Example(
            body={"login": SEALED, "state": "kq3v...", "code": "3f2a...", "iss": ISSUER},
            answers={200: Session(token=TOKEN, name="frieda", role="labeler", expires_at=NOON)},
            problems=(
                Problem(400, "login_not_begun", "This browser has not begun this login, or has finished it."),
                Problem(403, "not_admitted", NOT_ADMITTED),
                Problem(409, "name_taken", TAKEN),
                Problem(429, "too_many_logins", "Too many logins were tried. Try again in 2 s."),
                none,
                fault,
                away,
            ),
        ),
    }
