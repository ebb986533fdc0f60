"""Moments: what regions look like under a calibration, held against what is known of real ones.

`moments.yaml` holds each moment with its tolerance, kind and source. Regions are built from several seeds,
burned in, and lived in for a few years where a moment is a small experiment: six years of equal teachers
(on which the two calibrations must disagree), eight years of a baseline with flat births (which must not drift).
Every value is judged by its mean over regions.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.plan import CALIBRATIONS, Plan, Task, planned, run_seed
from experiments.prepared import given_region, is_saved_region
from experiments.scenario import BASELINE, load_scenario
from experiments.workers import lived
from model.behaviour import Behaviour
from model.burn_in import burn_in
from model.errors import InputError
from model.indicators import Rows
from model.levers import NewPlaces
from model.policy import Policy
from model.region import Region
from model.simulate import simulate
from model.strict_yaml import load

STAGES = ("primary", "junior")
EQUAL_YEARS = 6  # of equal teachers: as many as a primary school has grades
DRIFT_YEARS = 8
DRIFT_BURN_INS, DRIFT_RUNS = 4, 2  # of a region, runs of each: the luck of one is larger than the drift looked for
GRADES = 9

Columns = Mapping[str, NDArray[Any]]  # year, level, place, stage, indicator, value
Values = dict[tuple[str, str], float]  # by moment and stage
Json = dict[str, Any]


class Tolerance(NamedTuple):
    """What a mean may be; an end that is None is open."""

    low: float | None
    high: float | None

    def holds(self, value: float) -> bool:
        """Whether a value lies inside, ends included; a value that is not a number does not."""
        above = value >= (-np.inf if self.low is None else self.low)
        return bool(above and value <= (np.inf if self.high is None else self.high))


@dataclass(frozen=True)
class Moment:
    """One thing that is known, or asked, of a burned-in region."""

    name: str
    how: str
    indicator: str
    place: str  # a setting; empty for the whole region
    complement: bool
    tolerance: Mapping[tuple[str, str], Tolerance | None]  # by stage and calibration; None where none is known
    apart: Mapping[str, Tolerance]  # by stage: sorting less input
    sketch: Mapping[tuple[str, str], float | None]  # by stage and calibration
    unit: str
    kind: str
    source: str
    en: str
    zh: str

    @property
    def stages(self) -> list[str]:
        """The stages it is looked at, primary first."""
        return list(dict.fromkeys(stage for stage, _ in self.tolerance))


@cache
def moments() -> dict[str, Moment]:
    """Every moment by name, in the order of the file."""
    return {name: _moment(name, row) for name, row in load(Path(__file__).with_name("moments.yaml")).items()}


def _moment(name: str, row: Mapping[str, Any]) -> Moment:
    tolerance: dict[tuple[str, str], Tolerance | None] = {}
    for stage, ends in row["tolerance"].items():
        for calibration in CALIBRATIONS:
            own = ends[calibration] if isinstance(ends, dict) else ends
            tolerance[stage, calibration] = None if own is None else Tolerance(*own)
    return Moment(
        name=name,
        indicator=row.get("indicator", ""),
        place=row.get("place", ""),
        complement=row.get("complement", False),
        tolerance=tolerance,
        apart={stage: Tolerance(*ends) for stage, ends in row.get("apart", {}).items()},
        sketch={(s, c): row["sketch"][c][i] for c in CALIBRATIONS for i, s in enumerate(STAGES)},
        **{title: row[title] for title in ("how", "unit", "kind", "source", "en", "zh")},
    )


# --- measuring one region


@dataclass(frozen=True)
class Looked:
    """What was seen of one built region: indicators of its base year and of what was lived from there."""

    given: NDArray[Any]  # pupils by school and stage, as built
    found: NDArray[Any]  # the same, burned in
    base: Columns
    equal_teachers: Columns
    still: Sequence[tuple[Columns, Columns]]  # base year, and the years lived from there with flat births: a run each


def look(region: Region, behaviour: Behaviour, baseline: Policy, seed: int) -> Looked:
    """Burn in a built region, with its own births and with flat ones, and live the two experiments from there.

    `seed`: root of the runs' own draws. Raises ValueError for a region that is burned in.
    """
    base = Rows()
    settled = burn_in(region, behaviour, baseline, rows=base)
    same = Behaviour(behaviour.calibration, {**behaviour.values, "teacher_effect": 0.0})  # outside the range: no lever
    equal = simulate(settled, baseline, same, run_seed(seed, 0), EQUAL_YEARS)
    return Looked(
        region.schools.enrolment,
        settled.schools.enrolment,
        base.columns(),
        equal.indicators,
        list(_still(with_flat_births(region), behaviour, without_building(baseline), seed)),
    )


def _still(region: Region, behaviour: Behaviour, policy: Policy, seed: int) -> Iterator[tuple[Columns, Columns]]:
    """Base year and years of runs in which cohorts stand still, from several burn-ins on draws of their own.

    Without the luck of schools, whose effect on means is none and whose spread would hide a drift.
    """
    quiet = {"cohort_uncertainty": 0.0, "school_year_shock_sd": 0.0}
    still = Behaviour(behaviour.calibration, {**behaviour.values, **quiet})
    seeds = (run_seed(seed, number) for number in itertools.count(1))
    for _ in range(DRIFT_BURN_INS):
        region.seed, base = next(seeds), Rows()
        settled = burn_in(region, still, policy, rows=base)
        for _ in range(DRIFT_RUNS):
            yield base.columns(), simulate(settled, policy, still, next(seeds), DRIFT_YEARS).indicators


def with_flat_births(region: Region) -> Region:
    """The region with as many entrants each year as the nine cohorts at school in the base year have on average."""
    flat = region.copy()
    births = flat.cohorts
    at_school = (births.year <= flat.base_year) & (births.year > flat.base_year - GRADES)
    births.entrants[:] = births.entrants[at_school].mean(axis=0)
    return flat


def without_building(baseline: Policy) -> Policy:
    """The baseline without the places it opens each year, which answer rising births and move pupils by themselves."""
    return Policy(tuple(entry for entry in baseline.entries if not isinstance(entry, NewPlaces)))


def series(columns: Columns, indicator: str, stage: str, place: str = "") -> NDArray[np.float64]:
    """An indicator's values in the order of the years, of the whole region or of one setting."""
    kept = (columns["indicator"] == indicator) & (columns["stage"] == stage)
    kept &= (columns["level"] == "setting") & (columns["place"] == place) if place else columns["level"] == "region"
    return np.asarray(columns["value"][kept], np.float64)


