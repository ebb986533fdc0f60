"""Designs: which values of levers and parameters are tried together, as a grid, a Latin hypercube or a Sobol sequence.

What a planner decides (levers) stays apart from what nature does (uncertainties). A factor's values in a sampled
design depend on the root seed and on the factor alone (its name in a Latin hypercube, its place among the factors
in a Sobol sequence): one more factor leaves the others' values as they are, and a Sobol design of twice the points
begins with the points it had.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.plan import Point
from experiments.policy_file import YEARS, field_range, lever_field, read_value
from experiments.reading import Node, shown
from model import strict_yaml
from model.behaviour import parameters
from model.errors import InputError, nearest_name, unknown
from model.indicators import INDICATORS
from model.levers import LEVERS

METHODS = ("grid", "lhs", "sobol")
KEYS = ("scenario", "replicates", "design", "points", "levers", "uncertainties", "outcomes")
RANGE_KEYS = ("from", "to", "steps")
OUTCOME_KEYS = ("indicator", "stage", "level", "place", "year")
STAGES = ("primary", "junior", "all")
SAMPLES_STREAM = 2  # first number of a sample's spawn key (plan.REPLICATES_STREAM has 1)
DIMENSIONS = 256  # of the Sobol sequence that is drawn, whatever the number of factors
MOST = 1_000_000  # points
SIGNIFICANT = 12  # digits of a value between two ends: 0.1 + 0.2 is 0.3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """What is varied: a lever's field (LEVER.FIELD) or a parameter, over a range or over values named.

    A range of a field that counts takes whole numbers only. `steps`: the values of a range at equal distances, ends
    included; 0: any value of it (sampled designs).
    """

    name: str
    lever: bool
    low: float = 0.0
    high: float = 0.0
    steps: int = 0
    whole: bool = False
    values: tuple[Any, ...] = ()

    def levels(self) -> list[Any]:
        """The values of a grid; none for a range without steps."""
        if self.values:
            return list(self.values)
        return [self._between(i / (self.steps - 1)) for i in range(self.steps)]

    def at(self, u: float) -> Any:
        """The value for a number from 0 up to 1, every value as likely as its neighbours."""
        if levels := self.levels():
            return levels[min(int(u * len(levels)), len(levels) - 1)]
        if self.whole:
            return int(self.low) + min(int(u * (self.high - self.low + 1)), int(self.high - self.low))
        return self._between(u)

    def _between(self, share: float) -> Any:
        value = float(f"{self.low + share * (self.high - self.low):.{SIGNIFICANT}g}")
        return round(value) if self.whole else value

    def as_data(self) -> dict[str, Any]:
        """The factor for the manifest."""
        kind = "lever" if self.lever else "uncertainty"
        if self.values:
            return {"kind": kind, "values": list(self.values)}
        return {"kind": kind, "from": self.low, "to": self.high} | ({"steps": self.steps} if self.steps else {})


@dataclass(frozen=True)
class Response:
    """An outcome that is looked at; `year` 0 is the last. An empty place is the region, or every place of a level."""

    indicator: str
    stage: str
    level: str = "region"
    place: str = ""
    year: int = 0

    def as_data(self) -> dict[str, Any]:
        """The response for the manifest."""
        return {name: getattr(self, name) for name in OUTCOME_KEYS}


@dataclass(frozen=True)
class Design:
    """What is tried together, and what is looked at."""

    scenarios: tuple[str, ...]
    method: str
    factors: tuple[Factor, ...]
    size: int = 0  # points of a sampled design
    replicates: int | None = None
    outcomes: tuple[Response, ...] = ()

    def points(self, seed: int) -> tuple[Point, ...]:
        """Its points in order. `seed`: root of all draws."""
        if self.method == "grid":
            return tuple(self._point(values) for values in itertools.product(*(f.levels() for f in self.factors)))
        sample = _hypercube(self.factors, self.size, seed) if self.method == "lhs" else _sobol(self.size, seed)
        rows = sample[:, : len(self.factors)]
        return tuple(self._point([f.at(u) for f, u in zip(self.factors, row, strict=True)]) for row in rows)

    def _point(self, values: Sequence[Any]) -> Point:
        named = list(zip(self.factors, values, strict=True))
        return Point({f.name: v for f, v in named if f.lever}, {f.name: v for f, v in named if not f.lever})

    def as_data(self) -> dict[str, Any]:
        """The design for the manifest."""
        factors = {f.name: f.as_data() for f in self.factors}
        return {"method": self.method, "factors": factors, "outcomes": [o.as_data() for o in self.outcomes]}


def _hypercube(factors: Sequence[Factor], n: int, seed: int) -> Floats:
    """A Latin hypercube (points, factors): a column of each factor's own, which is what a hypercube is."""
    from scipy.stats import qmc

    columns = [qmc.LatinHypercube(d=1, seed=_generator(seed, factor.name)).random(n) for factor in factors]
    return np.hstack(columns)


