"""Each mechanism of the model alone, at several intensities, against the baseline on the same draws.

A mechanism sets the fields of one lever, in the baseline's entry of it, and leaves every other lever as it is.
Runs of one replicate share region and draws, so that differences are paired. What is known of it stands in
`data/evidence.yaml`, and the page says whether the estimate lies there. Written as `docs/mechanisms.md`:

    python -m experiments.mechanisms [--quick]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.effects import Effect, Range, effect, number
from experiments.plan import CALIBRATIONS, Plan, Task, planned
from experiments.prepared import is_saved_region
from experiments.scenario import BASELINE, LONGEST, load_scenario
from experiments.workers import lived
from model.errors import InputError
from model.levers import (
    Admission,
    BackbonePipeline,
    BundledEvaluation,
    CapacityAward,
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
    NewSchools,
    PeArtRecruitment,
    Posts,
    PublicFunds,
    RegionalCommunities,
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
from model.region import Network, Region, Setting
from model.simulate import History, simulate
from model.strict_yaml import load

EVIDENCE = Path(__file__).parent / "data" / "evidence.yaml"
REGION, TWO_DISTRICTS = "wuqing", "village"  # where mechanisms are tried; some need a region of two districts
MORE_WHERE_SMALL = 4  # times the replicates in the village, which is small, noisy and fast
BOTH = ("primary", "junior")

Key = tuple[str, str, str]  # indicator, stage, setting (empty: the whole region)
Values = Mapping[Key, float]


@dataclass(frozen=True)
class Mechanism:
    """Fields of one lever, each with its values; what else is fixed in it, and levers it needs beside it."""

    name: str
    lever: type[Lever]
    varied: Mapping[str, tuple[Any, ...]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[Lever, ...] = ()
    region: str = REGION
    since: int = 0  # first school year of the lever, where it must be dated

    @property
    def intensities(self) -> range:
        """Its intensities, three unless they are kinds."""
        return range(len(next(iter(self.varied.values()))))

    @property
    def ordered(self) -> bool:
        """Whether they are more and more of one thing, rather than kinds."""
        return not any(isinstance(value, str) for values in self.varied.values() for value in values)

    def set_at(self, intensity: int) -> dict[str, Any]:
        """Every field it sets, at an intensity (from 0)."""
        return {**self.fixed, **{name: values[intensity] for name, values in self.varied.items()}}

    def label(self, intensity: int) -> str:
        """The values of an intensity as text: 0.2, or 45 / 45."""
        return " / ".join(_value(values[intensity]) for values in self.varied.values())

    def policy(self, baseline: Policy, intensity: int) -> Policy:
        """The baseline with this mechanism in it."""
        changed = baseline
        for name, value in self.set_at(intensity).items():
            changed = changed.with_value(self.lever, name, value)
        if self.since:
            changed = changed.with_value(self.lever, "start", self.since)
        kept = [e for e in changed.entries if type(e) not in {type(other) for other in self.beside}]
        return Policy((*kept, *self.beside))


def _value(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value}"


_NEW = ("一小@下朱庄街道", "二小@黄庄街道", "三小@徐官屯街道", "四小@东蒲洼街道")  # made-up names in the city's streets
_EXCHANGE = {"managers_exchanged": 1, "teachers_exchanged": 1, "members": 4}

MECHANISMS: tuple[Mechanism, ...] = (
    # ---- schools together
    Mechanism("groups", EducationGroups, {"coverage": (0.3, 0.6, 1.0)}, _EXCHANGE),
    Mechanism("groups in name only", EducationGroups, {"coverage": (0.3, 0.6, 1.0)}),
    Mechanism(
        "groups that cross districts",
        EducationGroups,
        {"coverage": (0.3, 0.6, 1.0)},
        {**_EXCHANGE, "across_districts": True},
        region=TWO_DISTRICTS,
    ),
    Mechanism(
        "groups that train new teachers",
        EducationGroups,
        {"trained_years": (1, 2, 3)},
        {**_EXCHANGE, "coverage": 1.0, "backbones_first": True, "lead_posts": 1.0},
    ),
    Mechanism("urban-rural pairs", UrbanRuralPairs, {"seconded_per_pair": (0, 1, 2)}, {"coverage": 1.0}),
    Mechanism(
        "regional communities",
        RegionalCommunities,
        {"schools_per_pair": (2, 4, 6)},
        {"pairs": ("Yunlan-Qiuhe",), "seconded_per_school": 1},
        region=TWO_DISTRICTS,
    ),
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
    Mechanism("newcomers serve in villages", CareerRules, {"newcomer_village_years": (1, 3, 5)}),
    Mechanism("one post standard", Posts, {"one_standard": (0.3, 0.6, 1.0)}),
    Mechanism("posts follow pupils", Posts, {"follow_enrolment": (0.0, 0.6, 1.0)}),
    Mechanism("posts for small schools", Posts, {"small_school_posts": (1.0, 1.5, 2.0)}),
    Mechanism("more posts", Posts, {"quota_growth": (0.01, 0.02, 0.04)}),
    Mechanism("PE and art recruitment", PeArtRecruitment, {"teachers": (20, 60, 120)}),
    Mechanism("bought PE and art lessons", PeArtRecruitment, {"bought_lessons": (0.3, 0.6, 1.0)}),
    Mechanism("backbone pipeline", BackbonePipeline, {"share_per_year": (0.02, 0.04, 0.08)}, {"to_short_schools": 0.5}),
    Mechanism("in-service degrees", InServiceDegrees, {"share_per_year": (0.05, 0.1, 0.2)}),
    Mechanism("training", Training, {"share_of_public_funds": (0.1, 0.2, 0.3)}),
    # ---- buildings and places
    Mechanism("facility investment", FacilityInvestment, {"yuan_per_pupil": (300, 1000, 3000)}),
    Mechanism("facility maintenance", FacilityMaintenance, {"share_of_wear": (0.0, 0.5, 1.5)}),
    Mechanism("hired venues", HiredVenues, {"share_of_gap": (0.3, 0.6, 1.0)}),
    Mechanism("new places", NewPlaces, {"growth_primary": (0.0, 0.03, 0.06), "growth_junior": (0.0, 0.03, 0.06)}),
    Mechanism("new schools", NewSchools, {"primary": (_NEW[:1], _NEW[:2], _NEW)}, since=2021),
    Mechanism(
        "capacity award",
        CapacityAward,
        {"yuan_per_primary_class": (50000, 150000, 300000), "yuan_per_junior_class": (80000, 250000, 500000)},
    ),
    Mechanism("class caps", Caps, {"class_primary": (50, 45, 40), "class_junior": (55, 50, 45)}),
    # ---- admission and leaving
    Mechanism("proximity", Admission, {"proximity_primary": (0.8, 0.9, 1.0), "proximity_junior": (0.8, 0.9, 1.0)}),
    Mechanism(
        "admission rule", Admission, {"rule": ("multi_school_lottery", "deferred_acceptance", "immediate_acceptance")}
    ),
    Mechanism("admission by merit", Admission, {"rule": ("merit",)}),
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
    Outcome("levers, million yuan", "spending.levers", ("all",), scale=1e-6, decimals=1),
    Outcome("real, million yuan", "spending.real", ("all",), scale=1e-6, decimals=1),
    Outcome("transfers, million yuan", "spending.transfer", ("all",), scale=1e-6, decimals=1),
)
SPREADS: tuple[Key, ...] = tuple((f"cv.{name}", stage, "") for name in OFFICIAL for stage in BOTH)


# --- running


def scenario_name(mechanism: Mechanism, intensity: int) -> str:
    """The name under which an intensity of a mechanism is run."""
    return f"{mechanism.name}, {intensity + 1}"


def plan_of(
    mechanisms: Sequence[Mechanism], region: str = REGION, replicates: int = 8, years: int = 8, seed: int = 1
) -> Plan:
    """The baseline and every mechanism at every intensity in one region, under both calibrations.

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
        for i in m.intensities
    ]
    return planned(
        [baseline, *alone],
        region=region,
        years=years,
        replicates=replicates,
        calibrations=tuple(CALIBRATIONS),
        seed=seed,
        redraw_region=not is_saved_region(region),
    )


