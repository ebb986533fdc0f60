"""Step 1. What is in force this year: rights of admission, and what a lever asks beyond what can be had."""

from __future__ import annotations

import numpy as np

from model.levers import (
    Admission,
    CapacityAward,
    CooperativeSchools,
    EducationGroups,
    NewPlaces,
    NewSchools,
    RegionalCommunities,
    Stipend,
    TeacherRotation,
    UrbanRuralPairs,
)
from model.new_schools import draw_areas
from model.region import STAGES, Region
from model.school_year import SchoolYear


def policy_of_the_year(region: Region, year: SchoolYear) -> None:
    """Resolve the dated levers: who has a right where; say where levers in force lack what they need."""
    draw_areas(region, year)
    rights = region.schools.right.copy()
    if year.policy.one(Admission, year.number).rule == "multi_school_lottery":
        # all schools of a school zone admit the families of all its areas; the lottery decides among them
        for stage in STAGES:
            held = rights[:, stage] >= 0
            first = np.full(int(region.schools.zone.max(initial=-1)) + 2, -1, np.int32)
            for row in np.flatnonzero(held)[::-1]:
                first[region.schools.zone[row]] = rights[row, stage]
            zoned = held & (region.schools.zone >= 0)
            rights[zoned, stage] = first[region.schools.zone[zoned]]
    year.seen.rights = rights

    number, policy = year.number, year.policy
    groups = any(not e.is_neutral() for e in policy.in_force(EducationGroups, number))
    if any(e.scope == "group" for e in policy.in_force(TeacherRotation, number)) and not groups:
        year.say("teacher_rotation", "rotation inside groups, but no groups are in force", "集团内轮岗，但无集团")
    helpers = any(pairs.seconded_per_pair > 0 for pairs in policy.in_force(UrbanRuralPairs, number))
    helpers |= any(ties.seconded_per_school > 0 for ties in policy.in_force(RegionalCommunities, number))
    helpers |= any(joint.seconded_per_school > 0 for joint in policy.in_force(CooperativeSchools, number))
    if (
        any(s.who.startswith("seconded") and s.yuan_per_year > 0 for s in policy.in_force(Stipend, number))
        and not helpers
    ):
        year.say("stipend", "a stipend for seconded teachers, but nothing seconds any", "有支教补助，但无支教安排")
    award = policy.one(CapacityAward, number)
    building = any(
        not built.is_neutral() for kind in (NewPlaces, NewSchools) for built in policy.in_force(kind, number)
    )
    if award.yuan_per_primary_class + award.yuan_per_junior_class > 0 and not building:
        year.say(
            "capacity_award",
            "an award for new classes, but no new places this year",
            "有新增资源奖补，但当年无新增学位",
        )
