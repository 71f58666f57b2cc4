import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import OPTConfig

from rewards.learning import fit, layers
from rewards.learning.events import Refused, Stopped
from rewards.learning.reward_model import RewardModel
from tests import tiny
from tests.rewards import jobs
from tests.rewards.test_fit import StopAt, fitted, weights
from tests.rewards.test_reward_model import ARCHITECTURES, GROUPS, rewards

BELOW = {
    "llama": (tiny.config(), {"model.embed_tokens", "model.layers.0"}),
    "gpt2": (ARCHITECTURES["gpt2"], {"transformer.wte", "transformer.wpe", "transformer.h.0"}),
    "neox": (ARCHITECTURES["neox"], {"gpt_neox.embed_in", "gpt_neox.layers.0"}),
    "opt": (
        OPTConfig(
            vocab_size=261, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64,
            word_embed_proj_dim=16, max_position_embeddings=512,
        ),
        {f"model.decoder.{name}" for name in ("embed_tokens", "embed_positions", "project_in", "layers.0")},
    ),
}  # fmt: skip
THRIFTY = [
    {"freeze_layers": 1},
    {"gradient_checkpointing": True, "precision": "bfloat16"},
    {"lora_rank": 4, "freeze_layers": 1},
    {"lora_rank": 4, "gradient_checkpointing": True, "precision": "bfloat16"},
]


def kept_bytes(model) -> int:
    """The bytes that a forward pass keeps for the backward pass, beside weights."""
    own = {weight.data_ptr() for weight in model.parameters()}
    kept = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.setdefault(tensor.data_ptr(), tensor), lambda tensor: tensor
    ):
        rewards(model, GROUPS).sum()
    return sum(tensor.nbytes for place, tensor in kept.items() if place not in own)


@pytest.mark.parametrize("name", BELOW)
def test_frozen_are_the_lowest_layers_and_all_that_runs_before_them(tmp_path, name):
    architecture, below = BELOW[name]
    model = RewardModel.from_policy(tiny.causal_lm(tmp_path, architecture=architecture), seed=0).classifier
    layers.freeze(model, 1)
    for weight, value in model.named_parameters():
        assert value.requires_grad != any(weight.startswith(f"{part}.") for part in below), weight


def test_all_layers_can_be_frozen_and_none_needs_to_be(tmp_path):
    model = RewardModel.from_policy(tiny.causal_lm(tmp_path), seed=0)
    whole = len(list(model.parameters()))
    layers.freeze(model.classifier, 0)
    assert len(layers.trained(model)) == whole
    layers.freeze(model.classifier, 2)
    assert list(layers.trained(model)) == ["classifier.model.norm.weight", "classifier.score.weight"]
    with pytest.raises(Refused, match="freeze_layers is 3, and this model has 2 layers"):
        layers.freeze(model.classifier, 3)


def test_frozen_weights_do_not_move_and_the_others_do(tmp_path):
    run = fitted(tmp_path, freeze_layers=1, weight_decay=0.1)
    before, after = (
        load_file(tmp_path / "base" / "model.safetensors"),
        load_file(run.partial / "model/model.safetensors"),
    )
    moved = {name for name in before if name in after and not torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("model.layers.1.")} | {"model.norm.weight"} == moved
    assert json.loads((run.partial / "metrics.json").read_text())["heldout_accuracy"] > 0.5


def test_frozen_layers_keep_nothing_for_the_backward_pass(tmp_path):
    model = RewardModel.from_policy(tiny.causal_lm(tmp_path, num_hidden_layers=4), seed=0)
    whole = kept_bytes(model)
    layers.freeze(model.classifier, 2)
    assert kept_bytes(model) < 0.6 * whole


def gradient(model):
    """The gradient of a sum of rewards, whose terms differ, as one long vector."""
    model.zero_grad()
    values = rewards(model, GROUPS)
    (values * torch.arange(len(values))).sum().backward()
    return values.detach(), torch.cat([weight.grad.flatten() for weight in model.parameters()])


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "gpt2", "opt"])
def test_recomputed_layers_give_the_same_rewards_and_gradient(tmp_path, name, precision):
    model = RewardModel.from_policy(tiny.causal_lm(tmp_path, architecture=ARCHITECTURES[name]), seed=0)
    model.precision = precision
    kept, (values, whole) = kept_bytes(model), gradient(model)
    layers.recompute(model.classifier)
    assert kept_bytes(model) < 0.5 * kept
    again, recomputed = gradient(model)
    torch.testing.assert_close(again, values, rtol=0, atol=1e-6)
    torch.testing.assert_close(recomputed, whole, rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(rewards(model, GROUPS), values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("chosen", THRIFTY, ids=str)
def test_a_stopped_thrifty_run_goes_on_with_the_same_bits(tmp_path, chosen):
    whole = fitted(tmp_path / "whole", **chosen)
    path = jobs.folder(tmp_path / "job", checkpoint_every=3, **chosen)
    with pytest.raises(Stopped):
        fit.run(jobs.attempt(path, 1, stop=StopAt(9)))
    run = jobs.attempt(path, 2)
    fit.run(run)
    assert "Going on after step" in jobs.messages(path, 2)
    assert weights(run) == weights(whole)


def test_a_checkpoint_holds_only_what_is_trained(tmp_path):
    path = jobs.folder(tmp_path, freeze_layers=1)
    fit.run(jobs.attempt(path))
    saved = load_file(path / "checkpoints" / "step-6" / "weights.safetensors")
    assert not [name for name in saved if "embed" in name or ".layers.0." in name]
    assert "classifier.score.weight" in saved
