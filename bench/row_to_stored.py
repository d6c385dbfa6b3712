"""How long a row of plants_data takes to become image.stored, on a running stack.

    python -m bench.row_to_stored --state .pappus --rounds 20

Each round draws a picture, serves it over HTTP, inserts one row by SQL over a connection that stays open, and waits for
its image.stored on the log. The ratio compares the median with one plain insert in the same run.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

from pappus.demo.drawing import DRAWN_LABELS, draw
from pappus.demo.image_server import serve_files
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack
from shared.contract.events import ImageRejected, ImageStored
from shared.messaging.codec import decode
from shared.messaging.event_log import LogReader
from shared.messaging.kafka import open_event_log
from shared.tables.postgres import close, connector

INSERT = "INSERT INTO plants_data (url_source, label) VALUES ($1, $2)"
LIMIT_SECONDS = 30.0


async def measure(state: Path, rounds: int) -> list[float]:
    """Run the rounds and print the figures. Return the seconds of each round."""
    stack = RunningStack.find(StateFolder.at(state))
    lender = Stack(state)
    host = urlsplit(stack.images_url)
    seed = time.time_ns() % 2**31
    spent: list[float] = []
    inserts: list[float] = []
    files: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            path = Path(folder) / f"{seed}-{number}.jpg"
            files[f"{stack.images_url}/{path.name}"] = path
            path.write_bytes(draw(DRAWN_LABELS[number % 2], number, seed))
        with serve_files(files, host.port or 0):
            await asyncio.to_thread(lender.lend_hosts, [host.netloc])
            connection = await connector(stack.plants.dsn, "ingestor")()
            async with (
                open_event_log(lender.running_context().kafka) as event_log,
                event_log.reader((ImageStored.topic, ImageRejected.topic)) as reader,
            ):
                await reader.start_at(await reader.end_offsets())
                for number in range(rounds + 1):
                    url = f"{stack.images_url}/{seed}-{number}.jpg"
                    start = time.perf_counter()
                    await connection.execute(INSERT, url, DRAWN_LABELS[number % 2])
                    inserts.append(time.perf_counter() - start)
                    await _stored(reader, url)
                    spent.append(time.perf_counter() - start)
            await close(connection)
            await asyncio.to_thread(lender.take_back_hosts)
    del spent[0], inserts[0]  # the ingestor has just been started
    print(f"p50 {median(spent) * 1000:.0f} ms, p95 {quantiles(spent, n=20)[-1] * 1000:.0f} ms of {rounds}")
    print(f"ratio p50 / one plain insert ({median(inserts) * 1000:.1f} ms): {median(spent) / median(inserts):.1f}")
    return spent


async def _stored(reader: LogReader, url: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        for record in await reader.poll(0.5):
            event = decode(record.topic, record.value)
            if isinstance(event, ImageRejected):
                raise SystemExit(f"rejected: {event.reason}: {event.detail}")
            if isinstance(event, ImageStored) and event.source_url == url:
                return
    raise SystemExit(f"{url} was not stored within {LIMIT_SECONDS:.0f} s: pappus logs ingestor")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--rounds", type=int, default=20)
    options = arguments.parse_args()
    asyncio.run(measure(options.state, options.rounds))
