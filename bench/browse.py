"""How long do the list of images and the queues of Review take with very many images?

Usage: python -m bench.browse [--images 100000] [--requests 40]

On a PostgreSQL of its own so many images are planted: 12 labels, 20 people, 30 model versions, one in ten reviewed, one
in fifty without a label, one in three in a group of near-duplicates, one in a hundred with the pixels of another.
For Review: 1,000 images that a person left for later, 2,000 that people disagree about, 2,000 labels that the model
leaves out, 5,000 that are doubted, and 1,500 against model and data set. The API runs in the same process, over a log
and a store in memory. Each filter is asked over HTTP and its bare query with EXPLAIN ANALYZE, in turns. Prints p50 and
p95 of both: what is between them is Python, HTTP, the count and the facets. Then names alone: the query with the index
of their parts and without it, in turns, and how many times as long the latter takes; and what it adds to writing rows
of images.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import numpy as np

from pappus.stack import Servers
from pappus.stack.testing import servers_in
from services.labeler.accounts.sessions import issue_token
from services.labeler.api.app import create_app
from services.labeler.commands.label_doubts import PART as LABEL_DOUBTS
from services.labeler.queries.cursors import Cursor
from services.labeler.queries.listed_images import FEW_NAMED, NAMED, facets_query, images_named, page_query
from services.labeler.queries.queue_queries import AskedQueue, QueueContext, queue_query
from services.labeler.queries.review_queues import COUNTED
from services.labeler.settings import MIGRATIONS, SCHEMA, LabelerSettings
from shared.clients.browse import ImageFilter, Sort, list_images
from shared.clients.review import QUEUES, QueueName
from shared.runtime.clock import utc_now
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually

SECRET = "a secret of at least thirty-two bytes"
LIMIT = 60
LIMIT_MS = 150
GROUP = md5(b"99", usedforsecurity=False).hexdigest()
_PLANT = """
CREATE TABLE planted AS
SELECT number, gen_random_uuid() AS image_id, 'label ' || (number::bigint * 7919 % 12) AS label,
       number % 50 = 0 AS unlabelled, number % 10 = 3 AS reviewed,
       'person ' || (number::bigint * 104729 % 20) AS person, random() AS share,
       'label ' || (CASE WHEN number % 13 = 0 THEN number ELSE number::bigint * 7919 END % 12) AS answer,
       '2026-01-01'::timestamptz + number * interval '17 seconds' AS stored_at
FROM generate_series(1, $1) AS number;
"""
_IMAGES = """
INSERT INTO images (image_id, registered_by, registered_label, registered_trust, registered_at, attempt, file_name,
                    stored_by, stored_label, stored_trust, stored_at, sha256, object_key, size_bytes, width, height,
                    image_format, group_id, pixels_sha256, revision, held_revision, corrected_label, corrected_by)
SELECT image_id, person, label, 'claimed', stored_at, 1, 'IMG_' || number || '.jpg',
       person, CASE WHEN NOT unlabelled THEN label END, CASE WHEN number % 3 = 0 THEN 'seed' ELSE 'claimed' END,
       stored_at, md5(number::text) || md5(number::text), 'images/' || number, 50000, 640, 480,
       'jpeg', md5((CASE WHEN number % 3 = 0 THEN number - number % 9 ELSE number END)::text),
       md5((CASE WHEN number % 100 = 0 THEN number - number % 200 ELSE number END)::text),
       reviewed::integer, reviewed::integer, CASE WHEN reviewed THEN label END, CASE WHEN reviewed THEN person END
FROM planted;
"""
_DECISIONS = """
INSERT INTO label_history (event_id, image_id, revision, label_from, label_to, corrected_by, occurred_at, reason,
                           applied, held_revision, held_label)
SELECT gen_random_uuid(), image_id, 1, label, label, person, stored_at, '', true, 1, label FROM planted WHERE reviewed;
"""
_ANSWERS = """
INSERT INTO predictions (image_id, prediction_id, label, probabilities, margin, model_version, occurred_at)
SELECT image_id, gen_random_uuid(), answer,
       jsonb_build_object(answer, 0.5 + share / 2, 'another', 0.5 - share / 2), share, 'full-' || number % 30, stored_at
