"""What commands that live batches have in common: the dry run, progress, how a batch ends and how it goes on."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.batch import StoppedError, Tally, run_batch, run_folder
from experiments.plan import Plan
from junheng.commands import show
from model.errors import InputError
from results.run_folder import RunFolder

DONE, SOME_FAILED, STOPPED = 0, 1, 130
LEDGER_SHARE = 2.2  # bytes on disk for each of a run's packed bytes: the ledger's, and the tables'
ONCE = ("--resume", "--retry-failed", "--mix-versions")  # options that say how to go on, not what is run


@dataclass(frozen=True)
class Asked:
    """How a batch is to be lived, and told of."""

    workers: int | None = None  # processes; all cores if None
    cluster: str | None = None  # address of a Dask scheduler
    out: Path | None = None
    resume: bool = False
    retry_failed: bool = False
    mix_versions: bool = False
    dry_run: bool = False
    json: bool = False
    quiet: bool = False
    lang: str = "en"


def live_batch(plan: Plan, asked: Asked, tell: Callable[[RunFolder], None]) -> int:
    """Live a plan into its run folder, then `tell` what came of it; returns the exit status.

    Raises InputError before anything is written.
    """
    if asked.retry_failed and not asked.resume:
        raise InputError("--retry-failed", "it without --resume", "--resume --retry-failed, with --out DIR")
    if asked.workers and asked.cluster:
        raise InputError("--workers", "it beside --cluster", "one of the two: a cluster has workers of its own")
    processes = min(asked.workers or os.cpu_count() or 1, len(plan.runs))
    with said("preparing the region", asked.quiet):
        plan.check()
    if asked.dry_run:
        return _estimate(plan, processes, asked.json, asked.lang)
    if asked.cluster:
        from experiments.cluster import look_over

        n = look_over(asked.cluster)
        if not asked.quiet:
            say(f"{n} workers at {asked.cluster}" + ("" if n else ": runs wait until one joins"))
    folder = run_folder(plan, asked.out, asked.resume, shlex.join(["junheng", *sys.argv[1:]]), asked.mix_versions)
    try:
        with _progress(asked.quiet) as progress:
            tally = run_batch(plan, folder, processes, asked.retry_failed, progress, cluster=asked.cluster or "")
    except StoppedError as stop:
        say(f"{stop}. Nothing that was finished is lost; go on with:\n  {resume_command(folder.path)}")
        return STOPPED
    tell(folder)
    if tally.failed:
        say(f"{tally.failed} of {tally.planned} runs failed; retry them with:\n  {resume_command(folder.path, True)}")
        return SOME_FAILED
    return DONE


def resume_command(path: Path, retry_failed: bool = False) -> str:
    """The command line of this process, so that it goes on in a run folder."""
    words = [w for w in sys.argv[1:] if w not in ONCE]
    if not any(w == "--out" or w.startswith("--out=") for w in words):
        words += ["--out", str(path)]
    return shlex.join(["junheng", *words, "--resume", *(["--retry-failed"] if retry_failed else [])])


def say(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"junheng: {text}\n")


@contextmanager
def said(what: str, quiet: bool) -> Iterator[None]:
    """Say on a terminal what is being waited for."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _estimate(plan: Plan, processes: int, json: bool, lang: str) -> int:
    """Say how many runs there would be, how long they would take and what they would hold, from one year lived."""
    from experiments.live import packed
    from model.burn_in import YEARS as BURN_IN_YEARS
    from model.simulate import simulate

    task = next(plan.tasks())
    region = task.region()
    begun = time.perf_counter()
    history = simulate(
        region, task.policy, task.behaviour, task.run.seed, 1, record_schools=task.setting.record_schools
    )
    years = plan.last_year - region.year
    blobs = packed(history, task.targets)
    year = time.perf_counter() - begun
    size = sum(map(len, blobs.values())) * years * LEDGER_SHARE
    runs, regions = len(plan.runs), plan.prepared_regions() - 1  # the first is prepared by now
    found: dict[str, Any] = {
        "runs": runs,
        "workers": processes,
        "school_years": runs * years,
        "regions_to_prepare": regions,
        # two seconds to start and to write the tables
        "seconds": round(year * (runs * years + regions * BURN_IN_YEARS) / processes + 2.0, 1),
        "bytes": round(size * runs),
    }
    if json:
        show.document(found)
        return DONE
    minutes, rest = divmod(round(found["seconds"]), 60)
    disk = f"{found['bytes'] / 1e6:,.1f} MB"
    if lang == "zh":
        text = f"{runs} 次运行，每次 {years} 学年，{processes} 个进程：约 {minutes} 分 {rest} 秒，{disk}。"
    else:
        text = f"{runs} runs of {years} school years on {processes} workers: about {minutes} min {rest} s and {disk}."
    sys.stdout.write(text + "\n")
    return DONE


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Tally], None]]:
    """A progress bar on standard error: runs settled, time left, failures so far."""
    if quiet:
        yield lambda tally: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("runs"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failures]}", style="red"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, failures="")

        def show_tally(tally: Tally) -> None:
            failures = f"{tally.failed} failed" if tally.failed else ""
            bar.update(task, total=tally.planned, completed=tally.done + tally.failed, failures=failures)

        yield show_tally
