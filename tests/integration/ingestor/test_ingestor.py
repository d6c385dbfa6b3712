"""From an INSERT to verified bytes, with real Kafka, PostgreSQL, S3 and web server."""

import asyncio
import signal
from functools import partial
from uuid import uuid4

import pytest

from pappus.stack import Servers
from services.ingestor.data.projection import MIGRATIONS, SCHEMA
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, LabelCorrected
from shared.messaging.event_log import EventLog
from shared.runtime.errors import InvalidMessage
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.postgres import Connection, Row, connector
from shared.tables.replay import canonical_dump
from shared.testing import eventually, image_registered, label_corrected, read_all
from tests.integration.ingestor.hostile import HostileServer, picture
from tests.integration.ingestor.running import IngestorProcess, dead_letters_of, events_of

INSERT = "INSERT INTO plants_data (url_source, label) VALUES ($1, $2) ON CONFLICT (url_source) DO NOTHING"
LOOK = "SELECT * FROM plants_data WHERE url_source = $1"
pytestmark = pytest.mark.timeout(120)


async def finished(seeder: Connection, url: str, timeout_seconds: float = 20.0) -> Row:
    """Return the row, once nothing more will happen to it."""

    async def look() -> Row | None:
        row = await seeder.fetchrow(LOOK, url)
        return row if row is not None and row["state"] != "waiting" and not row["will_retry"] else None

    row = await eventually(look, timeout_seconds)
    assert row is not None
    return row


async def announced(seeder: Connection, row: Row) -> Row:
    """Return the row, once the announcer has written down that it was announced: often the last that happens to it."""

    async def look() -> Row | None:
        found = await seeder.fetchrow(LOOK, row["url_source"])
        return found if found is not None and found["traceparent"] is not None else None

    marked = await eventually(look)
    assert marked is not None
    return marked


async def test_each_bad_input_ends_in_its_outcome(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection
) -> None:
    here = {
        "404": "not_found",
        "html.jpg": "not_an_image",
        "truncated.jpg": "truncated",
        "empty.jpg": "empty",
        "stream.jpg": "too_large",
        "declared.jpg": "too_large",
        "bomb.png": "too_many_pixels",
        "picture.tiff": "unsupported_format",
        "hop/9": "too_many_redirects",
        "to?url=http://169.254.169.254/latest": "address_forbidden",
        "to?url=http://127.0.0.2/": "address_forbidden",
        "to?url=file:///etc/passwd": "address_forbidden",
    }
    elsewhere = (
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.jpg",
        "http://localhost/a.jpg",
        "http://[::1]/a.jpg",
        "no url",
    )
    expected = {
        **{hostile.url(path): reason for path, reason in here.items()},
        **{f"{url}?{hostile.port}": "address_forbidden" for url in elsewhere},
    }
    await seeder.executemany(INSERT, [(url, "grass") for url in expected])
    found = {url: await finished(seeder, url) for url in expected}
    assert {url: row["reason"] for url, row in found.items()} == expected
    assert all(row["detail"] and row["url_s3"] is None and row["attempt"] == 1 for row in found.values())


async def test_an_unknown_label_is_rejected_without_a_download(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection
) -> None:
    await seeder.execute(INSERT, hostile.url("rose.jpg"), "rose")
    assert (await finished(seeder, hostile.url("rose.jpg")))["reason"] == "unknown_label"
    assert not hostile.requests


async def test_good_images_are_stored_as_they_came(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, servers: Servers
) -> None:
    sizes = {"good.jpg": (60, 40), "cmyk.jpg": (60, 40), "rotated.jpg": (40, 60), "animated.gif": (8, 8)}
    await seeder.executemany(INSERT, [(hostile.url(name), "grass") for name in sizes])
    async with open_object_store(Settings.model_validate(servers.settings("ingestor"))) as store:
        for name, size in sizes.items():
            row = await finished(seeder, hostile.url(name))
            assert (row["state"], row["width"], row["height"]) == ("stored", *size)
            key = row["url_s3"].removeprefix("s3://pappus/")
            assert key == f"images/sha256/{row['sha256'][:2]}/{row['sha256']}"
            assert await store.get(key) == hostile.bodies[name]


