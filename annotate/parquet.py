"""Rows as a Parquet file, piece by piece. Loaded only where one is written: pyarrow is large."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotate.formats.rows import Row
from annotate.formats.spreadsheet import gathered

AT_ONCE = 500
"""Rows made into arrays together."""
GROUP_BYTES = 8 * 1024 * 1024
"""Of a row group before it is compressed; one is in memory at a time."""
TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "messages": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    "texts": pa.list_(pa.string()),
    "integers": pa.list_(pa.int64()),
    "json": pa.string(),
}
"""By what a writer says of its columns; JSON stays a text, as its shape differs from row to row."""


def pieces(rows: Iterable[Row], columns: Mapping[str, str]) -> Iterator[bytes]:
    """The file. A row's keys without a column are gathered under `metadata`, if that is one."""
    schema = pa.schema([(name, TYPES[holds]) for name, holds in columns.items()])
    made = Pieces()
    with pq.ParquetWriter(pa.PythonFile(made, mode="w"), schema, compression="zstd") as writer:
        for group in _groups(iter(rows), columns, schema):
            writer.write_table(group, row_group_size=len(group))
            del group
            # Else a long file keeps some tens of MiB more than a short one.
            pa.default_memory_pool().release_unused()
            yield made.taken()
    yield made.taken()


def _groups(rows: Iterator[Row], columns: Mapping[str, str], schema: pa.Schema) -> Iterator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    size = 0
    while some := list(islice(rows, AT_ONCE)):
        if "metadata" in columns:
            some = [gathered(row, columns) for row in some]
        arrays = [_array(some, name, holds) for name, holds in columns.items()]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        size += batches[-1].nbytes
        if size >= GROUP_BYTES:
            yield pa.Table.from_batches(batches)
            batches, size = [], 0
    if batches:
        yield pa.Table.from_batches(batches)


def _array(rows: list[Row], name: str, holds: str) -> pa.Array:
    values = (row.get(name) for row in rows)
    if holds == "json":
        values = (None if value is None else json.dumps(value, ensure_ascii=False) for value in values)
    return pa.array(values, TYPES[holds], size=len(rows))


class Pieces:
    """A file to write to that keeps only what was written since it was last taken."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._place = 0

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def taken(self) -> bytes:
        found, self._written = b"".join(self._written), []
        return found
