"""The trigger: requests a full training when there is a reason.

Consumes image.stored, label.corrected, model.trained, training.requested, drift.detected (Faust, group
`trainer-trigger`). Publishes training.requested. Owns the Faust tables images, corrections and trainings. One process
works, since it counts over all partitions; others stand by for its lock.
"""

from functools import partial

from services.trainer.data.projection import MIGRATIONS, SCHEMA
from services.trainer.full_trigger.agents import FullTrigger, TriggerTables
from services.trainer.full_trigger.faust_app import FaustApp
from services.trainer.full_trigger.settings import FullTriggerSettings
from shared.contract.events import DriftDetected, ImageStored, LabelCorrected, ModelTrained, TrainingRequested
from shared.contract.topics import TRIGGER_APP, TRIGGER_TICKS
from shared.messaging.event_log import Publisher
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.tables.database import Database
from shared.tables.one_process import run_in_one_process

SOURCE = "pappus/trainer-trigger"
TICK_SECONDS = 1.0


async def main() -> None:
    """Run the trigger until the process is asked to end."""
    settings = FullTriggerSettings()
    configure("trainer-trigger", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port),
        open_event_log(settings.kafka_bootstrap, settings.lost_records) as event_log,
        Database.open(settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS, connections=1) as database,
        event_log.publisher(SOURCE) as publisher,
    ):
        work = partial(run_trigger, settings, publisher, health)
        await run_parts(health, trigger=run_in_one_process(database, "full_trigger", health, work))


async def run_trigger(settings: FullTriggerSettings, publisher: Publisher, health: Health) -> None:
    """Declare the tables and agents, and run them until cancelled."""
    app = FaustApp(TRIGGER_APP, settings.kafka_bootstrap, folder=settings.state_folder / "faust", publisher=publisher)
    tables = TriggerTables(app.table("images", 4), app.table("corrections", 4), app.table("trainings", 1))
    trigger = FullTrigger(tables, publisher, settings.model_name, settings, utc_now)
    app.on(ImageStored, trigger.on_image_stored)
    app.on(LabelCorrected, trigger.on_label_corrected)
    app.on(ModelTrained, trigger.on_training)
    app.on(TrainingRequested, trigger.on_training)
    app.on(DriftDetected, trigger.on_training)
    app.every(TICK_SECONDS, TRIGGER_TICKS, trigger.on_tick)
    await app.run(health)


if __name__ == "__main__":
    run(main)