async def test_a_server_that_recovers_is_forgiven_at_the_next_attempt(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection
) -> None:
    await seeder.execute(INSERT, hostile.url("flaky.png"), None)

    async def stored() -> Row | None:
        row = await seeder.fetchrow(LOOK, hostile.url("flaky.png"))
        return row if row is not None and row["state"] == "stored" else None

    row = await eventually(stored)
    assert row is not None
    assert (row["attempt"], row["reason"], hostile.requests["flaky.png"]) == (2, None, 2)


@pytest.mark.parametrize(
    ("path", "reason"), [("slow.jpg", "timeout"), ("500", "http_error"), ("broken.jpg", "unreachable")]
)
async def test_a_retryable_image_is_announced_until_the_last_attempt(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, path: str, reason: str
) -> None:
    url = hostile.url(path)
    await seeder.execute(INSERT, url, "grass")
    row = await finished(seeder, url)
    assert (row["state"], row["reason"], row["attempt"]) == ("rejected", reason, 2)
    assert hostile.requests[path] == 2


async def test_the_second_url_with_the_same_bytes_is_a_duplicate(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection
) -> None:
    await seeder.execute(INSERT, hostile.url("first.jpg"), "grass")
    first = await finished(seeder, hostile.url("first.jpg"))
    await seeder.execute(INSERT, hostile.url("second.jpg"), "grass")
    second = await finished(seeder, hostile.url("second.jpg"))
    assert (second["reason"], second["duplicate_of"]) == ("duplicate", first["image_id"])


async def test_rows_inserted_one_after_the_other_are_each_stored(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection
) -> None:
    for number in range(20):
        url = hostile.url(f"many/{number}.png")
        await seeder.execute(INSERT, url, "grass")
        assert (await finished(seeder, url))["state"] == "stored"


async def test_seeding_again_changes_nothing(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog
) -> None:
    urls = [hostile.url(f"many/seed-{number}.png") for number in range(40)]
    await seeder.executemany(INSERT, [(url, "grass") for url in urls])
    before = [await announced(seeder, await finished(seeder, url)) for url in urls]
    ends = await event_log.end_offsets([ImageRegistered.topic, ImageStored.topic, ImageRejected.topic])
    rows = await seeder.fetchval("SELECT count(*) FROM plants_data")
    await seeder.executemany(INSERT, [(url, "grass") for url in urls])
    await seeder.execute(INSERT, hostile.url("many/last.png"), "grass")  # announced after all that stood before it
    await finished(seeder, hostile.url("many/last.png"))
    assert [await seeder.fetchrow(LOOK, url) for url in urls] == before
    assert await seeder.fetchval("SELECT count(*) FROM plants_data") == rows + 1
    after = await event_log.end_offsets([ImageRegistered.topic, ImageStored.topic, ImageRejected.topic])
    assert sum(after.values()) == sum(ends.values()) + 2
    assert hostile.requests["many"] == 41


