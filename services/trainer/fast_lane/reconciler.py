"""The fast lane's reconciler: what is live, what should be, and the candidate that closes the gap."""

import asyncio
import time
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from cachetools import LRUCache

from services.trainer.data import queries
from services.trainer.data.artefacts import load_artefact
from services.trainer.data.kept_labels import KeptLabels
from services.trainer.data.known_models import KnownModels
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.manifest import Manifest
from services.trainer.dataset.records import Champion
from services.trainer.fast_lane.candidate import (
    RECIPE,
    Candidate,
    CandidateBuildError,
    LoadedChampion,
    agrees,
    build_candidate,
    check_parity,
    load_champion,
    manifest_of_corrections,
)
from services.trainer.fast_lane.decisions.build_plan import (
    BuildCandidate,
    FastLaneState,
    decide,
    find_excluded,
    oldest_unserved,
)
from services.trainer.fast_lane.metrics import BUILD_SECONDS, EXCLUDED, OLDEST_UNSERVED_SECONDS, UNSERVED
from services.trainer.features.source import FeatureResult, FeatureSource
from services.trainer.model.arrays import Vector
from services.trainer.model.made_with import made_with
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.reference_inference import Agreement
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.settings import TrainerSettings
from shared.contract.artefact import CorrectionEntry, artefact_key
from shared.contract.events import AppliedCorrection, Event, ModelTrained, uuid_of
from shared.contract.trials import TrialCompared, TrialStarted
from shared.messaging.event_log import EventLog, Publisher
from shared.runtime.clock import Clock
from shared.runtime.errors import InvalidMessage
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, retrying
from shared.runtime.telemetry import logger as logger
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.storage.verified import HashMismatch
from shared.tables.database import Database
from shared.tables.label_set import read_label_set
from shared.tables.projection import wait_until_caught_up
from shared.tables.reconciler import run_reconciler
from shared.tables.single_worker import run_in_one_process

Key = TypeVar("Key")
Result = TypeVar("Result")
PART = "fast lane"
KEPT = 3
"""Models in memory, up to 30 MB each."""
COMPARED_IMAGES = 2
TIMES = 50
"""Of so many new corrections the event says when they were made."""
LEFT_OUT_FOR = timedelta(minutes=10)
"""How long an image is left out before it is tried again."""


