"""The handler of training.requested: from the current labels to a candidate in the object store, and model.trained."""

import asyncio
import hashlib
import time
from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from services.trainer.dataset.manifest import Manifest, Sample
from services.trainer.features.parquet import features_key
from services.trainer.full_lane.decisions.plan import Plan, event_id_of, plan_model, relabel_samples, version_of
from services.trainer.full_lane.image_folder import ImageFolder
from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, NotEnoughImages, Parameters
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.snapshot import Dataset, Snapshot
from services.trainer.model.made_with import made_with
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES, artefact_key, check_artefact_key
from shared.contract.events import AppliedCorrection, Event, ModelTrained, TrainingRequested
from shared.contract.label_set import LabelSet, with_configured
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import InvalidMessage
from shared.runtime.telemetry import logger
from shared.runtime.tracing import add_links
from shared.storage.object_store import ObjectMissing, ObjectStore, ObjectTooLarge
from shared.storage.verified import HashMismatch, get_verified


class TrainingSteps(Protocol):
    """The arithmetic of a training: `services.trainer.full_lane.training_steps`, in a process of its own."""

    async def parameters(self) -> Parameters:
        """Return everything beside the manifest that shapes a model."""

    async def learn(self, job: LearnJob) -> Learned:
        """Learn the backbone. Raises NotEnoughImages, ChildDied."""

    async def fit(self, job: FitJob) -> Fitted:
        """Fit head and correction layer, and evaluate the artefact. Raises ChildDied."""


