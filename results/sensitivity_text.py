"""What a sensitivity study found as tables and sentences for a terminal, in English or Chinese."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from results import sentences
from results.responses_text import factor_title
from results.run_folder import RunFolder
from results.sensitivity import DRIVES, Finding, GivenData, Screening, Variance, kind_of, verdict_of
from results.sensitivity_convergence import RANKS, WIDTH
from results.sensitivity_salib import DUMMY

KINDS = {
    "lever": ("levers", "政策工具"),
    "uncertainty": ("uncertainties", "不确定因素"),
    "mixed": ("groups of both", "混合组"),
    "dummy": ("control", "对照"),
}
WORDS = {
    "total": ("total", "总效应"),
    "first": ("alone", "单独效应"),
    "second": ("together", "交互效应"),
    "says": ("says", "判断"),
    "drives": ("drives it", "有影响"),
    "little": ("does little", "影响甚微"),
    "unclear": ("cannot be told", "无法判断"),
    "effect": ("effect", "效应"),
    "signed": ("signed", "带符号"),
    "spread": ("spread", "离散"),
    "delta": ("delta", "δ"),
    "dummy": ("(nothing: a dummy)", "（虚设变量）"),
    "seeds": ("(luck: other seeds)", "（运气：换随机种子）"),
}
MOST_NAMED = 4  # factors in a sentence


def render(folder: RunFolder, findings: Sequence[Finding], lang: str = "en") -> Iterator[RenderableType]:
    """The parts, to be printed one after the other: of each outcome a table and what it says."""
    yield Text(_head(folder, lang))
    for finding in findings:
        yield Group(Text(heading(finding, lang), style="bold"), *_tables(folder, finding, lang))
        for line in said(folder, finding, lang):
            yield Text(line)
    yield Text(_foot(findings, lang), style="dim")


def heading(finding: Finding, lang: str = "en") -> str:
    """Whose answer it is."""
    answer = finding.answer
    title = sentences.title(answer, lang)
    if lang == "zh":
        return f"{answer.year} 学年{title} · {answer.scenario} · {answer.calibration}"
    return f"{title}, {answer.year} · {answer.scenario} · {answer.calibration}"


def unit_title(unit: str, folder: RunFolder, lang: str = "en", screening: bool = False) -> str:
    """A factor, a group of factors or the dummy in words. The dummy of a screening stands for luck."""
    if unit == DUMMY:
        return word("seeds" if screening else "dummy", lang)
    return unit if unit in folder.manifest["design"]["groups"] else factor_title(unit, lang)


def word(name: str, lang: str) -> str:
    """A word of these tables."""
    return WORDS[name][lang == "zh"]


def said(folder: RunFolder, finding: Finding, lang: str = "en") -> list[str]:
    """What drives the outcome, what does little, how much is luck, and how far to believe it."""
    lines = []
    if (v := finding.variance) is not None:
        lines += [_drivers(folder, v, lang), _belief(v, lang)]
    elif finding.given is not None:
        lines.append(_moved(folder, finding.given, lang))
    elif finding.screening is not None:
        lines.append(_screened(folder, finding.screening, lang))
    else:
        lines.append("没有可分析的变化。" if lang == "zh" else "It does not move with anything that was varied.")
    if v is None and finding.surrogate is not None:
        lines += [luck(finding.surrogate, lang), _belief(finding.surrogate, lang)]
    if finding.left_out:
        n = finding.left_out
        lines.append(
            f"{n} 组运行没有数值，未计入。" if lang == "zh" else f"{n} blocks of runs without a value are left out."
        )
    return lines


def drivers(folder: RunFolder, v: Variance, lang: str = "en") -> str:
    """What drives the outcome most, with its share."""
    order = [int(i) for i in (-v.indices.total).argsort() if v.units[i] != DUMMY]
    driving = [i for i in order if verdict_of(i, v.indices) == "drives"][:MOST_NAMED]
    if lang == "zh":
        named = [f"{_short(folder, v.units[i], lang)}（{_interval(v, i)}）" for i in driving]
        return f"影响最大：{'、'.join(named) or '无'}"
    named = [f"{_short(folder, v.units[i], lang)} ({_interval(v, i)})" for i in driving]
    return f"What drives it: {'; '.join(named) or 'nothing that was varied, for certain'}."


def luck(v: Variance, lang: str = "en") -> str:
    """How much of a single run's variance is luck."""
    share, low, high = (_percent(x) for x in (v.indices.noise, *v.indices.noise_interval))
    if lang == "zh":
        return f"单次运行的方差中，运气占 {share}（{low} 至 {high}）。"
    return f"Luck makes {share} ({low} to {high}) of the variance of a single run."


