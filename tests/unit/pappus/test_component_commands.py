"""`pappus restart | stop | env` as a user types them, without a real stack."""

import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.stack.folders import StateFolder
from pappus.stack.status import ComponentState, read_status

from .conftest import FakeApis

runner = CliRunner()


@pytest.fixture
def call(apis: FakeApis, state: StateFolder) -> Any:
    def invoke(*arguments: str) -> Result:
        return runner.invoke(app, [*arguments, "--state", str(state.root)])

    return invoke


@pytest.mark.parametrize("command", [("restart", "ingestor"), ("stop", "ingestor"), ("env", "ingestor")])
def test_without_a_running_stack_the_remedy_is_named(state: StateFolder, command: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*command, "--state", str(state.root)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("Start it first: pappus up\n")


@pytest.mark.parametrize("command", ["restart", "stop"])
def test_an_unknown_component_is_answered_with_the_list(call: Any, command: str) -> None:
    result = call(command, "ingestr")
    assert result.exit_code == 1
    assert "There is no ingestr in this stack. It has: " in result.stderr
    assert "ingestor" in result.stderr


def test_env_prints_export_lines_that_a_shell_reads_back(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_LABELS", '["it\'s grass", "dandelion"]')
    result = call("env", "ingestor")
    assert result.exit_code == 0
    words = [shlex.split(line) for line in result.stdout.splitlines()]
    assert {word[0] for word in words} == {"export"}
    values = dict(word[1].split("=", 1) for word in words)
    assert values["PAPPUS_LABELS"] == '["it\'s grass", "dandelion"]'
    assert values["PAPPUS_REPLICA"] == "ingestor"


def test_env_warns_while_the_supervised_copy_runs(call: Any, state: StateFolder) -> None:
    assert "Stop that copy first: pappus stop ingestor." in call("env", "ingestor").stderr
    status = read_status(state)
    status.component("ingestor").enter(ComponentState.STOPPED)
    status.save(state)
    assert call("env", "ingestor").stderr == ""


def test_env_writes_a_private_file_for_a_debugger(call: Any, state: StateFolder, tmp_path: Path) -> None:
    file = tmp_path / "new" / "ingestor.env"
    result = call("env", "ingestor", "--file", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PAPPUS_REPLICA=ingestor\n" in file.read_text()
    assert (state.services / "ingestor").is_dir()


def test_env_of_a_server_is_refused_with_the_services(call: Any) -> None:
    result = call("env", "kafka")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no service kafka. The services are: ingestor" in result.stderr
