"""What documents asked for: every target with its clause, and the levers that ran into limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model.indicators import INDICATORS
from results.report.context import Context
from results.report.document import Cell, Section, Table, Value
from results.report.numbers import bound
from results.report.words import phrases
from results.series import At
from results.summary_text import MARKS, indicator_title, spans
from results.targets import ALMOST, KEEPS, SIGN


def targets(context: Context) -> Section:
    """A table a scenario: what was asked, what came, in how many runs, and when first."""
    tables, says = [], []
    for one in context.summary["scenarios"]:
        if not one["targets"]:
            continue
        who = context.told(one["scenario"], one["calibration"])
        states = [target["state"] for target in one["targets"]]
        counted = [
            f"{states.count(state)} {context.say(state)}"
            if context.lang == "en"
            else f"{context.say(state)}{states.count(state)}项"
            for state in ("reached", "in some runs", "missed", "not due", "no value")
            if state in states
        ]
        says.append(
            f"{who}: {context.listed(counted)}" if context.lang == "en" else f"{who}：{context.listed(counted)}"
        )
        tables.append(_table(context, one, who))
    if not tables:
        return Section("targets", context.say("targets"), [context.say("targets_none")])
    return Section(
        "targets", context.say("targets"), [context.sentence(*says), context.say("targets_note")], tables=tables
    )


def _table(context: Context, one: Mapping[str, Any], who: str) -> Table:
    runs = context.replicates(one["scenario"], one["calibration"])
    rows: list[list[Cell]] = []
    for target in one["targets"]:
        unit = INDICATORS[target["indicator"]].unit
        place = "" if target["level"] == "region" else context.place(target["level"], target["place"])
        place = place or ("" if target["level"] == "region" else context.say(target["level"]))
        value = target["value"] or {"mean": None, "low": None, "high": None}
        reached, without = target["reached"], target["without_plan"]
        rows.append(
            [
                MARKS.get(target["state"], ("",))[0],
                " · ".join(part for part in (indicator_title(target["indicator"], context.lang), place) if part),
                context.say(target["stage"]),
                f"{SIGN[target['direction']]} {bound(target['required'], unit, context.lang)}",
                target["due"],
                Value(value["mean"], unit, *((value["low"], value["high"]) if runs > 1 else (None, None))),
                context.say(target["state"]) if reached is None else _in_runs(context, reached, runs),
                ""
                if without is None
                else _in_runs(context, without, context.replicates(context.series.reference, one["calibration"])),
                _first_met(context, one, target),
                target["clause"],
            ]
        )
    words = ("indicator", "stage", "required", "due", "value", "runs", "without", "first_met", "clause")
    name = f"targets-{one['scenario']}-{one['calibration']}"
    return Table(name, who, ["", *(context.say(word) for word in words)], rows)


def _in_runs(context: Context, share: float, runs: int) -> str:
    return context.say("in_runs", n=round(share * runs), of=runs)


def _first_met(context: Context, one: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """The median year in which runs first keep to the target, and how many ever do; of a single place only."""
    level, place = target["level"], target["place"]
    if level != "region" and not place:
        return ""
    at = At(
        one["scenario"],
        one["calibration"],
        target["indicator"],
        target["stage"],
        level,
        "" if level == "region" else place,
    )
    values = context.series.of(at)
    lived = np.isfinite(values).any(axis=1)
    slack = ALMOST if target["direction"] == "at_most" else -ALMOST
    kept = KEEPS[target["direction"]](np.where(np.isfinite(values), values, np.nan), target["required"] + slack)[lived]
    ever = kept.any(axis=1)
    if not ever.any():
        return ""
    year = context.years[int(np.percentile(kept[ever].argmax(axis=1), 50, method="lower"))]
    return context.say("first_met_in", year=year, n=int(ever.sum()), of=int(lived.sum()))


def notices(context: Context) -> Section:
    """The levers that ran into a limit: in which years, in how many runs, and what to try."""
    rows: list[list[Cell]] = []
    for one in context.summary["scenarios"]:
        for notice in one["notices"]:
            runs = context.replicates(one["scenario"], one["calibration"])
            way = phrases("ways_out").get(notice["lever"])
            rows.append(
                [
                    context.told(one["scenario"], one["calibration"]),
                    context.lever(notice["lever"]),
                    spans(notice["years"]),
                    context.say("in_runs", n=notice["runs"], of=runs),
                    notice[context.lang],
                    context.say("way_out_other") if way is None else way[context.lang == "zh"],
                ]
            )
    title = context.say("notices")
    if not rows:
        return Section("notices", title, [context.say("notices_none")])
    words = ("scenario", "lever", "years", "noticed_in", "what_happened", "way_out")
    table = Table("notices", title, [context.say(word) for word in words], rows)
    return Section("notices", title, [context.say("notices_note")], tables=[table])
