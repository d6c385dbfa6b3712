"""What the fetcher publishes for a registered image."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from services.ingestor.decisions.groups import Grouped
from services.ingestor.decisions.images import Acceptance, AcceptedImage
from services.ingestor.decisions.outcomes import Outcome, duplicate, rejected, rejected_id, stored, stored_id
from services.ingestor.decisions.withdrawn import WithdrawnBytes
from services.ingestor.handlers import GROUP, UPLOADS_GROUP, Fetcher
from services.ingestor.precedence import Precedence
from shared.contract.events import Event, ImageRegistered, ImageRejected, ImageStored
from shared.contract.label_set import LabelClass, LabelSet
from shared.runtime.errors import InvalidMessage, TransientError
from shared.runtime.health import Health
from shared.runtime.process import run_parts
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually, image_registered
from shared.web.rejection import Rejection

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ACCEPTANCE = Acceptance(maximum_bytes=10_000)
URL = "http://example.org/a.png"
DOWNLOADS_AT_ONCE = 16


def png(colour: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 6), (colour, 90, 30)).save(out, "PNG")
    return out.getvalue()


class Classes:
    """The classes: those of the configuration, and one that people have given another name."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def including(self, text: str | None) -> LabelSet:
        self.asked.append(text)
        grass = LabelClass(id="grass", name="lawn", former=("turf",))
        return LabelSet((LabelClass(id="dandelion", name="dandelion"), grass), 2)


class Web:
    """URLs and what they answer: bytes, or a rejection."""

    def __init__(self, pages: dict[str, bytes | Rejection]) -> None:
        self.pages = pages
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> bytes | Rejection:
        self.fetched.append(url)
        return self.pages[url]


class MemoryDecisions:
    """A ledger in memory; each image is a group of its own."""

    def __init__(self) -> None:
        self.outcomes: dict[UUID, Outcome] = {}
        self.withdrawn: set[str] = set()
        self.withdrawn_later: set[str] = set()
        """Withdrawn once a fetcher has looked at these bytes."""

    async def refusal(self, event: ImageRegistered, sha256: str | None = None) -> Rejection | None:
        found = Rejection("withdrawn", "olga withdrew it.") if sha256 in self.withdrawn else None
        self.withdrawn |= self.withdrawn_later & {sha256}
        return found

    async def outcome(self, event: ImageRegistered) -> Outcome | None:
        known = self.outcomes.get(stored_id(event.image_id))
        return known or self.outcomes.get(rejected_id(event.image_id, event.attempt))

    async def holds(self, sha256: str) -> bool:
        return any(isinstance(o, ImageStored) and o.sha256 == sha256 for o in self.outcomes.values())

    async def store(self, event: ImageRegistered, image: AcceptedImage) -> Outcome:
        if image.sha256 in self.withdrawn:
            raise WithdrawnBytes(Rejection("withdrawn", "olga withdrew it."))
        held = [o for o in self.outcomes.values() if isinstance(o, ImageStored) and o.sha256 == image.sha256]
        if held:
            return await self.reject(event, duplicate(held[0].image_id))
        outcome = stored(event, image, Grouped(str(event.image_id)), NOW)
        return self.outcomes.setdefault(outcome.event_id, outcome)

    async def reject(self, event: ImageRegistered, rejection: Rejection) -> Outcome:
        outcome = rejected(event, rejection, NOW)
        return self.outcomes.setdefault(outcome.event_id, outcome)


class Setting:
    """A fetcher and its world."""

    def __init__(self, pages: dict[str, bytes | Rejection], web: Web | None = None) -> None:
        self.web = web if web is not None else Web(pages)
        self.store = MemoryObjectStore()
        self.decisions = MemoryDecisions()
        self.fetcher = Fetcher(self.web, self.store, self.decisions, ACCEPTANCE, Precedence(), Classes())

    @asynccontextmanager
    async def running(self, event_log: MemoryEventLog) -> AsyncIterator[None]:
        """Run both groups during the block."""
        health = Health()
        parts = self.fetcher.parts(event_log, health, "fetcher-under-test", DOWNLOADS_AT_ONCE)
        running = asyncio.create_task(run_parts(health, **parts))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def handled(self, event: ImageRegistered) -> list[Event]:
        """Return what both groups publish."""
        return [*await self.fetcher.on_image_registered(event), *await self.fetcher.on_upload_registered(event)]

    async def stored(self, event: ImageRegistered) -> ImageStored:
        (outcome,) = await self.handled(event)
        assert isinstance(outcome, ImageStored)
        return outcome

    async def rejected(self, event: ImageRegistered) -> ImageRejected:
        (outcome,) = await self.handled(event)
        assert isinstance(outcome, ImageRejected)
        return outcome


