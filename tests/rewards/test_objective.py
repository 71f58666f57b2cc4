import pytest
import torch

from rewards.learning import bradley_terry, plackett_luce, rao_kupper
from rewards.learning.objective import Objective
from rewards.learning.rankings import Ranking
from rewards.specs import LossSpec

REWARDS = torch.tensor([1.5, 0.5, -0.2, 0.0])
SAID = [Ranking([(0, 1, 1.0), (1, 2, 0.5)]), Ranking([(3, 2, 0.8)])]
PAIRS = bradley_terry.pairs([one.pairs for one in SAID], elements=2)


def objective(tie_share=0.25, **settings):
    return Objective(LossSpec(**settings), tie_share=tie_share)


def test_without_settings_it_is_bradley_terry_to_the_bit_and_learns_nothing_itself():
    plain = objective()
    expected = bradley_terry.loss(REWARDS, PAIRS)
    assert plain.loss(REWARDS, SAID, elements=2).item() == expected.item()
    assert list(plain.parameters()) == [] and plain.numbers == {}


def test_the_tie_threshold_starts_where_equal_rewards_tie_as_often_as_people_do():
    made = objective(ties="rao_kupper", tie_share=0.4)
    assert made.numbers == {"tie_threshold": pytest.approx(rao_kupper.threshold_of(0.4))}
    assert made.chances(torch.zeros(1)).tie.exp().item() == pytest.approx(0.4)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_threshold_can_be_learned_whether_there_are_no_ties_or_ties_alone(share):
    made = objective(ties="rao_kupper", tie_share=share)
    made.loss(REWARDS, SAID, elements=1).backward()
    (number,) = made.parameters()
    assert torch.isfinite(number) and number.grad.abs() > 1e-3


def test_the_parts_of_a_batch_add_up_to_the_whole_with_ties_too():
    made = objective(ties="rao_kupper")
    parts = [made.loss(REWARDS, [one], elements=2) for one in SAID]
    torch.testing.assert_close(sum(parts), made.loss(REWARDS, SAID, elements=2))


def test_the_centring_penalty_is_added_and_moves_no_difference():
    plain, centred = (
        objective().loss(REWARDS, SAID, elements=2),
        objective(centring=0.1).loss(REWARDS, SAID, elements=2),
    )
    penalty = bradley_terry.off_centre(REWARDS, PAIRS)
    torch.testing.assert_close(centred, plain + 0.1 * penalty)
    gap = torch.tensor([1.0])
    assert torch.equal(objective(centring=0.1).chances(gap).win, objective().chances(gap).win)


def test_whole_rankings_are_one_element_each_whatever_their_length():
    long, pair = Ranking([(0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0)], [[0], [1], [2]]), Ranking([(3, 2, 1.0)], [[3], [2]])
    found = objective(loss="plackett_luce").loss(REWARDS, [long, pair], elements=2)
    expected = plackett_luce.surprise(REWARDS, long.tiers) + plackett_luce.surprise(REWARDS, pair.tiers)
    torch.testing.assert_close(found, expected / 2)


def test_a_margin_is_its_scale_times_the_strength_and_is_for_learning_alone():
    made, graded = objective(margin=3.0), [Ranking([(0, 1, 1.0)], strength=1 / 3), Ranking([(1, 2, 1.0)])]
    assert made.pairs(graded, 2).margin.tolist() == [1.0, 0.0]
    plain = objective().loss(REWARDS - torch.tensor([1.0, 0, 0, 0]), graded[:1], elements=1)
    torch.testing.assert_close(made.loss(REWARDS, graded[:1], elements=1), plain)
    assert torch.equal(made.chances(torch.tensor([1.0])).win, objective().chances(torch.tensor([1.0])).win)


@pytest.mark.parametrize("loss", ["bradley_terry", "plackett_luce"])
def test_a_ranking_of_twice_the_weight_is_two_rankings(loss):
    made, one = objective(loss=loss), Ranking([(0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0)], [[0], [1], [2]])
    twice = made.loss(REWARDS, [one._replace(weight=2.0)], elements=2)
    torch.testing.assert_close(twice, made.loss(REWARDS, [one, one], elements=2))
