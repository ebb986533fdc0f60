"""What tables give about a region binds: enrolments, homes, classes, teachers and stocks hold as they were given.

A region made from tables (`model/complete.py`) carries them in `region.official["given"]`, a row a school as in
`region.schools`, null where nothing is given:

    enrolment, boarders, classes, seats, classrooms, teachers, posts   [[primary, junior], …]
    degree_above, backbone_teachers, pe_art_teachers                   [[primary, junior], …]
    teaching_area, sports_area, equipment, multimedia_rooms, music_rooms, art_rooms, floor_area, grade_c_area   [x, …]
    staff   {"section": [2·school + stage, …], a column of `teachers`: [value, …], …}
    flows   {"section": [2·school + stage, …], "town": [row, …], "pupils": [count, …]}

They hold when the region is built and again at the end of the burn-in, whose people are other people: children
change school or home, the nearest first, and teachers keep what nobody sees of them. Pupils and classes that are as
given stay where they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from model.behaviour import Behaviour
from model.draws import Decision, Draws, key_of_name, key_of_origin
from model.errors import InputError
from model.groupwise import apportion, place_in_group
from model.homes import move_home
from model.national_standard import BY_FACILITIES, BY_TEACHERS, teacher_counts
from model.official import _hand_out as hand_out
from model.policy import Policy
from model.quality import distance_km, section
from model.region import STAGES, Region, Subject
from model.rules import rule
from model.school_year import SchoolYear
from model.steps.facilities import facilities

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Rows = NDArray[np.intp]
Given = dict[str, Any]

STAFF = ("age", "experience", "years_in_school", "degree_above", "backbone", "title", "subject")
FULL_ROOM = rule("large_class")
STARTED_AT = 18  # youngest age at which anybody taught
SMOOTH = 0.05  # weight of "all grades alike" against the grades found, when pupils are spread over grades
ROUNDS = 200


def hold_given(region: Region, behaviour: Behaviour | None = None) -> Region:
    """Make the region hold what its tables gave, in place; returns it. A region without tables is left as it is.

    `behaviour`: what the region was burned in under; None when it is only built. Raises InputError where what is
    given cannot hold together.
    """
    given = region.official.get("given")
    if given is None:
        return region
    _hold_enrolment(region, given)
    _hold_flows(region, given)
    f, at = region.families, region.students.school
    region.students.way_km[:] = distance_km(f.x_km, f.y_km, region.schools.x_km[at], region.schools.y_km[at])
    _hold_boarders(region, given)
    _hold_classes(region, given)
    _hold_staff(region, given, behaviour.credential_signal if behaviour else 0.0)
    hold_stocks(region)
    s = region.schools
    if behaviour is not None:
        s.posts_per_pupil[:] = s.posts / np.maximum(s.enrolment, 1) * (s.enrolment > 0)
        year = SchoolYear.begin(region, Policy(), behaviour, region.seed, settling=True)
        facilities(region, year)  # adequacy and its scale, from the stocks that now hold
    return region


def known(given: Given, name: str) -> Floats:
    """A given column as numbers, NaN where nothing is given."""
    return np.array(given[name], np.float64)


# --- pupils: at which school


def _hold_enrolment(region: Region, given: Given) -> None:
    """Every school and stage has the pupils that are given; every grade keeps its cohort."""
    goal, classes = known(given, "enrolment").astype(np.int64), known(given, "classes")
    grades = region.grades
    for stage, first in zip(STAGES, (1, region.primary_grades + 1), strict=True):
        spans = [region.grade_rows(first + k, first + k) for k in range(grades[stage])]
        have = np.column_stack(
            [np.bincount(region.students.school[span], minlength=region.schools.n) for span in spans]
        )
        wanted = pupils_by_grade(have, goal[:, stage], classes[:, stage])
        for k, span in enumerate(spans):
            _move(region, span, have[:, k], wanted[:, k])
    region.schools.enrolment[:] = goal


def pupils_by_grade(have: Counts, goal: Counts, classes: Floats) -> Counts:
    """Pupils of each school and grade, near those found: rows sum to `goal`, columns as they did.

    A school with fewer classes than grades teaches the lowest grades only. `classes`: NaN where not known. Raises
    InputError where that cannot be.
    """
    cohort = have.sum(axis=0)
    taught = (goal > 0)[:, None] & (np.arange(cohort.size) < np.where(np.isnan(classes), cohort.size, classes)[:, None])
    if (have.sum(axis=1) == goal).all() and not have[~taught].any():
        return have
    size = (have + SMOOTH * np.outer(goal, cohort) / max(int(cohort.sum()), 1)) * taught
    for _ in range(ROUNDS):  # iterative proportional fitting
        size *= np.divide(goal, size.sum(axis=1), out=np.zeros(goal.size), where=goal > 0)[:, None]
        found = size.sum(axis=0)
        if np.abs(found - cohort).max() < 1e-7:
            break
        size *= np.divide(cohort, found, out=np.zeros(cohort.size), where=found > 0)
    whole = np.floor(size + 1e-9).astype(np.int64)
    rows, columns = goal - whole.sum(axis=1), cohort - whole.sum(axis=0)
    if min(rows.min(), columns.min()) < 0:  # it has not settled: any spread that fits
        whole, rows, columns = np.zeros_like(whole), goal, cohort
    more = _transport(rows, columns, taught)
    if more.sum() < goal.sum() - whole.sum():
        raise InputError(
            "classes", "so many schools with fewer classes than grades", "room in the upper grades for their cohorts"
        )
    return np.asarray(whole + more)


def _transport(rows: Counts, columns: Counts, allowed: NDArray[np.bool_]) -> Counts:
    """Whole numbers, zero where not allowed, whose rows and columns sum to at most those given, as many as can be."""
    n, m = allowed.shape
    at, to = np.nonzero(allowed)
    source, sink = n + m, n + m + 1
    starts = np.concatenate([np.full(n, source), at, n + np.arange(m)])
    ends = np.concatenate([np.arange(n), n + to, np.full(m, sink)])
    room = np.concatenate([rows, np.minimum(rows[at], columns[to]), columns]).astype(np.int32)
    flow = maximum_flow(csr_array((room, (starts, ends)), shape=(sink + 1, sink + 1)).tocsr(), source, sink).flow
    found = np.zeros((n, m), np.int64)
    found[at, to] = np.asarray(flow[at, n + to]).ravel()
    return found


def _move(region: Region, span: slice, have: Counts, wanted: Counts) -> None:
    """Pupils of a grade leave schools that have too many, those from farthest away first, for the nearest room."""
    students, f, s = region.students, region.families, region.schools
    over = np.maximum(have - wanted, 0)
    if not over.any():
        return
    school = students.school[span]
    far = distance_km(f.x_km[span], f.y_km[span], s.x_km[school], s.y_km[school])
    leaving = np.flatnonzero(place_in_group(school, -far, students.key[span]) < over[school]) + span.start
    vacant = np.repeat(np.arange(s.n), np.maximum(wanted - have, 0))
    for near in (s.town, s.district, np.zeros(s.n, np.int32)):  # the own town first, then the district
        a, b = _matched(near[students.school[leaving]], near[vacant])
        rows, to = leaving[a], vacant[b]
        students.school[rows] = to
        students.klass[rows] = -1
        students.boards[rows] &= s.boarding[to]
        leaving, vacant = np.delete(leaving, a), np.delete(vacant, b)
    rows = np.arange(span.start, span.stop)
    to = students.school[span]
    abroad = region.catchments.district[f.catchment[span]] != s.district[to]
    moved = abroad & (to != school)
    for row, new in zip(rows[moved], to[moved], strict=True):
        _settle(region, np.array([row]), np.array([_nearest_home(region, int(new))]))


def _matched(a: NDArray[Any], b: NDArray[Any]) -> tuple[Rows, Rows]:
    """Pairs of one of `a` with one of `b` in the same group, as many as there are: their positions."""
    most = max(a.size, b.size) + 1
    first = a.astype(np.int64) * most + place_in_group(a, np.arange(a.size))
    second = b.astype(np.int64) * most + place_in_group(b, np.arange(b.size))
    _, left, right = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    return left, right


def _nearest_home(region: Region, school: int) -> int:
    """The catchment of its district nearest to a school."""
    places, s = region.catchments, region.schools
    far = np.hypot(places.x_km - s.x_km[school], places.y_km - s.y_km[school])
    return int(np.argmin(np.where(places.district == s.district[school], far, np.inf)))


def _settle(region: Region, rows: Rows, to: Rows) -> None:
    """Families have always lived in another catchment."""
    move_home(region, rows, to)
    region.families.origin[rows] = to


# --- pupils: from where


def _hold_flows(region: Region, given: Given) -> None:
    """As many pupils of each school and stage as given live in each town; those of whom nothing is said, elsewhere."""
    flows = given.get("flows")
    if not flows:
        return
    at, town, pupils = (np.array(flows[name], np.int64) for name in ("section", "town", "pupils"))
    section_of = region.section_of_students()
    order = np.argsort(section_of, kind="stable")
    ends = np.cumsum(np.bincount(section_of, minlength=2 * region.schools.n))
    elsewhere = region.towns.n
    for one in np.unique(at):
        rows = order[ends[one - 1] if one else 0 : ends[one]]
        wanted = np.zeros(elsewhere + 1, np.int64)
        np.add.at(wanted, town[at == one], pupils[at == one])
        named = np.isin(np.arange(elsewhere), town[at == one])
        wanted[-1] = rows.size - wanted.sum()
        home = region.catchments.town[region.families.catchment[rows]].astype(np.int64)
        home = np.where(named[home], home, elsewhere)
        have = np.bincount(home, minlength=wanted.size)
        leaving = rows[place_in_group(home, region.students.key[rows]) < (have - wanted)[home]]
        to = np.repeat(np.arange(wanted.size), np.maximum(wanted - have, 0))
        for goal in np.unique(to):
            families = leaving[to == goal]
            _settle(region, families, _homes(region, int(one) >> 1, int(goal), named, families.size))


def _homes(region: Region, school: int, town: int, named: NDArray[np.bool_], count: int) -> Rows:
    """Catchments for so many families in a town, by their shares; elsewhere is the nearest town that is not named."""
    places = region.catchments
    if town == region.towns.n:
        far = np.hypot(places.x_km - region.schools.x_km[school], places.y_km - region.schools.y_km[school])
        far = np.where(named[places.town], np.inf, far)
        if not np.isfinite(far).any():
            where = f"flows: {region.schools.name[school]}"
            raise InputError(where, f"{count} pupils fewer than enrolled, and every town named", "all of its pupils")
        town = int(places.town[np.argmin(far)])
    rows = np.flatnonzero(places.town == town)
    return np.asarray(np.repeat(rows, apportion(count, places.share[rows] + 1e-12)), np.intp)


def _hold_boarders(region: Region, given: Given) -> None:
    """So many pupils as given board, those from farthest away first."""
    number = known(given, "boarders").ravel()
    students, f, s = region.students, region.families, region.schools
    at = region.section_of_students()
    told = ~np.isnan(number[at])
    boarding = np.bincount(at, students.boards, number.size)
    if (boarding == number)[~np.isnan(number)].all():
        return
    far = distance_km(f.x_km, f.y_km, s.x_km[students.school], s.y_km[students.school])
    place = place_in_group(at, -far, students.key)
    students.boards[told] = place[told] < number[at[told]]


# --- classes


def _hold_classes(region: Region, given: Given) -> None:
    """Each school and stage has as many classes as given; movers join the smallest class of their grade."""
    students, c = region.students, region.classes
    if c.n == 0:  # built only: classes form in the first autumn
        return
    of_student = students.school.astype(np.int64) * 16 + students.grade
    cells, count = np.unique(of_student, return_counts=True)
    of_class = c.school.astype(np.int64) * 16 + c.grade
    held = np.bincount(np.searchsorted(cells, of_class[np.isin(of_class, cells)]), minlength=cells.size)
    number = _classes_by_grade(region, known(given, "classes"), cells, count, held)
    most = np.zeros(int(max(of_class.max(), cells.max())) + 1, np.int64)
    most[cells] = number
    moved = c.keep(place_in_group(of_class, c.number) < most[of_class])
    students.klass[:] = np.where(students.klass >= 0, moved[students.klass], -1)
    of_class = c.school.astype(np.int64) * 16 + c.grade
    strangers = (students.klass >= 0) & (of_class[students.klass] != of_student)
    anew = np.isin(of_student, cells[number != held])
    students.klass[strangers | anew] = -1
    missing = number - np.minimum(held, number)
    _open_classes(region, np.repeat(cells, missing), _serials(missing) + np.repeat(number - missing, missing))
    _seat(region, of_student)
    c.size[:] = np.bincount(students.klass, minlength=c.n)


def _classes_by_grade(region: Region, classes: Floats, cells: Counts, count: Counts, held: Counts) -> Counts:
    """Classes of each school and grade: those there are, or, where a total is given, so that the largest is small."""
    stage = region.stage_of_grade(cells % 16)
    number = np.where(held > 0, np.minimum(held, count), -(-count // np.array(FULL_ROOM)[stage]))
    of_section = cells // 16 * 2 + stage
    for at in np.flatnonzero(~np.isnan(classes.ravel())):
        rows = np.arange(np.searchsorted(of_section, at), np.searchsorted(of_section, at, "right"))
        wanted = int(classes.ravel()[at])
        if rows.size == 0 or number[rows].sum() == wanted:
            continue
        number[rows] = 1
        for _ in range(wanted - rows.size):
            number[rows[np.argmax(np.where(number[rows] < count[rows], count[rows] / number[rows], 0.0))]] += 1
    return number


def _serials(count: Counts) -> Counts:
    return np.asarray(np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count))


def _open_classes(region: Region, cells: Counts, number: Counts) -> None:
    grade = cells % 16
    region.classes.append(
        cells.size,
        school=cells // 16,
        stage=region.stage_of_grade(grade),
        grade=grade,
        cohort=region.year - grade + 1,
        number=number,
        team=-1,
    )


def _seat(region: Region, of_student: Counts) -> None:
    """Whoever has no class takes the smallest of the grade, one after another."""
    students, c = region.students, region.classes
    rows = np.flatnonzero(students.klass < 0)
    if rows.size == 0:
        return
    c.size[:] = np.bincount(students.klass[students.klass >= 0], minlength=c.n)
    of_class = c.school.astype(np.int64) * 16 + c.grade
    order = np.lexsort((c.number, of_class))
    rows = rows[np.lexsort((students.key[rows], of_student[rows]))]
    for cell, mine in zip(*_runs(of_student[rows]), strict=True):
        begin, end = np.searchsorted(of_class[order], [cell, cell + 1])
        able = order[begin:end]
        size = c.size[able].astype(np.int64)
        for row in rows[mine]:
            smallest = int(np.argmin(size))
            students.klass[row] = able[smallest]
            size[smallest] += 1


def _runs(values: Counts) -> tuple[Counts, list[slice]]:
    """The values of a sorted array and where each lies."""
    found, starts = np.unique(values, return_index=True)
    ends = np.append(starts[1:], values.size)
    return found, [slice(a, b) for a, b in zip(starts, ends, strict=True)]


# --- teachers


def _hold_staff(region: Region, given: Given, rho: float) -> None:
    """So many teachers as given at each school and stage, with the degrees, honours, subjects and ages given."""
    number = known(given, "teachers").ravel()
    _fill_staff(region, number)
    wanted = teacher_counts(region)
    told = np.column_stack([known(given, name).ravel() for name in BY_TEACHERS])
    missed = (~np.isnan(told) & (told != wanted)).any(axis=1)
    if missed.any():
        hand_out(region, np.where(np.isnan(told), wanted, told).astype(np.int64), rho)
    if given.get("staff"):
        _name_staff(region, given["staff"], told)


def _fill_staff(region: Region, number: Floats) -> None:
    """Teachers change school, inside the district where that is possible; founders are added, the last to come go."""
    t, s = region.teachers, region.schools
    at = section(t.school, t.stage)
    staff = np.bincount(at, minlength=number.size)
    goal = np.where(np.isnan(number), staff, number).astype(np.int64)
    over = np.maximum(staff - goal, 0)
    leaving = np.flatnonzero(place_in_group(at, t.is_head, t.away_as > 0, t.years_in_school, t.key) < over[at])
    vacant = np.repeat(np.arange(number.size), np.maximum(goal - staff, 0))
    market = np.repeat(s.district, 2).astype(np.int64) * 2 + np.tile([0, 1], s.n)
    for group in (market, np.tile([0, 1], s.n)):
        a, b = _matched(group[at[leaving]], group[vacant])
        rows, to = leaving[a], vacant[b]
        t.post[rows] = t.school[rows] = to >> 1
        t.is_head[rows], t.away_as[rows], t.away_until[rows], t.compelled[rows] = False, 0, 0, False
        leaving, vacant = np.delete(leaving, a), np.delete(vacant, b)
    if leaving.size:
        gone = np.zeros(t.n, bool)
        gone[leaving] = True
        moved = t.keep(~gone)
        team = region.classes.team
        team[:] = np.where(team >= 0, moved[team], -1)
    if vacant.size:
        _found_teachers(region, vacant)


def _found_teachers(region: Region, sections: Counts) -> None:
    """Teachers where there are too few: of the ages and experience of those there are, drawn from the region's seed."""
    t, s = region.teachers, region.schools
    key = key_of_origin(0, np.arange(sections.size), key_of_name(f"{region.name}/given"))
    draws = Draws(region.seed, 0)
    school = sections >> 1
    like = (draws.uniform(Decision.TEACHER_AGE, key) * t.n).astype(np.intp) if t.n else None
    t.append(
        sections.size,
        key=key,
        post=school,
        school=school,
        stage=sections & 1,
        district_home=s.district[school],
        home_x=s.x_km[school],
        home_y=s.y_km[school],
        lasting=draws.normal(Decision.TEACHER_LASTING, key),
        signal=draws.normal(Decision.TEACHER_SIGNAL, key),
        credential=draws.normal(Decision.TEACHER_CREDENTIAL, key),
        leads=draws.normal(Decision.TEACHER_LEADERSHIP, key),
        **({name: getattr(t, name)[like] for name in ("age", "experience", "title")} if like is not None else {}),
    )


