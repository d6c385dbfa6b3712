"""The alerts: what a person has to look at, and for how long it has to last before one is told.

Each has a section in docs/runbook.md, to which it links.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.observability.panels import PREDICT

INFER = 'method="ModelInfer"'
"""The call over gRPC that answers about images."""
_REFUSED = f'{PREDICT}, status=~"5.."'
_NO_ANSWER = f'{INFER}, code=~"UNAVAILABLE|INTERNAL|UNKNOWN"'
RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `query`: PromQL that has a series for each thing that is wrong, once that lasts `seconds`. `summary`:
    a sentence, with {{ $labels.x }} for what it is about. `severity`: "page" wakes a person, "ticket" waits for the
    morning."""

    name: str
    query: str
    seconds: int
    severity: Literal["page", "ticket"]
    summary: str

    @property
    def anchor(self) -> str:
        """The section of the runbook."""
        return self.name.lower()


def _grown(counter: str, within: str) -> str:
    """Return the query for how much a counter grew. `increase` never sees the first step of a series."""
    return f"{counter} - ({counter} offset {within} or 0 * {counter})"


def _per_second(counter: str, where: str) -> str:
    """Return the query for how fast a counter grows, in all services together; 0 where there is no series."""
    return f"(sum(rate({counter}{{{where}}}[2m])) or vector(0))"


ALERTS: Sequence[Alert] = (
    Alert(
        "PappusProcessDown",
        'up{job="pappus"} == 0',
        30,
        "page",
        "{{ $labels.service }} does not answer.",
    ),
    Alert(
        "PappusPartRed",
        "min by (service, part)(pappus_part_healthy) == 0",
        60,
        "page",
        "{{ $labels.part }} in {{ $labels.service }} is red: its /health says why.",
    ),
    Alert(
        "PappusDeadLetters",
        f"sum by (handler, topic)({_grown('pappus_dead_letters_total', '5m')}) > 0",
        0,
        "ticket",
        "{{ $labels.handler }} could not handle a message of {{ $labels.topic }}: pappus dlq ls.",
    ),
    Alert(
        "PappusWorkStandsStill",
        "max by (service, part)(pappus_oldest_waiting_seconds) > 120",
        30,
        "page",
        "{{ $labels.part }} in {{ $labels.service }} has not done a message for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "PappusCorrectionNotServed",
        "max(pappus_oldest_unserved_correction_seconds) > 30",
        15,
        "page",
        "A correction is not live after {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "PappusDrift",
        "max by (statistic)(pappus_drift_open) == 1",
        0,
        "ticket",
        "Drift of {{ $labels.statistic }}: pictures, or people's agreement, are not what they were.",
    ),
    Alert(
        "PappusPredictionsRefused",
        f"({_per_second('pappus_http_requests_total', _REFUSED)}"
        f" + {_per_second('pappus_grpc_requests_total', _NO_ANSWER)})"
        f" / ({_per_second('pappus_http_requests_total', PREDICT)}"
        f" + {_per_second('pappus_grpc_requests_total', INFER)}) > 0.05",
        30,
        "page",
        "{{ $value | humanizePercentage }} of the requests for a prediction get no answer.",
    ),
    Alert(
        "PappusPredictionsNotLogged",
        f"sum by (service)({_grown('pappus_predictions_logged_dropped_total', '5m')}) > 0",
        0,
        "ticket",
        "{{ $labels.service }} gave answers that are not in the log.",
    ),
    Alert(
        "PappusReplicasDisagree",
        'max(pappus_model_sequence_number{service=~"predictor-api.*|predictor"})'
        ' - min(pappus_model_sequence_number{service=~"predictor-api.*|predictor"}) > 0',
        60,
        "page",
        "Replicas of the predictor answer with different models.",
    ),
    Alert(
        "PappusModelNotLoaded",
        f"sum by (service)({_grown('pappus_model_load_failures_total', '5m')}) > 0",
        0,
        "page",
        "{{ $labels.service }} cannot load the model that was promoted.",
    ),
)

NEIGHBOUR_NAMES: Mapping[str, str] = {"mlops_kubernetes_pods": 'count(up{job="pappus"} == 1)'}
"""Names that other projects know for what is counted here by Prometheus itself: processes that answer."""


def rules() -> dict[str, Any]:
    """Return the rules as Prometheus reads them."""
    alerts = [
        {
            "alert": alert.name,
            "expr": alert.query,
            "for": f"{alert.seconds}s",
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "runbook": f"{RUNBOOK}#{alert.anchor}"},
        }
        for alert in ALERTS
    ]
    records = [{"record": name, "expr": query} for name, query in NEIGHBOUR_NAMES.items()]
    return {"groups": [{"name": "pappus", "rules": alerts}, {"name": "pappus-names", "rules": records}]}
