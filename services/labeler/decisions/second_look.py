"""Who contradicts model and data set again and again: when they are asked, and which images another person sees. Pure.

A decision that contradicts the model, or the label an image came with, is what review is for. One that contradicts both
is rare when people look: model and data set were made from different facts. Half of ten such decisions are a habit (a
key pressed without looking, two classes mixed up), or a person who knows better; so the person is asked, once, and
another person looks at these images. Nothing is refused and nothing is taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

WINDOW = 10
OFTEN = 5
"""So many of WINDOW decisions in a row are too many."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A label that a person gave. `contradicts`: the answer they were shown and the label of the data set, and no other
    person has given the same label since."""

    image_id: UUID
    decided_at: datetime
    contradicts: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What the person is asked about: `contradicting` of `decisions`, the newest of them `asked_about`."""

    contradicting: int
    decisions: int
    asked_about: datetime


def double_check(newest_first: Sequence[Decision], answered_until: datetime | None) -> Question | None:
    """Return what to ask the person about their last decisions; None if there is nothing to ask, or if they have
    answered already: `answered_until` is the newest decision of the last question, None before the first."""
    recent = [each for each in newest_first if answered_until is None or each.decided_at > answered_until][:WINDOW]
    contradicting = sum(each.contradicts for each in recent)
    if contradicting < OFTEN:
        return None
    return Question(contradicting, len(recent), recent[0].decided_at)


def needing_second_look(newest_first: Sequence[Decision]) -> list[UUID]:
    """Return the images, the newest first, whose decision contradicts both and is one of OFTEN within WINDOW of this
    person's decisions in a row."""
    flags = [each.contradicts for each in newest_first]
    often: set[int] = set()
    for start in range(max(1, len(flags) - WINDOW + 1)):
        found = [at for at in range(start, min(start + WINDOW, len(flags))) if flags[at]]
        if len(found) >= OFTEN:
            often.update(found)
    return [newest_first[at].image_id for at in sorted(often)]
