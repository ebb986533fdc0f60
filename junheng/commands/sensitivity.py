"""`junheng sensitivity`: what drives an outcome, among levers and among what nobody has measured, and what is luck."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import sensitivity as studies
from experiments.design import Factor, Response, every_stage, outcome, vary
from experiments.plan import CALIBRATIONS, Plan, planned
from experiments.scenario import load_scenario
from experiments.sensitivity import Study
from junheng.commands import show
from junheng.commands.batch import DONE, Asked, live_batch, said, say
from model.errors import InputError
from results.run_folder import MANIFEST, RunFolder

WIDTH = 120  # columns of the tables where standard output is not a terminal
FIRST = {"auto": "morris", "morris": "morris", "sobol": "sample", "pawn": "sample", "delta": "sample"}
SIZES = {"morris": studies.TRAJECTORIES, "sample": studies.SAMPLE, "sobol": studies.BASE}


def sensitivity(
    asked: Asked,
    *,
    scenario: str,
    against: str | None,
    method: str,
    over: Path | None,
    varied: Sequence[str],
    groups: Sequence[str],
    factors: int | None,
    outcomes: Sequence[str],
    runs: int | None,
    direct: bool,
    region: str | None,
    years: int | None,
    replicates: int | None,
    redraw_region: bool,
    seed: int,
    calibration: str,
    sets: Sequence[str],
    record: str | None,
) -> int:
    """Live a study and print what it found; returns the exit status. Raises InputError before anything is written."""
    chosen = load_scenario(scenario)
    for assignment in sets:
        chosen = chosen.with_set(assignment)
    plan = planned(
        [chosen, *([load_scenario(against)] if against else [])],
        region=region,
        years=years,
        calibrations=CALIBRATIONS if calibration == "both" else (calibration,),
        seed=seed,
        redraw_region=redraw_region,
        record=record or "",
    )
    study = _study(plan, method, over, varied, groups, factors, outcomes, replicates)
    study = replace(study, against=plan.scenarios[1].name if against else "")
    if direct and method != "sobol":
        raise InputError("--direct", f"it with --method {method}", "--method sobol")
    if method in ("sobol", "auto") and study.replicates < 2:
        raise InputError("--replicates", "1", "2 or more: what is luck is known from two runs of one point")
    study = _first(study, runs, direct)
    if asked.dry_run and method == "auto":
        study = _second(study, runs, [f.name for f in study.factors])
    if held := _held(asked, study):
        study = held
    return _go(asked, plan, study, runs)


def _go(asked: Asked, plan: Plan, study: Study, runs: int | None) -> int:
    """Live stage after stage, each as what came before asks for it, then tell."""
    worst = DONE
    while True:
        status, folder = _live(asked, plan, study)
        worst = max(worst, status)
        if folder is None:
            return worst
        with said("looking for what drives the outcomes", asked.quiet):
            findings = _analyse(folder, asked.workers or os.cpu_count() or 1)
            more = _next(study, findings, runs)
        if more is None:
            break
        if not asked.quiet:
            stage = more.stages[-1]
            say(f"{len(stage.factors)} factors go on into a {stage.kind} design of size {stage.size}")
        study, asked = more, replace(asked, out=folder.path, resume=True)
    _tell(folder, findings, asked)
    return worst


def _live(asked: Asked, plan: Plan, study: Study) -> tuple[int, RunFolder | None]:
    held: list[RunFolder] = []
    status = live_batch(studies.sensitivity_plan(plan, study), asked, held.append)
    return status, held[0] if held else None


def _analyse(folder: RunFolder, workers: int) -> Any:
    from results.sensitivity import analyse

    return analyse(folder, workers)


# ---- what is asked


def _study(
    plan: Plan,
    method: str,
    over: Path | None,
    varied: Sequence[str],
    groups: Sequence[str],
    factors: int | None,
    outcomes: Sequence[str],
    replicates: int | None,
) -> Study:
    """What is varied and looked at: of the file, of the command line, or by default."""
    named: tuple[Factor, ...] = ()
    looked: tuple[Response, ...] = ()
    grouped: dict[str, tuple[str, ...]] = {}
    if over is not None:
        named, looked, grouped = studies.read_over(over)
        if factors is not None:
            raise InputError("--factors", "it beside --over", "the factors in the file")
    named += tuple(vary(text) for text in varied)
    if named and factors is not None:
        raise InputError("--factors", "it beside --vary", "one of the two")
    if not named:
        named = studies.default_factors(plan.scenarios[0].policy, factors or studies.FACTORS, plan.calibrations)
    grouped |= dict(studies.group(text) for text in groups)
    studies.check(named, grouped)
    asked = [outcome(text) for text in outcomes] or list(looked) or [outcome(name) for name in studies.OUTCOMES]
    told = tuple(dict.fromkeys(one for response in asked for one in every_stage(response)))
    for one in told:
        if one.year and not plan.first_year <= one.year <= plan.last_year:
            expected = f"a school year of the runs: {plan.first_year} to {plan.last_year}"
            raise InputError(f"outcome {one.indicator}", f"year {one.year}", expected)
    return Study(method, named, told, grouped, replicates or studies.REPLICATES, plan.seed)


def _first(study: Study, runs: int | None, direct: bool) -> Study:
    kind: Any = "sobol" if direct else FIRST[study.method]
    if runs is None:
        return study.with_stage(kind, SIZES[kind])
    size = studies.size_for(kind, runs, len(study.factors), study)
    if study.method == "auto":
        size = min(size, studies.TRAJECTORIES)
    if size < studies.SMALLEST[kind]:
        least = study.runs(kind, studies.SMALLEST[kind], len(study.factors))
        raise InputError("--runs", str(runs), f"{least} or more for {len(study.factors)} factors and this method")
    return study.with_stage(kind, size)


def _next(study: Study, findings: Any, runs: int | None) -> Study | None:
    """The next stage: the sample after screening, direct runs where no surrogate is believed; None at the end."""
    last = study.stages[-1].kind
    if study.method == "auto" and last == "morris":
        from results.sensitivity import screened

        units = screened(findings)
        kept = [f.name for f in study.factors if f.name in units or _group_of(study, f.name) in units]
        return _second(study, runs, kept) if len(kept) > 1 else None
    if study.method in ("auto", "sobol") and last == "sample" and runs is not None:
        doubted = [f.surrogate for f in findings if f.surrogate is not None and not f.surrogate.believed]
        rest = runs - sum(study.runs(s.kind, s.size, len(s.factors)) for s in study.stages)
        size = studies.size_for("sobol", rest, len(study.stages[-1].factors), study)
        if doubted and size >= studies.SMALLEST["sobol"]:
            return study.with_stage("sobol", size, study.stages[-1].factors)
    return None


def _second(study: Study, runs: int | None, kept: Sequence[str]) -> Study:
    if runs is None:
        return study.with_stage("sample", studies.SAMPLE, kept)
    rest = runs - sum(study.runs(s.kind, s.size, len(s.factors)) for s in study.stages)
    size = studies.size_for("sample", rest, len(kept), study)
    return study.with_stage("sample", max(size, studies.SMALLEST["sample"]), kept)


def _group_of(study: Study, name: str) -> str:
    return next((group for group, members in study.groups.items() if name in members), "")


def _held(asked: Asked, study: Study) -> Study | None:
    """The study that a folder holds where it has gone further than its first stage."""
    if not asked.resume or asked.out is None or not (asked.out / MANIFEST).exists():
        return None
    stages = RunFolder.open(asked.out).manifest["design"].get("stages", [])
    first = study.stages[0]
    if len(stages) < 2 or (stages[0]["kind"], stages[0]["factors"]) != (first.kind, list(first.factors)):
        return None
    for stage in stages[1:]:
        study = study.with_stage(stage["kind"], stage["size"], stage["factors"])
    return study


# ---- what is told


def _tell(folder: RunFolder, findings: Any, asked: Asked) -> None:
    from results.sensitivity import as_data, write_table

    write_table(folder, findings)
    if asked.json:
        show.document(as_data(folder, findings))
    else:
        from rich.console import Console
        from rich.text import Text

        from results.sensitivity_text import render

        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
        for part in render(folder, findings, asked.lang):
            console.print(part, soft_wrap=isinstance(part, Text))
        console.print(str(folder.path), soft_wrap=True)
    _draw(folder, findings, asked)


def _draw(folder: RunFolder, findings: Any, asked: Asked) -> None:
    """The figures, into DIR/report/."""
    from results.drawing import saved
    from results.fonts import has_chinese
    from results.pictures_of_sensitivity import pictures

    lang = asked.lang if asked.lang != "zh" or has_chinese() else "en"
    report = folder.path / "report"
    report.mkdir(exist_ok=True)
    names = []
    for name, figure in pictures(folder, findings, lang):
        for form in ("png", "svg"):
            (report / f"{name}.{form}").write_bytes(saved(figure, form))
        names.append(f"{name}.png")
    if not asked.quiet:
        say(f"{len(names)} figures in {report}: {', '.join(names)}")
