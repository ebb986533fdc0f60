"""How every picture is drawn: palette, letters, canvas, axes, and the bytes it is saved as.

Colours are Okabe and Ito's, told apart by colour-blind readers and, with the dashes, in grey print: one a scenario
in every picture, the baseline grey and dashed, targets vermilion and dashed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from results.fonts import drawn, families
from results.series import BASELINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TARGET = "#D55E00"  # vermilion, which no scenario has
SCENARIOS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A900")
GREY, LIGHT, INK = "#666666", "#DDDDDD", "#222222"
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (1, 1.2)))  # beyond six scenarios
HATCHES = ("", "///", "...", "xxx")
DOTS_PER_INCH = 160
TITLE_WIDTH = {"en": 112, "zh": 104}  # letters of a line at the usual width, a Chinese character counting two
USUAL_WIDTH = 9.6  # inches
CHINESE = 0x2E80  # code points from here on are wide
WORDS = re.compile("[\u2e80-\uffff][，。；、：）”！？]*\\s*|[^\\s\u2e80-\uffff]+[，。；、：）”]*\\s*")
RC: Mapping[str, Any] = {
    "svg.fonttype": "path",  # looks the same wherever it is opened
    "svg.hashsalt": "junheng",  # the same bytes for the same picture
    "axes.unicode_minus": True,
    "axes.edgecolor": GREY,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True)
class Look:
    """How a scenario is drawn."""

    colour: str
    dashes: Any = "-"


def looks(scenarios: Sequence[str]) -> dict[str, Look]:
    """The look of every scenario of a run, the same in all its pictures."""
    found: dict[str, Look] = {}
    for scenario in scenarios:
        n = len(found) - (BASELINE in found)
        if scenario == BASELINE:
            found[scenario] = Look(GREY, "--")
        else:
            found[scenario] = Look(SCENARIOS[n % len(SCENARIOS)], DASHES[n // len(SCENARIOS) % len(DASHES)])
    return found


def style() -> AbstractContextManager[None]:
    """Letters and lines of the house, for as long as a picture is drawn or saved."""
    import matplotlib as mpl

    chosen: dict[Any, Any] = {**RC, "font.family": list(families())}
    return mpl.rc_context(chosen)


def blank(width: float, height: float, **how: Any) -> Figure:
    """A figure of some inches with nothing on it; no window, no global state is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), **how)
    FigureCanvasAgg(figure)
    return figure


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **shared: Any) -> tuple[Figure, Any]:
    """A figure of some inches and its axes, a two-dimensional array."""
    figure = blank(width, height, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **shared)
    for axis in axes.flat:
        plain(axis)
    return figure, axes


def plain(axis: Axes) -> None:
    """An axis without what is not read: two spines, pale rules."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=9, length=3)
    axis.set_axisbelow(True)


def years_under(axis: Axes, years: Sequence[int], most: int = 8) -> None:
    """School years as ticks, at most so many."""
    step = max(1, -(-len(years) // most))
    axis.set_xticks(list(years)[::step])
    if len(years) == 1:
        axis.set_xlim(years[0] - 0.6, years[0] + 0.6)


def legend_below(figure: Figure, axes: Any, columns: int = 4) -> None:
    """One legend for all axes, each name once, under the picture."""
    named: dict[str, Any] = {}
    for axis in axes.flat:
        handles, labels = axis.get_legend_handles_labels()
        named |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in named}
    if named:
        place: Any = "outside lower center"
        figure.legend(
            list(named.values()), list(named), loc=place, ncols=min(len(named), columns), frameon=False, fontsize=9
        )


def titled(figure: Figure, finding: str | Sequence[str], note: str, lang: str = "en") -> Figure:
    """The same figure with what it found over it and what it is of beneath that, for pictures that stand alone."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = figure.get_size_inches()
    letters = round(TITLE_WIDTH[lang] * width / USUAL_WIDTH)
    findings = [finding] if isinstance(finding, str) else finding
    lines = [line for one in findings for line in wrapped(drawn(one), letters)]
    under = wrapped(drawn(note), round(letters * 1.25))
    band = 0.16 + 0.22 * len(lines) + 0.18 * len(under)  # inches
    whole = height + band
    figure.set_size_inches(width, whole)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, height / whole)))
    with style():
        figure.text(0.01, 1 - 0.06 / whole, "\n".join(lines), fontsize=12, va="top")
        top = 1 - (0.1 + 0.22 * len(lines)) / whole
        figure.text(0.01, top, "\n".join(under), fontsize=9.5, va="top", color=GREY)
    return figure


def wrapped(text: str, letters: int) -> list[str]:
    """Lines of at most so many letters, a Chinese character counting two; no line begins with a closing mark."""
    lines, line, held = [], "", 0
    for word in WORDS.findall(text):
        size = sum(2 if ord(c) >= CHINESE else 1 for c in word.rstrip())
        if line and held + size > letters:
            lines.append(line.rstrip())
            line, held = "", 0
        line += word
        held += size + len(word) - len(word.rstrip())
    return [*lines, line.rstrip()] if line else lines


def saved(figure: Figure, form: Literal["svg", "png"]) -> bytes:
    """The picture as SVG (letters as paths, no date) or PNG; the same bytes for the same picture."""
    held = io.BytesIO()
    with style():
        if form == "svg":
            figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(held, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return held.getvalue()
