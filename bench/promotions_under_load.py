"""Promotions while requests keep coming, on a running stack: how many fail, do version and answer belong together?

    python -m bench.promotions_under_load --state .pappus --promotions 20

An operator rolls back between two versions, again and again, while clients ask the shared port without a pause, about
images of the review queue or of a folder of <label>/*.jpg (`--images`). Each answer names its version; all answers of
one version about one image must be the same numbers. The ratio compares the 99th percentile during promotions with that
before them. Without `--every` the next one is asked for as soon as all replicas serve the last. Afterwards promotions
are unfrozen.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path
from statistics import quantiles

import httpx2

from bench.serving.load import read_photographs
from pappus.installation.replicas import Replicas
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.clients.api import AsyncApi
from shared.clients.labeler import ask_gate, get_image_content, get_review_queue, list_models

CLIENTS = 4
QUIET_SECONDS = 5.0
IMAGES = 8


class Load:
    """Clients that send requests in a closed loop, and the answers they got."""

    def __init__(self, url: str, key: str, images: list[bytes]) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._images = images
        self.failures: list[str] = []
        self.answers: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.milliseconds: list[float] = []

    async def client(self, number: int) -> None:
        """Run one client until it is cancelled."""
        async with httpx2.AsyncClient(timeout=10, headers=self._headers) as http:
            turn = number
            while True:
                turn += 1
                image = turn % len(self._images)
                start = time.perf_counter()
                try:
                    response = await http.post(f"{self._url}/predict", files={"file": ("i.jpg", self._images[image])})
                except httpx2.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                self.milliseconds.append((time.perf_counter() - start) * 1000)
                if response.status_code != 200:
                    self.failures.append(f"{response.status_code}: {response.text[:200]}")
                    continue
                body = response.json()
                self.answers[body["model_version"], image].add(json.dumps(body["probabilities"], sort_keys=True))

    def take_times(self) -> list[float]:
        """Return the milliseconds since the last call."""
        taken, self.milliseconds = self.milliseconds, []
        return taken


async def measure(state: Path, promotions: int, count: int, folder: Path | None, every_seconds: float) -> None:
    """Run it with `count` clients and print the figures. `folder`: None for images of the review queue."""
    stack = RunningStack.find(StateFolder.at(state))
    async with stack.labeler_as("operator") as operator, stack.open_replicas() as replicas:
        versions = await two_versions(operator)
        if folder is None:
            items = (await operator.send(get_review_queue(IMAGES))).items
            images = [await operator.send(get_image_content(item.image_id)) for item in items]
        else:
            images = read_photographs(folder)
        load = Load(stack.predictor, stack.predictor_key, images)
        clients = [asyncio.create_task(load.client(number)) for number in range(count)]
        await asyncio.sleep(QUIET_SECONDS)
        quiet = load.take_times()
        began = time.perf_counter()
        for turn in range(promotions):
            await asyncio.sleep(max(0.0, began + turn * every_seconds - time.perf_counter()))
            await promote(operator, replicas, versions[turn % 2])
        busy = load.take_times()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await operator.send(ask_gate("unfreeze", "bench: promotions under load is over"))
    mixed = sum(len(numbers) > 1 for numbers in load.answers.values())
    requests = len(quiet) + len(busy)
    print(f"promotions: {promotions}; requests: {requests}; failed: {len(load.failures)} {load.failures[:3]}")
    heard = len({version for version, _ in load.answers})
    print(f"versions heard: {heard}; images with mixed answers of one version: {mixed}")
    p99_quiet, p99_busy = quantiles(quiet, n=100)[-1], quantiles(busy, n=100)[-1]
    print(f"p99 {p99_quiet:.1f} ms before, {p99_busy:.1f} ms during promotions; ratio {p99_busy / p99_quiet:.2f}")
    if load.failures or mixed:
        raise SystemExit(1)


async def two_versions(operator: AsyncApi) -> list[str]:
    """Return two versions that served before."""
    served = [model.version for model in await operator.send(list_models()) if model.sequence]
    if len(served) < 2:
        raise SystemExit("Fewer than two models have served: run pappus demo first.")
    return served[:2]


async def promote(operator: AsyncApi, replicas: Replicas, version: str) -> None:
    """Have a version that served serve again, and wait until every replica has it."""
    await operator.send(ask_gate("rollback", "bench: promotions under load", version))
    await replicas.until_all_serve(version, 30.0)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--promotions", type=int, default=20)
    arguments.add_argument("--clients", type=int, default=CLIENTS)
    arguments.add_argument("--images", type=Path)
    arguments.add_argument("--every", type=float, default=0.0, help="seconds between the starts of two promotions")
    options = arguments.parse_args()
    asyncio.run(measure(options.state, options.promotions, options.clients, options.images, options.every))
