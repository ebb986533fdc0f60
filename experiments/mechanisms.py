"""Each mechanism of the model alone, at three intensities, against the baseline on the same draws.

A mechanism sets the fields of one lever, in the baseline's entry of it, and leaves every other lever as it is.
Runs of one replicate share region and draws, so that differences are paired. Written as `docs/mechanisms.md`:

    python -m experiments.mechanisms
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from experiments.plan import CALIBRATIONS, Plan, Task, planned
from experiments.prepared import is_saved_region
from experiments.scenario import BASELINE, LONGEST, load_scenario
from experiments.workers import lived
from model.errors import InputError
from model.levers import (
    Admission,
    BackbonePipeline,
    BundledEvaluation,
    Caps,
    CareerRules,
    CooperativeSchools,
    DigitalResources,
    EducationGroups,
    FacilityInvestment,
    FacilityMaintenance,
    HeadExchange,
    HiredVenues,
    InServiceDegrees,
    NewPlaces,
    PeArtRecruitment,
    Posts,
    PublicFunds,
    SchoolMerging,
    SchoolZones,
    SeniorHighQuota,
    Stipend,
    StrongTown,
    TeacherPay,
    TeacherRotation,
    Training,
    UrbanRuralPairs,
)
from model.national_standard import INDICATORS as OFFICIAL
from model.policy import Lever, Policy
from model.simulate import simulate

INTENSITIES = 3
CONFIDENCE = 0.95
BOTH = ("primary", "junior")

Key = tuple[str, str, str]  # indicator, stage, setting (empty: the whole region)
Values = Mapping[Key, float]


@dataclass(frozen=True)
class Mechanism:
    """Fields of one lever, each with its three values; what else is fixed in it, and levers it needs beside it."""

    name: str
    lever: type[Lever]
    varied: Mapping[str, tuple[Any, Any, Any]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[Lever, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether the three are more and more of one thing, rather than three kinds."""
        return not any(isinstance(value, str) for values in self.varied.values() for value in values)

    def set_at(self, intensity: int) -> dict[str, Any]:
        """Every field it sets, at an intensity (0, 1 or 2)."""
        return {**self.fixed, **{name: values[intensity] for name, values in self.varied.items()}}

    def label(self, intensity: int) -> str:
        """The values of an intensity as text: 0.2, or 45 / 45."""
        return " / ".join(f"{values[intensity]}" for values in self.varied.values())

    def policy(self, baseline: Policy, intensity: int) -> Policy:
        """The baseline with this mechanism in it."""
        changed = baseline
        for name, value in self.set_at(intensity).items():
            changed = changed.with_value(self.lever, name, value)
        kept = [e for e in changed.entries if type(e) not in {type(other) for other in self.beside}]
        return Policy((*kept, *self.beside))


_EXCHANGE = {"managers_exchanged": 1, "teachers_exchanged": 1, "members": 4}

