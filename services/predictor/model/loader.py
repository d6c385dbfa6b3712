"""Brings the promoted model into service: download, hash, session, self-check, then one swap.

Loads one model at a time, always the latest target. While the target cannot be loaded, the old model stays in service;
without an old model, an earlier promotion or the last good artefact on disk serves. Loading is repeated until it
succeeds or the target changes.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from cachetools import LRUCache

from services.predictor.decisions.promotions import Promotions
from services.predictor.metrics import CORRECTION_TO_LIVE_SECONDS, MODEL_LOAD_FAILURES, MODEL_LOAD_SECONDS, show_model
from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.candidates import CandidateModels
from services.predictor.model.classes import KnownClasses
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.model_files import LoadedModel, ModelFiles
from services.predictor.settings import PredictorSettings
from shared.contract.artefact import check_artefact_key
from shared.contract.events import ModelPromoted
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.freed_memory import give_back_freed_memory
from shared.runtime.retry import RetryPolicy, delay
from shared.runtime.telemetry import logger
from shared.runtime.tracing import continued, describe, traceparent
from shared.storage.verified import ReadableStore

KEPT_SERVED = 3
"""Models in memory: the one in service and those before it, so that a rollback is a swap."""
RETRY = RetryPolicy(first_seconds=0.2, factor=2.0, longest_seconds=15.0, attempts=None)


@dataclass(frozen=True, slots=True)
class Failure:
    """A promotion that should serve but could not be loaded, and why."""

    promotion: ModelPromoted
    detail: str


Notify = Callable[[ServingModel | None, Failure | None], None]
"""Called with the serving model and the failure of the target, after each change of either."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """`kafka_wait_seconds`: how long a start waits for the log before it serves from disk. `timeout_seconds`: the limit
    of one load. `classes`: those a model may name; None: any."""

    kafka_wait_seconds: float = 3.0
    timeout_seconds: float = 120.0
    retry: RetryPolicy = RETRY
    classes: KnownClasses | None = None


class ModelLoader:
    """Brings the target into `in_service` and notifies each of `listeners`."""

    def __init__(
        self,
        store: ReadableStore,
        folder: ArtefactFolder,
        listeners: Sequence[Notify],
        settings: LoadSettings = LoadSettings(),
        clock: Clock = utc_now,
    ) -> None:
        self._files = ModelFiles(store, folder, settings.classes)
        self.classes = settings.classes
        self.candidates = CandidateModels(self._files)
        """Models that are loaded before they are promoted, once something tells of them."""
        self.in_service = ModelHolder()
        self._served: LRUCache[str, LoadedModel] = LRUCache(KEPT_SERVED)
        self._folder = folder
        self._listeners = tuple(listeners)
        self._settings = settings
        self._clock = clock
        self._promotions = Promotions()
        self._trace: str | None = None
        self._target_changed = asyncio.Event()

    def set_target(self, promotions: Promotions) -> None:
        """Make the newest of `promotions` the target. What loading it leads to belongs to the current trace."""
        self._promotions, self._trace = promotions, traceparent()
        self._target_changed.set()

    async def run(self) -> None:
        """Load each new target until cancelled."""
        if not await self._wait_for_target(self._settings.kafka_wait_seconds):
            logger.warning("the log does not answer; the last good model on disk serves, if there is one")
            await self._load_first(await self._kept())
        attempt = 0
        while True:
            if await self._wait_for_target(delay(self._settings.retry, attempt) if attempt else None):
                attempt = 0
            self._target_changed.clear()
            attempt = 0 if await self._serve_target(self._promotions) else attempt + 1

    async def _wait_for_target(self, seconds: float | None) -> bool:
        """Wait at most `seconds` (None: without end) for a new target. Return whether there is one."""
        try:
            async with asyncio.timeout(seconds):
                await self._target_changed.wait()
        except TimeoutError:
            return False
        return True

    async def _serve_target(self, promotions: Promotions) -> bool:
        """Bring the target into service. Return whether it serves now."""
        wanted = promotions.wanted
        if wanted is None or self._serves(wanted):
            return True
        with continued(self._trace, "load model"):
            describe(version=wanted.version)
            try:
                await self._load(wanted)
            except PappusError as error:
                if self.in_service.current is None:
                    kept, earlier = await self._kept(), list(promotions.fallbacks())
                    await self._load_first(kept + earlier if isinstance(error, TransientError) else earlier + kept)
                self._notify(Failure(wanted, str(error)))
                return False
        return True

    def _serves(self, promotion: ModelPromoted) -> bool:
        current = self.in_service.current
        return current is not None and current.promotion == promotion

    def _serves_with(self, loaded: LoadedModel) -> bool:
        current = self.in_service.current
        return current is not None and current.model is loaded.model

    async def _load_first(self, promotions: Iterable[ModelPromoted]) -> None:
        """Bring the first of these that can be loaded into service; a new target ends the search."""
        for promotion in promotions:
            if self._target_changed.is_set():
                return
            try:
                await self._load(promotion)
            except PappusError:  # logged and counted by `_load`
                continue
            return

    async def _load(self, promotion: ModelPromoted) -> None:
        """Swap to this promotion. Raises PappusError with the reason; the model in service stays then."""
        started = perf_counter()
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                loaded = await self._model(promotion)
        except (PappusError, TimeoutError) as error:
            MODEL_LOAD_FAILURES.labels(type(error).__name__).inc()
            logger.error("a promoted model cannot be loaded", version=promotion.version, error=str(error))
            if isinstance(error, PappusError):
                raise
            limit = self._settings.timeout_seconds
            raise TransientError(f"{promotion.version} was not loaded within {limit} s. Is the store slow?") from error
        MODEL_LOAD_SECONDS.observe(perf_counter() - started)
        served = self._serves_with(loaded)  # then for another promotion: a freeze
        self._swap(ServingModel(promotion, loaded.model, self._clock()))
        self._served[promotion.artefact_sha256] = loaded
        if not served:
            await self._keep(promotion, loaded)
            await asyncio.to_thread(give_back_freed_memory)

    async def _model(self, promotion: ModelPromoted) -> LoadedModel:
        check_artefact_key(promotion.artefact_key, promotion.version)
        loaded = (
            self._served.get(promotion.artefact_sha256)
            or await self.candidates.take(promotion)
            or await self._files.read_kept(promotion)
        )
        return loaded or await self._files.fetch(promotion)

    def _swap(self, serving: ServingModel) -> None:
        if self.in_service.current is not None:  # else the process starts, with what was live before
            for corrected_at in _first_held(serving.promotion, self._promotions):
                seconds = (serving.loaded_at - corrected_at).total_seconds()
                CORRECTION_TO_LIVE_SECONDS.observe(max(0.0, seconds))
        self.in_service.swap(serving)
        self._notify(None)
        show_model(serving.promotion)
        age_seconds = (serving.loaded_at - serving.promotion.occurred_at).total_seconds()
        logger.info(
            "a model serves",
            version=serving.promotion.version,
            sequence=serving.promotion.sequence,
            seconds_since_promoted=round(age_seconds, 3),
        )

    def _notify(self, failure: Failure | None) -> None:
        for notify in self._listeners:
            notify(self.in_service.current, failure)

    async def _keep(self, promotion: ModelPromoted, loaded: LoadedModel) -> None:
        base = None if loaded.model.metadata.base is None else loaded.model.graph.artefact
        try:
            await asyncio.to_thread(self._folder.keep, promotion, loaded.artefact, base)
        except OSError as error:  # a full disk must not stop serving
            logger.error("the artefact could not be kept in PAPPUS_STATE_FOLDER for the next start", error=str(error))

    async def _kept(self) -> list[ModelPromoted]:
        return await asyncio.to_thread(self._folder.promotions)


def _first_held(promotion: ModelPromoted, promotions: Promotions) -> list[datetime]:
    """Return when the corrections were made that no earlier promotion held: after a rollback a later model holds again
    what was live before."""
    earlier = {at for each in promotions.counting if each.sequence < promotion.sequence for at in each.corrected_at}
    return [at for at in promotion.corrected_at if at not in earlier]


def make_loader(settings: PredictorSettings, store: ReadableStore, listeners: Sequence[Notify]) -> ModelLoader:
    """Return the loader of a process with these settings, and the classes that it knew last."""
    classes = KnownClasses(settings.labels, settings.artefact_folder / "classes")
    load_settings = LoadSettings(settings.kafka_wait_seconds, settings.load_timeout_seconds, classes=classes)
    return ModelLoader(store, ArtefactFolder(settings.artefact_folder), listeners, load_settings)
