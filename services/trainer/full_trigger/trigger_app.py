"""The trigger on Faust: its tables, its agents, its clock."""

from functools import partial

from services.trainer.full_trigger.agents import FullTrigger, TriggerTables
from services.trainer.full_trigger.settings import FullTriggerSettings
from shared.contract.events import (
    DriftDetected,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelTrained,
    TrainingRequested,
)
from shared.contract.topics import TRIGGER_APP, TRIGGER_TICKS
from shared.faust_app import FaustApp
from shared.messaging.event_log import Publisher
from shared.runtime.clock import utc_now
from shared.runtime.errors import PappusError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.label_set import read_label_set

TICK_SECONDS = 1.0


async def run_trigger(
    settings: FullTriggerSettings, publisher: Publisher, database: Database, health: Health, run_number: int
) -> None:
    """Declare the tables and agents, and run them until cancelled.

    Raises:
        PappusError: it ran in this process before, and lost its lock: Faust starts once in a process.
    """
    if run_number > 1:
        raise PappusError("The trigger lost its lock. Faust starts once in a process: this one ends, start it again.")
    folder = settings.writable_folder / "faust"
    app = FaustApp(TRIGGER_APP, settings.kafka, folder=folder, publisher=publisher)
    tables = TriggerTables(
        app.table("images", 4), app.table("corrections", 4), app.table("withdrawals", 4), app.table("trainings", 1)
    )

    async def classes() -> tuple[str, ...]:
        return (await read_label_set(database, settings.labels)).labels

    report = partial(health.set, "next training", True)
    trigger = FullTrigger(tables, publisher, settings.model_name, settings, utc_now, report, classes)
    app.on(ImageStored, trigger.on_image_stored)
    app.on(ImageWithdrawn, trigger.on_image_withdrawn)
    app.on(LabelCorrected, trigger.on_label_corrected)
    app.on(ModelTrained, trigger.on_training)
    app.on(ModelPromoted, trigger.on_training)
    app.on(TrainingRequested, trigger.on_training)
    app.on(DriftDetected, trigger.on_training)
    app.every(TICK_SECONDS, TRIGGER_TICKS, trigger.on_tick)
    await app.run(health)
