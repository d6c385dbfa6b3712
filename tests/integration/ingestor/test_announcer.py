"""The announcer on a real table, with a log in memory that fails on demand."""

import asyncio
from uuid import uuid4

import pytest

from pappus.stack import Servers
from services.ingestor.announcer import PUBLISHED_AT_ONCE, ROWS_AT_ONCE, Announcer
from services.ingestor.data.projection import MIGRATIONS, Tables
from services.ingestor.decisions.images import refuse_label
from services.ingestor.precedence import Precedence
from shared.contract.events import ImageRegistered
from shared.contract.label_set import configured
from shared.messaging.tracing import process_span
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy, delay
from shared.tables.database import Database
from shared.tables.projection import Projection
from shared.testing import FixedClock, MemoryEventLog, eventually, image_registered, image_rejected

POLICY = RetryPolicy(first_seconds=5, factor=4, longest_seconds=600, attempts=3)
INSERT = "INSERT INTO plants_data (url_source, label) VALUES ($1, $2)"


class Setting:
    """An announcer, its tables and its log."""

    def __init__(self, tables: Database, policy: RetryPolicy = POLICY) -> None:
        self.tables = tables
        self.policy = policy
        self.event_log = MemoryEventLog()
        self.clock = FixedClock()

    async def announce(self) -> int:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            return await Announcer(self.tables, publisher, self.policy, 2.0, self.clock, Precedence()).announce()

    async def run(self, health: Health) -> None:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await Announcer(self.tables, publisher, self.policy, 30.0, self.clock, Precedence()).run(health)

    async def reject(self, event: ImageRegistered, retryable: bool = True) -> None:
        tables = Tables("pappus", 5)
        async with self.tables.transaction() as transaction:
            await tables.apply_image_registered([event], transaction)
            rejection = image_rejected(
                image_id=event.image_id,
                attempt=event.attempt,
                reason="timeout",
                retryable=retryable,
                occurred_at=self.clock(),
            )
            await tables.apply_image_rejected([rejection], transaction)

    @property
    def announced(self) -> list[ImageRegistered]:
        return self.event_log.events(ImageRegistered)


async def test_each_row_is_announced_once_and_marked(tables: Database) -> None:
    setting = Setting(tables)
    for number in range(3):
        await tables.execute(INSERT, f"http://example.org/{number}.jpg", "grass")
    assert await setting.announce() == 3
    assert await setting.announce() == 0
    assert len({event.event_id for event in setting.announced}) == len(setting.announced) == 3
    marks = await tables.fetch("SELECT image_id, announced_at, attempt FROM plants_data")
    assert {row["image_id"] for row in marks} == {event.image_id for event in setting.announced}
    assert {(row["announced_at"], row["attempt"]) for row in marks} == {(setting.clock(), 1)}


@pytest.mark.parametrize(("although_written", "records"), [(False, 1), (True, 2)])
async def test_an_unacknowledged_row_is_announced_again_as_the_same_event(
    tables: Database, although_written: bool, records: int
) -> None:
    setting = Setting(tables)
    await tables.execute(INSERT, "http://example.org/a.jpg", None)
    setting.event_log.fail_next_publish(although_written=although_written)
    with pytest.raises(TransientError):
        await setting.announce()
    assert await setting.announce() == 1
    assert len(setting.announced) == records
    assert len({event.model_dump_json() for event in setting.announced}) == 1


async def test_only_the_failed_rows_of_a_batch_are_announced_again(tables: Database) -> None:
    setting = Setting(tables)
    for number in range(5):
        await tables.execute(INSERT, f"http://example.org/{number}.jpg", "grass")
    setting.event_log.fail_next_publish()
    with pytest.raises(TransientError):
        await setting.announce()
    assert await setting.announce() == 1
    assert len({event.image_id for event in setting.announced}) == len(setting.announced) == 5


async def test_a_rejection_without_its_registration_waits_for_it(tables: Database) -> None:
    setting = Setting(tables)
    await tables.execute(INSERT, "http://example.org/a.jpg", "grass")
    await setting.announce()
    (event,) = setting.announced
    rejection = image_rejected(image_id=event.image_id, reason="timeout", retryable=True, occurred_at=setting.clock())
    async with tables.transaction() as transaction:
        await Tables("pappus", 5).apply_image_rejected([rejection], transaction)
    setting.clock.move(5)
    assert await setting.announce() == 0
    async with tables.transaction() as transaction:
        await Tables("pappus", 5).apply_image_registered([event], transaction)
    assert await setting.announce() == 1


