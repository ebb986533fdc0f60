"""The portrait of a region: where its schools lie, how large they are, how far it is from the national standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model.indicators import INDICATORS as OUTCOMES
from model.national_standard import INDICATORS
from model.region import Region, Setting
from results.drawing import GREY, INK, LIGHT, TARGET, legend_below, plain, style, titled
from results.fonts import drawn, has_chinese
from results.region_summary import STAGE_NAMES, Data, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {Setting.URBAN: "#0072B2", Setting.TOWN: "#E69F00", Setting.VILLAGE: "#009E73"}  # Okabe and Ito's
STAGE_COLOURS = ("#56B4E9", "#CC79A7")
HATCHES = ("", "////")
MARKERS = {(True, False): "o", (False, True): "s", (True, True): "D"}
APART = 0.11  # of the map's width: how far apart names must lie
MOST_DOT = 240.0  # square points of the largest school; less where there are many
WORDS = {
    "en": {
        "urban": "urban", "town": "town", "village": "village", "primary": "primary", "junior": "junior",
        "nine": "nine-year", "map": "Schools: area of a dot as pupils", "km": "km", "size": "Pupils of a section",
        "sections": "sections", "cv": "CV between schools", "limit": "limit", "mean": "Mean, % of the standard",
        "age": "Teachers by age", "share": "% of the stage",
        "title": "{name}: {schools:,} schools, {pupils:,} pupils",
        "cvs": "{p} of 7 CVs in primary and {j} of 7 in junior schools are within the limit",
        "none": "no schools to judge", "synthetic": "Synthetic region", "tables": "From tables, completed",
        "year": "school year {year}, {teachers:,} teachers, {towns} towns",
        "cv_worst": "CV, worst district", "mean_worst": "Mean, % of standard, worst district",
    },
    "zh": {
        "urban": "城区", "town": "镇区", "village": "乡村", "primary": "小学", "junior": "初中", "nine": "九年一贯制",
        "map": "学校：点的面积为学生数", "km": "公里", "size": "学段学生数", "sections": "学段数",
        "cv": "校际差异系数", "limit": "上限", "mean": "均值占标准的%", "age": "教师年龄", "share": "占本学段%",
        "title": "{name}：{schools:,} 所学校，{pupils:,} 名学生",
        "cvs": "差异系数达标：小学 7 项中 {p} 项，初中 7 项中 {j} 项",
        "none": "没有可评学校", "synthetic": "合成区域", "tables": "据表格补全",
        "year": "{year} 学年，教师 {teachers:,} 人，乡镇街道 {towns} 个",
        "cv_worst": "差异系数（最差县区）", "mean_worst": "均值占标准的%（最差县区）",
    },
}  # fmt: skip


def portrait(region: Region, lang: str) -> Figure:
    """Map of schools, sizes, CVs and means against the standard, teachers by age.

    Without a Chinese font the labels are English (`lettered` says whether).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lang = lettered(lang)
    words, facts = WORDS[lang], describe(region)
    with style():
        figure = Figure(figsize=(11.4, 7.0), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(3, 3, width_ratios=(1.5, 0.95, 0.8))
        where = figure.add_subplot(grid[:, 0])
        sizes = [figure.add_subplot(grid[i, 2]) for i in (0, 1)]
        ages = figure.add_subplot(grid[2, 2])
        spread, level = figure.add_subplot(grid[:2, 1]), figure.add_subplot(grid[2, 1])
        for axis in (where, *sizes, ages, spread, level):
            plain(axis)
        _map(where, region, words)
        sizes[1].sharex(sizes[0])
        for stage, axis in enumerate(sizes):
            _sizes(axis, region, stage, words)
        _cvs(spread, facts, words, lang)
        _means(level, facts, words, lang)
        _ages(ages, facts, words)
        legend_below(figure, np.array([where, spread]), 9)
    return titled(figure, _findings(region, facts, words, lang), _note(region, facts, words), lang)


def lettered(lang: str) -> str:
    """The language that pictures can be lettered in."""
    return lang if lang == "en" or has_chinese() else "en"


def _findings(region: Region, facts: Data, words: dict[str, str], lang: str) -> list[str]:
    places = facts["standard"][1:] or facts["standard"]  # districts, which are what is judged
    passed = {stage: min(place[stage]["cvs_passed"] for place in places) for stage in STAGE_NAMES}
    judged = all(place[stage]["schools"] for place in places for stage in STAGE_NAMES)
    cvs = words["cvs"].format(p=passed["primary"], j=passed["junior"]) if judged else words["none"]
    if judged and len(places) > 1:
        cvs += " in the weakest district" if lang == "en" else "（最弱县区）"
    name = region.title_zh if lang == "zh" else region.title_en
    counts = facts["counts"]
    return [words["title"].format(name=name, schools=counts["schools"], pupils=counts["pupils"]), cvs]


def _note(region: Region, facts: Data, words: dict[str, str]) -> str:
    counts = facts["counts"]
    origin = words["tables"] if facts["from_tables"] else words["synthetic"]
    year = words["year"].format(year=region.year, teachers=counts["teachers"], towns=counts["towns"])
    return f"{origin} · {year}"


def _map(axis: Axes, region: Region, words: dict[str, str]) -> None:
    """A dot a school: colour its setting, shape its stages, area its pupils."""
    s = region.schools
    pupils = s.enrolment.sum(axis=1)
    area = np.clip(MOST_DOT * pupils / max(pupils.max(initial=1), 1) * min(1.0, 200 / max(s.n, 1)) ** 0.5, 5, None)
    for setting, colour in COLOURS.items():
        for has, marker in MARKERS.items():
            rows = (s.setting == setting) & (s.has == np.array(has)).all(axis=1) & (pupils > 0)
            axis.scatter(s.x_km[rows], s.y_km[rows], area[rows], color=colour, marker=marker, alpha=0.7, linewidths=0)
        axis.scatter([], [], 40, color=colour, label=drawn(words[setting.name.lower()]), alpha=0.8)
    for name, marker in zip(("primary", "junior", "nine"), MARKERS.values(), strict=True):
        axis.scatter([], [], 34, color="white", edgecolors=INK, marker=marker, label=drawn(words[name]))
    if region.districts.n > 1:
        _name_districts(axis, region, words)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_title(drawn(words["map"]), fontsize=10, loc="left")
    axis.set_xlabel(drawn(words["km"]), fontsize=9)
    axis.grid(color=LIGHT, linewidth=0.5)


def _name_districts(axis: Axes, region: Region, words: dict[str, str]) -> None:
    """Names amid the schools of each district; of two that would overlap the one farther out."""
    s, places = region.schools, region.districts
    names = places.name_zh if words is WORDS["zh"] else places.name_en
    centre = np.array([[s.x_km[s.district == d].mean(), s.y_km[s.district == d].mean()] for d in range(places.n)])
    apart = APART * max(np.ptp(s.x_km), np.ptp(s.y_km))
    shown: list[int] = []
    for d in np.argsort(-np.hypot(*(centre - centre.mean(axis=0)).T), kind="stable"):
        near = np.abs(centre[shown] - centre[d]) / (1.0, 0.35)
        if not shown or near.max(axis=1).min() > apart:
            shown.append(int(d))
            ground = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
            axis.annotate(drawn(str(names[d])), centre[d], fontsize=8.5, ha="center", va="center", bbox=ground)


def _sizes(axis: Axes, region: Region, stage: int, words: dict[str, str]) -> None:
    """How many sections have so many pupils, stacked by setting."""
    from matplotlib.ticker import MaxNLocator

    s = region.schools
    every = s.enrolment[s.enrolment > 0]
    bins = np.linspace(0, max(float(every.max(initial=1)), 1.0), 16)
    held = s.has[:, stage] & (s.enrolment[:, stage] > 0)
    groups = [s.enrolment[held & (s.setting == x), stage] for x in COLOURS]
    axis.hist(groups, bins.tolist(), stacked=True, color=list(COLOURS.values()), alpha=0.85)
    axis.set_title(drawn(f"{words['size']}: {words[STAGE_NAMES[stage]]}"), fontsize=10, loc="left")
    axis.set_ylabel(drawn(words["sections"]), fontsize=9)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))


