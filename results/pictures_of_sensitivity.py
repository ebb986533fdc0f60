"""Pictures of a sensitivity study: tornado, interactions, convergence; with `titles`, they stand alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from results import sentences
from results.drawing import GREY, INK, LIGHT, canvas, legend_below, style, titled, wrapped
from results.fonts import drawn
from results.run_folder import RunFolder
from results.sensitivity import Finding, Variance, kind_of
from results.sensitivity_salib import DUMMY
from results.sensitivity_text import KINDS, drivers, heading, luck, said, unit_title, word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"lever": "#0072B2", "uncertainty": "#E69F00", "mixed": "#009E73", "dummy": GREY}
HATCHES = {"lever": "", "uncertainty": "///", "mixed": "...", "dummy": ""}
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#B8A900")
ROW = 0.34  # inches a bar
LETTERS = 46  # of a line beside an axis
FEWEST_INTERACTION = 0.02
ALONE = 0.02  # difference of total and first index from which it is drawn


def pictures(folder: RunFolder, findings: Sequence[Finding], lang: str = "en") -> Iterator[tuple[str, Figure]]:
    """Name and figure of each: a tornado an outcome; where there are Sobol indices, interactions and convergence."""
    for finding in findings:
        name = _name(finding)
        yield f"tornado-{name}", tornado(folder, finding, lang)
        if (v := finding.variance) is None:
            continue
        if np.isfinite(v.second).any():
            yield f"interactions-{name}", interactions(folder, finding, v, lang)
        if len(v.steps) > 1:
            yield f"convergence-{name}", convergence(folder, finding, v, lang)


def tornado(folder: RunFolder, finding: Finding, lang: str = "en", titles: bool = True) -> Figure:
    """What moves an outcome: levers above, uncertainties below, luck at the foot."""
    units, values, low, high, label = _bars(finding, lang)
    kinds = [kind_of(unit, folder.manifest) for unit in units]
    order = sorted(range(len(units)), key=lambda i: (list(KINDS).index(kinds[i]), -values[i]))
    v, screening = finding.variance, finding.variance is None and finding.given is None
    names = [_two_lines(unit_title(units[i], folder, lang, screening)) for i in order]
    with style():
        figure, axes = canvas(9.6, ROW * (len(units) + 1) + 1.1)
        axis = axes[0, 0]
        at = _places([kinds[i] for i in order])
        for y, i in zip(at, order, strict=True):
            kind = kinds[i]
            axis.barh(y, max(values[i], 0), height=0.72, color=COLOURS[kind], hatch=HATCHES[kind], edgecolor="white",
                      linewidth=0, label=drawn(KINDS[kind][lang == "zh"]))  # fmt: skip
            if v is not None and v.indices.first[i] < values[i] - ALONE:
                axis.plot(2 * [max(v.indices.first[i], 0)], [y - 0.36, y + 0.36], color="white", linewidth=1.6)
            if np.isfinite(low[i]):
                axis.plot([low[i], high[i]], [y, y], color=INK, linewidth=1.1, marker="|", markersize=5)
        if v is not None and np.isfinite(v.indices.noise):
            foot = max(at) + 1.5
            axis.barh(foot, v.indices.noise, height=0.72, color=LIGHT, hatch="xxx", edgecolor=GREY, linewidth=0)
            axis.plot(v.indices.noise_interval, [foot, foot], color=INK, linewidth=1.1, marker="|", markersize=5)
            at, names = [*at, foot], [*names, _luck(lang)]
        axis.set_yticks(at, [drawn(t) for t in names], fontsize=8.5)
        axis.invert_yaxis()
        axis.axvline(0, color=GREY, linewidth=0.8)
        if v is None and finding.given is not None:
            axis.axvline(finding.given.chance, color=INK, linewidth=1.1, linestyle=":", label=_chance(lang))
        axis.set_xlabel(drawn(label), fontsize=9)
        axis.grid(axis="x", color=LIGHT, linewidth=0.6)
        legend_below(figure, axes)
    told = (
        said(folder, finding, lang)[0]
        if v is None
        else f"{drivers(folder, v, lang)}{'；' if lang == 'zh' else ' '}{luck(v, lang)}"
    )
    if not titles:
        return figure
    return titled(figure, [heading(finding, lang), told], _note(folder, finding, lang), lang)


def interactions(folder: RunFolder, finding: Finding, v: Variance, lang: str = "en", titles: bool = True) -> Figure:
    """What factors do together beyond what each does alone: second-order indices, first ones on the diagonal."""
    kept = [i for i, unit in enumerate(v.units) if unit != DUMMY]
    kept.sort(key=lambda i: -v.indices.total[i])
    both = np.fmax(v.second, v.second.T)
    grid = np.array([[v.indices.first[i] if i == j else both[i, j] for j in kept] for i in kept])
    grid[np.triu_indices(len(kept), 1)] = np.nan
    names = [_two_lines(unit_title(v.units[i], folder, lang)) for i in kept]
    with style():
        figure, axes = canvas(9.6, 0.46 * len(kept) + 1.6)
        axis = axes[0, 0]
        shown = axis.imshow(np.clip(grid, 0, None), cmap="cividis", vmin=0, aspect="auto")
        middle = np.nanmax(np.clip(grid, 0, None)) / 2
        for i, j in np.argwhere(np.isfinite(grid)):
            colour = "white" if grid[i, j] < middle else "black"
            text = f"{max(grid[i, j], 0):.2f}"
            axis.text(j, i, text, ha="center", va="center", fontsize=8, color=colour)
        axis.set_yticks(range(len(kept)), [drawn(f"{n} {t}") for n, t in enumerate(names, 1)], fontsize=8.5)
        axis.set_xticks(range(len(kept)), [str(n) for n in range(1, len(kept) + 1)])
        for side in axis.spines.values():
            side.set_visible(False)
        bar = figure.colorbar(shown, ax=axis, label=drawn("方差份额" if lang == "zh" else "share of the variance"))
        bar.outline.set_visible(False)
    if not titles:
        return figure
    return titled(figure, [heading(finding, lang), together(folder, v, lang)], _note(folder, finding, lang), lang)


def convergence(folder: RunFolder, finding: Finding, v: Variance, lang: str = "en", titles: bool = True) -> Figure:
    """Total indices from a quarter, a half and all of the points, with their intervals."""
    order = [int(i) for i in (-v.indices.total).argsort() if v.units[i] != DUMMY][: len(LINES)]
    sizes = np.array([step.size for step in v.steps], float)
    with style():
        figure, axes = canvas(9.6, 3.6)
        axis = axes[0, 0]
        for n, i in enumerate([*order, v.units.index(DUMMY)]):
            colour = GREY if v.units[i] == DUMMY else LINES[n]
            x = sizes * 1.03 ** (n - len(order) / 2)  # side by side
            total = np.array([step.indices.total[i] for step in v.steps])
            ends = np.array([step.indices.total_interval[i] for step in v.steps])
            away = np.abs(ends - total[:, None]).T
            label = drawn(_two_lines(unit_title(v.units[i], folder, lang)))
            axis.errorbar(x, total, yerr=away, color=colour, marker="o", markersize=4, linewidth=1.2, label=label)
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [f"{int(n)}" for n in sizes])
        axis.minorticks_off()
        unit = ("base points", "基点数") if v.q2 is None else ("points", "样本点数")
        axis.set_xlabel(drawn(unit[lang == "zh"]), fontsize=9)
        axis.set_ylabel(drawn(word("total", lang)), fontsize=9)
        axis.grid(axis="y", color=LIGHT, linewidth=0.6)
        legend_below(figure, axes, columns=2)
    if not titles:
        return figure
    return titled(figure, [heading(finding, lang), said(folder, finding, lang)[1]], _note(folder, finding, lang), lang)


# ---- parts


def _bars(finding: Finding, lang: str) -> tuple[Sequence[str], Any, Any, Any, str]:
    """Units, values, ends of intervals and what the axis shows, of the best method that there is."""
    zh = lang == "zh"
    if (v := finding.variance) is not None:
        low, high = v.indices.total_interval.T
        what = "总效应份额（白线：单独效应）" if zh else "total index (white line: alone); luck: of a single run"
        return v.units, v.indices.total, low, high, what
    if (g := finding.given) is not None:
        nothing = np.full(len(g.units), np.nan)
        return g.units, g.pawn, nothing, nothing, "PAWN"
    if (m := finding.screening) is not None:
        scale = sentences.UNITS[sentences.unit_of(finding.answer.indicator)][0]
        unit = sentences.unit_name(finding.answer, lang)
        what = "全范围变动的平均效应" if zh else "mean size of the effect over the whole range"
        low, high = np.maximum(m.mu_star - m.half_width, 0), m.mu_star + m.half_width
        return m.units, scale * m.mu_star, scale * low, scale * high, f"{what} ({unit})" if unit else what
    return (), np.zeros(0), np.zeros(0), np.zeros(0), ""


def _places(kinds: Sequence[str]) -> list[float]:
    """Where bars stand: one below the other, a gap between kinds."""
    at, y = [], 0.0
    for i, kind in enumerate(kinds):
        y += 0.0 if i == 0 else 1.0 if kind == kinds[i - 1] else 1.5
        at.append(y)
    return at


def together(folder: RunFolder, v: Variance, lang: str) -> str:
    """The strongest interaction in words."""
    held = np.where(np.isfinite(v.second), v.second, -1.0)
    i, j = np.unravel_index(int(held.argmax()), held.shape)
    names = [unit_title(v.units[k], folder, lang) for k in (i, j)]
    if held[i, j] < FEWEST_INTERACTION:
        return "各因素之间没有明显的交互作用" if lang == "zh" else "No two factors interact to speak of"
    if lang == "zh":
        return f"交互最强：{names[0]} 与 {names[1]}（{held[i, j]:.2f}）"
    return f"The strongest interaction: {names[0]} with {names[1]} ({held[i, j]:.2f})"


def _note(folder: RunFolder, finding: Finding, lang: str) -> str:
    region, runs = folder.manifest["region"]["profile"], folder.manifest["runs"]
    v = finding.variance
    if lang == "zh":
        how = "" if v is None else "；代理模型" if v.q2 is not None else "；直接估计"
        return f"区域 {region}，共 {runs:,} 次运行{how}；区间为 95%，只对所取范围成立"
    how = "" if v is None else "; through a surrogate" if v.q2 is not None else "; direct"
    return f"Region {region}, {runs:,} runs{how}; intervals 95 %, for the ranges taken"


def _luck(lang: str) -> str:
    return "运气（单次运行方差中的份额）" if lang == "zh" else "luck (share of a single run's variance)"


def _chance(lang: str) -> str:
    return drawn("偶然可达" if lang == "zh" else "what chance can do")


def _two_lines(text: str) -> str:
    lines = wrapped(text, LETTERS)
    return "\n".join(lines[:2]) + ("…" if len(lines) > 2 else "")


def _name(finding: Finding) -> str:
    a = finding.answer
    return "-".join(part for part in (a.indicator, a.stage, a.place, a.calibration) if part)
