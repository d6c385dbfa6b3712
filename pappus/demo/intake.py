"""Ingestion of images: insert rows and wait until each is stored or rejected."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from pappus.demo.images import ImageSource
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.plants import PlantRow, PlantsTable

FIRST_SECONDS = 30.0
FORBIDDEN = "address_forbidden"
DUPLICATE = "duplicate:"
AGAIN = "Images not fetched yet will be rejected: run the same command again within 5 minutes."


@dataclass(frozen=True, slots=True)
class Intake:
    """The result: how many of the `rows` were `new`, which are `stored`, and why each other one was `rejected`, by
    URL."""

    new: int
    stored: tuple[PlantRow, ...]
    rejected: Mapping[str, str]
    rows: tuple[PlantRow, ...] = ()

    @property
    def usable(self) -> tuple[PlantRow, ...]:
        """The stored rows; without any, those whose bytes are stored under other addresses, from another machine."""
        known = tuple(row for row in self.rows if self.rejected.get(row.url_source, "").startswith(DUPLICATE))
        return self.stored or known


async def ingest_and_wait(
    installation: Installation, source: ImageSource, timeout_seconds: float, show: Callable[[str], None]
) -> Intake:
    """Insert the rows of `source` and wait for their outcomes; `show` is called with the progress. Where the settings
    of the ingestor decide whether it may fetch from here, one row goes ahead: else all would be refused for good.

    Raises:
        Refused: after `timeout_seconds`, or on Ctrl-C; the text asks to repeat the command for the images of a folder.
            Or the first row could not be fetched.
    """
    plants, serving = installation.plants, installation.serving
    from_here = bool(source.files) and serving is not None and not serving.lent
    tried = await _try(plants, source.rows[0]) if from_here else 0
    new = tried + await plants.insert(source.rows)

    def progress(states: Counter[str]) -> None:
        away = f", {states['away']} to be tried again" if states["away"] else ""
        show(f"{states['stored']} of {len(source.rows)} stored ({new} new rows){away}")

    with explain_interruption(source):
        rejected = await plants.wait_for_outcomes(source.rows, timeout_seconds, progress)
    return Intake(new, tuple(row for row in source.rows if row.url_source not in rejected), rejected, source.rows)


async def _try(plants: PlantsTable, row: PlantRow) -> int:
    """Insert one row, if it is new, and see that it can be fetched; return how many were new. Raises Refused."""
    new = await plants.insert([row])
    status = await plants.until_tried(row, FIRST_SECONDS) if new else None
    if status is None or status.state == "stored" or not (status.will_retry or status.reason == FORBIDDEN):
        return new
    host = urlsplit(row.url_source).netloc
    what = f"The ingestor cannot fetch {row.url_source}: {status.detail}"
    if status.will_retry:
        raise Refused(f"{what} Does --serve-as lead from there to this machine?")
    raise Refused(
        f"{what} Start it with {host} in PAPPUS_ALLOWED_HOSTS; then give --serve-as another path, such as"
        f" http://{host}/2, because a row that was refused is not tried again."
    )


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
