"""What a finished job that drew answers measured of them, as its page shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training import charts
from training.models import Job
from training.templatetags.figures import figure, percent, signed

MEASURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "winner_score": ("Mean reward of the winners", signed),
    "pool_score": ("Mean reward of all answers", signed),
    "kl_bound": ("Away from the policy by at most", lambda nats: f"{figure(nats)} nats"),
    "prompts": ("Prompts", figure),
    "answers": ("Drawn answers", figure),
    "different_share": ("Different answers", percent),
    "stopped_share": ("Ended by themselves", percent),
    "mean_tokens": ("Tokens an answer", figure),
    "mean_logprob": ("Log-probability a token", figure),
    "tokens": ("Tokens", figure),
    "tokens_per_second": ("Tokens a second", figure),
    "sample_seconds": ("Seconds of drawing", figure),
    "kept": ("Kept from earlier attempts", figure),
}
"""A metric's name in output/metrics.json, what it is called, and how it is written."""


@dataclass(frozen=True)
class Results:
    facts: list[tuple[str, str]]
    best_of: charts.LinePicture | None
    """The expected reward of the best of 1, 2, ..., n answers."""


def results_of(job: Job) -> Results | None:
    """None for a job that is not done, or that measures nothing of this kind."""
    measured = job.progress.get("results")
    if not measured:
        return None
    facts = [
        (label, write(measured[name])) for name, (label, write) in MEASURES.items() if measured.get(name) is not None
    ]
    best_of = charts.line(measured.get("best_of") or [], columns=("Best of", "Reward to expect"))
    return Results(facts, best_of)
