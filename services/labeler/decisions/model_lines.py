"""How two versions differ, from the verdicts between them. Pure.

A verdict says which test images the candidate has right and the champion of that moment has not (gained), and the other
way round (lost). So the verdicts from one version back to another, added up, say the same of the two: what was gained
and lost again is no difference.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from shared.contract.events import VerdictEvidence

Before = Mapping[str, str | None]
"""The version that each one was compared with: the champion at that time; None for the first model."""


def versions_before(promoted: Sequence[str]) -> dict[str, str | None]:
    """Return with which version each was compared when it was promoted first; `promoted` are all, in their order."""
    before: dict[str, str | None] = {}
    for former, version in zip([None, *promoted[:-1]], promoted, strict=True):
        before.setdefault(version, former)
    return before


def verdicts_between(before: Before, version: str, against: str) -> tuple[list[str], list[str]]:
    """Return the versions whose verdicts lead from both back to the one that both come from: those of `version`, and
    those of `against`."""
    line, other = _line(before, version), _line(before, against)
    common = set(line) & set(other)
    return [each for each in line if each not in common], [each for each in other if each not in common]


def _line(before: Before, version: str) -> list[str]:
    line = [version]
    while (former := before.get(line[-1])) is not None:
        line.append(former)
    return line


def add_up(
    ahead: Iterable[VerdictEvidence | None], behind: Iterable[VerdictEvidence | None]
) -> tuple[list[UUID], list[UUID], bool]:
    """Return the images gained and lost, and whether these are all: no verdict lacks its evidence or names a part only.
    `ahead` are the verdicts from the common version to the one that is looked at, `behind` those to the other."""
    change: Counter[UUID] = Counter()
    complete = True
    for sign, verdicts in ((1, ahead), (-1, behind)):
        for evidence in verdicts:
            if evidence is None:
                complete = False
                continue
            complete &= evidence.gained == len(evidence.gained_images) and evidence.lost == len(evidence.lost_images)
            change.update(dict.fromkeys(evidence.gained_images, sign))
            change.update(dict.fromkeys(evidence.lost_images, -sign))
    gained = [image for image, count in change.items() if count > 0]
    return gained, [image for image, count in change.items() if count < 0], complete
