"""The trigger: requests a full training when there is a reason.

Consumes image.stored, image.withdrawn, label.corrected, model.trained, model.promoted, training.requested and
drift.detected (Faust, group `trainer-trigger`), and asks the trainer's tables for the classes. Publishes
training.requested. Owns the Faust tables images, corrections, withdrawals and trainings. One process works, since it
counts over all partitions; others stand by for its lock.
"""

from itertools import count

from services.trainer.data.projection import MIGRATIONS, SCHEMA
from services.trainer.full_trigger.settings import FullTriggerSettings
from services.trainer.full_trigger.trigger_app import run_trigger
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.tables.database import Database
from shared.tables.single_worker import run_in_one_process

SOURCE = "pappus/trainer-trigger"
LOCK = "full_trigger"


async def main() -> None:
    """Run the trigger until the process is asked to end."""
    settings = FullTriggerSettings()
    configure("trainer-trigger", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS, connections=1) as database,
        event_log.publisher(SOURCE) as publisher,
    ):
        runs = count(1)
        await run_parts(
            health,
            trigger=run_in_one_process(
                lambda: run_trigger(settings, publisher, database, health, next(runs)),
                database=database,
                health=health,
                name=LOCK,
                silence_seconds=settings.writer_silence_seconds,
            ),
        )


if __name__ == "__main__":
    run(main)
