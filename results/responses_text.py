"""The responses of a sweep as tables for a terminal, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from results import sentences
from results.responses import Answer, Effect, Responses, effect, spread_at

SIDE_BY_SIDE = 4  # outcomes of a table
WORDS = {
    "sampled": ("by least squares over all factors", "对全部因素作最小二乘"),
    "grid": ("the other factors averaged", "对其余因素取平均"),
    "difference": ("difference", "差异"),
    "rank": ("rank correlation", "秩相关"),
    "points": ("points", "设计点"),
}


def render(found: Responses, lang: str = "en") -> Iterator[RenderableType]:
    """The parts, to be printed one after the other: for each factor a table of levels by outcomes."""
    yield Text(_head(found, lang))
    for answers in _groups(found.answers):
        for factor in found.levels:
            yield _table(found, factor, answers, lang)
    yield Text(_foot(found, lang), style="dim")


def factor_title(name: str, lang: str = "en") -> str:
    """What a factor is, in words; its unit behind it where it has one."""
    from model.behaviour import parameters
    from model.levers import LEVERS

    if name in parameters():
        declared = parameters()[name]
        title, unit = (declared.zh if lang == "zh" else declared.en), declared.unit
    else:
        lever, _, wanted = name.partition(".")
        meta = LEVERS[lever].settings()[wanted].metadata
        title, unit = meta["zh" if lang == "zh" else "en"], meta["unit"]
        title = f"{LEVERS[lever].TITLE_ZH}：{title}" if lang == "zh" else title
    return f"{title} ({unit})" if unit and lang != "zh" else title


def difference(found: Effect, answer: Answer) -> str:
    """A difference and its interval in the outcome's unit; – where there is no telling."""
    if found.mean is None or found.low is None or found.high is None:
        return "–"
    if found.low == found.high == 0:
        return "0"
    places = sentences.places_for([found.mean, found.high - found.low], answer.indicator)
    mean, low, high = (
        sentences.quantity(value, answer.indicator, places, sign=True) for value in (found.mean, found.low, found.high)
    )
    return mean if low == high else f"{mean} ({low} … {high})"


def value(number: float, answer: Answer) -> str:
    """A value of an outcome in its unit, digits by the largest of all."""
    values = answer.values[answer.values == answer.values]
    return sentences.quantity(number, answer.indicator, sentences.places_for(values, answer.indicator))


def unit_of(answer: Answer, lang: str) -> str:
    """The unit of an outcome's values, in which differences of shares are percentage points."""
    return "%" if sentences.unit_of(answer.indicator) == "share" else sentences.unit_name(answer, lang)


def say(word: str, lang: str) -> str:
    """A word of these tables."""
    return WORDS[word][lang == "zh"]


def _head(found: Responses, lang: str) -> str:
    n, replicates = len(found.points), found.replicates
    varied = ", ".join(found.levels)
    if lang == "zh":
        return f"{found.method} 设计：{n} 个点，每点 {replicates} 次重复，共用随机数；变动：{varied}"
    return f"Design {found.method}: {n} points of {replicates} replicates on shared draws; varied: {varied}"


def _foot(found: Responses, lang: str) -> str:
    how = say("grid" if found.method == "grid" else "sampled", lang)
    if lang == "zh":
        return f"差异：从第一个取值到最后一个，{how}，逐次重复配对，95% t 区间（只含随机抽取的不确定性）"
    return (
        f"difference: from the first value to the last, {how}, paired by replicate, 95 % t interval"
        " (of the luck of draws only)"
    )


def _groups(answers: Sequence[Answer]) -> Iterator[Sequence[Answer]]:
    """Answers that stand side by side: of one scenario and calibration."""
    by: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        by.setdefault((answer.scenario, answer.calibration), []).append(answer)
    for held in by.values():
        for start in range(0, len(held), SIDE_BY_SIDE):
            yield held[start : start + SIDE_BY_SIDE]


def _table(found: Responses, factor: str, answers: Sequence[Answer], lang: str) -> RenderableType:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column(factor.partition(".")[2] or factor, overflow="fold")
    if found.method != "grid":
        made.add_column(say("points", lang), justify="right", no_wrap=True)
    for answer in answers:
        made.add_column(_heading(answer, lang), justify="right", overflow="fold")
    for level in found.levels[factor]:
        cells = [spread_at(level, answer) for answer in answers]
        shown = ["–" if cell is None else value(cell[0], answer) for cell, answer in zip(cells, answers, strict=True)]
        made.add_row(level.label, *([str(len(level.points))] if found.method != "grid" else []), *shown)
    seen = [effect(found, factor, answer) for answer in answers]
    blank = [""] if found.method != "grid" else []
    made.add_section()
    made.add_row(say("difference", lang), *blank, *(difference(e, a) for e, a in zip(seen, answers, strict=True)))
    if found.method != "grid" and any(e.correlation is not None for e in seen):
        ranks = ["–" if e.correlation is None else f"{e.correlation:+.2f}".replace("-", "−") for e in seen]
        made.add_row(say("rank", lang), *blank, *ranks)
    title = f"{factor_title(factor, lang)} · {answers[0].scenario} · {answers[0].calibration}"
    return Group(Text(title, style="bold"), made)


def _heading(answer: Answer, lang: str) -> str:
    unit = unit_of(answer, lang)
    title = sentences.title(answer, lang)
    return f"{title}\n{answer.year}" + (f", {unit}" if unit else "")
