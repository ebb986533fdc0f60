"""Every parameter of behaviour is declared in full, lies in its range and is used; so is every field of a lever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from situations import INPUT, RICH, altered, changed_values, differences, settled, without

from model.behaviour import CALIBRATIONS, KINDS, load_behaviour, parameters
from model.build import build_region
from model.burn_in import burn_in
from model.errors import InputError
from model.levers import LEVERS, SchoolMerging, TeacherPay
from model.policy import FOREVER, Policy
from model.region import Kind, Network, Region, Setting
from model.simulate import History, simulate

NAMES = list(parameters())
ONLY_BURN_IN = {"management_setting"}  # it shapes what stands when a scenario begins
YEARS = (2, 7)  # at the latest when children who enter under a behaviour come to the test of the last primary grade
# small schools stay open, so that what is for them is seen; village posts pay well above the threshold
STAYS = without(without(RICH, SchoolMerging), TeacherPay).with_entries(
    [TeacherPay(ratio_to_civil_service=1.02, village_supplement=40_000)]
)


def scarce() -> Region:
    """A village where places are short, one junior school is a village's, one school is famous and municipal."""
    region = settled()
    s = region.schools
    s.classrooms[:] = np.ceil(0.7 * s.classrooms)
    s.setting[9] = Setting.VILLAGE
    s.kind[0] = Kind.MUNICIPAL
    s.reputation[4] = 2.0  # a brand of its own
    tie = {"kind": int(Network.GROUP), "lead": 0, "member": 4, "since": 2015, "until": FOREVER}
    region.networks.append(1, **tie)
    lately = (region.students.school == 9) & (region.students.key % np.uint64(2) == 0)
    region.students.school_years[lately] = 0
    return region


@cache
def four_years(start: Callable[[], Region], policy: Policy) -> History:
    return simulate(start(), policy, INPUT, seed=1, years=4)


@cache
def rich_years(years: int) -> History:
    return simulate(scarce(), STAYS, INPUT, seed=1, years=years)


def farther(name: str) -> float:
    """The end of a parameter's range farther from its value."""
    p = parameters()[name]
    return p.low if p.input - p.low >= p.high - p.input else p.high


@pytest.mark.parametrize(
    "name",
    [n for n in NAMES if n != "substitute_effect"],  # no post of this village is vacant: see test_steps
)
def test_every_parameter_changes_some_indicator_of_a_village_with_every_lever(name: str) -> None:
    other = load_behaviour("input", **{name: farther(name)})
    if name in ONLY_BURN_IN:
        given = simulate(settled(), STAYS, INPUT, seed=1, years=1)
        region = burn_in(build_region("village", seed=1), other, Policy())
        assert changed_values(simulate(region, STAYS, other, seed=1, years=1), given)
    else:
        changed = (
            changed_values(simulate(scarce(), STAYS, other, seed=1, years=years), rich_years(years)) for years in YEARS
        )
        assert any(changed)


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


def test_the_two_calibrations_differ_where_they_explain_the_gap_and_agree_on_what_was_measured_outside_schools() -> (
    None
):
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

ALL_FIELDS = [(name, field) for name, kind in LEVERS.items() for field in kind.settings()]
# what each field is set to instead, where half of what the rich policy has (or its other choice) says nothing
INSTEAD = {
    ("education_groups", "coverage"): 0.3,
    ("education_groups", "count"): 1,
    ("education_groups", "max_members"): 1,
    ("education_groups", "municipal"): 1,
    ("regional_communities", "pairs"): ("Qiuhe-Yunlan",),
    ("senior_high_quota", "village_tilt"): 2.0,
    ("stipend", "paid_by"): "municipality",
    ("school_merging", "below_pupils"): 120,
    ("caps", "school"): 250,
    ("caps", "nine_year"): 150,
    ("admission", "rule"): "immediate_acceptance",
    ("admission", "proximity_primary"): 0.99,
    ("admission", "proximity_junior"): 0.99,
    ("capacity_award", "yuan_per_junior_class"): 0.0,
    ("education_groups", "leads"): ("竹屏镇第二小学",),
    ("new_schools", "primary"): ("新小学@云岚街道",),
    ("new_schools", "junior"): ("新中学@云岚街道",),
    ("new_schools", "nine_year"): (),
}


# what a village of twelve schools is too small or four years too short to show; each has its own test in test_steps
SHOWN_ELSEWHERE = {
    ("education_groups", "municipal"),
    ("cooperative_schools", "trained_years"),
    ("cooperative_schools", "seconded_per_school"),
    ("career_rules", "head_weak_years"),
    ("budget", "yuan_per_year"),
}
FIELDS = [field for field in ALL_FIELDS if field not in SHOWN_ELSEWHERE]


@pytest.mark.parametrize(
    ("lever", "name"),
    [pytest.param(*field, id=".".join(field)) for field in FIELDS],
)
def test_every_field_of_every_lever_changes_what_a_village_comes_to(lever: str, name: str) -> None:
    kind = LEVERS[lever]
    entry = next(e for e in (RICH if kind is SchoolMerging else STAYS).entries if isinstance(e, kind))
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
    # a limit on outsiders binds where they find room; small schools merge where merging is in force
    start, policy = (settled if name.startswith("proximity") else scarce), (RICH if kind is SchoolMerging else STAYS)
    instead = {"coverage": 0.0} if (lever, name) == ("education_groups", "count") else {}  # one of the two
    entries = (dataclasses.replace(e, **{name: other, **instead}) if isinstance(e, kind) else e for e in policy.entries)
    assert differences(four_years(start, policy), simulate(start(), Policy(tuple(entries)), INPUT, seed=1, years=4))
