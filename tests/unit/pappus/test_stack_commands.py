"""The commands of the stack as a person types them, where nothing has to run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pappus.cli import app
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder

runner = CliRunner()


def test_status_of_nothing_says_how_to_start_and_is_not_zero(tmp_path: Path) -> None:
    result = runner.invoke(app, ["status", "--state", str(tmp_path / "none")])
    assert result.exit_code == 3
    assert "pappus up" in result.output


def test_status_for_programs_is_json(state: StateFolder) -> None:
    result = runner.invoke(app, ["status", "--json", "--state", str(state.root)])
    assert json.loads(result.output)["running"] is False


def test_the_state_may_come_from_the_environment(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_STATE", str(state.root))
    result = runner.invoke(app, ["status", "--json"])
    assert json.loads(result.output)["state"] == str(state.root)


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert runner.invoke(app, ["down", "--state", str(tmp_path / "none")]).exit_code == 0
    assert not (tmp_path / "none").exists()


def test_reset_asks_and_a_no_keeps_everything(state: StateFolder) -> None:
    Credentials.load_or_create(state)
    result = runner.invoke(app, ["reset", "--state", str(state.root)], input="n\n")
    assert result.exit_code == 1
    assert state.credentials.exists()


def test_reset_with_yes_deletes_the_state(state: StateFolder) -> None:
    Credentials.load_or_create(state)
    assert runner.invoke(app, ["reset", "--yes", "--state", str(state.root)]).exit_code == 0
    assert not state.root.exists()


def test_reset_never_deletes_a_folder_that_is_not_a_state(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    assert runner.invoke(app, ["reset", "--yes", "--state", str(tmp_path)]).exit_code == 1
    assert (tmp_path / "thesis.tex").exists()


def test_logs_shows_the_end_of_one_log(state: StateFolder) -> None:
    state.log("kafka").write_text("one\ntwo\nthree\n")
    result = runner.invoke(app, ["logs", "kafka", "-n", "2", "--state", str(state.root)])
    assert result.output == "two\nthree\n"


def test_logs_of_all_name_each_line(state: StateFolder) -> None:
    state.log("s3").write_text("one\n")
    state.log("kafka").write_text("two\n")
    result = runner.invoke(app, ["logs", "--state", str(state.root)])
    assert result.output == "kafka | two\ns3    | one\n"


def test_logs_of_somebody_unknown_names_those_there_are(state: StateFolder) -> None:
    state.log("kafka").touch()
    result = runner.invoke(app, ["logs", "kafak", "--state", str(state.root)])
    assert result.exit_code == 1
    assert "kafka" in result.output


def test_up_refuses_an_unknown_port_before_anything_starts(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_PORT_KAFAK", "1234")
    result = runner.invoke(app, ["up", "--only", "s3", "--state", str(state.root)])
    assert result.exit_code == 1
    assert "no port called 'kafak'" in result.output
