"""How much of the processor's limit a running stack answers over HTTP, with everything on.

    python -m bench.serving --state .pappus --images FOLDER --seconds 20

The limit: the model in service, in one process for each core, decodes and answers the photographs (FOLDER holds
<label>/*.jpg) while the stack rests. Then as many clients as each number of connections says ask the common port of the
replicas without a pause, for so many seconds, with a key where there are keys; every service of the stack runs beside
them on the same cores; with `--promote-every` a model is promoted each so many seconds meanwhile. Limit and load are
measured in turns. Wanted: at least 0.80 of the limit at 8 and at 32.

With `--peers all` other servers have their turns beside the stack's, with the model in service (of a correction layer
the whole model below it): see `python -m bench.serving.peers --help`.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

from bench.cpu_by_component import print_spent, spent_by_component
from bench.secured import wait_until_quiet
from bench.serving.limit import measure_limit
from bench.serving.load import Load, read_photographs
from bench.serving.peers.command import add_arguments, compare, replica_folder
from bench.serving.promoting import promotions_beside
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack


def measure(
    state: Path, images: list[bytes], connections: list[int], seconds: int, turns: int, promote_every: float
) -> None:
    """Measure in turns, and print the figures."""
    stack, cores = RunningStack.find(StateFolder.at(state)), os.cpu_count() or 1
    folder = replica_folder(state)
    shares: dict[int, list[float]] = {count: [] for count in connections}
    with tempfile.TemporaryDirectory() as temporary:
        load = Load(stack.predictor, stack.predictor_key, images, Path(temporary))
        load.run(max(connections), 3)
        for turn in range(turns):
            for count in connections:
                wait_until_quiet()
                limit = measure_limit(folder, images, cores, seconds / 2)
                before = spent_by_component(state)
                with promotions_beside(stack, promote_every):
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
    arguments.add_argument("--promote-every", type=float, default=0.0, help="seconds; 0: no promotions")
    add_arguments(arguments, "")
    options = arguments.parse_args()
    if options.peers:
        compare(options, options.state, None)
    else:
        asked = read_photographs(options.images)
        measure(options.state, asked, options.connections, options.seconds, options.turns, options.promote_every)
