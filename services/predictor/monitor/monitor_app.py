"""The monitor on Faust: its tables, its agents, its clock."""

from functools import partial

from services.predictor.monitor.agents import Monitor, MonitorTables
from services.predictor.monitor.references import References
from services.predictor.settings import PredictorSettings
from shared.contract.events import LabelCorrected
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.contract.topics import MONITOR_APP, MONITOR_TICKS
from shared.faust_app import FaustApp
from shared.messaging.event_log import Publisher
from shared.runtime.errors import PappusError
from shared.runtime.health import Health

TICK_SECONDS = 1.0


async def run_monitor(
    settings: PredictorSettings, references: References, publisher: Publisher, health: Health, run_number: int
) -> None:
    """Declare the tables and agents, and run them until cancelled.

    Raises:
        PappusError: it ran in this process before, and lost its lock: Faust starts once in a process.
    """
    if run_number > 1:
        raise PappusError("The monitor lost its lock. Faust starts once in a process: this one ends, start it again.")
    folder = settings.writable_folder / "faust"
    app = FaustApp(MONITOR_APP, settings.kafka, folder=folder, publisher=publisher)
    tables = MonitorTables(app.table("answers", 4), app.table("outcomes", 4), app.table("watches", 1))
    monitor = Monitor(tables, references, publisher, settings.model_name, partial(health.set, "drift"))
    app.on(PredictionLogged, monitor.on_prediction_logged)
    app.on(AnswersLogged, monitor.on_answers_logged)
    app.on(LabelCorrected, monitor.on_label_corrected)
    app.every(TICK_SECONDS, MONITOR_TICKS, monitor.on_tick)
    await app.run(health)