FROM planted;
"""
_COUNTS = """
INSERT INTO listed_counts
SELECT label, trust, flagged, decided_by, side, disagrees, to_review, count(*) FROM listed_images
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_COPIES = """
INSERT INTO copies_counts SELECT copies, count(*) FROM image_copies WHERE copies <> '{}' GROUP BY copies
"""
_QUEUES = (
    """INSERT INTO skipped SELECT 'anna', image_id, revision, stored_at FROM images ORDER BY image_id LIMIT 1000""",
    """INSERT INTO disputes SELECT image_id, '{label 1,label 2}', '{anna,berta}', stored_at FROM images
       ORDER BY sha256 LIMIT 2000""",
    """INSERT INTO set_aside SELECT image_id, held_revision, 'fast-1', 'It breaks others.', stored_at FROM images
       WHERE held_revision > 0 ORDER BY image_id LIMIT 2000""",
    """UPDATE label_history SET shown_label = 'label 1', label_to = 'label 2', held_label = 'label 2',
              occurred_at = now() - random() * interval '40 days'
       WHERE event_id IN (SELECT event_id FROM label_history JOIN images USING (image_id)
                          WHERE stored_trust = 'seed' AND stored_label <> 'label 2' LIMIT 1500)""",
    """UPDATE label_history SET shown_label = label_to WHERE shown_label IS NULL""",
)
_DOUBTS = """
INSERT INTO label_doubts SELECT image_id, label, 'label 1', confidence FROM listed_images
WHERE label IS NOT NULL ORDER BY image_id DESC LIMIT 5000
"""
"""Planted once the API has looked for them itself: no image has a place."""
ASKED: Sequence[tuple[str, ImageFilter, Sort]] = (
    ("everything", ImageFilter(), "newest"),
    ("everything, doubtful first", ImageFilter(), "doubtful"),
    ("everything, contradicting first", ImageFilter(), "contradicting"),
    ("one label", ImageFilter(label=["label 3"]), "newest"),
    ("a label that no image has", ImageFilter(label=["none"]), "newest"),
    ("one person, reviewed", ImageFilter(by=["person 7"], trust=["reviewed"]), "newest"),
    ("the test side, doubtful first", ImageFilter(split=["test"]), "doubtful"),
    ("the model disagrees", ImageFilter(disagrees=True), "contradicting"),
    ("confidence 0.50 to 0.51", ImageFilter(min_confidence=0.5, max_confidence=0.51), "newest"),
    ("one version", ImageFilter(version=["full-3"]), "newest"),
    ("a name that many have", ImageFilter(name="img_99"), "newest"),
    ("a name that one has", ImageFilter(name="IMG_12345.jpg"), "newest"),
    ("a name that none has", ImageFilter(name="holiday"), "newest"),
    ("a name that all have", ImageFilter(name="img"), "newest"),
    ("two letters that all have", ImageFilter(name="pg"), "newest"),
    ("two letters that none has", ImageFilter(name="qz"), "newest"),
    ("a part of a name, one label", ImageFilter(name="_77", label=["label 3"]), "newest"),
    ("without a label", ImageFilter(flagged=["unlabelled"]), "newest"),
    ("with near-duplicates", ImageFilter(copies=["near"]), "newest"),
    ("with the same pixels", ImageFilter(copies=["same_pixels"]), "newest"),
    ("with the same pixels, one label", ImageFilter(copies=["same_pixels"], label=["label 3"]), "doubtful"),
    ("with the same file, which none has", ImageFilter(copies=["same_bytes"]), "newest"),
    ("one group", ImageFilter(group=GROUP), "newest"),
    ("one day", ImageFilter.model_validate({"since": "2026-01-10", "until": "2026-01-11"}), "newest"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", ("postgres",)) as servers:
            asyncio.run(_measure(servers, arguments.images, arguments.requests))


async def _measure(servers: Servers, images: int, requests: int) -> None:
    url = servers.database_url(SCHEMA)
    async with Database.open(url, SCHEMA, MIGRATIONS) as database:
        await plant(database, images)
        async with asyncio.timeout(600):
            await _ask_all(database, url, requests)


async def plant(database: Database, images: int) -> None:
    """Fill the tables with so many images, and make the user anna."""
    async with database.connection() as connection:
        await connection.execute(_PLANT.replace("$1", str(images)))
        await connection.execute("ALTER TABLE images DISABLE TRIGGER note_copies")
        for statement in (_IMAGES, _DECISIONS, _ANSWERS):
            await connection.execute(statement)
        started = time.perf_counter()
        await connection.execute("ALTER TABLE listed_images DISABLE TRIGGER USER")
        await connection.execute("INSERT INTO listed_images SELECT * FROM images_to_list")
        await connection.execute(_COUNTS)
        await connection.execute("ALTER TABLE listed_images ENABLE TRIGGER USER")
        await connection.execute("ALTER TABLE image_copies DISABLE TRIGGER USER")
        await connection.execute("INSERT INTO image_copies SELECT * FROM copies_to_note")
        await connection.execute(_COPIES)
        await connection.execute("ALTER TABLE image_copies ENABLE TRIGGER USER")
        await connection.execute("ALTER TABLE images ENABLE TRIGGER note_copies")
        print(f"{images:,} images listed in {time.perf_counter() - started:.1f} s")
        for statement in _QUEUES:
            await connection.execute(statement)
        await connection.execute("INSERT INTO users (name, role, password_hash) VALUES ('anna', 'labeler', '')")
        await connection.execute("DROP TABLE planted")
        await connection.execute("ANALYZE")


async def _ask_all(database: Database, url: str, requests: int) -> None:
    values = {"database_url": url, "session_secret": SECRET}
    settings = LabelerSettings.model_validate(values)
    health = Health(needed=("tables",))
    app = create_app(settings, MemoryEventLog(), open_store, health)
    token = issue_token("anna", SECRET, utc_now(), timedelta(hours=1))[0]
    transport, headers = httpx2.ASGITransport(app), {"Authorization": f"Bearer {token}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://labeler", headers=headers, timeout=60) as client,
    ):
        await eventually(lambda: health.ready and "contradict" in str(health.state(LABEL_DOUBTS)), 60)
        await database.execute(_DOUBTS)
        print(f"{'':36}{'API p50':>9}{'p95':>8}{'query p50':>11}{'p95':>8}  ms")
        for what, asked, sort in ASKED:
            params = list_images(asked, sort, limit=LIMIT).params
            query = page_query(asked, sort, None, LIMIT, await _named(database, asked))
            await _take_turns(client, database, what, params, query, requests)
        middle = Cursor(0.5, (await database.fetchval("SELECT image_id FROM listed_images LIMIT 1")), 50_000, 100_000)
        await _print_query(
            database, "a page in the middle", page_query(ImageFilter(), "doubtful", middle, LIMIT), requests
        )
        for what, asked, sort in (ASKED[0], ASKED[3], *ASKED[10:14], *(each for each in ASKED if each[1].copies)):
            params = list_images(asked, sort, limit=LIMIT, facets=True).params
            query = facets_query(asked, await _named(database, asked))
            await _take_turns(client, database, f"{what}, with facets", params, query, requests)
        for queue in QUEUES:
            params = {"limit": 20, "queue": queue} | ({"label": "label 3"} if queue == "filter" else {})
            asked = ImageFilter(label=["label 3"]) if queue == "filter" else ImageFilter()
            bare = _bare_query(queue, asked) if queue != "doubtful" else None
            await _take_turns(client, database, f"review: {queue}", params, bare, requests, "/review")
        await _take_turns(client, database, "review: all queues counted", {}, None, requests, "/review/queues")
        await _compare_names(database, requests)
        await _compare_writes(database, requests)


async def _named(database: Database, asked: ImageFilter) -> list[UUID] | None:
    async with database.transaction() as transaction:
        return await images_named(transaction, asked)


async def _compare_names(database: Database, requests: int) -> None:
    print(f"\n{'':36}{'index p50':>11}{'without':>9}{'times':>8}  ms")
    for what, asked, sort in (each for each in ASKED if each[1].name):
        named = await _named(database, asked)
        looked_up, read = [], []
        for _ in range(requests):
            found = await _bare_ms(database, (NAMED, asked.name, FEW_NAMED + 1))
            looked_up.append(found + await _bare_ms(database, page_query(asked, sort, None, LIMIT, named)))
            read.append(await _bare_ms(database, page_query(asked, sort, None, LIMIT)))
        with_index, without = np.median(looked_up), np.median(read)
        print(f"{what:36}{with_index:>11.1f}{without:>9.1f}{without / with_index:>8.1f}", flush=True)


async def _compare_writes(database: Database, requests: int) -> None:
    """Time what a correction writes to the row of an image, with the index of names and in a transaction without it."""
    write = "UPDATE images SET revision = revision + 1 WHERE image_id IN (SELECT image_id FROM images LIMIT 100)"
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(requests):
        for indexed in taken:
            async with database.connection() as connection:
                transaction = connection.transaction()
                await transaction.start()
                if not indexed:
                    await connection.execute("DROP INDEX images_by_name")
                started = time.perf_counter()
                await connection.execute(write)
                taken[indexed].append((time.perf_counter() - started) * 1000)
                await transaction.rollback()
    with_index, without = np.median(taken[True]), np.median(taken[False])
    print(f"{'100 rows of images written':36}{with_index:>11.1f}{without:>9.1f}{with_index / without:>8.2f}")


def _bare_query(queue: QueueName, asked: ImageFilter) -> tuple[Any, ...]:
    """Return the query of a queue up to the number that is counted, and its arguments."""
    context = QueueContext("anna", utc_now(), utc_now() - timedelta(days=300), [])
    query, arguments = queue_query(AskedQueue(queue, asked), context, [], COUNTED + 1)
    return query, *arguments


@asynccontextmanager
async def open_store() -> AsyncIterator[MemoryObjectStore]:
    """An empty store of objects."""
    yield MemoryObjectStore()


async def _take_turns(
    client: httpx2.AsyncClient,
    database: Database,
    what: str,
    params: Any,
    query: tuple[Any, ...] | None,
    requests: int,
    path: str = "/images",
) -> None:
    asked, bare = [], []
    for _ in range(requests):
        started = time.perf_counter()
        response = await client.get(path, params=params)
        asked.append((time.perf_counter() - started) * 1000)
        assert response.status_code == 200, response.text
        if query is not None:
            bare.append(await _bare_ms(database, query))
    print_times(what, asked, bare)


async def _print_query(database: Database, what: str, query: tuple[Any, ...], requests: int) -> None:
    print_times(what, [], [await _bare_ms(database, query) for _ in range(requests)])


async def _bare_ms(database: Database, query: tuple[Any, ...]) -> float:
    """Return how long PostgreSQL itself takes, planning included."""
    sql, *arguments = query
    rows = await database.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON) {sql}", *arguments)
    times = [
        float(row[0].split(":")[1].split()[0]) for row in rows if row[0].startswith(("Planning Time", "Execution"))
    ]
    return sum(times)


def print_times(what: str, asked: Sequence[float], bare: Sequence[float], width: int = 36) -> None:
    """Print p50 and p95 in milliseconds of requests and of bare queries, and whether requests take too long."""
    columns = []
    for column, found in ((9, asked), (11, bare)):
        p50, p95 = np.quantile(found, [0.5, 0.95]) if found else (np.nan, np.nan)
        columns.append(f"{p50:>{column}.1f}{p95:>8.1f}" if found else f"{'-':>{column}}{'-':>8}")
    over = "  above the limit" if asked and np.quantile(asked, 0.95) > LIMIT_MS else ""
    print(f"{what:{width}}{''.join(columns)}{over}", flush=True)


if __name__ == "__main__":
    main()
