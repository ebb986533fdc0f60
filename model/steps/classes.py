"""Step 8a. Entrants form classes; every class has a team of core teachers, kept while they stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.caps import class_caps
from model.draws import Decision
from model.groupwise import ordered, place_in_group
from model.levers import Caps
from model.quality import section
from model.region import TEAM, Region, Subject
from model.school_year import SchoolYear

NEW = -1.0  # `changed` of a class until its first team is complete


def classes(region: Region, year: SchoolYear) -> None:
    """Seat newcomers in the smallest old classes, split what a cap forbids, form new ones, complete every team."""
    _seat_movers(region)
    split = _split_large(region, year)
    _form(region, year)
    _count(region)
    _complete_teams(region, year, split)


def _seat_movers(region: Region) -> None:
    """A pupil who comes to a grade that has classes joins one of them, the smallest first."""
    students, c = region.students, region.classes
    entering = (students.grade == 1) | (students.grade == region.primary_grades + 1)  # grades without classes yet
    rows = np.flatnonzero((students.klass < 0) & ~entering)
    if rows.size == 0 or c.n == 0:
        return
    c.size[:] = np.bincount(students.klass + 1, minlength=c.n + 1)[1:]  # without those in no class (−1)
    code = c.school.astype(np.int64) * 16 + c.grade
    order = np.lexsort((c.size, code))
    known, start, number = np.unique(code[order], return_index=True, return_counts=True)
    mine = students.school[rows].astype(np.int64) * 16 + students.grade[rows]
    at = np.minimum(np.searchsorted(known, mine), known.size - 1)
    found = known[at] == mine
    rows, at, mine = rows[found], at[found], mine[found]
    turn = place_in_group(mine, students.key[rows]) % number[at]
    students.klass[rows] = order[start[at] + turn]


def _split_large(region: Region, year: SchoolYear) -> NDArray[np.int64]:
    """Under a cap in force, a grade with a class above it is formed anew where the school has the rooms.

    Returns the grades dissolved, each as 16·school + grade.
    """
    students, c, s = region.students, region.classes, region.schools
    caps = year.policy.one(Caps, year.number)
    if caps.class_primary + caps.class_junior == 0:
        return np.zeros(0, np.int64)
    cap = np.array([caps.class_primary or np.inf, caps.class_junior or np.inf])
    c.size[:] = np.bincount(students.klass + 1, minlength=c.n + 1)[1:]  # without those in no class (−1)
    large = np.flatnonzero(c.size > cap[c.stage])
    if large.size == 0:
        return np.zeros(0, np.int64)
    waiting = students.klass < 0  # entrants will need rooms too
    coming = np.bincount(region.section_of_students()[waiting], minlength=2 * s.n).reshape(-1, 2)
    used = np.bincount(section(c.school, c.stage), minlength=2 * s.n).reshape(-1, 2)
    free = s.classrooms - used - np.ceil(coming / np.array(class_caps(year))).astype(np.int64)
    code = c.school.astype(np.int64) * 16 + c.grade
    dissolved = []
    for grade in np.unique(code[large]):
        rows = np.flatnonzero(code == grade)
        school, stage = c.school[rows[0]], c.stage[rows[0]]
        more = -(-int(c.size[rows].sum()) // int(cap[stage])) - rows.size
        if more <= free[school, stage]:
            free[school, stage] -= more
            dissolved.append(grade)
    if dissolved:
        of_student = students.school.astype(np.int64) * 16 + students.grade
        students.klass[np.isin(of_student, dissolved)] = -1
    return np.array(dissolved, np.int64)


def _form(region: Region, year: SchoolYear) -> None:
    students = region.students
    rows = np.flatnonzero(students.klass < 0)
    if rows.size == 0:
        return
    cap = np.array(class_caps(year))
    code = students.school[rows].astype(np.int64) * 16 + students.grade[rows]
    count = np.bincount(code)
    known = np.flatnonzero(count)
    group = (np.cumsum(count > 0) - 1)[code]
    count = count[known]
    grade = (known % 16).astype(np.int8)
    stage = region.stage_of_grade(grade)
    number = -(-count // cap[stage])
    first = region.classes.n + np.cumsum(number) - number
    turn = place_in_group(group, *year.draws.order(Decision.CLASS_PLACEMENT, students.key[rows]))
    students.klass[rows] = first[group] + turn % number[group]
    serial = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    region.classes.append(
        int(number.sum()),
        school=np.repeat(known // 16, number),
        stage=np.repeat(stage, number),
        grade=np.repeat(grade, number),
        cohort=year.number - np.repeat(grade.astype(int), number) + 1,
        number=serial,
        team=-1,
        changed=NEW,
    )


def _count(region: Region) -> None:
    """Count pupils; a class nobody is in any more ends."""
    students, c = region.students, region.classes
    c.size[:] = np.bincount(students.klass, minlength=c.n)
    if (c.size == 0).any():
        moved = c.keep(c.size > 0)
        students.klass[:] = moved[students.klass]


def _complete_teams(region: Region, year: SchoolYear, split: NDArray[np.int64]) -> None:
    """Empty places in teams go to the core teachers of the school and stage with the fewest classes."""
    t, c = region.teachers, region.classes
    fresh = c.changed == NEW
    rows = np.maximum(c.team, 0)
    here = (t.school[rows] == c.school[:, None]) & (t.stage[rows] == c.stage[:, None])
    here &= (t.subject[rows] == Subject.CORE) & (c.team >= 0)
    # a primary class changes its team once, half way (a cycle of three years): planned, so no disruption
    anew = (c.grade == region.primary_grades // 2 + 1) & (c.stage == 0)
    c.team[~here | anew[:, None]] = -1
    empty, slot = np.nonzero(c.team < 0)
    c.changed[:] = np.where(fresh | anew, 0.0, (c.team < 0).sum(axis=1) / TEAM)
    c.changed[np.isin(c.school.astype(np.int64) * 16 + c.grade, split)] = 1.0
    core = np.flatnonzero(t.subject == Subject.CORE)
    if empty.size == 0 or core.size == 0:
        return
    sections = 2 * region.schools.n
    of_teacher = section(t.school[core], t.stage[core])
    load = np.bincount(c.team[c.team >= 0], minlength=t.n)[core]
    order = core[ordered(of_teacher, load.astype(np.uint16), *year.draws.order(Decision.TEAM_PLACEMENT, t.key[core]))]
    staff = np.bincount(of_teacher, minlength=sections)
    begin = np.cumsum(staff) - staff
    of_class = section(c.school[empty], c.stage[empty])
    turn = place_in_group(of_class, empty)
    able = staff[of_class] > 0
    pick = begin[of_class] + turn % np.maximum(staff[of_class], 1)
    c.team[empty[able], slot[able]] = order[pick[able]]
