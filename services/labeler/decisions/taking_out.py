"""What would hold for an image if one person had decided nothing about it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.contract.events import HeldLabel, NoLabel


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied revision of an image. `held_revision`: the decision that holds since, 0 for none; `label` and
    `no_label` are what this revision itself says. `voters`: those whose equal votes it is, instead of one person."""

    event_id: UUID
    revision: int
    by: str
    held_revision: int
    label: str | None
    no_label: NoLabel | None
    voters: tuple[str, ...] = ()

    def is_by(self, person: str) -> bool:
        """Whether this person spoke in it, alone or by a vote."""
        return person in self.voters if self.voters else self.by == person

    @property
    def is_withdrawal(self) -> bool:
        """Whether it takes a decision back, and decides nothing itself."""
        return self.held_revision != self.revision


def decision_without(person: str, revisions: Sequence[Revision]) -> int:
    """Return the revision of the decision that would hold without this person, 0 for none: the image is as it was
    stored. `revisions` are all applied ones of one image: 1, 2, 3 and so on.

    Where the person spoke last, what held before holds; if that is a decision of the same person again, what held
    before it, and so on."""
    at = len(revisions)
    while at:
        newest = revisions[at - 1]
        held = newest.held_revision
        if newest.is_by(person):
            at -= 1
        elif held and revisions[held - 1].is_by(person):
            at = held - 1
        else:
            return held
    return 0


def still_holds(person: str, revisions: Sequence[Revision]) -> bool:
    """Return whether a decision of this person, a label or a withdrawal, decides what holds for the image now."""
    return bool(revisions) and decision_without(person, revisions) != revisions[-1].held_revision


def held_label(revisions: Sequence[Revision], revision: int) -> HeldLabel | None:
    """Return the decision of this revision as events name it; None for 0."""
    if not revision:
        return None
    decided = revisions[revision - 1]
    return HeldLabel(revision=revision, label=decided.label, no_label=decided.no_label)


def fate(person: str, revisions: Sequence[Revision], revision: int) -> str:
    """Return what became of a decision of this person: it "holds", a later one of another person "confirmed" or
    "overturned" it, or the person "changed" it."""
    if revisions[-1].held_revision == revision:
        return "holds"
    decided = revisions[revision - 1]
    later = next(each for each in revisions[revision:] if each.held_revision != revision)
    if later.is_by(person):
        return "changed"
    same = not later.is_withdrawal and (later.label, later.no_label) == (decided.label, decided.no_label)
    return "confirmed" if same else "overturned"
