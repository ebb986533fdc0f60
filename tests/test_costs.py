"""Every yuan of a lever by hand: who is counted, at which price; nothing where the lever is neutral."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from situations import BASELINE, INPUT, NOTHING, RICH, altered, begin, settled

from model.levers import (
    LEVERS,
    BackbonePipeline,
    Budget,
    CapacityAward,
    Caps,
    CooperativeSchools,
    DigitalResources,
    EducationGroups,
    FacilityInvestment,
    FacilityMaintenance,
    HiredVenues,
    InServiceDegrees,
    Lever,
    NewPlaces,
    NewSchools,
    PeArtRecruitment,
    PublicFunds,
    RegionalCommunities,
    SchoolZones,
    Stipend,
    StrongTown,
    TeacherPay,
    Training,
    UrbanRuralPairs,
)
from model.policy import FOREVER, Policy, Where
from model.quality import facility_need
from model.region import Kind, Network, Region, Setting
from model.school_year import SchoolYear
from model.simulate import simulate
from model.steps.facilities import facilities
from model.steps.finance import finance
from model.steps.places import places
from model.steps.staffing import staffing

RICH_ALONE = Policy(tuple(e for e in RICH.entries if not isinstance(e, NewSchools)))
IN_ONE = Where(districts=("Yunlan",))


def ready(*levers: Lever) -> tuple[Region, SchoolYear]:
    region = settled(policy=BASELINE)
    return region, begin(region, Policy(levers))


def booked(year: SchoolYear, lever: str) -> dict[str, float]:
    """Yuan by item of one lever."""
    return {item: yuan for (_, _, name, item), yuan in year.ledger.entries.items() if name == lever}


# ---------------------------------------------------------------- people


def test_pay_goes_by_title_and_what_lies_above_civil_servants_is_the_levers() -> None:
    rich = TeacherPay(ratio_to_civil_service=1.25, village_supplement=5000, where=IN_ONE)
    poor = TeacherPay(ratio_to_civil_service=0.8, where=Where(districts=("Qiuhe",)))
    region, year = ready(rich, poor)
    finance(region, year)
    t, s = region.teachers, region.schools
    base = raised = extra = 0.0
    for i in range(t.n):
        first = s.district[t.school[i]] == 0
        title = 1 + INPUT.title_pay * (int(t.title[i]) - 1)
        pay = region.prices["teacher_pay"] * title
        # at 1.25 a fifth of what is paid lies above; below 1 nothing does
        base += pay if first else 0.8 * pay
        raised += 0.25 * pay if first else 0.0
        extra += 5000 if first and s.setting[t.school[i]] == Setting.VILLAGE else 0
    assert booked(year, "payroll") == {"salaries": pytest.approx(base)}
    assert booked(year, "teacher_pay") == {"raise": pytest.approx(raised), "supplement": pytest.approx(extra)}


def test_public_funds_are_a_rate_a_pupil_of_open_public_schools_and_training_is_a_part_of_them() -> None:
    funds = PublicFunds(primary=650, junior=850, small_school_floor=150)
    region, year = ready(funds, Training(share_of_public_funds=0.1, where=IN_ONE))
    s = region.schools
    s.kind[0] = Kind.PRIVATE
    s.enrolment[5] = 0
    s.closed[5] = year.number
    running = training = 0.0
    for j in range(s.n):
        primary, junior = s.enrolment[j].tolist()
        if j in (0, 5) or primary + junior == 0:
            continue
        rate = (650 * primary + 850 * junior) / (primary + junior)
        money = rate * max(primary + junior, 150)
        part = 0.1 * money if s.district[j] == 0 else 0.0
        running, training = running + money - part, training + part
    finance(region, year)
    assert booked(year, "public_funds") == {"running costs": pytest.approx(running)}
    assert booked(year, "training") == {"courses": pytest.approx(training)}


@pytest.mark.parametrize("who", ["seconded", "seconded_across", "rotated", "rotated_to_weak", "village_posts"])
@pytest.mark.parametrize("where", [Where(), IN_ONE])
def test_a_stipend_is_paid_to_each_person_it_is_for_and_to_nobody_else(who: str, where: Where) -> None:
    lever = Stipend(yuan_per_year=10_000, who=who, passed_on=0.7, where=where)
    region, year = ready(lever)
    t, s = region.teachers, region.schools
    rng = np.random.default_rng(2)
    t.away_as[:] = rng.integers(0, 3, t.n)
    t.school[:] = rng.permutation(t.school)  # some beyond their district
    s.score[:] = rng.normal(size=s.score.shape)
    mine = []
    for i in range(t.n):
        at = int(t.school[i])
        village = s.setting[at] == Setting.VILLAGE
        counts = {
            "seconded": t.away_as[i] == 2,
            "seconded_across": t.away_as[i] == 2 and s.district[t.post[i]] != s.district[at],
            "rotated": t.away_as[i] == 1,
            "rotated_to_weak": t.away_as[i] == 1 and (village or s.score[at].sum() < 0),
            "village_posts": village,
        }[who]
        mine.append(bool(counts) and (where == Where() or s.district[at] == 0))
    finance(region, year)
    assert 0 < sum(mine) < t.n
    assert booked(year, "stipend") == {"stipend": pytest.approx(10_000 * sum(mine))}
    np.testing.assert_allclose(t.stipend, np.where(mine, 7000.0, 0.0))


def test_who_is_lent_inside_a_district_has_no_part_in_a_stipend_for_those_lent_across() -> None:
    region, year = ready(Stipend(yuan_per_year=1000, who="seconded_across"))
    t, s = region.teachers, region.schools
    row = int(np.flatnonzero(s.district[t.post] == 0)[0])
    t.away_as[row] = 2
    finance(region, year)
    assert booked(year, "stipend") == {}
    t.school[row] = int(np.flatnonzero(s.district == 1)[0])
    finance(region, year)
    assert booked(year, "stipend") == {"stipend": 1000}


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_degrees_are_paid_by_those_gained(share: float) -> None:
    region, year = ready(InServiceDegrees(share_per_year=share))
    before = dict(zip(region.teachers.key.tolist(), region.teachers.degree_above.tolist(), strict=True))
    staffing(region, year)
    t = region.teachers
    gained = sum(bool(d) and before.get(k) is False for k, d in zip(t.key.tolist(), t.degree_above, strict=True))
    if share < 1:  # newcomers may gain one in the same autumn
        new = sum(k not in before for k in t.key.tolist())
        paid = sum(booked(year, "in_service_degrees").values()) / region.prices["degree_course"]
        assert gained <= paid <= gained + new
        assert (paid == 0) == (share == 0)
    else:
        assert t.degree_above.all()


def test_backbones_named_are_paid_for_one_by_one() -> None:
    region, year = ready(BackbonePipeline(per_year=3, share_per_year=0.02))
    before = set(region.teachers.key[region.teachers.backbone > 0].tolist())
    staffing(region, year)
    t = region.teachers
    named = {k for k in t.key[t.backbone > 0].tolist() if k not in before}
    money = region.prices["backbone_training"] * len(named)
    assert named
    assert booked(year, "backbone_pipeline") == {"training": pytest.approx(money)}


# ---------------------------------------------------------------- networks

KINDS: list[tuple[Network, Any, str]] = [
    (Network.GROUP, EducationGroups, "yuan_per_member"),
    (Network.PAIR, UrbanRuralPairs, "yuan_per_pair"),
    (Network.COMMUNITY, RegionalCommunities, "yuan_per_pair"),
    (Network.COOPERATIVE, CooperativeSchools, "yuan_per_school"),
    (Network.ZONE, SchoolZones, "yuan_per_school"),
]


@pytest.mark.parametrize(("kind", "lever", "field"), KINDS, ids=[k[1].NAME for k in KINDS])
def test_a_network_costs_its_rate_for_each_member_in_the_entrys_places(kind: Network, lever: Any, field: str) -> None:
    where = Where() if lever.WHOLE_REGION else IN_ONE
    region, year = ready(lever(**{field: 3000.0}, where=where))
    n, s = region.networks, region.schools
    n.keep(np.zeros(n.n, bool))
    inside, outside = np.flatnonzero(s.district == 0)[:4], np.flatnonzero(s.district == 1)[:3]
    for i, member in enumerate((*inside, *outside)):
        lead = int(outside[0] if i % 2 else inside[0])
        n.append(1, kind=int(kind), lead=lead, member=int(member), since=2019, until=FOREVER)
    n.append(1, kind=int(kind), lead=0, member=1, since=2015, until=year.number - 1)  # over
    n.append(1, kind=(int(kind) + 1) % 5, lead=0, member=1, since=2015, until=FOREVER)  # of another kind
    finance(region, year)
    members = 4 if where == IN_ONE else 7
    assert sum(booked(year, lever.NAME).values()) == pytest.approx(3000 * members)


def test_digital_lessons_cost_by_the_pupils_of_schools_that_use_them_and_by_their_share() -> None:
    region, year = ready(DigitalResources(coverage=0.5, use=0.4, where=IN_ONE))
    s = region.schools
    s.digital[:] = np.linspace(0, 0.5, s.n)
    finance(region, year)
    using = [j for j in range(s.n) if s.district[j] == 0 and s.digital[j] > 0]
    pupils = {j: int(s.enrolment[j].sum()) for j in using}
    assert booked(year, "digital_resources") == {
        "platform and devices": pytest.approx(region.prices["digital_pupil"] * sum(pupils.values())),
        "lessons": pytest.approx(region.prices["digital_lessons"] * sum(pupils[j] * s.digital[j] for j in using)),
    }


def test_buses_take_those_beyond_three_kilometres_and_beds_those_who_board_where_no_boarding_school_is() -> None:
    region, year = ready(StrongTown(boarding_share=0.2, bus_km=5, where=IN_ONE))
    s, p = region.schools, region.students
    rng = np.random.default_rng(7)
    p.way_km[:] = rng.uniform(0, 12, p.n)
    p.boards[:] = rng.random(p.n) < 0.3
    seats = [j for j in range(s.n) if s.town_seat[j] and s.district[j] == 0]
    s.boarding[:] = False
    s.boarding[seats[0]] = True
    riders = sum(p.school[i] in seats and p.way_km[i] > 3 and not p.boards[i] for i in range(p.n))
    beds = sum(p.school[i] in seats[1:] and bool(p.boards[i]) for i in range(p.n))
    finance(region, year)
    assert riders > 0 < beds
    assert booked(year, "strong_town") == {
        "buses": pytest.approx(riders * region.prices["bus_pupil"]),
        "boarding": pytest.approx(beds * region.prices["boarding_place"]),
    }


# ---------------------------------------------------------------- buildings and classes


@pytest.mark.parametrize(("share", "more"), [(0.0, 0.0), (1.0, 0.0), (1.5, 0.5), (2.0, 1.0)])
def test_upkeep_costs_only_what_goes_beyond_the_years_wear(share: float, more: float) -> None:
    region, year = ready(FacilityMaintenance(share_of_wear=share))
    region.schools.closed[3] = year.number
    finance(region, year)
    floor = sum(float(region.schools.floor_area[j]) for j in range(region.schools.n) if j != 3)
    money = more * INPUT.wear * floor * region.prices["repair"]
    assert booked(year, "facility_maintenance") == ({"repair": pytest.approx(money)} if more else {})


@pytest.mark.parametrize("cap", [0, 20, 60])
def test_a_class_cap_costs_the_classes_that_would_not_be_without_it(cap: int) -> None:
    region, year = ready(Caps(class_primary=cap))
    c = region.classes
    added = 0
    for school in range(region.schools.n):
        for grade in range(1, 10):
            sizes = [int(c.size[i]) for i in range(c.n) if c.school[i] == school and c.grade[i] == grade]
            added += max(len(sizes) - math.ceil(sum(sizes) / 55), 0)
    finance(region, year)
    assert sum(booked(year, "caps").values()) == pytest.approx(added * region.prices["added_class"] * (cap > 0))


def test_a_tighter_cap_makes_more_classes_and_costs_more() -> None:
    paid = []
    for cap in (0, 45, 25, 15):
        rooms = NewPlaces(start=2020, until=2020, primary_classes=60)
        history = simulate(settled(), Policy((Caps(class_primary=cap), rooms)), INPUT, 1, 2)
        mine = (history.finance["lever"] == "caps") & (history.finance["year"] == 2021)
        paid.append(float(history.finance["yuan"][mine].sum()))
    assert paid[0] == 0
    assert paid[1] < paid[2] < paid[3]


ITEMS = [
    ("teaching_area_m2", 50.0, "teaching_area", "teaching_area"),
    ("sports_area_m2", 70.0, "sports_area", "sports_area"),
    ("equipment_sets", 90.0, "equipment", "equipment_set"),
    ("multimedia_rooms", 2, "multimedia_rooms", "multimedia_room"),
    ("music_rooms", 3, "music_rooms", "art_room"),
    ("art_rooms", 1, "art_rooms", "art_room"),
    ("grade_c_m2", 20.0, "repair", "repair"),
]


@pytest.mark.parametrize(("field", "amount", "item", "price"), ITEMS, ids=[i[0] for i in ITEMS])
def test_works_cost_their_amount_at_the_price_of_the_item(field: str, amount: float, item: str, price: str) -> None:
    region, year = ready(FacilityInvestment(**{field: amount}))
    region.schools.grade_c_area[:] = 10.0
    facilities(region, year)
    assert booked(year, "facility_investment") == {item: pytest.approx(amount * region.prices[price])}


def test_hired_venues_cost_their_area_and_bought_lessons_their_full_time_teachers() -> None:
    region, year = ready(HiredVenues(share_of_gap=0.4), PeArtRecruitment(bought_lessons=0.5))
    s = region.schools
    gap = np.maximum(facility_need(s.enrolment, "sports_area") - s.sports_area, 0.0).sum()
    facilities(region, year)
    assert booked(year, "hired_venues") == {"rent": pytest.approx(0.4 * gap * region.prices["hired_sports_area"])}
    staffing(region, year)
    lessons = float(s.bought_lessons.sum()) * region.prices["bought_lesson"]
    assert booked(year, "pe_art_recruitment") == {"bought lessons": pytest.approx(lessons)}


def test_new_classes_cost_their_seats_and_the_award_is_a_transfer_beside_the_cost() -> None:
    award = CapacityAward(yuan_per_primary_class=1000, yuan_per_junior_class=2000)
    region, year = ready(NewPlaces(primary_classes=2, junior_classes=3), award)
    places(region, year)
    assert booked(year, "new_places") == {"building": pytest.approx((2 * 45 + 3 * 50) * region.prices["place"])}
    assert booked(year, "capacity_award") == {"award": 2 * 1000 + 3 * 2000}
    assert year.ledger.total(transfers=True) == 8000
    assert year.ledger.total(transfers=False) == pytest.approx((2 * 45 + 3 * 50) * region.prices["place"])


# ---------------------------------------------------------------- levers in general


@pytest.mark.parametrize("kind", LEVERS.values(), ids=list(LEVERS))
def test_a_lever_at_its_neutral_values_costs_nothing(kind: type[Lever]) -> None:
    region = settled(policy=BASELINE)
    a = simulate(region, NOTHING, INPUT, 1, 1).finance
    b = simulate(region, Policy((kind(),)), INPUT, 1, 1).finance
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


STRONGER: list[tuple[Any, str, tuple[float, ...], dict[str, Any]]] = [
    (EducationGroups, "yuan_per_member", (0.0, 1e3, 1e4), {"coverage": 0.8, "members": 2}),
    (EducationGroups, "coverage", (0.0, 0.5, 1.0), {"yuan_per_member": 1e3, "members": 2}),
    (UrbanRuralPairs, "coverage", (0.0, 0.5, 1.0), {"yuan_per_pair": 1e3}),
    (UrbanRuralPairs, "yuan_per_pair", (0.0, 1e3, 1e4), {"coverage": 1.0}),
    (RegionalCommunities, "schools_per_pair", (0, 2, 4), {"yuan_per_pair": 1e3, "pairs": ("Yunlan-Qiuhe",)}),
    (RegionalCommunities, "yuan_per_pair", (0.0, 1e3, 1e4), {"schools_per_pair": 4, "pairs": ("Yunlan-Qiuhe",)}),
    (CooperativeSchools, "count", (0, 1, 3), {"yuan_per_school": 1e3}),
    (CooperativeSchools, "yuan_per_school", (0.0, 1e3, 1e4), {"count": 2}),
    (SchoolZones, "yuan_per_school", (0.0, 1e3, 1e4), {"coverage": 1.0}),
    (DigitalResources, "coverage", (0.0, 0.4, 1.0), {"use": 0.3}),
    (DigitalResources, "use", (0.1, 0.3, 1.0), {"coverage": 0.5}),
    (Stipend, "yuan_per_year", (0.0, 1e3, 1e4), {"who": "village_posts"}),
    (BackbonePipeline, "per_year", (0, 1, 4), {}),
    (InServiceDegrees, "share_per_year", (0.0, 0.2, 0.8), {}),
    (FacilityInvestment, "yuan_per_pupil", (0.0, 50.0, 500.0), {}),
    (FacilityMaintenance, "share_of_wear", (1.0, 1.5, 2.0), {}),
    (HiredVenues, "share_of_gap", (0.0, 0.3, 1.0), {}),
    (NewPlaces, "growth_primary", (0.0, 0.1, 0.3), {}),
    (PeArtRecruitment, "bought_lessons", (0.0, 0.3, 1.0), {}),
    (PublicFunds, "small_school_floor", (0, 120, 300), {"primary": 650.0, "junior": 850.0}),
    (TeacherPay, "village_supplement", (0.0, 1e3, 1e5), {}),
    (TeacherPay, "ratio_to_civil_service", (1.0, 1.1, 1.5), {}),
    (StrongTown, "bus_km", (0.0, 3.0, 30.0), {}),
    (NewSchools, "primary_classes", (6, 12, 24), {"primary": ("新校@云岚街道",), "start": 2020, "until": 2020}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "field", "levels", "others"), STRONGER, ids=[f"{s[0].NAME}-{s[1]}" for s in STRONGER])
def test_more_of_a_lever_costs_more(kind: Any, field: str, levels: tuple[float, ...], others: dict[str, Any]) -> None:
    paid = []
    for level in levels:
        history = simulate(settled(), Policy((kind(**others, **{field: level}),)), INPUT, 1, 2)
        mine = history.finance["lever"] == kind.NAME
        paid.append(float(history.finance["yuan"][mine].sum()))
    assert paid == sorted(paid)
    assert paid[-1] > paid[0]
    if levels[0] == 0 and not isinstance(levels[0], bool) and kind is not PublicFunds:
        assert paid[0] == 0


def test_a_budget_is_named_in_the_years_when_the_levers_cost_more_and_in_no_other() -> None:
    region = settled(policy=BASELINE)
    plain = simulate(region, RICH_ALONE, INPUT, 1, 3)
    f = plain.finance
    of_levers = ~np.isin(f["lever"], ["payroll", "public_funds"])
    spent = {y: float(f["yuan"][of_levers & (f["year"] == y)].sum()) for y in plain.years}
    for limit in (1.0, min(spent.values()), float(np.median(list(spent.values()))), max(spent.values()), 1e12):
        history = simulate(region, RICH_ALONE.with_entries([Budget(yuan_per_year=limit)]), INPUT, 1, 3)
        said = [n.year for n in history.notices if n.lever == "budget"]
        assert said == [y for y in plain.years if spent[y] > limit * (1 + 1e-12)]
        for name in f:  # nothing is cut
            np.testing.assert_array_equal(history.finance[name], f[name])
    nothing = simulate(region, RICH_ALONE.with_entries([Budget()]), INPUT, 1, 1)
    assert not [n for n in nothing.notices if n.lever == "budget"]


def test_the_budget_says_by_how_much_it_is_exceeded() -> None:
    region, year = ready(Budget(yuan_per_year=1000), Stipend(yuan_per_year=900, who="village_posts"))
    village = int((region.schools.setting[region.teachers.school] == Setting.VILLAGE).sum())
    finance(region, year)
    (said,) = [n for n in year.notices if n.lever == "budget"]
    assert f"{900 * village - 1000:,.0f} yuan" in said.en


def test_salaries_follow_the_price_of_teachers_and_no_price_else() -> None:
    region, year = ready()
    region.prices = {name: 2 * yuan for name, yuan in region.prices.items()}
    finance(region, year)
    doubled = year.ledger.total()
    region, year = ready()
    finance(region, year)
    assert doubled == pytest.approx(2 * year.ledger.total())
    quit_more = begin(region, NOTHING, altered(INPUT, title_pay=0.0))
    finance(region, quit_more)
    assert quit_more.ledger.total() == pytest.approx(region.teachers.n * region.prices["teacher_pay"])