def _worst(facts: Data, stage: str, indicator: str, what: str) -> float:
    """A value of the only district, or of the one where it is worst."""
    places = facts["standard"][1:] or facts["standard"]
    found = [place[stage]["indicators"][indicator] for place in places]
    values = [f[what] if what == "cv" else f["mean"] / f["threshold"] for f in found if f[what] is not None]
    return float("nan") if not values else max(values) if what == "cv" else min(values)


def _labels(lang: str) -> list[str]:
    short = {"en": {"degree_above": "degree above", "backbone_teachers": "backbones", "pe_art_teachers": "PE, art",
                    "teaching_area": "teaching area", "sports_area": "sports area", "equipment": "equipment",
                    "multimedia_rooms": "multimedia"},
             "zh": {"degree_above": "高学历教师", "backbone_teachers": "骨干教师", "pe_art_teachers": "体艺教师",
                    "teaching_area": "教学用房", "sports_area": "体育场馆", "equipment": "仪器设备",
                    "multimedia_rooms": "多媒体教室"}}  # fmt: skip
    return [drawn(short[lang][name]) for name in INDICATORS if f"cv.{name}" in OUTCOMES]


def _cvs(axis: Axes, facts: Data, words: dict[str, str], lang: str) -> None:
    """The seven CVs, a bar a stage, and its limit."""
    rows = np.arange(len(INDICATORS))[::-1]
    for i, stage in enumerate(STAGE_NAMES):
        values = [_worst(facts, stage, name, "cv") for name in INDICATORS]
        at = rows + (0.2, -0.2)[i]
        axis.barh(at, values, 0.36, color=STAGE_COLOURS[i], hatch=HATCHES[i], edgecolor="white", linewidth=0)
        limit = facts["standard"][0][stage]["cv_limit"]
        axis.vlines(np.full(rows.size, limit), at - 0.18, at + 0.18, color=TARGET, linewidth=2.2)
        for y, value in zip(at, values, strict=True):
            if np.isfinite(value):
                over = value > limit
                text = f"{value:.3f} {'✗' if over else '✓'}"
                axis.annotate(drawn(text), (max(value, limit), y), xytext=(4, 0), textcoords="offset points",
                              va="center", fontsize=8, color=INK if over else GREY)  # fmt: skip
    axis.set_yticks(rows, _labels(lang))
    finite = [v for s in STAGE_NAMES for n in INDICATORS if np.isfinite(v := _worst(facts, s, n, "cv"))]
    axis.set_xlim(0, 1.28 * max([*finite, 0.5]))
    limits = " / ".join(f"{facts['standard'][0][s]['cv_limit']:.2f}" for s in STAGE_NAMES)
    several = len(facts["standard"]) > 1
    title = f"{words['cv_worst'] if several else words['cv']} ({words['limit']} {limits})"
    axis.set_title(drawn(title), fontsize=10, loc="left")


