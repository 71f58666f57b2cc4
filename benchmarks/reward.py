"""What the kind `reward` costs and gives, by hand: `python -m benchmarks.reward COMMAND`.

`planted` fits the tiny model of the tests on a preference that follows a rule. `hh FOLDER --base POLICY` fits a reward
model on pairs of HH-RLHF (harmless), read from the folder that PLACKETT_TEST_DATA names. Both print the job's figures.
`rows` times one update with shared rows, with one row an answer, and pair by pair."""

import argparse
import gzip
import hashlib
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from rewards.learning import bradley_terry, packing
from rewards.learning.packing import Batch, Group
from rewards.learning.reward_model import RewardModel
from tests import tiny
from tests.rewards import jobs

HH = "hh_rlhf_harmless_base.dev.jsonl.gz"
TURN = re.compile(r"\n\n(Human|Assistant): ?")
ROLES = {"Human": "user", "Assistant": "assistant"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reward", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("planted", help="fit the tiny model on a rule")
    hh = commands.add_parser("hh", help="fit on HH-RLHF pairs")
    hh.add_argument("folder", type=Path, help="a new job folder")
    hh.add_argument("--base", type=Path, required=True, help="the folder of the policy")
    hh.add_argument("--train", type=int, default=200)
    hh.add_argument("--heldout", type=int, default=100)
    hh.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="another setting of the job")
    commands.add_parser("rows", help="time one update in three ways")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} at the start")
    if options.command == "planted":
        fit_planted()
    elif options.command == "hh":
        fit_hh(options.folder, options.base, options.train, options.heldout, options.set)
    else:
        time_rows()
    print(f"load {os.getloadavg()[0]:.2f} at the end")


def fit_planted() -> None:
    """The job of the test of the same name: 400 prompts, four answers each, ranked by how often one says "x"."""
    train, heldout = jobs.planted(400, seed=1), jobs.planted(100, seed=2)
    settings = {"learning_rate": 3e-3, "prompts_per_step": 8, "epochs": 2}
    with tempfile.TemporaryDirectory() as name:
        fit(jobs.folder(Path(name), train=train, heldout=heldout, **settings))


def fit_hh(folder: Path, base: Path, train: int, heldout: int, settings: list[str]) -> None:
    """Make the job folder, and fit."""
    (folder / "inputs").mkdir(parents=True)
    rows = list(hh_rankings(Path(os.environ["PLACKETT_TEST_DATA"]) / HH, train + heldout))
    for name, part in (("train", rows[:train]), ("heldout", rows[train:])):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / "inputs" / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    chosen = {name: json.loads(value) for name, value in (setting.split("=", 1) for setting in settings)}
    spec = {"kind": "reward", "base": str(base.resolve()), "threads": os.cpu_count(), **chosen}
    (folder / "spec.json").write_text(json.dumps(spec, indent=2))
    fit(folder)


def fit(folder: Path) -> None:
    """Run a job folder as a person would, print its metrics."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "training.learning", str(folder)], check=True)
    metrics = json.loads((folder / "output" / "metrics.json").read_text())
    print(json.dumps({"wall_seconds": round(time.monotonic() - started, 1), **metrics}, indent=2))


def hh_rankings(path: Path, wanted: int) -> Iterator[dict[str, Any]]:
    """The first `wanted` pairs of different conversations, as ranking rows; which answer stands first is drawn."""
    dice = random.Random(0)
    roots: set[str] = set()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            pair = json.loads(line)
            prompt, best = dialogue(pair["chosen"])
            other_prompt, worst = dialogue(pair["rejected"])
            root = hashlib.sha256(prompt[0]["content"].encode()).hexdigest()[:16] if prompt else ""
            if not prompt or prompt != other_prompt or best == worst or root in roots:
                continue
            roots.add(root)
            first = dice.random() < 0.5
            answers, ranks = ([best, worst], [1, 2]) if first else ([worst, best], [2, 1])
            yield {"id": f"hh-{number}", "root": root, "prompt": prompt, "answers": answers, "ranks": ranks}
            if len(roots) == wanted:
                return


def dialogue(text: str) -> tuple[list[dict[str, str]], str]:
    """The messages before the last answer, and that answer, of a string in the form of HH-RLHF."""
    parts = TURN.split(text)[1:]
    messages = [
        {"role": ROLES[who], "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]
    return messages[:-1], messages[-1]["content"]


def time_rows() -> None:
    """CPU seconds of one forward and backward pass over all pairs of one ranking, three ways, the best of three each.

    One thread and its CPU time, not the clock: a busy machine then matters little."""
    torch.set_num_threads(1)
    model = random_reward_model()
    print("| K | P | R | pairs one by one | one row an answer | shared rows | times faster than pairs |")
    print("|---|---|---|---|---|---|---|")
    for answers, prompt, length in ((2, 150, 70), (4, 200, 150), (4, 382, 34)):
        group = random_group(answers, prompt, length)
        ranking = [(i, j, 1.0) for i in range(answers) for j in range(i + 1, answers)]
        pairs, alone, shared = (
            best_of_three(way)
            for way in (
                lambda: pair_by_pair(model, group, ranking),  # noqa: B023
                lambda: together(model, group, ranking, shared=False),  # noqa: B023
                lambda: together(model, group, ranking, shared=True),  # noqa: B023
            )
        )
        figures = f"{pairs:.2f} | {alone:.2f} | {shared:.2f} | {pairs / shared:.1f}"
        print(f"| {answers} | {prompt} | {length} | {figures} |", flush=True)


def random_reward_model() -> RewardModel:
    """Six Llama layers, 256 wide, with random weights: the time does not depend on what they know."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1000,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_labels=1,
        pad_token_id=0,
    )
    return RewardModel(LlamaForSequenceClassification(config), tiny.tokenizer())


def random_group(answers: int, prompt: int, length: int) -> Group:
    dice = random.Random(0)
    return Group(
        dice.choices(range(1, 1000), k=prompt), [dice.choices(range(1, 1000), k=length) for _ in range(answers)]
    )


def pack(group: Group, *, shared: bool) -> Batch:
    return next(packing.batches([group], tokens_per_row=10_000, max_tokens=10_000, shared=shared))


def together(model: RewardModel, group: Group, ranking: list[bradley_terry.Comparison], *, shared: bool) -> None:
    pairs = bradley_terry.pairs([ranking], elements=1)
    bradley_terry.loss(model.rewards(pack(group, shared=shared)), pairs).backward()


def pair_by_pair(model: RewardModel, group: Group, ranking: list[bradley_terry.Comparison]) -> None:
    """Each pair a row of its own, both its texts whole, as trainers do that take pairs."""
    for better, worse, _ in ranking:
        pair = Group(group.prompt, [group.answers[better], group.answers[worse]])
        loss = bradley_terry.loss(
            model.rewards(pack(pair, shared=False)), bradley_terry.pairs([[(0, 1, 1.0)]], elements=1)
        )
        (loss / len(ranking)).backward()


def best_of_three(work: Callable[[], None]) -> float:
    def seconds() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(seconds() for _ in range(3))


if __name__ == "__main__":
    main()
