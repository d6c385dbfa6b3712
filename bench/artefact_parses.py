"""How often the processes of a running stack parsed an artefact, from their /metrics."""

from collections.abc import Mapping
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status

COUNTER = "pappus_artefact_parses_total"
PARTS = ("trainer-fast", "trainer-gate", "predictor-api-")
Parses = Mapping[str, Mapping[str, float]]
"""By the name of the process and the library."""


async def read_parses(state: Path) -> Parses:
    """Read the counters of the fast lane, the gate and each replica."""
    parts = [part for part in read_status(StateFolder.at(state)).components if part.name.startswith(PARTS)]
    async with httpx2.AsyncClient() as client:
        texts = {
            part.name: (await client.get(f"http://127.0.0.1:{part.ports[part.name]}/metrics")).text for part in parts
        }
    return {name: _count(text) for name, text in texts.items()}


def print_parses(before: Parses, after: Parses, corrections: int) -> None:
    """Print the parses for each correction, by process and library."""
    for name, counted in sorted(after.items()):
        spent = {library: count - before.get(name, {}).get(library, 0.0) for library, count in counted.items()}
        shown = ", ".join(f"{library} {count / corrections:.2f}" for library, count in sorted(spent.items()))
        print(f"parses for each correction, {name}: {shown or 'not counted'}")


def _count(text: str) -> dict[str, float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.labels["library"]: sample.value for sample in samples if sample.name == COUNTER}
