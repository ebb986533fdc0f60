"""Pictures of a sweep: each outcome against each factor with its band, and over two factors as a heat map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from results import sentences
from results.drawing import GREY, LIGHT, TARGET, canvas, legend_below, looks, plain, style, titled
from results.fonts import drawn
from results.responses import Answer, Effect, Level, Responses, effect, spread_at
from results.responses_text import difference, factor_title, unit_of, value
from results.run_folder import RunFolder
from results.series import BASELINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
ROW = 2.5  # inches
MARKS = {"input": "o", "sorting": "s"}
NARROWEST = 0.02  # of its largest value, the height of an axis
FINEST = 12  # levels of a factor up to which the cells of a heat map are lettered


def pictures(found: Responses, folder: RunFolder, lang: str = "en") -> Iterator[tuple[str, Figure]]:
    """Name and figure of each, with its findings over it: one a factor, and one for the two where there are two."""
    for factor in found.levels:
        told = findings(found, factor, lang)
        yield f"response-{factor}", titled(curves(found, folder, factor, lang), told, note(found, folder, lang), lang)
    for scenario, calibration in heat_maps(found):
        told = [line for name in found.levels for line in findings(found, name, lang, (scenario, calibration))]
        under = note(found, folder, lang, band=False) + f" · {scenario} · {calibration}"
        name = f"both-{scenario}-{calibration}"
        yield name, titled(heat_map(found, scenario, calibration, lang), told, under, lang)


def heat_maps(found: Responses) -> list[tuple[str, str]]:
    """Scenario and calibration of each heat map: none unless two factors are varied."""
    return list(dict.fromkeys((a.scenario, a.calibration) for a in found.answers)) if len(found.levels) == 2 else []


def curves(found: Responses, folder: RunFolder, factor: str, lang: str = "en") -> Figure:
    """Every outcome against one factor: mean and 5th to 95th percentile of the runs, points of a sample as dots."""
    shown = outcomes(found)
    rows = -(-len(shown) // COLUMNS)
    with style():
        figure, axes = canvas(9.6, ROW * rows + 0.7, rows, COLUMNS)
        for axis, answers in zip(axes.flat, shown, strict=False):
            _curves(axis, found, factor, answers, folder, lang)
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
        for i, axis in enumerate(axes.flat[: len(shown)]):
            if i + COLUMNS >= len(shown):
                axis.set_xlabel(drawn(factor_title(factor, lang)), fontsize=9)
        legend_below(figure, axes)
    return figure


def heat_map(found: Responses, scenario: str, calibration: str, lang: str = "en") -> Figure:
    """Every outcome over two factors: cells of a grid with their means, points of a sample in their colour."""
    x, y = found.levels
    answers = [a for a in found.answers if (a.scenario, a.calibration) == (scenario, calibration)]
    rows = -(-len(answers) // COLUMNS)
    with style():
        figure, axes = canvas(9.6, 3.1 * rows, rows, COLUMNS)
        for axis, answer in zip(axes.flat, answers, strict=False):
            shown = (_cells if found.method == "grid" else _dots)(axis, found, x, y, answer)
            axis.set_title(drawn(_title(answer, lang)), fontsize=10, loc="left")
            bar = figure.colorbar(shown, ax=axis)
            bar.ax.tick_params(labelsize=8)
            bar.outline.set_visible(False)
        for i, axis in enumerate(axes.flat[: len(answers)]):
            if i + COLUMNS >= len(answers):
                axis.set_xlabel(drawn(factor_title(x, lang)), fontsize=9)
            if i % COLUMNS == 0:
                axis.set_ylabel(drawn(factor_title(y, lang)), fontsize=9)
        for axis in axes.flat[len(answers) :]:
            axis.set_visible(False)
    return figure


def findings(found: Responses, factor: str, lang: str = "en", of: tuple[str, str] | None = None) -> list[str]:
    """What a factor was found to do to the first outcome, a line for each scenario but a baseline and calibration.

    `of`: one scenario and calibration only. The outcome is not chosen by its effect, so that its interval holds.
    """
    first = outcomes(found)[0]
    told = [a for a in first if a.scenario != BASELINE] or first
    if of is not None:
        told = [a for a in first if (a.scenario, a.calibration) == of]
    seen = [effect(found, factor, a) for a in told]
    name, outcome = factor_title(factor, lang), sentences.title(told[0], lang)
    if lang == "zh":
        head = f"{name}从 {seen[0].first} 到 {seen[0].last}：{outcome}"
    else:
        head = f"{_capital(name)} from {seen[0].first} to {seen[0].last}: {outcome}"
    if len(told) == 1:
        return [f"{head} {_changed(seen[0], told[0], lang)}"]
    return [head, *(f"{a.scenario}, {a.calibration}: {_changed(e, a, lang)}" for e, a in zip(seen, told, strict=True))]


def _changed(e: Effect, a: Answer, lang: str) -> str:
    """A difference with its interval, or that there is none to be seen."""
    zh = lang == "zh"
    if e.mean is None or e.low is None or e.high is None:
        return "（无法给出区间）" if zh else "(no interval can be given)"
    if e.low == e.high == 0:
        return "不变" if zh else "the same"
    unit = sentences.unit_name(a, lang)
    size = difference(e, a).replace(" (", f" {unit} (", 1) if unit else difference(e, a)
    if e.low <= 0 <= e.high:
        return f"无可测的变化（{size}）" if zh else f"not measurably different: {size}"
    return size


def outcomes(found: Responses) -> list[list[Answer]]:
    """Answers by what they are of, those of other scenarios and calibrations together."""
    by: dict[tuple[Any, ...], list[Answer]] = {}
    for a in found.answers:
        by.setdefault((a.indicator, a.stage, a.level, a.place, a.year), []).append(a)
    return list(by.values())


def _curves(axis: Axes, found: Responses, factor: str, answers: list[Answer], folder: RunFolder, lang: str) -> None:
    levels = found.levels[factor]
    colours = looks(list(folder.manifest["scenarios"]))
    several = len(folder.manifest["calibrations"]) > 1
    lined = found.method == "grid" or all(level.at is None for level in levels)
    for answer in answers:
        look, scale = colours[answer.scenario], _scale(answer)
        label = f"{answer.scenario} ({answer.calibration})" if several else answer.scenario
        at = [i if level.at is None else level.at for i, level in enumerate(levels)]
        held = [(x, s) for x, level in zip(at, levels, strict=True) if (s := spread_at(level, answer))]
        if not held:
            continue
        x = np.array([x for x, _ in held])
        mean, low, high = scale * np.array([s for _, s in held]).T
        if not lined:
            _scatter(axis, found, factor, answer, look.colour)
        axis.fill_between(x, low, high, color=look.colour, alpha=0.15, linewidth=0)
        dashes = look.dashes if answer.calibration == "input" else ":"
        axis.plot(
            x, mean, linestyle=dashes, marker=MARKS[answer.calibration], markersize=4, color=look.colour, label=label
        )
    _ticks(axis, levels)
    _targets(axis, answers, folder, lang)
    axis.set_title(drawn(_title(answers[0], lang)), fontsize=10, loc="left")
    axis.grid(axis="y", color=LIGHT, linewidth=0.6)
    axis.ticklabel_format(axis="y", useOffset=False)
    axis.set_ylim(*_apart(*axis.get_ylim()))


def _apart(low: float, high: float) -> tuple[float, float]:
    """Ends of a scale, set apart: what hardly differs is not to look as if it did."""
    lacking = max(0.0, (NARROWEST * max(abs(low), abs(high)) - (high - low)) / 2)
    return low - lacking, high + lacking


def _scatter(axis: Axes, found: Responses, factor: str, answer: Answer, colour: str) -> None:
    numbers = np.array([point[factor] for point in found.points], float)
    with np.errstate(all="ignore"):
        means = np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in answer.values])
    axis.plot(numbers, _scale(answer) * means, ".", color=colour, alpha=0.35, markersize=4, linewidth=0)


def _ticks(axis: Axes, levels: list[Level]) -> None:
    """Every value where there are few; of a sample, matplotlib's own."""
    if any(level.at is None for level in levels):
        axis.set_xticks(range(len(levels)), [drawn(level.label) for level in levels])
        axis.set_xlim(-0.4, len(levels) - 0.6)
    elif len(levels) <= 8 and not any("–" in level.label for level in levels):
        axis.set_xticks([level.at for level in levels if level.at is not None], [level.label for level in levels])


