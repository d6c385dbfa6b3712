"""`--json`: each command gives one document on stdout, and nothing else there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.supervisor_process import SupervisorProcess

from .api_answers import champion, drift, history_entry, image, model, prediction
from .commands import COMMANDS, options_of
from .conftest import FakeApis

IMAGE = UUID("3f2c0f50-0000-4000-8000-000000000001")
WITHOUT_JSON: dict[str, str] = {}
"""Commands without --json, each with the reason."""
LISTINGS = (
    "history",
    "drift",
    "events",
    "logs",
    "trace",
    "dlq ls",
    "keys ls",
    "users ls",
    "classes ls",
    "seed",
    "why",
    "blame",
    "dataset diff",
    "artefacts",
)
NEED_SERVERS = {
    "up",
    "events",
    "restart",
    "replay",
    "demo",
    "seed",
    "smoke",
    "trace",
    "prepare",
    "reproduce",
    "artefacts",
    "why",
    "blame",
} | {f"dlq {word}" for word in ("ls", "show", "skip", "redrive")}
NEED_SERVERS |= {"dataset diff", "dataset checkout"}
"""These run with --json in the tests that have what they need."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_or_a_reason(name: str) -> None:
    assert ("--json" in options_of(name)) != (name in WITHOUT_JSON)


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_has_a_limit(name: str) -> None:
    assert "--limit" in options_of(name)