def _means(axis: Axes, facts: Data, words: dict[str, str], lang: str) -> None:
    """The seven means as shares of the standard: filled primary, hollow junior."""
    columns = np.arange(len(INDICATORS))
    for i, stage in enumerate(STAGE_NAMES):
        values = [100 * _worst(facts, stage, name, "mean") for name in INDICATORS]
        axis.bar(columns + (-0.2, 0.2)[i], values, 0.38, color=STAGE_COLOURS[i], hatch=HATCHES[i], edgecolor="white",
                 linewidth=0)  # fmt: skip
    axis.axhline(100, color=TARGET, linewidth=1.2, linestyle="--")
    axis.set_xticks(columns, _labels(lang), rotation=35, ha="right", fontsize=8)
    axis.set_title(drawn(words["mean_worst"] if len(facts["standard"]) > 1 else words["mean"]), fontsize=10, loc="left")


def _ages(axis: Axes, facts: Data, words: dict[str, str]) -> None:
    """Teachers of each stage by age."""
    for i, stage in enumerate(STAGE_NAMES):
        ages = facts["teachers"][stage]["ages"]
        n = max(sum(ages.values()), 1)
        columns = np.arange(len(ages)) + (-0.2, 0.2)[i]
        axis.bar(columns, [100 * count / n for count in ages.values()], 0.38, color=STAGE_COLOURS[i], hatch=HATCHES[i],
                 edgecolor="white", linewidth=0, label=drawn(words[stage]))  # fmt: skip
    labels: Any = list(facts["teachers"]["primary"]["ages"])
    axis.set_xticks(np.arange(len(labels)), labels, rotation=35, ha="right", fontsize=8)
    axis.set_title(drawn(f"{words['age']}, {words['share']}"), fontsize=10, loc="left")
    axis.set_ylim(top=1.3 * axis.get_ylim()[1])
    axis.legend(fontsize=8, frameon=False, ncols=2, loc="upper center")
