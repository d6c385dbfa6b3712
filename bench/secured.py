"""What locked doors cost: corrections and new rows before and after `pappus up --secure`, on one running stack.

    python -m bench.secured --state .pappus --rounds 20

The stack is open, has a model, and is secured by this run. The ratios compare the medians: of a correction until every
replica answers with it, and of a row of plants_data until its image.stored. Wanted: at most 1.3.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from bench import correction_to_live, row_to_stored
from pappus.stack import Stack
from pappus.stack.config import StackConfig
from pappus.stack.folders import StateFolder

WARM_UP = 5
MEASURED: dict[str, Callable[[Path, int], Awaitable[list[float]]]] = {
    "correction to live": correction_to_live.measure,
    "row to stored": row_to_stored.measure,
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
    asyncio.run(_all(correction_to_live.measure(state, WARM_UP)))  # the first rounds after a start take longer
    return {name: asyncio.run(_all(measure(state, rounds))) for name, measure in MEASURED.items()}


async def _all(measuring: Awaitable[list[float]]) -> list[float]:
    return await measuring


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--rounds", type=int, default=20)
    options = arguments.parse_args()
    compare(options.state, options.rounds)
