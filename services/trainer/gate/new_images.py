"""Which labelled images a full candidate has that the champion has not seen."""

from services.trainer.data import queries
from services.trainer.dataset.manifest import Manifest, manifest_from_json
from shared.contract.events import ModelTrained
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.tables.database import Database


async def find_new_images(
    database: Database, store: ObjectStore, challenger: ModelTrained, champion: ModelTrained | None
) -> int:
    """Return how many images the challenger's manifest holds and that of the champion's last full training does not, on
    either side of the split, as the full trigger counts them; 0 for the fast lane, which adds corrections only. If a
    manifest is gone, by how many images it has grown. Raises TransientError if the store is away."""
    if challenger.lane == "fast" or champion is None:
        return 0
    ancestor = await queries.last_full(database, champion.version) or champion
    here, before = await _manifest(store, challenger), await _manifest(store, ancestor)
    if here is None or before is None:
        return max(_images(challenger) - _images(ancestor), 0)
    known = {sample.sha256 for sample in before.samples}
    return sum(sample.sha256 not in known for sample in here.samples)


def _images(model: ModelTrained) -> int:
    return model.training_images + model.test_images


async def _manifest(store: ObjectStore, model: ModelTrained) -> Manifest | None:
    try:
        return manifest_from_json((await store.get(model.manifest_key)).decode())
    except (ObjectMissing, ValueError):
        return None
