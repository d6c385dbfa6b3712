"""The recorder: runs, versions and the alias `champion` in MLflow, for people to look at and to load.

Consumes model.trained, model.promoted, model.rejected (group `trainer-recorder`); runs the trainer's projection as a
reserve; reads artefacts. Publishes nothing. Owns experiment and model in MLflow; while that is away it retries.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, trainer_projection
from services.trainer.recorder.alias import PART, Alias
from services.trainer.recorder.handlers import Recorder
from services.trainer.recorder.model_registry import open_model_registry
from services.trainer.recorder.models import TableModels
from services.trainer.recorder.serial import SerialRegistry
from services.trainer.recorder.settings import RecorderSettings
from shared.messaging.handler import run_handlers
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.retry import UNTIL_CANCELLED
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.reconciler import run_on_changes
from shared.tables.single_worker import turn

GROUP = "trainer-recorder"
SOURCE = "pappus/trainer"


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    settings = RecorderSettings()
    configure("trainer-recorder", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS, connections=2) as database,
        open_object_store(settings) as store,
        open_model_registry(settings.mlflow_url, settings.s3_bucket, *settings.mlflow_login) as mlflow,
    ):
        registry = SerialRegistry(mlflow, lambda: turn(database, "recorder"))
        models = TableModels(event_log, database, settings.caught_up_seconds)
        on, place = Recorder(registry, models).subscriptions, settings.in_groups
        recording = run_handlers(
            event_log, group=GROUP, source=SOURCE, subscriptions=on, health=health, retry=UNTIL_CANCELLED, **place
        )
        alias, every = Alias(registry, models, store), settings.alias_seconds
        aliasing = run_on_changes(alias.reconcile, database=database, health=health, name=PART, every_seconds=every)
        projection = trainer_projection(
            event_log, database, health, silence_seconds=settings.writer_silence_seconds, reserve=True
        )
        await run_parts(health, projection=projection.run(), recording=recording, alias=aliasing)


if __name__ == "__main__":
    run(main)
