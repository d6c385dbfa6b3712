"""What the requests of a load test took, by phase and kind, and whether it is within the thresholds. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import quantiles

from tests.load.settings import LoadSettings

FROZEN = "without promotions"
PROMOTING = "with promotions"
PHASES = (FROZEN, PROMOTING)
KINDS = ("predict", "upload", "correct")
LEAST_REQUESTS = 20
"""With fewer of a kind, a 95th percentile is the slowest but one."""


@dataclass(slots=True)
class Measured:
    """The requests of one kind in one phase: how long those took that succeeded, and why others failed."""

    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many requests there were."""
        return len(self.milliseconds) + len(self.failures)

    @property
    def p95(self) -> float:
        """Return the 95th percentile in milliseconds; infinity when fewer than two succeeded."""
        return quantiles(self.milliseconds, n=20)[-1] if len(self.milliseconds) > 1 else float("inf")


@dataclass(slots=True)
class Figures:
    """All requests of a run, and how many models were promoted in each phase."""

    requests: defaultdict[tuple[str, str], Measured] = field(default_factory=lambda: defaultdict(Measured))
    promotions: dict[str, int] = field(default_factory=dict)

    def add(self, phase: str, kind: str, milliseconds: float, failure: str | None) -> None:
        """Count one request. Kinds that no threshold is about (a login) are ignored."""
        if kind not in KINDS:
            return
        measured = self.requests[phase, kind]
        if failure is None:
            measured.milliseconds.append(milliseconds)
        else:
            measured.failures.append(f"{kind}: {failure}")

    def lines(self) -> Iterable[str]:
        """Yield a line for each phase and kind."""
        for phase in PHASES:
            yield f"{phase}: {self.promotions.get(phase, 0)} models promoted"
            for kind in KINDS:
                measured = self.requests[phase, kind]
                failed = len(measured.failures)
                yield f"  {kind:8} {measured.count:6} requests, {failed} failed, p95 {measured.p95:.0f} ms"


def judge(figures: Figures, settings: LoadSettings) -> list[str]:
    """Return a sentence for each threshold that does not hold; empty if all do."""
    wrong = [sentence for phase in PHASES for sentence in _judge_phase(phase, figures, settings)]
    before, during = (figures.requests[phase, "predict"].p95 for phase in PHASES)
    if during > before * settings.slow_down:
        wrong.append(
            f"predictions while models are promoted: p95 {during:.0f} ms is more than {settings.slow_down} times the "
            f"{before:.0f} ms before (PAPPUS_LOAD_SLOW_DOWN)"
        )
    if (promoted := figures.promotions.get(PROMOTING, 0)) < settings.promotions:
        wrong.append(
            f"only {promoted} models were promoted in the second phase: it says nothing (PAPPUS_LOAD_PROMOTIONS)"
        )
    if promoted := figures.promotions.get(FROZEN, 0):
        wrong.append(f"{promoted} models were promoted in the first phase, which is to have none")
    return wrong


def _judge_phase(phase: str, figures: Figures, settings: LoadSettings) -> Iterable[str]:
    kinds = {kind: figures.requests[phase, kind] for kind in KINDS}
    total = sum(measured.count for measured in kinds.values())
    failures = [failure for measured in kinds.values() for failure in measured.failures]
    if len(failures) > total * settings.failure_ratio:
        yield f"{phase}: {len(failures)} of {total} requests failed (PAPPUS_LOAD_FAILURE_RATIO), first {failures[0]}"
    for kind, measured in kinds.items():
        limit: float = getattr(settings, f"p95_{kind}")
        if measured.count < LEAST_REQUESTS:
            yield f"{phase}: {measured.count} requests of kind {kind} say nothing: run longer, or with more --users"
        elif measured.p95 > limit:
            setting = f"PAPPUS_LOAD_P95_{kind.upper()}"
            yield f"{phase}: p95 of {kind} is {measured.p95:.0f} ms, over {limit:.0f} ms ({setting})"
