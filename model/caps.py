"""How large a class and a school may be, and how many places that leaves for those who enter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.levers import Caps
from model.region import Kind, Region, Stage
from model.rules import rule
from model.school_year import SchoolYear

UNCAPPED = rule("large_class")


def class_caps(year: SchoolYear) -> tuple[int, int]:
    """Most pupils of a new class at each stage: the cap in force, or a full room where none is."""
    caps = year.policy.one(Caps, year.number)
    return caps.class_primary or UNCAPPED[0], caps.class_junior or UNCAPPED[1]


def places_to_enter(region: Region, year: SchoolYear, stage: int, staying: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places that each school can offer to entrants of a stage; shape (schools,).

    Rooms not used by the classes that stay, times the class cap, within the school's cap. `staying`: pupils
    of each school and stage who are already there; shape (schools, 2).
    """
    s, classes = region.schools, region.classes
    used = np.bincount(classes.school[classes.stage == stage], minlength=s.n)
    free = np.maximum(s.classrooms[:, stage] - used, 0)
    # a new school grows a grade a year: it keeps rooms for the grades to come
    grades = region.grades[stage]
    growing = (s.opened > region.base_year) & (year.number - s.opened < grades)
    free = np.where(growing, np.minimum(free, -(-s.classrooms[:, stage] // grades)), free) * class_caps(year)[stage]
    caps = year.policy.one(Caps, year.number)
    both = s.has.all(axis=1)
    limit = np.where(both, caps.nine_year, caps.school)
    # primary is admitted first and leaves half of what a school with both stages may still take to junior
    halved = both & (stage == Stage.PRIMARY)
    room = np.where(limit > 0, (limit - staying.sum(axis=1)) // np.where(halved, 2, 1), free)
    able = region.open_schools(year.number) & s.has[:, stage] & (s.kind != Kind.SPECIAL)
    return np.where(able, np.clip(room, 0, free), 0).astype(np.int64)
