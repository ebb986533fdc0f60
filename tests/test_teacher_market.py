"""The market for posts against one cleared by hand, person by person and market by market."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import INPUT, NOTHING, altered, begin, settled

from model.draws import Decision, key_of_origin
from model.groupwise import place_in_group
from model.levers import CareerRules, Lever, TeacherPay
from model.policy import Policy
from model.region import Region, Setting, Subject
from model.school_year import SchoolYear
from model.steps.staffing import staffing
from model.teacher_market import fill_vacancies, slot

FEW = settings(max_examples=25, deadline=None)
VILLAGES_FIRST = CareerRules(newcomer_village_years=3)


@dataclass
class Market:
    """A village whose posts and seekers are drawn at random, before the market clears."""

    region: Region
    year: SchoolYear
    posts: NDArray[Any]
    seeking: NDArray[np.bool_]
    surplus: NDArray[np.bool_]

    def cleared(self) -> Region:
        after = self.region.copy()
        year = begin(after, self.year.policy, self.year.behaviour, self.year.draws.seed)
        fill_vacancies(after, year, self.posts, self.seeking, self.surplus)
        return after


def drawn(
    seed: int, *levers: Lever, applicants: float = 1.5, least: float = -3.0, anybody_surplus: bool = False
) -> Market:
    """Surplus are teachers beyond the posts of their section, drawn by lot; or just anybody, with no such reason."""
    rng = np.random.default_rng(seed)
    region = settled()
    t = region.teachers
    held = np.bincount(slot(region), minlength=4 * region.schools.n)
    open_slots = np.repeat(region.schools.has, 2, axis=1).ravel()
    posts = np.maximum(held + rng.integers(-1, 4, held.size), 0) * open_slots
    region.schools.score[:] = rng.normal(size=region.schools.score.shape)
    kind = rng.random(t.n)
    t.away_as[rng.random(t.n) < 0.05] = 2
    surplus = kind > 0.85
    if not anybody_surplus:
        at, able = slot(region), ~t.is_head & (t.away_as == 0)
        surplus = able & (place_in_group(at, ~able, kind) < (held - posts)[at])
    behaviour = altered(INPUT, applicants=applicants, least_worth=least, move_cost=float(rng.uniform(0, 2)))
    year = begin(region, Policy(levers), behaviour, seed=seed)
    return Market(region, year, posts, kind < 0.35, surplus)


# ---------------------------------------------------------------- an oracle, by hand


@dataclass
class Person:
    """Who looks for a post: what each post is worth to it, what employers see, the post it may keep."""

    key: int
    view: float
    worth: dict[int, float]  # by slot
    lot: float | None = None  # of who must come, in villages
    own: int = -1  # slot it keeps unless it finds better
    row: int = -1


def oracle(m: Market) -> tuple[dict[int, int], dict[int, int]]:
    """Post of each looker (row: school) and of each newcomer hired (key: school), market after market."""
    region, year = m.region, m.year
    s, t, b = region.schools, region.teachers, year.behaviour
    moved: dict[int, int] = {}
    hired: dict[int, int] = {}
    at = slot(region).tolist()
    open_now = region.open_schools(year.number)
    villages_first = year.policy.one(CareerRules, year.number).newcomer_village_years > 0
    for district in range(region.districts.n):
        for stage in (0, 1):
            for kind in (0, 1):
                slots = [4 * j + 2 * stage + kind for j in range(s.n) if s.district[j] == district and open_now[j]]
                vacant = {j: max(int(m.posts[j]) - at.count(j), 0) for j in slots}
                if not sum(vacant.values()):
                    continue
                people = []
                for row in range(t.n):
                    home = not t.is_head[row] and t.away_as[row] == 0
                    if at[row] in vacant and home and (m.seeking[row] or m.surplus[row]):
                        view = b.employer_signal * (t.lasting[row] + t.practice[row])
                        view += math.sqrt(1 - b.employer_signal**2) * t.signal[row]
                        here = (float(t.home_x[row]), float(t.home_y[row]))
                        worth = values(region, year, int(t.key[row]), here, slots)
                        own = -1 if m.surplus[row] else at[row]
                        people.append(Person(int(t.key[row]), view, worth, own=own, row=row))
                surplus = sum(p.own < 0 for p in people)
                number = math.ceil(math.floor(100 * b.applicants * max(sum(vacant.values()) - surplus, 0)) / 100)
                people += [newcomer(region, year, district, stage, kind, i, slots) for i in range(number)]
                seats = {j: vacant[j] + sum(p.own == j for p in people) for j in slots}
                listed = [(p, wishes(region, year, p, seats, villages_first)) for p in people]
                by_lot = {j for j in seats if villages_first and s.setting[j // 4] == Setting.VILLAGE}
                found = one_by_one(listed, seats, by_lot)
                for person, post in found:
                    if person.row >= 0:
                        moved[person.row] = post // 4 if post >= 0 else int(t.post[person.row])
                    elif post >= 0:
                        hired[person.key] = post // 4
    return moved, hired


def values(region: Region, year: SchoolYear, key: int, home: tuple[float, float], slots: list[int]) -> dict[int, float]:
    s, b = region.schools, year.behaviour
    pays = region.prices["teacher_pay"]
    lever = year.policy.one(TeacherPay, year.number)
    worth = {}
    for j in slots:
        school, stage = j // 4, j // 2 % 2
        setting = Setting(int(s.setting[school]))
        value = b.by_setting("amenity")[setting]
        extra = lever.village_supplement if setting == Setting.VILLAGE else 0.0
        value += b.wage_attraction * math.log(1 + extra / (pays * lever.ratio_to_civil_service))
        value += b.school_attraction * s.score[school, stage]
        value -= b.commute * math.dist(home, (s.x_km[school], s.y_km[school]))
        taste = year.draws.normal(Decision.POST_TASTE, np.array([key], np.uint64), s.key[[school]])
        worth[j] = float(value + b.post_noise * taste[0])
    return worth


def newcomer(
    region: Region, year: SchoolYear, district: int, stage: int, kind: int, serial: int, slots: list[int]
) -> Person:
    b, d = year.behaviour, year.draws
    key = key_of_origin(year.number, np.array([1000 + 4 * district + 2 * stage + kind]), np.array([serial]))

    def normal(decision: Decision) -> float:
        return float(d.normal(decision, key)[0])

    towns = [i for i in range(region.towns.n) if region.towns.district[i] == district]
    town = towns[int(float(d.uniform(Decision.TEACHER_HOME, key)[0]) * len(towns))]
    x = float(region.towns.x_km[town]) + normal(Decision.TEACHER_EAST)
    y = float(region.towns.y_km[town]) + normal(Decision.TEACHER_NORTH)
    rho = b.employer_signal
    view = rho * normal(Decision.TEACHER_LASTING) + math.sqrt(1 - rho**2) * normal(Decision.TEACHER_SIGNAL)
    worth = values(region, year, int(key[0]), (x, y), slots)
    return Person(int(key[0]), view, worth, normal(Decision.NEWCOMER_LOT))


def wishes(region: Region, year: SchoolYear, p: Person, seats: dict[int, int], villages_first: bool) -> list[int]:
    b = year.behaviour
    ranked = sorted((j for j in seats if seats[j] > 0), key=lambda j: -p.worth[j])
    if p.own >= 0:
        return [j for j in ranked if j != p.own and p.worth[j] > p.worth[p.own] + b.move_cost] + [p.own]
    if p.row < 0:
        ranked = [j for j in ranked if p.worth[j] > b.least_worth]
        if villages_first:
            ranked.sort(key=lambda j: region.schools.setting[j // 4] != Setting.VILLAGE)  # stable
    return ranked


def one_by_one(
    people: list[tuple[Person, list[int]]], seats: dict[int, int], by_lot: set[int]
) -> list[tuple[Person, int]]:
    """Proposals one at a time, the last person first; nobody goes before its holder at a post."""

    def standing(person: Person, j: int) -> tuple[bool, float]:
        return person.own == j, person.lot if j in by_lot and person.lot is not None else person.view

    got, asked = [-1] * len(people), [0] * len(people)
    waiting = list(range(len(people)))
    while waiting:
        i = waiting.pop()
        listed = people[i][1]
        if asked[i] == len(listed):
            continue
        j = listed[asked[i]]
        asked[i] += 1
        got[i] = j
        there = [k for k in range(len(people)) if got[k] == j]
        if len(there) > seats[j]:
            last = min(there, key=lambda k: standing(people[k][0], j))
            got[last] = -1
            waiting.append(last)
    return [(person, got[i]) for i, (person, _) in enumerate(people)]


@FEW
@given(
    seed=st.integers(0, 10_000),
    anybody=st.booleans(),
    applicants=st.sampled_from([0.0, 0.5, 1.5, 3.0]),
    least=st.sampled_from([-20.0, -2.0, 1.0]),
    levers=st.sampled_from([(), (VILLAGES_FIRST,), (TeacherPay(village_supplement=60_000.0),)]),
)
def test_all_markets_at_once_clear_as_each_would_by_itself_one_proposal_at_a_time(
    seed: int, anybody: bool, applicants: float, least: float, levers: tuple[Lever, ...]
) -> None:
    m = drawn(seed, *levers, applicants=applicants, least=least, anybody_surplus=anybody)
    n = m.region.teachers.n
    moved, hired = oracle(m)
    after = m.cleared().teachers
    expected = m.region.teachers.post.copy()
    for row, school in moved.items():
        expected[row] = school
    np.testing.assert_array_equal(after.post[:n], expected)
    assert dict(zip(after.key[n:].tolist(), after.post[n:].tolist(), strict=True)) == hired


# ---------------------------------------------------------------- what must hold of any outcome


@FEW
@given(seed=st.integers(0, 10_000), levers=st.sampled_from([(), (VILLAGES_FIRST,)]))
def test_who_has_a_post_keeps_it_or_finds_one_worth_the_move(seed: int, levers: tuple[Lever, ...]) -> None:
    m = drawn(seed, *levers)
    t, s = m.region.teachers, m.region.schools
    after = m.cleared().teachers
    moved = np.flatnonzero(after.post[: t.n] != t.post)
    free = m.seeking | m.surplus
    assert free[moved].all()
    assert not t.is_head[moved].any()
    assert (t.away_as[moved] == 0).all()
    for row in moved:
        home = (float(t.home_x[row]), float(t.home_y[row]))
        slots = [4 * int(j) + 2 * int(t.stage[row]) for j in (t.post[row], after.post[row])]
        worth = values(m.region, m.year, int(t.key[row]), home, slots)
        if not m.surplus[row]:
            assert worth[slots[1]] > worth[slots[0]] + m.year.behaviour.move_cost
    assert (after.moved[moved] == m.year.number).all()
    assert (after.years_in_school[moved] == 0).all()
    np.testing.assert_array_equal(after.school[moved], after.post[moved])
    stay = np.flatnonzero(after.post[: t.n] == t.post)
    for column in ("school", "years_in_school", "moved"):
        np.testing.assert_array_equal(getattr(after, column)[stay], getattr(t, column)[stay])
    np.testing.assert_array_equal(s.district[after.post[: t.n]], s.district[t.post])


@FEW
@given(seed=st.integers(0, 10_000), applicants=st.sampled_from([0.0, 1.0, 4.0]))
def test_no_section_ends_with_more_teachers_than_posts_unless_it_began_so(seed: int, applicants: float) -> None:
    m = drawn(seed, applicants=applicants)
    after = m.cleared()
    before = np.bincount(slot(m.region), minlength=m.posts.size)
    held = np.bincount(slot(after), minlength=m.posts.size)
    assert (held <= np.maximum(m.posts, before)).all()
    n = m.region.teachers.n
    for column in ("key", "stage", "subject", "age", "lasting", "title"):
        np.testing.assert_array_equal(getattr(after.teachers, column)[:n], getattr(m.region.teachers, column))
    new = slice(n, None)
    vacant = np.maximum(m.posts - before, 0)
    assert after.teachers.n - n <= vacant.sum()
    assert (after.teachers.experience[new] == 0).all()
    assert after.schools.has[after.teachers.post[new], after.teachers.stage[new]].all()
    if applicants == 0:
        assert after.teachers.n == n


@FEW
@given(seed=st.integers(0, 10_000))
def test_newcomers_come_to_the_district_stage_and_kind_they_apply_to(seed: int) -> None:
    m = drawn(seed, applicants=3.0, least=-20.0)
    after, n = m.cleared(), m.region.teachers.n
    t = after.teachers
    np.testing.assert_array_equal(after.schools.district[t.post[n:]], t.district_home[n:])
    # every market with more applicants than vacancies, none of whom is choosy, ends without a vacancy
    vacant = m.posts - np.bincount(slot(after), minlength=m.posts.size)
    assert (vacant <= 0).all()


@FEW
@given(seed=st.integers(0, 10_000))
def test_newcomers_bound_to_villages_leave_no_village_post_empty_that_they_would_take(seed: int) -> None:
    m = drawn(seed, VILLAGES_FIRST, applicants=0.6, least=-20.0)
    after, n = m.cleared(), m.region.teachers.n
    s, t = after.schools, after.teachers
    vacant = m.posts - np.bincount(slot(after), minlength=m.posts.size)
    of_slot = s.setting[np.arange(m.posts.size) // 4]
    for row in range(n, t.n):
        if s.setting[t.post[row]] != Setting.VILLAGE:
            kind = int(t.subject[row] != Subject.CORE)
            same = [4 * j + 2 * int(t.stage[row]) + kind for j in np.flatnonzero(s.district == s.district[t.post[row]])]
            assert all(vacant[j] <= 0 for j in same if of_slot[j] == Setting.VILLAGE)


def test_binding_newcomers_to_villages_brings_more_of_them_there() -> None:
    found = []
    for levers in ((), (VILLAGES_FIRST,)):
        count = 0
        for seed in range(15):
            m = drawn(seed, *levers, applicants=1.0, least=-20.0)
            after = m.cleared()
            new = after.teachers.post[m.region.teachers.n :]
            count += int((after.schools.setting[new] == Setting.VILLAGE).sum())
        found.append(count)
    assert found[1] > found[0]


def test_a_newcomer_in_its_first_village_post_does_not_look_for_another_until_it_has_served() -> None:
    def stay(bound: int, experience: int, tenure: int, wish: float = 0.999999, until: int = 9999) -> bool:
        restless = altered(INPUT, transfer_rate_village=wish, move_cost=-50.0, quit_rate=1e-12, early_retirement=0.0)
        region = settled()
        t, s = region.teachers, region.schools
        s.posts += 3 * s.has  # somewhere to go
        able = (s.setting[t.post] == Setting.VILLAGE) & (t.away_as == 0) & ~t.is_head & (t.subject == Subject.CORE)
        able &= t.age < 50
        t.experience[able], t.years_in_school[able] = experience - 1, tenure - 1  # a year older in staffing
        keys, post = t.key[able].tolist(), dict(zip(t.key.tolist(), t.post.tolist(), strict=True))
        levers = (CareerRules(newcomer_village_years=bound, until=until),)
        staffing(region, begin(region, Policy(levers), restless))
        now = dict(zip(region.teachers.key.tolist(), region.teachers.post.tolist(), strict=True))
        return all(now[key] == post[key] for key in keys)

    assert stay(bound=3, experience=2, tenure=2)
    assert not stay(bound=3, experience=3, tenure=3)
    assert not stay(bound=3, experience=3, tenure=3, wish=1e-12)  # having served, all of them look
    assert stay(bound=3, experience=4, tenure=4, wish=1e-12)  # once
    assert not stay(bound=3, experience=2, tenure=2, wish=1e-12, until=2019)  # the rule has ended: all are free
    assert stay(bound=3, experience=2, tenure=2, wish=1e-12, until=2018)  # and have been for a year
    assert not stay(bound=3, experience=2, tenure=1)  # not its first post any more
    assert not stay(bound=0, experience=2, tenure=2)


@pytest.mark.parametrize("applicants", [0.5, 1.5])
def test_the_more_a_village_post_pays_the_more_of_the_vacancies_there_are_filled(applicants: float) -> None:
    filled = []
    for yuan in (0.0, 30_000.0, 200_000.0):
        count = 0
        for seed in range(12):
            m = drawn(seed, TeacherPay(village_supplement=yuan), applicants=applicants, least=-1.0)
            after = m.cleared()
            village = after.schools.setting[np.arange(m.posts.size) // 4] == Setting.VILLAGE
            count += int(np.bincount(slot(after), minlength=m.posts.size)[village].sum())
        filled.append(count)
    assert filled[0] < filled[1] < filled[2]


def test_with_no_vacancy_nobody_moves_and_nobody_comes() -> None:
    region = settled()
    posts = np.bincount(slot(region), minlength=4 * region.schools.n)
    everybody = np.ones(region.teachers.n, bool)
    for surplus in (~everybody, everybody):
        after = region.copy()
        fill_vacancies(after, begin(after, NOTHING), posts, everybody, surplus)
        assert after.fingerprint() == region.fingerprint()


def test_one_applicant_for_one_post_is_hired() -> None:
    region = settled()
    posts = np.bincount(slot(region), minlength=4 * region.schools.n)
    posts[0] += 1
    nobody, number = np.zeros(region.teachers.n, bool), region.teachers.n
    year = begin(region, NOTHING, altered(INPUT, applicants=1.0, least_worth=-1e9))
    fill_vacancies(region, year, posts, nobody, nobody)
    assert region.teachers.n == number + 1
    assert region.teachers.post[-1] == region.teachers.school[-1] == 0
