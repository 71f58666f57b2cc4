from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode
from transformers import GPT2Config, GPTNeoXConfig, MistralConfig, OPTConfig, Qwen2Config, Qwen3Config

from rewards.learning import language_model
from rewards.learning.events import Refused, Stop, Stopped
from tests import tiny
from training.learning import slots
from training.learning.rollout import (
    Answer,
    Batch,
    Drawing,
    Question,
    draw,
    nucleus,
    race,
    stream,
    token_logits,
    uniform,
)

WORDS = tiny.tokenizer()
PAD = WORDS.pad_token_id
ENDS = frozenset(range(30))  # many tokens end an answer here, so that lengths differ
HOW = Drawing(seed=0, max_new_tokens=12, temperature=1.0, top_p=1.0, rows=4, ends=ENDS, forbidden=(PAD,))
QUESTIONS = [
    Question(name, language_model.encode_prompt(WORDS, [{"role": "user", "content": text}]), range(3))
    for name, text in (("a", "Why?"), ("b", "Tell me of the sea."), (7, "1 + 1"), ("d", "Say it in one word, please!"))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.causal_lm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(folder):
    return language_model.load_causal(folder)[0]


def answers(model, questions=QUESTIONS, **changes) -> dict[tuple[str | int, int], Answer]:
    drawn = Batch(model, questions, HOW._replace(**changes)).answers(Stop())
    return {(answer.prompt_id, answer.index): answer for answer in drawn}


def tokens(drawn: dict[tuple[str | int, int], Answer]) -> dict[tuple[str | int, int], list[int]]:
    return {key: answer.tokens for key, answer in drawn.items()}


def scored(model, question: Question, answer: Answer, temperature: float = 1.0) -> list[float]:
    """The log-probabilities of an answer's tokens by one plain pass, no cache, no batch."""
    with torch.inference_mode():
        logits = model(torch.tensor([question.tokens + answer.tokens])).logits[0, len(question.tokens) - 1 : -1]
    logprobs = token_logits(logits, temperature=temperature, forbidden=(PAD,)).log_softmax(-1)
    return logprobs.gather(-1, torch.tensor(answer.tokens)[:, None])[:, 0].tolist()


def chi_square_fits(counts: np.ndarray, probabilities: np.ndarray) -> bool:
    """Pearson's test, cells under 5 expected joined; true for 9999 of 10000 honest samplers (Wilson and Hilferty)."""
    expected = probabilities * counts.sum()
    big = expected >= 5
    observed, wanted = np.append(counts[big], counts[~big].sum()), np.append(expected[big], expected[~big].sum())
    observed, wanted = observed[wanted > 0], wanted[wanted > 0]
    degrees = len(wanted) - 1
    limit = degrees * (1 - 2 / (9 * degrees) + 3.719 * (2 / (9 * degrees)) ** 0.5) ** 3
    return ((observed - wanted) ** 2 / wanted).sum() < limit


def test_an_answers_stream_depends_on_its_name_alone_and_on_no_machine():
    assert stream(0, "a", 0, 3).tolist() == stream(0, "a", 0, 9).tolist()[:3]
    assert len({stream(*name, 1)[0] for name in ((0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1))}) == 4
    assert stream(0, "a", 0, 2).tolist() == [1447339417900316937, 3275160210097387785]


def test_the_numbers_of_a_key_are_those_of_splitmix64():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]  # the seed 1234567
    numbers = uniform(torch.full((3,), 1234567), torch.arange(3))
    assert numbers.tolist() == [((number >> 16) + 0.5) * 2.0**-48 for number in published]


def test_uniform_numbers_fill_the_unit_interval_evenly_along_a_stream_and_along_a_key():
    along_the_stream = uniform(torch.from_numpy(stream(3, "p", 1, 20_000)), torch.tensor(7))
    along_the_key = uniform(torch.tensor(-5), torch.arange(20_000))
    for numbers in (along_the_stream, along_the_key):
        counts = np.histogram(numbers.numpy(), bins=20, range=(0, 1))[0]
        assert chi_square_fits(counts, np.full(20, 0.05))


