"""What should a person look at next? Pure.

Uncertainty sampling by margin (Scheffer, Decomain and Wrobel 2001: the lead of the best answer over the second), spread
over groups of near-duplicates, so that ten shots of one flower do not fill the queue.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

HESITATES_BELOW = 0.5
"""A margin below this is called hesitation."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored image nobody has reviewed.

    `label` is what was claimed for it, None if nothing was; `probabilities` is the model's newest answer, None if it
    gave none yet; `seed` says that the label came with a data set.
    """

    image_id: UUID
    group_id: str
    label: str | None
    seed: bool
    probabilities: Mapping[str, float] | None


def margin(probabilities: Mapping[str, float]) -> float:
    """The lead of the best label over the second, 0 to 1; 1 if there is only one label, 0 if there is none."""
    ordered = sorted(probabilities.values(), reverse=True)
    if not ordered:
        return 0.0
    return ordered[0] - (ordered[1] if len(ordered) > 1 else 0.0)


def review_order(candidates: Sequence[Candidate]) -> list[tuple[Candidate, str]]:
    """The candidates in the order a person should see them, each with the reason, in one sentence.

    First answers that contradict the claimed label, then hesitant answers by margin, then images without an answer,
    last seed images. The second of a near-duplicate group comes after the first of every other.
    """
    ranked = sorted(candidates, key=lambda candidate: (*_rank(candidate), str(candidate.image_id)))
    seen: Counter[str] = Counter()
    spread = []
    for position, candidate in enumerate(ranked):
        spread.append((candidate.seed, seen[candidate.group_id], position, candidate))
        seen[candidate.group_id] += 1
    return [(candidate, reason(candidate)) for *_, candidate in sorted(spread, key=lambda entry: entry[:3])]


def reason(candidate: Candidate) -> str:
    """Why this image is worth a look."""
    if candidate.probabilities:
        best, share = max(candidate.probabilities.items(), key=lambda entry: entry[1])
        if candidate.label is not None and candidate.label != best:
            whose = "came with" if candidate.seed else "was uploaded as"
            return f"It {whose} {candidate.label}, and the model says {best} ({share:.0%})."
        if margin(candidate.probabilities) < HESITATES_BELOW:
            return f"The model hesitates: {best}, with {share:.0%} only."
        return f"The model says {best} ({share:.0%}), and nobody has checked it."
    if candidate.seed:
        return f"It came with the label {candidate.label}, and nobody has checked it."
    if candidate.label is not None:
        return f"It was uploaded as {candidate.label}, and nobody has checked it."
    return "It has no label yet."


def _rank(candidate: Candidate) -> tuple[bool, int, float]:
    if not candidate.probabilities:
        return candidate.seed, 2, 0.0
    best = max(
        candidate.probabilities, key=lambda label: candidate.probabilities[label] if candidate.probabilities else 0.0
    )
    contradicts = candidate.label is not None and candidate.label != best
    lead = margin(candidate.probabilities)
    return candidate.seed, 0 if contradicts else 1, -lead if contradicts else lead
