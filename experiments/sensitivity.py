"""Sensitivity studies: what is varied, in which designs, on which seeds, as the plan of a batch.

A study goes through stages that share one run folder: a Morris design to screen, a sample for a surrogate and for
indices from given data, a Saltelli design where the surrogate is not believed. Each stage varies its factors and a
dummy that no run sees. Seeds hang together in blocks (a base point with its rows, a trajectory), each block on seeds of
its own: within a block differences are those of factors, over blocks luck averages out. The points of a sample share
the seeds of their replicates, dealt out anew in each (results/sensitivity_luck.py). Where the dummy moves, the block's
seeds are drawn anew, so that the dummy's effect is that of luck alone, and its index by products across replicates
shows how far from zero an inert factor is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import design as designs
from experiments.design import Factor, Response
from experiments.plan import Plan, Point, Run, Task, region_seed, run_seed
from experiments.policy_file import lever_field
from experiments.reading import Node
from model.behaviour import load_behaviour, parameters
from model.errors import InputError, unknown
from model.policy import Policy
from model.strict_yaml import load
from results.sensitivity_luck import SHARED, dealt
from results.sensitivity_salib import DUMMY, Design, Method, designed

DATA = Path(__file__).parent / "data" / "sensitivity.yaml"
METHODS = ("auto", "morris", "sobol", "pawn", "delta")
FACTORS = 10
OUTCOMES = ("gap.score", "between_school_share", "proximity_share", "spending.levers")
REPLICATES = 2
TRAJECTORIES = 10
SAMPLE = 256  # points
BASE = 256  # base points of a direct study
SMALLEST = {"morris": 4, "sample": 32, "sobol": 16}
REPLICATE_APART = 2**24  # numbers of seeds: replicates, stages and blocks never meet
STAGE_APART = 2**20
STAGES = ("sample", "morris", "sobol")

Json = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A design over some of the factors; `size`: trajectories, points, or base points."""

    kind: Method
    size: int
    factors: tuple[str, ...]

    def as_data(self) -> Json:
        """The stage for the manifest."""
        said = {"kind": self.kind, "size": self.size, "factors": list(self.factors)}
        return said | ({"shared": SHARED} if self.kind == "sample" else {})


@dataclass(frozen=True)
class Study:
    """What is asked: factors, groups of them by name of the group, outcomes, and the stages so far."""

    method: str
    factors: tuple[Factor, ...]
    outcomes: tuple[Response, ...]
    groups: Mapping[str, tuple[str, ...]]
    replicates: int
    seed: int
    stages: tuple[Stage, ...] = ()
    against: str = ""  # scenario whose outcomes on the same seeds are taken off

    def design_of(self, stage: Stage) -> Design:
        """The stage's points in the unit cube, the dummy last."""
        return designed(stage.kind, stage.factors, self.groups, stage.size, self.seed)

    def points(self) -> tuple[list[Point], list[tuple[int, ...]]]:
        """Every stage's points in order, and of each the numbers of its seeds, replicate by replicate."""
        points: list[Point] = []
        seeds: list[tuple[int, ...]] = []
        known = {f.name: f for f in self.factors}
        for stage in self.stages:
            design = self.design_of(stage)
            chosen = [known[name] for name in stage.factors]
            points += [_point(chosen, row) for row in design.rows]
            seeds += _seeds(design, stage, self.replicates)
        return points, seeds

    def as_data(self) -> Json:
        """The study for the manifest."""
        stages, first = [], 0
        for stage in self.stages:
            rows = self.design_of(stage).rows
            held = hashlib.blake2b(np.round(rows, 12).tobytes(), digest_size=16).hexdigest()
            stages.append(stage.as_data() | {"points": [first, first + len(rows)], "content": held})
            first += len(rows)
        return {
            "method": self.method,
            "factors": {f.name: f.as_data() | {"levels": levels_of(f)} for f in self.factors},
            "groups": {name: list(members) for name, members in self.groups.items()},
            "against": self.against,
            "outcomes": [o.as_data() for o in self.outcomes],
            "stages": stages,
        }

    def with_stage(self, kind: Method, size: int, factors: Sequence[str] = ()) -> Study:
        """The study with one more stage; over all factors if none are named."""
        chosen = tuple(factors) or tuple(f.name for f in self.factors)
        return replace(self, stages=(*self.stages, Stage(kind, size, chosen)))

    def runs(self, kind: Method, size: int, factors: int) -> int:
        """Runs of a stage for one calibration; points that meet are counted twice."""
        units = factors + 1  # groups make it less
        per_block = {"morris": units + 1, "sobol": units + 2, "sample": 1}[kind]
        return size * per_block * self.replicates * (2 if self.against else 1)


