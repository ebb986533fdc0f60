"""The plan of a batch: scenarios × design points × calibrations × replicates, each run with id and seeds.

Order: replicate by replicate, so that a batch that is stopped early is a balanced sample. A run's id is a hash
of all that decides its values, its seeds are looked up by key: adding scenarios, calibrations or replicates
leaves every run that is already planned as it is. All runs of one replicate share draws and region.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from experiments import prepared
from experiments.scenario import BASELINE, Scenario, load_scenario
from model.behaviour import CALIBRATIONS, Behaviour, load_behaviour
from model.errors import InputError, unknown
from model.policy import Policy
from model.region import Region
from results.provenance import model_fingerprint

__all__ = ["CALIBRATIONS", "Plan", "Point", "Run", "Task", "planned", "region_seed", "run_seed"]

REPLICATES_STREAM = 1  # first number of a replicate's spawn key; others are free for samplers and searches


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


@dataclass(frozen=True)
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
class Task:
    """All that a worker needs to live a run: data only."""

    run: Run
    policy: Policy
    targets: tuple[Mapping[str, Any], ...]
    profile: str
    behaviour: Behaviour
    baseline: Policy
    last_year: int
    record_schools: bool
    model: str  # fingerprint of the model that the plan was made with

    def region(self) -> Region:
        """The run's prepared region, from the cache; not to be changed."""
        return prepared.prepared_region(self.profile, self.run.region_seed, self.behaviour, self.baseline)


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
        """Every run, replicate by replicate."""
        return tuple(self._runs())

    def _runs(self) -> Iterator[Run]:
        content = {
            (s, p, c): self._content(s, p, c)
            for s in range(len(self.scenarios))
            for p in range(len(self.points))
            for c in self.calibrations
        }
        for replicate in range(self.replicates):
            seeds = run_seed(self.seed, replicate), region_seed(self.seed, replicate, self.redraw_region)
            for (s, p, c), what in content.items():
                name = hashlib.blake2b(f"{what} {seeds[0]} {seeds[1]}".encode(), digest_size=16).hexdigest()
                yield Run(name, self.scenarios[s].name, c, p, replicate, *seeds)

    def _content(self, scenario: int, point: int, calibration: str) -> str:
        """A hash of all but the seeds that decides a run's values."""
        what = {
            "scenario": self.scenario_at(scenario, point).resolved(),
            "region": prepared.profile_fingerprint(self.profile),
            "behaviour": self.behaviour_at(calibration, point).fingerprint(),
            "baseline": repr(self.baseline),
            "record": self.record,
            "model": model_fingerprint(),
        }
        return hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=16).hexdigest()

    def scenario_at(self, scenario: int, point: int) -> Scenario:
        """A scenario with a design point's levers."""
        chosen = self.scenarios[scenario]
        for name, value in self.points[point].levers.items():
            chosen = chosen.with_set(f"{name}={json.dumps(value)}")
        return chosen

    def behaviour_at(self, calibration: str, point: int = 0) -> Behaviour:
        """A calibration's behaviour with a design point's uncertainties."""
        return load_behaviour(calibration, **self.points[point].uncertainties)

    def tasks(self, runs: Iterable[Run] | None = None) -> Iterator[Task]:
        """What workers are sent, run by run, in the plan's order."""
        numbers = {s.name: i for i, s in enumerate(self.scenarios)}
        known: dict[tuple[str, int, str], tuple[Scenario, tuple[Mapping[str, Any], ...], Behaviour]] = {}
        for run in self.runs if runs is None else runs:
            at = (run.scenario, run.design_point, run.calibration)
            if at not in known:
                scenario = self.scenario_at(numbers[run.scenario], run.design_point)
                behaviour = self.behaviour_at(run.calibration, run.design_point)
                known[at] = scenario, tuple(scenario.resolved()["targets"]), behaviour
            scenario, targets, behaviour = known[at]
            yield Task(
                run,
                scenario.policy,
                targets,
                self.profile,
                behaviour,
                self.baseline,
                self.last_year,
                self.record == "school",
                model_fingerprint(),
            )

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

    def as_data(self) -> dict[str, Any]:
        """The plan for the manifest."""
        return {
            "scenarios": {s.name: s.resolved() for s in self.scenarios},
            "calibrations": {c: {"behaviour": self.behaviour_at(c).fingerprint()} for c in self.calibrations},
            "design": [p.as_data() for p in self.points],
            "region": {"profile": self.profile, "content": prepared.profile_fingerprint(self.profile)},
            "first_year": self.first_year,
            "last_year": self.last_year,
            "replicates": self.replicates,
            "seed": self.seed,
            "redraw_region": self.redraw_region,
            "record": self.record,
            "runs": len(self.scenarios) * len(self.points) * len(self.calibrations) * self.replicates,
            "seeds": [
                {"run": run_seed(self.seed, r), "region": region_seed(self.seed, r, self.redraw_region)}
                for r in range(self.replicates)
            ],
            "prepared": {
                c: [
                    prepared.fingerprint(self.profile, seed, self.behaviour_at(c), self.baseline)
                    for seed in self._region_seeds()
                ]
                for c in self.calibrations
            },
            "model": model_fingerprint(),
        }

    def _region_seeds(self) -> list[int]:
        return sorted({region_seed(self.seed, r, self.redraw_region) for r in range(self.replicates)})


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