def test_a_race_is_won_in_proportion_by_the_likely_and_by_the_unlikely():
    unlikely = torch.linspace(0.1, 1, 2000).softmax(-1)  # each below 1/1024, half of all together
    probabilities = torch.cat([torch.tensor([0.3, 0.0, 0.2]), unlikely / 2])
    keys = torch.from_numpy(stream(0, "race", 0, 20_000))
    won = torch.cat([race(probabilities.expand(1000, -1), some) for some in keys.split(1000)])
    assert chi_square_fits(np.bincount(won, minlength=2003), probabilities.double().numpy())
    assert 1 not in won


def test_rounding_seldom_decides_a_race_though_it_often_decides_an_inverted_distribution():
    torch.manual_seed(0)
    logits = torch.randn(2000, 5000) * 4
    before, after = logits.softmax(-1), (logits + torch.randn_like(logits) * 1e-3).softmax(-1)
    keys = torch.from_numpy(stream(1, "race", 0, 2000))
    numbers = uniform(keys, torch.tensor(0))[:, None]
    inverted = [torch.searchsorted(some.cumsum(-1, dtype=torch.float64), numbers) for some in (before, after)]
    assert (inverted[0] != inverted[1]).sum() > 40
    assert (race(before, keys) != race(after, keys)).sum() < 15


def test_forbidden_tokens_never_win_and_log_probabilities_leave_them_out():
    logits = token_logits(torch.tensor([[9.0, 0.0, 0.0, 9.0]]).expand(500, -1), temperature=1.0, forbidden=(0, 3))
    drawn, logprobs = draw(logits, torch.from_numpy(stream(0, "f", 0, 500)), temperature=1.0)
    assert set(drawn.tolist()) == {1, 2}
    assert logprobs.exp().tolist() == pytest.approx([0.5] * 500)


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(Refused, match="weights are damaged"):
        draw(torch.tensor([[0.0, torch.nan]]), torch.tensor([5]), temperature=1.0)


def test_the_nucleus_is_the_fewest_likely_tokens_that_reach_top_p():
    probabilities = torch.tensor([[0.15, 0.5, 0.05, 0.3]])
    assert nucleus(probabilities, 0.6).tolist()[0] == pytest.approx([0, 0.5, 0, 0.3])
    assert nucleus(probabilities, 0.4).tolist()[0] == pytest.approx([0, 0.5, 0, 0])
    assert nucleus(torch.full((1, 4), 0.25), 0.3).tolist() == [[0.25] * 4]  # ties stand or fall together


@given(st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=40), st.floats(0.05, 0.99))
def test_the_nucleus_is_what_sorting_all_tokens_gives(logits: list[float], top_p: float):
    probabilities = torch.tensor([logits]).softmax(-1)
    ordered = probabilities[0].double().sort(descending=True).values
    last = ordered[int((ordered.cumsum(0) < top_p).sum())]
    assert torch.equal(nucleus(probabilities, top_p) > 0, probabilities.double() >= last)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.8)])
def test_first_tokens_come_as_often_as_the_model_says(model, temperature: float, top_p: float):
    question = QUESTIONS[0]._replace(indices=range(6000))
    drawn = answers(model, [question], max_new_tokens=1, temperature=temperature, top_p=top_p)
    with torch.inference_mode():
        logits = model(torch.tensor([question.tokens])).logits[0, -1:]
    exact = token_logits(logits, temperature=temperature, forbidden=(PAD,)).softmax(-1)
    exact = nucleus(exact, top_p)[0].double().numpy()
    counts = np.bincount([answer.tokens[0] for answer in drawn.values()], minlength=len(exact))
    assert chi_square_fits(counts, exact / exact.sum())
    assert not chi_square_fits(counts, np.roll(exact / exact.sum(), 1))  # and the test can tell


