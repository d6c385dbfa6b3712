"""The gate: the only publisher of promotions.

Consumes model.trained and promotion.requested (handlers), and what the tables of schema `trainer` are folded from
(projection). Publishes model.promoted and model.rejected. Reads models/, images/ and manifests/ in the object store.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, trainer_projection
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.gate.cases import GateContext
from services.trainer.gate.evaluator import Evaluator
from services.trainer.gate.handlers import GROUP, GateHandlers
from services.trainer.gate.prefetch import run_prefetch
from services.trainer.gate.settings import GateProcessSettings
from services.trainer.model.blas_threads import one_blas_thread
from shared.contract.events import ModelTrained, PromotionRequested
from shared.messaging.handler import run_handlers, subscribe
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database

SOURCE = "pappus/trainer-gate"


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
        source = FeatureSource(store, FeatureCache(settings.cached_features))
        evaluator = Evaluator(database, store, source, settings.gate, settings.labels)
        projection = trainer_projection(event_log, database, health, silence_seconds=settings.writer_silence_seconds)
        gate = GateHandlers(event_log, publisher, GateContext(database, evaluator, utc_now), settings)
        subscriptions = [
            subscribe(ModelTrained, gate.on_model_trained),
            subscribe(PromotionRequested, gate.on_promotion_requested),
        ]
        handlers = run_handlers(  # its own publisher sends dead letters only: the gate publishes through run_decider
            event_log, group=GROUP, source=SOURCE, subscriptions=subscriptions, health=health, **settings.in_groups
        )
        with one_blas_thread():
            prefetching = run_prefetch(database, evaluator, health)
            await run_parts(health, projection=projection.run(), handlers=handlers, prefetcher=prefetching)


if __name__ == "__main__":
    run(main)
