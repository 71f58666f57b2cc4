"""AdamW over float32 weights, and its learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rewards.specs import RewardSpec

FLOOR = 0.1  # of the peak, where the cosine ends (Ouyang et al. 2022, appendix C.2)


def adamw(model: nn.Module, spec: RewardSpec, numbers: Iterable[nn.Parameter] = ()) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019). Weight decay takes matrices alone: norms are best left alone.

    `numbers` are learned beside the weights at a rate of their own: AdamW moves each by about its rate an update, and
    they have much farther to go."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    matrices = [weight for weight in weights if weight.ndim > 1]
    others = [weight for weight in weights if weight.ndim <= 1]
    apart = {"params": list(numbers), "weight_decay": 0.0, "pace": spec.scalar_learning_rate / spec.learning_rate}
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": spec.weight_decay},
            {"params": others, "weight_decay": 0.0},
            *([apart] if apart["params"] else []),
        ],
        lr=spec.learning_rate,
        betas=(spec.beta1, spec.beta2),
        eps=spec.epsilon,
    )


def learning_rate(step: int, total: int, *, peak: float, warmup: float) -> float:
    """The rate of update number `step` (from 0) of `total`: a straight line to the peak, then a cosine to a tenth."""
    rising = math.ceil(warmup * total)
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising) / max(1, total - 1 - rising)
    return peak * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * progress)) / 2)


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The rate of the next update, for all weights alike, and in proportion for what has a pace of its own."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("pace", 1.0)


def clip(weights: Iterable[nn.Parameter], norm: float) -> float:
    """Scale the gradient down to `norm` where it is longer; its length before that."""
    return float(nn.utils.clip_grad_norm_(weights, norm))


def tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of each weight, as named tensors for a checkpoint."""
    state = optimiser.state_dict()["state"]
    return {f"{weight}.{name}": value for weight, entry in state.items() for name, value in entry.items()}


def restore(optimiser: torch.optim.Optimizer, saved: dict[str, Tensor]) -> None:
    """Put back what `tensors` gave. The optimiser copies it into memory of its own."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in saved.items():
        weight, name = key.split(".", 1)
        state.setdefault(int(weight), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
