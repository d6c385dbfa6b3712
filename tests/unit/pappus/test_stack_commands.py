"""The commands of the stack as a person types them, where nothing has to run."""

import errno
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pappus.cli import app
from pappus.commands.options import refusals
from pappus.stack import Stack
from pappus.stack.config import StackConfig
from pappus.stack.credentials import Credentials
from pappus.stack.doctor import Check
from pappus.stack.folders import StateFolder
from pappus.stack.settings import without_ports
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus
from pappus.stack.supervisor_process import SupervisorProcess
from pappus.terminal.screen import console
from pappus.terminal.status import checks_table, summary

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
    assert result.stdout == "two\nthree\n"
    assert result.stderr == "Earlier lines are left out. To see more: pappus logs kafka --limit 8\n"


def test_logs_of_all_name_each_line(state: StateFolder) -> None:
    state.log("s3").write_text("one\n")
    state.log("kafka").write_text("two\n")
    result = runner.invoke(app, ["logs", "--state", str(state.root)])
    assert result.output == "kafka | two\ns3    | one\n"


def test_logs_of_an_unknown_component_names_the_known_ones(state: StateFolder) -> None:
    state.log("kafka").touch()
    result = runner.invoke(app, ["logs", "kafak", "--state", str(state.root)])
    assert result.exit_code == 1
    assert "kafka" in result.output


def test_up_refuses_an_unknown_port_before_anything_starts(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_PORT_KAFAK", "1234")
    result = runner.invoke(app, ["up", "--only", "s3", "--state", str(state.root)])
    assert result.exit_code == 1
    assert "no port called 'kafak'" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "fooo"], "no component fooo"),
        (
            ["--only", "s3", "--allow-host", "http://127.0.0.1:8000"],
            "'http://127.0.0.1:8000' is not a host: write host",
        ),
        (["--only", "s3", "--allow-host", "two words"], "is not a host"),
        (["--only", "s3", "--allow-host", "host:port"], "is not a host"),
    ],
)
def test_what_up_refuses_is_not_remembered(state: StateFolder, arguments: list[str], words: str) -> None:
    result = runner.invoke(app, ["up", *arguments, "--state", str(state.root)])
    assert result.exit_code == 1
    assert words in result.output
    assert not state.desired.exists()
    assert not state.config.exists()


def test_ports_and_hosts_given_to_up_are_remembered(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_PORT_KAFKA", "39092")
    monkeypatch.setattr(SupervisorProcess, "request", lambda *_: None)
    monkeypatch.setattr(Stack, "_wait_until_ready", lambda *_: StackStatus(state="", credentials="", users=""))
    Stack(state.root).up(["s3"], ports={"s3": 39000}, allowed_hosts=["[::1]:80"])
    monkeypatch.delenv("PAPPUS_PORT_KAFKA")
    assert StackConfig.load(state) == StackConfig(ports={"kafka": 39092, "s3": 39000}, allowed_hosts=["[::1]:80"])
    assert Stack(state.root).ports()["kafka"] == 39092


def test_a_lent_host_is_allowed_until_it_is_taken_back(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SupervisorProcess, "request", lambda *_: None)
    monkeypatch.setattr(Stack, "_wait_until_ready", lambda *_: StackStatus(state="", credentials="", users=""))
    stack = Stack(state.root)
    stack.up(["s3"], allowed_hosts=["own:80"])
    stack.lend_hosts(["lent:80", "own:80"])
    assert StackConfig.load(state) == StackConfig(allowed_hosts=["own:80"], lent_hosts=["lent:80"])
    stack.take_back_hosts()
    assert StackConfig.load(state) == StackConfig(allowed_hosts=["own:80"])


def test_the_supervisor_has_its_ports_from_the_config_alone() -> None:
    assert without_ports({"PAPPUS_PORT_KAFKA": "1", "PAPPUS_STATE": "x"}) == {"PAPPUS_STATE": "x"}


@pytest.mark.parametrize("command", [["status"], ["up"], ["doctor"], ["reset", "--yes"], ["history"], ["demo"]])
def test_a_state_that_is_a_file_is_refused_in_one_line(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    result = runner.invoke(app, [*command, "--state", str(file)])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith("Not a directory. Choose another folder with --state.")


def test_a_folder_that_may_not_be_written_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), refusals(Path("/srv/pappus")):
        raise PermissionError(errno.EACCES, "Permission denied", "/srv")
    assert capsys.readouterr().err == "/srv: Permission denied. Choose another folder with --state.\n"


def test_a_file_elsewhere_is_no_matter_of_the_state() -> None:
    with pytest.raises(PermissionError), refusals(Path("/srv/pappus")):
        raise PermissionError(errno.EACCES, "Permission denied", "/home/images")


def test_doctor_says_in_one_line_that_the_status_cannot_be_read(state: StateFolder) -> None:
    state.status.write_text('{"parts": 3}')
    result = runner.invoke(app, ["doctor", "--state", str(state.root)])
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


def test_components_without_their_supervisor_are_counted() -> None:
    left = [ComponentStatus(name=name, group="tests", state=ComponentState.ORPHANED) for name in ("kafka", "s3")]
    text = summary(StackStatus(state="", credentials="", users="", components=left))
    assert text == (
        "The supervisor was killed; 2 components still run. `pappus up` replaces them, `pappus down` ends them."
    )


def test_a_remedy_is_shown_letter_by_letter(capsys: pytest.CaptureFixture[str]) -> None:
    console.print(checks_table([Check("package mlflow", False, "not installed", 'pip install -e ".[cli]"')]))
    shown = capsys.readouterr().out
    assert shown.splitlines()[1].startswith("problem")
    assert '-e ".[cli]"' in shown


def test_a_wrong_setting_of_the_stack_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_BACKGROUND_NICENESS", "30")
    ended = CliRunner().invoke(app, ["status"])
    assert ended.exit_code == 1
    assert "PAPPUS_BACKGROUND_NICENESS cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr
