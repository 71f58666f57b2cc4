import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from rewards import lengths

LENGTHS = st.lists(st.integers(-50, 50), min_size=1, max_size=40)


def test_the_auc_is_a_half_where_length_says_nothing_and_one_where_it_says_all():
    assert lengths.auc([0, 0]) == lengths.auc([3, -3]) == 0.5
    assert lengths.auc([1, 5]) == 1.0
    assert lengths.auc([5, -1]) == pytest.approx(3 / 4)  # of the four sums 10, 4, 4 and -2 three are above 0


def test_length_explains_nothing_where_as_many_longer_answers_lose_as_win():
    assert lengths.explained([4, -4]) == pytest.approx(0.0)
    assert lengths.explained([0, 0]) == 0.0
    assert lengths.explained([1, 9]) == pytest.approx(1.0, abs=1e-6)


def test_what_three_of_four_longer_answers_explain_is_what_the_entropy_of_three_quarters_leaves():
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert lengths.explained([5, 5, 5, -5]) == pytest.approx(1 - entropy / np.log(2))


@given(LENGTHS)
def test_the_auc_is_what_scikit_learn_says_of_each_pair_seen_from_both_sides(gaps):
    both = np.array(gaps + [-gap for gap in gaps])
    assert lengths.auc(gaps) == pytest.approx(roc_auc_score(np.repeat([1, 0], len(gaps)), both))


@given(LENGTHS.filter(lambda gaps: min(gaps) < 0 < max(gaps)))
@settings(deadline=None, max_examples=40)
def test_what_length_explains_is_what_a_logistic_regression_explains(gaps):
    both = np.array(gaps + [-gap for gap in gaps], dtype=float)[:, None] / max(map(abs, gaps))
    labels = np.repeat([1, 0], len(gaps))
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(both, labels)
    oracle = 1 - log_loss(labels, fitted.predict_proba(both)) / np.log(2)
    assert lengths.explained(gaps) == pytest.approx(oracle, abs=1e-4)