def plans_of(mechanisms: Sequence[Mechanism], replicates: int = 8, years: int = 8, seed: int = 1) -> dict[str, Plan]:
    """A plan for each region that mechanisms are tried in, by region."""
    plans = {}
    for region in dict.fromkeys(m.region for m in mechanisms):
        here = [m for m in mechanisms if m.region == region]
        number = replicates * (MORE_WHERE_SMALL if region == TWO_DISTRICTS else 1)
        plans[region] = plan_of(here, region, number, years, seed)
    return plans


@dataclass(frozen=True)
class Outcomes:
    """What one run leaves: its outcomes, and the last scores of groups of schools that are told before it begins."""

    values: Values
    score: NDArray[np.float64]  # (schools, 2), base SD
    pupils: NDArray[np.float64]  # (schools, 2) in the base year
    groups: Mapping[str, NDArray[np.bool_]]  # (schools, 2): by setting, stronger and weaker
    leads: NDArray[np.bool_]  # (schools,): who leads a network that the run formed


def work(task: Task) -> Mapping[str, bytes]:
    """The outcomes of one run, packed: what a worker does."""
    region = task.region()
    history = simulate(region, task.policy, task.behaviour, task.run.seed, task.last_year - region.year)
    packed = {
        "values": [[*key, value] for key, value in seen(history.indicators).items()],
        "score": history.region.schools.score.tolist(),
        "pupils": region.schools.enrolment.tolist(),
        "groups": {name: held.tolist() for name, held in _groups(region).items()},
        "leads": _leads(history).tolist(),
    }
    return {"outcomes": json.dumps(packed).encode()}


