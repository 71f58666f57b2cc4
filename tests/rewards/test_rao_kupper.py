from math import exp, log

import pytest
import torch

from rewards.learning import bradley_terry, rao_kupper


def sigmoid(x):
    return 1 / (1 + exp(-x))


def test_the_three_chances_are_worked_by_hand():
    """d = 1, eta = 1/2: sigmoid(1/2) = 0.6225, sigmoid(-3/2) = 0.1824, and 0.1951 are left."""
    win, loss, tie = (chance.exp().item() for chance in rao_kupper.chances(torch.tensor([1.0]), 0.5))
    assert (win, loss, tie) == (
        pytest.approx(sigmoid(0.5)),
        pytest.approx(sigmoid(-1.5)),
        pytest.approx(0.19512, abs=1e-5),
    )


def test_the_three_chances_add_up_to_one_and_are_those_of_the_paper():
    """With worths a = e^r and theta = e^eta: P(i beats j) = a_i / (a_i + theta a_j)."""
    gap, theta = torch.linspace(-4, 4, 9, dtype=torch.double), exp(0.7)
    found = rao_kupper.chances(gap, 0.7)
    torch.testing.assert_close(sum(chance.exp() for chance in found), torch.ones_like(gap))
    torch.testing.assert_close(found.win.exp(), gap.exp() / (gap.exp() + theta))


def test_a_tie_of_equal_rewards_is_as_likely_as_the_threshold_was_chosen_for():
    eta = rao_kupper.threshold_of(0.3)
    assert rao_kupper.chances(torch.zeros(1), eta).tie.exp().item() == pytest.approx(0.3)


def test_a_small_threshold_is_bradley_terry():
    gap = torch.tensor([-2.0, 0.3, 1.5])
    found, plain = rao_kupper.chances(gap, 1e-6), bradley_terry.chances(gap)
    torch.testing.assert_close(found[:2], plain[:2], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("gap", "eta"), [(500.0, 1.0), (-500.0, 1.0), (0.0, 1e-6), (1.0, 200.0)])
def test_nothing_becomes_infinite_or_no_number(gap, eta):
    d, threshold = torch.tensor([gap], requires_grad=True), torch.tensor(eta, requires_grad=True)
    found = rao_kupper.chances(d, threshold)
    sum(found).backward()
    assert all(torch.isfinite(value).all() for value in (*found, d.grad, threshold.grad))


def test_the_gradient_is_that_of_finite_differences():
    def said(gap, threshold):
        return bradley_terry.surprise(rao_kupper.chances(gap, threshold), torch.tensor([1, 0.5, 0.8, 0.5]))

    gap = torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(said, (gap, torch.tensor(0.4, dtype=torch.double, requires_grad=True)))


def test_a_tie_between_equal_rewards_pulls_at_the_threshold_alone():
    gap, threshold = torch.zeros(1, requires_grad=True), torch.tensor(0.5, requires_grad=True)
    bradley_terry.surprise(rao_kupper.chances(gap, threshold), torch.tensor([0.5])).sum().backward()
    assert gap.grad.item() == 0 and threshold.grad.item() < 0


def test_a_tie_is_surprising_by_its_own_chance():
    """eta = log 3 at d = 0: 1/4, 1/4, and 1/2 for the tie."""
    found = bradley_terry.surprise(rao_kupper.chances(torch.zeros(2), log(3)), torch.tensor([1.0, 0.5]))
    assert found.tolist() == pytest.approx([log(4), log(2)])
