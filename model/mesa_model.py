"""The region as a Mesa model: for people who live in Mesa. Only this file, the tests and the example import it.

`EqualizationModel.step()` is one school year of `model.simulate`, bit for bit. Schools are its agents, teachers,
families and students are there when asked for; all of them are views: what they show and take lies in the columns of
`model.region`, and a view finds its row again by its key however the rows have moved.

    model = EqualizationModel(region, policy, seed=1, years=8, teacher_rotation__share_of_eligible=0.2)
    model.run_model()
    model.datacollector.get_model_vars_dataframe()
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

import mesa
import numpy as np
from mesa.agent import AgentSet
from numpy.typing import NDArray

from model.behaviour import Behaviour, load_behaviour
from model.errors import InputError, unknown
from model.indicators import INDICATORS
from model.levers import LEVERS
from model.policy import Policy
from model.region import Families, Region, Schools, Students, Teachers
from model.simulate import TRAJECTORY, History, simulate
from model.table import Table

P = TypeVar("P", bound="Person")
STAGES = ("primary", "junior")
KINDS = {float: "a number", int: "a whole number", bool: "True or False", str: "text", tuple: "a list of names"}
HEADLINES = (
    "gap.score.primary",
    "gap.score.junior",
    "between_school_share.primary",
    "between_school_share.junior",
    "cvs_passed.primary",
    "cvs_passed.junior",
    "schools_passing.primary",
    "schools_passing.junior",
    "satisfaction.primary",
    "satisfaction.junior",
    "local_stay.primary",
    "local_stay.junior",
    "rotated_share.primary",
    "rotated_share.junior",
    "spending.levers.all",
)


class View(mesa.Agent):  # type: ignore[misc]  # mesa is untyped
    """One row of a table, as an agent: each column is an attribute that reads and writes the column itself.

    A column of several values a row (by stage) shows as a slice of the column, to be written in place. Raises
    LookupError once who it was has left the region, AttributeError for what is no column.
    """

    TABLE: ClassVar[str] = ""
    COLUMNS: ClassVar[type[Table]] = Table
    key: np.uint64
    _row: int

    @property
    def row(self) -> int:
        """Where it lies in its table now."""
        table = getattr(self.model.region, self.TABLE)
        if self._row >= table.n or table.key[self._row] != self.key:
            found = np.flatnonzero(table.key == self.key)
            if found.size == 0:
                raise LookupError(f"{type(self).__name__} {self.key} has left {self.model.region.name}")
            self._row = int(found[0])
        return self._row

    def __getattr__(self, name: str) -> Any:
        if name in type(self).COLUMNS.COLUMNS:
            return getattr(getattr(self.model.region, self.TABLE), name)[self.row]
        raise AttributeError(f"{type(self).__name__} has no column {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "key" and name in type(self).COLUMNS.COLUMNS:
            getattr(getattr(self.model.region, self.TABLE), name)[self.row] = value
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *type(self).COLUMNS.COLUMNS})


class School(View):
    """学校: an agent of the model while it is open."""

    TABLE, COLUMNS = "schools", Schools

    def __init__(self, model: EqualizationModel, row: int) -> None:
        self.key, self._row = model.region.schools.key[row], row
        super().__init__(model)
        self.unique_id, self.pos = row + 1, (float(self.x_km), float(self.y_km))
        getattr(mesa.Agent, "_ids", {}).pop(model, None)  # Mesa 3.3 counts ids there and keeps every model alive by it

    def teachers(self) -> AgentSet:
        """Who teaches here this year."""
        return self.model.teachers(self.model.region.teachers.school == self.row)

    def students(self) -> AgentSet:
        """Who is enrolled here."""
        return self.model.students(self.model.region.students.school == self.row)


class Person(View):
    """A view made when it is asked for. It is not among `model.agents`; `unique_id` is its key."""

    def __init__(self, model: EqualizationModel, key: np.uint64, row: int) -> None:
        self.model, self.key, self._row = model, key, row  # not registered: a million would be
        self.unique_id, self.pos = int(key), None


class Teacher(Person):
    """教师."""

    TABLE, COLUMNS = "teachers", Teachers


class Family(Person):
    """家庭."""

    TABLE, COLUMNS = "families", Families

    @property
    def student(self) -> Student:
        """Its child at school."""
        return self.model.person(Student, self.row)


class Student(Person):
    """学生."""

    TABLE, COLUMNS = "students", Students

    @property
    def family(self) -> Family:
        """Its family."""
        return self.model.person(Family, self.row)


class EqualizationModel(mesa.Model):  # type: ignore[misc]
    """A region that lives a school year a step.

    `region`: burned in; it is left as it was. `calibration`: a name or a Behaviour. `seed`: as of `simulate`; None
    draws one, which `model.seed` and the collected data name. `years`: after so many `running` turns False with the
    next step, which lives nothing (so that Mesa's `batch_run` reports the last year); None never.
    `record_schools` adds the level of schools to `history`. `report`: `indicator.stage` of the whole region for the
    data collector; nan before the first step. `lever__field=value` sets a field in every entry of a lever, as
    `--set` does. Raises InputError for what is unknown, out of range or does not fit the region.
    """

    def __init__(
        self,
        region: Region,
        policy: Policy = Policy(),  # noqa: B008  (it is frozen)
        calibration: str | Behaviour = "input",
        seed: int | None = None,
        years: int | None = None,
        record_schools: bool = False,
        report: Sequence[str] = HEADLINES,
        **kwargs: Any,
    ) -> None:
        if hasattr(kwargs.get("scenario"), "rng"):  # SolaraViz of Mesa 3.5 hands over Mesa's own kind of scenario
            del kwargs["scenario"]
        for argument, value in kwargs.items():
            policy = with_lever(policy, argument, value)
        if not isinstance(region, Region) or not region.burned_in:
            raise InputError("EqualizationModel: region", repr(region)[:60], "a Region that is burned in")
        if seed is not None and not (isinstance(seed, int | np.integer) and seed >= 0):
            raise InputError("EqualizationModel: seed", repr(seed), "a whole number from 0, or None")
        super().__init__(rng=seed)
        if seed is None:
            seed = int(self.rng.integers(2**53))  # exact in JSON and Excel
            self.random.seed(seed)
            self.reset_rng(seed)
        self.seed, self.years, self.record_schools = int(seed), years, record_schools
        self.policy = policy
        self.behaviour = load_behaviour(calibration) if isinstance(calibration, str) else calibration
        self.history: History = simulate(region, policy, self.behaviour, self.seed, years=0)
        self.values: dict[str, float] = {}  # of the last year, the region's, by `indicator.stage`
        self._schools: dict[int, School] = {}
        self._people: dict[tuple[type[Person], int], Person] = {}
        self._open_and_close()
        self.datacollector = mesa.DataCollector(
            {"year": "year", "seed": "seed", **{name: _of_region(name) for name in report}},
            agent_reporters(),
        )
        self.datacollector.collect(self)

    @property
    def region(self) -> Region:
        """The region as it stands; another object after each step."""
        return self.history.region

    @property
    def year(self) -> int:
        """The last school year lived."""
        return self.region.year

    def step(self) -> None:
        """Live one school year; after the last one live nothing and stop."""
        if self.years is not None and len(self.history.years) >= self.years:
            self.running = False
            return
        lived = simulate(self.region, self.policy, self.behaviour, self.seed, 1, self.record_schools)
        self.history = _followed_by(self.history, lived)
        table = lived.indicators
        whole = table["level"] == "region"
        of_region = (table[title][whole] for title in ("indicator", "stage", "value"))
        self.values = {f"{name}.{stage}": float(value) for name, stage, value in zip(*of_region, strict=True)}
        self._open_and_close()
        self._forget_who_left()
        self.datacollector.collect(self)

    def school(self, which: str | int) -> School:
        """An open school by its name or row. Raises LookupError."""
        rows = np.flatnonzero(self.region.schools.name == which) if isinstance(which, str) else [int(which)]
        if len(rows) == 0 or int(rows[0]) not in self._schools:
            raise LookupError(f"no open school {which!r} in {self.year}")
        return self._schools[int(rows[0])]

    def teachers(self, rows: Any = slice(None)) -> AgentSet:
        """Teachers as agents: all, or those that a mask, a slice or row numbers pick."""
        return self._views(Teacher, rows)

    def families(self, rows: Any = slice(None)) -> AgentSet:
        """Families as agents; row i is the family of student i."""
        return self._views(Family, rows)

    def students(self, rows: Any = slice(None)) -> AgentSet:
        """Students as agents."""
        return self._views(Student, rows)

    def person(self, kind: type[P], row: int) -> P:
        """The Teacher, Family or Student at a row: the same object whenever it is asked for."""
        key = getattr(self.region, kind.TABLE).key[row]
        view = self._people.get((kind, int(key)))
        if view is None:
            view = self._people[kind, int(key)] = kind(self, key, row)
        return cast("P", view)

    def _views(self, kind: type[Person], rows: Any) -> AgentSet:
        every = np.arange(getattr(self.region, kind.TABLE).n)
        picked = np.atleast_1d(every[rows]).tolist()
        return AgentSet([self.person(kind, row) for row in picked], random=self.random)

    def _open_and_close(self) -> None:
        is_open = np.flatnonzero(self.region.open_schools(self.year)).tolist()
        for row in self._schools.keys() - is_open:
            self._schools.pop(row).remove()
        for row in is_open:
            if row not in self._schools:
                self._schools[row] = School(self, row)

    def _forget_who_left(self) -> None:
        """An AgentSet holds its agents weakly, so they leave it, too."""
        if self._people:
            here = {kind: set(getattr(self.region, kind.TABLE).key.tolist()) for kind in (Teacher, Family, Student)}
            self._people = {(kind, key): view for (kind, key), view in self._people.items() if key in here[kind]}


def with_lever(policy: Policy, argument: str, value: Any) -> Policy:
    """The policy with the field that `lever__field` names set in every entry of its lever. Raises InputError."""
    known = {f"{lever}__{name}": (kind, name) for lever, kind in LEVERS.items() for name in kind.settings()}
    if argument not in known:
        raise unknown("EqualizationModel", "argument", argument, known)
    kind, name = known[argument]
    declared = kind.settings()[name]
    meta, wanted = declared.metadata, cast("Any", type(declared.default))
    low, high, choices = meta["low"], meta["high"], meta["choices"]
    try:
        fitting = wanted(value)  # whole numbers for floats, numpy's numbers for Python's
        fits = not isinstance(value, str) if wanted is tuple else bool(fitting == value)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits or (choices and fitting not in choices) or (low is not None and not low <= fitting <= high):
        bounds = f" from {low:,.9g} to {high:,.9g} {meta['unit']}".rstrip() if low is not None else ""
        expected = "one of " + ", ".join(choices) if choices else KINDS[wanted] + bounds
        raise InputError(argument, repr(value), expected)
    return policy.with_value(kind, name, fitting)


def agent_reporters() -> dict[str, Callable[[School], Any]]:
    """What is collected of each school: its name, and the columns of a trajectory, those by stage twice."""
    reporters: dict[str, Callable[[School], Any]] = {"name": _name}
    for title in TRAJECTORY:
        if not Schools.COLUMNS[title].shape:
            reporters[title] = partial(_of_school, title=title)
            continue
        for stage, stage_name in enumerate(STAGES):
            reporters[f"{title}.{stage_name}"] = partial(_of_stage, title=title, stage=stage)
    return reporters


def _name(school: School) -> str:
    return str(school.name)


def _of_school(school: School, title: str) -> Any:
    return getattr(school, title).item()


def _of_stage(school: School, title: str, stage: int) -> Any:
    """One stage's value, of beliefs today's; nan where the school has not that stage."""
    return getattr(school, title)[stage].flat[0].item() if school.has[stage] else float("nan")


def _of_region(name: str) -> Callable[[EqualizationModel], float]:
    """A model reporter (a plain function: Mesa 3.4 refuses a partial one). Raises InputError for an unknown name."""
    names = [f"{i.name}.{stage}" for i in INDICATORS.values() for stage in i.stages]
    if name not in names:
        raise unknown("EqualizationModel: report", "indicator and stage", name, names)
    return lambda model: model.values.get(name, float("nan"))


def _followed_by(before: History, after: History) -> History:
    """One history of both, as if they had been lived in one go."""
    if not before.years:
        return after

    def joined(a: dict[str, NDArray[Any]], b: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {title: np.concatenate([a[title], b[title]]) for title in b}

    return dataclasses.replace(
        after,
        indicators=joined(before.indicators, after.indicators),
        finance=joined(before.finance, after.finance),
        notices=before.notices + after.notices,
        years=before.years + after.years,
        schools=before.schools + after.schools,
    )
