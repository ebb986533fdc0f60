"""The headline strip: four numbers with the reference's ghost, the range of runs and a sparkline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from model.indicators import INDICATORS
from results.pictures_over_time import Line, sparkline
from results.report.context import HEADLINES, Context
from results.report.document import Card, CardRow, Cell, Section, Strip, Table, Value, spread
from results.series import At
from results.summary_text import indicator_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

YEARLY = "spending.levers"  # told as the mean of all years, the others in the last


def headlines(context: Context) -> Section:
    """A strip for every scenario under every calibration."""
    strips = [
        Strip(context.told(s, c), [card for name in HEADLINES if (card := _card(context, s, c, name)).rows])
        for s, c in context.pairs
    ]
    note = context.say("headline_note", year=context.years[-1], **context.span)
    title = context.say("headlines")
    return Section("headlines", title, [note], strips=strips, folded=[_table(context)])


def told(context: Context, scenario: str, calibration: str, indicator: str, stage: str) -> Value:
    """A headline number: of the last year, money as the mean of all years."""
    values = context.series.of(At(scenario, calibration, indicator, stage))
    return spread(values.mean(axis=1) if indicator == YEARLY else values[:, -1], INDICATORS[indicator].unit)


def _card(context: Context, scenario: str, calibration: str, indicator: str) -> Card:
    rows = []
    for stage in INDICATORS[indicator].stages:
        value = told(context, scenario, calibration, indicator, stage)
        if value.mean is None:
            continue
        reference = context.reference
        ghost = told(context, reference, calibration, indicator, stage) if reference else None
        rows.append(CardRow(context.say(stage), value, ghost, _spark(context, scenario, calibration, indicator, stage)))
    return Card(context.say(f"headline {indicator}"), INDICATORS[indicator].unit, rows)


def _spark(
    context: Context, scenario: str, calibration: str, indicator: str, stage: str
) -> Callable[[], Figure] | None:
    if len(context.years) < 2:
        return None
    lines = [
        Line(name, values, context.looks[name], name == context.reference)
        for name in (scenario, context.reference)
        if name and np.isfinite(values := context.series.of(At(name, calibration, indicator, stage))).any()
    ]
    return partial(sparkline, lines[0], lines[1] if len(lines) > 1 else None, context.years)


def _table(context: Context) -> Table:
    rows: list[list[Cell]] = []
    for indicator in HEADLINES:
        for stage in INDICATORS[indicator].stages:
            for s, c in context.whole:
                value = told(context, s, c, indicator, stage)
                if value.mean is not None:
                    rows.append(
                        [indicator_title(indicator, context.lang), context.say(stage), context.told(s, c), value]
                    )
    headings = [context.say(word) for word in ("indicator", "stage", "scenario", "value")]
    return Table("headlines", context.say("table_behind"), headings, rows)
