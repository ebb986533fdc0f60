"""`junheng sweep`: levers and parameters over their ranges, and how outcomes respond."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.design import (
    Design,
    Response,
    check_factors,
    every_stage,
    is_design_file,
    outcome,
    read_design,
    vary,
)
from experiments.plan import CALIBRATIONS, Plan, planned
from experiments.scenario import load_scenario
from junheng.commands import show
from junheng.commands.batch import Asked, live_batch, say
from model.errors import InputError
from results.run_folder import RunFolder

WIDTH = 120  # columns of the tables where standard output is not a terminal
REPLICATES = 8


def sweep(
    asked: Asked,
    *,
    named: Sequence[str],
    varied: Sequence[str],
    method: str | None,
    points: int | None,
    outcomes: Sequence[str],
    region: str | None,
    years: int | None,
    replicates: int | None,
    redraw_region: bool,
    seed: int,
    calibration: str,
    sets: Sequence[str],
    record: str | None,
) -> int:
    """Live a design and print its responses; returns the exit status. Raises InputError before anything is written."""
    design = _design(named, varied, method, points, [outcome(text) for text in outcomes])
    chosen = [load_scenario(name) for name in design.scenarios]
    for assignment in sets:
        chosen = [s.with_set(assignment) for s in chosen]
    plan = planned(
        chosen,
        region=region,
        years=years,
        calibrations=CALIBRATIONS if calibration == "both" else (calibration,),
        replicates=replicates or design.replicates or REPLICATES,
        seed=seed,
        redraw_region=redraw_region,
        record=record or "",
        points=design.points(seed),
        design=design.as_data(),
    )
    _check_outcomes(design.outcomes, plan)
    return live_batch(plan, asked, lambda folder: _tell(folder, asked))


def _design(
    named: Sequence[str], varied: Sequence[str], method: str | None, points: int | None, outcomes: Sequence[Response]
) -> Design:
    """The design that a file holds, or that the command line says."""
    if not varied:
        if len(named) != 1 or not is_design_file(named[0]):
            found = f"{' '.join(named)} without --vary"
            raise InputError("sweep", found, "SCENARIO --vary NAME=FROM:TO:STEPS, or the file of a design")
        for option, given in (("--design", method), ("--points", points)):
            if given is not None:
                raise InputError(option, "it beside the file of a design", f"{option[2:]}: in the file")
        design = read_design(Path(named[0]))
    else:
        if any(is_design_file(name) for name in named):
            raise InputError("--vary", "it beside the file of a design", "the factors in the file")
        design = Design(tuple(named), method or "grid", tuple(vary(text) for text in varied), points or 0)
        check_factors(design)
    asked = [one for response in (outcomes or design.outcomes) for one in every_stage(response)]
    return replace(design, outcomes=tuple(dict.fromkeys(asked)))


def _check_outcomes(outcomes: Sequence[Response], plan: Plan) -> None:
    for one in outcomes:
        if one.year and not plan.first_year <= one.year <= plan.last_year:
            expected = f"a school year of the runs: {plan.first_year} to {plan.last_year}"
            raise InputError(f"outcome {one.indicator}", f"year {one.year}", expected)


def _tell(folder: RunFolder, asked: Asked) -> None:
    from results.responses import as_data, respond

    found = respond(folder)
    if asked.json:
        show.document(as_data(found, folder))
    else:
        from rich.console import Console
        from rich.text import Text

        from results.responses_text import render

        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
        for part in render(found, asked.lang):
            console.print(part, soft_wrap=isinstance(part, Text))
        console.print(str(folder.path), soft_wrap=True)
    _draw(folder, asked)


def _draw(folder: RunFolder, asked: Asked) -> None:
    """The figures, into DIR/report/."""
    from results.drawing import saved
    from results.fonts import has_chinese
    from results.pictures_of_responses import pictures
    from results.responses import respond

    lang = asked.lang if asked.lang != "zh" or has_chinese() else "en"
    report = folder.path / "report"
    report.mkdir(exist_ok=True)
    names = []
    for name, figure in pictures(respond(folder), folder, lang):
        for form in ("png", "svg"):
            (report / f"{name}.{form}").write_bytes(saved(figure, form))
        names.append(f"{name}.png")
    if not asked.quiet:
        say(f"{len(names)} figures in {report}: {', '.join(names)}")
