"""The gate's evaluation of a model: it is loaded, answers, and is compared on today's test images."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from cachetools import LRUCache

from services.trainer.data.kept_labels import KeptLabels
from services.trainer.dataset.records import Champion, LabelledImage, find_taken_back
from services.trainer.features.source import FeatureSource
from services.trainer.gate.data_changes import DataChanges, find_data_changes
from services.trainer.gate.decisions.comparison import (
    Regressions,
    choose_set_aside,
    count_absorbed,
    count_newly_held,
    count_taken_back,
    find_broken_corrections,
    predict_tests,
)
from services.trainer.gate.decisions.evidence import make_evidence
from services.trainer.gate.decisions.test_sample import choose_tests
from services.trainer.gate.decisions.verdict import GateInputs, GateSettings, Verdict, judge
from services.trainer.gate.decisions.verdict_events import failed_rules
from services.trainer.gate.evaluation_data import (
    ChosenTests,
    EvaluationData,
    load_corrections,
    load_evaluation_data,
    load_probes,
)
from services.trainer.gate.model_loader import EvaluatedModel, ModelLoader, ModelLoadError
from services.trainer.gate.smoke_test import SmokeTest, run_smoke_test
from services.trainer.model.arrays import Indices
from services.trainer.model.known_images import KnownImages
from shared.contract.events import ModelTrained, SetAside, VerdictEvidence
from shared.runtime.errors import TransientError
from shared.storage.object_store import ObjectStore
from shared.tables.database import Database
from shared.tables.label_set import read_label_set

KEPT_ANSWERS = 8
RULES_BROKEN_BY_CORRECTIONS = ("corrections_hold", "accuracy", "recall_", "non_inferior_", "parity")
"""Rules that fail because of what is answered, by the beginning of their names: only these can corrections break."""


@dataclass(frozen=True)
class Evaluation:
    """The verdict, what it rests on, and the corrections it sets aside."""

    verdict: Verdict
    evidence: VerdictEvidence
    set_aside: tuple[SetAside, ...] = ()


class ChampionLost(TransientError):
    """The artefact of the champion is gone or is another one: it may be restored, or another model put in its place."""


class Evaluator:
    """Loads, measures and compares. Features, answers of others and the last models stay in memory, so that a fast
    candidate is evaluated within milliseconds; arithmetic runs in a thread, so that heartbeats go on."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        source: FeatureSource,
        kept: KeptLabels,
        settings: GateSettings,
        labels: Sequence[str] | None = None,
    ) -> None:
        """`kept`: what people decided about the test images, and their corrections. `labels`: the
        configured ones; no model serves that names others than the classes there are. None: any."""
        self._labels = labels
        self._kept = kept
        self._chosen: tuple[Sequence[LabelledImage], ChosenTests] = (), ChosenTests([])
        """Of these labelled images, the test images that models are measured on."""
        self._known_tests, self._known_corrections = KnownImages(), KnownImages()
        self._database = database
        self._store = store
        self._source = source
        self._settings = settings
        self._loader = ModelLoader(store)
        self._forgotten: frozenset[str] = frozenset()
        self._answers: LRUCache[tuple[object, ...], Indices] = LRUCache(KEPT_ANSWERS)

    async def fetch(self, model: ModelTrained) -> None:
        """Have the model and what its corrections are judged by in memory for the evaluation that follows, which
        reports it if this fails."""
        with suppress(ModelLoadError, TransientError):
            loaded, labels = await asyncio.gather(self._loader.load(model), self._kept.read())
            await load_corrections(self._source, loaded, labels.corrections)

    async def put_again(self, model: ModelTrained) -> None:
        """Write the artefact as it was loaded, before a person puts a model into service that nothing needed until
        now: a sweeper that is about to delete it deletes only what it saw before.

        Raises:
            ModelLoadError: it cannot be loaded.
            TransientError: the store did not answer.
        """
        loaded = await self._loader.load(model)
        await self._store.put(model.artefact_key, loaded.artefact.data)

    def forget(self, withdrawn: frozenset[str]) -> None:
        """Keep nothing in memory of these images (by sha256)."""
        if withdrawn - self._forgotten:
            self._known_tests.forget()
            self._known_corrections.forget()
            self._chosen = (), ChosenTests([])
        self._forgotten = withdrawn
        self._source.forget(withdrawn)

    async def run_smoke_test(self, model: ModelTrained) -> SmokeTest:
        """Load the model from the store and have it answer a few images.

        Raises:
            ModelLoadError: it cannot serve.
            TransientError: a dependency did not answer.
        """
        await self._refuse_foreign_labels(model)
        self._loader.forget(model)
        loaded = await self._loader.load(model)
        features, prepared = await load_probes(self._database, self._source, loaded)
        return await asyncio.to_thread(run_smoke_test, loaded, prepared, features, self._settings.slowest_milliseconds)

    async def evaluate(
        self, candidate: ModelTrained, champion: Champion | None, anchor: ModelTrained | None
    ) -> Evaluation:
        """Return the verdict on a candidate against the champion and the anchor, all on today's test images.

        Raises:
            ModelLoadError: the candidate cannot be loaded, names labels that are none here, or there is no test image.
            ChampionLost: the champion cannot be loaded, and there is no verdict without it.
            TransientError: a dependency did not answer.
        """
        await self._refuse_foreign_labels(candidate)
        loaded = await self._loader.load(candidate)
        baselines, anchor_lost = await self._load_baselines(champion, anchor)
        data = await self._load_data(loaded, baselines)
        if not data.tests.samples:
            raise ModelLoadError(
                f"{candidate.version} cannot be judged: there is no labelled test image that can be read."
            )
        answers = [await self._answers_of(baseline, data) for baseline in baselines]
        changes = await find_data_changes(
            self._database, self._store, candidate, None if champion is None else champion.model
        )
        return await asyncio.to_thread(self._compare_and_judge, loaded, baselines, answers, data, changes, anchor_lost)

    async def _refuse_foreign_labels(self, model: ModelTrained) -> None:
        """Raise ModelLoadError for labels that no predictor here would serve; the loader compares what the artefact
        says with what was announced."""
        foreign: list[str] = []
        if self._labels is not None:
            classes = await read_label_set(self._database, self._labels)
            foreign = [label for label in model.labels if label not in classes.names]
        if foreign or len(set(model.labels)) != len(model.labels):
            named = ", ".join(repr(label[:40]) for label in foreign[:3]) or "one of them twice"
            raise ModelLoadError(
                f"{model.version} names labels that are not those of this installation: {named}. Look at PAPPUS_LABELS."
            )

    async def prefetch(
        self, champion: Champion | None, anchor: ModelTrained | None, candidate: ModelTrained | None = None
    ) -> None:
        """Load champion and anchor, and a candidate if there is one, and have what is compared in memory. Raises
        ChampionLost, TransientError."""
        baselines, _ = await self._load_baselines(champion, anchor)
        for baseline in baselines[:1]:  # what comes next holds a new correction
            await load_corrections(self._source, baseline, (await self._kept.read()).corrections)
        challenger = None
        if candidate is not None:
            with suppress(ModelLoadError):  # the evaluation that follows reports it
                challenger = await self._loader.load(candidate)
        for first in [one for one in (challenger, *baselines[:1]) if one is not None][:1]:
            data = await self._load_data(first, baselines)
            for baseline in baselines:
                await self._answers_of(baseline, data)

    async def _load_data(self, loaded: EvaluatedModel, baselines: Sequence[EvaluatedModel]) -> EvaluationData:
        labels = await self._kept.read()
        if self._chosen[0] is not labels.images:
            chosen = choose_tests(labels.images, self._settings.most_tests)
            self._chosen = labels.images, ChosenTests(chosen, self._chosen[1])
        return await load_evaluation_data(labels, self._chosen[1], self._source, loaded, baselines)

    async def _load_baselines(
        self, champion: Champion | None, anchor: ModelTrained | None
    ) -> tuple[list[EvaluatedModel], str]:
        """Return the champion, and the anchor if it is another model; none before the first promotion. An anchor that
        is lost is left out, and the text says why: else no model could ever be promoted again."""
        if champion is None:
            return [], ""
        try:
            baselines = [await self._loader.load(champion.model)]
        except ModelLoadError as error:
            raise ChampionLost(
                f"Nothing can be compared with the champion. {error} Restore the object, or put another version into"
                " service: pappus rollback, pappus override."
            ) from error
        if anchor is None or anchor.version == champion.version:
            return baselines, ""
        try:
            return [*baselines, await self._loader.load(anchor)], ""
        except ModelLoadError as error:
            return baselines, str(error)

    def _compare_and_judge(
        self,
        loaded: EvaluatedModel,
        baselines: Sequence[EvaluatedModel],
        baseline_answers: Sequence[Indices],
        data: EvaluationData,
        changes: DataChanges,
        anchor_lost: str,
    ) -> Evaluation:
        model, tests = loaded.compared, data.tests
        vectors = data.features[model.trained.backbone_id]
        champion = baselines[0].compared if baselines else None
        answers = predict_tests(model, tests, vectors, known=self._known_tests)
        probed = run_smoke_test(loaded, data.prepared, vectors, self._settings.slowest_milliseconds)
        inputs = GateInputs(
            labels=tests.labels,
            truths=tests.truths,
            corrections=len(data.corrections),
            broken=find_broken_corrections(model, data.corrections, vectors, self._known_corrections),
            newly_held=count_newly_held(
                model.trained, None if champion is None else champion.trained, data.corrections
            ),
            new_images=changes.new,
            withdrawn=changes.withdrawn,
            absorbed=count_absorbed(model, champion),
            taken_back=count_taken_back(
                model.trained, None if champion is None else champion.trained, data.retractions
            ),
            milliseconds=probed.milliseconds,
            difference=probed.difference,
            disagreements=probed.disagreements,
            anchor_lost=anchor_lost,
            full=model.trained.lane == "full",
            unlearned=model.trained.unlearned,
            unknown=_unknown_labels(model.trained, None if champion is None else champion.trained),
        )
        compared, anchored = [*baseline_answers, None, None][:2]
        verdict = judge(answers, compared, anchored, inputs, self._settings)
        evidence = make_evidence(tests, answers, compared)
        if champion is None or not _corrections_caused_it(verdict, model.trained):
            return Evaluation(verdict, evidence)
        differ = "parity" in failed_rules(verdict.rules)
        regressions = Regressions(verdict.lost_images, answers, inputs.broken, differ)
        aside = choose_set_aside(model, champion.trained, tests, regressions, data.corrections, vectors)
        return Evaluation(verdict, evidence, aside)

    async def _answers_of(self, loaded: EvaluatedModel, data: EvaluationData) -> Indices:
        """Return what another model answers on these test images; scored again only when they change."""
        model, tests = loaded.compared.trained, data.tests
        held = find_taken_back(model.held, data.retractions)
        taken_back = frozenset((one.image_id, one.revision) for one, _ in held)
        key = (model.event_id, tests.labels, tests.identity, taken_back)
        answers = self._answers.get(key)
        if answers is None:
            vectors = data.features[model.backbone_id]
            self._answers[key] = answers = await asyncio.to_thread(
                predict_tests, loaded.compared, tests, vectors, taken_back, self._known_tests
            )
        return answers


def _unknown_labels(challenger: ModelTrained, champion: ModelTrained | None) -> tuple[str, ...]:
    """Return the labels of the challenger that the champion does not have."""
    if champion is None:
        return ()
    return tuple(label for label in challenger.labels if label not in champion.labels)


def _corrections_caused_it(verdict: Verdict, model: ModelTrained) -> bool:
    """Return whether corrections are set aside: for a fast candidate that was rejected for what it answers."""
    if verdict.promote or model.lane == "full":
        return False
    return any(name.startswith(RULES_BROKEN_BY_CORRECTIONS) for name in failed_rules(verdict.rules))
