"""Step 3. Classrooms open where places are short; small village schools merge; caps on classes and schools."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.groupwise import totals
from model.levers import NewPlaces, SchoolMerging
from model.new_schools import open_new_schools, pay_capacity_award, staff_new_schools
from model.policy import schools_in
from model.region import CLASS_CAP, STAGES, Kind, Region, Setting, Stage
from model.school_year import SchoolYear


def places(region: Region, year: SchoolYear) -> None:
    """Open the classrooms of the year, merge what falls below the size, in the order of the entries."""
    if year.settling:
        return
    for entry in year.policy.in_force(NewPlaces, year.number):
        here = schools_in(entry, region, year.number)
        _open(region, year, here, Stage.PRIMARY, entry.primary_classes)
        _open(region, year, here, Stage.JUNIOR, entry.junior_classes)
        rooms = region.schools.classrooms * here[:, None]
        there = totals(region.schools.district, region.districts.n, rooms)
        grown = np.round(there * (entry.growth_primary, entry.growth_junior)).astype(int)
        for district, stage in np.argwhere(grown > 0):  # what grows by a share grows in every district by itself
            inside = here & (region.schools.district == district)
            _open(region, year, inside, Stage(stage), int(grown[district, stage]))
    open_new_schools(region, year)
    staff_new_schools(region, year)
    for merging in year.policy.in_force(SchoolMerging, year.number):
        _merge(region, year, schools_in(merging, region, year.number), merging.below_pupils)


def _open(region: Region, year: SchoolYear, here: NDArray[np.bool_], stage: Stage, rooms: int) -> None:
    """One classroom after another where the school is fullest, as if all were counted out by highest averages."""
    s = region.schools
    rows = np.flatnonzero(here & s.has[:, stage])
    rows = rows[np.argsort(s.key[rows])]  # of equally full schools the first by key
    if rooms == 0 or rows.size == 0:
        return
    held = s.classrooms[rows, stage][:, None] + np.arange(rooms)  # before its next room
    fill = s.enrolment[rows, stage][:, None] / (CLASS_CAP[stage] * held.clip(1))
    gets = np.argsort(-fill, axis=None, kind="stable")[:rooms] // rooms
    s.classrooms[rows, stage] += np.bincount(gets, minlength=rows.size).astype(np.int32)
    seats = rooms * CLASS_CAP[stage]
    year.ledger.pay("district", "construction", "new_places", "building", seats * region.prices["place"])
    pay_capacity_award(year, stage, rooms)


def _merge(region: Region, year: SchoolYear, here: NDArray[np.bool_], below: int) -> None:
    """Village schools smaller than `below` close; rights and pupils go to the nearest school that stays."""
    s = region.schools
    size = s.enrolment.sum(axis=1)
    closing = here & (s.setting == Setting.VILLAGE) & ~s.town_seat & (size < below) & (size > 0)
    staying = region.open_schools(year.number) & ~closing
    for row in np.flatnonzero(closing):
        heirs = {}
        for stage in STAGES:
            near_by = staying & s.has[:, stage] & (s.district == s.district[row]) & (s.kind == Kind.DISTRICT)
            able = np.flatnonzero(near_by)
            if s.has[row, stage] and able.size:
                near = np.hypot(s.x_km[able] - s.x_km[row], s.y_km[able] - s.y_km[row])
                heirs[stage] = able[np.argmin(near)]
        if len(heirs) < s.has[row].sum():
            year.say("school_merging", f"{s.name[row]} has no school to merge into", f"{s.name[row]}无可并入学校")
            continue
        s.closed[row] = year.number
        for stage, heir in heirs.items():
            right = region.catchments.right[:, stage]
            right[right == s.right[row, stage]] = s.right[heir, stage]
            s.classrooms[heir, stage] += s.classrooms[row, stage]
            s.posts[heir, stage] += s.posts[row, stage]
            s.pe_art_posts[heir, stage] += s.pe_art_posts[row, stage]
            s.posts[row, stage] = s.pe_art_posts[row, stage] = s.classrooms[row, stage] = 0
        t, pupils = region.teachers, region.students
        for stage, heir in heirs.items():
            t.post[(t.post == row) & (t.stage == stage)] = heir
            arriving = (t.school == row) & (t.stage == stage)
            t.school[arriving], t.moved[arriving], t.years_in_school[arriving] = heir, year.number, 0
            t.is_head[arriving] = False
        leaving = pupils.school == row
        pupils.klass[leaving] = -1
        pupils.school[leaving] = -1
    year.seen.rights[closing & (s.closed <= year.number)] = -1
