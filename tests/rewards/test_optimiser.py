import pytest
import torch

from rewards.learning import optimiser
from rewards.specs import RewardSpec


def rates(total: int, warmup: float) -> list[float]:
    return [optimiser.learning_rate(step, total, peak=1.0, warmup=warmup) for step in range(total)]


def test_the_rate_rises_in_a_line_and_falls_to_a_tenth():
    assert rates(10, 0.3)[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert rates(10, 0.3)[6] == pytest.approx(0.55)  # half way down the cosine, between 1 and 0.1
    assert rates(10, 0.3)[-1] == pytest.approx(0.1)


def test_without_a_warm_up_the_first_step_has_the_peak():
    assert rates(5, 0.0)[0] == 1.0


def test_a_run_of_one_step_has_the_peak():
    assert rates(1, 0.03) == [1.0]


def test_only_matrices_decay():
    model = torch.nn.LayerNorm(4), torch.nn.Linear(4, 4, bias=True)
    adamw = optimiser.adamw(torch.nn.Sequential(*model), RewardSpec(base="/m", weight_decay=0.1))
    assert [(group["weight_decay"], len(group["params"])) for group in adamw.param_groups] == [(0.1, 1), (0.0, 3)]


def test_a_restored_optimiser_goes_on_with_the_same_bits():
    def weights_after(steps: int, interrupted_at: int | None) -> torch.Tensor:
        torch.manual_seed(0)
        layer = torch.nn.Linear(8, 8)
        adamw = optimiser.adamw(layer, RewardSpec(base="/m"))
        for step in range(steps):
            if step == interrupted_at:
                saved = optimiser.tensors(adamw)
                adamw = optimiser.adamw(layer, RewardSpec(base="/m"))
                optimiser.restore(adamw, saved)
            adamw.zero_grad()
            layer(torch.full((1, 8), float(step))).square().sum().backward()
            adamw.step()
        return layer.weight.detach().clone()

    assert torch.equal(weights_after(6, None), weights_after(6, 3))


def test_single_numbers_are_learned_at_a_pace_of_their_own_that_follows_the_weights():
    spec = RewardSpec(base="/m", learning_rate=1e-3, scalar_learning_rate=0.1)
    adamw = optimiser.adamw(torch.nn.Linear(2, 2), spec, [torch.nn.Parameter(torch.tensor(0.5))])
    optimiser.set_learning_rate(adamw, 5e-4)
    assert [group["lr"] for group in adamw.param_groups] == pytest.approx([5e-4, 5e-4, 0.05])
    assert adamw.param_groups[-1]["weight_decay"] == 0
