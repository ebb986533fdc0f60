"""A comparison for a terminal of 100 columns, in English or Chinese."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from results import sentences
from results.attribution import Contribution
from results.comparison import Comparison, Difference
from results.summary_text import indicator_title, lever_title, region_title

Say = Callable[[str], str]

ANSWERS = (
    "schools_passing",
    "gap.score",
    "between_school_share",
    "local_stay",
    "yuan.real",
)  # said if nothing is asked
WORST = 12  # places shown that lost most
NARROWEST = 24  # columns for the names of outcomes
NEAREST = (": as near as whole classes, rooms and teachers allow", "：班级、教室、教师须取整，已是最接近的规模")
_NUMBERS = (("difference", "right"), ("interval", "right"))
EFFECTS = {"better": ("✓", "green"), "worse": ("✗", "red"), "": ("", "")}

WORDS: dict[str, tuple[str, str]] = {
    "answer": ("What the numbers allow to be said", "数据所能说明的"),
    "differences": ("Differences in {year}, paired on shared draws", "{year} 学年的差异（同一随机数配对）"),
    "difference": ("difference", "差异"),
    "interval": ("95 % interval", "95% 区间"),
    "calibration": ("calibr.", "标定"),
    "won": ("won", "胜出"),
    "p": ("Holm p", "Holm p"),
    "correlation": ("corr.", "相关"),
    "ratio": ("ratio", "方差比"),
    "unit": ("unit", "单位"),
    "marks": (
        "✓ better, ✗ worse where Holm's p is below 0.05; won: replicates in which the scenario beats the reference;"
        " ratio: variance of independent seeds over that of shared draws",
        "✓ 更优、✗ 更差：Holm 校正 p 小于 0.05；胜出：情景优于参照的重复次数；方差比：独立种子方差除以共用随机数方差",
    ),
    "disagree": ("Where the calibrations disagree", "两种标定不一致之处"),
    "losers": ("Who lost", "谁受损"),
    "nobody": (
        "no place is worse off beyond chance ({n} differences of {outcomes} looked at)",
        "未发现超出偶然的受损地点（考察 {outcomes} 共 {n} 个差异）",
    ),
    "losers_note": (
        "{n} of {all} differences are for the worse at a false discovery rate of 5 %: one in twenty may be chance",
        "{all} 个差异中有 {n} 个变差（错误发现率 5%：约二十分之一可能出于偶然）",
    ),
    "place": ("place", "地点"),
    "outcome": ("outcome", "指标"),
    "levers": ("What each lever gave", "各政策工具的贡献"),
    "lever": ("lever", "政策工具"),
    "shapley": ("share of the difference", "对差异的贡献"),
    "without": ("lost without it", "去掉后的损失"),
    "sum": ("sum", "合计"),
    "levers_note": (
        "Shapley values over {n} replicates: {how}; ± standard error. Lost without it: the plan less the plan without"
        " this lever alone",
        "Shapley 值（{n} 次重复，{how}），± 标准误；去掉后的损失：方案减去仅去掉该工具的方案",
    ),
    "exact": ("exact, every mixture lived", "精确，全部组合均已模拟"),
    "sampled": ("{n} orders of levers a replicate, half of them reverses", "每次重复 {n} 个次序，半数为逆序"),
    "nothing": ("gave nothing at all", "毫无贡献"),
    "scaled": ("Packages at one price", "同等经费的方案"),
    "district": ("district", "区"),
    "town": ("town", "乡镇"),
    "setting": ("setting", "城乡类型"),
    "group": ("group", "集团"),
    "school": ("school", "学校"),
}
SETTINGS = {"urban": ("urban", "城区"), "town": ("town", "镇区"), "village": ("village", "乡村")}


def render(comparison: Comparison, lang: str = "en", outcomes: Sequence[str] = ()) -> Iterator[RenderableType]:
    """The parts of a comparison, one after the other. `outcomes`: what was asked for, all of which is then said."""
    say = _saying(lang)
    yield _head(comparison, lang)
    yield Text(say("answer"), "bold")
    yield from _answers(comparison, bool(outcomes), lang)
    for scenario in comparison.scenarios:
        title = say("differences").format(year=comparison.year)
        yield Text(f"\n{title}: {scenario} − {comparison.reference}", "bold")
        yield _differences(comparison, scenario, lang, say)
    yield Text(f"{sentences.family(comparison, lang)}\n{say('marks')}\n", "dim")
    if comparison.disagreements:
        yield Text(say("disagree"), "bold")
        yield from (Text(f"· {sentences.disagreement(d, lang)}") for d in comparison.disagreements)
        yield Text()
    yield from (Text(sentences.shared(s, lang)) for s in comparison.shared)
    yield Text()


def render_losers(places: Sequence[Difference], lang: str = "en") -> Iterator[RenderableType]:
    """Who lost, of `comparison.places`: the heaviest first."""
    say = _saying(lang)
    lost = [d for d in places if d.effect == "worse"]
    yield Text(say("losers"), "bold")
    if not lost:
        names = ("、" if lang == "zh" else ", ").join(dict.fromkeys(indicator_title(d.indicator, lang) for d in places))
        yield Text(say("nobody").format(n=len(places), outcomes=names) + "\n")
        return
    whose = {(d.scenario, d.calibration) for d in lost}
    made = _empty(*((name, "left") for name in ("place", "outcome")), *_NUMBERS, ("unit", "left"), say=say)
    for d in lost[:WORST]:
        name = SETTINGS[d.place][lang == "zh"] if d.level == "setting" else d.place
        place = f"{say(d.level)} {name}" + (f"\n{d.scenario} · {d.calibration}" if len(whose) > 1 else "")
        numbers = sentences.signed(d.difference, d), sentences.interval(d)
        made.add_row(place, sentences.title(d, lang, place=False), *numbers, sentences.unit_name(d, lang))
    yield made
    yield Text(say("losers_note").format(n=len(lost), all=len(places)) + "\n", "dim")


def render_levers(
    contributions: Sequence[Contribution], about: Mapping[str, Any], lang: str = "en"
) -> Iterator[RenderableType]:
    """What each lever gave, an outcome after the other; `about`: what the folder of mixtures says of itself."""
    say = _saying(lang)
    by: dict[tuple[str, ...], list[Contribution]] = {}
    for c in contributions:
        by.setdefault((c.calibration, c.indicator, c.stage, c.place), []).append(c)
    yield Text(f"{say('levers')}: {about['scenario']} − {about['reference']}", "bold")
    for held in by.values():
        unit = sentences.unit_name(held[0], lang)
        yield Text(f"\n{sentences.title(held[0], lang)}{f' ({unit})' if unit else ''} · {held[0].calibration}")
        yield _lever_table(held, lang, say)
    orders = len(about["orders"][0]) if about["orders"] else 0
    how = say("sampled").format(n=orders) if orders else say("exact")
    yield Text(say("levers_note").format(n=contributions[0].replicates, how=how) + "\n", "dim")


def render_scaled(scaled: Sequence[Mapping[str, Any]], lang: str = "en") -> Iterator[RenderableType]:
    """How packages were brought to one price."""
    yield Text(_saying(lang)("scaled"), "bold")
    yield from (Text(f"· {_scaled_zh(one) if lang == 'zh' else _scaled_en(one)}") for one in scaled)
    yield Text()


# ---- parts


def _head(comparison: Comparison, lang: str) -> RenderableType:
    calibrations = ", ".join(comparison.calibrations)
    n, names = comparison.replicates, ", ".join(comparison.scenarios)
    if lang == "zh":
        where = f"{region_title(comparison.region, lang)} · {n} 次重复 · 标定 {calibrations}"
        return Text(f"{names} 与 {comparison.reference} 比较\n{where}\n")
    where = f"{region_title(comparison.region, lang)} · {n} replicates · calibration {calibrations}"
    return Text(f"{names} against {comparison.reference}\n{where}\n")


def _answers(comparison: Comparison, everything: bool, lang: str) -> Iterator[RenderableType]:
    for scenario in comparison.scenarios:
        for calibration in comparison.calibrations:
            held = comparison.of(scenario, calibration)
            told = [d for d in held if everything or d.indicator in ANSWERS]
            if len(comparison.calibrations) > 1 and told:
                yield Text(_under(calibration, lang))
            yield from (Text(f"· {sentences.sentence(d, lang)}") for d in told)


def _under(calibration: str, lang: str) -> str:
    said = sentences.CALIBRATIONS[calibration][lang == "zh"]
    return f"{said}（{calibration}）：" if lang == "zh" else f"{said} ({calibration}):"


def _differences(comparison: Comparison, scenario: str, lang: str, say: Say) -> Table:
    """A row an outcome, or one for each calibration, one under the other."""
    several = len(comparison.calibrations) > 1
    numbers = ("difference", "interval", "won", "p", "correlation", "ratio")
    columns = [("", "left"), *([("calibration", "left")] if several else []), *((name, "right") for name in numbers)]
    made = _empty(*columns, say=say)
    made.columns[0].min_width = NARROWEST
    rows: dict[tuple[str, ...], list[Difference]] = {}
    for d in comparison.differences:
        if d.scenario == scenario:
            rows.setdefault((d.indicator, d.stage, d.place), []).append(d)
    for held in rows.values():
        name, unit = sentences.title(held[0], lang), Text(sentences.unit_name(held[0], lang), "dim")
        for i, d in enumerate(held):
            first = Text(name) if i == 0 else unit
            if several:
                made.add_row(first, d.calibration, *_cells(d))
            else:
                made.add_row(first.append(f" {unit}", "dim"), *_cells(d))
    return made


def _cells(d: Difference) -> tuple[Text, ...]:
    mark, style = EFFECTS[d.effect]
    unsure = "dim" if d.verdict in ("unclear", "one pair", "same") else ""
    difference = Text(sentences.signed(d.difference, d), unsure).append(f" {mark or ' '}", style)
    correlation = "–" if d.correlation is None else f"{d.correlation:.2f}".replace("-", "−")
    ratio = "–" if d.variance_ratio is None else f"{d.variance_ratio:.1f}"
    won = "–" if d.better is None else f"{d.better}/{d.pairs}"
    rest = (Text(text, unsure) for text in (sentences.interval(d), won, _p(d.p_adjusted)))
    return difference, *rest, Text(correlation, "dim"), Text(ratio, "dim")


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "<.001" if p < 0.001 else "1" if p == 1 else f"{p:.3f}".lstrip("0")


def _lever_table(held: Sequence[Contribution], lang: str, say: Say) -> Table:
    first = held[0]
    digits = sentences.places_for([first.difference, *(c.shapley for c in held)], first.indicator)
    form = partial(sentences.quantity, indicator=first.indicator, places=digits)
    columns = (
        ("lever", "left"),
        ("shapley", "right"),
        ("interval", "right"),
        ("without", "right"),
        ("interval", "right"),
    )
    made = _empty(*columns, say=say)
    idle = [c for c in held if c.shapley == c.without == 0 and not c.error]
    for c in sorted((c for c in held if c not in idle), key=lambda c: -abs(c.shapley)):
        clear = c.low is not None and c.high is not None and (c.low > 0 or c.high < 0)
        error = "" if c.error is None else f" ± {form(c.error)}"
        spans = [_span(*ends, form) for ends in ((c.low, c.high), (c.without_low, c.without_high))]
        given, without = (form(v, sign=True) for v in (c.shapley, c.without))
        made.add_row(
            lever_title(c.lever, lang), given + error, spans[0], without, spans[1], style="" if clear else "dim"
        )
    made.add_section()
    made.add_row(say("sum"), form(first.difference, sign=True), "", "", "")
    made.caption = ("、" if lang == "zh" else ", ").join(lever_title(c.lever, lang) for c in idle)
    made.caption += f": {say('nothing')}" if idle else ""
    made.caption_justify = "left"
    return made


def _span(low: float | None, high: float | None, form: Callable[..., str]) -> str:
    return "" if low is None or high is None else f"{form(low, sign=True)} … {form(high, sign=True)}"


def _gap(one: Mapping[str, Any]) -> str:
    return f"{100 * one['gap']:+.1f}".replace("-", "−")


def _scaled_en(one: Mapping[str, Any]) -> str:
    money, wanted = (f"{one[name] / 1e6:,.1f}" for name in ("yuan", "yuan_wanted"))
    text = (
        f"{one['scenario']} is {one['of']} at {one['factor']:.3g} times its size: {money} million yuan beyond the"
        f" baseline, against {wanted} of {one['yardstick']} ({_gap(one)} %{'' if one['near'] else NEAREST[0]})"
    )
    if one["kept"]:
        text += f"; not scaled, since they have no size: {', '.join(n.replace('_', ' ') for n in one['kept'])}"
    if one["bounded"]:
        text += f"; at an end of their range: {', '.join(one['bounded'])}"
    return text


def _scaled_zh(one: Mapping[str, Any]) -> str:
    money, wanted = (f"{one[name] / 1e6:,.1f}" for name in ("yuan", "yuan_wanted"))
    text = (
        f"{one['scenario']} 为 {one['of']} 规模的 {one['factor']:.3g} 倍：比基线多支出 {money} 百万元，"
        f"{one['yardstick']} 为 {wanted} 百万元（{_gap(one)}%{'' if one['near'] else NEAREST[1]}）"
    )
    if one["kept"]:
        text += f"；无规模可调、保持不变：{'、'.join(lever_title(n, 'zh') for n in one['kept'])}"
    if one["bounded"]:
        text += f"；已达取值范围端点：{'、'.join(one['bounded'])}"
    return text


def _empty(*columns: tuple[str, str], say: Say) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, justify in columns:
        left = justify == "left"
        made.add_column(say(name), justify="left" if left else "right", overflow="fold", no_wrap=not left)
    return made


def _saying(lang: str) -> Say:
    def say(word: str) -> str:
        return WORDS.get(word, (word, word))[lang == "zh"]

    return say
