"""Worlds whose rewards are known: who says what of two answers is drawn by formulas of their own. What is fitted are
free rewards, through the very loss that a reward model learns by."""

from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rewards.learning import bradley_terry
from rewards.learning.bradley_terry import Pairs
from rewards.learning.objective import Objective
from rewards.specs import LossSpec

ITEMS = 30


class World:
    """Answers with known rewards. People tie by Rao-Kupper's rule, and flip what they say in a share of the cases."""

    def __init__(self, seed: int, *, threshold: float = 0.0, flips: float = 0.0) -> None:
        self.dice = np.random.default_rng(seed)
        self.threshold, self.flips = threshold, flips
        self.rewards = self.dice.normal(0, 1.5, ITEMS)

    def say(self, number: int) -> Pairs:
        """So many comparisons of two answers drawn at random."""
        one = self.dice.integers(ITEMS, size=number)
        other = (one + self.dice.integers(1, ITEMS, size=number)) % ITEMS
        gap = self.rewards[one] - self.rewards[other]
        lot = self.dice.random(number)
        win = 1 / (1 + np.exp(self.threshold - gap))
        loss = 1 / (1 + np.exp(self.threshold + gap))
        tie = (lot >= win) & (lot < 1 - loss)
        first = (lot < win) ^ (self.dice.random(number) < self.flips)
        winner, loser = np.where(first, one, other), np.where(first, other, one)
        even = torch.full((number,), 1 / number, dtype=torch.double)
        return Pairs(
            *map(torch.tensor, (winner, loser)), even, torch.tensor(np.where(tie, 0.5, 1.0)), torch.zeros(number)
        )


class Found(NamedTuple):
    rewards: Tensor  # (ITEMS,)
    objective: Objective
    covariance: Tensor  # of the rewards and then of what the objective learned, by the observed Fisher information

    def interval(self, place: int, *, z: float = 1.96) -> tuple[float, float]:
        """Of the number that the objective learned at this place, 95 % of the time around the truth."""
        error = self.covariance[ITEMS + place, ITEMS + place].sqrt()
        ends = []
        for step in (-z * error, z * error):
            moved = deepcopy(self.objective)
            list(moved.parameters())[place].data += step
            ends.append(list(moved.learned.values())[place])
        return ends[0], ends[1]

    def covered(self, truth: np.ndarray) -> float:
        """The share of all differences of two rewards whose 95 % interval holds the true one."""
        part = self.covariance[:ITEMS, :ITEMS]
        errors = (part.diagonal()[:, None] + part.diagonal()[None] - 2 * part).clamp(min=1e-12).sqrt()
        gaps, true = (r[:, None] - r[None] for r in (self.rewards, torch.tensor(truth)))
        return ((gaps - true).abs() < 1.96 * errors)[~torch.eye(ITEMS, dtype=torch.bool)].double().mean().item()

    def log_odds(self, pairs: Pairs) -> np.ndarray:
        """Of the winner, given that there is one."""
        with torch.no_grad():
            chances = self.objective.chances(bradley_terry.differences(self.rewards, pairs))
        return (chances.win - chances.loss).numpy()


def fit(pairs: Pairs, **settings) -> Found:
    """The likeliest rewards and numbers, with their covariance: the inverse of the Hessian of the whole loss."""
    spec = LossSpec(**settings)
    objective = Objective(spec, tie_share=(pairs.p == 0.5).double().mean().item()).double()
    said = pairs.decided if spec.ties == "drop" else pairs
    rewards = torch.zeros(ITEMS, dtype=torch.double, requires_grad=True)
    unknown = [rewards, *objective.parameters()]
    search = torch.optim.LBFGS(unknown, max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        found = objective.of_pairs(rewards, said)
        found.backward()
        return found

    search.step(loss)
    slopes = flat(torch.autograd.grad(objective.of_pairs(rewards, said), unknown, create_graph=True))
    curves = torch.stack([flat(torch.autograd.grad(slope, unknown, retain_graph=True)) for slope in slopes])
    fisher = curves * len(pairs.p)
    return Found(rewards.detach(), objective, torch.linalg.pinv(fisher, rtol=1e-9, hermitian=True))


def flat(tensors: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
