"""A tiny transformer learns with every loss, and what a loss learns beside the weights is kept and resumed."""

import json

import pytest

from rewards.learning import fit
from rewards.learning.events import Refused, Stopped
from rewards.learning.reward_model import RewardModel
from rewards.model_folder import sha256
from tests.rewards import jobs
from tests.rewards.stopping import StopAt

LEARNED = {"ties": "rao_kupper", "lapse": "learned"}
LOSSES = {
    "ties_half": {"ties": "half"},
    "ties_learned": {"ties": "rao_kupper"},
    "smoothing": {"smoothing": 0.05},
    "lapses_given": {"lapse": "given", "lapse_rate": 0.02},
    "lapses_learned": {"lapse": "learned"},
    "ties_and_lapses_learned": LEARNED,
    "centring": {"centring": 0.01},
    "whole_rankings": {"loss": "plackett_luce"},
    "margins": {"margin": 0.5},
}


def fitted(path, number=1, **settings):
    run = jobs.attempt(jobs.folder(path, **settings), number)
    fit.run(run)
    return run, json.loads((run.partial / "metrics.json").read_text())


def graded(rows):
    """How much better is how many times more it says "x"."""
    for row in rows:
        counts = sorted(text.count("x") for text in row["answers"])
        row["strength"] = (counts[-1] - counts[0]) / 3
    return rows


def test_margins_of_rankings_without_a_strength_are_refused(tmp_path):
    with pytest.raises(Refused, match="No ranking of two answers has a strength"):
        fitted(tmp_path, train=jobs.planted(4, seed=1, answers=2), margin=1.0)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_tiny_model_learns_with(loss, tmp_path):
    size = {"answers": 2, "prompts": 144} if "margin" in LOSSES[loss] else {"prompts": 48}
    rows = {"train": graded(jobs.planted(seed=1, **size)), "heldout": jobs.planted(24, seed=2)}
    run, told = fitted(tmp_path, **rows, **LOSSES[loss], epochs=3, learning_rate=3e-3)
    losses = [event["metrics"]["loss"] for event in jobs.events(tmp_path) if "loss" in event.get("metrics", {})]
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6])
    assert told["heldout_accuracy"] > 0.75
    assert told["heldout_log_loss"] < 0.65


def test_what_a_loss_learned_is_shown_at_each_step_and_saved_with_the_model(tmp_path):
    run, told = fitted(tmp_path, **LEARNED, epochs=2)
    kept = json.loads((run.partial / "model" / "reward.json").read_text())
    steps = [event["metrics"] for event in jobs.events(tmp_path) if "loss" in event.get("metrics", {})]
    for name in kept.keys() - {"offset"}:
        assert kept[name] == told[name] == steps[-1][name] != steps[0][name]
    assert RewardModel.load(run.partial / "model").numbers == {key: kept[key] for key in kept if key != "offset"}
    assert told["heldout_log_loss_with_ties"] > 0


def test_a_given_rate_is_saved_with_the_model_and_draws_no_curve(tmp_path):
    run, told = fitted(tmp_path, lapse="given", lapse_rate=0.1, epochs=1)
    assert RewardModel.load(run.partial / "model").numbers == {"lapse_rate": 0.1} and told["lapse_rate"] == 0.1
    assert not any("lapse_rate" in event.get("metrics", {}) for event in jobs.events(tmp_path))


@pytest.mark.parametrize("looks", [3, 12])
def test_a_stopped_run_goes_on_with_the_same_bits_of_what_its_loss_learns(tmp_path, looks):
    settings = {**LEARNED, "epochs": 2, "checkpoint_every": 3}
    whole, _ = fitted(tmp_path / "whole", **settings)
    path = jobs.folder(tmp_path / "job", **settings)
    with pytest.raises(Stopped):
        fit.run(jobs.attempt(path, 1, stop=StopAt(looks)))
    run = jobs.attempt(path, 2)
    fit.run(run)
    for name in ("reward.json", "model.safetensors"):
        assert sha256(run.partial / "model" / name) == sha256(whole.partial / "model" / name)


def test_who_counts_is_learned_from_and_who_does_not_is_not(tmp_path):
    rows = jobs.planted(48, seed=1)
    spoiled = [{**row, "labeler": "spoiler", "ranks": [5 - rank for rank in row["ranks"]]} for row in rows]
    rows = [row for row in rows if sorted(row["ranks"]) == [1, 2, 3, 4]]
    spoiled = [row for row in spoiled if sorted(row["ranks"]) == [1, 2, 3, 4]]
    settings = {"train": rows + spoiled, "heldout": jobs.planted(24, seed=2), "epochs": 4, "learning_rate": 3e-3}
    _, told = fitted(tmp_path, **settings, labeler_weights="spoiler = 0")
    assert told["heldout_accuracy"] > 0.75
