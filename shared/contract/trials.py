"""A full model is tried on live requests before it serves everyone: the events of a trial, and what ends it. Pure."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contract.event_base import ArtefactOfModel, ModelEvent, Principal
from shared.contract.event_parts import Count, Ordinal, Probability, RuleOutcome

TrialMode = Literal["shadow", "canary"]
ENDING_ROUTES = frozenset({"rollback", "approve", "override", "freeze", "unfreeze"})
"""The routes by which a person, or the gate's look back, decides what serves."""


def ends_trials(route: str, lane: str) -> bool:
    """Return whether a promotion by this route, of a model of this lane, ends the trial that goes on: a person decided,
    or another full model serves. Corrections of the fast lane do not."""
    return route in ENDING_ROUTES or lane == "full"


class TrialStarted(ArtefactOfModel):
    """The gate would promote this full candidate, and tries it on live requests first. Natural key: the model.trained,
    which is the first of its causes; of one candidate the first trial counts, and a later one of another candidate ends
    it.

    `share` of the requests is answered by the candidate, too. `mode`: "shadow" (only the champion's answer is given) or
    "canary" (the candidate's is). `champion` served under `sequence` when the trial began. It lasts until `answers`
    were compared, and until `ends_at` at most; `disagreement` is the share of them that may differ. `verdict`: what the
    gate measured before.
    """

    topic: ClassVar[str] = "trial.started"
    publishers: ClassVar[tuple[Principal, ...]] = ("trainer",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer", "predictor")
    mode: TrialMode
    share: Probability
    champion: str
    sequence: Ordinal
    answers: Ordinal
    ends_at: AwareDatetime
    disagreement: Probability
    verdict: tuple[RuleOutcome, ...] = ()
    summary: str

    @property
    def cause(self) -> UUID:
        """The model.trained of the candidate."""
        return self.causes[0] if self.causes else self.event_id

    def is_ended_by(self, sequence: int, route: str, lane: str) -> bool:
        """Return whether the promotion with this `sequence` ends the trial."""
        return sequence > self.sequence and ends_trials(route, lane)


class TrialCompared(ModelEvent):
    """What a replica compared in a trial until now: counts that only grow, so that the last one says all. Keyed by
    trial, replica and run. Natural key: these and the counts.

    `trial` is the id of the trial.started; `run` one life of the replica. Of `compared` requests both models answered,
    and their labels differed in `disagreed`. In `failed` cases the candidate could not be loaded or gave no answer
    (`detail`: why, the last time). `dropped` requests of the share were not compared, since there was no time.
    """

    topic: ClassVar[str] = "trial.compared"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("trainer",)
    trial: UUID
    version: str
    replica: str
    run: UUID
    compared: Count
    disagreed: Count
    failed: Count = 0
    dropped: Count = 0
    detail: str = Field(default="", max_length=1000)

    @property
    def key(self) -> str:
        return f"{self.trial}/{self.replica}/{self.run}"
