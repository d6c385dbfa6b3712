"""How much memory replicas take when very many of the largest images come at once.

    python -m bench.serving.large_bodies --state .pappus --images FOLDER

So many connections send a photograph that is filled up to almost the upload limit, all at once, and wait for their
answers. Printed: what they were answered, how long the slowest took, and the largest resident set of each replica.
"""

import argparse
import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from bench.serving.load import read_photographs
from bench.serving.overload import watch_memory
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack

BODY_BYTES = 19_900_000
HEAD = (
    "POST /predict HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: image/jpeg\r\n"
    "Content-Length: {length}\r\n\r\n"
)


async def send(stack: RunningStack, body: bytes) -> tuple[str, float]:
    """Send one request; return the status, or what happened instead, and the seconds it took."""
    address, began = urlsplit(stack.predictor), time.perf_counter()
    head = HEAD.format(host=address.netloc, key=stack.predictor_key, length=len(body))
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head.encode())
        writer.write(body)
        await writer.drain()
        status = (await reader.readline()).split()[1].decode()
        writer.close()
    except (OSError, IndexError) as error:
        status = type(error).__name__
    return status, time.perf_counter() - began


async def measure(state: Path, image: bytes, connections: int) -> None:
    """Measure, and print the figures."""
    stack, most = RunningStack.find(StateFolder.at(state)), dict[str, int]()
    watching = asyncio.create_task(watch_memory(state, most))
    await asyncio.sleep(1)
    before, body = dict(most), image + os.urandom(BODY_BYTES - len(image))
    found = await asyncio.gather(*(send(stack, body) for _ in range(connections)))
    watching.cancel()
    counted = ", ".join(f"{count} {status}" for status, count in Counter(status for status, _ in found).most_common())
    print(f"{connections} bodies of {BODY_BYTES:,} bytes: {counted}; longest {max(each for _, each in found):.1f} s")
    for name, size in most.items():
        print(f"{name}: {before[name] / 1e6:.0f} MB before, {size / 1e6:.0f} MB at most")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    arguments.add_argument("--connections", type=int, default=64)
    options = arguments.parse_args()
    asyncio.run(measure(options.state, read_photographs(options.images)[0], options.connections))
