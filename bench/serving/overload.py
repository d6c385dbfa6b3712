"""What clients see while a stack is asked ten times what it can answer, and two seconds later.

    python -m bench.serving.overload --state .pappus --images FOLDER --flood 512 --seconds 60

Eight clients ask for predictions one after another, each waiting for its answer (FOLDER holds <label>/*.jpg): first
alone, from an address of their own, then beside wrk with so many connections that never pause and heed no Retry-After,
then alone again, two seconds after the flood has ended. Of these clients those that were answered count; what was
refused is counted apart. Memory is the largest resident set of each replica.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import aiohttp
import psutil

from bench.secured import wait_until_quiet
from bench.serving.load import Found, Load, read_photographs
from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status
from pappus.stack_client import RunningStack

CLIENTS = 8
AFTER_SECONDS = 2.0
OWN_ADDRESS = "127.0.0.2"
"""Without keys an address is a client, and clients take turns."""
LOOK_SECONDS = 0.2


@dataclass
class Seen:
    """What the clients saw: seconds of each answer, how many were refused, and how many failed otherwise."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0

    def tell(self, when: str, seconds: float) -> float:
        """Print it; return the 99th percentile in milliseconds."""
        cuts = [1000 * cut for cut in quantiles(self.seconds, n=100)]
        print(
            f"{when}: {len(self.seconds) / seconds:.0f} answers a second, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms,"
            f" longest {1000 * max(self.seconds):.0f} ms; refused {self.refused}, failed {self.failed}"
        )
        return cuts[98]


async def ask(stack: RunningStack, images: list[bytes], seconds: float) -> Seen:
    """Ask for so long, as all clients."""
    seen, until = Seen(), time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {stack.predictor_key}", "Content-Type": "image/jpeg"}

    async def client(number: int) -> None:
        connector = aiohttp.TCPConnector(local_addr=(OWN_ADDRESS, 0))
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            while time.monotonic() < until:
                number += 1
                began = time.perf_counter()
                try:
                    async with session.post(f"{stack.predictor}/predict", data=images[number % len(images)]) as answer:
                        await answer.read()
                        status = answer.status
                except aiohttp.ClientError:
                    status = 0
                if status == 200:
                    seen.seconds.append(time.perf_counter() - began)
                elif status == 503:
                    seen.refused += 1
                else:
                    seen.failed += 1

    await asyncio.gather(*(client(number * len(images) // CLIENTS) for number in range(CLIENTS)))
    return seen


async def watch_memory(state: Path, most: dict[str, int]) -> None:
    """Keep the largest resident set of each replica, in bytes, until cancelled."""
    parts = [part for part in read_status(StateFolder.at(state)).components if part.name.startswith("predictor-api")]
    while True:
        for part in parts:
            if part.process is not None:
                most[part.name] = max(most.get(part.name, 0), psutil.Process(part.process.pid).memory_info().rss)
        await asyncio.sleep(LOOK_SECONDS)


async def measure(state: Path, images: list[bytes], flood: int, seconds: int) -> None:
    """Measure, and print the figures."""
    stack, most = RunningStack.find(StateFolder.at(state)), dict[str, int]()
    wait_until_quiet()
    watching = asyncio.create_task(watch_memory(state, most))
    alone = (await ask(stack, images, seconds / 4)).tell("alone", seconds / 4)
    before = dict(most)
    with tempfile.TemporaryDirectory() as temporary:
        load = Load(stack.predictor, stack.predictor_key, images, Path(temporary))
        flooding: asyncio.Task[Found] = asyncio.create_task(asyncio.to_thread(load.run, flood, seconds + 2))
        await asyncio.sleep(1)  # the flood has begun, and ends after what is measured
        beside = (await ask(stack, images, seconds)).tell(f"beside {flood} connections", seconds)
        found = await flooding
    print(f"the flood: {found.a_second:.0f} answers a second; refused or failed {found.failed}")
    await asyncio.sleep(AFTER_SECONDS)
    after = (await ask(stack, images, seconds / 4)).tell(f"{AFTER_SECONDS:g} s later", seconds / 4)
    watching.cancel()
    print(f"p99 over that alone: beside the flood {beside / alone:.2f}, afterwards {after / alone:.2f}")
    for name, size in most.items():
        print(f"{name}: {before[name] / 1e6:.0f} MB before, {size / 1e6:.0f} MB at most")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    arguments.add_argument("--flood", type=int, default=512, help="connections that never pause")
    arguments.add_argument("--seconds", type=int, default=60)
    options = arguments.parse_args()
    asyncio.run(measure(options.state, read_photographs(options.images), options.flood, options.seconds))
