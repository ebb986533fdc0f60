"""Limits: where the model is made simple enough for a closed form, it gives that closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import INPUT, altered, begin, quiet, settled

from model.behaviour import Behaviour
from model.gaps import SchoolSums, between_school_share
from model.levers import Admission
from model.policy import Policy
from model.region import Region
from model.simulate import simulate
from model.steps.admission import admission
from model.steps.demography import demography
from model.steps.places import places

# ---------------------------------------------------------------- distance only


def admitted(behaviour: Behaviour, policy: Policy) -> tuple[Region, Any]:
    """A village with room for everybody after one admission."""
    region = settled()
    region.schools.classrooms[:] = 1000 * region.schools.has
    year = begin(region, policy, behaviour)
    for step in (demography, places, admission):
        step(region, year)
    return region, year


DISTANCE_ONLY = {
    "reputation_weight": 0.0, "reputation_ses": 0.0, "distance_primary": 1e6, "distance_junior": 1e6, "elite_pull": 0.0,
}  # fmt: skip


def test_choice_by_distance_alone_and_without_catchments_is_the_nearest_school() -> None:
    region, year = admitted(altered(INPUT, **DISTANCE_ONLY), Policy((Admission(rule="deferred_acceptance"),)))
    s, f, places_ = region.schools, region.families, region.catchments
    for one in year.seen.admitted:
        for row in one.rows:
            able = np.flatnonzero(s.has[:, one.stage] & (s.district == places_.district[f.catchment[row]]))
            far = np.hypot(s.x_km[able] - f.x_km[row], s.y_km[able] - f.y_km[row])
            assert region.students.school[row] == able[np.argmin(far)]


def test_where_crossing_costs_more_than_anything_everyone_goes_where_it_lives() -> None:
    behaviour = altered(INPUT, crossing_cost=1e6, house_move_cost=1e9)
    region, year = admitted(behaviour, Policy())
    s, home = region.schools, region.families.catchment
    for one in year.seen.admitted:
        right = region.catchments.right[home[one.rows], one.stage]
        np.testing.assert_array_equal(s.right[region.students.school[one.rows], one.stage], right)


def test_where_distance_means_nothing_and_reputation_everything_each_takes_the_best_known_it_considers() -> None:
    free = altered(
        INPUT,
        **dict.fromkeys(("distance_primary", "distance_junior", "reputation_ses", "knows_late", "elite_pull"), 0.0),
        reputation_weight=1e6,
    )
    region, year = admitted(free, Policy((Admission(rule="deferred_acceptance"),)))
    s, home = region.schools, region.catchments.district[region.families.catchment]
    for one in year.seen.admitted:
        for d in (0, 1):
            able = np.flatnonzero(s.has[:, one.stage] & (s.district == d))
            best = able[np.argmax(s.reputation[able, one.stage, 0])]
            assert (region.students.school[one.rows[home[one.rows] == d]] == best).all()


# ---------------------------------------------------------------- persistence


@pytest.mark.parametrize("persistence", [0.2, 0.5, 0.7])
def test_a_constant_school_input_accumulates_to_the_geometric_sum(persistence: float) -> None:
    """x(1−λⁿ)/(1−λ) after n years in a school that adds x a year, exactly, where nothing else adds anything."""
    region = settled()
    s = region.schools
    s.practice[:] = np.linspace(-1.0, 1.5, s.n)
    region.students.achievement[:] = region.students.ability[:] = 0.0
    behaviour = quiet(management_effect=0.05, persistence=persistence, house_move_cost=1e9)
    last = simulate(region, Policy(), behaviour, seed=1, years=9).region
    p = last.students
    stayed = (p.cohort > region.base_year) & (p.grade == p.school_years) & (p.grade <= 6)
    assert stayed.sum() > 500
    n = p.grade[stayed].astype(float)
    x = 0.05 * s.practice[p.school[stayed]]
    np.testing.assert_allclose(
        p.achievement[stayed], x * (1 - persistence**n) / (1 - persistence), rtol=1e-12, atol=1e-14
    )


def test_a_childs_own_input_starts_and_stays_at_its_fixed_point() -> None:
    """A child enters with what its home would have given for ever, so homes alone change nothing from year to year."""
    behaviour = quiet(ability_sd=0.3, ses_effect=0.1)
    last = simulate(settled(), Policy(), behaviour, seed=1, years=9).region
    new = last.students.cohort > 2019
    own = last.students.ability[new] + 0.1 * last.families.ses[new]
    np.testing.assert_allclose(last.students.achievement[new], own / (1 - INPUT.persistence), rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------- the between-school share


def crowded(region: Region) -> Region:
    """The same village with ten times the children, so that schools are large and shares are sharp."""
    region.cohorts.entrants[:] *= 10
    region.schools.classrooms[:] = 200 * region.schools.has
    return region


def test_without_choice_sorting_or_school_effects_schools_differ_by_chance_only() -> None:
    homes = {"ability_sd": 0.3, "ses_effect": 0.1, "ability_sorting": 0.0, "ses_sorting": 0.0}
    behaviour = quiet(**homes, learning_shock_sd=0.45, crossing_cost=1e6, house_move_cost=1e9)
    history = simulate(crowded(settled()), Policy(), behaviour, seed=1, years=9)
    i = history.indicators
    rows = (i["year"] == 2028) & (i["level"] == "region")
    for stage in ("primary", "junior"):
        share = i["value"][rows & (i["stage"] == stage) & (i["indicator"] == "between_school_share")][0]
        assert abs(share) < 0.01


def shares_under_a_known_effect(seed: int) -> tuple[float, float]:
    """The between-school share that the year shows, and the one that follows from what each school adds."""
    region = crowded(settled())
    s = region.schools
    s.practice[:] = np.where(np.arange(s.n) % 2, 2.0, -2.0)
    behaviour = quiet(management_effect=0.05, learning_shock_sd=0.3, crossing_cost=1e6, house_move_cost=1e9)
    history = simulate(region, Policy(), behaviour, seed=seed, years=9)
    p, lam = history.region.students, behaviour.persistence
    count = np.bincount(p.school[p.grade == 6], minlength=s.n)[s.has[:, 0]]
    effect = (0.05 * s.practice[s.has[:, 0]]) * (1 - lam**6) / (1 - lam)
    within = 0.3**2 * (1 - lam**12) / (1 - lam**2)
    # of schools with these sizes the estimator is of the variance with which the schools were drawn
    j, n = count.size, count.sum()
    size = (n - (count**2).sum() / n) / (j - 1)
    between = (count * (effect - (count * effect).sum() / n) ** 2).sum() / (j - 1) / size
    i = history.indicators
    rows = (i["year"] == 2028) & (i["level"] == "region") & (i["stage"] == "primary")
    share, low, high = (
        float(i["value"][rows & (i["indicator"] == f"between_school_share{end}")][0]) for end in ("", ".low", ".high")
    )
    assert low < share < high
    return share, between / (between + within)


def test_a_known_school_effect_gives_its_closed_form_between_school_share() -> None:
    """Schools add x each year, children differ by luck σ each year: V_b/(V_b + V_w) of the two geometric sums."""
    found, expected = np.mean([shares_under_a_known_effect(seed) for seed in (1, 2, 3, 4)], axis=0)
    assert found == pytest.approx(expected, abs=0.015)


def share_of_one_district(school: NDArray[Any], value: NDArray[Any], schools: int) -> tuple[float, float, float]:
    sums = SchoolSums.of(school, value, schools)
    share, low, high = between_school_share(sums, np.zeros(schools, np.int64), districts=1, groups=1)
    return float(share[0]), float(low[0]), float(high[0])


@given(schools=st.integers(2, 30), pupils=st.integers(2, 40), d=st.floats(0.0, 3.0), w=st.floats(0.01, 2.0))
def test_between_school_share_of_equal_schools_is_the_textbook_intraclass_correlation(
    schools: int, pupils: int, d: float, w: float
) -> None:
    """Half the schools d above, half d below; in each, half the pupils w above and half w below its mean."""
    schools, pupils = 2 * schools, 2 * pupils
    mean = np.where(np.arange(schools) % 2, d, -d)
    value = np.repeat(mean, pupils) + np.tile(np.where(np.arange(pupils) % 2, w, -w), schools)
    msb = pupils * schools * d**2 / (schools - 1)
    msw = schools * pupils * w**2 / (schools * (pupils - 1))
    variance = (msb - msw) / pupils  # of the schools, by the method of moments
    share, low, high = share_of_one_district(np.repeat(np.arange(schools), pupils), value, schools)
    assert share == pytest.approx(variance / (variance + msw), abs=1e-9)
    assert low <= share + 1e-12
    assert share <= high + 1e-12


def test_the_interval_of_the_between_school_share_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    truth, schools, pupils, hits = 0.2, 20, 30, 0
    for _ in range(400):
        value = np.repeat(rng.normal(0, np.sqrt(truth), schools), pupils) + rng.normal(
            0, np.sqrt(1 - truth), schools * pupils
        )
        _, low, high = share_of_one_district(np.repeat(np.arange(schools), pupils), value, schools)
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.98
