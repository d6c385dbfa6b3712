"""A model trained again from its manifest, the stored images and its recorded parameters, and compared. Publishes
nothing, and writes nothing but a folder that is deleted at the end. Imports torch only for a full training."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.trainer.data import queries
from services.trainer.data.artefacts import load_artefact
from services.trainer.dataset.manifest import Manifest, Sample
from services.trainer.fast_lane.candidate import RECIPE, build_candidate, load_champion
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.full_lane.image_folder import ImageFolder
from services.trainer.full_lane.jobs import FitJob, LearnJob, NotEnoughImages
from services.trainer.lineage.decisions.comparison import (
    Finding,
    Made,
    differing_origins,
    differing_parameters,
    unreadable_images,
    verdict,
)
from services.trainer.lineage.models import LostDataSet, ModelReader
from services.trainer.model.made_with import made_with
from services.trainer.model.onnx_artefact import Artefact
from shared.contract.events import ModelTrained
from shared.runtime.errors import InvalidMessage
from shared.storage.object_store import ObjectMissing
from shared.storage.verified import HashMismatch


class NotMade(Exception):
    """The model is not made; `findings` say why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(*(finding.sentence for finding in findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. `made` is None if the model could not be made; `base` is the model whose backbone and head were
    used, None for a full training; `seconds` is how long it took."""

    version: str
    lane: str
    same: bool
    sentence: str
    recorded: Made
    made: Made | None
    base: str | None
    findings: Sequence[Finding]
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self)


@dataclass
class Reproduction:
    """One model to be made again."""

    reader: ModelReader
    model: ModelTrained
    base: str | None = field(default=None, init=False)

    async def run(self) -> Report:
        """Make the model again and compare. Raises TransientError if a dependency does not answer."""
        model, started = self.model, time.perf_counter()
        recorded = Made(model.weights_sha256, model.artefact_sha256, model.backbone_id)
        made, findings = None, [*differing_origins(model.made_with, made_with())]
        try:
            manifest = await self._manifest()
            made = await (self._make_fast(manifest) if model.lane == "fast" else self._make_full(manifest))
        except NotMade as why:
            findings = [*why.findings, *findings]
        same = made is not None and made.weights_sha256 == recorded.weights_sha256
        return Report(
            version=model.version,
            lane=model.lane,
            same=same,
            sentence=verdict(model, made, findings),
            recorded=recorded,
            made=made,
            base=self.base,
            findings=findings,
            seconds=time.perf_counter() - started,
        )

    async def _manifest(self) -> Manifest:
        try:
            return await self.reader.manifest(self.model)
        except LostDataSet as lost:
            raise NotMade(Finding("manifest", str(lost))) from lost

    async def _make_full(self, manifest: Manifest) -> Made:
        """Learn backbone, head and layer again. Raises NotMade."""
        from services.trainer.full_lane import training_steps

        backbone, settings = _recipe_of(self.model.parameters)
        if findings := differing_parameters(self.model.parameters, training_steps.parameters(backbone, settings)):
            raise NotMade(*findings)
        with TemporaryDirectory(prefix="pappus-reproduce-") as folder:
            images = ImageFolder(self.reader.store, Path(folder))
            _refuse_lost(await images.fetch(await self._object_keys(manifest)), manifest)
            learn = LearnJob(manifest, images.folder, backbone, settings)
            try:
                learned = await asyncio.to_thread(training_steps.learn, learn)
            except NotEnoughImages as error:
                raise NotMade(Finding("images", str(error))) from error
            _refuse_lost(learned.undecodable, manifest)
            unlearned = self.model.unlearned
            labels = tuple(label for label in self.model.labels if label not in unlearned)
            fitted = await asyncio.to_thread(training_steps.fit, FitJob(learn, manifest, labels, unlearned))
        return Made(fitted.weights_sha256, hashlib.sha256(fitted.artefact).hexdigest(), fitted.backbone_id)

    async def _make_fast(self, manifest: Manifest) -> Made:
        """Fit the correction layer again over backbone and head of the nearest parent whose file is there. Raises
        NotMade."""
        recorded = {"recipe": self.model.parameters.get("recipe", "not there")}
        if findings := differing_parameters(recorded, {"recipe": RECIPE}):
            raise NotMade(*findings)
        base = await asyncio.to_thread(load_champion, await self._base(), {})
        new = tuple(label for label in self.model.labels if label not in base.artefact.head.labels)
        base = await asyncio.to_thread(base.with_unlearned, new) if new else base
        keys = await self._object_keys(manifest)
        source = FeatureSource(self.reader.store, FeatureCache(max(2 * len(keys), 1)))
        found = await source.features(base.backbone_id, base.extractor, keys)
        _refuse_lost(found.unreadable, manifest)
        mirrored = None
        if base.wants_mirrored:
            of_mirrored = await source.features(base.backbone_id, base.extractor, keys, mirrored=True)
            _refuse_lost(of_mirrored.unreadable, manifest)
            mirrored = of_mirrored.features
        corrections = await self._corrections(manifest.samples, keys)
        made = await asyncio.to_thread(build_candidate, base, corrections, found.features, mirrored)
        return Made(made.weights_sha256, made.artefact.sha256, base.backbone_id)

    async def _base(self) -> Artefact:
        line = (await self.reader.line(self.model))[1:]
        lost = []
        for parent in line:
            try:
                artefact = await load_artefact(self.reader.store, parent)
            except (ObjectMissing, HashMismatch, InvalidMessage) as error:
                lost.append(f"{parent.version}: {error}")
                continue
            self.base = parent.version
            return artefact
        raise NotMade(Finding("parent", f"No model that it stands on can be read. {' '.join(lost)}"))

    async def _object_keys(self, manifest: Manifest) -> dict[str, str]:
        """Return where the bytes of the images lie. Raises NotMade if the tables do not know some."""
        keys = await queries.object_keys(self.reader.database, [sample.sha256 for sample in manifest.samples])
        _refuse_lost({sample.sha256 for sample in manifest.samples} - keys.keys(), manifest)
        return keys

    async def _corrections(self, samples: Sequence[Sample], keys: Mapping[str, str]) -> list[queries.Correction]:
        groups = await queries.groups_of(self.reader.database, [sample.image_id for sample in samples])
        return [
            queries.Correction(
                image_id=sample.image_id,
                revision=sample.revision,
                label=sample.label,
                sha256=sample.sha256,
                object_key=keys[sample.sha256],
                group_id=groups[sample.image_id],
                corrected_at=self.model.occurred_at,
                event_id=self.model.event_id,
            )
            for sample in samples
        ]


async def reproduce(reader: ModelReader, version: str) -> Report:
    """Make the model with this version again and compare. Raises UnknownModel, TransientError."""
    return await Reproduction(reader, await reader.trained(version)).run()


def _recipe_of(parameters: Mapping[str, str | int | float]) -> tuple[str, dict[str, Any]]:
    """Return the backbone and its settings among the recorded parameters. Raises NotMade if this release has none of
    this name."""
    from dataclasses import fields

    from services.trainer.training.backbone import recipe_named

    name = str(parameters.get("backbone", ""))
    try:
        recipe = recipe_named(name)
    except ValueError as error:
        raise NotMade(Finding("parameters", f"This release does not make this model any more. {error}")) from error
    return name, {one.name: parameters[one.name] for one in fields(recipe) if one.name in parameters}


def _refuse_lost(digests: object, manifest: Manifest) -> None:
    """Raise NotMade if images with these sha256 are needed and cannot be read."""
    lost = set(digests)  # type: ignore[call-overload]
    ids = [sample.image_id for sample in manifest.samples if sample.sha256 in lost]
    if findings := unreadable_images(ids, len(manifest.samples)):
        raise NotMade(*findings)
