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

from model.ledger import TRANSFERS
from model.national_standard import INDICATORS as STOCKS
from model.national_standard import standard
from results.comparison import HEADLINES, STAGES, chosen, differences_in, reference_of, shared_draws, tables_of
from results.run_folder import RunFolder
from results.series import BASELINE, At, Series
from results.statistics import RANGE, spread
from results.targets import judge

Json = dict[str, Any]


def summarise(folder: RunFolder) -> Json:
    """The summary of a complete run folder, JSON-able. Raises InputError where its tables are not written."""
    manifest = folder.manifest
    series = Series.read(folder, [*(f"cv.{stock}" for stock in STOCKS), *HEADLINES], ("region",))
    compared = len(series.scenarios) > 1 and bool(series.years)
    last, finance = tables_of(folder) if compared else (None, None)
    money = _money(folder)
    targets = folder.table("targets", filters=[("design_point", "=", 0)]).to_pylist()
    notices = folder.table("notices", filters=[("design_point", "=", 0)]).to_pylist()
    with folder.reading() as ledger:
        standing, failures = ledger.standing(), ledger.failures()
    pairs = [(s, c) for c in series.calibrations for s in series.scenarios]
    return {
        "folder": str(folder.path),
        "status": folder.status,
        "region": manifest["region"]["profile"],
        "calibrations": series.calibrations,
        "years": [series.years[0], series.years[-1]] if series.years else [],
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
                "cv": _cvs(series, s, c),
                "headlines": _headlines(series, s, c),
                "yuan": _yuan([m for m in money if (m.scenario, m.calibration) == (s, c)], series.years),
                "targets": _targets(targets, series, s, c, _without_plan(folder, s, c)),
                "notices": _notices(notices, s, c),
            }
            for s, c in pairs
        ],
        "differences": [] if last is None else _differences(last, finance, series.scenarios, series.calibrations),
        "shared_draws": [] if last is None else _shared_draws(last, series.scenarios, series.calibrations),
        "failures": [
            {**key, "attempts": attempts, "error": text.strip().splitlines()[-1]} for key, attempts, text in failures
        ],
    }


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


def _cvs(series: Series, scenario: str, calibration: str) -> list[Json]:
    rows = []
    for stage, limit in zip(STAGES, standard().cv_limit, strict=False):
        for stock in STOCKS:
            values = series.of(At(scenario, calibration, f"cv.{stock}", stage))
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


def _headlines(series: Series, scenario: str, calibration: str) -> list[Json]:
    rows = []
    for name in HEADLINES:
        for stage in STAGES:
            values = series.of(At(scenario, calibration, name, stage))
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
    rows: Sequence[Json], series: Series, scenario: str, calibration: str, without: Mapping[str, float]
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
        due = not series.years or held[0]["due"] <= series.years[-1]
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


def _differences(rows: pa.Table, finance: pa.Table | None, scenarios: list[str], calibrations: list[str]) -> list[Json]:
    found = differences_in(rows, finance, scenarios, calibrations, reference_of(scenarios), chosen(()))
    return [
        {
            "a": d.scenario,
            "b": d.reference,
            "calibration": d.calibration,
            "indicator": d.indicator,
            "stage": d.stage,
            "mean": d.difference,
            "low": d.low,
            "high": d.high,
            "pairs": d.pairs,
        }
        for d in found
        if d.pairs > 1
    ]


def _shared_draws(rows: pa.Table, scenarios: list[str], calibrations: list[str]) -> list[Json]:
    return [
        {
            "a": shared.scenario,
            "b": shared.reference,
            "calibration": shared.calibration,
            "ratio": 1 / shared.variance_ratio,
            "indicators": shared.outcomes,
            "replicates": shared.replicates,
        }
        for shared in shared_draws(rows, scenarios, calibrations, reference_of(scenarios))
    ]
