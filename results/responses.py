"""How outcomes respond to what a design varies: means by level, and differences from one end to the other.

All design points share the draws of a replicate, so that differences are taken within replicates: in a grid between
the points at both ends of a factor, the others averaged; in a sample by least squares over all factors at once. An
interval is of the luck of draws only: what the design does not vary stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from model.errors import InputError
from model.indicators import INDICATORS
from results.run_folder import RunFolder
from results.statistics import RANGE, paired

STANDARD = ("gap.score", "schools_passing", "local_stay", "spending.levers")  # what is shown if nothing is asked for
BINS = 5  # into which the values of a sampled range are put
FEW = 12  # values that are shown one by one

Floats = NDArray[np.float64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One outcome of a scenario under a calibration at every design point: values (points, replicates); NaN if none."""

    scenario: str
    calibration: str
    indicator: str
    stage: str
    level: str
    place: str
    year: int
    values: Floats


@dataclass(frozen=True)
class Level:
    """Runs at one value of a factor, or in one bin of its values."""

    label: str
    at: float | None  # mean value; None for what is no number
    points: NDArray[np.int64]  # which design points


@dataclass(frozen=True)
class Effect:
    """What a factor does to an outcome: from its first level to its last, with its 95 % t interval over replicates.

    `mean` and the rest are None where there is no telling: one level, one replicate, more factors than points.
    """

    factor: str
    first: str
    last: str
    mean: float | None
    low: float | None
    high: float | None
    correlation: float | None  # Spearman's, of means over replicates; None for what is no number


@dataclass(frozen=True)
class Responses:
    """All answers of a sweep, its factors and their levels."""

    method: str
    replicates: int
    points: list[Json]
    ranges: dict[str, tuple[float, float]]  # of the factors that are numbers
    levels: dict[str, list[Level]]  # by factor
    answers: list[Answer]


def respond(folder: RunFolder) -> Responses:
    """The responses of a complete sweep. Raises InputError where the folder is none, or nothing has a value."""
    design = folder.manifest["design"]
    if not design.get("factors"):
        raise InputError(str(folder.path), "a run in which nothing varies", "the folder of a sweep")
    points = folder.design()
    levels = {name: _levels(name, factor, points) for name, factor in design["factors"].items()}
    answers = [one for outcome in _asked(folder) for one in _answers(folder, outcome, len(points))]
    if not answers:
        raise InputError(str(folder.path), "no value of any outcome", "outcomes that these runs have")
    ranges = {name: ends for name, factor in design["factors"].items() if (ends := _range(name, factor, points))}
    return Responses(design["method"], folder.manifest["replicates"], points, ranges, levels, answers)


def effect(found: Responses, factor: str, answer: Answer) -> Effect:
    """What a factor does to an outcome."""
    levels = found.levels[factor]
    per_replicate = _between_ends(levels, answer.values) if found.method == "grid" else _slopes(found, factor, answer)
    told = None if per_replicate is None else paired(per_replicate, np.zeros_like(per_replicate))
    first, last = _ends(found, factor)
    mean, low, high = (told[key] for key in ("mean", "low", "high")) if told else (None, None, None)
    return Effect(factor, first, last, mean, low, high, _rank_correlation(found, factor, answer))


def spread_at(level: Level, answer: Answer) -> tuple[float, float, float] | None:
    """Mean, 5th and 95th percentile of the runs at a level; None where none has a value."""
    held = answer.values[level.points]
    held = held[np.isfinite(held)]
    if not held.size:
        return None
    low, high = np.percentile(held, RANGE)
    return float(held.mean()), float(low), float(high)


def as_data(found: Responses, folder: RunFolder) -> Json:
    """What `junheng sweep --json` prints."""
    manifest = folder.manifest
    with folder.reading() as ledger:
        standing = ledger.standing()
    return {
        "folder": str(folder.path),
        "status": folder.status,
        "region": manifest["region"]["profile"],
        "seed": manifest["seed"],
        "replicates": found.replicates,
        "runs": {"planned": manifest["runs"], "done": standing.done, "failed": standing.failed},
        "design": manifest["design"],
        "points": found.points,
        "range": list(RANGE),
        "responses": [_told(found, answer) for answer in found.answers],
    }


def _told(found: Responses, answer: Answer) -> Json:
    names = ("scenario", "calibration", "indicator", "stage", "level", "place", "year")
    means = [_mean(row) for row in answer.values]
    factors: dict[str, Json] = {}
    for name, levels in found.levels.items():
        seen = effect(found, name, answer)
        factors[name] = {
            "levels": [
                {"label": level.label, "at": level.at, "points": len(level.points), **_named(spread_at(level, answer))}
                for level in levels
            ],
            "difference": {key: getattr(seen, key) for key in ("first", "last", "mean", "low", "high")},
            "rank_correlation": seen.correlation,
        }
    unit = INDICATORS[answer.indicator].unit
    return {name: getattr(answer, name) for name in names} | {"unit": unit, "means": means, "factors": factors}


def _named(spread: tuple[float, float, float] | None) -> Json:
    return dict(zip(("mean", "low", "high"), spread or (None, None, None), strict=True))


