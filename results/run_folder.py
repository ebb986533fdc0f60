"""The run folder: a manifest that says what is run, the ledger of what was, and the tables at the end.

`manifest.json` is written first and tells all that a reader or a resumed run must know. The tables are
written once, when every run is settled, in the plan's order; while a folder grows there are none. Each start and
resume is a session of the manifest: by what command, where, with which versions and source; the ledger says which
run was lived in which.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from model.errors import InputError
from results.ledger import TABLES, Ledger
from results.lock import HeldError, is_held, lock

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 3
MANIFEST, LEDGER, LOCK = "manifest.json", "ledger.sqlite", "ledger.lock"
RUNNING, COMPLETE, WITH_FAILURES, INTERRUPTED = "running", "complete", "complete with failures", "interrupted"
SAME = ("region", "last_year", "seed", "redraw_region", "record")  # while a folder grows
GROWS = ("scenarios", "calibrations")
PLAN = (*SAME, *GROWS, "replicates", "design")  # what the tables depend on


@dataclass
class RunFolder:
    """A run folder on disk, and its manifest. `grown`: more is asked for than its tables hold."""

    path: Path
    manifest: dict[str, Any]
    grown: bool = False

    @classmethod
    def start(
        cls, path: Path | None, manifest: Mapping[str, Any], resume: bool = False, mix_versions: bool = False
    ) -> Self:
        """Make a new folder, or go on with the one that is there.

        `path` None makes the next free one under `runs/`. `manifest` holds the plan and one session. With
        `resume`, a folder that holds a part of the same plan is gone on with (more scenarios, calibrations, design
        points and replicates may be asked for), by the same model and the same versions of packages unless
        `mix_versions`. Raises InputError, having written nothing, for a folder that exists (without `resume`), is
        not a run folder, holds another plan, or cannot be written.
        """
        manifest = {"format": FORMAT, "status": RUNNING, **manifest}
        if path is not None and path.exists():
            if not resume:
                raise InputError(
                    str(path), "a file or folder that exists", "a new folder, or --resume to go on with a run"
                )
            if not path.is_dir() or any(path.iterdir()):
                return cls._going_on(path, manifest, mix_versions)
        try:
            path = _make(path, manifest)
            folder = cls(path, manifest)
            folder.write_manifest()
        except OSError as error:
            _remove_empty(path)
            raise InputError(
                str(path or "runs"), error.strerror or str(error), "a folder that can be written"
            ) from None
        return folder

    @classmethod
    def _going_on(cls, path: Path, manifest: dict[str, Any], mix_versions: bool) -> Self:
        """An existing folder, with the manifest of what is asked for now; nothing is written yet."""
        folder = cls.open(path)
        old = folder.manifest
        _check_same_plan(path, old, manifest)
        if mix_versions:
            manifest["model"] = old["model"]
        else:
            _check_same_versions(path, old, manifest)
        if not os.access(path, os.W_OK):
            raise InputError(str(path), "a folder that cannot be written", "one that can")
        folder.grown = any(json.dumps(old[name]) != json.dumps(manifest[name]) for name in PLAN)
        folder.manifest = manifest | {"sessions": [*old["sessions"], *manifest["sessions"]]}
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

    @property
    def session(self) -> int:
        """Which of the manifest's sessions is the latest."""
        return len(self.manifest["sessions"]) - 1

    def write_manifest(self) -> None:
        """Replace the manifest at once."""
        unfinished = self.path / f".{MANIFEST}.unfinished"
        text = json.dumps(self.manifest, ensure_ascii=False, indent=1)
        try:
            unfinished.write_text(text + "\n", encoding="utf-8")
            unfinished.replace(self.path / MANIFEST)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise

    def set_status(self, status: str) -> None:
        """Say in the manifest how the batch stands."""
        self.manifest["status"] = status
        self.write_manifest()

    @contextmanager
    def writing(self) -> Iterator[Ledger]:
        """The ledger, to be appended to by this process alone.

        Raises InputError where another process runs in the folder or the ledger is not one, OSError and
        sqlite3.OperationalError where nothing can be written.
        """
        try:
            with lock(self.path / LOCK, wait=False), self._ledger() as ledger:
                yield ledger
        except HeldError:
            raise InputError(
                str(self.path), f"a folder in which another process runs ({self.runner()})", "a folder of its own"
            ) from None

    def runner(self) -> str:
        """Who runs the folder or ran it last, e.g. `process 4711 on host a, since 2026-08-01T09:30:00+08:00`."""
        return who(json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))["sessions"][-1])

    def _ledger(self) -> Ledger:
        file = self.path / LEDGER
        try:
            return Ledger(file)
        except sqlite3.OperationalError:
            raise
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
        """Write the tidy tables from the ledger: `runs` are (id, key) in the plan's order; those without values, which
        failed, are left out.
        """
        from results.tables import TableFile, schema

        with ExitStack() as stack:
            files = [stack.enter_context(TableFile(self.path / f"{n}.parquet", schema(n))) for n in TABLES]
            for written, (run, key) in enumerate(runs):
                for file, blob in zip(files, ledger.tables(run), strict=True):
                    if blob is not None:
                        file.add(key, blob)
                progress(written + 1)

    def write_design(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Write `design.parquet`: a row a design point, a column a varied lever or parameter."""
        from results.tables import write_design

        write_design(self.path / "design.parquet", points)

    def remove_tables(self) -> None:
        """Take away tables that are not those of the plan any more; they can be written from the ledger again."""
        for name in (*TABLES, "design"):
            (self.path / f"{name}.parquet").unlink(missing_ok=True)

    def has_tables(self) -> bool:
        """Whether the tables are written."""
        return all((self.path / f"{name}.parquet").is_file() for name in TABLES)

    def table(self, name: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Rows of a table, text as dictionaries. Raises InputError where it is not written yet."""
        from results.tables import read

        file = self.path / f"{name}.parquet"
        if not file.is_file():
            raise InputError(str(file), "no such table", f"a run that is complete; this one is {self.status}")
        return read(file, columns, filters)

    def design(self) -> list[dict[str, Any]]:
        """Every design point's values by name, in order; one empty point where nothing varies."""
        from results.tables import read

        file = self.path / "design.parquet"
        if not file.is_file():
            return [{}]
        rows: list[dict[str, Any]] = read(file).to_pylist()
        return [{name: value for name, value in row.items() if name != "design_point"} for row in rows]


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
    """What a folder already holds must be a part of what is asked for."""
    for name in SAME:
        if old.get(name) != new.get(name):
            raise InputError(
                str(path), f"a run with another {name} ({_short(old.get(name))})", f"the same ({_short(new.get(name))})"
            )
    for name in GROWS:
        for item, held in old[name].items():
            if item not in new[name]:
                raise InputError(str(path), f"a run with {item!r} among its {name}", "it among those asked for, too")
            if new[name][item] != held:
                raise InputError(str(path), f"a run with another {item!r} than the one of today", "a new folder")
    if new["replicates"] < old["replicates"]:
        raise InputError(str(path), f"a run of {old['replicates']} replicates", "at least as many")


def _check_same_versions(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """What made the runs that a folder holds must be what would make the rest."""
    if old["model"] != new["model"]:
        raise InputError(
            str(path),
            f"a run made by another model ({old['model']})",
            f"the same model ({new['model']}), a new folder, or --mix-versions",
        )
    made, now = old["sessions"][-1]["versions"], new["sessions"][-1]["versions"]
    for name in dict.fromkeys([*made, *now]):
        if made.get(name) != now.get(name):
            raise InputError(
                str(path),
                f"a run made with {name} {made.get(name, '(none)')}",
                f"the same version as today's ({name} {now.get(name, '(none)')}), a new folder, or --mix-versions",
            )


def who(session: Mapping[str, Any]) -> str:
    """A session's process in words."""
    return f"process {session['process']} on {session['host']}, since {session['started']}"


def _remove_empty(path: Path | None) -> None:
    """Take away a folder that was made a moment ago and could not be used."""
    with suppress(OSError):
        if path is not None:
            path.rmdir()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
