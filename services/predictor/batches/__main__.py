"""Asynchronous predictions: what clients asked in batches is answered with the champion.

Consumes prediction.requested (handler), model.promoted and label_set.changed (all of them, without a group). Publishes
prediction.completed. Reads the tables that the worker folds from both topics; owns the table `callbacks`.
"""

from services.predictor.batches.callbacks import PART, CallbackDelivery
from services.predictor.batches.handlers import RequestedPredictions
from services.predictor.batches.sources import SourceBytes
from services.predictor.data.projection import MIGRATIONS, SCHEMA
from services.predictor.model.loader import make_loader
from services.predictor.model.readiness import readiness
from services.predictor.promotions.follower import Follower
from services.predictor.settings import SOURCE, PredictorSettings
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.web.download.downloader import Downloader
from shared.web.download.limits import DownloadLimits


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    settings = PredictorSettings()
    configure("predictor-batches", settings)
    health = Health(needed={PART})  # without a model there is no work, and that is not a fault
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        event_log.publisher(SOURCE) as publisher,
        open_object_store(settings) as store,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS) as database,
        Downloader.open(DownloadLimits(settings.upload_limit_bytes, settings.allowed_hosts)) as downloads,
    ):
        loader = make_loader(settings, store, [readiness(health)])
        images = SourceBytes(store, event_log, database, downloads, settings.upload_limit_bytes)
        requested = RequestedPredictions(images, loader.in_service, settings.replica)
        await run_parts(
            health,
            follower=Follower(event_log, publisher, loader.set_target, health, classes=loader.classes).run(),
            loader=loader.run(),
            answering=requested.run(event_log, health, settings.in_groups),
            callbacks=CallbackDelivery(database, settings).run(health),
        )


if __name__ == "__main__":
    run(main)
