"""The worker: answers about stored images, again by each new full model, and the tables of the predictor.

Consumes image.stored (handler), model.promoted and label_set.changed (all of them, without a group), and what its
projection folds. Publishes image.scored. Owns schema `predictor`, and the bytes below predictions/.
"""

from services.predictor.data.projection import FOLD_VERSION, MIGRATIONS, SCHEMA, projectors
from services.predictor.model.loader import make_loader
from services.predictor.model.readiness import readiness
from services.predictor.promotions.follower import Follower
from services.predictor.settings import SOURCE, PredictorSettings
from services.predictor.worker.batch_tables import BatchTables
from services.predictor.worker.handlers import StoredImages
from services.predictor.worker.rescoring import Rescoring
from services.predictor.worker.retention import Retention
from services.predictor.worker.scorer import Scorer
from services.predictor.worker.withdrawn import WithdrawnImages
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.projection import Projection


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    settings = PredictorSettings()
    configure("predictor-worker", settings)
    silence_seconds = settings.writer_silence_seconds
    health = Health(needed={f"projection {SCHEMA}"})  # without a model there is no work, and that is not a fault
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        event_log.publisher(SOURCE) as publisher,
        open_object_store(settings) as store,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS) as database,
    ):
        loader = make_loader(settings, store, [readiness(health)])
        scorer = Scorer(store, loader.in_service, settings.replica)
        images = StoredImages(scorer, WithdrawnImages(event_log, database).holds)
        rescoring = Rescoring(event_log, database, scorer, loader.in_service, settings.rescoring_share)
        await run_parts(
            health,
            follower=Follower(event_log, publisher, loader.set_target, health, classes=loader.classes).run(),
            loader=loader.run(),
            scoring=images.run(event_log, health, settings.in_groups),
            rescoring=rescoring.run(publisher, health, silence_seconds),
            projection=Projection(
                event_log, database, projectors(), health, silence_seconds=silence_seconds, fold_version=FOLD_VERSION
            ).run(),
            retention=Retention(database, store, settings.prediction_days).run(),
            batch_tables=BatchTables(database).run(),
        )


if __name__ == "__main__":
    run(main)
