"""Enrolment pull: where children go to school, by where they live."""

from __future__ import annotations

from functools import partial

import numpy as np

from results.pictures_of_places import Split, Splits, splits
from results.report.context import STAGES, Context
from results.report.document import Cell, Picture, Section, Table, spread
from results.report.numbers import text
from results.series import At

LEAVES = {"to_city": 1, "local_stay": -1}  # whether an indicator counts those who leave, or those who stay
HOMES = ("village", "town")


def enrolment_pull(context: Context) -> Section:
    """Two pictures: who leaves villages and towns for urban schools, who stays in the own town; with tables by home."""
    held = [name for name in LEAVES if any(context.series.has(name, stage) for stage in STAGES)]
    pictures = [_picture(context, name) for name in held]
    says = [] if held else [context.say("homes_none")]
    return Section("homes", context.say("homes"), says, pictures=pictures)


def _picture(context: Context, indicator: str) -> Picture:
    stages = [stage for stage in STAGES if context.series.has(indicator, stage)]
    panels = [_panel(context, indicator, stage, c) for c in context.series.calibrations for stage in stages]
    draw = partial(
        splits, panels, context.drawn(f"stays {indicator}"), context.drawn(f"leaves {indicator}"), len(stages)
    )
    findings = [
        said for s, c in context.pairs for stage in stages if (said := _finding(context, s, c, indicator, stage))
    ]
    name = indicator.replace("_", "-")
    return Picture(name, draw, findings, context.say(f"note {indicator}"), _table(context, indicator, name))


def _leaving(
    context: Context, scenario: str, calibration: str, indicator: str, stage: str, home: str, year: int
) -> float | None:
    level, place = ("region", "") if not home else ("setting", home)
    values = context.series.of(At(scenario, calibration, indicator, stage, level, place))[:, year]
    held = values[np.isfinite(values)]
    if not held.size:
        return None
    return float(held.mean()) if LEAVES[indicator] == 1 else 1 - float(held.mean())


def _panel(context: Context, indicator: str, stage: str, calibration: str) -> Splits:
    """Homes as groups of bars: the first year under the reference, then the last under every scenario."""
    title = context.drawn(stage.capitalize())
    if len(context.series.calibrations) > 1:
        title = context.drawn("brackets", what=title, inside=calibration)
    shown = [(context.series.reference, 0)] if len(context.years) > 1 else []
    shown += [(s, -1) for s in context.series.scenarios]
    groups: dict[str, list[Split]] = {}
    for home in (*(h for h in HOMES if h in context.places_of("setting")), ""):
        name = context.place("setting", home, context.letters) if home else context.drawn("home_all")
        groups[name] = [
            Split(
                f"{context.years[year]} {context.scenario(s, context.letters) if year else ''}".rstrip(),
                _leaving(context, s, calibration, indicator, stage, home, year),
            )
            for s, year in shown
        ]
    return Splits(title, groups)


def _finding(context: Context, scenario: str, calibration: str, indicator: str, stage: str) -> str:
    values = context.series.of(At(scenario, calibration, indicator, stage))
    if not np.isfinite(values[:, -1]).any():
        return ""
    before, now = (text(spread(values[:, i], "share"), context.lang) for i in (0, -1))
    fill = {"scenario": context.told(scenario, calibration), "stage": context.say(f"in {stage}")}
    return context.say(f"finding {indicator}", now=now, before=before, **fill, **context.span)


def _table(context: Context, indicator: str, name: str) -> Table:
    rows: list[list[Cell]] = []
    places = [("region", ""), *((lv, p) for lv in ("setting", context.shown_level) for p in context.places_of(lv))]
    for level, place in places:
        for stage in STAGES:
            for s, c in context.whole:
                values = context.series.of(At(s, c, indicator, stage, level, place))
                cells = [spread(values[:, i], "share") for i in (0, -1)]
                if any(cell.mean is not None for cell in cells):
                    rows.append([context.place(level, place), context.say(stage), context.told(s, c), *cells])
    headings = [context.say(word) for word in ("home", "stage", "scenario")]
    column = context.say("leaves to_city" if indicator == "to_city" else "stays local_stay")
    return Table(
        name, column, [*headings, *(f"{column} {year}" for year in (context.years[0], context.years[-1]))], rows
    )
