"""The randomness cube: who faces the same decision draws the same number, whatever else is done or who else exists."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from situations import BASELINE, INPUT, NOTHING, RICH, altered, begin, differences, only, settled, without

import model.steps.demography as demography_step
from model.draws import Decision, Draws
from model.errors import InputError
from model.levers import LEVERS, BundledEvaluation, Stipend, UrbanRuralPairs
from model.policy import Lever, Policy, Where
from model.region import Region
from model.simulate import History, simulate
from model.steps.learning import learning

YEARS = 3


def lived(
    policy: Policy, years: int = YEARS, seed: int = 1, settled_under: Policy = NOTHING, behaviour: Any = INPUT
) -> History:
    return simulate(settled(policy=settled_under), policy, behaviour, seed=seed, years=years, record_schools=True)


@cache
def reference(policy: Policy) -> History:
    return lived(policy)


# ---------------------------------------------------------------- neutral levers

PLACES = {"everywhere": Where(), "villages of one district": Where(districts=("Qiuhe",), settings=("village",))}


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        pytest.param(
            kind,
            where,
            id=f"{name}, {place}",
        )
        for name, kind in LEVERS.items()
        for place, where in PLACES.items()
    ],
)
def test_an_empty_lever_added_to_all_others_changes_nothing_bit_for_bit(kind: type[Lever], place: Where) -> None:
    others = without(RICH, kind)
    assert kind().is_neutral()
    if kind.WHOLE_REGION and place != Where():
        with pytest.raises(InputError, match="whole region"):
            lived(others.with_entries([kind(where=place)]))
        return
    assert differences(reference(others), lived(others.with_entries([kind(where=place)]))) == []


@pytest.mark.parametrize("kind", LEVERS.values(), ids=LEVERS)
def test_an_empty_lever_where_nothing_at_all_is_in_force_changes_nothing(kind: type[Lever]) -> None:
    assert differences(reference(NOTHING), lived(Policy((kind(),)))) == []


@pytest.mark.parametrize("kind", LEVERS.values(), ids=LEVERS)
def test_a_lever_set_again_to_the_value_in_force_changes_nothing(kind: type[Lever]) -> None:
    """An entry written as two, the second dated from a later year with the same values."""
    entries: list[Lever] = []
    for entry in RICH.entries:
        if isinstance(entry, kind):
            entries += [dataclasses.replace(entry, until=2020), dataclasses.replace(entry, start=2021)]
        else:
            entries.append(entry)
    assert differences(reference(RICH), lived(Policy(tuple(entries)))) == []


LIMITED = {name: kind for name, kind in LEVERS.items() if not kind.WHOLE_REGION}


@pytest.mark.parametrize("kind", LIMITED.values(), ids=LIMITED)
def test_a_lever_limited_to_every_place_by_name_is_the_lever_everywhere(kind: type[Lever]) -> None:
    everywhere = Where(districts=("Yunlan", "Qiuhe"), settings=("urban", "town", "village"))
    entries = (dataclasses.replace(e, where=everywhere) if isinstance(e, kind) else e for e in RICH.entries)
    assert differences(reference(RICH), lived(Policy(tuple(entries)))) == []


ACROSS = {"regional_communities", "cooperative_schools"}  # their helpers may lie in another district


@pytest.mark.parametrize("kind", [LIMITED[name] for name in LIMITED if name not in ACROSS], ids=lambda kind: kind.NAME)
def test_a_lever_limited_to_one_district_leaves_the_other_as_it_was(kind: type[Lever]) -> None:
    behaviour = altered(INPUT, peer_effect=0.0, reputation_value_added=0.0)  # both are measured over the region
    entry = next(e for e in RICH.entries if isinstance(e, kind))
    helped = [UrbanRuralPairs(coverage=1.0, seconded_per_pair=1)] if kind in (Stipend, BundledEvaluation) else []
    others = Policy(tuple(helped))
    placed = others.with_entries([dataclasses.replace(entry, where=Where(districts=("Qiuhe",)))])
    a = lived(others, behaviour=behaviour).region
    b = lived(placed, behaviour=behaviour).region
    assert_district_as_it_was(a, b, a.schools.district == 0)


def test_a_lever_that_ends_before_the_first_year_never_was() -> None:
    ended = tuple(dataclasses.replace(entry, until=2019) for entry in RICH.entries)
    assert differences(reference(NOTHING), lived(Policy(ended))) == []


# ---------------------------------------------------------------- seeds, repetition, horizon


def test_simulate_leaves_the_region_it_is_given_untouched(village: Region) -> None:
    before = village.fingerprint()
    simulate(village, RICH, INPUT, seed=3, years=YEARS)
    assert village.fingerprint() == before


@pytest.mark.parametrize("policy", [BASELINE, RICH], ids=["baseline", "all levers"])
def test_the_same_seed_gives_the_same_history(policy: Policy) -> None:
    assert differences(lived(policy), lived(policy)) == []


def test_another_seed_gives_other_pupils_and_other_scores() -> None:
    found = differences(lived(BASELINE, seed=1), lived(BASELINE, seed=2))
    assert {"students.achievement", "families.taste_distance"} <= set(found) or "rows of indicators" in found


def test_more_years_leave_the_first_years_as_they_were() -> None:
    short, long = lived(RICH, years=2), lived(RICH, years=5)
    for name in ("indicators", "finance"):
        first = getattr(long, name)["year"] <= short.years[-1]
        for title, values in getattr(short, name).items():
            np.testing.assert_array_equal(values, getattr(long, name)[title][first])
    assert [n for n in long.notices if n.year <= short.years[-1]] == short.notices


def test_years_lived_in_two_parts_are_the_years_lived_at_once() -> None:
    whole = lived(RICH, years=4)
    first = lived(RICH, years=2)
    second = simulate(first.region, RICH, INPUT, seed=1, years=2)
    assert second.region.fingerprint() == whole.region.fingerprint()


# ---------------------------------------------------------------- shared draws in paired scenarios

BORN = ("taste_reputation", "taste_distance", "delay", "income", "local", "owns_home", "origin", "ses")


def test_the_children_who_enter_are_the_same_persons_in_every_scenario() -> None:
    a, b = lived(BASELINE, settled_under=BASELINE).region, lived(RICH, settled_under=BASELINE).region
    np.testing.assert_array_equal(a.students.key, b.students.key)
    for name in BORN:
        np.testing.assert_array_equal(getattr(a.families, name), getattr(b.families, name), err_msg=name)
    for name in ("ability", "left_behind", "special", "cohort"):
        np.testing.assert_array_equal(getattr(a.students, name), getattr(b.students, name), err_msg=name)


def learning_shocks(region: Region, policy: Policy) -> dict[int, float]:
    """What luck did to each pupil in the next year's learning, by key: with luck less without it."""
    lucky, plain = region.copy(), region.copy()
    learning(lucky, begin(lucky, policy, altered(INPUT, learning_shock_sd=1.0)))
    learning(plain, begin(plain, policy, altered(INPUT, learning_shock_sd=0.0)))
    shock = lucky.students.achievement - plain.students.achievement
    return dict(zip(region.students.key.tolist(), shock, strict=True))


