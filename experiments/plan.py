"""The plan of a batch: scenarios × design points × calibrations × replicates, each run with id and seeds.

A run's id is a hash of all that decides its values, its seeds are looked up by key: adding scenarios, design
points, calibrations or replicates leaves every run that is already planned as it is. All runs of one replicate
share draws and region, those of different design points, too.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from experiments import prepared
from experiments.policy_file import lever_field, read_value, set_everywhere
from experiments.scenario import BASELINE, Scenario, load_scenario
from model.behaviour import CALIBRATIONS, Behaviour, load_behaviour
from model.errors import InputError, unknown
from model.new_schools import put_on_the_map
from model.policy import Policy
from model.region import Region
from results.provenance import model_fingerprint

__all__ = ["CALIBRATIONS", "Plan", "Point", "Run", "Setting", "Task", "planned", "region_seed", "run_seed"]

REPLICATES_STREAM = 1  # first number of a replicate's spawn key; others are free for samplers and searches
AT_HAND = 32  # behaviours whose prepared regions are kept together: of Wuqing, a third of what the cache may hold


def run_seed(root: int, replicate: int) -> int:
    """Seed of a replicate: 53 bits of SeedSequence(root, spawn_key=(1, replicate)), exact in JSON and Excel."""
    state = np.random.SeedSequence(root, spawn_key=(REPLICATES_STREAM, replicate)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(11))


def region_seed(root: int, replicate: int, redraw: bool) -> int:
    """Seed of a replicate's region: the root, or root + replicate where regions are redrawn."""
    return root + replicate if redraw else root


@dataclass(frozen=True)
class Point:
    """A point of a design: what the planner decides (LEVER.FIELD) and what nature does (parameters)."""

    levers: Mapping[str, Any] = field(default_factory=dict)
    uncertainties: Mapping[str, float] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """One mapping of both, by name."""
        return {**self.levers, **self.uncertainties}


@dataclass(frozen=True, slots=True)
class Run:
    """One run: whose it is, and its seeds."""

    id: str
    scenario: str
    calibration: str
    design_point: int
    replicate: int
    seed: int
    region_seed: int

    def key(self) -> dict[str, Any]:
        """What tells its rows from others in the tables."""
        return {
            "scenario": self.scenario,
            "calibration": self.calibration,
            "design_point": self.design_point,
            "replicate": self.replicate,
        }


@dataclass(frozen=True)
class Setting:
    """What all runs of a scenario have in common."""

    policy: Policy
    targets: tuple[Mapping[str, Any], ...]
    profile: str
    baseline: Policy
    last_year: int
    record_schools: bool
    model: str  # fingerprint of the model that the batch was started with


@lru_cache(maxsize=16)
def _setting(packed: bytes) -> Setting:
    unpacked: Setting = pickle.loads(packed)  # noqa: S301 - what this batch packed
    return unpacked


@dataclass(frozen=True, slots=True)
class Task:
    """All that a worker needs to live a run: data only. `packed` is packed once for all runs of a scenario."""

    run: Run
    point: Point
    packed: bytes

    @property
    def setting(self) -> Setting:
        """What it has in common with the scenario's other runs."""
        return _setting(self.packed)

    @property
    def targets(self) -> tuple[Mapping[str, Any], ...]:
        """What the run is judged by."""
        return self.setting.targets

    @property
    def profile(self) -> str:
        """The region's profile: a shipped name or a file."""
        return self.setting.profile

    @property
    def baseline(self) -> Policy:
        """The levers in force while the region is burned in."""
        return self.setting.baseline

    @property
    def last_year(self) -> int:
        """Last school year to be lived."""
        return self.setting.last_year

    @property
    def policy(self) -> Policy:
        """The scenario's levers with the design point's."""
        return with_levers(self.setting.policy, self.point.levers)

    @property
    def behaviour(self) -> Behaviour:
        """The calibration's behaviour with the design point's uncertainties."""
        return load_behaviour(self.run.calibration, **self.point.uncertainties)

    def region(self) -> Region:
        """The run's prepared region, from the cache; not to be changed."""
        return prepared.prepared_region(self.profile, self.run.region_seed, self.behaviour, self.baseline)


def with_levers(policy: Policy, levers: Mapping[str, Any]) -> Policy:
    """A policy with some LEVER.FIELD set in every entry. Raises InputError.

    A lever that is not in the policy and stays neutral is left out, so that a point at the policy's own values is
    the policy itself.
    """
    if not levers:
        return policy
    *first, last = levers
    chosen = policy
    for name in first:  # what contradicts is looked for when all are set
        kind, wanted = lever_field(name, f"design: {name}")
        chosen = chosen.with_value(kind, wanted, read_value(kind, wanted, levers[name], f"design: {name}"))
    chosen = set_everywhere(chosen, last, levers[last], f"design: {last}")
    before = {type(entry) for entry in policy.entries}
    return Policy(tuple(e for e in chosen.entries if type(e) in before or not e.is_neutral()))


