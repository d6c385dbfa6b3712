"""The order in which people review images, and the reason for each. Pure.

Uncertainty sampling by margin (Scheffer, Decomain and Wrobel 2001: the lead of the best answer over the second), spread
over groups of near-duplicates, so that ten shots of one flower do not fill the queue.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

UNSURE_BELOW = 0.5
"""Below this margin the model is called unsure."""
DRIFTED = "It was stored while pictures look different from those that were learned."
"""With this begins the reason for an image that no model has learned the like of."""


NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored image that has not been reviewed.

    `label` is the registered label, None without one; `probabilities` are those of the newest prediction, None before
    the first; `seed`: the label comes from a data set; `unsure`: a person has looked and could not tell; `drifted`: it
    was stored while pictures are others than those of the last full training.
    """

    image_id: UUID
    group_id: str
    label: str | None
    seed: bool
    probabilities: Mapping[str, float] | None
    unsure: bool = False
    drifted: bool = False


def margin(probabilities: Mapping[str, float]) -> float:
    """Return the lead of the best label over the second, 0 to 1; 1 for a single label, 0 without labels."""
    ordered = sorted(probabilities.values(), reverse=True)
    if not ordered:
        return 0.0
    return ordered[0] - (ordered[1] if len(ordered) > 1 else 0.0)


def review_order(candidates: Sequence[Candidate], names: Mapping[str, str] = NO_NAMES) -> list[tuple[Candidate, str]]:
    """Return the candidates in review order, each with its reason, one sentence, in the `names` of the labels.

    While pictures drift, those stored since then come first: no model has learned them. Then predictions that
    contradict the label, then unsure predictions by margin, then images without a prediction, then seed images, last
    those that a person was unsure about. The second image of a near-duplicate group comes after the first of every
    other group.
    """
    ranked = sorted(candidates, key=lambda candidate: (*_rank(candidate), str(candidate.image_id)))
    seen: Counter[str] = Counter()
    spread = []
    for position, candidate in enumerate(ranked):
        spread.append((_class(candidate), seen[candidate.group_id], position, candidate))
        seen[candidate.group_id] += 1
    return [(candidate, reason(candidate, names)) for *_, candidate in sorted(spread, key=lambda entry: entry[:3])]


def reason(candidate: Candidate, names: Mapping[str, str] = NO_NAMES) -> str:
    """Return why this image is worth a look. `names`: what people call the labels; one without a name is as it is."""
    if candidate.unsure:
        return "A person looked at it and was unsure."
    if candidate.drifted:
        return f"{DRIFTED} {_usual_reason(candidate, names)}"
    return _usual_reason(candidate, names)


def _usual_reason(candidate: Candidate, names: Mapping[str, str]) -> str:
    if candidate.probabilities:
        best, share = max(candidate.probabilities.items(), key=lambda entry: entry[1])
        said = names.get(best, best)
        if candidate.label is not None and candidate.label != best:
            whose, label = "came with" if candidate.seed else "was uploaded as", candidate.label
            return f"It {whose} {names.get(label, label)}, and the model says {said} ({share:.0%})."
        if margin(candidate.probabilities) < UNSURE_BELOW:
            return f"The model is unsure: {said}, with only {share:.0%}."
        return f"The model says {said} ({share:.0%}); no person has checked it yet."
    if candidate.label is not None:
        return "No person has checked its label yet."
    return "It has no label yet."


def _class(candidate: Candidate) -> tuple[bool, bool, bool]:
    return candidate.unsure, not candidate.drifted, candidate.seed


def _rank(candidate: Candidate) -> tuple[tuple[bool, bool, bool], int, float]:
    first = _class(candidate)
    if not candidate.probabilities:
        return first, 2, 0.0
    best = max(
        candidate.probabilities, key=lambda label: candidate.probabilities[label] if candidate.probabilities else 0.0
    )
    contradicts = candidate.label is not None and candidate.label != best
    lead = margin(candidate.probabilities)
    return first, 0 if contradicts else 1, -lead if contradicts else lead
