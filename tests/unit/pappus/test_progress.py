"""Progress: a line that is drawn anew on a terminal, now and then a line elsewhere."""

import re
from io import StringIO

import pytest

from pappus.stack.status import ComponentState, ComponentStatus, StackStatus
from pappus.terminal.output import Output
from pappus.terminal.progress import Progress, ProgressLine, progress_line, stopping
from pappus.terminal.screen import LiteralConsole, console, errors
from shared.testing import eventually


class Clock:
    """A clock that a test sets, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def open_console(*, terminal: bool) -> tuple[LiteralConsole, StringIO]:
    out = StringIO()
    made = LiteralConsole(file=out, width=80, force_terminal=terminal, color_system=None, markup=False, emoji=False)
    return made, out


def test_without_a_terminal_a_line_comes_at_most_every_three_seconds() -> None:
    made, out = open_console(terminal=False)
    clock = Clock()
    line = ProgressLine(made, clock)
    for tenth in range(100):
        clock.now = tenth / 10
        line.say(f"{tenth} of 100 files")
        line.print_if_due()
    assert out.getvalue().splitlines() == [
        "   1.0 s  10 of 100 files",
        "   4.0 s  40 of 100 files",
        "   7.0 s  70 of 100 files",
    ]


def test_the_same_text_is_printed_once_and_what_is_over_at_once_never() -> None:
    made, out = open_console(terminal=False)
    clock = Clock()
    line = ProgressLine(made, clock)
    line.say("starting")
    line.print_if_due()
    assert out.getvalue() == ""
    for clock.now in (2.0, 20.0, 40.0):
        line.print_if_due()
    assert out.getvalue() == "   2.0 s  starting\n"


async def test_a_line_comes_also_while_the_command_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pappus.terminal.progress.FIRST_SECONDS", 0.0)
    monkeypatch.setattr("pappus.terminal.progress.TICK_SECONDS", 0.01)
    made, out = open_console(terminal=False)
    with progress_line(made) as line:
        line.say("waiting for a server")
        await eventually(lambda: "waiting for a server" in out.getvalue(), 10)


def test_on_a_terminal_the_line_goes_when_the_work_is_done() -> None:
    made, out = open_console(terminal=True)
    with progress_line(made) as line:
        line.say("40 of 100 files, of which the last has a name that is longer than a line of this terminal")
    drawn = out.getvalue()
    assert re.search(r"0\.\d s  40 of 100 files", drawn)
    assert drawn.endswith("\x1b[2K")
    assert all(len(part) <= 80 for part in re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]", drawn))


def status(*states: ComponentState) -> StackStatus:
    components = [ComponentStatus(name=f"part-{n}", group="g", state=state) for n, state in enumerate(states)]
    return StackStatus(state="s", credentials="c", users="u", components=components)


def test_a_start_names_what_changes_and_not_what_was_ready() -> None:
    made, out = open_console(terminal=False)
    with Progress(made) as progress:
        for second in (ComponentState.STARTING, ComponentState.STARTING, ComponentState.READY):
            progress.show(status(ComponentState.READY, second))
    assert [line.split("s  ")[1] for line in out.getvalue().splitlines()] == ["part-1: starting", "part-1: ready"]


def test_a_stop_names_what_is_left() -> None:
    made, out = open_console(terminal=True)
    with stopping(made) as watch:
        watch(status(ComponentState.STOPPED, ComponentState.STOPPING, ComponentState.STOPPING))
    assert "stopping part-1, part-2" in out.getvalue()


def test_progress_leaves_stdout_to_the_document() -> None:
    assert Output(as_json=True).progress is errors
    assert Output().progress is console
