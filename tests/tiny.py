"""A tiny real language model, made in a blink: two Llama layers, 32 wide, one token a byte, its own chat template."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig, PreTrainedTokenizerFast

ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]
END, PAD = "<|end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte level without merges: 256 bytes, then the control tokens. `<|end|>` ends a turn, `<|pad|>` only pads."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    byte_level = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    byte_level.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=byte_level, eos_token=END, pad_token=PAD)
    fast.add_special_tokens({"additional_special_tokens": ROLES})
    fast.chat_template = TEMPLATE
    return fast


def config(**changes: object) -> LlamaConfig:
    settings = {
        "vocab_size": 256 + 2 + len(ROLES),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
    }
    return LlamaConfig(**(settings | changes))


def causal_lm(folder: Path, *, seed: int = 0, architecture: PretrainedConfig | None = None, **changes: object) -> Path:
    """Save a tiny language model into the folder, as a standard transformers folder, and return the folder.

    It is a Llama with these changes to `config()`, or has any other architecture."""
    words = tokenizer()
    made = architecture or config(**changes)
    made.eos_token_id, made.pad_token_id, made.bos_token_id = words.eos_token_id, words.pad_token_id, None
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(made).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
