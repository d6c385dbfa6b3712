"""Which counters move while nothing comes in: none that counts traffic may.

    python -m bench.idle_counters --state .pappus --seconds 300

Reads the metrics of every process twice, and prints each counter (and each count of a histogram) that grew. What
processes do by themselves is left out: their CPU and memory, what they compare again and again (reconciliations), and
model.loaded, which each replica repeats.
"""

import argparse
import time
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status

OWN = ("process_", "python_", "pappus_reconciliations_total")
REPEATED = "model.loaded"
Series = tuple[str, str, tuple[tuple[str, str], ...]]


def compare(state: Path, seconds: float) -> None:
    """Print what moved. Exits with 1 if something did."""
    before = _read(state)
    time.sleep(seconds)
    after = _read(state)
    moved = {series: value - before.get(series, 0.0) for series, value in after.items() if value != before.get(series)}
    for (process, name, labels), grown in sorted(moved.items()):
        print(f"{process} {name} {dict(labels)} +{grown:g}")
    print(f"ratio counters that moved / all of {len(after)}: {len(moved) / len(after):.3f}")
    if moved:
        raise SystemExit(1)


def _read(state: Path) -> dict[Series, float]:
    """Return every counter of traffic of every process."""
    status = read_status(StateFolder.at(state))
    found: dict[Series, float] = {}
    for component in status.components:
        port = component.ports.get(f"{component.name}-health") or component.ports.get(component.name)
        if component.group != "services" or port is None:
            continue
        text = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                counts = sample.name.endswith(("_total", "_count"))
                if counts and not sample.name.startswith(OWN) and REPEATED not in sample.labels.values():
                    found[component.name, sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--seconds", type=float, default=300.0)
    options = arguments.parse_args()
    compare(options.state, options.seconds)
