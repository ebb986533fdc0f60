"""The coverage table: every clause of the documents is answered, and the scenario files say the same."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from experiments import coverage
from experiments.clauses import CLAUSES
from experiments.coverage import BECOMES, DATA, Coverage
from experiments.scenario import DOCUMENT_KEYS, KEYS, SHIPPED, TARGET_KEYS, Scenario, load_scenario, scenarios
from junheng.commands.explain import look_up
from model import strict_yaml
from model.indicators import INDICATORS
from model.levers import LEVERS
from model.year import STEPS

ROWS = coverage.load()
FIELDS = {f"{name}.{field}" for name, kind in LEVERS.items() for field in kind.settings()}
KEYS_OF_FILE = {*KEYS, *TARGET_KEYS, "from", "until", *(f"document.{key}" for key in DOCUMENT_KEYS)}
STEP_NAMES = {f"step.{step.__name__}" for step in STEPS}


@cache
def written(name: str) -> Scenario:
    return load_scenario(name)


@cache
def cited(name: str) -> dict[str, set[str]]:
    """What a scenario's own file (not what it inherits) has each clause stand for: lever names and indicators."""
    scenario = written(name)
    parent = scenario.extends[0] if scenario.extends else None
    inherited = set(written(parent).policy.entries) if parent else set()
    found: dict[str, set[str]] = defaultdict(set)
    for entry in scenario.policy.entries:
        if entry not in inherited and entry.until >= scenario.starts:  # before it starts its parent's hold
            for number in entry.clause:
                found[number].add(entry.NAME)
    if parent is None or scenario.targets != written(parent).targets:
        for target in scenario.targets:
            for number in target.clause:
                found[number].add(target.indicator)
    return found


def names(row: Coverage) -> set[str]:
    """What a row names, lever fields by their lever."""
    return {what.partition(".")[0] if what in FIELDS else what for what in row.what}


def test_every_clause_has_one_row_in_the_order_of_the_documents() -> None:
    with DATA.open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert ids == list(CLAUSES)
    assert len(set(ids)) == len(ids) == 558


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.id)
def test_a_row_names_only_what_exists_and_what_its_kind_asks_for(row: Coverage) -> None:
    kinds = {
        "lever": FIELDS,
        "target": set(INDICATORS),
        "timing": KEYS_OF_FILE | STEP_NAMES,
        "document": KEYS_OF_FILE,
        "not_modelled": set[str](),
    }
    assert row.becomes in BECOMES
    also = set(INDICATORS) if row.becomes == "lever" else set()
    assert set(row.what) <= kinds[row.becomes] | also
    assert bool(set(row.what) & kinds[row.becomes]) == (row.becomes != "not_modelled")
    assert set(row.scenario) <= set(scenarios())
    assert row.reason or row.becomes != "not_modelled"
    assert row.scenario or row.becomes in ("target", "not_modelled")


@pytest.mark.parametrize("name", scenarios())
def test_a_scenario_cites_a_clause_for_what_the_table_says_and_for_nothing_else(name: str) -> None:
    for number, found in cited(name).items():
        assert name in ROWS[number].scenario, number
        assert found <= names(ROWS[number]), number


@pytest.mark.parametrize("row", [r for r in ROWS.values() if r.becomes in ("lever", "target")], ids=lambda r: r.id)
def test_a_clause_that_is_a_lever_or_target_of_a_scenario_is_cited_there_for_all_that_it_became(row: Coverage) -> None:
    found = [cited(name).get(row.id, set()) for name in row.scenario]
    assert all(found), row.scenario
    assert not found or set.union(*found) == names(row)


def test_what_a_document_says_of_itself_stands_in_its_scenario() -> None:
    for row in ROWS.values():
        for name in row.scenario if row.becomes == "document" else ():
            for key in (what.partition(".")[2] for what in row.what if what.startswith("document.")):
                assert written(name).document[key] == CLAUSES[row.id].quantity, row.id


def test_a_target_that_no_run_is_judged_by_is_one_whose_clause_gives_no_level() -> None:
    for row in ROWS.values():
        if row.becomes == "target" and not row.scenario:
            clause = CLAUSES[row.id]
            assert row.reason, row.id
            stated = any(ch.isdigit() for ch in clause.quantity) and not clause.quantity.startswith(">=0")
            counted = clause.unit.startswith("measures")  # "three measures rise" counts what rises, not how far
            assert counted or not stated, (row.id, clause.quantity, clause.unit)