def _sobol(n: int, seed: int) -> Floats:
    """A scrambled Sobol sequence (points, DIMENSIONS); n is a power of two."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(d=DIMENSIONS, scramble=True, seed=_generator(seed, "sobol"))
    sample: Floats = sequence.random_base2(n.bit_length() - 1)
    return sample


def _generator(seed: int, name: str) -> np.random.Generator:
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SAMPLES_STREAM, key)))


# ---- reading


def is_design_file(name: str) -> bool:
    """Whether a file looks like a design rather than a scenario: it says what varies."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    data = strict_yaml.load(path)
    return isinstance(data, Mapping) and any(key in data for key in ("design", "levers", "uncertainties", "scenario"))


def read_design(path: Path) -> Design:
    """A design from a YAML file. Raises InputError naming file and line."""
    node = Node.of_file(path, KEYS)
    factors = factors_in(node, "levers") + factors_in(node, "uncertainties")
    method = node.choice("design", METHODS, "grid")
    if not factors:
        raise InputError(node.at(), "nothing that varies", "levers: or uncertainties:, each NAME: {from, to, steps}")
    design = Design(
        _scenarios(node),
        method,
        factors,
        node.whole("points", 1, MOST, 0) if "points" in node else 0,
        node.whole("replicates", 1, MOST) if "replicates" in node else None,
        tuple(outcome_in(item) for item in node.items("outcomes", "outcomes")) if "outcomes" in node else (),
    )
    check(design, node.at("points" if "points" in node else "design"))
    for factor, section in [(f, "levers" if f.lever else "uncertainties") for f in factors]:
        where = Node(path, node[section]).at(factor.name)
        _check_grid(factor, method, where)
    return design


def check(design: Design, where: str) -> None:
    """Raise InputError where the size does not fit the method."""
    if design.method == "grid":
        if design.size:
            raise InputError(
                where, f"{design.size} points of a grid", "no points: a grid has all of its values' combinations"
            )
        n = math.prod(len(f.levels()) or 1 for f in design.factors)
        if n > MOST:
            raise InputError(where, f"a grid of {n:,} points", f"{MOST:,} at most; fewer steps, or design lhs or sobol")
        return
    if not design.size:
        raise InputError(where, f"design {design.method} without points", "how many points, e.g. 64")
    if design.method == "sobol" and design.size & (design.size - 1):
        below = 1 << (design.size.bit_length() - 1)
        raise InputError(where, f"{design.size} points of a Sobol sequence", f"a power of two: {below} or {2 * below}")


def vary(text: str) -> Factor:
    """The factor that `NAME=FROM:TO:STEPS`, `NAME=FROM:TO` or `NAME=A,B,C` says. Raises InputError."""
    where = f"--vary {text}"
    name, sign, said = text.partition("=")
    example = "NAME=FROM:TO:STEPS or NAME=A,B,C, e.g. teacher_rotation.share_of_eligible=0:0.2:5"
    if not sign or not said.strip():
        raise InputError(where, "no '=' with values behind it", example)
    parts = said.split(":")
    if len(parts) == 1:
        return _named(name.strip(), strict_yaml.load_text(f"[{said}]", where), where)
    if len(parts) > 3:
        raise InputError(where, said, example)
    ends = [strict_yaml.load_text(part.strip(), where) for part in parts]
    return _ranged(name.strip(), dict(zip(RANGE_KEYS, ends, strict=False)), where)


