"""Which candidate is tried now, and which requests it answers, too: the fold of trial.started and of what ends trials.
Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from shared.contract.events import ModelPromoted, ModelRejected
from shared.contract.race_rules import promotion_counts
from shared.contract.trials import TrialStarted, ends_trials

REMEMBERED = 1000
"""Rejections that are kept, since one may be read before its trial: more do not come while a trial lasts."""
_ALL = 2**64


@dataclass(frozen=True, slots=True)
class Trials:
    """What was read until now, in any order between the topics.

    `newest`: the last trial that began. `known`: candidates that had a trial; the first of each counts. `rejected`: the
    causes of the newest rejections. `sequence`: of the last promotion that counts; `ended`: of the last that ends a
    trial which began before it.
    """

    newest: TrialStarted | None = None
    known: frozenset[UUID] = frozenset()
    rejected: tuple[UUID, ...] = ()
    sequence: int = 0
    ended: int = 0

    def current(self, now: datetime) -> TrialStarted | None:
        """Return the trial that goes on; None if there is none."""
        trial = self.newest
        if trial is None or now >= trial.ends_at or trial.cause in self.rejected or self.ended > trial.sequence:
            return None
        return trial


def fold_trial(trials: Trials, event: TrialStarted | ModelPromoted | ModelRejected) -> Trials:
    """Return the state after `event`; the same object if it changes nothing."""
    if isinstance(event, TrialStarted):
        if event.cause in trials.known:
            return trials
        return replace(trials, newest=event, known=trials.known | {event.cause})
    if isinstance(event, ModelRejected):
        return replace(trials, rejected=(*trials.rejected, event.cause)[-REMEMBERED:])
    if not promotion_counts(trials.sequence, event.sequence):
        return trials
    ends = ends_trials(event.route, event.lane)
    return replace(trials, sequence=event.sequence, ended=event.sequence if ends else trials.ended)


def is_in_share(prediction_id: UUID, share: float) -> bool:
    """Return whether the candidate answers this request, too: always the same for one id, and so for `share` of all."""
    return int.from_bytes(blake2b(prediction_id.bytes, digest_size=8).digest()) < share * _ALL
