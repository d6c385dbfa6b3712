"""`pappus users`: the file of people, as a person changes it."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from pappus.cli import app
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder


@pytest.fixture(autouse=True)
def stack(state: StateFolder) -> None:
    """A stack that was started once: it has the two generated people."""
    Credentials.load_or_create(state)


def users(state: StateFolder, *words: str, typed: str | None = None, fails: bool = False) -> str:
    """Run a command and return what it printed."""
    result = CliRunner().invoke(app, ["users", *words, "--state", str(state.root)], input=typed)
    assert result.exit_code == int(fails), result.output
    return result.stderr if fails else result.stdout


def file(state: StateFolder) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(state.users.read_bytes())}


def test_a_person_is_added_with_a_password_that_is_shown_once(state: StateFolder) -> None:
    shown = users(state, "add", "ada", "--role", "operator")
    assert file(state)["ada"] == {"name": "ada", "role": "operator", "password": shown.split()[-1]}
    assert len(shown.split()[-1]) >= 12
    assert "ada" in users(state, "ls")
    assert shown.split()[-1] not in users(state, "ls")
    assert state.users.stat().st_mode & 0o777 == 0o600


def test_a_password_may_be_typed_and_is_not_shown(state: StateFolder) -> None:
    shown = users(state, "add", "ada", "--ask", typed="a long password\na long password\n")
    assert file(state)["ada"]["password"] == "a long password"
    assert "a long password" not in shown


@pytest.mark.parametrize("short", ["", "elevenchars"])
def test_a_short_password_is_refused(state: StateFolder, short: str) -> None:
    before = state.users.read_bytes()
    for words in (("add", "ada"), ("password", "labeler")):
        result = CliRunner().invoke(
            app, ["users", *words, "--ask", "--state", str(state.root)], input=f"{short}\n{short}\n" * 2
        )
        assert result.exit_code == 1
    assert state.users.read_bytes() == before


def test_a_role_changes(state: StateFolder) -> None:
    users(state, "add", "ada")
    users(state, "role", "ada", "operator")
    assert file(state)["ada"]["role"] == "operator"


def test_a_new_password_ends_the_sessions_of_the_old_one(state: StateFolder) -> None:
    users(state, "add", "ada")
    before = file(state)["ada"]
    shown = users(state, "password", "ada")
    after = file(state)["ada"]
    assert after["password"] == shown.split()[-1] != before["password"]
    assert "sessions_from" in after


def test_the_command_keeps_working_with_a_new_password_of_its_own(state: StateFolder) -> None:
    new = users(state, "password", "operator").split()[-1]
    assert Credentials.load_or_create(state).users["operator"] == new == file(state)["operator"]["password"]
    assert "works as operator" in users(state, "remove", "operator", fails=True)
    assert "works as labeler" in users(state, "role", "labeler", "operator", fails=True)


def test_a_person_is_removed_and_another_logged_out(state: StateFolder) -> None:
    users(state, "add", "ada")
    users(state, "remove", "ada")
    users(state, "logout", "labeler")
    assert file(state).keys() == {"labeler", "operator"}
    assert "sessions_from" in file(state)["labeler"]
    assert "sessions_from" not in file(state)["operator"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x1b[2Jb", "a\nb"])
def test_a_name_that_cannot_be_shown_is_refused(state: StateFolder, name: str) -> None:
    assert "printable characters" in users(state, "add", name, fails=True)


def test_a_name_is_the_same_in_every_form_of_unicode(state: StateFolder) -> None:
    users(state, "add", "Ju\u0308rgen ")
    assert "is a user already" in users(state, "add", "J\u00fcrgen", fails=True)
    users(state, "remove", "Ju\u0308rgen")
    assert "J\u00fcrgen" not in file(state)


@pytest.mark.parametrize(
    "words", [("role", "eve", "labeler"), ("password", "eve"), ("remove", "eve"), ("logout", "eve")]
)
def test_an_unknown_name_is_refused_with_those_that_there_are(state: StateFolder, words: tuple[str, ...]) -> None:
    assert "The users are: labeler, operator." in users(state, *words, fails=True)


def test_a_broken_file_is_named_and_kept(state: StateFolder) -> None:
    state.users.write_text("[{")
    assert "users.json is no list of users" in users(state, "add", "ada", fails=True)
    assert state.users.read_text() == "[{"


def test_without_a_stack_it_says_how_to_start_one(state: StateFolder) -> None:
    state.users.unlink()
    assert "pappus up" in users(state, "ls", fails=True)
