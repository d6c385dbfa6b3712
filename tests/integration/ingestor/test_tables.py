"""The projection's tables, on a real PostgreSQL: any interleaving of the topics, any repetition, one result."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingestor.data.logins import Logins
from services.ingestor.data.projection import Tables
from shared.contract.events import Event, uuid_of
from shared.runtime.errors import InvalidMessage
from shared.tables.database import Database
from shared.tables.postgres import Transaction
from shared.testing import image_registered, image_rejected, image_stored, image_withdrawn, label_corrected
from shared.web.urls import without_login

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
URL = "http://example.org/a.jpg"
ADDRESS, UPLOAD, AWAY, GONE = uuid_of("image", URL), UUID(int=2), UUID(int=3), UUID(int=4)
TABLES = Tables("pappus", 5)


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def history() -> list[list[Event]]:
    """Return what five topics say about an image from the web (stored at the second attempt), an upload (a duplicate),
    an image that is never to be had, and one that is stored and withdrawn."""
    return [
        [
            image_registered(image_id=ADDRESS, url=URL, label="grass", occurred_at=NOON),
            image_registered(image_id=ADDRESS, url=URL, label="grass", occurred_at=later(2), attempt=2),
            image_registered(image_id=UPLOAD, upload_key="uploads/a", label=None, occurred_at=later(3)),
            image_registered(image_id=AWAY, url="http://example.org/b.jpg", occurred_at=NOON),
            image_registered(image_id=AWAY, url="http://example.org/b.jpg", occurred_at=later(2), attempt=2),
            image_registered(image_id=GONE, url="http://example.org/c.jpg", occurred_at=NOON),
        ],
        [
            image_stored(image_id=ADDRESS, sha256="a" * 64, object_key="images/a", occurred_at=later(4)),
            image_stored(image_id=GONE, sha256="c" * 64, object_key="images/c", occurred_at=later(4)),
        ],
        [image_withdrawn(image_id=GONE, sha256="c" * 64, occurred_at=later(6))],
        [
            image_rejected(image_id=ADDRESS, reason="timeout", retryable=True, occurred_at=later(1)),
            image_rejected(image_id=UPLOAD, reason="duplicate", duplicate_of=ADDRESS, occurred_at=later(5)),
            image_rejected(image_id=AWAY, reason="timeout", retryable=True, occurred_at=later(1)),
            image_rejected(image_id=AWAY, reason="not_found", attempt=2, occurred_at=later(3)),
        ],
        [
            label_corrected(image_id=ADDRESS, revision=1, label_to="dandelion", event_id=UUID(int=11)),
            label_corrected(image_id=ADDRESS, revision=1, label_to="grass", event_id=UUID(int=12)),
            label_corrected(image_id=ADDRESS, revision=2, label_to="grass", event_id=UUID(int=13)),
            label_corrected(image_id=UPLOAD, revision=1, label_to="grass", event_id=UUID(int=14)),
            label_corrected(image_id=UPLOAD, revision=2, label_to=None, no_label="withdrawn", event_id=UUID(int=15)),
            label_corrected(image_id=UPLOAD, revision=2, label_to="grass", event_id=UUID(int=16)),
        ],
    ]


def interleaved(topics: list[list[Event]], choice: random.Random) -> list[Event]:
    """Return the events with each topic in its order, but any order between topics; some events come again at any time
    later."""
    left = [list(topic) for topic in topics]
    events: list[Event] = []
    while any(left):
        events.append(choice.choice([topic for topic in left if topic]).pop(0))
        if choice.random() < 0.3:
            events.append(choice.choice(events))
    return events


async def fold(transaction: Transaction, events: Sequence[Event]) -> list[str]:
    """Return all rows after these events, as text."""
    projectors = {projector.event: projector.apply for projector in TABLES.projectors}
    for event in events:
        await projectors[type(event)](event, transaction)
    return await rows_of(transaction)


async def fold_together(transaction: Transaction, events: Sequence[Event], choice: random.Random) -> list[str]:
    """Return all rows after these events, cut into batches, of which each topic is applied at once."""
    projectors = {projector.event: projector for projector in TABLES.projectors}
    left = list(events)
    while left:
        size = choice.randint(1, 8)
        batch, left = sorted(left[:size], key=lambda event: event.topic), left[size:]
        for topic, found in groupby(batch, type):
            apply_together = projectors[topic].apply_together
            if apply_together is not None:
                await apply_together(list(found), transaction)
            else:
                await fold(transaction, list(found))
    return await rows_of(transaction)


async def rows_of(transaction: Transaction) -> list[str]:
    rows = await transaction.fetch(
        """SELECT i::text AS row FROM images i UNION ALL SELECT p::text FROM plants_data p
           UNION ALL SELECT l::text FROM ledger l UNION ALL SELECT t::text FROM tombstones t ORDER BY 1"""
    )
    return [row["row"] for row in rows]


async def folded_and_forgotten(
    tables: Database, events: Sequence[Event], together: random.Random | None = None
) -> list[str]:
    class Forget(Exception):
        pass

    found: list[str] = []
    try:
        async with tables.transaction() as transaction:
            if together is None:
                found = await fold(transaction, events)
            else:
                found = await fold_together(transaction, events, together)
            raise Forget
    except Forget:
        return found


@pytest.mark.parametrize("together", [False, True])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.randoms(use_true_random=False))
async def test_any_interleaving_repetition_and_batching_gives_the_same_tables(
    tables: Database, together: bool, choice: random.Random
) -> None:
    in_order = [event for topic in history() for event in topic]
    events = interleaved(history(), choice)
    found = await folded_and_forgotten(tables, events, choice if together else None)
    assert found == await folded_and_forgotten(tables, in_order)


async def test_plants_data_shows_the_outcome(tables: Database) -> None:
    async with tables.transaction() as transaction:
        await fold(transaction, [event for topic in history() for event in topic])
    stored = await tables.fetchrow("SELECT * FROM plants_data WHERE url_source = $1", URL)
    upload = await tables.fetchrow("SELECT * FROM plants_data WHERE url_source = $1", f"upload:{UPLOAD}")
    assert stored is not None
    assert upload is not None
    assert (stored["state"], stored["url_s3"], stored["attempt"]) == ("stored", "s3://pappus/images/a", 2)
    assert (stored["label"], stored["revision"], stored["reason"]) == ("grass", 2, None)
    assert (upload["state"], upload["reason"], upload["duplicate_of"]) == ("rejected", "duplicate", ADDRESS)
    assert (upload["label"], upload["revision"], upload["announced_at"]) == (None, 2, later(3))
    gone = await tables.fetchrow("SELECT * FROM plants_data WHERE image_id = $1", GONE)
    assert gone is not None
    assert (gone["state"], gone["url_s3"], gone["will_retry"]) == ("withdrawn", None, False)
    assert (gone["reason"], gone["detail"]) == ("withdrawn", "Withdrawn by olga: The owner asks for it.")


async def test_a_rejection_that_may_pass_says_whether_it_is_tried_again(tables: Database) -> None:
    shown = []
    for attempt in (4, 5):
        async with tables.transaction() as transaction:
            registered = image_registered(image_id=ADDRESS, url=URL, attempt=attempt)
            rejected = image_rejected(image_id=ADDRESS, reason="http_error", retryable=True, attempt=attempt)
            for events in ([registered], [rejected]):
                await fold(transaction, events)
                shown.append(await transaction.fetchval("SELECT will_retry FROM plants_data"))
    assert shown == [False, True, False, False]


async def test_a_row_somebody_put_in_keeps_its_id_and_marks(tables: Database) -> None:
    await tables.execute("INSERT INTO plants_data (url_source, label) VALUES ($1, 'grass')", URL)
    before = await tables.fetchrow("SELECT id, created_at FROM plants_data")
    async with tables.transaction() as transaction:
        await fold(transaction, history()[0][:1])
    after = await tables.fetchrow("SELECT id, created_at FROM plants_data")
    assert after == before
    assert await tables.fetchval("SELECT announced_at FROM plants_data") == NOON


LOGINS = {
    "http://user:secret@h/a@b.jpg": ("http://h/a@b.jpg", "user:secret"),
    " HTTPS://u@x:y@h:80/": (" HTTPS://h:80/", "u@x:y"),
    "http://user:a/b?c@h/": ("http://h/", "user:a/b?c"),
    "ftp:user:secret@h": ("ftp:h", "user:secret"),
    "http:\\\\user:secret@h\\x": ("http:\\\\h\\x", "user:secret"),
    "http://@h/": ("http://h/", None),
    "http://[::1]:80/x@y": ("http://[::1]:80/x@y", None),
    "http://h:80/x@y": ("http://h:80/x@y", None),
    "http://h/?q=a:b@c": ("http://h/?q=a:b@c", None),
    "upload:1": ("upload:1", None),
    "\n": ("\n", None),
}


@pytest.mark.parametrize("url", LOGINS, ids=range(len(LOGINS)))
async def test_the_schema_takes_the_login_out_as_the_program_does(tables: Database, url: str) -> None:
    row = await tables.fetchrow("SELECT url_without_login($1) AS url, login_of($1) AS login", url)
    assert row is not None
    assert (row["url"], row["login"]) == LOGINS[url]
    assert without_login(url) == LOGINS[url][0]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("ab:/@?#\\[]%1 \n.é", max_size=12).map("http://{}".format) | st.text("a:/@?#\\1", max_size=12))
async def test_schema_and_program_agree_about_every_text(tables: Database, url: str) -> None:
    assert await tables.fetchval("SELECT url_without_login($1)", url) == without_login(url)


async def test_a_login_is_known_until_the_last_outcome_of_its_row(tables: Database) -> None:
    given = URL.replace("//", "//user:secret@")
    insert = "INSERT INTO plants_data (url_source) VALUES ($1) ON CONFLICT DO NOTHING"
    await tables.execute(insert, given)
    known, logins = [await Logins(tables).of(URL)], Logins(tables)
    for event in (
        image_registered(image_id=ADDRESS, url=given, occurred_at=NOON),
        image_rejected(image_id=ADDRESS, reason="timeout", retryable=True),
        image_registered(image_id=ADDRESS, url=URL, occurred_at=NOON, attempt=2),
        image_stored(image_id=ADDRESS),
    ):
        async with tables.transaction() as transaction:
            await fold(transaction, [event])
        known.append(await logins.of(URL))
    await tables.execute(insert, given)
    assert [*known, await logins.of(URL)] == ["user:secret"] * 4 + [None, None]
    assert "secret" not in str(await tables.fetch("SELECT * FROM plants_data, images, ledger"))


async def test_a_url_that_is_too_long_for_a_row_is_invalid(tables: Database) -> None:
    event = image_registered(url="http://example.org/" + "a" * 2000)
    with pytest.raises(InvalidMessage):
        await folded_and_forgotten(tables, [event])