@dataclass(frozen=True)
class SensitivityPlan(Plan):
    """A plan whose points have seeds of their own; `seeds`: of each point the numbers, replicate by replicate.

    The first scenario has the levers of each point, others live with its uncertainties alone.
    """

    seeds: tuple[tuple[int, ...], ...] = ()

    def _runs(self) -> Iterator[Run]:
        first, *others = self.scenarios
        contents = {(first.name, *key): what for key, what in self._contents(first).items()}
        without = replace(self, points=tuple(replace(point, levers={}) for point in self.points))
        for other in others:
            contents |= {(other.name, *key): what for key, what in without._contents(other).items()}
        for replicate in range(self.replicates):
            for (scenario, p, c), what in contents.items():
                number = self.seeds[p][replicate]
                own = run_seed(self.seed, number), region_seed(self.seed, number, self.redraw_region)
                name = hashlib.blake2b(f"{what} {own[0]} {own[1]}".encode(), digest_size=16).hexdigest()
                yield Run(name, scenario, c, p, replicate, *own)

    def tasks(self, runs: Iterable[Run] | None = None) -> Iterator[Task]:
        """What workers are sent; levers of the design only in the first scenario."""
        for task in super().tasks(runs):
            own = task.run.scenario == self.scenarios[0].name
            yield task if own else replace(task, point=replace(task.point, levers={}))

    def _region_seeds(self) -> list[int]:
        if not self.redraw_region:
            return [self.seed]
        numbers = {number for own in self.seeds for number in own}
        return sorted(region_seed(self.seed, n, True) for n in numbers)

    def as_data(self) -> Json:
        """The plan for the manifest; seeds follow from the design."""
        said = super().as_data()
        said["seeds"] = (
            "SeedSequence(seed, spawn_key=(1, replicate * 2**24 + stage * 2**20 + number of block or seed dealt))"
        )
        said["prepared"] = {}
        return said


def sensitivity_plan(plan: Plan, study: Study) -> SensitivityPlan:
    """The plan of a study's stages so far. `plan`: its scenario, calibrations and region."""
    points, seeds = study.points()
    said = {f.name: getattr(plan, f.name) for f in fields(Plan)}
    said |= {"points": tuple(points), "design": study.as_data(), "replicates": study.replicates}
    return SensitivityPlan(**said, seeds=tuple(seeds))


def size_for(kind: Method, runs: int, factors: int, study: Study) -> int:
    """The largest size of a stage that needs no more runs; a power of two but for trajectories; 0 if none does."""
    most = runs // study.runs(kind, 1, factors)
    if kind == "morris":
        return most
    return 1 << (most.bit_length() - 1) if most else 0


def levels_of(factor: Factor) -> int:
    """How many values a factor has; 0: any of its range."""
    if factor.values or factor.steps:
        return len(factor.levels())
    return int(factor.high - factor.low) + 1 if factor.whole else 0


# ---- what is varied


@dataclass(frozen=True)
class Default:
    """What is varied where nothing is named, and why.

    `around`: of a parameter that is fitted to the base year, how far about a calibration's value; 0: all its range.
    """

    name: str
    why: str
    around: float = 0.0


@cache
def defaults() -> dict[str, tuple[Default, ...]]:
    """Levers and uncertainties that are varied where nothing is named, in this order."""
    return {
        section: tuple(
            Default(name, **(said if isinstance(said, Mapping) else {"why": said})) for name, said in rows.items()
        )
        for section, rows in load(DATA).items()
    }