# ---- sentences


def _drivers(folder: RunFolder, v: Variance, lang: str) -> str:
    by = {name: _named(folder, v, name, lang) for name in ("drives", "little", "unclear")}
    parts = [drivers(folder, v, lang)]
    if lang == "zh":
        parts += [f"影响甚微：{'、'.join(by['little'])}"] if by["little"] else []
        parts += [f"无法判断：{'、'.join(by['unclear'])}"] if by["unclear"] else []
        return "；".join([*parts, luck(v, lang)])
    parts += [f"What does little: {', '.join(by['little'])}."] if by["little"] else []
    parts += [f"Not to be told: {', '.join(by['unclear'])}."] if by["unclear"] else []
    return " ".join([*parts, luck(v, lang)])


def _named(folder: RunFolder, v: Variance, verdict: str, lang: str) -> list[str]:
    """Units of a verdict in words, the largest first."""
    order = [int(i) for i in (-v.indices.total).argsort() if v.units[i] != DUMMY]
    return [_short(folder, v.units[i], lang) for i in order if verdict_of(i, v.indices) == verdict]


def _belief(v: Variance, lang: str) -> str:
    """How far indices are to be believed, and what would settle them."""
    zh, verdict = lang == "zh", v.verdict
    if v.q2 is None:
        how = f"直接估计，{v.steps[-1].size} 个基点" if zh else f"Direct, {v.steps[-1].size} base points"
    else:
        n = v.steps[-1].size
        how = (
            f"代理模型，{n} 个点，留出检验 Q² {_index(v.q2)}"
            if zh
            else f"Through a surrogate of {n} points, held-out Q² {_index(v.q2)}"
        )
    if v.believed and verdict.settled:
        ends = "，已收敛。" if zh else f": settled (intervals within {_wide(verdict.widest)}, ranks stay, dummy at 0)."
        return how + ends
    why = []
    if not v.believed:
        why.append(
            "代理模型不可信（Q² 须达 0.9，且足够确定）"
            if zh
            else "the surrogate is not to be believed (Q² must be 0.9, and surely near it)"
        )
    if v.believed and verdict.widest > WIDTH:
        why.append(f"区间宽达 {_wide(verdict.widest)}" if zh else f"intervals are up to {_wide(verdict.widest)} wide")
    if v.believed and verdict.ranks < RANKS:  # NaN is not less
        why.append("次序仍在变动" if zh else "ranks still change")
    if v.believed and not verdict.dummy:
        why.append("虚设变量不为零" if zh else "the dummy is not at 0")
    if v.direct_runs and not (v.believed and verdict.widest <= WIDTH):
        why.append(_more(v, lang))
    return f"{how}：{'；'.join(why)}。" if zh else f"{how}: {'; '.join(why)}."


def _more(v: Variance, lang: str) -> str:
    """How many runs would bring intervals within WIDTH."""
    direct, through = f"{v.direct_runs:,}", f"{v.surrogate_runs:,}" if v.surrogate_runs else ""
    if lang == "zh":
        said = f"经代理模型约需 {through} 次运行，直接运行约需 {direct} 次" if through else f"直接运行约需 {direct} 次"
        return f"{said}，才能使区间窄于 {WIDTH}"
    runs = f"{through} runs through it, or {direct} direct ones," if through else f"{direct} direct runs"
    return f"about {runs} would bring intervals within {WIDTH}"


