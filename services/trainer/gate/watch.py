"""After a promotion: golden images are asked again, people's corrections are counted, and a mistake is rolled back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache

from services.trainer.data import promotions
from services.trainer.data.kept_labels import KeptLabels
from services.trainer.dataset.records import Champion, LabelledImage
from services.trainer.features.source import FeatureSource
from services.trainer.gate.cases import GateContext, Outcome
from services.trainer.gate.decisions.verdict_events import Promote, rule_outcome
from services.trainer.gate.decisions.watching import (
    Finding,
    Shown,
    choose_golden,
    judge_golden,
    judge_shown,
    newest_full,
    not_probed,
    still_watched,
)
from services.trainer.gate.metrics import ROLLBACKS
from services.trainer.gate.model_loader import ModelLoader, ModelLoadError
from services.trainer.gate.settings import GateProcessSettings
from shared.contract.events import ModelPromoted
from shared.imaging.structure import Pixels
from shared.messaging.event_log import Publisher
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectStore
from shared.tables.decider import run_decider
from shared.tables.reconciler import run_on_changes

PART = "watch"
KEPT_ANSWERS = 4
EVERY_SECONDS = 10.0
PAUSE_SECONDS = 3.0


class CannotWatch(TransientError):
    """A model that served cannot be loaded, so nothing is compared with it, and nothing can be rolled back to it."""


@dataclass(frozen=True)
class RollbackCase:
    """A promotion was a mistake: shall what it replaced serve again?"""

    context: GateContext
    mistake: ModelPromoted
    back_to: str
    finding: Finding

    async def read_state(self) -> Champion | None:
        """See CandidateCase."""
        return await self.context.models.champion()

    async def find_outcome(self) -> Outcome | None:
        """See Case. Once a person, or another gate, chose a model since, there is nothing to decide."""
        found = await self.context.find_verdict(self.mistake)
        return found or await promotions.chosen_by_person_since(self.context.database, self.mistake.sequence)

    async def decide(self, state: Champion | None) -> Outcome:
        """See Case."""
        target = await self.context.models.trained(self.back_to)
        try:
            await self.context.evaluator.run_smoke_test(target)
        except ModelLoadError as error:
            raise CannotWatch(
                f"{self.mistake.version} is worse than {self.back_to}, which cannot be put back. {error} Roll back to"
                f" another version: pappus rollback. {self.finding.sentence}"
            ) from error
        serving = self.mistake.version if state is None else state.version
        done = f"The gate itself rolled back from {serving} to {self.back_to} and froze promotions"
        summary = f"{done}: {self.finding.sentence}"
        rules = (rule_outcome(self.finding.check, False, self.finding.sentence, self.finding.figures),)
        return self.context.announce(
            Promote(target, "rollback", summary, frozen=True, rules=rules), self.mistake, state
        )


class PromotionWatch:
    """Looks at what was promoted, from what the tables show: a restart looks again, and decides the same once."""

    def __init__(
        self,
        context: GateContext,
        publisher: Publisher,
        store: ObjectStore,
        source: FeatureSource,
        kept: KeptLabels,
        settings: GateProcessSettings,
    ) -> None:
        self._context = context
        self._loader = ModelLoader(store)
        self._source = source
        self._kept = kept
        self._publisher = publisher
        self._verdict_seconds = settings.verdict_seconds
        self._watch = settings.watch
        self._margin = settings.gate.margin
        self._probed: int | None = None
        self._golden: tuple[Sequence[LabelledImage], list[LabelledImage]] = (), []
        """Of these labelled images, those that are asked."""
        self._answers: LRUCache[tuple[object, ...], list[str]] = LRUCache(KEPT_ANSWERS)

    async def run(self, health: Health) -> None:
        """Look some seconds after each change of the tables, until cancelled: of many quick promotions only the newest
        is asked, and replicas that load it come first."""

        async def rest_and_look() -> None:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.look()

        database = self._context.database
        await run_on_changes(rest_and_look, database=database, health=health, name=PART, every_seconds=EVERY_SECONDS)

    async def look(self) -> None:
        """Compare the newest promotions with what served before, and roll back what is worse.

        Raises:
            CannotWatch: a model that served cannot be loaded.
            TransientError: a dependency did not answer.
        """
        found = await promotions.watched_promotions(self._context.database)
        watched = still_watched(found, self._context.clock(), self._watch)
        full = newest_full(watched)
        if full is not None:
            await self._count_corrections(full)
        steps = not_probed(watched, self._probed)
        if steps:
            await self._probe(steps)
            self._probed = steps[-1].sequence

    async def _probe(self, steps: Sequence[ModelPromoted]) -> None:
        """Ask the newest of these promotions and what served before the first of them the golden images."""
        newest, before = steps[-1], str(steps[0].replaces)
        labelled = (await self._kept.read()).images
        if self._golden[0] is not labelled:
            self._golden = labelled, choose_golden(labelled, self._watch)
        images = self._golden[1]
        prepared, _ = await self._source.prepared_images({one.sample.sha256: one.object_key for one in images})
        readable = [one for one in images if one.sample.sha256 in prepared]
        if not readable or newest.version == before:
            return
        truths = [one.sample.label for one in readable]
        former = await self._answers_of(before, readable, prepared)
        now = await self._answers_of(newest.version, readable, prepared)
        finding = judge_golden(truths, former, now, self._margin, self._watch)
        logger.info(
            "golden images asked", version=newest.version, before=before, worse=finding.worse, **finding.figures
        )
        if finding.worse:
            await self._roll_back(newest, before, finding)

    async def _count_corrections(self, full: ModelPromoted) -> None:
        """Compare how often people contradicted answers since a full model came into service, and before."""
        before, now = await promotions.shown_answers(self._context.database, full.sequence)
        finding = await asyncio.to_thread(judge_shown, Shown(*before), Shown(*now), self._margin, self._watch)
        if finding.worse:
            await self._roll_back(full, str(full.replaces), finding)

    async def _roll_back(self, mistake: ModelPromoted, back_to: str, finding: Finding) -> None:
        await run_decider(
            RollbackCase(self._context, mistake, back_to, finding),
            publisher=self._publisher,
            database=self._context.database,
            projected_seconds=self._verdict_seconds,
        )
        outcome = await self._context.find_verdict(mistake)
        if outcome is not None:
            ROLLBACKS.labels(finding.check).inc()
            logger.error("ALERT: a promotion was rolled back", version=mistake.version, summary=outcome.summary)

    async def _answers_of(
        self, version: str, images: Sequence[LabelledImage], prepared: dict[str, Pixels]
    ) -> list[str]:
        """Return the label that the artefact answers for each image, under the runtime that serves it."""
        key = (version, tuple(one.sample.sha256 for one in images))
        if key not in self._answers:
            model = await self._context.models.trained(version)
            try:
                loaded = await self._loader.load(model)
            except ModelLoadError as error:
                raise CannotWatch(f"Golden images cannot be asked. {error} Restore the object.") from error
            pixels = np.stack([prepared[one.sample.sha256] for one in images])  # uint8 [n, 96, 96, 3]
            answered = (await asyncio.to_thread(loaded.artefact.predict, pixels)).probabilities.argmax(axis=1)
            self._answers[key] = [model.labels[int(each)] for each in answered]
        return self._answers[key]
