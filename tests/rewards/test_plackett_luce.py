from itertools import permutations
from math import e, exp, factorial, log

import pytest
import torch

from rewards.learning import bradley_terry, plackett_luce

REWARDS = torch.tensor([0.3, -1.2, 0.9, 0.0, 1.7, -0.4], dtype=torch.double)


def chance(tiers, rewards=REWARDS):
    choices = sum(map(len, tiers[:-1]))
    return torch.exp(-choices * plackett_luce.surprise(rewards, tiers)).item()


def test_three_answers_are_worked_by_hand():
    """Rewards 2, 1, 0: e^2 / (e^2 + e + 1) = 0.6652, then e / (e + 1) = 0.7311; two choices."""
    loss = plackett_luce.surprise(torch.tensor([2.0, 1.0, 0.0]), [[0], [1], [2]])
    assert loss.item() == pytest.approx(-(log(e**2 / (e**2 + e + 1)) + log(e / (e + 1))) / 2)


def test_of_two_answers_it_is_bradley_terry():
    loss = plackett_luce.surprise(REWARDS, [[0], [1]])
    torch.testing.assert_close(loss, bradley_terry.loss(REWARDS, bradley_terry.pairs([[(0, 1, 1)]], elements=1)))


def test_the_chances_of_all_orders_add_up_to_one():
    assert sum(chance([[k] for k in order]) for order in permutations(range(4))) == pytest.approx(1)


@pytest.mark.parametrize(
    "tiers", [[[0, 1], [2]], [[2], [0, 1, 3], [4, 5]], [[0, 1, 2, 3], [4]], [[5], [0, 1], [2, 3], [4]]]
)
def test_a_tie_has_the_chance_of_all_its_orders_together(tiers):
    def orders(left):
        if not left:
            yield []
            return
        for first in permutations(left[0]):
            for rest in orders(left[1:]):
                yield [[k] for k in first] + rest

    assert chance(tiers) == pytest.approx(sum(chance(order) for order in orders(tiers)))


def test_who_ties_at_the_end_was_only_not_chosen():
    """The best of four alone, which is the loss of Ziegler et al. 2019: a softmax."""
    loss = plackett_luce.surprise(REWARDS[:4], [[2], [0, 1, 3]])
    torch.testing.assert_close(loss, -REWARDS[:4].log_softmax(0)[2])


def test_equal_rewards_make_every_order_as_likely():
    assert chance([[k] for k in range(5)], torch.zeros(6)) == pytest.approx(1 / factorial(5))


def test_the_order_in_a_tier_does_not_matter():
    one, other = (plackett_luce.surprise(REWARDS, [tier, [4, 5]]) for tier in ([0, 1, 2], [2, 0, 1]))
    torch.testing.assert_close(one, other)


def test_sixteen_answers_of_which_all_but_one_tie_are_no_harm():
    rewards = torch.linspace(-2, 2, 16, requires_grad=True)
    plackett_luce.surprise(rewards, [list(range(15)), [15]]).backward()
    assert torch.isfinite(rewards.grad).all()


def test_hopeless_gaps_give_a_finite_loss_and_gradient():
    rewards = torch.tensor([-500.0, 0.0, 500.0], requires_grad=True)
    loss = plackett_luce.surprise(rewards, [[0], [1], [2]])
    loss.backward()
    assert loss.item() == pytest.approx((1000 + 500) / 2)
    assert torch.isfinite(rewards.grad).all()


@pytest.mark.parametrize("tiers", [[[0], [1], [2], [3]], [[3, 1, 2], [0]]])
def test_the_gradient_is_that_of_finite_differences(tiers):
    rewards = REWARDS[:4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda r: plackett_luce.surprise(r, tiers), rewards)


def test_a_tie_says_nothing_of_its_own_members_where_they_alone_are_left():
    rewards = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
    plackett_luce.surprise(rewards, [[0], [1, 2]]).backward()
    share = exp(1) / (1 + exp(1) + exp(2))
    assert rewards.grad[1].item() == pytest.approx(share)  # pushed down as far as it stood in the way of the first
