"""What a replica does with candidates: it loads each ahead, and has one answer some requests while it is tried."""

from collections.abc import Coroutine
from typing import Any

from services.predictor.api.trial_answers import TrialAnswers
from services.predictor.api.turns import Turns
from services.predictor.model.candidates import CandidateModels
from services.predictor.model.trial import TrialHolder
from services.predictor.promotions.candidate_follower import CandidateFollower
from services.predictor.promotions.trial_compared import TrialReporter
from services.predictor.promotions.trial_follower import TrialFollower
from services.predictor.settings import PredictorSettings
from shared.messaging.event_log import EventLog, Publisher
from shared.runtime.health import Health
from shared.runtime.process import keep_running


class ReplicaCandidates:
    """The parts of a replica that load candidates ahead, and try one. Without a trial they wait for one."""

    def __init__(
        self,
        event_log: EventLog,
        candidates: CandidateModels,
        turns: Turns,
        settings: PredictorSettings,
        health: Health,
    ) -> None:
        holder = TrialHolder(candidates)
        self._ahead = CandidateFollower(event_log, candidates, settings.model_name, health)
        self.answers = TrialAnswers(holder, turns)
        self._holder = holder
        self._follower = TrialFollower(event_log, holder.set_target, settings.model_name, health)
        self._reporter = TrialReporter(holder, settings.replica)
        self._health = health

    def parts(self, publisher: Publisher) -> dict[str, Coroutine[Any, Any, None]]:
        """Return what runs as long as the process, by name."""
        health = self._health
        return {
            "candidates": keep_running(health, "candidates", self._ahead.run),
            "trials": keep_running(health, "trials", self._follower.run),
            "trial model": keep_running(health, "trial model", self._holder.run),
            "trial answers": keep_running(health, "trial answers", self.answers.run),
            "trial.compared": keep_running(health, "trial.compared", lambda: self._reporter.run(publisher)),
        }
