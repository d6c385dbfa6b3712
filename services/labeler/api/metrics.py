"""Metrics of the commands."""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from services.labeler.commands.outcomes import Refused
from shared.runtime.errors import TransientError

COMMANDS = Counter("pappus_commands", "Commands of people, by outcome.", ["command", "outcome"])
COMMAND_SECONDS = Histogram(
    "pappus_command_seconds",
    "From a command to its answer, the wait for the tables included.",
    ["command"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)

LIVE_ACCURACY = Gauge(
    "pappus_live_accuracy_ratio",
    "Share of shown answers that people agreed with since the last full model, and its 95 % interval.",
    ["bound"],
)
LIVE_ANSWERS = Gauge("pappus_live_accuracy_answers", "How many shown answers people decided about since then.")


class Outcome(Protocol):
    """The result of a command."""

    @property
    def outcome(self) -> str:
        """The outcome as a metric label, from a small set."""


T = TypeVar("T", bound=Outcome)


async def measured(command: str, work: Awaitable[T], tell: Callable[[str], None] | None = None) -> T:
    """Return the result of `work`, counted and timed under the name of the command. Exceptions are counted and
    raised. `tell` gets the outcome."""
    started, outcome = time.perf_counter(), "failed"
    try:
        result = await work
        outcome = result.outcome
    except Refused as refusal:
        outcome = refusal.code
        raise
    except TransientError:
        outcome = "unavailable"
        raise
    finally:
        if tell is not None:
            tell(outcome)
        COMMANDS.labels(command, outcome).inc()
        COMMAND_SECONDS.labels(command).observe(time.perf_counter() - started)
    return result
