"""Pictures of places: who moved, as dumbbells, and where children go to school, as shares of those who live there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.drawing import GREY, LIGHT, Look, canvas, legend_below, style
from results.fonts import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAYS, LEAVES = "#0072B2", "#E69F00"
ROOM = 0.1  # of a bar, for a number inside it


@dataclass(frozen=True)
class Move:
    """A place: the reference's mean, and each scenario's with the interval of the difference added to the reference."""

    place: str
    reference: float
    moved: Sequence[tuple[str, float, float | None, float | None]]  # scenario, mean, low, high


@dataclass(frozen=True)
class Dumbbells:
    """One pair of axes: places in the order given, the first on top."""

    title: str
    moves: Sequence[Move]


def dumbbells(
    panels: Sequence[Dumbbells],
    looks: dict[str, Look],
    labels: dict[str, str],
    reference: str,
    xlabel: str,
    columns: int = 2,
) -> Figure:
    """Who moved: a hollow grey dot where a place stood under the reference, a filled one where it stands.

    `looks`, `labels`: by scenario. The bar on a dot is the 95 % interval of the difference.
    """
    rows = -(-len(panels) // columns)
    most = max(len(panel.moves) for panel in panels)
    with style():
        figure, axes = canvas(9.6, rows * (0.23 * most + 0.75) + 0.5, rows, columns, sharex=True)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _dumbbell(axis, panel, looks, labels, reference)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for axis in axes[-1]:
            axis.set_xlabel(drawn(xlabel), fontsize=9)
        legend_below(figure, axes)
    return figure


def _dumbbell(axis: Axes, panel: Dumbbells, looks: dict[str, Look], labels: dict[str, str], reference: str) -> None:
    n = len(panel.moves)
    others = [scenario for scenario in looks if scenario != reference]
    for row, move in enumerate(panel.moves):
        y = n - 1 - row
        axis.plot([move.reference], [y], "o", mfc="white", mec=GREY, markersize=6, zorder=3)
        for scenario, mean, low, high in move.moved:
            offset = 0.0 if len(others) == 1 else 0.5 * (0.5 - (others.index(scenario) + 0.5) / len(others))
            colour = looks[scenario].colour
            axis.plot([move.reference, mean], [y + offset] * 2, color=colour, linewidth=2.2, alpha=0.45)
            axis.plot([mean], [y + offset], "o", color=colour, markersize=5, zorder=4)
            if low is not None and high is not None:
                axis.plot([low, high], [y + offset] * 2, color=colour, linewidth=0.9, zorder=4)
    axis.plot([], [], "o", mfc="white", mec=GREY, markersize=6, label=drawn(labels[reference]))
    for scenario in others:
        axis.plot([], [], "o", color=looks[scenario].colour, markersize=5, label=drawn(labels[scenario]))
    axis.set_yticks(range(n), [drawn(move.place) for move in reversed(panel.moves)])
    axis.set_ylim(-0.7, n - 0.3)
    axis.set_title(drawn(panel.title), fontsize=10, loc="left")
    axis.grid(axis="both", color=LIGHT, linewidth=0.6)


@dataclass(frozen=True)
class Split:
    """The children of a place under a scenario in a year: the share that goes elsewhere; None without children."""

    label: str
    leaves: float | None


@dataclass(frozen=True)
class Splits:
    """One pair of axes: bars by home, the first on top."""

    title: str
    groups: Mapping[str, Sequence[Split]]


def splits(panels: Sequence[Splits], stays: str, leaves: str, columns: int = 2) -> Figure:
    """Where children go to school: bars of a hundred percent, split into those who stay and those who leave."""
    rows = -(-len(panels) // columns)
    lines = max(sum(len(bars) + 1.25 for bars in panel.groups.values()) for panel in panels)
    with style():
        figure, axes = canvas(9.6, rows * (0.25 * lines + 0.5) + 0.45, rows, columns, sharex=True)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _split(axis, panel, stays, leaves)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        legend_below(figure, axes)
    return figure


def _split(axis: Axes, panel: Splits, stays: str, leaves: str) -> None:
    from matplotlib.ticker import PercentFormatter

    y, ticks, labels = 0.0, [], []
    for home, bars in panel.groups.items():
        y -= 1.25
        axis.text(0.0, y - 0.1, drawn(home), fontsize=9, va="center")
        for bar in bars:
            y -= 1.0
            ticks.append(y)
            labels.append(drawn(bar.label))
            _bar(axis, y, bar, stays, leaves)
    axis.set_yticks(ticks, labels, fontsize=8.5)
    axis.set_ylim(y - 0.6, -0.5)
    axis.set_xlim(0, 1.1)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_title(drawn(panel.title), fontsize=10, loc="left")
    axis.spines["left"].set_visible(False)


def _bar(axis: Axes, y: float, bar: Split, stays: str, leaves: str) -> None:
    if bar.leaves is None:
        axis.text(0.01, y, "–", va="center", fontsize=8)
        return
    stay = 1 - bar.leaves
    axis.barh(y, stay, height=0.78, color=STAYS, label=drawn(stays))
    hatched: dict[str, Any] = {"color": LEAVES, "hatch": "///", "edgecolor": "white"}
    axis.barh(y, bar.leaves, left=stay, height=0.78, label=drawn(leaves), **hatched)
    if stay > ROOM:
        axis.text(0.015, y, f"{100 * stay:.1f} %", va="center", fontsize=8, color="white")
    at = stay + 0.01 if bar.leaves > 1.5 * ROOM else 1.01
    paper = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.4}
    axis.text(at, y, f"{100 * bar.leaves:.1f} %", va="center", fontsize=8, bbox=paper)