def _name_staff(region: Region, staff: dict[str, list[Any]], told: Floats) -> None:
    """Teachers become those of the table, the first by subject and age the first; the rest fill the counts."""
    t = region.teachers
    columns = {name: np.array(staff[name], np.float64) for name in STAFF}
    at = np.array(staff["section"], np.int64)
    special = np.nan_to_num(columns["subject"], nan=0.0) != Subject.CORE
    mine = place_in_group(at, special, np.nan_to_num(columns["age"], nan=40.0), np.arange(at.size))
    of_teacher = section(t.school, t.stage)
    theirs = place_in_group(of_teacher, t.subject != Subject.CORE, t.age, t.key)
    most = t.n + at.size + 1
    _, listed, rows = np.intersect1d(at * most + mine, of_teacher * most + theirs, return_indices=True)
    for name, values in columns.items():
        held = ~np.isnan(values[listed])
        getattr(t, name)[rows[held]] = values[listed][held]
    rest = np.ones(t.n, bool)
    rest[rows] = False
    t.experience[rows] = np.where(
        np.isnan(columns["experience"][listed]),
        np.clip(t.experience[rows], 0, np.maximum(t.age[rows] - STARTED_AT, 0)),
        t.experience[rows],
    )
    free = np.isnan(columns["years_in_school"][listed])
    t.years_in_school[rows[free]] = np.minimum(t.years_in_school, t.experience)[rows[free]]
    _fill_counts(region, told, rest, {name: np.isnan(columns[name][listed]) for name in STAFF}, rows)


