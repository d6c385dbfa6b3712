"""training.requested -> model.trained: from the labels of this moment to a candidate in the object store."""

import hashlib
import time
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from services.trainer.dataset.manifest import Manifest
from services.trainer.features.parquet import features_key
from services.trainer.full_lane.decisions.plan import event_id_of, plan_manifest, relabel_samples, version_of
from services.trainer.full_lane.image_folder import ImageFolder
from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, NotEnoughImages, Parameters
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.snapshot import Dataset, Snapshot
from shared.contract.events import AppliedCorrection, Event, ModelTrained, TrainingRequested
from shared.runtime.clock import Clock, utc_now
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectStore


class TrainingSteps(Protocol):
    """Where the arithmetic is done: `services.trainer.full_lane.training_steps`, in a process of its own."""

    async def parameters(self) -> Parameters:
        """Everything beside the manifest that shapes a model."""

    async def learn(self, job: LearnJob) -> Learned:
        """The backbone and the features under it. Raises NotEnoughImages, TransientError."""

    async def fit(self, job: FitJob) -> Fitted:
        """Head, correction layer, artefact and figures. Raises TransientError."""


class FullLane:
    """Trains in full. The same request at the same labels gives the same event, and trains only once."""

    def __init__(
        self,
        dataset: Dataset,
        store: ObjectStore,
        workshop: TrainingSteps,
        settings: FullLaneSettings,
        clock: Clock = utc_now,
    ) -> None:
        self._dataset = dataset
        self._store = store
        self._images = ImageFolder(store, settings.state_folder / "images")
        self._workshop = workshop
        self._settings = settings
        self._clock = clock

    async def on_training_requested(self, event: TrainingRequested) -> Sequence[Event]:
        """The candidate of the labels of now. Nothing, and a line in the log, where there are too few images: the next
        labelled image leads to the next request."""
        if event.model_name != self._settings.model_name:
            return []
        try:
            return [await self._train(event)]
        except NotEnoughImages as too_few:
            logger.warning("no model was trained", request=str(event.event_id), reason=str(too_few))
            return []

    async def _train(self, request: TrainingRequested) -> ModelTrained:
        settings, started = self._settings, time.perf_counter()
        parameters = await self._workshop.parameters()
        cut = await self._dataset.take_snapshot()
        cut_done = time.perf_counter()
        samples = [sample for sample in cut.samples if sample.label in settings.labels]
        wanted = {sample.sha256 for sample in samples}
        keys = {digest: key for digest, key in cut.object_keys.items() if digest in wanted}
        unreadable = (wanted - set(keys)) | await self._images.fetch(keys)
        manifest = plan_manifest(samples, settings.labels, unreadable)
        if known := await self._dataset.trained(version_of(manifest, settings.labels, parameters)):
            return _announce_again(known, request)
        fetched = time.perf_counter()
        folder = self._images.folder
        learned = await self._workshop.learn(
            LearnJob(manifest, folder, settings.backbone, dict(settings.backbone_settings))
        )
        unreadable |= set(learned.undecodable)
        current = (await self._dataset.take_snapshot()).samples  # the labels of this moment: people went on meanwhile
        final = plan_manifest(relabel_samples(manifest, current), settings.labels, unreadable)
        if known := await self._dataset.trained(version_of(final, settings.labels, parameters)):
            return _announce_again(known, request)
        fitted = await self._workshop.fit(FitJob(final, folder, learned, settings.labels))
        fitted_done = time.perf_counter()
        trained = await self._describe(request, cut, final, learned, fitted, parameters)
        await self._upload(trained, final, fitted)
        seconds = {"caught_up": cut_done - started, "download": fetched - cut_done, **learned.seconds, **fitted.seconds}
        ended = time.perf_counter()
        seconds |= {"store": ended - fitted_done, "total": ended - started}
        missing = tuple(sorted(sample.image_id for sample in samples if sample.sha256 in unreadable))
        _log_training(trained, missing, seconds["total"])
        return trained.model_copy(update={"seconds": seconds, "missing_images": missing})

    async def _describe(
        self,
        request: TrainingRequested,
        cut: Snapshot,
        manifest: Manifest,
        learned: Learned,
        fitted: Fitted,
        parameters: Parameters,
    ) -> ModelTrained:
        labels = self._settings.labels
        version = version_of(manifest, labels, parameters)
        return ModelTrained(
            event_id=event_id_of(version),
            occurred_at=self._clock(),
            causes=(request.event_id,),
            model_name=self._settings.model_name,
            version=version,
            artefact_key=f"models/{version}/model.onnx",
            artefact_sha256=hashlib.sha256(fitted.artefact).hexdigest(),
            lane="full",
            parent=await self._dataset.champion_version(),
            backbone_id=learned.backbone_id,
            weights_sha256=fitted.weights_sha256,
            manifest_key=f"manifests/{manifest.sha256}.json",
            manifest_sha256=manifest.sha256,
            labels=labels,
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
            confusion=fitted.confusion,
            positions=dict(cut.positions),
            manifest_cut_at=cut.at,
        )

    async def _upload(self, trained: ModelTrained, manifest: Manifest, fitted: Fitted) -> None:
        """Into the object store; the artefact last, so that whoever finds it finds the rest."""
        features = features_key(trained.backbone_id, trained.manifest_sha256)
        await self._store.put(features, fitted.features_parquet, "application/vnd.apache.parquet")
        await self._store.put(trained.manifest_key, manifest.json.encode(), "application/json")
        await self._store.put(trained.artefact_key, fitted.artefact, "application/octet-stream")


def _announce_again(known: ModelTrained, request: TrainingRequested) -> ModelTrained:
    """The same fact again, with this request among its causes, so that whoever asked sees it answered."""
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
        corrections=len(trained.corrections),
        missing_images=[str(image_id) for image_id in missing],
        accuracy=trained.metrics.get("test_accuracy"),
        seconds=round(seconds, 2),
    )
