from math import exp, log

import pytest
import torch

from rewards.learning import bradley_terry


def test_the_loss_of_one_pair_is_worked_by_hand():
    pairs = bradley_terry.pairs([[(0, 1)]], elements=1)
    loss = bradley_terry.loss(torch.tensor([1.5, 0.5]), pairs)
    assert loss.item() == pytest.approx(log(1 + exp(-1)))  # -log sigmoid(1) = 0.3133


def test_all_pairs_of_a_ranking_are_one_element():
    """Three answers 2, 1, 0 make three pairs with gaps 1, 2, 1: their mean, not their sum (Ouyang et al., eq. 1)."""
    pairs = bradley_terry.pairs([[(0, 1), (0, 2), (1, 2)]], elements=1)
    loss = bradley_terry.loss(torch.tensor([2.0, 1.0, 0.0]), pairs)
    assert loss.item() == pytest.approx((2 * log(1 + exp(-1)) + log(1 + exp(-2))) / 3)


def test_a_long_ranking_counts_as_much_as_a_pair():
    rewards = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0])
    pairs = bradley_terry.pairs([[(0, 1), (0, 2), (1, 2)], [(3, 4)]], elements=2)
    assert bradley_terry.loss(rewards, pairs).item() == pytest.approx((log(2) + log(1 + exp(-1))) / 2)


def test_parts_of_a_batch_add_up_to_the_whole():
    rewards = torch.tensor([0.3, -0.2, 0.9, 0.1])
    first, second = [(0, 1)], [(2, 3), (2, 0)]
    whole = bradley_terry.loss(rewards, bradley_terry.pairs([first, second], elements=2))
    parts = [bradley_terry.loss(rewards, bradley_terry.pairs([one], elements=2)) for one in (first, second)]
    torch.testing.assert_close(sum(parts), whole)


def test_a_hopeless_gap_gives_a_finite_loss_and_gradient():
    rewards = torch.tensor([-500.0, 500.0], requires_grad=True)
    loss = bradley_terry.loss(rewards, bradley_terry.pairs([[(0, 1)]], elements=1))
    loss.backward()
    assert loss.item() == pytest.approx(1000)
    assert rewards.grad.tolist() == [-1.0, 1.0]


def test_the_gradient_is_that_of_finite_differences():
    pairs = bradley_terry.pairs([[(0, 1), (0, 2)], [(2, 1)]], elements=2)
    pairs = pairs._replace(weight=pairs.weight.double())
    rewards = torch.tensor([0.2, -0.4, 0.1], dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: bradley_terry.loss(r, pairs), rewards)


def test_a_common_shift_of_all_rewards_changes_nothing():
    pairs = bradley_terry.pairs([[(0, 1), (2, 1)]], elements=1)
    rewards = torch.tensor([0.2, -0.4, 0.1])
    torch.testing.assert_close(bradley_terry.loss(rewards + 7, pairs), bradley_terry.loss(rewards, pairs))
