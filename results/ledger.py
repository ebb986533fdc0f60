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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DONE, FAILED = "done", "failed"

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    entry INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    seconds REAL NOT NULL,
    attempts INTEGER NOT NULL,
    traceback TEXT,
    settled REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS done_once ON runs (id) WHERE status = 'done';
CREATE TABLE IF NOT EXISTS run_values (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    rows BLOB NOT NULL,
    PRIMARY KEY (id, name)
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

_LAST = "SELECT max(entry) FROM runs GROUP BY id"  # a retried run has several entries: the last one counts


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
    """How a batch stands: settled runs, the time they took, when the last two ends of them were settled."""

    done: int
    failed: int
    seconds: float  # of work, over all settled runs
    first: float  # Unix time at which the first run was settled; 0 while none is
    last: float


class Ledger:
    """An open ledger. Raises sqlite3.Error where the file is none or cannot be written."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        if read_only:
            self._database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            return
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def record(self, outcome: Outcome, key: Mapping[str, Any]) -> None:
        """Append a settled run; on return it is durable."""
        row = (
            outcome.id,
            json.dumps(key, ensure_ascii=False),
            outcome.status,
            round(outcome.seconds, 4),
            outcome.attempts,
            outcome.traceback,
            time.time(),
        )
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(
                "INSERT INTO run_values (id, name, rows) VALUES (?, ?, ?)",
                [(outcome.id, name, blob) for name, blob in outcome.tables.items()],
            )
            self._database.execute(
                "INSERT INTO runs (id, key, status, seconds, attempts, traceback, settled)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def statuses(self) -> dict[str, str]:
        """Status of every settled run by id."""
        return dict(self._database.execute(f"SELECT id, status FROM runs WHERE entry IN ({_LAST})"))  # noqa: S608

    def rows(self, run: str, name: str) -> bytes | None:
        """The packed rows of one table of one run, None where it has none."""
        found = self._database.execute("SELECT rows FROM run_values WHERE id = ? AND name = ?", (run, name)).fetchone()
        return None if found is None else bytes(found[0])

    def failures(self) -> list[tuple[dict[str, Any], int, str]]:
        """Key, attempts and traceback of every run that stands as failed, in the order they failed."""
        found = self._database.execute(
            f"SELECT key, attempts, traceback FROM runs WHERE status = 'failed' AND entry IN ({_LAST}) ORDER BY entry"  # noqa: S608
        )
        return [(json.loads(key), attempts, traceback) for key, attempts, traceback in found]

    def standing(self) -> Standing:
        """How the batch stands, without reading any values."""
        counts = dict(
            self._database.execute(f"SELECT status, count(*) FROM runs WHERE entry IN ({_LAST}) GROUP BY status")  # noqa: S608
        )
        seconds, first, last = self._database.execute(
            "SELECT total(seconds), coalesce(min(settled), 0), coalesce(max(settled), 0) FROM runs"
        ).fetchone()
        return Standing(counts.get(DONE, 0), counts.get(FAILED, 0), seconds, first, last)
