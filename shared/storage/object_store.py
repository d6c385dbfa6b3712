"""The object store: bytes under keys. A protocol and its S3 implementation; the only importer of aioboto3.

Keys: images/sha256/<aa>/<sha256>, uploads/<aa>/<sha256>, predictions/<aa>/<sha256>, models/<version>/<sha256>.onnx,
manifests/<sha256>.json, features/<backbone_id>/<sha256 of the manifest>.parquet. They are content-addressed, so writing
one twice is harmless.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

import aioboto3
from aiobotocore.config import AioConfig
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError, SSLError

from shared.runtime.certificates import certificate_error, explain_certificate, trust
from shared.runtime.errors import NotReady, PappusError, TransientError
from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


class ObjectMissing(PappusError):
    """There is no object under this key."""


class ObjectStoreRefused(PappusError):
    """The store answers, and does not let this process in with its settings; the text names the one to correct."""


class ObjectTooLarge(PappusError):
    """The object has more bytes than the caller is willing to take."""


@dataclass(frozen=True, slots=True)
class KeptObject:
    """What the bucket keeps under a key: its versions, the newest first, with the bytes of all of them, and when it was
    last put or deleted, by the clock of the store."""

    key: str
    size_bytes: int
    modified_at: datetime
    versions: tuple[str, ...]


class ObjectStore(Protocol):
    """Bytes under keys. Every method raises TransientError when the store does not answer as it should."""

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Write the whole object; readers see all of it or none. An existing one is replaced."""

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        """Return the whole object. Raises ObjectMissing; ObjectTooLarge if it has more than `limit_bytes` (None: no
        limit)."""

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under this key."""

    async def keys(self, prefix: str) -> list[str]:
        """Return all keys that start with `prefix`, sorted."""

    async def delete(self, key: str) -> None:
        """Delete the object, if there is one; with its older versions, where the bucket keeps them."""

    async def list_objects(self, prefix: str) -> list[KeptObject]:
        """Return what is kept under all keys that start with `prefix`, by key; also what a deletion that was
        interrupted left."""

    async def discard(self, listed: KeptObject) -> bool:
        """Delete what was listed, and nothing that was put under the key since. Return False if it was put again in a
        bucket that keeps one version only: then all of it stays."""


CA_SETTING, ENDPOINT_SETTING = "PAPPUS_S3_CA_FILE", "PAPPUS_S3_ENDPOINT"
KNOCKED = "images/"
KNOCK_SECONDS = 5.0
"""How long a start waits for a store that is frozen."""
UNVERSIONED = "null"
"""The version of an object that was put while the bucket kept no versions: the next one may have the same."""
_MISSING = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
_TRANSIENT = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeTooSkewed", "Throttling"}


@contextmanager
def _explained(action: str, key: str) -> Iterator[None]:
    """Turn what the client raises into our errors."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "NoSuchBucket":
            raise NotReady(
                f"The bucket does not exist yet (to {action} {key}); create it, for example with `pappus up`."
            ) from error
        if code in _MISSING:
            raise ObjectMissing(f"There is no object {key} in the store.") from error
        if code in _TRANSIENT or status >= 500 or status == 429:
            raise TransientError(
                f"The object store could not {action} {key}: {error}. It will be tried again."
            ) from error
        refused = ObjectStoreRefused if code in _REFUSED else PappusError
        raise refused(
            f"The object store refused to {action} {key}: {error}. Correct its"
            " credentials (PAPPUS_S3_ACCESS_KEY, the secret pappus_s3_secret_key), or the policy of the bucket."
        ) from error
    except SSLError as error:  # waited for in red: no message is at fault
        raise TransientError(f"{_explain_encryption(error)} ({action} {key}).") from error
    except (BotoCoreError, HttpError, TimeoutError, OSError) as error:
        raise TransientError(
            f"The object store did not answer ({action} {key}): {error!r}. Is it running where PAPPUS_S3_ENDPOINT names"
            " it, with http or https as there?"
        ) from error


def _explain_encryption(error: SSLError) -> str:
    """Return why there is no encrypted connection to the store, and what to correct."""
    if refused := certificate_error(error):
        said = explain_certificate(refused, CA_SETTING, ENDPOINT_SETTING)
        return f"The object store shows a certificate that {said.rstrip('.')}"
    return (
        f"The object store speaks no TLS where {ENDPOINT_SETTING} names it: correct {ENDPOINT_SETTING}, http or https"
    )


