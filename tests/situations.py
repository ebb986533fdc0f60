"""Situations that the promises are tried in: settled villages, a policy with every lever in force, quiet behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.scenario import load_scenario
from model.behaviour import Behaviour, load_behaviour
from model.build import build_region
from model.burn_in import burn_in
from model.levers import (
    Admission,
    BackbonePipeline,
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
from model.policy import Lever, Policy
from model.region import Region
from model.school_year import SchoolYear
from model.simulate import History

NOTHING = Policy()
BASELINE = load_scenario("baseline").policy
INPUT = load_behaviour("input")

# every lever in force at once, each strong enough to be seen in a village within a few years
RICH = Policy(
    (
        EducationGroups(
            coverage=0.7, members=2, managers_exchanged=4, teachers_exchanged=1, cards=True, incubation=True,
            integrated=True, yuan_per_member=1e5,
        ),
        UrbanRuralPairs(coverage=1.0, seconded_per_pair=1, term_years=2, yuan_per_pair=5e4),
        RegionalCommunities(pairs=("Yunlan-Qiuhe",), schools_per_pair=6, seconded_per_school=1, term_years=2),
        CooperativeSchools(count=1, trained_years=2, seconded_per_school=1),
        SchoolZones(coverage=1.0, joint_research=1.0, shared_venues=0.5, yuan_per_school=1e4),
        DigitalResources(coverage=0.5, use=0.3),
        TeacherRotation(share_of_eligible=0.3, backbone_share=0.2, eligible_after_years=3, term_years=2),
        BundledEvaluation(weight=0.3),
        Stipend(yuan_per_year=40_000, who="seconded", passed_on=0.8),
        CareerRules(senior_title_weak_years=2, head_weak_years=2, village_titles=0.5),
        HeadExchange(share_per_year=0.4),
        Posts(follow_enrolment=0.5, one_standard=0.5, small_school_posts=1.5, quota_growth=0.02),
        PeArtRecruitment(teachers=1, bought_lessons=0.5),
        BackbonePipeline(per_year=2, to_short_schools=0.5),
        InServiceDegrees(share_per_year=0.2),
        Training(share_of_public_funds=0.05),
        FacilityInvestment(
            yuan_per_pupil=300, teaching_area_m2=40, sports_area_m2=60, equipment_sets=50, multimedia_rooms=2,
            music_rooms=1, art_rooms=1, grade_c_m2=100,
        ),
        FacilityMaintenance(share_of_wear=0.5),
        HiredVenues(share_of_gap=0.3),
        NewPlaces(primary_classes=1, junior_classes=1),
        NewSchools(start=2021, until=2021, nine_year=("新校@云岚街道",), primary_classes=6, junior_classes=3),
        CapacityAward(yuan_per_primary_class=1e5, yuan_per_junior_class=2e5),
        Caps(class_primary=45, class_junior=50, school=2000, nine_year=2500),
        Admission(proximity_primary=0.5, proximity_junior=0.5),
        SeniorHighQuota(share=0.5, village_tilt=0.5, enrolment_years=3),
        PublicFunds(primary=650, junior=850, small_school_floor=100),
        TeacherPay(ratio_to_civil_service=1.02, village_supplement=6000),
        SchoolMerging(below_pupils=60),
        StrongTown(boarding_share=0.1, bus_km=3, practice_support=0.5),
    )
)  # fmt: skip


def without(policy: Policy, kind: type[Lever]) -> Policy:
    """The policy with no entry of one lever."""
    return Policy(tuple(entry for entry in policy.entries if not isinstance(entry, kind)))


def only(*kinds: type[Lever]) -> Policy:
    """Some levers as they stand in the rich policy."""
    return Policy(tuple(entry for entry in RICH.entries if isinstance(entry, kinds)))


def altered(behaviour: Behaviour, **values: float) -> Behaviour:
    """A behaviour with some parameters set otherwise, outside their plausible range where need be."""
    assert set(values) <= set(behaviour.values)
    return Behaviour(behaviour.calibration, {**behaviour.values, **values})


def quiet(**values: float) -> Behaviour:
    """Nobody learns but by what is set here, no noise, no teacher leaves before retiring, practice stands still."""
    still = dict.fromkeys(
        (
            "ability_sd", "ses_effect", "learning_shock_sd", "teacher_effect", "experience_gain", "substitute_effect",
            "management_effect", "peer_effect", "class_size_effect", "facility_effect", "team_change", "mover_loss",
            "school_year_shock_sd", "home_effect_urban", "home_effect_town", "home_effect_village", "town_to_city",
            "reputation_noise", "lead_dilution", "colleague_learning", "digital_effect", "digital_dip",
            "early_retirement", "leadership_sd",
        ),
        0.0,
    )  # fmt: skip
    never = dict.fromkeys(("quit_rate", "transfer_rate_village", "transfer_rate_other"), 1e-300)
    return altered(INPUT, **(still | never | {"test_reliability": 1.0, "practice_memory": 1.0} | values))


@cache
def _settled(name: str, policy: Policy, seed: int) -> Region:
    return burn_in(build_region(name, seed=seed), INPUT, policy)


def settled(name: str = "village", policy: Policy = NOTHING, seed: int = 1) -> Region:
    """A region at the end of its base year under some levers; one's own copy of it."""
    return _settled(name, policy, seed).copy()


