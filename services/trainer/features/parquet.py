"""The feature store's file: the features of one manifest's images under one backbone, as Parquet."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray


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
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_features(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the vector float32 [d] of each sha256.

    Raises:
        ValueError: these bytes are not such a file.
    """
    try:
        table = pq.read_table(BytesIO(data))
        vectors = table["vector"].combine_chunks()
        matrix = vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(table), vectors.type.list_size)
        return dict(zip(table["sha256"].to_pylist(), matrix, strict=True))
    except (pa.ArrowInvalid, KeyError, AttributeError) as error:
        raise ValueError(f"These bytes are not a features file ({error}). Was the object replaced?") from error
