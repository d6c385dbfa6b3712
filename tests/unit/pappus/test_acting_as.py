"""`--as NAME`: a command acts as another login whose password is known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.people import People

from .api_answers import image, session
from .commands import COMMANDS, options_of
from .conftest import FakeApis

IMAGE = uuid4()
ACTS_FOR_A_PERSON = {
    *("correct", "withdraw", "drift", "history", "why", "blame"),
    *("classes ls", "classes add", "classes rename"),
    *("train", "rollback", "approve", "override", "freeze", "unfreeze"),
}
Call = Callable[..., Result]


@pytest.fixture
def call(apis: FakeApis, state: StateFolder) -> Call:
    """Commands about a stack that has ada, an operator, and ben, a labeler; the labeling API knows all of them."""
    Credentials.load_or_create(state)
    for name, role in (("ada", "operator"), ("ben", "labeler")):
        People(state).add(name, role, f"the password of {name}")  # type: ignore[arg-type]
    roles = {person.name: person.role for person in People(state).all()}

    def log_in(body: bytes) -> dict[str, Any]:
        name = json.loads(body)["name"]
        return session() | {"name": name, "role": roles.get(name, "labeler")}

    apis.answers["POST /login"] = (200, log_in)
    apis.answers["POST /trainings"] = (202, {"event_id": str(IMAGE)})
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(IMAGE))
    apis.answers[f"GET /images/{IMAGE}/history"] = (200, [])

    def invoke(*arguments: str, **environment: str) -> Result:
        elsewhere = {"PAPPUS_LABELER_URL": apis.url} if environment else {"PAPPUS_STATE": str(state.root)}
        return CliRunner(env={"PAPPUS_STATE": None, **elsewhere, **environment}).invoke(app, arguments)

    return invoke


def logged_in(apis: FakeApis) -> dict[str, str]:
    """Return name and password of the first login."""
    found: dict[str, str] = json.loads(apis.bodies[apis.requests.index("POST /login")])
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_acts_for_a_person_may_act_as_another(name: str) -> None:
    assert ("--as" in options_of(name)) == (name in ACTS_FOR_A_PERSON)
    assert "--password" not in options_of(name)


def test_a_person_of_the_stack_acts_with_the_password_of_its_file(apis: FakeApis, call: Call) -> None:
    assert call("train", "--as", "ada").exit_code == 0
    assert logged_in(apis) == {"name": "ada", "password": "the password of ada"}


def test_the_login_of_a_role_is_named_by_the_role(apis: FakeApis, call: Call) -> None:
    assert call("history", str(IMAGE), "--as", "operator").exit_code == 0
    assert logged_in(apis)["name"] == "operator"


def test_without_a_name_the_login_of_the_role_acts(apis: FakeApis, call: Call) -> None:
    assert call("history", str(IMAGE)).exit_code == 0
    assert logged_in(apis)["name"] == "labeler"


def test_an_unknown_name_is_refused_with_those_that_there_are(apis: FakeApis, call: Call) -> None:
    ended = call("train", "--as", "eve")
    assert (ended.exit_code, apis.requests) == (1, [])
    assert ended.stderr == (
        "There is no user eve in this stack. The users are: ada, ben, labeler, operator. See: pappus users ls\n"
    )


def test_a_login_without_the_role_is_refused_before_anything_is_asked(apis: FakeApis, call: Call) -> None:
    ended = call("train", "--as", "ben")
    assert (ended.exit_code, apis.requests) == (1, ["POST /login"])
    assert ended.stderr == (
        "ben is a labeler, and this needs an operator. Name one that is (--as NAME), or give the role: pappus users"
        " role NAME operator\n"
    )


def test_elsewhere_an_own_login_comes_from_the_environment(apis: FakeApis, call: Call) -> None:
    assert call("train", "--as", "ada", PAPPUS_OWN_NAME="ada", PAPPUS_OWN_PASSWORD="secret").exit_code == 0
    assert logged_in(apis) == {"name": "ada", "password": "secret"}


def test_elsewhere_an_own_login_comes_from_a_profile(apis: FakeApis, call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("secret of a file\n")
    (tmp_path / "there.toml").write_text('own_name = "ada"\nown_password_file = "mine"\n')
    ended = call("train", "--as", "ada", "--profile", str(tmp_path / "there.toml"), PAPPUS_LABELER_PASSWORD="x")
    assert ended.exit_code == 0, ended.stderr
    assert logged_in(apis) == {"name": "ada", "password": "secret of a file"}


def test_elsewhere_an_unknown_name_says_how_to_give_its_password(apis: FakeApis, call: Call) -> None:
    ended = call("train", "--as", "ada", PAPPUS_LABELER_PASSWORD="secret")
    assert (ended.exit_code, apis.requests) == (1, [])
    assert "The password of ada is not known; those of these logins are: labeler." in ended.stderr
    assert "PAPPUS_OWN_NAME" in ended.stderr


def test_half_a_login_is_refused(call: Call) -> None:
    ended = call("history", PAPPUS_OWN_PASSWORD="secret")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("PAPPUS_OWN_PASSWORD is half of a login: give PAPPUS_OWN_NAME")


def test_a_wrong_password_of_ones_own_names_where_it_is_from(apis: FakeApis, call: Call) -> None:
    apis.answers["POST /login"] = (401, {"detail": "The name or the password is wrong."})
    ended = call("train", "--as", "ada", PAPPUS_OWN_NAME="ada", PAPPUS_OWN_PASSWORD="secret")
    assert ended.stderr.endswith("the password of ada, which is from PAPPUS_OWN_PASSWORD: correct it there.\n")
