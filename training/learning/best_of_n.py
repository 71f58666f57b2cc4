"""The kind `best_of_n`: draw n answers a prompt, score them with a reward model, keep the best.

Stiennon et al. 2020; Nakano et al. 2021. What a smaller n would have gained is told from the same pool."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from rewards.learning.run import Run
from rewards.learning.score import Scorer
from rewards.model_folder import sync
from training import metrics
from training.learning import sample
from training.learning.sample import Line, Messages, PromptId
from training.specs import BestOfNSpec

Pool = list[Line]


def run(run: Run) -> None:
    """Answer `inputs/prompts.jsonl`: every answer with its score in `output/pool.jsonl`, winners in `answers.jsonl`."""
    spec = BestOfNSpec.from_json(run.spec)
    prompts = sample.read_prompts(run)
    drafts = [run.attempt_folder(attempt) / "drawn.jsonl" for attempt in range(run.attempt, 0, -1)]
    drawn = sample.draw_answers(run, spec, prompts, spec.n, drafts[0], drafts[1:])  # no output yet: it has no scores
    pools = pools_of(drafts[0], prompts)
    scorer = Scorer.load(spec.reward_model, say=run.events.message, stop=run.stop)
    winners = write(run, prompts, pools, scorer, done=drawn.lines)
    lines = [line for pool in pools.values() for line in pool]
    run.write_json(
        "metrics.json",
        {
            "prompts": len(prompts),
            "n": spec.n,
            **measure(list(pools.values()), winners),
            **sample.summary(lines),
            **sample.speed(drawn),
        },
    )
    run.write_origin(spec.to_json())


def pools_of(file: Path, prompts: dict[PromptId, Messages]) -> dict[PromptId, Pool]:
    """The answers of each prompt by index, the prompts in their own order: the file is in the order of drawing."""
    pools: defaultdict[PromptId, Pool] = defaultdict(list)
    for line in sample.whole_lines(file):
        pools[line["prompt_id"]].append(line)
    return {name: sorted(pools[name], key=lambda line: line["index"]) for name in prompts}


def write(
    run: Run, prompts: dict[PromptId, Messages], pools: dict[PromptId, Pool], scorer: Scorer, *, done: int
) -> list[Line]:
    """Score each pool, write it and its winner as soon as that is done; the winners.

    The metric `winner_score` is the mean so far."""
    total = done + len(prompts)
    winners = []
    with (
        (run.partial / "pool.jsonl").open("w", encoding="utf-8") as pool_file,
        (run.partial / "answers.jsonl").open("w", encoding="utf-8") as winner_file,
    ):
        for scored, (pool, scores) in enumerate(_scored(prompts, pools, scorer), start=1):
            for line, score in zip(pool, scores, strict=True):
                line["score"] = score
                pool_file.write(json.dumps(line, ensure_ascii=False) + "\n")
            winners.append(best(pool))
            winner_file.write(json.dumps(winners[-1], ensure_ascii=False) + "\n")
            winner_file.flush()
            run.events.step(done + scored, total, winner_score=fmean(winner["score"] for winner in winners))
    sync(run.partial / "pool.jsonl")
    sync(run.partial / "answers.jsonl")
    return winners


def best(pool: Pool) -> Line:
    """The answer with the highest score; of equal ones the first drawn, so that chance does not choose twice."""
    return max(pool, key=lambda line: (line["score"], -line["index"]))


def measure(pools: list[Pool], winners: list[Line]) -> dict[str, object]:
    """What the choice gained, on the reward model's own scale, and how far it moved the policy at most."""
    scores = [[line["score"] for line in pool] for pool in pools]
    n = len(scores[0])
    return {
        "winner_score": fmean(winner["score"] for winner in winners),
        "pool_score": fmean(fmean(pool) for pool in scores),
        "best_of": metrics.best_of_curve(scores, n),
        "kl_bound": metrics.best_of_n_kl(n),
    }


def _scored(
    prompts: dict[PromptId, Messages], pools: dict[PromptId, Pool], scorer: Scorer
) -> Iterator[tuple[Pool, list[float]]]:
    asked = ((prompts[name], [line["text"] for line in pool]) for name, pool in pools.items())
    return zip(pools.values(), scorer.stream(asked), strict=True)
