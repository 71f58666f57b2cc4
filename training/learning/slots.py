"""The memory of a batch whose rows have lengths of their own: keys and values in place, a token a row a step.

transformers' own cache grows by copying all of it at every token, and pads every row to the longest."""

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel

from rewards.learning import language_model
from rewards.learning.events import Refused

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.3}
"""Mean difference in nats between two ways to compute the same log-probabilities; a wrong mask makes it about 1."""


class Slots(Cache):
    """Keys and values of at most `rows` rows of at most `capacity` tokens. Rows 0..n-1 are in work.

    A plain transformers model calls `update` in each of its layers. d is the width of a head."""

    def __init__(self, rows: int, capacity: int) -> None:
        super().__init__(layers=[])
        self.rows, self.capacity = rows, capacity
        self.keys: list[Tensor] = []  # a layer: (rows, heads, capacity, d)
        self.values: list[Tensor] = []

    def step(self, model: PreTrainedModel, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Feed one token a row, tokens (n, 1), to rows that hold lengths (n,) tokens -> the next logits (n, V)."""
        self._places, self._lengths = torch.arange(len(lengths), device=lengths.device), lengths
        self._longest = int(lengths.max()) + 1
        mask = torch.arange(self._longest, device=lengths.device) <= lengths[:, None]  # (n, T), this token included
        output = model(
            input_ids=tokens,
            position_ids=lengths[:, None],
            attention_mask=mask[:, None, None, :],
            past_key_values=self,
            use_cache=True,
        )
        return output.logits[:, -1]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write one token a row, (n, heads, 1, d), and return all that the rows hold, (n, heads, T, d)."""
        keys, values, n = self.keys[layer_idx], self.values[layer_idx], len(self._lengths)
        keys[self._places, :, self._lengths] = key_states[:, :, 0]
        values[self._places, :, self._lengths] = value_states[:, :, 0]
        return keys[:n, :, : self._longest], values[:n, :, : self._longest]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Nothing asks for it while positions and mask are given; a model that does would count from here."""
        return int(self._lengths.max())

    def fill(self, row: int, prompt: DynamicCache) -> None:
        """Copy a prompt's keys and values, (1, heads, P, d) a layer, into a row."""
        for layer, (keys, values, *_) in enumerate(prompt):
            if layer == len(self.keys):
                self.keys.append(self._memory(keys))
                self.values.append(self._memory(values))
            self.keys[layer][row, :, : keys.shape[2]] = keys[0]
            self.values[layer][row, :, : values.shape[2]] = values[0]

    def move(self, source: int, target: int) -> None:
        """Copy what the rows in work hold at `source` over row `target`."""
        for memory in (*self.keys, *self.values):
            memory[target, :, : self._longest] = memory[source, :, : self._longest]

    def _memory(self, like: Tensor) -> Tensor:
        """Zeros, not `empty`: what is masked is still multiplied, and NaN times zero is NaN."""
        _, heads, _, width = like.shape
        return like.new_zeros(self.rows, heads, self.capacity, width)


def check(model: PreTrainedModel, tokens: list[int], longest: int) -> None:
    """Raise Refused unless this memory gives what one plain pass gives: asked of a prompt, once per job.

    `longest` is the most tokens that a row of the job can hold."""
    config = model.config.get_text_config()
    positions = language_model.positions(model)
    if positions is not None and longest > positions:
        raise Refused(
            f"The longest prompt and max_new_tokens make {longest} tokens, but this model reads {positions}: "
            "lower max_new_tokens or leave out the longest prompts."
        )
    window = _window(config)
    if window is not None and longest > window:
        raise Refused(
            f"This model sees only the last {window} tokens, which is not supported for texts of {longest}: "
            "lower max_new_tokens or leave out the longest prompts."
        )
    difference = _difference(model, tokens)
    if not difference <= TOLERANCE.get(model.dtype, 0.3):
        raise Refused(
            f"A {config.model_type} model answers differently with kept keys and values (by {difference:.2g} nats): "
            "its kind of attention is not supported."
        )


@torch.inference_mode()
def _difference(model: PreTrainedModel, tokens: list[int]) -> float:
    """The mean difference of log-probabilities at two places of a text, by two rows of different lengths."""
    places = [len(tokens) // 2, len(tokens) - 1]
    whole = model(input_ids=torch.tensor([tokens], device=model.device)).logits[0, places]  # (2, V)
    slots = Slots(2, len(tokens))
    for row, place in enumerate(places):
        prompt = DynamicCache()
        model(input_ids=torch.tensor([tokens[:place]], device=model.device), past_key_values=prompt, use_cache=True)
        slots.fill(row, prompt)
    last = torch.tensor([[tokens[place]] for place in places], device=model.device)
    stepped = slots.step(model, last, torch.tensor(places, device=model.device))
    return (whole.float().log_softmax(-1) - stepped.float().log_softmax(-1)).abs().mean().item()


def _window(config: Any) -> int | None:
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and all(kind == "full_attention" for kind in kinds):
        return None
    return getattr(config, "sliding_window", None)
