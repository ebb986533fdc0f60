"""Live a plan into a run folder, so that nothing that was finished can be lost.

Each settled run is durable in the ledger before the next is looked at. A batch that is stopped (Ctrl-C, a
killed process, a full disk) goes on where it was; its tables are the same bytes as if it had never stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from experiments.live import live
from experiments.plan import Plan, Run
from experiments.workers import Work, lived
from results.ledger import FAILED, Outcome
from results.provenance import revision, versions
from results.run_folder import COMPLETE, INTERRUPTED, RUNNING, WITH_FAILURES, RunFolder


class StoppedError(Exception):
    """The batch was stopped from outside; it can be resumed."""


@dataclass
class Tally:
    """How a batch stands."""

    planned: int
    done: int = 0
    failed: int = 0
    lived: int = 0  # now, not before a resume

    @property
    def left(self) -> int:
        """Runs not settled."""
        return self.planned - self.done - self.failed


def run_folder(plan: Plan, path: Path | None, resume: bool = False, command: str = "") -> RunFolder:
    """The folder for a plan's runs, with its manifest: a new one, or with `resume` the one that holds a part of it.

    `path` None: the next free one under `runs/`. Raises InputError, having written nothing, where it cannot serve.
    """
    manifest = {"command": command, **plan.as_data(), "versions": versions(), "revision": revision()}
    return RunFolder.start(path, manifest, resume)


def run_batch(
    plan: Plan,
    folder: RunFolder,
    workers: int = 0,
    retry_failed: bool = False,
    progress: Callable[[Tally], None] = lambda tally: None,
    work: Work = live,
) -> Tally:
    """Live the runs of a plan that the folder does not hold yet, then write its tables.

    `progress` is called after each settled run. `work` does one task. Raises StoppedError
    where it was stopped, InputError where the folder is another process's.
    """
    try:
        with folder.writing() as ledger:
            folder.set_status(RUNNING)
            statuses = ledger.statuses()
            left = {
                run.id: run
                for run in plan.runs
                if run.id not in statuses or (retry_failed and statuses[run.id] == FAILED)
            }
            tally = _standing(plan, statuses, left)
            progress(tally)
            with closing(lived(plan.tasks(left.values()), work, workers)) as outcomes:
                for outcome in outcomes:
                    ledger.record(outcome, left[outcome.id].key())
                    _count(tally, outcome)
                    progress(tally)
            if tally.lived or not folder.has_tables():
                folder.write_design([p.as_data() for p in plan.points])
                folder.write_tables(((run.id, run.key()) for run in plan.runs), ledger)
            folder.set_status(WITH_FAILURES if tally.failed else COMPLETE)
    except KeyboardInterrupt:
        with suppress(OSError):
            folder.set_status(INTERRUPTED)
        raise StoppedError("stopped by the keyboard") from None
    except (sqlite3.OperationalError, OSError) as error:
        raise StoppedError(f"{folder.path}: {error}") from error
    return tally


def _standing(plan: Plan, statuses: Mapping[str, str], left: Mapping[str, Run]) -> Tally:
    ids = {run.id for run in plan.runs}
    settled = [statuses[run] for run in ids if run not in left]
    failed = settled.count(FAILED)
    return Tally(len(ids), len(settled) - failed, failed)


def _count(tally: Tally, outcome: Outcome) -> None:
    tally.lived += 1
    if outcome.status == FAILED:
        tally.failed += 1
    else:
        tally.done += 1
