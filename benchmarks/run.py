"""How long a whole `junheng run` takes, from the command to the summary: `python -m benchmarks.run`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.loop import loop_seconds, on_one_thread

on_one_thread()
COMMAND = ("run", "baseline", "wuqing-2020-2022", "--replicates", "8")


def run_seconds(folder: Path) -> float:
    """Wall seconds of the command, its run folder made in `folder`. Raises CalledProcessError where it fails."""
    begun = time.perf_counter()
    call = [sys.executable, "-m", "junheng", *COMMAND, "--quiet", "--out", str(folder)]  # nothing from outside
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - begun


def main() -> None:
    """Run once so that the burned-in region is cached, then time the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs that are timed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_seconds(Path(folder, "first"))
        loops, runs = [], []
        for repeat in range(asked.repeats):
            loops.append(loop_seconds())
            runs.append(run_seconds(Path(folder, str(repeat))))
    seconds, loop = statistics.median(runs), statistics.median(loops)
    sys.stdout.write(f"junheng {' '.join(COMMAND)}\n")
    sys.stdout.write(f"{'cores':<10}{os.cpu_count():>10}\n")
    sys.stdout.write(f"{'seconds':<10}{seconds:>10.2f}   median of {asked.repeats}, region cached\n")
    sys.stdout.write(f"{'loops':<10}{seconds / loop:>10.0f}   one loop {loop * 1000:.2f} ms\n")


if __name__ == "__main__":
    main()
