"""What is planted is found again: rewards, the tie threshold and the rate of slips, within their intervals."""

import numpy as np
import pytest
import torch

from rewards import metrics
from rewards.learning import bradley_terry
from rewards.learning.objective import Objective
from rewards.learning.rankings import Ranking
from rewards.specs import LossSpec
from tests.rewards.worlds import World, fit

FLIPS = [0.05, 0.15, 0.30]
SAID, HELD_OUT = 20_000, 100_000
SURE = 2.58
"""Standard errors of a 99 % interval: each of these tests draws once, and always the same."""


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of few numbers are not worth a second one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def beats(better: np.ndarray, worse: np.ndarray) -> bool:
    """Whether one loses less than the other over the same cases, by more than chance."""
    gain = worse - better
    return gain.mean() > 1.96 * gain.std() / len(gain) ** 0.5


def log_losses(found, pairs) -> np.ndarray:
    return np.logaddexp(0.0, -found.log_odds(pairs))


def miscalibration(found, pairs) -> float:
    """The mean distance, over ten bins of equal size, of what is foretold from what happens."""
    odds = found.log_odds(pairs)
    signs = np.where(np.arange(len(odds)) % 2, 1, -1)  # each pair asked from one of its sides
    chances, wins = 1 / (1 + np.exp(-odds * signs)), signs > 0
    bins = np.array_split(np.argsort(chances), 10)
    return float(np.mean([abs(chances[one].mean() - wins[one].mean()) for one in bins]))


@pytest.mark.parametrize("flips", FLIPS)
def test_the_rate_of_flips_is_learned_and_held_out_log_loss_is_less_than_that_of_plain_bradley_terry(flips):
    world = World(0, flips=flips)
    said, later = world.say(SAID), world.say(HELD_OUT)
    found, plain = fit(said, lapse="learned"), fit(said)
    low, high = found.interval(0, z=SURE)
    assert low < flips < high < low + 0.12
    assert beats(log_losses(found, later), log_losses(plain, later))


@pytest.mark.parametrize("flips", [0.0, *FLIPS])
def test_rewards_accuracy_and_calibration_are_those_of_the_truth(flips):
    world = World(1, flips=flips)
    said, later = world.say(SAID), world.say(HELD_OUT)
    found = fit(said, **({"lapse": "learned"} if flips else {}))
    assert found.covered(world.rewards) > 0.85
    best = metrics.hits(world.rewards[later.winner] - world.rewards[later.loser])
    low, high = best.mean() - 0.01, best.mean() + SURE * best.std() / HELD_OUT**0.5
    assert low < metrics.accuracy(found.log_odds(later)) < high
    assert miscalibration(found, later) < 0.01


def test_plain_bradley_terry_is_not_calibrated_where_people_slip():
    world = World(1, flips=0.15)
    said, later = world.say(SAID), world.say(HELD_OUT)
    assert miscalibration(fit(said), later) > 2 * miscalibration(fit(said, lapse="learned"), later)


def outcome_losses(found, pairs, tie_share: float) -> np.ndarray:
    """-log P of what was said, ties too. A model without a chance for ties is given the share of them in training."""
    with torch.no_grad():
        chances = found.objective.chances(bradley_terry.differences(found.rewards, pairs))
    if chances.tie is None:
        seen = np.log(1 - tie_share)
        tie = torch.full_like(chances.win, np.log(tie_share))
        chances = bradley_terry.Chances(chances.win + seen, chances.loss + seen, tie)
    return bradley_terry.surprise(chances, pairs.p).numpy()


@pytest.mark.parametrize("flips", [0.0, *FLIPS])
def test_the_tie_threshold_is_learned_with_the_rate_of_flips_and_beats_plain_bradley_terry(flips):
    world = World(2, threshold=0.6, flips=flips)
    said, later = world.say(SAID), world.say(HELD_OUT)
    found = fit(said, ties="rao_kupper", **({"lapse": "learned"} if flips else {}))
    low, high = found.interval(0, z=SURE)
    assert low < 0.6 < high < low + 0.1
    if flips:
        low, high = found.interval(1, z=SURE)
        assert low < flips < high < low + 0.1
    assert found.covered(world.rewards) > 0.85
    assert miscalibration(found, later.decided) < 0.01
    share = (said.p == 0.5).double().mean().item()
    for plain in (fit(said, ties="drop"), fit(said, ties="half")):
        assert beats(log_losses(found, later.decided), log_losses(plain, later.decided))
        assert beats(outcome_losses(found, later, share), outcome_losses(plain, later, share))


def test_where_nobody_slips_the_learned_rate_goes_to_nothing():
    world = World(3)
    found = fit(world.say(SAID), lapse="learned", lapse_rate=0.1)
    assert found.objective.numbers["lapse_rate"] < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("flips", FLIPS)
def test_the_intervals_hold_the_truth_as_often_as_they_say(flips):
    """95 % each; of 60, fewer than 51 would come once in a thousand times."""
    held = np.zeros(2)
    for seed in range(60):
        found = fit(World(100 + seed, threshold=0.6, flips=flips).say(5000), ties="rao_kupper", lapse="learned")
        for place, truth in enumerate((0.6, flips)):
            low, high = found.interval(place)
            held[place] += low < truth < high
    assert (held >= 51).all(), held


def ranked(seed: int, number: int, *, ties: bool) -> tuple[np.ndarray, list[Ranking]]:
    """Rankings of five answers by Plackett-Luce, as a race with Gumbel noise; `ties`: cut into three at random."""
    dice = np.random.default_rng(seed)
    rewards, said = dice.normal(0, 1.5, 30), []
    for _ in range(number):
        five = dice.choice(30, 5, replace=False)
        order = five[np.argsort(-(rewards[five] + dice.gumbel(size=5)))]
        cuts = np.sort(dice.choice(np.arange(1, 5), 2, replace=False)) if ties else np.arange(1, 5)
        tiers = [tier.tolist() for tier in np.split(order, cuts)]
        pairs = [(i, j, 1.0) for k, tier in enumerate(tiers) for i in tier for worse in tiers[k + 1 :] for j in worse]
        said.append(Ranking(pairs, tiers))
    return rewards - rewards.mean(), said


def error(truth: np.ndarray, said: list[Ranking], **settings) -> float:
    """The mean squared error of the likeliest rewards."""
    objective = Objective(LossSpec(**settings), tie_share=0.0).double()
    rewards = torch.zeros(30, dtype=torch.double, requires_grad=True)
    search = torch.optim.LBFGS([rewards], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        found = objective.loss(rewards, said, elements=len(said))
        found.backward()
        return found

    search.step(loss)
    found = rewards.detach().numpy()
    return float(((found - found.mean() - truth) ** 2).mean())


@pytest.mark.slow
@pytest.mark.parametrize("ties", [False, True])
def test_whole_rankings_tell_more_than_the_mean_of_their_pairs_with_and_without_ties(ties):
    worlds = [ranked(seed, 200, ties=ties) for seed in range(4)]
    pairs, whole = (
        np.mean([error(*world, loss=loss) for world in worlds]) for loss in ("bradley_terry", "plackett_luce")
    )
    assert whole < 0.15 and whole < 0.9 * pairs
