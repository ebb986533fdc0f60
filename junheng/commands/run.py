"""`junheng run`: scenarios, replicated, into a run folder; what came of it on standard output."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.batch import StoppedError, Tally, run_batch, run_folder
from experiments.plan import CALIBRATIONS, Plan, planned
from experiments.scenario import load_scenario
from junheng.commands import show
from model.errors import InputError
from results.run_folder import RunFolder

DONE, SOME_FAILED, STOPPED = 0, 1, 130
WIDTH = 100  # columns of the summary where standard output is not a terminal
LEDGER_SHARE = 2.2  # bytes on disk for each of a run's packed bytes: the ledger's, and the tables'


def run(
    *,
    scenarios: Sequence[str],
    region: str | None,
    years: int | None,
    replicates: int,
    redraw_region: bool,
    seed: int,
    calibration: str,
    workers: int | None,
    sets: Sequence[str],
    record: str | None,
    out: Path | None,
    resume: bool,
    retry_failed: bool,
    dry_run: bool,
    json: bool,
    quiet: bool,
    lang: str,
) -> int:
    """Run a batch and print its summary; returns the exit status. Raises InputError before anything is written."""
    if retry_failed and not resume:
        raise InputError("--retry-failed", "it without --resume", "--resume --retry-failed, with --out DIR")
    chosen = [load_scenario(name) for name in scenarios]
    for assignment in sets:
        chosen = [s.with_set(assignment) for s in chosen]
    plan = planned(
        chosen,
        region=region,
        years=years,
        calibrations=CALIBRATIONS if calibration == "both" else (calibration,),
        replicates=replicates,
        seed=seed,
        redraw_region=redraw_region,
        record=record or "",
    )
    processes = min(workers or os.cpu_count() or 1, len(plan.runs))
    with _said("preparing the region", quiet):
        plan.check()
    if dry_run:
        return _estimate(plan, processes, json, lang)
    folder = run_folder(plan, out, resume, shlex.join(["junheng", *sys.argv[1:]]))
    try:
        with _progress(quiet) as progress:
            tally = run_batch(plan, folder, processes, retry_failed, progress)
    except StoppedError as stop:
        _say(f"{stop}. Nothing that was finished is lost; go on with:\n  {resume_command(folder.path)}")
        return STOPPED
    _print_summary(folder, json, lang)
    if tally.failed:
        _say(f"{tally.failed} of {tally.planned} runs failed; retry them with:\n  {resume_command(folder.path, True)}")
        return SOME_FAILED
    return DONE


def resume_command(path: Path, retry_failed: bool = False) -> str:
    """The command line of this process, so that it goes on in a run folder."""
    words = [w for w in sys.argv[1:] if w not in ("--resume", "--retry-failed")]
    if not any(w == "--out" or w.startswith("--out=") for w in words):
        words += ["--out", str(path)]
    return shlex.join(["junheng", *words, "--resume", *(["--retry-failed"] if retry_failed else [])])


def _print_summary(folder: RunFolder, json: bool, lang: str) -> None:
    from results.summary import summarise

    summary = summarise(folder)
    if json:
        show.document(summary)
        return
    from rich.console import Console
    from rich.text import Text

    from results.summary_text import render

    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for part in render(summary, lang):
        console.print(part, soft_wrap=isinstance(part, Text))  # a sentence stays one line, for `grep`
    console.print(str(folder.path), soft_wrap=True)


def _estimate(plan: Plan, processes: int, json: bool, lang: str) -> int:
    """Say how many runs there would be, how long they would take and what they would hold, from one year lived."""
    from experiments.live import packed
    from model.simulate import simulate

    task = next(plan.tasks())
    region = task.region()
    begun = time.perf_counter()
    history = simulate(region, task.policy, task.behaviour, task.run.seed, 1, record_schools=task.record_schools)
    years = plan.last_year - region.year
    blobs = packed(history, task.targets)
    seconds = (time.perf_counter() - begun) * years
    size = sum(map(len, blobs.values())) * years * LEDGER_SHARE
    runs = len(plan.runs)
    found: dict[str, Any] = {
        "runs": runs,
        "workers": processes,
        "school_years": runs * years,
        "seconds": round(seconds * runs / processes + 2.0, 1),  # two seconds to start and to write the tables
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


def _say(text: str) -> None:
    sys.stderr.write(f"junheng: {text}\n")


@contextmanager
def _said(what: str, quiet: bool) -> Iterator[None]:
    """Say on a terminal what is being waited for."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


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
