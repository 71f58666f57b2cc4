from math import exp, log

import pytest
import torch

from rewards.learning import bradley_terry, noise
from rewards.learning.objective import Objective
from rewards.specs import LossSpec


def test_smoothing_is_worked_by_hand():
    """eps = 1/10 at a gap of 1: 9/10 log(1 + e^-1) + 1/10 log(1 + e)."""
    smooth = Objective(LossSpec(smoothing=0.1), tie_share=0.0)
    loss = smooth.loss(torch.tensor([1.0, 0.0]), [[(0, 1, 1.0)]], elements=1)
    assert loss.item() == pytest.approx(0.9 * log(1 + exp(-1)) + 0.1 * log(1 + exp(1)))


def test_smoothing_is_least_where_the_model_is_as_sure_as_labels_are_believed():
    rewards = torch.tensor([log(9.0), 0.0], requires_grad=True)  # sigmoid(log 9) = 9/10
    Objective(LossSpec(smoothing=0.1), tie_share=0.0).loss(rewards, [[(0, 1, 1.0)]], elements=1).backward()
    assert rewards.grad.abs().max() < 1e-6


def test_smoothing_leaves_ties_alone_to_the_bit_and_moves_soft_labels_towards_them():
    assert noise.smoothed(torch.tensor([0.5, 0.8, 1.0]), 0.1).tolist() == pytest.approx([0.5, 0.74, 0.9])
    assert noise.smoothed(torch.tensor([0.5], dtype=torch.double), 0.37).item() == 0.5


def test_smoothing_is_for_learning_and_the_models_own_chance_stays_that_of_its_rewards():
    gap = torch.tensor([1.0, -2.0])
    found = Objective(LossSpec(smoothing=0.2), tie_share=0.0).chances(gap)
    assert torch.equal(found.win, bradley_terry.chances(gap).win)
