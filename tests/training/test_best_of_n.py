import json
import tracemalloc
from pathlib import Path
from statistics import fmean

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from rewards.learning import language_model, score
from rewards.learning.events import Events, Stop, Stopped
from rewards.learning.run import Run
from rewards.learning.score import Scorer
from tests import tiny
from training.learning import best_of_n, sample

PROMPTS = [{"id": "sea", "prompt": "Tell me of the sea."}, {"id": "sum", "prompt": "1 + 1"}]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.causal_lm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def judge(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model with a random head: it has tastes, if odd ones."""
    folder = tmp_path_factory.mktemp("judge")
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(policy, num_labels=1)
    words = language_model.load_tokenizer(policy)
    model.config.pad_token_id = words.pad_token_id
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / "reward.json").write_text('{"offset": 0.0}')
    return folder


def make_run(folder: Path, policy: Path, judge: Path, attempt: int = 1, **settings) -> Run:
    (folder / "inputs").mkdir(exist_ok=True)
    (folder / f"attempt-{attempt}").mkdir()
    (folder / "inputs" / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    spec = {"n": 5, "max_new_tokens": 6, "precision": "float32", "threads": 1} | settings
    spec |= {"policy": str(policy), "reward_model": str(judge)}
    return Run(folder, attempt, spec, Events(folder / f"attempt-{attempt}"), Stop())


def lines(run: Run, name: str) -> list[dict]:
    return [json.loads(line) for line in (run.partial / name).read_text().splitlines()]


def test_the_winner_of_each_prompt_is_the_best_of_its_pool(policy, judge, tmp_path):
    run = make_run(tmp_path, policy, judge)
    best_of_n.run(run)
    pool, winners = lines(run, "pool.jsonl"), lines(run, "answers.jsonl")
    assert [(line["prompt_id"], line["index"]) for line in pool] == [(p, i) for p in ("sea", "sum") for i in range(5)]
    assert len({line["score"] for line in pool}) > 5
    for name, winner in zip(("sea", "sum"), winners, strict=True):
        mine = [line for line in pool if line["prompt_id"] == name]
        assert winner == max(mine, key=lambda line: line["score"])


def test_the_pool_is_what_a_sample_job_draws_and_a_score_job_scores(policy, judge, tmp_path):
    run = make_run(tmp_path, policy, judge)
    best_of_n.run(run)
    pool = lines(run, "pool.jsonl")
    (tmp_path / "sample" / "inputs").mkdir(parents=True)
    (tmp_path / "sample" / "attempt-1").mkdir()
    (tmp_path / "sample" / "inputs" / "prompts.jsonl").write_bytes((tmp_path / "inputs/prompts.jsonl").read_bytes())
    spec = {name: value for name, value in run.spec.items() if name not in ("n", "reward_model")} | {"answers": 5}
    plain = Run(tmp_path / "sample", 1, spec, Events(tmp_path / "sample/attempt-1"), Stop())
    sample.run(plain)
    drawn = {(line["prompt_id"], line["index"]): line for line in lines(plain, "answers.jsonl")}
    assert all(drawn[line["prompt_id"], line["index"]].items() <= line.items() for line in pool)
    asked = [([{"role": "user", "content": "Tell me of the sea."}], [line["text"] for line in pool[:5]])]
    assert [line["score"] for line in pool[:5]] == pytest.approx(Scorer.load(judge).score(asked)[0], abs=1e-5)


def test_the_metrics_tell_the_gain_the_curve_and_the_bound(policy, judge, tmp_path):
    run = make_run(tmp_path, policy, judge)
    best_of_n.run(run)
    told = json.loads((run.partial / "metrics.json").read_text())
    pool = lines(run, "pool.jsonl")
    assert told["winner_score"] == pytest.approx(fmean(line["score"] for line in lines(run, "answers.jsonl")))
    assert told["pool_score"] == pytest.approx(fmean(line["score"] for line in pool)) == told["best_of"][0]
    assert told["best_of"][4] == pytest.approx(told["winner_score"])
    assert told["best_of"] == sorted(told["best_of"])
    assert told["kl_bound"] == pytest.approx(0.8094, abs=1e-4)  # log 5 - 4/5


def test_pools_come_one_by_one_however_the_answers_lie_in_the_file(tmp_path):
    drawn = [{"prompt_id": name, "index": i, "logprobs": [-0.5] * 2000} for i in (1, 0) for name in range(100)]
    file = tmp_path / "drawn.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in drawn))
    tracemalloc.start()
    try:
        order = [[(line["prompt_id"], line["index"]) for line in pool] for pool in best_of_n.pools_of(file, range(100))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert order == [[(name, 0), (name, 1)] for name in range(100)]
    assert peak < file.stat().st_size / 4


def test_of_equal_scores_the_first_drawn_wins():
    pool = [{"index": index, "score": score} for index, score in ((0, 1.0), (1, 2.0), (2, 2.0))]
    assert best_of_n.best(pool)["index"] == 1


def test_a_job_stopped_while_drawing_keeps_its_answers(policy, judge, tmp_path):
    first = make_run(tmp_path, policy, judge, batch_size=1)
    file = tmp_path / "attempt-1" / "drawn.jsonl"

    class Watching(Stop):
        def check(self) -> None:
            self.requested = file.is_file() and file.read_text().count("\n") >= 3
            super().check()

    object.__setattr__(first, "stop", Watching())
    with pytest.raises(Stopped):
        best_of_n.run(first)
    kept = len(file.read_text().splitlines())
    second = make_run(tmp_path, policy, judge, attempt=2, batch_size=1)
    best_of_n.run(second)
    assert json.loads((second.partial / "metrics.json").read_text())["kept"] == kept == 3
    assert len(lines(second, "pool.jsonl")) == 10
    assert steps(second)[0] == (3, 20)


def steps(run: Run) -> list[tuple[int, int]]:
    events = map(json.loads, run.events.path.read_text().splitlines())
    return [(event["step"], event["total"]) for event in events if "step" in event]


def test_one_count_goes_from_the_first_answer_drawn_to_the_last_one_scored(policy, judge, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(sample, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(best_of_n, "SCORED_AT_ONCE", 5)  # a prompt's
    run = make_run(tmp_path, policy, judge)
    best_of_n.run(run)
    done = [step for step, _ in steps(run)]
    assert {total for _, total in steps(run)} == {20} and done == sorted(done)
    assert {*range(11), 15, 20} == set(done)


def test_a_job_that_goes_on_with_all_answers_drawn_is_half_done(policy, judge, tmp_path):
    first = make_run(tmp_path, policy, judge)
    best_of_n.run(first)
    second = make_run(tmp_path, policy, judge, attempt=2)
    best_of_n.run(second)
    assert (steps(second)[0], steps(second)[-1]) == ((10, 20), (20, 20))
