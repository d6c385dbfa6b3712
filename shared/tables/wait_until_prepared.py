"""Waits until `pappus prepare` has made what a service finds: `python -m shared.tables.wait_until_prepared ingestor`.

For a container that runs before the one of the service, from the same image and with the same settings: it ends with 0
once the service may log in and its schema has every migration of this release. Topics and objects are no reason to wait
here: each process waits for those itself.
"""

import asyncio
import sys
from collections.abc import Sequence

from shared.runtime.errors import TransientError
from shared.runtime.process import describe
from shared.runtime.settings import Settings
from shared.runtime.telemetry import configure, logger
from shared.tables.migrations import missing_migrations
from shared.tables.postgres import Connect, close, connector, transient_errors

ASK_AGAIN_SECONDS = 1.0
TIMEOUT_SECONDS = 600.0


async def wait_until_prepared(
    dsn: str, service: str, packages: Sequence[str], timeout_seconds: float = TIMEOUT_SECONDS
) -> bool:
    """Ask once a second until the schema `service` has every migration of `packages`. False after `timeout_seconds`.

    What keeps it from asking (no server, no such role, a wrong password) is logged when it changes: before `pappus
    prepare` has run, one looks like the other.
    """
    connect, told = connector(dsn, service), ""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while (reason := await _reason_to_wait(connect, service, packages)) is not None:
        if reason != told:
            logger.info("waiting until `pappus prepare` has run", schema=service, reason=reason)
            told = reason
        if asyncio.get_running_loop().time() >= deadline:
            logger.error("`pappus prepare` has not run, or not with the secrets of this service", reason=reason)
            return False
        await asyncio.sleep(ASK_AGAIN_SECONDS)
    return True


async def _reason_to_wait(connect: Connect, service: str, packages: Sequence[str]) -> str | None:
    try:
        connection = await connect()
    except Exception as error:  # noqa: BLE001 - told, and asked again
        return describe(error)
    try:
        with transient_errors():
            missing = await missing_migrations(connection, service, packages)
    except TransientError as error:
        return describe(error)
    finally:
        await close(connection)
    return f"{len(missing)} migrations are missing, the first is {missing[0]}" if missing else None


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 once it is prepared, 1 if it was not in time, 2 without the name of a service."""
    if len(arguments) != 1:
        sys.stderr.write("Name the service whose tables to wait for: ingestor, labeler, trainer or predictor.\n")
        return 2
    service = arguments[0]
    configure(f"{service}-waits", settings := Settings())
    packages = ("shared.tables.sql", f"services.{service}.data.sql")
    return 0 if asyncio.run(wait_until_prepared(settings.database_dsn, service, packages)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
