"""Conservation: pupils, teachers, posts, seats and yuan neither appear nor vanish outside the declared steps."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import BASELINE, INPUT, RICH, altered, begin, only, quiet, settled

from model.indicators import Rows
from model.levers import (
    LEVERS,
    EducationGroups,
    FacilityInvestment,
    HeadExchange,
    NewPlaces,
    PeArtRecruitment,
    Posts,
    RegionalCommunities,
    SchoolMerging,
    Stipend,
    TeacherRotation,
    UrbanRuralPairs,
)
from model.measure import measure
from model.pay import pay_of_teachers
from model.policy import Lever, Policy, Where
from model.quality import effectiveness
from model.region import CLASS_CAP, Region
from model.school_year import SchoolYear
from model.simulate import simulate
from model.steps.networks import networks
from model.steps.rotation import rotation
from model.steps.staffing import staffing
from model.year import STEPS

# a village has a dozen schools: counts a whole district could order are cut down to what can happen there
MOST = {"equipment_sets": 1e4, "teaching_area_m2": 2e3, "sports_area_m2": 5e3, "grade_c_m2": 3e3}
COUNTS_UP_TO = 12
EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),  # explaining a failure takes minutes
)


def values(kind: type[Lever]) -> st.SearchStrategy[Lever]:
    """An entry of a lever with every field somewhere in its range."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in kind.settings().items():
        meta, neutral = field.metadata, field.default
        if meta["choices"]:
            drawn[name] = st.sampled_from(meta["choices"])
        elif isinstance(neutral, bool):
            drawn[name] = st.booleans()
        elif isinstance(neutral, tuple):
            drawn[name] = st.sampled_from([(), ("Yunlan-Qiuhe",), ("Qiuhe-Yunlan",)])
        elif isinstance(neutral, int):
            most = meta["high"] if neutral or "below" in name or "floor" in name else min(meta["high"], COUNTS_UP_TO)
            drawn[name] = st.integers(int(meta["low"]), int(most))
        else:
            drawn[name] = st.floats(meta["low"], MOST.get(name, meta["high"]))
    if kind.NAME == "caps":
        for name in drawn:
            drawn[name] = st.sampled_from([0, 30, 45, 50, 2000])
    return st.builds(kind, **drawn)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Some levers, each somewhere in its range; groups say how many either by share or by number."""
    kinds = draw(st.lists(st.sampled_from(list(LEVERS.values())), unique=True, max_size=len(LEVERS)))
    entries = [draw(values(kind)) for kind in kinds]
    return Policy(tuple(dataclasses.replace(e, count=0) if isinstance(e, EducationGroups) else e for e in entries))


def sections(school: NDArray[Any], stage: NDArray[Any], n: int) -> NDArray[Any]:
    return np.bincount(2 * school.astype(np.int64) + stage, minlength=2 * n).reshape(n, 2)


def live_checking(region: Region, policy: Policy, years: int) -> None:
    """Live years step by step, and hold what each step may not create or lose against what it did."""
    for _ in range(years):
        year = SchoolYear.begin(region, policy, INPUT, seed=5)
        for step in STEPS:
            before = region.copy()
            step(region, year)
            check_persons(before, region, year, step.__name__)
            if step.__name__ not in ("staffing", "places"):
                np.testing.assert_array_equal(region.schools.posts, before.schools.posts, err_msg=step.__name__)
            if step.__name__ != "places":
                np.testing.assert_array_equal(region.schools.classrooms, before.schools.classrooms)
        region.year = year.number
        check_pupils(region, year)
        check_teachers(region, year)
        check_money(region, year)


def check_persons(before: Region, after: Region, year: SchoolYear, step: str) -> None:
    """Only demography lets children come and go, only staffing teachers."""
    a, b = before.students.key.tolist(), after.students.key.tolist()
    if step == "demography":
        leavers = before.students.key[before.students.grade == 9].tolist()
        entrants = after.students.key[after.students.cohort == year.number].tolist()
        assert b == [k for k in a if k not in set(leavers)] + entrants
    else:
        assert a == b, step
    assert len(set(b)) == len(b)
    x, y = set(before.teachers.key.tolist()), set(after.teachers.key.tolist())
    if step == "staffing":
        assert len(x - y) == year.seen.left.sum()
        assert year.seen.quit.sum() <= year.seen.left.sum()
        new = np.isin(after.teachers.key, list(y - x))
        assert (after.teachers.experience[new] == 0).all()
        np.testing.assert_array_equal(after.teachers.post[new], after.teachers.school[new])
    else:
        assert x == y, step
    assert len(y) == after.teachers.n


def check_pupils(region: Region, year: SchoolYear) -> None:
    """Every child has an open school that teaches its stage, and a class of that school and grade."""
    s, p, c = region.schools, region.students, region.classes
    stage = (p.grade > region.primary_grades).astype(int)
    assert region.open_schools(year.number)[p.school].all()
    assert s.has[p.school, stage].all()
    np.testing.assert_array_equal(s.enrolment, sections(p.school, stage, s.n))
    assert s.enrolment.sum() == p.n
    np.testing.assert_array_equal(c.school[p.klass], p.school)
    np.testing.assert_array_equal(c.grade[p.klass], p.grade)
    np.testing.assert_array_equal(c.size, np.bincount(p.klass, minlength=c.n))
    assert (c.size > 0).all()
    assert (np.diff(p.grade) <= 0).all()  # oldest first
    for one in year.seen.admitted:
        at = np.bincount(p.school[one.rows], minlength=s.n)
        by_wish = np.bincount(p.school[one.rows[~one.overflow]], minlength=s.n)
        assert (by_wish <= one.places).all()
        if (at > one.places).any():  # beyond its places a school takes children only when every public one is full
            public = region.open_schools(year.number) & s.has[:, one.stage] & (s.kind == 0)
            assert (at >= one.places)[public].all()


def check_teachers(region: Region, year: SchoolYear) -> None:
    """Every teacher has a post and a school that are open; whoever is at home teaches where its post is."""
    s, t = region.schools, region.teachers
    opened = region.open_schools(year.number)
    assert opened[t.post].all()
    assert opened[t.school].all()
    home = t.away_as == 0
    np.testing.assert_array_equal(t.post[home], t.school[home])
    assert (t.away_until[~home] > year.number).all()
    assert s.has[t.school, t.stage].all()
    assert s.has[t.post, t.stage].all()
    assert (s.posts >= 0).all()
    assert (s.pe_art_posts <= s.posts).all()
    assert (s.pe_art_posts >= 0).all()
    heads = np.bincount(t.school[t.is_head], minlength=s.n)
    assert (heads <= 1).all()
    team = region.classes.team
    held = team >= 0
    np.testing.assert_array_equal(
        t.school[team[held]], np.broadcast_to(region.classes.school[:, None], team.shape)[held]
    )


def check_money(region: Region, year: SchoolYear) -> None:
    """The yuan of the ledger are those of the indicators; every payer and receiver has a name."""
    entries = year.ledger.entries
    for (payer, receiver, lever, item), yuan in entries.items():
        assert payer
        assert receiver
        assert item
        assert lever in LEVERS or lever == "payroll"
        assert yuan > 0
    rows = Rows()
    measure(region, year, rows)
    found = rows.columns()
    spent = {
        name: found["value"][(found["indicator"] == f"spending.{name}")].sum()
        for name in ("real", "transfer", "levers", "per_pupil")
    }
    assert spent["real"] + spent["transfer"] == pytest.approx(sum(entries.values()))
    fixed = sum(y for (_, _, lever, _), y in entries.items() if lever in ("payroll", "public_funds"))
    assert spent["levers"] == pytest.approx(sum(entries.values()) - fixed, abs=1e-3)
    assert spent["per_pupil"] == pytest.approx(spent["real"] / region.students.n)
    salaries = sum(y for (_, _, _, item), y in entries.items() if item in ("salaries", "raise"))
    assert salaries == pytest.approx(pay_of_teachers(region, year.policy, INPUT, year.number).sum())


@EXAMPLES
@given(policy=policies())
def test_nothing_appears_or_vanishes_under_any_policy(policy: Policy) -> None:
    live_checking(settled(), policy, years=3)


@pytest.mark.parametrize("policy", [BASELINE, RICH], ids=["baseline", "all levers"])
def test_nothing_appears_or_vanishes_in_eight_years(policy: Policy) -> None:
    live_checking(settled(policy=BASELINE), policy, years=8)


# ---------------------------------------------------------------- rotation moves effectiveness, it creates none

MOVING = {
    "rotation, post kept": Policy((TeacherRotation(share_of_eligible=0.5, eligible_after_years=2),)),
    "rotation, post moved": Policy((TeacherRotation(share_of_eligible=0.5, eligible_after_years=2, keeps_post=False),)),
    "rotation, any direction": Policy(
        (TeacherRotation(share_of_eligible=0.3, eligible_after_years=1, direction="any"),)
    ),
    "heads": Policy((HeadExchange(share_per_year=0.5),)),
    "inside groups": only(EducationGroups),
}  # fmt: skip
LENDING = {"pairs": only(UrbanRuralPairs), "communities": only(RegionalCommunities)}


def rotated(policy: Policy) -> tuple[Region, Region, SchoolYear]:
    """A village before and after its networks formed and its teachers moved."""
    before = settled(policy=BASELINE)
    year = begin(before, policy)
    networks(before, year)
    after = before.copy()
    rotation(after, year)
    return before, after, year


@pytest.mark.parametrize("policy", [*MOVING.values(), *LENDING.values()], ids=[*MOVING, *LENDING])
def test_rotation_changes_where_teachers_teach_and_not_what_they_are(policy: Policy) -> None:
    before, after, _ = rotated(policy)
    assert (before.teachers.school != after.teachers.school).any()
    for name in ("key", "lasting", "practice", "leads", "stage", "subject", "age", "experience", "backbone", "title"):
        np.testing.assert_array_equal(getattr(before.teachers, name), getattr(after.teachers, name), err_msg=name)


@pytest.mark.parametrize("policy", MOVING.values(), ids=MOVING)
def test_an_exchange_leaves_every_school_and_stage_as_many_teachers_as_before(policy: Policy) -> None:
    before, after, _ = rotated(policy)
    a, b, n = before.teachers, after.teachers, before.schools.n
    np.testing.assert_array_equal(sections(a.school, a.stage, n), sections(b.school, b.stage, n))
    core = a.subject == 0
    np.testing.assert_array_equal(
        sections(a.school[core], a.stage[core], n), sections(b.school[core], b.stage[core], n)
    )


@pytest.mark.parametrize("policy", [*MOVING.values(), *LENDING.values()], ids=[*MOVING, *LENDING])
def test_rotation_loses_the_movers_first_year_and_nothing_else(policy: Policy) -> None:
    before, after, year = rotated(policy)
    moved = (before.teachers.school != after.teachers.school).sum()
    lost = (
        effectiveness(before.teachers, INPUT, year.number).sum()
        - effectiveness(after.teachers, INPUT, year.number).sum()
    )
    assert lost == pytest.approx(INPUT.mover_loss * moved)


@pytest.mark.parametrize("name", ["rotation, post kept", "rotation, post moved"])
def test_what_is_counted_as_rotated_and_as_sent_is_who_moved(name: str) -> None:
    before, after, year = rotated(MOVING[name])
    t = before.teachers
    moved = np.flatnonzero(t.school != after.teachers.school)
    np.testing.assert_array_equal(year.seen.rotated_out, sections(t.school[moved], t.stage[moved], before.schools.n))
    power = {i: t.lasting[i] + t.practice[i] for i in moved}
    sent = sum(power[i] for i in moved if _gives(before, i)) - sum(power[i] for i in moved if not _gives(before, i))
    assert year.seen.sent_effectiveness.sum() == pytest.approx(sent)


def _gives(region: Region, teacher: int) -> bool:
    s, t = region.schools, region.teachers
    stage = t.stage[teacher]
    here = (s.district == s.district[t.school[teacher]]) & s.has[:, stage]
    return bool(s.reputation[t.school[teacher], stage, 0] > np.median(s.reputation[here, stage, 0]))


def test_who_was_away_comes_home_when_the_term_ends() -> None:
    region = settled()
    policy = Policy((TeacherRotation(share_of_eligible=0.5, eligible_after_years=2, term_years=2, until=2020),))
    behaviour = quiet()  # nobody quits or moves of itself
    home = dict(zip(region.teachers.key.tolist(), region.teachers.post.tolist(), strict=True))
    away = []
    for _ in range(3):
        year = begin(region, policy, behaviour)
        staffing(region, year)
        rotation(region, year)
        region.year = year.number
        away.append(int((region.teachers.away_as > 0).sum()))
    assert away[0] > 0
    assert away[1] > 0
    assert away[2] == 0
    t = region.teachers
    known = np.isin(t.key, np.array(list(home), np.uint64)) & (t.moved < 2020)
    assert all(home[k] == at for k, at in zip(t.key[known].tolist(), t.school[known].tolist(), strict=True))


# ---------------------------------------------------------------- posts and seats


@pytest.mark.parametrize("follow", [0.3, 1.0])
@pytest.mark.parametrize("standard", [0.0, 1.0])
def test_posts_move_inside_the_quota_of_each_district(follow: float, standard: float) -> None:
    region = settled(policy=BASELINE)
    quota = np.bincount(region.schools.district, region.schools.posts.sum(axis=1))
    rng = np.random.default_rng(1)
    region.schools.enrolment_lagged[:] = rng.integers(20, 400, region.schools.has.shape) * region.schools.has
    held = region.schools.posts.copy()
    staffing(region, begin(region, Policy((Posts(follow_enrolment=follow, one_standard=standard),))))
    assert (region.schools.posts != held).any()
    np.testing.assert_array_equal(np.bincount(region.schools.district, region.schools.posts.sum(axis=1)), quota)
    assert (region.schools.posts[~region.schools.has] == 0).all()


@pytest.mark.parametrize("growth", [-0.1, 0.1])
def test_a_growing_quota_grows_by_what_it_says(growth: float) -> None:
    region = settled(policy=BASELINE)
    quota = np.bincount(region.schools.district, region.schools.posts.sum(axis=1))
    staffing(region, begin(region, Policy((Posts(quota_growth=growth),))))
    found = np.bincount(region.schools.district, region.schools.posts.sum(axis=1))
    np.testing.assert_array_equal(found, np.round(quota * (1 + growth)))


def test_posts_for_pe_and_art_come_out_of_the_same_quota() -> None:
    region = settled(policy=BASELINE)
    before = region.copy()
    staffing(region, begin(region, Policy((PeArtRecruitment(teachers=5),))))
    np.testing.assert_array_equal(region.schools.posts, before.schools.posts)
    assert region.schools.pe_art_posts.sum() == before.schools.pe_art_posts.sum() + 5


def test_merging_hands_on_posts_rooms_and_teachers_and_loses_none() -> None:
    region = settled(policy=BASELINE)
    before = region.copy()
    year = begin(region, Policy((SchoolMerging(below_pupils=150),)))
    next(step for step in STEPS if step.__name__ == "places")(region, year)
    closed = region.schools.closed == year.number
    assert closed.any()
    for name in ("posts", "classrooms", "pe_art_posts"):
        a, b = getattr(before.schools, name), getattr(region.schools, name)
        np.testing.assert_array_equal(a.sum(axis=0), b.sum(axis=0), err_msg=name)
        assert (b[closed] == 0).all()
    assert not closed[region.teachers.post].any()
    assert not closed[region.teachers.school].any()


def test_new_places_are_as_many_rooms_as_ordered_and_paid_for() -> None:
    region = settled(policy=BASELINE)
    before = region.schools.classrooms.sum(axis=0)
    year = begin(region, Policy((NewPlaces(primary_classes=3, junior_classes=2),)))
    next(step for step in STEPS if step.__name__ == "places")(region, year)
    np.testing.assert_array_equal(region.schools.classrooms.sum(axis=0) - before, [3, 2])
    assert year.ledger.total("new_places") == pytest.approx(
        (3 * CLASS_CAP[0] + 2 * CLASS_CAP[1]) * region.prices["place"]
    )


# ---------------------------------------------------------------- yuan


@pytest.mark.parametrize("passed_on", [1.0, 0.6, 0.0])
def test_the_stipend_pool_is_persons_times_the_amount_whoever_it_reaches(passed_on: float) -> None:
    region = settled(policy=BASELINE)
    lent = np.zeros(region.teachers.n, bool)
    lent[:7] = True
    region.teachers.away_as[lent] = 2
    region.teachers.away_until[lent] = 2030
    year = begin(region, Policy((Stipend(yuan_per_year=30_000, who="seconded", passed_on=passed_on),)))
    next(step for step in STEPS if step.__name__ == "finance")(region, year)
    assert year.ledger.total("stipend") == pytest.approx(7 * 30_000)
    np.testing.assert_allclose(region.teachers.stipend, 30_000 * passed_on * lent)


def test_two_payments_of_the_same_kind_add_up_and_none_may_be_negative() -> None:
    year = begin(settled())
    year.ledger.pay("a", "b", "stipend", "stipend", 2.0)
    year.ledger.pay("a", "b", "stipend", "stipend", 3.0)
    assert year.ledger.total() == pytest.approx(5.0)
    with pytest.raises(ValueError, match="-1"):
        year.ledger.pay("a", "b", "stipend", "stipend", -1.0)


def test_works_by_money_never_spend_more_than_the_budget() -> None:
    region = settled(policy=BASELINE)
    year = begin(region, Policy((FacilityInvestment(yuan_per_pupil=400),)))
    next(step for step in STEPS if step.__name__ == "facilities")(region, year)
    assert 0 < year.ledger.total("facility_investment") <= 400 * region.schools.enrolment.sum() * (1 + 1e-9)


def test_money_given_by_district_in_two_entries_is_what_one_entry_for_both_gives() -> None:
    """Each kind of network costs what its members cost, however many entries order it."""
    halves = [
        dataclasses.replace(e, where=Where(districts=(d,)))
        for e in only(UrbanRuralPairs).entries
        for d in ("Yunlan", "Qiuhe")
    ]
    one = simulate(settled(), only(UrbanRuralPairs), altered(INPUT), seed=1, years=1)
    two = simulate(settled(), Policy(tuple(halves)), altered(INPUT), seed=1, years=1)

    def paid(history: Any) -> float:
        return float(history.finance["yuan"][history.finance["lever"] == "urban_rural_pairs"].sum())

    assert paid(one) > 0
    members = int((one.region.networks.kind == 1).sum())
    assert int((two.region.networks.kind == 1).sum()) == members
    assert paid(two) == pytest.approx(paid(one))


def test_the_multiset_of_teachers_after_years_is_founders_and_applicants_only() -> None:
    """Nobody is there twice, and everyone who is there came by a declared door."""
    region = settled(policy=BASELINE)
    founders = set(region.teachers.key.tolist())
    live_checking(region, RICH, years=4)
    count = Counter(region.teachers.key.tolist())
    assert max(count.values()) == 1
    new = np.array([k not in founders for k in region.teachers.key.tolist()])
    assert (region.teachers.experience[new] <= 4).all()
