"""Which corrections are not live, and what the fast lane builds because of that. Pure.

The lane is a reconciler: wanted is every applied correction in the champion, except those that were set aside. It
compares as often as it likes; the answer depends on nothing but what the tables show.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from uuid import UUID

from services.trainer.dataset.manifest import KEPT_TEXTS
from services.trainer.dataset.records import Candidate, Champion, Correction, Retraction, find_taken_back
from shared.contract.artefact import CorrectionEntry
from shared.contract.events import AppliedCorrection, SetAside

VERDICT_TIMEOUT = timedelta(minutes=5)
"""How long one candidate may hold back the next while it awaits its verdict. Only a candidate that the gate gave up on
(its message is on the dead-letter topic) is ever that old; it must not block later corrections."""


@dataclass(frozen=True)
class FastLaneState:
    """What the tables show. `retractions` are the images whose last label was taken away; `candidates` are the lane's
    own, made from the champion; `unreadable` are images whose bytes are gone or cannot be decoded, and `inexact`
    corrections with which two runtimes answer differently, each with the sentence why; `recipe` names everything else
    that shapes the layer. `classes` are the labels of all classes there are now: a correction to one that the champion
    does not know makes it known."""

    champion: Champion | None
    corrections: Sequence[Correction]
    set_aside: Sequence[SetAside] = ()
    candidates: Sequence[Candidate] = ()
    unreadable: Mapping[UUID, str] = field(default_factory=dict)
    inexact: Mapping[CorrectionEntry, str] = field(default_factory=dict)
    recipe: str = ""
    retractions: Sequence[Retraction] = ()
    classes: Sequence[str] = ()

    @cached_property
    def live(self) -> frozenset[CorrectionEntry]:
        """What the champion holds."""
        return frozenset() if self.champion is None else _entries(self.champion.model.held)

    @cached_property
    def partition(self) -> list[tuple[Correction, str | None]]:
        """Each correction, by image id, and why it cannot be in the layer; None if it can. What the champion holds
        stays in, even if it was set aside before: a full training took it in, and the gate has looked at it again.
        Without a champion there are none."""
        if self.champion is None:
            return []
        known, version = {*self.champion.model.labels, *self.classes}, self.champion.version
        aside = {(one.image_id, one.revision): one.sentence for one in self.set_aside}

        def why_not(one: Correction) -> str | None:
            if one.label not in known:
                return f"{version} does not know the label {one.label!r}, and there is no such class."
            if one.image_id in self.unreadable:
                return self.unreadable[one.image_id]
            entry = (one.image_id, one.revision)
            return None if entry in self.live else self.inexact.get(entry) or aside.get(entry)

        return [(one, why_not(one)) for one in sorted(self.corrections, key=lambda one: one.image_id.int)]

    @cached_property
    def wanted(self) -> list[Correction]:
        """The corrections that should be in the champion, by image id."""
        return [one for one, reason in self.partition if reason is None]

    @cached_property
    def wanted_entries(self) -> frozenset[CorrectionEntry]:
        """The same as entries."""
        return _entries(self.wanted)

    @cached_property
    def unserved(self) -> list[Correction]:
        """The corrections that should be in the champion and are not, oldest first; without a champion all of them."""
        wanted = self.corrections if self.champion is None else self.wanted
        return sorted((one for one in wanted if (one.image_id, one.revision) not in self.live), key=_by_age)

    @cached_property
    def taken_back(self) -> list[tuple[AppliedCorrection, Retraction]]:
        """What the champion holds and should not."""
        return [] if self.champion is None else find_taken_back(self.champion.model.held, self.retractions)


@dataclass(frozen=True, slots=True)
class BuildCandidate:
    """Build this version: the champion with a layer over exactly these corrections (by image id). `added` are those of
    them that the champion does not hold, the oldest first, and `removed` what it holds besides. `causes` are the
    label.corrected events that are not live yet: labels that were set, and labels that were taken back. `new_labels`
    are those that the champion does not know."""

    version: str
    champion: Champion
    corrections: tuple[Correction, ...]
    causes: tuple[UUID, ...]
    added: tuple[Correction, ...]
    removed: frozenset[CorrectionEntry]
    new_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Idle:
    """Build nothing now; `reason` is a sentence for the health report."""

    reason: str


def decide(state: FastLaneState, now: datetime) -> BuildCandidate | Idle:
    """Return what to make, or nothing and why."""
    champion = state.champion
    if champion is None:
        return Idle("There is no champion yet: the first full training makes one.")
    if behind := _count_unknown(champion, state):
        return Idle(f"The tables are behind: {champion.version} holds {behind} corrections they do not show yet.")
    if state.wanted_entries == state.live:
        return Idle(_describe_all_live(state, len(state.wanted)))
    if champion.frozen:
        return Idle(f"Promotions are frozen: {champion.promotion.summary}")
    return _unless_already_built(_plan_build(champion, state), state.candidates, now)


def oldest_unserved(state: FastLaneState) -> datetime | None:
    """Return since when the champion lacks a correction, or holds one that was taken back; None if it does neither."""
    waiting = [one.corrected_at for one in state.unserved]
    waiting += [one.corrected_at for _, one in state.taken_back]
    return min(waiting, default=None)


def find_excluded(state: FastLaneState) -> dict[UUID, str]:
    """Return the corrected images that the lane leaves out of the champion, with the reason for each."""
    return {one.image_id: reason for one, reason in state.partition if reason is not None}


def _entries(corrections: Iterable[Correction | AppliedCorrection]) -> frozenset[CorrectionEntry]:
    return frozenset((one.image_id, one.revision) for one in corrections)


def _count_unknown(champion: Champion, state: FastLaneState) -> int:
    """Return how many revisions the champion holds that the tables, folded from other topics, do not show yet."""
    shown = {one.image_id: one.revision for one in state.corrections}
    shown |= {one.image_id: one.revision for one in state.retractions}
    return sum(shown.get(held.image_id, 0) < held.revision for held in champion.model.held)


def _by_age(correction: Correction) -> tuple[datetime, UUID]:
    return correction.corrected_at, correction.image_id


def _plan_build(champion: Champion, state: FastLaneState) -> BuildCandidate:
    events = [one.event_id for one in state.unserved] + [one.event_id for _, one in state.taken_back]
    labels = {one.label for one in state.wanted} - set(champion.model.labels)
    return BuildCandidate(
        version=version_of(champion, state.wanted, state.recipe),
        champion=champion,
        corrections=tuple(state.wanted),
        causes=tuple(dict.fromkeys(events)) or (champion.promotion.event_id,),
        added=tuple(state.unserved),
        removed=state.live - state.wanted_entries,
        new_labels=tuple(label for label in state.classes if label in labels),
    )


def version_of(champion: Champion, corrections: Sequence[Correction], recipe: str) -> str:
    """Return the version of the champion with these corrections. The champion's sequence is part of it, so that after a
    rollback or an unfreeze the same corrections are made and judged anew; labels and revisions are, so that a label
    that was toggled back is not taken for an earlier verdict."""
    ordered = sorted(corrections, key=lambda one: one.image_id.int)
    listed = ",".join(_text_of(str(one.image_id), one.revision, one.label, one.sha256) for one in ordered)
    champion_text = _text_of(
        champion.version, champion.sequence, champion.model.artefact_sha256, champion.model.backbone_id
    )
    identity = f"[[{listed}],{champion_text},{_text_of(recipe)[1:-1]}]"
    return "fast-" + hashlib.sha256(identity.encode()).hexdigest()[:12]


@lru_cache(maxsize=KEPT_TEXTS)
def _text_of(*parts: str | int) -> str:
    return json.dumps(parts, separators=(",", ":"))


def _unless_already_built(
    make: BuildCandidate, candidates: Sequence[Candidate], now: datetime
) -> BuildCandidate | Idle:
    for candidate in candidates:
        if candidate.version == make.version and candidate.judged:
            return Idle(f"{make.version} has its verdict already: it was not promoted, and nothing has changed since.")
        if not candidate.judged and now - candidate.trained_at < VERDICT_TIMEOUT:
            return Idle(f"{candidate.version} awaits its verdict: one candidate at a time.")
    return make


def _describe_all_live(state: FastLaneState, live: int) -> str:
    out = len(find_excluded(state))
    return f"All {live} corrections are live." if not out else f"Of the corrections {live} are live, {out} left out."