class FastLane:
    """Compares tables with the champion and builds candidates. Beside the tables it only remembers what saves time:
    models in memory, and which images no candidate could be built with."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        source: FeatureSource,
        health: Health,
        clock: Clock,
        labels: Sequence[str] = (),
    ) -> None:
        """`labels`: those of the configuration."""
        self._labels = labels
        self._database = database
        self._store = store
        self._source = source
        self._health = health
        self._clock = clock
        self._models = KnownModels(database)
        self._kept = KeptLabels(database)
        self._loaded: LRUCache[str, LoadedChampion] = LRUCache(KEPT)
        """By the sha256 of the artefact: the champion, and candidates that may become it."""
        self._bases: LRUCache[str, Artefact] = LRUCache(KEPT)
        self._extractors: LRUCache[str, FeatureExtractor] = LRUCache(KEPT)
        self._loading = asyncio.Lock()
        self._unreadable: dict[UUID, tuple[datetime, str]] = {}
        self._inexact: dict[CorrectionEntry, tuple[datetime, str]] = {}
        self._reported = ""

    async def reconcile(self) -> Sequence[Event]:
        """Return the candidate that is missing, or nothing. Raises TransientError if a dependency does not answer."""
        state = await self._load_state()
        self._update_metrics(state)
        decision = decide(state, self._clock())
        known = set(self._inexact)
        while isinstance(decision, BuildCandidate):
            try:
                candidate = await self._try_build(decision)
            except CandidateBuildError as error:
                self._report(str(error), ok=False)
                return []
            if candidate is not None:
                self._pardon(known)
                return [candidate]
            state = replace(state, unreadable=_reasons(self._unreadable), inexact=_reasons(self._inexact))
            decision = decide(state, self._clock())
        self._pardon(known)
        self._report(decision.reason, ok=True)
        return []

    def _pardon(self, known: Collection[CorrectionEntry]) -> None:
        """Of the corrections that were newly found inexact keep the last one, without which the candidate agrees: the
        others were only newer than it, and come with the next candidate."""
        for entry in [each for each in self._inexact if each not in known][:-1]:
            del self._inexact[entry]

    async def loaded_champion(self) -> LoadedChampion | None:
        """Return the champion in memory; None before the first. Raises CandidateBuildError if it cannot be read."""
        champion = await self._models.champion()
        return None if champion is None else await self._load_champion(champion)

    async def _load_state(self) -> FastLaneState:
        champion, labels, set_aside, classes = await asyncio.gather(
            self._models.champion(),
            self._kept.read(),
            queries.set_aside(self._database),
            read_label_set(self._database, self._labels),
        )
        now = self._clock()
        self._unreadable = {key: kept for key, kept in self._unreadable.items() if now - kept[0] < LEFT_OUT_FOR}
        self._inexact = {key: kept for key, kept in self._inexact.items() if now - kept[0] < LEFT_OUT_FOR}
        return FastLaneState(
            champion=champion,
            corrections=labels.corrections,
            retractions=labels.retractions,
            set_aside=set_aside,
            candidates=[] if champion is None else await queries.fast_candidates(self._database, champion.version),
            unreadable=_reasons(self._unreadable),
            inexact=_reasons(self._inexact),
            recipe=RECIPE,
            classes=classes.labels,
        )

    async def _load_champion(self, champion: Champion) -> LoadedChampion:
        """Return the champion from memory, where the lane's own last candidates are, or from the store."""
        digest = champion.model.artefact_sha256
        async with self._loading:  # reconciler and prefetcher wake up together
            if (known := self._loaded.get(digest)) is not None:
                return known
            try:
                artefact = await load_artefact(self._store, champion.model, self._bases)
            except (HashMismatch, ObjectMissing, InvalidMessage) as error:
                raise CandidateBuildError(f"The champion {champion.version} cannot be read. {error}") from error
            loaded = await asyncio.to_thread(load_champion, artefact, self._extractors)
            self._loaded[digest] = loaded
            return loaded

    async def _try_build(self, decision: BuildCandidate) -> ModelTrained | None:
        """Return the candidate, in the object store and ready to be announced; None if corrections have to be left
        out."""
        started = time.perf_counter()
        base = await self._load_champion(decision.champion)
        if decision.new_labels:
            base = await asyncio.to_thread(base.with_unlearned, decision.new_labels)
        found, mirrored = await self._load_features(base, decision)
        if found.unreadable:
            self._leave_out(decision, found.unreadable)
            return None
        ready = time.perf_counter()
        manifest = manifest_of_corrections(decision.corrections)
        build = asyncio.to_thread(build_candidate, base, decision.corrections, found.features, mirrored, manifest)
        candidate, (prepared, gone), _ = await asyncio.gather(
            build, self._source.prepared_images(_choose_compared_images(decision)), self._upload_manifest(manifest)
        )
        (parity, parity_seconds), (_, store_seconds) = await asyncio.gather(
            _timed(asyncio.to_thread(check_parity, candidate.artefact, found.features, prepared)),
            _timed(self._upload(decision, candidate)),
        )
        if gone:
            self._leave_out(decision, gone)
            return None
        if not agrees(parity):
            differ = f"numpy and onnxruntime differ by {parity.difference:.1e}"
            if not decision.added:
                raise CandidateBuildError(f"{decision.version}: {differ}.")
            newest = decision.added[-1]
            reason = f"With it {differ}: it contradicts corrections very near to it."
            self._inexact[newest.image_id, newest.revision] = self._clock(), reason
            logger.warning("a correction is left out", image_id=str(newest.image_id), reason=reason)
            return None
        built = candidate.artefact
        if built.metadata.base is None:
            built = replace(built, key=artefact_key(decision.version, built.sha256))
        self._loaded[built.sha256] = base.succeeded_by(built)
        seconds = {"features": ready - started, **candidate.seconds, "parity": parity_seconds, "store": store_seconds}
        for stage, spent in seconds.items():
            BUILD_SECONDS.labels(stage).observe(spent)
        return _make_event(decision, candidate, parity, self._clock(), seconds)

    async def _load_features(
        self, base: LoadedChampion, decision: BuildCandidate
    ) -> tuple[FeatureResult, Mapping[str, Vector] | None]:
        """Return the features of the corrected images, and those of the mirrored images if the base wants them."""
        keys = {one.sha256: one.object_key for one in decision.corrections}
        found = await self._source.features(base.backbone_id, base.extractor, keys)
        if found.unreadable or not base.wants_mirrored:
            return found, None
        mirrored = await self._source.features(base.backbone_id, base.extractor, keys, mirrored=True)
        return FeatureResult(found.features, mirrored.unreadable), mirrored.features

    def _leave_out(self, decision: BuildCandidate, unreadable: Mapping[str, str]) -> None:
        """Remember which corrected images cannot be read, and why, by sha256."""
        for one in decision.corrections:
            if one.sha256 in unreadable:
                reason = f"The bytes of the image are gone or cannot be decoded. {unreadable[one.sha256]}"
                self._unreadable[one.image_id] = self._clock(), reason
                logger.warning("a corrected image is left out", image_id=str(one.image_id), reason=reason)

    async def _upload_manifest(self, manifest: Manifest) -> None:
        """Store the manifest. It may lie there although no candidate is announced."""
        await self._store.put(_manifest_key(manifest.sha256), manifest.json.encode(), "application/json")

    async def _upload(self, decision: BuildCandidate, candidate: Candidate) -> None:
        """Store the artefact. It may lie there although the candidate is not announced."""
        await self._store.put(artefact_key(decision.version, candidate.artefact.sha256), candidate.artefact.data)

    def _update_metrics(self, state: FastLaneState) -> None:
        UNSERVED.set(len(state.unserved))
        EXCLUDED.set(len(find_excluded(state)))
        since = oldest_unserved(state)
        age = 0.0 if since is None else (self._clock() - since).total_seconds()
        OLDEST_UNSERVED_SECONDS.set(max(age, 0.0))

    def _report(self, sentence: str, ok: bool) -> None:
        """Report why nothing is made: in the health report, and in the log when it changes."""
        self._health.set("fast candidate", ok, sentence)
        if sentence != self._reported:
            self._reported = sentence
            logger.info("the fast lane makes nothing", reason=sentence)


