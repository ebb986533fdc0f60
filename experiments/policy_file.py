"""The levers of a scenario file: entries that are typed, dated, placed and cite their clauses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from experiments import clauses
from experiments.reading import Node, shown
from model.errors import InputError, nearest_name, unknown
from model.levers import LEVERS, EducationGroups
from model.policy import FOREVER, Lever, Policy, Where
from model.region import Setting

ENTRY_KEYS = ("from", "until", "where", "clause", "mark", "note")
WHERE_KEYS = ("districts", "towns", "settings", "schools")
MARKS = ("measured", "derived", "assumed")
SETTINGS = tuple(s.name.lower() for s in Setting)
ALSO_CALLED = {
    "rural": "village",
    "乡村": "village",
    "镇区": "town",
    "county": "town",
    "城区": "urban",
    "city": "urban",
}
YEARS = (1990, 2100)  # what may be dated


def read_policies(node: Node) -> dict[str, dict[Lever, str]]:
    """The entries under `policies`, by lever, each with its file and line. Raises InputError naming them."""
    if "policies" not in node:
        return {}
    policies = node.mapping("policies", tuple(LEVERS), "lever")
    result: dict[str, dict[Lever, str]] = {}
    for name in policies:
        read: dict[Lever, str] = {}
        for item in policies.items(name, "entries"):
            entry = _entry(LEVERS[name], item)
            _refuse_overlap(entry, item.at(), read)
            read[entry] = item.at()
        result[name] = read
    return result


def lever_field(name: str, where: str) -> tuple[type[Lever], str]:
    """The lever and field that `lever.field` names. Raises InputError with the nearest name."""
    lever, _, wanted = name.partition(".")
    if lever not in LEVERS:
        raise unknown(where, "lever", lever, LEVERS)
    kind = LEVERS[lever]
    if wanted not in kind.settings():
        known = [f"{lever}.{f}" for f in kind.settings()]
        begun = next((k for k in known if wanted and k.startswith(name)), None)
        nearest = begun or nearest_name(name, known)
        raise InputError(where, f"unknown field {name!r}", "one of " + ", ".join(known), nearest)
    return kind, wanted


def set_everywhere(policy: Policy, name: str, value: Any, where: str) -> Policy:
    """The policy with `lever.field` set in every entry of that lever. Raises InputError."""
    kind, wanted = lever_field(name, where)
    changed = policy.with_value(kind, wanted, read_value(kind, wanted, value, where))
    for entry in changed.entries:
        _check_together(entry, where)
    return changed


def read_value(kind: type[Lever], name: str, value: Any, where: str) -> Any:
    """A field's value, of the type of its default and inside its range. Raises InputError."""
    declared = kind.settings()[name]
    meta, default = declared.metadata, declared.default
    found = f"{kind.NAME}.{name}: {shown(value)}"
    if meta["choices"]:
        if value not in meta["choices"]:
            nearest = nearest_name(value, meta["choices"]) if isinstance(value, str) else None
            raise InputError(where, found, "one of " + ", ".join(meta["choices"]), nearest)
        return value
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InputError(where, found, "true or false", _as_bool(value))
        return value
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise InputError(where, found, "a list of names")
        return tuple(value)
    whole = isinstance(default, int)
    low, high = meta["low"], meta["high"]
    expected = f"{'a whole number' if whole else 'a number'}{field_range(meta)}"
    right_type = isinstance(value, int) if whole else isinstance(value, int | float)
    if isinstance(value, bool) or not right_type or not math.isfinite(value):
        raise InputError(where, found, expected, _as_number(value))
    if (low is not None and value < low) or (high is not None and value > high):
        raise InputError(where, found, expected)
    return value if whole else float(value)


def field_range(meta: Mapping[str, Any]) -> str:
    """Range and unit of a field as text, e.g. ` from 0 to 0.5 (share)`."""
    bounds = f" from {meta['low']:,.9g} to {meta['high']:,.9g}" if meta["low"] is not None else ""
    return bounds + (f" ({meta['unit']})" if meta["unit"] else "")


def read_clauses(item: Node) -> tuple[str, ...]:
    """The ids under `clause`, one or a list, each of which must exist."""
    if "clause" not in item:
        return ()
    value = item["clause"]
    numbers = value if isinstance(value, list) else [value]
    for number in numbers:
        if not isinstance(number, str):
            found = f"clause: {shown(number)}"
            raise InputError(item.at("clause"), found, "an id such as WQ3-073, or a list of ids")
        clauses.clause(number, item.at("clause"))
    return tuple(numbers)


def _entry(kind: type[Lever], item: Node) -> Lever:
    known = kind.settings()
    item.only([*known, *ENTRY_KEYS], f"field of {kind.NAME}")
    start = item.whole("from", *YEARS) if "from" in item else 0
    until = item.whole("until", *YEARS) if "until" in item else FOREVER
    if until < start:
        raise InputError(item.at("until"), f"until {until}, before from {start}", f"{start} or later")
    if kind.WHOLE_REGION and "where" in item:
        raise InputError(item.at("where"), f"{kind.NAME} limited to places", "no where: it holds for the whole region")
    entry = kind(
        start=start,
        until=until,
        where=_where(item),
        clause=read_clauses(item),
        mark=item.choice("mark", MARKS, "measured"),
        note=item.text("note") if "note" in item else "",
        **{name: read_value(kind, name, item[name], item.at(name)) for name in known if name in item},
    )
    _check_together(entry, item.at())
    return entry


def _where(item: Node) -> Where:
    if "where" not in item:
        return Where()
    where = item.mapping("where", WHERE_KEYS, "kind of place")
    named: dict[str, tuple[str, ...]] = {}
    for key in where:
        places = where[key]
        if not isinstance(places, list) or not places or not all(isinstance(p, str) for p in places):
            raise InputError(where.at(key), f"{key}: {shown(places)}", "a list of names, e.g. [village]")
        named[key] = tuple(places)
    for place in named.get("settings", ()):
        if place not in SETTINGS:
            nearest = ALSO_CALLED.get(place) or nearest_name(place, SETTINGS)
            raise InputError(
                where.at("settings"), f"unknown setting {place!r}", "one of " + ", ".join(SETTINGS), nearest
            )
    return Where(**named)


def _check_together(entry: Lever, where: str) -> None:
    """Refuse values of one entry that contradict each other."""
    if isinstance(entry, EducationGroups) and entry.coverage > 0 and entry.count > 0:
        raise InputError(where, "education_groups with both coverage and count", "one of the two")


def _refuse_overlap(entry: Lever, where: str, earlier: Mapping[Lever, str]) -> None:
    """Refuse two entries in force together in the same places; other overlaps show only in the region."""
    for other, there in earlier.items():
        first, last = max(entry.start, other.start), min(entry.until, other.until)
        same_place = entry.where == other.where or Where() in (entry.where, other.where)
        if first <= last and same_place:
            when = f"in {first}" if first else "from the first year"
            raise InputError(
                where,
                f"a second entry of {entry.NAME} in force {when} in the same places (the other: {there})",
                "entries of one lever that do not overlap in time and place",
            )


def _as_number(value: Any) -> str | None:
    """What a text such as `10%` or `24,000` was probably meant to be."""
    if not isinstance(value, str):
        return None
    text = value.strip().replace(",", "").replace("，", "")
    try:
        return f"{float(text[:-1]) / 100:g}" if text.endswith(("%", "％")) else f"{float(text):g}"
    except ValueError:
        return None


def _as_bool(value: Any) -> str | None:
    words = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    return words.get(str(value).lower())
