"""How much of the processor's limit a running stack answers over HTTP, with everything on.

    python -m bench.serving --state .pappus --images FOLDER --seconds 20

The limit: the model in service, in one process for each core, decodes and answers the photographs (FOLDER holds
<label>/*.jpg) while the stack rests. Then as many clients as each number of connections says ask the common port of the
replicas without a pause, for so many seconds, with a key where there are keys; every service of the stack runs beside
them on the same cores. Limit and load are measured in turns. Wanted: at least 0.80 of the limit at 8 and at 32.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

from bench.cpu_by_component import print_spent, spent_by_component
from bench.secured import wait_until_quiet
from bench.serving.limit import measure_limit
from bench.serving.load import Load
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack

EVERY = 8
"""One photograph in so many is asked about, again and again."""


def measure(state: Path, images: list[bytes], connections: list[int], seconds: int, turns: int) -> None:
    """Measure in turns, and print the figures."""
    stack, cores = RunningStack.find(StateFolder.at(state)), os.cpu_count() or 1
    folder = state / "services" / "predictor-api-0" / "artefacts"
    shares: dict[int, list[float]] = {count: [] for count in connections}
    with tempfile.TemporaryDirectory() as temporary:
        load = Load(stack.predictor, stack.predictor_key, images, Path(temporary))
        load.run(max(connections), 3)
        for turn in range(turns):
            for count in connections:
                wait_until_quiet()
                limit = measure_limit(folder, images, cores, seconds / 2)
                before = spent_by_component(state)
                found = load.run(count, seconds)
                after = spent_by_component(state)
                shares[count].append(found.a_second / limit.a_second)
                replicas = sum(after[name] - before[name] for name in after if name.startswith("predictor-api"))
                cpu = replicas / found.answered * 1000
                print(
                    f"turn {turn + 1}, {count} connections: {found.a_second:.0f} a second of {limit.a_second:.0f},"
                    f" share {shares[count][-1]:.2f}; p50 {found.p50:.1f} ms, p99 {found.p99:.1f}, longest"
                    f" {found.longest:.0f}; failed {found.failed}; CPU of an answer in the replicas {cpu:.2f} ms,"
                    f" {cpu / limit.cpu_milliseconds:.2f} times the limit's"
                )
                print_spent("an answer", before, after, found.answered)
    for count, found_shares in shares.items():
        print(f"{count} connections: median share of the limit {median(found_shares):.2f}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    arguments.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    arguments.add_argument("--seconds", type=int, default=20)
    arguments.add_argument("--turns", type=int, default=2)
    options = arguments.parse_args()
    files = sorted(options.images.glob("*/*.jpg"))[::EVERY]
    if not files:
        arguments.error(f"There are no <label>/*.jpg in {options.images}.")
    asked = [file.read_bytes() for file in files]
    measure(options.state, asked, options.connections, options.seconds, options.turns)
