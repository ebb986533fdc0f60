"""Step 12. The recurrent yuan of the year: pay, public funds, stipends, and what running each lever costs.

Works, places, hired venues and bought lessons are booked where they are done; transfers stand apart.
"""

from __future__ import annotations

import numpy as np

from model.levers import (
    Budget,
    Caps,
    CooperativeSchools,
    DigitalResources,
    EducationGroups,
    FacilityMaintenance,
    PublicFunds,
    RegionalCommunities,
    SchoolZones,
    Stipend,
    StrongTown,
    TeacherPay,
    Training,
    UrbanRuralPairs,
)
from model.pay import pay_of_teachers, supplement
from model.policy import Lever, schools_in
from model.region import Kind, Network, Region, Setting
from model.rules import rule
from model.school_year import SchoolYear

ROTATED, SECONDED = 1, 2
BUS_FROM_KM = rule("bus_from_km")
LARGE_CLASS = rule("large_class")


def finance(region: Region, year: SchoolYear) -> None:
    """Book what the year cost, with payer and receiver."""
    _pay(region, year)
    _public_funds(region, year)
    _stipends(region, year)
    _running(region, year)
    _towns(region, year)
    _upkeep(region, year)
    _added_classes(region, year)
    _within_budget(year)


def _pay(region: Region, year: SchoolYear) -> None:
    t = region.teachers
    pay = pay_of_teachers(region, year.policy, year.behaviour, year.number)
    ratio = year.policy.by_school(TeacherPay, "ratio_to_civil_service", region, year.number)[t.school]
    raised = pay * np.maximum(1 - 1 / ratio, 0.0)  # what lies above the pay of civil servants is the lever's
    year.ledger.pay("district", "teachers", "payroll", "salaries", float((pay - raised).sum()))
    year.ledger.pay("district", "teachers", "teacher_pay", "raise", float(raised.sum()))
    extra = float(supplement(region, year.policy, year.number)[t.school].sum())
    year.ledger.pay("district", "teachers", "teacher_pay", "supplement", extra)


def _public_funds(region: Region, year: SchoolYear) -> None:
    """Running money by pupil; a school below the floor is funded as if it had that many; training is a share."""
    s = region.schools
    policy, number = year.policy, year.number
    public = region.open_schools(number) & (s.kind != Kind.PRIVATE)
    rate = np.column_stack([policy.by_school(PublicFunds, stage, region, number) for stage in ("primary", "junior")])
    floor = policy.by_school(PublicFunds, "small_school_floor", region, number)
    pupils = s.enrolment.sum(axis=1)
    mean_rate = (rate * s.enrolment).sum(axis=1) / np.maximum(pupils, 1)
    funded = np.where(pupils > 0, np.maximum(pupils, floor), 0) * public
    funds = mean_rate * funded
    training = policy.by_school(Training, "share_of_public_funds", region, number) * funds
    year.ledger.pay("district", "schools", "public_funds", "running costs", float((funds - training).sum()))
    year.ledger.pay("district", "trainers", "training", "courses", float(training.sum()))


def _stipends(region: Region, year: SchoolYear) -> None:
    """Who serves away is paid; the pool goes to the sending school or to the person, and reaches it in part."""
    t, s = region.teachers, region.schools
    t.stipend[:] = 0.0
    weak = (s.setting == Setting.VILLAGE) | (s.score.sum(axis=1) < 0)
    for lever in year.policy.in_force(Stipend, year.number):
        who = {
            "seconded": t.away_as == SECONDED,
            "seconded_across": (t.away_as == SECONDED) & (s.district[t.post] != s.district[t.school]),
            "rotated": t.away_as == ROTATED,
            "rotated_to_weak": (t.away_as == ROTATED) & weak[t.school],
            "village_posts": (s.setting == Setting.VILLAGE)[t.school],
        }[lever.who] & schools_in(lever, region, year.number)[t.school]
        pool = float(lever.yuan_per_year * who.sum())
        if pool == 0:
            continue
        receiver = "sending schools" if lever.received_by == "sending_school" else "teachers"
        payer = lever.paid_by.replace("_", " ")
        year.ledger.pay(payer, receiver, "stipend", "stipend", pool)
        t.stipend[who] += lever.yuan_per_year * (lever.passed_on if receiver != "teachers" else 1.0)


