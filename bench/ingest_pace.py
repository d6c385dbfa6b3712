"""How fast rows that are inserted at once become stored images, beside a bare loop in the same run, on a running stack.

    python -m bench.ingest_pace --state .pappus --images FOLDER --rows 640 --turns 3

FOLDER holds <label>/*.jpg; without it pictures are drawn. Each turn inserts the rows with one statement and waits until
the table shows all of them as stored. Then a bare loop downloads, decodes and puts the same files: 8 at once, from the
same server of pictures, to the same store, without rows, events and tables. Each turn has contents of its own: a
comment in each file. The ratio compares the medians. Wanted: at least 0.7, with all services up.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from threading import Event
from urllib.parse import urlsplit

import aiohttp

from bench.cpu_by_component import print_spent, spent_by_component
from bench.secured import wait_until_quiet
from pappus.demo.drawing import DRAWN_LABELS, draw
from pappus.demo.image_server import serve_files
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack.services import exported_environment
from pappus.stack.settings import PREFIX
from pappus.stack_client import RunningStack
from shared.imaging.decoding import decode
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.tables.postgres import Connection, close, connector

AT_ONCE = 8
WARM_UP = 64
"""Rows before the first turn: the ingestor has just been started, to let it fetch from here."""
LOOK_SECONDS = 0.1
LIMIT_SECONDS = 300.0
DRAWN = 160
INSERT = "INSERT INTO plants_data (url_source, label) SELECT * FROM unnest($1::text[], $2::text[])"
STATES = "SELECT state, count(*) FROM plants_data WHERE url_source = ANY($1) GROUP BY state"


async def measure(state: Path, pictures: Sequence[tuple[str, bytes]], rows: int, turns: int, quiet: float) -> None:
    """Run the turns and print the figures. `pictures`: label and JPEG file."""
    stack, lender = RunningStack.find(StateFolder.at(state)), Stack(state)
    ingested, bare = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        batches = [_write(pictures, Path(folder), stack.images_url, n) for n in (WARM_UP, *[rows] * turns)]
        files = {url: file for batch in batches for url, (_, file) in batch.items()}
        host = urlsplit(stack.images_url)
        async with _lent(lender, host.netloc), _store(lender) as store:
            connection = await connector(stack.plants.dsn, "ingestor")()
            with _served(files, host.port or 0):
                await _ingest(connection, batches[0])
                for batch in batches[1:]:
                    await asyncio.to_thread(wait_until_quiet, quiet)
                    before = spent_by_component(state)
                    ingested.append(rows / await _ingest(connection, batch))
                    after = spent_by_component(state)
                    await asyncio.to_thread(wait_until_quiet, quiet)
                    alone = time.process_time()
                    bare.append(rows / await _bare_loop(store, batch))
                    alone = (time.process_time() - alone) / rows * 1000
                    print(f"ingested {ingested[-1]:.0f} a second, bare loop {bare[-1]:.0f} a second", flush=True)
                    print_spent("a row until all were stored", before, after, rows)
                    print(f"  CPU milliseconds a row of the bare loop, beside the store: {alone:.1f}", flush=True)
            await close(connection)
    ratio = median(ingested) / median(bare)
    print(f"{rows} rows at once, {turns} turns: ratio ingested / bare loop {ratio:.2f} (at least 0.7 is wanted)")


def _write(pictures: Sequence[tuple[str, bytes]], folder: Path, url: str, rows: int) -> dict[str, tuple[str, Path]]:
    """Write files of contents that no run had before. Return label and file by URL."""
    found = {}
    for number in range(rows):
        label, data = pictures[number % len(pictures)]
        name = f"{time.time_ns()}-{number}.jpg"
        comment = name.encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment  # COM (ITU-T T.81, B.2.4.5)
        (folder / name).write_bytes(data[:2] + segment + data[2:])
        found[f"{url}/{name}"] = (label, folder / name)
    return found


async def _ingest(connection: Connection, batch: Mapping[str, tuple[str, Path]]) -> float:
    """Insert the rows and return the seconds until all are stored."""
    urls = list(batch)
    states: dict[str, int] = {}
    start = time.perf_counter()
    await connection.execute(INSERT, urls, [label for label, _ in batch.values()])
    while time.perf_counter() - start < LIMIT_SECONDS:
        states = {row["state"]: row["count"] for row in await connection.fetch(STATES, urls)}
        if states.get("stored") == len(urls):
            return time.perf_counter() - start
        if "rejected" in states:
            raise SystemExit(f"Some rows are rejected ({states}): pappus logs ingestor")
        await asyncio.sleep(LOOK_SECONDS)
    raise SystemExit(f"After {LIMIT_SECONDS:.0f} s: {states}. See: pappus logs ingestor")


async def _bare_loop(store: ObjectStore, batch: Mapping[str, tuple[str, Path]]) -> float:
    """Download, decode and put all files, and return the seconds. The objects are those that the ingestor wrote."""
    urls = iter(batch)

    async def work(session: aiohttp.ClientSession) -> None:
        for url in urls:
            async with session.get(url) as response:
                data = await response.read()
            await asyncio.to_thread(decode, data)
            digest = sha256(data).hexdigest()
            await store.put(f"images/sha256/{digest[:2]}/{digest}", data, "image/jpeg")

    start = time.perf_counter()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session) for _ in range(AT_ONCE)))
    return time.perf_counter() - start


@contextmanager
def _served(files: Mapping[str, Path], port: int) -> Iterator[None]:
    """Serve the files by a process of its own, which takes no interpreter from either side."""
    spawn = multiprocessing.get_context("spawn")
    serving, end = spawn.Event(), spawn.Event()
    server = spawn.Process(target=_serve, args=(files, port, serving, end), daemon=True)
    server.start()
    try:
        if not serving.wait(LIMIT_SECONDS):
            raise SystemExit("The server of pictures did not start.")
        yield
    finally:
        end.set()
        server.join()


def _serve(files: Mapping[str, Path], port: int, serving: Event, end: Event) -> None:
    with serve_files(files, port):
        serving.set()
        end.wait()


@asynccontextmanager
async def _lent(lender: Stack, host: str) -> AsyncIterator[None]:
    await asyncio.to_thread(lender.lend_hosts, [host])
    try:
        yield
    finally:
        await asyncio.to_thread(lender.take_back_hosts)


@asynccontextmanager
async def _store(lender: Stack) -> AsyncIterator[ObjectStore]:
    environment = exported_environment("ingestor", lender.running_context())
    mine = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if f"{PREFIX}S3_" in name}
    async with open_object_store(Settings.model_validate(mine)) as store:
        yield store


def _pictures(folder: Path | None) -> list[tuple[str, bytes]]:
    """Return labels and files, those of a folder or drawn ones."""
    if folder is None:
        return [(label, draw(label, n)) for n in range(DRAWN // len(DRAWN_LABELS)) for label in DRAWN_LABELS]
    found = [(file.parent.name, file.read_bytes()) for file in sorted(folder.glob("*/*.jpg"))]
    return found or sys.exit(f"{folder} has no <label>/*.jpg.")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--images", type=Path)
    arguments.add_argument("--rows", type=int, default=640)
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--quiet", type=float, default=180.0, help="Seconds to wait at most for a quiet machine")
    options = arguments.parse_args()
    asyncio.run(measure(options.state, _pictures(options.images), options.rows, options.turns, options.quiet))
