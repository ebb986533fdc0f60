"""The map of schools, lived year by year in the browser: `solara run examples/solara_map.py`.

Needs the extra `viz`, and nothing from outside once that is installed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import solara
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mesa.visualization import SolaraViz, make_plot_component

from junheng.mesa_model import EqualizationModel
from model.region import Network, Setting

MARKERS = {Setting.URBAN: "o", Setting.TOWN: "s", Setting.VILLAGE: "^"}
TIES = {Network.GROUP: "#0072B2", Network.PAIR: "#D55E00", Network.COMMUNITY: "#009E73", Network.COOPERATIVE: "#CC79A7"}
STAGES = ("primary", "junior")


def draw_map(model: EqualizationModel) -> Figure:
    """Schools where they lie: area by pupils, colour by mean score, a line for every tie of two schools of a stage."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    schools, networks = model.region.schools, model.region.networks
    held = (networks.since <= model.year) & (model.year <= networks.until)
    for stage, ax in enumerate(axes):
        for kind, colour in TIES.items():
            both = schools.has[networks.lead, stage] & schools.has[networks.member, stage]
            for row in np.flatnonzero(held & both & (networks.kind == kind)):
                ends = [networks.lead[row], networks.member[row]]
                ax.plot(schools.x_km[ends], schools.y_km[ends], color=colour, linewidth=1, zorder=1)
        here = [school for school in model.agents if school.has[stage]]
        for setting, marker in MARKERS.items():
            drawn = [school for school in here if school.setting == setting]
            dots = ax.scatter(
                [school.x_km for school in drawn],
                [school.y_km for school in drawn],
                s=[20 + school.enrolment[stage] / 4 for school in drawn],
                c=[school.score[stage] for school in drawn],
                marker=marker,
                cmap="viridis",
                vmin=-0.5,
                vmax=0.5,
                edgecolors="black",
                linewidths=0.5,
                zorder=2,
            )
        ax.set(title=f"{STAGES[stage]}, {model.year}", xlabel="km east", ylabel="km north", aspect="equal")
    figure.colorbar(dots, ax=axes, label="mean score, base SD", shrink=0.8)
    shapes = [Line2D([], [], marker=m, color="grey", linestyle="", label=s.name.lower()) for s, m in MARKERS.items()]
    lines = [Line2D([], [], color=colour, label=kind.name.lower()) for kind, colour in TIES.items()]
    figure.legend(handles=shapes + lines, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure


def map_of_schools(model: EqualizationModel) -> Any:
    """The map as a component of the page."""
    return solara.FigureMatplotlib(draw_map(model), format="png")


def slider(label: str, value: float, low: float, high: float, step: float) -> dict[str, Any]:
    """A control of the page."""
    return {"type": "SliderFloat", "label": label, "value": value, "min": low, "max": high, "step": step}


CONTROLS = {
    "region": {"type": "Select", "label": "region", "value": "village", "values": ["village", "ninghe", "wuqing"]},
    "policy": "baseline",
    "calibration": {"type": "Select", "label": "calibration", "value": "input", "values": ["input", "sorting"]},
    "seed": {"type": "SliderInt", "label": "seed", "value": 1, "min": 1, "max": 20, "step": 1},
    "years": 8,
    "education_groups__coverage": slider("schools in groups, share", 0.5, 0, 1, 0.05),
    "teacher_rotation__share_of_eligible": slider("rotated of eligible, share a year", 0.1, 0, 0.5, 0.05),
}
AT_FIRST = {name: control["value"] if isinstance(control, dict) else control for name, control in CONTROLS.items()}

page = SolaraViz(
    EqualizationModel(**AT_FIRST),
    components=[
        map_of_schools,
        make_plot_component(["gap.score.primary", "between_school_share.primary", "between_school_share.junior"]),
    ],
    model_params=CONTROLS,
    play_interval=400,
    name="均衡",
)
