"""The kind `sample`: draw several answers a prompt from a policy, and write each down as soon as it is whole."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rewards.learning import language_model, rankings
from rewards.learning.events import Refused
from rewards.learning.run import Run
from rewards.model_folder import sync
from training.learning import slots
from training.learning.rollout import Answer, Batch, Drawing, Question
from training.specs import DrawSpec, SampleSpec

REPORT_EVERY = 1.0  # seconds between two progress events

PromptId = str | int
Messages = list[dict[str, str]]
Line = dict[str, Any]


class Drawn(NamedTuple):
    """What an attempt had to draw no more, and what it drew."""

    kept: int
    """Lines that an earlier attempt had written."""
    tokens: int
    """Tokens drawn by this attempt."""
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Of this attempt; 0 where it drew nothing."""
        return self.tokens / self.seconds if self.seconds else 0.0


def run(run: Run) -> None:
    """Answer `inputs/prompts.jsonl` into `output/answers.jsonl`, a line an answer, in the order in which they end."""
    spec = SampleSpec.from_json(run.spec)
    prompts = read_prompts(run)
    file = run.partial / "answers.jsonl"
    earlier = [folder / file.name for folder in run.earlier_partials()]
    drawn = draw_answers(run, spec, prompts, spec.answers, file, earlier)
    run.write_json("metrics.json", {"prompts": len(prompts), **summary(whole_lines(file)), **speed(drawn)})
    run.write_origin(spec.to_json())


def read_prompts(run: Run) -> dict[PromptId, Messages]:
    """The prompts by id. Raises Refused, naming the line, for one without an id, or with the id of another."""
    prompts: dict[PromptId, Messages] = {}
    for place, row in run.rows("prompts.jsonl"):
        name = row.get("id", row.get("question_id"))
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise Refused(
                f"{place}: a prompt needs an id, a text or a whole number, which its answers are filed under."
            )
        if name in prompts:
            raise Refused(f"{place}: the id {name!r} is taken by an earlier line: each prompt needs its own.")
        prompts[name] = rankings.check_prompt(row, place)
    if not prompts:
        raise Refused("inputs/prompts.jsonl holds no prompt: there is nothing to answer.")
    return prompts


def draw_answers(
    run: Run,
    spec: DrawSpec,
    prompts: dict[PromptId, Messages],
    count: int,
    file: Path,
    earlier: Iterable[Path],
    *,
    then: int = 0,
) -> Drawn:
    """Bring `file` to `count` answers a prompt: whole lines of earlier attempts first, then what is missing.

    An answer is a step of the job, and `then` more follow. Raises Stopped where somebody asked for it; every line
    written until then is whole."""
    torch.set_num_threads(spec.threads)
    wanted = {(name, index) for name in prompts for index in range(count)}
    had = keep(file, earlier, wanted)
    if had:
        more = len(wanted) - len(had)
        run.events.message(f"{len(had)} answers of an earlier attempt are kept, {more} are still to be drawn.")
    if had == wanted:
        run.events.step(len(had), len(wanted) + then)
        return Drawn(len(had), 0, 0.0)
    run.events.phase("Loading the policy")
    model, tokenizer = load_policy(spec)
    missing = {name: [index for index in range(count) if (name, index) not in had] for name in prompts}
    questions = [
        Question(name, language_model.encode_prompt(tokenizer, prompts[name]), indices)
        for name, indices in missing.items()
        if indices
    ]
    longest = max(questions, key=lambda question: len(question.tokens)).tokens
    slots.check(model, longest, len(longest) + spec.max_new_tokens)
    batch = Batch(model, questions, drawing(spec, model, tokenizer))
    run.events.step(len(had), len(wanted) + then)
    run.events.phase("Drawing")
    with file.open("a", encoding="utf-8") as lines:
        tokens, seconds = _write(run, batch.answers(run.stop), tokenizer, lines, len(had), len(wanted), then)
    sync(file)
    return Drawn(len(had), tokens, seconds)


