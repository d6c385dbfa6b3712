"""The table `plants_data` as users see it: rows are inserted, each gets an outcome."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from pappus.errors import Refused
from shared.runtime.errors import TransientError
from shared.tables.postgres import REFUSALS, Connection, close, connector, transient_errors

STATUSES = (
    "SELECT given AS url_source, state, coalesce(reason, '') AS reason, coalesce(detail, '') AS detail, will_retry "
    "FROM unnest($1::text[]) given JOIN plants_data ON url_source = url_without_login(given)"
)


@dataclass(frozen=True, slots=True)
class PlantRow:
    """One row to insert: the URL of the image, and its label (None: not known)."""

    url_source: str
    label: str | None


@dataclass(frozen=True, slots=True)
class RowStatus:
    """The outcome of a row so far. `reason`, `detail`: why it is rejected; `will_retry`: it will be tried again."""

    state: str
    reason: str = ""
    detail: str = ""
    will_retry: bool = False

    @property
    def final(self) -> bool:
        """Whether the outcome will not change."""
        return self.state in ("stored", "rejected") and not self.will_retry


@dataclass(frozen=True, slots=True)
class PlantsTable:
    """The table, at `dsn`. `if_away` and `if_late` say what to do if the database does not answer, and where to look if
    rows get no outcome."""

    dsn: str = field(repr=False)
    if_away: str
    if_late: str

    async def insert(self, rows: Sequence[PlantRow]) -> int:
        """Insert the rows that do not exist yet; return how many were new."""
        async with self._connection() as connection:
            new = await connection.fetch(
                "INSERT INTO plants_data (url_source, label) SELECT * FROM unnest($1::text[], $2::text[]) "
                "ON CONFLICT (url_source) DO NOTHING RETURNING url_source",
                [row.url_source for row in rows],
                [row.label for row in rows],
            )
            return len(new)

    async def wait_for_outcomes(
        self, rows: Sequence[PlantRow], timeout_seconds: float, progress: Callable[[Counter[str]], None]
    ) -> dict[str, str]:
        """Wait until every row is stored or finally rejected; return the reason of each rejection, by URL. A row that
        will be retried counts as rejected after `timeout_seconds`. `progress` gets the number of rows in each state, or
        `away`.

        Raises:
            Refused: if some rows have no outcome after `timeout_seconds`, naming how many and the first.
        """
        urls = [row.url_source for row in rows]
        return await settled(partial(self._statuses, urls), urls, timeout_seconds, progress, self.if_late)

    async def until_tried(self, row: PlantRow, timeout_seconds: float) -> RowStatus | None:
        """Wait until the ingestor has tried this row; return its status, or None after `timeout_seconds`."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while asyncio.get_running_loop().time() < deadline:
            status = (await self._statuses([row.url_source])).get(row.url_source)
            if status is not None and status.state in ("stored", "rejected"):
                return status
            await asyncio.sleep(0.25)
        return None

    async def count_labelled(self) -> int:
        """Return how many stored images were registered with a label, earlier runs included, uploads excluded."""
        async with self._connection() as connection:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM plants_data "
                    "WHERE state = 'stored' AND label IS NOT NULL AND url_source NOT LIKE 'upload:%'"
                )
            )

    async def _statuses(self, urls: list[str]) -> dict[str, RowStatus]:
        """Return the status of each row, by URL; empty while the database restarts."""
        try:
            async with self._connection() as connection:
                rows = await connection.fetch(STATUSES, urls)
        except Refused:
            return {}
        return {
            row["url_source"]: RowStatus(row["state"], row["reason"], row["detail"], row["will_retry"]) for row in rows
        }

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Open a connection for a moment. Raises Refused while the database is away."""
        try:
            connection = await connector(self.dsn, "ingestor")()
            try:
                with transient_errors():
                    yield connection
            finally:
                await close(connection)
        except TransientError as error:
            raise Refused(f"{error} {self.if_away}") from error
        except REFUSALS as error:
            raise Refused(f"PostgreSQL refuses this: {error}. {self.if_away}") from error


async def settled(
    look: Callable[[], Awaitable[Mapping[str, RowStatus]]],
    urls: Sequence[str],
    timeout_seconds: float,
    progress: Callable[[Counter[str]], None],
    if_late: str,
) -> dict[str, str]:
    """Do what `PlantsTable.wait_for_outcomes` does, with the statuses that `look` returns, by URL."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while True:
        found = await look()
        progress(Counter("away" if one.will_retry else one.state for one in found.values()))
        late = asyncio.get_running_loop().time() > deadline
        waiting = [url for url in urls if not ((one := found.get(url)) and (one.final or (late and one.will_retry)))]
        if not waiting:
            return {url: f"{one.reason}: {one.detail}" for url, one in found.items() if one.state == "rejected"}
        if late:
            raise Refused(
                f"{len(waiting)} of {len(urls)} images have no outcome after {timeout_seconds:.0f} s, "
                f"the first is {waiting[0]}. {if_late}"
            )
        await asyncio.sleep(0.25)
