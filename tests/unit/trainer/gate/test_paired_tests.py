from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]

from services.trainer.gate.decisions.paired_tests import Pairs, lower_bound, mcnemar_p

PAIRS = st.builds(
    lambda both, gained, lost: Pairs(both + gained + lost, gained, lost),
    st.integers(1, 300),
    st.integers(0, 30),
    st.integers(0, 30),
)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar_p(Pairs(100, gained, lost)) == pytest.approx(expected)


@given(st.integers(1, 1000), st.floats(0.6, 0.99))
def test_identical_answers_leave_a_doubt_that_shrinks_with_the_images(images: int, confidence: float) -> None:
    z = NormalDist().inv_cdf(confidence)
    assert lower_bound(Pairs(images, 0, 0), confidence) == pytest.approx(-(z**2) / (images + z**2), abs=1e-9)


@given(PAIRS)
def test_the_bound_lies_below_the_difference_and_falls_with_confidence(pairs: Pairs) -> None:
    careful, bold = lower_bound(pairs, 0.95), lower_bound(pairs, 0.8)
    assert -1 <= careful <= bold <= pairs.difference


@given(PAIRS)
def test_one_more_lost_answer_lowers_the_bound(pairs: Pairs) -> None:
    worse = Pairs(pairs.images, pairs.gained, pairs.lost + 1)
    assert lower_bound(worse, 0.9) < lower_bound(pairs, 0.9)


@pytest.mark.parametrize(("gained", "lost"), [(0, 3), (2, 5), (6, 4)])
def test_the_score_uses_the_likeliest_loss_under_the_hypothesis(gained: int, lost: int) -> None:
    """At the bound, the distance is z standard errors, with the probability of a loss that brute force finds likeliest
    among all that have this difference."""
    images, confidence, z = 80, 0.9, 1.2815515655
    bound = lower_bound(Pairs(images, gained, lost), confidence)
    losses = np.linspace(max(0.0, -bound) + 1e-9, (1 - bound) / 2 - 1e-9, 400_001)
    same = 1 - 2 * losses - bound
    likelihood = lost * np.log(losses) + (images - gained - lost) * np.log(same)
    if gained:
        likelihood = likelihood + gained * np.log(losses + bound)
    likeliest = float(losses[likelihood.argmax()])
    error = np.sqrt((2 * likeliest + bound - bound**2) / images)
    assert ((gained - lost) / images - bound) / error == pytest.approx(z, rel=1e-3)


def test_a_challenger_that_is_worse_by_the_margin_seldom_passes() -> None:
    generator = np.random.default_rng(0)
    draws = generator.multinomial(80, [0.02, 0.07, 0.91], size=2000)
    passed = sum(lower_bound(Pairs(80, int(gained), int(lost)), 0.9) > -0.05 for gained, lost, _ in draws)
    assert passed / 2000 < 0.12


def test_without_images_nothing_is_known() -> None:
    assert lower_bound(Pairs(0, 0, 0), 0.9) == -1.0
    assert mcnemar_p(Pairs(0, 0, 0)) == 1.0