def registered(image: int = 1, **changes: Any) -> ImageRegistered:
    source: dict[str, Any] = {"url": URL, "upload_key": None, "label": "grass", "trust": "seed", "attempt": 1}
    return image_registered(**{**source, "image_id": UUID(int=image), **changes})


async def test_a_good_image_is_stored_as_it_came_and_says_whose_it_is() -> None:
    data = png(1)
    setting = Setting({URL: data})
    event = registered(registered_by="ann")
    outcome = await setting.stored(event)
    digest = hashlib.sha256(data).hexdigest()
    assert outcome.object_key == f"images/sha256/{digest[:2]}/{digest}"
    assert await setting.store.get(outcome.object_key) == data
    assert (outcome.sha256, outcome.width, outcome.height, outcome.image_format) == (digest, 8, 6, "PNG")
    assert (outcome.label, outcome.trust, outcome.registered_by, outcome.source_url) == ("grass", "seed", "ann", URL)
    assert outcome.causes == (event.event_id,)


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_bytes_that_were_withdrawn_are_rejected_and_leave_no_object(meanwhile: bool) -> None:
    """Also if the person withdraws them between the look and the decision: `meanwhile`."""
    data = png(1)
    setting, digest = Setting({URL: data}), hashlib.sha256(data).hexdigest()
    (setting.decisions.withdrawn_later if meanwhile else setting.decisions.withdrawn).add(digest)
    outcome = await setting.rejected(registered())
    assert (outcome.reason, outcome.detail, outcome.retryable) == ("withdrawn", "olga withdrew it.", False)
    assert setting.store.objects == {}


async def test_a_repetition_publishes_the_same_event_and_fetches_nothing() -> None:
    setting = Setting({URL: png(1)})
    first = await setting.stored(registered())
    setting.web.pages[URL] = png(2)
    assert await setting.stored(registered()) == first
    assert setting.web.fetched == [URL]


async def test_a_repeated_rejection_stays_and_the_next_attempt_fetches_again() -> None:
    setting = Setting({URL: Rejection("http_error", "500", retryable=True)})
    first = await setting.rejected(registered())
    setting.web.pages[URL] = png(1)
    assert await setting.rejected(registered()) == first
    assert (await setting.stored(registered(attempt=2))).image_id == first.image_id


async def test_a_stored_image_is_not_looked_at_again_at_a_later_attempt() -> None:
    setting = Setting({URL: png(1)})
    first = await setting.stored(registered())
    assert await setting.stored(registered(attempt=2)) == first


async def test_an_unknown_label_is_rejected_before_anything_is_downloaded() -> None:
    setting = Setting({URL: png(1)})
    assert (await setting.rejected(registered(label="rose"))).reason == "unknown_label"
    assert setting.web.fetched == []


@pytest.mark.parametrize("said", ["grass", "lawn", "turf"])
async def test_an_image_is_stored_under_the_label_of_its_class_by_any_name(said: str) -> None:
    setting = Setting({URL: png(1)})
    assert (await setting.stored(registered(label=said))).label == "grass"


async def test_the_second_image_with_the_same_bytes_is_a_duplicate_of_the_first() -> None:
    setting = Setting({URL: png(1), "http://example.org/b.png": png(1)})
    first = await setting.stored(registered(1))
    second = await setting.rejected(registered(2, url="http://example.org/b.png"))
    assert (second.reason, second.duplicate_of, second.retryable) == ("duplicate", first.image_id, False)
    assert await setting.store.keys("images/") == [first.object_key]


