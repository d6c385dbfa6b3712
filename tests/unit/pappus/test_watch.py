"""Which services an edited file restarts, and which edits count."""

import threading
from pathlib import Path, PurePath
from typing import Any

import pytest
from watchfiles import Change

from pappus.actions.watching import restart_on_edits
from pappus.stack import Stack, StackError
from pappus.stack.folders import StateFolder
from pappus.stack.services import SERVICES
from pappus.stack.status import ComponentState, StackStatus, read_status
from pappus.stack.watch import SourceFilter, edits, services_of

from .conftest import FakeApis

EVERY_SERVICE = [service.name for service in SERVICES]
PREDICTOR = ["predictor-api-0", "predictor-api-1", "predictor-worker", "predictor-batches", "predictor-monitor"]
TRAINER = ["trainer-fast", "trainer-gate", "trainer-full", "trainer-trigger", "trainer-recorder"]


@pytest.mark.parametrize(
    ("file", "services"),
    [
        ("services/ingestor/handlers.py", ["ingestor"]),
        ("services/ingestor/data/sql/0001_images.sql", ["ingestor"]),
        ("services/trainer/gate/decisions/rules.py", ["trainer-gate"]),
        ("services/trainer/model/head.py", TRAINER),
        ("services/predictor/api/app.py", ["predictor-api-0", "predictor-api-1"]),
        ("services/predictor/model/onnx_model.py", PREDICTOR),
        ("services/labeler/ui/app.py", ["labeler-ui"]),
        ("services/labeler/queries/images.py", ["labeler-api", "labeler-ui"]),
        ("shared/contract/events.py", EVERY_SERVICE),
        ("shared/testing/group.py", []),
        ("services/replay.py", []),
        ("services/__init__.py", []),
    ],
)
def test_an_edited_file_belongs_to_the_services_that_load_it(file: str, services: list[str]) -> None:
    assert services_of([PurePath(file)]) == services


def test_several_files_restart_each_of_their_services_once() -> None:
    files = [PurePath("services/trainer/gate/handlers.py"), PurePath("services/trainer/model/head.py")]
    assert services_of(files) == TRAINER


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("services/trainer/gate/rules.py", True),
        ("services/trainer/data/sql/0002_more.sql", True),
        ("services/trainer/README.md", False),
        ("services/trainer/__pycache__/rules.cpython-312.py", False),
        ("services/trainer/.rules.py.swp", False),
    ],
)
def test_only_source_files_count_as_edits(file: str, counts: bool) -> None:
    assert SourceFilter()(Change.modified, f"/home/tests/pappus/{file}") is counts


def test_edits_arrive_as_paths_relative_to_the_project(tmp_path: Path) -> None:
    for folder in ("services/trainer/gate", "shared"):
        (tmp_path / folder).mkdir(parents=True)
    stop, edited = threading.Event(), threading.Event()
    file = tmp_path / "services/trainer/gate/rules.py"

    def edit_until_noticed() -> None:
        while not edited.wait(0.05):
            file.write_text("")

    writer = threading.Thread(target=edit_until_noticed)
    writer.start()
    try:
        group = next(edits(tmp_path, stop))
    finally:
        edited.set()
        writer.join()
        stop.set()
    assert group == [PurePath("services/trainer/gate/rules.py")]


class RecordingStack(Stack):
    """A stack that runs by its status alone, and records which components were restarted."""

    def __init__(self, state: Path, failing: str = "") -> None:
        super().__init__(state)
        self.restarted: list[list[str]] = []
        self.failing = failing

    def restart(self, words: Any, watch: Any = None) -> StackStatus:
        """Record the names; raise StackError for the failing component."""
        self.restarted.append(list(words))
        if self.failing in words:
            raise StackError(f"{self.failing} does not start")
        return self.status()


@pytest.fixture
def running(apis: FakeApis, state: StateFolder) -> StateFolder:
    return state


def test_an_edit_restarts_running_services_alone(running: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    stack = RecordingStack(running.root)
    restart_on_edits(stack, [[PurePath("shared/contract/events.py")], [PurePath("services/trainer/gate/rules.py")]])
    assert stack.restarted == [["ingestor", "labeler-api", "predictor-api-0", "labeler-ui"]]
    shown = capsys.readouterr().out
    assert "shared/contract/events.py: restarting ingestor, labeler-api" in shown
    assert "services/trainer/gate/rules.py: no running service loads it." in shown


def test_an_edit_leaves_a_stopped_service_stopped(running: StateFolder) -> None:
    status = read_status(running)
    status.component("ingestor").stopped_on_request = True
    status.component("ingestor").enter(ComponentState.STOPPED)
    status.save(running)
    stack = RecordingStack(running.root)
    restart_on_edits(stack, [[PurePath("services/ingestor/handlers.py")]])
    assert stack.restarted == []


def test_a_service_that_fails_to_start_does_not_end_the_watching(
    running: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = RecordingStack(running.root, failing="ingestor")
    restart_on_edits(stack, [[PurePath("services/ingestor/handlers.py")], [PurePath("services/labeler/api/app.py")]])
    assert stack.restarted == [["ingestor"], ["labeler-api"]]
    assert "ingestor does not start" in capsys.readouterr().err


def test_many_edited_files_are_counted(running: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    restart_on_edits(RecordingStack(running.root), [[PurePath(f"services/ingestor/{name}.py") for name in "abcde"]])
    assert "services/ingestor/c.py and 2 more: restarting ingestor" in capsys.readouterr().out


def test_watching_a_stack_that_was_stopped_ends(state: StateFolder) -> None:
    with pytest.raises(StackError, match="No stack runs"):
        restart_on_edits(Stack(state.root), [[PurePath("services/ingestor/handlers.py")]])
