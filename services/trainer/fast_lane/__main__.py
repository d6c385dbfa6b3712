"""The fast lane: every applied correction into the champion, within milliseconds, without torch.

Consumes image.stored, label.corrected, model.trained, model.promoted, model.rejected (projection). Publishes
model.trained (reconciler). Owns the tables of schema `trainer`, models/fast-* and manifests/ of what it makes.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, projectors
from services.trainer.fast_lane.prefetch import FeaturePrefetcher
from services.trainer.fast_lane.reconciler import FastLane, run_fast_lane
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.settings import TrainerSettings
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.projection import Projection

SOURCE = "pappus/trainer-fast"


async def main() -> None:
    """Settings, adapters, parts; returns when the process is asked to end."""
    settings = TrainerSettings()
    configure("trainer-fast", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port),
        open_event_log(settings.kafka_bootstrap) as event_log,
        Database.open(settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS) as database,
        open_object_store(settings) as store,
        event_log.publisher(SOURCE) as publisher,
    ):
        source = FeatureSource(store, FeatureCache(settings.cached_features))
        lane = FastLane(database, store, source, health, utc_now)
        prefetcher = FeaturePrefetcher(database, source, lane.loaded_champion)
        with one_blas_thread():
            await run_parts(
                health,
                projection=Projection(event_log, database, projectors(prefetcher.apply_image_stored), health).run(),
                reconciler=run_fast_lane(lane, event_log, publisher, database, health, settings),
                prefetcher=prefetcher.run(health, settings.cached_features),
            )


if __name__ == "__main__":
    run(main)
