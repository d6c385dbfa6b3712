"""Models as the gate loads them: the artefact by its hash, its pieces, its backbone under onnxruntime."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from services.trainer.data.artefact_store import ArtefactBroken, Artefacts
from services.trainer.gate.decisions.comparison import Contestant
from services.trainer.model.onnx_artefact import read_backbone, read_head, read_layer, read_metadata
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.events import ModelTrained
from shared.runtime.errors import InvalidMessage, PappusError
from shared.storage.object_store import ObjectMissing, ObjectStore

KEPT = 4


class Unloadable(PappusError):
    """This model cannot serve, whatever it would answer; the text is the sentence for the verdict."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory: its bytes, its pieces, and its backbone, loaded."""

    artefact: bytes
    contestant: Contestant
    extractor: FeatureExtractor


class Loader:
    """Loads models; keeps the last few, and their backbones, since a fast candidate shares its parent's."""

    def __init__(self, store: ObjectStore) -> None:
        self._artefacts = Artefacts(store, KEPT)
        self._loaded: OrderedDict[UUID, Loaded] = OrderedDict()

    async def fetch(self, model: ModelTrained) -> None:
        """Have the bytes in memory when `load` asks for them. Whatever goes wrong is for `load` to say."""
        try:
            await self._artefacts.load(model)
        except PappusError:
            return

    def forget(self, model: ModelTrained) -> None:
        """Read this model from the store at the next `load`: a predictor that loads it will, too."""
        self._artefacts.forget(model)
        self._loaded.pop(model.event_id, None)

    async def load(self, model: ModelTrained) -> Loaded:
        """The model, checked against its announcement. Raises Unloadable; TransientError if the store is away."""
        known = self._loaded.get(model.event_id)
        if known is None:
            try:
                artefact = await self._artefacts.load(model)
                known = await asyncio.to_thread(self._read, model, artefact)
            except (ArtefactBroken, ObjectMissing, InvalidMessage) as error:
                raise Unloadable(f"{model.version} cannot be loaded. {error}") from error
            self._loaded[model.event_id] = known
        self._loaded.move_to_end(model.event_id)
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)
        return known

    def _read(self, model: ModelTrained, artefact: bytes) -> Loaded:
        metadata, backbone = read_metadata(artefact), read_backbone(artefact)
        backbone_id = sha256(backbone).hexdigest()
        inside = (metadata.labels, metadata.backbone_id, backbone_id, metadata.manifest_sha256)
        if inside != (model.labels, model.backbone_id, model.backbone_id, model.manifest_sha256):
            raise Unloadable(
                f"{model.version} is not what was announced: labels, backbone or manifest inside the artefact differ."
            )
        try:
            head, layer = read_head(artefact), read_layer(artefact)
            extractor = self._known_backbone(backbone_id) or FeatureExtractor(backbone)
        except Exception as error:  # whatever a broken graph makes the runtime raise is a verdict on the graph
            raise Unloadable(f"{model.version} cannot be loaded: {error}") from error
        return Loaded(artefact, Contestant(model, head, layer), extractor)

    def _known_backbone(self, backbone_id: str) -> FeatureExtractor | None:
        for loaded in self._loaded.values():
            if loaded.contestant.model.backbone_id == backbone_id:
                return loaded.extractor
        return None
