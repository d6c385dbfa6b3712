"""Queries about what models have learned from: their manifests in the object store."""

import asyncio
from uuid import UUID

from services.labeler.decisions.data_sets import DataSet, Difference, Sample, difference, read_manifest
from shared.clients.model_history import DataChange, DataDifference, LearnedFrom
from shared.runtime.errors import PappusError
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.storage.verified import HashMismatch, get_verified
from shared.tables.database import Database

READING = asyncio.Semaphore(1)
"""One comparison at a time: the manifests of two large data sets are in memory."""

_LINE = """
WITH RECURSIVE line AS (
    SELECT version, lane, parent, 0 AS depth FROM models WHERE version = $1
    UNION ALL
    SELECT before.version, before.lane, before.parent, depth + 1
    FROM line JOIN models before ON before.version = line.parent WHERE line.lane = 'fast'
)
SELECT models.event ->> 'manifest_key' AS key, models.event ->> 'manifest_sha256' AS sha256
FROM line JOIN models USING (version) WHERE line.lane = 'full' OR depth = 0 ORDER BY depth DESC
"""
"""The manifests of a model: that of the full one it stands on, and its own."""


class LostDataSet(PappusError):
    """The manifest of a model is gone, or holds something else than was announced."""


async def data_difference(
    database: Database, store: ObjectStore, version: str, against: str, most: int
) -> DataDifference:
    """Return how the data sets of two known models differ, with at most `most` images. Raises LostDataSet,
    TransientError."""
    async with READING:
        after, before = await _manifests(database, store, version), await _manifests(database, store, against)
        found = await asyncio.to_thread(_compare, before, after, most)
    return DataDifference(
        version=version,
        against=against,
        added=found.added,
        removed=found.removed,
        relabelled=found.relabelled,
        changes=[
            DataChange(image_id=one.image_id, before=_shown(one.before), after=_shown(one.after))
            for one in found.changes
        ],
    )


async def _manifests(database: Database, store: ObjectStore, version: str) -> list[bytes]:
    rows = await database.fetch(_LINE, version)
    try:
        return [await get_verified(store, row["key"], row["sha256"]) for row in rows]
    except (ObjectMissing, HashMismatch) as error:
        raise LostDataSet(f"What {version} has learned from is not known any more. {error}") from error


def _compare(before: list[bytes], after: list[bytes], most: int) -> Difference:
    return difference(_data_set(before), _data_set(after), most)


def _data_set(manifests: list[bytes]) -> DataSet:
    samples: dict[UUID, Sample] = {}
    for manifest in manifests:
        samples |= read_manifest(manifest)
    return samples


def _shown(sample: Sample | None) -> LearnedFrom | None:
    return None if sample is None else LearnedFrom(label=sample.label, side=sample.side)
