"""Every outcome, declared once: name, unit, titles, definition, direction, levels, stages; and the tidy rows.

How they are counted: `model/counts.py` (sums and ratios) and `model/gaps.py` (gaps, spreads, correlations).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.national_standard import standard
from model.strict_yaml import load

PLACES = ("region", "district", "town", "setting", "group", "school")
WIDE = ("region", "district")
BOTH = ("primary", "junior")


@dataclass(frozen=True)
class Indicator:
    """What an outcome means. `direction`: up or down is better; empty where neither is."""

    name: str
    unit: str
    en: str
    zh: str
    definition: str
    direction: str = ""
    levels: tuple[str, ...] = PLACES
    stages: tuple[str, ...] = BOTH


def _official() -> list[Indicator]:
    titles = {
        "degree_above": ("teachers above the required degree", "高于规定学历教师"),
        "backbone_teachers": ("backbone teachers", "骨干教师"),
        "pe_art_teachers": ("PE and art teachers", "体育艺术教师"),
        "teaching_area": ("teaching area", "教学及辅助用房面积"),
        "sports_area": ("sports area", "体育运动场馆面积"),
        "equipment": ("teaching equipment", "教学仪器设备值"),
        "multimedia_rooms": ("multimedia classrooms", "网络多媒体教室"),
    }
    found = []
    for name, (en, zh) in titles.items():
        unit = standard().unit[name]
        spread = "enrolment-weighted coefficient of variation between schools"
        found += [
            Indicator(f"cv.{name}", "CV", f"CV of {en}", f"{zh}校际差异系数", spread, "down", WIDE),
            Indicator(
                f"mean.{name}", unit, f"{en}, mean", f"{zh}均值", "stock over pupils, as the standard counts", "up"
            ),
            Indicator(
                f"shortfall.{name}", "raw units", f"{en} missing", f"{zh}缺口", "lacking to the standard", "down"
            ),
        ]
    return found


_LEVELS = {"every": PLACES, "wide": WIDE, "homes": PLACES[:4], "region": PLACES[:1]}
_STAGES = {"both": BOTH, "all": ("all",), "junior": ("junior",)}


def _declared() -> list[Indicator]:
    rows = load(Path(__file__).parent / "data" / "indicators.yaml").items()
    found = _official()
    for name, row in rows:
        levels, stages = _LEVELS[row.pop("levels", "every")], _STAGES[row.pop("stages", "both")]
        found.append(Indicator(name, levels=levels, stages=stages, **row))
    return found


INDICATORS: dict[str, Indicator] = {i.name: i for i in _declared()}
LISTED = tuple(INDICATORS)
NUMBER = {name: i for i, name in enumerate(LISTED)}
STAGE_NAMES = ("primary", "junior", "all")
ALL = 2


@dataclass
class Rows:
    """Values gathered as blocks, turned into columns once at the end."""

    blocks: list[tuple[int, str, Any, Any, Any, Any]] = field(default_factory=list)

    def add(self, year: int, level: str, place: Any, stage: Any, indicator: Any, value: Any) -> None:
        """A block of values; place, stage (number) and indicator (number) broadcast with value."""
        self.blocks.append((year, level, place, stage, indicator, value))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The tidy table: year, level, place, stage, indicator, value."""
        parts: dict[str, list[NDArray[Any]]] = {
            k: [] for k in ("year", "level", "place", "stage", "indicator", "value")
        }
        stages, names = np.array(STAGE_NAMES, object), np.array(LISTED, object)
        for year, level, place, stage, indicator, value in self.blocks:
            value = np.asarray(value, float)
            shape = value.shape
            n = value.size
            parts["year"].append(np.full(n, year))
            parts["level"].append(np.full(n, level, object))
            parts["place"].append(np.broadcast_to(np.asarray(place, object), shape).ravel())
            parts["stage"].append(np.broadcast_to(stages[stage], shape).ravel())
            parts["indicator"].append(np.broadcast_to(names[indicator], shape).ravel())
            parts["value"].append(value.ravel())
        return {k: np.concatenate(v) if v else np.empty(0) for k, v in parts.items()}
