"""What is asked about data sets, answered as JSON knows it."""

from typing import Any
from uuid import UUID

from services.trainer.lineage.decisions.data_sets import Change, Entry, difference
from services.trainer.lineage.models import LostDataSet, ModelReader
from shared.tables.label_set import read_changed_classes

READ = 50
"""So many manifests of full models are looked through for one image, the newest."""


async def compare(reader: ModelReader, first: str, second: str) -> dict[str, Any]:
    """Return how the data set of the second model differs from that of the first, and `names`: what people call the
    labels of classes that were changed. Raises UnknownModel, LostDataSet."""
    classes = await read_changed_classes(reader.database)
    before, after = await reader.data_set(first), await reader.data_set(second)
    found = difference(before, after)
    return {
        "first": {"version": first, "images": len(before)},
        "second": {"version": second, "images": len(after)},
        "added": [_change(each) for each in found.added],
        "removed": [_change(each) for each in found.removed],
        "relabelled": [_change(each) for each in found.relabelled],
        "moved": [_change(each) for each in found.moved],
        "names": dict(classes.names) if classes else {},
    }


async def seen(reader: ModelReader, image_id: UUID) -> dict[str, Any]:
    """Return which full models have seen an image, on which side and with which label, the newest first. `unread` are
    those whose manifest is lost; `older`: whether there are older ones that were not looked through."""
    rows = await reader.database.fetch(
        "SELECT version FROM models WHERE lane = 'full' ORDER BY trained_at DESC, version LIMIT $1", READ + 1
    )
    models, unread = [], []
    for row in rows[:READ]:
        model = await reader.trained(row["version"])
        try:
            manifest = await reader.manifest(model)
        except LostDataSet:
            unread.append(model.version)
            continue
        models += [
            {"version": model.version, "side": one.side, "label": one.label, "revision": one.revision}
            for one in manifest.samples
            if one.image_id == image_id
        ]
    return {"models": models, "unread": unread, "older": len(rows) > READ}


def _change(change: Change) -> dict[str, Any]:
    return {"image_id": str(change.image_id), "before": _entry(change.before), "after": _entry(change.after)}


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    sample = entry.sample
    return {"label": sample.label, "revision": sample.revision, "side": sample.side, "in_layer": entry.in_layer}
