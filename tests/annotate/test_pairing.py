from collections import Counter

from annotate.pairing import shown_order, shown_together


def test_a_labeler_sees_the_same_order_on_every_visit():
    assert shown_order([1, 2, 3, 4], task=5, labeler=6) == shown_order([4, 3, 2, 1], task=5, labeler=6)


def test_no_answer_is_lost_in_the_order():
    assert sorted(shown_order(range(9), task=1, labeler=1)) == list(range(9))


def test_each_place_is_equally_likely_for_each_answer():
    # 3000 tasks, 3 places: 1000 expected each, standard deviation 26; 5 of them allowed
    first = Counter(shown_order([10, 20, 30], task=task, labeler=1)[0] for task in range(3000))
    assert all(abs(count - 1000) < 130 for count in first.values())


def test_labelers_see_orders_of_their_own():
    orders = {tuple(shown_order([1, 2, 3, 4], task=1, labeler=labeler)) for labeler in range(50)}
    assert len(orders) > 15


def test_equal_texts_are_shown_once():
    assert shown_together([[(1, "yes"), (2, "no"), (3, "yes")]]) == [1, 2]


def test_batches_take_turns_so_that_each_has_its_share():
    own = [(n, f"own {n}") for n in range(8)]
    winners = [(100 + n, f"winner {n}") for n in range(2)]
    assert shown_together([own, winners], most=5) == [0, 100, 1, 101, 2]


def test_no_more_than_nine_are_shown():
    assert len(shown_together([[(n, str(n)) for n in range(20)]])) == 9
