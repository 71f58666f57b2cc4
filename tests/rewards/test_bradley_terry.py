from math import exp, log

import pytest
import torch

from rewards.learning import bradley_terry


def test_the_loss_of_one_pair_is_worked_by_hand():
    pairs = bradley_terry.pairs([[(0, 1, 1)]], elements=1)
    loss = bradley_terry.loss(torch.tensor([1.5, 0.5]), pairs)
    assert loss.item() == pytest.approx(log(1 + exp(-1)))  # -log sigmoid(1) = 0.3133


def test_all_pairs_of_a_ranking_are_one_element():
    """Three answers 2, 1, 0 make three pairs with gaps 1, 2, 1: their mean, not their sum (Ouyang et al., eq. 1)."""
    pairs = bradley_terry.pairs([[(0, 1, 1), (0, 2, 1), (1, 2, 1)]], elements=1)
    loss = bradley_terry.loss(torch.tensor([2.0, 1.0, 0.0]), pairs)
    assert loss.item() == pytest.approx((2 * log(1 + exp(-1)) + log(1 + exp(-2))) / 3)


def test_a_long_ranking_counts_as_much_as_a_pair():
    rewards = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0])
    pairs = bradley_terry.pairs([[(0, 1, 1), (0, 2, 1), (1, 2, 1)], [(3, 4, 1)]], elements=2)
    assert bradley_terry.loss(rewards, pairs).item() == pytest.approx((log(2) + log(1 + exp(-1))) / 2)


def test_parts_of_a_batch_add_up_to_the_whole():
    rewards = torch.tensor([0.3, -0.2, 0.9, 0.1])
    first, second = [(0, 1, 1)], [(2, 3, 1), (2, 0, 1)]
    whole = bradley_terry.loss(rewards, bradley_terry.pairs([first, second], elements=2))
    parts = [bradley_terry.loss(rewards, bradley_terry.pairs([one], elements=2)) for one in (first, second)]
    torch.testing.assert_close(sum(parts), whole)


def test_a_hopeless_gap_gives_a_finite_loss_and_gradient():
    rewards = torch.tensor([-500.0, 500.0], requires_grad=True)
    loss = bradley_terry.loss(rewards, bradley_terry.pairs([[(0, 1, 1)]], elements=1))
    loss.backward()
    assert loss.item() == pytest.approx(1000)
    assert rewards.grad.tolist() == [-1.0, 1.0]


def test_the_gradient_is_that_of_finite_differences():
    pairs = bradley_terry.pairs([[(0, 1, 1), (0, 2, 1)], [(2, 1, 1)]], elements=2)
    pairs = pairs._replace(weight=pairs.weight.double())
    rewards = torch.tensor([0.2, -0.4, 0.1], dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: bradley_terry.loss(r, pairs), rewards)


def test_a_common_shift_of_all_rewards_changes_nothing():
    pairs = bradley_terry.pairs([[(0, 1, 1), (2, 1, 1)]], elements=1)
    rewards = torch.tensor([0.2, -0.4, 0.1])
    torch.testing.assert_close(bradley_terry.loss(rewards + 7, pairs), bradley_terry.loss(rewards, pairs))


def test_a_soft_label_is_worked_by_hand():
    """p = 3/4 at a gap of 1: 3/4 log(1 + e^-1) + 1/4 log(1 + e)."""
    pairs = bradley_terry.pairs([[(0, 1, 0.75)]], elements=1)
    loss = bradley_terry.loss(torch.tensor([1.5, 0.5]), pairs)
    assert loss.item() == pytest.approx(0.75 * log(1 + exp(-1)) + 0.25 * log(1 + exp(1)))


def test_a_soft_label_is_learned_exactly_where_the_model_agrees_with_people():
    rewards = torch.tensor([log(3.0), 0.0, 0.0], requires_grad=True)  # sigmoid(log 3) = 3/4
    bradley_terry.loss(rewards, bradley_terry.pairs([[(0, 1, 0.75), (1, 2, 0.5)]], elements=1)).backward()
    assert rewards.grad.abs().max() < 1e-7


def test_a_certain_pair_gives_the_very_bits_that_it_gave_without_soft_labels():
    rewards = torch.randn(64, generator=torch.Generator().manual_seed(0))
    certain = bradley_terry.pairs([[(i, i + 1, 1) for i in range(0, 64, 2)]], elements=1)
    hard = -(certain.weight * torch.nn.functional.logsigmoid(bradley_terry.differences(rewards, certain))).sum()
    assert bradley_terry.loss(rewards, certain).item() == hard.item()


def test_ties_are_not_decided():
    pairs = bradley_terry.pairs([[(0, 1, 0.5), (1, 2, 0.9)]], elements=1)
    assert pairs.decided.winner.tolist() == [1] and pairs.decided.p.tolist() == [0.9]


def test_the_centring_penalty_is_worked_by_hand():
    """Two pairs of one ranking: ((1.5 + 0.5)^2 + (1.5 - 0.5)^2) / 2."""
    pairs = bradley_terry.pairs([[(0, 1, 1), (0, 2, 1)]], elements=1)
    assert bradley_terry.off_centre(torch.tensor([1.5, 0.5, -0.5]), pairs).item() == pytest.approx(2.5)


def test_rewards_around_zero_are_not_penalised_whatever_their_differences():
    pairs = bradley_terry.pairs([[(0, 1, 1)]], elements=1)
    rewards = torch.tensor([3.0, -3.0], requires_grad=True)
    bradley_terry.off_centre(rewards, pairs).backward()
    assert rewards.grad.tolist() == [0, 0]


def test_a_margin_is_worked_by_hand():
    """Llama 2's loss: -log sigmoid(1 - 2/3) = log(1 + e^(-1/3))."""
    pairs = bradley_terry.pairs([[(0, 1, 1)]], elements=1, margins=[2 / 3])
    loss = bradley_terry.loss(torch.tensor([1.5, 0.5]), pairs)
    assert loss.item() == pytest.approx(log(1 + exp(-1 / 3)))


def test_a_margin_is_asked_only_of_pairs_that_all_agree_on():
    pairs = bradley_terry.pairs(
        [[(0, 1, 1.0), (1, 2, 0.5), (0, 2, 0.8)], [(0, 1, 1.0)]], elements=1, margins=[1.0, 0.0]
    )
    assert pairs.margin.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_soft_label_is_what_several_labelers_say_one_by_one():
    rewards = torch.tensor([1.5, 0.5])
    soft = bradley_terry.loss(rewards, bradley_terry.pairs([[(0, 1, 0.75)]], elements=1))
    each = [[(0, 1, 1.0)]] * 3 + [[(1, 0, 1.0)]]
    torch.testing.assert_close(soft, bradley_terry.loss(rewards, bradley_terry.pairs(each, elements=4)))
