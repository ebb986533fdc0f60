"""The arrays and the village live the same years and agree: who is where, what everybody knows, every yuan.

`village.py` is written from docs/ODD.md and draws its own numbers; no line of it is shared with the steps. Draws
have the same addresses, so agreement is exact, and no statistical test is needed: whole numbers and switches are
equal, numbers in double precision within 1e-9 of one another (sums are taken in another order), those in single
precision within its rounding. One pupil in another class, one teacher at another post or one yuan fails.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import situations
import village as by_hand
from village import Village

from model.behaviour import load_behaviour
from model.build import build_region
from model.burn_in import burn_in
from model.levers import (
    LEVERS,
    Admission,
    BackbonePipeline,
    Budget,
    BundledEvaluation,
    CapacityAward,
    Caps,
    CareerRules,
    CooperativeSchools,
    DigitalResources,
    EducationGroups,
    FacilityInvestment,
    FacilityMaintenance,
    HeadExchange,
    HiredVenues,
    InServiceDegrees,
    NewPlaces,
    NewSchools,
    PeArtRecruitment,
    Posts,
    PublicFunds,
    RegionalCommunities,
    SchoolMerging,
    SchoolZones,
    SeniorHighQuota,
    Stipend,
    StrongTown,
    TeacherPay,
    TeacherRotation,
    Training,
    UrbanRuralPairs,
)
from model.new_schools import put_on_the_map
from model.policy import Lever, Policy, Where
from model.region import Region
from model.school_year import SchoolYear
from model.simulate import simulate
from model.year import STEPS

CLOSE = 1e-9
AGENTS = (
    by_hand.District, by_hand.Town, by_hand.Catchment, by_hand.School, by_hand.Teacher, by_hand.Family,
    by_hand.Student, by_hand.Klass,
)  # fmt: skip
NOT_IN_THE_VILLAGE = {("catchments", "town"), ("catchments", "part_of")}

VILLAGES, OTHERS = Where(settings=("village",)), Where(settings=("urban", "town"))
YUNLAN, QIUHE = Where(districts=("Yunlan",)), Where(districts=("秋禾县",))
SEAT = Where(towns=("禾丰镇",))
# What the five programmes order, all of it at once and strong enough to be seen in a village, one way after another
FIVE = Policy(
    (
        EducationGroups(
            until=2022,
            count=2,
            members=2,
            max_members=4,
            leads=("云岚街道第一小学", "禾丰镇中心小学"),
            across_districts=True,
            backbones_first=True,
            trained_years=2,
            lead_posts=1.0,
            shared_pe_art=0.3,
            managers_exchanged=2.5,
            teachers_exchanged=1.5,
            integrated=True,
            yuan_per_member=2e4,
        ),
        EducationGroups(
            start=2023,
            where=YUNLAN,
            coverage=0.8,
            members=3,
            managers_exchanged=4,
            teachers_exchanged=0.5,
            cards=True,
            incubation=True,
            municipal=1,
            yuan_per_member=1e5,
        ),
        EducationGroups(
            start=2023, until=2027, where=QIUHE, count=1, members=3, municipal=1, lead_posts=0.5, cards=True
        ),
        UrbanRuralPairs(until=2024, coverage=1.0, seconded_per_pair=1, term_years=2, yuan_per_pair=5e4),
        UrbanRuralPairs(start=2026, where=QIUHE, coverage=0.6, seconded_per_pair=0.5, term_years=1, yuan_per_pair=5e4),
        RegionalCommunities(
            until=2028,
            pairs=("Yunlan-Qiuhe", "秋禾县-云岚区"),
            schools_per_pair=3,
            seconded_per_school=1,
            term_years=2,
            yuan_per_pair=2e4,
        ),
        CooperativeSchools(start=2021, count=3, trained_years=2, seconded_per_school=1, yuan_per_school=5e5),
        SchoolZones(
            until=2023, coverage=1.0, joint_research=0.6, shared_venues=0.3, yuan_per_school=1e4, model_zones=1
        ),
        SchoolZones(start=2025, coverage=0.5, joint_research=1.0, shared_venues=0.5, yuan_per_school=1e4),
        DigitalResources(where=VILLAGES, coverage=1.0, use=0.15),
        DigitalResources(where=OTHERS, start=2022, coverage=0.4, use=0.3),
        TeacherRotation(until=2022, share_of_eligible=0.2, backbone_share=0.2, eligible_after_years=3),
        TeacherRotation(
            start=2023,
            until=2024,
            share_of_eligible=0.4,
            backbone_share=0.5,
            eligible_after_years=2,
            term_years=2,
            scope="group",
            direction="any",
        ),
        TeacherRotation(
            start=2025,
            until=2026,
            share_of_eligible=0.3,
            backbone_share=0.2,
            eligible_after_years=2,
            scope="zone",
            direction="urban_village",
            keeps_post=False,
        ),
        TeacherRotation(
            start=2027, share_of_eligible=0.5, backbone_share=1.0, eligible_after_years=2, scope="community"
        ),
        BundledEvaluation(where=YUNLAN, weight=0.2),
        BundledEvaluation(where=QIUHE, weight=0.9),
        Stipend(until=2021, yuan_per_year=4e4, who="seconded", passed_on=0.8),
        Stipend(
            start=2022,
            until=2023,
            yuan_per_year=2.4e4,
            who="seconded_across",
            paid_by="receiving_district",
            where=QIUHE,
        ),
        Stipend(
            start=2024,
            until=2025,
            yuan_per_year=4e4,
            who="rotated_to_weak",
            paid_by="municipality",
            received_by="teacher",
        ),
        Stipend(start=2026, until=2027, yuan_per_year=4e4, who="rotated", passed_on=0.5),
        Stipend(start=2028, yuan_per_year=4e4, who="village_posts"),
        CareerRules(until=2024, senior_title_weak_years=2, head_weak_years=3, village_titles=0.2),
        CareerRules(start=2025, senior_title_weak_years=1, newcomer_village_years=3),
        HeadExchange(share_per_year=0.4),
        Posts(until=2025, follow_enrolment=0.6, one_standard=0.5, small_school_posts=1.5, quota_growth=0.02),
        Posts(start=2026, follow_enrolment=1.0, one_standard=1.0, quota_growth=-0.02),
        PeArtRecruitment(where=QIUHE, teachers=1, bought_lessons=0.5),
        BackbonePipeline(where=YUNLAN, per_year=1, share_per_year=0.02, to_short_schools=0.7),
        BackbonePipeline(where=QIUHE, per_year=2, to_short_schools=0.1),
        InServiceDegrees(where=VILLAGES, share_per_year=0.2),
        InServiceDegrees(where=OTHERS, share_per_year=0.05),
        Training(where=VILLAGES, share_of_public_funds=0.1),
        FacilityInvestment(
            until=2022,
            yuan_per_pupil=300,
            teaching_area_m2=40,
            sports_area_m2=60,
            equipment_sets=50,
            multimedia_rooms=2,
            music_rooms=1,
            art_rooms=1,
            grade_c_m2=100,
        ),
        FacilityInvestment(
            start=2023,
            where=YUNLAN,
            yuan_per_pupil=200,
            teaching_area_m2=40,
            sports_area_m2=60,
            equipment_sets=50,
            multimedia_rooms=2,
            target="even",
        ),
        FacilityInvestment(
            start=2023,
            where=QIUHE,
            yuan_per_pupil=400,
            teaching_area_m2=40,
            sports_area_m2=60,
            equipment_sets=50,
            multimedia_rooms=2,
            grade_c_m2=500,
            target="largest_cv",
        ),
        FacilityMaintenance(where=VILLAGES, share_of_wear=1.5),
        FacilityMaintenance(where=OTHERS, share_of_wear=0.5),
        HiredVenues(share_of_gap=0.2),
        NewPlaces(where=YUNLAN, growth_primary=0.05, growth_junior=0.1),
        NewPlaces(where=QIUHE, until=2023, primary_classes=1, junior_classes=1),
        NewSchools(
            start=2021,
            until=2021,
            nine_year=("新校@云岚街道",),
            primary=("禾丰镇中心小学分校@禾丰镇",),
            primary_classes=6,
            junior_classes=3,
        ),
        NewSchools(start=2023, until=2024, junior=("新中@秋禾街道",), junior_classes=6),
        CapacityAward(yuan_per_primary_class=1.5e5, yuan_per_junior_class=2.5e5),
        Caps(until=2024, class_primary=45, class_junior=50, school=2000, nine_year=2500),
        Caps(start=2025, class_primary=35, class_junior=40, school=220, nine_year=150),
        Admission(until=2021, proximity_primary=0.5, proximity_junior=0.5),
        Admission(start=2022, until=2023, rule="multi_school_lottery", proximity_primary=0.95, proximity_junior=0.9),
        Admission(start=2024, until=2025, rule="deferred_acceptance"),
        Admission(start=2026, until=2026, rule="immediate_acceptance"),
        Admission(start=2027, until=2027, rule="merit"),
        Admission(start=2028, proximity_primary=1.0, proximity_junior=1.0),
        SeniorHighQuota(share=0.5, village_tilt=0.5, enrolment_years=2),
        PublicFunds(until=2022, primary=650, junior=850, small_school_floor=100),
        PublicFunds(start=2023, primary=720, junior=940, small_school_floor=100),
        TeacherPay(where=YUNLAN, ratio_to_civil_service=1.02, village_supplement=6000),
        TeacherPay(where=QIUHE, ratio_to_civil_service=0.9, village_supplement=12000),
        SchoolMerging(until=2021, below_pupils=60),
        SchoolMerging(start=2025, until=2026, below_pupils=160),
        StrongTown(where=SEAT, boarding_share=0.5, bus_km=5, practice_support=0.5),
        Budget(yuan_per_year=1e6),
    )
)

# Levers that ask for more than there is, or for what is not there
TOO_MUCH = Policy(
    (
        TeacherRotation(share_of_eligible=0.5, eligible_after_years=1, scope="group"),
        Stipend(yuan_per_year=40_000, who="seconded"),
        CapacityAward(yuan_per_primary_class=1e5),
        PeArtRecruitment(teachers=100),
        BackbonePipeline(per_year=100, to_short_schools=0.5),
        FacilityInvestment(yuan_per_pupil=50_000, music_rooms=20, grade_c_m2=5_000),
        CooperativeSchools(count=20),
        EducationGroups(start=2021, coverage=1.0, members=1),
    )
)

NEAR = {"proximity_primary": 0.5, "proximity_junior": 0.5}
WORKS = next(entry for entry in situations.RICH.entries if isinstance(entry, FacilityInvestment))
NAMED_LEADS = EducationGroups(
    count=2,
    members=2,
    max_members=4,
    leads=("云岚街道第一小学", "禾丰镇中心小学"),
    across_districts=True,
    backbones_first=True,
    trained_years=2,
    lead_posts=1.0,
    shared_pe_art=0.3,
    municipal=1,
    managers_exchanged=2.5,
    teachers_exchanged=1.5,
    cards=True,
    incubation=True,
    integrated=True,
    yuan_per_member=2e4,
)

# One lever of the rich policy pulled another way
VARIANTS: dict[str, tuple[Lever, ...]] = {
    "lottery": (Admission(rule="multi_school_lottery", **NEAR),),
    "deferred": (Admission(rule="deferred_acceptance", **NEAR),),
    "immediate": (Admission(rule="immediate_acceptance", **NEAR),),
    "merit": (Admission(rule="merit", **NEAR),),
    "nobody crosses": (Admission(proximity_primary=1.0, proximity_junior=0.9),),
    "named leads": (NAMED_LEADS,),
    "two kinds of groups": (
        EducationGroups(count=1, members=3, start=2020, until=2022, where=QIUHE, lead_posts=0.5),
        EducationGroups(coverage=0.8, members=3, max_members=5, where=YUNLAN, trained_years=1, cards=True, municipal=2),
    ),
    "ties end": (
        EducationGroups(coverage=0.9, until=2023),
        UrbanRuralPairs(coverage=0.5, until=2022, seconded_per_pair=0.5, term_years=1, where=QIUHE),
        SchoolZones(coverage=0.5, until=2021),
        CooperativeSchools(count=2, until=2024),
        RegionalCommunities(
            pairs=("Yunlan-Qiuhe", "秋禾县-云岚区"), schools_per_pair=3, until=2023, seconded_per_school=0.7
        ),
    ),
    "rotation in groups": (
        TeacherRotation(
            share_of_eligible=0.4,
            backbone_share=0.5,
            eligible_after_years=2,
            term_years=1,
            scope="group",
            direction="any",
        ),
    ),
    "rotation in zones": (
        TeacherRotation(
            share_of_eligible=0.4,
            backbone_share=0.5,
            eligible_after_years=2,
            term_years=1,
            scope="zone",
            direction="urban_village",
            keeps_post=False,
        ),
    ),
    "rotation in communities": (
        TeacherRotation(
            share_of_eligible=0.4, backbone_share=0.5, eligible_after_years=2, term_years=3, scope="community"
        ),
    ),
    "rotation by place": (
        TeacherRotation(share_of_eligible=0.4, eligible_after_years=4, where=QIUHE),
        TeacherRotation(share_of_eligible=0.2, backbone_share=1.0, keeps_post=False, where=YUNLAN),
    ),
    "bundled": (
        BundledEvaluation(weight=0.9, where=YUNLAN),
        BundledEvaluation(weight=0.5, where=QIUHE),
    ),
    "stipend rotated": (Stipend(yuan_per_year=40000, who="rotated", paid_by="municipality", received_by="teacher"),),
    "stipend rotated to weak": (
        Stipend(yuan_per_year=40000, who="rotated_to_weak", passed_on=0.5, paid_by="receiving_district"),
    ),
    "stipend village posts": (Stipend(yuan_per_year=40000, who="village_posts", passed_on=0.5),),
    "stipend seconded across": (
        Stipend(yuan_per_year=40000, who="seconded_across", passed_on=0.5, paid_by="receiving_district", where=QIUHE),
    ),
    "stipend in villages": (Stipend(yuan_per_year=40000, who="seconded", where=VILLAGES),),
    "stipend in one district": (Stipend(yuan_per_year=40000, who="rotated", where=YUNLAN),),
    "newcomers to villages": (CareerRules(newcomer_village_years=3, senior_title_weak_years=1),),
    "works even": (dataclasses.replace(WORKS, target="even"),),
    "works by spread": (dataclasses.replace(WORKS, target="largest_cv"),),
    "more works than needed": (
        FacilityInvestment(yuan_per_pupil=20000, where=QIUHE),
        FacilityInvestment(
            teaching_area_m2=20000, equipment_sets=20000, multimedia_rooms=100, grade_c_m2=10000, where=YUNLAN
        ),
    ),
    "places by share": (
        NewPlaces(growth_primary=0.1, growth_junior=0.1, where=QIUHE),
        NewPlaces(primary_classes=2, where=YUNLAN),
    ),
    "backbones": (BackbonePipeline(share_per_year=0.1, to_short_schools=0.7, where=QIUHE),),
    "degrees": (InServiceDegrees(share_per_year=0.3, where=VILLAGES),),
    "more upkeep than wear": (FacilityMaintenance(share_of_wear=1.5, where=VILLAGES),),
    "one strong town": (
        StrongTown(boarding_share=0.5, bus_km=5, practice_support=1.0, where=Where(towns=("禾丰镇",))),
    ),
    "many merge": (SchoolMerging(below_pupils=140),),
    "many merge in a lottery": (
        SchoolMerging(below_pupils=140),
        Admission(rule="multi_school_lottery"),
    ),
    "budget": (Budget(yuan_per_year=1e5),),
    "narrow caps": (Caps(class_primary=30, class_junior=30, school=200, nine_year=150),),
    "pay": (TeacherPay(ratio_to_civil_service=1.3, village_supplement=20000, where=QIUHE),),
    "public funds": (
        PublicFunds(primary=650, junior=850, where=VILLAGES),
        Training(share_of_public_funds=0.1, where=OTHERS),
    ),
    "digital": (
        DigitalResources(coverage=1.0, use=0.15, where=VILLAGES),
        DigitalResources(coverage=0.3, use=0.1, where=OTHERS),
    ),
    "quota": (SeniorHighQuota(share=1.0, village_tilt=2.0, enrolment_years=2),),
    "heads": (HeadExchange(share_per_year=0.5, where=YUNLAN),),
    "fewer posts": (Posts(follow_enrolment=1.0, one_standard=1.0, small_school_posts=3.0, quota_growth=-0.05),),
    "new schools": (
        NewSchools(start=2021, until=2021, primary=("甲校@禾丰镇", "乙校@晓溪镇"), primary_classes=12),
        NewSchools(start=2022, until=2024, junior=("丙校@秋禾街道",), junior_classes=6),
        CooperativeSchools(count=3, trained_years=1),
    ),
}


def test_the_village_lives_the_steps_of_the_year_in_their_order() -> None:
    assert [step.__name__ for step in by_hand.THE_YEAR] == [step.__name__ for step in STEPS]


def test_every_lever_is_in_force_in_the_ten_years() -> None:
    pulled = {entry.NAME for entry in FIVE.entries if not entry.is_neutral()}
    assert pulled == set(LEVERS)


@pytest.mark.parametrize(
    "policy",
    [situations.BASELINE, situations.RICH, FIVE, TOO_MUCH],
    ids=["baseline", "rich", "five programmes", "too much"],
)
def test_the_first_two_years_agree_step_by_step(policy: Policy) -> None:
    region = situations.settled(policy=situations.BASELINE)
    living, village = region.copy(), Village(region, policy, situations.INPUT, seed=1)
    put_on_the_map(living, policy)
    for _ in range(2):
        year = SchoolYear.begin(living, policy, situations.INPUT, seed=1)
        village.begin_year()
        for step, same_step in zip(STEPS, by_hand.THE_YEAR, strict=True):
            step(living, year)
            same_step(village)
            assert dict(differences(village, living)) == {}, f"{step.__name__} of {year.number}"
            assert village.ledger == pytest.approx(year.ledger.entries, rel=1e-9)
            assert sorted(lever for _, lever in village.notices) == sorted(n.lever for n in year.notices)
        for count, seen in ((village.vacancies, year.seen.vacancies), (village.posts_over, year.seen.over)):
            by_school = [[count.get((school, stage), 0) for stage in (0, 1)] for school in village.schools]
            assert by_school == seen.tolist(), f"posts of {year.number}"
        living.year = year.number


def test_ten_years_agree_with_the_levers_of_all_five_programmes_in_force() -> None:
    agree(situations.settled(policy=situations.BASELINE), FIVE, "input", seed=1, years=10)


def test_ten_years_agree_where_homes_make_most_of_the_gap() -> None:
    region = burn_in(build_region("village", seed=2), load_behaviour("sorting"), situations.BASELINE)
    agree(region, FIVE, "sorting", seed=12, years=10)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_six_years_agree_with_a_lever_pulled_another_way(name: str) -> None:
    entries = VARIANTS[name]
    kinds = {type(entry) for entry in entries}
    others = tuple(entry for entry in situations.RICH.entries if type(entry) not in kinds)
    agree(situations.settled(policy=situations.BASELINE), Policy(others + entries), "input", seed=1, years=6)


@pytest.mark.parametrize(
    ("table", "column"), [("students", "achievement"), ("schools", "reputation"), ("teachers", "lasting")]
)
def test_one_number_that_is_a_little_off_is_found(table: str, column: str) -> None:
    region = situations.settled(policy=situations.BASELINE)
    village = Village(region, situations.BASELINE, situations.INPUT, seed=1)
    assert not [*differences(village, region)]
    getattr(region.tables()[table], column).flat[5] += 3e-9
    assert [name for name, _ in differences(village, region)] == [f"{table}.{column}"]


def test_one_teacher_at_another_post_is_found() -> None:
    region = situations.settled(policy=situations.BASELINE)
    village = Village(region, situations.BASELINE, situations.INPUT, seed=1)
    region.teachers.post[7] = (region.teachers.post[7] + 1) % region.schools.n
    assert [name for name, _ in differences(village, region)] == ["teachers.post"]


def agree(region: Region, policy: Policy, calibration: str, seed: int, years: int) -> None:
    """Both live some years: the same region after the last one, the same money and notices in each."""
    behaviour = load_behaviour(calibration)
    history = simulate(region, policy, behaviour, seed, years)
    village = Village(region, policy, behaviour, seed)
    money, said = {}, []
    for lived in range(years):
        village.step()
        money |= {(village.year, *line): yuan for line, yuan in village.ledger.items()}
        said += village.notices
        pupils = [school.enrolment for school in village.schools]
        assert pupils == history.schools[lived]["enrolment"].tolist(), f"enrolment of {village.year}"
        scores = [school.score for school in village.schools]
        assert np.allclose(scores, history.schools[lived]["score"], 0, CLOSE), f"scores of {village.year}"
    assert dict(differences(village, history.region)) == {}
    finance = history.finance
    titles = ("year", "payer", "receiver", "lever", "item")
    booked = dict(zip(zip(*(finance[title] for title in titles), strict=True), finance["yuan"], strict=True))
    assert money.keys() == booked.keys()
    assert money == pytest.approx(booked, rel=1e-9)
    assert sorted(said) == sorted((notice.year, notice.lever) for notice in history.notices)


def differences(village: Village, region: Region) -> Iterator[tuple[str, Any]]:
    """Columns in which the two differ, with the rows (or the numbers of rows)."""
    agents = {
        "catchments": village.catchments,
        "schools": village.schools,
        "teachers": village.teachers,
        "families": village.families,
        "students": village.students,
        "classes": village.classes,
        "networks": village.ties,
    }
    row = {None: -1}
    for held in (village.districts, village.towns, *agents.values()):
        row |= {agent: i for i, agent in enumerate(held)}
    for name, held in agents.items():
        table = region.tables()[name]
        if len(held) != table.n:
            yield name, (len(held), table.n)
            continue
        for column, values in table.items():
            if (name, column) in NOT_IN_THE_VILLAGE or table.n == 0:
                continue
            own = np.array([as_number(getattr(agent, column), row) for agent in held])
            alike = (
                np.isclose(own, values, 0, tolerance(name, column, values))
                if values.dtype.kind == "f"
                else own == values
            )
            if not alike.all():
                yield f"{name}.{column}", np.argwhere(~alike).tolist()


def as_number(value: Any, row: dict[Any, int]) -> Any:
    """A column's value; another agent is its row."""
    if isinstance(value, list):
        return [as_number(part, row) for part in value]
    return row.get(value, value) if value is None or isinstance(value, AGENTS) else value


def tolerance(table: str, column: str, values: Any) -> Any:
    """How far two numbers may lie apart: sums differ by their order, single precision by its rounding."""
    if values.dtype == np.float32:
        return 2.0**-23 * np.maximum(np.abs(values), 1)
    if (table, column) == ("schools", "satisfaction"):  # a mean of numbers in single precision
        return 2.0**-24
    return CLOSE * np.maximum(np.abs(values), 1)
