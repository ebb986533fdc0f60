"""Differences in words, English and Chinese, that never say more than the interval allows.

Ends of an interval are rounded outwards, so that what is printed holds what was computed; an end that is not zero
is never printed as zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from model.indicators import INDICATORS
from results.comparison import MONEY, Comparison, Difference, Disagreement, Shared

MOST_DECIMALS = 6
TITLES = {
    "yuan.real": ("real costs of all years", "全部学年实际支出"),
    "yuan.transfer": ("transfers of all years", "全部学年转移支付"),
}
STAGES = {"primary": ("primary", "小学"), "junior": ("junior", "初中"), "all": ("", "")}
UNITS = {  # factor, English, Chinese
    "share": (100.0, "percentage points", "个百分点"),
    "yuan": (1e-6, "million yuan", "百万元"),
    "yuan per pupil": (1.0, "yuan per pupil", "元/生"),
    "CV": (1.0, "", ""),
    "index": (1.0, "", ""),
    "count": (1.0, "", ""),
    "0/1": (1.0, "", ""),
    "ratio": (1.0, "", ""),
    "correlation": (1.0, "", ""),
    "raw units": (1.0, "", ""),
    "base SD": (1.0, "SD", "个标准差"),
    "teacher SD": (1.0, "teacher SD", "个教师标准差"),
    "management SD": (1.0, "management SD", "个管理标准差"),
    "km": (1.0, "km", "公里"),
    "m2": (1.0, "m²", "平方米"),
    "m2 per pupil": (1.0, "m² per pupil", "平方米/生"),
    "teachers per 100 pupils": (1.0, "teachers per 100 pupils", "名/百生"),
    "rooms per 100 pupils": (1.0, "rooms per 100 pupils", "间/百生"),
    "pupils": (1.0, "pupils", "名学生"),
    "places": (1.0, "places", "个学位"),
    "schools": (1.0, "schools", "所学校"),
    "teachers": (1.0, "teachers", "名教师"),
    "posts": (1.0, "posts", "个编制"),
    "groups": (1.0, "groups", "个集团"),
    "zones": (1.0, "zones", "个学区"),
    "communities": (1.0, "communities", "个共同体"),
}
CALIBRATIONS = {"input": ("if schools make most of the gap", "若差距主要来自学校"),
                "sorting": ("if homes make most of the gap", "若差距主要来自家庭")}  # fmt: skip


class Outcome(Protocol):
    """What has a title and a unit: a difference, or a lever's contribution to one."""

    @property
    def indicator(self) -> str: ...  # noqa: D102
    @property
    def stage(self) -> str: ...  # noqa: D102
    @property
    def level(self) -> str: ...  # noqa: D102
    @property
    def place(self) -> str: ...  # noqa: D102


def title(d: Outcome, lang: str = "en", place: bool = True) -> str:
    """What is compared: the indicator with its stage and, if wanted, the place."""
    zh = lang == "zh"
    declared = INDICATORS.get(d.indicator)
    name = TITLES[d.indicator][zh] if declared is None else declared.zh if zh else declared.en
    stage, where = STAGES[d.stage][zh], d.place if place and d.level != "region" else ""
    if zh:
        return f"{where}{stage}{name}"
    return name + "".join(f", {part}" for part in (stage, where) if part)


def unit_of(indicator: str) -> str:
    """Unit of an outcome, a key of UNITS."""
    return "yuan" if indicator in MONEY else INDICATORS[indicator].unit


def unit_name(d: Outcome, lang: str = "en") -> str:
    """The unit in which differences are shown; empty where there is none."""
    _, en, zh = UNITS[unit_of(d.indicator)]
    return zh.removeprefix("个") if lang == "zh" else en


def sentence(d: Difference, lang: str = "en") -> str:
    """What may be said of a difference: its size and interval where it is established, what it is not where not."""
    return _zh(d) if lang == "zh" else _en(d)


