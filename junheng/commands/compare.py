"""`junheng compare`: scenarios against one of them, paired by replicate."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments import by_lever, equal_cost, precision
from experiments.plan import CALIBRATIONS, Plan, planned
from experiments.precision import MOST
from experiments.recorded import recorded_plan
from experiments.scenario import load_scenario
from junheng.commands import show
from junheng.commands.batch import DONE, Asked, live_batch, said, say
from junheng.commands.run import WIDTH
from model.errors import InputError
from results import comparison, sentences
from results.attribution import Contribution, attribute
from results.run_folder import MANIFEST, RunFolder

Json = dict[str, Any]

HEADLINE = "gap.score:primary"  # what --precision is about if nothing is asked for
BY_LEVER = ("gap.score", "schools_passing", "between_school_share", "local_stay", "yuan.real")


@dataclass(frozen=True)
class Question:
    """What is compared, and how far to go."""

    outcomes: Sequence[str] = ()
    reference: str = ""
    year: int | None = None
    level: str = "region"
    place: str = ""
    precision: str | None = None
    most: int = MOST
    equal_cost: bool = False
    by_lever: bool = False
    groups: Sequence[str] = ()
    orders: int = 1


def compare(asked: Asked, question: Question, named: Sequence[str], settings: Mapping[str, Any]) -> int:
    """Compare a run's scenarios, or live scenarios first; returns the exit status. `settings`: None if not given.

    Raises InputError before anything is written.
    """
    goal = None if question.precision is None else precision.Goal.read(question.precision)
    comparison.chosen(question.outcomes, question.level)
    if question.place and question.level == "region":
        raise InputError("--place", question.place, "a --level beside it, such as town")
    if question.groups and not question.by_lever:
        raise InputError("--group", "it without --by-lever", "--by-lever --group NAME=LEVER,LEVER")
    if asked.out is not None and asked.out.parent.name == by_lever.FOLDER:  # mixtures stand for the run they explain
        asked = replace(asked, out=asked.out.parent.parent)
    if len(named) == 1 and _is_run(named[0]):
        return _compare_run(asked, question, goal, Path(named[0]), settings)
    if len(named) < 2:
        raise InputError(f"compare {named[0]}", "one scenario", f"a run folder, or two scenarios: baseline {named[0]}")
    plan, scaled = _plan(question, named, settings, asked)
    if goal and asked.resume and asked.out is not None and (asked.out / MANIFEST).exists():
        held = RunFolder.open(asked.out).manifest["replicates"]  # it may have grown before it was stopped
        plan = replace(plan, replicates=max(plan.replicates, held))
    _check(question, plan)
    status, folder = _live(plan, asked)
    if folder is None:
        return status
    return _go_on(asked, question, goal, folder, plan, scaled, status)


def _is_run(name: str) -> bool:
    path = Path(name)
    return path.is_dir() or path.name == MANIFEST


def _compare_run(
    asked: Asked, question: Question, goal: precision.Goal | None, path: Path, settings: Mapping[str, Any]
) -> int:
    for name, value in settings.items():
        if value not in (None, [], False):
            raise InputError(f"--{name.replace('_', '-')}", "it beside a run folder", "scenarios, to be lived with it")
    if question.equal_cost:
        raise InputError("--equal-cost", "it beside a run folder", "scenarios, whose size can still be changed")
    if asked.out is not None and asked.out != path:
        raise InputError("--out", str(asked.out), f"the run itself, {path}, or none")
    folder = RunFolder.open(path if path.is_dir() else path.parent)
    comparison.reference_of(list(folder.manifest["scenarios"]), question.reference)
    goes_on = asked.resume or asked.retry_failed or goal is not None or question.by_lever
    asked = replace(asked, out=folder.path, resume=goes_on)
    plan = recorded_plan(folder) if asked.resume else None
    if plan is not None:
        _check(question, plan)
    if plan is not None and (asked.retry_failed or not folder.has_tables()):
        status, settled = _live(plan, asked)
        if settled is None:
            return status
        folder = settled
    return _go_on(asked, question, goal, folder, plan, [], DONE)


def _plan(
    question: Question, named: Sequence[str], settings: Mapping[str, Any], asked: Asked
) -> tuple[Plan, list[equal_cost.Scaled]]:
    """The plan of the scenarios, scaled to one price where that is asked for."""
    chosen = [load_scenario(name) for name in named]
    for assignment in settings["set"] or []:
        chosen = [s.with_set(assignment) for s in chosen]
    calibration = settings["calibration"] or "input"
    plan = planned(
        chosen,
        region=settings["region"],
        years=settings["years"],
        calibrations=CALIBRATIONS if calibration == "both" else (calibration,),
        replicates=settings["replicates"] or 8,
        seed=1 if settings["seed"] is None else settings["seed"],
        redraw_region=bool(settings["redraw_region"]),
        record=settings["record"] or "",
    )
    if not question.equal_cost:
        return plan, []
    plan.check()
    with said("looking for one price", asked.quiet):
        workers = asked.workers or os.cpu_count() or 1
        scenarios, scaled = equal_cost.equal_cost(plan.scenarios, equal_cost.pilot(plan, workers))
    return replace(plan, scenarios=tuple(scenarios)), scaled


def _check(question: Question, plan: Plan) -> None:
    """Refuse, before anything is lived, what could not be answered afterwards."""
    names = [s.name for s in plan.scenarios]
    reference = comparison.reference_of(names, question.reference)
    if question.year is not None and not plan.first_year <= question.year <= plan.last_year:
        years = f"a school year of the run: {plan.first_year} to {plan.last_year}"
        raise InputError("--year", str(question.year), years)
    if question.by_lever:
        for name in (n for n in names if n != reference):
            by_lever.mixture_plan(plan, name, reference, question.groups, question.orders, plan.first_year)


def _live(plan: Plan, asked: Asked) -> tuple[int, RunFolder | None]:
    """Live a plan; the folder is None where it was stopped, or only its size was asked for."""
    held: list[RunFolder] = []
    status = live_batch(plan, asked, held.append)
    return status, held[0] if held else None


def _go_on(
    asked: Asked,
    question: Question,
    goal: precision.Goal | None,
    folder: RunFolder,
    plan: Plan | None,
    scaled: Sequence[equal_cost.Scaled],
    status: int,
) -> int:
    """More replicates where a precision is asked for, mixtures of levers where their parts are; then the answer."""
    again = replace(asked, out=folder.path, resume=True)
    told: Json = {"folder": str(folder.path)}
    if goal is not None and plan is not None:
        status, plan, reached = _until_precise(again, question, goal, folder, plan, status)
        if reached is None:
            return status
        folder, told["precision"] = RunFolder.open(folder.path), reached
    mixed: list[RunFolder] = []
    if question.by_lever and plan is not None:
        for mixture_plan in _mixture_plans(question, folder, plan):
            at = by_lever.mixture_folder(folder, mixture_plan)
            worst, one = _live(mixture_plan, replace(again, out=at))
            if one is None:
                return worst
            status = max(status, worst)
            mixed.append(one)
    _tell(asked, question, folder, mixed, [one.as_data() for one in scaled], told)
    return status


def _until_precise(
    asked: Asked, question: Question, goal: precision.Goal, folder: RunFolder, plan: Plan, status: int
) -> tuple[int, Plan, Json | None]:
    """Enlarge the run until the rule is met or its cap is; None where it was stopped."""
    outcomes = question.outcomes or (HEADLINE,)
    at = question.reference, question.year, question.level, question.place
    while True:
        series = comparison.paired_series(folder, outcomes, *at)
        if not series:
            raise InputError("--precision", f"no value of {', '.join(outcomes)}", "an --outcome that this run has")
        wanted = precision.more(series, goal, plan.replicates, max(question.most, plan.replicates))
        if wanted is None or wanted <= plan.replicates:
            break
        if not asked.quiet:
            say(f"{plan.replicates} replicates are not enough; going on to {wanted}")
        plan = replace(plan, replicates=wanted)
        status, grown = _live(plan, asked)
        if grown is None:
            return status, plan, None
        folder = grown
    if wanted is not None:
        say(f"--precision {question.precision} is not reached with {plan.replicates} replicates (--max-replicates)")
    skewed = max(precision.skewness(d) for d in series)
    if skewed > precision.SKEWED:
        say(f"the differences are skewed ({skewed:.1f}): intervals said to cover 95 % may cover nearer to 90")
    return status, plan, _precision(question.precision, outcomes, wanted is None, plan.replicates, series, skewed)


def _precision(
    asked: str | None, outcomes: Sequence[str], reached: bool, replicates: int, series: Sequence[Any], skewed: float
) -> Json:
    """How the search for a precision ended."""
    widest = max(float(precision.running(d)[1][-1]) for d in series)
    said = {"asked": asked, "outcomes": list(outcomes), "reached": reached, "replicates": replicates}
    return said | {"widest": widest if math.isfinite(widest) else None, "skewness": skewed}


def _mixture_plans(question: Question, folder: RunFolder, plan: Plan) -> Iterator[by_lever.MixturePlan]:
    reference = comparison.reference_of([s.name for s in plan.scenarios], question.reference)
    first = min(folder.table("indicators", ["year"])["year"].unique().to_pylist())
    for scenario in plan.scenarios:
        if scenario.name != reference:
            yield by_lever.mixture_plan(plan, scenario.name, reference, question.groups, question.orders, first)


# ---- what is told


def _tell(
    asked: Asked, question: Question, folder: RunFolder, mixed: Sequence[RunFolder], scaled: Sequence[Json], told: Json
) -> None:
    found = comparison.compare(
        folder, question.reference, question.outcomes, question.year, question.level, question.place
    )
    places = comparison.places(folder, question.reference, question.year) if question.by_lever else []
    levers = [(one, _given(folder, one, question)) for one in mixed]
    if asked.json:
        show.document(told | document(found, places, levers, scaled))
        return
    from rich.console import Console
    from rich.text import Text

    from results import comparison_text

    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    parts = list(comparison_text.render(found, asked.lang, question.outcomes))
    if scaled:
        parts[1:1] = comparison_text.render_scaled(scaled, asked.lang)
    for one, given in levers:
        parts += comparison_text.render_levers(given, one.manifest["by_lever"], asked.lang)
    if question.by_lever:
        parts += comparison_text.render_losers(places, asked.lang)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    console.print(str(folder.path), soft_wrap=True)


def _given(folder: RunFolder, mixed: RunFolder, question: Question) -> list[Contribution]:
    outcomes = question.outcomes or (BY_LEVER if question.level == "region" else ())
    return attribute(folder, mixed, outcomes, question.year, question.level, question.place)


def document(
    found: comparison.Comparison,
    places: Sequence[comparison.Difference],
    levers: Sequence[tuple[RunFolder, Sequence[Contribution]]],
    scaled: Sequence[Json],
) -> Json:
    """A comparison as one JSON document."""
    told: Json = {
        "region": found.region,
        "reference": found.reference,
        "scenarios": found.scenarios,
        "calibrations": found.calibrations,
        "year": found.year,
        "replicates": found.replicates,
        "differences": [_said(d) for d in found.differences],
        "shared_draws": [vars(one) for one in found.shared],
        "disagreements": [
            {
                **{
                    name: getattr(one.a, name)
                    for name in ("scenario", "reference", "indicator", "stage", "level", "place")
                },
                "established": one.established,
                "en": sentences.disagreement(one),
                "zh": sentences.disagreement(one, "zh"),
            }
            for one in found.disagreements
        ],
    }
    if scaled:
        told["equal_cost"] = list(scaled)
    if levers:
        told["by_lever"] = [
            {
                "folder": str(one.path),
                "scenario": one.manifest["by_lever"]["scenario"],
                "reference": one.manifest["by_lever"]["reference"],
                "players": one.manifest["by_lever"]["players"],
                "exact": not one.manifest["by_lever"]["orders"][0],
                "contributions": [c.as_data() for c in given],
            }
            for one, given in levers
        ]
        told["losers"] = [_said(d) for d in places if d.effect == "worse"]
    return told


def _said(d: comparison.Difference) -> Json:
    return d.as_data() | {"en": sentences.sentence(d), "zh": sentences.sentence(d, "zh")}
