"""The table of a comparison, in Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.serving.limit import Limit
from bench.serving.load import Found


@dataclass(frozen=True)
class Measured:
    """What one turn with one number of connections gave."""

    found: Found
    share: float
    cpu_milliseconds: float


@dataclass
class Row:
    """A server: what is on in it, its turns by number of connections, or the reason why there are none."""

    name: str
    what: str = ""
    reason: str | None = None
    measured: dict[int, list[Measured]] = field(default_factory=dict)


COLUMNS: tuple[tuple[str, str, Callable[[Measured], float]], ...] = (
    ("images a second", ".0f", lambda one: one.found.a_second),
    ("share of the limit", ".2f", lambda one: one.share),
    ("CPU ms of an answer", ".2f", lambda one: one.cpu_milliseconds),
    ("p50 ms", ".1f", lambda one: one.found.p50),
    ("p99 ms", ".1f", lambda one: one.found.p99),
)


def markdown(rows: Sequence[Row], connections: Sequence[int], limits: Sequence[Limit]) -> str:
    """Return a line for each server, with medians of its turns for each number of connections."""
    counts = " / ".join(map(str, connections))
    titles = ["server", "what is on", *(title for title, _, _ in COLUMNS), "failed"]
    lines = [_line(titles), _line(["---"] * len(titles)), *(_line(_cells(row, connections)) for row in rows)]
    if limits:
        pace, cpu = median(one.a_second for one in limits), median(one.cpu_milliseconds for one in limits)
        limit = f"The limit: {pace:.0f} a second, CPU of an answer {cpu:.2f} ms."
        lines += ["", f"Each cell: with {counts} connections. {limit}"]
    return "\n".join(lines)


def _cells(row: Row, connections: Sequence[int]) -> list[str]:
    if row.reason is not None:
        return [row.name, f"left out: {row.reason}", *[""] * (len(COLUMNS) + 1)]
    turns = [row.measured[count] for count in connections]
    figures = [" / ".join(format(median(map(value, each)), style) for each in turns) for _, style, value in COLUMNS]
    return [row.name, row.what, *figures, str(sum(one.found.failed for each in turns for one in each))]


def _line(cells: Sequence[str]) -> str:
    """Return a line of the table; a bar or a break within a cell would be another cell or line."""
    return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |"
