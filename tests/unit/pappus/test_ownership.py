"""Only a folder with our own marker is used or deleted, and nothing foreign in it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.stack import Stack
from pappus.stack.credentials import Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import PROJECT, StateFolder
from pappus.stack.ownership import claim, delete
from pappus.stack.postgres import remove_home

RESET = ["reset", "--yes"]
COMMANDS = [RESET, ["up"], ["status"], ["down"], ["doctor"], ["logs"], ["demo"], ["seed"], ["history"], ["replay"]]
Tree = dict[str, tuple[int, int, bytes]]


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of a person, with a credentials.json as other programs write it."""
    folder = tmp_path / "foreign"
    (folder / "photos").mkdir(parents=True, mode=0o750)
    (folder / "credentials.json").write_text('{"installed": {}}')
    (folder / "thesis.txt").write_text("precious")
    return folder


@pytest.fixture
def earlier(state: StateFolder) -> StateFolder:
    """A stack that was made before there was a marker."""
    Credentials.load_or_create(state)
    state.marker.unlink()
    return state


def tree(folder: Path) -> Tree:
    """Return all there is, with mode, time of change and content."""
    found = [folder, *folder.rglob("*")]
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in found
    }


def run(command: list[str], state: Path) -> Result:
    return CliRunner().invoke(app, [*command, "--state", str(state)])


def assert_refused(command: list[str], state: Path, words: str) -> None:
    result = run(command, state)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert "Deleted" not in result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_foreign_folder_with_credentials_is_refused_untouched(foreign: Path, command: list[str]) -> None:
    before = tree(foreign)
    assert_refused(
        command, foreign, "is no state folder of Pappus and holds other things (credentials.json and 2 more)"
    )
    assert tree(foreign) == before


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_link_is_refused_and_what_it_leads_to_untouched(
    state: StateFolder, tmp_path: Path, command: list[str]
) -> None:
    link = tmp_path / "link"
    link.symlink_to(state.root)
    before = tree(state.root)
    assert_refused(command, link, "is a link")
    assert tree(state.root) == before
    assert link.is_symlink()


def test_a_link_that_leads_nowhere_is_refused_too(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "none")
    assert_refused(["up"], link, "is a link")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [RESET, ["up"], ["status"]], ids=lambda command: command[0])
def test_the_home_folder_is_refused_even_with_a_marker(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("HOME", str(state.root))
    before = tree(state.root)
    assert_refused(command, state.root, "is a home folder")
    assert_refused(command, state.root / "run" / "..", "is a home folder")
    assert tree(state.root) == before


@pytest.mark.parametrize("command", [RESET, ["up"], ["status"]], ids=lambda command: command[0])
@pytest.mark.parametrize("folder", [Path("/"), PROJECT, PROJECT.parent], ids=["root", "project", "above"])
def test_the_root_and_the_project_are_refused(folder: Path, command: list[str]) -> None:
    assert_refused(command, folder, "so it cannot be a state folder")


def test_the_default_folder_in_the_project_is_allowed() -> None:
    assert run(["status"], PROJECT / ".pappus-of-a-test").exit_code == 3


def test_reset_refuses_an_own_folder_with_one_foreign_file(state: StateFolder) -> None:
    Credentials.load_or_create(state)
    (state.root / "thesis.txt").write_text("precious")
    before = tree(state.root)
    assert_refused(RESET, state.root, "did not put there (thesis.txt), so it is not deleted")
    assert tree(state.root) == before
    (state.root / "thesis.txt").unlink()
    assert run(RESET, state.root).exit_code == 0
    assert not state.root.exists()


def test_a_foreign_file_does_not_stop_a_stack(state: StateFolder) -> None:
    (state.root / "notes.txt").touch()
    claim(state)
    assert run(["status"], state.root).exit_code == 3


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_moved_folder_is_refused_untouched(state: StateFolder, tmp_path: Path, command: list[str]) -> None:
    Credentials.load_or_create(state)
    moved = state.root.rename(tmp_path / "moved")
    before = tree(moved)
    assert_refused(command, moved, f"is the moved or copied state folder of {state.root}")
    assert tree(moved) == before


def test_a_moved_folder_is_taken_over_as_the_error_says(state: StateFolder, tmp_path: Path) -> None:
    Credentials.load_or_create(state)
    moved = StateFolder.at(state.root.rename(tmp_path / "moved"))
    moved.marker.unlink()
    claim(moved)
    assert run(RESET, moved.root).exit_code == 0


def test_a_folder_reached_through_a_linked_parent_is_the_same_one(state: StateFolder, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(tmp_path)
    assert run(["status"], tmp_path / "way" / state.root.name).exit_code == 3


def test_up_marks_a_stack_from_before_there_was_a_marker(earlier: StateFolder) -> None:
    claim(earlier)
    assert json.loads(earlier.marker.read_text())["path"] == str(earlier.root)
    assert run(RESET, earlier.root).exit_code == 0


def test_reset_never_marks_and_says_how(earlier: StateFolder) -> None:
    before = tree(earlier.root)
    assert_refused(RESET, earlier.root, "start it once with `pappus up`")
    assert tree(earlier.root) == before
    assert run(["status"], earlier.root).exit_code == 3


@pytest.mark.parametrize("spoil", ["thesis.txt", "credentials.json", "users.json"])
def test_a_folder_that_is_almost_an_earlier_stack_is_refused(earlier: StateFolder, spoil: str) -> None:
    if spoil == "users.json":
        earlier.users.unlink()
    else:
        (earlier.root / spoil).write_text('{"installed": {}}')
    before = tree(earlier.root)
    with pytest.raises(StackError, match="is no state folder of Pappus"):
        claim(earlier)
    assert tree(earlier.root) == before


@pytest.mark.parametrize("content", ["{}x", '{"path": "/srv"}', '{"format": "other", "version": 1, "path": "/srv"}'])
def test_a_marker_in_another_format_is_refused(state: StateFolder, content: str) -> None:
    state.marker.write_text(content)
    assert_refused(RESET, state.root, "is not as this version of Pappus writes it")


def test_a_config_written_before_the_first_start_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"ports": {"kafka": 39092}}')
    claim(StateFolder.at(tmp_path))
    assert "39092" in (tmp_path / "config.json").read_text()


def test_a_foreign_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"theme": "dark"}')
    result = run(["up"], tmp_path)
    assert result.exit_code == 1
    assert "is not a valid configuration" in result.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]


def test_what_a_killed_writer_left_is_deleted_with_the_rest(state: StateFolder) -> None:
    (state.root / ".credentials.json.a1b2c3_4").touch()
    delete(state)
    assert not state.root.exists()


def test_a_link_in_the_folder_goes_and_what_it_leads_to_stays(state: StateFolder, foreign: Path) -> None:
    (state.root / "s3").symlink_to(foreign)
    (state.root / "postgres").symlink_to(foreign)
    before = tree(foreign)
    remove_home(state)
    Stack(state.root).reset()
    assert not state.root.exists()
    assert tree(foreign) == before


def test_a_refused_reset_stops_nothing(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "down", lambda *_: pytest.fail("down was called"))
    (state.root / "thesis.txt").touch()
    assert_refused(RESET, state.root, "thesis.txt")
