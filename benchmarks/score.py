"""How long `junheng score` takes on 10,000 schools, as CSV and as a workbook: `python -m benchmarks.score`."""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xlsxwriter

from benchmarks.loop import loop_seconds, on_one_thread
from calibration.school_table import STOCKS
from model.national_standard import standard

on_one_thread()
SCHOOLS = 10_000


def rows(schools: int) -> list[list[object]]:
    """Primary schools around the standard, the same ones every time."""
    random = np.random.default_rng(1)
    pupils = random.integers(50, 2000, schools)
    stock = random.lognormal(0.15, 0.4, (schools, len(STOCKS))) * standard().per_pupil[0] * pupils[:, None]
    made: list[list[object]] = [["school", "stage", "pupils", *STOCKS]]
    made += [[f"第{i}小学", "小学", int(pupils[i]), *map(int, stock[i])] for i in range(schools)]
    return made


def write(path: Path, table: list[list[object]]) -> None:
    """The table as CSV or as a workbook, by the ending of the name."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)
        return
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(table):
            sheet.write_row(number, 0, row)


def seconds(path: Path) -> float:
    """Wall seconds of the command, from start to exit."""
    begun = time.perf_counter()
    call = [sys.executable, "-m", "junheng", "score", str(path), "--json"]  # nothing from outside
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - begun


def main() -> None:
    """Time the command on both kinds of file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs that are timed")
    asked = parser.parse_args()
    sys.stdout.write(f"junheng score, {SCHOOLS:,} schools; {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("schools.csv", "schools.xlsx"):
            path = Path(folder, name)
            write(path, rows(SCHOOLS))
            loops, taken = [], []
            for _ in range(asked.repeats):
                loops.append(loop_seconds())
                taken.append(seconds(path))
            typical, loop = statistics.median(taken), statistics.median(loops)
            sys.stdout.write(f"{name:<14}{typical:>8.2f} s{typical / loop:>8.0f} loops of {loop * 1000:.2f} ms\n")


if __name__ == "__main__":
    main()
