"""`junheng scenario new|check|diff`: write a commented scenario, validate one, compare two."""

from __future__ import annotations

import dataclasses
import json as json_text
from pathlib import Path
from typing import Any

from experiments.difference import Difference, diff
from experiments.policy_file import field_range
from experiments.scenario import Scenario, by_lever, load_scenario, scenarios
from junheng.commands import show
from model.errors import InputError, unknown
from model.levers import LEVERS
from model.policy import Lever
from model.profile import profiles

YEARS_OF_A_TEMPLATE = 8


def new(path: Path, *, extends: str, region: str | None) -> None:
    """Write a commented scenario file. Raises InputError where the file exists or cannot be written."""
    path = path if path.suffix else path.with_suffix(".yaml")
    if extends not in scenarios():
        raise unknown("--extends", "scenario", extends, scenarios())
    if region is not None and region not in profiles():
        raise unknown("--region", "region", region, profiles())
    text = template(path.stem, load_scenario(extends), region)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(str(path), "a file that exists already", "a name that is free") from None
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error), "a place that can be written") from None
    show.console().print(f"{path}", markup=False)


def template(name: str, parent: Scenario, region: str | None) -> str:
    """The text of a scenario that extends another, with every lever in a comment."""
    quoted = json_text.dumps(name, ensure_ascii=False)
    head = f"""\
# A scenario: what it leaves out it takes from the one it extends.
# Validate it with `junheng scenario check FILE`; see what it changes with `junheng scenario diff {parent.name} FILE`.
# Years are school years: 2022 begins in autumn 2022. `from` and `until` are inclusive.
name: {quoted}
title: {{en: {quoted}, zh: {quoted}}}
extends: {parent.name}
region: {region or parent.region}   # one of {", ".join(profiles())}, or a file
starts: {parent.starts}
years: {YEARS_OF_A_TEMPLATE}

# A lever named here replaces all entries of that lever in `{parent.name}`.
# An entry may say: from, until, where: {{districts: [], towns: [], settings: [urban, town, village], schools: []}},
# clause: WQ3-073 (or a list; see `junheng list clauses`), mark: measured | derived | assumed, note.
policies:
  teacher_rotation:
    - {{from: {parent.starts}, share_of_eligible: 0.10, backbone_share: 0.20, mark: assumed}}
"""
    others = "".join(_commented(kind) for kind in LEVERS.values() if kind.NAME != "teacher_rotation")
    tail = f"""
# What it is judged by: at_least or at_most, by a school year (see `junheng list indicators`).
targets: []
#  - {{indicator: cv.backbone_teachers, stage: primary, at_most: 0.50, by: {parent.starts + 2}}}
"""
    return head + others + tail


def _commented(kind: type[Lever]) -> str:
    lines = [f"#  {kind.NAME}:   # {kind.__doc__}", "#    - from: 2020"]
    for name, declared in kind.settings().items():
        default = declared.default
        value = str(default).lower() if isinstance(default, bool) else "[]" if default == () else str(default)
        allowed = " | ".join(declared.metadata["choices"]) or field_range(declared.metadata).strip()
        lines.append(f"#      {name}: {value}   # {declared.metadata['en']}" + (f"; {allowed}" if allowed else ""))
    return "\n".join(lines) + "\n"


def check(names: list[str], *, json: bool, lang: str) -> None:
    """Validate scenarios, places included. Raises InputError at the first that is wrong."""
    rows = [_checked(load_scenario(name)) for name in names]
    if json:
        show.document(rows)
        return
    show.console().print(show.table(rows, ("name", "region", "years", "levers", "entries", "targets"), lang))


def _checked(scenario: Scenario) -> dict[str, Any]:
    entries = scenario.policy.entries
    if any(e.where.districts or e.where.towns or e.where.schools for e in entries):
        from experiments.prepared import given_region

        scenario.check(given_region(scenario.region, 1))
    return {
        "name": scenario.name,
        "path": str(scenario.path),
        "region": scenario.region,
        "years": f"{scenario.starts}–{scenario.ends}",
        "levers": len(by_lever(scenario.policy)),
        "entries": len(entries),
        "targets": len(scenario.targets),
        "valid": True,
    }


def show_diff(a: str, b: str, *, json: bool, lang: str) -> None:
    """Print what differs between two scenarios."""
    one, other = load_scenario(a), load_scenario(b)
    found = diff(one, other)
    if json:
        keys = {"first": "from", "last": "until"}
        rows = [{keys.get(key, key): value for key, value in dataclasses.asdict(d).items()} for d in found]
        show.document({"a": one.name, "b": other.name, "differences": rows})
        return
    if not found:
        same = {"en": "nothing differs", "zh": "没有差异"}[lang]
        show.console().print(f"{one.name}, {other.name}: {same}", markup=False)
        return
    names = [one.name, other.name if other.name != one.name else f"{other.name} ({b})"]
    columns = ["what", *(["where"] if any(d.where for d in found) else []), "years", *names]
    shown = [dict(zip(("what", "where", "years", *names), _row(d), strict=True)) for d in found]
    show.console().print(show.table(shown, columns, lang))


def _row(d: Difference) -> tuple[Any, ...]:
    years = f"{d.first or ''}" if d.first == d.last else f"{d.first or ''}–{d.last or ''}"
    return d.what, d.where, years, d.a, d.b
