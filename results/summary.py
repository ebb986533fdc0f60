"""What a run folder says, in numbers: `summarise` makes one JSON document of it.

Every number is over replicates: mean, and the range from the 5th to the 95th percentile. Differences between
scenarios are taken replicate by replicate, on shared draws, with a 95 % t interval.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import stdtrit

from model.ledger import TRANSFERS
from model.national_standard import INDICATORS as STOCKS
from model.national_standard import standard
from results.run_folder import RunFolder
from results.targets import judge

RANGE = (5, 95)  # percentiles
CONFIDENCE = 0.95
BASELINE = "baseline"
STAGES = ("primary", "junior", "all")
HEADLINES = (
    "schools_passing",
    "gap.score",
    "gap.score_home",
    "gap.teacher_effectiveness",
    "gap.adequacy",
    "between_school_share",
    "local_stay",
    "proximity_share",
    "satisfaction",
    "rotated_share",
)

Floats = NDArray[np.float64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Cube:
    """Region-level values by (scenario, calibration, indicator, stage, replicate, year); NaN where there are none."""

    scenarios: list[str]
    calibrations: list[str]
    indicators: list[str]
    years: list[int]
    values: Floats  # (scenario, calibration, indicator, stage of STAGES, replicate, year)

    def of(self, scenario: str, calibration: str, indicator: str, stage: str) -> Floats:
        """Values of one indicator, shape (replicates, years); empty where there are none."""
        if indicator not in self.indicators:
            return np.zeros((0, len(self.years)))
        held: Floats = self.values[
            self.scenarios.index(scenario),
            self.calibrations.index(calibration),
            self.indicators.index(indicator),
            STAGES.index(stage),
        ]
        return held


def summarise(folder: RunFolder) -> Json:
    """The summary of a complete run folder, JSON-able. Raises InputError where its tables are not written."""
    manifest = folder.manifest
    cube = _cube(folder)
    money = _money(folder)
    targets = folder.table("targets", filters=[("design_point", "=", 0)]).to_pylist()
    notices = folder.table("notices", filters=[("design_point", "=", 0)]).to_pylist()
    with folder.reading() as ledger:
        standing, failures = ledger.standing(), ledger.failures()
    pairs = [(s, c) for c in cube.calibrations for s in cube.scenarios]
    return {
        "folder": str(folder.path),
        "status": folder.status,
        "region": manifest["region"]["profile"],
        "calibrations": cube.calibrations,
        "years": [cube.years[0], cube.years[-1]] if cube.years else [],
        "replicates": manifest["replicates"],
        "seed": manifest["seed"],
        "redraw_region": manifest["redraw_region"],
        "runs": {"planned": manifest["runs"], "done": standing.done, "failed": standing.failed},
        "range": list(RANGE),
        "scenarios": [
            {
                "scenario": s,
                "calibration": c,
                "title": manifest["scenarios"][s]["title"],
                "cv": _cvs(cube, s, c),
                "headlines": _headlines(cube, s, c),
                "yuan": _yuan([m for m in money if (m.scenario, m.calibration) == (s, c)], cube.years),
                "targets": _targets(targets, cube, s, c, _without_plan(folder, s, c)),
                "notices": _notices(notices, s, c),
            }
            for s, c in pairs
        ],
        "differences": _differences(cube, money),
        "shared_draws": _shared_draws(cube),
        "failures": [
            {**key, "attempts": attempts, "error": text.strip().splitlines()[-1]} for key, attempts, text in failures
        ],
    }


def spread(values: Floats) -> Json | None:
    """Mean and range of finite values; None where there are none."""
    held = values[np.isfinite(values)]
    if not held.size:
        return None
    low, high = np.percentile(held, RANGE)
    return {"mean": float(held.mean()), "low": float(low), "high": float(high)}


def paired(a: Floats, b: Floats) -> Json | None:
    """Mean of a − b replicate by replicate with its 95 % t interval; None with fewer than two pairs."""
    difference = (a - b)[np.isfinite(a) & np.isfinite(b)]
    n = difference.size
    if n < 2:
        return None
    mean, error = float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(n))
    half = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return {"mean": mean, "low": mean - half, "high": mean + half, "pairs": n}


def variance_ratio(a: Floats, b: Floats) -> Floats:
    """Var(a − b) / (Var(a) + Var(b)) of each row, over replicates: what independent seeds would give is 1.

    `a`, `b`: (indicators, replicates). Rows with a value missing, or that no draw moves on one of the two sides
    (such as what only one scenario has), are left out: there is nothing to share.
    """
    kept = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    a, b = a[kept], b[kept]
    own = [side.var(axis=1, ddof=1) for side in (a, b)]
    moved = np.minimum(*own) > 1e-12 * (1 + a.mean(axis=1) ** 2)
    ratio: Floats = (a - b).var(axis=1, ddof=1)[moved] / (own[0] + own[1])[moved]
    return ratio


# ---- reading


def codes(column: pa.ChunkedArray) -> tuple[list[Any], NDArray[np.int64]]:
    """Distinct values of a text column and, row by row, which it is."""
    if not len(column):
        return [], np.zeros(0, np.int64)
    whole = column.unify_dictionaries().combine_chunks()
    return whole.dictionary.to_pylist(), whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def which(column: pa.ChunkedArray, order: Sequence[str]) -> NDArray[np.int64]:
    """Place of each row's text in `order`. Raises ValueError for one that is not in it."""
    known, code = codes(column)
    return np.array([order.index(name) for name in known], np.int64)[code]


