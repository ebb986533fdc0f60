"""Pictures over the school years: trajectories with their fan, targets and the year of crossing; sparklines."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from results.drawing import GREY, LIGHT, TARGET, Look, blank, canvas, legend_below, style, years_under
from results.fonts import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTER, INNER = (5, 95), (25, 75)  # percentiles of the fan
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One scenario's values over the years: (replicates, years)."""

    label: str
    values: Floats
    look: Look
    ghost: bool = False  # the reference: no inner band


@dataclass(frozen=True)
class Target:
    """A line that a document draws: at most or at least a value by a year."""

    value: float
    by: int
    label: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    lines: Sequence[Line]
    targets: Sequence[Target] = ()
    percent: bool = False


def trajectories(
    panels: Sequence[Panel | None],
    years: Sequence[int],
    columns: int = 2,
    xlabel: str = "",
    ylabel: str = "",
    height: float = 2.5,
    scale: Literal["all", "row"] = "all",
) -> Figure:
    """Panels over the years, row by row, on one scale (or one a row): mean, 50 % and 90 % of the replicates.

    A single replicate is a line without a fan; None leaves a place empty. `height`: inches a row.
    """
    rows = -(-len(panels) // columns)
    with style():
        figure, axes = canvas(9.6, height * rows + 0.7, rows, columns, sharey=scale)
        drawn_on = [(axis, panel) for axis, panel in zip(axes.flat, panels, strict=False) if panel is not None]
        for axis, panel in drawn_on:
            _panel(axis, panel, years, ticks=10 - columns)
        for first in axes[:, 0] if scale == "row" else axes[:1, 0]:
            _limits(first, [panel for axis, panel in drawn_on if first.get_shared_y_axes().joined(first, axis)])
        for axis in axes.flat:
            axis.set_visible(any(axis is one for one, _ in drawn_on))
        for axis in axes[-1]:
            axis.set_xlabel(drawn(xlabel), fontsize=9)
        for axis in axes[:, 0]:
            axis.set_ylabel(drawn(ylabel), fontsize=9)
        legend_below(figure, axes)
    return figure


def _limits(axis: Axes, panels: Sequence[Panel]) -> None:
    """The scale that all panels share: from zero, with room for what is written on the highest target."""
    low, high = axis.get_ylim()
    below = any((line.values < 0).any() for panel in panels for line in panel.lines)
    bottom = low if below else 0.0
    room = 0.14 * (high - bottom)
    highest = max((target.value for panel in panels for target in panel.targets), default=bottom)
    axis.set_ylim(bottom, high + room if highest > high - room else high)
    if any(panel.percent for panel in panels):
        axis.set_yticks([tick for tick in axis.get_yticks() if 0 <= tick <= 1.0001])


def fan(axis: Axes, line: Line, years: Sequence[int]) -> None:
    """Draw one line with its bands; years or replicates without a value are left out."""
    if not np.isfinite(line.values).any():
        return
    at = np.asarray(years)
    with warnings.catch_warnings():  # a year in which no run has a value is NaN, which is what is meant
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(line.values, axis=0)
        bands = [np.nanpercentile(line.values, held, axis=0) for held in (OUTER, INNER)]
    if (np.isfinite(line.values).sum(axis=0) > 1).any():
        for (low, high), strength in zip(bands, (0.16, 0.0 if line.ghost else 0.28), strict=True):
            axis.fill_between(at, low, high, color=line.look.colour, alpha=strength, linewidth=0)
            if len(at) == 1:  # a band of one year has no width
                axis.vlines(at, low, high, color=line.look.colour, alpha=strength * 2, linewidth=5)
    axis.plot(
        at,
        mean,
        linestyle=line.look.dashes,
        color=line.look.colour,
        linewidth=1.6 if line.ghost else 2.0,
        label=drawn(line.label),
        marker="o" if len(at) == 1 else "",
        markersize=4,
    )


def sparkline(line: Line, ghost: Line | None, years: Sequence[int]) -> Figure:
    """A word-sized trajectory: no axes, the last year as a dot."""
    with style():
        figure = blank(1.5, 0.42)
        axis = figure.add_axes((0.01, 0.08, 0.98, 0.84))
        for one in (ghost, line):
            if one is not None:
                fan(axis, one, years)
        last = line.values[:, -1]
        if np.isfinite(last).any():
            axis.plot([years[-1]], [np.nanmean(last)], "o", color=line.look.colour, markersize=3.5)
        axis.set_axis_off()
    return figure


def _panel(axis: Axes, panel: Panel, years: Sequence[int], ticks: int) -> None:
    for line in sorted(panel.lines, key=lambda one: not one.ghost):
        fan(axis, line, years)
    axis.set_title(drawn(panel.title), fontsize=10, loc="left")
    if panel.percent:
        from matplotlib.ticker import PercentFormatter

        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axis.grid(axis="y", color=LIGHT, linewidth=0.6)
    years_under(axis, years, ticks)
    for target in panel.targets:
        _target(axis, target, years)
    axis.axhline(0, color=GREY, linewidth=0.7)


def _target(axis: Axes, target: Target, years: Sequence[int]) -> None:
    axis.axhline(target.value, color=TARGET, linewidth=1.2, linestyle=(0, (4, 2)))
    if years[0] <= target.by <= years[-1]:
        axis.plot([target.by], [target.value], marker="D", color=TARGET, markersize=5, clip_on=False)
    axis.annotate(
        drawn(target.label),
        (years[0], target.value),
        xytext=(2, 3),
        textcoords="offset points",
        fontsize=8,
        color="#8F3E00",
        va="bottom",
        bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 0.6},
    )
