"""The CPU time that each component of a running stack spends."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import psutil

from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status

SHOWN = 12


def spent_by_component(state: Path) -> Mapping[str, float]:
    """Return the CPU seconds so far of each component, with the processes that it started."""
    status = read_status(StateFolder.at(state))
    if not status.running:
        raise SystemExit(f"No stack runs in {state}: start one with pappus up.")
    found = {}
    for component in status.components:
        if component.process is not None:
            found[component.name] = family_cpu_seconds(component.process.pid)
    return found


def family_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds so far of a process and of those that it started, without those that ended."""
    root = psutil.Process(pid)
    return sum(_cpu_seconds(process) for process in [root, *root.children(recursive=True)])


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def print_spent(what: str, before: Mapping[str, float], after: Mapping[str, float], times: int) -> None:
    """Print what was spent between two readings, in milliseconds for each of so many `times`, the most first."""
    spent = {name: (after[name] - before[name]) / times * 1000 for name in before.keys() & after.keys()}
    most = islice(sorted(spent.items(), key=lambda item: -item[1]), SHOWN)
    shown = ", ".join(f"{name} {milliseconds:.3g}" for name, milliseconds in most)
    print(f"  CPU milliseconds {what}: {sum(spent.values()):.3g}, of which {shown}")
