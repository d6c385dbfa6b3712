"""Every metric that shared code counts, declared once. A service declares its own in its `metrics.py`, with the same
habit: `pappus_<noun>_<unit>`."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS_PUBLISHED = Counter("pappus_events_published", "Events acknowledged by the log.", ["topic"])
EVENTS_HANDLED = Counter("pappus_events_handled", "Events a handler finished.", ["group", "topic"])
EVENTS_PROJECTED = Counter("pappus_events_projected", "Events folded into tables.", ["schema", "topic"])
DEAD_LETTERS = Counter("pappus_dead_letters", "Messages put on a dead-letter topic.", ["handler", "topic", "error"])
RETRIES = Counter("pappus_retries", "Attempts that failed transiently and were made again.", ["part"])
RECONCILIATIONS = Counter("pappus_reconciliations", "Finished comparisons of what is with what should be.", ["name"])
HANDLE_SECONDS = Histogram(
    "pappus_handle_seconds",
    "From taking an event to the acknowledgement of what it caused.",
    ["group", "topic"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
ARTEFACT_PARSES = Counter(
    "pappus_artefact_parses", "Artefacts parsed: by onnx for their pieces, by onnxruntime for a session.", ["library"]
)
PROJECTION_LAG = Gauge(
    "pappus_projection_lag_events", "Events in the log that the tables do not show yet.", ["schema", "topic"]
)
PROJECTION_SECONDS = Histogram(
    "pappus_projection_batch_seconds",
    "One batch: applied, positions stored, committed.",
    ["schema"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