def _cube(folder: RunFolder) -> Cube:
    rows = folder.table("indicators", filters=[("level", "=", "region"), ("design_point", "=", 0)])
    scenarios, calibrations = list(folder.manifest["scenarios"]), list(folder.manifest["calibrations"])
    names, name = codes(rows["indicator"])
    year = rows["year"].to_numpy().astype(int)
    years = [int(y) for y in np.unique(year)]
    shape = (len(scenarios), len(calibrations), len(names), len(STAGES), folder.manifest["replicates"], len(years))
    values = np.full(shape, np.nan)
    values[
        which(rows["scenario"], scenarios),
        which(rows["calibration"], calibrations),
        name,
        which(rows["stage"], STAGES),
        rows["replicate"].to_numpy(),
        np.searchsorted(years, year),
    ] = rows["value"].to_numpy()
    return Cube(scenarios, calibrations, names, years, values)


@dataclass(frozen=True)
class Payment:
    """Yuan of one run, year, payer and lever, real costs or transfers."""

    scenario: str
    calibration: str
    replicate: int
    year: int
    payer: str
    lever: str
    transfer: bool
    yuan: float


def _money(folder: RunFolder) -> list[Payment]:
    by = ["scenario", "calibration", "replicate", "year", "payer", "lever", "item"]
    rows = folder.table("finance", filters=[("design_point", "=", 0)])
    texts = {name: pc.cast(rows[name], pa.string()) for name in ("scenario", "calibration", "payer", "lever", "item")}
    plain = pa.table({**{n: rows[n] for n in ("replicate", "year", "yuan")}, **texts})
    return [
        Payment(
            row["scenario"],
            row["calibration"],
            row["replicate"],
            row["year"],
            row["payer"],
            row["lever"],
            row["item"] in TRANSFERS,
            row["yuan_sum"],
        )
        for row in plain.group_by(by, use_threads=False).aggregate([("yuan", "sum")]).to_pylist()
    ]


# ---- what is said of one scenario


def _cvs(cube: Cube, scenario: str, calibration: str) -> list[Json]:
    rows = []
    for stage, limit in zip(STAGES, standard().cv_limit, strict=False):
        for stock in STOCKS:
            values = cube.of(scenario, calibration, f"cv.{stock}", stage)
            if not np.isfinite(values).any():
                continue
            rows.append(
                {
                    "indicator": stock,
                    "stage": stage,
                    "limit": float(limit),
                    **{
                        when: (spread(column) or {}) | {"passed": _share(column[np.isfinite(column)] <= limit)}
                        for when, column in (("first", values[:, 0]), ("last", values[:, -1]))
                    },
                }
            )
    return rows


def _share(true: NDArray[np.bool_]) -> float | None:
    return float(true.mean()) if true.size else None


def _headlines(cube: Cube, scenario: str, calibration: str) -> list[Json]:
    rows = []
    for name in HEADLINES:
        for stage in STAGES:
            values = cube.of(scenario, calibration, name, stage)
            if np.isfinite(values).any():
                ends = {"first": spread(values[:, 0]), "last": spread(values[:, -1])}
                rows.append({"indicator": name, "stage": stage, **ends})
    return rows


def _yuan(payments: Sequence[Payment], years: Sequence[int]) -> Json:
    """Yuan in the first and last year and in all, by payer and by lever, real costs and transfers apart."""
    return {
        by: [
            {by.removeprefix("by_"): name, "real": _sums(own, years, False), "transfer": _sums(own, years, True)}
            for name in sorted({getattr(p, by.removeprefix("by_")) for p in payments})
            for own in [[p for p in payments if getattr(p, by.removeprefix("by_")) == name]]
        ]
        for by in ("by_payer", "by_lever")
    } | {"real": _sums(payments, years, False), "transfer": _sums(payments, years, True)}


def _sums(payments: Sequence[Payment], years: Sequence[int], transfer: bool) -> Json:
    spans = {"first": set(years[:1]), "last": set(years[-1:]), "all": set(years)}
    return {
        span: spread(np.array(list(_by_replicate(payments, transfer, held).values()))) for span, held in spans.items()
    }


def _by_replicate(payments: Sequence[Payment], transfer: bool | None, years: set[int]) -> dict[int, float]:
    """Yuan of each replicate in some years: real costs, transfers, or (None) both."""
    sums = dict.fromkeys(sorted({p.replicate for p in payments}), 0.0)
    for p in payments:
        if p.year in years and transfer in (None, p.transfer):
            sums[p.replicate] += p.yuan
    return sums


