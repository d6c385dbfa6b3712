"""The metrics of the predictor. They count real traffic and real loads, never self-checks."""

from prometheus_client import Counter, Gauge, Histogram

from shared.contract.events import ModelPromoted

PREDICTIONS = Counter("pappus_predictions", "Answers given.", ["label", "model_version", "source"])
REFUSALS = Counter("pappus_prediction_refusals", "Requests for a prediction that got none.", ["reason"])
KEY_REQUESTS = Counter("pappus_api_key_requests", "Requests where keys are asked for.", ["key", "outcome"])
STAGE_SECONDS = Histogram(
    "pappus_prediction_stage_seconds",
    "Time of one stage of an answer.",
    ["stage"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 1),
)
IN_FLIGHT = Gauge("pappus_predictions_in_flight_requests", "Requests being answered right now.")
PREDICTIONS_DROPPED = Counter("pappus_predictions_logged_dropped", "Answers that never reached the log.")
MODEL_INFO = Gauge("pappus_model_info", "1 for the model that answers.", ["model_version", "artefact_sha256"])
MODEL_SEQUENCE = Gauge("pappus_model_sequence_number", "Promotion sequence of the model that answers.")
MODEL_LOAD_SECONDS = Histogram(
    "pappus_model_load_seconds",
    "From the promotion to the swap: download, hash, session, self-check.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120),
)
MODEL_LOAD_FAILURES = Counter("pappus_model_load_failures", "Promoted models that could not be loaded.", ["error"])

VERSIONS_COUNTED = 20
"""The fast lane makes a version for each correction, so the series of PREDICTIONS need a bound."""
_counted: list[str] = []


def show_model(promotion: ModelPromoted) -> None:
    """Show this model as the one that answers, and drop the counts of versions that served long ago."""
    if promotion.version not in _counted:
        _counted.append(promotion.version)
    for old in _counted[:-VERSIONS_COUNTED]:
        PREDICTIONS.remove_by_labels({"model_version": old})
    del _counted[:-VERSIONS_COUNTED]
    MODEL_INFO.clear()
    MODEL_INFO.labels(promotion.version, promotion.artefact_sha256).set(1)
    MODEL_SEQUENCE.set(promotion.sequence)
