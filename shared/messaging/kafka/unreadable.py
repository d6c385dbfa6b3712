"""Records that aiokafka cannot read: a batch with a wrong checksum, an unknown codec, a damaged or oversized compressed
block, a record whose fields do not parse.

aiokafka raises out of the fetch, loses what it had read from other partitions in the same call, and reads the same
batch again without end. Here such a batch becomes one record without a value that says why, and reading goes on behind
it.
Written for aiokafka 0.14.0; tests/contract/test_unreadable.py holds it to a real broker.
"""

import gzip
import io
import mmap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import aiokafka.consumer.fetcher as fetching  # type: ignore[import-untyped]
import aiokafka.record._crecords.default_records as compiled  # type: ignore[import-untyped]
import aiokafka.record.default_records as interpreted  # type: ignore[import-untyped]
import cramjam
from aiokafka.structs import ConsumerRecord  # type: ignore[import-untyped]

from shared.contract.topics import LARGEST_BYTES

LARGEST_BATCH_BYTES = 4 * LARGEST_BYTES
"""How much a batch may take unpacked. The broker limits only its compressed size."""
_HEADER = "pappus-unreadable"


class Unreadable(bytes):
    """The value of the header that marks such a record: a type that no header from the broker has."""

    damaged = False

    @property
    def reason(self) -> str:
        """Why it cannot be read, in one sentence."""
        return self.decode()


class _Damaged(Unreadable):
    """The same for a batch whose checksum is wrong: it was readable when it was written."""

    damaged = True


class _ChecksumWrong(Exception):
    """The bytes of a batch are not those that its producer sent."""


def unreadable(headers: Iterable[tuple[str, Any]]) -> Unreadable | None:
    """Return why a record that aiokafka delivered with these headers has no content; None for every other record."""
    return next((value for _, value in headers if isinstance(value, Unreadable)), None)


class _Batches:
    """aiokafka's batches of one answer, one ahead, so that the end of an unreadable one is known."""

    def __init__(self, records: Any, check_checksums: bool) -> None:
        self._records = records
        self._check = check_checksums
        self._following: Any = self._next()
        self._current: Any = None
        self._sound = False

    def has_next(self) -> bool:
        """Whether there is another batch, or bytes that are none."""
        return self._following is not None

    def next_batch(self) -> Any:
        """Return the next batch. Raises what is wrong with it as a whole."""
        self._current, self._sound = self._following, False
        if isinstance(self._current, Exception):
            self._following = None  # nothing says where the next one would begin
            raise self._current
        self._following = self._next()
        if self._check and not self._current.validate_crc():
            raise _ChecksumWrong("its checksum is wrong")
        self._sound = True
        return self._current

    def last_offset(self, first: int) -> int:
        """Return the last offset of the current batch, `first` if that cannot be known. A header whose checksum is
        wrong is not believed: it could name an offset far behind."""
        following = getattr(self._following, "base_offset", None)
        if following is not None:
            return max(first, int(following) - 1)
        return max(first, int(self._current.next_offset) - 1) if self._sound else first

    def _next(self) -> Any:
        try:
            return self._records.next_batch() if self._records.has_next() else None
        except Exception as error:  # noqa: BLE001 - raised again when this batch is asked for
            return error


class ReadableRecords(fetching.PartitionRecords):  # type: ignore[misc]
    """The records of one partition in one answer of the broker; what cannot be read is marked, not raised."""

    _records: Any
    _check_crcs: bool
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        self._records = batches = _Batches(self._records, self._check_crcs)
        self._check_crcs = False
        while True:
            try:
                yield from super()._unpack_records()
                return
            except Exception as error:  # noqa: BLE001 - what codecs and parsers raise about foreign bytes
                yield self._mark(batches, error)

    def _mark(self, batches: _Batches, error: Exception) -> Any:
        first = self.next_fetch_offset
        last = batches.last_offset(first)
        self.next_fetch_offset = last + 1
        which = f"offset {first}" if first == last else f"offsets {first} to {last}"
        reason = f"What stands at {which} of {self._tp.topic}[{self._tp.partition}] cannot be read: {_text(error)}."
        kind = _Damaged if isinstance(error, _ChecksumWrong) else Unreadable
        headers = ((_HEADER, kind(reason.encode(errors="replace"))),)
        return ConsumerRecord(self._tp.topic, self._tp.partition, last, 0, 0, None, None, None, -1, -1, headers)


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, _ChecksumWrong) else f"{type(error).__name__}: {error}".rstrip(".")


def _unpack_gzip(payload: Any) -> bytes:
    unpacked = gzip.GzipFile(fileobj=io.BytesIO(payload)).read(LARGEST_BATCH_BYTES + 1)
    if len(unpacked) > LARGEST_BATCH_BYTES:
        raise ValueError(f"unpacked it takes more than {LARGEST_BATCH_BYTES} bytes")
    return unpacked


def _bounded(unpack_into: Callable[[Any, mmap.mmap], int]) -> Callable[[Any], bytes]:
    """Make a decoder that fails once LARGEST_BATCH_BYTES are full. Snappy needs none: it packs at most 1 : 21."""

    def unpack(payload: Any) -> bytes:
        with mmap.mmap(-1, LARGEST_BATCH_BYTES) as room:  # pages that are not written take neither memory nor time
            try:
                return room[: unpack_into(payload, room)]
            except cramjam.DecompressionError as error:
                raise ValueError(f"{error} (of {LARGEST_BATCH_BYTES} bytes at most)") from error

    return unpack


def install() -> None:
    """Have every consumer of this process, Faust's too, read with `ReadableRecords` and bounded decoders. aiokafka
    names its classes and decoders in its modules and offers no other place."""
    fetching.PartitionRecords = ReadableRecords
    for module in (compiled, interpreted):
        module.gzip_decode = _unpack_gzip
        module.lz4_decode = _bounded(cramjam.lz4.decompress_into)
        module.zstd_decode = _bounded(cramjam.zstd.decompress_into)
