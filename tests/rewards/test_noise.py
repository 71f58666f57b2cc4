from math import exp, log

import pytest
import torch

from rewards.learning import bradley_terry, noise, rao_kupper
from rewards.learning.objective import Objective
from rewards.learning.rankings import Ranking
from rewards.specs import LossSpec

SAID = [Ranking([(0, 1, 1.0)])]


def test_smoothing_is_worked_by_hand():
    """eps = 1/10 at a gap of 1: 9/10 log(1 + e^-1) + 1/10 log(1 + e)."""
    smooth = Objective(LossSpec(smoothing=0.1), tie_share=0.0)
    loss = smooth.loss(torch.tensor([1.0, 0.0]), SAID, elements=1)
    assert loss.item() == pytest.approx(0.9 * log(1 + exp(-1)) + 0.1 * log(1 + exp(1)))


def test_smoothing_is_least_where_the_model_is_as_sure_as_labels_are_believed():
    rewards = torch.tensor([log(9.0), 0.0], requires_grad=True)  # sigmoid(log 9) = 9/10
    Objective(LossSpec(smoothing=0.1), tie_share=0.0).loss(rewards, SAID, elements=1).backward()
    assert rewards.grad.abs().max() < 1e-6


def test_smoothing_leaves_ties_alone_to_the_bit_and_moves_soft_labels_towards_them():
    assert noise.smoothed(torch.tensor([0.5, 0.8, 1.0]), 0.1).tolist() == pytest.approx([0.5, 0.74, 0.9])
    assert noise.smoothed(torch.tensor([0.5], dtype=torch.double), 0.37).item() == 0.5


def test_smoothing_is_for_learning_and_the_models_own_chance_stays_that_of_its_rewards():
    gap = torch.tensor([1.0, -2.0])
    found = Objective(LossSpec(smoothing=0.2), tie_share=0.0).chances(gap)
    assert torch.equal(found.win, bradley_terry.chances(gap).win)


def lapsing(rate, mode="given"):
    return Objective(LossSpec(lapse=mode, lapse_rate=rate), tie_share=0.0)


def test_a_lapse_is_worked_by_hand():
    """eps = 1/10 at a gap of 1: -log(9/10 * 0.7311 + 1/10 * 0.2689) = -log 0.6848."""
    loss = lapsing(0.1).loss(torch.tensor([1.0, 0.0]), SAID, elements=1)
    assert loss.item() == pytest.approx(-log(0.9 / (1 + exp(-1)) + 0.1 / (1 + exp(1))))
    assert loss.item() == pytest.approx(0.3786, abs=1e-4)


def test_a_hopeless_comparison_costs_no_more_than_a_lapse_and_pulls_at_nothing():
    rewards = torch.tensor([-50.0, 50.0], requires_grad=True)
    loss = lapsing(0.05).loss(rewards, SAID, elements=1)
    loss.backward()
    assert loss.item() == pytest.approx(-log(0.05))
    assert rewards.grad.abs().max() < 1e-6


def test_lapses_leave_the_chances_of_win_and_loss_adding_up_and_a_tie_as_it_was():
    meant = rao_kupper.chances(torch.tensor([0.3, -2.0], dtype=torch.double), 0.5)
    said = noise.flipped(meant, 0.2)
    assert torch.equal(said.tie, meant.tie)
    torch.testing.assert_close(sum(chance.exp() for chance in said), torch.ones(2, dtype=torch.double))


def test_an_outlier_pulls_at_smoothed_labels_and_hardly_at_a_model_of_lapses():
    """At d = -4 smoothing pulls with 0.982 - 0.1, and a lapse of the same rate hardly."""
    pulls = {}
    for name, one in (("smoothing", Objective(LossSpec(smoothing=0.1), tie_share=0.0)), ("lapse", lapsing(0.1))):
        rewards = torch.tensor([0.0, 4.0], requires_grad=True)
        one.loss(rewards, SAID, elements=1).backward()
        pulls[name] = -rewards.grad[0].item()
    assert pulls["smoothing"] == pytest.approx(1 / (1 + exp(-4)) - 0.1)
    assert pulls["lapse"] < 0.15


def test_a_learned_rate_starts_as_given_and_is_pulled_up_by_a_verdict_that_nothing_explains():
    one = lapsing(0.05, "learned")
    assert one.numbers == {"lapse_rate": pytest.approx(0.05)}
    one.loss(torch.tensor([0.0, 8.0]), SAID, elements=1).backward()
    (number,) = one.parameters()
    assert number.grad < 0


@pytest.mark.parametrize("gap", [0.0, 400.0, -400.0])
def test_the_gradient_of_a_lapse_is_that_of_finite_differences(gap):
    d = torch.tensor([gap], dtype=torch.double, requires_grad=True)
    rate = torch.tensor(0.1, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, rate: noise.flipped(bradley_terry.chances(d), rate)[:2], (d, rate))


def test_the_models_own_chance_knows_of_lapses():
    found = lapsing(0.1).chances(torch.tensor([100.0]))
    assert (found.win - found.loss).item() == pytest.approx(log(9))
