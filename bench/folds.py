"""How many events a second does the labeler fold, a whole poll in few statements and one event at a time?

Usage: python -m bench.folds [--images 2000] [--poll 500] [--only together]

On a PostgreSQL of its own, with a log in memory: each image is registered, stored and answered about, every tenth is
corrected, every hundredth has the pixels of another one. Both folds take the same records in turns, poll by poll, each
into a schema of its own, and their tables have to be equal in the end. Prints events a second of each, the ratio of
their times, the ratio for each topic, and how long one correction alone takes on the filled tables in both.
"""

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from uuid import uuid4

from pappus.stack import Servers
from pappus.stack.testing import servers_in
from services.labeler.data.projection import PROJECTORS
from services.labeler.settings import MIGRATIONS, SCHEMA
from shared.contract.events import Event
from shared.contract.place import encode_place
from shared.messaging.event_log import Record
from shared.tables.database import Connection, Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import ProjectionBatch, Projector
from shared.testing import MemoryEventLog, image_registered, image_scored, image_stored, label_corrected

ONE_BY_ONE = tuple(replace(projector, apply_together=None) for projector in PROJECTORS)
TOPICS = tuple(projector.event.topic for projector in PROJECTORS)
CORRECTIONS = 40


@dataclass
class Fold:
    """One way of folding, and what it took: seconds and events of each topic."""

    name: str
    database: Database
    connection: Connection
    fold: ProjectionBatch
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def take(self, records: Sequence[Record]) -> float:
        """Fold one poll; its seconds count for its first topic, since a poll here has one topic only."""
        started = time.perf_counter()
        await self.fold.batch(self.connection, records)
        seconds = time.perf_counter() - started
        self.seconds[records[0].topic] += seconds
        self.events[records[0].topic] += len(records)
        return seconds

    def rate(self) -> float:
        """Return events a second."""
        return sum(self.events.values()) / sum(self.seconds.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--poll", type=int, default=500, help="a replay takes 2,000 records at once")
    parser.add_argument("--only", choices=["together"], help="leave out the slow way: many images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", ("postgres",)) as servers:
            asyncio.run(_measure(servers, arguments.images, arguments.poll, arguments.only is None))


async def _measure(servers: Servers, images: int, poll: int, both: bool) -> None:
    polls = await _polls(images, poll)
    async with AsyncExitStack() as stack:
        ways = [("together", SCHEMA, PROJECTORS), ("one by one", f"{SCHEMA}_replay", ONE_BY_ONE)][: 1 + both]
        folds = [await stack.enter_async_context(_folding(servers, *way)) for way in ways]
        for number, records in enumerate(polls):
            for fold in folds if number % 2 else reversed(folds):
                await fold.take(records)
        _print(folds)
        if both:
            without = ("event_numbers",)
            together, alone = [await canonical_dump(fold.database, without=without) for fold in folds]
            differing = [table for table in together if together[table] != alone[table]]
            print(f"tables that differ: {', '.join(differing) or 'none'}")
        await _compare_corrections(folds)


async def _polls(images: int, poll: int) -> list[list[Record]]:
    event_log = MemoryEventLog()
    published: list[Event] = []
    for number in range(images):
        image_id = uuid4()
        pixels = f"{number - (number % 100 == 99):064x}"
        place = encode_place([(number * 7919 + each * 104729 + each * number * 31) % 255 - 127 for each in range(64)])
        published.append(image_registered(image_id=image_id, file_name=f"IMG_{number}.jpg"))
        published.append(image_stored(image_id=image_id, pixels_sha256=pixels))
        published.append(image_scored(image_id=image_id, place=place))
        if number % 10 == 3:
            published.append(label_corrected(image_id=image_id, shown_model_version="v1", shown_label="dandelion"))
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(published)
    found = []
    for topic in TOPICS:
        records = event_log.records(topic)
        found += [records[begin : begin + poll] for begin in range(0, len(records), poll)]
    return found


@asynccontextmanager
async def _folding(servers: Servers, name: str, schema: str, projectors: Sequence[Projector]) -> AsyncIterator[Fold]:
    async with (
        Database.open(servers.database_url(SCHEMA), schema, MIGRATIONS) as database,
        database.connection() as connection,
    ):
        yield Fold(name, database, connection, ProjectionBatch(schema, projectors, publisher=None))


def _print(folds: Sequence[Fold]) -> None:
    for fold in folds:
        print(f"{fold.name:12}{sum(fold.events.values()):>9,} events{fold.rate():>9,.0f} a second")
    together = folds[0]
    for topic, events in together.events.items():
        rates = [fold.events[topic] / fold.seconds[topic] for fold in folds]
        times = f"{rates[0] / rates[1]:>8.1f} times" if len(rates) > 1 else ""
        print(f"  {topic:18}{events:>9,} events" + "".join(f"{rate:>9,.0f} a second" for rate in rates) + times)
    if len(folds) > 1:
        print(f"together: {together.rate() / folds[1].rate():.1f} times as many events a second")


async def _compare_corrections(folds: Sequence[Fold]) -> None:
    """Fold single corrections, in turns."""
    event_log, taken = MemoryEventLog(), defaultdict(list)
    async with event_log.publisher("pappus/jobs") as publisher:
        image_ids = await folds[0].database.fetch(f"SELECT image_id FROM images LIMIT {CORRECTIONS}")
        await publisher.publish([label_corrected(image_id=row[0], revision=1) for row in image_ids])
    for number, record in enumerate(event_log.records(label_corrected().topic)):
        for fold in folds if number % 2 else reversed(folds):
            taken[fold.name].append(await fold.take([record]) * 1000)
    print("one correction alone: " + ", ".join(f"{name} {median(found):.1f} ms" for name, found in taken.items()))


if __name__ == "__main__":
    main()
