"""How much CPU a running stack needs while nothing comes in: each component, and all together.

    python -m bench.idle_cpu --state .pappus --seconds 60

Measure it in each state in which a loop could spin: before the first image, with images of one label only, after a
demo. 100 % is one core, kept busy. The ratio compares the whole stack with one core.
"""

import argparse
import time
from pathlib import Path

from bench.cpu_by_component import spent_by_component

LIMIT = 0.15


def measure(state: Path, seconds: float) -> None:
    """Print the CPU seconds of each component in `seconds`, as a part of one core."""
    before = spent_by_component(state)
    time.sleep(seconds)
    after = spent_by_component(state)
    parts = {name: (after[name] - before[name]) / seconds for name in before.keys() & after.keys()}
    for name, part in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"{name:20s} {part:7.2%}")
    busiest = max(parts, key=lambda name: parts[name])
    print(f"busiest: {busiest} with {parts[busiest]:.2%} of one core (at most {LIMIT:.0%} is wanted)")
    print(f"ratio whole stack / one core: {sum(parts.values()):.3f}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--seconds", type=float, default=60.0)
    options = arguments.parse_args()
    measure(options.state, options.seconds)
