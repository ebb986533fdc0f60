"""Each step moves what it is for, in the direction the evidence says, and nothing it should not."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from situations import (
    BASELINE,
    INPUT,
    NOTHING,
    RICH,
    altered,
    begin,
    columns,
    indicator,
    permuted,
    quiet,
    same,
    settled,
)

import model.steps.admission as admission_step
import model.steps.networks as networks_step
import model.steps.rotation as rotation_step
import model.steps.staffing as staffing_step
from model.behaviour import Behaviour
from model.draws import Floats
from model.errors import InputError
from model.indicators import Rows
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
    Lever,
    NewPlaces,
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
from model.measure import measure
from model.national_standard import standard
from model.pay import comes_with_post
from model.policy import FOREVER, Policy, Where
from model.quality import effectiveness, employer_view, facility_need, standing
from model.region import Kind, Network, Region, Setting, Stage, Subject
from model.school_year import SchoolYear
from model.simulate import simulate
from model.steps.admission import admission
from model.steps.assessment import assessment
from model.steps.classes import classes
from model.steps.demography import demography
from model.steps.development import RIPENING, development
from model.steps.facilities import facilities, spread
from model.steps.finance import finance
from model.steps.learning import class_input, learning, school_input
from model.steps.networks import networks
from model.steps.places import places
from model.steps.policy_of_the_year import policy_of_the_year
from model.steps.reputation import reputation
from model.steps.rotation import rotation
from model.steps.staffing import staffing
from model.year import STEPS, live


def of(*entries: Lever) -> Policy:
    return Policy(entries)


def ready(policy: Policy = NOTHING, behaviour: Behaviour = INPUT) -> tuple[Region, SchoolYear]:
    region = settled(policy=BASELINE)
    return region, begin(region, policy, behaviour)


def tie(region: Region, kind: Network, lead: int, member: int, since: int = 2020) -> None:
    region.networks.append(1, kind=int(kind), lead=lead, member=member, since=since, until=FOREVER)


# ---------------------------------------------------------------- demography


def test_everyone_moves_up_one_grade_and_the_oldest_leave() -> None:
    region, year = ready()
    before = dict(zip(region.students.key.tolist(), region.students.grade.tolist(), strict=True))
    demography(region, year)
    for key, grade in zip(region.students.key.tolist(), region.students.grade.tolist(), strict=True):
        assert grade == before.get(key, 0) + 1
    assert set(before.values()) == set(range(1, 10))
    assert sum(g == 9 for g in before.values()) == sum(k not in set(region.students.key.tolist()) for k in before)


def test_more_village_families_move_to_town_the_likelier_it_is_and_none_moves_the_other_way() -> None:
    moved = []
    for rate in (0.0, 0.05, 0.5):
        region, year = ready(behaviour=altered(INPUT, town_to_city=rate))
        demography(region, year)
        f, setting = region.families, region.catchments.setting
        new = np.isin(region.students.grade, (1, 7))
        left = (setting[f.origin] == Setting.VILLAGE) & (setting[f.catchment] != Setting.VILLAGE) & new
        moved.append(int((left & (f.origin != f.catchment)).sum()))
        entered = region.students.grade == 1
        assert not ((setting[f.origin] != Setting.VILLAGE) & (f.origin != f.catchment))[entered].any()
    assert moved[0] < moved[1] < moved[2]


def test_the_quota_gives_every_junior_school_its_share_of_elite_places() -> None:
    region, year = ready(of(SeniorHighQuota(share=1.0, enrolment_years=0)))
    school = region.students.school[region.students.grade == 9]
    leavers = np.bincount(school, minlength=region.schools.n)
    demography(region, year)
    won = year.seen.elite_places
    np.testing.assert_array_equal(won, year.seen.elite_quota)
    for d in (0, 1):
        here = region.schools.district == d
        total = round(INPUT.elite_places * leavers[here].sum())
        assert won[here].sum() == total
        assert (np.abs(won[here] - total * leavers[here] / leavers[here].sum()) < 1).all()


def test_without_quota_the_best_scores_win_wherever_they_are() -> None:
    region, year = ready(behaviour=altered(INPUT, test_reliability=1.0))
    rows = np.flatnonzero(region.students.grade == 9)
    school, score = region.students.school[rows], region.students.achievement[rows]
    demography(region, year)
    for d in (0, 1):
        here = region.schools.district[school] == d
        best = np.argsort(-score[here])[: round(INPUT.elite_places * here.sum())]
        expected = np.bincount(school[here][best], minlength=region.schools.n)
        np.testing.assert_array_equal(
            year.seen.elite_places[region.schools.district == d], expected[region.schools.district == d]
        )


def test_a_tilt_gives_village_schools_more_of_the_quota() -> None:
    found = []
    for tilt in (0.0, 1.0):
        region, year = ready(of(SeniorHighQuota(share=1.0, village_tilt=tilt, enrolment_years=0)))
        region.schools.setting[9] = Setting.VILLAGE  # one of the two junior schools of its district
        demography(region, year)
        found.append(int(year.seen.elite_places[9]))
    assert found[1] > found[0]


@pytest.mark.parametrize("tilt", [0.5, 1.0])
def test_a_leaver_of_a_village_school_weighs_one_and_the_tilt_in_the_quota(tilt: float) -> None:
    region, year = ready(of(SeniorHighQuota(share=1.0, village_tilt=tilt, enrolment_years=0)))
    s = region.schools
    s.setting[9] = Setting.VILLAGE  # one of the two junior schools of its district
    leavers = np.bincount(region.students.school[region.students.grade == 9], minlength=s.n)
    demography(region, year)
    weight = leavers * np.where(s.setting == Setting.VILLAGE, 1 + tilt, 1.0)
    for d in (0, 1):
        here = s.district == d
        total = round(INPUT.elite_places * leavers[here].sum())
        due = total * weight[here] / weight[here].sum()
        assert (due <= leavers[here]).all()
        assert (np.abs(year.seen.elite_quota[here] - due) < 1).all()


def test_who_came_to_the_school_lately_has_no_part_in_its_quota() -> None:
    region, year = ready(of(SeniorHighQuota(share=1.0, enrolment_years=3)))
    region.students.school_years[region.students.school == 1] = 1
    demography(region, year)
    assert year.seen.elite_quota[1] == 0
    assert year.seen.elite_places[1] > 0  # by merit still


def test_families_remember_the_elite_share_of_a_school_that_nobody_leaves_this_year() -> None:
    region, year = ready()
    s, students = region.schools, region.students
    students.school[(students.grade == 9) & (students.school == 9)] = 7
    s.elite_share[[7, 9]] = 0.25
    demography(region, year)
    assert s.elite_share[9] == 0.25
    assert s.elite_share[7] != 0.25


def test_nobody_moves_to_town_where_the_district_has_none() -> None:
    region, year = ready(behaviour=altered(INPUT, town_to_city=1.0))
    f, places_ = region.families, region.catchments
    places_.setting[places_.district == 1] = Setting.VILLAGE
    demography(region, year)
    moved, district = f.origin != f.catchment, places_.district[f.origin]
    entered = region.students.grade == 1
    assert moved[entered & (district == 0)].any()
    assert not moved[entered & (district == 1)].any()


# ---------------------------------------------------------------- places


def test_places_of_a_stage_that_no_school_there_teaches_are_neither_built_nor_paid() -> None:
    here = settled(policy=BASELINE).schools
    (name, *_) = here.name[here.has[:, Stage.PRIMARY] & ~here.has[:, Stage.JUNIOR]]
    region, year = ready(of(NewPlaces(junior_classes=2, where=Where(schools=(str(name),)))))
    before = region.schools.classrooms.copy()
    policy_of_the_year(region, year)
    places(region, year)
    np.testing.assert_array_equal(region.schools.classrooms, before)
    assert year.ledger.total("new_places") == 0


def test_new_places_open_where_schools_are_fullest() -> None:
    region, year = ready(of(NewPlaces(primary_classes=1, junior_classes=1)))
    s = region.schools
    s.enrolment[4, 0], s.enrolment[9, 1] = 900, 900
    before = s.classrooms.copy()
    places(region, year)
    expected = np.zeros_like(before)
    expected[4, 0] = expected[9, 1] = 1
    np.testing.assert_array_equal(s.classrooms - before, expected)


def test_rooms_that_grow_by_a_share_grow_in_every_district_by_itself() -> None:
    region, year = ready(of(NewPlaces(growth_primary=0.25)))
    s, district = region.schools, region.schools.district
    s.enrolment[:, 0] *= np.where(district == 0, 9, 1)  # one is much fuller than the other
    before = s.classrooms.copy()
    places(region, year)
    for d in np.unique(district):
        old, new = (rooms[district == d, 0].sum() for rooms in (before, s.classrooms))
        assert new - old == round(0.25 * old) > 0


def test_rooms_that_grow_by_a_share_stay_in_the_places_of_their_entry() -> None:
    at = settled(policy=BASELINE).schools
    row = int(np.argmax(at.classrooms[:, 0]))
    region, year = ready(of(NewPlaces(growth_primary=0.25, where=Where(schools=(str(at.name[row]),)))))
    s = region.schools
    s.enrolment[:, 0] *= np.where(np.arange(s.n) == row, 1, 9)  # the others are fuller
    before = s.classrooms.copy()
    policy_of_the_year(region, year)
    places(region, year)
    assert s.classrooms[row, 0] - before[row, 0] == round(0.25 * before[row, 0]) > 0
    assert (s.classrooms - before).sum() == s.classrooms[row, 0] - before[row, 0]


@pytest.mark.parametrize("rooms", [2, 5, 9])
def test_each_new_classroom_goes_where_a_seat_is_shared_by_most_pupils(rooms: int) -> None:
    region, year = ready(of(NewPlaces(primary_classes=rooms)))
    s = region.schools
    s.enrolment[:, 0] = np.where(s.has[:, 0], 40 + 37 * np.arange(s.n) % 400, 0)
    expected = s.classrooms.astype(int)
    for _ in range(rooms):
        fill = {row: s.enrolment[row, 0] / max(expected[row, 0], 1) for row in np.flatnonzero(s.has[:, 0])}
        expected[max(fill, key=fill.__getitem__), 0] += 1
    places(region, year)
    np.testing.assert_array_equal(s.classrooms, expected)


def test_merging_closes_small_village_schools_only_and_moves_their_pupils_to_the_nearest() -> None:
    region, year = ready(of(SchoolMerging(below_pupils=100)))
    s = region.schools
    small = (s.enrolment.sum(axis=1) < 100) & (s.setting == Setting.VILLAGE)
    pupils = {int(row): region.students.key[region.students.school == row] for row in np.flatnonzero(small)}
    policy_of_the_year(region, year)
    demography(region, year)
    places(region, year)
    np.testing.assert_array_equal(~region.open_schools(year.number), small)
    assert small.any()
    admission(region, year)
    classes(region, year)
    assert not small[region.students.school].any()
    for row, keys in pupils.items():
        now = region.students.school[np.isin(region.students.key, keys)]
        assert now.size
        assert (s.district[now] == s.district[row]).all()


def test_a_village_school_of_one_pupil_merges_too() -> None:
    region, year = ready(of(SchoolMerging(below_pupils=2)))
    region.schools.enrolment[3] = 1, 0
    assert region.schools.setting[3] == Setting.VILLAGE
    policy_of_the_year(region, year)
    places(region, year)
    assert np.flatnonzero(~region.open_schools(year.number)).tolist() == [3]


def test_a_merged_schools_catchment_is_admitted_by_its_heir() -> None:
    region, year = ready(of(SchoolMerging(below_pupils=100)))
    before = region.catchments.right.copy()
    policy_of_the_year(region, year)
    places(region, year)
    closed = ~region.open_schools(year.number)
    orphans = np.isin(before[:, 0], region.schools.right[closed, 0])
    held = region.schools.right[~closed, 0]
    assert orphans.any()
    assert np.isin(region.catchments.right[orphans, 0], held).all()
    np.testing.assert_array_equal(before[~orphans], region.catchments.right[~orphans])


# ---------------------------------------------------------------- networks


def test_a_group_has_the_best_known_as_leads_and_covers_the_share_asked() -> None:
    region, year = ready(of(EducationGroups(coverage=0.5, members=2)))
    has = region.schools.has
    fame = (region.schools.reputation[:, :, 0] * has).sum(axis=1) / has.sum(axis=1)
    networks(region, year)
    n = region.networks
    held = (n.kind == Network.GROUP) & (n.until >= year.number)
    inside = set(n.lead[held].tolist()) | set(n.member[held].tolist())
    assert len(inside) == round(0.5 * region.schools.n)
    assert all(fame[a] > fame[b] for a, b in zip(n.lead[held], n.member[held], strict=True))
    assert set(n.lead[held].tolist()).isdisjoint(n.member[held].tolist())


def test_joining_a_group_raises_the_members_name_by_the_halo_and_not_its_teaching() -> None:
    region, year = ready(of(EducationGroups(coverage=0.5, members=2)))
    before = region.schools.copy()
    networks(region, year)
    n, s = region.networks, region.schools
    held = n.kind == Network.GROUP
    lead, member = n.lead[held], n.member[held]
    both = s.has[lead] & s.has[member]
    gap = np.maximum(before.reputation[lead, :, 0] - before.reputation[member, :, 0], 0) * both
    np.testing.assert_allclose(s.reputation[member, :, 0] - before.reputation[member, :, 0], INPUT.halo * gap)
    for name in ("practice", "leadership", "value_added", "score"):
        np.testing.assert_array_equal(getattr(s, name), getattr(before, name))
    others = np.setdiff1d(np.arange(s.n), member)
    np.testing.assert_array_equal(s.reputation[others], before.reputation[others])


def test_an_old_lead_takes_nobody_who_stands_higher_than_itself() -> None:
    region = settled(policy=NOTHING)
    s = region.schools
    lead, first = (int(row) for row in np.flatnonzero(s.district == s.district[0])[:2])
    s.reputation[lead, :, 0], s.reputation[first, :, 0] = 0.0, -0.5  # half of the others stand higher than the lead
    tie(region, Network.GROUP, lead, first, 2019)
    fame = standing(region)
    near = (s.district == s.district[lead]) & (s.has & s.has[lead]).any(axis=1)
    assert (near & (fame > 0)).sum() > 1
    lever = EducationGroups(coverage=1.0, members=9, max_members=9)
    networks(region, begin(region, of(lever)))
    n = region.networks
    taken = n.member[(n.kind == Network.GROUP) & (n.lead == lead) & (n.since == 2020)]
    assert taken.size > 0
    assert (fame[taken] <= fame[lead]).all()


CARDS = EducationGroups(count=1, members=5, cards=True)


def cards(region: Region, since: int, score_at_start: float) -> SchoolYear:
    tie(region, Network.GROUP, 0, 4, since)
    region.networks.score_at_start[-1] = score_at_start
    region.schools.reputation[0, 0], region.schools.reputation[4, 0] = 3.0, -1.0
    year = begin(region, of(CARDS))
    networks_step._judge(region, year, CARDS)
    return year


def test_a_group_without_effect_gets_a_yellow_card_then_a_red_one_and_ends_and_loses_its_halo() -> None:
    region = settled(policy=NOTHING)
    n, year = region.networks, cards(region, 2016, 9.0)
    assert n.card[0] == 1
    assert n.until[0] == FOREVER
    region.year = year.number
    networks_step._judge(region, begin(region, of(CARDS)), CARDS)
    assert n.card[0] == 2
    assert n.until[0] == year.number
    assert region.schools.reputation[4, 0, 0] == pytest.approx(-1.0 - INPUT.halo * 4.0)


def test_a_group_ended_by_a_red_card_is_not_formed_again_in_the_same_autumn() -> None:
    region = settled(policy=NOTHING)
    year = cards(region, 2016, 9.0)
    region.year = year.number
    networks(region, begin(region, of(CARDS)))
    n = region.networks
    assert not ((n.kind == Network.GROUP) & (n.until == FOREVER) & (n.lead == 0) & (n.member == 4)).any()


def test_a_group_with_effect_keeps_no_card_and_a_young_one_is_not_judged() -> None:
    for since, start in ((2016, -9.0), (2019, 9.0)):
        region = settled(policy=NOTHING)
        cards(region, since, start)
        assert region.networks.card[0] == 0
        assert region.networks.until[0] == FOREVER


def hatched() -> tuple[Region, SchoolYear]:
    region = settled(policy=NOTHING)
    tie(region, Network.GROUP, 0, 4, 2015)
    region.schools.reputation[0, 0] = 3.0
    region.schools.reputation[4, 0] = 2.0
    return region, begin(region, of(EducationGroups(count=1, members=5, incubation=True)))


def test_a_member_grown_strong_leaves_by_incubation_and_keeps_its_name() -> None:
    region, year = hatched()
    before = region.schools.reputation[4].copy()
    networks(region, year)
    assert region.networks.until[0] == year.number - 1
    assert (region.schools.reputation[4] >= before).all()


def test_a_hatched_member_is_not_taken_back_in_the_same_autumn() -> None:
    region, year = hatched()
    networks(region, year)
    n = region.networks
    assert not ((n.kind == Network.GROUP) & (n.member == 4) & (n.until >= year.number)).any()


def test_groups_ordered_by_district_cover_each_district() -> None:
    share = {"coverage": 0.6, "members": 2}
    region, year = ready(of(*(EducationGroups(**share, where=Where(districts=(d,))) for d in ("Yunlan", "Qiuhe"))))
    networks(region, year)
    n, s = region.networks, region.schools
    held = n.kind == Network.GROUP
    inside = np.unique(np.concatenate([n.lead[held], n.member[held]]))
    np.testing.assert_array_equal(np.bincount(s.district[inside], minlength=2), [round(0.6 * 6), round(0.6 * 6)])


def test_pairs_help_the_least_known_village_schools_by_schools_of_town_and_city() -> None:
    region, year = ready(of(UrbanRuralPairs(coverage=1.0)))
    networks(region, year)
    n, s = region.networks, region.schools
    held = n.kind == Network.PAIR
    assert (s.setting[n.member[held]] == Setting.VILLAGE).any()
    assert (s.setting[n.lead[held]] != Setting.VILLAGE).all()
    assert (s.district[n.lead[held]] == s.district[n.member[held]]).all()


def test_a_tie_ends_with_its_lead_or_its_member_and_with_both() -> None:
    for closed in ([3], [8], [3, 8]):
        region, year = ready()
        tie(region, Network.COMMUNITY, 3, 8, 2018)
        tie(region, Network.COMMUNITY, 4, 10, 2018)
        region.schools.closed[closed] = year.number
        networks(region, year)
        assert region.networks.until[-2:].tolist() == [year.number - 1, FOREVER]


def test_ties_work_through_their_last_year_and_neither_after_it_nor_before_their_first() -> None:
    region = settled(policy=BASELINE)
    live(region, begin(region, RICH))
    n, now = region.networks, region.year + 1
    kept = n.n
    for case in ("last year", "over", "not yet"):
        usual, other = region.copy(), region.copy()
        if case == "last year":
            other.networks.until[other.networks.until == FOREVER] = now
        else:
            since, until = (2015, now - 1) if case == "over" else (now + 1, FOREVER)
            for kind in Network:
                for lead, member in ((0, 3), (0, 5), (1, 2), (6, 10), (7, 9), (2, 8), (6, 3)):
                    other.networks.append(1, kind=int(kind), lead=lead, member=member, since=since, until=until)
        found = []
        for lived in (usual, other):
            year, rows = begin(lived, RICH), Rows()
            live(lived, year)
            measure(lived, year, rows, schools=True)
            found.append((rows.columns()["value"], dict(year.ledger.entries), len(year.notices)))
        added = other.networks.n - usual.networks.n
        assert (added > 0) == (case != "last year")
        other.networks.keep((np.arange(other.networks.n) < kept) | (np.arange(other.networks.n) >= kept + added))
        apart = [name for (name, a), (_, b) in zip(columns(usual), columns(other), strict=True) if not same(a, b)]
        assert set(apart) <= ({"networks.until"} if case == "last year" else set()), case
        np.testing.assert_array_equal(found[0][0], found[1][0])
        assert found[0][1:] == found[1][1:]


def test_one_school_that_can_help_is_enough_for_a_pair() -> None:
    region, year = ready(of(UrbanRuralPairs(coverage=1.0)))
    s = region.schools
    s.setting[s.district == 0] = Setting.VILLAGE
    s.setting[0], s.reputation[0, :, 0] = Setting.URBAN, 3.0
    networks(region, year)
    n = region.networks
    mine = (n.kind == Network.PAIR) & (s.district[n.member] == 0)
    assert set(n.lead[mine].tolist()) == {0}
    assert sorted(n.member[mine].tolist()) == [2, 3, 4, 5]  # a school of the other stage has nothing to learn there


def test_without_a_municipal_school_the_parent_is_of_the_best_known_fifth() -> None:
    region = settled(policy=NOTHING)
    s = region.schools
    s.has[:] = True
    s.reputation[:, :, 0] = np.arange(s.n)[:, None] / 10  # the 80th percentile lies between the ninth and the tenth
    networks(region, begin(region, of(CooperativeSchools(count=1, where=Where(schools=(str(s.name[0]),))))))
    n = region.networks
    best = np.arange(9, 12)
    assert n.lead[n.kind == Network.COOPERATIVE].tolist() == [best[np.argmin(s.key[best])]]


def cooperating(member: int, parents: dict[int, list[int]]) -> list[int]:
    """Who becomes parent of a school, of municipal schools that run others already, all alike but for that."""
    region = settled(policy=NOTHING)
    s = region.schools
    s.has[:] = True
    s.kind[list(parents)] = Kind.MUNICIPAL
    s.reputation[:, :, 0], s.reputation[list(parents), :, 0] = -1.0, 1.0
    for parent, others in parents.items():
        for other in others:
            tie(region, Network.COOPERATIVE, parent, other, 2019)
    name = str(s.name[member])
    year = begin(region, of(CooperativeSchools(count=1, where=Where(schools=(name,)))))
    networks(region, year)
    n = region.networks
    return n.lead[(n.kind == Network.COOPERATIVE) & (n.member == member)].tolist()


def test_a_cooperative_school_has_one_parent_though_other_schools_are_strong_too() -> None:
    assert cooperating(3, {0: []}) == [0]
    assert len(cooperating(3, {0: [], 1: [], 6: []})) == 1


@pytest.mark.parametrize(("member", "here", "there"), [(3, [4], [8, 9]), (8, [9], [3, 4])])
def test_a_municipal_school_that_runs_none_in_the_district_comes_before_one_that_runs_fewer(
    member: int, here: list[int], there: list[int]
) -> None:
    assert cooperating(member, {0: here, 6: there}) == [6]
    assert cooperating(member, {0: there, 6: here}) == [0]
    # where both run some in the district, or neither, it is who runs fewer
    assert cooperating(member, {0: [*here, *there], 6: here}) == [6]
    assert cooperating(member, {0: here, 6: [*here, *there]}) == [0]
    assert cooperating(member, {0: there, 6: []}) == [6]


def test_a_community_ties_as_many_schools_as_asked_and_no_more_a_year_later() -> None:
    region = settled(policy=NOTHING)
    lever = of(RegionalCommunities(pairs=("Yunlan-Qiuhe",), schools_per_pair=2))
    for _ in range(3):
        networks(region, begin(region, lever))
        region.year += 1
        n, district = region.networks, region.schools.district
        assert n.n == 2
        assert (district[n.lead] == 0).all()
        assert (district[n.member] == 1).all()


def test_networks_end_when_their_lever_does() -> None:
    region, year = ready(of(UrbanRuralPairs(coverage=1.0, until=2020)))
    networks(region, year)
    region.year = 2020
    networks(region, begin(region, of(UrbanRuralPairs(coverage=1.0, until=2020))))
    assert (region.networks.until[region.networks.kind == Network.PAIR] == 2020).all()


# ---------------------------------------------------------------- staffing


def test_extra_pay_below_the_threshold_retains_nobody_and_above_it_the_more_the_more() -> None:
    pay = 129_000
    shares = (0.0, 0.05, 0.149, 0.3, 0.6)
    odds = []
    for share in shares:
        region, year = ready(of(TeacherPay(village_supplement=share * pay)))
        village = region.schools.setting[region.teachers.school] == Setting.VILLAGE
        retained = staffing_step._retained(region, year)
        assert (retained[~village] == 0).all()
        odds.append(float(retained[village].mean()))
    assert odds[0] == odds[1] == odds[2] == 0.0
    assert 0 < odds[3] < odds[4]


def quitting(behaviour: Behaviour = INPUT, policy: Policy = NOTHING, **columns: Any) -> int:
    """How many of a village's teachers, a hundred times over the seeds, quit this year."""
    gone = 0
    region = settled(policy=BASELINE)
    for name, value in columns.items():
        getattr(region.teachers, name)[:] = value
    for seed in range(100):
        gone += int(staffing_step._quit(region, begin(region, policy, behaviour, seed)).sum())
    return gone