def _running(region: Region, year: SchoolYear) -> None:
    """What networks, digital lessons, boarding and buses cost to run."""
    n, s, prices = region.networks, region.schools, region.prices
    held = (n.since <= year.number) & (year.number <= n.until)

    def members(kind: Network, lever: Lever) -> int:
        return int((held & (n.kind == kind) & lever.where.mask(region)[n.member]).sum())

    for group in year.policy.in_force(EducationGroups, year.number):
        money = group.yuan_per_member * members(Network.GROUP, group)
        year.ledger.pay("district", "schools", "education_groups", "running costs", money)
    for pair in year.policy.in_force(UrbanRuralPairs, year.number):
        money = pair.yuan_per_pair * members(Network.PAIR, pair)
        year.ledger.pay("district", "schools", "urban_rural_pairs", "running costs", money)
    zones = year.policy.one(SchoolZones, year.number)
    money = zones.yuan_per_school * members(Network.ZONE, zones)
    year.ledger.pay("district", "schools", "school_zones", "joint research", money)
    for tie in year.policy.in_force(RegionalCommunities, year.number):
        money = tie.yuan_per_pair * members(Network.COMMUNITY, tie)
        year.ledger.pay("district", "schools", "regional_communities", "running costs", money)
    for joint in year.policy.in_force(CooperativeSchools, year.number):
        money = joint.yuan_per_school * members(Network.COOPERATIVE, joint)
        year.ledger.pay("district", "parent schools", "cooperative_schools", "cooperation", money)
    pupils = s.enrolment.sum(axis=1)
    for digital in year.policy.in_force(DigitalResources, year.number):
        using = schools_in(digital, region, year.number) & (s.digital > 0)
        money = prices["digital_pupil"] * float(pupils[using].sum())
        year.ledger.pay("municipality", "platform", "digital_resources", "platform and devices", money)
        lessons = prices["digital_lessons"] * float((pupils * s.digital)[using].sum())
        year.ledger.pay("district", "platform", "digital_resources", "lessons", lessons)


def _towns(region: Region, year: SchoolYear) -> None:
    """Buses for who lives too far to walk to a town-seat school, beds for who boards by the lever."""
    s, students, prices = region.schools, region.students, region.prices
    for town in year.policy.in_force(StrongTown, year.number):
        seats = schools_in(town, region, year.number) & s.town_seat
        at_seat = seats[students.school]
        if town.bus_km > 0:
            riders = at_seat & (students.way_km > BUS_FROM_KM) & ~students.boards
            year.ledger.pay("district", "carriers", "strong_town", "buses", prices["bus_pupil"] * float(riders.sum()))
        beds = at_seat & students.boards & ~s.boarding[students.school]
        money = prices["boarding_place"] * float(beds.sum()) * (town.boarding_share > 0)
        year.ledger.pay("district", "schools", "strong_town", "boarding", money)


def _upkeep(region: Region, year: SchoolYear) -> None:
    """Wear made good beyond the year's own, which public funds pay: at the price of repair."""
    s = region.schools
    more = np.maximum(year.policy.by_school(FacilityMaintenance, "share_of_wear", region, year.number) - 1.0, 0.0)
    floor = (more * year.behaviour.wear * s.floor_area)[region.open_schools(year.number)].sum()
    money = float(floor) * region.prices["repair"]
    year.ledger.pay("district", "construction", "facility_maintenance", "repair", money)


def _added_classes(region: Region, year: SchoolYear) -> None:
    """Lessons of the classes that a cap adds: what teachers are paid for them beyond their hours."""
    caps, c = year.policy.one(Caps, year.number), region.classes
    if caps.class_primary + caps.class_junior == 0:
        return
    grade = c.school.astype(np.int64) * 16 + c.grade
    number, pupils = np.bincount(grade), np.bincount(grade, c.size)
    room = np.zeros(number.size)
    room[grade] = np.array(LARGE_CLASS)[c.stage]
    needed = np.ceil(np.divide(pupils, room, out=np.zeros(number.size), where=room > 0))
    added = float(np.maximum(number - needed, 0).sum())
    year.ledger.pay("district", "teachers", "caps", "lessons of added classes", added * region.prices["added_class"])


def _within_budget(year: SchoolYear) -> None:
    limit = year.policy.one(Budget, year.number).yuan_per_year
    spent = year.ledger.of_levers()
    if 0 < limit < spent:
        over = spent - limit
        year.say("budget", f"{over:,.0f} yuan above the budget of {limit:,.0f}", f"超出预算{over:,.0f}元")
