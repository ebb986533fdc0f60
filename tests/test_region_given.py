"""What tables tell about a region comes out of it unchanged: when it is built, and again once it was lived in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import situations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration.region_check import not_held
from model.burn_in import burn_in
from model.complete import BY_SCHOOL, Tables, complete
from model.errors import InputError
from model.given import STAFF, hold_given, pupils_by_grade
from model.levers import NewSchools, RegionalCommunities
from model.national_standard import BY_TEACHERS, INDICATORS, score, stocks_of
from model.profile import read_profile
from model.region import Kind, Network, Region
from model.simulate import simulate

TITLE = {"en": "Test", "zh": "测试"}
QUICK = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@cache
def profile(name: str = "wuqing") -> Any:
    return read_profile(name)


def made(tables: Tables, base: str = "wuqing", **other: Any) -> Region:
    values, facts = profile(base)
    return complete(values | other, facts, tables, 1, "test", TITLE)[0]


@dataclass
class Dice:
    """Random tables, from one seed: every column told for some schools and not for others."""

    rng: np.random.Generator

    def some(self, values: NDArray[Any], share: float) -> NDArray[np.float64]:
        held = values.astype(np.float64)
        held[self.rng.random(held.shape) > share] = np.nan
        return held

    def tables(self) -> Tables:
        rng = self.rng
        primary, junior, both = rng.integers(2, 8), rng.integers(1, 4), rng.integers(0, 3)
        n = int(primary + junior + both)
        has = np.array([(True, False)] * primary + [(False, True)] * junior + [(True, True)] * both)
        has[0], has[-1] = (True, False), (True, True)  # both stages, whatever the dice
        pupils = np.where(has, rng.integers(8, 420, (n, 2)), 0)
        told = rng.random()
        teachers = np.where(has, np.maximum(pupils // rng.integers(9, 22, (n, 2)), 2), 0)
        columns: dict[str, Any] = {"teachers": self.some(teachers, told)}
        for name in BY_TEACHERS:
            most = teachers // 2 if name == "pe_art_teachers" else teachers
            columns[name] = self.some(rng.integers(0, most + 1), told)
        columns["classes"] = self.some(np.clip(-(-pupils // rng.integers(20, 60, (n, 2))), 1, None), told)
        few = columns["classes"] < np.array([6, 3])
        columns["classes"] += np.where(few, [5, 2], 0)  # a class for every grade: few schools could not seat a cohort
        columns["classes"] = np.fmin(columns["classes"], np.maximum(pupils, 1))
        columns["classes"][pupils < 10] = np.nan
        columns["boarders"] = self.some(rng.integers(0, pupils + 1), told)
        columns["posts"] = self.some(teachers + rng.integers(0, 4, (n, 2)), told)
        columns["classrooms"] = self.some(rng.integers(6, 40, (n, 2)), told)
        for name in BY_SCHOOL:
            values = np.round(pupils.sum(axis=1) * rng.lognormal(1.0, 0.6, n), int(rng.integers(0, 3)))
            columns[name] = self.some(np.rint(values / 100) if name.endswith("rooms") else values, told)
        columns["grade_c_area"] = np.fmin(columns["grade_c_area"], columns["floor_area"] / 2)
        for values in columns.values():
            if values.ndim == 2:
                values[~has] = np.nan
        towns = rng.integers(0, 3, n)
        towns[-1] = 0
        labels = {name: [f"{name}{i}" if keep else "" for i, keep in zip(towns, rng.random(n) < told, strict=True)]
                  for name in ("zone", "group")}  # fmt: skip
        labels["town"] = [f"镇{i}" for i in towns] if rng.random() < 0.7 else [""] * n
        place = self.some(rng.normal(0, 8, (n, 1)), told) + rng.normal(0, 8, (n, 2))
        setting = np.where(rng.random(n) < told, rng.integers(0, 3, n), -1)
        return Tables.of([f"学校{i}" for i in range(n)], pupils, has=has, columns=columns, labels=labels,
                         x_km=place[:, 0], y_km=place[:, 1], setting=setting)  # fmt: skip

    def flows(self, tables: Tables) -> dict[str, list[Any]]:
        """Some pupils of each school by the town they live in."""
        towns = sorted({t for t, has in zip(tables.labels["town"], tables.has[:, 0], strict=True) if t and has})
        flows: dict[str, list[Any]] = {"section": [], "home": [], "pupils": []}
        for one in np.flatnonzero(tables.pupils.ravel()):
            left = int(tables.pupils.ravel()[one])
            for town in towns[:-1] if self.rng.random() < 0.5 else towns:
                count = left if town == towns[-1] else int(self.rng.integers(0, left + 1))
                left -= count
                for name, value in (("section", int(one)), ("home", town), ("pupils", count)):
                    flows[name].append(value)
        return flows if towns else {}

    def staff(self, tables: Tables) -> dict[str, list[Any]]:
        """A row for some teachers, with flags that leave the counts of the table of schools reachable."""
        rows: dict[str, list[Any]] = {name: [] for name in ("section", *STAFF)}
        counts = {name: tables.columns[name].ravel() for name in ("teachers", *BY_TEACHERS)}
        for one in np.flatnonzero(np.isfinite(counts["teachers"])):
            n = int(counts["teachers"][one])
            flags = [self.flags(n, counts[name][one]) for name in BY_TEACHERS]
            for i in range(n if self.rng.random() < 0.6 else int(self.rng.integers(0, n + 1))):
                age = int(self.rng.integers(23, 60))
                values = (
                    one,
                    age,
                    age - 22,
                    min(5, age - 22),
                    flags[0][i],
                    flags[1][i],
                    self.rng.integers(0, 3),
                    flags[2][i],
                )
                for name, value in zip(rows, values, strict=True):
                    empty = name != "section" and self.rng.random() < 0.2
                    rows[name].append(float("nan") if empty else float(value))
        rows["section"] = [int(one) for one in rows["section"]]
        return rows if rows["section"] else {}

    def flags(self, n: int, count: float) -> NDArray[Any]:
        count = int(self.rng.integers(0, n // 2 + 1)) if np.isnan(count) else int(count)
        return self.rng.permutation(np.arange(n) < count).astype(float)


def lived(region: Region) -> Region:
    return hold_given(burn_in(region, situations.INPUT, situations.BASELINE), situations.INPUT)


def held(region: Region, tables: Tables) -> None:
    """Every value told is in the region; columns that only the region's rows show are counted here anew."""
    assert not_held(region) == []
    s = region.schools
    assert [str(name) for name in s.name] == tables.name
    assert (np.bincount(region.section_of_students(), minlength=2 * s.n).reshape(-1, 2) == tables.pupils).all()
    told = np.isfinite(tables.x_km + tables.y_km)
    assert (np.column_stack([s.x_km, s.y_km]) == np.column_stack([tables.x_km, tables.y_km]))[told].all()
    assert (s.setting == tables.setting)[tables.setting >= 0].all()
    towns = np.array(tables.labels["town"])
    assert (region.towns.name_zh[s.town] == towns)[towns != ""].all()
    zones = np.array(tables.labels["zone"])
    for i, j in np.argwhere((zones != "")[:, None] & (zones != "")):
        assert (s.zone[i] == s.zone[j]) == (zones[i] == zones[j])
    ties = region.networks
    groups = ties.kind == Network.GROUP
    joined = {frozenset(map(int, pair)) for pair in zip(ties.lead[groups], ties.member[groups], strict=True)}
    labels = np.array(tables.labels["group"])
    for name in set(labels) - {""}:
        rows = set(np.flatnonzero(labels == name).tolist())
        mine = [pair for pair in joined if pair & rows]
        assert len(mine) == len(rows) - 1
        assert all(pair <= rows for pair in mine)