def test_forced_rotation_raises_quits_and_a_high_stipend_lowers_them() -> None:
    usual = quitting(compelled=False)
    assert quitting(compelled=True) > 1.15 * usual
    assert quitting(compelled=False, stipend=60_000.0) < 0.9 * usual
    assert quitting(compelled=False, stipend=10_000.0) == usual
    assert quitting(behaviour=altered(INPUT, rotation_aversion=0.0), compelled=True) == usual


def test_teachers_quit_more_far_from_home_and_less_where_pay_is_better() -> None:
    usual = quitting()
    assert quitting(home_x=300.0) > usual
    assert quitting(policy=of(TeacherPay(ratio_to_civil_service=1.3))) < usual
    assert usual == pytest.approx(100 * 137 * INPUT.quit_rate, rel=0.25)


def test_everyone_retires_at_sixty_and_some_women_before() -> None:
    region, year = ready()
    region.teachers.age[:] = np.where(np.arange(region.teachers.n) % 2, 62, 56)
    retired = staffing_step._retire(region, year)
    assert retired[1::2].all()
    assert 0 < retired[::2].mean() < 0.4
    region.teachers.age[:] = 54
    assert not staffing_step._retire(region, year).any()


def test_posts_follow_the_pupils_of_a_year_before_and_not_those_of_now() -> None:
    region, year = ready(of(Posts(follow_enrolment=1.0)))
    s = region.schools
    s.enrolment_lagged[:] = s.enrolment
    s.enrolment_lagged[0, 0] *= 3
    before = s.posts.copy()
    staffing(region, year)
    assert s.posts[0, 0] > before[0, 0]
    assert s.posts[2:6].sum() < before[2:6].sum()
    np.testing.assert_array_equal(s.posts[6:].sum(), before[6:].sum())


