"""How an admin lets a new person in."""

from services.labeler.api.examples.models import OF_OPERATORS
from services.labeler.api.examples.sign_on import ISSUER
from services.labeler.api.examples.story import ADMIN, NEWCOMER, NOON, PASSWORD, USER
from services.labeler.api.problems import of_refusal
from services.labeler.commands.administration import (
    account_of_file,
    account_of_provider,
    own_account,
    person_unknown,
)
from shared.clients.people import NewPassword, PersonView, WorkDone
from shared.http.examples import Example
from shared.http.problems import Problem

OF_ADMINS = Problem(403, "forbidden", "labeler has the role labeler; this needs the role admin. Ask an admin.")
NO_NAME = Problem(422, "invalid_request", "body.name: Field required")


def of_people() -> dict[str, Example]:
    """Return the examples of the routes about accounts."""
    newcomer = PersonView(name=NEWCOMER, role="uploader", made_by=ADMIN, made_at=NOON)
    password = NewPassword(**dict(newcomer), password="w1Kq0tB8yVn3Xh5c")  # noqa: S106 - an example
    work = WorkDone(decided=412, today=37, confirmed=21, overturned=2, seconds_each=2.4, last_at=NOON)
    user = PersonView(name=USER, role="labeler", made_by=None, made_at=NOON, work=work)
    changeable = (OF_ADMINS, NO_NAME, *map(of_refusal, (person_unknown(NEWCOMER), account_of_file(USER))))
    not_oneself = (*changeable, of_refusal(own_account()))
    name = {"name": NEWCOMER}
    return {
        "get_me": Example(answers={200: user}),
        "get_people": Example(
            answers={200: [newcomer, user]},
            problems=OF_OPERATORS[:1],
        ),
        "add_person": Example(
            body={**name, "role": "uploader"},
            answers={201: password},
            problems=(OF_ADMINS, NO_NAME, Problem(409, "name_taken", f"There is an account {NEWCOMER} already.")),
        ),
        "change_role": Example(
            body={**name, "role": "labeler"},
            answers={200: newcomer.model_copy(update={"role": "labeler"})},
            problems=not_oneself,
        ),
        "reset_password": Example(body=name, answers={200: password}, problems=not_oneself),
        "disable_person": Example(
            body=name, answers={200: newcomer.model_copy(update={"disabled_at": NOON})}, problems=not_oneself
        ),
        "enable_person": Example(body=name, answers={200: newcomer}, problems=not_oneself),
        "change_own_password": Example(
            body={"password": PASSWORD, "new_password": "a longer password"},
            answers={200: user.model_copy(update={"made_by": ADMIN})},
            problems=(
                Problem(422, "wrong_password", "The present password is wrong. Type it again."),
                of_refusal(account_of_file(USER)),
                of_refusal(account_of_provider(USER, "password", ISSUER)),
            ),
        ),
    }