async def test_the_store_is_asked_only_about_bytes_that_another_image_holds() -> None:
    setting, asked = Setting({URL: png(1), "http://example.org/b.png": png(1)}), list[str]()

    class Asked(MemoryObjectStore):
        async def exists(self, key: str) -> bool:
            asked.append(key)
            return await super().exists(key)

    store = Asked()
    fetcher = Fetcher(setting.web, store, setting.decisions, ACCEPTANCE, Precedence(), Classes())
    (first,) = await fetcher.on_image_registered(registered(1))
    assert isinstance(first, ImageStored)
    assert asked == []
    del store.objects[first.object_key]  # lost, as after an older backup
    (second,) = await fetcher.on_image_registered(registered(2, url="http://example.org/b.png"))
    assert isinstance(second, ImageRejected)
    assert asked == [first.object_key]
    assert await store.get(first.object_key) == png(1)


async def test_pictures_that_never_come_stop_no_others() -> None:
    class Hanging(Web):
        async def fetch(self, url: str) -> bytes | Rejection:
            if url.endswith("silent"):
                await asyncio.get_running_loop().create_future()
            return png(int(url.rpartition("?")[2]))

    setting, event_log = Setting({}, Hanging({})), MemoryEventLog()
    silent = [registered(1000 + number, url=f"{URL}?{number}/silent") for number in range(DOWNLOADS_AT_ONCE - 1)]
    rows = [registered(number, url=f"{URL}?{number}") for number in range(1, 101)]
    async with event_log.publisher("pappus/jobs") as publisher, setting.running(event_log):
        await publisher.publish([*silent, *rows])
        await eventually(lambda: len(event_log.events(ImageStored)) == len(rows))
    assert {event.image_id for event in event_log.events(ImageStored)} == {row.image_id for row in rows}


async def test_a_failed_download_keeps_its_reason() -> None:
    setting = Setting({URL: Rejection("timeout", "too slow", retryable=True)})
    outcome = await setting.rejected(registered(attempt=3))
    assert (outcome.reason, outcome.detail, outcome.retryable, outcome.attempt) == ("timeout", "too slow", True, 3)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"<html>", "not_an_image"), (bytes(10_001), "too_large")]
)
async def test_bytes_that_are_no_image_leave_nothing_in_the_store(data: bytes, reason: str) -> None:
    setting = Setting({URL: data})
    assert (await setting.rejected(registered())).reason == reason
    assert await setting.store.keys("") == []


async def test_an_upload_is_read_from_the_object_store() -> None:
    setting = Setting({})
    await setting.store.put("uploads/aa/aa", png(3))
    outcome = await setting.stored(registered(url=None, upload_key="uploads/aa/aa", label=None, trust="claimed"))
    assert (outcome.source_url, outcome.label) == (None, None)
    assert await setting.store.get(outcome.object_key) == png(3)


async def test_an_upload_whose_bytes_are_not_there_may_come_later() -> None:
    outcome = await Setting({}).rejected(registered(url=None, upload_key="uploads/aa/aa"))
    assert (outcome.reason, outcome.retryable) == ("upload_missing", True)


async def test_a_deleted_upload_is_read_from_the_image_that_holds_its_bytes() -> None:
    """Its registration comes again, and the ledger is lost: it is stored again, and a second one is a duplicate."""
    data = png(3)
    digest = hashlib.sha256(data).hexdigest()
    setting, key = Setting({}), f"uploads/{digest[:2]}/{digest}"
    await setting.store.put(key, data)
    upload = {"url": None, "upload_key": key, "label": None, "trust": "claimed"}
    first = await setting.stored(registered(1, **upload))
    await setting.store.delete(key)
    assert await setting.stored(registered(1, **upload)) == first
    setting.decisions.outcomes.clear()
    assert await setting.stored(registered(1, **upload)) == first
    assert (await setting.rejected(registered(2, **upload))).duplicate_of == first.image_id
    setting.store.objects[first.object_key] = b"damaged"
    assert (await setting.rejected(registered(3, **upload))).reason == "upload_missing"


