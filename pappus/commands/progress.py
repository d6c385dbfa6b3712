"""The progress of a start: a live table on a terminal, else one line per change."""

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live

from pappus.commands.tables import status_table
from pappus.stack.status import StackStatus


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

    def show(self, status: StackStatus) -> None:
        """Show what changed since the last call."""
        if self._live:
            self._live.update(status_table(status))
            return
        for component in status.components:
            now = (component.state, component.detail)
            if self._shown.get(component.name) != now:
                self._shown[component.name] = now
                seconds = time.monotonic() - self._began
                line = f"{seconds:6.1f} s  {component.name}: {component.state} {component.detail}".rstrip()
                self._console.print(line, highlight=False, soft_wrap=True)
