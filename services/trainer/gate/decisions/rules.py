"""Why was my model rejected? The rules of the gate, one function each: what is measured, the outcome, the sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from services.trainer.gate.decisions.paired_tests import Pairs, lower_bound, mcnemar_p
from services.trainer.model.arrays import Indices
from shared.contract.events import RuleOutcome
from shared.contract.label_set import quoted

Approval = Literal["automatic", "ask"]
Outcome = Literal["passed", "failed", "insufficient_evidence", "not_applicable"]


class GateSettings(BaseModel, frozen=True):
    """Accuracies and margins 0..1.

    confidence is that of the one-sided bound of non-inferiority: at 0.85 a margin of 5 points can be shown from 21 test
    images on, and 1 of 64 answers may be lost without a gain. With fewer images nothing can be shown: then the rule
    says so and asks only that no more answers are lost than gained.

    least_changes is the reason that a full candidate needs. On identical images another seed is promoted in 0 of 40
    cases without a reason, and in 9 of 10 if one new image is one: so few say nothing about the model.
    """

    lowest_accuracy: float = Field(default=0.7, ge=0, le=1)
    lowest_recall: float = Field(default=0.5, ge=0, le=1)
    images_for_recall: int = Field(default=10, ge=1)
    margin: float = Field(default=0.05, gt=0, le=1, description="how much worse still counts as no worse")
    confidence: float = Field(default=0.85, gt=0, lt=1)
    significance: float = Field(default=0.05, gt=0, lt=1)
    slowest_milliseconds: float = Field(default=50.0, gt=0)
    largest_difference: float = Field(default=1e-3, ge=0, description="Of a probability, between two runtimes")
    most_tests: int = Field(default=5000, ge=100, description="test images that are measured; more are chosen by hash")
    approval: Approval = Field(default="automatic", description="of full candidates that pass: automatic, or ask")
    least_changes: int = Field(default=10, ge=1, description="new images and corrections that a full candidate needs")


@dataclass(frozen=True)
class GateInputs:
    """What the gate knows beside the answers.

    labels, and the true class of each test image [n] as an index into them.
    corrections: how many applied corrections the challenger must hold; broken: the images of those it answers
    otherwise.
    newly_held: corrections it holds and the champion does not; new_images: labelled images, of either side, that the
    champion's last full training did not know; absorbed: corrections that moved from the champion's layer into the
    challenger's head; taken_back: corrections that the champion holds although people took them back; withdrawn: images
    that the champion's last full training knew, and that people took back since.
    full: whether it comes from the full lane; it changes answers everywhere, so its reason has to be larger.
    milliseconds: a whole answer for one image.
    anchor_lost: why nothing can be compared with the anchor; empty if it can, or if the champion is the anchor.
    difference: the largest absolute difference between the probabilities of the two runtimes that were compared (torch
    or numpy against onnxruntime); disagreements: how many images they label otherwise.
    unlearned: labels that the head of the challenger has not learned, since there were too few images: only corrected
    images are answered so, and no floor is asked of them. unknown: labels that the champion does not know.
    """

    labels: tuple[str, ...]
    truths: Indices
    corrections: int
    broken: tuple[UUID, ...]
    newly_held: int
    new_images: int
    absorbed: int
    milliseconds: float
    difference: float
    disagreements: int
    full: bool = False
    anchor_lost: str = ""
    taken_back: int = 0
    withdrawn: int = 0
    unlearned: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def learned_tests(self) -> NDArray[np.bool_]:
        """Which test images [n] have a label that the challenger has learned."""
        return ~np.isin(self.truths, [self.labels.index(label) for label in self.unlearned if label in self.labels])


def every_class_is_tested(inputs: GateInputs) -> RuleOutcome:
    counts = np.bincount(inputs.truths, minlength=len(inputs.labels))
    tested = dict(zip(inputs.labels, counts, strict=True))
    missing = [label for label, count in tested.items() if not count and label not in inputs.unlearned]
    figures = {label: float(count) for label, count in zip(inputs.labels, counts, strict=True)}
    if missing:
        named = " or ".join(map(quoted, missing))
        sentence = f"No test image is labelled {named}: label more images before a model is judged."
        return rule("every_class_is_tested", "failed", sentence, figures)
    which = "All classes that it has learned are" if inputs.unlearned else "All classes are"
    sentence = f"{which} among the {counts.sum()} locked test images."
    return rule("every_class_is_tested", "passed", sentence, figures)


def classes(inputs: GateInputs) -> list[RuleOutcome]:
    """Say how models of different classes are compared; nothing if both know all and all is learned."""
    said = []
    if inputs.unknown:
        images = int(np.isin(inputs.truths, [inputs.labels.index(label) for label in inputs.unknown]).sum())
        count = f"{images} test image{' counts' if images == 1 else 's count'}"
        said.append(f"The champion does not know {' and '.join(map(quoted, inputs.unknown))}: {count} as wrong for it.")
    if inputs.unlearned:
        named = " and ".join(map(quoted, inputs.unlearned))
        said.append(
            f"Too few images of {named} were labelled to learn from: only corrected images are answered so, and no"
            " floor is asked."
        )
    figures = dict.fromkeys(inputs.unlearned, 0.0)
    return [rule("classes", "not_applicable", " ".join(said), figures)] if said else []


def accuracy(challenger: Indices, inputs: GateInputs, settings: GateSettings) -> RuleOutcome:
    challenger, truths = challenger[inputs.learned_tests], inputs.truths[inputs.learned_tests]
    right, images = int((challenger == truths).sum()), len(truths)
    accuracy = right / images if images else 0.0
    holds = accuracy >= settings.lowest_accuracy
    sentence = (
        f"{right} of {images} test images are right ({accuracy:.1%}); "
        f"at least {settings.lowest_accuracy:.1%} {'was' if holds else 'is'} needed."
    )
    return rule("accuracy", "passed" if holds else "failed", sentence, {"accuracy": accuracy, "images": images})


def recalls(challenger: Indices, inputs: GateInputs, settings: GateSettings) -> list[RuleOutcome]:
    rules = []
    for index, label in enumerate(inputs.labels):
        if label in inputs.unlearned:
            continue
        answers = challenger[inputs.truths == index]
        images, right = len(answers), int((answers == index).sum())
        recall = right / images if images else 0.0
        sentence = (
            f"{right} of {images} test images of {quoted(label)} are right; {settings.lowest_recall:.0%} are needed"
        )
        outcome: Outcome = "passed" if recall >= settings.lowest_recall else "failed"
        if images < settings.images_for_recall:
            outcome = "insufficient_evidence"
            sentence += f", but fewer than {settings.images_for_recall} images prove nothing"
        rules.append(rule(f"recall_{label}", outcome, f"{sentence}.", {"recall": recall, "images": images}))
    return rules


def corrections_hold(inputs: GateInputs) -> RuleOutcome:
    total, broken = inputs.corrections, len(inputs.broken)
    figures = {"corrections": total, "broken": broken}
    if not total:
        return rule("corrections_hold", "not_applicable", "No label was corrected yet.", figures)
    if broken:
        sentence = f"{broken} of {total} corrected images are not answered as corrected."
        return rule("corrections_hold", "failed", sentence, figures)
    return rule("corrections_hold", "passed", f"All {total} corrected images are answered as corrected.", figures)


def latency(inputs: GateInputs, settings: GateSettings) -> RuleOutcome:
    milliseconds, limit = inputs.milliseconds, settings.slowest_milliseconds
    sentence = f"An answer takes {milliseconds:.1f} ms; {limit:.0f} ms are allowed."
    figures = {"milliseconds": milliseconds, "limit": limit}
    return rule("latency", "passed" if milliseconds <= limit else "failed", sentence, figures)


def parity(inputs: GateInputs, settings: GateSettings) -> RuleOutcome:
    difference, disagreements = inputs.difference, inputs.disagreements
    agrees = difference <= settings.largest_difference and not disagreements
    sentence = (
        f"The trained model and the one that will serve differ by {difference:.1e} at most "
        f"({settings.largest_difference:.0e} is allowed) and on {disagreements} labels."
    )
    figures = {"difference": difference, "disagreements": disagreements}
    return rule("parity", "passed" if agrees else "failed", sentence, figures)


def first_model() -> RuleOutcome:
    return rule("champion", "not_applicable", "There is no champion yet: the floors alone decide.")


def superior(challenger: Indices, champion: Indices, truths: Indices, settings: GateSettings) -> RuleOutcome:
    """Return whether the challenger is superior. Not being so vetoes nothing: it is lack of evidence, not a failure."""
    pairs = pairs_of(challenger, champion, truths)
    p = mcnemar_p(pairs)
    better = pairs.gained > pairs.lost and p < settings.significance
    sentence = (
        f"{_changes(pairs, 'champion')} Luck alone does that with probability {p:.2g}: "
        f"{'this is better' if better else 'not shown to be better'}."
    )
    outcome: Outcome = "passed" if better else "insufficient_evidence"
    return rule("superior_to_champion", outcome, sentence, {**_figures(pairs), "p": p})


def non_inferior_to_anchor(
    challenger: Indices, champion: Indices, answers: Indices | None, inputs: GateInputs, settings: GateSettings
) -> RuleOutcome:
    """Compare as `non_inferior` does. `answers` is None if the champion is the anchor, or if the anchor is lost.

    Images that were labelled since may show that the champion itself is worse than the anchor by now. A candidate of
    the fast lane, which only adds to it, is not refused for that, if it loses no more than it gains: no correction
    could become live any more, and it would be the fault of none of them. A full model is what mends it.
    """
    if answers is not None:
        compared = non_inferior("anchor", challenger, answers, inputs.truths, settings)
        if compared.outcome != "failed" or inputs.full:
            return compared
        before = non_inferior("anchor", champion, answers, inputs.truths, settings)
        changes = pairs_of(challenger, champion, inputs.truths)
        if before.outcome != "failed" or changes.gained < changes.lost:
            return compared
        sentence = (
            f"{compared.sentence} The champion itself is worse than the anchor on today's test images, and this"
            " candidate loses no more: a full model has to mend it."
        )
        return compared.model_copy(update={"outcome": "insufficient_evidence", "sentence": sentence})
    lost = inputs.anchor_lost
    sentence = f"Nothing is compared with the anchor. {lost}" if lost else "The champion itself is the anchor."
    return rule("non_inferior_to_anchor", "insufficient_evidence" if lost else "not_applicable", sentence)


def non_inferior(
    other: str, challenger: Indices, answers: Indices, truths: Indices, settings: GateSettings
) -> RuleOutcome:
    """Return whether the challenger is at most `margin` worse than `other`, which gave `answers`."""
    name = f"non_inferior_to_{other}"
    pairs = pairs_of(challenger, answers, truths)
    bound = lower_bound(pairs, settings.confidence)
    figures = {**_figures(pairs), "lower_bound": bound, "margin": settings.margin}
    if lower_bound(Pairs(pairs.images, 0, 0), settings.confidence) <= -settings.margin:
        enough = pairs.gained >= pairs.lost
        sentence = (
            f"{_changes(pairs, other)} {pairs.images} test images are too few to show a margin of "
            f"{settings.margin:.0%}; until there are more, no more may be lost than gained."
        )
        return rule(name, "insufficient_evidence" if enough else "failed", sentence, figures)
    sentence = (
        f"{_changes(pairs, other)} With {settings.confidence:.0%} confidence the true difference is {bound:+.1%} or "
        f"better; it must be above {-settings.margin:.0%}."
    )
    return rule(name, "passed" if bound > -settings.margin else "failed", sentence, figures)


def reason(inputs: GateInputs, settings: GateSettings) -> RuleOutcome:
    """Return whether there is a reason to change: a correction for the fast lane, `least_changes` for the full one. One
    withdrawn image is a reason for any model without it: it is to serve no longer, however few there are."""
    counts = (
        (inputs.newly_held, "correction that the champion does not hold", "corrections that it does not hold"),
        (inputs.new_images, "new image", "new images"),
        (inputs.absorbed, "correction moved from layer to head", "corrections moved from layer to head"),
        (inputs.taken_back, "correction that was taken back", "corrections that were taken back"),
        (inputs.withdrawn, "image that was withdrawn", "images that were withdrawn"),
    )
    reasons = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count > 0]
    figures = {"newly_held": inputs.newly_held, "new_images": inputs.new_images}
    figures |= {"absorbed": inputs.absorbed, "taken_back": inputs.taken_back, "withdrawn": inputs.withdrawn}
    needed = settings.least_changes if inputs.full and not inputs.withdrawn else 1
    if reasons and sum(count for count, _, _ in counts) < needed:
        sentence = (
            f"Only {', '.join(reasons)} since the champion: a full model needs {needed} new images or corrections"
            " together, or to be shown better."
        )
        return rule("reason", "failed", sentence, {**figures, "needed": needed})
    if reasons:
        return rule("reason", "passed", f"The reason to change: {', '.join(reasons)}.", figures)
    sentence = "No new corrections or images since the champion; an equally good model does not replace it."
    return rule("reason", "failed", sentence, figures)


def pairs_of(challenger: Indices, other: Indices, truths: Indices) -> Pairs:
    right, other_right = challenger == truths, other == truths
    return Pairs(len(truths), int((right & ~other_right).sum()), int((~right & other_right).sum()))


def _changes(pairs: Pairs, other: str) -> str:
    return f"Against the {other} {pairs.gained} of {pairs.images} answers are gained and {pairs.lost} lost."


def _figures(pairs: Pairs) -> dict[str, float]:
    return {"images": pairs.images, "gained": pairs.gained, "lost": pairs.lost, "difference": pairs.difference}


def rule(name: str, outcome: Outcome, sentence: str, figures: Mapping[str, float] | None = None) -> RuleOutcome:
    return RuleOutcome(rule=name, outcome=outcome, sentence=sentence, figures=dict(figures or {}))
