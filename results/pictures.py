"""Pictures of a run: `python -m results.pictures RUN PICTURE.png [CALIBRATION]`."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from results.run_folder import RunFolder
from results.summary import BASELINE, RANGE, paired

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # told apart by colour-blind readers
GREY, TARGET = "#666666", "#000000"
SHOWN = {
    "gap.score": "Score gap, SD\n(urban and town less village)",
    "between_school_share": "Between-school share\nof score variance",
}
STAGES = ("primary", "junior")
DOTS_PER_INCH = 160
HEADLINE = 86  # letters of a line

Floats = NDArray[np.float64]
Series = dict[tuple[str, str, str], Floats]  # by scenario, indicator, stage: (replicates, years)


@dataclass(frozen=True)
class Lived:
    """What a picture is drawn from: one calibration of a run folder."""

    region: str
    calibration: str
    scenarios: list[str]
    years: list[int]
    series: Series
    targets: list[dict[str, Any]]


def gaps(folder: RunFolder, calibration: str = "") -> Figure:
    """Score gap and between-school share over the years: mean and range of replicates, targets, the finding on top.

    `calibration`: the first of the run if empty. Raises InputError where the tables are not written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    lived = _read(folder, calibration)
    sentence, numbers = finding(lived)
    headline = textwrap.wrap(sentence, HEADLINE)
    top = 1 - 0.04 * (len(headline) + 2)  # two lines of numbers under it
    figure = Figure(figsize=(9.0, 6.4), layout=ConstrainedLayoutEngine(rect=(0, 0, 1, top)))
    FigureCanvasAgg(figure)
    figure.text(0.01, 0.985, "\n".join(headline), fontsize=12, fontweight="bold", va="top")
    figure.text(0.01, 0.98 - 0.035 * len(headline), f"{numbers}\n{_under(lived)}", fontsize=9.5, va="top")
    axes = figure.subplots(len(SHOWN), len(STAGES), sharex=True, sharey="row")
    for row, (indicator, title) in zip(axes, SHOWN.items(), strict=True):
        for axis, stage in zip(row, STAGES, strict=True):
            _draw(axis, lived, indicator, stage)
        row[0].set_ylabel(title)
    for axis, stage in zip(axes[0], STAGES, strict=True):
        axis.set_title(f"{stage.capitalize()} schools", fontsize=11)
    for axis in axes[-1]:
        axis.set_xlabel("school year")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def finding(lived: Lived) -> tuple[str, str]:
    """What the last year's paired differences say of the score gap: a sentence, and the numbers behind it."""
    last, plans = lived.years[-1], [s for s in lived.scenarios if s != BASELINE]
    changes = {stage: _change(lived, plans[0], stage) for stage in STAGES} if plans else {}
    known = {stage: change for stage, change in changes.items() if change is not None}
    if not known:
        return f"Score gap and between-school share, {lived.years[0]}–{last}", ""
    words = {stage: _compared(change) for stage, change in known.items()}
    if len(set(words.values())) == 1:
        said = next(iter(words.values()))
    else:
        said = " and ".join(f"{word} in {stage} schools" for stage, word in words.items())
    numbers = ", ".join(
        f"{stage} {_signed(change['mean'])} SD ({_signed(change['low'])} to {_signed(change['high'])})"
        for stage, change in known.items()
    )
    compared = f"{plans[0]} less {BASELINE} in {last}: {numbers}, paired, 95 %"
    return f"With the plan, the score gap of town and village is {said} in {last}", compared


def _change(lived: Lived, plan: str, stage: str) -> dict[str, Any] | None:
    here, there = (lived.series.get((s, "gap.score", stage)) for s in (plan, BASELINE))
    return None if here is None or there is None else paired(here[:, -1], there[:, -1])


def _compared(change: dict[str, Any]) -> str:
    if change["low"] <= 0 <= change["high"]:
        return "not measurably different"
    return "narrower" if change["mean"] < 0 else "wider"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _under(lived: Lived) -> str:
    n = next(iter(lived.series.values())).shape[0]
    band = f"{RANGE[0]}th to {RANGE[1]}th percentile"
    return f"Region {lived.region}, calibration {lived.calibration}: mean and {band} of {n} replicates"


def _draw(axis: Axes, lived: Lived, indicator: str, stage: str) -> None:
    colours = iter(OKABE_ITO)
    for scenario in lived.scenarios:
        base = scenario == BASELINE
        colour, dashes = (GREY, "--") if base else (next(colours), "-")
        values = lived.series.get((scenario, indicator, stage))
        if values is None:  # a region without village junior schools has no gap there
            continue
        low, high = np.percentile(values, RANGE, axis=0)
        axis.fill_between(lived.years, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(lived.years, values.mean(axis=0), dashes, color=colour, linewidth=1.8, label=scenario)
    for target in lived.targets:
        if (target["indicator"], target["stage"]) == (indicator, stage):
            axis.axhline(target["required"], color=TARGET, linewidth=1.0, linestyle=":")
            word = "at most" if target["direction"] == "at_most" else "at least"
            axis.annotate(
                f"target: {word} {target['required']:g} by {target['due']}",
                (lived.years[-1], target["required"]),
                xytext=(0, -16),
                textcoords="offset points",
                fontsize=8,
                ha="right",
                va="top",
            )
    axis.set_ylim(bottom=0)
    axis.set_xticks(lived.years)
    axis.tick_params(labelsize=9)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _read(folder: RunFolder, calibration: str) -> Lived:
    calibrations = list(folder.manifest["calibrations"])
    chosen = calibration or calibrations[0]
    if chosen not in calibrations:
        raise InputError(str(folder.path), f"no calibration {chosen!r}", f"one of {', '.join(calibrations)}")
    kept = [("calibration", "=", chosen), ("design_point", "=", 0), ("level", "=", "region")]
    table = folder.table("indicators", filters=[*kept, ("indicator", "in", list(SHOWN))]).to_pandas().dropna()
    series: Series = {}
    for at, rows in table.groupby(["scenario", "indicator", "stage"], observed=True):
        series[at] = rows.pivot_table(index="replicate", columns="year", values="value").to_numpy()
    targets = folder.table("targets", filters=[("calibration", "=", chosen), ("level", "=", "region")]).to_pylist()
    asked = {t["target"]: t for t in targets if t["indicator"] in SHOWN}
    return Lived(
        folder.manifest["region"]["profile"],
        chosen,
        list(folder.manifest["scenarios"]),
        sorted(int(y) for y in table["year"].unique()),
        series,
        list(asked.values()),
    )


def main(arguments: list[str]) -> int:
    """Draw a run folder into a file; returns the exit status."""
    if len(arguments) not in (2, 3):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    run, picture, *calibration = arguments
    try:
        gaps(RunFolder.open(Path(run)), *calibration).savefig(picture, dpi=DOTS_PER_INCH)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
