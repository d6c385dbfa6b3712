"""The metrics of the predictor. They count real traffic and real loads, never self-checks."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from shared.contract.events import ModelPromoted
from shared.runtime.metric_aliases import Alias

PREDICTIONS = Counter(
    "pappus_predictions",
    "Answers given: to the API, about stored images, about those again, or in batches.",
    ["label", "source"],
)
CONFIDENCE = Histogram(
    "pappus_prediction_confidence_ratio",
    "Probability of the label that was answered, 0 to 1.",
    ["source"],
    buckets=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0),
)
REFUSALS = Counter("pappus_prediction_refusals", "Requests for a prediction that got none.", ["reason"])
KEY_REQUESTS = Counter("pappus_api_key_requests", "Requests where keys are asked for.", ["key", "outcome"])
GRPC_REQUESTS = Counter("pappus_grpc_requests", "Calls over gRPC that ended.", ["method", "code"])
GRPC_REQUEST_SECONDS = Histogram(
    "pappus_grpc_request_seconds",
    "From the head of a call over gRPC to its end.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STAGE_SECONDS = Histogram(
    "pappus_prediction_stage_seconds",
    "Time of one stage of an answer.",
    ["stage"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 1),
)
IN_FLIGHT = Gauge("pappus_predictions_in_flight_requests", "Requests being answered right now.")
IMAGES_TO_SCORE = Gauge(
    "pappus_stored_images_waiting_images", "Stored images without an answer of the full model in service."
)
BATCH_PREDICTIONS_REQUESTED = Counter("pappus_batch_predictions_requested", "Images that were asked about in batches.")
BATCH_PREDICTIONS_WAITING = Gauge(
    "pappus_batch_predictions_waiting_images", "Images of batches that are not finished, as the tables show them."
)
BATCH_PREDICTIONS_COMPLETED = Counter(
    "pappus_batch_predictions_completed",
    "Images of batches that were finished: answered, or refused for this reason.",
    ["outcome"],
)
CALLBACKS = Counter(
    "pappus_batch_callbacks",
    "Messages that a batch is finished: delivered, failed (and tried again), given_up.",
    ["outcome"],
)
PREDICTIONS_DROPPED = Counter("pappus_predictions_logged_dropped", "Answers that never reached the log.")
PREDICTIONS_LEFT_OUT = Counter("pappus_predictions_left_out", "Answers outside of the sample that is logged.")
TRIAL_ANSWERS = Counter(
    "pappus_trial_answers",
    "Requests of the share that a candidate in trial answers: agreed, disagreed, failed, dropped for want of time.",
    ["outcome"],
)
MODEL_INFO = Gauge("pappus_model_info", "1 for the model that answers.", ["model_version", "artefact_sha256"])
MODEL_SEQUENCE = Gauge("pappus_model_sequence_number", "Promotion sequence of the model that answers.")
MODEL_LOAD_SECONDS = Histogram(
    "pappus_model_load_seconds",
    "From the promotion to the swap: download, hash, session, self-check.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120),
)
MODEL_LOAD_FAILURES = Counter("pappus_model_load_failures", "Promoted models that could not be loaded.", ["error"])

TO_LIVE = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.4, 2, 3, 5, 7, 10, 60, 600)
"""Seconds; up to 3 s each is at most half as large again as the one before, which bounds the error of a quantile."""
CORRECTION_TO_LIVE_SECONDS = Histogram(
    "pappus_correction_to_live_seconds",
    "From a correction to this replica answering with the first model that holds it.",
    buckets=TO_LIVE,
)

ALIASES = (
    Alias("mlops_model_predictions", PREDICTIONS, {"label": "predicted_class"}, {"source": "api"}),
    Alias("mlops_model_confidence", CONFIDENCE, where={"source": "api"}),
)


_predictions, _confidence = cache(PREDICTIONS.labels), cache(CONFIDENCE.labels)
_stage_seconds, _key_requests = cache(STAGE_SECONDS.labels), cache(KEY_REQUESTS.labels)
"""The library checks the labels of a series each time it is asked for one, which takes longer than to count."""


def count_answer(label: str, probability: float, source: str) -> None:
    """Count an answer and its confidence. The version is not a label: each correction makes one, and a rate never sees
    the first step of a series. Join with MODEL_INFO instead."""
    _predictions(label, source).inc()
    _confidence(source).observe(probability)


def count_key(name: str, outcome: str) -> None:
    """Count a request where keys are asked for. `name`: of a key that is known, else empty."""
    _key_requests(name, outcome).inc()


def count_stages(decode_seconds: float, infer_seconds: float) -> None:
    """Count how long the stages of an answer took."""
    _stage_seconds("decode").observe(decode_seconds)
    _stage_seconds("infer").observe(infer_seconds)


def show_model(promotion: ModelPromoted) -> None:
    """Show this model as the one that answers."""
    MODEL_INFO.clear()
    MODEL_INFO.labels(promotion.version, promotion.artefact_sha256).set(1)
    MODEL_SEQUENCE.set(promotion.sequence)
