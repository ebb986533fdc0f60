"""The tidy tables of a run folder: one value a row, the same bytes for the same runs.

A run's rows travel and rest as compressed Arrow (`pack`, `unpack`); once all runs are settled `TableFile`
writes them as Parquet with fixed row groups, whatever the sizes of the runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 131_072  # rows
COMPRESSION, LEVEL = "zstd", 3

TEXT, NUMBER, YEAR, COUNT = pa.string(), pa.float64(), pa.int16(), pa.int32()

KEY = {"scenario": TEXT, "calibration": TEXT, "design_point": COUNT, "replicate": COUNT}  # whose rows they are
TABLES: dict[str, dict[str, pa.DataType]] = {
    "indicators": {
        "year": YEAR,
        "level": TEXT,
        "place": TEXT,
        "stage": TEXT,
        "indicator": TEXT,
        "value": NUMBER,
    },
    "finance": {"year": YEAR, "payer": TEXT, "receiver": TEXT, "lever": TEXT, "item": TEXT, "yuan": NUMBER},
    "targets": {
        "target": TEXT,
        "clause": TEXT,
        "due": YEAR,
        "level": TEXT,
        "place": TEXT,
        "indicator": TEXT,
        "stage": TEXT,
        "direction": TEXT,
        "required": NUMBER,
        "value": NUMBER,
        "met": pa.bool_(),
    },
    "notices": {"year": YEAR, "lever": TEXT, "en": TEXT, "zh": TEXT},
}


def schema(name: str) -> pa.Schema:
    """Columns of a table of the run folder: whose rows, then the values."""
    return pa.schema(list((KEY | TABLES[name]).items()))


def pack(name: str, columns: Mapping[str, Any]) -> bytes:
    """One run's rows of a table as compressed Arrow, without the columns that say whose they are.

    `columns`: equal-length arrays or lists by column name. Raises KeyError where one is missing.
    """
    arrays = []
    for title, kind in TABLES[name].items():
        values = pa.array(columns[title], from_pandas=False)
        if kind == TEXT:
            arrays.append(values.cast(TEXT).dictionary_encode())
        else:
            arrays.append(values.cast(kind))
    batch = pa.RecordBatch.from_arrays(arrays, names=list(TABLES[name]))
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=COMPRESSION)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpack(blob: bytes) -> pa.Table:
    """The rows that `pack` packed."""
    with pa.ipc.open_stream(blob) as reader:
        return reader.read_all()


class TableFile:
    """A Parquet file under way: rows come run by run and leave in row groups of one size.

    The file appears under its name when all is written; an exception leaves nothing under that name.
    """

    def __init__(self, path: Path, columns: pa.Schema) -> None:
        self.path, self.schema = path, columns
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        text = [f.name for f in columns if f.type == TEXT]
        self._writer = pq.ParquetWriter(
            self._unfinished, columns, compression=COMPRESSION, compression_level=LEVEL, use_dictionary=text
        )
        self._held: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def add(self, key: Mapping[str, Any], rows: pa.Table) -> None:
        """Append one run's rows, with whose they are."""
        whose = [pa.repeat(pa.scalar(key[title], kind), rows.num_rows) for title, kind in KEY.items()]
        values = [rows[title].cast(self.schema.field(title).type) for title in rows.column_names]
        self._held.append(pa.table([*whose, *values], schema=self.schema))
        self._rows += rows.num_rows
        while self._rows >= ROW_GROUP:
            self._write(ROW_GROUP)

    def _write(self, rows: int) -> None:
        held = pa.concat_tables(self._held)
        self._writer.write_table(held.slice(0, rows).combine_chunks(), row_group_size=ROW_GROUP)
        self._held = [held.slice(rows)]
        self._rows -= rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._rows:
                self._write(self._rows)
            self._writer.close()
            if kind is None:
                self._unfinished.replace(self.path)
        finally:
            self._unfinished.unlink(missing_ok=True)
