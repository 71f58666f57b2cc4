"""Several rankings, made one: worked by hand, and against an oracle."""

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate import ranking
from annotate.snapshots.consensus import PENALTY, agree, as_ranked, strengths

CYCLE = [(1, 2, 3), (3, 1, 2), (2, 3, 1)]  # A B C, B C A, C A B


def test_a_single_ranking_without_ties_needs_no_pairs():
    assert [as_ranked((2, 1, 3), ties) for ties in ("keep", "half", "drop")] == [None, None, None]


def test_ties_are_kept_in_the_ranks_counted_half_or_dropped():
    assert as_ranked((1, 2, 2), "keep") is None
    assert as_ranked((1, 2, 2), "half") == ((0, 1, 1.0), (0, 2, 1.0), (1, 2, 0.5))
    assert as_ranked((1, 2, 2), "drop") == ((0, 1, 1.0), (0, 2, 1.0))
    assert as_ranked((1, 1), "drop") == ()


def test_two_of_three_are_a_majority():
    agreed = agree([(1, 2, 3), (1, 2, 3), (2, 1, 3)], several="majority", ties="keep")
    assert agreed.ranks == (1, 2, 3) and agreed.pairs is None
    assert agreed.agreement == pytest.approx((2 / 3 + 1 + 1) / 3)


def test_a_cyclic_majority_keeps_its_pairs_and_ties_in_the_ranks():
    agreed = agree(CYCLE, several="majority", ties="keep")
    assert agreed.ranks == (1, 1, 1)
    assert agreed.pairs == ((0, 1, 1.0), (0, 2, 0.0), (1, 2, 1.0))
    assert agreed.agreement == pytest.approx(2 / 3)


def test_the_votes_are_told_beside_what_was_made_of_them():
    said = [(1, 2, 3), (1, 2, 2), (3, 1, 2)]
    for several in ("majority", "bradley_terry", "soft"):
        assert agree(said, several=several, ties="drop").votes == ((0, 1, 2, 1), (0, 2, 2, 1), (1, 2, 2, 0))


def test_a_divided_vote_is_told_apart_from_a_tie_that_all_see():
    assert agree([(1, 2), (2, 1)], several="majority", ties="keep").pairs == ((0, 1, 0.5),)
    assert agree([(1, 1), (1, 1)], several="majority", ties="keep").pairs is None
    assert agree([(1, 2), (2, 1)], several="majority", ties="drop").pairs == ()


def test_most_people_may_say_that_two_tie():
    kept = agree([(1, 1), (1, 1), (1, 2)], several="majority", ties="keep")
    assert (kept.ranks, kept.pairs) == ((1, 1), None)
    assert agree([(1, 1), (1, 1), (1, 2)], several="majority", ties="half").ranks == (1, 2)


def test_soft_labels_are_the_share_of_people():
    agreed = agree([(1, 2), (1, 2), (2, 1), (1, 1)], several="soft", ties="keep")
    assert agreed.ranks == (1, 2) and agreed.pairs == ((0, 1, 0.625),)  # (2 + 1/2) of 4
    assert agree([(1, 2), (1, 2), (2, 1), (1, 1)], several="soft", ties="drop").pairs == ((0, 1, 2 / 3),)


def test_soft_ranks_are_by_the_mean_rank():
    assert agree([(1, 2, 3), (1, 3, 2), (2, 3, 1)], several="soft", ties="keep").ranks == (1, 3, 2)


def test_a_clean_sweep_has_finite_strengths():
    found = strengths(np.array([[0.0, 5.0], [0.0, 0.0]]))
    assert np.isfinite(found).all() and found[0] > found[1] + 2


@pytest.mark.parametrize("ties", ["keep", "half", "drop"])
def test_an_exact_cycle_is_a_tie_by_strength(ties):
    assert agree(CYCLE, several="bradley_terry", ties=ties).ranks == (1, 1, 1)


def test_dropped_ties_leave_a_fit_to_do():
    """A and B tie for two people; one puts B first. All put C last but one, who ties it with A."""
    said = [(1, 1, 3), (1, 1, 3), (2, 1, 2)]
    assert agree(said, several="bradley_terry", ties="drop").ranks == (2, 1, 3)


def rankings_of(k):
    levels = st.lists(st.integers(1, k), min_size=k, max_size=k)
    return levels.map(lambda said: tuple(ranking.from_any_ranks(dict(enumerate(said))).values()))


panels = st.integers(2, 6).flatmap(lambda k: st.lists(rankings_of(k), min_size=1, max_size=7))


@given(panels)
@settings(max_examples=60, deadline=None)
def test_strengths_are_those_of_the_oracle(said):
    k = len(said[0])
    data = [(i, j) for ranks in said for i in range(k) for j in range(k) if ranks[i] < ranks[j]]
    wins = np.zeros((k, k))
    for i, j in data:
        wins[i, j] += 1
    expected = choix.opt_pairwise(k, data, alpha=PENALTY, tol=1e-12)
    assert strengths(wins) == pytest.approx(expected - expected.mean(), abs=1e-4)


@given(panels)
@settings(max_examples=100, deadline=None)
def test_where_all_pairs_are_compared_equally_often_strengths_stand_in_the_order_of_the_scores(said):
    """Why nothing is fitted there: with a tie as half a win each, the fit gives the same ranks."""
    k = len(said[0])
    wins = np.array(
        [[sum((r[i] < r[j]) + (r[i] == r[j]) / 2 for r in said) * (i != j) for j in range(k)] for i in range(k)]
    )
    fitted, ranks = strengths(wins), agree(said, several="bradley_terry", ties="keep").ranks
    for i in range(k):
        for j in range(k):
            if ranks[i] < ranks[j]:
                assert fitted[i] > fitted[j]
            elif ranks[i] == ranks[j]:
                assert fitted[i] == pytest.approx(fitted[j], abs=1e-6)


@given(panels, st.sampled_from(["majority", "bradley_terry", "soft"]), st.sampled_from(["keep", "half", "drop"]))
@settings(max_examples=150, deadline=None)
def test_whatever_is_agreed_is_a_ranking_and_its_pairs_are_chances(said, several, ties):
    agreed = agree(said, several=several, ties=ties)
    ranking.check(dict(enumerate(agreed.ranks)))
    assert 0 < agreed.agreement <= 1
    assert all(i < j and 0 <= p <= 1 for i, j, p in agreed.pairs or ())
    assert agree(said[::-1], several=several, ties=ties) == agreed
