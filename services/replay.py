"""`python -m services.replay SERVICE [--force]`: fold the tables of one service again from the log, and swap them in.
If they differ from those in use and nothing explains it, they are only swapped in with --force.

Publishes nothing, fetches nothing, trains nothing; the service may run meanwhile. What was done is logged.
"""

import sys
from importlib import import_module

from shared.messaging.kafka import open_event_log
from shared.runtime.process import run
from shared.runtime.settings import Settings
from shared.runtime.telemetry import configure
from shared.tables.replay import ReplayPlan, replay


def load_plan(service: str) -> ReplayPlan:
    """Return what the service folds. Only its own package is imported, so that one image holds one service.

    Raises:
        ModuleNotFoundError: there is no such service in this environment.
    """
    projection = import_module(f"services.{service}.data.projection")
    plan: ReplayPlan = projection.replay_plan()
    return plan


async def main() -> None:
    """Replay once, as the command line says."""
    force = sys.argv[2:] == ["--force"]
    if len(sys.argv) != 2 + force:
        sys.exit("Say which service: python -m services.replay ingestor | labeler | predictor | trainer [--force]")
    service, settings = sys.argv[1], Settings()
    configure(f"{service}-replay", settings, trace_ratio=0.0)
    async with open_event_log(settings.kafka, settings.lost_records) as event_log:
        await replay(event_log, settings.database_dsn, load_plan(service), force)


if __name__ == "__main__":
    run(main)
