"""Who holds an advisory lock, for how long it has been silent, and how its connection is ended.

Silent means that the holder's connection did nothing, by the clock of the process that looks: a process that was
stopped, or cut off, keeps its session and the lock with it. A holder that works does something every second.
"""

import asyncio
import time
from datetime import datetime

from shared.runtime.telemetry import logger
from shared.tables.postgres import Connection, Row, connecting

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 1.0
HEARTBEAT_TIMEOUT_SECONDS = 10.0
SILENCE_SECONDS = 10.0

_SET_NAME = "SELECT set_config('application_name', $1, false)"
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_HOLDER = """
SELECT a.pid, a.application_name, a.state_change,
       (a.state = 'active' AND a.wait_event_type IS DISTINCT FROM 'Client') AS busy
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()
      AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($1, 0)
"""
_END_HOLDER = f"""
SELECT pg_terminate_backend(pid) FROM ({_HOLDER}) AS holder
WHERE pid = $2 AND state_change = $3 AND NOT busy
"""  # noqa: S608 - a constant


def application_name(schema: str, role: str) -> str:
    """What pg_stat_activity shows of a connection that holds a lock or stands by. PostgreSQL cuts it at 63."""
    return f"pappus {schema} {role}"[:63]


async def set_role(connection: Connection, schema: str, role: str) -> None:
    """Show in pg_stat_activity what this connection is for."""
    await connection.execute(_SET_NAME, application_name(schema, role))


async def try_lock(connection: Connection, name: str) -> bool:
    """Take the advisory lock `name` of the whole database unless another connection holds it; False then."""
    return bool(await connection.fetchval(_TRY_LOCK, name))


async def find_holder(connection: Connection, name: str) -> Row | None:
    """The connection that holds the lock `name`: pid, application_name, state_change, busy; None if it is free."""
    return await connection.fetchrow(_HOLDER, name)


async def end_holder(connection: Connection, name: str, holder: Row) -> bool:
    """End the connection of the holder, unless it has done something since it was looked at; False then."""
    if not await connection.fetchval(_END_HOLDER, name, holder["pid"], holder["state_change"]):
        return False
    logger.warning("a silent holder of a lock is replaced", lock=name, backend=holder["pid"])
    return True


async def show_life(connection: Connection) -> None:
    """Do something on the connection every HEARTBEAT_SECONDS until cancelled.

    Raises:
        TransientError: the connection was lost, and the lock with it.
    """
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        with connecting():
            await connection.fetchval("SELECT TRUE", timeout=HEARTBEAT_TIMEOUT_SECONDS)


class HolderWatch:
    """For how long the holder of a lock has been seen doing nothing, by the clock of this process: the clock of the
    server goes on while a machine sleeps."""

    def __init__(self) -> None:
        self._seen: tuple[int, datetime | None] | None = None
        self._since = 0.0

    def silent_seconds(self, holder: Row) -> float:
        """Return the seconds since the holder, as just looked at, was first seen in this state."""
        seen = (holder["pid"], holder["state_change"])
        if seen != self._seen or holder["busy"]:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since
