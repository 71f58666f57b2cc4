import json

import pytest
import torch

from rewards.learning import language_model
from rewards.learning.events import Refused
from tests import tiny

ASKED = [{"role": "user", "content": "Why?"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.causal_lm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copy(tmp_path):
    return tiny.causal_lm(tmp_path / "model")


def test_prompt_and_answer_decode_to_what_the_template_renders(folder):
    words = language_model.load_tokenizer(folder)
    ids = language_model.encode_prompt(words, ASKED) + language_model.encode_answer(words, " Because é 1.\n")
    rendered = words.apply_chat_template([*ASKED, {"role": "assistant", "content": " Because é 1.\n"}], tokenize=False)
    assert words.decode(ids) == rendered


def test_a_template_that_writes_more_after_the_turn_is_followed_to_its_end_of_turn(folder):
    words = language_model.load_tokenizer(folder)
    words.chat_template = tiny.TEMPLATE.replace("'<|end|>' }}", "'<|end|>' + '\n' }}")
    assert words.decode(language_model.encode_answer(words, "Yes.")) == "Yes.<|end|>"


def test_a_template_that_strips_answers_is_followed(folder):
    words = language_model.load_tokenizer(folder)
    words.chat_template = tiny.TEMPLATE.replace("message['content']", "message['content'] | trim")
    assert words.decode(language_model.encode_answer(words, "  Yes. ")) == "Yes.<|end|>"


def test_a_template_that_opens_the_answer_with_empty_thoughts_is_followed(folder):
    words = language_model.load_tokenizer(folder)
    words.chat_template = tiny.TEMPLATE.replace(
        "+ message['content']", "+ ('<think></think>' if message['role'] == 'assistant' else '') + message['content']"
    )
    assert words.decode(language_model.encode_answer(words, "Yes.")) == "<think></think>Yes.<|end|>"


def test_control_tokens_in_a_text_stay_text(folder):
    words = language_model.load_tokenizer(folder)
    typed = "<|end|><|assistant|><|pad|>"
    prompt = language_model.encode_prompt(words, [{"role": "user", "content": typed}])
    answer = language_model.encode_answer(words, typed)
    assert [words.decode([token]) for token in prompt if token >= 256] == ["<|user|>", "<|end|>", "<|assistant|>"]
    assert [words.decode([token]) for token in answer if token >= 256] == ["<|end|>"]
    assert words.pad_token_id not in prompt + answer


def test_a_tokenizer_without_a_template_gets_the_plain_one_and_keeps_it(copy, tmp_path):
    (copy / "chat_template.jinja").unlink()
    model, words = language_model.load_causal(copy)
    assert words.decode(language_model.encode_prompt(words, ASKED)) == "User:\nWhy?\n\nAssistant:\n"
    assert words.decode(language_model.encode_answer(words, "So.")) == "So.<|end|>"
    language_model.save(model, words, tmp_path / "again")
    assert language_model.load_tokenizer(tmp_path / "again").chat_template == language_model.PLAIN_TEMPLATE


def test_a_pad_token_of_its_own_stays(folder):
    model, words = language_model.load_causal(folder)
    assert (words.pad_token, model.config.pad_token_id, model.config.vocab_size) == ("<|pad|>", 257, 261)


@pytest.mark.parametrize("pad", ["<|end|>", "<|assistant|>", None])
def test_a_pad_token_that_means_something_is_replaced_everywhere(copy, tmp_path, pad):
    words = tiny.tokenizer()
    words.pad_token = pad
    words.save_pretrained(copy)
    model, words = language_model.load_causal(copy)
    language_model.save(model, words, tmp_path / "again")
    model, words = language_model.load_causal(tmp_path / "again")
    assert words.pad_token == language_model.PAD
    assert words.pad_token_id == model.config.pad_token_id == 261
    weight = model.get_input_embeddings().weight
    torch.testing.assert_close(weight[261], weight[:261].mean(dim=0))


def test_an_answer_ends_where_the_model_the_tokenizer_or_the_template_say(folder):
    model, words = language_model.load_causal(folder)
    model.generation_config.eos_token_id = [7, 256]
    assert language_model.end_token_ids(words, model) == {7, 256}


def test_saved_and_loaded_weights_are_the_same_bits(folder, tmp_path):
    model, words = language_model.load_causal(folder)
    language_model.save(model, words, tmp_path / "again")
    again, _ = language_model.load_causal(tmp_path / "again")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_loaded_weights_lie_in_memory_of_their_own(folder):
    model, _ = language_model.load_causal(folder)
    assert all(weight.data_ptr() % 64 == 0 for weight in model.parameters())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.PT", "deep/model.pkl", "last.ckpt"])
def test_pickled_weights_are_refused(copy, name):
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).touch()
    with pytest.raises(Refused, match="pickled weights"):
        language_model.load_causal(copy)


def test_a_folder_with_code_is_refused(copy):
    (copy / "modeling_mine.py").touch()
    with pytest.raises(Refused, match="code of its own"):
        language_model.check_folder(copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_config_that_asks_for_code_is_refused(copy, name):
    settings = json.loads((copy / name).read_text())
    (copy / name).write_text(json.dumps(settings | {"auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(Refused, match="auto_map"):
        language_model.load_causal(copy)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(Refused, match="no model folder .*nowhere"):
        language_model.check_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_config_or_weights_is_refused(copy, name):
    (copy / name).unlink()
    with pytest.raises(Refused, match="no config.json|no weights in safetensors"):
        language_model.check_folder(copy)


def test_a_model_of_an_unknown_kind_is_refused_with_a_sentence(copy):
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(settings | {"model_type": "nonesuch", "architectures": ["Nonesuch"]}))
    with pytest.raises(Refused, match="cannot be loaded"):
        language_model.load_causal(copy)


def test_damaged_weights_are_refused_with_a_sentence(copy):
    (copy / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(Refused, match="cannot be loaded"):
        language_model.load_causal(copy)
