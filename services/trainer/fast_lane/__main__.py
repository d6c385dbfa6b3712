"""The fast lane: every applied correction into the champion, within milliseconds, without torch.

Consumes image.stored, label.corrected, model.trained, model.promoted, model.rejected (projection). Publishes
model.trained (reconciler). Owns the tables of schema `trainer`, models/fast-* and manifests/ of what it makes.
"""

from services.trainer.fast_lane.lane import FastLane, run_fast_lane
from services.trainer.fast_lane.warming import Warming
from services.trainer.feature_cache import FeatureCache
from services.trainer.feature_source import FeatureSource
from services.trainer.settings import TrainerSettings
from services.trainer.tables import MIGRATIONS, SCHEMA, appliers
from services.trainer.threads import one_blas_thread
from shared.clock import utc_now
from shared.database import Database
from shared.health import Health, serve_health
from shared.kafka import open_log
from shared.object_store import open_object_store
from shared.projection import Projection
from shared.service import run, run_parts
from shared.telemetry import configure

SOURCE = "pappus/trainer-fast"


async def main() -> None:
    """Settings, adapters, parts; returns when the process is asked to end."""
    settings = TrainerSettings()
    configure("trainer-fast", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port),
        open_log(settings.kafka_bootstrap) as log,
        Database.open(settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS) as database,
        open_object_store(settings) as store,
        log.publisher(SOURCE) as publisher,
    ):
        source = FeatureSource(store, FeatureCache(settings.cached_features))
        lane = FastLane(database, store, source, health, utc_now)
        warming = Warming(database, source, lane.base)
        with one_blas_thread():
            await run_parts(
                health,
                projection=Projection(log, database, appliers(warming.apply_image_stored), health).run(),
                reconciler=run_fast_lane(lane, log, publisher, database, health, settings),
                warming=warming.run(health, settings.cached_features),
            )


if __name__ == "__main__":
    run(main)
