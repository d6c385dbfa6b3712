"""How long a costly picture holds up others on one replica of the predictor.

    python -m bench.expensive_pictures --state .pappus
    python -m bench.expensive_pictures --address http://127.0.0.1:28010       a replica's own address

Four clients send the same costly picture at once. Until all are answered, three others ask about a small picture, about
a photograph of 1800 x 1300 pixels, and for /livez, with a pause between. The hold-up is the longest of their answers
less the median answer without costly pictures; the ratio compares the medians.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import httpx2

from bench.costly_files import costly_files, encoded, photo
from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status

AT_ONCE = 4
ALONE = 60
PAUSE_SECONDS = 0.02
Ask = Callable[[], Awaitable[httpx2.Response]]


async def measure(address: str, only: str) -> None:
    """Send each picture whose name begins with `only`, and print the figures."""
    async with httpx2.AsyncClient(base_url=address, timeout=120) as client:
        asks: dict[str, Ask] = {
            "small": _predict(client, encoded(photo(300, 200), "JPEG")),
            "photo": _predict(client, encoded(photo(1800, 1300), "JPEG", quality=90)),
            "livez": lambda: client.get("/livez"),
        }
        alone = {name: median([await _seconds(ask) for _ in range(ALONE)]) for name, ask in asks.items()}
        print("alone, median:", ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in alone.items()))
        held: dict[str, float] = dict.fromkeys(asks, 0.0)
        worst_ratio = 0.0
        for name, data in ((name, data) for name, data in costly_files() if name.startswith(only)):
            costly = asyncio.gather(*(_timed(_predict(client, data)) for _ in range(AT_ONCE)))
            beside = dict(zip(asks, await asyncio.gather(*(_until(costly, ask) for ask in asks.values())), strict=True))
            answers = await costly
            ratio = median(beside["small"]) / alone["small"]
            worst_ratio = max(worst_ratio, ratio)
            for kind, spent in beside.items():
                held[kind] = max(held[kind], max(spent) - alone[kind])
            longest = ", ".join(f"{kind} {max(spent):.3f}" for kind, spent in beside.items())
            statuses = {answer.status_code: None for answer, _ in answers}
            seconds = max(spent for _, spent in answers)
            print(
                f"{name:42} {len(data) / 1e6:5.1f} MB  {'/'.join(map(str, statuses))}  {seconds:5.2f} s"
                f"  longest beside it: {longest} s  ratio {ratio:.1f}",
                flush=True,
            )
    print("longest hold-up:", ", ".join(f"{kind} {seconds:.3f} s" for kind, seconds in held.items()))
    print(f"worst ratio of a small picture's median, beside / alone: {worst_ratio:.1f}")


def _predict(client: httpx2.AsyncClient, data: bytes) -> Ask:
    async def ask() -> httpx2.Response:
        return await client.post("/predict", files={"file": ("picture", data)})

    return ask


async def _timed(ask: Ask) -> tuple[httpx2.Response, float]:
    start = time.perf_counter()
    answer = await ask()
    return answer, time.perf_counter() - start


async def _seconds(ask: Ask) -> float:
    answer, seconds = await _timed(ask)
    answer.raise_for_status()
    return seconds


async def _until(costly: "asyncio.Future[list[tuple[httpx2.Response, float]]]", ask: Ask) -> list[float]:
    """Ask again and again, once at least."""
    spent = [await _seconds(ask)]
    while not costly.done():
        await asyncio.sleep(PAUSE_SECONDS)
        spent.append(await _seconds(ask))
    return spent


def _replica(state: Path) -> str:
    parts = read_status(StateFolder.at(state)).components
    part = next(part for part in parts if part.name.startswith("predictor-api-"))
    return f"http://127.0.0.1:{part.ports[part.name]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path(".pappus"), help="folder of the running stack")
    parser.add_argument("--address", help="address of one replica, instead of a stack's")
    parser.add_argument("--only", default="", help="begin of the names of the pictures to send")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.address or _replica(arguments.state), arguments.only))
