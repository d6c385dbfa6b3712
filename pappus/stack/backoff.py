"""How long to wait before a process that died is restarted. Pure."""

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 10.0
HEALTHY_SECONDS = 30.0


def restart_delay(failures: int) -> float:
    """Return the seconds to wait after the `failures`-th failure in a row (from 1): 0.2, doubling, at most 10."""
    return min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))


def failures_after(failures: int, ready_seconds: float) -> int:
    """Return the failures in a row, the current one included; after 30 seconds of readiness the count starts anew."""
    return 1 if ready_seconds >= HEALTHY_SECONDS else failures + 1
