"""LoRA: beside each frozen matrix W a product B A of low rank learns. Hu et al. 2021.

h = W x + alpha / r * B A x        A (r, in) is drawn, B (out, r) starts at 0: the model starts as the base, exactly"""

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from rewards.learning.events import Refused


def add(model: PreTrainedModel, head: nn.Linear, *, rank: int, alpha: int) -> None:
    """Put adapters beside every linear layer that would learn, the head left out, which learns as a whole.

    All other weights are frozen. Raises Refused where no linear layer is left to learn."""
    linear = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | Conv1D) and layer is not head and layer.weight.requires_grad
    }
    if not linear:
        raise Refused("Every layer is frozen, so that adapters have nothing to adapt: lower freeze_layers.")
    turned = isinstance(next(iter(linear.values())), Conv1D)
    settings = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(linear), fan_in_fan_out=turned)
    inject_adapter_in_model(settings, model)
    head.requires_grad_(True)
    model.eval()


def merge(model: PreTrainedModel) -> None:
    """Add each product to its matrix, and leave a model as it was before `add`, with other weights."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, layer.get_base_layer())
