"""How fast the kind `sample` is, and what the batch size changes, by hand: `python -m benchmarks.sample COMMAND`.

`speed --policy FOLDER` runs real sample jobs in turn with transformers' `generate(num_return_sequences=K)` on the same
prompts, in the same precision and at the same temperature, and counts for both the tokens up to an answer's end.
`sizes --policy FOLDER` draws the same answers at several batch sizes and tells how many differ. The prompts are the
first of OpenAssistant's, read from the folder that PLACKETT_TEST_DATA names."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch

from rewards.learning import language_model
from rewards.learning.events import Stop
from training.learning import sample
from training.learning.rollout import Batch, Question
from training.specs import SampleSpec

PROMPTS = "prompts_id_oasst.dev.jsonl"
ANSWERS = 4
TEMPERATURE = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sample", description=__doc__)
    parser.add_argument("command", choices=("speed", "sizes"))
    parser.add_argument("--policy", type=Path, required=True, help="the folder of the policy")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128, help="tokens of the longest answer")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of `speed`, each both ways")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 32, 16], help="batch sizes of `sizes`")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} at the start, {options.precision}"
    )
    if options.command == "speed":
        speed(options)
    else:
        sizes(options)
    print(f"load {os.getloadavg()[0]:.2f} at the end")


def rows(count: int) -> list[dict[str, Any]]:
    with (Path(os.environ["PLACKETT_TEST_DATA"]) / PROMPTS).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, count)]


def speed(options: argparse.Namespace) -> None:
    """Both ways in turn, the order changed each round, so that a busy machine slows both alike."""
    rival = Rival(options)
    print("| round | sample job, tokens/s | generate, tokens/s | ratio | tokens of the job, of generate |")
    print("|---|---|---|---|---|")
    ratios = []
    for number in range(1, options.repeats + 1):
        results = {}
        for way in (job, rival.answer) if number % 2 else (rival.answer, job):
            results[way] = way(options, seed=number)
        (ours, tokens), (theirs, their_tokens) = results[job], results[rival.answer]
        ratios.append(ours / theirs)
        print(f"| {number} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} | {tokens}, {their_tokens} |", flush=True)
    print(f"median ratio {median(ratios):.2f}, least {min(ratios):.2f}")


def job(options: argparse.Namespace, seed: int) -> tuple[float, int]:
    """Tokens a second and tokens of a sample job, run as a person would."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inputs").mkdir()
        lines = (json.dumps(row) + "\n" for row in rows(options.prompts))
        (folder / "inputs" / "prompts.jsonl").write_text("".join(lines), encoding="utf-8")
        spec = settings(options, seed=seed).to_json()
        (folder / "spec.json").write_text(json.dumps({"kind": "sample", **spec}))
        command = [sys.executable, "-m", "training.learning", str(folder)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        metrics = json.loads((folder / "output" / "metrics.json").read_text())
    return metrics["tokens_per_second"], metrics["tokens"]


class Rival:
    """Plain batched transformers: one call, all answers, prompts padded on the left."""

    def __init__(self, options: argparse.Namespace) -> None:
        dtype = language_model.DTYPES[options.precision]
        self.model, self.tokenizer = language_model.load_causal(options.policy, dtype=dtype)
        self.ends = language_model.end_token_ids(self.tokenizer, self.model)
        prompts = [
            language_model.encode_prompt(self.tokenizer, [{"role": "user", "content": row["prompt"]}])
            for row in rows(options.prompts)
        ]
        self.inputs = self.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")

    def answer(self, options: argparse.Namespace, seed: int) -> tuple[float, int]:
        torch.manual_seed(seed)
        started = time.monotonic()
        with torch.inference_mode():
            drawn = self.model.generate(
                **self.inputs,
                do_sample=True,
                num_return_sequences=ANSWERS,
                max_new_tokens=options.tokens,
                temperature=TEMPERATURE,
                top_k=0,
                top_p=1.0,
                eos_token_id=sorted(self.ends),
            )
        seconds = time.monotonic() - started
        tokens = sum(self._length(row) for row in drawn[:, self.inputs["input_ids"].shape[1] :].tolist())
        return tokens / seconds, tokens

    def _length(self, row: list[int]) -> int:
        """Tokens up to the end token; what follows it is padding."""
        return next((place for place, token in enumerate(row, start=1) if token in self.ends), len(row))


def settings(options: argparse.Namespace, **changes: Any) -> SampleSpec:
    return SampleSpec(
        policy=str(options.policy.resolve()),
        answers=ANSWERS,
        max_new_tokens=options.tokens,
        temperature=TEMPERATURE,
        precision=options.precision,
        threads=os.cpu_count() or 1,
        **changes,
    )


def sizes(options: argparse.Namespace) -> None:
    """The first size twice, to show that it repeats itself; then each other size against it."""
    model, tokenizer = sample.load_policy(settings(options))
    questions = [
        Question(
            row["id"], language_model.encode_prompt(tokenizer, [{"role": "user", "content": row["prompt"]}]), range(4)
        )
        for row in rows(options.prompts)
    ]
    print("| batch size | answers that differ from those at the first | tokens before they part, median | tokens/s |")
    print("|---|---|---|---|")
    first: dict[tuple[str | int, int], list[int]] = {}
    for size in (options.sizes[0], *options.sizes):
        drawing = sample.drawing(settings(options, batch_size=size), model, tokenizer)
        started = time.monotonic()
        drawn = {(one.prompt_id, one.index): one.tokens for one in Batch(model, questions, drawing).answers(Stop())}
        seconds = time.monotonic() - started
        first = first or drawn
        parted = [common(first[key], tokens) for key, tokens in drawn.items() if tokens != first[key]]
        share = f"{len(parted)} of {len(drawn)} ({len(parted) / len(drawn):.0%})"
        total = sum(map(len, drawn.values()))
        print(f"| {size} | {share} | {median(parted) if parted else '-'} | {total / seconds:.0f} |", flush=True)


def common(one: list[int], other: list[int]) -> int:
    """How many tokens two answers share at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (mine, yours) in enumerate(pairs) if mine != yours), min(len(one), len(other)))


if __name__ == "__main__":
    main()
