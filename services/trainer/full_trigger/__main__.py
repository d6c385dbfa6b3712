"""The trigger: requests a full training when there is a reason.

Consumes image.stored, label.corrected, model.trained, training.requested, drift.detected (Faust, group
`trainer-trigger`). Publishes training.requested. Owns the Faust tables images, corrections and trainings. One process,
since it counts over all partitions.
"""

from functools import partial

from services.trainer.full_trigger.agents import FullTrigger, TriggerTables
from services.trainer.full_trigger.faust_app import FaustApp
from services.trainer.full_trigger.settings import FullTriggerSettings
from shared.contract.events import DriftDetected, ImageStored, LabelCorrected, ModelTrained, TrainingRequested
from shared.contract.topics import TRIGGER_APP, TRIGGER_TICKS
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure

SOURCE = "pappus/trainer-trigger"
TICK_SECONDS = 1.0


async def main() -> None:
    """Run the trigger until the process is asked to end."""
    settings = FullTriggerSettings()
    configure("trainer-trigger", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port),
        open_event_log(settings.kafka_bootstrap) as event_log,
        event_log.publisher(SOURCE) as publisher,
    ):
        folder = settings.state_folder / "faust"
        app = FaustApp(TRIGGER_APP, settings.kafka_bootstrap, folder=folder, publisher=publisher)
        tables = TriggerTables(app.table("images", 4), app.table("corrections", 4), app.table("trainings", 1))
        trigger = FullTrigger(
            tables, publisher, settings.model_name, settings, utc_now, partial(health.set, "next training", True)
        )
        app.on(ImageStored, trigger.on_image_stored)
        app.on(LabelCorrected, trigger.on_label_corrected)
        app.on(ModelTrained, trigger.on_training)
        app.on(TrainingRequested, trigger.on_training)
        app.on(DriftDetected, trigger.on_training)
        app.every(TICK_SECONDS, TRIGGER_TICKS, trigger.on_tick)
        await run_parts(health, trigger=app.run(health))


if __name__ == "__main__":
    run(main)
