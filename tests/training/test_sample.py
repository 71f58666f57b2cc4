import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rewards.learning.events import Events, Refused, Stop, Stopped
from rewards.learning.run import Run
from tests import tiny
from training.learning import sample

PROMPTS = [
    {"id": "sea", "prompt": "Tell me of the sea."},
    {"id": 7, "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1"}]},
    {"question_id": "why", "prompt": "Why?", "split": "train"},
]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.causal_lm(tmp_path_factory.mktemp("tiny"))


def make_run(folder: Path, policy: Path, prompts: list[dict] | str = PROMPTS, attempt: int = 1, **settings) -> Run:
    (folder / "inputs").mkdir(exist_ok=True)
    (folder / f"attempt-{attempt}").mkdir(exist_ok=True)
    text = prompts if isinstance(prompts, str) else "".join(json.dumps(row) + "\n" for row in prompts)
    (folder / "inputs" / "prompts.jsonl").write_text(text)
    spec = {"policy": str(policy), "answers": 2, "max_new_tokens": 6, "precision": "float32", "threads": 1, **settings}
    return Run(folder, attempt, spec, Events(folder / f"attempt-{attempt}"), Stop())


def lines(run: Run) -> list[dict]:
    return [json.loads(line) for line in (run.partial / "answers.jsonl").read_text().splitlines()]


def by_key(run: Run) -> dict:
    return {(line["prompt_id"], line["index"]): line for line in lines(run)}


def events(run: Run) -> list[dict]:
    return [json.loads(line) for line in run.events.path.read_text().splitlines()]


def test_every_prompt_gets_its_answers_in_the_public_format(policy, tmp_path):
    run = make_run(tmp_path, policy)
    sample.run(run)
    assert set(by_key(run)) == {(name, index) for name in ("sea", 7, "why") for index in (0, 1)}
    for line in lines(run):
        assert list(line) == ["prompt_id", "index", "text", "token_ids", "logprobs", "finish_reason"]
        assert len(line["token_ids"]) == len(line["logprobs"]) <= 6
        assert line["text"] == tiny.tokenizer().decode(line["token_ids"], skip_special_tokens=True)
    metrics = json.loads((run.partial / "metrics.json").read_text())
    assert metrics["answers"] == 6
    assert metrics["tokens"] == sum(len(line["token_ids"]) for line in lines(run))
    assert json.loads((run.partial / "origin.json").read_text())["spec"]["seed"] == 0


def test_progress_ends_at_the_total_and_tells_the_speed(policy, tmp_path):
    run = make_run(tmp_path, policy)
    sample.run(run)
    last = events(run)[-1]
    assert (last["step"], last["total"]) == (6, 6)
    assert last["metrics"]["tokens_per_second"] > 0


def test_another_seed_gives_other_answers(policy, tmp_path):
    first, second = make_run(tmp_path, policy), make_run(tmp_path, policy, attempt=2, seed=1)
    sample.run(first)
    (first.partial / "answers.jsonl").rename(tmp_path / "first.jsonl")
    sample.run(second)
    ids = [json.loads(line)["token_ids"] for line in (tmp_path / "first.jsonl").read_text().splitlines()]
    assert ids != [line["token_ids"] for line in lines(second)]


def test_a_stopped_job_keeps_what_it_has_and_goes_on_without_repeating(policy, tmp_path):
    whole = make_run(tmp_path, policy, answers=5, batch_size=2, max_new_tokens=20)
    sample.run(whole)
    expected = by_key(whole)
    (whole.partial / "answers.jsonl").unlink()

    first = make_run(tmp_path, policy, attempt=2, answers=5, batch_size=2, max_new_tokens=20)
    _stop_after(first, answers=4)
    with pytest.raises(Stopped):
        sample.run(first)
    kept = lines(first)
    assert 4 <= len(kept) < 15

    second = make_run(tmp_path, policy, attempt=3, answers=5, batch_size=2, max_new_tokens=20)
    sample.run(second)
    said = " ".join(event.get("message", "") for event in events(second))
    assert f"{len(kept)} answers of an earlier attempt are kept, {15 - len(kept)} are still to be drawn." in said
    assert next(event["step"] for event in events(second) if "step" in event) == len(kept)
    assert lines(second)[: len(kept)] == kept
    assert len(lines(second)) == 15
    assert by_key(second) == expected
    assert json.loads((second.partial / "metrics.json").read_text())["kept"] == len(kept)