def test_posts_that_do_not_follow_stay_as_they_are() -> None:
    region, year = ready()
    before = region.schools.posts.copy()
    region.schools.enrolment_lagged[:] = 1
    staffing(region, year)
    np.testing.assert_array_equal(region.schools.posts, before)


def test_one_standard_for_city_and_village_moves_posts_to_where_a_teacher_has_more_pupils() -> None:
    region, year = ready(of(Posts(follow_enrolment=1.0, one_standard=1.0)))
    s = region.schools
    s.enrolment_lagged[:] = s.enrolment
    before = np.divide(s.posts, s.enrolment, out=np.zeros((s.n, 2)), where=s.enrolment > 0)
    staffing(region, year)
    after = np.divide(s.posts, s.enrolment, out=np.zeros((s.n, 2)), where=s.enrolment > 0)
    for d in (0, 1):
        here = (s.district == d)[:, None] & s.has & (s.enrolment > 0) & (np.arange(2) == 0)
        assert after[here].std() < before[here].std()


def test_pe_and_art_posts_are_created_where_they_are_shortest() -> None:
    region, year = ready(of(PeArtRecruitment(teachers=2)))
    s = region.schools
    s.pe_art_posts[0, 0] = 0
    s.enrolment_lagged[0, 0] = 2000
    before = s.pe_art_posts.copy()
    staffing(region, year)
    gained = s.pe_art_posts - before
    assert gained[0, 0] == 2
    assert gained.sum() == 2


def test_recruited_pe_and_art_teachers_come_to_the_school_in_time() -> None:
    policy = of(PeArtRecruitment(teachers=1))
    counts = []
    for p in (NOTHING, policy):
        t = simulate(settled(policy=BASELINE), p, INPUT, seed=1, years=6).region.teachers
        counts.append(int((t.subject != Subject.CORE).sum()))
    assert counts[1] > counts[0]


def test_bought_lessons_fill_what_is_missing_and_count_as_no_teacher() -> None:
    region, year = ready(of(PeArtRecruitment(bought_lessons=0.5)))
    staffing(region, year)
    s, t = region.schools, region.teachers
    have = np.bincount(t.school[t.subject != Subject.CORE], minlength=s.n)
    rule = standard().per_pupil[:, 2]
    need = (s.enrolment_lagged * rule).sum(axis=1)
    np.testing.assert_allclose(s.bought_lessons, 0.5 * np.maximum(need - have, 0))
    assert year.ledger.total("pe_art_recruitment") == pytest.approx(
        s.bought_lessons.sum() * region.prices["bought_lesson"]
    )


def hired_effectiveness(signal: float) -> float:
    """How much better those hired are than the mean of all who applied, over seeds, with many for each post."""
    found: list[Floats] = []
    for seed in range(20):
        region = settled(policy=BASELINE)
        behaviour = altered(INPUT, employer_signal=signal, applicants=3.0, quit_rate=0.2)
        known = set(region.teachers.key.tolist())
        staffing(region, begin(region, NOTHING, behaviour, seed))
        new = np.array([k not in known for k in region.teachers.key.tolist()])
        found.append(region.teachers.lasting[new])
    return float(np.concatenate(found).mean())


def test_the_better_employers_see_the_better_are_those_hired() -> None:
    blind, usual, sharp = (hired_effectiveness(signal) for signal in (0.0, 0.5, 1.0))
    assert abs(blind) < 0.15
    assert blind < usual < sharp


def test_applicants_prefer_what_pays_more_and_lies_near_and_is_urban() -> None:
    region, year = ready(behaviour=altered(INPUT, quit_rate=0.3, applicants=3.0))
    staffing(region, year)
    t, s = region.teachers, region.schools
    new = t.experience == 0
    urban = s.setting[t.school] == Setting.URBAN
    village = s.setting[t.school] == Setting.VILLAGE
    assert (new & urban).sum() > 5
    # those who see less of themselves rewarded end up in villages: employers there choose last
    view = employer_view(t, INPUT)
    assert view[new & urban].mean() > view[new & village].mean()


def test_head_rules_put_those_who_served_in_weak_schools_first() -> None:
    for rule in (0, 3):
        region, year = ready(of(CareerRules(head_weak_years=rule)))
        t = region.teachers
        mine = np.flatnonzero((t.school == 0) & (t.age < 50) & (t.away_as == 0))
        t.is_head[t.school == 0] = False
        t.weak_years[t.school == 0] = 0
        t.leads[mine], t.title[mine] = 0.0, 0
        t.weak_years[mine[-1]] = 5
        t.title[mine[:-1]] = 2
        t.leads[mine[:-1]] = 5.0
        key = t.key[mine[-1]]
        staffing_step._heads(region, year)
        head = region.teachers.key[region.teachers.is_head & (region.teachers.school == 0)]
        assert head.size == 1
        assert (head[0] == key) == (rule > 0)


def test_a_senior_title_waits_for_service_in_weak_schools_where_the_rule_asks_for_it() -> None:
    counts = []
    for years in (0, 6):
        region, year = ready(of(CareerRules(senior_title_weak_years=years)), altered(INPUT, title_senior_rate=0.9))
        region.teachers.weak_years[:] = 0
        before = (region.teachers.title == 2).sum()
        staffing_step._titles(region, year)
        counts.append(int((region.teachers.title == 2).sum() - before))
    assert counts[1] < counts[0]


def test_places_for_backbones_kept_for_short_schools_go_where_the_greatest_share_is_missing() -> None:
    region, year = ready(of(BackbonePipeline(per_year=2, to_short_schools=0.5)))
    t, s = region.teachers, region.schools
    s.enrolment_lagged[:] = 0
    s.enrolment_lagged[3, 0], s.enrolment_lagged[6, 0] = 100, 400  # due one backbone, and four
    t.backbone[:], t.title[:], t.experience[:] = 0, 1, 10
    t.backbone[np.flatnonzero((t.school == 6) & (t.stage == 0))[:2]] = 1  # so one is missing of one, two of four
    t.lasting[t.school == 3] = t.credential[t.school == 3] = -100.0  # nobody there would be named for merit
    staffing_step._backbones(region, year, year.policy.one(BackbonePipeline, year.number))
    assert (t.backbone > 0).sum() == 2 + 2
    assert (t.backbone[t.school == 3] > 0).sum() == 1


# ---------------------------------------------------------------- rotation


def seconded(policy: Policy, reluctance: float = 50.0) -> tuple[Floats, Floats]:
    """What the sender sees of those it lends, and of those it could have lent; reluctance 50: no volunteers."""
    region = settled(policy=BASELINE)
    t = region.teachers
    t.years_in_school[:], t.age[:] = 8, 40
    year = begin(region, policy, altered(INPUT, rotation_reluctance=reluctance))
    networks(region, year)
    rotation(region, year)
    sent = t.away_as == 2
    lead = np.unique(t.post[sent])
    view = rotation_step.employer_view(t, INPUT)
    could = np.isin(t.post, lead) & ~t.is_head & (t.subject == Subject.CORE)
    return view[sent], view[could & ~sent]


PAIRS = UrbanRuralPairs(coverage=1.0, seconded_per_pair=1, term_years=2)


def test_a_sender_lends_its_worst_and_under_bundled_evaluation_its_best() -> None:
    sent, kept = seconded(of(PAIRS))
    assert sent.size > 0
    assert sent.mean() < kept.mean()
    sent, kept = seconded(of(PAIRS, BundledEvaluation(weight=1.0)))
    assert sent.mean() > kept.mean()


