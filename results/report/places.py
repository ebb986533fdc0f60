"""Who moved, place by place, and the report card of places against the national standard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.indicators import INDICATORS
from model.national_standard import INDICATORS as STOCKS
from model.national_standard import standard
from results.comparison import Difference
from results.pictures_of_places import Dumbbells, Move, dumbbells
from results.report.answer import said, scores
from results.report.context import STAGES, Context
from results.report.document import Cell, Picture, Section, Table, Value, spread
from results.series import At

OPEN = 2  # scenarios whose report card is not folded
MOST = 44  # places of a picture: the lowest and the highest, where there are more


def who_moved(context: Context) -> Section:
    """Dumbbells by setting and by district or town; empty without a reference."""
    pictures = []
    for level in ("setting", context.shown_level):
        if context.reference and (picture := _moved(context, level)):
            pictures.append(picture)
    says = (
        [context.say("moved_judged")] if pictures and context.comparison and context.comparison.replicates > 1 else []
    )
    return Section(
        "places", context.say("places"), says if pictures else [context.say("no_reference")], pictures=pictures
    )


def _moved(context: Context, level: str) -> Picture | None:
    held = [d for s, c in context.pairs for d in scores(context, s, c) if d.level == level]
    if not held:
        return None
    panels = []
    stages = [stage for stage in STAGES if any(d.stage == stage for d in held)]
    for calibration in context.series.calibrations:
        for stage in stages:
            own = [d for d in held if (d.calibration, d.stage) == (calibration, stage)]
            if own:
                title = context.drawn(stage.capitalize())
                if len(context.series.calibrations) > 1:
                    title = context.drawn("brackets", what=title, inside=calibration)
                panels.append(Dumbbells(title, _moves(context, level, own)))
    labels = {s: context.scenario(s, context.letters) for s in context.series.scenarios}
    reference = context.series.reference
    draw = partial(dumbbells, panels, context.looks, labels, reference, context.drawn("moved_axis"), len(stages))
    several = max(d.pairs for d in held) > 1
    note = context.say(
        "moved_note" if several else "moved_note_one", year=context.years[-1], reference=context.scenario(reference)
    )
    findings = [
        _finding(context, s, c, [d for d in held if (d.scenario, d.calibration) == (s, c)]) for s, c in context.pairs
    ]
    return Picture(f"moved-{level}", draw, findings, note, _moved_table(context, level, held))


def _moves(context: Context, level: str, held: list[Difference]) -> list[Move]:
    """Places sorted by where they stood, the strongest on top; the middle left out where there are too many."""
    by: dict[str, list[Difference]] = {}
    for d in held:
        by.setdefault(d.place, []).append(d)
    moves = [
        Move(
            context.place(level, place, context.letters),
            own[0].mean_reference,
            [
                (
                    d.scenario,
                    d.mean,
                    None if d.low is None else d.mean_reference + d.low,
                    None if d.high is None else d.mean_reference + d.high,
                )
                for d in own
            ],
        )
        for place, own in by.items()
    ]
    moves.sort(key=lambda move: -move.reference)
    return moves if len(moves) <= MOST else [*moves[: MOST // 2], *moves[-MOST // 2 :]]


def _finding(context: Context, scenario: str, calibration: str, held: list[Difference]) -> str:
    who = context.told(scenario, calibration)
    if all(d.verdict == "one pair" for d in held):
        return context.say("moved_finding_one", scenario=who)
    up, down = (sum(d.verdict == way for d in held) for way in ("higher", "lower"))
    return context.say("moved_finding", scenario=who, of=len(held), up=up, down=down, unsure=len(held) - up - down)


def _moved_table(context: Context, level: str, held: Iterable[Difference]) -> Table:
    order = {place: i for i, place in enumerate(context.places_of(level))}
    rows: list[list[Cell]] = [
        [
            context.place(level, d.place),
            context.say(d.stage),
            context.told(d.scenario, d.calibration),
            Value(d.mean_reference, "base SD"),
            Value(d.mean, "base SD"),
            Value(d.difference, "base SD", d.low, d.high, signed=True),
            said(context, d),
        ]
        for d in sorted(held, key=lambda d: (order.get(d.place, 0), STAGES.index(d.stage)))
    ]
    headings = (level, "stage", "scenario", "reference", "value", "difference", "verdict")
    return Table(f"moved-{level}", context.say("places"), [context.say(h) for h in headings], rows)


# ---- the report card


def report_card(context: Context) -> Section:
    """CVs of the region and its districts, and means of places against the standard; the reference's folded."""
    says: list[str] = []
    tables: list[Table] = []
    folded: list[Table] = []
    for scenario, calibration in context.pairs:
        card = [_cvs(context, scenario, calibration), _means(context, scenario, calibration)]
        says.append(_card_finding(context, scenario, calibration, card[1]))
        (tables if len(context.pairs) <= OPEN else folded).extend(card)
    for calibration in context.series.calibrations if context.reference else ():
        scenario = context.series.reference
        folded += [_cvs(context, scenario, calibration), _means(context, scenario, calibration)]
    says = [context.sentence(*says), context.say("card_note")]
    return Section("card", context.say("card"), says, tables=tables, folded=folded)