def disagreement(found: Disagreement, lang: str = "en") -> str:
    """How two calibrations contradict each other about an outcome."""
    a, b = found.a, found.b
    zh = lang == "zh"
    said = [
        f"{CALIBRATIONS[d.calibration][zh]}（{d.calibration}）"
        if zh
        else f"{CALIBRATIONS[d.calibration][0]} ({d.calibration})"
        for d in (a, b)
    ]
    parts = [_clause(d, lang) for d in (a, b)]
    if zh:
        head = "两种标定结论相反" if found.established else "两种标定方向不同，但只有一种能确定"
        return (
            f"{head}：{title(a, lang)}（{a.scenario} 减 {a.reference}），"
            + "；".join(f"{who}，{what}" for who, what in zip(said, parts, strict=True))
            + "。"
        )
    head = (
        "The calibrations contradict each other"
        if found.established
        else "The calibrations point apart, but only one of them is sure,"
    )
    return (
        f"{head} on {title(a)} ({a.scenario} less {a.reference}): "
        + "; ".join(f"{who} it is {what}" for who, what in zip(said, parts, strict=True))
        + "."
    )


def shared(found: Shared, lang: str = "en") -> str:
    """What shared draws did for a comparison."""
    r, ratio = f"{found.correlation:.2f}".replace("-", "−"), f"{found.variance_ratio:.1f}"
    if lang == "zh":
        return (
            f"共用随机数：两情景相关系数 {r}，差异的方差为独立种子的 1/{ratio}"
            f"（{found.outcomes} 个指标的中位数；{found.scenario} 减 {found.reference}，{found.calibration}）"
        )
    return (
        f"shared draws: correlation {r}, variance of the difference {ratio} times smaller than with independent seeds"
        f" (medians over {found.outcomes} outcomes; {found.scenario} less {found.reference}, {found.calibration})"
    )


def family(comparison: Comparison, lang: str = "en") -> str:
    """How many differences were tested together."""
    n = sum(d.p is not None for d in comparison.differences)
    if lang == "zh":
        return f"p 值按 Holm 方法对所列 {n} 个差异作多重比较校正；区间为单个差异的 95% 区间"
    return f"p adjusted by Holm's method for the {n} differences shown; intervals are 95 % for each alone"


def signed(value: float, d: Difference) -> str:
    """A value of a difference in its unit, with its sign: +0.21, −3.4."""
    scaled, places = value * _factor(d), _decimals(d)
    return f"{scaled:+,.{places}f}".replace("-", "−") if round(scaled, places) else "0"


def interval(d: Difference) -> str:
    """The interval in the outcome's unit, rounded outwards: one value where replicates agree, none for a pair."""
    ends = _ends(d)
    if ends is None:
        return ""
    texts = [f"{end:+,.{_decimals(d)}f}".replace("-", "−") if end else "0" for end in ends]
    return texts[0] if texts[0] == texts[1] else " … ".join(texts)


def quantity(value: float, indicator: str, places: int, sign: bool = False) -> str:
    """A value in the outcome's unit with so many decimals."""
    scaled = round(value * UNITS[unit_of(indicator)][0], places) or 0.0  # no minus before zero
    return f"{scaled:{'+' if sign and scaled else ''},.{places}f}".replace("-", "−")


def places_for(values: Iterable[float], indicator: str) -> int:
    """Decimals at which the largest of some values has three digits."""
    return max(_two(max((abs(v) for v in values), default=0.0) * UNITS[unit_of(indicator)][0]) + 1, 0)


# ---- parts of sentences


def _en(d: Difference) -> str:
    what = title(d) if d.year is None else f"{title(d)}, {d.year}"
    pair = f"under {d.scenario} than under {d.reference}"
    n = "one pair of runs" if d.pairs == 1 else f"{d.pairs} replicates"
    match d.verdict:
        case "one pair":
            return f"{_capital(what)}: {_by(d, 'en')} {pair} in the only pair of runs, which gives no interval."
        case "same":
            return f"{_capital(what)}: the same under {d.scenario} and {d.reference} in each of {n}."
        case "unclear":
            return (
                f"{_capital(what)}: {n} cannot tell {d.scenario} from {d.reference};"
                f" anything from {_range(d, 'en')} is compatible with them."
            )
    if d.low == d.high:
        return f"{_capital(what)}: {_by(d, 'en')} {pair} in each of {n}{_caveat(d, 'en')}."
    shown = f"95 % interval {_range(d, 'en')}; {n}{_wins(d, 'en')}"
    return f"{_capital(what)}: {_by(d, 'en')} {pair} ({shown}){_caveat(d, 'en')}."


