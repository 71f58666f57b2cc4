import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import bootstrap

from rewards import metrics, paired
from tests.rewards.verdicts import PAIRS, columns, comparison


def test_only_what_both_were_tested_on_is_compared():
    one = [comparison(1.0), comparison(1.0, answers=("a", "c")), comparison(1.0, labelers=("ben",))]
    other = [comparison(-1.0), comparison(2.0, answers=("c", "a")), comparison(3.0, labelers=("ben",))]
    both = paired.common(one, other)
    assert [(mine.difference, theirs.difference) for mine, theirs in both] == [(1.0, -1.0), (1.0, 3.0)]
    assert paired.compare(paired.common(one[:1], other[1:])) is None


def test_who_said_the_same_twice_is_met_twice_where_both_files_have_it_twice():
    assert len(paired.common([comparison()] * 3, [comparison()] * 2)) == 2


def test_the_difference_is_the_other_less_the_one():
    one = [comparison(1.0, answers=("a", str(n)), root=str(n)) for n in range(4)]
    other = [comparison(1.0 if n else -1.0, answers=("a", str(n)), root=str(n)) for n in range(4)]
    found = paired.compare(paired.common(one, other))
    assert (found.accuracy.one, found.accuracy.other, found.accuracy.difference) == (1.0, 0.75, -0.25)
    assert found.right == {"both": 3, "one": 1, "other": 0, "neither": 0}
    assert found.log_loss.difference == pytest.approx((metrics.log_loss([-1.0]) - metrics.log_loss([1.0])) / 4)


def test_what_is_hard_for_both_widens_no_interval():
    gaps = [1.0 if n % 2 else -1.0 for n in range(100)]
    one = [comparison(gap, answers=("a", str(n)), root=str(n)) for n, gap in enumerate(gaps)]
    found = paired.compare(paired.common(one, one))
    assert (found.accuracy.low, found.accuracy.high) == (0.0, 0.0)


@given(PAIRS.filter(lambda pairs: len({root for _, _, root in pairs}) > 1))
@settings(deadline=None, max_examples=20)
def test_the_interval_of_one_pair_a_conversation_is_that_of_scipy(pairs):
    gaps, _, _ = columns(pairs)
    differences = metrics.hits(gaps) - metrics.hits(-gaps)
    if len(set(differences)) < 2:
        return
    low, high = metrics.clustered_interval(differences, [str(n) for n in range(len(gaps))], draws=4000)
    oracle = bootstrap((differences,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    step = 2 / len(gaps)  # the mean of a draw moves by this much at least
    assert low == pytest.approx(oracle.low, abs=2 * step + 0.02)
    assert high == pytest.approx(oracle.high, abs=2 * step + 0.02)
