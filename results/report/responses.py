"""How outcomes respond: the chapter of a sweep, factor by factor."""

from __future__ import annotations

from functools import partial

from model.indicators import INDICATORS
from results import sentences
from results.pictures_of_responses import curves, findings, heat_map, heat_maps, note, outcomes
from results.report.context import Context
from results.report.document import Cell, Picture, Section, Table, Value
from results.responses import Answer, Responses, effect, respond, spread_at
from results.responses_text import factor_title


def is_sweep(context: Context) -> bool:
    """Whether the run is one of `junheng sweep`."""
    return bool(context.folder.manifest["design"].get("factors"))


def responses(context: Context) -> Section:
    """The chapter: every outcome against each factor, and over two factors where there are two."""
    found = respond(context.folder)
    pictures = [_against(context, found, factor) for factor in found.levels]
    pictures += [_over_both(context, found, s, c) for s, c in heat_maps(found)]
    return Section("responses", context.say("responses"), [context.say("responses_note")], pictures=pictures)


def _against(context: Context, found: Responses, factor: str) -> Picture:
    folder, lang = context.folder, context.lang
    draw = partial(curves, found, folder, factor, context.letters)
    under = note(found, folder, lang)
    return Picture(f"response-{factor}", draw, findings(found, factor, lang), under, _table(context, found, factor))


def _over_both(context: Context, found: Responses, scenario: str, calibration: str) -> Picture:
    told = [line for factor in found.levels for line in findings(found, factor, context.lang, (scenario, calibration))]
    draw = partial(heat_map, found, scenario, calibration, context.letters)
    under = f"{note(found, context.folder, context.lang, band=False)} · {context.told(scenario, calibration)}"
    name = f"both-{scenario}-{calibration}"
    return Picture(name, draw, told, under, _points(context, found, scenario, calibration))


def _table(context: Context, found: Responses, factor: str) -> Table:
    """A row an outcome and scenario: its runs at every level, and the difference from the first to the last."""
    levels = found.levels[factor]
    rows: list[list[Cell]] = []
    for answers in outcomes(found):
        for answer in answers:
            unit, seen = INDICATORS[answer.indicator].unit, effect(found, factor, answer)
            told = Value(seen.mean, unit, seen.low, seen.high, signed=True)
            cells = [_value(spread_at(level, answer), unit) for level in levels]
            rows.append([_title(context, answer), context.told(answer.scenario, answer.calibration), *cells, told])
    headings = [context.say("outcome"), context.say("scenario"), *(level.label for level in levels)]
    title = factor_title(factor, context.lang)
    return Table(f"response-{factor}", title, [*headings, context.say("difference")], rows)


def _points(context: Context, found: Responses, scenario: str, calibration: str) -> Table:
    """A row a design point: where it lies, and every outcome there."""
    answers = [a for a in found.answers if (a.scenario, a.calibration) == (scenario, calibration)]
    rows: list[list[Cell]] = []
    for n, point in enumerate(found.points):
        means = [_mean(answer, n) for answer in answers]
        rows.append([*(_text(point[factor]) for factor in found.levels), *means])
    headings = [
        *(factor_title(factor, context.lang) for factor in found.levels),
        *(_title(context, a) for a in answers),
    ]
    return Table(f"points-{scenario}-{calibration}", context.say("points"), headings, rows)


def _mean(answer: Answer, point: int) -> Value:
    held = answer.values[point][answer.values[point] == answer.values[point]]
    return Value(float(held.mean()) if held.size else None, INDICATORS[answer.indicator].unit)


def _value(spread: tuple[float, float, float] | None, unit: str) -> Value:
    return Value(None, unit) if spread is None else Value(spread[0], unit, spread[1], spread[2])


def _title(context: Context, answer: Answer) -> str:
    return f"{sentences.title(answer, context.lang)}, {answer.year}"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