def _mean(row: Floats) -> float | None:
    held = row[np.isfinite(row)]
    return float(held.mean()) if held.size else None


# ---- what is asked


def _asked(folder: RunFolder) -> list[Json]:
    """Outcomes with stage and year filled in."""
    outcomes = folder.manifest["design"].get("outcomes") or [{"indicator": name} for name in STANDARD]
    found = []
    for outcome in outcomes:
        stages = [outcome["stage"]] if outcome.get("stage") else INDICATORS[outcome["indicator"]].stages
        for stage in stages:
            plain = {"level": outcome.get("level") or "region", "place": outcome.get("place") or ""}
            year = outcome.get("year") or folder.manifest["last_year"]
            found.append({"indicator": outcome["indicator"], "stage": stage, "year": year, **plain})
    return found


def _answers(folder: RunFolder, outcome: Json, points: int) -> list[Answer]:
    """One outcome under every scenario and calibration; without those that have no value anywhere."""
    filters = [(name, "=", value) for name, value in outcome.items() if value != ""]
    columns = ["scenario", "calibration", "design_point", "replicate", "value"]
    rows = folder.table("indicators", columns, filters)
    found = []
    for scenario in folder.manifest["scenarios"]:
        for calibration in folder.manifest["calibrations"]:
            mine = rows.filter((pc.field("scenario") == scenario) & (pc.field("calibration") == calibration))
            values = np.full((points, folder.manifest["replicates"]), np.nan)
            values[mine["design_point"].to_numpy(), mine["replicate"].to_numpy()] = mine["value"].to_numpy()
            if np.isfinite(values).any():
                found.append(Answer(scenario, calibration, values=values, **outcome))
    return found


# ---- levels


def _levels(name: str, factor: Mapping[str, Any], points: Sequence[Json]) -> list[Level]:
    values = [point[name] for point in points]
    if not _numeric(values):
        known = list(dict.fromkeys(values))
        return [Level(_text(v), None, np.flatnonzero([held == v for held in values])) for v in known]
    numbers = np.array(values, float)
    distinct = np.unique(numbers)
    if len(distinct) <= FEW or "steps" in factor or "values" in factor:
        return [Level(f"{v:g}", float(v), np.flatnonzero(numbers == v)) for v in distinct]
    order = np.argsort(numbers, kind="stable")
    return [_bin(numbers, np.sort(held)) for held in np.array_split(order, BINS)]


def _bin(numbers: Floats, held: NDArray[np.int64]) -> Level:
    inside = numbers[held]
    return Level(f"{inside.min():.3g}–{inside.max():.3g}", float(inside.mean()), held)


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _range(name: str, factor: Mapping[str, Any], points: Sequence[Json]) -> tuple[float, float] | None:
    """Ends of what a factor was varied over; None for what is no number."""
    values = [point[name] for point in points]
    if not _numeric(values):
        return None
    return float(factor.get("from", min(values))), float(factor.get("to", max(values)))


def _ends(found: Responses, factor: str) -> tuple[str, str]:
    """What a difference goes from and to, as text."""
    if factor in found.ranges:
        low, high = found.ranges[factor]
        return f"{low:.6g}", f"{high:.6g}"
    levels = found.levels[factor]
    return levels[0].label, levels[-1].label


# ---- differences


def _between_ends(levels: Sequence[Level], values: Floats) -> Floats | None:
    """Last level less first, by replicate; NaN where a run of either is missing."""
    if len(levels) < 2:
        return None
    difference: Floats = values[levels[-1].points].mean(axis=0) - values[levels[0].points].mean(axis=0)
    return difference


def _slopes(found: Responses, factor: str, answer: Answer) -> Floats | None:
    """Least-squares difference of a factor's ends, the others held, by replicate; NaN where runs are too few."""
    columns, mine = [np.ones(len(found.points))], None
    for name, levels in found.levels.items():
        if name in found.ranges:
            low, high = found.ranges[name]
            numbers = np.array([point[name] for point in found.points], float)
            added = [(numbers - low) / (high - low)] if high > low else []
        else:
            added = [np.isin(np.arange(len(found.points)), level.points).astype(float) for level in levels[1:]]
        columns += added
        if name == factor and added:
            mine = len(columns) - 1
    design = np.column_stack(columns)
    if mine is None:
        return None
    slopes = np.full(answer.values.shape[1], np.nan)
    for replicate, y in enumerate(answer.values.T):
        held = np.isfinite(y)
        if held.sum() > design.shape[1] and np.linalg.matrix_rank(design[held]) == design.shape[1]:
            slopes[replicate] = np.linalg.lstsq(design[held], y[held], rcond=None)[0][mine]
    return slopes if np.isfinite(slopes).any() else None


def _rank_correlation(found: Responses, factor: str, answer: Answer) -> float | None:
    if factor not in found.ranges:
        return None
    values = [point[factor] for point in found.points]
    means = np.array([np.nan if (mean := _mean(row)) is None else mean for row in answer.values])
    numbers, held = np.array(values, float), np.isfinite(means)
    if held.sum() < 3 or not np.ptp(numbers[held]) or not np.ptp(means[held]):
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(numbers[held], means[held]).statistic)
