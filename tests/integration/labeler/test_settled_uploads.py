"""Uploads are deleted once they are settled, and no sooner."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.labeler.commands.settled_uploads import PART, SettledUploads
from services.labeler.commands.uploads import upload_key
from services.labeler.settings import LabelerSettings
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, ImageWithdrawn
from shared.runtime.errors import LogReplaced, PappusError, TransientError
from shared.storage.object_store import KeptObject
from shared.testing import MemoryEventLog, eventually, image_registered, image_rejected, image_stored, image_withdrawn

from .conftest import Labeler

DATA = b"a picture"
DIGEST = sha256(DATA).hexdigest()
KEY = upload_key(DIGEST)


@pytest.fixture
async def sweeper(labeler: Labeler, settings: LabelerSettings) -> SettledUploads:
    """Another sweeper, once that of the API has made its first round: the next one is an hour later."""
    await eventually(lambda: "deleted 0 uploads" in str(labeler.health.report()["parts"].get(PART)))
    return SettledUploads(labeler.event_log, labeler.tables, labeler.store, settings, labeler.clock)


async def put(labeler: Labeler, key: str = KEY, hours_ago: float = 48) -> None:
    await labeler.store.put(key, DATA)
    labeler.store.put_at[key] = labeler.clock() - timedelta(hours=hours_ago)


def registration(image_id: UUID | None = None, key: str = KEY, **changes: Any) -> ImageRegistered:
    return image_registered(image_id=image_id or uuid4(), url=None, upload_key=key, label=None, **changes)


def stored(labeler: Labeler, registered: ImageRegistered, hours_ago: float = 47, digest: str = DIGEST) -> ImageStored:
    occurred_at = labeler.clock() - timedelta(hours=hours_ago)
    return image_stored(image_id=registered.image_id, sha256=digest, source_url=None, occurred_at=occurred_at)


def rejected(labeler: Labeler, registered: ImageRegistered, hours_ago: float = 47, **changes: Any) -> ImageRejected:
    occurred_at = labeler.clock() - timedelta(hours=hours_ago)
    values = {"reason": "not_an_image", "attempt": registered.attempt, "occurred_at": occurred_at, **changes}
    return image_rejected(image_id=registered.image_id, **values)


async def test_a_settled_upload_goes_once_and_the_image_stays(labeler: Labeler, sweeper: SettledUploads) -> None:
    await put(labeler)
    registered = registration()
    image = stored(labeler, registered)
    await labeler.store.put(image.object_key, DATA)
    await labeler.publish(registered, image)
    assert [await sweeper.sweep() for _ in range(2)] == [1, 0]
    assert list(labeler.store.objects) == [image.object_key]


@pytest.mark.parametrize(
    ("changes", "goes"),
    [
        ({}, True),
        ({"reason": "duplicate", "duplicate_of": uuid4()}, True),
        ({"reason": "decoding_gave_up", "retryable": True}, False),
        ({"reason": "upload_missing"}, False),
        ({"hours_ago": 1}, False),
    ],
)
async def test_a_rejection_settles_it_if_it_is_for_good(
    labeler: Labeler, sweeper: SettledUploads, changes: dict[str, Any], goes: bool
) -> None:
    await put(labeler)
    registered = registration()
    await labeler.publish(registered, rejected(labeler, registered, **changes))
    assert (await sweeper.sweep(), KEY in labeler.store.objects) == (int(goes), not goes)


async def test_an_open_registration_of_the_same_bytes_keeps_them(labeler: Labeler, sweeper: SettledUploads) -> None:
    await put(labeler)
    first, second = registration(), registration()
    await labeler.publish(first, second, stored(labeler, first))
    assert await sweeper.sweep() == 0
    await labeler.publish(rejected(labeler, second, reason="duplicate", duplicate_of=first.image_id))
    assert await sweeper.sweep() == 1


async def test_a_later_attempt_opens_it_again(labeler: Labeler, sweeper: SettledUploads) -> None:
    await put(labeler)
    first = registration()
    again = registration(first.image_id, attempt=2)
    await labeler.publish(first, rejected(labeler, first), again)
    assert await sweeper.sweep() == 0
    await labeler.publish(rejected(labeler, again))
    assert await sweeper.sweep() == 1


async def test_bytes_that_come_back_are_kept_until_they_are_settled(labeler: Labeler, sweeper: SettledUploads) -> None:
    await put(labeler)
    first, second = registration(), registration()
    await labeler.publish(first, rejected(labeler, first))
    assert await sweeper.sweep() == 1
    await put(labeler)
    await labeler.publish(second)
    assert (await sweeper.sweep(), KEY in labeler.store.objects) == (0, True)
    await labeler.publish(rejected(labeler, second, hours_ago=46))
    assert (await sweeper.sweep(), KEY in labeler.store.objects) == (1, False)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_order_of_topics_changes_nothing(
    labeler: Labeler, sweeper: SettledUploads, order: Sequence[int]
) -> None:
    await put(labeler)
    registered = registration()
    withdrawn: ImageWithdrawn = image_withdrawn(
        image_id=registered.image_id, sha256=DIGEST, occurred_at=labeler.clock() - timedelta(hours=40)
    )
    events = (registered, stored(labeler, registered), withdrawn)
    for index in order:
        await labeler.publish(events[index])
    assert await sweeper.sweep() in (0, 1)  # its other handler may have been faster
    assert KEY not in labeler.store.objects


async def test_a_person_who_uploads_them_right_then_loses_nothing(labeler: Labeler, sweeper: SettledUploads) -> None:
    """The upload is put, and not registered yet, when the sweeper looks; or it is put once the sweeper has looked."""
    await put(labeler)
    first = registration()
    await labeler.publish(first, rejected(labeler, first))
    await put(labeler, hours_ago=0)  # another person begins
    assert (await sweeper.sweep(), KEY in labeler.store.objects) == (0, True)

    labeler.store.put_at[KEY] -= timedelta(hours=48)  # instead: nothing came since
    looked, go_on, list_objects = asyncio.Event(), asyncio.Event(), labeler.store.list_objects

    async def slowly(prefix: str) -> list[KeptObject]:
        found = await list_objects(prefix)
        looked.set()
        await go_on.wait()
        return found

    labeler.store.list_objects = slowly  # type: ignore[method-assign]
    sweeping = asyncio.create_task(sweeper.sweep())
    await looked.wait()
    await put(labeler, hours_ago=0)
    go_on.set()
    await sweeping
    assert labeler.store.objects[KEY] == DATA


async def test_nothing_goes_while_the_tables_are_behind(
    labeler: Labeler, sweeper: SettledUploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.labeler.commands.settled_uploads.CAUGHT_UP_SECONDS", 0.2)
    await put(labeler)
    registered = registration()
    await labeler.publish(registered, stored(labeler, registered))
    await labeler.tables.execute("UPDATE positions SET next_offset = next_offset - 1 WHERE next_offset > 0")
    with pytest.raises(TransientError):
        await sweeper.sweep()
    assert KEY in labeler.store.objects


async def test_nothing_goes_after_the_log_was_replaced(labeler: Labeler, settings: LabelerSettings) -> None:
    await put(labeler)
    registered = registration()
    await labeler.publish(registered, stored(labeler, registered))
    other = SettledUploads(MemoryEventLog(), labeler.tables, labeler.store, settings, labeler.clock)
    with pytest.raises(LogReplaced):
        await other.sweep()
    assert KEY in labeler.store.objects


async def test_tables_that_older_code_made_delete_nothing(labeler: Labeler, sweeper: SettledUploads) -> None:
    await put(labeler)
    registered = registration()
    await labeler.publish(registered, stored(labeler, registered))
    await labeler.tables.execute("UPDATE fold SET version = 2")
    assert await sweeper.sweep() == 0


async def test_a_key_that_is_none_of_an_upload_is_left_alone(labeler: Labeler, sweeper: SettledUploads) -> None:
    await put(labeler, "models/full-1/abc.onnx")
    registered = registration(key="models/full-1/abc.onnx")
    await labeler.publish(registered, stored(labeler, registered))
    assert (await sweeper.sweep(), list(labeler.store.objects)) == (0, ["models/full-1/abc.onnx"])


async def test_many_are_deleted_page_by_page_by_two_at_once_and_after_a_fault(
    labeler: Labeler, sweeper: SettledUploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.labeler.commands.settled_uploads.AT_ONCE", 2)
    digests = [sha256(bytes([number])).hexdigest() for number in range(7)]
    for digest in digests:
        await put(labeler, upload_key(digest))
        registered = registration(key=upload_key(digest))
        await labeler.publish(registered, stored(labeler, registered, digest=digest))
    discard = labeler.store.discard

    async def fail_at_the_fourth(listed: KeptObject) -> bool:
        labeler.store.away = len(labeler.store.objects) == 4
        return await discard(listed)

    labeler.store.discard = fail_at_the_fourth  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        await sweeper.sweep()
    labeler.store.away, labeler.store.discard = False, discard  # type: ignore[method-assign]
    assert len(labeler.store.objects) == 4
    await asyncio.gather(sweeper.sweep(), sweeper.sweep())
    assert labeler.store.objects == {}
    assert await labeler.tables.fetchval("SELECT count(*) FROM swept_uploads") == 7


async def test_it_runs_in_the_api_and_a_refusal_stops_no_request(
    labeler: Labeler, settings: LabelerSettings, sweeper: SettledUploads
) -> None:
    await put(labeler)
    registered = registration()
    await labeler.publish(registered, stored(labeler, registered))

    async def refuse(_listed: KeptObject) -> bool:
        raise PappusError("The object store refused to delete it.")

    labeler.store.discard = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(PappusError):
        await sweeper.sweep()
    assert KEY in labeler.store.objects
    assert (await labeler.get(f"/images/{registered.image_id}"))["state"] == "stored"
    never = SettledUploads(
        labeler.event_log, labeler.tables, labeler.store, settings.model_copy(update={"sweep_hours": 0}), labeler.clock
    )
    await never.run(labeler.health)
