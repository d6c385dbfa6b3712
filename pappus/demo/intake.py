"""Ingestion of images: insert rows and wait until each is stored or rejected."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pappus.demo.images import ImageSource
from pappus.errors import Refused
from pappus.plants import PlantRow, PlantsTable

AGAIN = "Images not fetched yet will be rejected: run the same command again within 5 minutes."


@dataclass(frozen=True, slots=True)
class Intake:
    """The result: how many rows were `new`, which are `stored`, and why each other one was `rejected`, by URL."""

    new: int
    stored: tuple[PlantRow, ...]
    rejected: Mapping[str, str]


async def ingest_and_wait(
    plants: PlantsTable, source: ImageSource, timeout_seconds: float, show: Callable[[str], None]
) -> Intake:
    """Insert the rows of `source` and wait for their outcomes; `show` is called with the progress.

    Raises:
        Refused: after `timeout_seconds`, or on Ctrl-C; the text asks to repeat the command for the images of a folder.
    """
    new = await plants.insert(source.rows)

    def progress(states: Counter[str]) -> None:
        away = f", {states['away']} to be tried again" if states["away"] else ""
        show(f"{states['stored']} of {len(source.rows)} stored ({new} new rows){away}")

    with explain_interruption(source):
        rejected = await plants.wait_for_outcomes(source.rows, timeout_seconds, progress)
    return Intake(new, tuple(row for row in source.rows if row.url_source not in rejected), rejected)


@contextmanager
def explain_interruption(source: ImageSource) -> Iterator[None]:
    """Add to a time-out or Ctrl-C (which cancels the main task) that the images of a folder are no longer served, so
    those not fetched yet are rejected. Raises Refused."""
    try:
        yield
    except (Refused, asyncio.CancelledError) as stopped:
        if not source.files:
            raise
        raise Refused(f"{str(stopped) or 'Interrupted.'} {AGAIN}") from stopped
