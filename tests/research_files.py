"""Research files of preferences, as our ranking rows: one ranking a row, each row of the file under its own id."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FIRST, SECOND, TIE = [1, 2], [2, 1], [1, 1]


def pandalm(folder: Path) -> Iterator[Row]:
    """Three annotators. A response that is a JSON boolean is taken as its text; empty ones are kept."""
    rows = json.loads(_opened(folder / "pandalm_3annotators.dev.json.gz"))
    for number, row in enumerate(rows):
        responses = [row["response1"], row["response2"]]
        for annotator in (1, 2, 3):
            yield {
                "id": f"pandalm-{number}",
                "prompt": f"{row['instruction']}\n\n{row['input']}".strip(),
                "answers": [json.dumps(one) if isinstance(one, bool) else one for one in responses],
                "ranks": {1: FIRST, 2: SECOND, 0: TIE}[row[f"annotator{annotator}"]],
                "sources": row["cmp_key"].split("_", 1),
                "labeler": f"annotator{annotator}",
            }


def ukp(folder: Path) -> Iterator[Row]:
    """Five workers or more for each pair of arguments."""
    for row in map(json.loads, _opened(folder / "ukp_convarg_5workers.dev.jsonl.gz").splitlines()):
        for judgement in row["judgments"]:
            yield {
                "id": row["pair_id"],
                "root": row["topic"],
                "prompt": f"{row['debate_title']}\n\nWhich argument for “{row['stance']}” convinces you more?",
                "answers": [row["arg1"], row["arg2"]],
                "ranks": {"a1": FIRST, "a2": SECOND, "equal": TIE}[judgement["value"]],
                "labeler": judgement["worker"],
            }


def wmt(folder: Path) -> Iterator[Row]:
    """Ten translations of each segment, three raters of eight."""
    lines = _opened(folder / "wmt23_zhen_k10_raters.dev.jsonl.gz").splitlines()
    for number, row in enumerate(map(json.loads, lines)):
        systems = sorted(row["candidates"])
        for judgement in row["judgments"]:
            yield {
                "id": f"wmt-{number}",
                "root": row["doc"],
                "prompt": row["prompt"],
                "answers": [row["candidates"][system] for system in systems],
                "ranks": [judgement["rank"][system] for system in systems],
                "sources": systems,
                "labeler": judgement["rater"],
            }


def as_lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _opened(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())