def outcome(text: str) -> Response:
    """The response that `INDICATOR[:STAGE[:YEAR]]` says. Raises InputError."""
    where = f"--outcome {text}"
    indicator, stage, year, *rest = [*text.split(":"), "", ""][: max(3, text.count(":") + 1)]
    if rest or (year and not year.isdigit()):
        raise InputError(where, text, "INDICATOR, INDICATOR:STAGE or INDICATOR:STAGE:YEAR, e.g. gap.score:primary:2027")
    return _response(indicator, stage, "region", "", int(year or 0), where)


def every_stage(found: Response) -> list[Response]:
    """A response for each stage where none is named."""
    stages = [found.stage] if found.stage else INDICATORS[found.indicator].stages
    return [Response(found.indicator, stage, found.level, found.place, found.year) for stage in stages]


def _scenarios(node: Node) -> tuple[str, ...]:
    value = node.data.get("scenario")
    names: list[Any] = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(n, str) for n in names):
        found = f"scenario: {shown(value)}" if "scenario" in node else "no 'scenario'"
        raise InputError(node.at("scenario"), found, "a scenario's name or file, or a list of them")
    beside = [node.path.parent / n for n in names]
    return tuple(str(path) if path.is_file() else name for name, path in zip(names, beside, strict=True))


def factors_in(node: Node, section: str) -> tuple[Factor, ...]:
    """The factors that a section of a file names, levers or uncertainties. Raises InputError."""
    if section not in node:
        return ()
    known = [f"{n}.{f}" for n, kind in LEVERS.items() for f in kind.settings()]
    held = node[section]
    if not isinstance(held, strict_yaml.Located):
        raise InputError(
            node.at(section), f"{section}: {shown(held)}", "a mapping NAME: {from, to, steps} or NAME: [A, B]"
        )
    inner = Node(node.path, held)
    found = []
    for name in inner:
        where = inner.at(name)
        if section == "levers" and name in parameters():
            raise InputError(where, f"parameter {name!r} among levers", "parameters under uncertainties:")
        if section == "uncertainties" and name in known:
            raise InputError(where, f"lever {name!r} among uncertainties", "levers under levers:")
        found.append(_factor(inner, name))
    return tuple(found)


def _factor(node: Node, name: str) -> Factor:
    value = node[name]
    if isinstance(value, list):
        return _named(name, value, node.at(name))
    limits = node.mapping(name, RANGE_KEYS, "key of a range")
    for key in ("from", "to"):
        if key not in limits:
            raise InputError(limits.at(), f"{name} without {key!r}", "{from: …, to: …, steps: …}, or a list of values")
    return _ranged(name, dict(limits.data), node.at(name))


def _named(name: str, values: Sequence[Any], where: str) -> Factor:
    held = tuple(_value(name, value, where) for value in values)
    for value in held:
        if held.count(value) > 1:
            raise InputError(where, f"{name}: {shown(value)} twice", "each value once")
    if not held:
        raise InputError(where, f"{name} without values", "one at least")
    return Factor(name, _is_lever(name, where), values=held)


def _ranged(name: str, limits: Mapping[str, Any], where: str) -> Factor:
    low, high = (_value(name, limits[key], where) for key in ("from", "to"))
    if isinstance(low, bool | str | list):
        raise InputError(where, f"a range of {name}", "values one by one, e.g. " + _example(name))
    steps = limits.get("steps", 0)
    if "steps" in limits and (not isinstance(steps, int) or isinstance(steps, bool) or steps < 2):
        raise InputError(where, f"{name}: steps {shown(steps)}", "a whole number of values, 2 or more, ends included")
    if not low < high:
        raise InputError(where, f"{name} from {low:g} to {high:g}", "from below to")
    whole = isinstance(low, int)
    if whole and steps and (high - low) % (steps - 1):
        fits = [n for n in range(2, high - low + 2) if (high - low) % (n - 1) == 0]
        said = f"{name} from {low} to {high} in {steps} steps, which are no whole numbers"
        raise InputError(where, said, "steps " + ", ".join(map(str, fits[:8])))
    return Factor(name, _is_lever(name, where), low, high, steps, whole)


