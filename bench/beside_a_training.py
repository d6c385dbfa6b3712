"""How long corrections and a rollback take while a full candidate is trained and judged, on a running stack.

    python -m bench.beside_a_training --state .pappus

A full training is asked for. Until its candidate has a verdict, images are corrected one after the other, as
`bench.correction_to_live` does; once the candidate is announced, an operator also rolls back to the full model before,
and lets promotions go on. After `bench.plant_images` the candidate is measured on 5,000 test images. The figures: the
longest correction before and beside it, and how long the rollback took until every replica served the other model.
"""

import argparse
import asyncio
import time
from itertools import cycle
from pathlib import Path
from statistics import median

from bench.correction_to_live import choose_images, correct_once
from pappus.installation.replicas import Replicas
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.answers import ModelView
from shared.clients.api import AsyncApi
from shared.clients.labeler import ask_gate, get_labels, list_models, request_training

LIMIT_SECONDS = 60.0
"""For a rollback."""
BEFORE = 8
LONGEST_SECONDS = 1800.0
"""For the whole training."""


async def measure(state: Path) -> None:
    """Run it and print the figures."""
    stack = RunningStack.find(StateFolder.at(state))
    async with (
        stack.labeler_as("labeler") as person,
        stack.labeler_as("operator") as operator,
        stack.open_replicas() as replicas,
        AsyncApi(stack.predictor) as predictor,
    ):
        labels, images = (await person.send(get_labels())).labels, await choose_images(person, predictor)
        turns = cycle(images.items())

        async def correct() -> float:
            return await correct_once(person, replicas, *next(turns), labels)

        alone = [await correct() for _ in range(BEFORE)]
        full = await _full_models(person)
        known, former = {model.version for model in full}, next((model for model in full if model.promotions), None)
        if former is None:
            raise SystemExit("No model serves yet: run pappus demo first.")
        await operator.send(request_training("bench: beside a training"))
        started, beside, back = time.monotonic(), list[float](), 0.0
        trained, judged = 0.0, 0.0
        while not judged and time.monotonic() - started < LONGEST_SECONDS:
            beside.append(await correct())
            new = [model for model in await _full_models(person) if model.version not in known]
            if new and not trained:
                trained = time.monotonic() - started
                back = await _roll_back(operator, replicas, former.version)
            if new and new[0].state != "candidate":
                judged = time.monotonic() - started
                print(f"{new[0].version}: {new[0].summary}; {new[0].training_images} and {new[0].test_images} images")
    print(f"trained after {trained:.1f} s, judged {judged - trained:.1f} s later")
    print(f"corrections alone: median {median(alone):.3f} s, longest {max(alone):.3f} s")
    print(f"beside it: {len(beside)}, median {median(beside):.3f} s, longest {max(beside):.3f} s")
    print(f"rollback until every replica serves: {back:.3f} s")


async def _full_models(person: AsyncApi) -> list[ModelView]:
    """Return the models of the full lane, the newest first."""
    return [model for model in await person.send(list_models()) if model.lane == "full"]


async def _roll_back(operator: AsyncApi, replicas: Replicas, version: str) -> float:
    """Put this full model back, let promotions go on, and return the seconds until every replica served it."""
    started = time.monotonic()
    await operator.send(ask_gate("rollback", "bench: beside a training", version))
    await replicas.until_all_serve(version, LIMIT_SECONDS)
    spent = time.monotonic() - started
    await operator.send(ask_gate("unfreeze", "bench: beside a training"))
    return spent


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    asyncio.run(measure(arguments.parse_args().state))
