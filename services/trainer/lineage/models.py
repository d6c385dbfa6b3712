"""Models as the tables name them, and their data sets in the object store. Reads, and writes nothing."""

from dataclasses import dataclass

from services.trainer.data import queries
from services.trainer.dataset.manifest import Manifest, manifest_from_json
from services.trainer.lineage.decisions.data_sets import DataSet, data_set_of
from shared.contract.events import ModelTrained
from shared.runtime.errors import PappusError
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.storage.verified import HashMismatch, get_verified
from shared.tables.database import Database


class UnknownModel(PappusError):
    """No model has this version."""


class LostDataSet(PappusError):
    """The manifest of a model is gone, or holds something else than was announced."""


@dataclass(frozen=True, slots=True)
class ModelReader:
    """Tables and store of the trainer."""

    database: Database
    store: ObjectStore

    async def trained(self, version: str) -> ModelTrained:
        """Return the model with this version. Raises UnknownModel."""
        row = await queries.model(self.database, version)
        if row is None:
            raise UnknownModel(f"There is no model {version!r}. `pappus history` lists them.")
        return row.trained

    async def manifest(self, model: ModelTrained) -> Manifest:
        """Return the manifest of a model. Raises LostDataSet, TransientError."""
        try:
            data = await get_verified(self.store, model.manifest_key, model.manifest_sha256)
            return manifest_from_json(data.decode())
        except (ObjectMissing, HashMismatch, ValueError) as error:
            raise LostDataSet(f"The manifest of {model.version} cannot be read. {error}") from error

    async def line(self, model: ModelTrained) -> list[ModelTrained]:
        """Return the model and its parents down to the full model it stands on, the model first."""
        found = [model]
        while found[-1].lane == "fast" and found[-1].parent is not None:
            found.append(await self.trained(found[-1].parent))
        return found

    async def data_set(self, version: str) -> DataSet:
        """Return what a model has learned from. Raises UnknownModel, LostDataSet, TransientError."""
        model = await self.trained(version)
        full = (await self.line(model))[-1]
        layer = None if full is model else await self.manifest(model)
        return data_set_of(await self.manifest(full), layer, model.held)
