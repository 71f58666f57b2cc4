"""Ties by a threshold: who sees little between two answers says so (Rao and Kupper 1967). Pure: tensors in, out."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rewards.learning.bradley_terry import Chances


def chances(gap: Tensor, threshold: Tensor | float) -> Chances:
    """P(win) = sigmoid(d - eta), P(loss) = sigmoid(-d - eta), and P(tie) what is left. gap d (N,), eta () > 0 -> (N,).

    What is left is (e^(2 eta) - 1) P(win) P(loss), whose logarithm loses no digits where the difference is great."""
    eta = torch.as_tensor(threshold, dtype=gap.dtype)
    win, loss = F.logsigmoid(gap - eta), F.logsigmoid(-gap - eta)
    return Chances(win, loss, win + loss + 2 * eta + torch.log(-torch.expm1(-2 * eta)))


def threshold_of(tie_share: float) -> float:
    """The eta under which equal rewards tie with this probability: there, P(tie) = tanh(eta / 2)."""
    return 2 * math.atanh(tie_share)