def _targets(axis: Axes, answers: list[Answer], folder: RunFolder, lang: str) -> None:
    """What documents ask for of this outcome by its year."""
    drawn_already = set()
    for answer in answers:
        for target in folder.manifest["scenarios"][answer.scenario]["targets"]:
            at = target["indicator"], target["stage"], target["level"], target["place"] or answer.place
            own = answer.indicator, answer.stage, answer.level, answer.place
            if at != own or target["by"] > answer.year or target["required"] in drawn_already:
                continue
            drawn_already.add(target["required"])
            line = _scale(answer) * target["required"]
            axis.axhline(line, color=TARGET, linewidth=1.1, linestyle="--")
            sign = "≤" if target["direction"] == "at_most" else "≥"
            word = "目标" if lang == "zh" else "target"
            axis.annotate(
                f"{word} {sign} {line:g}", (1, line), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize=8, color=TARGET,
            )  # fmt: skip


def _cells(axis: Axes, found: Responses, x: str, y: str, answer: Answer) -> Any:
    across, up = found.levels[x], found.levels[y]
    grid = np.full((len(up), len(across)), np.nan)
    for i, row in enumerate(up):
        for j, column in enumerate(across):
            cell = spread_at(Level("", None, np.intersect1d(row.points, column.points)), answer)
            grid[i, j] = np.nan if cell is None else cell[0]
    grid *= _scale(answer)
    low, high = _apart(np.nanmin(grid), np.nanmax(grid))
    shown = axis.imshow(grid, origin="lower", aspect="auto", cmap="cividis", vmin=low, vmax=high)
    axis.set_xticks(range(len(across)), [drawn(level.label) for level in across])
    axis.set_yticks(range(len(up)), [drawn(level.label) for level in up])
    if max(grid.shape) <= FINEST:
        for i, j in np.argwhere(np.isfinite(grid)):
            dark = grid[i, j] < (low + high) / 2
            axis.text(
                j,
                i,
                value(grid[i, j] / _scale(answer), answer),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    for side in axis.spines.values():
        side.set_visible(False)
    return shown


def _dots(axis: Axes, found: Responses, x: str, y: str, answer: Answer) -> Any:
    plain(axis)
    across, up = _positions(axis, found, x, axis.set_xticks), _positions(axis, found, y, axis.set_yticks)
    means = [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in answer.values]
    shown = _scale(answer) * np.array(means)
    low, high = _apart(np.nanmin(shown), np.nanmax(shown))
    return axis.scatter(across, up, c=shown, cmap="cividis", vmin=low, vmax=high, s=26, edgecolors=GREY, linewidths=0.3)


def _positions(axis: Axes, found: Responses, name: str, ticks: Any) -> Any:
    """A factor's values as numbers; those that are none in the order of its levels, named on the axis."""
    levels = found.levels[name]
    if all(level.at is not None for level in levels):
        return np.array([point[name] for point in found.points], float)
    ticks(range(len(levels)), [drawn(level.label) for level in levels])
    at = np.zeros(len(found.points))
    for i, level in enumerate(levels):
        at[level.points] = i
    return at


def _scale(answer: Answer) -> float:
    return sentences.UNITS[sentences.unit_of(answer.indicator)][0]


def _title(answer: Answer, lang: str) -> str:
    unit = unit_of(answer, lang)
    title = f"{sentences.title(answer, lang)}" + (f" ({unit})" if unit else "")
    return f"{_capital(title)}, {answer.year}" if lang != "zh" else f"{answer.year} 学年{title}"


def note(found: Responses, folder: RunFolder, lang: str, band: bool = True) -> str:
    """What the curves are of, or (without a `band`) a heat map."""
    region, n = folder.manifest["region"]["profile"], found.replicates
    several = n > 1 or found.method != "grid" or len(found.levels) > 1
    if lang == "zh":
        shown = "均值与第 5 至 95 百分位，" if several and band else ""
        return f"区域 {region}：{shown}{len(found.points)} 个设计点，每点 {n} 次重复，共用随机数；括号内为 95% 区间"
    shown = "mean and 5th to 95th percentile of the runs, " if several and band else ""
    runs = f"{len(found.points)} points of {n} replicates on shared draws"
    return f"Region {region}: {shown}{runs}; in brackets 95 % intervals"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