@QUICK
@given(st.integers(0, 2**32), st.booleans())
def test_every_value_told_is_in_the_region_that_is_built(seed: int, more: bool) -> None:
    dice = Dice(np.random.default_rng(seed))
    tables = dice.tables()
    if more:
        tables.staff, tables.flows = dice.staff(tables), dice.flows(tables)
    held(made(tables), tables)


@pytest.mark.parametrize("seed", range(4))
def test_every_value_told_is_in_the_region_that_was_lived_in(seed: int) -> None:
    dice = Dice(np.random.default_rng(seed))
    tables = dice.tables()
    tables.staff, tables.flows = dice.staff(tables), dice.flows(tables)
    region = lived(made(tables))
    held(region, tables)
    classes, students = region.classes, region.students
    assert (np.bincount(students.klass, minlength=classes.n) == classes.size).all()
    assert (classes.school[students.klass] == students.school).all()
    assert (classes.grade[students.klass] == students.grade).all()
    before = region.copy()
    held(hold_given(region, situations.INPUT), tables)
    moved = [n for (n, x), (_, y) in zip(situations.columns(before), situations.columns(region), strict=True)
             if not situations.same(x, y) and not n.startswith(("teachers.", "schools.pe_art_posts"))]  # fmt: skip
    assert moved == [], "pupils, classes and stocks that are as given stay"
    everything = situations.without(situations.RICH, RegionalCommunities)  # which name other districts
    everything = situations.without(everything, NewSchools)  # which name other towns
    after = simulate(region, everything, situations.INPUT, 1, 1).region
    assert (np.bincount(after.students.school, minlength=after.schools.n) == after.schools.enrolment.sum(axis=1)).all()


