"""Judging what a document asked for against what a run lived."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGN = {"at_least": "≥", "at_most": "≤"}
KEEPS = {"at_least": operator.ge, "at_most": operator.le}
WORST = {"at_least": np.min, "at_most": np.max}
ALMOST = 1e-9  # a share of 0.95 made from counts is met by 0.95


def judge(targets: Sequence[Mapping[str, Any]], indicators: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """The rows of `targets.parquet` for one run, a row a target, in the targets' order.

    `targets`: mappings with indicator, stage, level, place, direction (at_least / at_most), required, by and
    clause (several ids are joined by a space). `indicators`: the run's columns year, level, place, stage,
    indicator, value. Judged is the value of the year `by`; where the target names no place and its level has
    several, the worst of them, since all must comply; with `since`, its change from that year. `met` is None while
    the target is not yet due (`by` lies beyond the run) and where the indicator has no value.
    """
    rows: dict[str, list[Any]] = {
        name: [] for name in ("target", "clause", "due", "level", "place", "indicator", "stage")
    } | {name: [] for name in ("direction", "required", "value", "met")}
    names = indicators["indicator"]
    for target in targets:
        value = _value(target, indicators, names)
        met = None
        if value is not None:
            slack = ALMOST if target["direction"] == "at_most" else -ALMOST
            met = bool(KEEPS[target["direction"]](value, target["required"] + slack))
        clause = target["clause"]
        row = {
            "target": label(target),
            "clause": clause if isinstance(clause, str) else " ".join(clause),
            "due": target["by"],
            "value": value,
            "met": met,
        } | {name: target[name] for name in ("level", "place", "indicator", "stage", "direction", "required")}
        for name, held in rows.items():
            held.append(row[name])
    return rows


def label(target: Mapping[str, Any]) -> str:
    """A target in one line that tells it from the others, e.g. `cv.backbone_teachers primary ≤ 0.5 by 2022`."""
    where = "" if target["level"] == "region" else f" {target['level']} {target['place']}".rstrip()
    sign = SIGN[target["direction"]]
    since = "" if target.get("since") is None else f" since {target['since']}"
    return f"{target['indicator']} {target['stage']}{where} {sign} {target['required']:g} by {target['by']}{since}"


def _value(target: Mapping[str, Any], indicators: Mapping[str, NDArray[Any]], names: NDArray[Any]) -> float | None:
    found = _by_place(target, indicators, names, target["by"])
    since = target.get("since")
    if since is not None:
        before = _by_place(target, indicators, names, since)
        found = {place: value - before.get(place, np.nan) for place, value in found.items()}
    values = [value for value in found.values() if np.isfinite(value)]
    return float(WORST[target["direction"]](values)) if values else None


def _by_place(
    target: Mapping[str, Any], indicators: Mapping[str, NDArray[Any]], names: NDArray[Any], year: int
) -> dict[str, float]:
    """The indicator in one year at each place that the target speaks of."""
    rows = np.flatnonzero((names == target["indicator"]) & (indicators["year"] == year))
    for column in ("stage", "level"):
        rows = rows[indicators[column][rows] == target[column]]
    if target["place"]:
        rows = rows[indicators["place"][rows] == target["place"]]
    return dict(zip(map(str, indicators["place"][rows]), map(float, indicators["value"][rows]), strict=True))