MECHANISMS: tuple[Mechanism, ...] = (
    # ---- schools together
    Mechanism("groups", EducationGroups, {"coverage": (0.3, 0.6, 1.0)}, _EXCHANGE),
    Mechanism("groups in name only", EducationGroups, {"coverage": (0.3, 0.6, 1.0)}),
    Mechanism("urban-rural pairs", UrbanRuralPairs, {"seconded_per_pair": (0, 1, 2)}, {"coverage": 1.0}),
    Mechanism("school zones", SchoolZones, {"joint_research": (0.3, 0.6, 1.0)}, {"coverage": 1.0}),
    Mechanism("digital resources", DigitalResources, {"use": (0.1, 0.2, 0.4)}, {"coverage": 1.0}),
    Mechanism(
        "cooperative schools", CooperativeSchools, {"count": (2, 5, 10)}, {"trained_years": 1, "seconded_per_school": 3}
    ),
    # ---- teachers and heads
    Mechanism("rotation", TeacherRotation, {"share_of_eligible": (0.05, 0.1, 0.2)}, {"backbone_share": 0.2}),
    Mechanism(
        "rotation with bundled evaluation",
        TeacherRotation,
        {"share_of_eligible": (0.05, 0.1, 0.2)},
        {"backbone_share": 0.2},
        (BundledEvaluation(weight=1.0),),
    ),
    Mechanism(
        "rotation with a stipend",
        TeacherRotation,
        {"share_of_eligible": (0.05, 0.1, 0.2)},
        {"backbone_share": 0.2},
        (Stipend(who="rotated", yuan_per_year=20000, received_by="teacher"),),
    ),
    Mechanism("head exchange", HeadExchange, {"share_per_year": (0.05, 0.1, 0.2)}),
    Mechanism(
        "stipend for village posts",
        Stipend,
        {"yuan_per_year": (3000, 12000, 36000)},
        {"who": "village_posts", "received_by": "teacher"},
    ),
    Mechanism("village supplement", TeacherPay, {"village_supplement": (6000, 12000, 36000)}),
    Mechanism("career rules", CareerRules, {"senior_title_weak_years": (1, 2, 3), "head_weak_years": (1, 2, 3)}),
    Mechanism("one post standard", Posts, {"one_standard": (0.3, 0.6, 1.0)}),
    Mechanism("posts follow pupils", Posts, {"follow_enrolment": (0.0, 0.6, 1.0)}),
    Mechanism("PE and art recruitment", PeArtRecruitment, {"teachers": (20, 60, 120)}),
    Mechanism("backbone pipeline", BackbonePipeline, {"share_per_year": (0.02, 0.04, 0.08)}, {"to_short_schools": 0.5}),
    Mechanism("in-service degrees", InServiceDegrees, {"share_per_year": (0.05, 0.1, 0.2)}),
    Mechanism("training", Training, {"share_of_public_funds": (0.1, 0.2, 0.3)}),
    # ---- buildings and places
    Mechanism("facility investment", FacilityInvestment, {"yuan_per_pupil": (300, 1000, 3000)}),
    Mechanism("facility maintenance", FacilityMaintenance, {"share_of_wear": (0.0, 0.5, 1.5)}),
    Mechanism("hired venues", HiredVenues, {"share_of_gap": (0.3, 0.6, 1.0)}),
    Mechanism("new places", NewPlaces, {"growth_primary": (0.0, 0.03, 0.06), "growth_junior": (0.0, 0.03, 0.06)}),
    Mechanism("class caps", Caps, {"class_primary": (50, 45, 40), "class_junior": (55, 50, 45)}),
    # ---- admission and leaving
    Mechanism("proximity", Admission, {"proximity_primary": (0.8, 0.9, 1.0), "proximity_junior": (0.8, 0.9, 1.0)}),
    Mechanism(
        "admission rule", Admission, {"rule": ("multi_school_lottery", "deferred_acceptance", "immediate_acceptance")}
    ),
    Mechanism("senior-high quota", SeniorHighQuota, {"share": (0.0, 0.6, 1.0)}),
    # ---- money, small schools, towns
    Mechanism("public funds", PublicFunds, {"primary": (1000, 1500, 2500), "junior": (1300, 2000, 3300)}),
    Mechanism("school merging", SchoolMerging, {"below_pupils": (50, 100, 200)}),
    Mechanism(
        "strong town",
        StrongTown,
        {"boarding_share": (0.1, 0.2, 0.4), "bus_km": (3, 5, 10), "practice_support": (0.2, 0.5, 1.0)},
    ),
)


@dataclass(frozen=True)
class Outcome:
    """A column of the tables: an indicator at its stages, of the region or a setting, in units of 1 / `scale`."""

    title: str
    indicator: str
    stages: tuple[str, ...] = BOTH
    setting: str = ""
    scale: float = 1.0
    decimals: int = 3

    @property
    def keys(self) -> list[Key]:
        """What it looks at, stage by stage."""
        return [(self.indicator, stage, self.setting) for stage in self.stages]


OUTCOMES = (
    Outcome("score gap (SD)", "gap.score"),
    Outcome("between schools (pp)", "between_school_share", scale=100, decimals=2),
    Outcome("village score (SD)", "mean_score", setting="village"),
    Outcome("urban score (SD)", "mean_score", setting="urban"),
    Outcome("effectiveness gap (SD)", "gap.teacher_effectiveness"),
    Outcome("proximity (pp)", "proximity_share", scale=100, decimals=1),
    Outcome("quits (pp)", "quits", scale=100, decimals=2),
    Outcome("teams changed (pp)", "teams_changed", scale=100, decimals=2),
)
MONEY = (
    Outcome("real, million yuan", "spending.real", ("all",), scale=1e-6, decimals=1),
    Outcome("transfers, million yuan", "spending.transfer", ("all",), scale=1e-6, decimals=1),
)
SPREADS: tuple[Key, ...] = tuple((f"cv.{name}", stage, "") for name in OFFICIAL for stage in BOTH)


# --- running


def scenario_name(mechanism: Mechanism, intensity: int) -> str:
    """The name under which an intensity of a mechanism is run."""
    return f"{mechanism.name}, {intensity + 1}"