def _groups(region: Region) -> dict[str, NDArray[np.bool_]]:
    """Who may be hurt: schools by setting, and the stronger and weaker half."""
    s = region.schools
    held = {x.name.lower(): s.has & (s.setting == x)[:, None] for x in Setting}
    return held | {"stronger": stronger(region), "weaker": s.has & ~stronger(region)}


def stronger(region: Region) -> NDArray[np.bool_]:
    """Which schools have a name above the median of their district and stage: rotation's sending side; (schools, 2)."""
    s = region.schools
    held = np.zeros((s.n, 2), bool)
    for d in range(region.districts.n):
        for stage in range(len(BOTH)):
            here = np.flatnonzero((s.district == d) & s.has[:, stage] & region.open_schools(region.year))
            if here.size:
                fame = s.reputation[here, stage, 0]
                held[here, stage] = fame > np.median(fame)
    return held


def _leads(history: History) -> NDArray[np.bool_]:
    n, schools = history.region.networks, history.region.schools.n
    formed = (n.since >= history.years[0]) & (n.kind != Network.ZONE)
    return np.isin(np.arange(schools), n.lead[formed])


def _unpacked(text: bytes) -> Outcomes:
    data = json.loads(text)
    return Outcomes(
        {(name, stage, place): value for name, stage, place, value in data["values"]},
        np.array(data["score"]),
        np.array(data["pupils"], float),
        {name: np.array(held) for name, held in data["groups"].items()},
        np.array(data["leads"]),
    )


def seen(columns: Mapping[str, NDArray[Any]]) -> Values:
    """Every outcome of a run: of its last year, and money summed over its years."""
    judged = [e.key for held in evidence().values() for e in held]
    last = [*(key for o in OUTCOMES for key in o.keys), *SPREADS, *judged]
    values = {key: float(_series(columns, key)[-1]) for key in last}
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


Found = dict[tuple[str, str], list[Outcomes]]  # by scenario and calibration, replicate by replicate


def run(plan: Plan, workers: int) -> Found:
    """Live every run of the plan. Raises RuntimeError with the traceback of a run that failed."""
    runs = {r.id: r for r in plan.runs}
    held: dict[str, Outcomes] = {}
    with closing(lived(plan.tasks(), work, workers)) as outcomes:
        for outcome in outcomes:
            if outcome.traceback:
                raise RuntimeError(f"{runs[outcome.id].key()}:\n{outcome.traceback}")
            held[outcome.id] = _unpacked(outcome.tables["outcomes"])
    found: Found = {}
    for r in plan.runs:  # in the plan's order, whichever came first
        found.setdefault((r.scenario, r.calibration), []).append(held[r.id])
    return found


# --- judging