def test_the_more_of_the_evaluation_is_bundled_the_better_those_who_are_sent() -> None:
    means = [seconded(of(PAIRS, BundledEvaluation(weight=b)))[0].mean() for b in (0.0, 0.4, 0.6, 1.0)]
    assert means[0] <= means[1] <= means[2] <= means[3]
    assert means[0] < means[3]


@pytest.mark.parametrize("lever", [TeacherRotation(share_of_eligible=0.5, keeps_post=True), "group"], ids=["r", "g"])
def test_evaluation_with_others_makes_who_helps_generous_and_not_who_is_helped(lever: Lever | str) -> None:
    def seen_by_helper_and_helped(weight: float) -> tuple[float, float]:
        entry = EducationGroups(teachers_exchanged=2) if isinstance(lever, str) else lever
        region, year = ready(of(entry, BundledEvaluation(weight=weight)), altered(INPUT, rotation_reluctance=50.0))
        t = region.teachers
        t.years_in_school[:], t.age[:], t.backbone[:] = 8, 40, 0
        if isinstance(lever, str):
            for member in (3, 4, 5):
                tie(region, Network.GROUP, 0, member)
        else:
            region.schools.reputation[:, :, 0] = (np.arange(region.schools.n) % 2)[:, None]
        helper = (t.school == 0) if isinstance(lever, str) else t.school % 2 == 1
        rotation(region, year)
        gone, view = t.away_as == 1, rotation_step.employer_view(t, INPUT)
        return float(view[gone & helper].mean()), float(view[gone & ~helper].mean())

    (mean, helped), (generous, as_before) = seen_by_helper_and_helped(0.0), seen_by_helper_and_helped(1.0)
    assert generous > mean
    assert as_before == helped


def test_a_stipend_brings_volunteers_and_what_is_not_passed_on_brings_none() -> None:
    def volunteers(**stipend: Any) -> int:
        region = settled(policy=BASELINE)
        entries = of(Stipend(who="seconded", **stipend)) if stipend else NOTHING
        return sum(
            int(rotation_step._volunteers(region, begin(region, entries, INPUT, seed), ("seconded",)).sum())
            for seed in range(20)
        )

    none = volunteers()
    assert volunteers(yuan_per_year=60_000) > 1.3 * none
    assert volunteers(yuan_per_year=60_000, passed_on=0.0) == none
    assert none < volunteers(yuan_per_year=60_000, passed_on=0.5) < volunteers(yuan_per_year=60_000)


def test_title_rules_bring_volunteers_among_those_who_want_the_title() -> None:
    region = settled(policy=BASELINE)
    region.teachers.title[:], region.teachers.weak_years[:] = 1, 0
    free = rotation_step._volunteers(region, begin(region), ())
    ruled = rotation_step._volunteers(region, begin(region, of(CareerRules(senior_title_weak_years=2))), ())
    assert ruled.sum() > free.sum()
    assert ruled[free].all()


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_rotation_moves_the_share_of_the_eligible_that_is_ordered(share: float) -> None:
    region = settled("wuqing", BASELINE)
    before = region.teachers.school.copy()
    year = begin(region, of(TeacherRotation(share_of_eligible=share, backbone_share=0.2)))
    rotation(region, year)
    seen = year.seen
    assert seen.rotated_out.sum() / seen.eligible.sum() == pytest.approx(share, abs=0.01)
    assert seen.rotated_backbones.sum() / seen.rotated_out.sum() >= 0.2
    assert not year.notices  # nothing falls short
    t = region.teachers
    moved = t.school != before
    assert moved.any()
    assert not t.is_head[moved].any()
    assert (t.age[moved] < 55).all()


def test_rotation_is_between_the_stronger_and_the_weaker_half_of_a_district() -> None:
    region = settled("wuqing", BASELINE)
    before = region.teachers.school.copy()
    rotation(region, begin(region, of(TeacherRotation(share_of_eligible=0.2))))
    t, s = region.teachers, region.schools
    rows = np.flatnonzero(t.school != before)
    for stage in (0, 1):
        mine = rows[t.stage[rows] == stage]
        fame = s.reputation[:, stage, 0]
        middle = np.median(fame[s.has[:, stage]])
        assert ((fame[before[mine]] > middle) != (fame[t.school[mine]] > middle)).all()


def test_rotation_between_town_and_village_takes_everybody_over_that_line() -> None:
    region = settled("wuqing", BASELINE)
    before = region.teachers.school.copy()
    rotation(region, begin(region, of(TeacherRotation(share_of_eligible=0.2, direction="urban_village"))))
    t, village = region.teachers, region.schools.setting == Setting.VILLAGE
    moved = t.school != before
    assert moved.any()
    assert (village[before[moved]] != village[t.school[moved]]).all()


