"""TRL's RewardTrainer on pairs of token ids, timed. Runs in an environment of its own and knows nothing of Plackett.

    python trl_reward.py PAIRS.jsonl BASE OUT.json --precision float32 --threads 2

A line of PAIRS.jsonl is {"chosen_ids": [...], "rejected_ids": [...]}; OUT.json says what one epoch took."""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import RewardConfig, RewardTrainer

BATCH = 8
"""Pairs an update, in one forward pass of 16 texts."""
MAX_LENGTH = 1536


class Watch(TrainerCallback):
    """The clock from the first update to the end of the last; loading and saving are outside."""

    def on_train_begin(self, *args: object, **options: object) -> None:
        self.started = time.monotonic()

    def on_train_end(self, *args: object, **options: object) -> None:
        self.seconds = time.monotonic() - self.started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=Path)
    parser.add_argument("base")
    parser.add_argument("out", type=Path)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    pairs = [json.loads(line) for line in chosen.pairs.open(encoding="utf-8")]
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = RewardTrainer(
            model=chosen.base,
            args=settings(folder, chosen.precision),
            train_dataset=Dataset.from_list(pairs),
            processing_class=AutoTokenizer.from_pretrained(chosen.base),
            callbacks=[watch],
        )
        if len(trainer.train_dataset) != len(pairs):
            raise SystemExit("TRL dropped pairs for their length: the comparison would not be of the same work.")
        trainer.train()
    lengths = [len(pair[side]) for pair in pairs for side in ("chosen_ids", "rejected_ids")]
    out = {"seconds": watch.seconds, "pairs": len(pairs), "tokens_real": sum(lengths)}
    out["tokens_read"] = sum(2 * BATCH * longest(batch) for batch in batches(trainer)) if len(pairs) % BATCH == 0 else 0
    out["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    chosen.out.write_text(json.dumps(out))


def settings(folder: str, precision: str) -> RewardConfig:
    """Its defaults, but for what is fixed on both sides: one epoch of 8 pairs an update, in the order of the file."""
    return RewardConfig(
        output_dir=folder,
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        max_length=MAX_LENGTH,
        learning_rate=2e-5,
        bf16=precision == "bfloat16",
        use_cpu=True,
        gradient_checkpointing=False,
        disable_dropout=True,
        dataloader_pin_memory=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_steps=1,
        seed=0,
    )


def batches(trainer: RewardTrainer) -> list[torch.Tensor]:
    return [batch["input_ids"] for batch in trainer.get_train_dataloader()]


def longest(batch: torch.Tensor) -> int:
    return int(batch.shape[1])


if __name__ == "__main__":
    main()
