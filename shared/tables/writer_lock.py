"""The lock of the one process that writes a schema's tables: who holds it, who stands by, when it is taken over.

The holder writes on the connection that holds the lock, so a holder whose connection was ended can write nothing more:
taking over is safe at any moment. It happens when the holder is silent while the log has more than the tables show, or
while a replay asks for the lock: a process that was stopped, or cut off, keeps its session and the lock with it. Silent
means that its connection did nothing for `silence_seconds` by the clock of the process that stands by; a holder that
works does something every second.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shared.messaging.event_log import EventLog
from shared.runtime.errors import TransientError
from shared.tables import positions
from shared.tables.database import Database
from shared.tables.lock_holder import (
    HEARTBEAT_SECONDS,
    HEARTBEAT_TIMEOUT_SECONDS,
    POLL_SECONDS,
    HolderWatch,
    application_name,
    end_holder,
    find_holder,
    set_role,
    try_lock,
)
from shared.tables.postgres import Connection, Row

WRITER = "projection"
"""Name of the advisory lock."""
RELEASE_PAUSE_SECONDS = 1.0
"""How long after a request to release the lock no projection takes it: a replay asks every 0.2 s until it has it."""
RESERVE_SECONDS = 5.0
"""How long the lock has been free before a reserve takes it."""

_STANDBY_WORKS = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user
    AND application_name = $1 AND state_change > clock_timestamp() - interval '2 seconds'
)
"""


def release_lock_channel(schema: str) -> str:
    """Return the channel on which a replay asks the writer of a schema to release the lock."""
    return f"{schema}_let_go"


class WriterLock:
    """The lock, held. All writing is done on `connection`."""

    def __init__(self, connection: Connection, requests: "_ReleaseRequests", schema: str, reserve: bool) -> None:
        self.connection = connection
        self._requests = requests
        self._standby = application_name(schema, "standby")
        self._reserve = reserve
        self._shown = -HEARTBEAT_SECONDS

    async def may_keep(self) -> bool:
        """Show at most every HEARTBEAT_SECONDS that this process works. False once the lock is to be released: a replay
        asked for it, or this process is a reserve and another one stands by.

        Raises:
            TransientError: the connection was lost.
        """
        if self.connection.is_closed():
            raise TransientError("The connection that holds the writer's lock was lost. Is PostgreSQL running?")
        if self._requests.pending:
            return False
        if time.monotonic() - self._shown < HEARTBEAT_SECONDS:
            return True
        self._shown = time.monotonic()
        if self._reserve:
            return not await self.connection.fetchval(_STANDBY_WORKS, self._standby)
        return bool(await self.connection.fetchval("SELECT TRUE", timeout=HEARTBEAT_TIMEOUT_SECONDS))


class StandBy:
    """Waits for the writer's lock of one schema, and takes it over from a silent holder.

    A `reserve` takes the lock only after it was free for RESERVE_SECONDS, and gives it back to the next process that
    stands by: for processes that run at a lower priority than the others.
    """

    def __init__(
        self, event_log: EventLog, database: Database, topics: Sequence[str], silence_seconds: float, reserve: bool
    ) -> None:
        self._event_log = event_log
        self._database = database
        self._topics = topics
        self._silence_seconds = silence_seconds
        self._reserve = reserve
        self._lock_name = f"{database.schema}.{WRITER}"
        self._names = [application_name(database.schema, role) for role in ("writer", "standby", "reserve")]

    @asynccontextmanager
    async def writer_lock(self) -> AsyncIterator[WriterLock]:
        """Hold the lock, after as long a wait as it takes. Raises TransientError when PostgreSQL is away."""
        schema = self._database.schema
        async with self._database.connection() as connection:
            await set_role(connection, schema, "reserve" if self._reserve else "standby")
            requests = _ReleaseRequests()
            await connection.add_listener(release_lock_channel(schema), requests.hear)
            await self._wait(connection, requests)
            await set_role(connection, schema, "writer")
            yield WriterLock(connection, requests, schema, self._reserve)

    async def _wait(self, connection: Connection, requests: "_ReleaseRequests") -> None:
        watch, free_since = HolderWatch(), time.monotonic()
        while True:
            holder = await find_holder(connection, self._lock_name)
            if holder is not None:
                free_since = time.monotonic()
                if self._is_silent(holder, watch) and (requests.pending or await self._behind(connection)):
                    await end_holder(connection, self._lock_name, holder)
            elif self._may_take(requests, free_since) and await try_lock(connection, self._lock_name):
                return
            await asyncio.sleep(POLL_SECONDS)

    def _may_take(self, requests: "_ReleaseRequests", free_since: float) -> bool:
        free_seconds = time.monotonic() - free_since
        return not requests.pending and (free_seconds >= RESERVE_SECONDS or not self._reserve)

    def _is_silent(self, holder: Row, watch: HolderWatch) -> bool:
        """Whether the holder is a projection, not a replay, and has been silent for too long."""
        silent_seconds = watch.silent_seconds(holder)
        return holder["application_name"] in self._names and silent_seconds >= self._silence_seconds

    async def _behind(self, connection: Connection) -> bool:
        """Return whether the log has more than the tables show; False if the log does not answer: then no process can
        fold."""
        try:
            ends = await self._event_log.end_offsets(self._topics)
        except TransientError:
            return False
        known = positions.from_rows(await connection.fetch(positions.READ))
        return any(partition not in known or known[partition].next_offset < end for partition, end in ends.items())


class _ReleaseRequests:
    """What a replay asks for on the release channel."""

    def __init__(self) -> None:
        self._heard = -RELEASE_PAUSE_SECONDS

    def hear(self, *_notification: object) -> None:
        self._heard = time.monotonic()

    @property
    def pending(self) -> bool:
        return time.monotonic() - self._heard < RELEASE_PAUSE_SECONDS