def _fill_counts(
    region: Region, told: Floats, rest: NDArray[np.bool_], untold: dict[str, NDArray[np.bool_]], rows: Rows
) -> None:
    """Those of whom the table of teachers says nothing make up the counts that the table of schools gives."""
    t = region.teachers
    at = section(t.school, t.stage)
    for i, name in enumerate(("degree_above", "backbone", "subject")):
        free = rest.copy()
        free[rows[untold[name]]] = True
        flag = {"degree_above": t.degree_above, "backbone": t.backbone > 0, "subject": t.subject != Subject.CORE}[name]
        fixed = np.bincount(at[~free & flag], minlength=told.shape[0])
        open_to = free & ~np.isnan(told[at, i])
        place = place_in_group(np.where(open_to, at, told.shape[0]), ~flag, t.age, t.key)
        chosen = open_to & (place < (told[:, i] - fixed)[np.minimum(at, told.shape[0] - 1)])
        lost = open_to & ~chosen
        if name == "degree_above":
            t.degree_above[chosen], t.degree_above[lost] = True, False
        elif name == "backbone":
            t.backbone[chosen], t.backbone[lost] = np.maximum(t.backbone[chosen], 1), 0
        else:
            t.subject[chosen & (t.subject == Subject.CORE)], t.subject[lost] = Subject.PE, Subject.CORE


# --- stocks


def hold_stocks(region: Region) -> None:
    """Stocks and posts as given; floor area follows teaching area where it is not, and grade-C floor is part of it."""
    given = region.official.get("given")
    if given is None:
        return
    s, buildings = region.schools, region.official["buildings"]
    for name in BY_FACILITIES:
        _put(getattr(s, name), known(given, name))
    s.floor_area[:] = buildings["floor_per_teaching_area"] * s.teaching_area
    np.minimum(s.grade_c_area, buildings["grade_c_most"] * s.floor_area, out=s.grade_c_area)
    for name in ("floor_area", "grade_c_area", "music_rooms", "art_rooms", "posts", "classrooms"):
        _put(getattr(s, name), known(given, name))
    special = region.teachers.subject != Subject.CORE
    at = section(region.teachers.post[special], region.teachers.stage[special])
    s.pe_art_posts[:] = np.minimum(np.bincount(at, minlength=2 * s.n).reshape(-1, 2), s.posts)


def _put(column: NDArray[Any], values: Floats) -> None:
    """Write what is given into a column."""
    held = ~np.isnan(values)
    column[held] = values[held]


__all__ = ["STAFF", "hold_given", "known", "pupils_by_grade"]