def test_second_tokens_come_as_often_as_the_model_says_after_the_first(model):
    question = QUESTIONS[1]._replace(indices=range(6000))
    drawn = answers(model, [question], max_new_tokens=2, temperature=0.5, rows=512).values()
    first, _ = Counter(answer.tokens[0] for answer in drawn if len(answer.tokens) == 2).most_common(1)[0]
    with torch.inference_mode():
        logits = model(torch.tensor([[*question.tokens, first]])).logits[0, -1:]
    exact = token_logits(logits, temperature=0.5, forbidden=(PAD,)).softmax(-1)[0].double().numpy()
    seconds = [answer.tokens[1] for answer in drawn if answer.tokens[0] == first and len(answer.tokens) == 2]
    assert len(seconds) > 300
    assert chi_square_fits(np.bincount(seconds, minlength=len(exact)), exact)


@pytest.mark.parametrize("rows", [1, 2, 5, 64])
def test_in_float32_the_batch_size_changes_no_answer(model, rows: int):
    assert tokens(answers(model, rows=rows)) == tokens(answers(model))


def test_neither_the_order_nor_the_company_of_the_prompts_changes_an_answer(model):
    alone = {key: ids for one in QUESTIONS for key, ids in tokens(answers(model, [one])).items()}
    assert tokens(answers(model, QUESTIONS[::-1])) == tokens(answers(model)) == alone


def test_an_answer_drawn_later_is_the_one_that_would_have_been_drawn(model):
    late = answers(model, [QUESTIONS[1]._replace(indices=[2])])
    assert tokens(late) == {("b", 2): answers(model)["b", 2].tokens}


def test_in_bfloat16_a_run_repeats_itself(folder):
    half, _ = language_model.load_causal(folder, dtype=torch.bfloat16)
    assert tokens(answers(half)) == tokens(answers(half))


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_log_probabilities_are_those_of_one_plain_pass(model, temperature: float):
    drawn = answers(model, temperature=temperature, top_p=0.9)
    for question in QUESTIONS:
        for index in question.indices:
            answer = drawn[question.prompt_id, index]
            assert answer.logprobs == pytest.approx(scored(model, question, answer, temperature), abs=1e-5)


def test_temperature_0_takes_the_likeliest_token_as_transformers_does(model):
    drawn = answers(model, temperature=0.0, ends=frozenset())
    ids = torch.tensor([QUESTIONS[1].tokens])
    greedy = model.generate(ids, do_sample=False, max_new_tokens=12, eos_token_id=None, suppress_tokens=[PAD])
    assert [drawn["b", index].tokens for index in range(3)] == [greedy[0, ids.shape[1] :].tolist()] * 3
    assert drawn["b", 0].logprobs == pytest.approx(scored(model, QUESTIONS[1], drawn["b", 0]), abs=1e-5)


def test_an_answer_ends_with_its_end_token_or_at_its_limit(model):
    drawn = answers(model).values()
    assert {answer.finish_reason for answer in drawn} == {"stop", "length"}
    for answer in drawn:
        assert (answer.tokens[-1] in ENDS) == (answer.finish_reason == "stop")
        assert not ENDS.intersection(answer.tokens[:-1])
        assert len(answer.tokens) == 12 or answer.finish_reason == "stop"


def test_the_pad_token_is_never_drawn_even_where_it_is_likeliest(model):
    before = model.lm_head.weight.data.clone()
    with torch.inference_mode():
        hidden = model.model(torch.tensor([QUESTIONS[0].tokens])).last_hidden_state[0, -1]
    try:
        model.lm_head.weight.data[PAD] = hidden.clone() * 10
        likeliest = model(torch.tensor([QUESTIONS[0].tokens])).logits[0, -1].argmax()
        drawn = answers(model, [QUESTIONS[0]._replace(indices=range(50))])
    finally:
        model.lm_head.weight.data.copy_(before)
    assert likeliest == PAD
    assert all(PAD not in answer.tokens for answer in drawn.values())


