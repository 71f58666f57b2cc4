"""The rows of a selection's file, in its order."""

from collections.abc import Generator, Iterator

from annotate import row_source
from annotate.formats.rows import Row
from annotate.snapshots import consensus
from annotate.snapshots.selection import Selection
from annotate.snapshots.spec import SnapshotSpec


def rows_of(selection: Selection) -> Generator[Row]:
    """A row that has nothing left to compare is left out. Whoever may leave off before the end closes it: the database
    is busy with these rows until then."""
    spec, entering = selection.spec, selection.rows
    if spec.kind == "demonstrations":
        return row_source.demonstration_rows(entering)
    if spec.kind == "prompts":
        return row_source.prompt_rows(entering)
    if spec.is_consensus:
        return _one_a_task(row_source.ranking_rows_by_task(entering), spec)
    return _each(row_source.ranking_rows(entering), spec)


def _each(rows: Iterator[Row], spec: SnapshotSpec) -> Generator[Row]:
    for row in rows:
        pairs = consensus.as_ranked(row["ranks"], spec.ties)
        if pairs is None:
            yield row
        elif pairs:
            yield {**row, "pairs": pairs}


def _one_a_task(tasks: Iterator[list[Row]], spec: SnapshotSpec) -> Generator[Row]:
    """The newest ranking's row, with what all of them say together."""
    for of_task in tasks:
        agreed = consensus.agree([row["ranks"] for row in of_task], several=spec.several, ties=spec.ties)
        if agreed.pairs == ():
            continue
        labelers = list(dict.fromkeys(row["labeler"] for row in of_task))
        versions = {row["guidelines_version"] for row in of_task}
        row = {
            **of_task[-1],
            "ranks": agreed.ranks,
            "labeler": labelers[0] if len(labelers) == 1 else "",
            "strength": of_task[0]["strength"] if len(of_task) == 1 else None,
            "guidelines_version": versions.pop() if len(versions) == 1 else None,
            "labelers": labelers,
            "n_rankings": len(of_task),
            "agreement": agreed.agreement,
            "votes": agreed.votes,
        }
        yield row if agreed.pairs is None else {**row, "pairs": agreed.pairs}