@dataclass(frozen=True)
class Evidence:
    """What is known of an outcome of a mechanism: direction and range of the effect, and where from."""

    outcome: str
    stage: str
    sign: str  # down, up, none
    low: float
    high: float
    source: str  # none: no estimate was found
    mark: str
    note: str
    setting: str = ""
    at: int | None = None  # intensity; the middle one where not said

    @property
    def key(self) -> Key:
        """The outcome it speaks of."""
        return self.outcome, self.stage, self.setting

    @property
    def range(self) -> Range:
        """The range of the effect."""
        return Range(self.low, self.high)

    def intensity(self, mechanism: Mechanism) -> int:
        """At which intensity it judges the mechanism."""
        return len(mechanism.intensities) // 2 if self.at is None else self.at

    def verdict(self, found: Effect) -> str:
        """Where the estimate lies, whether its sign is clear, and whether there is evidence at all."""
        place = self.range.agrees(found)
        if self.source == "none":
            return f"no evidence ({place} the wide range)" if place != "open" else "no evidence (open)"
        wrong = self.sign != "none" and found.clear and (found.mean > 0) != (self.sign == "up")
        return f"{place}, but of the other sign" if wrong and place == "inside" else place


@cache
def evidence() -> dict[str, tuple[Evidence, ...]]:
    """What is known, by mechanism."""
    data: dict[str, Any] = load(EVIDENCE)
    return {name: tuple(Evidence(**row) for row in held) for name, held in data.items()}


@dataclass(frozen=True)
class Row:
    """One intensity of a mechanism under one calibration, against the baseline."""

    intensity: int
    label: str
    calibration: str
    effects: Mapping[Key, Effect]
    hurt: tuple[str, str, Effect] | None = None  # group of schools, stage: the score that clearly falls most

    @property
    def worst_spread(self) -> Key:
        """The official CV that rises most (falls least)."""
        return max(SPREADS, key=lambda key: self.effects[key].mean)


def rows(mechanism: Mechanism, found: Found) -> list[Row]:
    """The table of one mechanism: intensities × calibrations."""
    table = []
    for i in mechanism.intensities:
        for c in CALIBRATIONS:
            runs, baseline = found[scenario_name(mechanism, i), c], found[BASELINE, c]
            table.append(Row(i, mechanism.label(i), c, _effects(runs, baseline), _hurt(runs, baseline)))
    return table


def _effects(runs: Sequence[Outcomes], baseline: Sequence[Outcomes]) -> dict[Key, Effect]:
    pairs = list(zip(runs, baseline, strict=True))
    return {key: effect([a.values[key] - b.values[key] for a, b in pairs]) for key in runs[0].values}


def _hurt(runs: Sequence[Outcomes], baseline: Sequence[Outcomes]) -> tuple[str, str, Effect] | None:
    """The group of schools whose mean score falls most, of those whose fall is clear although picked."""
    names = [*baseline[0].groups, "leads"]
    among, falls = len(names) * len(BOTH), []
    for name in names:
        for stage, title in enumerate(BOTH):
            changes = [_change(a, b, name, stage) for a, b in zip(runs, baseline, strict=True)]
            change = effect(changes, among)
            if change.mean < 0 and change.clear:
                falls.append((name, title, change))
    return min(falls, key=lambda fall: fall[2].mean) if falls else None


def _change(run: Outcomes, baseline: Outcomes, group: str, stage: int) -> float:
    """What a group's mean score in a run differs by, over the same schools; nan where the group is empty."""
    n = len(baseline.score)  # new schools lie behind those of the baseline
    held = run.leads[:n] if group == "leads" else baseline.groups[group][:, stage]
    weight = baseline.pupils[:, stage] * held
    difference = (run.score[:n] - baseline.score)[:, stage]
    return float((difference * weight).sum() / weight.sum()) if weight.any() else float("nan")


# --- writing


def _shown(effect: Effect, scale: float, decimals: int) -> str:
    """A difference with its half-width; bold where clear, a dash where it has no value."""
    if not np.isfinite(effect.mean):
        return "–"
    if effect.mean == 0 and effect.half == 0:
        return "0"
    text = f"{number(effect.mean * scale, decimals)} ± {number(effect.half * scale, decimals, '')}"
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
    yield _hurt_text(row)
    for money in MONEY:
        yield _shown(row.effects[money.keys[0]], money.scale, money.decimals)


def _hurt_text(row: Row) -> str:
    return "nobody clearly" if row.hurt is None else f"{row.hurt[0]} {row.hurt[1]} {_shown(row.hurt[2], 1, 3)}"


