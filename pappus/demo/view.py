"""The live view of a demo: a growing table on a terminal, else one line per stage."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pappus.demo.report import Report, Stage
from pappus.terminal.progress import progress_line

BORDERS = 4
LINES_OF_A_STAGE = 5
"""The most lines that a stage takes in 80 columns."""


class View:
    """Shows the report as it grows."""

    def __init__(self, console: Console, report: Report) -> None:
        self._console = console
        self._report = report
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the report while the context lasts: of a table that is higher than the terminal, its end."""
        if not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=self._draw, console=self._console, refresh_per_second=8, transient=True) as live:
            self._live = live
            yield
        self._live = None

    def _draw(self) -> Table:
        return self._report.as_table(newest=max(1, (self._console.height - BORDERS) // LINES_OF_A_STAGE))

    @contextmanager
    def stage(self, name: str, *, shows_itself: bool = False) -> Iterator[Stage]:
        """Run one stage of the report and show it, also while it runs, unless it `shows_itself`."""
        stage: Stage | None = None
        meanwhile = self._live is None and not shows_itself
        try:
            with (
                self._report.stage(name) as stage,
                progress_line(self._console) if meanwhile else nullcontext() as line,
            ):
                if line is not None:
                    line.say(name)
                yield stage
        finally:
            if self._live is None and stage is not None:
                word = "failed" if stage.failed else "done"
                told = Text(f"{name}: {word} in {stage.seconds or 0:.2f} s. {stage.summary}")
                self._console.print(told, soft_wrap=True)
