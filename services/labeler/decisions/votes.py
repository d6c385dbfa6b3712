"""What equal votes of several people decide about an image. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.contract.events import NoLabel


@dataclass(frozen=True, slots=True)
class VoteRules:
    """A label counts with `needed` equal votes of at most `at_most` people. One needed: there are no votes, and what
    a person says counts at once."""

    needed: int = 1
    at_most: int = 1

    @property
    def on(self) -> bool:
        """Whether labels are voted about."""
        return self.needed > 1


NO_VOTES = VoteRules()


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person says about an image: a label, or in `no_label` why there is none."""

    by: str
    label: str | None
    no_label: NoLabel | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What the votes about an image say together. "open": another vote may decide; "split": none can any more, so a
    person has to; "decided": `label` or `no_label` holds, because of `voters`, by name."""

    state: Literal["open", "decided", "split"]
    label: str | None = None
    no_label: NoLabel | None = None
    voters: tuple[str, ...] = ()


def tally(votes: Iterable[Vote], rules: VoteRules) -> Tally:
    """Return what these votes, at most one of each person, decide. Their order does not matter.

    More votes than `at_most` may have come at the same moment; if two decisions then have enough of them, the one with
    more counts, and none if they have the same number. It is split as soon as the votes that are left cannot decide.
    """
    behind: dict[tuple[str | None, NoLabel | None], list[str]] = defaultdict(list)
    for vote in votes:
        behind[vote.label, vote.no_label].append(vote.by)
    number = sum(map(len, behind.values()))
    most = max(map(len, behind.values()), default=0)
    if most < rules.needed:
        return Tally("open" if most + rules.at_most - number >= rules.needed else "split")
    leading = [said for said, people in behind.items() if len(people) == most]
    if len(leading) > 1:
        return Tally("open" if number < rules.at_most else "split")
    [(label, no_label)] = leading
    return Tally("decided", label, no_label, tuple(sorted(behind[label, no_label])))