def test_a_region_without_tables_is_left_as_it_is() -> None:
    region = situations.settled()
    before = region.fingerprint()
    assert hold_given(region, situations.INPUT).fingerprint() == before


def test_what_is_told_of_some_schools_sets_mean_and_spread_of_the_others() -> None:
    """Twenty schools tell of three times the standard of teaching area with a CV of 0.2; the other twenty agree."""
    rng = np.random.default_rng(3)
    pupils = np.column_stack([rng.integers(150, 600, 40), np.zeros(40, int)])
    pupils[38:] = (0, 900)
    area = pupils.sum(axis=1) * 13.5 * np.exp(0.2 * rng.normal(size=40))
    area[20:] = np.nan
    region = made(Tables.of([f"s{i}" for i in range(40)], pupils, columns={"teaching_area": area}))
    i = INDICATORS.index("teaching_area")
    rest = stocks_of(region)
    others = (rest.school >= 20) & (rest.stage == 0)
    each = rest.stock[others, i] / rest.pupils[others]
    assert each.mean() == pytest.approx(13.5, rel=0.15)
    assert each.std() / each.mean() == pytest.approx(0.2, abs=0.08)


def test_untold_teachers_follow_the_ratio_of_the_schools_that_tell() -> None:
    pupils = np.array([(300, 0)] * 10 + [(0, 300)] * 4)
    teachers = np.full((14, 2), np.nan)
    teachers[:5, 0] = 30  # ten pupils a teacher, far below the profile's sixteen
    region = made(Tables.of([f"s{i}" for i in range(14)], pupils, columns={"teachers": teachers}))
    staff = np.bincount(region.teachers.school[region.teachers.stage == 0], minlength=14)[:10]
    assert (staff[:5] == 30).all()
    assert staff[5:].sum() == 150


def test_nothing_told_but_pupils_gives_the_means_and_spreads_of_the_profile() -> None:
    rng = np.random.default_rng(5)
    pupils = np.array([(n, 0) for n in rng.integers(200, 900, 60)] + [(0, n) for n in rng.integers(300, 900, 20)])
    region = made(Tables.of([f"s{i}" for i in range(80)], pupils))
    primary = score(stocks_of(region))[0]
    for name, cv in (("degree_above", 0.30), ("teaching_area", 0.49), ("multimedia_rooms", 0.45)):
        assert primary.cv[INDICATORS.index(name)] == pytest.approx(cv, abs=0.02)


