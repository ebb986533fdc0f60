"""Kill -9 at random moments of a sweep, resumed each time: `python -m benchmarks.chaos` says what was lost.

A sweep of 400 short runs on the village is killed twenty times: ten times one of its workers, ten times the whole
process group (the last of them while tables are written). Its tables must be those of a sweep that nobody disturbed,
byte by byte, and so must those of 1, 2 and 4 workers and of a Dask cluster one of whose workers is killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loop import on_one_thread

on_one_thread()
ROOT = Path(__file__).parents[1]
TABLES = ("indicators", "finance", "targets", "notices", "design")
PATIENCE = 300.0  # seconds that a sweep may stand still


@dataclass
class Chaos:
    """What came of a sweep that was killed again and again."""

    kills: int = 0
    resumes: int = 0
    lost: int = 0  # runs that had been settled and were not there after a kill
    runs: int = 0
    status: int = 0  # exit status of the sweep's last start


def command(folder: Path, points: int, replicates: int, *options: str) -> list[str]:
    """A sweep of short runs."""
    vary = f"teacher_rotation.share_of_eligible=0:0.24:{points}"
    return [
        *(sys.executable, "-m", "junheng", "sweep", "wuqing-2020-2022", "--region", "village", "--years", "1"),
        *("--vary", vary, "--outcome", "gap.score", "--replicates", str(replicates), "--quiet"),
        *("--out", str(folder), "--resume", *options),
    ]


def undisturbed(folder: Path, points: int, replicates: int, *options: str) -> None:
    """The sweep as it should be."""
    subprocess.run(command(folder, points, replicates, *options), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def disturbed(folder: Path, points: int, replicates: int, kills: int, seed: int, workers: int = 2) -> Chaos:
    """The sweep, killed at random moments and resumed until it ends by itself."""
    chance = random.Random(seed)  # noqa: S311
    runs = points * replicates
    moments = [*sorted(chance.sample(range(1, runs - 1), kills - 1)), runs]
    whom = [*["a worker"] * (kills // 2), *["everything"] * (kills - kills // 2 - 1)]
    chance.shuffle(whom)
    whom.append("everything")
    found = Chaos()
    process, held = _start(folder, points, replicates, workers), set[str]()
    for moment, victim in zip(moments, whom, strict=True):
        while len(settled(folder)) < moment and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        if process.poll() is not None:
            break
        if victim == "a worker":
            while not (hands := workers_under(process.pid)) and process.poll() is None:
                time.sleep(0.01)
            if hands:
                os.kill(chance.choice(hands), signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        found.kills += 1
        now = settled(folder)
        found.lost += len(held - now)
        held = now
        if victim == "everything":
            process = _start(folder, points, replicates, workers)
            found.resumes += 1
    process.wait(PATIENCE)
    now = settled(folder)
    found.lost += len(held - now)
    found.runs = len(now)
    found.status = process.returncode
    return found


def on_cluster(folder: Path, points: int, replicates: int) -> None:
    """The sweep on a Dask cluster of two workers, one of which is killed half way."""
    with dask_cluster(folder.parent / "scheduler.json") as (address, cluster):
        call = command(folder, points, replicates, "--cluster", address)
        process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
        while len(settled(folder)) < points * replicates // 2 and process.poll() is None:
            time.sleep(0.01)
        os.kill(workers_under(cluster)[0], signal.SIGKILL)
        if process.wait(PATIENCE):
            raise RuntimeError("the sweep on a cluster failed")


@contextmanager
def dask_cluster(file: Path) -> Iterator[tuple[str, int]]:
    """A scheduler and two workers on this machine: the scheduler's file, the process of the workers' nannies."""
    call = [sys.executable, "-m", "dask"]
    options = ["--no-dashboard", "--scheduler-file", str(file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT, "start_new_session": True}
    started = [subprocess.Popen([*call, "scheduler", "--port", "0", *options], **quiet)]  # type: ignore[call-overload]  # noqa: S603
    try:
        while not file.exists():
            time.sleep(0.05)
        workers = ["--nthreads", "1", "--nworkers", "2"]
        started.append(subprocess.Popen([*call, "worker", *workers, *options], **quiet))  # type: ignore[call-overload]  # noqa: S603
        while len(workers_under(started[1].pid)) < 2:
            time.sleep(0.05)
        yield str(file), started[1].pid
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def settled(folder: Path) -> set[str]:
    """Ids of the runs that are done."""
    from results.run_folder import RunFolder

    with suppress(Exception), RunFolder.open(folder).reading() as ledger:  # it may be being made
        return {run for run, status in ledger.statuses().items() if status == "done"}
    return set()


def workers_under(parent: int) -> list[int]:
    """Processes that were spawned by a process, by their command line (or the title that Dask gives them)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]) != parent:
                continue
            told = (folder / "cmdline").read_bytes()
            if b"spawn_main" in told or told.startswith(b"dask worker"):
                found.append(int(folder.name))
    return found


def same(a: Path, b: Path) -> bool:
    """Whether two run folders hold the same bytes in their tables."""
    return all((a / f"{n}.parquet").read_bytes() == (b / f"{n}.parquet").read_bytes() for n in TABLES)


def _start(folder: Path, points: int, replicates: int, workers: int) -> subprocess.Popen[bytes]:
    call = command(folder, points, replicates, "--workers", str(workers))
    return subprocess.Popen(  # noqa: S603
        call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def main() -> None:
    """Print what was done and what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=25)
    parser.add_argument("--replicates", type=int, default=16)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-dask", action="store_true")
    asked = parser.parse_args()
    size = asked.points, asked.replicates
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        os.environ["JUNHENG_CACHE"] = str(folder / "cache")
        undisturbed(folder / "undisturbed", *size, "--workers", "1")
        begun = time.perf_counter()
        chaos = disturbed(folder / "killed", *size, asked.kills, asked.seed)
        seconds = time.perf_counter() - begun
        lines = [
            ("runs", str(chaos.runs)),
            ("kills -9", f"{chaos.kills}, resumed {chaos.resumes} times, {seconds:.0f} s in all"),
            ("finished runs lost", str(chaos.lost)),
            ("exit status at the end", str(chaos.status)),
            ("same bytes, killed", str(same(folder / "undisturbed", folder / "killed"))),
        ]
        for workers in (2, 4):
            undisturbed(folder / str(workers), *size, "--workers", str(workers))
            lines.append((f"same bytes, {workers} workers", str(same(folder / "undisturbed", folder / str(workers)))))
        if not asked.without_dask:
            on_cluster(folder / "dask", *size)
            lines.append(("same bytes, Dask, a worker killed", str(same(folder / "undisturbed", folder / "dask"))))
    sys.stdout.write("".join(f"{name:<36}{value}\n" for name, value in lines))


if __name__ == "__main__":
    main()
