"""What a model is evaluated on: today's test images, the corrections it holds, their features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.trainer.data import queries
from services.trainer.data.kept_labels import KeptLabels, Labels
from services.trainer.dataset.records import Correction, LabelledImage, Retraction
from services.trainer.features.source import FeatureResult, FeatureSource
from services.trainer.gate.decisions.comparison import LockedTests, held_corrections, select_locked_tests
from services.trainer.gate.decisions.watching import WatchSettings, is_asked
from services.trainer.gate.model_loader import EvaluatedModel
from services.trainer.model.arrays import Vectors
from shared.imaging.structure import Pixels
from shared.tables.database import Database

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


async def load_evaluation_data(
    labels: Labels,
    chosen: Sequence[LabelledImage],
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
    tests = select_locked_tests([image.sample for image in chosen], model, champion)
    wanted = {sample.sha256 for sample in tests.samples}
    test_keys = {image.sample.sha256: image.object_key for image in chosen if image.sample.sha256 in wanted}
    corrections = held_corrections(model, labels.corrections)
    keys = test_keys | {one.sha256: one.object_key for one in corrections}
    found = await _features(source, loaded, keys)
    features, unreadable = {model.backbone_id: found.features}, set(found.unreadable)
    for baseline in baselines:
        identity = baseline.compared.trained.backbone_id
        if identity not in features:
            found = await _features(source, baseline, test_keys)
            features[identity] = found.features
            unreadable |= set(found.unreadable)
    if unreadable:
        readable = [image.sample for image in chosen if image.sample.sha256 not in unreadable]
        tests = select_locked_tests(readable, model, champion)
        corrections = [one for one in corrections if one.sha256 not in unreadable]
    probed = [sample.sha256 for sample in tests.samples[:PROBED_TESTS]]
    probed += [one.sha256 for one in sorted(corrections, key=lambda one: one.corrected_at)[-PROBED_CORRECTIONS:]]
    prepared, _ = await source.prepared_images({digest: keys[digest] for digest in probed})
    return EvaluationData(tests, corrections, features, prepared, labels.retractions)


async def load_corrections(source: FeatureSource, loaded: EvaluatedModel, applied: Sequence[Correction]) -> None:
    """Have the features of the applied corrections under this model's backbone in memory, and the pixels of the newest:
    before a candidate holds them they are asked for by hash alone. Raises TransientError."""
    newest = sorted(applied, key=lambda one: one.corrected_at)[-PROBED_CORRECTIONS:]
    await source.prepared_images({one.sha256: one.object_key for one in newest})
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


async def _features(source: FeatureSource, model: EvaluatedModel, keys: Mapping[str, str]) -> FeatureResult:
    identity = model.compared.trained.backbone_id
    await source.recall(identity, keys, len(model.compared.head.mean))
    return await source.features(identity, model.extractor, keys)