async def test_the_seeder_may_put_rows_in_and_look_and_nothing_else(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection
) -> None:
    await seeder.execute(INSERT, hostile.url("good.jpg"), "grass")
    row = await finished(seeder, hostile.url("good.jpg"))
    assert row["registered_by"] == "seeder"
    for forbidden in (
        "UPDATE plants_data SET url_s3 = 'x'",
        "DELETE FROM plants_data",
        "INSERT INTO plants_data (url_source, url_s3) VALUES ('http://a', 'x')",
        "SELECT * FROM ledger",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await seeder.execute(forbidden)


async def test_a_password_in_a_url_is_used_and_kept_nowhere(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog, servers: Servers
) -> None:
    urls = [hostile.url("good.jpg"), hostile.url("500"), hostile.url("404")]
    given = [url.replace("http://", "http://user:s%33cret@") for url in urls]
    await seeder.executemany(INSERT, [(url, "grass") for url in given])
    await seeder.executemany(INSERT, [(url, "grass") for url in given])
    found = [await finished(seeder, url) for url in urls]
    assert [row["reason"] for row in found] == [None, "http_error", "not_found"]
    assert hostile.logins == ["Basic dXNlcjpzM2NyZXQ="] * 4  # 500 is asked twice
    with pytest.raises(Exception, match="permission denied"):
        await seeder.execute("SELECT * FROM url_logins")
    async with Database.open(servers.database_url("ingestor"), SCHEMA, MIGRATIONS) as database:
        texts = [str(await canonical_dump(database))]
    topics = [event.topic for event in (ImageRegistered, ImageStored, ImageRejected)]
    texts += [(record.value or b"").decode() for record in await read_all(event_log, topics)]
    texts.append(ingestor.output())
    assert not [text for text in texts if "cret" in text]


@pytest.mark.parametrize("number", range(2))
async def test_twenty_bad_rows_in_a_row_stop_nothing(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog, number: int
) -> None:
    before = len(await dead_letters_of(event_log, ImageRegistered.topic))
    long_label = f"{'a' * 64}{hostile.port}.example"
    rows = [[f"http://{long_label}/{n}.jpg" for n in range(25)], [hostile.url(f"long/{n}.jpg") for n in range(25)]]
    await seeder.executemany(INSERT, [(url, "grass") for url in rows[number]])
    found = [await finished(seeder, url) for url in rows[number]]
    assert {row["reason"] for row in found} == {"address_forbidden"}
    assert all("is not a URL that can be fetched" in row["detail"] for row in found)
    assert len(await dead_letters_of(event_log, ImageRegistered.topic)) == before


@pytest.mark.parametrize("url", ["", "http://h/" + "a" * 2000, "http://u:p@h/" + "a" * 2_000_000])
async def test_a_row_without_a_url_or_with_a_huge_one_is_refused(
    ingestor: IngestorProcess, seeder: Connection, url: str
) -> None:
    with pytest.raises(Exception, match="violates check constraint"):
        await seeder.execute(INSERT, url, "grass")


async def test_rows_that_are_hardly_text_each_have_an_outcome(ingestor: IngestorProcess, seeder: Connection) -> None:
    rows = [
        "\x01\x02",
        " ",
        "\n",
        "http://h\x7f/",
        "\u202ehttp://h/",
        "\ufffe",
        "😀" * 400,
        "http://😀/",
        "http://h/\x1b[2J",
        "@",
        "://",
    ]
    urls = [f"{text}{uuid4().hex}" for text in rows]
    await seeder.executemany(INSERT, [(url, None) for url in urls])
    for url in urls:
        row = await finished(seeder, url.removeprefix("@"))
        assert row["reason"] in ("address_forbidden", "unreachable"), url
        assert row["detail"].isprintable()


async def test_an_upload_gets_a_row_that_is_born_announced(
    ingestor: IngestorProcess, seeder: Connection, servers: Servers, event_log: EventLog
) -> None:
    key = f"uploads/aa/{uuid4().hex}"
    event = image_registered(upload_key=key, label="grass", registered_by="ann")
    async with (
        open_object_store(Settings.model_validate(servers.settings("labeler"))) as uploads,
        event_log.publisher("pappus/jobs") as publisher,
    ):
        await uploads.put(key, picture(), "image/jpeg")
        await publisher.publish([event])
    row = await finished(seeder, f"upload:{event.image_id}")
    assert (row["state"], row["registered_by"], row["attempt"]) == ("stored", "ann", 1)
    assert row["announced_at"] == event.occurred_at


async def test_a_correction_changes_the_label_that_is_shown_once(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog
) -> None:
    url = hostile.url("good.jpg")
    await seeder.execute(INSERT, url, "grass")
    image_id = (await finished(seeder, url))["image_id"]
    first = label_corrected(image_id=image_id, label_to="dandelion", revision=1, event_id=uuid4())
    late = label_corrected(image_id=image_id, label_to="grass", revision=1, event_id=uuid4())
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([first, late, first])

    async def corrected() -> bool:
        row = await seeder.fetchrow(LOOK, url)
        return row is not None and row["revision"] == 1

    await eventually(corrected)
    row = await seeder.fetchrow(LOOK, url)
    assert row is not None
    assert row["label"] == "dandelion"


async def test_unreadable_records_become_dead_letters(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog, servers: Servers
) -> None:
    nothing = image_registered(url=None)
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([nothing])
    await seeder.execute(INSERT, hostile.url("good.jpg"), "grass")
    assert (await finished(seeder, hostile.url("good.jpg")))["state"] == "stored"

    async def dead_letters() -> list[DeadLetter]:
        return [
            dead_letter
            for dead_letter in await dead_letters_of(event_log, ImageRegistered.topic)
            if dead_letter.key == nothing.key
        ]

    (dead_letter,) = await eventually(dead_letters)
    assert (dead_letter.error, dead_letter.handler) == (InvalidMessage.__name__, "ingestor-fetcher")


async def test_killed_again_and_again_it_loses_nothing_and_decides_nothing_twice(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog
) -> None:
    urls = [hostile.url(f"many/kill-{number}.png") for number in range(90)]
    for part in range(3):
        await seeder.executemany(INSERT, [(url, "grass") for url in urls[part * 30 : part * 30 + 30]])
        await eventually(partial(requested, hostile, hostile.requests["many"] + 5), 60)
        ingestor.end(signal.SIGKILL)
        ingestor.start()
    rows = [await finished(seeder, url, timeout_seconds=60) for url in urls]
    assert {row["state"] for row in rows} == {"stored"}
    ours = {row["image_id"] for row in rows}
    stored = [event for event in await events_of(event_log, ImageStored) if event.image_id in ours]
    assert {event.image_id for event in stored} == ours
    assert len({event.model_dump_json() for event in stored}) == len(urls)  # repeated perhaps, but never different
    assert not [event for event in await events_of(event_log, ImageRejected) if event.image_id in ours]


def requested(hostile: HostileServer, at_least: int) -> bool:
    """Return whether the ingestor has come for so many pictures."""
    return hostile.requests["many"] >= at_least


async def test_a_replay_gives_the_same_tables_and_publishes_nothing(
    ingestor: IngestorProcess, hostile: HostileServer, seeder: Connection, event_log: EventLog, servers: Servers
) -> None:
    await seeder.execute(INSERT, hostile.url("good.jpg"), "grass")
    await announced(seeder, await finished(seeder, hostile.url("good.jpg")))
    topics = [event.topic for event in (ImageRegistered, ImageStored, ImageRejected, LabelCorrected)]
    ends = await event_log.end_offsets(topics)
    async with Database.open(servers.database_url("ingestor"), SCHEMA, MIGRATIONS) as database:
        before = await canonical_dump(database)
        await asyncio.to_thread(ingestor.replay)
        assert await canonical_dump(database) == before
    assert await event_log.end_offsets(topics) == ends
    again = await connector(servers.database_url("seeder"), "ingestor")()  # the old one's plans are void
    await again.execute(INSERT, hostile.url("cmyk.jpg"), "grass")
    assert (await finished(again, hostile.url("cmyk.jpg")))["state"] == "stored"
    await again.close()


async def test_it_ends_in_good_order_when_asked(ingestor: IngestorProcess) -> None:
    assert ingestor.end(signal.SIGTERM) == 0
    ingestor.start()
    ingestor.wait_until_ready()
