"""Gap over time: trajectories of the score gap, the between-school share, the schools that pass, the seven CVs."""

from __future__ import annotations

from functools import partial

import numpy as np

from model.indicators import INDICATORS
from model.national_standard import INDICATORS as STOCKS
from model.national_standard import standard
from results.pictures_over_time import Line, Panel, Target, trajectories
from results.report.answer import verdicts
from results.report.context import OVER_TIME, STAGES, Context
from results.report.document import Cell, Picture, Section, Table, spread
from results.report.numbers import bound, text
from results.series import At
from results.summary_text import indicator_title
from results.targets import SIGN

CV_COLUMNS = 4


def gaps(context: Context) -> Section:
    """The chapter: a picture an outcome, then the official CVs of every scenario."""
    held = [name for name in OVER_TIME if any(context.series.has(name, stage) for stage in STAGES)]
    pictures = [_over_time(context, name) for name in held]
    pictures += [_cvs(context, calibration) for calibration in context.series.calibrations]
    return Section("gaps", context.say("gaps"), pictures=pictures)


def stock(name: str, lang: str) -> str:
    """What a CV is of, in a few letters."""
    return indicator_title(f"cv.{name}", lang).removeprefix("CV of ").removesuffix("校际差异系数")


def note(context: Context, aimed: bool = False) -> str:
    """What a fan is made of, and, where there is one, what the line of a target is."""
    n = max(context.replicates(*pair) for pair in context.whole)
    fan = context.say("fan_note", runs=context.runs(n)) if n > 1 else context.say("line_note")
    return fan + (context.say("space") + context.say("aim_note") if aimed else "")


def _against(context: Context) -> str:
    """What the numbers of a finding are."""
    if context.comparison is None or context.reference is None or context.comparison.replicates < 2:
        return ""
    return context.say("against_note", reference=context.scenario(context.reference)) + context.say("space")


def lines(context: Context, calibration: str, indicator: str, stage: str) -> list[Line]:
    """Every scenario's values of an outcome."""
    found = []
    for name in context.series.scenarios:
        values = context.series.of(At(name, calibration, indicator, stage))
        if np.isfinite(values).any():
            label = context.scenario(name, context.letters)
            found.append(Line(label, values, context.looks[name], name == context.reference))
    return found


def _over_time(context: Context, indicator: str) -> Picture:
    stages = [stage for stage in STAGES if context.series.has(indicator, stage)]
    declared = INDICATORS[indicator]
    percent = declared.unit == "share"
    panels = [
        Panel(
            _panel_title(context, stage, calibration),
            lines(context, calibration, indicator, stage),
            target_lines(context, calibration, indicator, stage),
            percent=percent,
        )
        for calibration in context.series.calibrations
        for stage in stages
    ]
    columns = len(stages) if len(stages) > 1 else min(2, len(panels))
    unit = "" if percent else context.drawn("base_sd")
    draw = partial(trajectories, panels, context.years, columns, context.drawn("year"), unit, 2.7)
    return Picture(
        indicator.replace(".", "-"),
        draw,
        [finding(context, s, c, indicator, stages) for s, c in context.pairs],
        _against(context) + note(context, any(panel.targets for panel in panels)),
        trajectory_table(context, indicator.replace(".", "-"), [indicator], stages),
        "lines",
        _aims(context, indicator, stages),
    )


def _aims(context: Context, indicator: str, stages: list[str]) -> list[tuple[str, str, str, float]]:
    """The lines of targets for a spreadsheet: the same under every calibration."""
    title = indicator_title(indicator, context.lang)
    return [
        (title, context.say(stage), line.label, line.value)
        for stage in stages
        for line in target_lines(context, context.series.calibrations[0], indicator, stage)
    ]


def _panel_title(context: Context, stage: str, calibration: str) -> str:
    title = context.drawn(stage.capitalize())
    if len(context.series.calibrations) == 1:
        return title
    return context.drawn("brackets", what=title, inside=calibration)


def finding(context: Context, scenario: str, calibration: str, indicator: str, stages: list[str]) -> str:
    """What a scenario does to an outcome: the verdicts of the last year, or its first and last year where alone."""
    fill = {"scenario": context.told(scenario, calibration), "outcome": indicator_title(indicator, context.lang)}
    if context.comparison is None:
        said = []
        for stage in stages:
            values = context.series.of(At(scenario, calibration, indicator, stage))
            from_, to = (text(spread(values[:, i], INDICATORS[indicator].unit), context.lang) for i in (0, -1))
            there = {"stage": context.say(f"in {stage}"), "from_": from_, "to": to}
            said.append(context.say("finding_alone", **there, **fill, **context.span))
        return context.say("semicolon").join(said)
    held = [context.comparison.one(scenario, calibration, indicator, stage) for stage in stages]
    known = [d for d in held if d is not None]
    if not known:
        return context.say("finding_none", **fill)
    return context.say("finding", year=context.comparison.year, verdicts=verdicts(context, known), **fill)


