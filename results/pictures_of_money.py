"""Pictures of money: what is spent on what and by whom, year by year, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from results.drawing import GREY, HATCHES, LIGHT, canvas, legend_below, style, years_under
from results.fonts import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#B8A900", "#8C8C8C")
MOST = len(COLOURS)  # parts told apart; what is smaller is one rest


@dataclass(frozen=True)
class Stacks:
    """One pair of axes: yuan (in the unit shown) by part, each (years,); the same parts in every panel."""

    title: str
    parts: Mapping[str, NDArray[np.float64]]


def stacked(panels: Sequence[Stacks], years: Sequence[int], ylabel: str, xlabel: str, columns: int = 2) -> Figure:
    """Stacked bars a year, one scale for all panels; what is saved lies below zero."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with style():
        figure, axes = canvas(9.6, 2.8 * rows + 0.9, rows, columns, sharey=True)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _bars(axis, panel, years)
            axis.set_xlabel(drawn(xlabel), fontsize=9)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for axis in axes[:, 0]:
            axis.set_ylabel(drawn(ylabel), fontsize=9)
        legend_below(figure, axes)
    return figure


def largest(parts: Mapping[str, NDArray[np.float64]], rest: str) -> dict[str, NDArray[np.float64]]:
    """The parts that weigh most over all years, in that order; the smaller ones as one."""
    order = sorted(parts, key=lambda name: -float(np.abs(parts[name]).sum()))
    if len(order) <= MOST:
        return {name: parts[name] for name in order}
    small = np.sum([parts[name] for name in order[MOST - 1 :]], axis=0)
    return {name: parts[name] for name in order[: MOST - 1]} | {rest: small}


def _bars(axis: Axes, panel: Stacks, years: Sequence[int]) -> None:
    above, below = np.zeros(len(years)), np.zeros(len(years))
    for i, (name, values) in enumerate(panel.parts.items()):
        base = np.where(values >= 0, above, below)
        axis.bar(
            list(years),
            values,
            bottom=base,
            width=0.72,
            color=COLOURS[i % len(COLOURS)],
            hatch=HATCHES[i % len(HATCHES)],
            edgecolor="white",
            linewidth=0.4,
            label=drawn(name),
        )
        above, below = above + np.maximum(values, 0), below + np.minimum(values, 0)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set_title(drawn(panel.title), fontsize=10, loc="left")
    axis.grid(axis="y", color=LIGHT, linewidth=0.6)
    years_under(axis, years)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}".replace("-", "−"))
