"""What a sensitivity study found: for every outcome what drives it, what does not, and how much is luck.

`analyse(folder)` reads the runs of `junheng sensitivity`, applies the methods of its stages and is what text, pictures
and tables are made of. A block (base point, trajectory, point) in which a run failed or has no value is left out whole
and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model.errors import InputError
from results import sensitivity_convergence as convergence
from results import sensitivity_surrogate as surrogate
from results.responses import Answer
from results.run_folder import RunFolder
from results.sensitivity_convergence import Step, Verdict, parts_of
from results.sensitivity_luck import Means, dealt, means
from results.sensitivity_replicated import Indices, cross_products, split
from results.sensitivity_salib import DUMMY, Design, Problem, delta, designed, morris, pawn, sample_design, slices_for

Floats = NDArray[np.float64]
Json = dict[str, Any]

DRIVES = 0.05  # total index from which a factor is said to drive an outcome
CHANCE = 39  # columns that mean nothing, beside which PAWN is looked at
TELLING = 0.5  # lower bound of Q² from which a surrogate may say how many direct runs it would take
LARGE = 512  # runs from which several processes look at the outcomes
TABLE = "sensitivity.parquet"
KEYS = ("scenario", "calibration", "indicator", "stage", "level", "place", "year")


@dataclass(frozen=True)
class Screening:
    """Morris: mean size of elementary effects (per whole range, in the outcome's unit), its half-width, spread."""

    units: tuple[str, ...]
    mu: Floats
    mu_star: Floats
    half_width: Floats
    sigma: Floats
    trajectories: int


@dataclass(frozen=True)
class GivenData:
    """PAWN by unit, Borgonovo's delta and first-order indices by factor, all from one sample.

    `chance`: the largest PAWN of CHANCE columns of numbers that mean nothing.
    """

    units: tuple[str, ...]
    factors: tuple[str, ...]
    pawn: Floats
    chance: float
    delta: Floats
    delta_half_width: Floats
    first: Floats
    points: int


@dataclass(frozen=True)
class Variance:
    """Sobol indices of E[Y|X], through a surrogate or directly, and whether they have settled.

    `q2`: None where they are direct. `direct_runs`, `surrogate_runs`: what would bring intervals within the width
    wanted, directly and through a surrogate; None where nothing can be said.
    """

    units: tuple[str, ...]
    steps: tuple[Step, ...]
    second: Floats
    verdict: Verdict
    q2: float | None
    q2_low: float | None
    q2_raw: float | None
    direct_runs: int | None
    surrogate_runs: int | None = None

    @property
    def indices(self) -> Indices:
        """From all points."""
        return self.steps[-1].indices

    @property
    def believed(self) -> bool:
        """Whether they are direct, or from a surrogate that predicts well."""
        return self.q2 is None or self.q2_low is None or surrogate.believed(self.q2, self.q2_low)


@dataclass(frozen=True)
class Finding:
    """All that was found of one outcome under one calibration; `left_out`: blocks without a value."""

    answer: Answer
    screening: Screening | None
    given: GivenData | None
    surrogate: Variance | None
    direct: Variance | None
    left_out: int

    @property
    def variance(self) -> Variance | None:
        """The Sobol indices to be told: the surrogate's where it is believed, else direct ones; None without both."""
        return self.surrogate if self.surrogate is not None and self.surrogate.believed else self.direct


def analyse(folder: RunFolder, workers: int = 1) -> list[Finding]:
    """The findings of a complete study, outcome by outcome. Raises InputError where the folder is none.

    `workers`: processes that share the outcomes of a large study; numbers are the same of any.
    """
    manifest = folder.manifest
    if "stages" not in manifest["design"]:
        raise InputError(str(folder.path), "a run without stages", "the folder of `junheng sensitivity`")
    designs = [(stage, _design(folder, stage)) for stage in manifest["design"]["stages"]]
    answers = _answers(folder)
    if not answers:
        raise InputError(str(folder.path), "no value of any outcome", "outcomes that these runs have")
    work = partial(_finding, manifest, designs)
    if min(workers, len(answers)) < 2 or answers[0].values.size < LARGE:
        return list(map(work, answers))
    with ProcessPoolExecutor(min(workers, len(answers)), get_context("spawn")) as pool:
        return list(pool.map(work, answers))


def kind_of(unit: str, manifest: Mapping[str, Any]) -> str:
    """lever, uncertainty, mixed (a group of both) or dummy."""
    factors, groups = manifest["design"]["factors"], manifest["design"]["groups"]
    if unit == DUMMY:
        return "dummy"
    kinds = {factors[name]["kind"] for name in groups.get(unit, [unit])}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def verdict_of(unit: int, indices: Indices) -> str:
    """drives, little or unclear, by the interval of a total index."""
    low, high = indices.total_interval[unit]
    if low >= DRIVES or (low > 0 and indices.total[unit] >= 2 * DRIVES):
        return "drives"
    return "little" if high < 2 * DRIVES and indices.total[unit] < DRIVES else "unclear"


def screened(findings: Sequence[Finding], share: float = 0.1) -> list[str]:
    """Units that screening keeps: of any outcome, those whose effect may be a tenth of the largest one or more.

    A tenth of the largest effect is about a hundredth of its variance.
    """
    kept: dict[str, None] = {}
    for finding in findings:
        if finding.screening is None:
            continue
        found = finding.screening
        alive = [i for i, unit in enumerate(found.units) if unit != DUMMY]
        largest = max((found.mu_star[i] for i in alive), default=0.0)
        for i in alive:
            if largest > 0 and found.mu_star[i] + found.half_width[i] >= share * largest:
                kept[found.units[i]] = None
    return list(kept)


# ---- tables


def rows(findings: Sequence[Finding]) -> list[Json]:
    """Every number found, one a row: whose, by which method, of what, from how many points, with its interval."""
    told: list[Json] = []
    for finding in findings:
        key = {name: getattr(finding.answer, name) for name in KEYS}
        told += [key | row for row in _rows(finding)]
    return told


def write_table(folder: RunFolder, findings: Sequence[Finding]) -> None:
    """Write `sensitivity.parquet` into the run folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder.path / TABLE
    unfinished = path.with_name(f".{TABLE}.unfinished")
    try:
        pq.write_table(pa.Table.from_pylist(rows(findings)), unfinished, compression="zstd")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def as_data(folder: RunFolder, findings: Sequence[Finding]) -> Json:
    """What `junheng sensitivity --json` prints."""
    manifest = folder.manifest
    with folder.reading() as ledger:
        standing = ledger.standing()
    return {
        "folder": str(folder.path),
        "status": folder.status,
        "region": manifest["region"]["profile"],
        "seed": manifest["seed"],
        "replicates": manifest["replicates"],
        "runs": {"planned": manifest["runs"], "done": standing.done, "failed": standing.failed},
        "design": manifest["design"],
        "findings": [_told(manifest, finding) for finding in findings],
    }


def _told(manifest: Mapping[str, Any], finding: Finding) -> Json:
    found: Json = {name: getattr(finding.answer, name) for name in KEYS} | {"left_out": finding.left_out}
    chosen = finding.variance or finding.surrogate
    if chosen is not None:
        indices = chosen.indices
        found["sobol"] = {
            "by": "direct" if chosen.q2 is None else "surrogate",
            "q2": _number(chosen.q2),
            "q2_low": _number(chosen.q2_low),
            "q2_raw": _number(chosen.q2_raw),
            "believed": chosen.believed,
            "settled": chosen.verdict.settled and chosen.believed,
            "widest": chosen.verdict.widest,
            "ranks": _number(chosen.verdict.ranks),
            "dummy_holds_zero": chosen.verdict.dummy,
            "direct_runs": chosen.direct_runs,
            "surrogate_runs": chosen.surrogate_runs,
            "luck": _interval(indices.noise, indices.noise_interval),
            "factors": {
                unit: {
                    "kind": kind_of(unit, manifest),
                    "total": _interval(indices.total[i], indices.total_interval[i]),
                    "first": _interval(indices.first[i], indices.first_interval[i]),
                    "verdict": verdict_of(i, indices) if chosen.believed else "unclear",
                }
                for i, unit in enumerate(chosen.units)
            },
        }
    found["rows"] = list(_rows(finding))
    return found


def _rows(finding: Finding) -> list[Json]:
    told: list[Json] = []

    def add(
        method: str, measure: str, factor: str, points: int, value: float, low: Any, high: Any, other: str = ""
    ) -> None:
        numbers = {"value": _number(value), "low": _number(low), "high": _number(high)}
        told.append(
            {"method": method, "measure": measure, "factor": factor, "other": other, "points": points, **numbers}
        )

    if (m := finding.screening) is not None:
        for i, unit in enumerate(m.units):
            add("morris", "mu", unit, m.trajectories, m.mu[i], None, None)
            low, high = m.mu_star[i] - m.half_width[i], m.mu_star[i] + m.half_width[i]
            add("morris", "mu_star", unit, m.trajectories, m.mu_star[i], low, high)
            add("morris", "sigma", unit, m.trajectories, m.sigma[i], None, None)
    if (g := finding.given) is not None:
        for i, unit in enumerate(g.units):
            add("pawn", "median", unit, g.points, g.pawn[i], None, None)
        add("pawn", "chance", "", g.points, g.chance, None, None)
        for i, factor in enumerate(g.factors):
            half = g.delta_half_width[i]
            add("delta", "delta", factor, g.points, g.delta[i], g.delta[i] - half, g.delta[i] + half)
            add("delta", "first", factor, g.points, g.first[i], None, None)
    for by, v in (("surrogate", finding.surrogate), ("direct", finding.direct)):
        if v is None:
            continue
        method = f"sobol.{by}"
        for step in v.steps:
            for i, unit in enumerate(v.units):
                add(method, "total", unit, step.size, step.indices.total[i], *step.indices.total_interval[i])
                add(method, "first", unit, step.size, step.indices.first[i], *step.indices.first_interval[i])
            add(method, "luck", "", step.size, step.indices.noise, *step.indices.noise_interval)
        for i, j in np.argwhere(np.isfinite(v.second)):
            add(method, "second", v.units[i], v.steps[-1].size, v.second[i, j], None, None, v.units[j])
        if v.q2 is not None:
            add(method, "q2", "", v.steps[-1].size, v.q2, v.q2_low, None)
    return told


def _interval(value: float, ends: Sequence[float] | Floats) -> Json:
    return {"value": _number(value), "low": _number(ends[0]), "high": _number(ends[1])}


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


# ---- reading


def _design(folder: RunFolder, stage: Mapping[str, Any]) -> Design:
    """A stage's design, made again as it was. Raises InputError where today's SALib makes another one."""
    manifest = folder.manifest
    design = designed(stage["kind"], stage["factors"], manifest["design"]["groups"], stage["size"], manifest["seed"])
    held = hashlib.blake2b(np.round(design.rows, 12).tobytes(), digest_size=16).hexdigest()
    if held != stage["content"]:
        raise InputError(
            str(folder.path), "a design that SALib or SciPy of today draws otherwise", "their versions then"
        )
    return design


def _answers(folder: RunFolder) -> list[Answer]:
    """Every outcome's values at every point (points, replicates); NaN where a run has none.

    Where the study is against a scenario, values are differences from its run on the same seeds and uncertainties.
    """
    manifest = folder.manifest
    against = manifest["design"].get("against", "")
    points = manifest["design"]["stages"][-1]["points"][1]
    found = []
    for outcome in manifest["design"]["outcomes"]:
        said = outcome | {"year": outcome["year"] or manifest["last_year"]}
        filters = [(name, "=", value) for name, value in said.items() if value != ""]
        columns = ["scenario", "calibration", "design_point", "replicate", "value"]
        table = folder.table("indicators", columns, filters)
        for calibration in manifest["calibrations"]:
            values_of = {}
            for scenario in manifest["scenarios"]:
                mine = table.filter((pc.field("scenario") == scenario) & (pc.field("calibration") == calibration))
                values = np.full((points, manifest["replicates"]), np.nan)
                values[mine["design_point"].to_numpy(), mine["replicate"].to_numpy()] = mine["value"].to_numpy()
                values_of[scenario] = values
            if against:
                reference = values_of.pop(against)
                values_of = {f"{name} − {against}": values - reference for name, values in values_of.items()}
            for name, values in values_of.items():
                if np.isfinite(values).any():
                    found.append(Answer(name, calibration, values=values, **said))
    return found


# ---- methods


def _finding(manifest: Mapping[str, Any], designs: Sequence[tuple[Json, Design]], answer: Answer) -> Finding:
    with threadpool_limits(1):  # sums of several threads differ in their last digits
        return _found(manifest, designs, answer)


def _found(manifest: Mapping[str, Any], designs: Sequence[tuple[Json, Design]], answer: Answer) -> Finding:
    seed, left_out = manifest["seed"], 0
    found: dict[str, Any] = dict.fromkeys(("screening", "given", "surrogate", "direct"))
    for stage, design in designs:
        values = answer.values[slice(*stage["points"])]
        whole = np.isfinite(values.reshape(design.blocks, -1)).all(axis=1)
        left_out += int((~whole).sum())
        kept = design.part(whole)
        values = values.reshape(design.blocks, design.block, -1)[whole].reshape(-1, values.shape[1])
        levels = np.array([manifest["design"]["factors"].get(n, {"levels": 0})["levels"] for n in kept.problem.names])
        if kept.blocks < 2:
            continue
        if stage["kind"] == "morris":
            found["screening"] = _screening(kept, values, seed)
        elif stage["kind"] == "sobol":
            found["direct"] = _direct(kept, values, seed)
        else:
            hands = dealt(design.blocks, values.shape[1])[whole] if "shared" in stage else None
            parts = {n: means(values[:n], hands if hands is None else hands[:n]) for n in parts_of(kept.blocks)}
            found["given"] = _given(kept, parts[kept.blocks].value, seed)
            if manifest["design"]["method"] in ("sobol", "auto"):
                found["surrogate"] = _surrogate(kept, levels, parts, seed)
    return Finding(answer, left_out=left_out, **found)


def _screening(design: Design, values: Floats, seed: int) -> Screening:
    told = morris(design, values.mean(axis=1), seed)
    return Screening(
        design.problem.units, told["mu"], told["mu_star"], told["mu_star_conf"], told["sigma"], design.blocks
    )


def _given(design: Design, y: Floats, seed: int) -> GivenData:
    slices = slices_for(design.blocks)
    moment_free = pawn(design, y, seed, slices)
    meaningless = sample_design(Problem(tuple(f"column {i}" for i in range(CHANCE))), design.blocks, seed + 1)
    told = delta(design, y, seed)
    return GivenData(
        design.problem.units,
        design.problem.names,
        moment_free["median"],
        float(pawn(meaningless, y, seed, slices)["median"].max()),
        told["delta"],
        told["delta_conf"],
        told["S1"],
        design.blocks,
    )


def _surrogate(design: Design, levels: Floats, parts: Mapping[int, Means], seed: int) -> Variance | None:
    """Indices through a surrogate, of a quarter, a half and all of the points; None where nothing moves."""
    problem, last = design.problem, design.blocks
    told = parts[last]
    if np.ptp(told.value) <= 1e-12 * max(1.0, float(np.abs(told.value).max())):
        return None
    studies = {
        n: surrogate.study(problem, levels, design.rows[:n], part, seed, second=n == last) for n, part in parts.items()
    }
    steps = tuple(Step(n, study.indices) for n, study in studies.items())
    whole, width = studies[last], convergence.WIDTH
    return Variance(
        problem.units,
        steps,
        whole.second,
        convergence.verdict(list(steps), len(problem.units) - 1),
        whole.q2,
        whole.q2_low,
        whole.q2_raw,
        surrogate.direct_runs(problem, levels, whole.surrogate, told, width, seed) if whole.q2_low >= TELLING else None,
        surrogate.more_runs(whole.indices, whole.of_seeds, last, width, told.replicates) if whole.believed else None,
    )


def _direct(design: Design, values: Floats, seed: int) -> Variance | None:
    """Indices by products across replicates, of a quarter, a half and all of the base points."""
    if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    units = design.problem.units
    a, b, ab = split(values, len(units))
    steps = [Step(n, cross_products(a[:n], b[:n], ab[:n], seed)) for n in parts_of(design.blocks)]
    return Variance(
        units,
        tuple(steps),
        np.full((len(units),) * 2, np.nan),
        convergence.verdict(steps, len(units) - 1),
        None,
        None,
        None,
        surrogate.runs_for(steps[-1].indices, design.blocks, convergence.WIDTH, values.shape[1]),
    )