def _cvs(context: Context, scenario: str, calibration: str) -> Table:
    rows: list[list[Cell]] = []
    places = [("region", ""), *(("district", p) for p in context.places_of("district"))]
    for level, place in places if len(places) > 2 else places[:1]:
        for stage, limit in zip(STAGES, standard().cv_limit.tolist(), strict=True):
            cells = [
                _judged(
                    context.series.last(At(scenario, calibration, f"cv.{name}", stage, level, place)), "CV", most=limit
                )
                for name in STOCKS
            ]
            if any(cell.mean is not None for cell in cells):
                rows.append([context.place(level, place), context.say(stage), *cells])
    title = context.say("card_cv", scenario=context.told(scenario, calibration), year=context.years[-1])
    headings = [context.say("place"), context.say("stage"), *(context.say(f"short {name}") for name in STOCKS)]
    return Table(f"card-cv-{scenario}-{calibration}", title, headings, rows)


def _means(context: Context, scenario: str, calibration: str) -> Table:
    rows: list[list[Cell]] = []
    places = [(level, p) for level in ("setting", context.shown_level) for p in context.places_of(level)]
    for level, place in [("region", ""), *places]:
        for i, stage in enumerate(STAGES):
            cells = [
                _judged(
                    context.series.last(At(scenario, calibration, f"mean.{name}", stage, level, place)),
                    INDICATORS[f"mean.{name}"].unit,
                    least=float(standard().threshold[i, j]),
                )
                for j, name in enumerate(STOCKS)
            ]
            if any(cell.mean is not None for cell in cells):
                passing = context.series.last(At(scenario, calibration, "schools_passing", stage, level, place))
                mean = spread(passing, "share").mean
                rows.append([context.place(level, place), context.say(stage), *cells, Value(mean, "share")])
    title = context.say("card_mean", scenario=context.told(scenario, calibration), year=context.years[-1])
    names = (context.say(f"short {name}") for name in STOCKS)
    headings = [context.say("place"), context.say("stage"), *names, context.say("passing")]
    return Table(f"card-mean-{scenario}-{calibration}", title, headings, rows)


def _judged(values: NDArray[np.float64], unit: str, most: float = np.inf, least: float = -np.inf) -> Value:
    """A value with ✓ where it keeps to the bounds in every run, ✗ where in none; the mean alone."""
    held = values[np.isfinite(values)]
    if not held.size:
        return Value(None, unit)
    kept = (held <= most + 1e-9) & (held >= least - 1e-9)
    return Value(float(held.mean()), unit, mark="✓" if kept.all() else "✗" if not kept.any() else "◐")


def _card_finding(context: Context, scenario: str, calibration: str, card: Table) -> str:
    missed: Counter[str] = Counter()
    n = of = 0
    for row in card.rows:
        for heading, cell in zip(card.headings, row, strict=True):
            if isinstance(cell, Value) and cell.mark:
                of += 1
                n += cell.mark == "✓"
                missed[heading] += cell.mark != "✓"
    fill = {"scenario": context.told(scenario, calibration), "year": context.years[-1], "of": of}
    if n == of:
        return context.say("card_finding_all", **fill)
    names = context.listed([name for name, times in missed.most_common(2) if times])
    return context.say("card_finding", n=n, names=names, **fill)