def load_policy(spec: DrawSpec) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The policy in the spec's precision, on the device. Raises Refused where the folder holds no usable model."""
    model, tokenizer = language_model.load_causal(spec.policy, dtype=language_model.DTYPES[spec.precision])
    model.to(language_model.device())  # type: ignore[arg-type]
    return model, tokenizer


def drawing(spec: DrawSpec, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Drawing:
    """The spec as the sampler reads it. Forbidden are the pad token and rows of the vocabulary without a token."""
    rows = len(cast(nn.Embedding, model.get_input_embeddings()).weight)
    return Drawing(
        seed=spec.seed,
        max_new_tokens=spec.max_new_tokens,
        temperature=spec.temperature,
        top_p=spec.top_p,
        rows=spec.batch_size,
        ends=frozenset(language_model.end_token_ids(tokenizer, model)),
        forbidden=(tokenizer.pad_token_id, *range(len(tokenizer), rows)),
    )


def keep(file: Path, earlier: Iterable[Path], wanted: set[tuple[PromptId, int]]) -> set[tuple[PromptId, int]]:
    """Start `file` with the wanted answers of earlier attempts, the newest first, each once; which ones those are."""
    kept: set[tuple[PromptId, int]] = set()
    draft = file.with_name(f".{file.name}")
    with draft.open("w", encoding="utf-8") as lines:
        for path in (file, *earlier):
            for line in whole_lines(path):
                key = (line["prompt_id"], line["index"])
                if key in wanted and key not in kept:
                    kept.add(key)
                    _append(lines, line)
    draft.rename(file)
    return kept


def whole_lines(path: Path) -> Iterator[Line]:
    """The lines of a file of answers. A crash may have torn the last one, which then has no end and is passed over."""
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def line_of(answer: Answer, tokenizer: PreTrainedTokenizerBase) -> Line:
    """The public format. The ids are the truth: a text encoded again may give others."""
    return {
        "prompt_id": answer.prompt_id,
        "index": answer.index,
        "text": tokenizer.decode(answer.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False),
        "token_ids": answer.tokens,
        "logprobs": [round(logprob, 6) for logprob in answer.logprobs],
        "finish_reason": answer.finish_reason,
    }


def summary(lines: Iterable[Line]) -> dict[str, float]:
    """What a researcher wants to know of a file of answers at a glance. Of each line no more than a hash is kept."""
    answers, tokens, stopped, logprob = 0, 0, 0, 0.0
    different: set[int] = set()
    for line in lines:
        answers += 1
        tokens += len(line["token_ids"])
        stopped += line["finish_reason"] == "stop"
        logprob += sum(line["logprobs"])
        different.add(hash((line["prompt_id"], line["text"])))
    return {
        "answers": answers,
        "tokens": tokens,
        "mean_tokens": round(tokens / answers, 2),
        "stopped_share": round(stopped / answers, 4),
        "mean_logprob": round(logprob / tokens, 4),
        "different_share": round(len(different) / answers, 4),
    }


def speed(drawn: Drawn) -> dict[str, float]:
    """How this attempt went, without the loading of the model."""
    return {
        "kept": drawn.kept,
        "sample_seconds": round(drawn.seconds, 3),
        "tokens_per_second": round(drawn.tokens_per_second, 1),
    }


def _write(
    run: Run,
    answers: Iterator[Answer],
    tokenizer: PreTrainedTokenizerBase,
    lines: IO[str],
    had: int,
    wanted: int,
    then: int,
) -> tuple[int, float]:
    """Write answers as they come and tell of it about once a second; tokens drawn and seconds taken."""
    started = told = time.monotonic()
    tokens = 0
    for done, answer in enumerate(answers, start=had + 1):
        _append(lines, line_of(answer, tokenizer))
        tokens += len(answer.tokens)
        now = time.monotonic()
        if done == wanted or now - told >= REPORT_EVERY:
            run.events.step(done, wanted + then, tokens_per_second=tokens / (now - started))
            told = now
    return tokens, time.monotonic() - started


def _append(lines: IO[str], line: Line) -> None:
    lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    lines.flush()
