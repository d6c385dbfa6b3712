"""The gate's examination of a model: it is loaded, answers, and is compared on today's test images."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.trainer import queries
from services.trainer.feature_source import FeatureSource
from services.trainer.gate import Circumstances, GateSettings, Verdict, judge
from services.trainer.gate_keeper.lineage import new_images
from services.trainer.gate_keeper.loading import Loaded, Loader, Unloadable
from services.trainer.gate_keeper.probe import Probe, probe
from services.trainer.judging import (
    Contestant,
    Damage,
    Indices,
    LockedTests,
    Vectors,
    absorbed,
    answers_on,
    broken,
    held,
    locked_tests,
    newly_held,
    to_set_aside,
)
from services.trainer.records import Champion, Correction, LabelledImage
from services.trainer.verdicts import failed
from shared.database import Database
from shared.events import ModelTrained, SetAside
from shared.object_store import ObjectStore
from shared.preprocessing import Pixels

PROBED_TESTS = 6
PROBED_CORRECTIONS = 2
KEPT_ANSWERS = 8
ANSWERS_BROKE = ("corrections_hold", "accuracy", "recall_", "non_inferior_")
"""Rules that fail because of what is answered, by the beginning of their names: only then corrections are to blame."""


@dataclass(frozen=True)
class Examination:
    """The verdict, and the corrections it sets aside."""

    verdict: Verdict
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True)
class Material:
    """What one model is examined on: test images and the corrections it holds, with their features under its backbone,
    and some of the images themselves."""

    tests: LockedTests
    corrections: list[Correction]
    vectors: Vectors
    squares: Mapping[str, Pixels]


class Examiner:
    """Loads, measures and compares. Features, answers of others and the last models stay in memory, so that a fast
    candidate is examined within milliseconds; arithmetic runs in a thread, so that heartbeats go on."""

    def __init__(self, database: Database, store: ObjectStore, source: FeatureSource, settings: GateSettings) -> None:
        self._database = database
        self._store = store
        self._source = source
        self._settings = settings
        self._loader = Loader(store)
        self._answers: OrderedDict[tuple[object, ...], Indices] = OrderedDict()

    async def fetch(self, model: ModelTrained) -> None:
        """Have the artefact in memory for the examination that follows."""
        await self._loader.fetch(model)

    async def loads(self, model: ModelTrained) -> Probe:
        """That the model loads from the store and answers. Raises Unloadable with the sentence why not;
        TransientError."""
        self._loader.forget(model)
        loaded = await self._loader.load(model)
        material = await self._material(loaded, None)
        return await asyncio.to_thread(probe, loaded, material.squares, material.vectors)

    async def examine(
        self, candidate: ModelTrained, champion: Champion | None, anchor: ModelTrained | None
    ) -> Examination:
        """The verdict on a candidate against the champion and the anchor, all on today's test images.

        Raises:
            Unloadable: candidate, champion or anchor cannot be loaded, or there is no test image.
            TransientError: a dependency did not answer.
        """
        loaded = await self._loader.load(candidate)
        serving = None if champion is None else await self._loader.load(champion.model)
        material = await self._material(loaded, None if champion is None else champion.model)
        if not material.tests.samples:
            raise Unloadable(
                f"{candidate.version} cannot be judged: no labelled test image has its bytes in the store."
            )
        compared = None if serving is None else await self._answers_of(serving, material.tests)
        anchored = None
        if champion is not None and anchor is not None and anchor.version != champion.version:
            anchored = await self._answers_of(await self._loader.load(anchor), material.tests)
        new = await new_images(self._database, self._store, candidate, None if champion is None else champion.model)
        return await asyncio.to_thread(self._judge, loaded, serving, material, compared, anchored, new)

    async def warm(self, champion: Champion, anchor: ModelTrained | None) -> None:
        """Load champion and anchor and have their features and answers in memory. Raises as `examine` does."""
        serving = await self._loader.load(champion.model)
        material = await self._material(serving, champion.model)
        await self._answers_of(serving, material.tests)
        if anchor is not None and anchor.version != champion.version:
            await self._answers_of(await self._loader.load(anchor), material.tests)

    def _judge(
        self,
        loaded: Loaded,
        serving: Loaded | None,
        material: Material,
        compared: Indices | None,
        anchored: Indices | None,
        new: int,
    ) -> Examination:
        contestant, tests = loaded.contestant, material.tests
        champion = None if serving is None else serving.contestant
        answers = answers_on(contestant, tests, material.vectors)
        probed = probe(loaded, material.squares, material.vectors)
        circumstances = Circumstances(
            labels=tests.labels,
            truths=tests.truths,
            corrections=len(material.corrections),
            broken=broken(contestant, material.corrections, material.vectors),
            newly_held=newly_held(contestant.model, None if champion is None else champion.model, material.corrections),
            new_images=new,
            absorbed=absorbed(contestant, champion),
            milliseconds=probed.milliseconds,
            difference=probed.difference,
            disagreements=probed.disagreements,
        )
        verdict = judge(answers, compared, anchored, circumstances, self._settings)
        damage = Damage(verdict.lost_images, answers, circumstances.broken)
        return Examination(verdict, _set_aside(verdict, contestant, champion, material, damage))

    async def _material(self, loaded: Loaded, champion: ModelTrained | None) -> Material:
        """What the model is examined on. An image whose bytes are gone is left out."""
        model = loaded.contestant.model
        images, applied = await asyncio.gather(
            queries.labelled_images(self._database), queries.applied_corrections(self._database)
        )
        corrections = held(model, applied)
        tests = locked_tests([image.sample for image in images], model, champion)
        keys = _keys(images, tests) | {one.sha256: one.object_key for one in corrections}
        found = await self._source.features(model.backbone_id, loaded.extractor, keys)
        if found.unreadable:
            readable = [image.sample for image in images if image.sample.sha256 not in found.unreadable]
            tests = locked_tests(readable, model, champion)
            corrections = [one for one in corrections if one.sha256 not in found.unreadable]
        chosen = [sample.sha256 for sample in tests.samples[:PROBED_TESTS]]
        chosen += [one.sha256 for one in sorted(corrections, key=lambda one: one.corrected_at)[-PROBED_CORRECTIONS:]]
        squares, _ = await self._source.pixels({digest: keys[digest] for digest in chosen})
        return Material(tests, corrections, found.features, squares)

    async def _answers_of(self, loaded: Loaded, tests: LockedTests) -> Indices:
        """What another model answers on these test images; scored again only when they change."""
        model = loaded.contestant.model
        key = (model.event_id, tests.labels, tuple((one.image_id, one.sha256) for one in tests.samples))
        answers = self._answers.get(key)
        if answers is None:
            object_keys = await queries.object_keys(self._database, [sample.sha256 for sample in tests.samples])
            found = await self._source.features(model.backbone_id, loaded.extractor, object_keys)
            answers = await asyncio.to_thread(answers_on, loaded.contestant, tests, found.features)
            self._answers[key] = answers
        self._answers.move_to_end(key)
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return answers


def _keys(images: Sequence[LabelledImage], tests: LockedTests) -> dict[str, str]:
    chosen = {sample.sha256 for sample in tests.samples}
    return {image.sample.sha256: image.object_key for image in images if image.sample.sha256 in chosen}


def _set_aside(
    verdict: Verdict, contestant: Contestant, champion: Contestant | None, material: Material, damage: Damage
) -> tuple[SetAside, ...]:
    """Only a fast candidate that was rejected for what it answers sets corrections aside."""
    if verdict.promote or contestant.model.lane == "full" or champion is None:
        return ()
    if not any(name.startswith(ANSWERS_BROKE) for name in failed(verdict.rules)):
        return ()
    return to_set_aside(contestant, champion.model, material.tests, damage, material.corrections, material.vectors)
