"""The metrics of the monitor."""

from prometheus_client import Counter, Gauge

DRIFT_STATISTIC = Gauge(
    "pappus_drift_statistic_value", "How far the latest answers are from their reference.", ["statistic"]
)
DRIFT_THRESHOLD = Gauge(
    "pappus_drift_threshold_value", "From which statistic on the answers count as drifted.", ["statistic"]
)
DRIFT_OPEN = Gauge("pappus_drift_open", "1 from the moment a drift is noticed until it is over.", ["statistic"])
DRIFT_FIGURES = Gauge(
    "pappus_drift_figure_ratio", "Confidence and label shares of the latest answers, and as expected.", ["figure"]
)
DRIFTS_DETECTED = Counter("pappus_drifts_detected", "Drifts that were noticed.", ["statistic"])
ANSWERS_COMPARED = Counter("pappus_drift_answers_compared", "Answers about new pictures, compared with the reference.")
