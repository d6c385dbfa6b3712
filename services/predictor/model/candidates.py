"""Models of candidates, loaded while the gate still looks at them: when one is promoted, only the swap is left."""

import asyncio
from collections import OrderedDict

from services.predictor.model.model_files import LoadedModel, ModelFiles
from shared.contract.events import ArtefactOfModel
from shared.runtime.errors import PappusError
from shared.runtime.telemetry import logger
from shared.runtime.tracing import continued, describe, traceparent

KEPT = 2
"""Candidates in memory: the one before the gate, and the one that comes after it."""


class CandidateModels:
    """Loads what is announced, the newest `KEPT`. It only saves time: what is not here is loaded once it is promoted,
    and a candidate that cannot be loaded is only reported then."""

    def __init__(self, models: ModelFiles) -> None:
        self._models = models
        self._loading: OrderedDict[str, asyncio.Task[LoadedModel | None]] = OrderedDict()
        self._held: str | None = None

    def begin(self, candidate: ArtefactOfModel) -> None:
        """Begin to load this candidate, in the current trace; an older one may be dropped for it."""
        if candidate.artefact_sha256 in self._loading:
            self._loading.move_to_end(candidate.artefact_sha256)
            return
        task = asyncio.create_task(self._load(candidate, traceparent()))
        self._loading[candidate.artefact_sha256] = task
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        newest = [digest for digest in self._loading if digest != self._held]
        for digest in newest[: max(0, len(newest) - KEPT)]:
            self._loading.pop(digest).cancel()

    async def hold(self, candidate: ArtefactOfModel) -> LoadedModel:
        """Return a candidate that is tried, and keep it until it is promoted or another one is held: corrections that
        come meanwhile do not take its place.

        Raises:
            PappusError: it is not there, not the announced one, or cannot serve.
        """
        digest = self._held = candidate.artefact_sha256
        ahead = self._loading.get(digest)
        if ahead is not None:
            await asyncio.wait([ahead])
        loaded = None if ahead is None or ahead.cancelled() or ahead.exception() is not None else ahead.result()
        if loaded is None:
            loaded = await self._models.fetch(candidate)
            self._loading[digest] = asyncio.create_task(_done(loaded))
        return loaded

    def release(self) -> None:
        """Hold no candidate any more."""
        self._held = None
        self._forget_oldest()

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
                return await self._models.fetch(candidate)
            except PappusError as error:
                logger.info("a candidate could not be loaded ahead", version=candidate.version, error=str(error))
                return None


async def _done(loaded: LoadedModel) -> LoadedModel | None:
    return loaded