def test_heads_of_the_better_known_half_change_places_with_those_of_the_other_half() -> None:
    region, year = ready(of(HeadExchange(share_per_year=1.0)))
    t, s = region.teachers, region.schools
    fame, before = standing(region), t.school.copy()
    rotation(region, year)
    for d in (0, 1):
        for stage in (0, 1):
            heads = np.flatnonzero(t.is_head & (s.district[before] == d) & (t.stage == stage))
            line = heads[np.argsort(-fame[before[heads]])]
            strong, weak = line[: heads.size // 2], line[heads.size // 2 :]
            assert set(t.school[strong]) <= set(before[weak])
            assert (t.school[heads] != before[heads]).sum() == 2 * strong.size


def test_only_the_eligible_rotate_and_the_clock_restarts() -> None:
    region = settled("wuqing", BASELINE)
    before, school = region.teachers.years_in_school.copy(), region.teachers.school.copy()
    rotation(region, begin(region, of(TeacherRotation(share_of_eligible=0.5, eligible_after_years=8))))
    moved = region.teachers.school != school
    assert moved.any()
    assert (before[moved] >= 8).all()
    assert (region.teachers.years_in_school[moved] == 0).all()
    assert (region.teachers.away_until[moved] == 2023).all()


def test_a_mover_is_worse_in_its_first_year_and_itself_again_in_the_second() -> None:
    region = settled()
    t = region.teachers
    t.moved[3] = 2020
    own = t.lasting[3] + t.practice[3]
    assert effectiveness(t, INPUT, 2020)[3] == pytest.approx(own - INPUT.mover_loss)
    assert effectiveness(t, INPUT, 2021)[3] == pytest.approx(own)
    assert effectiveness(t, INPUT, 2020)[4] == pytest.approx(t.lasting[4] + t.practice[4])


def test_a_lead_lends_each_school_that_it_helps_a_teacher_of_its_own() -> None:
    region, year = ready(of(UrbanRuralPairs(seconded_per_pair=1)))
    t = region.teachers
    t.years_in_school[:], t.age[:] = 8, 40
    t.post[(t.post == 4) & (t.stage == 0)] = t.school[(t.school == 4) & (t.stage == 0)] = 0  # so that it may lend two
    assert (t.post == 0).sum() >= 20
    region.networks.keep(np.zeros(region.networks.n, bool))
    for member in (3, 5):
        tie(region, Network.PAIR, 0, member)
    rotation(region, year)
    assert sorted(t.school[t.away_as == 2].tolist()) == [3, 5]
    assert (t.post[t.away_as == 2] == 0).all()


def test_a_lead_lends_at_most_a_tenth_of_its_teachers_and_says_where_that_is_too_few() -> None:
    region = settled(policy=BASELINE)
    region.teachers.years_in_school[:], region.teachers.age[:] = 8, 40
    year = begin(region, of(UrbanRuralPairs(coverage=1.0, seconded_per_pair=5)))
    networks(region, year)
    rotation(region, year)
    t = region.teachers
    lent = np.bincount(t.post[t.away_as == 2], minlength=region.schools.n)
    assert (lent <= np.bincount(t.post, minlength=region.schools.n) // 10).all()
    assert any("fewer teachers seconded" in n.en for n in year.notices)


# ---------------------------------------------------------------- admission


def entered(
    policy: Policy, rooms: float = 1.0, behaviour: Behaviour = INPUT, name: str = "wuqing"
) -> tuple[Region, SchoolYear]:
    region = settled(name, BASELINE)
    region.schools.classrooms[:] = np.ceil(rooms * region.schools.classrooms)
    year = begin(region, policy, behaviour)
    for step in (policy_of_the_year, demography, places, networks, admission):
        step(region, year)
    return region, year


def own_share(region: Region, year: SchoolYear, stage: Stage) -> tuple[Floats, Floats]:
    """Share of each school's entrants by wish who have the right there, and how many they are."""
    one = year.seen.admitted[stage]
    wished = ~one.overflow
    at = region.students.school[one.rows][wished]
    count = np.bincount(at, minlength=region.schools.n)
    return np.bincount(at, one.own_right[wished], region.schools.n)[count > 0] / count[count > 0], count[count > 0]


def test_the_more_it_costs_to_cross_the_more_stay_in_their_catchment() -> None:
    shares = []
    for cost in (1.0, 3.4, 5.0):
        _, year = entered(NOTHING, behaviour=altered(INPUT, crossing_cost=cost))
        one = year.seen.admitted[Stage.PRIMARY]
        shares.append(float(one.own_right.mean()))
    assert shares[0] < shares[1] < shares[2]


def test_a_proximity_share_raises_the_share_admitted_in_the_own_catchment() -> None:
    means = []
    for share in (0.0, 0.98):
        region, year = entered(of(Admission(proximity_primary=share, proximity_junior=share)), rooms=0.9)
        own, count = own_share(region, year, Stage.PRIMARY)
        means.append(float(np.average(own, weights=count)))
    assert means[0] < means[1]


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_every_school_respects_the_proximity_share(share: float) -> None:
    region, year = entered(of(Admission(proximity_primary=share, proximity_junior=share)))
    for stage in Stage:
        own, count = own_share(region, year, stage)
        assert (own >= share - 1 / count).all()


def test_better_off_families_live_with_the_cost_of_crossing_more_easily() -> None:
    region, year = entered(NOTHING, behaviour=altered(INPUT, crossing_cost=2.0, crossing_ses=0.6))
    one = year.seen.admitted[Stage.PRIMARY]
    ses = region.families.ses[one.rows]
    assert ses[one.wish_out].mean() > ses[~one.wish_out].mean() + 0.1


def test_strong_pupils_cross_more_under_sorting_at_junior_entry_only() -> None:
    gaps = []
    for strength in (0.0, 1.0):
        region, year = entered(NOTHING, behaviour=altered(INPUT, crossing_score=strength))
        one = year.seen.admitted[Stage.JUNIOR]
        prior = region.students.prior[one.rows]
        gaps.append(prior[one.wish_out].mean() - prior[~one.wish_out].mean())
    assert gaps[1] > gaps[0] + 0.2


def test_a_bus_brings_more_children_to_the_town_seat_school() -> None:
    counts = []
    for km in (0, 10):
        region, _ = entered(of(StrongTown(bus_km=km)) if km else NOTHING)
        counts.append(int(region.schools.wished[region.schools.town_seat].sum()))
    assert counts[1] > counts[0]


def test_where_places_are_short_owners_of_local_hukou_come_before_migrants() -> None:
    region, year = entered(NOTHING, rooms=0.7)
    one = year.seen.admitted[Stage.PRIMARY]
    f = region.families
    best = (f.local & f.owns_home)[one.rows]
    assert one.overflow.any()
    assert one.overflow[best].mean() < one.overflow[~best].mean()


@pytest.mark.parametrize(("seats", "expected"), [(2, [0, 0, -1, -1]), (3, [0, 0, 0, -1]), (4, [0, 0, 0, 0])])
def test_who_has_no_right_gets_what_those_with_the_right_leave(seats: int, expected: list[int]) -> None:
    one_school = np.zeros((4, 1), np.int64)
    right = np.array([[True], [True], [True], [False]])
    places_there, priority = np.array([seats]), np.arange(1.0, 5.0)[:, None]
    best = np.zeros(4, np.intp)
    got = admission_step._assign(
        np.ones((4, 1)), best, one_school, right, priority, places_there, 0.5, "single_catchment"
    )
    assert got.tolist() == expected


def test_fewer_get_their_first_wish_the_fewer_places_there_are() -> None:
    met = []
    for rooms in (1.0, 0.8, 0.6):
        region, year = entered(NOTHING, rooms=rooms)
        one = year.seen.admitted[Stage.PRIMARY]
        met.append(float((one.first_wish == region.students.school[one.rows]).mean()))
    assert met[0] > met[1] > met[2]


def placed(region: Region, home: int, door: int, rooms: dict[int, int]) -> int:
    """Where the authority places a child of a catchment that lives at the door of a school."""
    year = begin(region)
    f, s = region.families, region.schools
    f.catchment[0] = home
    f.x_km[0], f.y_km[0] = s.x_km[door], s.y_km[door]
    room = np.zeros(s.n, np.int64)
    room[list(rooms)] = list(rooms.values())
    nobody = np.full(1, -1)
    (got,) = admission_step._place_nearby(region, year, Stage.PRIMARY, np.array([0]), nobody, room)
    return int(got)


@pytest.mark.parametrize("d", [0, 1])
def test_who_is_left_over_is_placed_beyond_its_district_only_when_that_is_full(d: int) -> None:
    region = settled(policy=BASELINE)
    s, (home, *_) = region.schools, np.flatnonzero(region.catchments.district == d)
    able = s.has[:, Stage.PRIMARY]
    own, (door, other, *_) = np.flatnonzero(able & (s.district == d)), np.flatnonzero(able & (s.district != d))
    nearest = own[np.argmin(np.hypot(s.x_km[own] - s.x_km[door], s.y_km[own] - s.y_km[door]))]
    everywhere = dict.fromkeys(np.flatnonzero(able).tolist(), 1)
    assert placed(region, home, door, everywhere) == nearest
    assert placed(region, home, door, {int(other): 1}) == other
    assert placed(region, home, door, {}) == nearest  # all are full


@pytest.mark.parametrize(("place", "seen"), [(23, True), (24, False)])
def test_the_authority_looks_at_the_24_schools_nearest_to_the_catchment(place: int, seen: bool) -> None:
    region = settled("wuqing", BASELINE)
    s, c = region.schools, region.catchments
    able = np.flatnonzero(s.has[:, Stage.PRIMARY] & (s.kind == Kind.DISTRICT))
    line = able[np.argsort(np.hypot(s.x_km[able] - c.x_km[0], s.y_km[able] - c.y_km[0]))]
    door = int(line[place])
    assert (placed(region, 0, door, dict.fromkeys(able.tolist(), 1)) == door) == seen


def test_far_pupils_board_where_the_school_takes_boarders_and_nowhere_else() -> None:
    region, year = entered(NOTHING)
    boards = region.students.boards[np.concatenate([one.rows for one in year.seen.admitted])]
    far = np.concatenate([one.distance for one in year.seen.admitted])
    school = region.students.school[np.concatenate([one.rows for one in year.seen.admitted])]
    np.testing.assert_array_equal(boards, region.schools.boarding[school] & (far > 8.0))


def test_a_school_cap_keeps_entrants_out() -> None:
    region, _ = entered(NOTHING)
    free = region.schools.enrolment.sum(axis=1)
    cap = int(np.quantile(free, 0.9))
    capped, _ = entered(of(Caps(school=cap, nine_year=cap)))
    big = free > cap
    assert (capped.schools.enrolment.sum(axis=1)[big] < free[big]).mean() > 0.7


# ---------------------------------------------------------------- classes and learning


def lesson(behaviour: Behaviour = INPUT, policy: Policy = NOTHING) -> tuple[Region, SchoolYear]:
    region, year = ready(policy, behaviour)
    for step in (policy_of_the_year, demography, places, networks, admission, classes):
        step(region, year)
    return region, year


@pytest.mark.parametrize("cap", [50, 40, 25])
def test_where_there_are_rooms_no_class_is_above_the_cap(cap: int) -> None:
    region, year = ready(of(Caps(class_primary=cap, class_junior=cap)))
    region.schools.classrooms[:] *= 4
    assert region.classes.size.max() > 50
    for step in (policy_of_the_year, demography, places, networks, admission, classes):
        step(region, year)
    assert region.classes.size.max() <= cap


def test_where_there_are_no_rooms_new_classes_keep_to_the_cap_and_old_ones_stay_together() -> None:
    region, year = ready(of(Caps(class_primary=30, class_junior=30)))
    region.schools.classrooms[:] = 0
    before = region.students.klass.copy()
    classes(region, begin(region, year.policy))
    np.testing.assert_array_equal(region.students.klass, before)
    region, _ = lesson(policy=of(Caps(class_primary=30, class_junior=30)))
    assert region.classes.size[(region.classes.grade == 1) | (region.classes.grade == 7)].max() <= 30


def test_a_team_stays_with_its_class_while_its_teachers_stay() -> None:
    region, year = lesson()
    before = {
        tuple(x): set(team)
        for x, team in zip(_classes(region), region.teachers.key[region.classes.team].tolist(), strict=True)
    }
    classes(region, year)
    after = {
        tuple(x): set(team)
        for x, team in zip(_classes(region), region.teachers.key[region.classes.team].tolist(), strict=True)
    }
    planned = region.primary_grades // 2 + 1
    assert {k: v for k, v in before.items() if k[1] != planned} == {k: v for k, v in after.items() if k[1] != planned}


def _classes(region: Region) -> list[list[int]]:
    c = region.classes
    return np.column_stack([c.school, c.grade, c.number]).tolist()


def test_a_class_of_one_pupil_goes_on_where_another_of_nobody_ends() -> None:
    region, year = lesson()
    students, c = region.students, region.classes
    fewer, empty, other = (int(np.flatnonzero((c.school == 0) & (c.grade == grade))[0]) for grade in (2, 3, 4))
    last, *rest = np.flatnonzero(students.klass == fewer)
    students.klass[rest] = students.klass[students.klass == empty] = other
    number = c.n
    classes(region, year)
    assert c.n == number - 1
    assert c.size[students.klass[last]] == 1


@pytest.mark.parametrize("grade", [2, 6, 8, 9])
def test_who_comes_to_a_grade_that_has_classes_joins_the_smallest_of_them(grade: int) -> None:
    region, year = lesson()
    students, c = region.students, region.classes
    comer = int(np.flatnonzero(students.grade == grade)[0])
    students.klass[comer] = -1
    size = np.bincount(students.klass + 1, minlength=c.n + 1)[1:]
    here = np.flatnonzero((c.school == students.school[comer]) & (c.grade == grade))
    smallest, number = here[size[here] == size[here].min()], c.n
    classes(region, year)
    assert c.n == number
    assert students.klass[comer] in smallest


def test_who_moved_to_another_school_is_in_no_team_of_the_old_one() -> None:
    region, year = lesson()
    team = region.classes.team[0]
    order = np.concatenate([team, np.setdiff1d(np.arange(region.teachers.n), team)])
    for mover in range(3):  # the first rows of the table are as good as any
        moved = permuted(region, "teachers", order)
        assert moved.classes.team[0].tolist() == [0, 1, 2]
        moved.teachers.school[mover] = 4 if moved.classes.school[0] != 4 else 0
        classes(moved, begin(moved, year.policy))
        assert mover not in moved.classes.team[moved.classes.school == region.classes.school[0]]


def test_a_larger_class_learns_less_and_ten_pupils_make_the_stated_difference() -> None:
    region, year = lesson()
    before = class_input(region, year)
    region.classes.size[0] += 10
    after = class_input(region, year)
    assert after[0] - before[0] == pytest.approx(INPUT.class_size_effect)
    assert INPUT.class_size_effect < 0
    np.testing.assert_array_equal(after[1:], before[1:])


def test_a_better_teacher_raises_its_classes_and_no_others() -> None:
    region, year = lesson()
    before = class_input(region, year)
    teacher = int(region.classes.team[0, 0])
    region.teachers.lasting[teacher] += 1.0
    change = class_input(region, year) - before
    share = (region.classes.team == teacher).sum(axis=1) / 3
    np.testing.assert_allclose(change, INPUT.teacher_effect * share, atol=1e-12)
    assert change[0] > 0


def test_a_mover_a_changed_team_and_a_stand_in_each_cost_a_class() -> None:
    region, year = lesson()
    before = class_input(region, year)
    teacher = int(region.classes.team[0, 0])
    region.teachers.moved[teacher] = year.number
    assert class_input(region, year)[0] < before[0]
    region.teachers.moved[teacher] = 0
    region.classes.changed[0] = 1.0
    assert class_input(region, year)[0] < before[0]
    calm = region.classes.changed[1]
    region.classes.changed[1] += 1.0 - calm
    assert class_input(region, year)[1] - before[1] == pytest.approx(INPUT.team_change * (1.0 - calm))
    region.classes.team[1] = -1
    of_size = INPUT.class_size_effect * (region.classes.size[1] - 40) / 10
    assert class_input(region, year)[1] == pytest.approx(INPUT.substitute_effect + INPUT.team_change + of_size)


def test_experience_raises_learning_fast_then_hardly() -> None:
    region, year = lesson()
    level = []
    for experience in (0, 2, 20, 40):
        region.teachers.experience[:] = experience
        level.append(float(class_input(region, year).mean()))
    assert level[0] < level[1] < level[2] <= level[3]
    assert level[1] - level[0] > 5 * (level[3] - level[2])
    assert level[3] - level[0] == pytest.approx(INPUT.experience_gain, rel=0.01)


def test_management_facilities_and_vacancies_move_the_school_input_as_stated() -> None:
    region, year = lesson(
        quiet(management_effect=0.05, facility_effect=0.02, substitute_effect=-0.13, lead_dilution=0.001)
    )
    s = region.schools
    before = school_input(region, year)
    s.practice[0] += 1.0
    assert school_input(region, year)[0] - before[0] == pytest.approx(0.05)
    s.leadership[1] += 1.0
    assert school_input(region, year)[1] - before[1] == pytest.approx(0.05)
    s.adequacy[2] += region.scale.adequacy_sd[0]
    assert school_input(region, year)[2] - before[2] == pytest.approx(0.02)
    year.seen.vacancies[3, 0] = s.posts[3, 0]
    assert school_input(region, year)[3, 0] - before[3, 0] == pytest.approx(-0.13)
    tie(region, Network.GROUP, 4, 5, year.number)
    assert school_input(region, year)[4] - before[4] == pytest.approx(-0.001)
    np.testing.assert_array_equal(school_input(region, year)[5:], before[5:])


def test_digital_lessons_help_where_teachers_are_weak_after_a_dip_in_the_first_year() -> None:
    region, year = lesson()
    region.classes.changed[:] = 0
    before = class_input(region, year)
    region.schools.digital[:], region.schools.digital_since[:] = 1.0, year.number
    first = class_input(region, year) - before
    region.schools.digital_since[:] = year.number - 3
    later = class_input(region, year) - before
    np.testing.assert_allclose(later - first, INPUT.digital_dip)
    power = effectiveness(region.teachers, INPUT, year.number)[region.classes.team].mean(axis=1)
    assert (later >= 0).all()
    assert np.corrcoef(power, later)[0, 1] < -0.8
    assert (later[power > INPUT.digital_remote] == 0).all()


def test_a_stronger_class_lifts_its_members_and_not_by_themselves() -> None:
    region, year = lesson(quiet(peer_effect=0.1))
    s, c = region.students, region.classes
    s.achievement[:] = s.ability[:] = 0.0
    own = int(np.flatnonzero(s.klass == np.argmax(c.size))[0])
    s.achievement[own] = 5.0
    mates = s.klass == s.klass[own]
    mates[own] = False
    elsewhere = (s.grade == s.grade[own]) & (s.klass != s.klass[own])
    learning(region, year)
    assert (s.achievement[mates] > 0).all()
    assert (s.achievement[elsewhere] < 0).all()  # against the mean of the grade
    assert s.achievement[own] - 5.0 * INPUT.persistence < 0  # its own strength is no peer of its own


def test_the_scale_of_scores_never_moves_after_the_base_year() -> None:
    region = settled(policy=BASELINE)
    history = simulate(region, BASELINE, INPUT, seed=1, years=3)
    for name in ("score_mean", "score_sd", "school_mean_sd", "adequacy_mean", "adequacy_sd"):
        np.testing.assert_array_equal(getattr(history.region.scale, name), getattr(region.scale, name))


def test_where_all_came_with_the_same_score_value_added_is_the_distance_to_the_mean() -> None:
    region, year = lesson(altered(INPUT, test_reliability=1.0))
    students, s = region.students, region.schools
    last = students.grade == 9
    students.prior[last] = 0.5
    assessment(region, year)
    score, sd = students.achievement[last], region.scale.score_sd[Stage.JUNIOR]
    for school in (1, 2, 7, 9):
        mean = score[students.school[last] == school].mean()
        assert s.value_added[school, Stage.JUNIOR] == pytest.approx((mean - score.mean()) / sd, abs=1e-9)


def test_the_scale_of_schools_is_the_spread_of_their_means_as_their_pupils_see_it() -> None:
    region = settled(policy=BASELINE)
    year = SchoolYear.begin(region, NOTHING, altered(INPUT, test_reliability=1.0), 1, settling=True)
    assessment(region, year)
    students = region.students
    for stage, grade in ((0, region.primary_grades), (1, 9)):
        last = students.grade == grade
        school, score = students.school[last], students.achievement[last].astype(float)
        told = [score[school == mine].mean() for mine in school.tolist()]  # the mean of the school of each pupil
        assert region.scale.school_mean_sd[stage] == pytest.approx(np.std(told))
        assert region.scale.score_mean[stage] == pytest.approx(score.mean())
        assert region.scale.score_sd[stage] == pytest.approx(score.std())


def test_a_school_that_lifts_everyone_alike_shows_it_as_value_added() -> None:
    region, year = lesson(altered(INPUT, test_reliability=1.0))
    last = region.students.grade == region.primary_grades
    region.students.prior[last] = region.students.achievement[last]
    lifted = last & (region.students.school == 0)
    region.students.achievement[lifted] += 0.5
    assessment(region, year)
    s = region.schools
    others = s.has[:, 0] & (np.arange(s.n) != 0)
    assert s.value_added[0, 0] > s.value_added[others, 0].max()
    weight = np.bincount(region.students.school[last], minlength=s.n)
    assert (weight * s.value_added[:, 0]).sum() == pytest.approx(0.0, abs=1e-9)


# ---------------------------------------------------------------- development


def practised(
    since: int, distance: float = 0.0, members: int = 1, gap: float = 1.0, kind: Network = Network.GROUP
) -> float:
    """What one year adds to the practice of a member, beyond what it would have been alone."""
    region = settled()
    s = region.schools
    s.practice[:] = s.practice_mean[:] = 0.0
    s.practice[0] = gap
    s.x_km[4], s.y_km[4] = s.x_km[0] + distance, s.y_km[0]
    for member in (4, *range(5, 4 + members)):
        tie(region, kind, 0, member, since)
    development(region, begin(region, behaviour=quiet()))
    return float(s.practice[4])


def test_practice_moves_toward_the_lead_by_phase_distance_and_number() -> None:
    full = practised(2018)
    assert full == pytest.approx(INPUT.group_rate / (1 + 1 / INPUT.group_number))
    for years, share in enumerate(RIPENING):
        assert practised(2020 - years) == pytest.approx(share * full)
    assert RIPENING == (1 / 3, 2 / 3, 1.0)
    assert practised(2018, distance=INPUT.group_distance) == pytest.approx(full / np.e)
    assert practised(2018, members=5) == pytest.approx(INPUT.group_rate / (1 + 5 / INPUT.group_number))
    assert practised(2021) == 0.0  # not yet
    assert practised(2018, gap=-1.0) == 0.0  # nobody learns from a weaker lead
    assert practised(2018, kind=Network.PAIR) == pytest.approx(INPUT.pair_rate / (1 + 1 / INPUT.group_number))


def test_practice_reverts_to_its_own_mean_when_left_alone() -> None:
    region = settled()
    s = region.schools
    s.practice[:] = s.practice_mean + 1.0
    development(region, begin(region, behaviour=quiet(practice_memory=0.8, leadership_sd=1.0)))
    np.testing.assert_allclose(s.practice - s.practice_mean, 0.8)


def test_teachers_learn_from_better_colleagues_and_forget() -> None:
    region = settled()
    t = region.teachers
    t.practice[:] = 0.0
    power = effectiveness(t, INPUT, 2020)
    development(region, begin(region))
    at = 2 * t.school + t.stage
    mean = np.bincount(at, power)[at] / np.bincount(at)[at]
    np.testing.assert_allclose(t.practice, INPUT.colleague_learning * np.maximum(mean - power, 0), atol=1e-12)
    t.lasting[:] = 0.0
    t.practice[:] = 1.0
    t.moved[:] = 0
    development(region, begin(region))
    np.testing.assert_allclose(t.practice, 1 - INPUT.learning_fades)


def test_generic_training_changes_no_score() -> None:
    funds = PublicFunds(primary=1000, junior=1000)
    a = simulate(settled(), of(funds), INPUT, seed=1, years=3)
    b = simulate(settled(), of(funds, Training(share_of_public_funds=0.3)), INPUT, seed=1, years=3)
    np.testing.assert_array_equal(a.region.students.achievement, b.region.students.achievement)
    assert b.finance["yuan"][b.finance["lever"] == "training"].sum() > 0


def test_digital_lessons_reach_the_share_of_schools_asked_villages_first_and_grow_into_use() -> None:
    region = settled()
    s = region.schools
    policy = of(DigitalResources(coverage=0.25, use=0.4))
    development(region, begin(region, policy))
    using = s.digital > 0
    assert using.sum() == round(0.25 * s.n)
    assert (s.setting[using] == Setting.VILLAGE).all()
    np.testing.assert_allclose(s.digital[using], 0.2)
    region.year += 1
    development(region, begin(region, policy))
    np.testing.assert_allclose(s.digital[using], 0.4)


def test_digital_lessons_end_with_their_lever() -> None:
    region = settled()
    policy = of(DigitalResources(coverage=0.25, use=0.4, until=2020))
    development(region, begin(region, policy))
    region.year += 1
    development(region, begin(region, policy))
    assert (region.schools.digital == 0).all()


# ---------------------------------------------------------------- facilities


def lacking(region: Region, item: str) -> float:
    return float(np.maximum(facility_need(region.schools.enrolment, item) - getattr(region.schools, item), 0).sum())


@pytest.mark.parametrize(
    ("item", "field", "price"),
    [("teaching_area", "teaching_area_m2", "teaching_area"), ("sports_area", "sports_area_m2", "sports_area")],
)
@pytest.mark.parametrize("part", [0.3, 1.0])
def test_works_close_exactly_the_shortfall_they_pay_for(item: str, field: str, price: str, part: float) -> None:
    region = settled(policy=BASELINE)
    missing = lacking(region, item)
    assert missing > 0
    year = begin(region, of(FacilityInvestment(**{field: part * missing})))
    facilities(region, year)
    assert lacking(region, item) == pytest.approx((1 - part) * missing, abs=1e-6 * missing)
    assert year.ledger.total("facility_investment") == pytest.approx(part * missing * region.prices[price])


def test_money_goes_where_most_is_missing_and_stops_at_the_standard() -> None:
    region = settled(policy=BASELINE)
    items = ("teaching_area", "sports_area", "equipment", "multimedia_rooms")
    before = region.schools.copy()
    year = begin(region, of(FacilityInvestment(yuan_per_pupil=50_000)))
    facilities(region, year)
    for item in items:
        assert lacking(region, item) == pytest.approx(0.0, abs=1e-6)
        over = getattr(before, item) >= facility_need(before.enrolment, item)
        np.testing.assert_array_equal(getattr(region.schools, item)[over], getattr(before, item)[over])
    assert any("below standard" in n.en for n in year.notices)


def test_works_meet_every_need_first_and_what_is_left_goes_by_pupils() -> None:
    stock, need, pupils = np.array([0.0, 100.0]), np.array([100.0, 100.0]), np.array([100.0, 300.0])
    np.testing.assert_allclose(spread(60.0, stock, need, pupils, "worst"), [60.0, 0.0])
    np.testing.assert_allclose(spread(200.0, stock, need, pupils, "worst"), [100.0 + 25.0, 75.0])


def test_money_spread_evenly_buys_nothing_for_a_school_that_lacks_nothing() -> None:
    stock, need, pupils = np.array([0.0, 100.0, 30.0]), np.array([100.0, 100.0, 50.0]), np.array([100.0, 100.0, 200.0])
    np.testing.assert_allclose(spread(80.0, stock, need, pupils, "even"), [20.0, 20.0, 40.0])
    np.testing.assert_allclose(spread(80.0, stock, need, pupils, "even", cap=True), [20.0, 0.0, 20.0])


def test_works_for_the_largest_cv_lower_it_more_than_works_spread_evenly() -> None:
    found = {}
    for target in ("even", "largest_cv", "worst"):
        works = FacilityInvestment(sports_area_m2=800, target=target)
        found[target] = float(
            indicator(simulate(settled(policy=BASELINE), of(works), INPUT, seed=1, years=1), "cv.sports_area")[0]
        )
    assert found["largest_cv"] < found["even"]
    assert found["worst"] < found["even"]


def test_repair_restores_condition_lowers_grade_c_floor_and_adds_no_area() -> None:
    region = settled(policy=BASELINE)
    before = region.schools.copy()
    year = begin(region, of(FacilityInvestment(grade_c_m2=200), FacilityMaintenance(share_of_wear=1.0)))
    facilities(region, year)
    s = region.schools
    assert before.grade_c_area.sum() - s.grade_c_area.sum() == pytest.approx(200)
    for name in ("teaching_area", "floor_area", "sports_area", "equipment"):
        np.testing.assert_array_equal(getattr(s, name), getattr(before, name))
    repaired = s.grade_c_area < before.grade_c_area
    assert (s.condition[repaired & (before.condition < 1)] > before.condition[repaired & (before.condition < 1)]).all()
    assert year.ledger.total("facility_investment") == pytest.approx(200 * region.prices["repair"])


def test_wear_lowers_condition_and_no_official_stock_and_upkeep_makes_it_good() -> None:
    for share, factor in ((0.0, 1 - INPUT.wear), (0.5, 1 - INPUT.wear / 2), (1.0, 1.0)):
        region = settled(policy=BASELINE)
        before = region.schools.copy()
        facilities(region, begin(region, of(FacilityMaintenance(share_of_wear=share))))
        np.testing.assert_allclose(region.schools.condition, before.condition * factor)
        for name in ("teaching_area", "sports_area", "equipment", "multimedia_rooms", "music_rooms", "art_rooms"):
            np.testing.assert_array_equal(getattr(region.schools, name), getattr(before, name))


def test_adequacy_rises_with_works_and_is_flat_above_the_standard() -> None:
    region = settled(policy=BASELINE)
    keep = of(FacilityMaintenance(share_of_wear=1.0))
    facilities(region, begin(region, keep))
    before = region.schools.adequacy.copy()
    facilities(region, begin(region, of(*keep.entries, FacilityInvestment(yuan_per_pupil=300))))
    assert (region.schools.adequacy >= before - 1e-12).all()
    assert region.schools.adequacy.sum() > before.sum()
    for name in ("teaching_area", "sports_area", "equipment", "multimedia_rooms"):
        getattr(region.schools, name)[:] = 1e9
    facilities(region, begin(region, keep))
    np.testing.assert_allclose(region.schools.adequacy, region.schools.condition)


def test_hired_venues_fill_the_gap_asked_and_are_paid_and_not_owned() -> None:
    region = settled(policy=BASELINE)
    own, gap = region.schools.sports_area.copy(), lacking(region, "sports_area")
    year = begin(region, of(HiredVenues(share_of_gap=0.5)))
    facilities(region, year)
    assert region.schools.shared_sports.sum() == pytest.approx(0.5 * gap)
    np.testing.assert_array_equal(region.schools.sports_area, own)
    assert year.ledger.total("hired_venues") == pytest.approx(0.5 * gap * region.prices["hired_sports_area"])


def test_a_zone_shares_only_the_spare_area_it_has() -> None:
    region = settled(policy=BASELINE)
    policy = of(SchoolZones(coverage=1.0, shared_venues=1.0))
    year = begin(region, policy)
    networks(region, year)
    facilities(region, year)
    s = region.schools
    need = facility_need(s.enrolment, "sports_area")
    for zone in (0, 1):
        here = s.zone == zone
        spare = np.maximum(s.sports_area - need, 0)[here].sum()
        gap = np.maximum(need - s.sports_area, 0)[here].sum()
        assert s.shared_sports[here].sum() == pytest.approx(min(spare, gap))


# ---------------------------------------------------------------- reputation and satisfaction


def believed(region: Region, behaviour: Behaviour = INPUT) -> Region:
    reputation(region, begin(region, behaviour=altered(behaviour, reputation_noise=0.0)))
    return region


def test_reputation_moves_at_its_rate_to_what_is_seen_and_beliefs_grow_old() -> None:
    region = settled(policy=BASELINE)
    before = region.schools.reputation.copy()
    region.schools.score[:], region.schools.value_added[:] = 0.0, 0.0
    region.schools.adequacy[:] = region.scale.adequacy_mean[0]
    believed(region)
    now, has = region.schools.reputation, region.schools.has
    np.testing.assert_allclose(now[has][:, 0], (1 - INPUT.reputation_rate) * before[has][:, 0])
    np.testing.assert_array_equal(now[has][:, 1:], before[has][:, :2])


@pytest.mark.parametrize("column", ["score", "value_added", "adequacy"])
def test_reputation_rises_with_scores_most_then_with_value_added_and_facilities(column: str) -> None:
    a, b = settled(policy=BASELINE), settled(policy=BASELINE)
    getattr(b.schools, column)[0] += 0.3
    gained = believed(b).schools.reputation[0, 0, 0] - believed(a).schools.reputation[0, 0, 0]
    assert gained > 0
    others = np.arange(1, a.schools.n)
    np.testing.assert_array_equal(a.schools.reputation[others], b.schools.reputation[others])


def satisfied(change: str, by: float) -> float:
    """How much a change of one thing moves the mean satisfaction at the first school."""
    found = []
    for amount in (0.0, by):
        region, year = lesson()
        s = region.schools
        here = region.students.school == 0
        if change == "distance":
            region.students.way_km[here] += amount
        elif change == "class":
            s.enrolment[0, 0] += int(amount)
        elif change == "wish":
            region.students.wish[here] = 4 if amount else 0
        elif change == "facilities":
            s.adequacy[0] += amount
        elif change == "score":
            s.score[0] += amount
        reputation(region, year)
        found.append(float(s.satisfaction[0, 0]))
    return found[1] - found[0]


def test_a_school_is_as_satisfying_as_its_families_are_on_average_and_one_family_is_an_average() -> None:
    region = settled(policy=BASELINE)
    s, students = region.schools, region.students
    stage = region.stage_of_grade(students.grade)
    one, other = np.flatnonzero(s.has[:, Stage.PRIMARY])[:2]
    gone = np.flatnonzero((students.school == one) & (stage == Stage.PRIMARY))[1:]
    students.school[gone] = other
    s.enrolment[one, Stage.PRIMARY], s.enrolment[other, Stage.PRIMARY] = 1, s.enrolment[other, 0] + gone.size
    believed(region)
    for school in (one, other):
        there = (students.school == school) & (stage == Stage.PRIMARY)
        expected = region.families.satisfaction[there].mean(dtype=float)
        assert s.satisfaction[school, Stage.PRIMARY] == pytest.approx(expected, rel=1e-6)


def test_satisfaction_falls_with_distance_large_classes_and_a_wish_not_met_and_rises_with_what_is_good() -> None:
    assert satisfied("distance", 10) < 0
    assert satisfied("class", 200) < 0
    assert satisfied("wish", 1) < 0
    assert satisfied("facilities", 0.3) > 0
    assert satisfied("score", 1.0) > 0


# ---------------------------------------------------------------- finance


def test_the_floor_of_public_funds_pays_small_schools_as_if_they_were_larger() -> None:
    paid = []
    for floor in (0, 100):
        region, year = ready(of(PublicFunds(primary=1000, junior=1000, small_school_floor=floor)))
        finance(region, year)
        paid.append(year.ledger.total("public_funds"))
    size = region.schools.enrolment.sum(axis=1)
    assert paid[0] == pytest.approx(1000 * size.sum())
    assert paid[1] - paid[0] == pytest.approx(1000 * np.maximum(100 - size[size > 0], 0).sum())
    assert paid[1] > paid[0]


def test_training_is_a_share_of_public_funds_and_not_on_top_of_them() -> None:
    region, year = ready(of(PublicFunds(primary=1000, junior=1000), Training(share_of_public_funds=0.1)))
    finance(region, year)
    assert year.ledger.total("training") == pytest.approx(0.1 * 1000 * region.students.n)
    assert year.ledger.total("training") + year.ledger.total("public_funds") == pytest.approx(1000 * region.students.n)


@pytest.mark.parametrize(
    ("lever", "payer", "receiver"),
    [
        (Stipend(yuan_per_year=1000, who="village_posts", paid_by="municipality"), "municipality", "sending schools"),
        (
            Stipend(yuan_per_year=1000, who="village_posts", paid_by="receiving_district", received_by="teacher"),
            "receiving district",
            "teachers",
        ),
        (TeacherPay(village_supplement=1000), "district", "teachers"),
    ],
)  # fmt: skip
def test_who_pays_and_who_receives_is_what_the_lever_says(lever: Lever, payer: str, receiver: str) -> None:
    region, year = ready(of(lever))
    finance(region, year)
    found = {(p, r): yuan for (p, r, name, _), yuan in year.ledger.entries.items() if name == lever.NAME}
    village = region.schools.setting[region.teachers.school] == Setting.VILLAGE
    assert found == {(payer, receiver): pytest.approx(1000 * village.sum())}


@pytest.mark.parametrize(("post", "school", "across"), [(0, 6, True), (6, 0, True), (0, 3, False), (6, 8, False)])
def test_a_stipend_for_help_across_districts_is_paid_whichever_way_the_teacher_goes(
    post: int, school: int, across: bool
) -> None:
    for away, paid in ((2, across), (1, False), (0, False)):
        region, year = ready(of(Stipend(yuan_per_year=1000, who="seconded_across")))
        t = region.teachers
        t.away_as[:], t.post[:] = 0, t.school
        t.post[0], t.school[0], t.away_as[0] = post, school, away
        finance(region, year)
        assert year.ledger.total("stipend") == 1000 * paid
        assert t.stipend[0] == t.stipend.sum() == 1000 * paid


def test_a_village_post_brings_the_supplement_and_what_reaches_the_teacher_of_a_stipend() -> None:
    region = settled(policy=BASELINE)
    village = region.schools.setting == Setting.VILLAGE
    money = {"yuan_per_year": 1000, "who": "village_posts", "passed_on": 0.3}
    for receiver, reaches in (("teacher", 1000.0), ("sending_school", 300.0)):
        policy = of(TeacherPay(village_supplement=500), Stipend(**money, received_by=receiver))
        np.testing.assert_allclose(comes_with_post(region, policy, 2020), village * (500.0 + reaches))


@pytest.mark.parametrize("who", ["seconded", "rotated", "village_posts"])
def test_a_stipend_paid_to_teachers_works_as_one_that_schools_pass_on_in_full(who: str) -> None:
    lived = []
    for terms in ({"received_by": "teacher", "passed_on": 0.3}, {"received_by": "sending_school", "passed_on": 1.0}):
        region = settled(policy=BASELINE)
        for _ in range(2):  # the second year knows what the first one paid
            helps = (UrbanRuralPairs(coverage=1.0, seconded_per_pair=1), TeacherRotation(share_of_eligible=0.3))
            live(region, begin(region, of(*helps, Stipend(yuan_per_year=90_000, who=who, **terms))))
        lived.append(region)
    assert lived[0].teachers.stipend.any()
    for (name, a), (_, b) in zip(columns(lived[0]), columns(lived[1]), strict=True):
        assert same(a, b), name


# ---------------------------------------------------------------- indicators


def test_what_schools_lack_adds_up_to_what_the_region_lacks_by_hand() -> None:
    region = settled(policy=BASELINE)
    rows = Rows()
    year = begin(region)
    year.seen.value_added_before = region.schools.value_added.copy()
    measure(region, year, rows, schools=True)
    found = rows.columns()
    s, t = region.schools, region.teachers
    for i, name in enumerate(("degree_above", "backbone_teachers", "pe_art_teachers")):
        counted = (t.degree_above, t.backbone > 0, t.subject != Subject.CORE)[i]
        for stage, title in ((0, "primary"), (1, "junior")):
            have = np.bincount(t.school[counted & (t.stage == stage)], minlength=s.n)
            need = s.enrolment[:, stage] * standard().per_pupil[stage, i]
            lack = np.where(s.enrolment[:, stage] > 0, np.maximum(need - have, 0), 0)
            here = (found["indicator"] == f"shortfall.{name}") & (found["stage"] == title)
            assert found["value"][here & (found["level"] == "region")] == pytest.approx(lack.sum())
            np.testing.assert_allclose(found["value"][here & (found["level"] == "school")], lack)
            mean = (found["indicator"] == f"mean.{name}") & (found["stage"] == title) & (found["level"] == "region")
            assert found["value"][mean] == pytest.approx(100 * have.sum() / s.enrolment[:, stage].sum())


# ---------------------------------------------------------------- what the rich village is too small to show


def test_groups_whose_members_gained_most_become_municipal_ones_when_ripe() -> None:
    region, year = ready(of(EducationGroups(coverage=1.0, members=1, municipal=1)))
    tie(region, Network.GROUP, 0, 2, since=year.number - 4)
    tie(region, Network.GROUP, 1, 3, since=year.number - 4)
    tie(region, Network.GROUP, 4, 5, since=year.number)  # gained most, but is not ripe
    region.schools.score[[2, 3, 5]] = [[0.2, 0.2], [0.4, 0.4], [0.9, 0.9]]
    networks(region, year)
    n = region.networks
    assert np.unique(n.lead[n.municipal]).tolist() == [1]


def test_newcomers_of_a_cooperative_school_learn_from_its_parent_while_they_train() -> None:
    gains = []
    for years in (0, 2):
        region, year = ready(of(CooperativeSchools(count=1, trained_years=years)))
        t = region.teachers
        member = int(t.school[0])
        stage = int(t.stage[0])
        parent = int(next(row for row in range(region.schools.n) if row != member and region.schools.has[row, stage]))
        tie(region, Network.COOPERATIVE, parent, member, since=year.number)
        t.practice[:] = 0.0
        t.lasting[:] = 0.0
        t.lasting[(t.school == parent) & (t.stage == stage)] = 2.0
        t.experience[:] = 9
        t.experience[0] = 1
        development(region, year)
        gains.append((float(t.practice[0]), float(t.practice[(t.school == member)][1:].max(initial=0.0))))
    assert gains[0][0] == 0.0
    assert gains[1][0] == pytest.approx(INPUT.colleague_learning * 2.0)
    assert gains[1][1] == 0.0  # those who are no newcomers learn nothing there


def test_a_parent_lends_teachers_to_its_cooperative_school() -> None:
    region, year = ready(of(CooperativeSchools(count=1, seconded_per_school=1)))
    t = region.teachers
    sizes = np.bincount(t.post, minlength=region.schools.n)
    parent = int(np.argmax(sizes))
    stage = int(t.stage[t.post == parent][0])
    member = int(next(r for r in range(region.schools.n) if r != parent and region.schools.has[r, stage]))
    tie(region, Network.COOPERATIVE, parent, member, since=year.number)
    t.years_in_school[:], t.age[:] = 9, 40
    rotation(region, year)
    lent = (t.post == parent) & (t.school == member) & (t.away_as == 2)
    assert lent.sum() == min(1, sizes[parent] // 10)
    assert sizes[parent] >= 10


def test_a_vacant_post_is_taught_by_a_stand_in_who_teaches_worse() -> None:
    region, year = ready()
    full = school_input(region, year)
    year.seen.vacancies[4, 0] = region.schools.posts[4, 0] // 2
    short = school_input(region, year)
    lost = INPUT.substitute_effect * (region.schools.posts[4, 0] // 2) / region.schools.posts[4, 0]
    assert short[4, 0] - full[4, 0] == pytest.approx(lost)
    assert lost < 0
    assert (np.delete(short.ravel(), 8) == np.delete(full.ravel(), 8)).all()


def test_a_post_that_is_worth_too_little_stays_vacant() -> None:
    vacant = []
    for least in (-6.0, 1.0):
        region, year = ready(behaviour=altered(INPUT, least_worth=least))
        staffing(region, year)
        vacant.append(int(year.seen.vacancies.sum()))
    assert vacant[0] < vacant[1]


# ---------------------------------------------------------------- fields of networks and stipends


def test_a_school_named_to_lead_leads_whatever_is_thought_of_it_and_takes_members_above_it() -> None:
    region, year = ready()
    fame = region.schools.reputation[:, :, 0].sum(axis=1)
    weakest = int(np.flatnonzero(region.schools.has[:, 0])[np.argmin(fame[region.schools.has[:, 0]])])
    name = str(region.schools.name[weakest])
    region, year = ready(of(EducationGroups(count=1, members=2, leads=(name,))))
    networks(region, year)
    n = region.networks
    (rows,) = np.nonzero(n.kind == Network.GROUP)
    assert set(n.lead[rows].tolist()) == {weakest}
    assert rows.size == 2
    region, year = ready(of(EducationGroups(count=1, members=2)))
    networks(region, year)
    assert weakest not in region.networks.lead[region.networks.kind == Network.GROUP]
    with pytest.raises(InputError, match="晓溪镇中心小学"):
        of(EducationGroups(count=1, leads=("晓溪镇中心小",))).check(region)


@pytest.mark.parametrize("across", [False, True])
def test_groups_reach_over_the_border_only_where_they_may(across: bool) -> None:
    region, year = ready(of(EducationGroups(count=1, members=10, across_districts=across)))
    networks(region, year)
    n, s = region.networks, region.schools
    rows = n.kind == Network.GROUP
    beyond = s.district[n.lead[rows]] != s.district[n.member[rows]]
    assert beyond.any() == across
    region, year = ready(of(EducationGroups(count=1, members=10)))
    networks(region, year)
    assert (region.networks.kind == Network.GROUP).sum() <= rows.sum()


def test_backbones_go_before_others_where_the_group_says_so() -> None:
    gone = []
    for first in (False, True):
        group = EducationGroups(teachers_exchanged=1, backbones_first=first)
        region, year = ready(of(group, BundledEvaluation(weight=0.0)))
        t = region.teachers
        t.backbone[:] = np.arange(t.n) % 3 == 0
        for member in (3, 4, 5):
            tie(region, Network.GROUP, 0, member)
        rotation(region, year)
        sent = (t.away_as == 1) & (t.moved == year.number) & (t.post == 0)
        assert sent.sum() == 3
        gone.append(int((sent & (t.backbone > 0)).sum()))
    assert gone[1] == 3 > gone[0]


@pytest.mark.parametrize(("years", "experience", "learns"), [(0, 0, False), (2, 1, True), (2, 2, False)])
def test_new_teachers_of_members_learn_from_the_lead_while_they_train(
    years: int, experience: int, learns: bool
) -> None:
    behaviour = altered(INPUT, colleague_learning=0.5, learning_fades=0.0)
    learnt = []
    for trained in (0, years):
        region, year = ready(of(EducationGroups(trained_years=trained)), behaviour)
        tie(region, Network.GROUP, 0, 3)
        t = region.teachers
        t.experience[:] = 20
        mine = np.flatnonzero((t.school == 3) & (t.stage == 0))
        t.experience[mine] = experience
        t.practice[:] = 0.0
        t.lasting[:] = 0.0
        t.lasting[t.school == 0] = 2.0
        development(region, year)
        learnt.append(t.practice[mine].copy())
        assert not t.practice[t.school != 3].any()
    assert ((learnt[1] > learnt[0]) == learns).all()
    np.testing.assert_allclose(learnt[1], 1.0 if learns else 0.0)


def test_a_lead_is_due_posts_for_its_members_inside_the_quota() -> None:
    posts = []
    for due in (0.0, 1.0, 3.0):
        region, year = ready(of(EducationGroups(lead_posts=due), Posts(follow_enrolment=1.0)))
        for member in (3, 4, 5):
            tie(region, Network.GROUP, 0, member)
        before = region.schools.posts.sum(axis=1)
        staffing(region, year)
        s = region.schools
        np.testing.assert_array_equal(
            [s.posts[s.district == d].sum() for d in (0, 1)], [before[s.district == d].sum() for d in (0, 1)]
        )
        posts.append(int(s.posts[0].sum()))
    assert posts[0] < posts[1] < posts[2]


def test_zones_are_named_models_when_ripe_and_up_to_the_number_asked() -> None:
    for asked, named in ((0, 0), (1, 1), (100, None)):
        zones = SchoolZones(coverage=1.0, joint_research=0.5, model_zones=asked)
        history = simulate(settled(), of(zones), INPUT, 1, 5)
        models = indicator(history, "networks.model_zones", "all").tolist()
        n, s = history.region.networks, history.region.schools
        working = np.unique(s.zone[n.member[n.kind == Network.ZONE]]).size
        expected = working if named is None else named
        assert models == [0, 0, 0, expected, expected]


def test_a_stipend_for_those_lent_across_districts_draws_nobody_who_is_lent_inside_one() -> None:
    compelled = {}
    for who in ("seconded", "seconded_across"):
        for kind in (Network.PAIR, Network.COMMUNITY):
            money = Stipend(yuan_per_year=200_000, who=who)
            levers = (UrbanRuralPairs(seconded_per_pair=2), RegionalCommunities(seconded_per_school=2))
            region, year = ready(of(money, *levers), altered(INPUT, rotation_reluctance=4.0, wage_attraction=20.0))
            region.networks.keep(np.zeros(region.networks.n, bool))
            for member in (6, 8, 10):
                tie(region, kind, 0, member)
            rotation(region, year)
            t = region.teachers
            lent = t.away_as == 2
            assert lent.any()
            compelled[who, kind] = float(t.compelled[lent].mean())
    assert compelled["seconded_across", Network.COMMUNITY] == compelled["seconded", Network.COMMUNITY]
    assert compelled["seconded_across", Network.COMMUNITY] < compelled["seconded_across", Network.PAIR]
    assert compelled["seconded", Network.PAIR] < compelled["seconded_across", Network.PAIR]


# ---------------------------------------------------------------- what levers in force lack

SERVE = Stipend(yuan_per_year=1000, who="seconded")
AWARD = CapacityAward(yuan_per_primary_class=1e5)


@pytest.mark.parametrize(
    ("entries", "lever"),
    [
        ((TeacherRotation(share_of_eligible=0.1, scope="group"),), "teacher_rotation"),
        ((TeacherRotation(share_of_eligible=0.1, scope="group"), EducationGroups(coverage=0.5)), ""),
        ((TeacherRotation(share_of_eligible=0.1),), ""),
        ((SERVE,), "stipend"),
        ((SERVE, UrbanRuralPairs(coverage=0.5)), "stipend"),
        ((SERVE, UrbanRuralPairs(seconded_per_pair=0.5)), ""),
        ((SERVE, RegionalCommunities(seconded_per_school=0.5)), ""),
        ((SERVE, CooperativeSchools(seconded_per_school=0.5)), ""),
        ((Stipend(yuan_per_year=1000, who="village_posts"),), ""),
        ((AWARD,), "capacity_award"),
        ((CapacityAward(yuan_per_junior_class=1e5), PublicFunds(primary=650)), "capacity_award"),
        ((AWARD, NewPlaces(primary_classes=1)), ""),
    ],
)  # fmt: skip
def test_a_lever_that_lacks_what_it_needs_says_so_and_no_other_does(entries: tuple[Lever, ...], lever: str) -> None:
    region, year = ready(of(*entries))
    policy_of_the_year(region, year)
    assert [notice.lever for notice in year.notices] == ([lever] if lever else [])


def test_the_clock_counts_what_each_step_took_and_no_more() -> None:
    clock: dict[str, float] = {}
    region = settled(policy=BASELINE)
    begun = time.perf_counter()
    live(region, begin(region), clock)
    took = time.perf_counter() - begun
    assert list(clock) == [step.__name__ for step in STEPS]
    assert all(seconds > 0 for seconds in clock.values())
    assert sum(clock.values()) <= took
