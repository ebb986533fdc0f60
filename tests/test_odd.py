"""docs/ODD.md agrees with the code in every name, number and order that can be compared."""

import ast
import hashlib
import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from situations import BASELINE, INPUT, RICH, settled

from model.behaviour import parameters
from model.draws import Decision, Draws, key_of_name, key_of_origin
from model.levers import (
    LEVERS,
    CapacityAward,
    CooperativeSchools,
    FacilityInvestment,
    FacilityMaintenance,
    NewPlaces,
    RegionalCommunities,
    Stipend,
    StrongTown,
    TeacherPay,
)
from model.national_standard import INDICATORS
from model.policy import Policy
from model.profile import BY_STAGE, SETTINGS, SHAPE
from model.region import Region
from model.rules import rules
from model.simulate import simulate
from model.year import STEPS

ROOT = Path(__file__).parent.parent
ODD = (ROOT / "docs" / "ODD.md").read_text(encoding="utf-8")
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "model").rglob("*.py"))}
TABLES = Region(name="", title_en="", title_zh="", base_year=0, seed=0).tables()
WORD = 2**64 - 1


def section(number: int) -> str:
    """The text of one numbered section."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", ODD, re.MULTILINE | re.DOTALL)
    assert found, f"no section {number}"
    return found[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in a text, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {i for i, line in enumerate(lines) if set(line) <= set("|- ")}
    bodies = (line for i, line in enumerate(lines) if i not in rules and i + 1 not in rules)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in bodies]


def quoted(text: str) -> set[str]:
    """What stands between backquotes, but for blocks of code."""
    return set(re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)))


DRAWN = [row for row in rows(section(8)) if len(row) == 7]


def test_the_steps_stand_in_the_schedule_in_the_order_in_which_they_are_lived() -> None:
    lived = [step.__name__ for step in STEPS]
    assert [row[1].strip("`") for row in rows(section(3))] == lived
    assert re.findall(r"^### 7\.\w+ `(\w+)`", section(7), re.MULTILINE) == lived


@pytest.mark.parametrize("name", TABLES)
def test_the_state_of_a_table_is_every_column_with_its_type_and_unit(name: str) -> None:
    found = re.search(rf"^\*\*{name}\*\*.*?\n\n((?:\|.*\n)+)", ODD, re.MULTILINE)
    assert found, f"no table {name}"
    declared = []
    for title, column in TABLES[name].COLUMNS.items():
        kind = "text" if column.dtype.kind == "U" else str(column.dtype)
        declared.append([f"`{title}`", " × ".join([kind, *map(str, column.shape)]), column.unit, column.meaning])
    assert rows(found[1]) == declared


def test_every_decision_stands_in_the_table_of_draws_with_its_number_and_no_other_does() -> None:
    assert {(row[0].strip("`"), int(row[1])) for row in DRAWN} == {(d.name, d.value) for d in Decision}


def test_a_decision_is_said_to_be_drawn_where_the_model_names_it_and_only_there() -> None:
    named = {
        node.attr
        for path, tree in SOURCES.items()
        if path.name != "draws.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Decision"
    }
    assert {row[0].strip("`") for row in DRAWN} == named


def test_the_transform_of_a_draw_is_the_one_that_the_model_calls() -> None:
    called = defaultdict(set)
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = ast.unparse(node.args[0])
                if node.func.attr in ("uniform", "normal", "gumbel", "order") and first.startswith("Decision."):
                    called[first.removeprefix("Decision.")].add(node.func.attr)
    stated = defaultdict(set)
    for row in DRAWN:
        stated[row[0].strip("`")].add(row[5].lower())
    assert len(called) > 30
    assert {name: stated[name] for name in called} == called


def recipe() -> dict[str, list[int]]:
    """The numbers of section 8 by which any implementation can draw."""
    text = section(8)
    mixing = re.search(r"mix\(w\): (.*?)\.\n- ", text, re.DOTALL)
    order = re.search(r"the (\d+) highest bits of the word, as two digits of (\d+) bits", " ".join(text.split()))
    uniform = re.search(r"\(\(word ≫ (\d+)\) \+ ½\)·2⁻([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", text)
    assert mixing
    assert order
    assert uniform
    exponent = uniform[2].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    return {
        "factors": [int(number, 16) for number in re.findall(r"[AB] = (0x[0-9A-F]{16})", text)],
        "shifts": [int(number) for number in re.findall(r"≫ (\d+)", mixing[1])],
        "uniform": [int(uniform[1]), int(exponent)],
        "order": [int(order[1]), int(order[2])],
    }


def mixed(word: int) -> int:
    numbers = recipe()
    (a, b), (first, second, third) = numbers["factors"], numbers["shifts"]
    word = (word ^ (word >> first)) * a & WORD
    word = (word ^ (word >> second)) * b & WORD
    return word ^ (word >> third)


def origin(*parts: int) -> int:
    word = len(parts)
    for part in parts:
        word = mixed(word ^ mixed((part + recipe()["factors"][0]) & WORD))
    return word


@pytest.mark.parametrize("decision", [Decision.ABILITY, Decision.SCHOOL_CHOICE, Decision.NETWORK_ORDER])
def test_whoever_follows_the_recipe_with_whole_numbers_draws_what_the_model_draws(decision: Decision) -> None:
    name = int.from_bytes(hashlib.blake2b("区/一小".encode(), digest_size=8).digest(), "little")
    assert name == int(key_of_name("区/一小"))
    key = origin(2021, name, 7)
    assert key == int(key_of_origin(2021, key_of_name("区/一小"), 7)[0])
    shift, exponent = recipe()["uniform"]
    stream = int(np.random.SeedSequence(5, spawn_key=(int(decision), 2021)).generate_state(1, np.uint64)[0])
    alone, paired = mixed(key ^ stream), mixed(mixed(key ^ stream) ^ name)
    keys, second = np.array([key], np.uint64), np.array([name], np.uint64)
    draws = Draws(5, 2021)
    assert draws.uniform(decision, keys)[0] == ((alone >> shift) + 0.5) / 2**exponent
    assert draws.uniform(decision, keys, second)[0] == ((paired >> shift) + 0.5) / 2**exponent
    bits, digit = recipe()["order"]
    high, low = (int(one[0]) for one in draws.order(decision, keys))
    assert (high << digit) + low == alone >> (64 - bits)


def test_every_parameter_of_behaviour_is_listed_with_unit_kind_and_meaning() -> None:
    assert rows(section(9)) == [[f"`{p.name}`", p.unit, p.kind, p.en] for p in parameters().values()]


def test_every_parameter_of_behaviour_has_its_place_in_an_equation() -> None:
    assert set(parameters()) - quoted(section(5) + section(7)) == set()


def test_every_norm_is_listed_with_value_unit_kind_and_meaning() -> None:
    stated = [row for row in rows(section(6)) if len(row) == 5]
    norms = rules()
    assert [(row[0].strip("`"), *row[2:]) for row in stated] == [
        (name, norm["unit"], norm["kind"], norm["en"]) for name, norm in norms.items()
    ]
    for row in stated:
        values = np.atleast_1d(norms[row[0].strip("`")]["value"])
        assert [float(number) for number in row[1].split(", ")] == pytest.approx(values.tolist(), abs=0.001)


def test_levers_of_the_whole_region_are_those_of_which_the_model_asks_for_one_entry() -> None:
    listed = re.search(r"\*of the region\*.*?used for(.*?)\*By school\*", section(6), re.DOTALL)
    assert listed
    names = {kind.__name__: name for name, kind in LEVERS.items()}
    asked = {
        names[node.args[0].id]
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "one"
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id in names
    }
    assert quoted(listed[1]) == asked
    assert quoted(listed[1]) == {name for name, kind in LEVERS.items() if kind.WHOLE_REGION}


def keys_of(shape: Any) -> set[str]:
    """Every key of a shape, however deep."""
    if isinstance(shape, dict):
        return {key.rstrip("?") for key in shape}.union(*map(keys_of, shape.values()))
    if isinstance(shape, list):
        return set().union(*map(keys_of, shape))
    return set(shape) if isinstance(shape, tuple) else set()


def test_the_description_of_data_names_every_key_that_a_profile_may_hold() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    described = {part for name in quoted(text) for part in name.split(".")}
    evident = {*SETTINGS, *BY_STAGE, *INDICATORS, "east", "north"}
    assert keys_of({**SHAPE, "prices": float}) - evident - described == set()


def test_the_description_of_dependencies_gives_a_reason_for_each() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {name.strip() for row in rows(text) for name in row[0].split(",")}
    needed = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert {re.split(r"[<>=\[;]", line)[0].strip() for line in needed} - named == set()


PAYING = (
    CooperativeSchools(count=1, yuan_per_school=1000),
    RegionalCommunities(pairs=("Yunlan-Qiuhe",), schools_per_pair=1, yuan_per_pair=1000),
    FacilityMaintenance(share_of_wear=1.5),
    CapacityAward(yuan_per_primary_class=1000.0),
    NewPlaces(primary_classes=3),
    TeacherPay(ratio_to_civil_service=1.1, village_supplement=3000.0),
    StrongTown(boarding_share=0.3, bus_km=3.0),
    Stipend(yuan_per_year=9000.0, who="village_posts", received_by="teacher"),
    FacilityInvestment(
        teaching_area_m2=100,
        sports_area_m2=100,
        equipment_sets=10,
        multimedia_rooms=2,
        music_rooms=1,
        art_rooms=1,
        grade_c_m2=50,
    ),
)


def test_every_line_of_the_ledger_stands_in_the_table_and_every_line_of_the_table_is_paid_in_some_village() -> None:
    told = {
        (payer, receiver, lever, item)
        for payer, receivers, levers, items in (row for row in rows(section(7)) if len(row) == 4)
        for receiver in receivers.split("; ")
        for lever in re.findall(r"`(\w+)`", levers)
        for item in items.split("; ")
    }
    paid = set()
    for policy in (RICH, Policy(PAYING)):
        money = simulate(settled(policy=BASELINE), policy, INPUT, 1, 4).finance
        paid |= set(zip(money["payer"], money["receiver"], money["lever"], money["item"], strict=True))
    assert {("as the lever says", *line[1:]) if line[2] == "stipend" else line for line in paid} == told
