"""Bytes are used only if their hash is the one that was announced."""

from hashlib import sha256

import pytest

from shared.storage.object_store import ObjectMissing, ObjectTooLarge
from shared.storage.verified import HashMismatch, get_verified
from shared.testing import MemoryObjectStore

KEY, DATA = "models/full-1/model.onnx", b"an artefact"


async def test_bytes_with_the_announced_hash_are_returned() -> None:
    store = MemoryObjectStore()
    await store.put(KEY, DATA)
    assert await get_verified(store, KEY, sha256(DATA).hexdigest()) == DATA


async def test_other_bytes_are_refused_and_named_with_their_key() -> None:
    store = MemoryObjectStore()
    await store.put(KEY, b"something else")
    with pytest.raises(HashMismatch, match=KEY):
        await get_verified(store, KEY, sha256(DATA).hexdigest())


async def test_a_missing_or_too_large_object_raises_what_the_store_raises() -> None:
    store = MemoryObjectStore()
    with pytest.raises(ObjectMissing):
        await get_verified(store, KEY, sha256(DATA).hexdigest())
    await store.put(KEY, DATA)
    with pytest.raises(ObjectTooLarge):
        await get_verified(store, KEY, sha256(DATA).hexdigest(), limit_bytes=len(DATA) - 1)
