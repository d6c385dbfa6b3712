"""The feature store's file: the features of one manifest's images under one backbone, as Parquet."""

from collections.abc import Collection, Iterator, Sequence
from io import BytesIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

A_GROUP = 8_192
"""Vectors that are read at once: 33 MB of a thousand numbers each."""


def features_key(backbone_id: str, manifest_sha256: str) -> str:
    """Return where the file lies in the object store."""
    return f"features/{backbone_id}/{manifest_sha256}.parquet"


def write_features(sha256s: Sequence[str], features: NDArray[np.float32]) -> bytes:
    """Return the bytes of a file with the columns `sha256` (of the image's bytes) and `vector` (d float32), for
    features [n, d]."""
    width = features.shape[1]
    flat = pa.array(np.ascontiguousarray(features, dtype=np.float32).ravel())
    table = pa.table(
        {"sha256": pa.array(sha256s, pa.string()), "vector": pa.FixedSizeListArray.from_arrays(flat, width)}
    )
    buffer = BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=A_GROUP)
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
    inside: set[str] = set()
    found: dict[str, NDArray[np.float32]] = {}
    for digests, matrix in _groups(data):
        inside.update(digests)
        found.update({digest: matrix[row].copy() for row, digest in enumerate(digests) if digest in wanted})
    return frozenset(inside), found


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
        raise ValueError(f"These bytes are not a features file ({error}). Was the object replaced?") from error