@dataclass(frozen=True)
class Plan:
    """What is to be run. Scenarios share region and years (see `planned`)."""

    scenarios: tuple[Scenario, ...]
    calibrations: tuple[str, ...] = ("input",)
    replicates: int = 8
    seed: int = 1
    redraw_region: bool = False
    record: str = ""  # "school" adds a row a school
    points: tuple[Point, ...] = (Point(),)
    design: Mapping[str, Any] = field(default_factory=dict)  # how the points came about, for the manifest
    model: str = field(default_factory=lambda: model_fingerprint())  # that runs are known by

    @property
    def profile(self) -> str:
        """The region's profile: a shipped name or a file."""
        return self.scenarios[0].region

    @property
    def first_year(self) -> int:
        """First school year of the scenarios."""
        return self.scenarios[0].starts

    @property
    def last_year(self) -> int:
        """Last school year lived."""
        return self.scenarios[0].ends

    @cached_property
    def baseline(self) -> Policy:
        """The levers in force while a region is burned in."""
        return load_scenario(BASELINE).policy

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every run, replicate by replicate: the order of the tables."""
        return tuple(self._runs())

    def _runs(self) -> Iterator[Run]:
        content = {
            (s, p, c): what
            for s, scenario in enumerate(self.scenarios)
            for (p, c), what in self._contents(scenario).items()
        }
        for replicate in range(self.replicates):
            seeds = run_seed(self.seed, replicate), region_seed(self.seed, replicate, self.redraw_region)
            for (s, p, c), what in content.items():
                name = _hash(f"{what} {seeds[0]} {seeds[1]}")
                yield Run(name, self.scenarios[s].name, c, p, replicate, *seeds)

    def _contents(self, scenario: Scenario) -> dict[tuple[int, str], str]:
        """By design point and calibration, a hash of all but the seeds that decides a run's values."""
        said = scenario.resolved()
        own = {lever: _hash(json.dumps(held, sort_keys=True)) for lever, held in said.pop("policies").items()}
        common = _hash(
            json.dumps(
                {
                    "scenario": said,
                    "region": prepared.profile_fingerprint(self.profile),
                    "baseline": repr(self.baseline),
                    "record": self.record,
                    "model": self.model,
                },
                sort_keys=True,
            )
        )
        found = {}
        for p, point in enumerate(self.points):
            levers = sorted((own | _changed_levers(scenario, point)).items())
            for c in self.calibrations:
                found[p, c] = _hash(f"{common} {levers} {self.behaviour_at(c, p).fingerprint()}")
        return found

    def behaviour_at(self, calibration: str, point: int = 0) -> Behaviour:
        """A calibration's behaviour with a design point's uncertainties."""
        return load_behaviour(calibration, **self.points[point].uncertainties)

    def in_order_of_work(self, runs: Iterable[Run]) -> list[Run]:
        """Runs in the order in which they are best lived: replicate by replicate, so that a batch that is stopped
        early is a balanced sample.

        A region is prepared for each behaviour; where there are many, points come in blocks whose regions are at
        hand together.
        """
        behaviours: dict[tuple[tuple[str, float], ...], int] = {}
        for point in self.points:
            behaviours.setdefault(tuple(sorted(point.uncertainties.items())), len(behaviours))
        block = [behaviours[tuple(sorted(point.uncertainties.items()))] // AT_HAND for point in self.points]
        return sorted(runs, key=lambda run: (block[run.design_point], run.replicate))

    def prepared_regions(self) -> int:
        """How many regions must be built and burned in."""
        behaviours = {tuple(sorted(point.uncertainties.items())) for point in self.points}
        return len(behaviours) * len(self.calibrations) * len(self._region_seeds())

    def tasks(self, runs: Iterable[Run] | None = None) -> Iterator[Task]:
        """What workers are sent, run by run; of all runs in the plan's order if none are given."""
        packed = {}
        for scenario in self.scenarios:
            setting = Setting(
                scenario.policy,
                tuple(scenario.resolved()["targets"]),
                self.profile,
                self.baseline,
                self.last_year,
                self.record == "school",
                model_fingerprint(),
            )
            packed[scenario.name] = pickle.dumps(setting, pickle.HIGHEST_PROTOCOL)
        for run in self.runs if runs is None else runs:
            yield Task(run, self.points[run.design_point], packed[run.scenario])

    def check(self) -> None:
        """Prepare the first replicate's region and hold the scenarios against it.

        Raises InputError where a place of a lever or target is unknown, entries overlap, or a scenario starts
        before the region.
        """
        first = region_seed(self.seed, 0, self.redraw_region)
        region = prepared.prepared_region(self.profile, first, self.behaviour_at(self.calibrations[0]), self.baseline)
        if self.first_year <= region.year:
            raise InputError(
                f"{self.scenarios[0].name}: starts",
                str(self.first_year),
                f"{region.year + 1} or later, since region {region.name!r} stands in school year {region.year}",
            )
        for scenario in self.scenarios:
            scenario.policy.check(region)
            _check_places(scenario, region)
            put_on_the_map(region.copy(), scenario.policy)

    def as_data(self) -> dict[str, Any]:
        """The plan for the manifest."""
        return {
            "scenarios": {s.name: s.resolved() for s in self.scenarios},
            "calibrations": {c: {"behaviour": load_behaviour(c).fingerprint()} for c in self.calibrations},
            "design": self._design(),
            "region": {"profile": self.profile, "content": prepared.profile_fingerprint(self.profile)},
            "first_year": self.first_year,
            "last_year": self.last_year,
            "replicates": self.replicates,
            "seed": self.seed,
            "redraw_region": self.redraw_region,
            "record": self.record,
            "runs": len({run.id for run in self.runs}),  # points of a sample may meet
            "seeds": [
                {"run": run_seed(self.seed, r), "region": region_seed(self.seed, r, self.redraw_region)}
                for r in range(self.replicates)
            ],
            "prepared": {
                c: [
                    prepared.fingerprint(self.profile, seed, load_behaviour(c), self.baseline)
                    for seed in self._region_seeds()
                ]
                for c in self.calibrations
            },
            "model": self.model,
        }

    def _design(self) -> dict[str, Any]:
        """What varies: how many points, a hash of them, and what the design says of itself."""
        points = _hash(json.dumps([p.as_data() for p in self.points], sort_keys=True))
        return {"points": len(self.points), "content": points, **self.design}

    def _region_seeds(self) -> list[int]:
        return sorted({region_seed(self.seed, r, self.redraw_region) for r in range(self.replicates)})


def _changed_levers(scenario: Scenario, point: Point) -> dict[str, str]:
    """Of the levers that a design point sets, a hash of the entries in force; an empty one where there are none."""
    if not point.levers:
        return {}
    names = {name.partition(".")[0] for name in point.levers}
    changed = with_levers(scenario.policy, point.levers)
    entries = Policy(tuple(e for e in changed.entries if e.NAME in names))
    held = replace(scenario, policy=entries, targets=()).resolved()["policies"]
    return {name: _hash(json.dumps(entries, sort_keys=True)) for name, entries in held.items()}


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _check_places(scenario: Scenario, region: Region) -> None:
    """Refuse targets at a place that the region does not have, which would otherwise never have a value."""
    places = {
        "region": [region.name],
        "district": list(region.districts.name_en),
        "town": list(region.towns.name_zh),
        "school": list(region.schools.name),
    }
    for target in scenario.targets:
        if target.place and target.place not in places.get(target.level, [target.place]):
            names = map(str, places[target.level])
            raise unknown(f"{scenario.name}: target {target.indicator}", target.level, target.place, names)


def planned(
    scenarios: Sequence[Scenario], region: str | None = None, years: int | None = None, **settings: Any
) -> Plan:
    """The plan of a batch; `settings` are Plan's other fields.

    Scenarios of a batch share region, start and length: `baseline` takes them from the others, `region` and
    `years` override them. Raises InputError where regions, starts or names clash, or a calibration is unknown.
    """
    if not scenarios:
        raise InputError("scenarios", "none", "at least one")
    others = [s for s in scenarios if s.name != BASELINE] or list(scenarios)
    first = others[0]
    for other in others[1:]:
        for what in ("region", "starts"):
            mine, theirs = getattr(first, what), getattr(other, what)
            if mine != theirs and not (what == "region" and region):
                where = f"scenarios {first.name} and {other.name}"
                raise InputError(where, f"{what} {mine} and {theirs}", f"one {what} for all scenarios of a run")
    names = [s.name for s in scenarios]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"scenario {name}", "it more than once in one run", "scenarios of different names")
    length = years if years is not None else max(s.years for s in others)
    span: dict[str, Any] = {"region": region or first.region, "starts": first.starts, "years": length}
    return Plan(tuple(replace(s, **span) for s in scenarios), **settings)