def _screened(folder: RunFolder, m: Screening, lang: str) -> str:
    order = [int(i) for i in (-m.mu_star).argsort() if m.units[i] != DUMMY]
    luck = m.mu_star[list(m.units).index(DUMMY)]
    over = [_short(folder, m.units[i], lang) for i in order if m.mu_star[i] - m.half_width[i] > luck]
    under = [_short(folder, m.units[i], lang) for i in order if m.mu_star[i] + m.half_width[i] < luck]
    if lang == "zh":
        parts = [f"效应大于运气：{'、'.join(over) or '无'}"]
        return "；".join([*parts, *([f"小于运气：{'、'.join(under)}"] if under else [])]) + "。"
    parts = [f"Moves it more than luck does: {', '.join(over) or 'nothing'}."]
    return " ".join([*parts, *([f"Less than luck: {', '.join(under)}."] if under else [])])


def _moved(folder: RunFolder, g: GivenData, lang: str) -> str:
    order = [int(i) for i in (-g.pawn).argsort() if g.units[i] != DUMMY and g.pawn[i] > g.chance]
    named = [_short(folder, g.units[i], lang) for i in order[:MOST_NAMED]]
    if lang == "zh":
        return f"对分布的影响超过偶然（PAWN 大于 {_index(g.chance)}，依次）：{'、'.join(named) or '无'}。"
    found = ", ".join(named) or "nothing"
    return f"Moves its distribution more than chance would (PAWN above {_index(g.chance)}), in this order: {found}."


# ---- tables


def _tables(folder: RunFolder, finding: Finding, lang: str) -> list[RenderableType]:
    made: list[RenderableType] = []
    if (v := finding.variance) is not None:
        made.append(_of_variance(folder, v, finding.given, lang))
    elif finding.given is not None:
        made.append(_of_given(folder, finding.given, lang))
    if finding.screening is not None and finding.variance is None and finding.given is None:
        made.append(_of_screening(folder, finding, finding.screening, lang))
    return made


def _of_variance(folder: RunFolder, v: Variance, given: GivenData | None, lang: str) -> RenderableType:
    indices = v.indices
    columns = [word("total", lang), "95 %", word("first", lang)] + (["PAWN", word("delta", lang)] if given else [])
    table = _table(columns, word("says", lang))
    for i in _order(folder, v.units, indices.total):
        low, high = indices.total_interval[i]
        cells = [_index(indices.total[i]), f"{_index(low)} … {_index(high)}", _index(indices.first[i])]
        if given is not None:
            unit = v.units[i]
            cells.append(_index(given.pawn[list(given.units).index(unit)]) if unit in given.units else "–")
            cells.append(_index(given.delta[list(given.factors).index(unit)]) if unit in given.factors else "–")
        says = "" if v.units[i] == DUMMY else word(verdict_of(i, indices), lang)
        table.add_row(
            unit_title(v.units[i], folder, lang), *cells, says, end_section=_ends(folder, v.units, i, indices.total)
        )
    return table


def _of_given(folder: RunFolder, g: GivenData, lang: str) -> RenderableType:
    table = _table(["PAWN", word("delta", lang), word("first", lang)])
    for i in _order(folder, g.units, g.pawn):
        unit = g.units[i]
        own = list(g.factors).index(unit) if unit in g.factors else None
        cells = [_index(g.pawn[i])] + (["–", "–"] if own is None else [_index(g.delta[own]), _index(g.first[own])])
        table.add_row(unit_title(unit, folder, lang), *cells, end_section=_ends(folder, g.units, i, g.pawn))
    return table


