"""Models from their files: of the object store, and of the folder that outlives a restart.

A layer alone needs the whole artefact that it names. That stays in memory for the layers to come, so that loading one
of them takes a few milliseconds.
"""

import asyncio
from dataclasses import dataclass

from cachetools import LRUCache

from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.classes import KnownClasses
from services.predictor.model.onnx_model import Graph, Model, ParsedArtefact
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, BaseArtefact, check_artefact_key, check_base_key
from shared.contract.events import ArtefactOfModel
from shared.storage.verified import ReadableStore, check_sha256, get_verified

KEPT_BASES = 3
"""Graphs in memory: that of the champion, of the one before it, and of a candidate."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, and the bytes it was loaded from."""

    model: Model
    artefact: bytes


class ModelFiles:
    """Reads artefacts, compares them with the announced hash, and loads them, off the event loop."""

    def __init__(self, store: ReadableStore, folder: ArtefactFolder, classes: KnownClasses | None = None) -> None:
        """`classes`: those a model may name; None: any."""
        self._store = store
        self._folder = folder
        self._classes = classes
        self._bases: LRUCache[str, Graph] = LRUCache(KEPT_BASES)
        self._loading_base = asyncio.Lock()

    async def fetch(self, event: ArtefactOfModel) -> LoadedModel:
        """Load the artefact that `event` names from the store.

        Raises:
            PappusError: it is not there, not the announced one, or cannot serve.
        """
        check_artefact_key(event.artefact_key, event.version)
        artefact = await self._store.get(event.artefact_key, LARGEST_ARTEFACT_BYTES)
        check_sha256(artefact, event.artefact_sha256, event.artefact_key)
        return await self._load(event.artefact_sha256, artefact)

    async def read_kept(self, event: ArtefactOfModel) -> LoadedModel | None:
        """Load the artefact that `event` names from the folder; None if it is not there. Raises PappusError."""
        artefact = await asyncio.to_thread(self._folder.read, event.artefact_sha256)
        return None if artefact is None else await self._load(event.artefact_sha256, artefact)

    async def _load(self, digest: str, artefact: bytes) -> LoadedModel:
        parsed = await asyncio.to_thread(ParsedArtefact.of, artefact)
        base = parsed.metadata.base
        bases = {} if base is None else {base.sha256: await self._base(base)}
        labels = None if self._classes is None else self._classes.current.labels
        model = await asyncio.to_thread(Model, parsed, labels, bases)
        if base is None:
            self._bases[digest] = model.graph
        return LoadedModel(model, artefact)

    async def _base(self, base: BaseArtefact) -> Graph:
        """Return the graph of a whole artefact, from memory, the folder or the store."""
        async with self._loading_base:  # the layers that come meanwhile wait for it, too
            if (known := self._bases.get(base.sha256)) is not None:
                return known
            artefact = await asyncio.to_thread(self._folder.read, base.sha256)
            if artefact is None:
                check_base_key(base.key)
                artefact = await get_verified(self._store, base.key, base.sha256, LARGEST_ARTEFACT_BYTES)
            self._bases[base.sha256] = graph = await asyncio.to_thread(lambda: Graph(ParsedArtefact.of(artefact)))
            return graph
