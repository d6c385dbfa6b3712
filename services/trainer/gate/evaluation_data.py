"""What a model is evaluated on: today's test images, the corrections it holds, their features."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from services.trainer.data import queries
from services.trainer.data.kept_labels import KeptLabels, Labels
from services.trainer.dataset.records import Correction, LabelledImage, Retraction
from services.trainer.features.source import FeatureResult, FeatureSource
from services.trainer.gate.decisions.comparison import LockedTests, held_corrections, select_locked_tests
from services.trainer.gate.decisions.watching import WatchSettings, is_asked
from services.trainer.gate.model_loader import EvaluatedModel
from services.trainer.model.arrays import Vectors
from shared.contract.events import ModelTrained
from shared.imaging.structure import Pixels
from shared.tables.database import Database

KEPT = 4
PROBED_TESTS = 2
PROBED_CORRECTIONS = 2


@dataclass(frozen=True)
class EvaluationData:
    """Test images and corrections whose bytes are there; their features by backbone id, those of the corrections under
    the evaluated model's backbone only; some of the images themselves, by sha256. `retractions` are the images whose
    last label was taken away."""

    tests: LockedTests
    corrections: list[Correction]
    features: Mapping[str, Vectors]
    prepared: Mapping[str, Pixels]
    retractions: Sequence[Retraction]


def keep_asked(database: Database, settings: WatchSettings) -> KeptLabels:
    """Keep what people decided about the images that models are asked about, and their corrections."""
    return KeptLabels(database, lambda image: is_asked(image, settings))


class ChosenTests:
    """The test images that models are measured on, with what is asked of them for each candidate: found once, as long
    as no image and no label among them changes; the features as long as the images are the same."""

    def __init__(self, images: Sequence[LabelledImage], before: "ChosenTests | None" = None) -> None:
        self.images = images
        self.keys = {image.sample.sha256: image.object_key for image in images}
        """Where the bytes lie, by sha256."""
        self._selected: LRUCache[tuple[object, ...], LockedTests] = LRUCache(KEPT)
        self._features: LRUCache[tuple[object, ...], Vectors] = LRUCache(KEPT)
        if before is not None and before.keys == self.keys:
            self._features = before._features

    def select(self, model: ModelTrained, champion: ModelTrained | None, unreadable: Collection[str]) -> LockedTests:
        """See `select_locked_tests`. Images that are unreadable (by sha256) are left out."""
        key = (model.labels, None if champion is None else champion.labels, frozenset(unreadable))
        if key not in self._selected:
            readable = [image.sample for image in self.images if image.sample.sha256 not in unreadable]
            self._selected[key] = select_locked_tests(readable, model, champion)
        return self._selected[key]

    async def features(self, source: FeatureSource, model: EvaluatedModel, tests: LockedTests) -> FeatureResult:
        """Return the features of these tests under the model's backbone. Raises TransientError."""
        key = (model.compared.trained.backbone_id, tests.identity)
        if (known := self._features.get(key)) is not None:
            return FeatureResult(dict(known))
        found = await _features(source, model, {digest: self.keys[digest] for digest in tests.digests})
        if not found.unreadable:
            self._features[key] = found.features
        return found


async def load_evaluation_data(
    labels: Labels,
    chosen: ChosenTests,
    source: FeatureSource,
    loaded: EvaluatedModel,
    baselines: Sequence[EvaluatedModel],
) -> EvaluationData:
    """Return what to evaluate a model on, for it and for those it is compared with (the champion first): the `chosen`
    test images, and the corrections that it holds of what people decided. Features that a full training kept are read,
    the others computed from the images. An image that cannot be read is left out for all of them. Raises TransientError
    if a dependency does not answer."""
    model = loaded.compared.trained
    champion = baselines[0].compared.trained if baselines else None
    tests = chosen.select(model, champion, ())
    corrections = held_corrections(model, labels.corrections)
    of_tests = await chosen.features(source, loaded, tests)
    corrected = {one.sha256: one.object_key for one in corrections}
    of_corrections = await _features(source, loaded, corrected)
    features = {model.backbone_id: {**of_tests.features, **of_corrections.features}}
    unreadable = {*of_tests.unreadable, *of_corrections.unreadable}
    for baseline in baselines:
        identity = baseline.compared.trained.backbone_id
        if identity not in features:
            found = await chosen.features(source, baseline, tests)
            features[identity] = found.features
            unreadable |= set(found.unreadable)
    if unreadable:
        tests = chosen.select(model, champion, unreadable)
        corrections = [one for one in corrections if one.sha256 not in unreadable]
    probed = {digest: chosen.keys[digest] for digest in tests.digests[:PROBED_TESTS]}
    probed |= {one.sha256: one.object_key for one in _newest(corrections)}
    prepared, _ = await source.prepared_images(probed)
    return EvaluationData(tests, corrections, features, prepared, labels.retractions)


async def load_corrections(source: FeatureSource, loaded: EvaluatedModel, applied: Sequence[Correction]) -> None:
    """Have the features of the applied corrections under this model's backbone in memory, and the pixels of the newest:
    before a candidate holds them they are asked for by hash alone. Raises TransientError."""
    await source.prepared_images({one.sha256: one.object_key for one in _newest(applied)})
    await _features(source, loaded, {one.sha256: one.object_key for one in applied})


async def load_probes(
    database: Database, source: FeatureSource, loaded: EvaluatedModel
) -> tuple[Vectors, Mapping[str, Pixels]]:
    """Return features and pixels of a few stored images by sha256, some of them corrections that the model holds:
    enough to see whether it answers as trained, and never the features of all test images. Raises TransientError."""
    model = loaded.compared.trained
    held = [one.image_id for one in model.held[-PROBED_CORRECTIONS:]]
    keys = await queries.some_images(database, held, PROBED_TESTS)
    prepared, _ = await source.prepared_images(keys)
    found = await source.features(model.backbone_id, loaded.extractor, {digest: keys[digest] for digest in prepared})
    return found.features, prepared


def _newest(corrections: Sequence[Correction]) -> list[Correction]:
    return sorted(corrections, key=lambda one: one.corrected_at)[-PROBED_CORRECTIONS:]


async def _features(source: FeatureSource, model: EvaluatedModel, keys: Mapping[str, str]) -> FeatureResult:
    identity = model.compared.trained.backbone_id
    await source.recall(identity, keys, len(model.compared.head.mean))
    return await source.features(identity, model.extractor, keys)
