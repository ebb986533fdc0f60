"""The national standard of high-quality balance (优质均衡) as a rule on a table of schools.

Rows are schools by stage, already split: the same function judges a real table and a simulated year.
Source of every threshold: `model/data/national_standard.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import strict_yaml
from model.groupwise import totals
from model.region import STAGES, Kind, Region, Stage, Subject

Floats = NDArray[np.float64]

INDICATORS = (
    "degree_above",
    "backbone_teachers",
    "pe_art_teachers",
    "teaching_area",
    "sports_area",
    "equipment",
    "multimedia_rooms",
)
SLACK = 1e-9  # relative: what division may take from a stock that lies exactly on the line
BY_TEACHERS = INDICATORS[:3]  # counted by stage
BY_FACILITIES = INDICATORS[3:]  # shared by the stages of a school, so split


@dataclass(frozen=True)
class Standard:
    """Thresholds by stage and indicator. `per` turns raw stock a pupil into the standard's unit (1 or 100)."""

    per: Floats  # (7,)
    threshold: Floats  # (2, 7)
    met_at_least: int
    others_at_least: float
    cv_limit: Floats  # (2,)
    split: Floats  # (3,): primary, junior, senior
    teaching_point_pupils: int
    unit: dict[str, str]

    @property
    def per_pupil(self) -> Floats:
        """Raw stock that a pupil must have; shape (2, 7)."""
        return self.threshold / self.per


@lru_cache(maxsize=1)
def standard() -> Standard:
    """The standard as shipped."""
    data: Any = strict_yaml.load(Path(__file__).parent / "data" / "national_standard.yaml")
    rows = [data["indicators"][name] for name in INDICATORS]
    return Standard(
        per=np.array([float(row["per"]) for row in rows]),
        threshold=np.array([[float(row[stage.name.lower()]) for row in rows] for stage in STAGES]),
        met_at_least=data["school_rule"]["met_at_least"],
        others_at_least=data["school_rule"]["others_at_least"],
        cv_limit=np.array([data["cv_limit"][stage.name.lower()] for stage in STAGES]),
        split=np.array([data["split"][stage] for stage in ("primary", "junior", "senior")]),
        teaching_point_pupils=data["teaching_point_pupils"],
        unit={name: row["unit"] for name, row in zip(INDICATORS, rows, strict=True)},
    )


def split(pupils: NDArray[Any], stock: NDArray[Any], weights: NDArray[Any] | None = None) -> Floats:
    """Share a school's facilities among its stages, a pupil of each weighing as the standard says.

    `pupils` (schools, stages), `stock` (schools,) or (schools, items); the weights default to 1 : 1.1 : 1.32
    for primary, junior, senior (as many as `pupils` has columns). A complete secondary school has the columns
    junior and senior and the weights 1, 1.2. Returns (schools, stages) or (schools, stages, items); a school
    without pupils gets zero. Source: the same rule as the standard.
    """
    if weights is None:
        weights = standard().split[: pupils.shape[1]]
    weight = pupils * weights
    whole = weight.sum(axis=1, keepdims=True)
    share = np.divide(weight, whole, out=np.zeros(weight.shape), where=whole > 0)
    return np.asarray(share * stock[:, None] if stock.ndim == 1 else share[:, :, None] * stock[:, None, :])


@dataclass(frozen=True)
class Stocks:
    """Raw stocks of the schools in scope, a row a school and stage."""

    school: NDArray[Any]  # (rows,) an id
    stage: NDArray[Any]  # (rows,) 0 primary, 1 junior
    pupils: NDArray[Any]  # (rows,) above zero
    stock: Floats  # (rows, 7) in the order of INDICATORS: teachers, m², yuan, rooms


@dataclass(frozen=True)
class Scorecard:
    """One stage of one county against the standard. Columns follow INDICATORS."""

    stage: Stage
    school: NDArray[Any]  # (schools,)
    pupils: NDArray[Any]  # (schools,)
    values: Floats  # (schools, 7) a pupil or a hundred pupils
    met: NDArray[np.bool_]  # (schools, 7)
    passed: NDArray[np.bool_]  # (schools,) at least 6 met, the other at 85 % or more
    shortfall: Floats  # (schools, 7) raw units missing to the standard
    mean: Floats  # (7,) of the county, a pupil or a hundred pupils
    cv: Floats  # (7,) weighted by enrolment
    limit: float
    cvs_passed: NDArray[np.bool_]  # (7,)

    @property
    def all_passed(self) -> bool:
        """Whether every school passes and every coefficient of variation is within the limit."""
        return bool(self.passed.all() and self.cvs_passed.all())


