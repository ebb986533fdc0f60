"""Packages at one price: what is scaled and what stays, and that the price is met where it can be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from experiments import equal_cost as e
from experiments.scenario import Scenario, load_scenario, scenarios
from model.errors import InputError
from model.levers import LEVERS, Caps, FacilityInvestment, NewPlaces, TeacherPay
from model.policy import Lever, Policy
from model.strict_yaml import load

BASE = load_scenario("baseline")
YEARS = range(2020, 2028)
factors = st.floats(0, 5)


def package(*entries: Lever, name: str = "package") -> Scenario:
    kinds = {type(entry) for entry in entries}
    kept = [entry for entry in BASE.policy.entries if type(entry) not in kinds]
    return replace(BASE, name=name, policy=Policy((*kept, *entries)))


def paying(prices: Mapping[tuple[type[Lever], str], float]) -> e.Spend:
    """Money as a sum of fields in force over the years, each at a price."""

    def spend(asked: Sequence[Scenario]) -> dict[str, float]:
        return {
            s.name: sum(
                price * getattr(s.policy.one(kind, year), name)
                for (kind, name), price in prices.items()
                for year in YEARS
            )
            for s in asked
        }

    return spend


PRICES = {
    (FacilityInvestment, "sports_area_m2"): 500.0,
    (NewPlaces, "primary_classes"): 1e6,
    (TeacherPay, "village_supplement"): 3000.0,
}


def test_every_field_of_every_lever_is_either_size_or_shape() -> None:
    rows = load(e.Path(e.__file__).parent / "data" / "scaling.yaml")
    assert list(rows) == list(LEVERS)
    for name, kind in LEVERS.items():
        listed = [*rows[name].get("size", []), *rows[name].get("shape", [])]
        assert sorted(listed) == sorted(kind.settings()), name


def test_what_is_scaled_is_a_number_with_a_range() -> None:
    for name, fields in e.sizes().items():
        for field in fields:
            declared = LEVERS[name].settings()[field]
            assert type(declared.default) in (int, float)
            assert declared.metadata["low"] is not None


@pytest.mark.parametrize("name", [n for n in scenarios() if n != "baseline"])
def test_at_its_own_size_a_package_is_in_force_as_it_was(name: str) -> None:
    plan = load_scenario(name)
    same, _ = e.scaled(plan, BASE.beside(plan), 1.0)
    for kind, year in itertools.product(LEVERS.values(), range(plan.starts, plan.ends + 1)):
        before, after = (s.policy.in_force(kind, year) for s in (plan, same))
        assert [x.values() for x in after] == [pytest.approx(x.values()) if x.values() != y.values() else x.values()
                                               for x, y in zip(before, after, strict=True)]  # fmt: skip
        assert [x.where for x in after] == [x.where for x in before]


@pytest.mark.parametrize("name", ["wuqing-2020-2022", "tianjin-2.0"])
def test_at_no_size_what_is_scaled_stands_where_the_baseline_has_it(name: str) -> None:
    plan = load_scenario(name)
    base = BASE.beside(plan)
    small, _ = e.scaled(plan, base, 0.0)
    for kind, year in itertools.product(LEVERS.values(), range(plan.starts, plan.ends + 1)):
        for entry in small.policy.in_force(kind, year):
            before = base.policy.one(kind, year) if not entry.where.schools else kind()
            for field in e.sizes()[kind.NAME]:
                assert getattr(entry, field) == pytest.approx(getattr(before, field)), (kind.NAME, field, year)


@given(factors)
def test_between_and_beyond_it_lies_on_the_line_inside_the_range(factor: float) -> None:
    plan = package(TeacherPay(village_supplement=13_900.0), NewPlaces(start=2021, until=2023, primary_classes=7))
    made, bounded = e.scaled(plan, BASE, factor)
    pay = made.policy.one(TeacherPay, 2025)
    assert pay.village_supplement == pytest.approx(3900 + factor * 10_000)
    assert pay.ratio_to_civil_service == 1.0
    places = made.policy.one(NewPlaces, 2022)
    assert isinstance(places.primary_classes, int)
    assert abs(places.primary_classes - 7 * factor) <= 0.5
    assert places.growth_primary == pytest.approx(min(max(0.013 - 0.013 * factor, 0), 0.5))
    assert ("new_places.growth_primary" in bounded) == (factor > 1)
    assert made.policy.in_force(NewPlaces, 2020) == made.policy.in_force(NewPlaces, 2024) == []


def test_rules_stay_and_are_told_of() -> None:
    plan = package(Caps(class_primary=45), TeacherPay(village_supplement=13_900.0))
    assert e.kept(plan, BASE) == ("caps",)
    assert e.scaled(plan, BASE, 0.3)[0].policy.one(Caps, 2022).class_primary == 45
    assert e.kept(BASE, BASE) == ()


@settings(deadline=None)
@given(st.floats(1e3, 5e4), st.floats(4e3, 1.5e5))
def test_packages_end_at_the_first_one_s_price(area: float, supplement: float) -> None:
    yardstick = package(FacilityInvestment(sports_area_m2=area), name="grounds")
    other = package(TeacherPay(village_supplement=supplement), name="pay")
    spend = paying(PRICES)
    assume(500 * area < 0.95 * 64 * 3000 * (supplement - 3900))
    made, (scaled,) = e.equal_cost([BASE, yardstick, other], spend)
    spent = spend(made)
    wanted = spent["grounds"] - spent["baseline"]
    assert [s.name for s in made][:2] == ["baseline", "grounds"]
    assert spent[made[2].name] - spent["baseline"] == pytest.approx(wanted, rel=e.TOLERANCE)
    assert scaled.factor == pytest.approx(500 * area / (3000 * (supplement - 3900)), rel=2 * e.TOLERANCE)
    assert (scaled.of, scaled.yardstick, scaled.scenario) == ("pay", "grounds", made[2])


def test_few_trials_are_enough() -> None:
    trials = 0

    def spend(asked: Sequence[Scenario]) -> Mapping[str, float]:
        nonlocal trials
        trials += 1
        return {s: yuan**1.5 for s, yuan in paying(PRICES)(asked).items()}

    yardstick = package(FacilityInvestment(sports_area_m2=4e4), name="grounds")
    other = package(TeacherPay(village_supplement=10_000.0), NewPlaces(primary_classes=3), name="rest")
    e.equal_cost([BASE, yardstick, other], spend)
    assert trials <= 10


def test_whole_classes_end_as_near_as_they_can() -> None:
    yardstick = package(TeacherPay(village_supplement=5_000.0), name="pay")  # 26.4 million
    other = package(NewPlaces(until=2020, primary_classes=100), name="places")
    _, (scaled,) = e.equal_cost([BASE, yardstick, other], paying(PRICES))
    assert scaled.yuan in (26e6, 27e6)
    assert abs(scaled.gap) > e.TOLERANCE


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["grounds"], "two packages or more"),
        (["baseline", "grounds"], "two packages or more"),
        (["rules", "grounds"], "a cost"),
        (["grounds", "rules"], "at its largest"),
        (["cheap", "dear rules"], "even with nothing that is scaled"),
    ],
)
def test_what_has_no_common_price_is_refused(asked: list[str], said: str) -> None:
    known = {
        "baseline": BASE,
        "grounds": package(FacilityInvestment(sports_area_m2=1e4), name="grounds"),
        "rules": package(Caps(class_primary=45), name="rules"),
        "cheap": package(FacilityInvestment(sports_area_m2=10.0), name="cheap"),
        "dear rules": package(Caps(class_primary=40), FacilityInvestment(sports_area_m2=5.0), name="dear rules"),
    }
    prices = {**PRICES, (Caps, "class_primary"): -1e6}  # smaller classes cost
    if "dear rules" not in asked:
        prices = PRICES
    with pytest.raises(InputError, match=said):
        e.equal_cost([known[name] for name in asked], paying(prices))