def _of_screening(folder: RunFolder, finding: Finding, m: Screening, lang: str) -> RenderableType:
    name = finding.answer.indicator
    places = sentences.places_for(m.mu_star, name)
    unit = sentences.unit_name(finding.answer, lang)
    table = _table(
        [f"{word('effect', lang)}{f' ({unit})' if unit else ''}", "95 %", word("signed", lang), word("spread", lang)]
    )
    for i in _order(folder, m.units, m.mu_star):
        low, high = max(m.mu_star[i] - m.half_width[i], 0.0), m.mu_star[i] + m.half_width[i]
        cells = [sentences.quantity(x, name, places) for x in (m.mu_star[i], low, high, m.sigma[i]) if x == x]
        signed = sentences.quantity(m.mu[i], name, places, sign=True)
        shown = [cells[0], f"{cells[1]} … {cells[2]}", signed, cells[3] if len(cells) > 3 else "–"]
        title = unit_title(m.units[i], folder, lang, screening=True)
        table.add_row(title, *shown, end_section=_ends(folder, m.units, i, m.mu_star))
    return table


def _table(columns: Sequence[str], last: str = "") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold", max_width=58)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    if last:
        table.add_column(last)
    return table


def _order(folder: RunFolder, units: Sequence[str], values: Any) -> list[int]:
    """Levers first, then uncertainties, the dummy last; the largest first."""
    kinds = list(KINDS)
    return sorted(range(len(units)), key=lambda i: (kinds.index(kind_of(units[i], folder.manifest)), -values[i]))


def _ends(folder: RunFolder, units: Sequence[str], i: int, values: Any) -> bool:
    """Whether a unit is the last of its kind."""
    order = _order(folder, units, values)
    at = order.index(i)
    manifest = folder.manifest
    return at + 1 < len(order) and kind_of(units[order[at + 1]], manifest) != kind_of(units[i], manifest)


# ---- letters


def _head(folder: RunFolder, lang: str) -> str:
    manifest = folder.manifest
    design, runs = manifest["design"], manifest["runs"]
    names = {"morris": ("Morris", "Morris"), "sample": ("a sample", "样本"), "sobol": ("Sobol", "Sobol")}
    stages = [f"{names[s['kind']][lang == 'zh']} ({s['size']})" for s in design["stages"]]
    if lang == "zh":
        return f"敏感性分析：{len(design['factors'])} 个因素，{'、'.join(stages)}，共 {runs:,} 次运行"
    return f"Sensitivity: {len(design['factors'])} factors; {', then '.join(stages)}; {runs:,} runs"


def _foot(findings: Sequence[Finding], lang: str) -> str:
    if any(f.variance is not None for f in findings):
        if lang == "zh":
            return (
                f"总效应：该因素及其交互作用占期望结果方差的份额（95% 区间）；自 {DRIVES} 起称为有影响。"
                "结论只对所取的范围成立。"
            )
        return (
            "total: share of the variance of the expected outcome that goes with a factor and its interactions, with"
            f" 95 % interval; said to drive from {DRIVES} on. All of it holds for the ranges that were taken."
        )
    if any(f.screening is not None for f in findings):
        if lang == "zh":
            return "效应：该因素变动全范围时结果变化的平均幅度（Morris μ*）；带符号：μ；离散表示交互或非线性。"
        return (
            "effect: mean size of the change over a factor's whole range (Morris μ*); signed: with its direction (μ);"
            " spread: interactions or curves."
        )
    return "PAWN, δ: 0 … 1" if lang != "zh" else "PAWN、δ：0 至 1，越大越有影响"


def _interval(v: Variance, i: int) -> str:
    low, high = v.indices.total_interval[i]
    return f"{_index(v.indices.total[i])}, {_index(low)} … {_index(high)}"


def _index(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    shown = round(float(value), 2) or 0.0
    return f"{shown:.2f}".replace("-", "−")


def _wide(width: float) -> str:
    """A width, rounded up."""
    return f"{math.ceil(round(100 * width, 6)) / 100:.2f}"


def _percent(share: float) -> str:
    return "–" if share != share else f"{100 * share:.0f} %"


def _short(folder: RunFolder, unit: str, lang: str) -> str:
    """A unit in words, without its physical unit."""
    title = unit_title(unit, folder, lang)
    return title.rpartition(" (")[0] if title.endswith(")") and " (" in title else title
