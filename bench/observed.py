"""What seeing costs: answers and corrections without and with metrics and traces, on one running stack.

    python -m bench.observed --state .pappus --turns 3

The stack has a model. Each turn measures it without Prometheus and Jaeger, then with both. The ratios compare the
medians: of predictions a second by four clients without a pause, and of corrections until every replica answers with
them (without over with, so that more than 1 is faster). Wanted: at least 0.95 of each.
"""

import argparse
import asyncio
from pathlib import Path
from statistics import median

from bench import correction_to_live
from bench.promotions_under_load import CLIENTS, IMAGES, Load
from bench.secured import wait_until_quiet
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.labeler import get_image_content, get_review_queue

WARM_UP_SECONDS, LOAD_SECONDS = 5.0, 15.0
WARM_UP_ROUNDS, ROUNDS = 5, 15


def compare(state: Path, turns: int) -> None:
    """Measure in turns, and print the ratios."""
    answers: dict[bool, list[float]] = {False: [], True: []}
    corrections: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(turns):
        for observe in (False, True):
            Stack(state).up(observe=observe)
            wait_until_quiet()
            answers[observe].append(asyncio.run(_answers_a_second(state)))
            wait_until_quiet()
            corrections[observe] += asyncio.run(correction_to_live.measure(state, ROUNDS + WARM_UP_ROUNDS))[
                WARM_UP_ROUNDS:
            ]
            seen = "with" if observe else "without"
            print(f"turn {turn + 1}, {seen}: {answers[observe][-1]:.0f} predictions/s")
    without, with_both = median(answers[False]), median(answers[True])
    print(f"predictions: {without:.0f}/s without, {with_both:.0f}/s with, ratio {with_both / without:.2f}")
    before, after = median(corrections[False]) * 1000, median(corrections[True]) * 1000
    print(f"correction to live: {before:.0f} ms without, {after:.0f} ms with, ratio {before / after:.2f}")


async def _answers_a_second(state: Path) -> float:
    stack = RunningStack.find(StateFolder.at(state))
    async with stack.labeler_as("labeler") as person:
        items = (await person.send(get_review_queue(IMAGES))).items
        images = [await person.send(get_image_content(item.image_id)) for item in items]
    load = Load(stack.predictor, stack.predictor_key, images)
    clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
    await asyncio.sleep(WARM_UP_SECONDS)
    load.take_times()
    await asyncio.sleep(LOAD_SECONDS)
    answered = len(load.take_times())
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    if load.failures:
        raise SystemExit(f"{len(load.failures)} requests failed: {load.failures[:3]}")
    return answered / LOAD_SECONDS


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--turns", type=int, default=3)
    options = arguments.parse_args()
    compare(options.state, options.turns)