def test_a_pupil_has_the_same_luck_in_paired_scenarios_though_its_school_differs() -> None:
    plain, rich = lived(BASELINE, years=3).region, lived(RICH, years=3).region
    assert (plain.students.school != rich.students.school).any()
    a, b = learning_shocks(plain, BASELINE), learning_shocks(rich, RICH)
    assert a.keys() == b.keys()
    assert max(abs(a[k] - b[k]) for k in a) < 1e-12
    key = np.array(list(a), np.uint64)
    drawn = Draws(1, plain.year + 1).normal(Decision.LEARNING_SHOCK, key)
    np.testing.assert_allclose(np.array(list(a.values())), drawn, atol=1e-12)


def test_teachers_in_both_scenarios_are_the_same_persons() -> None:
    a, b = lived(BASELINE, years=6).region.teachers, lived(only(*LEVERS.values()), years=6).region.teachers
    shared, i, j = np.intersect1d(a.key, b.key, return_indices=True)
    assert 60 < shared.size < a.n
    for name in ("lasting", "signal", "credential", "leads", "home_x", "age"):
        np.testing.assert_array_equal(getattr(a, name)[i], getattr(b, name)[j], err_msg=name)


# ---------------------------------------------------------------- one more family


def by_key(table: Any, name: str) -> dict[int, Any]:
    return dict(zip(table.key.tolist(), getattr(table, name).tolist(), strict=True))


