"""Money: what a scenario spends on what, who pays, and how it adds up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from results.pictures_of_money import Stacks, largest, stacked
from results.pictures_over_time import Line, Panel, trajectories
from results.report.context import CAPITAL, RUNNING, Context, Payment
from results.report.document import Cell, Picture, Section, Table, Value, spread
from results.report.gaps import note
from results.report.numbers import figure, money
from results.report.words import say
from results.series import At

Floats = NDArray[np.float64]
SEEN = 1e-6  # yuan: a sum below it is none
REST = ""  # what is too small to be told apart


def spending(context: Context) -> Section:
    """Three pictures (by lever, by payer, cumulative) and the ledger by lever and by payer."""
    if not context.payments:
        return Section("money", context.say("money"), [context.say("nothing_spent")])
    pictures = [_by_lever(context), _by_payer(context), _cumulative(context)]
    ledgers = [_lever_ledger(context), _payer_ledger(context)]
    return Section("money", context.say("money"), pictures=pictures, folded=ledgers)


def by_year(context: Context, chosen: Sequence[Payment], part: Callable[[Payment], str]) -> dict[str, Floats]:
    """Yuan by part and year, shape (years,) each."""
    found: dict[str, Floats] = {}
    for p in chosen:
        found.setdefault(part(p), np.zeros(len(context.years)))[context.years.index(p.year)] += p.yuan
    return found


def of(context: Context, scenario: str, calibration: str, transfer: bool | None = False) -> list[Payment]:
    """What a scenario pays under a calibration: real costs, transfers, or both."""
    return [
        p
        for p in context.payments
        if (p.scenario, p.calibration) == (scenario, calibration) and transfer in (None, p.transfer)
    ]


def _unit(context: Context, most: float) -> tuple[float, str]:
    """Yuan in a unit of the axis, and its name: million yuan, in Chinese 亿元 or 万元 by the largest sum shown."""
    if context.letters == "en":
        return 1e6, context.drawn("million")
    return (1e8, context.drawn("hundred_million")) if most >= 1e8 else (1e4, context.drawn("ten_thousand"))


def _extra(context: Context, scenario: str, calibration: str) -> dict[str, Floats]:
    """Real costs by lever: less the reference's where there is one, else without what is paid in any case."""
    own = by_year(context, of(context, scenario, calibration), lambda p: p.lever)
    if context.reference is None:
        return {name: yuan for name, yuan in own.items() if name not in RUNNING}
    theirs = by_year(context, of(context, context.reference, calibration), lambda p: p.lever)
    none = np.zeros(len(context.years))
    extra = {name: own.get(name, none) - theirs.get(name, none) for name in dict.fromkeys([*own, *theirs])}
    return {name: yuan for name, yuan in extra.items() if (np.abs(yuan) > SEEN).any()}


def _by_lever(context: Context) -> Picture:
    extras = {pair: _extra(context, *pair) for pair in context.pairs}
    sizes: dict[str, Floats] = {}
    for extra in extras.values():
        for name, yuan in extra.items():
            sizes[name] = sizes.get(name, _none(context)) + np.abs(yuan)
    kept = list(largest(sizes, REST))
    scale, unit = _unit(context, max((float(yuan.max()) for yuan in sizes.values()), default=0.0))
    panels = []
    for pair, extra in extras.items():
        parts = {name: extra.get(name, _none(context)) for name in kept}
        if REST in kept:
            parts[REST] = np.sum([_none(context), *(y for name, y in extra.items() if name not in kept)], axis=0)
        named = {context.lever(n, context.letters) if n else context.drawn("rest"): y / scale for n, y in parts.items()}
        panels.append(Stacks(_extra_title(context, *pair, context.letters), named))
    draw = partial(stacked, panels, context.years, context.drawn("a_year", unit=unit), context.drawn("year"))
    findings = [_lever_finding(context, *pair, extra) for pair, extra in extras.items()]
    said = context.say("money_note" if context.reference else "money_alone_note")
    return Picture("money-levers", draw, findings, said, _extra_table(context, extras), "stacks")


def _none(context: Context) -> Floats:
    return np.zeros(len(context.years))


def _extra_title(context: Context, scenario: str, calibration: str, lang: str) -> str:
    name = context.told(scenario, calibration, lang)
    if context.reference is None:
        return name
    return say("money_extra", lang, scenario=name, reference=context.scenario(context.reference, lang))


