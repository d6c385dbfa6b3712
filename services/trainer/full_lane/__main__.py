"""The full lane: trains a model from all labelled images.

Consumes training.requested (group `trainer-full`), image.withdrawn, model.trained (`trainer-withdrawals`), and what
schema `trainer` is folded from. Publishes model.trained. Owns models/full-*, manifests/, features/ and a folder of
images; sweeps models/. Under torchrun the first process does all this, and the others learn backbones with it.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, trainer_projection
from services.trainer.full_lane.finishing import run_until_trained
from services.trainer.full_lane.handlers import FullLane
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.snapshot import TableDataset
from services.trainer.full_lane.sweeper import Sweeper
from services.trainer.full_lane.training_process import MODULE, TrainingProcess, follow
from services.trainer.full_lane.withdrawals import WithdrawnFeatures
from shared.contract.events import TrainingRequested
from shared.messaging.handler import run_handlers, subscribe
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.runtime.worker_process import WorkerProcess
from shared.storage.object_store import open_object_store
from shared.tables.database import Database

GROUP = "trainer-full"
SOURCE = "pappus/trainer"


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end, or has trained."""
    configure("trainer-full", settings := FullLaneSettings())
    if settings.rank:
        await follow()
        return
    health = Health()
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS, connections=3) as database,
        open_object_store(settings) as store,
    ):
        with WorkerProcess(MODULE, settings.background_niceness) as child:
            process = TrainingProcess(child, settings.backbone, settings.backbone_settings)
            dataset = TableDataset(event_log, database, settings.samples_caught_up_seconds)
            lane = FullLane(dataset, store, process, settings)
            place, silence = settings.in_groups, settings.writer_silence_seconds
            on = [subscribe(TrainingRequested, lane.on_training_requested)]
            handling = run_handlers(event_log, group=GROUP, source=SOURCE, subscriptions=on, health=health, **place)
            projection = trainer_projection(event_log, database, health, silence_seconds=silence, reserve=True).run()
            withdrawn = WithdrawnFeatures(event_log, database, store, lane.images).run(SOURCE, health, place)
            more = {"sweeper": Sweeper(event_log, database, store, settings).run(health), "withdrawals": withdrawn}
            running = run_parts(health, projection=projection, handling=handling, prefetcher=process.warm(), **more)
            await run_until_trained(running, lane.answered, dataset, settings.trainings)
            await process.end_following()


if __name__ == "__main__":
    run(main)
