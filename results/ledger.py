"""The ledger of a run folder: which runs are settled, and their values until the tables are written.

SQLite in WAL mode, append-only: a run's values and the row that marks it done enter in one transaction, so
a process killed at any moment leaves either both or neither. (Values rest in the ledger rather than in files
of their own because one commit then makes both durable, and a folder of a thousand runs stays a handful of
files.) `synchronous = NORMAL`: a killed process loses nothing; a power cut may lose the last runs, which
`--resume` lives again. A WAL must not lie on a network file system.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DONE, FAILED = "done", "failed"
TABLES = ("indicators", "finance", "targets", "notices")  # of a run

_LAYOUT = f"""
CREATE TABLE IF NOT EXISTS runs (
    entry INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    seconds REAL NOT NULL,
    attempts INTEGER NOT NULL,
    traceback TEXT,
    settled REAL NOT NULL,
    session INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS done_once ON runs (id) WHERE status = 'done';
CREATE INDEX IF NOT EXISTS failures ON runs (id) WHERE status = 'failed';
CREATE TABLE IF NOT EXISTS run_values (
    entry INTEGER PRIMARY KEY,
    {", ".join(f"{name} BLOB" for name in TABLES)}
);
CREATE TRIGGER IF NOT EXISTS runs_stay BEFORE UPDATE ON runs
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS runs_are_kept BEFORE DELETE ON runs
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS values_stay BEFORE UPDATE ON run_values
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS values_are_kept BEFORE DELETE ON run_values
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ENTER = (
    "INSERT INTO runs (id, key, status, seconds, attempts, traceback, settled, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_KEEP = f"INSERT INTO run_values (entry, {', '.join(TABLES)}) VALUES (?{', ?' * len(TABLES)})"  # noqa: S608
_FIND = f"SELECT {', '.join(TABLES)} FROM runs JOIN run_values USING (entry) WHERE id = ? AND status = 'done'"  # noqa: S608

# A run that failed may be tried again; one that is done is never lived again: `done` wins over `failed`.
_STANDS_FAILED = (
    "status = 'failed' AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.id = runs.id AND other.status = 'done')"
)
CHECKPOINT = 8000  # pages (of 4 kB) after which the WAL is written into the database, which waits for the disk
RECENT = 200  # runs whose pace tells how long the rest will take


@dataclass(frozen=True)
class Outcome:
    """What became of a run: its packed tables by name, or the traceback of what stopped it."""

    id: str
    seconds: float
    tables: Mapping[str, bytes] = field(default_factory=dict)
    traceback: str | None = None
    attempts: int = 1

    @property
    def status(self) -> str:
        """`done` or `failed`."""
        return DONE if self.traceback is None else FAILED


@dataclass(frozen=True)
class Standing:
    """How a batch stands: settled runs, and the pace of the latest."""

    done: int
    failed: int
    last: float  # Unix time at which a run was settled last; 0 while none is
    pace: float | None  # runs settled a second lately by the process that settled the last; None with fewer than two


class Ledger:
    """An open ledger. Raises sqlite3.Error where the file is none or cannot be written."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        if read_only:
            self._database = _reading(path)
            return
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        self._database.executescript(_LAYOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def record(self, settled: Iterable[tuple[Outcome, Mapping[str, Any]]], session: int = 0) -> None:
        """Append settled runs with whose they are, lived in a session of the manifest; on return they are durable."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for outcome, key in settled:
                self._append(outcome, key, session)
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _append(self, outcome: Outcome, key: Mapping[str, Any], session: int) -> None:
        row = (
            outcome.id,
            _COMPACT.encode(key),
            outcome.status,
            round(outcome.seconds, 4),
            outcome.attempts,
            outcome.traceback,
            time.time(),
            session,
        )
        entry = self._database.execute(_ENTER, row).lastrowid
        if outcome.tables:
            self._database.execute(_KEEP, (entry, *map(outcome.tables.get, TABLES)))

    def statuses(self) -> dict[str, str]:
        """Status of every settled run by id."""
        return dict(self._database.execute("SELECT id, status FROM runs ORDER BY entry"))

    def key(self, run: str) -> dict[str, Any]:
        """Whose a settled run is. Raises KeyError where there is no such run."""
        found = self._database.execute("SELECT key FROM runs WHERE id = ?", (run,)).fetchone()
        if found is None:
            raise KeyError(run)
        key: dict[str, Any] = json.loads(found[0])
        return key

    def tables(self, run: str) -> tuple[bytes | None, ...]:
        """The packed tables of a run that is done, in the order of TABLES; None for one that it does not have."""
        found = self._database.execute(_FIND, (run,)).fetchone()
        return (None,) * len(TABLES) if found is None else found

    def failures(self) -> list[tuple[dict[str, Any], int, str]]:
        """Key, attempts and traceback of every run that stands as failed, in the order they failed."""
        found = self._database.execute(
            f"SELECT key, attempts, traceback, max(entry) FROM runs WHERE {_STANDS_FAILED} GROUP BY id ORDER BY 4"  # noqa: S608
        )
        return [(json.loads(key), attempts, traceback) for key, attempts, traceback, _ in found]

    def standing(self) -> Standing:
        """How the batch stands, without reading any values."""
        ask = self._database.execute
        (done,) = ask("SELECT count(*) FROM runs WHERE status = 'done'").fetchone()
        (failed,) = ask(f"SELECT count(DISTINCT id) FROM runs WHERE {_STANDS_FAILED}").fetchone()  # noqa: S608
        latest = ask(f"SELECT settled, session FROM runs ORDER BY entry DESC LIMIT {RECENT}").fetchall()  # noqa: S608
        times = [settled for settled, session in latest if session == latest[0][1]]
        span = times[0] - times[-1] if times else 0.0
        return Standing(done, failed, times[0] if times else 0.0, (len(times) - 1) / span if span > 0 else None)


def _reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads and leaves no file behind, also in a folder where nothing can be written.

    SQLite must make files to look into a WAL database that nobody writes to, unless it is told that nobody does.
    """
    nobody = path.is_file() and not path.with_name(f"{path.name}-wal").exists()
    database = sqlite3.connect(f"{path.absolute().as_uri()}?{'immutable=1' if nobody else 'mode=ro'}", uri=True)
    database.execute("SELECT count(*) FROM sqlite_schema")  # raises where it is no database
    return database
