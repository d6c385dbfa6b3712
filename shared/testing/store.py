"""An object store in memory."""

from datetime import datetime
from itertools import count

from shared.runtime.clock import utc_now
from shared.runtime.errors import TransientError
from shared.storage.object_store import KeptObject, ObjectMissing, ObjectTooLarge


class MemoryObjectStore:
    """A `shared.storage.object_store.ObjectStore`. While `away` is true, every call raises TransientError. `put_at`:
    when each object was put, which a test may change."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.put_at: dict[str, datetime] = {}
        self.away = False
        self._versions: dict[str, str] = {}
        self._numbers = count(1)

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """See ObjectStore."""
        self._answer()
        self.objects[key] = data
        self.content_types[key] = content_type
        self.put_at[key] = utc_now()
        self._versions[key] = str(next(self._numbers))

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        """See ObjectStore."""
        self._answer()
        if key not in self.objects:
            raise ObjectMissing(f"There is no object {key} in the store.")
        data = self.objects[key]
        if limit_bytes is not None and len(data) > limit_bytes:
            raise ObjectTooLarge(f"Object {key} has {len(data)} bytes; at most {limit_bytes} were asked for.")
        return data

    async def exists(self, key: str) -> bool:
        """See ObjectStore."""
        self._answer()
        return key in self.objects

    async def keys(self, prefix: str) -> list[str]:
        """See ObjectStore."""
        self._answer()
        return sorted(key for key in self.objects if key.startswith(prefix))

    async def delete(self, key: str) -> None:
        """See ObjectStore."""
        self._answer()
        self.objects.pop(key, None)

    async def list_objects(self, prefix: str) -> list[KeptObject]:
        """See ObjectStore."""
        return [
            KeptObject(key, len(self.objects[key]), self.put_at[key], (self._versions[key],))
            for key in await self.keys(prefix)
        ]

    async def discard(self, listed: KeptObject) -> bool:
        """See ObjectStore."""
        self._answer()
        if self._versions.get(listed.key) in listed.versions:
            self.objects.pop(listed.key, None)
        return True

    def _answer(self) -> None:
        if self.away:
            raise TransientError("The object store in memory is set to be away.")
