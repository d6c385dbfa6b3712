"""Was a promotion a mistake?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from services.trainer.dataset.manifest import Sample
from services.trainer.dataset.records import LabelledImage
from services.trainer.gate.decisions.sequential import evidence_above, tail, upper_bound
from services.trainer.gate.decisions.watching import (
    Shown,
    WatchSettings,
    choose_golden,
    judge_golden,
    judge_shown,
    not_probed,
    still_watched,
)
from shared.contract.events import ModelPromoted
from shared.contract.split import Side
from shared.testing import model_promoted

NOW = datetime(2026, 5, 4, tzinfo=UTC)
CALM = WatchSettings()


def image(number: int, side: Side = "test") -> LabelledImage:
    sample = Sample(UUID(int=number), f"{number:064x}", "grass", 0, side)
    return LabelledImage(sample, f"images/{number}", f"group {number}")


def promotion(sequence: int, lane: str = "fast", **changes: object) -> ModelPromoted:
    values = {"version": f"{lane}-{sequence}", "replaces": f"v{sequence - 1}", "occurred_at": NOW, **changes}
    return model_promoted(sequence=sequence, lane=lane, **values)


def test_the_golden_images_are_the_same_test_images_each_time() -> None:
    images = [image(number, "test" if number % 2 else "train") for number in range(400)]
    chosen = choose_golden(images, CALM)
    assert len(chosen) == CALM.golden_images
    assert {one.sample.side for one in chosen} == {"test"}
    assert choose_golden(images[::-1], CALM) == chosen


def test_a_list_of_golden_images_may_name_any_image() -> None:
    images = [image(number, "train") for number in range(9)]
    listed = WatchSettings(golden=(str(UUID(int=3)), f"{5:064x}", "unknown"))
    assert choose_golden(images, listed) == [images[3], images[5]]


def test_some_golden_images_may_be_lost_and_many_may_not() -> None:
    truths, before = ["grass"] * 50, ["grass"] * 45 + ["dandelion"] * 5
    for lost, worse in ((0, False), (6, False), (9, True), (45, True)):
        now = ["dandelion"] * lost + ["grass"] * (50 - lost)
        finding = judge_golden(truths, before, now, 0.05, CALM)
        assert finding.worse == worse, finding
        assert finding.figures["images"] == 45


def test_of_listed_golden_images_none_may_be_lost() -> None:
    listed = WatchSettings(golden=("a",))
    assert judge_golden(["grass"] * 2, ["grass", "dandelion"], ["dandelion", "grass"], 0.05, listed).worse
    assert not judge_golden(["grass"] * 2, ["grass", "dandelion"], ["grass", "dandelion"], 0.05, listed).worse


def test_people_who_contradict_far_more_answers_show_a_mistake() -> None:
    assert judge_shown(Shown(60, 55), Shown(30, 6), 0.05, CALM).worse
    assert not judge_shown(Shown(60, 55), Shown(30, 26), 0.05, CALM).worse


def test_a_few_contradictions_show_nothing() -> None:
    assert not judge_shown(Shown(60, 60), Shown(3, 0), 0.05, CALM).worse
    assert not judge_shown(Shown(0, 0), Shown(40, 0), 0.05, CALM).worse


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_model_that_is_no_worse_is_hardly_ever_found_worse(share: float) -> None:
    """Looked at after each of 200 answers, the sequential test stays below its error."""
    generator, alarms = np.random.default_rng(5), 0
    for _ in range(300):
        wrong = np.cumsum(generator.random(200) < share)
        alarms += any(evidence_above(int(count), at, share) >= 100 for at, count in enumerate(wrong, 1))
    assert alarms <= 6


def test_the_bound_and_the_tail_are_those_of_the_binomial_distribution() -> None:
    assert upper_bound(0, 10, 0.05) == pytest.approx(0.2589, abs=1e-4)
    assert upper_bound(5, 50, 0.005) == pytest.approx(0.2580, abs=1e-4)
    assert upper_bound(3, 3, 0.05) == 1.0
    assert upper_bound(0, 0, 0.05) == 1.0
    assert tail(2, 3, 0.5) == pytest.approx(0.5)
    assert tail(0, 3, 0.5) == pytest.approx(1.0)


def test_only_young_promotions_of_another_model_are_watched() -> None:
    old = promotion(2, occurred_at=NOW - timedelta(hours=25))
    same = promotion(3, version="v2")
    young = promotion(4)
    assert still_watched([old, same, young], NOW, CALM) == [young]
    assert still_watched([young], NOW, WatchSettings(hours=0)) == []


def test_after_a_start_everything_since_the_newest_full_model_is_probed() -> None:
    chain = [promotion(2), promotion(3, "full"), promotion(4), promotion(5)]
    assert not_probed(chain, None) == chain[1:]
    assert not_probed(chain[2:], None) == chain[3:]
    assert not_probed([], None) == []


def test_what_was_probed_is_not_probed_again() -> None:
    chain = [promotion(2), promotion(3, "full"), promotion(4)]
    assert not_probed(chain, 3) == chain[2:]
    assert not_probed(chain, 4) == []