def test_families_of_a_catchment_that_two_schools_share_may_attend_either() -> None:
    pupils = np.array([(200, 0), (210, 0), (190, 0), (0, 250), (0, 260)])
    labels = {"catchment": ["A", "A", "B", "A", "B"]}
    s = (region := made(Tables.of([f"s{i}" for i in range(5)], pupils, labels=labels))).schools
    assert s.right[0, 0] == s.right[1, 0] != s.right[2, 0]
    junior = {int(p): int(j) for p, j in region.catchments.right}
    assert junior == {int(s.right[0, 0]): int(s.right[3, 1]), int(s.right[2, 0]): int(s.right[4, 1])}


def test_private_and_special_schools_admit_nobody_by_right_and_keep_their_pupils() -> None:
    pupils = np.array([(200, 0), (210, 0), (90, 0), (0, 250), (40, 0)])
    kind = np.array([Kind.DISTRICT, Kind.DISTRICT, Kind.PRIVATE, Kind.DISTRICT, Kind.SPECIAL])
    tables = Tables.of([f"s{i}" for i in range(5)], pupils, kind=kind)
    region = lived(made(tables))
    assert (region.schools.right[[2, 4], 0] == -1).all()
    assert (region.schools.enrolment == pupils).all()
    assert np.isin(region.catchments.right[:, 0], region.schools.right[[0, 1], 0]).all()


def test_a_school_with_fewer_classes_than_grades_teaches_the_lowest_grades() -> None:
    pupils = np.array([(24, 0), (300, 0), (300, 0), (0, 300)])
    classes = np.full((4, 2), np.nan)
    classes[0, 0] = 2
    region = lived(made(Tables.of([f"s{i}" for i in range(4)], pupils, columns={"classes": classes})))
    assert set(region.students.grade[region.students.school == 0].tolist()) == {1, 2}
    assert np.count_nonzero(region.classes.school == 0) == 2


def test_schooling_of_five_and_four_grades_has_five_primary_grades() -> None:
    region = lived(made(Tables.of(["a", "b", "c"], np.array([(250, 0), (130, 0), (0, 320)])), primary_grades=5))
    assert (region.schools.enrolment == [[250, 0], [130, 0], [0, 320]]).all()
    junior = region.students.school == 2
    assert region.students.grade[junior].min() == 6
    assert region.students.grade[~junior].max() == 5


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_pupils_by_grade_keep_every_school_and_every_cohort(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, grades = int(rng.integers(1, 12)), int(rng.integers(3, 7))
    have = rng.integers(0, 60, (n, grades))
    goal = rng.multinomial(int(have.sum()), rng.dirichlet(np.ones(n)))
    found = pupils_by_grade(have, goal, np.full(n, np.nan))
    assert (found.sum(axis=1) == goal).all()
    assert (found.sum(axis=0) == have.sum(axis=0)).all()
    assert found.min() >= 0


def test_grades_that_nobody_could_teach_are_refused() -> None:
    with pytest.raises(InputError, match="fewer classes than grades"):
        pupils_by_grade(np.array([[10, 10, 10]]), np.array([30]), np.array([2.0]))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"pupils": np.array([(20, 0), (30, 0)])}, "no junior school"),
        ({"labels": {"district": ["A", ""]}}, "district"),
        ({"labels": {"group": ["G", "G"]}, "lead": np.array([1, 1])}, "2 leads"),
        ({"flows": {"section": [0], "home": ["Nowhere"], "pupils": [3]}}, "home_town"),
    ],
)
def test_what_cannot_be_a_region_is_refused(told: dict[str, Any], said: str) -> None:
    values: dict[str, Any] = {"pupils": np.array([(200, 0), (0, 200)])} | told
    with pytest.raises(InputError, match=said):
        made(Tables.of(["a", "b"], values.pop("pupils"), **values))