def _zh(d: Difference) -> str:
    what = title(d, "zh") if d.year is None else f"{d.year}学年{title(d, 'zh')}"
    pair = f"{d.scenario} 比 {d.reference} "
    match d.verdict:
        case "one pair":
            return f"{what}：仅有的一对运行中，{pair}{_by(d, 'zh')}，无法给出区间。"
        case "same":
            return f"{what}：{d.pairs} 次重复中 {d.scenario} 与 {d.reference} 完全相同。"
        case "unclear":
            return f"{what}：{d.pairs} 次重复不足以区分 {d.scenario} 与 {d.reference}，{_range(d, 'zh')}均有可能。"
    if d.low == d.high:
        return f"{what}：{d.pairs} 次重复中每次都是 {pair}{_by(d, 'zh')}{_caveat(d, 'zh')}。"
    shown = f"95% 区间：{_range(d, 'zh')}；{d.pairs} 次重复{_wins(d, 'zh')}"
    return f"{what}：{pair}{_by(d, 'zh')}（{shown}）{_caveat(d, 'zh')}。"


def _clause(d: Difference, lang: str) -> str:
    return f"{_by(d, lang)}（{_range(d, lang)}）" if lang == "zh" else f"{_by(d, lang)} ({_range(d, lang)})"


def _caveat(d: Difference, lang: str) -> str:
    if not d.verdict.startswith("perhaps"):
        return ""
    if lang == "zh":
        return "；但计入同时比较的全部差异后，不能排除偶然"
    return ", which may be chance once all that is compared here is allowed for"


def _wins(d: Difference, lang: str) -> str:
    if d.better is None:
        return ""
    return f"，{d.better} 次更优" if lang == "zh" else f", better in {d.better}"


def _by(d: Difference, lang: str) -> str:
    """The mean difference as a size and a word: `0.21 SD lower`."""
    places = _decimals(d)
    value = d.difference * _factor(d)
    if not round(value, places) and d.difference:  # the mean of a wide interval may lie next to zero
        places = _until_shown(value, places)
    return _sized(value, f"{abs(value):,.{places}f}", d, lang)


def _range(d: Difference, lang: str) -> str:
    """The interval in words: `0.12 to 0.31 SD lower`, or `0.05 lower to 0.10 SD higher`."""
    ends = _ends(d)
    if ends is None:
        return ""
    low, high = ends
    texts = [f"{abs(end):,.{_decimals(d)}f}" for end in ends]
    if low >= 0 or high <= 0:
        near, far = texts if low >= 0 else texts[::-1]
        both = f"{near} 至 {far}" if lang == "zh" else f"{near} to {far}"
        return _sized(low or high, both, d, lang)
    parts = [_sized(end, text, d, lang) for end, text in zip(ends, texts, strict=True)]
    return " 至 ".join(parts) if lang == "zh" else " to ".join(parts)


def _sized(value: float, text: str, d: Difference, lang: str) -> str:
    _, en, zh = UNITS[unit_of(d.indicator)]
    if value == 0:
        return "0" if not (zh if lang == "zh" else en) else f"0 {zh if lang == 'zh' else en}"
    if lang == "zh":
        return f"{'高' if value > 0 else '低'} {text}{' ' + zh if zh else ''}"
    return f"{text}{' ' + en if en else ''} {'higher' if value > 0 else 'lower'}"


def _factor(d: Difference) -> float:
    return UNITS[unit_of(d.indicator)][0]


def _ends(d: Difference) -> tuple[float, float] | None:
    """Both ends in the unit shown, rounded away from the mean, except to zero, which only zero is."""
    if d.low is None or d.high is None:
        return None
    scale = 10.0 ** _decimals(d)
    low, high = (round(end * _factor(d) * scale, 6) for end in (d.low, d.high))  # 0.3 × 10 is 3, not 3.0000000004
    low, high = math.floor(low), math.ceil(high)
    return low / scale, high / scale


def _decimals(d: Difference) -> int:
    """Digits after the point: two of the half-width's count, more where an end would show as zero."""
    factor = _factor(d)
    if d.low is None or d.high is None or d.low == d.high:
        return _until_shown(d.difference * factor, _two(abs(d.difference * factor)))
    places = _two((d.high - d.low) / 2 * factor)
    if d.low > 0:
        return _until_shown(d.low * factor, places)
    return _until_shown(-d.high * factor, places) if d.high < 0 else places


def _two(size: float) -> int:
    return 2 if size == 0 else min(max(1 - math.floor(math.log10(size)), 0), MOST_DECIMALS)


def _until_shown(value: float, places: int) -> int:
    """More digits, until a value rounded towards zero does not show as zero."""
    while value and math.floor(round(abs(value) * 10**places, 6)) == 0 and places < MOST_DECIMALS:
        places += 1
    return places


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