def _base(moment: Moment, stage: str, seen: Looked) -> float:
    value = float(series(seen.base, moment.indicator, stage, moment.place)[-1])
    return 1.0 - value if moment.complement else value


def _equal_teachers(moment: Moment, stage: str, seen: Looked) -> float:
    return float(series(seen.equal_teachers, moment.indicator, stage)[-1])


def _drift(moment: Moment, stage: str, seen: Looked) -> float:
    """The mean of the last two years less that of the first two, which are the base year and year one."""
    moved = []
    for base, years in seen.still:
        value = np.append(series(base, moment.indicator, stage)[-1], series(years, moment.indicator, stage))
        moved.append(value[-2:].mean() - value[:2].mean())
    return float(np.mean(moved))


def _sizes(moment: Moment, stage: str, seen: Looked) -> float:
    given, found = (x[:, STAGES.index(stage)].astype(np.float64) for x in (seen.given, seen.found))
    return float(np.abs(found - given).sum() / given.sum())  # = mean of |found / given − 1| weighted by given


HOW: dict[str, Callable[[Moment, str, Looked], float]] = {
    "base": _base,
    "equal_teachers": _equal_teachers,
    "drift": _drift,
    "sizes": _sizes,
}


def measured(seen: Looked) -> Values:
    """Every moment of one region."""
    return {(m.name, stage): HOW[m.how](m, stage, seen) for m in moments().values() for stage in m.stages}