def test_long_prompts_lower_the_number_of_rows(model, monkeypatch):
    monkeypatch.setattr("training.learning.rollout.CACHE_TOKENS", 100)
    batch = Batch(model, QUESTIONS, HOW)
    assert (batch.slots.capacity, batch.slots.rows) == (len(QUESTIONS[3].tokens) + 12, 2)
    assert tokens({(one.prompt_id, one.index): one for one in batch.answers(Stop())}) == tokens(answers(model))


class MostRows(TorchFunctionMode):
    """The most rows of any tensor over the vocabulary."""

    seen = 0

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        if isinstance(result, torch.Tensor) and result.ndim == 2 and result.shape[1] == len(WORDS):
            self.seen = max(self.seen, len(result))
        return result


def test_many_answers_of_one_prompt_draw_their_first_token_a_batch_at_a_time(model):
    many = [QUESTIONS[0]._replace(indices=range(50))]
    with MostRows() as most:
        drawn = answers(model, many)
    assert most.seen == HOW.rows
    assert tokens(drawn) == tokens(answers(model, many, rows=50))


def test_a_stop_is_heeded_at_the_next_token(model):
    stop = Stop()
    drawing = Batch(model, QUESTIONS, HOW).answers(stop)
    whole = next(drawing)
    stop.requested = True
    with pytest.raises(Stopped):
        for answer in drawing:
            whole = answer
    assert whole.finish_reason


@pytest.mark.parametrize(
    "architecture",
    [
        GPT2Config(vocab_size=261, n_embd=32, n_layer=2, n_head=4, n_positions=512),
        GPTNeoXConfig(vocab_size=261, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4),
        OPTConfig(
            vocab_size=261,
            hidden_size=32,
            ffn_dim=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            word_embed_proj_dim=32,
        ),
        Qwen2Config(**tiny.config().to_dict() | {"model_type": "qwen2"}),
        Qwen3Config(**tiny.config().to_dict() | {"model_type": "qwen3", "head_dim": 8}),
    ],
    ids=lambda architecture: architecture.model_type,
)
def test_other_architectures_answer_as_one_plain_pass_says(architecture, tmp_path):
    other, _ = language_model.load_causal(tiny.causal_lm(tmp_path / "other", architecture=architecture))
    slots.check(other, QUESTIONS[1].tokens, 40)
    for answer in (drawn := answers(other, QUESTIONS[:2])).values():
        question = QUESTIONS[0] if answer.prompt_id == "a" else QUESTIONS[1]
        assert answer.logprobs == pytest.approx(scored(other, question, answer), abs=1e-4)
    assert len(drawn) == 6


def test_a_model_that_forgets_the_beginning_is_refused_once_a_text_is_longer_than_its_window(tmp_path):
    settings = tiny.config().to_dict() | {"model_type": "mistral", "sliding_window": 64}
    mistral, _ = language_model.load_causal(tiny.causal_lm(tmp_path / "m", architecture=MistralConfig(**settings)))
    slots.check(mistral, QUESTIONS[1].tokens, 64)
    with pytest.raises(Refused, match="only the last 64 tokens"):
        slots.check(mistral, QUESTIONS[1].tokens, 65)


def test_a_text_longer_than_the_model_reads_is_refused(model):
    with pytest.raises(Refused, match="600 tokens, but this model reads 512"):
        slots.check(model, QUESTIONS[1].tokens, 600)


def test_a_wrong_mask_would_be_noticed(model, monkeypatch):
    monkeypatch.setattr(slots.Slots, "update", _forgetful(slots.Slots.update))
    with pytest.raises(Refused, match="answers differently"):
        slots.check(model, QUESTIONS[1].tokens, 100)


def _forgetful(update):
    def forget(self, *states):
        keys, values = update(self, *states)
        return keys * 0, values

    return forget
