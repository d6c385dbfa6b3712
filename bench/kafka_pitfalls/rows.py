"""A row of the table: what was measured, and the figure with its n."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Row:
    """One measured pitfall."""

    what: str
    figure: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.figure} |"


def format_durations(seconds: Sequence[float]) -> str:
    """Return median, range and n of durations in seconds."""
    if len(seconds) == 1:
        return f"{seconds[0]:.2f} s (n = 1)"
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, n = {len(seconds)})"


def format_percentiles(seconds: Sequence[float]) -> str:
    """Return the 50th and 95th percentile of durations in seconds, in milliseconds, and n."""
    cuts = quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p95 {cuts[94] * 1000:.1f} ms (n = {len(seconds)})"
