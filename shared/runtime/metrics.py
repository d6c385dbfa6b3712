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
QUEUE_WAIT_SECONDS = Histogram(
    "pappus_queue_wait_seconds",
    "From the time of a record in the log to the start of its handling.",
    ["group", "topic"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
OLDEST_WAITING_SECONDS = Gauge(
    "pappus_oldest_waiting_seconds",
    "Age of the oldest record in the log that this part has not done; 0 if it has done all.",
    ["part"],
)
PART_HEALTHY = Gauge("pappus_part_healthy", "1 for a part of this process that works, 0 for one that is red.", ["part"])
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
SWEPT_OBJECTS = Counter("pappus_swept_objects", "Objects deleted since nothing needs them.", ["prefix"])
SWEPT_BYTES = Counter("pappus_swept_bytes", "Bytes of objects deleted since nothing needs them.", ["prefix"])
