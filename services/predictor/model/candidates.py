"""Models of candidates, loaded while the gate still looks at them: when one is promoted, only the swap is left."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from services.predictor.model.onnx_model import Model
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, check_artefact_key
from shared.contract.events import ArtefactOfModel
from shared.runtime.errors import PappusError
from shared.runtime.telemetry import logger
from shared.runtime.tracing import continued, describe, traceparent
from shared.storage.verified import ReadableStore, check_sha256

KEPT = 2
"""Candidates in memory: the one before the gate, and the one that comes after it."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, and the bytes it was loaded from."""

    model: Model
    artefact: bytes


async def load_model(event: ArtefactOfModel, store: ReadableStore, labels: Collection[str] | None) -> LoadedModel:
    """Load the artefact that `event` names, off the event loop. `labels`: those a model may name; None: any.

    Raises:
        PappusError: it is not there, not the announced one, or cannot serve.
    """
    check_artefact_key(event.artefact_key, event.version)
    artefact = await store.get(event.artefact_key, LARGEST_ARTEFACT_BYTES)
    return await load_bytes(event, artefact, labels)


async def load_bytes(event: ArtefactOfModel, artefact: bytes, labels: Collection[str] | None) -> LoadedModel:
    """Load bytes that should be the artefact that `event` names. Raises PappusError as `load_model` does."""

    def load() -> LoadedModel:
        check_sha256(artefact, event.artefact_sha256, event.artefact_key)
        return LoadedModel(Model(artefact, labels), artefact)

    return await asyncio.to_thread(load)


class CandidateModels:
    """Loads what is announced, the newest `KEPT`. It only saves time: what is not here is loaded once it is promoted,
    and a candidate that cannot be loaded is only reported then."""

    def __init__(self, store: ReadableStore, labels: Collection[str] | None = None) -> None:
        self._store = store
        self._labels = labels
        self._loading: OrderedDict[str, asyncio.Task[LoadedModel | None]] = OrderedDict()

    def begin(self, candidate: ArtefactOfModel) -> None:
        """Begin to load this candidate, in the current trace; an older one may be dropped for it."""
        if candidate.artefact_sha256 in self._loading:
            self._loading.move_to_end(candidate.artefact_sha256)
            return
        task = asyncio.create_task(self._load(candidate, traceparent()))
        self._loading[candidate.artefact_sha256] = task
        while len(self._loading) > KEPT:
            self._loading.popitem(last=False)[1].cancel()

    async def take(self, promotion: ArtefactOfModel) -> LoadedModel | None:
        """Return the promoted model, once it is loaded; None if it was not announced here, or could not be loaded."""
        task = self._loading.pop(promotion.artefact_sha256, None)
        if task is None:
            return None
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()  # if it hangs until the caller gives up: the next attempt loads anew
        return None if task.cancelled() or task.exception() is not None else task.result()

    async def close(self) -> None:
        """Stop loading and forget everything."""
        tasks = list(self._loading.values())
        self._loading.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, candidate: ArtefactOfModel, trace: str | None) -> LoadedModel | None:
        with continued(trace, "load candidate"):
            describe(version=candidate.version)
            try:
                return await load_model(candidate, self._store, self._labels)
            except PappusError as error:
                logger.info("a candidate could not be loaded ahead", version=candidate.version, error=str(error))
                return None
