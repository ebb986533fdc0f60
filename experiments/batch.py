"""Live a plan into a run folder, so that nothing that was finished can be lost.

Settled runs are durable in the ledger before others are looked at. A batch that is stopped (Ctrl-C, a
killed process, a full disk) goes on where it was; its tables are the same bytes as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.live import live
from experiments.plan import Plan, Run, Task
from experiments.workers import Work, lived_together
from model.errors import InputError
from results.ledger import FAILED, Ledger, Outcome
from results.provenance import model_fingerprint, revision, versions
from results.run_folder import COMPLETE, INTERRUPTED, LEDGER, RUNNING, WITH_FAILURES, RunFolder

Living = Callable[[Iterable[Task]], Generator[list[Outcome], None, None]]


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


def run_folder(
    plan: Plan, path: Path | None, resume: bool = False, command: str = "", mix_versions: bool = False
) -> RunFolder:
    """The folder for a plan's runs, with its manifest: a new one, or with `resume` the one that holds a part of it.

    `path` None: the next free one under `runs/`. With `mix_versions` a folder is gone on with though its runs were
    made by another model or other versions of packages. Raises InputError, having written nothing, where it cannot
    serve.
    """
    session = {
        "command": command,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "host": platform.node(),
        "process": os.getpid(),
        "versions": versions(),
        "revision": revision(),
        "model": model_fingerprint(),
    }
    said = plan.as_data()
    config = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()
    latest = {name: session[name] for name in ("command", "versions", "revision")}
    manifest = {**latest, **said, "config": config, "sessions": [session]}
    folder = RunFolder.start(path, manifest, resume, mix_versions)
    _check_holds(folder, _known_by(plan, folder))
    return folder


def run_batch(
    plan: Plan,
    folder: RunFolder,
    workers: int = 0,
    retry_failed: bool = False,
    progress: Callable[[Tally], None] = lambda tally: None,
    work: Work = live,
    cluster: str = "",
) -> Tally:
    """Live the runs of a plan that the folder does not hold yet, and write its tables.

    `progress` is called whenever runs were settled. `work` does one task, in `workers` processes here or on the workers
    of a Dask scheduler (`cluster`: its address, or the file that tells it). Raises StoppedError where it was
    stopped, InputError where the folder is another process's or the cluster does not serve.
    """
    plan = _known_by(plan, folder)
    try:
        with folder.writing() as ledger, _living(work, workers, cluster) as live_all:
            statuses = ledger.statuses()
            left = {
                run.id: run
                for run in plan.runs
                if run.id not in statuses or (retry_failed and statuses[run.id] == FAILED)
            }
            if left or folder.grown:
                folder.remove_tables()
            folder.set_status(RUNNING)
            tally = _standing(plan, statuses, left)
            progress(tally)
            if not folder.has_tables():
                folder.write_design([p.as_data() for p in plan.points])
                with closing(live_all(plan.tasks(plan.in_order_of_work(left.values())))) as settled:
                    recorded = _recorded(settled, ledger, left, folder.session, tally, progress)
                    folder.write_tables(_in_order(plan.runs, left, recorded), ledger)
            folder.set_status(WITH_FAILURES if tally.failed else COMPLETE)
    except KeyboardInterrupt:
        with suppress(OSError):
            folder.set_status(INTERRUPTED)
        raise StoppedError("stopped by the keyboard") from None
    except (sqlite3.OperationalError, OSError) as error:
        with suppress(OSError):
            folder.set_status(INTERRUPTED)
        raise StoppedError(_told(folder.path, error)) from error
    return tally


@contextmanager
def _living(work: Work, workers: int, cluster: str) -> Iterator[Living]:
    """What lives tasks and hands out what became of them: processes here, or a cluster."""
    if not cluster:
        yield lambda tasks: lived_together(tasks, work, workers)
        return
    from experiments.cluster import lived_on, workers_of

    with workers_of(cluster) as client:
        yield lambda tasks: lived_on(client, cluster, tasks, work)


def _known_by(plan: Plan, folder: RunFolder) -> Plan:
    """The plan with the ids that the folder's runs have: those of the model that it was begun with."""
    return plan if plan.model == folder.manifest["model"] else replace(plan, model=folder.manifest["model"])


def _check_holds(folder: RunFolder, plan: Plan) -> None:
    """Refuse a folder with runs that are not among those asked for: a smaller plan, or another design."""
    if not (folder.path / LEDGER).exists():
        return
    known = {run.id for run in plan.runs}
    with folder.reading() as ledger:
        try:
            held = next((run for run in ledger.statuses() if run not in known), None)
            other = None if held is None else ledger.key(held)
        except sqlite3.Error as error:
            raise InputError(str(folder.path / LEDGER), str(error), "the ledger of a run folder") from None
    if other is not None:
        raise InputError(
            str(folder.path),
            f"a run that is not asked for now (design point {other['design_point']} of {other['scenario']},"
            f" {other['calibration']}, replicate {other['replicate']})",
            "all runs of the folder among those asked for (an enlarged grid or Sobol design keeps its points,"
            " a Latin hypercube does not), or a new folder",
        )


def _told(path: Path, error: Exception) -> str:
    """What stopped the batch, with the place it happened in."""
    text = str(error)
    return text if str(path) in text else f"{path}: {text}"


def _standing(plan: Plan, statuses: Mapping[str, str], left: Mapping[str, Run]) -> Tally:
    ids = {run.id for run in plan.runs}
    settled = [statuses[run] for run in ids if run not in left]
    failed = settled.count(FAILED)
    return Tally(len(ids), len(settled) - failed, failed)


def _recorded(
    settled: Iterable[list[Outcome]],
    ledger: Ledger,
    left: dict[str, Run],
    session: int,
    tally: Tally,
    progress: Callable[[Tally], None],
) -> Iterator[None]:
    """Put settled runs into the ledger, and take them from those that are left."""
    for outcomes in settled:
        ledger.record([(outcome, left[outcome.id].key()) for outcome in outcomes], session)
        for outcome in outcomes:
            del left[outcome.id]
            _count(tally, outcome)
        progress(tally)
        yield


def _in_order(
    runs: Iterable[Run], left: Mapping[str, Run], recorded: Iterator[None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Runs with whose they are in the plan's order, each as soon as it and those before it are settled.

    So tables are written while runs are lived, which nearly come in this order.
    """
    for run in runs:
        while run.id in left:
            next(recorded)
        yield run.id, run.key()


def _count(tally: Tally, outcome: Outcome) -> None:
    tally.lived += 1
    if outcome.status == FAILED:
        tally.failed += 1
    else:
        tally.done += 1
