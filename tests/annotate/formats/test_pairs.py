import pytest

from annotate.formats import pairs
from tests.annotate.formats.texts import row


def said(*rows):
    return {(chosen, rejected): rest for _, chosen, rejected, *rest in pairs.verdicts(rows)}


def test_two_answers_are_one_pair():
    assert said(row(["a", "b"], [2, 1])) == {("b", "a"): [1.0, 1, 1.0]}


def test_the_short_way_for_one_pair_says_what_the_long_way_says():
    for ranks in ([1, 2], [2, 1], [1, 1]):
        assert said(row(["a", "b"], ranks)) == said(row(["a", "b"], ranks, n_rankings=1))


def test_pairs_that_the_row_names_are_those_that_count():
    # Shares 1, 3/4 and 1/2 for the first: margins 1, 1/2, and no winner.
    found = said(row(["a", "b", "c"], [1, 2, 3], pairs=[[0, 1, 1.0], [1, 2, 0.75], [0, 2, 0.5]]))
    assert found == {("a", "b"): [1.0, 1, 1.0], ("b", "c"): [0.5, 1, 0.75]}


def test_a_pair_named_against_the_ranks_is_believed():
    assert said(row(["a", "b"], [1, 2], pairs=[[0, 1, 0.0]])) == {("b", "a"): [1.0, 1, 1.0]}


def test_no_named_pairs_are_no_pairs():
    assert said(row(["a", "b"], [1, 2], pairs=[])) == {}


def test_ties_that_count_half_weigh_and_ties_that_were_dropped_do_not():
    win = row(["a", "b"], [1, 2])
    kept, half, dropped = (row(["a", "b"], [1, 1], **keys) for keys in ({}, {"pairs": [[0, 1, 0.5]]}, {"pairs": []}))
    assert said(win, kept) == {("a", "b"): [0.5, 2, 0.5]}
    assert said(win, half) == {("a", "b"): [0.5, 2, 0.75]}
    assert said(win, dropped) == {("a", "b"): [1.0, 1, 1.0]}


def test_a_consensus_counts_as_many_people_as_made_it():
    # 4 of 5 for a: 4/5 - 1/5 = 0.6
    ((margin, n_rankings, agreement),) = said(row(["a", "b"], [1, 2], n_rankings=5, pairs=[[0, 1, 0.8]])).values()
    assert (margin, n_rankings, agreement) == (pytest.approx(0.6), 5, pytest.approx(0.8))


def test_a_consensus_without_named_pairs_says_its_own_agreement():
    found = said(row(["a", "b"], [1, 2], n_rankings=3, agreement=2 / 3))
    assert found == {("a", "b"): [1.0, 3, 2 / 3]}


def test_of_a_majority_the_votes_say_how_many_agreed_with_each_verdict():
    # Three of five prefer a to b, one b to a; two of five prefer a to c, the others tie the two.
    votes = [[0, 1, 3, 1], [0, 2, 2, 0]]
    found = said(row(["a", "b", "c"], [1, 1, 1], n_rankings=5, votes=votes, pairs=[[0, 1, 1.0], [0, 2, 1.0]]))
    assert found == {("a", "b"): [1.0, 5, 3 / 5], ("a", "c"): [1.0, 5, 2 / 5]}
    other_way = said(row(["b", "a"], [2, 1], n_rankings=5, votes=[[0, 1, 1, 3]]))
    assert other_way == {("a", "b"): [1.0, 5, 3 / 5]}


def test_votes_on_several_tasks_of_a_prompt_add_up():
    # 2 of 3 and 1 of 1 for a; of the first three all count for the majority's verdict.
    one, other = (row(["a", "b"], [1, 2], n_rankings=n, votes=[[0, 1, *votes]]) for n, *votes in ((3, 2, 1), (1, 1, 0)))
    assert said(one, other) == {("a", "b"): [1.0, 4, 3 / 4]}


def test_a_ranking_of_equal_answers_counts_once():
    found = said(row(["a", "a", "b", "b"], [1, 1, 3, 3]), row(["a", "b"], [2, 1]), row(["a", "b"], [1, 2]))
    assert found == {("a", "b"): [pytest.approx(1 / 3), 3, pytest.approx(2 / 3)]}
    assert said(row(["a", "b", "a"], [1, 2, 3])) == {}, "it says both"


@pytest.mark.parametrize("people", [3, 7])
def test_shares_that_balance_but_for_rounding_have_no_winner(people):
    one, other = (row(["a", "b"], [1, 2], pairs=[[*pair, 1 / 5]], n_rankings=people) for pair in ((0, 1), (1, 0)))
    assert said(one, other) == {}
