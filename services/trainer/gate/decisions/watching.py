"""Was a promotion a mistake? What is asked after it, and what the answers mean. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest

from pydantic import BaseModel, Field

from services.trainer.dataset.records import LabelledImage
from services.trainer.gate.decisions.sequential import evidence_above, tail, upper_bound
from services.trainer.gate.decisions.test_sample import order_of_group
from shared.contract.events import ModelPromoted


class WatchSettings(BaseModel, frozen=True):
    """What is watched after a promotion.

    error is the probability, for one promotion and one check, of rolling back a model that is no worse than the gate's
    margin allows. golden lists images by id or sha256; none of them may be lost. Without a list a fixed choice of
    golden_images test images is probed, of which some may be.
    """

    hours: float = Field(default=24.0, ge=0, description="how long a promotion is watched; 0: not at all")
    error: float = Field(default=0.01, gt=0, lt=1, description="of rolling back a model that is good enough")
    golden_images: int = Field(default=50, ge=0, description="test images that are asked again; 0: none")
    golden: tuple[str, ...] = Field(default=(), description="image ids or sha256s to ask instead")


@dataclass(frozen=True, slots=True)
class Finding:
    """A check of what was promoted: whether it is worse than what served before, in a sentence, with the figures."""

    check: str
    worse: bool
    sentence: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Shown:
    """Answers that people decided about, and how many of them they agreed with."""

    answers: int
    agreed: int

    @property
    def wrong(self) -> int:
        """How many they contradicted."""
        return self.answers - self.agreed


def still_watched(promotions: Sequence[ModelPromoted], now: datetime, settings: WatchSettings) -> list[ModelPromoted]:
    """Return the promotions, oldest first, that are young enough and replaced another model."""
    oldest = now - timedelta(hours=settings.hours)
    return [one for one in promotions if one.occurred_at > oldest and one.replaces not in (None, one.version)]


def not_probed(promotions: Sequence[ModelPromoted], probed: int | None) -> list[ModelPromoted]:
    """Return the promotions that are probed as one step: those after sequence `probed`. None, after a start: from the
    newest full model on, or else the newest."""
    if probed is not None:
        return [one for one in promotions if one.sequence > probed]
    full = newest_full(promotions)
    return [one for one in promotions if full is not None and one.sequence >= full.sequence] or list(promotions[-1:])


def newest_full(promotions: Sequence[ModelPromoted]) -> ModelPromoted | None:
    """Return the newest promotion of a full model; None if there is none."""
    return next((one for one in reversed(promotions) if one.lane == "full"), None)


def is_asked(image: LabelledImage, settings: WatchSettings) -> bool:
    """Return whether models are asked about the image: it is a test image, or a listed one."""
    return image.sample.side == "test" or _is_listed(image, settings)


def _is_listed(image: LabelledImage, settings: WatchSettings) -> bool:
    return str(image.image_id) in settings.golden or image.sample.sha256 in settings.golden


def choose_golden(images: Sequence[LabelledImage], settings: WatchSettings) -> list[LabelledImage]:
    """Return the images to ask after a promotion: the listed ones, of either side, or test images by the hash of their
    group: the same ones after each promotion."""
    if settings.golden:
        return [one for one in images if _is_listed(one, settings)]
    tests = (one for one in images if one.sample.side == "test")
    return nsmallest(settings.golden_images, tests, key=lambda one: (order_of_group(one.group_id), one.sample.image_id))


def judge_golden(
    truths: Sequence[str], before: Sequence[str], now: Sequence[str], margin: float, settings: WatchSettings
) -> Finding:
    """Compare what the model that was replaced and the promoted one answer, as they are served, to golden images with
    these labels. Only images that the former one had right count. Of listed ones none may be lost; else the exact
    binomial test has to show a loss above `margin`."""
    kept = [answer == truth for truth, former, answer in zip(truths, before, now, strict=True) if former == truth]
    right, lost = len(kept), kept.count(False)
    chance = tail(lost, right, margin) if right else 1.0
    worse = lost > 0 if settings.golden else chance < settings.error
    allowed = "none may be" if settings.golden else f"by chance so many with probability {chance:.2g}"
    sentence = f"{lost} of {right} golden images that the model before it had right are lost ({allowed})."
    return Finding("golden_set", worse, sentence, {"images": right, "lost": lost, "chance": chance})


def judge_shown(before: Shown, now: Shown, margin: float, settings: WatchSettings) -> Finding:
    """Compare how often people contradicted answers. Half of the error is spent on the upper bound of the former share
    of wrong answers, half on a sequential test against that bound and `margin` more: it may be asked after every
    answer."""
    highest = min(1.0, upper_bound(before.wrong, before.answers, settings.error / 2) + margin)
    evidence = evidence_above(now.wrong, now.answers, highest)
    worse = evidence >= 2 / settings.error
    sentence = (
        f"People contradicted {now.wrong} of {now.answers} answers since, and {before.wrong} of {before.answers}"
        f" before; up to {highest:.0%} would be no worse."
    )
    figures: dict[str, float] = {"answers": now.answers, "wrong": now.wrong, "answers_before": before.answers}
    figures |= {"wrong_before": before.wrong, "highest": highest, "evidence": min(evidence, 1e9)}
    return Finding("live_errors", worse, sentence, figures)