def _stop_after(run: Run, answers: int) -> None:
    """Raise the flag as somebody would who watches the file grow."""
    file = run.partial / "answers.jsonl"

    class Watching(Stop):
        def check(self) -> None:
            self.requested = file.is_file() and file.read_text().count("\n") >= answers
            super().check()

    object.__setattr__(run, "stop", Watching())


def test_a_torn_last_line_is_drawn_again_and_a_whole_one_is_not(policy, tmp_path):
    first = make_run(tmp_path, policy)
    sample.run(first)
    file = first.partial / "answers.jsonl"
    kept = file.read_text().splitlines(keepends=True)
    torn = json.loads(kept[1])["prompt_id"]
    marked = kept[0].replace('"text": "', '"text": "kept: ', 1)
    file.write_bytes((marked + kept[1][:25]).encode() + b"\xff")
    second = make_run(tmp_path, policy, attempt=2)
    sample.run(second)
    assert len(by_key(second)) == len(lines(second)) == 6
    assert lines(second)[0]["text"].startswith("kept: ")
    assert (torn, json.loads(kept[1])["index"]) in by_key(second)


def test_an_attempt_that_finds_all_answers_loads_no_model(policy, tmp_path):
    first = make_run(tmp_path, policy)
    sample.run(first)
    second = make_run(tmp_path, tmp_path / "gone", attempt=2)
    sample.run(second)
    assert by_key(second) == by_key(first)


def test_an_answer_that_is_no_longer_wanted_is_not_kept(policy, tmp_path):
    sample.run(make_run(tmp_path, policy))
    second = make_run(tmp_path, policy, prompts=PROMPTS[:1], attempt=2, answers=1)
    sample.run(second)
    assert list(by_key(second)) == [("sea", 0)]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ('{"prompt": "x"}\n', "line 1: a prompt needs an id"),
        ('{"id": 1, "prompt": "x"}\n{"id": 1, "prompt": "y"}\n', "line 2: the id 1 is taken"),
        ('{"id": 1, "prompt": [{"role": "assistant", "content": "x"}]}\n', "line 1: prompt must end"),
        ('{"id": 1, "prompt"\n', "line 1: this is not JSON"),
        ("\n", "holds no prompt"),
        ('{"id": 1, "prompt": "' + "long " * 200 + '"}\n', "this model reads 512"),
    ],
)
def test_prompts_that_cannot_be_answered_are_refused_by_line(policy, tmp_path, prompts, message):
    with pytest.raises(Refused, match=message):
        sample.run(make_run(tmp_path, policy, prompts=prompts))


def test_the_summary_takes_its_lines_one_by_one():
    told = [
        ("a", "x", [1, 2], [-1.0, -2.0], "stop"),
        ("a", "x", [1], [-3.0], "length"),
        ("b", "x", [1], [-2.0], "stop"),
    ]
    keys = ("prompt_id", "text", "token_ids", "logprobs", "finish_reason")
    assert sample.summary(dict(zip(keys, line, strict=True)) for line in told) == {
        "answers": 3, "tokens": 4, "mean_tokens": 1.33, "stopped_share": 0.6667, "mean_logprob": -2.0,
        "different_share": 0.6667,
    }  # fmt: skip


def test_a_policy_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refused, match="There is no model folder"):
        sample.run(make_run(tmp_path, tmp_path / "nowhere"))


def _runner(folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "training.learning", str(folder)], stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_killed_runner_leaves_whole_answers_and_the_next_one_draws_the_rest(policy, tmp_path):
    settings = {"answers": 150, "max_new_tokens": 60, "batch_size": 16}
    whole = make_run(tmp_path, policy, **settings)
    sample.run(whole)
    expected = {key: line["token_ids"] for key, line in by_key(whole).items()}
    (tmp_path / "attempt-1" / "output.partial" / "answers.jsonl").unlink()
    (tmp_path / "spec.json").write_text(json.dumps({"kind": "sample", **whole.spec}))

    growing = tmp_path / "attempt-2" / "output.partial" / "answers.jsonl"
    first = _runner(tmp_path)
    while not growing.is_file() or growing.stat().st_size < 20_000:
        assert first.poll() is None, "the runner was done before it could be killed"
        time.sleep(0.01)
    first.kill()
    first.wait()
    kept = list(sample.whole_lines(growing))
    assert _runner(tmp_path).wait() == 0

    text = (tmp_path / "output" / "answers.jsonl").read_text()
    after = [json.loads(line) for line in text.splitlines()]
    assert after[: len(kept)] == kept
    assert len(after) == 450
    assert {(line["prompt_id"], line["index"]): line["token_ids"] for line in after} == expected
