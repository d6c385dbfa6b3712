"""The gate: the only publisher of promotions.

Consumes model.trained and promotion.requested (handlers), and what the tables of schema `trainer` are folded from
(projection). Publishes model.promoted, model.rejected, trial.started. Reads models/, images/, manifests/ in the store.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, trainer_projection
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.gate.cases import GateContext
from services.trainer.gate.evaluation_data import keep_asked
from services.trainer.gate.evaluator import Evaluator
from services.trainer.gate.handlers import SOURCE, GateHandlers
from services.trainer.gate.prefetch import run_prefetch
from services.trainer.gate.settings import GateProcessSettings
from services.trainer.gate.trials import TrialWatch
from services.trainer.gate.watch import PromotionWatch
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
        projection = trainer_projection(event_log, database, health, silence_seconds=settings.writer_silence_seconds)
        sources, kept = [FeatureSource(store, cache) for _ in range(3)], keep_asked(database, settings.watch)
        measuring = [Evaluator(database, store, one, kept, settings.gate, settings.labels) for one in sources[:2]]
        quick, full = (GateContext(database, one, utc_now, settings.gate.approval, settings.trial) for one in measuring)
        watch = PromotionWatch(quick, publisher, store, sources[2], kept, settings)
        with one_blas_thread():
            await run_parts(
                health,
                projection=projection.run(),
                handlers=GateHandlers(event_log, publisher, quick, settings, full=False).run(health),
                full_handlers=GateHandlers(event_log, publisher, full, settings, full=True).run(health),
                prefetcher=run_prefetch(quick, health),
                trials=TrialWatch(event_log, publisher, full, settings).run(health),
                watch=watch.run(health),
            )


if __name__ == "__main__":
    run(main)
