"""The gate: the only publisher of promotions.

Consumes model.trained and promotion.requested (handlers), and what the tables of schema `trainer` are folded from
(projection). Publishes model.promoted and model.rejected. Reads models/, images/ and manifests/ in the object store.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, trainer_projection
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.gate.cases import GateContext
from services.trainer.gate.evaluator import Evaluator
from services.trainer.gate.handlers import FULL_GROUP, GROUP, SOURCE, GateHandlers, run_gate
from services.trainer.gate.prefetch import run_prefetch
from services.trainer.gate.settings import GateProcessSettings
from services.trainer.gate.watch import PromotionWatch, run_watch
from services.trainer.model.blas_threads import one_blas_thread
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    settings = GateProcessSettings()
    configure("trainer-gate", settings)
    health = Health()
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS) as database,
        open_object_store(settings) as store,
        event_log.publisher(SOURCE) as publisher,
    ):
        cache = FeatureCache(settings.cached_features)
        quick, full = (
            Evaluator(database, store, FeatureSource(store, cache), settings.gate, settings.labels) for _ in range(2)
        )
        projection = trainer_projection(event_log, database, health, silence_seconds=settings.writer_silence_seconds)
        watched = GateContext(database, full, utc_now)
        watch = PromotionWatch(
            watched, store, FeatureSource(store, cache), publisher, settings, settings.watch, settings.gate.margin
        )
        lanes = {}
        for group, evaluator in ((GROUP, quick), (FULL_GROUP, full)):
            context = GateContext(database, evaluator, utc_now, settings.gate.approval)
            gate = GateHandlers(event_log, publisher, context, settings, full=group == FULL_GROUP)
            lanes[group] = run_gate(gate, event_log, group, health, **settings.in_groups)
        with one_blas_thread():
            await run_parts(
                health,
                projection=projection.run(),
                handlers=lanes[GROUP],
                full_handlers=lanes[FULL_GROUP],
                prefetcher=run_prefetch(database, quick, health),
                watch=run_watch(watch, watched, health),
            )


if __name__ == "__main__":
    run(main)
