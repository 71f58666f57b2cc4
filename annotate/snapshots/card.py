"""The dataset card: what a reader of a snapshot must know of it, as JSON on its row. markdown.py writes it out."""

from collections import Counter
from typing import Any

from django.db.models import Count

from annotate import agreement_figures, panels
from annotate.models import Answer, Prompt, TaskAnswer
from annotate.snapshots.previews import LeftOut, as_json, facts_of, warnings
from annotate.snapshots.selection import Rows, Selection
from annotate.snapshots.tally import Tally

OWN_WORK = "own work"
NOT_STATED = "not stated"


def card_of(selection: Selection, tally: Tally, left_out: list[LeftOut]) -> dict[str, Any]:
    """Call it in the moment of the rows."""
    rows = selection.rows
    card: dict[str, Any] = {
        "counts": tally.counts,
        "splits": dict(sorted(tally.splits.items())),
        "left_out": as_json(left_out),
        "licences": _licences(rows, selection),
    }
    if selection.spec.kind != "rankings":
        return card
    return card | {
        "warnings": warnings(facts_of(rows, tally)),
        "agreement": agreement_figures.in_short(panels.slices_of(rows)),
        "labelers": [{"labeler": name, "rankings": count} for name, count in tally.labelers.most_common()],
        "sources": [{"source": name, "answers": count} for name, count in tally.sources.most_common()],
        "guidelines": [
            {"version": version, "rankings": count}
            for version, count in sorted(tally.guidelines.items(), key=lambda found: found[0] or 0)
        ],
        "lengths": tally.lengths(),
        "longer_share": tally.longer_share,
    }


def _licences(rows: Rows, selection: Selection) -> list[dict[str, Any]]:
    """Of the files that the rows, their prompts and their answers came in; what was made here is own work."""
    plain, kind = rows.order_by(), selection.spec.kind
    prompts = Prompt.objects.filter(pk__in=plain.values(f"{selection.prompt}pk"))
    parts: list[tuple[str, Any, str]] = [("prompts", prompts, "origin")]
    if kind == "rankings":
        shown = TaskAnswer.objects.filter(task__in=plain.values("task"))
        parts += [("rankings", plain, "origin"), ("answers", shown, "answer__batch__origin")]
    elif kind == "demonstrations":
        parts.append(("demonstrations", Answer.objects.filter(pk__in=plain.values("pk")), "batch__origin"))
    found: dict[tuple[str, str], Counter[str]] = {}
    for part, of_part, origin in parts:
        counted = of_part.order_by().values_list(f"{origin}__filename", f"{origin}__licence").annotate(_n=Count("pk"))
        for filename, licence, count in counted:
            named = (OWN_WORK, "") if filename is None else (licence or NOT_STATED, filename)
            found.setdefault(named, Counter())[part] += count
    return [{"licence": licence, "file": file, **counts} for (licence, file), counts in sorted(found.items())]
