"""One replica of the predictor: answers over HTTP and gRPC with the champion.

Consumes model.promoted, model.rejected, trial.started, label_set.changed, and model.trained from its end; no group.
Publishes answers.logged, trial.compared, model.loaded, prediction.requested. Owns a folder of last good artefacts.
"""

from services.predictor.api.batches.submission import Submissions
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.keys import PART, ApiKeys
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.replica_candidates import ReplicaCandidates
from services.predictor.api.servers import servers
from services.predictor.api.turns import Turns
from services.predictor.model.loader import make_loader
from services.predictor.model.readiness import MODEL_PART, readiness
from services.predictor.promotions.follower import Follower
from services.predictor.promotions.model_loaded import ModelLoadedReporter
from services.predictor.settings import SOURCE, PredictorSettings
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health
from shared.runtime.process import keep_running, run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    settings = PredictorSettings()
    configure("predictor-api", settings, settings.trace_answers_ratio)
    health, keys = Health(needed={MODEL_PART}), ApiKeys.load(settings.api_keys_file)
    turns = Turns(settings.longest_wait_seconds, settings.in_flight_limit)
    model_loaded = ModelLoadedReporter(settings.replica, settings.model_name, settings.loaded_every_seconds)
    log = PredictionLog(settings.prediction_queue_events, share=settings.logged_share)
    async with (
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        event_log.publisher(SOURCE) as publisher,
        open_object_store(settings, knock=False) as store,
        GivenAnswers.open(settings) as answers,
    ):
        loader = make_loader(settings, store, [readiness(health), model_loaded.notify])
        follower = Follower(event_log, publisher, loader.set_target, health, classes=loader.classes)
        tried = ReplicaCandidates(event_log, loader.candidates, turns, settings, health)
        predictions = Predictions(loader.in_service, log, settings.replica, turns, loader.classes, tried.answers)
        with servers(settings, predictions, health, keys, answers, Submissions(store, publisher)) as answering:
            await run_parts(
                health,
                **answering,
                keys=keep_running(health, PART, keys.followed(settings.api_keys_file, health).follow),
                follower=keep_running(health, "follower", follower.run),
                loader=keep_running(health, "loader", loader.run),
                predictions=keep_running(health, "predictions", lambda: log.run(publisher)),
                **tried.parts(publisher),
                model_loaded=keep_running(health, "model.loaded", lambda: model_loaded.run(publisher)),
            )


if __name__ == "__main__":
    run(main)
