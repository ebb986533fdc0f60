"""The run folder: a manifest that says what is run, the ledger of what was, and the tables at the end.

`manifest.json` is written first and tells all that a reader or a resumed run must know. The tables are
written once, when every run is settled, in the plan's order.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import InputError
from results.ledger import DONE, Ledger
from results.lock import HeldError, is_held, lock
from results.tables import COUNT, NUMBER, TABLES, TEXT, TableFile, schema, unpack

FORMAT = 1
MANIFEST, LEDGER, LOCK = "manifest.json", "ledger.sqlite", "ledger.lock"
RUNNING, COMPLETE, WITH_FAILURES, INTERRUPTED = "running", "complete", "complete with failures", "interrupted"
SAME = ("region", "last_year", "seed", "redraw_region", "record", "design", "model")  # while a folder grows
GROWS = ("scenarios", "calibrations")


@dataclass
class RunFolder:
    """A run folder on disk, and its manifest."""

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def start(cls, path: Path | None, manifest: Mapping[str, Any], resume: bool = False) -> Self:
        """Make a new folder, or go on with the one that is there.

        `path` None makes the next free one under `runs/`. With `resume`, a folder that holds a part of the
        same plan is gone on with (more scenarios, calibrations and replicates may be asked for). Raises
        InputError, having written nothing, for a folder that exists (without `resume`), is not a run folder,
        holds another plan, or cannot be written.
        """
        manifest = {"format": FORMAT, "status": RUNNING, **manifest}
        if path is not None and path.exists():
            if not resume:
                raise InputError(
                    str(path), "a file or folder that exists", "a new folder, or --resume to go on with a run"
                )
            if not path.is_dir() or any(path.iterdir()):
                folder = cls.open(path)
                _check_same_plan(path, folder.manifest, manifest)
                if not os.access(path, os.W_OK):
                    raise InputError(str(path), "a folder that cannot be written", "one that can")
                folder.manifest = manifest
                return folder
        try:
            path = _make(path, manifest)
            folder = cls(path, manifest)
            folder.write_manifest()
        except OSError as error:
            raise InputError(
                str(path or "runs"), error.strerror or str(error), "a folder that can be written"
            ) from None
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """The folder of an earlier run. Raises InputError where it is none."""
        file = path / MANIFEST
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            found = "a folder without manifest.json" if path.is_dir() else "a file" if path.exists() else "nothing"
            raise InputError(str(path), found, "a run folder") from None
        except NotADirectoryError:
            raise InputError(str(path), "a file", "a run folder") from None
        except OSError as error:
            raise InputError(str(file), error.strerror or str(error), "a file that can be read") from None
        except ValueError:
            raise InputError(str(file), "text that is not JSON", "the manifest of a run folder") from None
        if not isinstance(manifest, dict) or "format" not in manifest or "scenarios" not in manifest:
            raise InputError(str(file), "JSON that is no manifest", "the manifest of a run folder")
        if manifest["format"] != FORMAT:
            raise InputError(str(file), f"format {manifest['format']}", f"format {FORMAT}, which this version writes")
        return cls(path, manifest)

    @property
    def status(self) -> str:
        """Status by the manifest; a run whose process is gone without saying so is `interrupted`."""
        said = str(self.manifest["status"])
        return INTERRUPTED if said == RUNNING and not is_held(self.path / LOCK) else said

    def write_manifest(self) -> None:
        """Replace the manifest at once."""
        unfinished = self.path / f".{MANIFEST}.unfinished"
        text = json.dumps(self.manifest, ensure_ascii=False, indent=1)
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(self.path / MANIFEST)

    def set_status(self, status: str) -> None:
        """Say in the manifest how the batch stands."""
        self.manifest["status"] = status
        self.write_manifest()

    @contextmanager
    def writing(self) -> Iterator[Ledger]:
        """The ledger, to be appended to by this process alone.

        Raises InputError where another process runs in the folder or the ledger is not one.
        """
        try:
            with lock(self.path / LOCK, wait=False), self._ledger() as ledger:
                yield ledger
        except HeldError:
            raise InputError(str(self.path), "a folder in which another process runs", "a folder of its own") from None

    def _ledger(self) -> Ledger:
        file = self.path / LEDGER
        try:
            return Ledger(file)
        except sqlite3.DatabaseError as error:
            raise InputError(str(file), str(error), "the ledger of a run folder") from None

    def reading(self) -> Ledger:
        """The ledger, to be read while others may append."""
        file = self.path / LEDGER
        try:
            return Ledger(file, read_only=True)
        except sqlite3.Error as error:
            raise InputError(str(file), str(error), "the ledger of a run folder") from None

    def write_tables(
        self,
        runs: Iterable[tuple[str, Mapping[str, Any]]],
        ledger: Ledger,
        progress: Callable[[int], None] = lambda written: None,
    ) -> None:
        """Write the tidy tables from the ledger: `runs` are (id, key) in the plan's order; failed ones are left out."""
        settled = ledger.statuses()
        done = [(run, key) for run, key in runs if settled.get(run) == DONE]
        with ExitStack() as stack:
            files = [stack.enter_context(TableFile(self.path / f"{n}.parquet", schema(n))) for n in TABLES]
            for written, (run, key) in enumerate(done):
                for name, file in zip(TABLES, files, strict=True):
                    blob = ledger.rows(run, name)
                    if blob is not None:
                        file.add(key, unpack(blob))
                progress(written + 1)

    def write_design(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Write `design.parquet`: a row a design point, a column a varied lever or parameter."""
        names = list(dict.fromkeys(itertools.chain.from_iterable(points)))
        if not names:
            return
        columns: dict[str, pa.Array] = {"design_point": pa.array(range(len(points)), COUNT)}
        for name in names:
            values = [point.get(name) for point in points]
            numbers = all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values)
            texts = [None if v is None else str(v) for v in values]
            columns[name] = pa.array(values, NUMBER) if numbers else pa.array(texts, TEXT)
        unfinished = self.path / ".design.parquet.unfinished"
        pq.write_table(pa.table(columns), unfinished, compression="zstd")
        unfinished.replace(self.path / "design.parquet")

    def has_tables(self) -> bool:
        """Whether the tables are written."""
        return all((self.path / f"{name}.parquet").is_file() for name in TABLES)

    def table(self, name: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Rows of a table, text as dictionaries. Raises InputError where it is not written yet."""
        file = self.path / f"{name}.parquet"
        if not file.is_file():
            raise InputError(str(file), "no such table", f"a run that is complete; this one is {self.status}")
        text = [field.name for field in schema(name) if field.type == TEXT]
        return pq.read_table(file, columns=columns, filters=filters, read_dictionary=text)


def _make(path: Path | None, manifest: Mapping[str, Any]) -> Path:
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        return path
    runs = Path("runs")
    runs.mkdir(exist_ok=True)
    stem = "+".join(manifest["scenarios"])[:80]
    for number in itertools.count(1):
        path = runs / f"{stem}-{number:03d}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError


def _check_same_plan(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """What a folder already holds must be a part of what is asked for, made by the same model."""
    for name in SAME:
        if old.get(name) != new.get(name):
            hint = "the same model" if name == "model" else "the same"
            raise InputError(
                str(path), f"a run with another {name} ({_short(old.get(name))})", f"{hint} ({_short(new.get(name))})"
            )
    for name in GROWS:
        for item, held in old[name].items():
            if item not in new[name]:
                raise InputError(str(path), f"a run with {item!r} among its {name}", "it among those asked for, too")
            if new[name][item] != held:
                raise InputError(str(path), f"a run with another {item!r} than the one of today", "a new folder")
    if new["replicates"] < old["replicates"]:
        raise InputError(str(path), f"a run of {old['replicates']} replicates", "at least as many")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