# --- over regions


def plan_of(region: str, regions: int, calibrations: Sequence[str], seed: int = 1) -> Plan:
    """The regions to be looked at: `regions` of them, built from seeds of their own, under each calibration.

    Raises InputError where there is no such profile, it is wrong, or it is a saved region, which is only one.
    """
    if is_saved_region(region):
        raise InputError("--region", f"{region}, a saved region", "a profile, from which several are built")
    baseline = load_scenario(BASELINE)
    baseline.policy.check(given_region(region, seed))
    return planned(
        [baseline], region=region, replicates=regions, calibrations=tuple(calibrations), seed=seed, redraw_region=True
    )


def work(task: Task) -> Mapping[str, bytes]:
    """The moments of one region under one calibration, packed: what a worker does."""
    region = given_region(task.profile, task.run.region_seed)
    found = measured(look(region, task.behaviour, task.baseline, task.run.seed))
    return {"moments": json.dumps([[*at, value] for at, value in found.items()]).encode()}


def looked_at(plan: Plan, workers: int) -> Iterator[tuple[str, Values | str]]:
    """Calibration and moments of each region of the plan as it is settled; the traceback where it failed."""
    calibration = {run.id: run.calibration for run in plan.runs}
    with closing(lived(plan.tasks(), work, workers)) as outcomes:
        for outcome in outcomes:
            if outcome.tables is None:
                yield calibration[outcome.id], str(outcome.traceback)
            else:
                rows = json.loads(outcome.tables["moments"])
                yield calibration[outcome.id], {(name, stage): value for name, stage, value in rows}


# --- judging


def judged(found: Mapping[str, Sequence[Values]]) -> list[Json]:
    """The table: a row a moment and stage, with mean, standard error and verdict under each calibration.

    `found`: moments of each region by calibration. Where both calibrations are there, `apart` holds what sorting
    exceeds input by, for the moments that must differ.
    """
    return [_row(m, stage, found) for m in moments().values() for stage in m.stages]


def _row(moment: Moment, stage: str, found: Mapping[str, Sequence[Values]]) -> Json:
    row: Json = {
        "moment": moment.name,
        "stage": stage,
        "en": moment.en,
        "zh": moment.zh,
        "unit": moment.unit,
        "kind": moment.kind,
        "source": moment.source,
        "calibrations": {},
    }
    values = {c: np.array([v[moment.name, stage] for v in regions], np.float64) for c, regions in found.items()}
    for calibration, own in values.items():
        tolerance = moment.tolerance[stage, calibration]
        row["calibrations"][calibration] = {
            **verdict(own, tolerance),
            "sketch": moment.sketch[stage, calibration],
        }
    if stage in moment.apart and len(values) == len(CALIBRATIONS):
        row["apart"] = verdict(values["sorting"] - values["input"], moment.apart[stage])
    return row


def verdict(values: NDArray[np.float64], tolerance: Tolerance | None) -> Json:
    """Mean, standard error and spread over regions, and whether the mean lies inside the tolerance.

    `inside` is None where no tolerance is known or no region has a value (one without village junior schools has
    no gap there), and False where only some have one.
    """
    mean = float(values.mean())
    sd = float(values.std(ddof=1)) if values.size > 1 else float("nan")
    low, high = tolerance or (None, None)
    return {
        "mean": _number(mean),
        "se": _number(sd / np.sqrt(values.size)),
        "sd": _number(sd),
        "regions": int(values.size),
        "low": low,
        "high": high,
        "inside": None if tolerance is None or np.isnan(values).all() else tolerance.holds(mean),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def outside(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What lies outside its tolerance, each as `moment stage calibration`."""
    found = []
    for row in rows:
        held = {**row["calibrations"], **({"sorting less input": row["apart"]} if "apart" in row else {})}
        found += [f"{row['moment']} {row['stage']} {name}" for name, one in held.items() if one["inside"] is False]
    return found