def begin(region: Region, policy: Policy = NOTHING, behaviour: Behaviour = INPUT, seed: int = 1) -> SchoolYear:
    """The next school year of a region, with the rights of admission that stand."""
    year = SchoolYear.begin(region, policy, behaviour, seed)
    year.seen.rights = region.schools.right.copy()
    return year


def columns(region: Region) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every column of a region, and its scale, by name."""
    for name, table in region.tables().items():
        for title, values in table.items():
            yield f"{name}.{title}", values
    for f in fields(region.scale):
        yield f"scale.{f.name}", getattr(region.scale, f.name)


def same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Equal to the last bit."""
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and (a.dtype == object or a.tobytes() == b.tobytes())
        and (a.dtype != object or bool((a == b).all()))
    )


def differences(a: History, b: History) -> list[str]:
    """What two histories do not share to the last bit: columns of the last region, indicators, yuan, notices."""
    found = [name for (name, x), (_, y) in zip(columns(a.region), columns(b.region), strict=True) if not same(x, y)]
    keys = ("year", "level", "place", "stage", "indicator", "value")
    if all(same(a.indicators[k], b.indicators[k]) for k in keys[:-1]):
        x, y = a.indicators["value"], b.indicators["value"]
        changed = ~((x == y) | (np.isnan(x) & np.isnan(y)))
        found += [f"indicator {name}" for name in sorted(set(a.indicators["indicator"][changed]))]
    else:
        found.append("rows of indicators")
    if not all(same(a.finance[k], b.finance[k]) for k in a.finance):
        found.append("finance")
    if a.notices != b.notices:
        found.append("notices")
    return found


def indicator(history: History, name: str, stage: str = "primary", level: str = "region", place: str = "") -> Any:
    """One indicator by year; shape (years,)."""
    i = history.indicators
    rows = (i["indicator"] == name) & (i["stage"] == stage) & (i["level"] == level)
    if place:
        rows &= i["place"] == place
    return i["value"][rows]


def changed_values(a: History, b: History) -> set[str]:
    """The names of indicators that two histories of the same places do not agree on."""

    def table(history: History) -> dict[tuple[Any, ...], float]:
        i = history.indicators
        keys = zip(i["year"], i["level"], i["place"], i["stage"], i["indicator"], strict=True)
        return dict(zip(keys, i["value"], strict=True))

    x, y = table(a), table(b)
    return {
        key[-1]
        for key in x.keys() | y.keys()
        if not np.array_equal(x.get(key, np.inf), y.get(key, np.inf), equal_nan=True)
    }


def permuted(region: Region, table: str, order: NDArray[np.intp]) -> Region:
    """The same region with the rows of schools, teachers or students (and families) in another order."""
    new = region.copy()
    to = np.empty(order.size, np.int64)
    to[order] = np.arange(order.size)

    def follow(values: NDArray[Any]) -> None:
        values[:] = np.where(values >= 0, to[np.maximum(values, 0)], values)

    if table == "schools":
        new.schools.permute(order)
        t, s, n = new.teachers, new.students, new.networks
        for values in (t.post, t.school, s.school, s.wish, new.classes.school, n.lead, n.member):
            follow(values)
    elif table == "teachers":
        new.teachers.permute(order)
        follow(new.classes.team)
    else:
        new.students.permute(order)
        new.families.permute(order)
    return new
