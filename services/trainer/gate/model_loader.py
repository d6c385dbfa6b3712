"""Models as the gate loads them: the artefact by its hash, its pieces, its backbone under onnxruntime."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from cachetools import LRUCache

from services.trainer.data.artefacts import load_artefact
from services.trainer.gate.decisions.comparison import ComparedModel
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.events import ModelTrained
from shared.runtime.errors import InvalidMessage, PappusError
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.storage.verified import HashMismatch

KEPT = 4


class ModelLoadError(PappusError):
    """This model cannot serve; the text is the sentence for the verdict."""


@dataclass(frozen=True)
class EvaluatedModel:
    """A model in memory: its pieces, and its backbone, loaded."""

    artefact: Artefact
    compared: ComparedModel
    extractor: FeatureExtractor


class ModelLoader:
    """Loads models; keeps the last few with their backbones, since a fast candidate shares its parent's."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._loaded: LRUCache[UUID, EvaluatedModel] = LRUCache(KEPT)
        self._bases: LRUCache[str, Artefact] = LRUCache(KEPT)
        self._extractors: LRUCache[str, FeatureExtractor] = LRUCache(KEPT)
        self._loading = asyncio.Lock()

    def forget(self, model: ModelTrained) -> None:
        """Read this model from the store at the next `load`, as a predictor that loads it will."""
        loaded = self._loaded.pop(model.event_id, None)
        if loaded is not None:
            self._bases.pop(loaded.artefact.base.sha256, None)

    async def load(self, model: ModelTrained) -> EvaluatedModel:
        """Return the model, checked against its announcement.

        Raises:
            ModelLoadError: it cannot serve.
            TransientError: the store did not answer.
        """
        async with self._loading:  # the handler and the prefetcher may ask for the same model
            if (known := self._loaded.get(model.event_id)) is not None:
                return known
            try:
                artefact = await load_artefact(self._store, model, self._bases)
            except (HashMismatch, ObjectMissing, InvalidMessage) as error:
                raise ModelLoadError(f"{model.version} cannot be loaded. {error}") from error
            if artefact.backbone.id in self._extractors and artefact.graph.loaded:
                loaded = self._check(model, artefact)  # compares a few names
            else:
                loaded = await asyncio.to_thread(self._check, model, artefact)
            self._loaded[model.event_id] = loaded
            return loaded

    def _check(self, model: ModelTrained, artefact: Artefact) -> EvaluatedModel:
        metadata, backbone = artefact.metadata, artefact.backbone
        inside = (metadata.labels, metadata.backbone_id, backbone.id, metadata.manifest_sha256)
        if inside != (model.labels, model.backbone_id, model.backbone_id, model.manifest_sha256):
            raise ModelLoadError(
                f"{model.version} is not what was announced: labels, backbone or manifest inside the artefact differ."
            )
        try:
            if backbone.id not in self._extractors:
                self._extractors[backbone.id] = FeatureExtractor(backbone.onnx)
            artefact.graph.session(artefact.layer)
        except Exception as error:  # any exception of the runtime about a broken graph is a verdict on the graph
            raise ModelLoadError(f"{model.version} cannot be loaded: {error}") from error
        compared = ComparedModel(model, artefact.head, artefact.layer)
        return EvaluatedModel(artefact, compared, self._extractors[backbone.id])
