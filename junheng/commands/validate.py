"""`junheng validate`: whether burned-in regions look like real ones, moment by moment, under each calibration."""

from __future__ import annotations

import itertools
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from calibration.moments import Values, judged, looked_at, outside, plan_of
from experiments.plan import CALIBRATIONS
from junheng.commands import show

DONE, SOME_FAILED = 0, 1
WIDTH = 100  # columns where standard output is not a terminal
MARKS = {True: "✓", False: "✗", None: " "}
Json = Mapping[str, Any]

WORDS = {
    "title": (
        "Base moments of {region}: mean ± standard error over {n} built regions",
        "{region}的基准矩：{n}个生成区域的均值±标准误",
    ),
    "moment": ("moment", "矩"),
    "stage": ("stage", "学段"),
    "evidence": ("evidence", "证据区间"),
    "apart": ("  the same, sorting less input", "  同上，分流减投入"),
    "marks": (
        "✓ mean inside the evidence, ✗ outside; no mark where nothing is known.",
        "✓ 均值在证据区间内，✗ 在区间外；无已知证据者不标。",
    ),
    "outside": ("Outside: {names}.", "区间外：{names}。"),
    "none": ("All inside.", "全部在区间内。"),
    "primary": ("primary", "小学"),
    "junior": ("junior", "初中"),
    "measured": ("measured", "实测"),
    "derived": ("derived", "推算"),
    "assumed": ("assumed", "假设"),
}


def validate(
    *, region: str, regions: int, calibration: str, seed: int, workers: int | None, json: bool, quiet: bool, lang: str
) -> int:
    """Look at regions and print the table; returns the exit status. Raises InputError for a region that is none."""
    calibrations = CALIBRATIONS if calibration == "both" else (calibration,)
    plan = plan_of(region, regions, calibrations, seed)
    found: dict[str, list[Values]] = {c: [] for c in calibrations}
    failed = []
    for own, values in _with_progress(looked_at(plan, workers or os.cpu_count() or 1), len(plan.runs), quiet):
        if isinstance(values, str):
            failed.append(values)
        else:
            found[own].append(values)
    for traceback in failed:
        sys.stderr.write(traceback)
    if not all(found.values()):
        sys.stderr.write("junheng: no region could be lived in under a calibration\n")
        return SOME_FAILED
    rows = judged(found)
    if json:
        show.document(
            {"region": region, "regions": regions, "seed": seed, "moments": rows, "outside": outside(rows)}
            | {"failed": len(failed)}
        )
    else:
        _print(rows, region, regions, lang)
    return SOME_FAILED if failed else DONE


def _with_progress(outcomes: Any, total: int, quiet: bool) -> Any:
    if quiet:
        return outcomes
    from rich.console import Console
    from rich.progress import track

    return track(outcomes, "regions", total=total, console=Console(stderr=True))


def _print(rows: Sequence[Json], region: str, regions: int, lang: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    def say(word: str, **values: object) -> str:
        return WORDS[word][lang == "zh"].format(**values)

    calibrations = list(rows[0]["calibrations"])
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=say("title", region=region, n=regions), title_justify="left")
    table.add_column(say("moment"))
    table.add_column(say("stage"), no_wrap=True)
    table.add_column(say("evidence"), no_wrap=True)
    for calibration in calibrations:
        table.add_column(show.heading(calibration, lang), justify="right", no_wrap=True)
    for rows_of_one in _by_moment(rows):
        for row in rows_of_one:
            held = row["calibrations"]
            title = row[lang] if row is rows_of_one[0] else ""
            evidence = " | ".join(dict.fromkeys(_span(held[c]) for c in calibrations))
            table.add_row(title, say(row["stage"]), evidence, *(_cell(held[c]) for c in calibrations))
        for row in (r for r in rows_of_one if "apart" in r):
            table.add_row(say("apart"), say(row["stage"]), _span(row["apart"]), "", _cell(row["apart"]))
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(table)
    missed = outside(rows)
    lines = [say("outside", names=", ".join(missed)) if missed else say("none"), say("marks"), ""]
    for row, *_ in _by_moment(rows):
        source = f"{row[lang]} ({row['unit']}): {say(row['kind'])}. {row['source']}"
        lines += textwrap.wrap(source, WIDTH, subsequent_indent="  ")
    console.print("\n".join(lines), soft_wrap=True, markup=False)


def _by_moment(rows: Sequence[Json]) -> list[list[Json]]:
    return [list(held) for _, held in itertools.groupby(rows, key=lambda row: row["moment"])]


def _cell(one: Json) -> str:
    if one["mean"] is None:
        return f"– {MARKS[one['inside']]}"
    error = "" if one["se"] is None else f" ± {one['se']:.3f}"
    return f"{_plain(one['mean'], 3)}{error} {MARKS[one['inside']]}"


def _span(one: Json) -> str:
    """A tolerance as text: .15–.25, ± .02, ≤ .40, or nothing."""
    low, high = one["low"], one["high"]
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"≤ {_short(high)}" if low is None else f"≥ {_short(low)}"
    return f"± {_short(high)}" if low == -high else f"{_short(low)}–{_short(high)}"


def _short(value: float) -> str:
    return _plain(value, 2).replace("0.", ".", 1)


def _plain(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