def default_factors(
    policy: Policy, number: int = FACTORS, calibrations: Sequence[str] = ("input",)
) -> tuple[Factor, ...]:
    """Half levers that the policy sets, half uncertainties; more of the one where the other has no more."""
    levers = [f for default in defaults()["levers"] if (f := _lever(policy, default.name))]
    unknowns = [_parameter(default, calibrations) for default in defaults()["uncertainties"]]
    half = max(number // 2, number - len(unknowns))
    chosen = levers[:half]
    return (*chosen, *unknowns[: number - len(chosen)])


def _lever(policy: Policy, name: str) -> Factor | None:
    """A lever's field from its neutral value to twice the policy's; None where the policy leaves it neutral."""
    kind, wanted = lever_field(name, name)
    declared = kind.settings()[wanted]
    neutral: Any = declared.default
    largest = max((getattr(e, wanted) for e in policy.entries if isinstance(e, kind)), default=neutral)
    if largest <= neutral:
        return None
    high = min(2 * largest, declared.metadata["high"])
    return Factor(name, True, neutral, high, whole=isinstance(neutral, int))


def _parameter(default: Default, calibrations: Sequence[str]) -> Factor:
    """A parameter over all that is declared, or about the calibrations' values where these are fitted."""
    declared = parameters()[default.name]
    if not default.around:
        return Factor(default.name, False, declared.low, declared.high)
    fitted = [getattr(load_behaviour(c), default.name) for c in calibrations]
    low, high = min(fitted) - default.around, max(fitted) + default.around
    low, high = (float(f"{end:.{designs.SIGNIFICANT}g}") for end in (low, high))
    return Factor(default.name, False, max(low, declared.low), min(high, declared.high))


def read_over(path: Path) -> tuple[tuple[Factor, ...], tuple[Response, ...], dict[str, tuple[str, ...]]]:
    """Factors, outcomes and groups of a file: a sweep's design (its points are not used), and `groups`.

    Raises InputError naming file and line.
    """
    node = Node.of_file(path, (*designs.KEYS, "groups"))
    factors = designs.factors_in(node, "levers") + designs.factors_in(node, "uncertainties")
    if not factors:
        raise InputError(node.at(), "nothing that varies", "levers: or uncertainties:, each NAME: {from, to}")
    outcomes = (
        tuple(designs.outcome_in(item) for item in node.items("outcomes", "outcomes")) if "outcomes" in node else ()
    )
    groups: dict[str, tuple[str, ...]] = {}
    if "groups" in node:
        held = node["groups"]
        if not isinstance(held, Mapping):
            raise InputError(node.at("groups"), "groups that are no mapping", "NAME: [FACTOR, FACTOR]")
        groups = {str(name): _members(members, node.at("groups")) for name, members in held.items()}
    return factors, outcomes, groups


def _members(members: Any, where: str) -> tuple[str, ...]:
    if not isinstance(members, list) or not all(isinstance(m, str) for m in members):
        raise InputError(where, "a group that is no list of names", "NAME: [FACTOR, FACTOR]")
    return tuple(members)


def group(text: str) -> tuple[str, tuple[str, ...]]:
    """The group that `NAME=FACTOR,FACTOR` says. Raises InputError."""
    name, sign, said = text.partition("=")
    members = tuple(part.strip() for part in said.split(",") if part.strip())
    if not sign or not name.strip() or not members:
        raise InputError(f"--group {text}", "no '=' with factors behind it", "NAME=FACTOR,FACTOR")
    return name.strip(), members


def check(factors: Sequence[Factor], groups: Mapping[str, tuple[str, ...]]) -> None:
    """Raise InputError where factors or groups contradict each other."""
    names = [f.name for f in factors]
    for factor in factors:
        if names.count(factor.name) > 1:
            raise InputError(f"factor {factor.name}", "it more than once", "each lever or parameter once")
        if levels_of(factor) == 1:
            raise InputError(f"factor {factor.name}", "one value", "two values or a range")
    if len(names) < 2:
        raise InputError("factors", "one factor", "two at least; one alone is what `junheng sweep` is for")
    held: list[str] = []
    for name, members in groups.items():
        if name in (*names, DUMMY):
            raise InputError(f"group {name}", "the name of a factor", "a name of its own")
        for member in members:
            if member not in names:
                raise unknown(f"group {name}", "factor", member, names)
            if member in held:
                raise InputError(f"group {name}", f"{member!r} in another group, too", "each factor in one group")
            held.append(member)


# ---- points and seeds


def _point(factors: Sequence[Factor], row: NDArray[np.float64]) -> Point:
    named = [(f, f.at(float(u))) for f, u in zip(factors, row, strict=False)]  # the dummy is in no point
    return Point({f.name: v for f, v in named if f.lever}, {f.name: v for f, v in named if not f.lever})


def _seeds(design: Design, stage: Stage, replicates: int) -> list[tuple[int, ...]]:
    """The numbers of each point's seeds, one a replicate: its block's, other ones where the dummy has moved.

    The points of a sample share theirs as `dealt` says.
    """
    if stage.kind == "sample":
        numbers = 2 * dealt(design.blocks, replicates)
    else:
        dummy = design.rows[:, -1].reshape(design.blocks, design.block)
        moved = (dummy != dummy[:, :1]).astype(int)
        numbers = np.repeat((2 * np.arange(design.blocks)[:, None] + moved).reshape(-1, 1), replicates, axis=1)
    first = STAGES.index(stage.kind) * STAGE_APART + REPLICATE_APART * np.arange(replicates)
    return [tuple(map(int, row)) for row in numbers + first]
