"""What locked doors cost: corrections and new rows before and after `pappus up --secure`, on one running stack.

    python -m bench.secured --state .pappus --rounds 20

The stack is open, has a model, and is secured by this run. The ratios compare the medians: of a correction until every
replica answers with it, and of a row of plants_data until its image.stored. Wanted: at most 1.3.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import psutil

from bench import correction_to_live, row_to_stored
from pappus.stack import Stack
from pappus.stack.config import StackConfig
from pappus.stack.folders import StateFolder

WARM_UP = {"row to stored": 100, "correction to live": 10}
"""Rounds after the start that are not counted: each start leaves the broker cold, and one half has no earlier work."""
QUIET_SECONDS, QUIET_PERCENT, LONGEST_WAIT = 3, 25.0, 180
MEASURED: dict[str, Callable[[Path, int], Awaitable[list[float]]]] = {
    "row to stored": row_to_stored.measure,
    "correction to live": correction_to_live.measure,  # last: it leaves models to record, and a training
}


def compare(state: Path, rounds: int) -> None:
    """Measure, secure the stack, measure again, and print the ratios."""
    if StackConfig.load(StateFolder.at(state)).secure:
        raise SystemExit(f"The stack in {state} is secured already: this needs one that is open. See: pappus reset")
    plain = _measure(state, rounds)
    Stack(state).up(secure=True)
    secured = _measure(state, rounds)
    for name in MEASURED:
        before, after = median(plain[name]) * 1000, median(secured[name]) * 1000
        print(f"{name}: {before:.0f} ms open, {after:.0f} ms secured, ratio {after / before:.2f}")


def _measure(state: Path, rounds: int) -> dict[str, list[float]]:
    for name, measure in MEASURED.items():
        asyncio.run(_all(measure(state, WARM_UP[name])))
    wait_until_quiet()
    return {name: asyncio.run(_all(measure(state, rounds))) for name, measure in MEASURED.items()}


def wait_until_quiet(longest_seconds: float = LONGEST_WAIT) -> None:
    """Wait until the machine is nearly idle for QUIET_SECONDS: what models and their training cost is not compared."""
    quiet, deadline = 0, time.monotonic() + longest_seconds
    while quiet < QUIET_SECONDS:
        quiet = quiet + 1 if psutil.cpu_percent(interval=1.0) < QUIET_PERCENT else 0
        if time.monotonic() > deadline:
            print(f"The machine was not quiet within {longest_seconds:.0f} s: the figures are of a busy one.")
            return


async def _all(measuring: Awaitable[list[float]]) -> list[float]:
    return await measuring


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--rounds", type=int, default=20)
    options = arguments.parse_args()
    compare(options.state, options.rounds)
