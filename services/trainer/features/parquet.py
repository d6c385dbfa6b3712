"""The feature store's file: the features of one manifest's images under one backbone, as Parquet."""

from collections.abc import Collection, Iterator, Sequence
from io import BytesIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

COMPRESSION = "zstd"
A_GROUP = 8_192
"""Vectors that are read at once: 33 MB of a thousand numbers each."""


def features_key(backbone_id: str, manifest_sha256: str) -> str:
    """Return where the file lies in the object store."""
    return f"features/{backbone_id}/{manifest_sha256}.parquet"


def write_features(sha256s: Sequence[str], features: NDArray[np.float32]) -> bytes:
    """Return the bytes of a file with the columns `sha256` (of the image's bytes) and `vector` (d float32), for
    features [n, d]."""
    buffer = BytesIO()
    pq.write_table(_table(sha256s, features), buffer, compression=COMPRESSION, row_group_size=A_GROUP)
    return buffer.getvalue()


def read_features(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the vector float32 [d] of each sha256.

    Raises:
        ValueError: these bytes are not such a file.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for digests, matrix in _groups(data):
        found.update(zip(digests, matrix, strict=True))
    return found


def find_features(data: bytes, wanted: Collection[str]) -> tuple[frozenset[str], dict[str, NDArray[np.float32]]]:
    """Return which images (by sha256) the file has vectors of, and the vector float32 [d] of those of them that are
    wanted: of a large file not more than a group of rows is in memory beside its bytes.

    Raises:
        ValueError: these bytes are not such a file.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for digests, matrix in _groups(data):
        found.update({digest: matrix[row].copy() for row, digest in enumerate(digests) if digest in wanted})
    return _images_in(data), found


def features_without(data: bytes, gone: Collection[str]) -> bytes | None:
    """Return the file without the rows of these images (by sha256): None if it has none of them, no bytes if it has no
    others. Of a large file not more than a group of rows is in memory beside its bytes.

    Raises:
        ValueError: these bytes are not such a file.
    """
    inside = _images_in(data)
    if inside.isdisjoint(gone):
        return None
    if inside <= set(gone):
        return b""
    buffer, writer = BytesIO(), None
    for digests, matrix in _groups(data):
        kept = [row for row, digest in enumerate(digests) if digest not in gone]
        table = _table([digests[row] for row in kept], matrix[kept])
        writer = writer or pq.ParquetWriter(buffer, table.schema, compression=COMPRESSION)
        if kept:
            writer.write_table(table)
    if writer is not None:
        writer.close()
    return buffer.getvalue()


def _table(sha256s: Sequence[str], features: NDArray[np.float32]) -> pa.Table:
    flat = pa.array(np.ascontiguousarray(features, dtype=np.float32).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(flat, features.shape[1])
    return pa.table({"sha256": pa.array(sha256s, pa.string()), "vector": vectors})


def _images_in(data: bytes) -> frozenset[str]:
    """Return of which images (by sha256) the file has vectors, without reading these."""
    try:
        return frozenset(pq.read_table(pa.BufferReader(data), columns=["sha256"])["sha256"].to_pylist())
    except (pa.ArrowInvalid, KeyError) as error:
        raise _no_features(error) from error


def _no_features(error: Exception) -> ValueError:
    return ValueError(f"These bytes are not a features file ({error}). Was the object replaced?")


def _groups(data: bytes) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Yield some sha256s [n] and their vectors float32 [n, d] at a time."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            vectors = group["vector"].combine_chunks()
            matrix = vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(group), vectors.type.list_size)
            yield group["sha256"].to_pylist(), matrix
    except (pa.ArrowInvalid, KeyError, AttributeError) as error:
        raise _no_features(error) from error
