"""The tidy tables of a run folder: one value a row, the same bytes for the same runs.

A run's rows travel and rest as Arrow (`pack`, `unpack`); `TableFile` writes them as Parquet in the plan's order,
with fixed row groups, whatever the sizes of the runs.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 131_072  # rows
COMPRESSION, LEVEL = "zstd", 3
GATHERED = 1 << 21  # packed bytes of runs that are put together at a time
END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream
READING = pa.ipc.IpcReadOptions(use_threads=False)
AS_IT_IS = pa.ipc.IpcWriteOptions(use_threads=False)
PRESSED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)  # a third more than zstd, a quarter of the time
SMALL = 1 << 15  # bytes of rows that are not worth pressing: a third more room, a third of the time

pa.set_memory_pool(
    pa.system_memory_pool()
)  # as quick here, and a batch of many runs takes 20 MB less than with Arrow's

TEXT, NUMBER, YEAR, COUNT = pa.string(), pa.float64(), pa.int16(), pa.int32()
CODED = pa.dictionary(pa.int32(), TEXT)  # text while it is on its way: each word once

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
    """Columns of a table of the run folder as they are written: whose rows, then the values; text as dictionaries."""
    return pa.schema([(title, CODED if kind == TEXT else kind) for title, kind in (KEY | TABLES[name]).items()])


def pack(name: str, columns: Mapping[str, Any]) -> bytes:
    """One run's rows of a table as Arrow, without the columns that say whose they are.

    `columns`: equal-length arrays or lists by column name. Raises KeyError where one is missing.
    """
    arrays = []
    for title, kind in TABLES[name].items():
        values = pa.array(columns[title], from_pandas=False).cast(kind)
        arrays.append(values.dictionary_encode() if kind == TEXT else values)
    batch = pa.RecordBatch.from_arrays(arrays, names=list(TABLES[name]))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=AS_IT_IS if batch.nbytes < SMALL else PRESSED) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpack(blob: bytes) -> pa.Table:
    """The rows that `pack` packed."""
    with pa.ipc.open_stream(blob, options=READING) as reader:
        return reader.read_all()


def unpack_many(blobs: Sequence[bytes]) -> list[pa.RecordBatch]:
    """The rows of several runs, a batch a run, read as the one stream that theirs make when put end to end."""
    with pa.ipc.open_stream(blobs[0], options=READING) as reader:
        begin = len(_empty(reader.schema)) - len(END)  # of a stream: what columns there are
    rest = [memoryview(blob)[begin : -len(END)] for blob in blobs]
    with pa.ipc.open_stream(b"".join([blobs[0][:begin], *rest, END]), options=READING) as reader:
        return list(reader)


def _empty(columns: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, columns, options=AS_IT_IS).close()
    return bytes(sink.getvalue())


class TableFile:
    """A Parquet file under way: rows come run by run and leave in row groups of one size.

    The file appears under its name when all is written; an exception leaves nothing under that name.
    """

    def __init__(self, path: Path, columns: pa.Schema) -> None:
        self.path, self.schema = path, columns
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        coded = [f.name for f in columns if f.type == CODED]
        self._writer = pq.ParquetWriter(
            self._unfinished,
            columns,
            compression=COMPRESSION,
            compression_level=LEVEL,
            use_dictionary=coded,
            write_statistics=[f.name for f in columns if f.type == COUNT],  # text and values span all in every group
            store_schema=False,  # whoever reads it gets plain text
        )
        self._held: list[tuple[Mapping[str, Any], bytes]] = []  # runs as they came
        self._bytes = 0  # of them
        self._gathered: list[pa.Table] = []  # runs with whose they are
        self._rows = 0  # of them

    def __enter__(self) -> Self:
        return self

    def add(self, key: Mapping[str, Any], blob: bytes) -> None:
        """Append one run's packed rows, with whose they are."""
        self._held.append((key, blob))
        self._bytes += len(blob)
        if self._bytes >= GATHERED:
            self._gather()

    def _gather(self) -> None:
        """Make one table of the runs held, and write what fills row groups."""
        keys, batches = [key for key, _ in self._held], unpack_many([blob for _, blob in self._held])
        sizes = [batch.num_rows for batch in batches]
        whose = [_repeated([key[title] for key in keys], sizes, kind) for title, kind in KEY.items()]
        values = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
        self._gathered.append(pa.table([*whose, *values.columns], schema=self.schema))
        self._rows += sum(sizes)
        self._held, self._bytes = [], 0
        while self._rows >= ROW_GROUP:
            self._write(ROW_GROUP)

    def _write(self, rows: int) -> None:
        held = pa.concat_tables(self._gathered)
        group = held.slice(0, rows).unify_dictionaries().combine_chunks()
        self._writer.write_table(group, row_group_size=ROW_GROUP)
        self._gathered = [held.slice(rows)]
        self._rows -= rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._held:
                self._gather()
            if kind is None and self._rows:
                self._write(self._rows)
            self._writer.close()
            if kind is None:
                self._unfinished.replace(self.path)
        finally:
            self._unfinished.unlink(missing_ok=True)


def _repeated(values: Sequence[Any], times: Sequence[int], kind: pa.DataType) -> pa.Array:
    """Each value so many times; text as codes."""
    if kind != TEXT:
        return pa.array(np.repeat(values, times), kind)
    words = list(dict.fromkeys(values))
    codes = np.repeat([words.index(value) for value in values], times)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, TEXT))


def write_design(path: Path, points: Sequence[Mapping[str, Any]]) -> None:
    """Write a row a design point, a column a varied lever or parameter: numbers, truths, or text (lists as JSON).

    Nothing is written where nothing varies.
    """
    names = list(dict.fromkeys(itertools.chain.from_iterable(points)))
    if not names:
        return
    columns: dict[str, pa.Array] = {"design_point": pa.array(range(len(points)), COUNT)}
    for name in names:
        columns[name] = _design_column([point.get(name) for point in points])
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        pq.write_table(pa.table(columns), unfinished, compression=COMPRESSION, compression_level=LEVEL)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _design_column(values: Sequence[Any]) -> pa.Array:
    held = [v for v in values if v is not None]
    if all(isinstance(v, bool) for v in held):
        return pa.array(values, pa.bool_())
    if all(isinstance(v, int) and not isinstance(v, bool) for v in held):
        return pa.array(values, pa.int64())
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in held):
        return pa.array(values, NUMBER)
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return pa.array(texts, TEXT)


def read(path: Path, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
    """Rows of a table of the run folder, text as dictionaries."""
    text = [field.name for field in pq.read_schema(path) if field.type == TEXT]
    return pq.read_table(path, columns=columns, filters=filters, read_dictionary=text)