def _without_plan(folder: RunFolder, scenario: str, calibration: str) -> dict[str, float]:
    """Share of the baseline's runs that reach each target of a scenario, by target; empty without a baseline."""
    manifest = folder.manifest
    targets = manifest["scenarios"][scenario]["targets"]
    if scenario == BASELINE or BASELINE not in manifest["scenarios"] or not targets:
        return {}
    filters = [
        ("scenario", "=", BASELINE),
        ("calibration", "=", calibration),
        ("design_point", "=", 0),
        ("indicator", "in", sorted({t["indicator"] for t in targets})),
    ]
    rows = folder.table("indicators", filters=filters)
    columns = {name: np.array(rows[name].to_pylist(), object) for name in ("level", "place", "stage", "indicator")} | {
        name: rows[name].to_numpy() for name in ("replicate", "year", "value")
    }
    met: dict[str, list[bool]] = {}
    for replicate in np.unique(columns["replicate"]):
        own = columns["replicate"] == replicate
        judged = judge(targets, {name: values[own] for name, values in columns.items()})
        for target, reached in zip(judged["target"], judged["met"], strict=True):
            if reached is not None:
                met.setdefault(target, []).append(reached)
    return {target: sum(reached) / len(reached) for target, reached in met.items()}


def _targets(
    rows: Sequence[Json], cube: Cube, scenario: str, calibration: str, without: Mapping[str, float]
) -> list[Json]:
    own: dict[str, list[Json]] = {}
    for row in rows:
        if (row["scenario"], row["calibration"]) == (scenario, calibration):
            own.setdefault(row["target"], []).append(row)
    about = ("target", "clause", "due", "indicator", "stage", "level", "place", "direction", "required")
    found = []
    for target, held in own.items():
        met = [row["met"] for row in held if row["met"] is not None]
        values = np.array([row["value"] for row in held if row["value"] is not None], float)
        due = not cube.years or held[0]["due"] <= cube.years[-1]
        found.append(
            {name: held[0][name] for name in about}
            | {
                "value": spread(values),
                "reached": sum(met) / len(met) if met else None,
                "without_plan": without.get(target),
                "state": _state(met, due),
            }
        )
    return found


def _state(met: Sequence[bool], due: bool) -> str:
    if not met:
        return "no value" if due else "not due"
    return "reached" if all(met) else "in some runs" if any(met) else "missed"


def _notices(rows: Sequence[Json], scenario: str, calibration: str) -> list[Json]:
    """Notices that differ in more than their numbers: in which years, in how many runs, in the first one's words."""
    alike: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        if (row["scenario"], row["calibration"]) == (scenario, calibration):
            alike.setdefault((row["lever"], re.sub(r"[0-9.,]+", "#", row["en"])), []).append(row)
    return [
        {
            "lever": lever,
            "years": sorted({row["year"] for row in held}),
            "runs": len({row["replicate"] for row in held}),
            "en": held[0]["en"],
            "zh": held[0]["zh"],
        }
        for (lever, _), held in alike.items()
    ]


# ---- between scenarios


def _compared(cube: Cube) -> list[tuple[str, str]]:
    """Each scenario with what it is compared with: the baseline, or the first one."""
    if not cube.scenarios:
        return []
    base = BASELINE if BASELINE in cube.scenarios else cube.scenarios[0]
    return [(s, base) for s in cube.scenarios if s != base]


def _differences(cube: Cube, money: Sequence[Payment]) -> list[Json]:
    rows: list[Json] = []
    names = (*(f"cv.{stock}" for stock in STOCKS), *HEADLINES)
    for calibration in cube.calibrations:
        for a, b in _compared(cube):
            whose = {"a": a, "b": b, "calibration": calibration}
            for name in names:
                for stage in STAGES:
                    values = [cube.of(s, calibration, name, stage) for s in (a, b)]
                    difference = paired(values[0][:, -1], values[1][:, -1]) if values[0].size else None
                    if difference:
                        rows.append({**whose, "indicator": name, "stage": stage, **difference})
            for kind, transfer in (("real", False), ("transfer", True)):
                spent = [
                    _by_replicate(
                        [p for p in money if (p.scenario, p.calibration) == (s, calibration)], transfer, set(cube.years)
                    )
                    for s in (a, b)
                ]
                both = [r for r in spent[0] if r in spent[1]]
                difference = paired(*(np.array([own[r] for r in both]) for own in spent))
                if difference:
                    rows.append({**whose, "indicator": f"yuan.{kind}", "stage": "all", **difference})
    return rows


def _shared_draws(cube: Cube) -> list[Json]:
    rows = []
    for c, calibration in enumerate(cube.calibrations):
        for a, b in _compared(cube):
            last = cube.values[:, c, :, :, :, -1]
            sides = [last[cube.scenarios.index(s)].reshape(-1, last.shape[-1]) for s in (a, b)]
            complete = np.isfinite(sides[0]).any(axis=0) & np.isfinite(sides[1]).any(axis=0)
            ratio = variance_ratio(*(side[:, complete] for side in sides)) if complete.sum() >= 2 else np.zeros(0)
            if ratio.size:
                rows.append(
                    {
                        "a": a,
                        "b": b,
                        "calibration": calibration,
                        "ratio": float(np.median(ratio)),
                        "indicators": int(ratio.size),
                        "replicates": int(complete.sum()),
                    }
                )
    return rows