def table(found_rows: Sequence[Row]) -> str:
    """A markdown table: a row an intensity and calibration."""
    titles = [f"{o.title}, P / J" for o in OUTCOMES]
    header = [
        "intensity",
        "calibration",
        *titles,
        "CV that rises most",
        "whom it hurts (SD)",
        *(m.title for m in MONEY),
    ]
    lines = [header, ["---"] * len(header), *([*_cells(row)] for row in found_rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def sentence(mechanism: Mechanism, found_rows: Sequence[Row]) -> str:
    """What its strongest intensity does (each, where they are kinds), in one sentence made from the numbers."""
    wanted = mechanism.intensities[-1:] if mechanism.ordered else mechanism.intensities
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
            values = [number(e.mean * outcome.scale, outcome.decimals) for e in effects]
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
        f"{stage} {name.removeprefix('cv.')} ({number(moved.mean, 3)}, {calibration})"
        for calibration, name, stage, moved in worst
        if moved.mean > 0 and _stands(moved, 1, 3)
    ]
    return f", the CV hurt most is that of {_listed(said)}" if said else ""


def _verb(effect: Effect) -> str:
    return "rises" if effect.mean > 0 else "falls"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _cost(pair: Sequence[Row]) -> str:
    levers, real, transfer = ([row.effects[money.keys[0]].mean * money.scale for row in pair] for money in MONEY)
    shown = " and ".join(number(x, 1) for x in real)
    of_levers = " and ".join(number(x, 1) for x in levers)
    text = f"spending on levers changes by {of_levers} million yuan over all years, all real spending by {shown}"
    if any(abs(x) >= 0.05 for x in transfer):  # what one decimal shows
        text += f" and transfers by {' and '.join(number(x, 1) for x in transfer)}"
    return text


def document(mechanisms: Sequence[Mechanism], plans: Mapping[str, Plan], found: Mapping[str, Found]) -> str:
    """The whole document; plans and what was found by region."""
    held = {m.name: rows(m, found[m.region]) for m in mechanisms}
    parts = [_head(mechanisms, plans), _verdicts(mechanisms, held)]
    for region in plans:
        parts.append(f"## The baseline of `{region}` in its last year\n\n{_baseline_table(found[region])}")
    for m in mechanisms:
        setting = _setting_line(m, plans[m.region].baseline)
        parts.append(
            f"## {m.name[0].upper()}{m.name[1:]}\n\n{setting}\n\n{sentence(m, held[m.name])}\n\n{table(held[m.name])}"
        )
    return "\n\n".join(parts) + "\n"


def _verdicts(mechanisms: Sequence[Mechanism], held: Mapping[str, Sequence[Row]]) -> str:
    """Every mechanism against what is known of it."""
    header = ["mechanism", "at", "outcome", "expected", "evidence"]
    header += [f"`{c}`: {what}" for c in CALIBRATIONS for what in ("difference", "verdict")]
    lines = [header, ["---"] * len(header)]
    for mechanism in mechanisms:
        for known in evidence().get(mechanism.name, ()):
            at = known.intensity(mechanism)
            line = [mechanism.name, mechanism.label(at), _outcome_text(known), _expected(known), _source(known)]
            for c in CALIBRATIONS:
                found = next(r for r in held[mechanism.name] if r.intensity == at and r.calibration == c).effects
                line += [_shown(found[known.key], 1, 4), known.verdict(found[known.key])]
            lines.append(line)
    shown = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## Against the evidence\n\n{shown}"


def _outcome_text(known: Evidence) -> str:
    return " ".join(part for part in (known.setting, known.stage, f"`{known.outcome}`") if part)


def _expected(known: Evidence) -> str:
    low, high = (f"{x:+g}".replace("-", "−") if x else "0" for x in (known.low, known.high))
    return f"{low} to {high}" + ("" if known.sign == "none" else f", {known.sign}")


def _source(known: Evidence) -> str:
    return f"{known.source}{f' [{known.mark}]' if known.mark else ''}: {known.note}"


def _head(mechanisms: Sequence[Mechanism], plans: Mapping[str, Plan]) -> str:
    plan = next(iter(plans.values()))
    facts = plan.as_data()
    seeds = "; ".join(f"{s['run']} (region {s['region']})" for s in facts["seeds"])
    cells = sum(len(o.stages) for o in OUTCOMES)
    compared = sum(len(m.intensities) for m in mechanisms) * len(CALIBRATIONS) * cells
    years = plan.last_year - plan.first_year + 1
    command = f"python -m experiments.mechanisms --replicates {plan.replicates} --years {years} --seed {plan.seed}"
    elsewhere = "; ".join(f"{m.name}: `{m.region}`" for m in mechanisms if m.region != plan.profile)
    more = ", ".join(f"{p.replicates} replicates in `{r}`" for r, p in plans.items() if r != plan.profile)
    others = f" A region of two districts where that is needed ({elsewhere}), with {more}." if elsewhere else ""
    return f"""# Each mechanism alone

Generated; do not edit. Made by

    {command}

Region: `{plan.profile}`, synthetic: its schools, teachers and children are drawn to a profile and are no real
ones.{others}
School years {plan.first_year}–{plan.last_year}; {plan.replicates} replicates; draws' seeds: {seeds}.
Calibrations: `input` and `sorting`. Model: {facts["model"]}.

A mechanism sets fields of one lever in the baseline's entry of it and leaves every other lever as it is. Each
difference is to the baseline of the same replicate: same region, same draws. Cells hold the mean difference over
replicates ± half of its 95 % t interval, primary / junior; **bold** where the interval excludes zero and the mean
does not round to it. Outcomes are those of the last year; money is what is spent beyond the baseline over all years
(undiscounted): what the ledger books for levers, all real spending (with payroll), transfers. SD: base-year SD of
scores (gaps of effectiveness: SD of teachers); pp: percentage points. Score gap: urban and town schools less village
schools. Village and urban score: mean score of the last grade in schools there, whoever attends. The CV that
rises most is picked from {len(SPREADS)}, so its interval flatters it. Whom it hurts: of schools by setting, the
stronger half (which sends teachers), the weaker half and the leads of networks, those whose mean score falls most,
where the fall is clear with the interval widened for the picking. The tables make {compared:,} comparisons:
about one in twenty would be bold with no effect at all. Each replicate is another synthetic region of one profile:
intervals hold for such regions under these parameters, and say nothing of how sure the parameters are. The lever
`budget` only gives notice and moves nothing; `bundled_evaluation` acts through rotation and `stipend` through those
who serve away or in villages, and are tried there.

Verdicts: *inside* where the mean lies in the range that the evidence gives (`experiments/data/evidence.yaml`) and its
interval is no wider than that range, *outside* where the whole interval lies beyond it, *open* otherwise; *no
evidence* where none was found: the range is then wide and only says what would be out of all proportion."""


def _baseline_table(found: Found) -> str:
    header = ["calibration", *(f"{o.title}, P / J" for o in OUTCOMES), *(m.title for m in MONEY)]
    lines = [header, ["---"] * len(header)]
    for c in CALIBRATIONS:
        line = [c]
        for o in (*OUTCOMES, *MONEY):
            means = [float(np.mean([run.values[key] for run in found[BASELINE, c]])) * o.scale for key in o.keys]
            line.append(" / ".join(number(m, o.decimals, "") if np.isfinite(m) else "–" for m in means))
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _setting_line(mechanism: Mechanism, baseline: Policy) -> str:
    """What is set, and what the baseline has there."""
    name = mechanism.lever.NAME
    varied = ", ".join(f"`{name}.{f}` {' → '.join(map(_value, v))}" for f, v in mechanism.varied.items())
    held = [e for e in baseline.entries if isinstance(e, mechanism.lever)] or [mechanism.lever()]
    before = " / ".join(", ".join(dict.fromkeys(str(getattr(e, f)) for e in held)) for f in mechanism.varied)
    fixed = ", ".join(f"`{f}` {_value(v)}" for f, v in mechanism.fixed.items())
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
    parser.add_argument("--replicates", type=int, default=8)
    parser.add_argument("--years", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two replicates of three years: a look only")
    parser.add_argument("--out", type=Path, default=Path("docs/mechanisms.md"))
    given = parser.parse_args(arguments)
    replicates, years = (2, 3) if given.quick else (given.replicates, given.years)
    try:
        plans = plans_of(MECHANISMS, replicates, years, given.seed)
        for plan in plans.values():
            plan.check()
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    found = {region: run(plan, given.workers) for region, plan in plans.items()}
    given.out.write_text(document(MECHANISMS, plans, found), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":  # under its own name: workers import what they do by its dotted path
    from experiments.mechanisms import main as command

    sys.exit(command())
