"""How the rules make a verdict: may this model serve?

A challenger is promoted if no floor is broken and it is either superior to the champion, or non-inferior to champion
*and* anchor while there is a recorded reason to change (of the full lane: ten new images or corrections). "Better
accuracy" would promote half of all retrains on identical data by luck; superiority alone would block nearly every
useful correction; non-inferiority to the last champion alone would let small losses add up (biocreep), which the anchor
- the last superior champion - stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.trainer.gate.decisions import rules as rule
from services.trainer.gate.decisions.rules import GateInputs, GateSettings
from services.trainer.model.arrays import Indices
from shared.contract.events import RuleOutcome

__all__ = ["GateInputs", "GateSettings", "Verdict", "judge"]

Route = Literal["first", "superior", "non_inferior"]
DEFAULTS = GateSettings()


@dataclass(frozen=True)
class Verdict:
    """The decision. `route` is how it was earned, None for a rejection. `lost_images` are positions of test images that
    the champion had right and the challenger has wrong: where to look for what to set aside."""

    promote: bool
    route: Route | None
    rules: tuple[RuleOutcome, ...]
    summary: str
    lost_images: tuple[int, ...] = ()


def judge(
    challenger: Indices,
    champion: Indices | None,
    anchor: Indices | None,
    inputs: GateInputs,
    settings: GateSettings = DEFAULTS,
) -> Verdict:
    """Judge answers on the locked test images: each [n], indices into the labels (-1: a label that is none of them).

    champion None: there is no model yet, the floors decide. anchor None: the champion is the anchor, or
    it is lost (see GateInputs).
    """
    truths = inputs.truths
    floors = [
        *rule.classes(inputs),
        rule.every_class_is_tested(inputs),
        rule.accuracy(challenger, inputs, settings),
        *rule.recalls(challenger, inputs, settings),
        rule.corrections_hold(inputs),
        rule.latency(inputs, settings),
        rule.parity(inputs, settings),
    ]
    route, comparison = _compare(challenger, champion, anchor, inputs, settings)
    if _any_failed(floors):
        route = None
    lost = () if champion is None else np.flatnonzero((champion == truths) & (challenger != truths)).tolist()
    outcomes = (*floors, *comparison)
    return Verdict(route is not None, route, outcomes, _summary(route, outcomes), tuple(lost))


def _compare(
    challenger: Indices,
    champion: Indices | None,
    anchor: Indices | None,
    inputs: GateInputs,
    settings: GateSettings,
) -> tuple[Route | None, list[RuleOutcome]]:
    """Return the route by which the challenger may replace the champion, None if by none, and the rules that say so."""
    if champion is None:
        return "first", [rule.first_model()]
    superior = rule.superior(challenger, champion, inputs.truths, settings)
    grounds = [
        rule.non_inferior("champion", challenger, champion, inputs.truths, settings),
        rule.non_inferior_to_anchor(challenger, champion, anchor, inputs, settings),
        rule.reason(inputs, settings),
    ]
    if superior.outcome == "passed":
        return "superior", [superior, *grounds]
    return None if _any_failed(grounds) else "non_inferior", [superior, *grounds]


def _any_failed(outcomes: Sequence[RuleOutcome]) -> bool:
    return any(one.outcome == "failed" for one in outcomes)


def _summary(route: Route | None, outcomes: Sequence[RuleOutcome]) -> str:
    match route:
        case "first":
            return "Promoted: it is the first model, and no floor is broken."
        case "superior":
            return "Promoted: it is better than the champion."
        case "non_inferior":
            why = next(one.sentence for one in outcomes if one.rule == "reason")
            return f"Promoted: it is no worse than champion and anchor. {why}"
        case None:
            return "Rejected: " + " ".join(one.sentence for one in outcomes if one.outcome == "failed")
