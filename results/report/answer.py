"""The answer of a run in a paragraph, made from its numbers, and the differences it stands on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.behaviour import CALIBRATIONS, parameters
from results import sentences
from results.comparison import MONEY, Difference, direction_of
from results.report.context import STAGES, Context, other_calibration
from results.report.document import Cell, Section, Table, Value, spread
from results.report.numbers import figure, money, text
from results.series import At
from results.summary_text import indicator_title

TOLD = ("gap.score", "schools_passing", "local_stay")
CLOSED = 0.01  # SD: what a price of closing the gap is quoted for


def answer(context: Context) -> Section:
    """The chapter that stands first."""
    tell = alone if context.comparison is None else compared
    answers = [(_heading(context, *pair), tell(context, *pair)) for pair in context.pairs]
    tables = [_differences(context)] if context.comparison else []
    says = [context.sentence(*_calibrations(context), _trust(context))]
    return Section("answer", context.say("answer"), says, answers, tables=[_scenarios(context)], folded=tables)


def _heading(context: Context, scenario: str, calibration: str) -> str:
    head = context.scenario(scenario)
    if context.reference is not None:
        head = context.say("vs", scenario=head, reference=context.scenario(context.reference))
    if len(context.series.calibrations) > 1:
        head = context.say("under", what=head, calibration=context.say(calibration))
    return head


def compared(context: Context, scenario: str, calibration: str) -> str:
    """What a scenario does against the reference under one calibration: a paragraph."""
    if context.comparison is None:
        return ""
    held = {(d.indicator, d.stage): d for d in context.comparison.of(scenario, calibration)}
    parts = []
    for indicator in TOLD:
        of_stages = [held[indicator, stage] for stage in STAGES if (indicator, stage) in held]
        if of_stages:
            parts.append(context.say(f"subject {indicator}", verdicts=verdicts(context, of_stages)))
    pairs = max((d.pairs for d in held.values()), default=0)
    year = context.comparison.year
    when = context.say("in_year", year=year, pairs=pairs) if pairs > 1 else context.say("in_year_one", year=year)
    first = context.say("semicolon").join(parts)
    body = context.sentence(
        f"{when}{first}" if parts else "",
        _cost(context, held),
        _standard(context, scenario, calibration),
        _targets(context, scenario, calibration),
        _losers(context, scenario, calibration),
    )
    if any(d.verdict.startswith("perhaps") for d in held.values() if d.indicator in TOLD):
        body += ("" if context.lang == "zh" else " ") + context.say("perhaps_note")
    return body


def verdicts(context: Context, differences: Sequence[Difference]) -> str:
    """What may be said of an outcome, stage by stage, with the numbers: `narrower in primary schools (…)`."""
    return context.say("and").join(
        context.say(
            "verdict_in",
            verdict=verdict(context, d),
            stage=context.say(f"in {d.stage}"),
            numbers=numbers(context, d),
        )
        if numbers(context, d)
        else context.say("verdict_alone", verdict=verdict(context, d), stage=context.say(f"in {d.stage}"))
        for d in differences
    )


def verdict(context: Context, d: Difference) -> str:
    """What may be said of one difference, in a word."""
    if d.verdict == "one pair":
        unit = sentences.unit_of(d.indicator)
        value, reference = (figure(v, unit, context.lang) for v in (d.mean, d.mean_reference))
        return context.say("one pair", value=value, reference=reference)
    if d.verdict in ("unclear", "same"):
        return context.say(d.verdict)
    way = "up" if d.difference > 0 else "down"
    own = f"{way} {d.indicator}"
    word = context.say(own if own == f"{way} gap.score" else way)
    return context.say("perhaps", word=word) if d.verdict.startswith("perhaps") else word


def numbers(context: Context, d: Difference) -> str:
    """The difference and its interval, with the unit; empty where there is nothing to add to the verdict."""
    if d.verdict in ("one pair", "same"):
        return ""
    if d.verdict == "unclear":
        return context.say("numbers_unclear", interval=sentences.interval(d) + _unit(d, context.lang))
    difference = sentences.signed(d.difference, d) + _unit(d, context.lang)
    if d.low == d.high:
        return context.say("numbers_fixed", difference=difference)
    return context.say("numbers", difference=difference, interval=sentences.interval(d))


def alone(context: Context, scenario: str, calibration: str) -> str:
    """What one scenario without a reference shows: first and last year."""
    parts = []
    for indicator in TOLD:
        for stage in STAGES:
            values = context.series.of(At(scenario, calibration, indicator, stage))
            if np.isfinite(values).any():
                unit = "share" if indicator != "gap.score" else "base SD"
                from_, to = (text(spread(values[:, i], unit), context.lang) for i in (0, -1))
                outcome = indicator_title(indicator, context.lang)
                fill = {"outcome": outcome, "stage": context.say(f"in {stage}"), "from_": from_, "to": to}
                parts.append(context.say("alone_said", **context.span, **fill))
    spent = context.series.of(At(scenario, calibration, "spending.levers"))
    total = text(spread(spent.sum(axis=1), "yuan"), context.lang)
    return context.sentence(
        *parts,
        context.say("alone_spent", yuan=total, **context.span),
        _standard(context, scenario, calibration),
        _targets(context, scenario, calibration),
    )


# ---- sentences


def _unit(d: Difference, lang: str) -> str:
    unit = sentences.unit_name(d, lang)
    return f" {unit}" if unit else ""


def _cost(context: Context, held: dict[tuple[str, str], Difference]) -> str:
    d = held.get(("yuan.real", "all"))
    if d is None:
        return ""
    lang, span = context.lang, context.span
    if d.low is not None and d.high is not None and d.low <= 0 <= d.high:
        if d.low == d.high:
            return context.say("cost_same", **span)
        ends = " … ".join(money(end, lang, signed=True) for end in (d.low, d.high))
        return context.say("cost_unclear", interval=ends, **span)
    ends_of = sorted((abs(d.low), abs(d.high))) if d.low is not None and d.high is not None else []
    low_high = [money(end, lang) for end in ends_of]
    interval = context.say("cost_interval", low=low_high[0], high=low_high[1]) if len(set(low_high)) == 2 else ""
    way = "cost_more" if d.difference > 0 else "cost_less"
    said = context.say(way, yuan=money(abs(d.difference), lang), interval=interval, **span)
    prices = [_price(context, d, held.get(("gap.score", stage))) for stage in STAGES]
    return context.say("pause").join([said, *(p for p in prices if p)])


def _price(context: Context, cost: Difference, gap: Difference | None) -> str:
    """Yuan for a hundredth of an SD, where the gap is established to close and the costs to rise."""
    if gap is None or gap.verdict != "lower" or cost.difference <= 0:
        return ""
    price = cost.difference / (-gap.difference / CLOSED)
    return context.say("cost_point", yuan=money(price, context.lang), stage=context.say(gap.stage))


def _standard(context: Context, scenario: str, calibration: str) -> str:
    met = context.series.last(At(scenario, calibration, "standard_met"))
    met = met[np.isfinite(met)]
    if not met.size:
        return ""
    return context.say("standard_said", n=int(met.sum()), of=met.size, year=context.years[-1])


def _targets(context: Context, scenario: str, calibration: str) -> str:
    states = [
        target["state"]
        for one in context.summary["scenarios"]
        if (one["scenario"], one["calibration"]) == (scenario, calibration)
        for target in one["targets"]
    ]
    if not states:
        return ""
    open_ = states.count("not due") + states.count("no value")
    undue = context.say("targets_undue", undue=open_) if open_ else ""
    counts = {
        name: states.count(state)
        for name, state in (("reached", "reached"), ("some", "in some runs"), ("missed", "missed"))
    }
    return context.say("targets_said", n=len(states), undue=undue, **counts)


def _losers(context: Context, scenario: str, calibration: str) -> str:
    judged = scores(context, scenario, calibration)
    if not judged or all(d.verdict == "one pair" for d in judged):
        return ""
    worse = sorted((d for d in judged if d.verdict == "lower"), key=lambda d: d.difference)
    if not worse:
        return context.say("losers_none", of=len(judged))
    first = worse[0]
    where = f"{context.place(first.level, first.place)}{context.say('space')}{context.say(f'in {first.stage}')}"
    worst = context.say(
        "brackets", what=where, inside=sentences.signed(first.difference, first) + _unit(first, context.lang)
    )
    return context.say("losers_said", n=len(worse), of=len(judged), worst=worst)


def scores(context: Context, scenario: str, calibration: str) -> list[Difference]:
    """Differences in mean scores of the places that are shown, and of settings."""
    levels = (context.shown_level, "setting")
    return [
        d
        for d in context.moved
        if (d.scenario, d.calibration, d.indicator) == (scenario, calibration, "mean_score") and d.level in levels
    ]


def _calibrations(context: Context) -> list[str]:
    known = context.series.calibrations
    if len(known) == 1 and known[0] in CALIBRATIONS:
        other = context.say(other_calibration(known[0]))
        return [context.say("one_calibration", other=other)]
    if context.comparison is None or context.comparison.replicates < 2:
        return []
    apart = [found.a for found in context.comparison.disagreements if found.established]
    if not apart:
        return [context.say("agree")]
    titles = dict.fromkeys(sentences.title(d, context.lang) for d in apart)
    return [context.say("disagree", what=context.say("semicolon").join(titles))]


def _trust(context: Context) -> str:
    known = parameters().values()
    return context.say("trust", assumed=sum(p.kind == "assumed" for p in known), all=len(known))


# ---- tables


def _scenarios(context: Context) -> Table:
    """What was compared: scenarios by name, title and document."""
    rows: list[list[Cell]] = []
    for name, scenario in context.folder.manifest["scenarios"].items():
        document = " ".join(str(scenario["document"].get(key, "")) for key in ("number", "issued")).strip()
        rows.append([context.scenario(name), scenario["title"]["zh" if context.lang == "zh" else "en"], document])
    headings = [context.say(word) for word in ("scenario", "title_of", "document")]
    return Table("scenarios", context.say("compared_title"), headings, rows)


def _differences(context: Context) -> Table:
    """All differences of the last year (money: of all years), with what may be said of each."""
    rows: list[list[Cell]] = []
    for d in context.comparison.differences if context.comparison else []:
        outcome = indicator_title(d.indicator, context.lang)
        if d.indicator in MONEY:
            outcome = sentences.TITLES[d.indicator][context.lang == "zh"]
        unit = sentences.unit_of(d.indicator)
        rows.append(
            [
                context.told(d.scenario, d.calibration),
                outcome,
                context.say(d.stage),
                Value(d.mean_reference, unit),
                Value(d.mean, unit),
                *_shown(context, d),
                said(context, d),
                d.pairs,
            ]
        )
    headings = (
        "scenario",
        "indicator",
        "stage",
        "reference",
        "value",
        "difference",
        "interval",
        "verdict",
        "replicates_of",
    )
    title = context.say("all_differences")
    return Table("differences", title, [context.say(h) for h in headings], rows)


def _shown(context: Context, d: Difference) -> tuple[str, str]:
    """A difference with its unit, and its interval."""
    if d.indicator not in MONEY:
        return sentences.signed(d.difference, d) + _unit(d, context.lang), sentences.interval(d)
    ends = () if d.low is None or d.high is None else (d.low, d.high)
    interval = " … ".join(money(end, context.lang, signed=True) for end in ends)
    return money(d.difference, context.lang, signed=True), interval


def said(context: Context, d: Difference) -> str:
    """The verdict with whether it is for the better."""
    if d.verdict == "one pair":
        return ""
    word = verdict(context, d)
    if not d.effect or not direction_of(d.indicator):
        return word
    return f"{word} {'✓' if d.effect == 'better' else '✗'}"