async def test_a_retryable_rejection_is_announced_until_the_last_attempt(
    tables: Database,
) -> None:
    setting = Setting(tables)
    await tables.execute(INSERT, "http://example.org/a.jpg", "grass")
    await setting.announce()
    for attempt, seconds in ((1, 5), (2, 20)):
        await setting.reject(setting.announced[-1])
        setting.clock.move(seconds - 1)
        assert await setting.announce() == 0
        setting.clock.move(1)
        assert await setting.announce() == 1
        assert await setting.announce() == 0  # the projection has not seen it yet
        assert setting.announced[-1].attempt == attempt + 1
        assert await tables.fetchval("SELECT state FROM plants_data") == "waiting"
    await setting.reject(setting.announced[-1])
    setting.clock.move(10**6)
    assert await setting.announce() == 0
    assert await tables.fetchval("SELECT state FROM plants_data") == "rejected"


@pytest.mark.parametrize(
    "policy",
    [
        RetryPolicy(first_seconds=5, factor=4, longest_seconds=600, attempts=9),
        RetryPolicy(first_seconds=0.3, factor=1, longest_seconds=0.3, attempts=4),
        RetryPolicy(first_seconds=0.7, factor=1.7, longest_seconds=5, attempts=80),
    ],
)
async def test_a_due_image_is_announced_exactly_when_the_policy_says(tables: Database, policy: RetryPolicy) -> None:
    setting = Setting(tables, policy)
    start = setting.clock()
    due = {number: seconds for number in range(1, 81) if (seconds := delay(policy, number)) is not None}
    for number in range(1, 81):
        await setting.reject(image_registered(url=f"http://example.org/{number}.jpg", attempt=number))
    announced: set[int] = set()
    for seconds in sorted(set(due.values())):
        for moment in (seconds - 0.001, seconds):
            setting.clock.move(moment - (setting.clock() - start).total_seconds())
            await setting.announce()
            announced = {event.attempt - 1 for event in setting.announced}
            assert announced == {number for number, wait in due.items() if wait <= moment}
    assert announced == set(due)


async def test_many_that_have_to_wait_do_not_stand_before_one_that_is_due(tables: Database) -> None:
    setting = Setting(tables)
    for _ in range(ROWS_AT_ONCE):
        await setting.reject(image_registered(image_id=uuid4(), upload_key="uploads/a", attempt=2))
    setting.clock.move(1)
    await setting.reject(image_registered(url="http://example.org/due.jpg", attempt=1))
    setting.clock.move(5)
    assert await setting.announce() == 1
    assert setting.announced[0].url == "http://example.org/due.jpg"


async def test_a_final_rejection_is_not_announced_again(tables: Database) -> None:
    setting = Setting(tables)
    await tables.execute(INSERT, "http://example.org/a.jpg", "grass")
    await setting.announce()
    await setting.reject(setting.announced[0], retryable=False)
    setting.clock.move(10**6)
    assert await setting.announce() == 0


@pytest.mark.parametrize("label", ["a" * 201, "é" * 101, "a" * 2_000_000])
async def test_a_label_no_event_could_carry_is_refused_when_the_row_is_put_in(tables: Database, label: str) -> None:
    with pytest.raises(Exception, match="plants_data_label_length"):
        await tables.execute(INSERT, "http://example.org/a.jpg", label)
    await tables.execute(INSERT, "http://example.org/a.jpg", "é" * 100)


async def test_an_older_row_with_a_long_label_is_announced_with_its_beginning(
    tables: Database, servers: Servers
) -> None:
    await tables.execute("ALTER TABLE plants_data DROP CONSTRAINT plants_data_label_length")
    await tables.execute("DELETE FROM migrations WHERE name LIKE '%/0002_label_length.sql'")
    await tables.execute(INSERT, "http://example.org/long.jpg", "😀" * 500_000)
    await tables.execute(INSERT, "http://example.org/good.jpg", "grass")
    await tables.execute(
        "INSERT INTO plants_data (url_source, label, announced_at) VALUES ('http://example.org/old.jpg', $1, now())",
        "b" * 300,
    )
    async with Database.open(servers.database_url("ingestor"), tables.schema, MIGRATIONS):
        setting = Setting(tables)
        assert await setting.announce() == 2
    labels = {event.url: event.label for event in setting.announced}
    assert labels == {"http://example.org/long.jpg": "😀" * 49 + "…", "http://example.org/good.jpg": "grass"}
    refusal = refuse_label(labels["http://example.org/long.jpg"], configured(("dandelion", "grass")))
    assert refusal is not None
    assert (refusal.reason, refusal.retryable) == ("unknown_label", False)
    kept = "SELECT label FROM plants_data WHERE url_source = 'http://example.org/old.jpg'"
    assert await tables.fetchval(kept) == "b" * 300