@pytest.fixture
def prepared(apis: FakeApis, state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApis:
    """APIs that know one image and one model, a stack that seems to run, and a picture in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SupervisorProcess, "request", lambda *_, **__: None)
    (tmp_path / "a.jpg").touch()
    Credentials.load_or_create(state)
    state.log("kafka").write_text("one\ntwo\n")
    event = {"event_id": str(IMAGE)}
    applied = {**event, "image_id": str(IMAGE), "label": "grass", "revision": 1, "state": "applied"}
    apis.answers |= {
        "POST /predict": (200, prediction(IMAGE)),
        f"GET /images/{IMAGE}": (200, image(IMAGE)),
        f"GET /images/{IMAGE}/history": (200, [history_entry(), history_entry(revision=2)]),
        f"POST /images/{IMAGE}/label": (200, applied),
        f"POST /images/{IMAGE}/withdraw": (202, {**event, "image_id": str(IMAGE)}),
        "GET /models?limit=51": (200, [model("full-1")]),
        "GET /drifts?limit=51": (200, [drift()]),
        "GET /models/champion": (200, champion(frozen=False)),
        "POST /trainings": (202, event),
        "POST /models/freeze": (202, event),
        "POST /models/unfreeze": (202, event),
    }
    changed = {"id": "moss", "name": "lichen", "revision": 1, **event}
    apis.answers |= {
        "GET /classes": (200, [{"id": "moss", "name": "lichen", "images": 3}]),
        "POST /classes": (200, changed),
        "PATCH /classes/moss": (200, changed),
    }
    for action in ("rollback", "approve", "override"):
        answer = {"outcome": "promoted", "version": "full-1", "sequence": 2, "summary": "Promoted."}
        apis.answers[f"POST /models/{action}"] = (200, answer)
    return apis


CALLS = [
    ("status", 3, {"running", "components"}),
    ("doctor", None, {"fine", "checks"}),
    ("down", 0, {"stopped", "left_overs"}),
    ("stop ingestor", 0, {"stopped"}),
    ("env ingestor", 0, {"environment"}),
    ("logs -n 1", 0, {"logs", "more"}),
    ("logs kafka", 0, {"logs", "more"}),
    ("reset --yes", 0, {"deleted"}),
    ("predict a.jpg", 0, {"answers", "failures"}),
    ("predict a.jpg nowhere.jpg", 1, {"answers", "failures"}),
    (f"correct {IMAGE} grass", 0, {"outcome", "revision", "before"}),
    (f"withdraw {IMAGE} --yes --reason why", 0, {"outcome", "event_id", "image_id"}),
    ("history", 0, {"models", "more"}),
    (f"history {IMAGE} --limit 1", 0, {"image", "labels", "more"}),
    ("drift", 0, {"drifts", "more", "live_since_full"}),
    ("classes ls", 0, {"classes", "more"}),
    ("classes add moss", 0, {"outcome", "id", "name", "revision", "event_id"}),
    ("classes rename moss lichen", 0, {"outcome", "id", "name"}),
    ("train", 0, {"outcome", "event_id"}),
    ("rollback full-1", 0, {"outcome", "version", "sequence", "summary"}),
    ("approve full-1", 0, {"outcome", "version"}),
    ("override full-1 --reason known", 0, {"outcome", "version"}),
    ("freeze", 0, {"outcome", "event_id"}),
    ("unfreeze", 0, {"outcome", "event_id"}),
    ("secrets made", 0, {"folder"}),
    ("keys ls", 0, {"keys", "more"}),
    ("keys add shop", 0, {"name", "key", "per_minute", "first"}),
    ("keys add shop; keys remove shop", 0, {"removed"}),
    ("users ls --limit 1", 0, {"users", "more"}),
    ("users add ada", 0, {"name", "role", "password"}),
    ("users add ada; users role ada operator", 0, {"name", "role"}),
    ("users password labeler", 0, {"name", "password"}),
    ("users add ada; users remove ada", 0, {"removed"}),
    ("users logout labeler", 0, {"logged_out"}),
]


def run(state: StateFolder, words: str) -> Result:
    """Run commands with --json, one after the other; return what came of the last one."""
    *before, last = words.split("; ")
    if last.split()[0] in ("down", "reset"):
        state.status.unlink()  # of the stack that seems to run: its supervisor is this process
    for each in before:
        assert CliRunner().invoke(app, [*each.split(), "--state", str(state.root)]).exit_code == 0
    stated = [] if last.startswith("secrets") else ["--state", str(state.root)]
    return CliRunner().invoke(app, [*last.split(), "--json", *stated])


def _name_of(words: str) -> Iterator[str]:
    typed = words.split("; ")[-1].split()
    yield from (name for name in COMMANDS if typed[: len(name.split())] == name.split())


def test_each_command_is_called_here_or_where_its_servers_are() -> None:
    assert {name for words, _, _ in CALLS for name in _name_of(words)} | NEED_SERVERS == set(COMMANDS)


@pytest.mark.parametrize(("words", "code", "keys"), CALLS, ids=[words for words, _, _ in CALLS])
def test_stdout_is_one_document(
    prepared: FakeApis, state: StateFolder, words: str, code: int | None, keys: set[str]
) -> None:
    ended = run(state, words)
    assert code is None or ended.exit_code == code, ended.output
    document = json.loads(ended.stdout)
    assert keys <= document.keys()
    assert "Traceback" not in ended.stderr


def test_a_list_that_was_cut_says_so(prepared: FakeApis, state: StateFolder) -> None:
    def more(words: str) -> Any:
        return json.loads(run(state, words).stdout)["more"]

    assert [more(f"users ls --limit {limit}") for limit in (1, 2)] == [True, False]
    assert [more(f"logs kafka --limit {limit}") for limit in (1, 2)] == [True, False]
    assert [more(f"history {IMAGE} --limit {limit}") for limit in (1, 2)] == [True, False]
    assert json.loads(run(state, f"history {IMAGE} --limit 1").stdout)["labels"][0]["revision"] == 2


def test_an_error_is_a_line_on_stderr_and_leaves_stdout_empty(apis: FakeApis, state: StateFolder) -> None:
    for words in ("history nowhere.jpg", "rollback full-0", "logs kafak", "users remove eve"):
        Credentials.load_or_create(state)
        ended = run(state, words)
        assert (ended.exit_code, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1), words


def test_a_rejected_request_is_a_document_and_an_error(apis: FakeApis, state: StateFolder) -> None:
    apis.answers["POST /models/freeze"] = (
        200,
        {"outcome": "rejected", "version": None, "sequence": None, "summary": "Frozen already."},
    )
    ended = run(state, "freeze")
    assert (ended.exit_code, json.loads(ended.stdout)["outcome"]) == (1, "rejected")
    assert ended.stderr == "The gate rejected the request: Frozen already.\n"


@pytest.mark.parametrize("words", ["up --watch", "logs -f"])
def test_what_goes_on_until_it_is_stopped_is_no_document(state: StateFolder, words: str) -> None:
    state.log("kafka").touch()
    ended = run(state, words)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("--json gives one document, and --")


def test_a_reset_for_programs_asks_no_question(state: StateFolder) -> None:
    Credentials.load_or_create(state)
    ended = CliRunner().invoke(app, ["reset", "--json", "--state", str(state.root)], input="y\n")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "give --yes" in ended.stderr
    assert state.credentials.exists()
