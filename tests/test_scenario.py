"""Scenario files: what they mean, that they say what the documents say, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from experiments import schema
from experiments.clauses import CLAUSES
from experiments.difference import diff
from experiments.policy_file import read_value
from experiments.scenario import SHIPPED, Scenario, by_lever, load_scenario, scenarios
from model import strict_yaml
from model.errors import InputError
from model.levers import LEVERS, Caps, Stipend, TeacherRotation
from model.policy import FOREVER, Lever, Policy

HEAD = "extends: baseline\n"
FIELDS = [(kind, name) for kind in LEVERS.values() for name in kind.settings()]
NUMBERS = [(kind, name) for kind, name in FIELDS if kind.settings()[name].metadata["low"] is not None]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_file(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def entries(scenario: Scenario, lever: str) -> list[Any]:
    return list(by_lever(scenario.policy).get(lever, ()))


# ---- inheritance


def test_a_child_that_names_a_lever_replaces_all_the_parents_entries_of_it_and_of_no_other(write: Any) -> None:
    path = write(HEAD + "policies:\n  public_funds:\n    - {from: 2021, primary: 700}\n")
    parent, child = by_lever(load_scenario("baseline").policy), by_lever(load_scenario(path).policy)
    assert len(parent["public_funds"]) == 2
    assert [(e.start, e.until, e.primary, e.junior) for e in child["public_funds"]] == [(2021, FOREVER, 700, 0)]
    assert {k: v for k, v in child.items() if k != "public_funds"} == {
        k: v for k, v in parent.items() if k != "public_funds"
    }


def test_before_a_child_starts_its_parents_levers_hold_unless_the_child_says_what_did(write: Any) -> None:
    path = write(HEAD + "starts: 2023\npolicies:\n  posts:\n    - {follow_enrolment: 0.9}\n")
    held = entries(load_scenario(path), "posts")
    assert [(e.start, e.until, e.follow_enrolment) for e in held] == [(0, 2022, 0.3), (2023, FOREVER, 0.9)]
    both = write(HEAD + "starts: 2023\npolicies:\n  posts:\n    - {until: 2022, follow_enrolment: 0.1}\n")
    assert [(e.start, e.until, e.follow_enrolment) for e in entries(load_scenario(both), "posts")] == [(0, 2022, 0.1)]


def test_a_child_inherits_region_years_document_and_targets_until_it_states_its_own(write: Any) -> None:
    parent = load_scenario("wuqing-2020-2022")
    heir = load_scenario(write("extends: wuqing-2020-2022\n"))
    assert (heir.region, heir.starts, heir.years) == (parent.region, parent.starts, parent.years)
    assert heir.document == parent.document
    assert heir.targets == parent.targets
    assert heir.extends == ("wuqing-2020-2022", "baseline")
    own = write(
        "extends: wuqing-2020-2022\nyears: 3\ntargets:\n"
        "  - {indicator: cv.equipment, stage: primary, at_most: 0.4, by: 2021}\n"
    )
    assert load_scenario(own).years == 3
    assert [t.indicator for t in load_scenario(own).targets] == ["cv.equipment"]


def test_a_scenario_extends_a_file_beside_it_wherever_the_reader_stands(write: Any, tmp_path: Path) -> None:
    write(HEAD + "years: 4\n", "parent.yaml")
    child = write("extends: parent.yaml\n", "child.yaml")
    assert load_scenario(child).years == 4


def test_a_lever_set_to_the_values_in_force_differs_in_nothing(write: Any) -> None:
    path = write(
        HEAD
        + "policies:\n  posts:\n    - {from: 2020, follow_enrolment: 0.3}\n"
        + "  head_exchange:\n    - {share_per_year: 0}\n"
    )
    assert diff(load_scenario("baseline"), load_scenario(path)) == []


def test_the_baseline_beside_a_plan_takes_its_region_and_years_and_keeps_its_levers(write: Any) -> None:
    plan = load_scenario(write(HEAD + "region: village\nstarts: 2023\nyears: 5\n"))
    placed = load_scenario("baseline").beside(plan)
    assert (placed.region, placed.starts, placed.years) == ("village", 2023, 5)
    assert placed.policy == load_scenario("baseline").policy


# ---- what resolves to what


def test_resolved_is_json_and_reading_it_back_gives_the_same_scenario(write: Any) -> None:
    for name in scenarios():
        resolved = load_scenario(name).resolved()
        data = json.loads(json.dumps(resolved))
        data["title"], data["extends"] = dict(data["title"]), None
        text = yaml.safe_dump(_as_file(data), allow_unicode=True, width=10_000)
        again = load_scenario(write(text)).resolved()
        assert again | {"extends": resolved["extends"]} == resolved


def _as_file(data: dict[str, Any]) -> dict[str, Any]:
    """A resolved scenario as somebody would write it, with implied keys and neutral choices of none left out."""

    def entry(held: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in held.items() if v is not None and v != {} and not (k == "note" and v == "")}

    def target(held: dict[str, Any]) -> dict[str, Any]:
        plain = {k: v for k, v in held.items() if k not in ("direction", "required") and v not in ("", None)}
        return plain | {held["direction"]: held["required"]}

    both_forms = ("coverage", "count")
    policies = {
        name: [{k: v for k, v in entry(e).items() if k not in both_forms or v} for e in held]
        for name, held in data["policies"].items()
    }
    kept = {k: v for k, v in data.items() if v not in (None, {}, [])}
    return kept | {"policies": policies, "targets": [target(t) for t in data["targets"]]}


def test_the_order_in_which_levers_and_entries_are_written_does_not_matter(write: Any) -> None:
    one = HEAD + (
        "policies:\n  posts: [{follow_enrolment: 0.5}]\n"
        "  stipend: [{from: 2020, until: 2021, yuan_per_year: 1}, {from: 2022, yuan_per_year: 2}]\n"
    )
    other = HEAD + (
        "policies:\n  stipend: [{from: 2022, yuan_per_year: 2}, {from: 2020, until: 2021, yuan_per_year: 1}]\n"
        "  posts: [{follow_enrolment: 0.5}]\n"
    )
    assert load_scenario(write(one)).resolved() == load_scenario(write(other)).resolved()


@given(share=st.floats(0, 0.5))
def test_set_changes_that_field_in_every_entry_and_year_and_nothing_else(share: float) -> None:
    plan = load_scenario("wuqing-2020-2022")
    changed = plan.with_set(f"public_funds.primary={share!r}")
    assert [e.primary for e in entries(changed, "public_funds")] == [share] * 2
    assert {d.what for d in diff(plan, changed)} <= {"public_funds.primary"}
    assert [e.junior for e in entries(changed, "public_funds")] == [e.junior for e in entries(plan, "public_funds")]


def test_set_on_a_lever_that_is_not_in_force_puts_it_in_force_everywhere_and_always() -> None:
    (entry,) = entries(load_scenario("baseline").with_set("stipend.yuan_per_year=24000"), "stipend")
    assert entry == Stipend(yuan_per_year=24000.0)


# ---- differences


def test_difference_is_mirrored_when_the_scenarios_change_places() -> None:
    a, b = load_scenario("baseline"), load_scenario("wuqing-2020-2022")
    mirrored = {dataclasses.replace(d, a=d.b, b=d.a) for d in diff(b, a)}
    assert mirrored == set(diff(a, b))
    assert diff(a, a) == diff(b, b) == []


def test_difference_gives_the_years_in_which_two_policies_are_not_the_same() -> None:
    plan = load_scenario("wuqing-2020-2022")
    caps = Caps(start=2020, until=2023, class_primary=45, class_junior=50, school=2000, nine_year=2500)
    kept = tuple(e for e in plan.policy.entries if not isinstance(e, Caps))
    other = dataclasses.replace(plan, policy=Policy((*kept, caps)))
    found = [(d.what, d.first, d.last, d.a, d.b) for d in diff(plan, other)]
    assert ("caps.class_primary", 2020, 2020, 55, 45) in found
    assert ("caps.class_primary", 2024, 2027, 45, 0) in found
    assert all(first < 2021 or first > 2023 for _, first, _, _, _ in found)


def test_a_difference_in_one_place_is_told_with_the_place(write: Any) -> None:
    placed = write(
        HEAD
        + "policies:\n  stipend:\n"
        + "    - {where: {settings: [village]}, from: 2021, yuan_per_year: 6000, who: village_posts}\n"
    )
    rows = [d for d in diff(load_scenario("baseline"), load_scenario(placed)) if d.what == "stipend.yuan_per_year"]
    assert [(d.where, d.first, d.last, d.b) for d in rows] == [("village", 2021, 2027, 6000.0)]


# ---- what the documents say


def quantity(clause: str) -> float:
    return float(CLAUSES[clause].quantity)


@pytest.mark.parametrize(
    ("clause", "lever", "field"),
    [
        ("WQ3-024", "facility_investment", "grade_c_m2"),
        ("WQ3-034", "facility_investment", "sports_area_m2"),
        ("WQ3-044", "facility_investment", "equipment_sets"),
        ("WQ3-059", "pe_art_recruitment", "teachers"),
    ],
)
def test_works_of_wuqing_add_up_to_the_documents_total(clause: str, lever: str, field: str) -> None:
    plan = load_scenario("wuqing-2020-2022")
    assert sum(getattr(e, field) * (e.until - e.start + 1) for e in entries(plan, lever)) == quantity(clause)


@pytest.mark.parametrize(
    ("clause", "lever", "field", "year", "unit"),
    [
        ("WQ3-025", "facility_investment", "grade_c_m2", 2021, 1),
        ("WQ3-026", "facility_investment", "grade_c_m2", 2022, 1),
        ("WQ3-035", "facility_investment", "sports_area_m2", 2020, 1),
        ("WQ3-036", "facility_investment", "sports_area_m2", 2021, 1),
        ("WQ3-037", "facility_investment", "sports_area_m2", 2022, 1),
        ("WQ3-045", "facility_investment", "equipment_sets", 2021, 1),
        ("WQ3-046", "facility_investment", "equipment_sets", 2022, 1),
        ("WQ3-073", "teacher_rotation", "share_of_eligible", 2020, 100),
        ("WQ3-074", "teacher_rotation", "backbone_share", 2022, 100),
        ("WQ3-080", "teacher_pay", "ratio_to_civil_service", 2021, 1),
        ("WQ3-083", "caps", "school", 2022, 1),
        ("WQ3-084", "caps", "nine_year", 2022, 1),
        ("WQ3-085", "caps", "class_primary", 2022, 1),
        ("WQ3-086", "caps", "class_junior", 2022, 1),
        ("WQ3-087", "admission", "proximity_primary", 2022, 100),
        ("WQ3-088", "admission", "proximity_junior", 2022, 100),
        ("WQ3-089", "senior_high_quota", "share", 2022, 100),
        ("WQ3-097", "training", "share_of_public_funds", 2020, 100),
        ("WQ3-098", "public_funds", "small_school_floor", 2020, 1),
        ("WQ3-110", "capacity_award", "yuan_per_primary_class", 2021, 1),
        ("WQ3-111", "capacity_award", "yuan_per_junior_class", 2021, 1),
        ("WQ3-112", "stipend", "yuan_per_year", 2020, 1),
    ],
)
def test_levers_of_wuqing_in_force_are_those_of_the_clause_they_cite(
    clause: str, lever: str, field: str, year: int, unit: float
) -> None:
    (held,) = load_scenario("wuqing-2020-2022").policy.in_force(LEVERS[lever], year)
    assert getattr(held, field) * unit == pytest.approx(quantity(clause))
    assert clause in held.clause


def test_targets_of_wuqing_require_what_their_clause_states() -> None:
    plan = load_scenario("wuqing-2020-2022")
    stated = 0
    for target in plan.targets:
        for number in target.clause:
            clause = CLAUSES[number]
            if "min" not in clause.unit and "max" not in clause.unit:
                continue
            value = float(clause.quantity.split()[0])
            value /= 100 if clause.unit.startswith("%") else 1
            if target.indicator not in ("schools_over_cap", "art_rooms_met"):  # these count who complies
                assert target.required == pytest.approx(value), number
                stated += 1
            limit = "at_most" if "max" in clause.unit else "at_least"
            assert target.direction == limit or target.indicator == "schools_over_cap", number
    assert stated >= 25


def test_new_schools_of_wuqing_are_as_many_as_its_plan_counts_and_hold_about_the_seats_left_for_these_stages() -> None:
    built = entries(load_scenario("wuqing-14th-plan"), "new_schools")
    primary, junior = (sum(len(getattr(e, stage)) for e in built) for stage in ("primary", "junior"))
    assert (primary, junior) == (float(CLAUSES["WQ14-060"].quantity), float(CLAUSES["WQ14-061"].quantity))
    seats = sum(45 * e.primary_classes * len(e.primary) + 50 * e.junior_classes * len(e.junior) for e in built)
    others = 400 + 5400 + 900  # kindergarten, three senior high schools, special and Qiangguodao schools (the note)
    assert seats == pytest.approx(quantity("WQ14-064") - others, rel=0.01)


@pytest.mark.parametrize(
    ("clause", "lever", "field"),
    [
        ("TJ2-011", "cooperative_schools", "count"),
        ("TJ2-058", "education_groups", "count"),
        ("TJ2-059", "education_groups", "municipal"),
        ("TJ2-071", "school_zones", "model_zones"),
    ],
)
def test_counts_of_tianjin_over_its_districts_add_up_to_the_documents_in_2027(
    clause: str, lever: str, field: str
) -> None:
    held = load_scenario("tianjin-2.0").policy.in_force(LEVERS[lever], 2027)
    assert sum(getattr(e, field) for e in held) == quantity(clause)
    assert all(clause in e.clause for e in held)


def test_communities_of_tianjin_are_those_the_document_counts_and_reach_every_district() -> None:
    (held,) = load_scenario("tianjin-2.0").policy.in_force(LEVERS["regional_communities"], 2023)
    assert len(held.pairs) == quantity("TJ2-031")
    assert len({district for pair in held.pairs for district in pair.split("-")}) == 16


def test_what_no_source_gives_is_marked_and_noted_and_what_is_stated_cites_its_clause() -> None:
    for name in scenarios():
        for entry in load_scenario(name).policy.entries:
            if entry.mark == "assumed":
                assert entry.note, f"{name}: {entry.NAME} {entry.start}"
            else:
                assert entry.clause, f"{name}: {entry.NAME} {entry.start}"


def test_no_clause_that_the_plan_answers_dates_a_lever_before_its_document() -> None:
    plan = load_scenario("wuqing-2020-2022")
    issued = int(plan.document["issued"][:4])
    cited = [e for e in plan.policy.entries if any(number.startswith("WQ3") for number in e.clause)]
    assert min(e.start for e in cited) >= issued
    assert min(t.by for t in plan.targets) >= issued


# ---- types and ranges, for every field there is


@given(which=st.sampled_from(NUMBERS), excess=st.floats(1e-6, 1e6))
def test_every_number_outside_the_range_of_its_field_is_refused(which: tuple[type[Lever], str], excess: float) -> None:
    kind, name = which
    meta, whole = kind.settings()[name].metadata, isinstance(kind.settings()[name].default, int)
    beyond = math.ceil(excess) if whole else max(excess, 1e-12 * meta["high"])  # more than rounding swallows
    for value in (meta["high"] + beyond, meta["low"] - beyond):
        value = int(value) if whole else value
        with pytest.raises(InputError) as refused:
            read_value(kind, name, value, "here")
        assert f"from {meta['low']:,.9g} to {meta['high']:,.9g}" in str(refused.value)


@given(which=st.sampled_from(NUMBERS), part=st.floats(0, 1))
def test_every_number_inside_the_range_of_its_field_is_taken_as_it_is(
    which: tuple[type[Lever], str], part: float
) -> None:
    kind, name = which
    meta, whole = kind.settings()[name].metadata, isinstance(kind.settings()[name].default, int)
    value = meta["low"] + part * (meta["high"] - meta["low"])
    value = int(value) if whole else min(value, meta["high"])
    assert read_value(kind, name, value, "here") == value


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda p: p if isinstance(p, str) else p.NAME)
def test_the_neutral_value_of_every_field_is_one_that_may_be_set(kind: type[Lever], name: str) -> None:
    default = kind.settings()[name].default
    given_as = list(default) if isinstance(default, tuple) else default
    assert read_value(kind, name, given_as, "here") == default


# ---- the schema for editors


def test_the_shipped_schema_is_the_one_made_from_the_levers() -> None:
    assert schema.SHIPPED.read_text(encoding="utf-8") == schema.text()
    jsonschema.Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize("name", scenarios())
def test_the_schema_accepts_every_shipped_scenario(name: str) -> None:
    data = strict_yaml.load(SHIPPED / f"{name}.yaml")
    jsonschema.Draft202012Validator(schema.schema()).validate(data)


@pytest.mark.parametrize(
    "text",
    [
        "policy: {}",
        "policies: {teacher_rotations: []}",
        "policies: {teacher_rotation: [{share_of_eligibel: 0.1}]}",
        "policies: {teacher_rotation: [{share_of_eligible: 1.3}]}",
        "policies: {teacher_rotation: [{scope: county}]}",
        "policies: {posts: [{follow_enrolment: 10%}]}",
        "targets: [{indicator: cv.equipment, by: 2022}]",
        "targets: [{indicator: cv.equipment, at_least: 1, at_most: 2, by: 2022}]",
    ],
)
def test_the_schema_and_the_reader_refuse_the_same_mistakes(text: str, write: Any) -> None:
    data = strict_yaml.load_text(text, "test")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema.schema()).validate(data)
    with pytest.raises(InputError):
        load_scenario(write(HEAD + text + "\n"))


# ---- overlaps that only the file shows


def test_entries_of_one_lever_may_share_years_in_other_places_and_places_in_other_years(write: Any) -> None:
    text = HEAD + (
        "policies:\n  teacher_rotation:\n"
        "    - {from: 2020, until: 2021, share_of_eligible: 0.1, where: {settings: [urban]}}\n"
        "    - {from: 2020, until: 2021, share_of_eligible: 0.2, where: {settings: [village]}}\n"
        "    - {from: 2022, share_of_eligible: 0.2}\n"
    )
    held = entries(load_scenario(write(text)), "teacher_rotation")
    assert [e.share_of_eligible for e in held] == [0.1, 0.2, 0.2]
    assert all(isinstance(e, TeacherRotation) for e in held)
