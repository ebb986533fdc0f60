"""What batches cost besides the runs themselves: `python -m benchmarks.batches [overhead|ledger|memory|query|status]`.

Runs are pretended: a worker computes for so many milliseconds and hands back a table with so many rows, taken from
a real run of the village (about 1,300 rows a school year; a year takes about 40 ms there).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.loop import on_one_thread

on_one_thread()
if TYPE_CHECKING:
    from experiments.plan import Plan, Task

ROOT = Path(__file__).parents[1]
WORKERS = 2
REPEATS = 3
BUFFER = bytes(100_000)
ROWS = {100: 3300, 10: 330}  # of indicators, by milliseconds a run
QUERY = [("indicator", "=", "gap.score"), ("level", "=", "region")]


def work(task: Task) -> Mapping[str, bytes]:
    """Compute as often as BENCHMARK_PASSES says, then hand back rows as a run of BENCHMARK_MS does."""
    for _ in range(int(os.environ["BENCHMARK_PASSES"])):
        hashlib.blake2b(BUFFER).digest()
    return rows(ROWS[int(os.environ["BENCHMARK_MS"])])


def last(milliseconds: int) -> None:
    """Let runs compute for about so long: as many passes as take so long now."""
    begun = time.perf_counter()
    for _ in range(500):
        hashlib.blake2b(BUFFER).digest()
    passes = max(1, round(milliseconds / 1000 / ((time.perf_counter() - begun) / 500)))
    os.environ.update(BENCHMARK_MS=str(milliseconds), BENCHMARK_PASSES=str(passes))


@cache
def rows(n: int) -> dict[str, bytes]:
    """Packed tables as a real run leaves them, its indicators cut to n rows."""
    from experiments.live import packed
    from experiments.plan import planned
    from experiments.scenario import load_scenario
    from model.simulate import simulate

    task = next(planned([load_scenario("wuqing-2020-2022")], region="village", years=3, replicates=1).tasks())
    history = simulate(task.region(), task.policy, task.behaviour, task.run.seed, 3)
    history.indicators = {name: column[:n] for name, column in history.indicators.items()}
    history.finance = {name: column[: n // 40] for name, column in history.finance.items()}
    return packed(history, task.targets)


def plan(points: int, replicates: int, **settings: Any) -> Plan:
    """A sweep of one lever on the village."""
    from experiments.plan import Point, planned
    from experiments.scenario import load_scenario

    spread = tuple(Point({"teacher_rotation.share_of_eligible": 0.4 * i / points}) for i in range(points))
    chosen = [load_scenario("wuqing-2020-2022")]
    return planned(chosen, region="village", years=3, replicates=replicates, points=spread, **settings)


def overhead(folder: Path) -> None:
    """Wall time of a batch on two workers beside that of its runs alone on two processes; the parent's own time."""
    from benchmarks.batches import work as importable
    from experiments.batch import run_batch, run_folder

    columns = ("ms a run", "runs", "bare s", "batch s", "overhead", "parent's CPU a run")
    sys.stdout.write("".join(f"{c:>{max(10, len(c) + 2)}}" for c in columns) + f"   best of {REPEATS}\n")
    for milliseconds, runs in ((100, 160), (10, 1600)):
        last(milliseconds)
        rows(ROWS[milliseconds])
        bare, whole, own = [], [], []
        for repeat in range(REPEATS):
            bare.append(_bare(milliseconds, runs))
            of = plan(runs // 8, 8)
            made = run_folder(of, folder / f"{milliseconds}-{repeat}")
            marks: list[tuple[int, float]] = []

            def note(tally: Any, marks: list[tuple[int, float]] = marks) -> None:
                marks.append((tally.lived, time.perf_counter()))

            begun = time.process_time()
            run_batch(of, made, WORKERS, work=importable, progress=note)
            own.append((time.process_time() - begun) / runs)
            done = time.perf_counter()
            # workers start once a batch: from the first runs on, and what the rest took for all
            first, at = next(mark for mark in marks if mark[0] >= 2 * WORKERS)
            whole.append((marks[-1][1] - at) * runs / (runs - first) + done - marks[-1][1])
        share = 100 * (min(whole) / min(bare) - 1)
        sys.stdout.write(f"{milliseconds:>10}{runs:>10}{min(bare):>10.2f}{min(whole):>10.2f}{share:>9.1f}%")
        sys.stdout.write(f"{1000 * min(own):>17.2f} ms\n")


BARE = """
import os, sys, time
import numpy, pyarrow
from benchmarks.batches import rows, work
rows(int(sys.argv[2]))
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    work(None)
"""


def _bare(milliseconds: int, runs: int) -> float:
    """Seconds that two processes take for the runs, with nothing kept."""
    call = [sys.executable, "-c", BARE, str(runs // WORKERS), str(ROWS[milliseconds])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    started = [subprocess.Popen(call, **pipes) for _ in range(WORKERS)]  # type: ignore[call-overload]  # noqa: S603
    for process in started:
        process.stdout.readline()
    begun = time.perf_counter()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.wait()
    return time.perf_counter() - begun


def ledger(folder: Path) -> None:
    """Microseconds and bytes of a ledger's row, without and with the run's values."""
    from results.ledger import Ledger, Outcome

    of = plan(1250, 8)
    for name, tables in (("row alone", {}), ("row and values", rows(ROWS[100]))):
        path = folder / f"{name}.sqlite"
        with Ledger(path) as held:
            empty = path.stat().st_size
            times = []
            for run in of.runs:
                begun = time.perf_counter()
                held.record([(Outcome(run.id, 0.1, tables), run.key())])
                times.append(time.perf_counter() - begun)
        size = (path.stat().st_size - empty) / len(of.runs) - sum(map(len, tables.values()))
        mean = 1e6 * statistics.fmean(times)
        median = 1e6 * statistics.median(times)
        packed = sum(map(len, tables.values()))
        sys.stdout.write(
            f"{name:<16}{median:>8.0f} µs median{mean:>8.0f} µs mean{size:>8.0f} bytes + {packed} of values\n"
        )


def memory(folder: Path) -> None:
    """Growth of the parent while it runs 100,000 runs, from a process of its own."""
    call = [sys.executable, "-c", "from benchmarks.batches import hundred_thousand as h; h()", str(folder / "many")]
    subprocess.run(call, check=True, cwd=ROOT, env=os.environ.copy())  # noqa: S603


def nothing(task: Task) -> Mapping[str, bytes]:
    """A run that leaves hardly anything."""
    return rows(13)


def hundred_thousand() -> None:
    """Plan, run and write 100,000 runs in one process; say how far it grew."""
    import resource

    from experiments import batch

    rows(13)
    import pyarrow.parquet  # noqa: F401 - is not what grows

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize() / 1e6

    before = resident()
    begun = time.perf_counter()
    of = plan(12_500, 8)
    made = batch.run_folder(of, Path(sys.argv[1]))
    planned_in = time.perf_counter() - begun
    most = [resident()]

    def look(tally: Any) -> None:
        if tally.done % 5000 == 0:
            most.append(resident())

    batch.run_batch(of, made, work=nothing, progress=look)
    most.append(resident())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    sys.stdout.write(
        f"100,000 runs: planned in {planned_in:.1f} s, done in {time.perf_counter() - begun:.0f} s; parent"
        f" {before:.0f} MB before, + {max(most) - before:.0f} MB at most while running, + {peak - before:.0f} MB peak\n"
    )


def query(folder: Path) -> None:
    """Milliseconds to read one indicator out of a million rows."""
    from experiments.batch import run_batch, run_folder

    last(10)
    of = plan(100, 4)
    made = run_folder(of, folder / "query")
    ROWS[10] = 2600
    run_batch(of, made, work=work)  # in this process
    whole = made.table("indicators", ["year"]).num_rows
    times = _timed(lambda: made.table("indicators", ["replicate", "year", "value"], QUERY))
    sys.stdout.write(f"one indicator of {whole:,} rows: {1000 * statistics.median(times):.0f} ms\n")


def status(folder: Path) -> None:
    """Milliseconds of `junheng status` at 100,000 settled runs, in the process and as a command."""
    from experiments.batch import run_folder
    from junheng.commands.status import look
    from results.ledger import Ledger, Outcome

    of = plan(12_500, 8)
    made = run_folder(of, folder / "status")
    with Ledger(made.path / "ledger.sqlite") as held:
        held._database.execute("PRAGMA synchronous = OFF")
        for i, run in enumerate(of.runs[:-100]):
            text = "ValueError: no" if i % 1000 == 0 else None
            held.record([(Outcome(run.id, 0.1, {} if text else rows(13), text), run.key())])
        inside = _timed(lambda: look(made.path))
        call = [sys.executable, "-m", "junheng", "status", str(made.path)]
        command = _timed(lambda: subprocess.run(call, check=True, cwd=ROOT, stdout=subprocess.DEVNULL))  # noqa: S603
        call = [sys.executable, "-m", "junheng", "--version"]
        start = _timed(lambda: subprocess.run(call, check=True, cwd=ROOT, stdout=subprocess.DEVNULL))  # noqa: S603
    told = json.dumps({name: look(made.path)[name] for name in ("done", "failed", "left")})
    sys.stdout.write(
        f"status at 100,000 runs: {1000 * statistics.median(inside):.0f} ms; as a command"
        f" {1000 * statistics.median(command):.0f} ms, of which start of the command line"
        f" {1000 * statistics.median(start):.0f} ms   {told}\n"
    )


def _timed(what: Callable[[], Any], repeats: int = 9) -> list[float]:
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        what()
        times.append(time.perf_counter() - begun)
    return times


def main() -> None:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    every = {f.__name__: f for f in (overhead, ledger, memory, query, status)}
    parser.add_argument("what", nargs="*", choices=[*every, []])
    for name in parser.parse_args().what or list(every):
        with tempfile.TemporaryDirectory() as folder:
            every[name](Path(folder))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
