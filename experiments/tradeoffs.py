"""Trade-offs that must come about by themselves: small experiments of paired scenarios, each finding with a verdict.

`data/tradeoffs.yaml` says what is compared and what is expected: arms (levers set in the baseline, parameters changed
while the arm lives), and findings, each a measure of an arm against another's on the same region and draws, with the
range the claim asks for. Written as `docs/tradeoffs.md`:

    python -m experiments.tradeoffs [--quick]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.effects import Effect, Range, effect, number
from experiments.mechanisms import stronger
from experiments.plan import CALIBRATIONS, Plan, Task, planned
from experiments.policy_file import read_value
from experiments.scenario import BASELINE, load_scenario
from experiments.workers import lived
from model.behaviour import Behaviour, load_behaviour
from model.errors import InputError
from model.levers import LEVERS
from model.policy import Policy, Where
from model.quality import effectiveness, section
from model.region import CLASS_CAP, Network, Region, Setting, Subject
from model.simulate import simulate
from model.strict_yaml import load

DATA = Path(__file__).parent / "data" / "tradeoffs.yaml"
STAGES = ("primary", "junior")
QUICK = 3  # replicates of a look
TRIALS, SEED = 1, 1001  # arms and ranges were tried with one seed and are tested with another: no region in common
OLDEST = 53  # who is younger at the end of a year cannot retire in the next: it leaves only by quitting
Groups = Mapping[str, NDArray[np.bool_]]  # by name, which schools (schools, 2)


# --- what is compared


@dataclass(frozen=True)
class Arm:
    """A way to live the years: levers set in the baseline's entries, and parameters while it lives."""

    name: str
    levers: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, float]

    def policy(self, baseline: Policy) -> Policy:
        """The baseline with the arm's levers. Raises InputError for what no lever has."""
        changed = baseline
        for lever, values in self.levers.items():
            kind = LEVERS[lever]
            for name, value in values.items():
                if name == "where":
                    where = Where(**{key: tuple(places) for key, places in value.items()})
                    kept = [dataclasses.replace(e, where=where) if type(e) is kind else e for e in changed.entries]
                    changed = Policy(tuple(kept))
                else:
                    changed = changed.with_value(kind, name, read_value(kind, name, value, f"{self.name}: {lever}"))
        return changed

    def behaviour(self, burned: Behaviour) -> Behaviour:
        """How agents act in this arm; the region was burned in without its parameters."""
        return load_behaviour(burned.calibration, **self.parameters)


@dataclass(frozen=True)
class Finding:
    """A measure of an arm, less that of another (or alone, or relative to it), and what the claim expects of it."""

    says: str
    measure: str
    stage: str
    arm: str
    against: str = ""
    at: Any = "last"  # year counted from the first as 0; last; mean (over years)
    since: int | None = None  # the change from this year to `at`
    relative: bool = False
    above: float = -np.inf
    below: float = np.inf
    unit: str = ""
    scale: float = 1.0
    decimals: int = 3
    role: str = "claim"  # `claim` decides the verdict; `check` says that the arm did what it was made for

    @property
    def expected(self) -> Range:
        """The range the claim asks for."""
        return Range(self.above, self.below)

    @property
    def key(self) -> tuple[str, str]:
        """What of a life it looks at."""
        return self.measure, self.stage

    def value(self, lives: Mapping[str, Life], years: int) -> float:
        """Its value in one replicate, in an experiment of so many years."""
        mine = self._of(lives[self.arm], years)
        if not self.against:
            return mine
        other = self._of(lives[self.against], years)
        return mine / other - 1 if self.relative else mine - other

    def _of(self, life: Life, years: int) -> float:
        series = np.asarray(life[self.key], np.float64)[:years]  # an arm may be lived longer for another experiment
        if self.at == "mean":
            return float(np.nanmean(series))
        last = float(series[-1] if self.at == "last" else series[self.at])
        return last - float(series[self.since]) if self.since is not None else last