def assert_district_as_it_was(a: Region, b: Region, there: NDArray[np.bool_]) -> None:
    """Every column of these schools, and of whoever learns or teaches in them."""
    for name, values in a.schools.items():
        if name != "value_added":  # against what intake predicts in the whole region
            np.testing.assert_array_equal(values[there], getattr(b.schools, name)[there], err_msg=name)
    for table in ("students", "families", "teachers"):
        x, y = getattr(a, table), getattr(b, table)
        keys = x.key[there[(a.students if table == "families" else x).school]].tolist()
        assert len(keys) > 50
        for name in x.COLUMNS:
            if name != "klass":  # a row of the table of classes, not a property of the child
                before, after = by_key(x, name), by_key(y, name)
                assert all(before[k] == after.get(k) for k in keys), f"{table}.{name}"


def lived_with_one_more(monkeypatch: pytest.MonkeyPatch, catchment: int, years: int) -> tuple[History, History]:
    # peers and value-added are measured against all pupils of the region, which one more moves for everyone
    behaviour = altered(INPUT, peer_effect=0.0, reputation_value_added=0.0)
    plain = lived(BASELINE, years, settled_under=BASELINE, behaviour=behaviour)
    usual = demography_step.children

    def with_one_more(region: Region, year: int, *rest: Any) -> Any:
        counts = usual(region, year, *rest)
        counts[catchment] += year == 2020
        return counts

    monkeypatch.setattr(demography_step, "children", with_one_more)
    return plain, lived(BASELINE, years, settled_under=BASELINE, behaviour=behaviour)


@pytest.mark.parametrize("catchment", [0, 4])
def test_one_more_family_leaves_every_other_childs_draws_alone(monkeypatch: pytest.MonkeyPatch, catchment: int) -> None:
    plain, more = lived_with_one_more(monkeypatch, catchment, 3)
    assert more.region.students.n == plain.region.students.n + 1
    for name in BORN:
        before, after = by_key(plain.region.families, name), by_key(more.region.families, name)
        assert {k: after[k] for k in before} == before, name
    before, after = by_key(plain.region.students, "ability"), by_key(more.region.students, "ability")
    assert {k: after[k] for k in before} == before
    a, b = learning_shocks(plain.region, BASELINE), learning_shocks(more.region, BASELINE)
    assert max(abs(a[k] - b[k]) for k in a) < 1e-12


@pytest.mark.parametrize("catchment", [0, 4])
def test_one_more_family_leaves_the_other_district_as_it_was(monkeypatch: pytest.MonkeyPatch, catchment: int) -> None:
    plain, more = lived_with_one_more(monkeypatch, catchment, 3)
    a, b = plain.region, more.region
    assert_district_as_it_was(a, b, a.schools.district != 0)


def test_one_more_family_moves_its_own_school_by_one_pupil(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, more = lived_with_one_more(monkeypatch, 4, 1)
    gained = more.region.schools.enrolment - plain.region.schools.enrolment
    assert gained.sum() == 1
    assert np.abs(gained).sum() == 1  # no school of the village is full, so nobody is displaced
