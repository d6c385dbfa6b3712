"""The contract of every object store, checked on the store in memory and on a real S3 server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pappus.stack import Servers
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectMissing, ObjectStore, ObjectTooLarge, S3ObjectStore, open_object_store
from shared.testing import MemoryObjectStore


@pytest.fixture(params=["memory", "s3"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryObjectStore()
        return
    servers: Servers = await asyncio.to_thread(request.getfixturevalue, "servers")
    async with open_object_store(Settings.model_validate(servers.settings("trainer"))) as opened:
        yield opened


@pytest.fixture
def key() -> str:
    return f"models/{uuid4().hex}/model.onnx"


async def test_an_object_comes_back_as_it_was_put(store: ObjectStore, key: str) -> None:
    data = bytes(range(256)) * 1000
    await store.put(key, data, "application/x-onnx")
    assert await store.get(key) == data
    assert await store.exists(key)


async def test_an_empty_object_is_an_object(store: ObjectStore, key: str) -> None:
    await store.put(key, b"")
    assert await store.get(key) == b""


async def test_putting_it_again_replaces_it(store: ObjectStore, key: str) -> None:
    await store.put(key, b"first")
    await store.put(key, b"second")
    assert await store.get(key) == b"second"


async def test_a_deleted_object_is_gone_and_may_come_again(store: ObjectStore) -> None:
    key = f"features/{uuid4().hex}/first.parquet"
    for data in (b"first", b"second"):
        await store.put(key, data)
    await store.put(f"{key}.another", b"stays")
    await store.delete(key)
    await store.delete(key)
    assert (await store.keys(key), await store.exists(key)) == ([f"{key}.another"], False)
    await store.put(key, b"third")
    assert await store.get(key) == b"third"


async def test_no_version_of_a_deleted_object_is_left(servers: Servers) -> None:
    key = f"features/{uuid4().hex}/first.parquet"
    async with open_object_store(Settings.model_validate(servers.settings("trainer"))) as opened:
        assert isinstance(opened, S3ObjectStore)
        for data in (b"first", b"second"):
            await opened.put(key, data)
        before = await opened.versions(key)
        await opened.delete(key)
        assert (len(before), await opened.versions(key)) == (2, [])


async def test_what_is_not_there_is_missing(store: ObjectStore, key: str) -> None:
    assert not await store.exists(key)
    with pytest.raises(ObjectMissing, match=key):
        await store.get(key)


async def test_an_object_larger_than_asked_for_is_refused(store: ObjectStore, key: str) -> None:
    await store.put(key, b"x" * 1001)
    with pytest.raises(ObjectTooLarge, match="1001"):
        await store.get(key, limit_bytes=1000)
    assert len(await store.get(key, limit_bytes=1001)) == 1001


async def test_keys_are_found_by_their_prefix_in_order(store: ObjectStore) -> None:
    prefix = f"manifests/{uuid4().hex}"
    for name in ("b", "a", "c"):
        await store.put(f"{prefix}/{name}.json", b"{}")
    assert await store.keys(prefix + "/") == [f"{prefix}/{name}.json" for name in "abc"]
    assert await store.keys(prefix + "/b") == [f"{prefix}/b.json"]


async def test_many_calls_at_once_share_one_client(store: ObjectStore, key: str) -> None:
    async def round_trip(number: int) -> bytes:
        mine = f"{key}.{number}"
        await store.put(mine, str(number).encode())
        return await store.get(mine)

    assert await asyncio.gather(*(round_trip(number) for number in range(50))) == [str(n).encode() for n in range(50)]


async def test_a_store_that_is_away_is_a_transient_error(servers: Servers, unused_port: int) -> None:
    settings = {**servers.settings("trainer"), "s3_endpoint": f"http://127.0.0.1:{unused_port}"}
    async with open_object_store(Settings.model_validate(settings)) as store:
        with pytest.raises(TransientError, match="Is it running"):
            await store.get("models/x")
        with pytest.raises(TransientError):
            await store.put("models/x", b"")


async def test_a_frozen_store_holds_up_no_start(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.storage.object_store.KNOCK_SECONDS", 0.2)
    asked, gone = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as frozen:
        port = frozen.sockets[0].getsockname()[1]
        settings = {**servers.settings("trainer"), "s3_endpoint": f"http://127.0.0.1:{port}"}
        async with asyncio.timeout(10), open_object_store(Settings.model_validate(settings)):
            await asked.wait()
        await gone.wait()


async def test_a_bucket_that_does_not_exist_yet_is_a_transient_error(servers: Servers) -> None:
    key = servers.credentials.s3["root"]
    values = {
        **servers.settings("trainer"),
        "s3_bucket": "missing-bucket",
        "s3_access_key": key.access_key,
        "s3_secret_key": key.secret_key,
    }
    async with open_object_store(Settings.model_validate(values)) as store:
        with pytest.raises(TransientError, match="bucket"):
            await store.put("models/x", b"")


async def test_wrong_credentials_are_no_transient_error(servers: Servers) -> None:
    values = {**servers.settings("trainer"), "s3_secret_key": "wrong"}
    async with open_object_store(Settings.model_validate(values), knock=False) as store:
        with pytest.raises(PappusError, match="credentials") as raised:
            await store.put("models/x", b"")
    assert not isinstance(raised.value, TransientError)


async def test_objects_are_listed_with_their_bytes_and_when_they_were_put(store: ObjectStore, key: str) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    await store.put(f"{key}.b", b"12345")
    await store.put(f"{key}.a", b"123")
    listed = await store.list_objects(key)
    assert [(one.key, one.size_bytes) for one in listed] == [(f"{key}.a", 3), (f"{key}.b", 5)]
    assert all(before < one.modified_at < before + timedelta(minutes=10) for one in listed)


async def test_what_was_listed_is_discarded_and_what_was_put_since_stays(store: ObjectStore, key: str) -> None:
    for name in ("goes", "stays"):
        await store.put(f"{key}.{name}", b"first")
    goes, stays = await store.list_objects(key)
    await store.put(stays.key, b"first")
    assert [await store.discard(one) for one in (goes, goes, stays)] == [True, True, True]
    assert (await store.exists(goes.key), await store.get(stays.key)) == (False, b"first")
    assert [one.key for one in await store.list_objects(key)] == [stays.key]


async def test_all_versions_go_and_what_an_interrupted_deletion_left(servers: Servers, key: str) -> None:
    async with open_object_store(Settings.model_validate(servers.settings("trainer"))) as opened:
        assert isinstance(opened, S3ObjectStore)
        for data in (b"first", b"second"):
            await opened.put(key, data)
        await opened._client.delete_object(Bucket=opened._bucket, Key=key)  # leaves a marker, and both versions
        [listed] = await opened.list_objects(key)
        assert (len(listed.versions), listed.size_bytes, await opened.exists(key)) == (3, 11, False)
        assert await opened.discard(listed)
        assert await opened.list_objects(key) == []


async def test_without_versions_what_was_put_again_is_left_alone() -> None:
    class Bucket:
        """Answers as a bucket that keeps no versions; the object was put again after the listing."""

        def __init__(self) -> None:
            self.deleted: list[str] = []

        def get_paginator(self, _name: str) -> "Bucket":
            return self

        async def paginate(self, **_which: str) -> AsyncIterator[dict[str, Any]]:
            at = datetime(2026, 5, 2, tzinfo=UTC)
            yield {"Versions": [{"Key": "models/a/b", "VersionId": "null", "Size": 5, "LastModified": at}]}

        async def delete_object(self, **which: str) -> None:
            self.deleted.append(which["VersionId"])

    bucket = Bucket()
    store = S3ObjectStore(bucket, "pappus")  # type: ignore[arg-type]
    [now] = await store.list_objects("models/")
    before = replace(now, modified_at=now.modified_at - timedelta(days=2))
    assert (await store.discard(before), bucket.deleted) == (False, [])
    assert (await store.discard(now), bucket.deleted) == (True, ["null"])
