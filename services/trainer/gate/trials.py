"""Trials of full candidates: looks at what the replicas compared, and gives the verdict when a trial is over."""

from dataclasses import dataclass

from services.trainer.data import queries, trials
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.records import Champion
from services.trainer.gate.cases import CandidateCase, GateContext, Outcome
from services.trainer.gate.decisions.trials import TrialEnd, TrialState, conclude, describe_trials, judge_trial
from services.trainer.gate.decisions.verdict_events import ask_first
from services.trainer.gate.metrics import TRIALS
from services.trainer.settings import TrainerSettings
from shared.contract.events import ModelTrained
from shared.contract.trials import TrialStarted
from shared.messaging.event_log import EventLog, Publisher
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.database import Database
from shared.tables.decider import run_decider
from shared.tables.projection import wait_until_caught_up
from shared.tables.reconciler import run_on_changes

PART = "trials"
UNDER_WAY = "trial"
"""The part of the health report that says which trial goes on. It is never red."""
EVERY_SECONDS = 2.0
"""How often it is looked whether the time of a trial is over."""


async def read_trial(database: Database, trial: TrialStarted) -> TrialState:
    """Return a trial as the tables show it now."""
    later = await trials.later_trial(database, trial)
    return TrialState(
        trial,
        await trials.trial_counts(database, trial),
        await trials.ending_promotion(database, trial),
        None if later is None else later.version,
    )


@dataclass(frozen=True)
class TrialCase:
    """A trial is over: may its candidate serve? `end`: how it ended when that was seen."""

    context: GateContext
    trial: TrialStarted
    candidate: ModelTrained
    end: TrialEnd

    async def read_state(self) -> Champion | None:
        """See CandidateCase."""
        return await self.context.models.champion()

    async def find_outcome(self) -> Outcome | None:
        """See CandidateCase. A person may have decided about the candidate meanwhile."""
        found = await self.context.find_verdict(self.candidate)
        return found or await queries.first_promotion_of(self.context.database, self.candidate.version)

    async def decide(self, state: Champion | None) -> Outcome:
        """See Case. Corrections went live during the trial, so the candidate is measured against the champion of this
        moment, as without a trial."""
        end = judge_trial(await read_trial(self.context.database, self.trial), self.context.clock()) or self.end
        measured = await CandidateCase(self.context, self.candidate).judge(state) if end.passed else None
        decision = ask_first(conclude(end, self.trial, measured), self.context.approval)
        TRIALS.labels("passed" if end.passed else "failed").inc()
        return self.context.announce(decision, self.candidate, state)


class TrialWatch:
    """Looks at the trials that the tables show: a restart, and another gate, see the same and decide the same once."""

    def __init__(
        self, event_log: EventLog, publisher: Publisher, context: GateContext, settings: TrainerSettings
    ) -> None:
        self._event_log = event_log
        self._publisher = publisher
        self._context = context
        self._settings = settings

    async def run(self, health: Health) -> None:
        """Look after each change of the tables, and so often that a trial ends in time, until cancelled."""

        async def look() -> None:
            health.set(UNDER_WAY, True, describe_trials(await self.look()))

        database = self._context.database
        await run_on_changes(look, database=database, health=health, name=PART, every_seconds=EVERY_SECONDS)

    async def look(self) -> list[TrialState]:
        """Give the verdict on each candidate whose trial is over; return the trials that go on.

        Raises:
            TransientError: a dependency did not answer.
        """
        going_on = []
        for trial in await trials.open_trials(self._context.database):
            state = await read_trial(self._context.database, trial)
            end = judge_trial(state, self._context.clock())
            if end is None:
                going_on.append(state)
            else:
                await self._conclude(trial, end)
        return going_on

    async def _conclude(self, trial: TrialStarted, end: TrialEnd) -> None:
        context, settings = self._context, self._settings
        await wait_until_caught_up(self._event_log, context.database, TOPICS, settings.caught_up_seconds)
        candidate = await context.models.trained(trial.version)
        if end.passed:  # what takes long is done before the state is read that the decision depends on
            await context.evaluator.prefetch(await context.models.champion(), await context.models.anchor(), candidate)
        await run_decider(
            TrialCase(context, trial, candidate, end),
            publisher=self._publisher,
            database=context.database,
            projected_seconds=settings.verdict_seconds,
        )
        logger.info("a trial is over", version=trial.version, passed=end.passed)
