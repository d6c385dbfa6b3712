"""How many cores a process may use."""

import os
from math import ceil
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """Return how many cores this process may keep busy: those it may run on, and no more than the limit of its
    container (control groups, version 2: `cpu_max` holds "QUOTA PERIOD" in microseconds, or "max PERIOD")."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text().split()
        return max(1, min(cores, ceil(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # no container, or one without a limit
        return cores