def test_every_document_has_a_scenario_with_levers_and_targets_of_its_own() -> None:
    own = {"TJ2": "tianjin-2.0", "NH1": "lutai-group", "WQ3": "wuqing-2020-2022", "ZB": "zibo-strong-town"}
    own["WQ14"] = "wuqing-14th-plan"
    assert {number.partition("-")[0] for number in CLAUSES} == set(own)
    for prefix, name in own.items():
        kinds = Counter(
            "target" if found & set(INDICATORS) else "lever"
            for number, found in cited(name).items()
            if number.startswith(prefix)
        )
        assert kinds["lever"] > 0, name
        assert kinds["target"] > 0 or not written(name).targets, name


def test_explain_says_what_a_clause_became() -> None:
    lever, nothing = look_up("TJ2-091"), look_up("WQ3-017")
    assert lever["becomes"] == "lever"
    assert lever["what"] == ["teacher_rotation.share_of_eligible", "rotated_share"]
    assert "conflict" in lever["reason"]
    assert (nothing["becomes"], nothing["what"]) == ("not_modelled", [])
    assert "WQ14-043" in nothing["reason"]


# ---- what the files write and what the tables say


def entries_citing(name: str, lever: str, number: str) -> list[dict[str, Any]]:
    """The entries of a lever in a scenario's own file that cite a clause, as they are written."""
    held = strict_yaml.load(SHIPPED / f"{name}.yaml")["policies"].get(lever, [])
    return [e for e in held if number in (e.get("clause") if isinstance(e.get("clause"), list) else [e.get("clause")])]


@pytest.mark.parametrize("row", [r for r in ROWS.values() if r.becomes == "lever"], ids=lambda r: r.id)
def test_every_field_a_clause_became_is_written_where_the_clause_is_cited(row: Coverage) -> None:
    for lever, field in (what.split(".") for what in row.what if what in FIELDS):
        entries = [e for name in row.scenario for e in entries_citing(name, lever, row.id)]
        assert any(field in e for e in entries), f"{lever}.{field}"


def test_what_is_not_modelled_has_a_reason_that_is_not_the_models_own_making() -> None:
    for row in ROWS.values():
        if row.becomes == "not_modelled":
            assert "by construction" not in row.reason, row.id
            assert "no lever" not in row.reason, row.id


# ---- docs/conflicts.md

CONFLICTS = (Path(__file__).parents[1] / "docs" / "conflicts.md").read_text(encoding="utf-8")
SETTLED = [line.split("|")[1:-1] for line in CONFLICTS.splitlines() if line.startswith("|")][2:]
IN_FORCE = re.compile(r"`(\S+) (\d{4}) ([a-z_]+)\.([a-z_]+) = (\S+)`")
JUDGED = re.compile(r"`(\S+) target (\S+) (at_least|at_most) (\S+) by (\d{4})`")


def test_every_clause_said_to_be_in_conflict_is_settled_in_the_table_and_every_clause_there_exists() -> None:
    settled = {number.strip() for row in SETTLED for number in row[0].split(",")}
    assert settled <= set(CLAUSES)
    assert {row.id for row in ROWS.values() if "conflict" in row.reason} <= settled


@pytest.mark.parametrize("found", IN_FORCE.findall(CONFLICTS), ids=" ".join)
def test_a_conflict_is_settled_in_a_lever_as_the_table_says(found: tuple[str, ...]) -> None:
    name, year, lever, field, value = found
    entries = written(name).policy.in_force(LEVERS[lever], int(year)) or [LEVERS[lever]()]
    held = [getattr(e, field) for e in entries]
    wanted = type(held[0])(value) if not isinstance(held[0], tuple) else value
    assert any(wanted in v if isinstance(v, tuple) else wanted == v for v in held), held


@pytest.mark.parametrize("found", JUDGED.findall(CONFLICTS), ids=" ".join)
def test_a_conflict_is_settled_in_a_target_as_the_table_says(found: tuple[str, ...]) -> None:
    name, indicator, direction, value, year = found
    held = [t for t in written(name).targets if (t.indicator, t.direction, t.by) == (indicator, direction, int(year))]
    assert float(value) in [t.required for t in held]


def test_every_settlement_that_names_a_value_is_read_by_these_tests() -> None:
    for row in SETTLED:
        quoted = row[4].count("`") // 2
        assert len(IN_FORCE.findall(row[4])) + len(JUDGED.findall(row[4])) == quoted, row[4]
