"""The monitor: notices drift, and that people agree with fewer answers.

Consumes answers.logged, prediction.logged and label.corrected (Faust, group `predictor-monitor`),
model.promoted (all of it, without a group). Publishes drift.detected. Owns the Faust tables answers,
outcomes and watches. One process works, since it counts over all partitions; others stand by for its lock.
"""

from itertools import count

from services.predictor.data.projection import MIGRATIONS, SCHEMA
from services.predictor.monitor.monitor_app import run_monitor
from services.predictor.monitor.references import References
from services.predictor.promotions.follower import Follower
from services.predictor.settings import SOURCE, PredictorSettings
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.single_worker import run_in_one_process

LOCK = "monitor"


async def main() -> None:
    """Run the monitor until the process is asked to end."""
    settings = PredictorSettings()
    configure("predictor-monitor", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        event_log.publisher(SOURCE) as publisher,
        open_object_store(settings) as store,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS, connections=1) as database,
    ):
        references, runs = References(store), count(1)
        await run_parts(
            health,
            follower=Follower(event_log, publisher, references.set_promotions, health).run(),
            monitor=run_in_one_process(
                lambda: run_monitor(settings, references, publisher, health, next(runs)),
                database=database,
                health=health,
                name=LOCK,
                silence_seconds=settings.writer_silence_seconds,
            ),
        )


if __name__ == "__main__":
    run(main)
