"""The routes of one replica."""

from collections.abc import Collection
from functools import partial
from typing import Annotated

from fastapi import Query, Request, Security
from fastapi.responses import HTMLResponse, JSONResponse, Response
from structlog.contextvars import get_contextvars

from services.predictor.api import examples
from services.predictor.api.batches.routes import PATH as REQUEST_PATH
from services.predictor.api.batches.routes import add_batches
from services.predictor.api.batches.service import BatchService, BatchSettings
from services.predictor.api.batches.submission import Submissions
from services.predictor.api.batches.zips import ZipLimits
from services.predictor.api.bodies import ModelBody, PredictionBody
from services.predictor.api.given_answers import GivenAnswers, add_given_answers
from services.predictor.api.key_check import API_KEY, KeyMiddleware
from services.predictor.api.keys import ApiKeys
from services.predictor.api.predictions import Asker, Predictions
from services.predictor.api.quick_answers import PATH, QuickAnswers
from services.predictor.api.standards import mlflow_scoring, open_inference
from services.predictor.api.standards.batches import Batches
from services.predictor.api.standards.inference import Inference
from shared.http.api import Api
from shared.http.forms import form_description, read_image
from shared.http.limits import BodyBudget, bytes_as_base64
from shared.http.problems import problem_responses
from shared.runtime.health import Health
from shared.runtime.tracing import current_span

FORM = """<form action="/predict" method="post" enctype="multipart/form-data">
<p><label>An image: <input type="file" name="file" accept="image/*" required></label>
<button>What is it?</button></p></form>"""
BATCH_BYTES = 100_000_000
LONGEST_WAIT_SECONDS = 5.0
"""Less than the time in which a process ends, and than what proxies give a request."""
NO_FORM = """<p>Answers need an API key: <a href="/docs">/docs</a> has a form that sends one.</p>"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Pappus predictor</title>
<h1>Pappus predictor</h1>
{form}
<ul><li><a href="/model">/model</a>: the model in service<li><a href="/docs">/docs</a>: the API
<li><a href="/health">/health</a>: the state of each part<li><a href="/metrics">/metrics</a>: the metrics</ul></html>"""


def build_app(
    predictions: Predictions,
    health: Health,
    upload_limit_bytes: int,
    hosts: Collection[str] = (),
    keys: ApiKeys | None = None,
    bodies: BodyBudget | None = None,
    answers: GivenAnswers | None = None,
    submissions: Submissions | None = None,
    of_batches: BatchSettings | None = None,
) -> Api:
    """Return the application. The health paths answer while dependencies are away. Without `keys` it is open. `bodies`:
    the room of all bodies; `answers`: those that were given, None: they are kept nowhere; `submissions`: what accepts
    batches, within what `of_batches` says; None: none are accepted."""
    keys, bodies = keys or ApiKeys(), bodies or BodyBudget()
    of_batches = of_batches or BatchSettings(ZipLimits(upload_limit_bytes, BATCH_BYTES))
    quick = partial(
        QuickAnswers,
        predictions=predictions,
        keys=keys,
        hosts=hosts,
        upload_limit_bytes=upload_limit_bytes,
        bodies=bodies,
    )
    app = Api(
        "Pappus prediction API",
        examples.about(keys.asked_for),
        health,
        upload_limit_bytes,
        hosts=hosts,
        checks=[partial(KeyMiddleware, keys=keys)],
        shortcuts=[quick],
        bodies=bodies,
        form_limits={REQUEST_PATH: of_batches.limits.longest_bytes},
        body_limits={
            REQUEST_PATH: of_batches.limits.longest_bytes,
            PATH: upload_limit_bytes,
            **dict.fromkeys((open_inference.PREFIX, mlflow_scoring.PATH), bytes_as_base64(upload_limit_bytes)),
        },
    )
    app.explain(examples.TAGS, examples.examples, examples.PROBLEMS)
    needs_key = [Security(API_KEY)] if keys.asked_for else []
    of_key = (401, 429) if keys.asked_for else ()

    @app.post(
        "/predict",
        tags=["predictions"],
        summary="Say what an image shows",
        response_description="What the image shows",
        response_model=PredictionBody,
        responses=problem_responses(*of_key, 400, 408, 413, 415, 422, 503),
        openapi_extra=form_description(raw=True),
        dependencies=needs_key,
    )
    async def predict(request: Request) -> Response:
        """Ask the model in service, with the image in the field `file` of a form, or as the body itself. The answer
        names the model, and the corrections that shaped it."""
        with predictions.refusals_counted():
            predictions.serving()  # without a model there is no point in reading the image
            data = await read_image(request, upload_limit_bytes)
            asker = Asker.of(request.scope, get_contextvars().get("api_key"))
            # Only now: a request that is half sent takes no other's place.
            with await predictions.turns.take(asker.client, asker.arrived) as turn:
                return JSONResponse(await predictions.answer(data, current_span(), turn, asker.api_key))

    @app.get(
        "/model",
        tags=["model"],
        summary="Show the model in service",
        response_description="The model in service",
        response_model=ModelBody,
        responses=problem_responses(*of_key, 503),
        dependencies=needs_key,
    )
    async def model(
        other_than: Annotated[
            str | None, Query(description="wait while this version answers", examples=[examples.VERSION])
        ] = None,
        wait_seconds: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="so long at most")] = 5.0,
    ) -> Response:
        """Show the model that answers in this replica. Each of several replicas follows a promotion by itself. Who
        waits for a correction names the version that does not have it yet, and is answered as soon as another one is
        there."""
        return JSONResponse(await predictions.model(other_than, wait_seconds))

    answers = answers or GivenAnswers()
    add_given_answers(app, answers, predictions.name_of, needs_key, of_key)
    add_batches(app, BatchService(submissions, answers.batches, of_batches, predictions.name_of), needs_key, of_key)
    batches = Batches(predictions, upload_limit_bytes)
    open_inference.add_open_inference(app, Inference(batches, health), needs_key)
    mlflow_scoring.add_mlflow_scoring(app, batches, health, needs_key)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> str:
        return PAGE.format(form=NO_FORM if keys.asked_for else FORM)

    return app