def score(stocks: Stocks) -> tuple[Scorecard, Scorecard]:
    """The scorecards of primary and junior schools of one county. Means and CVs are NaN where it has no school.

    X̄ = Σx/ΣP; S = √Σ(P/ΣP)(x/P − X̄)²; CV = S/X̄.
    """
    return _score(stocks, Stage.PRIMARY), _score(stocks, Stage.JUNIOR)


def _score(stocks: Stocks, stage: Stage) -> Scorecard:
    rule = standard()
    rows = np.flatnonzero(stocks.stage == stage)
    pupils = stocks.pupils[rows].astype(np.float64)
    stock = stocks.stock[rows]
    needed = rule.threshold[stage]
    values = stock * (rule.per / pupils[:, None])
    met = values >= needed * (1 - SLACK)
    met_count = met.sum(axis=1)
    lowest = (values / needed).min(axis=1, initial=np.inf)  # a school that misses one misses it here
    mean, cv = (row[0] for row in spread(values, pupils, np.zeros(rows.size, np.int64), 1))
    limit = float(rule.cv_limit[stage])
    return Scorecard(
        stage=stage,
        school=stocks.school[rows],
        pupils=stocks.pupils[rows],
        values=values,
        met=met,
        passed=(met_count >= rule.met_at_least) & (lowest >= rule.others_at_least * (1 - SLACK)),
        shortfall=np.where(met, 0.0, needed / rule.per * pupils[:, None] - stock),
        mean=mean,
        cv=cv,
        limit=limit,
        cvs_passed=cv <= limit * (1 + SLACK),
    )


def spread(values: Floats, pupils: NDArray[Any], group: NDArray[Any], groups: int) -> tuple[Floats, Floats]:
    """Mean and coefficient of variation of schools in each group, weighted by enrolment; shapes (groups, 7).

    `values` (schools, 7) a pupil or a hundred. NaN where a group has no school, the CV also where the mean is 0.
    """
    weight = np.asarray(pupils, np.float64)[:, None]
    everyone = np.bincount(group, pupils, groups)[:, None]
    some = everyone > 0
    mean = totals(group, groups, weight * values) / np.where(some, everyone, np.nan)
    variance = totals(group, groups, weight * (values - mean[group]) ** 2) / np.where(some, everyone, np.nan)
    cv = np.divide(np.sqrt(variance), mean, out=np.full(mean.shape, np.nan), where=mean > 0)
    return mean, cv


def in_scope(region: Region, year: int, private: bool = False) -> NDArray[np.bool_]:
    """Schools that the standard judges: no special schools, no small teaching points, private ones only if asked."""
    schools = region.schools
    pupils = schools.enrolment.sum(axis=1)
    small = (schools.kind == Kind.TEACHING_POINT) & (pupils < standard().teaching_point_pupils)
    scope = region.open_schools(year) & (schools.kind != Kind.SPECIAL) & ~small
    return np.asarray(scope if private else scope & (schools.kind != Kind.PRIVATE))


def stocks_of(region: Region, district: int | None = None, private: bool = False) -> Stocks:
    """The official stocks of a region (or one of its districts) as they stand on 1 September of `region.year`.

    Teachers count where they teach, by stage; facilities are split; shared venues add to the sports area;
    bought lessons count for nothing.
    """
    schools, n = region.schools, region.schools.n
    scope = in_scope(region, region.year, private)
    if district is not None:
        scope &= schools.district == district
    facilities = np.column_stack([getattr(schools, name) for name in BY_FACILITIES])
    facilities[:, BY_FACILITIES.index("sports_area")] += schools.shared_sports
    stock = np.empty((n, 2, len(INDICATORS)))
    stock[:, :, len(BY_TEACHERS) :] = split(schools.enrolment, facilities)
    stock[:, :, : len(BY_TEACHERS)] = teacher_counts(region).reshape(n, 2, len(BY_TEACHERS))
    rows = np.flatnonzero((scope[:, None] & (schools.enrolment > 0)).ravel())
    return Stocks(rows >> 1, rows & 1, schools.enrolment.ravel()[rows], stock.reshape(2 * n, -1)[rows])


def teacher_counts(region: Region) -> Floats:
    """Teachers above the required degree, backbones, PE and art teachers of each section; shape (2·schools, 3)."""
    teachers, n = region.teachers, 2 * region.schools.n
    section = teachers.school.astype(np.intp) * 2 + teachers.stage
    counted = (teachers.degree_above, teachers.backbone > 0, teachers.subject != Subject.CORE)
    return np.column_stack([np.bincount(section[held], minlength=n) for held in counted]).astype(np.float64)
