"""Job folders of the kind `reward`, with a tiny policy and rankings that follow a rule."""

import json
import random
from pathlib import Path

from rewards.learning.events import Events, Stop
from rewards.learning.run import Run
from tests import tiny

LETTERS = "abcdefgh "


def planted(prompts: int, *, seed: int, answers: int = 4) -> list[dict]:
    """Rankings by a rule: the more often an answer says "x", the better; as often is a tie."""
    dice = random.Random(seed)
    rows = []
    for number in range(prompts):
        question = "".join(dice.choices(LETTERS, k=8))
        texts = [
            "".join(dice.choices(LETTERS + dice.choice(["", "xxx"]), k=dice.randint(6, 14))) for _ in range(answers)
        ]
        ranks = [1 + sum(other.count("x") > text.count("x") for other in texts) for text in texts]
        row = {"id": f"{seed}-{number}", "root": f"{seed}-{number}", "labeler": "rule"}
        rows.append(row | {"prompt": [{"role": "user", "content": question}], "answers": texts, "ranks": ranks})
    return rows


def folder(path: Path, *, train: list[dict] | None = None, heldout: list[dict] | None = None, **settings) -> Path:
    """A job folder that is ready to run: 24 prompts to learn from, 8 held out, small steps."""
    base = tiny.causal_lm(path / "base")
    write(path, "train", planted(24, seed=1) if train is None else train)
    write(path, "heldout", planted(8, seed=2) if heldout is None else heldout)
    spec = {"kind": "reward", "base": str(base), "threads": 1, "prompts_per_step": 4, "learning_rate": 1e-3}
    spec |= {"precision": "float32"}
    (path / "spec.json").write_text(json.dumps(spec | settings))
    return path


def write(path: Path, name: str, rows: list[dict]) -> None:
    (path / "inputs").mkdir(exist_ok=True)
    (path / "inputs" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def attempt(path: Path, number: int = 1, *, stop: Stop | None = None) -> Run:
    """The next attempt at a job folder, as the runner would hand it to the kind."""
    spec = json.loads((path / "spec.json").read_text())
    spec.pop("kind")
    home = path / f"attempt-{number}"
    home.mkdir()
    return Run(folder=path, attempt=number, spec=spec, events=Events(home), stop=stop or Stop())


def events(path: Path, number: int = 1) -> list[dict]:
    return [json.loads(line) for line in (path / f"attempt-{number}" / "events.jsonl").read_text().splitlines()]


def messages(path: Path, number: int = 1) -> str:
    return " ".join(event.get("message", "") for event in events(path, number))