async def test_an_upload_that_is_too_large_is_rejected() -> None:
    setting = Setting({})
    await setting.store.put("uploads/aa/aa", bytes(10_001))
    assert (await setting.rejected(registered(url=None, upload_key="uploads/aa/aa"))).reason == "too_large"


@pytest.mark.parametrize("changes", [{"url": None}, {"upload_key": "uploads/aa/aa"}])
async def test_an_event_without_exactly_one_source_is_invalid(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage):
        await Setting({URL: png(1)}).handled(registered(**changes))


async def test_an_object_store_that_is_away_is_no_outcome() -> None:
    class Away(MemoryObjectStore):
        async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
            raise TransientError("away")

    decisions = MemoryDecisions()
    fetcher = Fetcher(Web({URL: png(1)}), Away(), decisions, ACCEPTANCE, Precedence(), Classes())
    with pytest.raises(TransientError):
        await fetcher.on_image_registered(registered())
    assert decisions.outcomes == {}


async def test_a_detail_from_outside_is_cut_and_cleaned() -> None:
    setting = Setting({URL: Rejection("http_error", "bad \0 \ud800 " + "x" * 1000)})
    detail = (await setting.rejected(registered())).detail
    assert len(detail) == 500
    assert "\0" not in detail
    assert detail.encode()


async def test_bytes_that_are_no_event_become_a_dead_letter_and_the_rest_goes_on() -> None:
    setting, event_log, event = Setting({URL: png(1)}), MemoryEventLog(), registered()
    for garbage in (b"not an event", b"{}", b"\xff\xfe", None):
        event_log.append(ImageRegistered.topic, event.key, garbage)
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([event])
    async with setting.running(event_log):
        await eventually(
            lambda: event_log.events(ImageStored) and len(event_log.dead_letters(ImageRegistered.topic)) == 8
        )
    dead_letters = Counter(
        (dead_letter.error, dead_letter.handler) for dead_letter in event_log.dead_letters(ImageRegistered.topic)
    )
    assert dead_letters == {("InvalidMessage", GROUP): 4, ("InvalidMessage", UPLOADS_GROUP): 4}
    assert len(event_log.events(ImageStored)) == 1


async def test_an_upload_is_stored_while_silent_hosts_hold_every_download() -> None:
    class Tarpit(Web):
        async def fetch(self, url: str) -> bytes | Rejection:
            self.fetched.append(url)
            await asyncio.get_running_loop().create_future()
            raise AssertionError("It never answers.")

    setting, event_log = Setting({}, Tarpit({})), MemoryEventLog()
    upload = registered(999, url=None, upload_key="uploads/aa/aa", label=None, trust="claimed")
    await setting.store.put("uploads/aa/aa", png(3))
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([registered(number, url=f"{URL}?{number}") for number in range(600)])
        async with setting.running(event_log):
            await eventually(lambda: len(setting.web.fetched) == DOWNLOADS_AT_ONCE)
            await publisher.publish([upload])
            (outcome,) = await eventually(lambda: event_log.events(ImageStored))
    assert outcome.image_id == upload.image_id
    assert len(setting.web.fetched) == DOWNLOADS_AT_ONCE


async def test_an_upload_in_work_goes_before_the_rows() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class SlowStore(MemoryObjectStore):
        async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
            begun.set()
            await go_on.wait()
            return await super().get(key, limit_bytes)

    web, store = Web({URL: png(1)}), SlowStore()
    await store.put("uploads/a", png(2), "image/png")
    fetcher = Fetcher(web, store, MemoryDecisions(), ACCEPTANCE, Precedence(longest_seconds=30), Classes())
    upload = asyncio.create_task(fetcher.on_upload_registered(registered(1, url=None, upload_key="uploads/a")))
    await begun.wait()
    row = asyncio.create_task(fetcher.on_image_registered(registered(2)))
    await asyncio.sleep(0)
    assert web.fetched == []
    go_on.set()
    assert [type(outcome) for outcome in (*await upload, *await row)] == [ImageStored, ImageStored]
    assert web.fetched == [URL]
