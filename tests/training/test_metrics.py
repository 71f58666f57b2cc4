from itertools import combinations
from math import log
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import metrics


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=9), st.data())
def test_the_best_of_n_is_the_mean_over_all_subsets_of_n(scores: list[float], data: st.DataObject):
    n = data.draw(st.integers(1, len(scores)))
    assert metrics.best_of(scores, n) == pytest.approx(fmean(map(max, combinations(scores, n))), abs=1e-9)


def test_the_best_of_two_of_three_by_hand():
    assert metrics.best_of([3.0, 1.0, 2.0], 2) == pytest.approx((2 + 3 + 3) / 3)


def test_a_pool_of_thousands_is_no_trouble():
    assert metrics.best_of(range(5000), 1) == pytest.approx(2499.5)
    assert metrics.best_of(range(5000), 2500) == pytest.approx(
        5001 * 2500 / 2501 - 1
    )  # of an even spread: (M+1)n/(n+1)


def test_more_cannot_be_told_than_was_drawn():
    with pytest.raises(ValueError, match="best of 3 cannot be told from 2"):
        metrics.best_of([1.0, 2.0], 3)


def test_the_curve_is_the_mean_over_prompts_and_never_falls():
    curve = metrics.best_of_curve([[1.0, 3.0], [5.0, 5.0]], 2)
    assert curve == pytest.approx([3.5, 4.0])


@pytest.mark.parametrize(("n", "nats"), [(1, 0.0), (2, 0.193), (4, 0.636), (16, 1.835), (64, 3.175)])
def test_the_bound_on_how_far_best_of_n_moves(n: int, nats: float):
    assert metrics.best_of_n_kl(n) == pytest.approx(nats, abs=6e-4)


def test_the_exact_divergence_of_best_of_two_of_a_fair_coin_stays_below_the_bound():
    best = [0.25, 0.75]  # the worse side wins only where both draws show it
    assert sum(p * log(p / 0.5) for p in best) < metrics.best_of_n_kl(2)
