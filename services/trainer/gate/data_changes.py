"""What a full candidate was made from that the champion was not, and the other way round."""

from dataclasses import dataclass

from services.trainer.data import queries
from services.trainer.dataset.manifest import Manifest, manifest_from_json
from shared.contract.events import ModelTrained
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.tables.database import Database


@dataclass(frozen=True, slots=True)
class DataChanges:
    """Against the champion's last full training: how many images are new, and how many that it knew were withdrawn."""

    new: int = 0
    withdrawn: int = 0


async def find_data_changes(
    database: Database, store: ObjectStore, challenger: ModelTrained, champion: ModelTrained | None
) -> DataChanges:
    """Return what changed between the manifests, on either side of the split, as the full trigger counts it; nothing
    for the fast lane, which changes corrections only. If a manifest is gone, count by how many images it has grown.
    Raises TransientError if the store is away."""
    if challenger.lane == "fast" or champion is None:
        return DataChanges()
    ancestor = await queries.last_full(database, champion.version) or champion
    here, before = await _manifest(store, challenger), await _manifest(store, ancestor)
    if here is None or before is None:
        return DataChanges(max(_images(challenger) - _images(ancestor), 0))
    known, now = ({sample.sha256 for sample in each.samples} for each in (before, here))
    withdrawn = await queries.withdrawn_digests(database)
    return DataChanges(len(now - known), len((known - now) & withdrawn))


def _images(model: ModelTrained) -> int:
    return model.training_images + model.test_images


async def _manifest(store: ObjectStore, model: ModelTrained) -> Manifest | None:
    try:
        return manifest_from_json((await store.get(model.manifest_key)).decode())
    except (ObjectMissing, ValueError):
        return None