def plan_of(
    mechanisms: Sequence[Mechanism], region: str = "wuqing", replicates: int = 4, years: int = 8, seed: int = 1
) -> Plan:
    """The baseline and every mechanism at every intensity, under both calibrations.

    Every replicate has a region of its own, built from its own seed (a saved region is the same for all). Raises
    InputError for fewer than two replicates, which have no interval, and for years that cannot be run.
    """
    if replicates < 2:
        raise InputError("--replicates", str(replicates), "2 or more, for an interval")
    if not 1 <= years <= LONGEST:
        raise InputError("--years", str(years), f"1 to {LONGEST}")
    baseline = load_scenario(BASELINE)
    alone = [
        dataclasses.replace(baseline, name=scenario_name(m, i), policy=m.policy(baseline.policy, i), lines={})
        for m in mechanisms
        for i in range(INTENSITIES)
    ]
    redraw = not is_saved_region(region)
    return planned(
        [baseline, *alone],
        region=region,
        years=years,
        replicates=replicates,
        calibrations=tuple(CALIBRATIONS),
        seed=seed,
        redraw_region=redraw,
    )


def work(task: Task) -> Mapping[str, bytes]:
    """The outcomes of one run, packed: what a worker does."""
    region = task.region()
    history = simulate(region, task.policy, task.behaviour, task.run.seed, task.last_year - region.year)
    found = seen(history.indicators)
    return {"outcomes": json.dumps([[*key, value] for key, value in found.items()]).encode()}


def seen(columns: Mapping[str, NDArray[Any]]) -> Values:
    """Every outcome of a run: of its last year, and money summed over its years."""
    values = {key: float(_series(columns, key)[-1]) for o in OUTCOMES for key in o.keys}
    values |= {key: float(_series(columns, key)[-1]) for key in SPREADS}
    return values | {key: float(_series(columns, key).sum()) for o in MONEY for key in o.keys}


def _series(columns: Mapping[str, NDArray[Any]], key: Key) -> NDArray[np.float64]:
    """An indicator's values year by year; one nan where the setting has no school."""
    indicator, stage, setting = key
    kept = (columns["indicator"] == indicator) & (columns["stage"] == stage)
    kept &= columns["level"] == ("setting" if setting else "region")
    if setting:
        kept &= columns["place"] == setting
    found = np.asarray(columns["value"][kept], np.float64)
    return found if found.size else np.array([np.nan])


Found = dict[tuple[str, str], list[Values]]  # by scenario and calibration, replicate by replicate


def run(plan: Plan, workers: int) -> Found:
    """Live every run of the plan. Raises RuntimeError with the traceback of a run that failed."""
    runs = {r.id: r for r in plan.runs}
    held: dict[str, Values] = {}
    with closing(lived(plan.tasks(), work, workers)) as outcomes:
        for outcome in outcomes:
            if outcome.tables is None:
                raise RuntimeError(f"{runs[outcome.id].key()}:\n{outcome.traceback}")
            rows = json.loads(outcome.tables["outcomes"])
            held[outcome.id] = {(name, stage, place): value for name, stage, place, value in rows}
    found: Found = {}
    for r in plan.runs:  # in the plan's order, whichever came first
        found.setdefault((r.scenario, r.calibration), []).append(held[r.id])
    return found


# --- judging


class Effect(NamedTuple):
    """A mean paired difference and half the width of its 95 % t interval."""

    mean: float
    half: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return abs(self.mean) > self.half


def effect(differences: Sequence[float]) -> Effect:
    """Mean and half-width over replicates."""
    d = np.asarray(differences, np.float64)
    t = float(stdtrit(d.size - 1, (1 + CONFIDENCE) / 2))
    return Effect(float(d.mean()), t * float(d.std(ddof=1)) / d.size**0.5)


@dataclass(frozen=True)
class Row:
    """One intensity of a mechanism under one calibration, against the baseline."""

    intensity: int
    label: str
    calibration: str
    effects: Mapping[Key, Effect]

    @property
    def worst_spread(self) -> Key:
        """The official CV that rises most (falls least)."""
        return max(SPREADS, key=lambda key: self.effects[key].mean)


def rows(mechanism: Mechanism, found: Found) -> list[Row]:
    """The table of one mechanism: intensities × calibrations."""
    return [
        Row(i, mechanism.label(i), c, _effects(found[scenario_name(mechanism, i), c], found[BASELINE, c]))
        for i in range(INTENSITIES)
        for c in CALIBRATIONS
    ]


def _effects(runs: Sequence[Values], baseline: Sequence[Values]) -> dict[Key, Effect]:
    pairs = list(zip(runs, baseline, strict=True))
    return {key: effect([a[key] - b[key] for a, b in pairs]) for key in runs[0]}


# --- writing