async def test_a_label_the_log_has_is_shown_however_long_it_is(tables: Database) -> None:
    setting = Setting(tables)
    await setting.reject(image_registered(upload_key="uploads/a", label="b" * 300))
    assert await tables.fetchval("SELECT octet_length(label) FROM plants_data") == 300


async def test_the_trace_a_row_brings_is_continued_and_a_new_one_is_kept(tables: Database) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    setting = Setting(tables)
    await tables.execute(
        "INSERT INTO plants_data (url_source, traceparent) VALUES ('http://example.org/a.jpg', $1)",
        f"00-{trace}-b7ad6b7169203331-01",
    )
    await setting.announce()
    (record,) = setting.event_log.records(ImageRegistered.topic)
    with process_span(record, "test") as span:
        assert f"{span.get_span_context().trace_id:032x}" == trace


async def test_a_new_row_wakes_it_and_of_two_only_one_works(tables: Database) -> None:
    setting, health = Setting(tables), Health()
    running = [asyncio.create_task(setting.run(health)) for _ in range(2)]
    await eventually(lambda: health.ready)
    await tables.execute(INSERT, "http://example.org/a.jpg", "grass")
    await eventually(lambda: setting.announced)  # the poll alone would take 30 s
    await tables.execute(INSERT, "http://example.org/b.jpg", "grass")
    await eventually(lambda: len(setting.announced) > 1)
    assert len(setting.announced) == 2
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_when_the_log_is_away_it_says_so_and_goes_on_when_it_is_back(tables: Database) -> None:
    setting, health = Setting(tables), Health()
    setting.event_log.away = True
    await tables.execute(INSERT, "http://example.org/a.jpg", "grass")
    running = asyncio.create_task(setting.run(health))
    await eventually(lambda: (state := health.state("announcer")) is not None and not state.ok)
    setting.event_log.away = False
    await eventually(lambda: health.ready and setting.announced)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_projection_marks_what_was_published_but_not_marked(tables: Database) -> None:
    setting = Setting(tables)
    await tables.execute(INSERT, "http://example.org/a.jpg", "grass")
    setting.event_log.fail_next_publish(although_written=True)
    with pytest.raises(TransientError):
        await setting.announce()
    projection = Projection(setting.event_log, tables, Tables("pappus", 5).projectors, Health())
    running = asyncio.create_task(projection.run())

    async def marked() -> bool:
        return bool(await tables.fetchval("SELECT announced_at IS NOT NULL FROM plants_data"))

    await eventually(marked)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await setting.announce() == 0


async def test_rows_that_the_projection_holds_are_marked_when_it_lets_them_go(tables: Database) -> None:
    setting = Setting(tables)
    for number in range(3):
        await tables.execute(INSERT, f"http://example.org/{number}.jpg", "grass")
    async with tables.connection() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("SELECT FROM plants_data WHERE url_source = 'http://example.org/1.jpg' FOR UPDATE")
        announcing = asyncio.create_task(setting.announce())

        async def marked() -> list[str]:
            rows = await tables.fetch("SELECT url_source FROM plants_data WHERE announced_at IS NOT NULL ORDER BY id")
            return [row["url_source"] for row in rows]

        await eventually(marked)
        assert await marked() == ["http://example.org/0.jpg", "http://example.org/2.jpg"]
        await holding.rollback()
    assert await announcing == 3
    assert len(await marked()) == 3


async def test_rows_published_by_a_process_that_then_ends_are_the_same_events(tables: Database) -> None:
    setting = Setting(tables)
    for number in range(PUBLISHED_AT_ONCE + 5):
        await tables.execute(INSERT, f"http://example.org/{number}.jpg", "grass")
    async with tables.connection() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("SELECT FROM plants_data FOR UPDATE")
        announcing = asyncio.create_task(setting.announce())
        await eventually(lambda: setting.announced)
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)
        await holding.rollback()
    assert len(setting.announced) == PUBLISHED_AT_ONCE
    assert await setting.announce() == PUBLISHED_AT_ONCE + 5
    assert len(setting.announced) == 2 * PUBLISHED_AT_ONCE + 5
    assert len({event.model_dump_json() for event in setting.announced}) == PUBLISHED_AT_ONCE + 5
    assert await setting.announce() == 0
