"""Symmetry: where a row lies means nothing; equal schools with equal children and no luck stay equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from situations import BASELINE, INPUT, RICH, indicator, only, permuted, quiet, settled

from model.draws import Floats
from model.levers import LEVERS, Admission, HeadExchange, PublicFunds, TeacherRotation
from model.policy import Lever, Policy
from model.region import Region
from model.simulate import History, simulate

YEARS = 4
RNG = np.random.default_rng(20)


def table(history: History) -> dict[tuple[Any, ...], float]:
    i = history.indicators
    keys = zip(i["year"], i["level"], i["place"], i["stage"], i["indicator"], strict=True)
    return dict(zip(keys, i["value"], strict=True))


def assert_same_results(a: History, b: History) -> None:
    """The same indicators and yuan, to rounding; each school and each person where it was."""
    x, y = table(a), table(b)
    assert x.keys() == y.keys()
    off = [k for k in x if not np.isclose(x[k], y[k], rtol=1e-9, atol=1e-9, equal_nan=True)]
    assert not off, sorted({(int(k[0]), str(k[-1])) for k in off})[:8]
    assert a.finance["lever"].tolist() == b.finance["lever"].tolist()
    np.testing.assert_allclose(a.finance["yuan"].astype(float), b.finance["yuan"].astype(float), rtol=1e-9)
    first, second = a.region.schools.key, b.region.schools.key
    for name in ("enrolment", "posts", "reputation", "practice", "sports_area", "music_rooms", "multimedia_rooms"):
        u, v = getattr(a.region.schools, name), getattr(b.region.schools, name)
        np.testing.assert_allclose(u[np.argsort(first)], v[np.argsort(second)], rtol=1e-9, atol=1e-9, err_msg=name)
    for name in ("students", "teachers"):
        u, v = getattr(a.region, name), getattr(b.region, name)
        at = dict(zip(u.key.tolist(), first[u.school].tolist(), strict=True))
        assert at == dict(zip(v.key.tolist(), second[v.school].tolist(), strict=True)), name


def within_cohorts(region: Region) -> Any:
    """Students in another order inside each cohort: between cohorts the oldest stay first."""
    mixed = RNG.random(region.students.n)
    return np.lexsort((mixed, region.students.cohort))


@pytest.mark.parametrize("policy", [BASELINE, RICH], ids=["baseline", "all levers"])
def test_teachers_in_another_order_change_nothing(policy: Policy) -> None:
    region = settled(policy=BASELINE)
    other = permuted(region, "teachers", RNG.permutation(region.teachers.n))
    assert_same_results(
        simulate(region, policy, INPUT, seed=1, years=YEARS), simulate(other, policy, INPUT, seed=1, years=YEARS)
    )


@pytest.mark.parametrize("policy", [BASELINE, RICH], ids=["baseline", "all levers"])
def test_students_in_another_order_within_their_cohort_change_nothing(policy: Policy) -> None:
    region = settled(policy=BASELINE)
    other = permuted(region, "students", within_cohorts(region))
    assert_same_results(
        simulate(region, policy, INPUT, seed=1, years=YEARS), simulate(other, policy, INPUT, seed=1, years=YEARS)
    )


def test_schools_in_another_order_change_nothing_under_the_baseline() -> None:
    region = settled(policy=BASELINE)
    other = permuted(region, "schools", RNG.permutation(region.schools.n))
    assert_same_results(
        simulate(region, BASELINE, INPUT, seed=1, years=YEARS), simulate(other, BASELINE, INPUT, seed=1, years=YEARS)
    )


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in LEVERS.items()])
def test_schools_in_another_order_change_nothing_under_any_one_lever(kind: type[Lever]) -> None:
    region = settled()
    other = permuted(region, "schools", np.arange(region.schools.n)[::-1])
    assert_same_results(
        simulate(region, only(kind), INPUT, seed=1, years=YEARS),
        simulate(other, only(kind), INPUT, seed=1, years=YEARS),
    )


# ---------------------------------------------------------------- equal schools stay equal

EQUAL = (
    "gap.score", "gap.score_home", "gap.teacher_effectiveness", "gap.leadership", "gap.practice", "gap.adequacy",
    "gap.schools_p90_p10", "gap.town_seat", "theil.between", "theil.within",
)  # fmt: skip


def equal_region() -> Region:
    """The village with identical schools, teachers and families: only where they lie differs."""
    region = settled()
    s, t, f, p = region.schools, region.teachers, region.families, region.students
    for values in (s.practice, s.practice_mean, s.leadership, s.reputation, s.score, s.value_added, s.elite_share):
        values[:] = 0.0
    s.condition[:] = 1.0
    for stock in (s.teaching_area, s.sports_area, s.equipment, s.multimedia_rooms):
        stock[:] = 1e9  # every school above the standard, however its enrolment turns out
    s.adequacy[:] = 1.0
    region.scale.adequacy_mean[:] = 1.0
    s.posts[:] = np.bincount(2 * t.post.astype(int) + t.stage, minlength=2 * s.n).reshape(-1, 2)
    special = t.subject != 0
    s.pe_art_posts[:] = np.bincount((2 * t.post.astype(int) + t.stage)[special], minlength=2 * s.n).reshape(-1, 2)
    for values in (t.lasting, t.practice, t.signal, t.credential, t.leads, f.ses, p.ability, p.achievement, p.prior):
        values[:] = 0.0
    t.age[:], t.experience[:], t.title[:] = 35, 12, 1
    region.catchments.ses_place[:] = region.catchments.ability_place[:] = 0.0
    region.scale.score_mean[:] = 0.0
    return region


def largest(history: History, name: str) -> float:
    values: Floats = np.concatenate([indicator(history, name, stage) for stage in ("primary", "junior")])
    return float(np.nanmax(np.abs(values)))


EVERYONE_LEARNS = {
    "teacher_effect": 0.16,
    "experience_gain": 0.07,
    "management_effect": 0.05,
    "facility_effect": 0.02,
    "peer_effect": 0.05,
}
MOVES = {
    "no lever": Policy(),
    "rotation and exchange": Policy(
        (TeacherRotation(share_of_eligible=0.4, eligible_after_years=1), HeadExchange(share_per_year=0.5))
    ),
    "another rule": Policy((Admission(rule="deferred_acceptance"), PublicFunds(primary=500))),
}  # fmt: skip


@pytest.mark.parametrize("policy", MOVES.values(), ids=MOVES)
def test_equal_schools_teachers_and_families_without_noise_have_no_gaps_and_stay_so(policy: Policy) -> None:
    history = simulate(equal_region(), policy, quiet(**EVERYONE_LEARNS), seed=1, years=8)
    assert {name: largest(history, name) for name in EQUAL if largest(history, name) > 1e-9} == {}


def test_the_equal_village_is_not_equal_once_any_source_of_difference_is_let_in() -> None:
    """So that the promise above could fail: each difference alone opens a gap."""
    for source in ({"home_effect_village": -0.1}, {"school_year_shock_sd": 0.1}, {"class_size_effect": -0.015}):
        history = simulate(equal_region(), Policy(), quiet(**EVERYONE_LEARNS, **source), seed=1, years=3)
        assert largest(history, "gap.schools_p90_p10") > 1e-3, source
