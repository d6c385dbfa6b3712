"""How long one correction takes until every replica of the predictor answers as corrected, on a running stack.

    python -m bench.correction_to_live --state .pappus --rounds 20 [--predictions 200 | --clients 8]

Each round corrects an image through the labeling API to a label it is not answered with, and asks every replica by its
own address until all follow. The images are those a person would correct: wrong answers, then doubtful ones. Their
labels go to and fro. The ratio compares the median with one plain /predict in the same run. A budget says how long
each hop took, by the times of its events. The last lines say how often each process parsed an artefact for one
correction. With `--predictions` so many are asked each second beside the corrections, evenly; how many were answered is
printed. With `--clients` so many connections ask for predictions without a pause, about the same images.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID

from bench.artefact_parses import print_parses, read_parses
from bench.cpu_by_component import print_spent, spent_by_component
from bench.serving.load import Load
from bench.steady_predictions import steady_predictions
from pappus.errors import Refused
from pappus.installation.replicas import Replicas
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.api import AsyncApi
from shared.clients.labeler import (
    correct_label,
    get_champion,
    get_history,
    get_image,
    get_image_content,
    get_labels,
    get_model,
    get_review_queue,
)
from shared.clients.predictor import predict

IMAGES = 8
LOOKED_AT = 200
LIMIT_SECONDS = 15.0
REST_SECONDS = 0.5
"""Between two rounds: what follows a correction, as its record in MLflow, is not what the next one waits for."""
HOPS = (
    "request -> label.corrected",
    "label.corrected -> model.trained",
    "model.trained -> model.promoted",
    "model.promoted -> every replica",
)


async def measure(state: Path, rounds: int, predictions: int = 0, clients: int = 0) -> list[float]:
    """Run the rounds, beside so many predictions a second or clients without a pause, and print the figures. Return the
    seconds of each round."""
    stack = RunningStack.find(StateFolder.at(state))
    async with (
        stack.labeler_as("labeler") as person,
        stack.open_replicas() as replicas,
        AsyncApi(stack.predictor) as predictor,
    ):
        labels = (await person.send(get_labels())).labels
        chosen = await choose_images(person, predictor)
        plain = [await _timed(predictor.send(predict(data))) for _ in range(5) for data in chosen.values()]
        before, spent, budget = await read_parses(state), list[float](), Budget()
        cpu = spent_by_component(state)
        async with AsyncExitStack() as beside:
            asked = list(chosen.values())
            await beside.enter_async_context(steady_predictions(stack.predictor, asked, predictions))
            if clients:
                folder = Path(beside.enter_context(tempfile.TemporaryDirectory()))
                beside.enter_context(Load(stack.predictor, stack.predictor_key, asked, folder).beside(clients))
            for turn in range(rounds):
                await asyncio.sleep(REST_SECONDS)
                image_id = list(chosen)[turn % len(chosen)]
                try:
                    started = datetime.now(UTC)
                    spent.append(await correct_once(person, replicas, image_id, chosen[image_id], labels))
                    await budget.add(person, image_id, started, spent[-1])
                except Refused as refused:  # the labels are wrong on purpose, and the gate may keep one out
                    print(f"round {turn + 1:2d}: {refused}")
                    del chosen[image_id]
                    if not chosen:
                        raise
                    continue
                print(f"round {turn + 1:2d}: {spent[-1] * 1000:7.1f} ms")
        cpu_after, after = spent_by_component(state), await read_parses(state)
    middle, worst = median(spent), quantiles(spent, n=20)[-1]
    print(f"corrections live: {len(spent)} of {rounds}")
    print(f"p50 {middle * 1000:.0f} ms, p95 {worst * 1000:.0f} ms, longest {max(spent) * 1000:.0f} ms")
    print(f"ratio p50 / one plain predict ({median(plain) * 1000:.1f} ms): {middle / median(plain):.1f}")
    budget.print()
    print_spent("a round, with what follows it and its rest", cpu, cpu_after, rounds)
    print_parses(before, after, len(spent))
    return spent


class Budget:
    """Where the time of corrections goes, in milliseconds by hop."""

    def __init__(self) -> None:
        self._hops: dict[str, list[float]] = {}

    async def add(self, person: AsyncApi, image_id: UUID, started: datetime, seconds: float) -> None:
        """Add one correction that was asked for at `started`, and that every replica answered `seconds` later."""
        entry = max(await person.send(get_history(image_id)), key=lambda one: one.revision)
        if entry.occurred_at is None or entry.live_in is None:
            return
        model = await person.send(get_model(entry.live_in))
        if model.trained_at is None or model.promoted_at is None:
            return
        ended = started + timedelta(seconds=seconds)
        times = (started, entry.occurred_at, model.trained_at, model.promoted_at, ended)
        for hop, since, until in zip(HOPS, times[:-1], times[1:], strict=True):
            self._hops.setdefault(hop, []).append((until - since).total_seconds() * 1000)
        for stage, spent in model.seconds.items():
            self._hops.setdefault(f"  of the lane: {stage}", []).append(spent * 1000)

    def print(self) -> None:
        """Print the median of each hop."""
        for hop, milliseconds in self._hops.items():
            print(f"{hop:34s} {median(milliseconds):7.1f} ms")


async def choose_images(person: AsyncApi, predictor: AsyncApi) -> dict[UUID, bytes]:
    """Return the images whose label the model finds least likely, by id."""
    if await person.send(get_champion()) is None:
        raise SystemExit("No model serves yet: run pappus demo first.")
    items = (await person.send(get_review_queue(LOOKED_AT))).items
    found: list[tuple[float, UUID, bytes]] = []
    for item in items:
        data = await person.send(get_image_content(item.image_id))
        answer = await predictor.send(predict(data))
        found.append((answer.probabilities.get(item.label or "", 0.5), item.image_id, data))
    return {image_id: data for _, image_id, data in sorted(found)[:IMAGES]}


async def correct_once(
    person: AsyncApi, replicas: Replicas, image_id: UUID, data: bytes, labels: Sequence[str]
) -> float:
    """Return the seconds from the request of one correction until every replica answers with it."""
    image = await person.send(get_image(image_id))
    answered = (await replicas.ask(data)).label
    label = next(label for label in labels if label != answered)
    start = time.perf_counter()
    await person.send(correct_label(image_id, label, image.revision, reason="bench: correction to live"))
    await replicas.until_all_answer(data, label, LIMIT_SECONDS)
    return time.perf_counter() - start


async def _timed(call: Awaitable[object]) -> float:
    start = time.perf_counter()
    await call
    return time.perf_counter() - start


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--rounds", type=int, default=20)
    arguments.add_argument("--predictions", type=int, default=0, help="a second, beside the corrections")
    arguments.add_argument("--clients", type=int, default=0, help="that ask for predictions without a pause")
    options = arguments.parse_args()
    asyncio.run(measure(options.state, options.rounds, options.predictions, options.clients))