async def run_fast_lane(
    lane: FastLane,
    event_log: EventLog,
    publisher: Publisher,
    database: Database,
    health: Health,
    settings: TrainerSettings,
) -> None:
    """Reconcile until cancelled, once the tables are caught up: before that the lane would build what is live already.
    Of several processes one builds candidates: more would only build the same ones."""

    async def reconcile() -> None:
        health.set(PART, True, "waiting until the tables show the whole log")
        await retrying(
            UNTIL_CANCELLED, lambda: wait_until_caught_up(event_log, database, TOPICS, settings.caught_up_seconds)
        )
        await run_reconciler(
            lane.reconcile,
            publisher=publisher,
            database=database,
            health=health,
            name=PART,
            every_seconds=settings.reconcile_seconds,
            # What is built is decided by verdicts, not by candidates and their trials.
            regardless_of=(ModelTrained.topic, TrialStarted.topic, TrialCompared.topic),
        )

    await run_in_one_process(
        reconcile, database=database, health=health, name=PART, silence_seconds=settings.writer_silence_seconds
    )


async def _timed(work: Awaitable[Result]) -> tuple[Result, float]:
    """Return the result, and how many seconds it took."""
    started = time.perf_counter()
    return await work, time.perf_counter() - started


def _reasons(left_out: Mapping[Key, tuple[datetime, str]]) -> dict[Key, str]:
    return {key: reason for key, (_, reason) in left_out.items()}


def _choose_compared_images(decision: BuildCandidate) -> dict[str, str]:
    """Return where the bytes of the latest corrections lie: what is newest is compared."""
    latest = sorted(decision.corrections, key=lambda one: (one.corrected_at, one.image_id))[-COMPARED_IMAGES:]
    return {one.sha256: one.object_key for one in latest}


def _entry_of(correction: AppliedCorrection) -> CorrectionEntry:
    return correction.image_id, correction.revision


def _manifest_key(digest: str) -> str:
    return f"manifests/{digest}.json"


def _make_event(
    decision: BuildCandidate, candidate: Candidate, parity: Agreement, now: datetime, seconds: dict[str, float]
) -> ModelTrained:
    parent = decision.champion.model
    return ModelTrained(
        event_id=uuid_of("model.trained", decision.version),
        occurred_at=now,
        causes=decision.causes,
        model_name=parent.model_name,
        version=decision.version,
        artefact_key=artefact_key(decision.version, candidate.artefact.sha256),
        artefact_sha256=candidate.artefact.sha256,
        lane="fast",
        parent=parent.version,
        backbone_id=parent.backbone_id,
        weights_sha256=candidate.weights_sha256,
        manifest_key=_manifest_key(candidate.manifest.sha256),
        manifest_sha256=candidate.manifest.sha256,
        labels=(*parent.labels, *decision.new_labels),
        unlearned=(*parent.unlearned, *decision.new_labels),
        training_images=len(decision.corrections),
        test_images=parent.test_images,
        corrections=None,
        added=tuple(sorted((one.applied for one in decision.added), key=_entry_of)),
        removed=tuple(
            AppliedCorrection(image_id=image, revision=revision) for image, revision in sorted(decision.removed)
        ),
        holds=len(decision.corrections),
        metrics={"layer_rows": len(candidate.artefact.layer.entries), "parity_difference": parity.difference},
        parameters={"recipe": RECIPE, "champion_sequence": decision.champion.sequence},
        seconds=seconds,
        corrected_at=tuple(one.corrected_at for one in decision.added)[-TIMES:],
        made_with=made_with(),
    )
