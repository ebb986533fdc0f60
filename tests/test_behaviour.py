"""Every parameter of behaviour is declared in full, lies in its range, and is used; so is every field of every lever."""

from __future__ import annotations

import dataclasses
from functools import cache

import pytest

from model.behaviour import CALIBRATIONS, KINDS, load_behaviour, parameters
from model.build import build_region
from model.burn_in import burn_in
from model.errors import InputError
from model.levers import LEVERS, SchoolMerging
from model.policy import Policy
from model.simulate import History, simulate
from situations import INPUT, RICH, altered, changed_values, differences, settled, without

NAMES = list(parameters())
ONLY_BURN_IN = {"management_setting", "reputation_noise"}  # they shape what stands when a scenario begins
YEARS = 7  # so that children who enter under a behaviour come to the test of the last primary grade
STAYS = without(RICH, SchoolMerging)  # small schools stay open, so that what is for them is seen


@cache
def rich_years(years: int) -> History:
    return simulate(settled(), STAYS, INPUT, seed=1, years=years)


def farther(name: str) -> float:
    """The end of a parameter's range farther from its value."""
    p = parameters()[name]
    return p.low if p.input - p.low > p.high - p.input else p.high


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_changes_some_indicator_of_a_village_with_every_lever(name: str) -> None:
    other = load_behaviour("input", **{name: farther(name)})
    if name in ONLY_BURN_IN:
        region = burn_in(build_region("village", seed=1), other, Policy())
        assert changed_values(simulate(region, STAYS, other, seed=1, years=1), rich_years(1))
    else:
        assert changed_values(simulate(settled(), STAYS, other, seed=1, years=YEARS), rich_years(YEARS))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_says_what_it_is_in_both_languages_and_where_it_comes_from(name: str) -> None:
    p = parameters()[name]
    assert p.low < p.high
    for calibration in CALIBRATIONS:
        assert p.low <= getattr(p, calibration) <= p.high
    assert p.kind in KINDS
    for text in (p.unit, p.source, p.en, p.zh):
        assert text.strip()
    assert any("\u4e00" <= c <= "\u9fff" for c in p.zh)


def test_the_two_calibrations_differ_where_they_explain_the_gap_and_agree_on_what_was_measured_outside_schools() -> None:
    a, b = (load_behaviour(name) for name in CALIBRATIONS)
    assert a.fingerprint() != b.fingerprint()
    assert b.ability_sorting > a.ability_sorting
    assert b.home_effect_urban - b.home_effect_village > a.home_effect_urban - a.home_effect_village
    assert b.management_effect < a.management_effect
    assert a.persistence == b.persistence


def test_a_value_outside_its_range_and_an_unknown_name_are_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="persistence"):
        load_behaviour("input", persistence=0.9)
    with pytest.raises(InputError, match="persistence"):
        load_behaviour("input", persistance=0.5)
    with pytest.raises(InputError, match="sorting"):
        load_behaviour("sortng")


def test_a_fingerprint_is_of_the_values_and_of_all_of_them() -> None:
    assert load_behaviour("input").fingerprint() == INPUT.fingerprint()
    prints = {altered(INPUT, **{name: farther(name)}).fingerprint() for name in NAMES}
    assert len(prints) == len(NAMES)
    assert INPUT.fingerprint() not in prints


# ---------------------------------------------------------------- levers

FIELDS = [(name, field) for name, kind in LEVERS.items() for field in kind.settings()]
# what each field is set to instead, where half of what the rich policy has (or its other choice) says nothing
INSTEAD = {
    ("education_groups", "coverage"): 0.3,
    ("education_groups", "count"): 1,
    ("education_groups", "max_members"): 1,
    ("education_groups", "integrated"): True,
    ("education_groups", "municipal"): 1,
    ("regional_communities", "pairs"): ("Qiuhe-Yunlan",),
    ("stipend", "paid_by"): "municipality",
    ("school_merging", "below_pupils"): 120,
    ("caps", "school"): 250,
    ("caps", "nine_year"): 150,
    ("admission", "rule"): "immediate_acceptance",
    ("capacity_award", "yuan_per_junior_class"): 0.0,
}


@pytest.mark.parametrize(("lever", "name"), FIELDS, ids=[f"{lever}.{name}" for lever, name in FIELDS])
def test_every_field_of_every_lever_changes_what_a_village_comes_to(lever: str, name: str) -> None:
    kind = LEVERS[lever]
    entry = next(e for e in RICH.entries if isinstance(e, kind))
    now, field = getattr(entry, name), kind.settings()[name]
    if (lever, name) in INSTEAD:
        other = INSTEAD[lever, name]
    elif field.metadata["choices"]:
        other = next(c for c in field.metadata["choices"] if c != now)
    elif isinstance(now, bool):
        other = not now
    else:
        other = field.metadata["low"] if now > field.metadata["low"] else field.metadata["high"]
    assert other != now
    policy = RICH if lever == "school_merging" else STAYS
    changed = without(policy, kind).with_entries([dataclasses.replace(entry, **{name: other})])
    # the same lever in the same place of the policy, so that only its value differs
    given = without(policy, kind).with_entries([entry])
    assert differences(simulate(settled(), given, INPUT, seed=1, years=5), simulate(settled(), changed, INPUT, seed=1, years=5))
