"""`junheng run`: scenarios, replicated, into a run folder; what came of it on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from experiments.plan import CALIBRATIONS, planned
from experiments.scenario import load_scenario
from junheng.commands import show
from junheng.commands.batch import Asked, live_batch
from results.run_folder import RunFolder

WIDTH = 100  # columns of the summary where standard output is not a terminal


def run(
    asked: Asked,
    *,
    scenarios: Sequence[str],
    region: str | None,
    years: int | None,
    replicates: int,
    redraw_region: bool,
    seed: int,
    calibration: str,
    sets: Sequence[str],
    record: str | None,
) -> int:
    """Run a batch and print its summary; returns the exit status. Raises InputError before anything is written."""
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
    return live_batch(plan, asked, lambda folder: _print_summary(folder, asked.json, asked.lang))


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
