"""Step 8b. Learning: the cumulative value-added production function, class by class (evidence.md 3.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.draws import Decision, Floats
from model.homes import home_input
from model.quality import effectiveness, experience_effect, management
from model.region import Network, Region
from model.rules import rule
from model.school_year import SchoolYear

USUAL_CLASS = rule("usual_class")  # pupils; the class-size effect is counted from here


def learning(region: Region, year: SchoolYear) -> None:
    """A = λA + home + class and school input + peers + ε, all in pupil SD; taken in July of the next year."""
    students, classes, b = region.students, region.classes, year.behaviour
    known, klass = students.achievement, students.klass.astype(np.intp)
    size = np.maximum(classes.size, 1)
    sums = np.bincount(klass, known, classes.n)
    overall = _grade_means(region)
    given = class_input(region, year) + school_input(region, year)[classes.school, classes.stage]
    # mean of the others in class, against the mean of the grade
    others = np.maximum(size - 1, 1)
    given += b.peer_effect * (sums / others - overall[classes.grade]) * (size > 1)
    alone = b.peer_effect / others * (size > 1)
    known *= b.persistence - np.take(alone, klass)
    known += home_input(region, slice(None), b)
    known += np.take(given, klass)
    known += b.learning_shock_sd * year.draws.normal(Decision.LEARNING_SHOCK, students.key)


def _grade_means(region: Region) -> Floats:
    means = np.zeros(10)
    for grade in range(1, 10):
        rows = region.grade_rows(grade, grade)
        if rows.start < rows.stop:
            means[grade] = region.students.achievement[rows].mean()
    return means


def class_input(region: Region, year: SchoolYear) -> Floats:
    """What the team, its changes, the number of pupils and lessons over the network give a class; (classes,)."""
    c, t, s, b = region.classes, region.teachers, region.schools, year.behaviour
    held = c.team >= 0
    rows = np.maximum(c.team, 0)
    count = np.maximum(held.sum(axis=1), 1)
    power = (effectiveness(t, b, year.number)[rows] * held).sum(axis=1) / count
    practised = (experience_effect(t.experience, b)[rows] * held).sum(axis=1) / count
    staffed = held.any(axis=1)
    value = np.where(staffed, b.teacher_effect * power + practised, b.substitute_effect)
    value += b.team_change * c.changed
    value += b.class_size_effect * (c.size - USUAL_CLASS) / 10
    use = s.digital[c.school]
    value += b.digital_effect * use * np.maximum(b.digital_remote - power, 0.0)
    value -= b.digital_dip * ((s.digital_since == year.number) & (s.digital > 0))[c.school]
    return np.asarray(value)


def school_input(region: Region, year: SchoolYear) -> Floats:
    """What management, facilities, vacancies, the duties of a lead and the luck of the year give; (schools, 2)."""
    s, b, scale = region.schools, year.behaviour, region.scale
    value = b.management_effect * management(region)
    value = value + b.facility_effect * (s.adequacy - scale.adequacy_mean[0]) / scale.adequacy_sd[0]
    value -= b.lead_dilution * _members(region, year)
    luck = year.draws.normal(Decision.SCHOOL_YEAR_SHOCK, s.key[:, None], np.arange(2, dtype=np.uint64)[None, :])
    vacant = year.seen.vacancies / np.maximum(s.posts, 1)
    return np.asarray(value[:, None] + b.school_year_shock_sd * luck + b.substitute_effect * vacant)


def _members(region: Region, year: SchoolYear) -> NDArray[np.int64]:
    """Members each lead of a group looks after this year; shape (schools,)."""
    n = region.networks
    held = (n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until)
    return np.bincount(n.lead[held], minlength=region.schools.n)
