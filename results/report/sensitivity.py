"""What matters: the chapter of a sensitivity study, outcome by outcome."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.pictures_of_sensitivity import convergence, interactions, together, tornado
from results.report.context import Context
from results.report.document import Cell, Picture, Section, Table, Value
from results.sensitivity import Finding, Variance, analyse
from results.sensitivity_text import heading, said, unit_title, word

Floats = NDArray[np.float64]
TITLES = {"matters": ("What matters", "影响因素"), "luck": ("luck", "运气")}


def is_study(context: Context) -> bool:
    """Whether the run is one of `junheng sensitivity`."""
    return "stages" in context.folder.manifest["design"]


def sensitivity(context: Context) -> Section:
    """The chapter: what is said of each outcome, its tornado, its interactions, whether it has settled."""
    findings = analyse(context.folder)
    between = "" if context.lang == "zh" else " "
    answers = [(heading(f, context.lang), between.join(said(context.folder, f, context.lang))) for f in findings]
    pictures = [picture for n, finding in enumerate(findings) for picture in _pictures(context, finding, n)]
    return Section("sensitivity", TITLES["matters"][context.lang == "zh"], answers=answers, pictures=pictures)


def _pictures(context: Context, finding: Finding, number: int) -> list[Picture]:
    folder, lang, letters = context.folder, context.lang, context.letters
    told = said(folder, finding, lang)

    def picture(kind: str, draw: Any, found: str, headings: list[str], rows: list[list[Cell]]) -> Picture:
        name, what = f"{kind}-{number}", heading(finding, lang)
        return Picture(name, draw, [what, found], "", Table(f"sensitivity-{name}", what, ["", *headings], rows))

    made = [picture("tornado", partial(tornado, folder, finding, letters, False), told[0], *_bars(context, finding))]
    if (v := finding.variance) is not None:
        if (v.second == v.second).any():
            draw = partial(interactions, folder, finding, v, letters, False)
            made.append(picture("interactions", draw, together(folder, v, lang), *_pairs(context, v)))
        if len(v.steps) > 1:
            draw = partial(convergence, folder, finding, v, letters, False)
            made.append(picture("convergence", draw, told[1], *_steps(context, v)))
    return made


def _bars(context: Context, finding: Finding) -> tuple[list[str], list[list[Cell]]]:
    """Every unit with its index, or what there is in its place."""
    lang = context.lang
    v, m, g = finding.variance, finding.screening, finding.given
    if v is not None:
        both = ((v.indices.total, v.indices.total_interval), (v.indices.first, v.indices.first_interval))
        rows: list[list[Cell]] = [
            [unit_title(unit, context.folder, lang), *(_value(x[i], ends[i]) for x, ends in both)]
            for i, unit in enumerate(v.units)
        ]
        luck: list[Cell] = [TITLES["luck"][lang == "zh"], _value(v.indices.noise, v.indices.noise_interval), None]
        return [word("total", lang), word("first", lang)], [*rows, luck]
    if g is not None:
        return ["PAWN"], [
            [unit_title(u, context.folder, lang), _value(x)] for u, x in zip(g.units, g.pawn, strict=True)
        ]
    if m is not None:
        effects = zip(m.units, m.mu_star, m.half_width, m.mu, strict=True)
        return [word("effect", lang), word("signed", lang)], [
            [unit_title(u, context.folder, lang, True), _value(size, (max(size - half, 0), size + half)), _value(mu)]
            for u, size, half, mu in effects
        ]
    return [], []


def _pairs(context: Context, v: Variance) -> tuple[list[str], list[list[Cell]]]:
    """Pairs of units with the share of the variance that they make together, the largest first."""
    names = [unit_title(unit, context.folder, context.lang) for unit in v.units]
    pairs = sorted(np.argwhere(np.isfinite(v.second)).tolist(), key=lambda pair: -v.second[tuple(pair)])
    return [word("second", context.lang)], [[f"{names[i]} × {names[j]}", _value(v.second[i, j])] for i, j in pairs]


def _steps(context: Context, v: Variance) -> tuple[list[str], list[list[Cell]]]:
    """Total indices by the number of points they are from."""
    return [f"{step.size:,}" for step in v.steps], [
        [
            unit_title(unit, context.folder, context.lang),
            *(_value(step.indices.total[i], step.indices.total_interval[i]) for step in v.steps),
        ]
        for i, unit in enumerate(v.units)
    ]


def _value(value: float, ends: Sequence[float] | Floats = ()) -> Value:
    low, high = (float(end) for end in ends) if len(ends) else (None, None)
    return Value(float(value), "", low, high)
