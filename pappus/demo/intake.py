"""Images come in: rows are inserted, then waited for until each is stored or rejected."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pappus.demo.images import ImageSource
from pappus.errors import Refused
from pappus.plants import PlantRow, insert, wait_for_outcomes

AGAIN = "Images not fetched yet will be rejected: run the same command again within 5 minutes."


@dataclass(frozen=True, slots=True)
class Intake:
    """How many rows were `new`, which are `stored` now, and why each other one was `rejected`, by URL."""

    new: int
    stored: tuple[PlantRow, ...]
    rejected: Mapping[str, str]


async def ingest_and_wait(dsn: str, source: ImageSource, timeout_seconds: float, tell: Callable[[str], None]) -> Intake:
    """Insert the rows of `source` and wait for their outcomes; `tell` hears again and again how far it is.

    Raises:
        Refused: out of time, or Ctrl-C; it says that the images of a folder have to be offered again.
    """
    new = await insert(dsn, source.rows)

    def progress(states: Counter[str]) -> None:
        away = f", {states['away']} to be tried again" if states["away"] else ""
        tell(f"{states['stored']} of {len(source.rows)} stored ({new} new rows){away}")

    with explain_interruption(source):
        rejected = await wait_for_outcomes(dsn, source.rows, timeout_seconds, progress)
    return Intake(new, tuple(row for row in source.rows if row.url_source not in rejected), rejected)


@contextmanager
def explain_interruption(source: ImageSource) -> Iterator[None]:
    """Waiting that ends too early, by time-out or Ctrl-C (which cancels the main task), says what becomes of the images
    of a folder: nobody serves it any more. Raises Refused."""
    try:
        yield
    except (Refused, asyncio.CancelledError) as stopped:
        if source.folder is None:
            raise
        raise Refused(f"{str(stopped) or 'Interrupted.'} {AGAIN}") from stopped
