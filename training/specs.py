"""The settings of the jobs that make policies and answers, and the table of all kinds of jobs."""

from dataclasses import dataclass
from typing import NamedTuple

from rewards.specs import RewardSpec, ScoreSpec, Spec, setting


@dataclass(frozen=True, kw_only=True)
class ConvertSpec(Spec):
    """Turn a model into a policy: a standard folder in safetensors, with tokenizer, chat template and pad token."""

    source: str = setting(
        label="Model",
        help="The path of a .gguf file, or of a folder in safetensors, on the workers' disk.",
        folder=True,
    )
    """The absolute path of a .gguf file, or of a transformers folder in safetensors. Pickled weights are refused."""


@dataclass(frozen=True, kw_only=True)
class DrawSpec(Spec):
    """How a policy draws. An answer's random numbers depend on the seed, its prompt's id and its index alone."""

    policy: str = setting(label="Policy", help="The folder of the policy that answers.", folder=True)
    """The folder of the policy that answers."""
    max_new_tokens: int = setting(
        256, label="Longest answer", help="Tokens. A longer answer is cut there and says so.", min=1, max=32768
    )
    """Tokens of the longest answer. One that reaches it is cut, with the finish reason `length`."""
    temperature: float = setting(
        0.7, label="Temperature", help="0 takes the likeliest token; 1 is the model as trained.", min=0.0, max=10.0
    )
    """Divides the logits. 0.7 is what summaries are drawn at in Stiennon et al. 2020; 0 takes the likeliest token."""
    top_p: float = setting(
        1.0, label="Top-p", help="Draw among the likeliest tokens that reach this share; 1: all.", min=0.01, max=1.0
    )
    """Holtzman et al. 2020. 1 draws from the policy itself, which is what best-of-N's bound and PPO speak about."""
    seed: int = setting(0, label="Seed", help="Another seed, other answers.", min=0, max=2**53)
    """With the prompt's id and the answer's index it names the answer's stream of random numbers."""
    batch_size: int = setting(
        64, label="Answers at once", help="More is faster until memory is full; long prompts lower it.", min=1, max=4096
    )
    """Answers drawn at once. In float32 it hardly ever changes an answer, in bfloat16 it does (docs/sampling.md)."""
    precision: str = setting(
        "bfloat16",
        label="Precision",
        help="bfloat16 is faster; float32 draws the same answers at any batch size.",
        choices=("bfloat16", "float32"),
    )
    """Of the weights while answering. Probabilities are float32 always."""
    threads: int = setting(2, label="CPU threads", help="CPU threads to use.", min=1, max=1024)
    """CPU threads to use."""


@dataclass(frozen=True, kw_only=True)
class SampleSpec(DrawSpec):
    """Draw answers from a policy."""

    answers: int = setting(4, label="Answers per prompt", help="2 to 9 can be ranked at the desk.", min=1, max=1024)
    """Answers per prompt. The desk shows 2 to 9."""


@dataclass(frozen=True, kw_only=True)
class BestOfNSpec(DrawSpec):
    """Draw n answers a prompt, score them with a reward model, keep the best. Stiennon et al. 2020."""

    reward_model: str = setting(label="Reward model", help="The folder of the reward model.", folder=True)
    """The folder of the reward model, as the kind `reward` saved it."""
    n: int = setting(4, label="Answers per prompt (N)", help="The best of so many is kept.", min=1, max=1024)
    """Answers drawn per prompt, of which one is kept. The policy moves by at most log n - (n - 1) / n nats."""


@dataclass(frozen=True, kw_only=True)
class ExportSpec(Spec):
    """Write a snapshot as one file, for large ones: a download of it can break off and go on."""

    format: str = setting("ranking", label="Rows", help="The format of a row; it must fit what the snapshot holds.")
    """The name of a writer, as docs/formats.md lists them."""
    container: str = setting(
        "jsonl",
        label="As",
        help="The kind of file; zip is a folder that datasets opens.",
        choices=("jsonl", "parquet", "zip", "csv"),
    )
    """JSON lines, Parquet, a folder with the card, or CSV."""


@dataclass(frozen=True, kw_only=True)
class FreezeSpec(Spec):
    """Freeze a snapshot. What it is asked to hold is a spec of its own, annotate's SnapshotSpec, among the inputs."""


@dataclass(frozen=True, kw_only=True)
class ImportSpec(Spec):
    """Bring in a file that was uploaded on a page."""

    content: str = setting(
        "prompts", label="Of", help="What a row of the file is.", choices=("prompts", "answers", "rankings")
    )
    """Prompts, answers that are there already, or rankings that people gave elsewhere."""
    format: str = setting("", label="Format", help="Of rankings; left empty, as the first row looks.")
    """The name of a reader, as docs/formats.md lists them."""
    split: str = setting(
        "",
        label="Split",
        help="Of prompts for which the file names none.",
        choices=("", "train", "id_test", "ood_test"),
    )
    """Of prompts of which the file does not say it; left empty, they are for training."""
    source: str = setting("import", label="Source", help="Of answers, where the file does not say it.")
    """Where answers come from, for rows that do not say it."""
    for_ranking: bool = setting(True, label="Ranking tasks", help="Make one of each prompt's answers.")
    """Of answers: whether people are to rank them."""
    keep_good: bool = setting(
        False, label="Past mistakes", help="Store the good rows and list the others; else all or nothing."
    )
    """Chunk by chunk, with the refused rows kept apart; else one mistake stores nothing."""
    licence: str = setting("", label="Licence", help="Of the data.")
    """Snapshots made of it name it."""


class Kind(NamedTuple):
    """A kind of job: its settings, its name for people, its queue, what it does in a sentence, and its progress."""

    spec: type[Spec]
    title: str
    queue: str
    sentence: str
    how_far: str = "step {step} of {total}"


KINDS: dict[str, Kind] = {
    "convert": Kind(ConvertSpec, "Add a policy", "jobs", "Turns a model file into a policy that can answer."),
    "sample": Kind(
        SampleSpec,
        "Draw answers",
        "jobs",
        "A policy answers prompts, several times each.",
        "{step} of {total} answers drawn",
    ),
    "reward": Kind(RewardSpec, "Train a reward model", "jobs", "A model learns from rankings what people prefer."),
    "score": Kind(
        ScoreSpec,
        "Score answers",
        "jobs",
        "A reward model says how much people would like each answer.",
        "{step} of {total} answers scored",
    ),
    "best_of_n": Kind(
        BestOfNSpec, "Best of N", "jobs", "A policy answers N times; a reward model keeps the best answer."
    ),
    "export": Kind(
        ExportSpec,
        "Export a snapshot",
        "light",
        "A snapshot becomes one file, whose download can break off and go on.",
        "{step} of {total} rows written",
    ),
    "freeze": Kind(
        FreezeSpec,
        "Freeze a snapshot",
        "light",
        "What stands now becomes a file that never changes.",
        "{step} of {total} rows gathered",
    ),
    "import": Kind(
        ImportSpec,
        "Import a file",
        "light",
        "The rows of a file become prompts, answers and rankings.",
        "{share} of the file read",
    ),
}
