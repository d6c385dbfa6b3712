"""What the fast lane counts."""

from prometheus_client import Gauge, Histogram

OLDEST_UNSERVED_SECONDS = Gauge(
    "pappus_oldest_unserved_correction_seconds",
    "Age of the oldest correction that should be in the champion and is not.",
)
UNSERVED = Gauge("pappus_unserved_corrections", "Corrections that should be in the champion and are not.")
EXCLUDED = Gauge("pappus_left_out_corrections", "Corrections that the fast lane leaves out, with a reason.")
BUILD_SECONDS = Histogram(
    "pappus_fast_candidate_seconds",
    "One candidate of the fast lane, by stage.",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
