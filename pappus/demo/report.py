"""The report of a demo: each stage, its duration and its summary."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from uuid import UUID

from rich.table import Table
from rich.text import Text


@dataclass(slots=True)
class Stage:
    """One stage. `seconds` is None while it runs; `summary` is one sentence for users."""

    name: str
    seconds: float | None = None
    summary: str = ""
    failed: bool = False


@dataclass(slots=True)
class Report:
    """The stages in order, the figures behind them, the addresses of the stack, and the image whose correction is an
    example to follow."""

    images: str = ""
    stages: list[Stage] = field(default_factory=list)
    correction_to_live_seconds: list[float] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    corrected_image: UUID | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time one stage; an exception marks it as failed and is raised again."""
        stage = Stage(name)
        self.stages.append(stage)
        start = perf_counter()
        try:
            yield stage
        except BaseException:
            stage.failed = True
            raise
        finally:
            stage.seconds = perf_counter() - start

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs; durations in seconds."""
        return {
            "images": self.images,
            "stages": [
                {"name": s.name, "seconds": round(s.seconds or 0.0, 3), "summary": s.summary} for s in self.stages
            ],
            "correction_to_live_seconds": [round(seconds, 4) for seconds in self.correction_to_live_seconds],
            "figures": self.figures,
            "addresses": self.addresses,
        }

    def as_table(self, newest: int | None = None) -> Table:
        """Return the stages as a table, the running one marked; only the `newest` ones, None for all."""
        table = Table(title=None, show_lines=False, pad_edge=False, expand=False)
        table.add_column("")
        table.add_column("stage", no_wrap=True)
        table.add_column("seconds", justify="right")
        table.add_column("what happened", overflow="fold")
        for stage in self.stages[-newest:] if newest else self.stages:
            seconds = "" if stage.seconds is None else f"{stage.seconds:.2f}"
            table.add_row(_mark(stage), stage.name, seconds, Text(stage.summary))
        return table


def _mark(stage: Stage) -> Text:
    if stage.failed:
        return Text("x", "red")
    return Text(">", "yellow") if stage.seconds is None else Text("v", "green")
