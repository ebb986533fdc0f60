"""What the numbers stand on: levers that were decided, what was assumed, where it all comes from."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

from model.behaviour import KINDS, parameters
from model.levers import LEVERS
from results.report.context import Context
from results.report.document import Cell, Section, Table, Value
from results.report.words import phrases

ABOUT_AN_ENTRY = ("from", "until", "where", "mark", "clause", "note")


def assumptions(context: Context) -> Section:
    """Levers apart from assumptions: what each scenario set, with marks; what is assumed of behaviour and region."""
    says, tables = [], []
    for name, scenario in context.folder.manifest["scenarios"].items():
        table = _levers(context, name, scenario)
        assumed = sum(row[3] == context.say("assumed") for row in table.rows)
        says.append(context.say("marks_said", n=len(table.rows), scenario=context.scenario(name), assumed=assumed))
        tables.append(table)
    known = Counter(p.kind for p in parameters().values())
    says.append(context.say("parameters_said", n=sum(known.values()), **{kind: known[kind] for kind in KINDS}))
    tables.append(_parameters(context))
    if context.figures is None:
        says.append(context.say("region_unread"))
    else:
        held = Counter(str(figure["kind"]) for figure in context.figures)
        says.append(context.say("region_said", n=sum(held.values()), **{kind: held[kind] for kind in KINDS}))
        tables.append(_prices(context, context.figures))
    return Section("trust", context.say("trust_title"), [context.sentence(*says)], folded=tables)


def _levers(context: Context, name: str, scenario: Mapping[str, Any]) -> Table:
    """Every entry of a scenario: what it sets beside the neutral, from when to when, with its mark and clauses."""
    rows: list[list[Cell]] = []
    for lever, entries in scenario["policies"].items():
        neutral = (
            {field: declared.default for field, declared in LEVERS[lever].settings().items()} if lever in LEVERS else {}
        )
        for entry in entries:
            held = {k: v for k, v in entry.items() if k not in ABOUT_AN_ENTRY and v != _plain(neutral.get(k))}
            span = [str(entry[end]) if entry[end] is not None else "" for end in ("from", "until")]
            where = context.listed([str(place) for places in entry["where"].values() for place in places])
            rows.append(
                [
                    context.lever(lever),
                    "–".join(dict.fromkeys(span)) if any(span) else "",
                    ", ".join(f"{field}={_shown(value)}" for field, value in held.items())
                    + (f" · {where}" if where else ""),
                    context.say(entry["mark"]) if entry["mark"] in KINDS else entry["mark"],
                    " ".join(entry["clause"]),
                    entry["note"],
                ]
            )
    headings = [context.say(word) for word in ("lever", "years", "set_to", "mark", "clause", "note")]
    return Table(f"levers-{name}", context.say("levers_set", scenario=context.scenario(name)), headings, rows)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.10g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _parameters(context: Context) -> Table:
    """The parameters of behaviour that are assumed, with the values this run had."""
    rows: list[list[Cell]] = [
        [
            p.zh if context.lang == "zh" else p.en,
            p.name,
            *(f"{getattr(p, c):,.6g}" for c in context.series.calibrations),
            f"{p.low:,.6g} – {p.high:,.6g}",
            p.unit,
            p.source,
        ]
        for p in parameters().values()
        if p.kind == "assumed"
    ]
    names = [context.say(word) for word in ("parameter", "name")]
    headings = [*names, *context.series.calibrations, *(context.say(word) for word in ("range", "unit", "source"))]
    return Table("parameters", context.say("parameters_assumed"), headings, rows)


def _prices(context: Context, figures: list[dict[str, Any]]) -> Table:
    rows: list[list[Cell]] = []
    for figure in figures:
        group, _, name = str(figure["name"]).partition(".")
        if group != "prices":
            continue
        low_high = [f"{figure[end]:,.9g}" for end in ("low", "high") if figure[end] is not None]
        rows.append(
            [
                phrases("prices")[name][context.lang == "zh"],
                Value(figure["value"], "yuan per pupil"),
                str(figure["unit"] or ""),
                " – ".join(low_high),
                context.say(figure["kind"]),
                str(figure["source"] or ""),
            ]
        )
    headings = [context.say(word) for word in ("what", "value", "unit", "range", "mark", "source")]
    return Table("prices", context.say("prices"), headings, rows)


# ---- provenance


def provenance(context: Context) -> Section:
    """The command that reproduces the run, seeds, versions, fingerprints, and the runs that failed."""
    manifest = context.folder.manifest
    tables = [_versions(context)]
    failed = _failures(context)
    shared = context.say("redrawn_region" if manifest["redraw_region"] else "shared_region")
    lines = [
        context.say("reproduce"),
        command(manifest),
        context.say("report_again"),
        f"junheng report {context.folder.path.name} --lang {context.lang}",
    ]
    return Section(
        "provenance", context.say("provenance"), [context.sentence(shared)], tables=failed, folded=tables, code=lines
    )


def command(manifest: Mapping[str, Any]) -> str:
    """The command that lived the run: as it was given, or, from Python, one that does the same."""
    if manifest["command"]:
        return str(manifest["command"])
    given = list(manifest["calibrations"])
    words = ["junheng", "run", *manifest["scenarios"], "--region", str(manifest["region"]["profile"])]
    words += ["--years", str(manifest["last_year"] - manifest["first_year"] + 1)]
    words += ["--replicates", str(manifest["replicates"]), "--seed", str(manifest["seed"])]
    words += ["--calibration", "both" if len(given) > 1 else given[0]]
    words += ["--redraw-region"] if manifest["redraw_region"] else []
    words += ["--record", manifest["record"]] if manifest["record"] else []
    return shlex.join(words)


def _versions(context: Context) -> Table:
    manifest = context.folder.manifest
    revision = manifest["revision"]
    commit = str(revision.get("commit", ""))[:12]
    changed = f" ({context.say('changed')}: {revision.get('change', '')[:12]})" if revision.get("dirty") else ""
    rows: list[list[Cell]] = [
        [context.say("commit"), commit + changed],
        [context.say("model"), manifest["model"]],
        *([f"{context.say('behaviour')} ({c})", held["behaviour"]] for c, held in manifest["calibrations"].items()),
        [context.say("region_row"), f"{manifest['region']['profile']} {manifest['region']['content']}"],
        [context.say("seed"), str(manifest["seed"])],
        [context.say("replicates"), str(manifest["replicates"])],
        *([name, version] for name, version in manifest["versions"].items()),
    ]
    return Table("versions", context.say("versions"), [context.say("what"), context.say("value")], rows)


def _failures(context: Context) -> list[Table]:
    rows: list[list[Cell]] = [
        [f["scenario"], f["calibration"], str(f["replicate"]), str(f["attempts"]), f["error"]]
        for f in context.summary["failures"]
    ]
    words = ("scenario", "calibration", "replicate", "attempts", "error")
    return [Table("failures", context.say("failures"), [context.say(word) for word in words], rows)] if rows else []