class FullLane:
    """Trains in full. The same request with the same labels gives the same event, and trains only once."""

    def __init__(
        self,
        dataset: Dataset,
        store: ObjectStore,
        training: TrainingSteps,
        settings: FullLaneSettings,
        clock: Clock = utc_now,
    ) -> None:
        self._dataset = dataset
        self._store = store
        self.images = ImageFolder(store, settings.writable_folder / "images")
        self._training = training
        self._settings = settings
        self._clock = clock
        self.answered: set[str] = set()
        """Versions that requests were answered with."""

    async def on_training_requested(self, event: TrainingRequested) -> Sequence[Event]:
        """Return the candidate made from the current labels. With too few images return nothing and log why: the next
        labelled image leads to the next request. When the training process dies, the request is taken again after a
        restart; at the third death it becomes a dead letter, and only new causes lead to the next request."""
        if event.model_name != self._settings.model_name:
            return []
        add_links(await self._dataset.find_traces(event.causes))
        try:
            trained = await self._train(event)
            self.answered.add(trained.version)
            return [trained]
        except NotEnoughImages as too_few:
            logger.warning("no model was trained", request=str(event.event_id), reason=str(too_few))
            return []

    async def _train(self, request: TrainingRequested) -> ModelTrained:
        settings, started = self._settings, time.perf_counter()
        parameters = await self._training.parameters()
        snapshot = await self._dataset.take_snapshot()
        snapshot_done = time.perf_counter()
        classes = with_configured(snapshot.changed, settings.labels)
        samples = [sample for sample in snapshot.samples if sample.label in classes.names]
        needed = {sample.sha256 for sample in samples}
        keys = {digest: key for digest, key in snapshot.object_keys.items() if digest in needed}
        unreadable = (needed - set(keys)) | await self.images.fetch(keys)
        planned = await asyncio.to_thread(self._plan, samples, classes, unreadable, parameters)
        known = await self._dataset.trained(planned.version)
        if known and await self._is_intact(known):
            return _announce_again(known, request)
        fetched = time.perf_counter()
        learn = LearnJob(planned.manifest, self.images.folder, settings.backbone, dict(settings.backbone_settings))
        learned = await self._training.learn(learn)
        unreadable |= set(learned.undecodable)
        later = await self._dataset.take_snapshot()  # labels may have changed while the backbone was learned
        classes = with_configured(later.changed, settings.labels)
        relabelled = await asyncio.to_thread(relabel_samples, planned.manifest, later.samples)
        final = await asyncio.to_thread(self._plan, relabelled, classes, unreadable, parameters)
        known = await self._dataset.trained(final.version)
        if known and await self._is_intact(known):
            return _announce_again(known, request)
        fitted = await self._training.fit(FitJob(learn, final.manifest, final.labels, final.unlearned))
        if known and await self._restored(known, fitted.artefact):
            return _announce_again(known, request)
        if known:  # this machine makes other bytes of the model whose artefact is lost: a model of its own
            parameters = {**parameters, "replaces": known.artefact_sha256}
        fitted_done = time.perf_counter()
        trained = await self._describe(request, snapshot, final, fitted, parameters)
        await self._upload(trained, final.manifest, fitted)
        ended = time.perf_counter()
        seconds = {"caught_up": snapshot_done - started, "download": fetched - snapshot_done}
        seconds |= {**learned.seconds, **fitted.seconds, "store": ended - fitted_done, "total": ended - started}
        missing = tuple(sorted(sample.image_id for sample in samples if sample.sha256 in unreadable))
        _log_training(trained, missing, seconds["total"])
        return trained.model_copy(update={"seconds": seconds, "missing_images": missing})

    def _plan(
        self, samples: Sequence[Sample], classes: LabelSet, unreadable: Collection[str], parameters: Parameters
    ) -> Plan:
        """Return the plan of a model of the samples that can be read. Takes seconds for very many, so a thread does it:
        the event loop goes on answering for the process."""
        return plan_model(samples, self._settings.labels, classes.labels, unreadable, parameters)

    async def _is_intact(self, known: ModelTrained) -> bool:
        """Whether the store still has the artefact that was announced."""
        try:
            check_artefact_key(known.artefact_key, known.version)
            await get_verified(self._store, known.artefact_key, known.artefact_sha256, LARGEST_ARTEFACT_BYTES)
        except (ObjectMissing, ObjectTooLarge, HashMismatch, InvalidMessage) as lost:
            logger.warning("an artefact is lost, it is trained again", version=known.version, reason=str(lost))
            return False
        return True

    async def _restored(self, known: ModelTrained, artefact: bytes) -> bool:
        """Put these bytes where the lost artefact was, if they are the ones that were announced; else False."""
        try:
            check_artefact_key(known.artefact_key, known.version)
        except InvalidMessage:
            return False
        if hashlib.sha256(artefact).hexdigest() != known.artefact_sha256:
            return False
        await self._store.put(known.artefact_key, artefact, "application/octet-stream")
        return True

    async def _describe(
        self,
        request: TrainingRequested,
        snapshot: Snapshot,
        plan: Plan,
        fitted: Fitted,
        parameters: Parameters,
    ) -> ModelTrained:
        manifest, digest = plan.manifest, hashlib.sha256(fitted.artefact).hexdigest()
        version = version_of(manifest, plan.labels, parameters, plan.unlearned)
        return ModelTrained(
            event_id=event_id_of(version),
            occurred_at=self._clock(),
            causes=(request.event_id,),
            model_name=self._settings.model_name,
            version=version,
            artefact_key=artefact_key(version, digest),
            artefact_sha256=digest,
            lane="full",
            parent=await self._dataset.champion_version(),
            backbone_id=fitted.backbone_id,
            weights_sha256=fitted.weights_sha256,
            manifest_key=f"manifests/{manifest.sha256}.json",
            manifest_sha256=manifest.sha256,
            labels=plan.answered,
            unlearned=plan.unlearned,
            training_images=len(manifest.of_side("train")),
            test_images=len(manifest.of_side("test")),
            corrections=tuple(
                AppliedCorrection(image_id=sample.image_id, revision=sample.revision)
                for sample in manifest.samples
                if sample.revision
            ),
            metrics=dict(fitted.metrics),
            parameters=parameters,
            curve=fitted.curve,
            curves={f"backbone_{name}": values for name, values in fitted.backbone_curves.items()},
            confusion=fitted.confusion,
            positions=dict(snapshot.positions),
            manifest_cut_at=snapshot.at,
            made_with=made_with(),
        )

    async def _upload(self, trained: ModelTrained, manifest: Manifest, fitted: Fitted) -> None:
        """Put everything into the object store; the artefact last, so that with it the rest is there too."""
        features = features_key(trained.backbone_id, trained.manifest_sha256)
        await self._store.put(features, fitted.features_parquet, "application/vnd.apache.parquet")
        await self._store.put(trained.manifest_key, manifest.json.encode(), "application/json")
        await self._store.put(trained.artefact_key, fitted.artefact, "application/octet-stream")


def _announce_again(known: ModelTrained, request: TrainingRequested) -> ModelTrained:
    """Return the same event again, with this request among its causes, so that the request counts as answered."""
    logger.info("already trained", version=known.version, request=str(request.event_id))
    if request.event_id in known.causes:
        return known
    return known.model_copy(update={"causes": (*known.causes, request.event_id)})


def _log_training(trained: ModelTrained, missing: tuple[UUID, ...], seconds: float) -> None:
    logger.info(
        "trained in full",
        version=trained.version,
        training_images=trained.training_images,
        test_images=trained.test_images,
        corrections=trained.held_count,
        missing_images=[str(image_id) for image_id in missing],
        accuracy=trained.metrics.get("test_accuracy"),
        seconds=round(seconds, 2),
    )