class S3ObjectStore:
    """An S3 bucket. Uses one client for its whole life: making one per call costs 11 ms."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """See ObjectStore. With the checksum a body that was damaged on its way is refused by the server."""
        # In a header: over https the client would send it behind the body, of which versitygw 1.8.0 then leaves a part
        # unread, and one in five of the next requests on the connection failed (measured).
        checksum = b64encode(crc32(data).to_bytes(4, "big")).decode()
        with _explained("write", key):
            await self._client.put_object(
                Bucket=self._bucket, Key=key, Body=data, ContentType=content_type, ChecksumCRC32=checksum
            )

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        """See ObjectStore."""
        with _explained("read", key):
            found = await self._client.get_object(Bucket=self._bucket, Key=key)
            async with found["Body"] as body:
                if limit_bytes is not None and found["ContentLength"] > limit_bytes:
                    raise ObjectTooLarge(
                        f"Object {key} has {found['ContentLength']} bytes; at most {limit_bytes} were asked for."
                    )
                return await body.read()

    async def exists(self, key: str) -> bool:
        """See ObjectStore."""
        try:
            with _explained("look for", key):
                await self._client.head_object(Bucket=self._bucket, Key=key)
        except ObjectMissing:
            return False
        return True

    async def keys(self, prefix: str) -> list[str]:
        """See ObjectStore."""
        with _explained("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return sorted([entry["Key"] async for page in pages for entry in page.get("Contents", [])])

    async def delete(self, key: str) -> None:
        """See ObjectStore. Deleting a key alone would hide its versions and keep them. The oldest goes first, so that
        none becomes the newest in between."""
        with _explained("delete", key):
            for version in reversed(await self.versions(key)):
                await self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)

    async def versions(self, key: str) -> list[str]:
        """Return the ids of all versions that the bucket keeps of the object, the newest first."""
        with _explained("list the versions of", key):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
            return [
                entry["VersionId"]
                async for page in pages
                for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
                if entry["Key"] == key
            ]

    async def list_objects(self, prefix: str) -> list[KeptObject]:
        """See ObjectStore."""
        found: dict[str, list[tuple[datetime, str, int]]] = {}
        with _explained("list the versions of", prefix):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
            async for page in pages:
                for one in page.get("Versions", []):
                    found.setdefault(one["Key"], []).append((one["LastModified"], one["VersionId"], one["Size"]))
                for marker in page.get("DeleteMarkers", []):
                    found.setdefault(marker["Key"], []).append((marker["LastModified"], marker["VersionId"], 0))
        return [_kept(key, versions) for key, versions in sorted(found.items())]

    async def discard(self, listed: KeptObject) -> bool:
        """See ObjectStore. The oldest version goes first, as in `delete`."""
        key = listed.key
        if UNVERSIONED in listed.versions and [one for one in await self.list_objects(key) if one.key == key] != [
            listed
        ]:
            return False
        with _explained("delete", key):
            for version in reversed(listed.versions):
                await self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)
        return True

    async def knock(self) -> None:
        """Look whether the store lets this process in; its rights are not looked at. A store that is away, or without
        the bucket, is no refusal. Raises ObjectStoreRefused."""
        try:
            with _explained("list", KNOCKED):
                async with asyncio.timeout(KNOCK_SECONDS):
                    await self._client.list_objects_v2(Bucket=self._bucket, Prefix=KNOCKED, MaxKeys=1)
        except ObjectStoreRefused:
            raise
        except PappusError as error:
            if isinstance(error.__cause__, SSLError) and certificate_error(error.__cause__):
                raise ObjectStoreRefused(str(error)) from error


def _kept(key: str, versions: Sequence[tuple[datetime, str, int]]) -> KeptObject:
    """Return an object from when each of its versions was put, its id and its bytes."""
    newest_first = sorted(versions, key=lambda version: version[0], reverse=True)
    ids = tuple(version for _, version, _ in newest_first)
    return KeptObject(key, sum(size for _, _, size in versions), newest_first[0][0], ids)


@asynccontextmanager
async def open_object_store(settings: Settings, knock: bool = True) -> AsyncIterator[ObjectStore]:
    """Open the bucket that the settings name. The store may be away. Without `knock` nothing is asked: for a process
    that goes on with what it has when it is not let in.

    Raises:
        ObjectStoreRefused: the store takes these settings for those of a stranger, or is one itself.
        InvalidSettings: its address is missing, or the file of its authority cannot be used.
    """
    if settings.s3_ca_file is not None:
        trust(settings.s3_ca_file, CA_SETTING)
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "max_attempts": 2},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=32,
    )
    client = aioboto3.Session().client(
        "s3",
        endpoint_url=settings.store_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        verify=None if settings.s3_ca_file is None else str(settings.s3_ca_file),
        config=config,
    )
    async with client as opened:
        store = S3ObjectStore(opened, settings.s3_bucket)
        if knock:
            await store.knock()
        yield store
