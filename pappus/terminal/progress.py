"""Progress of what takes longer than a moment: live on a terminal, else now and then a line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from pappus.terminal.status import status_table

if TYPE_CHECKING:
    from pappus.stack.status import StackStatus

FIRST_SECONDS = 1.0
"""What is over sooner leaves no plain line."""
BETWEEN_SECONDS = 3.0
"""At least so long lies between two plain lines of one command."""
TICK_SECONDS = 0.5


class Progress:
    """Shows the statuses passed to `show` while its context is open."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True) if console.is_terminal else None
        self._shown: dict[str, tuple[str, str]] = {}
        self._began = time.monotonic()

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: "StackStatus") -> None:
        """Show what changed since the last call; what is ready from the start is no news."""
        if self._live:
            self._live.update(status_table(status))
            return
        if not self._shown:
            self._shown = {each.name: (each.state, each.detail) for each in status.components if each.state == "ready"}
        for component in status.components:
            now = (component.state, component.detail)
            if self._shown.get(component.name) != now:
                self._shown[component.name] = now
                seconds = time.monotonic() - self._began
                line = f"{seconds:6.1f} s  {component.name}: {component.state} {component.detail}".rstrip()
                self._console.print(line, highlight=False, soft_wrap=True)


class ProgressLine:
    """One line that says what is done now, with the seconds so far. On a terminal it is drawn anew, and goes at the
    end. Elsewhere a line is printed for the newest text, at most every BETWEEN_SECONDS."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._next = self._began + FIRST_SECONDS
        self._text = self._printed = ""
        self._ended = Event()

    @contextmanager
    def shown(self) -> Iterator["ProgressLine"]:
        """Show the line while the context lasts, also while the caller is busy with something else."""
        if self._console.is_terminal:
            with Live(get_renderable=self._draw, console=self._console, transient=True, refresh_per_second=8):
                yield self
            return
        ticks = Thread(target=self._tick, daemon=True)
        ticks.start()
        try:
            yield self
        finally:
            self._ended.set()
            ticks.join()

    def say(self, text: str) -> None:
        """Show this text from now on."""
        self._text = text

    def print_if_due(self) -> None:
        """Print the newest text, unless it was printed or the last line is too fresh."""
        if self._text == self._printed or self._clock() < self._next:
            return
        self._printed = self._text
        self._next = self._clock() + BETWEEN_SECONDS
        self._console.print(self._draw(), highlight=False, soft_wrap=True)

    def _tick(self) -> None:
        while not self._ended.wait(TICK_SECONDS):
            self.print_if_due()

    def _draw(self) -> RenderableType:
        return Text(f"{self._clock() - self._began:6.1f} s  {self._text}", no_wrap=True, overflow="ellipsis")


@contextmanager
def progress_line(console: Console) -> Iterator[ProgressLine]:
    """Open a line of progress on this console."""
    with ProgressLine(console).shown() as line:
        yield line


@contextmanager
def stopping(console: Console) -> Iterator["Callable[[StackStatus], None]"]:
    """Give what shows which components still stop, while the context lasts."""

    def show(status: "StackStatus") -> None:
        left = [component.name for component in status.components if component.state == "stopping"]
        line.say(f"stopping {', '.join(left)}" if left else "stopping")

    with progress_line(console) as line:
        yield show
