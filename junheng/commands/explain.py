"""`junheng explain`: what a name means, its unit, range and source, and what uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from experiments import coverage
from experiments.clauses import CLAUSES
from experiments.difference import place_of
from experiments.scenario import Scenario, by_lever, describe, load_scenario, scenarios
from junheng.commands import listing, show
from model.errors import unknown
from model.levers import LEVERS
from model.policy import FOREVER, Lever

Facts = dict[str, Any]
TABLES = {  # which columns a person sees of a list of rows
    "fields": ("field", "en", "zh", "unit", "range", "default"),
    "scenarios": ("scenario", "years", "where", "value", "mark", "clause", "note"),
    "levers": ("lever", "years", "where", "value", "mark", "clause", "note"),
    "targets": ("scenario", "target", "clause"),
    "used_by": ("scenario", "what", "clause"),
    "clauses": ("clause", "phrase_zh", "meaning_en"),
    "figures": ("name", "value", "unit", "low", "high", "kind", "source"),
}


def explain(name: str, *, json: bool, lang: str) -> None:
    """Print what a name means. Raises InputError with the nearest name where it means nothing."""
    found = look_up(name)
    if json:
        show.document(found)
        return
    console = show.console()
    console.print(show.card({k: v for k, v in found.items() if k not in TABLES}, lang))
    for part, columns in TABLES.items():
        rows = [_ranged(row) for row in found.get(part, [])]
        held = [c for c in columns if any(row.get(c) not in (None, "", []) for row in rows)]
        if rows:
            console.print(show.table(rows, held, lang, title=show.heading(part, lang)))


def look_up(name: str) -> Facts:
    """All that is known of a lever, lever.field, indicator, parameter, clause, scenario or region."""
    from model.behaviour import parameters
    from model.indicators import INDICATORS
    from model.profile import profiles

    fields = {f"{lever}.{field}": (kind, field) for lever, kind in LEVERS.items() for field in kind.settings()}
    if name in LEVERS:
        return _lever(LEVERS[name])
    if name in fields:
        return _field(*fields[name])
    if name in INDICATORS:
        return _indicator(name, INDICATORS[name])
    if name in parameters():
        return {"kind": "parameter", **_renamed(listing.facts(parameters()[name]), kind="mark")}
    if name.upper() in CLAUSES:
        return _clause(name.upper())
    if name in scenarios():
        return _scenario(load_scenario(name))
    if name in profiles():
        return _region(name)
    known = [*LEVERS, *fields, *INDICATORS, *parameters(), *CLAUSES, *scenarios(), *profiles()]
    raise unknown("explain", "name", name, known)


def _lever(kind: type[Lever]) -> Facts:
    zh, _, en = (kind.__doc__ or "").partition(": ")
    held = [(s, e) for s, e in _entries() if type(e) is kind]
    return {
        "kind": "lever",
        "name": kind.NAME,
        "en": en,
        "zh": kind.TITLE_ZH or zh,
        "fields": [{"field": name, **listing.field_facts(f)} for name, f in kind.settings().items()],
        "scenarios": [{"scenario": s.name, **_entry(e)} for s, e in held],
        "clauses": _cited(number for _, e in held for number in e.clause),
    }


def _field(kind: type[Lever], field: str) -> Facts:
    held = [(s, e) for s, e in _entries() if type(e) is kind]
    return {
        "kind": "lever field",
        "name": f"{kind.NAME}.{field}",
        **listing.field_facts(kind.settings()[field]),
        "scenarios": [{"scenario": s.name, **_entry(e), "value": e.values()[field]} for s, e in held],
        "clauses": _cited(number for _, e in held for number in e.clause),
    }


def _indicator(name: str, indicator: Any) -> Facts:
    return {"kind": "indicator", **listing.facts(indicator), "targets": _targets(lambda t: t.indicator == name)}


def _clause(number: str) -> Facts:
    used = [
        {"scenario": s.name, "what": f"{e.NAME} {_years(e)}".strip(), "clause": number}
        for s, e in _entries()
        if number in e.clause
    ]
    aimed = _targets(lambda t: number in t.clause)
    used += [{"scenario": row["scenario"], "what": row["target"], "clause": number} for row in aimed]
    became = coverage.load()[number]
    return {
        "kind": "clause",
        **listing.facts(CLAUSES[number]),
        "becomes": became.becomes,
        "what": list(became.what),
        "reason": became.reason,
        "used_by": used,
    }


def _scenario(scenario: Scenario) -> Facts:
    return {
        "kind": "scenario",
        "name": scenario.name,
        "en": scenario.title["en"],
        "zh": scenario.title["zh"],
        "extends": list(scenario.extends),
        "region": scenario.region,
        "years": f"{scenario.starts}–{scenario.ends}",
        "document": " ".join(scenario.document.values()),
        "levers": [
            {"lever": name, **_entry(e)} for name, entries in by_lever(scenario.policy).items() for e in entries
        ],
        "targets": [{"target": describe(t), "clause": list(t.clause)} for t in scenario.targets],
    }


def _region(name: str) -> Facts:
    from model.profile import read_profile

    values, figures = read_profile(name)
    return {
        "kind": "region",
        "name": name,
        "en": values["title"]["en"],
        "zh": values["title"]["zh"],
        "base_year": values["base_year"],
        "figures": figures,
    }


def _entries() -> list[tuple[Scenario, Lever]]:
    """Every entry of every shipped scenario that it does not merely inherit."""
    rows: list[tuple[Scenario, Lever]] = []
    for name in scenarios():
        scenario = load_scenario(name)
        inherited = {e for parent in scenario.extends[:1] for e in load_scenario(parent).policy.entries}
        rows += [(scenario, e) for e in scenario.policy.entries if e not in inherited]
    return rows


def _targets(wanted: Any) -> list[Facts]:
    held = [(name, t) for name in scenarios() for t in load_scenario(name).targets]
    return [
        {"scenario": name, "target": describe(t), "clause": list(t.clause), "note": t.note}
        for name, t in held
        if wanted(t)
    ]


def _entry(entry: Lever) -> Facts:
    """An entry in one row: what is set that is not neutral."""
    neutral = {name: f.default for name, f in entry.settings().items()}
    held = {name: value for name, value in entry.values().items() if value != neutral[name]}
    return {
        "years": _years(entry),
        "where": place_of(entry.where),
        "value": ", ".join(f"{name} {show.cell(value)}" for name, value in held.items()) or "(neutral)",
        "mark": entry.mark,
        "clause": list(entry.clause),
        "note": entry.note,
    }


def _years(entry: Lever) -> str:
    start = str(entry.start or "")
    until = "" if entry.until == FOREVER else str(entry.until)
    return start if start == until else f"{start}–{until}"


def _cited(numbers: Iterable[str]) -> list[Facts]:
    held = [CLAUSES[number] for number in dict.fromkeys(numbers)]
    return [{"clause": c.id, "phrase_zh": c.phrase_zh, "meaning_en": c.meaning_en} for c in held]


def _renamed(facts: Facts, **names: str) -> Facts:
    return {names.get(key, key): value for key, value in facts.items()}


def _ranged(row: Facts) -> Facts:
    """A row with its range or choices in one column."""
    if row.get("choices"):
        return row | {"range": " | ".join(row["choices"])}
    if row.get("low") is not None and "field" in row:
        return row | {"range": f"{row['low']:,.9g} – {row['high']:,.9g}"}
    return row
