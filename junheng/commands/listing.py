"""`junheng list`: what there is, one row a thing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from junheng.commands import show
from model.errors import unknown

Row = dict[str, Any]


def list_kind(kind: str, *, like: str, json: bool, lang: str) -> None:
    """Print the rows of a kind in which the text `like` stands. Raises InputError for an unknown kind."""
    if kind not in KINDS:
        raise unknown("list", "kind", kind, KINDS)
    rows, columns = KINDS[kind]
    wanted = like.lower()
    held = [row for row in rows() if wanted in " ".join(map(str, row.values())).lower()]
    if json:
        show.document(held)
        return
    other = "zh" if lang == "en" else "en"
    shown = [c for c in columns if not c.endswith(f"_{other}") and c != other]
    show.console().print(show.table([_plain(row) for row in held], shown, lang))


def scenarios() -> list[Row]:
    """The shipped scenarios."""
    from experiments.scenario import by_lever, load_scenario
    from experiments.scenario import scenarios as names

    rows = []
    for name in names():
        s = load_scenario(name)
        rows.append(
            {
                "name": name,
                **_titled(s.title),
                "extends": list(s.extends),
                "region": s.region,
                "starts": s.starts,
                "years": s.years,
                "document": dict(s.document),
                "levers": list(by_lever(s.policy)),
                "targets": len(s.targets),
            }
        )
    return rows


def regions() -> list[Row]:
    """The shipped regions."""
    from model.profile import profiles, read_profile

    rows = []
    for name in profiles():
        values, _ = read_profile(name)
        districts = [d["name"]["zh"] for d in values["districts"]]
        rows.append(
            {"name": name, **_titled(values["title"]), "base_year": values["base_year"], "districts": districts}
        )
    return rows


def levers() -> list[Row]:
    """Every field of every lever."""
    from model.levers import LEVERS

    return [
        {"name": f"{name}.{setting}", "lever": name, "field": setting, **field_facts(declared)}
        for name, kind in LEVERS.items()
        for setting, declared in kind.settings().items()
    ]


def field_facts(declared: dataclasses.Field[Any]) -> Row:
    """What is declared about a field of a lever."""
    meta, default = declared.metadata, declared.default
    return {
        "en": meta["en"],
        "zh": meta["zh"],
        "unit": meta["unit"],
        "low": meta["low"],
        "high": meta["high"],
        "choices": list(meta["choices"]),
        "default": list(default) if isinstance(default, tuple) else default,
        "price": meta["cost"],
    }


def indicators() -> list[Row]:
    """Every outcome."""
    from model.indicators import INDICATORS

    return [facts(i) for i in INDICATORS.values()]


def parameters() -> list[Row]:
    """Every parameter of behaviour, with its value under each calibration."""
    from model.behaviour import parameters as known

    return [facts(p) for p in known().values()]


def targets() -> list[Row]:
    """Every target of every shipped scenario."""
    from experiments.scenario import load_scenario
    from experiments.scenario import scenarios as names

    return [{"scenario": name, **facts(t)} for name in names() for t in load_scenario(name).targets]


def clauses() -> list[Row]:
    """Every clause of the documents."""
    from experiments.clauses import CLAUSES

    return [{"name": c.id, **facts(c)} for c in CLAUSES.values()]


def facts(thing: Any) -> Row:
    """The public fields of a dataclass as plain data."""
    held = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in held.items() if not callable(value)
    }


def _titled(title: Any) -> Row:
    return {"title_en": title["en"], "title_zh": title["zh"]}


def _plain(row: Row) -> Row:
    """A row as people read it: a list of names as its length, a range in one column."""
    shown = dict(row)
    if isinstance(row.get("levers"), list):
        shown["levers"] = len(row["levers"])
    if isinstance(row.get("districts"), list):
        shown["districts"] = len(row["districts"])
    if "choices" in row:
        shown["range"] = " | ".join(row["choices"])
    if row.get("low") is not None:
        shown["range"] = f"{row['low']:,.9g} – {row['high']:,.9g}"
    if row.get("direction") in SIGNS:
        shown["required"] = f"{SIGNS[row['direction']]} {row['required']:,g}"
    return shown


SIGNS = {"at_least": "≥", "at_most": "≤"}
KINDS: dict[str, tuple[Callable[[], list[Row]], tuple[str, ...]]] = {
    "scenarios": (scenarios, ("name", "title_en", "title_zh", "region", "starts", "years", "levers", "targets")),
    "regions": (regions, ("name", "title_en", "title_zh", "base_year", "districts")),
    "levers": (levers, ("name", "en", "zh", "unit", "range", "default")),
    "indicators": (indicators, ("name", "en", "zh", "unit", "direction", "stages", "levels")),
    "parameters": (parameters, ("name", "en", "zh", "unit", "input", "sorting", "range", "kind")),
    "targets": (targets, ("scenario", "indicator", "stage", "level", "place", "required", "by", "clause")),
    "clauses": (clauses, ("name", "section", "phrase_zh", "meaning_en", "quantity", "unit", "date_or_period")),
}