def target_lines(context: Context, calibration: str, indicator: str, stage: str) -> list[Target]:
    """The lines that documents draw, each once, with how many runs reach it."""
    found: dict[tuple[float, int], Target] = {}
    for one in context.summary["scenarios"]:
        for target in one["targets"] if one["calibration"] == calibration else []:
            if (target["indicator"], target["stage"], target["level"]) != (indicator, stage, "region"):
                continue
            value, lang = bound(target["required"], INDICATORS[indicator].unit, context.letters), context.letters
            fill = {"sign": SIGN[target["direction"]], "value": value, "year": target["due"]}
            n = context.replicates(one["scenario"], calibration)
            label = context.drawn("target_line_open", **fill)
            if target["reached"] is not None:
                label = context.drawn("target_line", met=round(target["reached"] * n), of=n, **fill)
            if len(context.pairs) > len(context.series.calibrations):  # more than one plan: whose line it is
                label = f"{context.scenario(one['scenario'], lang)}: {label}"
            found[target["required"], target["due"]] = Target(target["required"], target["due"], label)
    return list(found.values())


def _cvs(context: Context, calibration: str) -> Picture:
    """The seven CVs at both stages under one calibration, each with its limit."""
    stages = [stage for stage in STAGES if any(context.series.has(f"cv.{name}", stage) for name in STOCKS)]
    panels: list[Panel | None] = []
    for stage, limit in zip(STAGES, standard().cv_limit.tolist(), strict=True):
        line = Target(limit, 0, context.drawn("limit_line", value=f"{limit:.2f}"))
        for name in STOCKS if stage in stages else ():
            title = context.drawn("brackets", what=context.drawn(f"short {name}"), inside=context.drawn(stage))
            panels.append(Panel(title, lines(context, calibration, f"cv.{name}", stage), [line]))
        panels += [None] * (-len(panels) % CV_COLUMNS)
    findings = [_cv_finding(context, s, c, stage) for s, c in context.pairs if c == calibration for stage in stages]
    name = "cvs" if len(context.series.calibrations) == 1 else f"cvs-{calibration}"
    table = trajectory_table(context, name, [f"cv.{one}" for one in STOCKS], STAGES, [calibration])
    aims = [
        (indicator_title(f"cv.{one}", context.lang), context.say(stage), f"≤ {limit:.2f}", limit)
        for stage, limit in zip(STAGES, standard().cv_limit.tolist(), strict=True)
        for one in STOCKS
        if stage in stages
    ]
    draw = partial(trajectories, panels, context.years, CV_COLUMNS, context.drawn("year"), height=1.75)
    return Picture(
        name, draw, findings, note(context) + context.say("space") + context.say("limit_note"), table, "lines", aims
    )


def _cv_finding(context: Context, scenario: str, calibration: str, stage: str) -> str:
    limit = float(standard().cv_limit[STAGES.index(stage)])
    passed, failed = 0, []
    for name in STOCKS:
        values = context.series.last(At(scenario, calibration, f"cv.{name}", stage))
        values = values[np.isfinite(values)]
        if values.size and (values <= limit + 1e-9).all():
            passed += 1
        elif values.size:
            failed.append(stock(name, context.lang))
    failing = context.say("cv_failing", names=context.listed(failed)) if failed else ""
    fill = {"scenario": context.told(scenario, calibration), "stage": context.say(stage), "year": context.years[-1]}
    return context.say("cv_finding", n=passed, of=passed + len(failed), failing=failing, **fill)


def trajectory_table(
    context: Context,
    name: str,
    indicators: list[str],
    stages: list[str] | tuple[str, ...],
    calibrations: list[str] | None = None,
) -> Table:
    """The values behind trajectories: a row a series, a column a year, mean and range."""
    rows: list[list[Cell]] = []
    for indicator in indicators:
        unit = INDICATORS[indicator].unit
        for stage in stages:
            for s, c in context.whole:
                values = context.series.of(At(s, c, indicator, stage))
                if c in (calibrations or context.series.calibrations) and np.isfinite(values).any():
                    title = indicator_title(indicator, context.lang)
                    years = [spread(values[:, i], unit) for i in range(len(context.years))]
                    rows.append([title, context.say(stage), context.told(s, c), *years])
    headings = [context.say(word) for word in ("indicator", "stage", "scenario")]
    title = indicator_title(indicators[0], context.lang) if len(indicators) == 1 else context.say("cv_title")
    return Table(name, title, [*headings, *map(str, context.years)], rows)
