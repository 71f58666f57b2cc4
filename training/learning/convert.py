"""The kind `convert`: turn a model file or folder into a policy, a standard transformers folder in safetensors.

From a .gguf file the weights come out in float32, exactly as the file has them: bfloat16 would round four in five of
SmolLM2's 4-bit copy. What a quantised copy lost stays lost, so the job says in which format it found the weights."""

import json
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from gguf import GGMLQuantizationType, GGUFReader
from tokenizers import pre_tokenizers
from tokenizers.pre_tokenizers import PreTokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from rewards.learning import language_model
from rewards.learning.events import Refused
from rewards.learning.run import Run
from training.specs import ConvertSpec

ARCHITECTURES = ("llama",)
UNREADABLE = (ValueError, KeyError, IndexError, TypeError, OSError, OverflowError, struct.error)


def _byte_level() -> PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)


PRE_TOKENIZERS = {
    "gpt-2": _byte_level,
    "smollm": lambda: pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _byte_level()]),
}
"""How a model cuts a text into pieces before bytes are merged, by the file's name for it (`tokenizer.ggml.pre`).

transformers reads every file as if it were gpt-2. SmolLM takes digits one by one, and first of all, so that in
"\\n\\n1." the two newlines are one token; as gpt-2 they would be two, which the model has hardly ever seen."""


class About(NamedTuple):
    """What a .gguf file says of itself."""

    architecture: str
    pre_tokenizer: str
    has_template: bool
    tensors: Counter[str]
    """How many tensors are stored in each format."""

    @property
    def format(self) -> str:
        """The format of most tensors that are not small, such as Q4_1."""
        return max((count, name) for name, count in self.tensors.items())[1]


def run(run: Run) -> None:
    """Write `output/model/`."""
    spec = ConvertSpec.from_json(run.spec)
    source = Path(spec.source)
    started = time.monotonic()
    run.events.phase("Reading the model")
    if source.is_dir():
        model, tokenizer = from_folder(source)
        stored = {"format": str(model.dtype).removeprefix("torch.")}
    else:
        about = read_about(source)
        run.events.message(f"{source.name}: weights stored as {about.format}, written out as float32.")
        run.events.step(1, 3)
        run.events.phase("Reading the weights")
        model, tokenizer = from_gguf(source, about)
        stored = {"format": about.format}
    run.stop.check()
    run.events.step(2, 3)
    run.events.phase("Saving the model")
    language_model.save(model, tokenizer, run.partial / "model")
    run.events.step(3, 3)
    run.write_json(
        "metrics.json",
        {"parameters": model.num_parameters(), **stored, "convert_seconds": round(time.monotonic() - started, 3)},
    )
    run.write_origin(spec.to_json())


def from_folder(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A standard folder by the same door as every other model, in the precision that it has."""
    config = json.loads((language_model.check_folder(folder) / "config.json").read_text(encoding="utf-8"))
    name = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    if name not in language_model.DTYPES:
        raise Refused(f"{folder} holds weights in {name}: use a model in {', '.join(language_model.DTYPES)}.")
    return language_model.load_causal(folder, dtype=language_model.DTYPES[name])


def from_gguf(file: Path, about: About) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a .gguf file in float32, and its tokenizer with the model's own pre-tokenizer and a pad token."""
    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(file.parent, trust_remote_code=False, **where)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, trust_remote_code=False, **where)
        model = _model(file, config)
    except UNREADABLE as problem:
        raise Refused(f"{file} cannot be read as a language model: {problem}") from problem
    tokenizer.backend_tokenizer.pre_tokenizer = PRE_TOKENIZERS[about.pre_tokenizer]()
    tokenizer.model_max_length = config.max_position_embeddings
    language_model.ensure_pad_token(model, tokenizer)
    return model.eval(), tokenizer


def read_about(file: Path) -> About:
    """Raise Refused for a file that is not there, is no GGUF, or holds a model that would come out wrong."""
    if not file.is_file():
        raise Refused(f"There is no model at {file}: name a .gguf file or a folder in safetensors.")
    try:
        reader = GGUFReader(file)
        about = About(
            _text(reader, "general.architecture"),
            _text(reader, "tokenizer.ggml.pre") or "gpt-2",
            bool(_text(reader, "tokenizer.chat_template")),
            Counter(
                GGMLQuantizationType(tensor.tensor_type).name for tensor in reader.tensors if tensor.shape.size > 1
            ),
        )
    except UNREADABLE as problem:
        raise Refused(
            f"{file} is not a whole GGUF file ({problem}): name a .gguf file or a folder in safetensors."
        ) from problem
    _check(file, about)
    return about


def _check(file: Path, about: About) -> None:
    other = "Bring this model as a folder in safetensors instead."
    if about.architecture not in ARCHITECTURES:
        raise Refused(f"{file.name} holds a model of the architecture {about.architecture or 'unknown'}. {other}")
    if about.pre_tokenizer not in PRE_TOKENIZERS:
        raise Refused(f"{file.name} cuts text in a way ({about.pre_tokenizer}) that is not known here. {other}")
    if not about.has_template:
        raise Refused(f"{file.name} has no chat template, so nobody knows how to ask it. {other}")
    if not about.tensors:
        raise Refused(f"{file.name} holds no weights. {other}")


def _text(reader: GGUFReader, name: str) -> str:
    found = reader.get_field(name)
    return str(found.contents()) if found is not None else ""


def _model(file: Path, config: Any) -> PreTrainedModel:
    """A plain model with the file's weights, and not one missing."""
    with torch.device("meta"):
        skeleton = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    read = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=skeleton, torch_dtype=torch.float32)
    model, report = type(skeleton).from_pretrained(
        None, config=config, state_dict=read["tensors"], dtype=torch.float32, output_loading_info=True
    )
    if report["missing_keys"]:
        raise KeyError(f"it lacks the weights {min(report['missing_keys'])}")
    return model