def _number(value: float, decimals: int, sign: str = "+") -> str:
    text = f"{value:{sign}.{decimals}f}"
    return f"{0:.{decimals}f}" if float(text) == 0 else text.replace("-", "−")


def _shown(effect: Effect, scale: float, decimals: int) -> str:
    """A difference with its half-width; bold where clear, a dash where it has no value."""
    if not np.isfinite(effect.mean):
        return "–"
    if effect.mean == 0 and effect.half == 0:
        return "0"
    text = f"{_number(effect.mean * scale, decimals)} ± {_number(effect.half * scale, decimals, '')}"
    return f"**{text}**" if _stands(effect, scale, decimals) else text


def _stands(effect: Effect, scale: float, decimals: int) -> bool:
    """Whether a difference is clear and more than nothing to the decimals that are shown."""
    return effect.clear and round(effect.mean * scale, decimals) != 0


def _cells(row: Row) -> Iterator[str]:
    yield row.label
    yield row.calibration
    for outcome in OUTCOMES:
        yield " / ".join(_shown(row.effects[key], outcome.scale, outcome.decimals) for key in outcome.keys)
    worst = row.worst_spread
    moved = row.effects[worst]
    yield f"{worst[0].removeprefix('cv.')} {worst[1]} {_shown(moved, 1, 3)}" if moved.mean > 0 else "none rises"
    for money in MONEY:
        yield _shown(row.effects[money.keys[0]], money.scale, money.decimals)


