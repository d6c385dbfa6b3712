"""Bytes that are named by their hash: fetched, and compared before they are used."""

from hashlib import sha256
from typing import Protocol

from shared.runtime.errors import PappusError


class HashMismatch(PappusError):
    """The bytes under a key are not those whose hash was announced."""


class ReadableStore(Protocol):
    """Where bytes are read from; every `ObjectStore` is one."""

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        """See ObjectStore."""


def check_sha256(data: bytes, expected_sha256: str, key: str) -> None:
    """Compare the hash (64 hex digits) of the bytes found under `key` with the expected one.

    Raises:
        HashMismatch: they differ.
    """
    found = sha256(data).hexdigest()
    if found != expected_sha256:
        raise HashMismatch(
            f"The object {key} has sha256 {found[:12]}... instead of {expected_sha256[:12]}...: it was replaced or"
            " damaged. Restore the object, or produce it again."
        )


async def get_verified(store: ReadableStore, key: str, expected_sha256: str, limit_bytes: int | None = None) -> bytes:
    """Return the whole object under `key`, if its hash is the expected one.

    Raises:
        HashMismatch: the bytes have another hash.
        ObjectMissing: there is no such object.
        ObjectTooLarge: it has more than `limit_bytes` (None: no limit).
        TransientError: the store did not answer.
    """
    data = await store.get(key, limit_bytes)
    check_sha256(data, expected_sha256, key)
    return data
