"""A school that is to be built stands on the map unseen until its autumn, then grows from the grades it admits."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from situations import BASELINE, INPUT, NOTHING, RICH, altered, columns, only, same, settled, without

from model.build import build_region
from model.burn_in import burn_in
from model.errors import InputError
from model.levers import (
    Admission,
    CapacityAward,
    CooperativeSchools,
    FacilityInvestment,
    FacilityMaintenance,
    Lever,
    NewSchools,
    Posts,
    StrongTown,
    TeacherRotation,
)
from model.new_schools import put_on_the_map
from model.people import cohort_size
from model.policy import Policy, Where
from model.quality import facility_need
from model.region import CLASS_CAP, Network, Region
from model.rules import rule
from model.school_year import SchoolYear
from model.simulate import History, simulate
from model.steps.demography import demography
from model.steps.networks import networks
from model.steps.places import places
from model.steps.policy_of_the_year import policy_of_the_year

NEW = "新校"
TOWN = "云岚街道"
STOCKS = ("teaching_area", "sports_area", "equipment", "multimedia_rooms")
GRADES = (6, 3)


def opening(start: int, town: str = TOWN, **values: Any) -> NewSchools:
    settings: dict[str, Any] = {"nine_year": (f"{NEW}@{town}",), "primary_classes": 6, "junior_classes": 3}
    return NewSchools(start=start, until=start, **(settings | values))


def live(region: Region, years: int, *entries: Lever, policy: Policy = NOTHING) -> History:
    return simulate(region, policy.with_entries(entries), INPUT, 1, years)


@cache
def grown() -> tuple[Region, History]:
    """A village before, and after eight years with a school that opened in 2021."""
    region = settled()
    return region, live(region, 8, opening(2021))


def of_new(history: History, column: str) -> Any:
    s = history.region.schools
    return getattr(s, column)[s.name == NEW][0]


def unlike(a: History, b: History) -> list[str]:
    """What differs beside the rows that `b` has more of in its schools."""
    found = []
    n = a.region.schools.n
    for (name, x), (_, y) in zip(columns(a.region), columns(b.region), strict=True):
        if not same(x, y[:n] if name.startswith("schools.") else y):
            found.append(name)
    i, j = a.indicators, b.indicators
    found += [f"rows by {k}" for k in i if k != "value" and not same(i[k], j[k])]
    if not found:  # sums with a zero more may round otherwise
        other = ~np.isclose(i["value"], j["value"], rtol=1e-12, atol=1e-12, equal_nan=True)
        found += sorted(set(i["indicator"][other]))
    found += [f"finance {name}" for name in a.finance if name != "yuan" and not same(a.finance[name], b.finance[name])]
    if a.finance["yuan"].shape != b.finance["yuan"].shape or not np.allclose(
        a.finance["yuan"], b.finance["yuan"], rtol=1e-12
    ):
        found.append("yuan")
    return found + [n.en for n in b.notices if n not in a.notices]


# ---------------------------------------------------------------- before it opens

WITHOUT_CLOSED = Policy(
    tuple(e for e in RICH.entries if not isinstance(e, NewSchools | StrongTown | CooperativeSchools))
)


@pytest.mark.parametrize(
    "policy",
    [
        NOTHING,
        BASELINE,
        WITHOUT_CLOSED,
        Policy((StrongTown(practice_support=1.0),)),
        Policy((CooperativeSchools(count=9, seconded_per_school=1),)),
    ],
    ids=["nothing", "baseline", "nearly every lever", "strong town", "cooperative schools"],
)
def test_until_it_opens_a_school_to_come_changes_no_bit_of_anything_else(policy: Policy) -> None:
    region = settled(policy=BASELINE)
    a = live(region, 3, policy=policy)
    # five of them, so that a rule that ranks or averages all schools would move
    several = opening(2023, nine_year=tuple(f"{NEW}{i}@{TOWN}" for i in range(5)))
    b = live(region, 3, several, policy=policy)
    assert b.region.schools.n == a.region.schools.n + 5
    assert unlike(a, b) == []


def test_until_it_opens_nobody_teaches_or_learns_there_and_it_holds_nothing() -> None:
    history = live(settled(policy=BASELINE), 3, opening(2023), policy=without(RICH, NewSchools))
    region = history.region
    row = int(np.flatnonzero(region.schools.name == NEW)[0])
    s, t, n = region.schools, region.teachers, region.networks
    for name in ("posts", "pe_art_posts", "classrooms", "enrolment", "wished", *STOCKS, "shared_sports", "digital"):
        assert not np.any(getattr(s, name)[row]), name
    assert s.digital_since[row] == 0
    assert s.right[row].tolist() == [-1, -1]
    assert row not in {*t.school, *t.post, *region.students.school, *region.students.wish, *n.lead, *n.member}
    assert "new_schools" not in set(history.finance["lever"])


def test_a_school_to_come_in_a_region_of_a_hundred_thousand_pupils_is_as_invisible() -> None:
    region = burn_in(build_region("wuqing", seed=1), INPUT, BASELINE)
    town = str(region.towns.name_zh[0])
    start = region.year + 2
    a = live(region, 1, policy=BASELINE)
    b = live(region, 1, opening(start, town), policy=BASELINE)
    assert unlike(a, b) == []
    two = live(region, 2, opening(start, town), policy=BASELINE)
    assert of_new(two, "enrolment").sum() > 0


# ---------------------------------------------------------------- the autumn it opens


def test_it_opens_with_the_rooms_ordered_the_stocks_of_the_standard_and_is_paid_by_the_seat() -> None:
    history = live(settled(), 2, opening(2021))
    rooms = np.array([6, 3])
    seats = rooms * np.array(CLASS_CAP)
    np.testing.assert_array_equal(of_new(history, "classrooms"), rooms)
    for item in STOCKS:
        assert of_new(history, item) == pytest.approx(facility_need(seats[None, :], item)[0]), item
    per = rule("classes_per_art_room")
    assert of_new(history, "music_rooms") == of_new(history, "art_rooms") == math.ceil(rooms.sum() / per)
    money = history.finance
    mine = money["lever"] == "new_schools"
    assert list(money["year"][mine]) == [2021]
    assert (money["payer"][mine], money["receiver"][mine]) == ("district", "construction")
    assert money["yuan"][mine] == pytest.approx(seats.sum() * history.region.prices["place"])


def test_its_classrooms_are_awarded_like_those_of_old_schools() -> None:
    award = CapacityAward(yuan_per_primary_class=1000.0, yuan_per_junior_class=70.0)
    history = live(settled(), 2, opening(2021), policy=Policy((award,)))
    money = history.finance
    mine = money["lever"] == "capacity_award"
    assert dict(zip(money["year"][mine], money["yuan"][mine], strict=True)) == {2021: 6 * 1000 + 3 * 70}
    said = [notice.year for notice in history.notices if notice.lever == "capacity_award"]
    assert said == [2020]  # nothing to award yet


@pytest.mark.parametrize(("field", "stages"), [("primary", (0,)), ("junior", (1,)), ("nine_year", (0, 1))])
def test_a_school_teaches_the_stages_of_the_list_it_stands_in(field: str, stages: tuple[int, ...]) -> None:
    history = live(settled(), 1, opening(2020, **{"nine_year": (), field: (f"{NEW}@{TOWN}",)}))
    taught = [stage in stages for stage in (0, 1)]
    assert of_new(history, "has").tolist() == taught
    for column in ("classrooms", "posts", "enrolment"):
        assert (of_new(history, column) > 0).tolist() == taught, column


def test_a_primary_school_is_given_parts_of_the_nearest_catchments_that_fill_a_grade() -> None:
    before = settled()
    region = live(before, 1, opening(2020)).region
    s, homes, n = region.schools, region.catchments, before.catchments.n
    row = int(np.flatnonzero(s.name == NEW)[0])
    for column in ("key", "share", "part", "part_of"):  # the old ones stand, but for their junior area
        np.testing.assert_array_equal(getattr(homes, column)[:n], getattr(before.catchments, column))
    np.testing.assert_array_equal(homes.right[:n, 0], before.catchments.right[:, 0])
    mine = np.flatnonzero(homes.right[:, 0] == s.right[row, 0])
    np.testing.assert_array_equal(mine, np.arange(n, homes.n))
    assert np.flatnonzero(s.right[:, 0] == s.right[row, 0]).tolist() == [row]  # nobody else admits there
    donors = homes.part_of[mine]
    for column in ("town", "district", "setting", "x_km", "y_km", "spread_km", "surroundings", "ses_place"):
        np.testing.assert_array_equal(getattr(homes, column)[mine], getattr(homes, column)[donors])
    assert not homes.share[mine].any()
    children = cohort_size(before, 2020)[homes.setting[:n]] * homes.share[:n]
    here = np.flatnonzero(homes.district[:n] == s.district[row])
    far = np.hypot(homes.x_km[:n] - s.x_km[row], homes.y_km[:n] - s.y_km[row])
    line = here[np.argsort(far[here], kind="stable")].tolist()
    grade = 6 / GRADES[0] * CLASS_CAP[0]
    wanted = min(grade, children[here].sum() / 2)
    assert (homes.part[mine] * children[donors]).sum() == pytest.approx(wanted)
    assert donors.tolist() == line[: donors.size]  # the nearest, each asked for half before the next is asked
    np.testing.assert_allclose(homes.part[mine][:-1], 0.5)
    assert 0 < homes.part[mine][-1] <= 0.5


def test_of_the_children_of_a_divided_catchment_the_nearest_to_the_new_school_live_in_its_part() -> None:
    region = settled()
    policy = Policy((opening(2020),))
    put_on_the_map(region, policy)
    year = SchoolYear.begin(region, policy, altered(INPUT, town_to_city=0.0), 1)
    policy_of_the_year(region, year)
    demography(region, year)
    f, s, homes, new = region.families, region.schools, region.catchments, region.students.grade == 1
    row = int(np.flatnonzero(s.name == NEW)[0])
    for part in np.flatnonzero(homes.part > 0):
        stay, gone = (new & (f.catchment == c) for c in (homes.part_of[part], part))
        number = int(stay.sum() + gone.sum())
        assert gone.sum() == round(float(homes.part[part]) * number)
        far = np.hypot(f.x_km - s.x_km[row], f.y_km - s.y_km[row])
        assert far[gone].max() <= far[stay].min()


def test_a_junior_school_takes_the_nearest_catchments_that_a_grade_holds_and_leaves_no_school_without_one() -> None:
    before = settled()
    # as in a city, where a junior school has many catchments
    before.catchments.right[:, 1] = np.where(before.catchments.district == 0, 1, 3)
    region = live(before, 1, opening(2020, nine_year=(), junior=(f"{NEW}@{TOWN}",), junior_classes=12)).region
    s, homes = region.schools, region.catchments
    row = int(np.flatnonzero(s.name == NEW)[0])
    taken = homes.right[:, 1] == s.right[row, 1]
    np.testing.assert_array_equal(homes.right[~taken, 1], before.catchments.right[~taken, 1])
    np.testing.assert_array_equal(homes.right[:, 0], before.catchments.right[:, 0])
    children = cohort_size(before, 2020)[homes.setting] * homes.share
    assert 0 < taken.sum() < (homes.district == 0).sum()
    assert (homes.district[taken] == 0).all()
    assert taken.sum() == 1 or children[taken].sum() <= 12 / GRADES[1] * CLASS_CAP[1]
    far = np.hypot(homes.x_km - s.x_km[row], homes.y_km - s.y_km[row])
    assert far[taken].max() < far[~taken & (homes.district == 0)].min()


@pytest.mark.parametrize("classes", [3, 30, 120])
def test_no_school_loses_its_last_catchment_to_a_new_one(classes: int) -> None:
    before = settled()
    whole = opening(2020, primary_classes=120, junior_classes=classes)
    region = live(before, 1, whole).region
    homes = region.catchments
    first = homes.part == 0  # a part of a catchment is no catchment of a school that stood before
    for stage in (0, 1):
        kept = set(homes.right[first, stage].tolist())
        assert set(before.catchments.right[:, stage].tolist()) <= kept, stage


def test_two_schools_that_open_together_in_one_town_share_no_home() -> None:
    history = live(settled(), 1, opening(2020, nine_year=(f"{NEW}@{TOWN}", f"二{NEW}@{TOWN}")))
    s = history.region.schools
    rows = np.flatnonzero(s.opened == 2020)
    assert rows.size == 2
    for stage in (0, 1):
        assert s.right[rows[0], stage] != s.right[rows[1], stage]


def test_where_the_schools_of_a_zone_draw_lots_it_draws_with_them_from_its_first_autumn() -> None:
    region = settled()
    policy = Policy((opening(2020), Admission(rule="multi_school_lottery")))
    put_on_the_map(region, policy)
    year = SchoolYear.begin(region, policy, INPUT, 1)
    policy_of_the_year(region, year)
    s, rights = region.schools, year.seen.rights
    row = int(np.flatnonzero(s.name == NEW)[0])
    for stage in (0, 1):
        zone = np.flatnonzero((s.zone == s.zone[row]) & (s.right[:, stage] >= 0))
        assert zone.size > 1
        assert set(rights[zone, stage].tolist()) == {int(rights[row, stage])}


def test_it_fills_a_grade_a_year_from_those_who_enter_it() -> None:
    region = settled()
    for years in (1, 2, 4):
        lived = live(region, years, opening(2020)).region
        grades = lived.students.grade[lived.schools.name[lived.students.school] == NEW]
        assert set(grades.tolist()) == {*range(1, years + 1), *range(7, min(7 + years, 10))}
    _, history = grown()
    pupils = history.school(NEW)["enrolment"]
    assert not pupils[0].any()
    assert (np.diff(pupils[1:4], axis=0) > 0).all()


def test_it_offers_its_entrants_the_rooms_of_one_grade_so_that_every_grade_finds_one() -> None:
    _, history = grown()
    pupils = history.school(NEW)["enrolment"][1:, 0]
    assert pupils[0] <= rule("large_class")[0]  # six rooms, six grades
    assert (np.diff(pupils[:6]) > 0).all()


def test_who_was_at_another_school_stays_there() -> None:
    before, _ = grown()
    after = live(before, 1, opening(2020)).region
    old = dict(zip(before.students.key.tolist(), before.schools.name[before.students.school], strict=True))
    going_on = ~np.isin(after.students.grade, (1, 7))
    names = after.schools.name[after.students.school]
    assert all(
        old[key] == name for key, name in zip(after.students.key[going_on].tolist(), names[going_on], strict=True)
    )


def test_its_posts_are_the_standards_for_its_pupils_and_the_next_grade_while_it_fills() -> None:
    before, history = grown()
    lived = history.school(NEW)
    ratio = rule("pupils_per_post")
    posts = np.zeros(2, int)
    for i, year in enumerate(lived["year"]):
        pupils = lived["enrolment"][i - 1] if i else np.zeros(2, int)
        for stage, rooms in ((0, 6), (1, 3)):
            if 2021 <= year < 2021 + GRADES[stage]:
                coming = rooms / GRADES[stage] * CLASS_CAP[stage]
                posts[stage] = max(posts[stage], math.ceil((pupils[stage] + coming) / ratio[stage]))
        np.testing.assert_array_equal(lived["posts"][i], posts)
    # a part of them for PE and art; nobody else loses one
    np.testing.assert_array_equal(of_new(history, "pe_art_posts"), posts // 7)
    others = history.region.schools.name != NEW
    np.testing.assert_array_equal(history.region.schools.posts[others], before.schools.posts)


def test_its_posts_find_teachers_and_a_head() -> None:
    _, history = grown()
    t, s = history.region.teachers, history.region.schools
    mine = s.name[t.school] == NEW
    assert t.is_head[mine].sum() == 1
    for stage in (0, 1):
        held = (mine & (t.stage == stage)).sum()
        assert 0.8 * of_new(history, "posts")[stage] <= held <= of_new(history, "posts")[stage]


@pytest.mark.parametrize("follow", [0.3, 1.0])
def test_posts_that_follow_pupils_give_a_region_no_more_than_its_quota_and_the_new_schools_own(follow: float) -> None:
    before = settled()
    history = live(before, 8, opening(2021), Posts(follow_enrolment=follow))
    all_posts = [int(year["posts"].sum()) for year in history.schools]
    most = sum(math.ceil(rooms * CLASS_CAP[s] / rule("pupils_per_post")[s]) for s, rooms in ((0, 6), (1, 3)))
    assert of_new(history, "posts").min() > 0
    assert max(all_posts) <= before.schools.posts.sum() + most


def test_a_school_that_opens_where_posts_follow_pupils_has_posts_in_its_first_autumn() -> None:
    history = live(settled(), 1, opening(2020), Posts(follow_enrolment=1.0))
    assert (of_new(history, "posts") > 0).all()


@pytest.mark.parametrize(
    "waits",
    [0, 3],
)
def test_a_building_is_as_new_in_the_year_it_opens(waits: int) -> None:
    region = settled()
    history = live(region, 1 + waits, opening(2020 + waits), FacilityMaintenance(start=2020 + waits, share_of_wear=1.0))
    assert of_new(history, "condition") == 1.0


@pytest.mark.parametrize(("own", "begins"), [(-3.0, 1.2), (1.5, 1.5)])
def test_a_cooperative_new_school_begins_with_at_least_a_part_of_what_its_parent_can_do(
    own: float, begins: float
) -> None:
    region = settled()
    policy = Policy((opening(2020), CooperativeSchools(count=1)))
    put_on_the_map(region, policy)
    s = region.schools
    s.practice[:] = np.where(s.name == NEW, own, 2.0)
    year = SchoolYear.begin(region, policy, INPUT, 1)
    for step in (policy_of_the_year, demography, places, networks):
        step(region, year)
    n = region.networks
    (tie,) = np.flatnonzero(n.kind == Network.COOPERATIVE)
    assert s.name[n.member[tie]] == NEW
    assert s.practice[n.member[tie]] == pytest.approx(begins)  # six tenths of the parent's 2


def test_other_levers_may_name_it_before_it_opens() -> None:
    works = FacilityInvestment(start=2021, music_rooms=3, where=Where(schools=(NEW,)))
    plain, fitted = live(settled(), 2, opening(2021)), live(settled(), 2, opening(2021), works)
    assert of_new(fitted, "music_rooms") == of_new(plain, "music_rooms") + 3
    rotation = TeacherRotation(share_of_eligible=0.2, where=Where(schools=(NEW,)))
    live(settled(), 1, opening(2021), rotation)
    with pytest.raises(InputError):
        live(settled(), 1, rotation)


# ---------------------------------------------------------------- the record


def test_its_trajectory_is_told_from_the_first_year() -> None:
    _, history = grown()
    lived = history.school(NEW)
    assert lived["year"].tolist() == list(range(2020, 2028))
    assert lived["enrolment"].shape == lived["posts"].shape == (8, 2)
    np.testing.assert_array_equal(lived["enrolment"][-1], of_new(history, "enrolment"))
    assert lived["posts"][0].tolist() == [0, 0]


@pytest.mark.parametrize("first", [1, 2])
def test_two_parts_of_a_run_are_the_whole(first: int) -> None:
    region, policy = settled(policy=BASELINE), only(NewSchools).with_entries(BASELINE.entries)
    whole = simulate(region, policy, INPUT, 3, 4)
    part = simulate(simulate(region, policy, INPUT, 3, first).region, policy, INPUT, 3, 4 - first)
    for (name, x), (_, y) in zip(columns(whole.region), columns(part.region), strict=True):
        assert same(x, y), name


def test_the_region_given_is_left_without_the_new_school() -> None:
    region = settled()
    before = region.fingerprint()
    live(region, 2, opening(2021))
    assert region.fingerprint() == before


def test_where_it_lies_is_the_same_whenever_it_opens_and_whatever_the_runs_seed() -> None:
    region = settled()
    places = {
        (float(of_new(h, "x_km")), float(of_new(h, "y_km")))
        for h in (
            live(region, 1, opening(2021)),
            live(region, 1, opening(2025)),
            simulate(region, Policy((opening(2021),)), INPUT, 99, 1),
        )
    }
    assert len(places) == 1


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (opening(2021, nine_year=("新校",)), "name@town"),
        (opening(2021, nine_year=("@云岚街道",)), "name@town"),
        (opening(2021, nine_year=("新校@",)), "name@town"),
        (opening(2021, nine_year=("新校@云岚镇",)), "云岚街道"),  # the nearest name there is
        (opening(2021, nine_year=("云岚街道第一小学@云岚街道",)), "which is there already"),
        (opening(0, nine_year=("新校@云岚街道",)), "2020 or later"),
        (dataclasses.replace(opening(2019), until=2021), "2020 or later"),
        (opening(2021, primary=("新校@云岚街道",)), "新校"),
        (opening(2021, nine_year=("新校@云岚街道", "新校@晓溪镇")), "新校"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_message(entry: NewSchools, message: str) -> None:
    entry = dataclasses.replace(entry, until=max(entry.until, 2021))
    with pytest.raises(InputError, match=message) as told:
        live(settled(), 1, entry)
    assert "new_schools" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_name_may_not_be_given_to_two_schools_of_different_years() -> None:
    with pytest.raises(InputError, match="another name"):
        live(settled(), 1, opening(2021), opening(2023))