def _extra_table(context: Context, extras: Mapping[tuple[str, str], Mapping[str, Floats]]) -> Table:
    """What the bars show, and their sum."""
    rows: list[list[Cell]] = []
    totals = []
    for pair, extra in extras.items():
        title = _extra_title(context, *pair, context.lang)
        rows += [[title, context.lever(name), *_amounts(yuan, signed=True)] for name, yuan in extra.items()]
        totals.append(len(rows))
        total = np.sum([_none(context), *extra.values()], axis=0)
        rows.append([title, context.say("sum"), *_amounts(total, signed=True)])
    headings = [context.say("scenario"), context.say("lever"), *map(str, context.years), context.say("sum")]
    title = context.say("money_extra_title" if context.reference else "money_alone_title")
    return Table("money-levers", title, headings, rows, totals)


def _lever_finding(context: Context, scenario: str, calibration: str, extra: Mapping[str, Floats]) -> str:
    lang = context.lang
    total = np.sum([_none(context), *extra.values()], axis=0)
    whole, peak = float(total.sum()), int(np.argmax(total))
    fill: dict[str, object] = {"scenario": context.told(scenario, calibration), **context.span}
    fill |= {"yuan": money(abs(whole), lang), "peak": money(float(total[peak]), lang), "year": context.years[peak]}
    if context.reference is None:
        return context.say("money_alone_finding", **fill)
    fill |= {"reference": context.scenario(context.reference)}
    costs = context.comparison.one(scenario, calibration, "yuan.real", "all") if context.comparison else None
    if abs(whole) <= SEEN or (costs is not None and costs.verdict == "unclear"):
        return context.say("money_even_finding", **fill)
    if whole < 0:
        return context.say("money_less_finding", **fill)
    most = max(extra, key=lambda name: float(extra[name].sum()))
    return context.say("money_extra_finding", lever=context.lever(most), **fill)


def _by_payer(context: Context) -> Picture:
    real = [p for p in context.payments if not p.transfer]
    totals = by_year(context, real, lambda p: p.payer)
    payers = sorted(totals, key=lambda name: -float(totals[name].sum()))
    paid = {pair: by_year(context, of(context, *pair), lambda p: p.payer) for pair in context.whole}
    most = max((float(np.sum(list(parts.values()), axis=0).max()) for parts in paid.values() if parts), default=0.0)
    scale, unit = _unit(context, most)
    panels = [
        Stacks(
            context.told(*pair, context.letters),
            {context.party(name, context.letters): parts.get(name, _none(context)) / scale for name in payers},
        )
        for pair, parts in paid.items()
    ]
    draw = partial(stacked, panels, context.years, context.drawn("a_year", unit=unit), context.drawn("year"))
    findings = [_payer_finding(context, *pair, paid[pair]) for pair in context.pairs if paid[pair]]
    table = _payer_table(context, paid)
    return Picture("money-payers", draw, findings, context.say("payers_note"), table, "stacks")


def _payer_finding(context: Context, scenario: str, calibration: str, parts: Mapping[str, Floats]) -> str:
    sums = {name: float(yuan.sum()) for name, yuan in parts.items()}
    whole, most = sum(sums.values()), max(sums, key=lambda name: sums[name])
    shares = {"share": sums[most] / whole, "capital": float(_capital(context, scenario, calibration).sum()) / whole}
    fill = {name: figure(share, "share", context.lang) for name, share in shares.items()}
    who = context.told(scenario, calibration)
    return context.say("payers_finding", scenario=who, payer=context.party(most), **fill)


def _capital(context: Context, scenario: str, calibration: str) -> Floats:
    held = [p for p in of(context, scenario, calibration) if p.receiver == CAPITAL]
    return by_year(context, held, lambda p: p.receiver).get(CAPITAL, _none(context))


def _payer_table(context: Context, paid: Mapping[tuple[str, str], Mapping[str, Floats]]) -> Table:
    """Real costs by payer with their sum, what of it is capital works, and shares of the sum."""
    rows: list[list[Cell]] = []
    totals = []
    for pair, parts in paid.items():
        whole = np.sum([_none(context), *parts.values()], axis=0)
        own = {context.party(name): yuan for name, yuan in parts.items()}
        lines = own | {context.say("sum"): whole, context.say("of_it_capital"): _capital(context, *pair)}
        for name, yuan in lines.items():
            if name not in own:
                totals.append(len(rows))
            share = float(yuan.sum() / whole.sum()) if whole.sum() > 0 else None
            rows.append([context.told(*pair), name, *_amounts(yuan), Value(share, "share")])
    headings = [context.say("scenario"), context.say("payer"), *map(str, context.years)]
    title = context.say("payers_title")
    return Table("money-payers", title, [*headings, context.say("sum"), context.say("share")], rows, totals)


