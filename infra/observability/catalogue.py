"""The page of all metrics, from their declarations."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from prometheus_client import Counter, Gauge, Histogram

from infra.observability.alerts import NEIGHBOUR_NAMES
from shared.runtime.metric_aliases import Alias

DECLARED = {
    "shared.runtime.metrics": "every process, as far as it does such a thing",
    "shared.http.metrics": "labeler-api, predictor-api",
    "services.labeler.api.metrics": "labeler-api",
    "services.labeler.ui.metrics": "labeler-ui",
    "services.predictor.metrics": "predictor-api, predictor-worker, predictor-batches",
    "services.predictor.monitor.metrics": "predictor-monitor",
    "services.trainer.fast_lane.metrics": "trainer-fast",
    "services.trainer.gate.metrics": "trainer-gate",
}
"""The modules with metrics, and the processes that have them."""
TABLE = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
HEAD = """<!-- Written by `make generated` from the declarations in the code: change them there. -->
# Metrics

Every process serves `/metrics` beside its health, in the form of Prometheus. All values come from real work: without
uploads, corrections and questions no counter of traffic moves. Times are in seconds. A counter named `x_total` here is
the sum since the process started; ask for `rate(x_total[5m])`. No counter has the model version as a label: each
correction makes a version, and a rate never sees the first step of a series. Join with `pappus_model_info` instead, as
the panel "Answers by model version" does.

With and without Docker: `pappus up --observe`, `docker compose up`; dashboards and alerts: [runbook](runbook.md).
"""
SECOND_NAMES = """
## Second names

The names that dashboards of neighbouring projects know. They are the same values, never others.

| second name | is | |
|---|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    text, aliases = HEAD, list[Alias]()
    for name, processes in DECLARED.items():
        module = import_module(name)
        aliases += module.ALIASES if hasattr(module, "ALIASES") else ()
        rows = list(_rows(module))
        if not rows:
            raise ValueError(f"{name} declares no metric: take it out of DECLARED.")
        text += f"\n## In {processes}\n\n{TABLE}{''.join(rows)}"
    text += SECOND_NAMES
    for alias in aliases:
        text += f"| `{alias.shown}` | `{alias.of}` | {alias.only or ''} |\n"
    for name, query in NEIGHBOUR_NAMES.items():
        text += f"| `{name}` | `{query}` | by a rule of Prometheus |\n"
    return text


def _rows(module: ModuleType) -> Iterator[str]:
    for metric in vars(module).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            described = next(iter(metric.describe()))
            name = described.name + ("_total" if described.type == "counter" else "")
            labels = ", ".join(metric._labelnames) or "-"  # the library offers no public way to ask
            yield f"| `{name}` | {described.type} | {labels} | {described.documentation} |\n"
