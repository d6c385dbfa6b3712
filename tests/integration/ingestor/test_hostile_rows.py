"""Thousands of rows that mean harm, while people go on uploading."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from statistics import quantiles
from uuid import UUID, uuid4

import pytest
from PIL import Image

from pappus.stack import Servers
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored
from shared.messaging.codec import decode
from shared.messaging.event_log import EventLog, LogReader, Publisher
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.tables.postgres import Connection
from shared.testing import eventually, image_registered
from tests.integration.ingestor.running import IngestorProcess, dead_letters_of
from tests.profiles import cases

ROWS = cases(2000)
UPLOADS = 40
EVERY_SECONDS = 0.2
SEED = 8
INSERT = (
    "INSERT INTO plants_data (url_source, label) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"
)
LEFT = "SELECT count(*) FROM plants_data WHERE url_source LIKE $1 AND (state = 'waiting' OR will_retry)"
HEADS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0%d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 64 + b".example/%d\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /%d\xff\xfe\r\nSet-Cookie: a=\xff\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 203 Non-Authoritative\r\nX: %d\r\n\r\n",
    b"HTTP/1.1 404 \x00\xff %d\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/9.9 %d OK\r\n\r\n",
    b"\x16\x03\x01 %d",
)
URLS = (
    *("http://127.0.0.1:{port}/{number}/%2C%zz\u202e ü?sig=%2F%27",) * 12,
    "http://user:p%40ss@127.0.0.1:{port}/{number}",
    "http://" + "a" * 64 + ".example/{number}",
    "http://a..example/{number}",
    "http://us€er:p@127.0.0.2/{number}",
    "http://10.0.0.1/{number}",
    "http://127.0.0.1:{port}\\{number}",
    "http://[::1/{number}",
    "\u0001\u0002 {number}",
)


def url(number: int, port: int, choice: random.Random) -> str:
    """Return a URL that ends with a mark of this test."""
    return choice.choice(URLS).format(number=number, port=port) + f"#{port}"


@asynccontextmanager
async def any_answers(choice: random.Random) -> AsyncIterator[int]:
    """Serve answers that are hardly HTTP on a port, as long as the context."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = choice.randbytes(choice.randrange(300))
            writer.write(choice.choice(HEADS) % choice.randrange(600) + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Uploader:
    """A person who uploads one picture after the other."""

    def __init__(self, uploads: ObjectStore, publisher: Publisher, outcomes: LogReader) -> None:
        self._uploads = uploads
        self._publisher = publisher
        self._outcomes = outcomes

    async def p95_ms(self) -> float:
        """Upload UPLOADS pictures, one every EVERY_SECONDS or more slowly; return the 95th percentile of the
        milliseconds until image.stored."""
        spent = []
        for _ in range(UPLOADS):
            pause = asyncio.create_task(asyncio.sleep(EVERY_SECONDS))
            spent.append(await self.upload())
            await pause
        return quantiles(spent, n=20)[-1] * 1000

    async def upload(self) -> float:
        out, key = BytesIO(), f"uploads/aa/{uuid4().hex}"
        Image.effect_noise((300, 200), 60).save(out, "JPEG")
        await self._uploads.put(key, out.getvalue(), "image/jpeg")
        event = image_registered(image_id=uuid4(), upload_key=key, label="grass")
        started = time.perf_counter()
        await self._publisher.publish([event])
        await asyncio.wait_for(self._outcome_of(event.image_id), 60)
        return time.perf_counter() - started

    async def _outcome_of(self, image_id: UUID) -> None:
        while True:
            for record in await self._outcomes.poll(0.2):
                found = decode(record.topic, record.value)
                if isinstance(found, ImageStored) and found.image_id == image_id:
                    return


@pytest.mark.timeout(240)
async def test_thousands_of_hostile_rows_hold_up_no_upload(
    ingestor: IngestorProcess,
    seeder: Connection,
    event_log: EventLog,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    choice = random.Random(SEED)
    dead = len(await dead_letters_of(event_log, ImageRegistered.topic))
    process = ingestor.pid
    async with (
        any_answers(choice) as port,
        open_object_store(Settings.model_validate(servers.settings("labeler"))) as store,
        event_log.publisher("pappus/jobs") as publisher,
        event_log.reader((ImageStored.topic, ImageRejected.topic)) as outcomes,
    ):
        await outcomes.start_at(await outcomes.end_offsets())
        person = Uploader(store, publisher, outcomes)
        await person.upload()  # the first one opens connections
        before = await person.p95_ms()
        started = time.perf_counter()
        await seeder.execute(INSERT, [url(n, port, choice) for n in range(ROWS)], ["grass"] * ROWS)
        during = await person.p95_ms()
        mark = f"%#{port}"
        waiting = await seeder.fetchval(LEFT, mark)

        async def none_left() -> bool:
            assert ingestor.pid == process, ingestor.output()[-3000:]
            return bool(await seeder.fetchval(LEFT, mark) == 0)

        await eventually(none_left, 200)
        seconds = time.perf_counter() - started
    assert await seeder.fetchval("SELECT count(*) FROM plants_data WHERE url_source LIKE $1", mark) == ROWS
    assert len(await dead_letters_of(event_log, ImageRegistered.topic)) == dead
    assert ingestor.pid == process
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ROWS} hostile rows: all outcomes after {seconds:.0f} s, {waiting} to go after {UPLOADS} uploads; "
            f"p95 of uploads {before:.0f} ms before, {during:.0f} ms meanwhile: ratio {during / before:.2f}\n"
        )