def table(found_rows: Sequence[Row]) -> str:
    """A markdown table: a row an intensity and calibration."""
    titles = [f"{o.title}, P / J" for o in OUTCOMES]
    header = ["intensity", "calibration", *titles, "CV that rises most", *(m.title for m in MONEY)]
    lines = [header, ["---"] * len(header), *([*_cells(row)] for row in found_rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def sentence(mechanism: Mechanism, found_rows: Sequence[Row]) -> str:
    """What its strongest intensity does (each, where they are kinds), in one sentence made from the numbers."""
    wanted = [INTENSITIES - 1] if mechanism.ordered else range(INTENSITIES)
    parts = [_clause([r for r in found_rows if r.intensity == i]) for i in wanted]
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def _clause(pair: Sequence[Row]) -> str:
    both: dict[str, list[str]] = {c: [] for c in ("both", *CALIBRATIONS)}
    for outcome in OUTCOMES:
        for key in outcome.keys:
            effects = [row.effects[key] for row in pair]
            clear = [r.calibration for r in pair if _stands(r.effects[key], outcome.scale, outcome.decimals)]
            what = f"{key[1]} {outcome.title.rpartition(' (')[0]}"
            values = [_number(e.mean * outcome.scale, outcome.decimals) for e in effects]
            unit = outcome.title.rpartition(" (")[2].rstrip(")")
            same = effects[0].mean * effects[1].mean > 0
            if len(clear) == len(pair) and same:
                both["both"].append(f"{what} {_verb(effects[0])} ({' and '.join(values)} {unit})")
            else:
                for row in (r for r in pair if r.calibration in clear):
                    at = pair.index(row)
                    both[row.calibration].append(f"{what} {_verb(effects[at])} ({values[at]} {unit})")
    said = [f"under both calibrations {_listed(both['both'])}"] if both["both"] else []
    said += [f"under {c} alone {_listed(both[c])}" for c in CALIBRATIONS if both[c]]
    moved = ", ".join(said) if said else "nothing moves beyond chance in the last year"
    return f"at {pair[0].label} {moved}{_spread(pair)}, and {_cost(pair)}"


def _spread(pair: Sequence[Row]) -> str:
    """The CVs that clearly grow worse, worst first in each calibration."""
    worst = [(row.calibration, *row.worst_spread[:2], row.effects[row.worst_spread]) for row in pair]
    said = [
        f"{stage} {name.removeprefix('cv.')} ({_number(moved.mean, 3)}, {calibration})"
        for calibration, name, stage, moved in worst
        if moved.mean > 0 and _stands(moved, 1, 3)
    ]
    return f", the CV hurt most is that of {_listed(said)}" if said else ""


def _verb(effect: Effect) -> str:
    return "rises" if effect.mean > 0 else "falls"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _cost(pair: Sequence[Row]) -> str:
    real, transfer = ([row.effects[money.keys[0]].mean * money.scale for row in pair] for money in MONEY)
    shown = " and ".join(_number(x, 1) for x in real)
    text = f"real spending changes by {shown} million yuan over all years"
    if any(abs(x) >= 0.05 for x in transfer):  # what one decimal shows
        text += f" and transfers by {' and '.join(_number(x, 1) for x in transfer)}"
    return text


def document(mechanisms: Sequence[Mechanism], plan: Plan, found: Found) -> str:
    """The whole document."""
    parts = [_head(mechanisms, plan), "## The baseline in its last year\n\n" + _baseline_table(found)]
    for mechanism in mechanisms:
        held = rows(mechanism, found)
        parts.append(
            f"## {mechanism.name[0].upper()}{mechanism.name[1:]}\n\n{_setting_line(mechanism, plan.baseline)}\n\n"
            f"{sentence(mechanism, held)}\n\n{table(held)}"
        )
    return "\n\n".join(parts) + "\n"


def _head(mechanisms: Sequence[Mechanism], plan: Plan) -> str:
    facts = plan.as_data()
    seeds = "; ".join(f"{s['run']} (region {s['region']})" for s in facts["seeds"])
    compared = len(mechanisms) * INTENSITIES * len(CALIBRATIONS) * sum(len(o.stages) for o in OUTCOMES)
    years = plan.last_year - plan.first_year + 1
    command = (
        f"python -m experiments.mechanisms --region {plan.profile} --replicates {plan.replicates} "
        f"--years {years} --seed {plan.seed}"
    )
    return f"""# Each mechanism alone

Generated; do not edit. Made by

    {command}

Region: `{plan.profile}`, synthetic: its schools, teachers and children are drawn to a profile and are no real ones.
School years {plan.first_year}–{plan.last_year}; {plan.replicates} replicates; draws' seeds: {seeds}.
Calibrations: `input` and `sorting`. Model: {facts["model"]}.

A mechanism sets fields of one lever in the baseline's entry of it and leaves every other lever as it is. Each
difference is to the baseline of the same replicate: same region, same draws. Cells hold the mean difference over
replicates ± half of its 95 % t interval, primary / junior; **bold** where the interval excludes zero and the mean
does not round to it. Outcomes are
those of the last year; money is what is spent beyond the baseline over all years (undiscounted). SD: base-year SD of
scores (gaps of effectiveness: SD of teachers); pp: percentage points. Score gap: urban and town schools less village
schools. Village and urban score: mean score of the last grade in schools there, whoever attends. The CV that
rises most is picked from {len(SPREADS)}, so its interval flatters it. The tables make {compared:,} comparisons:
about one in twenty would be bold with no effect at all. Each replicate is another synthetic region of one profile:
intervals hold for such regions under these parameters, and say nothing of how sure the parameters are."""


def _baseline_table(found: Found) -> str:
    header = ["calibration", *(f"{o.title}, P / J" for o in OUTCOMES), *(m.title for m in MONEY)]
    lines = [header, ["---"] * len(header)]
    for c in CALIBRATIONS:
        line = [c]
        for o in (*OUTCOMES, *MONEY):
            means = [float(np.mean([v[key] for v in found[BASELINE, c]])) * o.scale for key in o.keys]
            line.append(" / ".join(_number(m, o.decimals, "") if np.isfinite(m) else "–" for m in means))
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _setting_line(mechanism: Mechanism, baseline: Policy) -> str:
    """What is set, and what the baseline has there."""
    name = mechanism.lever.NAME
    varied = ", ".join(f"`{name}.{f}` {' → '.join(map(str, v))}" for f, v in mechanism.varied.items())
    held = [e for e in baseline.entries if isinstance(e, mechanism.lever)] or [mechanism.lever()]
    before = " / ".join(", ".join(dict.fromkeys(str(getattr(e, f)) for e in held)) for f in mechanism.varied)
    fixed = ", ".join(f"`{f}` {v}" for f, v in mechanism.fixed.items())
    others = ", ".join(
        f"`{e.NAME}.{f}` {v}" for e in mechanism.beside for f, v in e.values().items() if v != e.settings()[f].default
    )
    extra = [f"with {fixed}"] if fixed else []
    extra += [f"beside {others}"] if others else []
    return "; ".join([f"{varied} (baseline: {before})", *extra]) + "."


# --- command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and write the document; exit status 2 for what cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m experiments.mechanisms", description=str(__doc__).split("\n")[0])
    parser.add_argument("--region", default="wuqing", help="a shipped profile, a profile's file or a saved region")
    parser.add_argument("--replicates", type=int, default=4)
    parser.add_argument("--years", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/mechanisms.md"))
    given = parser.parse_args(arguments)
    try:
        plan = plan_of(MECHANISMS, given.region, given.replicates, given.years, given.seed)
        plan.check()
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    found = run(plan, given.workers)
    given.out.write_text(document(MECHANISMS, plan, found), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
