"""A snapshot as a folder that `datasets.load_dataset` opens with its splits, packed into one .zip, piece by piece.

The card lies beside the data as README.md, and names the file of each split. The same snapshot gives the same bytes."""

from collections.abc import Callable, Iterable, Iterator
from zipfile import ZipFile, ZipInfo

from annotate import parquet, snapshots
from annotate.formats import Writer
from annotate.formats.rows import Row
from annotate.models import Snapshot


def pieces(
    snapshot: Snapshot, wanted: Writer, name: str, passing: Callable[[Iterable[Row]], Iterable[Row]]
) -> Iterator[bytes]:
    """`passing` sees each row of the snapshot once. What is in the archive lies below `name`."""
    made = parquet.Pieces()
    files = {split: f"data/{split}.parquet" for split in _splits(snapshot)}
    moment = snapshot.created_at.timetuple()[:6]
    with ZipFile(made, "w") as archive:
        archive.writestr(ZipInfo(f"{name}/README.md", moment), snapshots.readme(snapshot, files))
        for split, file in files.items():
            rows = passing(_of(split, snapshots.read(snapshot)))
            with archive.open(ZipInfo(f"{name}/{file}", moment), "w", force_zip64=True) as data:
                for piece in parquet.pieces(wanted.rows(rows), wanted.columns):
                    data.write(piece)
                    yield made.taken()
    yield made.taken()


def _splits(snapshot: Snapshot) -> Iterable[str]:
    """Snapshots were frozen without a card once, and then only the rows tell."""
    return snapshot.card.get("splits") or sorted({row["split"] for row in snapshots.read(snapshot)})


def _of(split: str, rows: Iterable[Row]) -> Iterator[Row]:
    return (row for row in rows if row["split"] == split)
