"""How long one correction takes until every replica of the predictor answers as corrected, on a running stack.

    python -m bench.correction_to_live --state .pappus --rounds 20

Each round sets an image to a label it is not answered with, through the labeling API, and asks every replica by its own
address until all follow. The ratio compares the median with one plain /predict in the same run.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from statistics import median, quantiles

from pappus.client import Labeler, Predictor
from pappus.demo.answers import until_all_answer
from pappus.running import RunningStack
from pappus.stack.folders import StateFolder

IMAGES = 5
LIMIT_SECONDS = 30.0


async def measure(state: Path, rounds: int) -> None:
    """Run the rounds and print the figures."""
    stack = RunningStack.find(StateFolder.at(state))
    async with (
        stack.labeler_as("labeler") as person,
        stack.each_replica() as replicas,
        Predictor(stack.predictor) as predictor,
    ):
        labels = await person.labels()
        chosen = await _images(person)
        plain = [await _timed(predictor.predict(data)) for _ in range(5) for data in chosen.values()]
        spent: list[float] = []
        for turn in range(rounds):
            image_id = list(chosen)[turn % len(chosen)]
            spent.append(await _round(person, replicas, image_id, chosen[image_id], labels))
            print(f"round {turn + 1:2d}: {spent[-1] * 1000:7.1f} ms")
    middle, worst = median(spent), quantiles(spent, n=20)[-1]
    print(f"corrections live: {len(spent)} of {rounds}")
    print(f"p50 {middle * 1000:.0f} ms, p95 {worst * 1000:.0f} ms, longest {max(spent) * 1000:.0f} ms")
    print(f"ratio p50 / one plain predict ({median(plain) * 1000:.1f} ms): {middle / median(plain):.1f}")


async def _images(person: Labeler) -> dict[str, bytes]:
    """A few stored images, by id."""
    champion = await person.champion()
    if champion is None:
        raise SystemExit("No model serves yet: run pappus demo first.")
    items = (await person.call("GET", "/review", params={"limit": IMAGES})).json()["items"]
    return {i["image_id"]: (await person.call("GET", f"/images/{i['image_id']}/content")).content for i in items}


async def _round(person: Labeler, replicas: list[Predictor], image_id: str, data: bytes, labels: list[str]) -> float:
    """Seconds from the request of one correction until every replica answers with it."""
    image = await person.image(image_id)
    answered = (await replicas[0].predict(data))["label"]
    label = next(label for label in labels if label != answered)
    start = time.perf_counter()
    await person.correct(image_id, label, image["revision"], reason="bench: correction to live")
    await until_all_answer(replicas, data, label, LIMIT_SECONDS)
    return time.perf_counter() - start


async def _timed(call: Awaitable[object]) -> float:
    start = time.perf_counter()
    await call
    return time.perf_counter() - start


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--rounds", type=int, default=20)
    options = arguments.parse_args()
    asyncio.run(measure(options.state, options.rounds))
