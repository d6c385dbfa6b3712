"""The fast lane: every applied correction into the champion, within milliseconds, without torch.

Consumes what the tables of schema `trainer` are folded from (projection). Publishes model.trained (reconciler). Owns
models/fast-* and manifests/ of the candidates it builds.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, trainer_projection
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

SOURCE = "pappus/trainer-fast"


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    settings = TrainerSettings()
    configure("trainer-fast", settings)
    health, silence_seconds = Health(), settings.writer_silence_seconds
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS) as database,
        open_object_store(settings) as store,
        event_log.publisher(SOURCE) as publisher,
    ):
        source = FeatureSource(store, FeatureCache(settings.cached_features))
        lane = FastLane(database, store, source, health, utc_now, settings.labels)
        prefetcher = FeaturePrefetcher(database, source, lane.loaded_champion, settings.cached_features)
        with one_blas_thread():
            await run_parts(
                health,
                projection=trainer_projection(event_log, database, health, silence_seconds=silence_seconds).run(),
                reconciler=run_fast_lane(lane, event_log, publisher, database, health, settings),
                prefetcher=prefetcher.run(health),
            )


if __name__ == "__main__":
    run(main)