def _value(name: str, value: Any, where: str) -> Any:
    """A value that the lever or parameter may have, as JSON has it. Raises InputError."""
    if _is_lever(name, where):
        kind, wanted = lever_field(name, where)
        read = read_value(kind, wanted, value, where)
        return list(read) if isinstance(read, tuple) else read
    parameter = parameters()[name]
    expected = "a number" + field_range({"low": parameter.low, "high": parameter.high, "unit": parameter.unit})
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(where, f"{name}: {shown(value)}", expected)
    if not parameter.low <= value <= parameter.high:
        raise InputError(where, f"{name}: {value}", expected)
    return float(value)


def _is_lever(name: str, where: str) -> bool:
    """Whether it is a lever's field rather than a parameter. Raises InputError where it is neither."""
    if name in parameters():
        return False
    if name.partition(".")[0] in LEVERS:
        lever_field(name, where)
        return True
    fields = [f"{n}.{f}" for n, kind in LEVERS.items() for f in kind.settings()]
    nearest = nearest_name(name, [*fields, *parameters()]) or nearest_name(name.partition(".")[0], LEVERS)
    raise InputError(where, f"unknown lever or parameter {name!r}", "LEVER.FIELD or the name of a parameter", nearest)


def _example(name: str) -> str:
    kind, wanted = lever_field(name, name)
    declared = kind.settings()[wanted]
    choices = declared.metadata["choices"] or (
        ("true", "false") if isinstance(declared.default, bool) else ("[a]", "[b]")
    )
    return f"{name}={','.join(choices[:2])}"


def _check_grid(factor: Factor, method: str, where: str) -> None:
    if method == "grid" and not factor.levels():
        raise InputError(
            where, f"{factor.name} without steps in a grid", "steps (how many values), or design lhs or sobol"
        )


def check_factors(design: Design) -> None:
    """Raise InputError where factors of a command line contradict each other or the method."""
    names = [factor.name for factor in design.factors]
    for factor in design.factors:
        if names.count(factor.name) > 1:
            raise InputError(f"--vary {factor.name}", "it more than once", "each lever or parameter once")
        _check_grid(factor, design.method, f"--vary {factor.name}")
    check(design, "--points")


def outcome_in(item: Node) -> Response:
    """An outcome as a file asks for it. Raises InputError."""
    item.only(OUTCOME_KEYS, "key of an outcome")
    indicator = item.text("indicator")
    if indicator not in INDICATORS:
        raise unknown(item.at("indicator"), "indicator", indicator, INDICATORS)
    stage = item.choice("stage", STAGES, "") if "stage" in item else ""
    level = item.text("level", "region")
    place = item.text("place") if "place" in item else ""
    year = item.whole("year", *YEARS) if "year" in item else 0
    where = item.at(next((key for key in ("stage", "level") if key in item), "indicator"))
    return _response(indicator, stage, level, place, year, where)


def _response(indicator: str, stage: str, level: str, place: str, year: int, where: str) -> Response:
    if indicator not in INDICATORS:
        raise unknown(where, "indicator", indicator, INDICATORS)
    known = INDICATORS[indicator]
    if stage and stage not in known.stages:
        raise unknown(where, f"stage of {indicator}", stage, known.stages)
    if level not in known.levels:
        raise unknown(where, f"level of {indicator}", level, known.levels)
    if level != "region" and not place:
        raise InputError(where, f"{indicator} at level {level} without a place", "place: a name of that level")
    return Response(indicator, stage, level, place, year)
