"""Lists as tables that cut nothing: where a terminal is too narrow, each row becomes a few lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

LIMIT = 50
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many to show at most.")]
NARROWEST = 12
"""Characters that a column gets at least, if its texts are so long."""
GAP = 2
Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `whole`: its values are what the next command needs, and stay in one piece. `if_any`: it is left out if
    no row has something in it."""

    name: str
    whole: bool = False
    right: bool = False
    if_any: bool = False


class Listing:
    """Rows of texts below the names of `columns`; of a name alone becomes a column whose texts may fold."""

    def __init__(self, *columns: Column | str, title: str = "") -> None:
        self._columns = [column if isinstance(column, Column) else Column(column) for column in columns]
        self._title = title
        self._rows: list[list[Text]] = []

    def add(self, *cells: Cell) -> None:
        """Add one row, with a cell for each column."""
        if len(cells) != len(self._columns):
            raise ValueError(f"A row has {len(self._columns)} cells, and {len(cells)} were given.")
        self._rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if self._title:
            yield Text(self._title, "bold", overflow="fold")
        shown = [
            index
            for index, column in enumerate(self._columns)
            if not column.if_any or any(row[index].plain for row in self._rows)
        ]
        yield from self._table(shown) if self._fits(shown, options.max_width) else self._records(shown, options)

    def _fits(self, shown: Sequence[int], width: int) -> bool:
        """Return whether every whole value has a line of its column for itself, and the other columns room."""
        needed = sum(
            self._width(index) if self._columns[index].whole else min(self._width(index), NARROWEST) for index in shown
        )
        return needed + GAP * (len(shown) - 1) <= width

    def _width(self, index: int) -> int:
        texts = [Text(self._columns[index].name), *(row[index] for row in self._rows)]
        return max(line.cell_len for text in texts for line in text.split(allow_blank=True))

    def _table(self, shown: Sequence[int]) -> Iterator[RenderableType]:
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        for column in (self._columns[index] for index in shown):
            table.add_column(
                column.name, justify="right" if column.right else "left", no_wrap=column.whole, overflow="fold"
            )
        for row in self._rows:
            table.add_row(*(row[index] for index in shown))
        yield table

    def _records(self, shown: Sequence[int], options: ConsoleOptions) -> Iterator[RenderableType]:
        name_width = max(len(self._columns[index].name) for index in shown)
        for number, row in enumerate(self._rows):
            if number:
                yield Text()
            for index in shown:
                yield from _lines(self._columns[index], row[index], name_width, options.max_width)


def _lines(column: Column, cell: Text, name_width: int, width: int) -> Iterator[Text]:
    """Yield name and text of one cell; below the name what is to stay in one piece and has no room beside it."""
    lines = list(cell.split(allow_blank=True)) or [Text()]
    if column.whole and any(name_width + GAP + line.cell_len > width for line in lines):
        yield Text(column.name, "bold")
        for line in lines:
            line.overflow = "fold"
            yield line
        return
    for number, line in enumerate(lines):
        name = "" if number else column.name
        yield Text.assemble((f"{name:<{name_width + GAP}}", "bold"), line, overflow="fold")


def left_out(count: int, shown: int, what: str) -> str:
    """Return that not all of `what` are shown, and how to see them; empty if they are."""
    return "" if count <= shown else f"Shown: {shown} of {count} {what}. To see all: --limit {count}"