def _cumulative(context: Context) -> Picture:
    """Spending on levers, as the indicator counts it, added up over the years."""
    sums = {pair: np.cumsum(context.series.of(At(*pair, "spending.levers")), axis=1) for pair in context.whole}
    ends = {pair: spread(yuan[:, -1], "yuan").mean for pair, yuan in sums.items()}
    scale, unit = _unit(context, max((end for end in ends.values() if end is not None), default=0.0))
    panels = []
    for c in context.series.calibrations:
        lines = [
            Line(context.scenario(s, context.letters), sums[s, c] / scale, context.looks[s], s == context.reference)
            for s in context.series.scenarios
            if ends[s, c] is not None
        ]
        title = context.drawn("cumulative_title")
        if len(context.series.calibrations) > 1:
            title = context.drawn("brackets", what=title, inside=c)
        panels.append(Panel(title, lines))
    draw = partial(trajectories, panels, context.years, len(panels), context.drawn("year"), unit, 2.8)
    findings = [_cumulative_finding(context, *pair, ends) for pair in context.pairs if ends[pair] is not None]
    rows: list[list[Cell]] = [
        [context.told(*pair), *(spread(yuan[:, i], "yuan") for i in range(len(context.years)))]
        for pair, yuan in sums.items()
        if ends[pair] is not None
    ]
    title = context.say("cumulative_title")
    table = Table("money-cumulative", title, [context.say("scenario"), *map(str, context.years)], rows)
    return Picture("money-cumulative", draw, findings, note(context), table, "lines")


def _cumulative_finding(
    context: Context, scenario: str, calibration: str, ends: Mapping[tuple[str, str], float | None]
) -> str:
    yuan = money(ends[scenario, calibration] or 0.0, context.lang)
    said = context.say(
        "cumulative_finding", scenario=context.told(scenario, calibration), yuan=yuan, last=context.years[-1]
    )
    theirs = ends.get((context.series.reference, calibration))
    if context.reference is None or theirs is None:
        return said
    reference = context.scenario(context.reference)
    return said + context.say("cumulative_against", reference=reference, yuan=money(theirs, context.lang))


# ---- the ledger


def _lever_ledger(context: Context) -> Table:
    """Real costs and transfers by lever and year, mean of runs, with their sums."""
    rows: list[list[Cell]] = []
    totals = []
    for s, c in context.whole:
        for kind, transfer in (("real", False), ("transfer", True)):
            held = of(context, s, c, transfer)
            about = context.told(s, c), context.say(kind)
            for name, yuan in by_year(context, held, lambda p: p.lever).items():
                rows.append([about[0], about[1], context.lever(name), *_amounts(yuan)])
            if held:
                totals.append(len(rows))
                yuan = by_year(context, held, lambda p: "")[""]
                rows.append([about[0], about[1], context.say("sum"), *_amounts(yuan)])
    return _ledger(context, "ledger-levers", "money_ledger", ("scenario", "kind", "lever"), rows, totals)


def _payer_ledger(context: Context) -> Table:
    """What each payer pays by year: capital works, recurrent costs, transfers."""
    rows: list[list[Cell]] = []
    totals = []
    for s, c in context.whole:
        for kind in ("capital", "recurrent", "transfer"):
            held = [p for p in of(context, s, c, None) if nature(p) == kind]
            about = context.told(s, c), context.say(kind)
            for name, yuan in by_year(context, held, lambda p: p.payer).items():
                rows.append([about[0], about[1], context.party(name), *_amounts(yuan)])
            if held:
                totals.append(len(rows))
                yuan = by_year(context, held, lambda p: "")[""]
                rows.append([about[0], about[1], context.say("sum"), *_amounts(yuan)])
    return _ledger(context, "ledger-payers", "money_payers", ("scenario", "nature", "payer"), rows, totals)


def _ledger(
    context: Context, name: str, title: str, by: tuple[str, ...], rows: list[list[Cell]], totals: list[int]
) -> Table:
    headings = [*(context.say(word) for word in by), *map(str, context.years), context.say("sum")]
    return Table(name, context.say(title), headings, rows, totals, by)


def ledger_rows(context: Context) -> list[dict[str, str | int | float]]:
    """The ledger in words, a row an entry and year: what the sums of a book are made from."""
    return [
        {
            "scenario": context.told(p.scenario, p.calibration),
            "year": p.year,
            "payer": context.party(p.payer),
            "receiver": context.party(p.receiver),
            "lever": context.lever(p.lever),
            "kind": context.say("transfer" if p.transfer else "real"),
            "nature": context.say(nature(p)),
            "yuan": p.yuan,
        }
        for p in sorted(context.payments, key=lambda p: (p.calibration, p.scenario, p.year, p.payer, p.lever))
    ]


def nature(p: Payment) -> str:
    """Capital works, recurrent, or a transfer between purses."""
    return "transfer" if p.transfer else "capital" if p.receiver == CAPITAL else "recurrent"


def _amounts(yuan: Floats, signed: bool = False) -> list[Cell]:
    """A row's amounts and their sum."""
    return [Value(float(y), "yuan", signed=signed) for y in (*yuan, yuan.sum())]
