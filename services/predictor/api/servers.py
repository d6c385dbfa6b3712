"""What a replica listens on: HTTP, and gRPC if it has a port for it."""

from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from services.predictor.api.app import build_app
from services.predictor.api.batches.service import BatchSettings
from services.predictor.api.batches.submission import Submissions
from services.predictor.api.batches.zips import ZipLimits
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.keys import ApiKeys
from services.predictor.api.predictions import Predictions
from services.predictor.api.standards.batches import Batches
from services.predictor.api.standards.inference import Inference
from services.predictor.settings import PredictorSettings
from shared.http.limits import BodyBudget
from shared.http.server import listening, listening_as_replica, serve_http
from shared.runtime.health import Health


@contextmanager
def servers(
    settings: PredictorSettings,
    predictions: Predictions,
    health: Health,
    keys: ApiKeys,
    answers: GivenAnswers | None = None,
    submissions: Submissions | None = None,
) -> Iterator[dict[str, Coroutine[Any, Any, None]]]:
    """Yield the parts of the process that answer, by name, and keep their ports while they run.

    Raises:
        PortTaken: one of the ports cannot be bound.
    """
    limit, bodies = settings.upload_limit_bytes, BodyBudget()
    of_batches = BatchSettings(
        ZipLimits(limit, settings.batch_limit_bytes),
        settings.prediction_days,
        settings.callback_secret.get_secret_value(),
        settings.callback_hosts,
    )
    app = build_app(predictions, health, limit, settings.http_hosts, keys, bodies, answers, submissions, of_batches)
    with ExitStack() as open_here:
        sockets = open_here.enter_context(listening_as_replica(settings.host, settings.port, settings.health_port))
        if not settings.grpc_port:
            yield {"http": serve_http(app, sockets)}
            return
        # Here, not above: without a port the library is not loaded.
        from services.predictor.api.standards.remote_calls.calls import Calls
        from services.predictor.api.standards.remote_calls.server import longest_message, serve_grpc

        # Bound without listening, it takes no connection, but tells of a port that another one has before all starts.
        open_here.enter_context(listening(settings.host, settings.grpc_port, shared=True))
        longest = longest_message(limit)
        calls = Calls(Inference(Batches(predictions, limit), health), keys, bodies, longest)
        grpc = serve_grpc(calls, settings.host, settings.grpc_port, longest)
        yield {"http": serve_http(app, sockets), "grpc": grpc}