@dataclass(frozen=True)
class Experiment:
    """One trade-off: what must come about, where that is known from, and what is looked at."""

    name: str
    claim: str
    source: str
    why: str
    years: int
    findings: tuple[Finding, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms it compares."""
        named = (name for f in self.findings for name in (f.against, f.arm) if name)
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class Design:
    """All experiments and their arms."""

    region: str
    arms: Mapping[str, Arm]
    experiments: tuple[Experiment, ...]

    @property
    def years(self) -> int:
        """Years of the longest experiment."""
        return max(e.years for e in self.experiments)

    def measures(self, arm: str) -> tuple[tuple[str, str], ...]:
        """What is looked at in an arm: measures and stages."""
        held = (f.key for e in self.experiments for f in e.findings if arm in (f.arm, f.against))
        return tuple(dict.fromkeys(held))

    def lasts(self, arm: str) -> int:
        """How many years an arm is lived."""
        return max(e.years for e in self.experiments if arm in e.arms)

    def only(self, names: Sequence[str]) -> Design:
        """The same with some experiments."""
        kept = tuple(e for e in self.experiments if e.name in names)
        used = {arm for e in kept for arm in e.arms}
        return dataclasses.replace(self, experiments=kept, arms={n: a for n, a in self.arms.items() if n in used})


@cache
def design() -> Design:
    """The shipped design."""
    data: dict[str, Any] = load(DATA)
    arms = {name: Arm(name, row.get("levers") or {}, row.get("parameters") or {}) for name, row in data["arms"].items()}
    experiments = tuple(
        Experiment(
            name,
            row["claim"],
            row["source"],
            row.get("why", ""),
            row["years"],
            tuple(Finding(**f) for f in row["findings"]),
        )
        for name, row in data["experiments"].items()
    )
    for e in experiments:
        for f in e.findings:
            for arm in (f.arm, f.against):
                if arm and arm not in arms:
                    raise ValueError(f"{DATA.name}: {e.name}: no arm {arm!r}")
            if f.measure.partition(" ")[0] not in MEASURES:
                raise ValueError(f"{DATA.name}: {e.name}: no measure {f.measure!r}")
    return Design(data["region"], arms, experiments)


# --- living an arm

Life = Mapping[tuple[str, str], Sequence[float]]  # by measure and stage, a value a year


@dataclass(frozen=True)
class Year:
    """A year of an arm: the region before and after it, what was measured, and the schools that are looked at."""

    before: Region
    after: Region
    indicators: Mapping[str, NDArray[Any]]
    behaviour: Behaviour
    groups: Groups
    weight: NDArray[Any]  # pupils of the year before the first, (schools, 2): groups of schools keep their weights


def live(task: Task, arm: Arm, joins: Arm | None, years: int, wanted: Sequence[tuple[str, str]]) -> Life:
    """The wanted measures of an arm, year by year. `joins`: the arm whose first groups give the `members`."""
    start, baseline = task.region(), task.baseline
    behaviour = arm.behaviour(task.behaviour)
    groups = _groups(start, task, joins)
    found: dict[tuple[str, str], list[float]] = {key: [] for key in wanted}
    before = start
    for _ in range(years):
        history = simulate(before, arm.policy(baseline), behaviour, task.run.seed, 1)
        year = Year(before, history.region, history.indicators, behaviour, groups, start.schools.enrolment)
        for measure, stage in wanted:
            name, _, argument = measure.partition(" ")
            found[measure, stage].append(MEASURES[name](year, STAGES.index(stage) if stage in STAGES else 2, argument))
        before = history.region
    return found


def _groups(start: Region, task: Task, joins: Arm | None) -> Groups:
    s = start.schools
    strong = stronger(start)
    groups = {"strong": strong, "weak": s.has & ~strong}
    if joins is not None:  # whom the groups take does not hang on the years: living one tells it
        first = simulate(start, joins.policy(task.baseline), task.behaviour, task.run.seed, 1).region.networks
        tied = (first.kind == Network.GROUP) & (first.since == start.year + 1)
        member = np.isin(np.arange(s.n), first.member[tied])
        groups["members"] = member[:, None] & s.has
    return groups


# --- measures: each a number a year


def _indicator(year: Year, stage: int, argument: str) -> float:
    """An indicator by name, of the region or (name@setting) of a setting."""
    name, _, setting = argument.partition("@")
    i = year.indicators
    held = (i["indicator"] == name) & (i["stage"] == (*STAGES, "all")[stage])
    held &= (i["level"] == "setting") & (i["place"] == setting) if setting else i["level"] == "region"
    return float(i["value"][held][0])


def _mean_cv(year: Year, stage: int, _: str) -> float:
    """Mean of the seven official coefficients of variation."""
    i = year.indicators
    held = np.char.startswith(i["indicator"].astype(str), "cv.") & (i["level"] == "region")
    return float(np.mean(i["value"][held & (i["stage"] == STAGES[stage])]))


def _mean(values: NDArray[Any], year: Year, stage: int, group: str) -> float:
    held = year.groups[group][:, stage] & (year.weight[:, stage] > 0)
    return float(np.average(values[held], weights=year.weight[held, stage])) if held.any() else float("nan")


def _score(year: Year, stage: int, group: str) -> float:
    """Mean score of the last grade in a group of schools."""
    return _mean(year.after.schools.score[:, stage], year, stage, group)


def _value_added(year: Year, stage: int, group: str) -> float:
    """Mean score beyond what intake predicts in a group of schools."""
    return _mean(year.after.schools.value_added[:, stage], year, stage, group)


def _effectiveness(year: Year, stage: int, group: str) -> float:
    """Mean effectiveness of core teachers in a group of schools."""
    t, n = year.after.teachers, 2 * year.after.schools.n
    core = t.subject == Subject.CORE
    at = section(t.school[core], t.stage[core])
    power = effectiveness(t, year.behaviour, year.after.year)[core]
    mean = np.bincount(at, power, n) / np.maximum(np.bincount(at, minlength=n), 1)
    return _mean(mean.reshape(-1, 2)[:, stage], year, stage, group)


def _wishes(year: Year, stage: int, group: str) -> float:
    """First wishes for a group of schools."""
    return float(year.after.schools.wished[year.groups[group][:, stage], stage].sum())


def _quit_rate(year: Year, stage: int, who: str) -> float:
    """Of teachers too young to retire, those who left: in village schools, away compelled or willing, or all."""
    t = year.before.teachers
    away = (t.away_as > 0) & (t.away_until > year.after.year)  # still away when it decides
    counted = {
        "compelled": away & t.compelled,
        "willing": away & ~t.compelled,
        "village": year.before.schools.setting[t.school] == Setting.VILLAGE,
        "all": np.ones(t.n, bool),
    }[who] & (t.age <= OLDEST)
    gone = counted & ~np.isin(t.key, year.after.teachers.key)
    return float(gone.sum() / counted.sum()) if counted.any() else float("nan")


def _quits_of_compelled(year: Year, stage: int, _: str) -> float:
    """How much oftener those away against their wish quit than those away of their own will."""
    return _quit_rate(year, stage, "compelled") - _quit_rate(year, stage, "willing")


def _compelled(year: Year, stage: int, _: str) -> float:
    """Of the teachers sent away this year, those who did not go of their own will."""
    t = year.after.teachers
    sent = (t.away_as > 0) & (t.moved == year.after.year)
    return float(t.compelled[sent].mean()) if sent.any() else float("nan")


def _left_village(year: Year, stage: int, _: str) -> float:
    """Of the teachers with a village post who stayed teachers, those whose post is elsewhere a year later."""
    t, later = year.before.teachers, year.after.teachers
    order = np.argsort(later.key)
    rows = np.flatnonzero((year.before.schools.setting[t.post] == Setting.VILLAGE) & np.isin(t.key, later.key))
    now = later.post[order[np.searchsorted(later.key[order], t.key[rows])]]
    return float((year.after.schools.setting[now] != Setting.VILLAGE).mean())


def _vacant(year: Year, stage: int, _: str) -> float:
    """Share of the posts of village schools that nobody holds."""
    s, t = year.after.schools, year.after.teachers
    village = s.setting == Setting.VILLAGE
    filled = np.bincount(section(t.post, t.stage), minlength=2 * s.n).reshape(-1, 2)
    return float(np.maximum(s.posts - filled, 0)[village].sum() / s.posts[village].sum())


def _empty_share(year: Year, stage: int, _: str) -> float:
    """Share of the seats of the classrooms, at the norm, in which nobody sits."""
    s = year.after.schools
    seats = s.classrooms[:, stage] * CLASS_CAP[stage]
    return float(np.maximum(seats - s.enrolment[:, stage], 0).sum() / seats.sum())


MEASURES: dict[str, Callable[[Year, int, str], float]] = {
    "indicator": _indicator,
    "mean_cv": _mean_cv,
    "score": _score,
    "value_added": _value_added,
    "effectiveness": _effectiveness,
    "wishes": _wishes,
    "quit_rate": _quit_rate,
    "quits_of_compelled": _quits_of_compelled,
    "compelled": _compelled,
    "left_village": _left_village,
    "vacant": _vacant,
    "empty_share": _empty_share,
}


# --- running

Found = dict[tuple[str, str], list[Life]]  # by arm and calibration, replicate by replicate


def plan_of(chosen: Design, region: str, replicates: int, seed: int = SEED) -> Plan:
    """Every arm under both calibrations; every replicate has a region of its own.

    Raises InputError for fewer than two replicates, which have no interval.
    """
    if replicates < 2:
        raise InputError("--replicates", str(replicates), "2 or more, for an interval")
    baseline = load_scenario(BASELINE)
    scenarios = [
        dataclasses.replace(baseline, name=name, policy=arm.policy(baseline.policy), lines={})
        for name, arm in chosen.arms.items()
    ]
    return planned(
        scenarios,
        region=region,
        years=chosen.years,
        replicates=replicates,
        calibrations=tuple(CALIBRATIONS),
        seed=seed,
        redraw_region=True,
    )


def work(task: Task) -> Mapping[str, bytes]:
    """The measures of one arm's life, packed: what a worker does."""
    chosen = design()
    name = task.run.scenario
    joins = next((chosen.arms[a] for a in chosen.arms if "education_groups" in chosen.arms[a].levers), None)
    years = min(chosen.lasts(name), task.last_year - task.region().year)
    held = live(task, chosen.arms[name], joins, years, chosen.measures(name))
    return {"life": json.dumps([[*key, series] for key, series in held.items()]).encode()}


def run(plan: Plan, workers: int) -> Found:
    """Live every arm of the plan. Raises RuntimeError with the traceback of one that failed."""
    runs = {r.id: r for r in plan.runs}
    held: dict[str, Life] = {}
    with closing(lived(plan.tasks(), work, workers)) as outcomes:
        for outcome in outcomes:
            if outcome.traceback:
                raise RuntimeError(f"{runs[outcome.id].key()}:\n{outcome.traceback}")
            rows = json.loads(outcome.tables["life"])
            held[outcome.id] = {(measure, stage): series for measure, stage, series in rows}
    found: Found = {}
    for r in plan.runs:
        found.setdefault((r.scenario, r.calibration), []).append(held[r.id])
    return found


# --- judging


@dataclass(frozen=True)
class Judged:
    """A finding under one calibration: its estimate and whether what the claim expects holds."""

    finding: Finding
    calibration: str
    effect: Effect
    holds: str  # yes, no, open


def judge(finding: Finding, years: int, calibration: str, found: Found) -> Judged:
    """A finding's estimate over replicates, in an experiment of so many years, and its verdict."""
    arms = [a for a in (finding.arm, finding.against) if a]
    together = zip(*(found[a, calibration] for a in arms), strict=True)
    values = [finding.value(dict(zip(arms, lives, strict=True)), years) for lives in together]
    estimate = effect(values)
    return Judged(finding, calibration, estimate, finding.expected.holds(estimate))


def verdict(judged: Sequence[Judged]) -> str:
    """Whether a trade-off emerges: every claim holds, one fails, or (with none failing) some are not settled."""
    held = [j.holds for j in judged if j.finding.role == "claim"]
    if "no" in held:
        return f"does not emerge ({held.count('no')} of {len(held)} findings fail)"
    if "open" in held:
        return f"not settled ({held.count('yes')} of {len(held)} findings hold, none fails)"
    return "emerges"


# --- writing


def document(chosen: Design, plan: Plan, found: Found, command: str) -> str:
    """The whole page."""
    judged = {
        e.name: {c: [judge(f, e.years, c, found) for f in e.findings] for c in CALIBRATIONS} for e in chosen.experiments
    }
    parts = [_head(chosen, plan, command), _summary(chosen, judged)]
    parts += [_section(chosen, e, judged[e.name]) for e in chosen.experiments]
    return "\n\n".join(parts) + "\n"


def _head(chosen: Design, plan: Plan, command: str) -> str:
    facts = plan.as_data()
    seeds = "; ".join(f"{s['run']} (region {s['region']})" for s in facts["seeds"])
    return f"""# Trade-offs that emerge

Generated; do not edit. Made by

    {command}

Region: `{plan.profile}`, synthetic: its schools, teachers and children are drawn to a profile and are no real ones.
First school year {plan.first_year}; {plan.replicates} replicates, each a region of its own; draws' seeds: {seeds}.
Calibrations: `input` and `sorting`. Model: {facts["model"]}.

No rule of the model moves an outcome; but three of these lean on one assumption of behaviour each and are as sure as
it is: that who is compelled quits oftener (`rotation_aversion`), that pay keeps nobody below 15 %
(`retention_threshold`), that a name rubs off (`halo`). What comes about is their size, and that it reaches the region.

Each is tried by arms that live the same years in the same region with the same draws; a cell holds the mean paired
difference over replicates ± half of its 95 % t interval. What the claim asks for stands in
`experiments/data/tradeoffs.yaml`: *yes* where the whole interval lies in the range, *no* where all of it lies
outside, *open* where it reaches across. A trade-off emerges where every claim of it holds.
Arms and ranges
were chosen after trials in other regions with other draws (seed {TRIALS}), so that this run is a test of them. Checks
say that an arm did what it was made for. Intervals hold for regions of this profile under these parameters, and say
nothing of how sure the parameters are."""


def _summary(chosen: Design, judged: Mapping[str, Mapping[str, Sequence[Judged]]]) -> str:
    rows = [
        [f"**{_capital(e.name)}.** {e.claim}", *(verdict(judged[e.name][c]) for c in CALIBRATIONS)]
        for e in chosen.experiments
    ]
    return "## Verdicts\n\n" + table(["trade-off", *(f"under `{c}`" for c in CALIBRATIONS)], rows)


def _section(chosen: Design, experiment: Experiment, judged: Mapping[str, Sequence[Judged]]) -> str:
    arms = "\n".join(f"- *{name}*: {_arm(chosen.arms[name])}" for name in experiment.arms)
    rows = []
    for i, finding in enumerate(experiment.findings):
        cells = [judged[c][i] for c in CALIBRATIONS]
        rows.append(
            [
                f"{finding.says}, {finding.stage}" if _says_no_stage(finding) else finding.says,
                finding.arm + (f" − {finding.against}" if finding.against else ""),
                _when(finding),
                finding.unit,
                _range(finding) if finding.role == "claim" else f"check: {_range(finding)}",
                *(f"{_estimate(j)}, {j.holds}" for j in cells),
            ]
        )
    header = ["finding", "arms", "year", "unit", "asked", *(f"`{c}`" for c in CALIBRATIONS)]
    verdicts = "; ".join(f"under `{c}`: {verdict(judged[c])}" for c in CALIBRATIONS)
    why = f"\n\n{experiment.why.strip()}" if experiment.why else ""
    return (
        f"## {_capital(experiment.name)}\n\n{experiment.claim} Evidence: {experiment.source}.{why}\n\n{arms}\n\n"
        f"{table(header, rows)}\n\nVerdict {verdicts}."
    )


def _says_no_stage(finding: Finding) -> bool:
    return finding.stage != "all" and finding.stage not in finding.says


def _arm(arm: Arm) -> str:
    set_to = [f"`{lever}.{name}` {_text(value)}" for lever, row in arm.levers.items() for name, value in row.items()]
    set_to += [f"parameter `{name}` {value}" for name, value in arm.parameters.items()]
    return ", ".join(set_to) or "the baseline"


def _text(value: Any) -> str:
    return ", ".join(" and ".join(v) for v in value.values()) if isinstance(value, Mapping) else str(value)


def _when(finding: Finding) -> str:
    first = load_scenario(BASELINE).starts
    if isinstance(finding.at, str):
        return {"mean": "mean of all", "last": "last"}[finding.at]
    start = f"{first + finding.since}–" if finding.since is not None else ""
    return f"{start}{first + finding.at}"


def _range(finding: Finding) -> str:
    low, high = (number(x * finding.scale, finding.decimals, "") for x in (finding.above, finding.below))
    if np.isinf(finding.above) and np.isinf(finding.below):
        return "any"
    if np.isinf(finding.above):
        return f"below {high}"
    return f"above {low}" if np.isinf(finding.below) else f"{low} to {high}"


def _estimate(judged: Judged) -> str:
    f, e = judged.finding, judged.effect
    return f"{number(e.mean * f.scale, f.decimals)} ± {number(e.half * f.scale, f.decimals, '')}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# --- command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and write the page; exit status 2 for what cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tradeoffs", description=str(__doc__).split("\n")[0])
    parser.add_argument("--region", default="", help="a shipped profile or a profile's file; else that of the design")
    parser.add_argument("--replicates", type=int, default=16)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="three replicates: a look only")
    parser.add_argument("--out", type=Path, default=Path("docs/tradeoffs.md"))
    given = parser.parse_args(arguments)
    chosen = design()
    region, replicates = given.region or chosen.region, QUICK if given.quick else given.replicates
    try:
        plan = plan_of(chosen, region, replicates, given.seed)
        plan.check()
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    command = f"python -m experiments.tradeoffs --region {region} --replicates {replicates} --seed {given.seed}"
    text = document(chosen, plan, run(plan, given.workers), command)
    given.out.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":  # under its own name: workers import what they do by its dotted path
    from experiments.tradeoffs import main as command

    sys.exit(command())
