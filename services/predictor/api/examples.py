"""The examples of the API's description."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from services.predictor.api.batches import examples as batches
from services.predictor.api.bodies import CorrectionBody, GivenAnswerBody, ModelBody, PredictionBody
from services.predictor.api.standards import examples as standards
from shared.contract.events import uuid_of
from shared.contract.replicas import PredictionLogged
from shared.http.docs import PICTURE
from shared.http.examples import Example
from shared.http.problems import Problem
from shared.imaging.drawing import draw_dandelion

ABOUT = """Ask the model in service what an image shows. A correction changes the answer a fraction of a second later.

**To try it:** {key}open *Say what an image shows*, press *Try it out*, choose a file, for example
[{picture}](docs/{picture}), and press *Execute*.

An error is a problem document (RFC 9457). The header `X-Trace-Id` of each answer names its trace."""
TAGS = {
    "predictions": "Ask about images, and for answers that were given.",
    "batches": "Ask about many images at once, and read the answers later.",
    "model": "See which model answers.",
    "open inference protocol": "Ask as clients of KServe, Triton or MLServer do: version 2 of their protocol.",
    "mlflow scoring": "Ask as clients of `mlflow models serve` do.",
}
PROBLEMS = (
    Problem(
        401,
        "unauthorised",
        "This predictor answers only with a key. Send one as `Authorization: Bearer KEY` or `X-Api-Key: KEY`;"
        " `pappus keys add NAME` makes it.",
    ),
    Problem(422, "not_an_image", "This is not an image. Send a JPEG, PNG, WebP, GIF or BMP."),
    Problem(429, "too_many_requests", "The key shop may ask 600 times a minute. Ask again later, or less often."),
    Problem(
        503,
        "no_model",
        "No model has been promoted and loaded yet. Ask again when /readyz is green; /health says more.",
    ),
)
NO_ANSWER = (
    Problem(
        404,
        "unknown_prediction",
        "There is no answer of this id. An answer is here within a second or so after it was given, and for 14 days;"
        " answers about an image that was taken back are deleted.",
    ),
    Problem(
        422,
        "invalid_request",
        "path.prediction_id: Input should be a valid UUID",
    ),
    Problem(
        503,
        "store_unavailable",
        "PostgreSQL, where the answers are kept, does not answer this replica. Predictions are not affected. Ask again"
        " in a moment.",
    ),
)
SHARED = {"prediction_id", "label", "name", "probabilities", "model_version", "sha256", "milliseconds", "replica"}
VERSION = "fast-3f9c2a71b0de"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def about(keys_asked_for: bool) -> str:
    """Return the description of the API, in Markdown."""
    key = "press *Authorize* and paste an API key, then " if keys_asked_for else ""
    return ABOUT.format(key=key, picture=PICTURE)


def examples() -> Mapping[str, Example]:
    """Return the examples, by the names of the routes."""
    sha256 = hashlib.sha256(draw_dandelion()).hexdigest()
    answer = PredictionBody(
        label="dandelion",
        name="dandelion",
        probabilities={"dandelion": 0.97, "grass": 0.03},
        model_version=VERSION,
        model_sequence=2,
        prediction_id=uuid_of(PredictionLogged.topic, sha256),
        trace_id="0af7651916cd43dd8448eb211c80319c",
        milliseconds=3.1,
        sha256=sha256,
        replica="predictor-api-0",
        corrections=[CorrectionBody(image_id=uuid_of("upload", "labeler", sha256, ""), weight=1.0)],
    )
    given = GivenAnswerBody(
        answered_at=NOON,
        model_name="plants",
        image_id=None,
        source="api",
        corrections=[each.image_id for each in answer.corrections],
        **answer.model_dump(include=SHARED),
    )
    model = ModelBody(
        version=VERSION,
        sequence=2,
        labels=["dandelion", "grass"],
        artefact_sha256=hashlib.sha256(VERSION.encode()).hexdigest(),
        loaded_at=NOON,
        replica="predictor-api-0",
    )
    return {
        "predict": Example(body={"file": PICTURE}, answers={200: answer}),
        "given_answer": Example(
            parameters={"prediction_id": answer.prediction_id}, answers={200: given}, problems=NO_ANSWER
        ),
        "model": Example(answers={200: model}),
        **batches.examples(VERSION),
        **standards.examples(VERSION, answer.prediction_id),
    }
