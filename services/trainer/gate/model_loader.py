"""Models as the gate loads them: the artefact by its hash, its pieces, its backbone under onnxruntime."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from services.trainer.data.artefact_store import ArtefactHashMismatch, ArtefactStore
from services.trainer.gate.decisions.comparison import ComparedModel
from services.trainer.model.onnx_artefact import read_backbone, read_head, read_layer, read_metadata
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.events import ModelTrained
from shared.runtime.errors import InvalidMessage, PappusError
from shared.storage.object_store import ObjectMissing, ObjectStore

KEPT = 4


class ModelLoadError(PappusError):
    """This model cannot serve, whatever it would answer; the text is the sentence for the verdict."""


@dataclass(frozen=True)
class EvaluatedModel:
    """A model in memory: its bytes, its pieces, and its backbone, loaded."""

    artefact: bytes
    compared: ComparedModel
    extractor: FeatureExtractor


class ModelLoader:
    """Loads models; keeps the last few, and their backbones, since a fast candidate shares its parent's."""

    def __init__(self, store: ObjectStore) -> None:
        self._artefacts = ArtefactStore(store, KEPT)
        self._loaded: OrderedDict[UUID, EvaluatedModel] = OrderedDict()

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

    async def load(self, model: ModelTrained) -> EvaluatedModel:
        """The model, checked against its announcement. Raises Unloadable; TransientError if the store is away."""
        known = self._loaded.get(model.event_id)
        if known is None:
            try:
                artefact = await self._artefacts.load(model)
                known = await asyncio.to_thread(self._read, model, artefact)
            except (ArtefactHashMismatch, ObjectMissing, InvalidMessage) as error:
                raise ModelLoadError(f"{model.version} cannot be loaded. {error}") from error
            self._loaded[model.event_id] = known
        self._loaded.move_to_end(model.event_id)
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)
        return known

    def _read(self, model: ModelTrained, artefact: bytes) -> EvaluatedModel:
        metadata, backbone = read_metadata(artefact), read_backbone(artefact)
        backbone_id = sha256(backbone).hexdigest()
        inside = (metadata.labels, metadata.backbone_id, backbone_id, metadata.manifest_sha256)
        if inside != (model.labels, model.backbone_id, model.backbone_id, model.manifest_sha256):
            raise ModelLoadError(
                f"{model.version} is not what was announced: labels, backbone or manifest inside the artefact differ."
            )
        try:
            head, layer = read_head(artefact), read_layer(artefact)
            extractor = self._known_backbone(backbone_id) or FeatureExtractor(backbone)
        except Exception as error:  # whatever a broken graph makes the runtime raise is a verdict on the graph
            raise ModelLoadError(f"{model.version} cannot be loaded: {error}") from error
        return EvaluatedModel(artefact, ComparedModel(model, head, layer), extractor)

    def _known_backbone(self, backbone_id: str) -> FeatureExtractor | None:
        for loaded in self._loaded.values():
            if loaded.compared.trained.backbone_id == backbone_id:
                return loaded.extractor
        return None
