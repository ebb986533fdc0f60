"""SALib behind one fence: designs and indices, with its known faults kept out.

SALib 1.6 turns every index into 0 or NaN where one result is not finite, finds a wrong number of results only where
it does not divide, takes seed 0 for no seed, reseeds NumPy's global generator, changes the process's warning filters,
raises for some numbers of PAWN slices, warns and goes on where results are constant, and cannot tell a factor whose
name ends like one of its own columns. Here a design carries what its analysis must know, results are checked against
it, and what SALib touches is put back. All designs lie in the unit cube: whole numbers and choices come about by
inverting their distribution function (`coordinate`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

Floats = NDArray[np.float64]
Method = Literal["morris", "sobol", "sample"]

DUMMY = "dummy"  # a factor that no run sees, the last of every design
RESERVED = ("_raw", "_step", "_balanced", "_conf")  # endings of delta's own columns
LEVELS = 4  # of a Morris grid
SLICES = 10  # of PAWN, if that many stand in the sample
RESAMPLES = 1000  # of SALib's bootstraps
DELTA_RESAMPLES = 40  # of delta's, each a density estimate
LARGEST_SEED = 2**32 - 2


@dataclass(frozen=True)
class Problem:
    """Factors by name, and the group of each (its own name where it stands alone)."""

    names: tuple[str, ...]
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.names, *self.groups):
            if name.endswith(RESERVED):
                raise InputError(f"factor {name}", f"a name that ends in {RESERVED}", "a name with another ending")
        if self.groups and len(self.groups) != len(self.names):
            raise ValueError("a group for each factor, or none")

    @property
    def units(self) -> tuple[str, ...]:
        """What has an index of its own: groups in the order of their first factor, else factors."""
        return tuple(dict.fromkeys(self.groups)) or self.names

    def spec(self) -> Any:
        """The problem as SALib has it, over the unit cube."""
        from SALib import ProblemSpec

        described: dict[str, Any] = {"names": list(self.names), "bounds": [[0.0, 1.0]] * len(self.names)}
        if self.groups:
            described["groups"] = list(self.groups)
        return ProblemSpec(described)

    def alone(self) -> Problem:
        """The same factors without their groups."""
        return Problem(self.names)


@dataclass(frozen=True)
class Design:
    """Points of the unit cube in the order that their analysis relies on.

    `rows`: (points, factors). `blocks`: how many points hang together, base points of a Sobol design and
    trajectories of a Morris one; a sample's points stand alone.
    """

    problem: Problem
    method: Method
    rows: Floats
    second_order: bool = False

    @property
    def block(self) -> int:
        """Points of a block."""
        n = len(self.problem.units)
        return {"morris": n + 1, "sobol": (2 * n if self.second_order else n) + 2, "sample": 1}[self.method]

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.rows) // self.block

    def part(self, blocks: Any) -> Design:
        """The design with some of its blocks (an index array or slice)."""
        held = self.rows.reshape(self.blocks, self.block, -1)[blocks].reshape(-1, self.rows.shape[1])
        return Design(self.problem, self.method, held, self.second_order)


def coordinate(u: Floats, levels: int) -> Floats:
    """Where in a factor's range a number of the unit interval falls, as a share of the range.

    `levels` equally likely values (whole numbers, choices) split the interval evenly; 0: any value. Inverts the
    distribution function, as a design's factors do.
    """
    if levels < 2:
        return u if levels == 0 else np.zeros_like(u)
    return np.minimum(np.floor(u * levels), levels - 1) / (levels - 1)


# ---- designs


def designed(
    method: Method, factors: Sequence[str], groups: Mapping[str, Sequence[str]], size: int, seed: int
) -> Design:
    """The design of a stage over factors, in groups where they have some, and the dummy.

    `size`: trajectories, points of a sample, or base points.
    """
    names = (*factors, DUMMY)
    group_of = {name: group for group, members in groups.items() for name in members}
    problem = Problem(names, tuple(group_of.get(name, name) for name in names) if group_of else ())
    if method == "morris":
        return morris_design(problem, size, seed)
    return sobol_design(problem, size, seed) if method == "sobol" else sample_design(problem, size, seed)


def morris_design(problem: Problem, trajectories: int, seed: int) -> Design:
    """Trajectories through a grid of four levels, each moving every factor (or group) once."""
    from SALib.sample import morris

    with fenced():
        rows = morris.sample(problem.spec(), trajectories, num_levels=LEVELS, seed=_seed(seed))
    return Design(problem, "morris", np.asarray(rows, float))


def sobol_design(problem: Problem, n: int, seed: int, second_order: bool = False) -> Design:
    """Saltelli's design on n base points, a power of two: the first half of a larger one is the smaller one."""
    from SALib.sample import sobol

    if n & (n - 1) or n < 1:
        raise ValueError(f"{n} base points are no power of two")
    with fenced():
        rows = sobol.sample(problem.spec(), n, calc_second_order=second_order, seed=_seed(seed))
    return Design(problem, "sobol", np.asarray(rows, float), second_order)


def sample_design(problem: Problem, n: int, seed: int) -> Design:
    """A scrambled Sobol sequence, for whatever needs no structure: the first half of a larger one is the smaller."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(problem.names), scramble=True, rng=np.random.default_rng(_seed(seed)))
    with fenced():
        rows = sequence.random(n)
    return Design(problem, "sample", np.asarray(rows, float))


# ---- indices


def morris(design: Design, y: Floats, seed: int) -> dict[str, Floats]:
    """Elementary effects by unit: `mu`, `mu_star`, `sigma` and the half-width `mu_star_conf` (95 %).

    Effects are per whole range. Raises InputError for results that do not fit the design.
    """
    from SALib.analyze import morris as analyser

    wanted = ("mu", "mu_star", "sigma", "mu_star_conf")
    if _checked(design, y, "morris"):
        return _nothing(design, wanted)
    with fenced():
        found = analyser.analyze(
            design.problem.spec(), design.rows, y, num_levels=LEVELS, num_resamples=RESAMPLES, seed=_seed(seed)
        )
    order = [list(found["names"]).index(unit) for unit in design.problem.units]
    return {name: np.asarray(np.ma.filled(found[name], np.nan), float)[order] for name in wanted}


def sobol(design: Design, y: Floats, seed: int, resamples: int = RESAMPLES) -> dict[str, Floats]:
    """`S1`, `ST`, their half-widths `S1_conf`, `ST_conf` and, where the design has it, `S2` (units, units).

    For results without noise. `resamples`: of the bootstrap for the half-widths. Raises InputError for results that
    do not fit the design.
    """
    from SALib.analyze import sobol as analyser

    wanted = ("S1", "S1_conf", "ST", "ST_conf")
    if _checked(design, y, "sobol"):
        return _nothing(design, (*wanted, "S2") if design.second_order else wanted)
    with fenced():
        found = analyser.analyze(
            design.problem.spec(),
            y,
            calc_second_order=design.second_order,
            num_resamples=resamples,
            seed=_seed(seed),
        )
    names = (*wanted, "S2") if design.second_order else wanted
    return {name: np.asarray(found[name], float) for name in names}


def pawn(design: Design, y: Floats, seed: int, slices: int = SLICES) -> dict[str, Floats]:
    """PAWN: how far fixing a factor moves the distribution of results; `median` and `maximum` over slices."""
    from SALib.analyze import pawn as analyser

    check_slices(slices)
    if _checked(design, y, "sample"):
        return _nothing(design, ("median", "maximum"))
    with fenced():
        found = analyser.analyze(design.problem.spec(), design.rows, y, S=slices, seed=_seed(seed))
    return {name: np.asarray(found[name], float) for name in ("median", "maximum")}


def delta(design: Design, y: Floats, seed: int) -> dict[str, Floats]:
    """Borgonovo's delta of each factor with its half-width, and first-order indices from the same sample."""
    from SALib.analyze import delta as analyser

    alone = Design(design.problem.alone(), design.method, design.rows)
    wanted = {"delta": "delta_raw", "delta_conf": "delta_raw_conf", "S1": "S1", "S1_conf": "S1_conf"}
    if _checked(alone, y, "sample"):
        return _nothing(alone, tuple(wanted))
    with fenced():
        found = analyser.analyze(
            alone.problem.spec(), alone.rows, y, num_resamples=DELTA_RESAMPLES, method="all", seed=_seed(seed)
        )
    return {name: np.asarray(found[key], float) for name, key in wanted.items()}


def slices_for(n: int) -> int:
    """Slices that leave a sample of n some 15 points each, as many as PAWN can take."""
    return next(s for s in range(min(SLICES, max(n // 15, 2)), 1, -1) if _sliceable(s))


def check_slices(slices: int) -> None:
    """Raise InputError where PAWN would fail on its own rounding."""
    if slices < 2 or not _sliceable(slices):
        near = next(s for s in range(max(slices, 2), slices + 10) if _sliceable(s))
        raise InputError("PAWN", f"{slices} slices, whose ends SALib rounds beyond 1", f"e.g. {near}")


# ---- the fence


@contextmanager
def fenced() -> Iterator[None]:
    """Put back what SALib touches in the whole process: NumPy's global generator, warning filters and format."""
    state, formatting = np.random.get_state(), warnings.formatwarning  # noqa: NPY002 - it is SALib that uses it
    try:
        with warnings.catch_warnings(record=True):  # kept to itself, whatever filters SALib sets
            yield
    finally:
        warnings.formatwarning = formatting
        np.random.set_state(state)  # noqa: NPY002


def _seed(seed: int) -> int:
    """A seed that SALib does not take for none."""
    return seed % LARGEST_SEED + 1


def _sliceable(slices: int) -> bool:
    step = 1 / slices
    ends = np.arange(0, 1 + step, step)  # as SALib does it
    return bool(len(ends) >= slices + 1 and ends.max() <= 1)


def _checked(design: Design, y: Floats, method: Method) -> bool:
    """Whether results are constant. Raises InputError where they do not fit the design or are not finite."""
    if design.method != method:
        raise ValueError(f"results of a {design.method} design, analysed as {method}")
    if y.shape != (len(design.rows),):
        raise InputError("sensitivity", f"{y.size} results", f"{len(design.rows)}, one a point of the design")
    if lacking := int((~np.isfinite(y)).sum()):
        raise InputError("sensitivity", f"{lacking} results that are no numbers", "a number at every point")
    return bool(np.ptp(y) <= 1e-12 * max(1.0, float(np.abs(y).max())))


def _nothing(design: Design, names: Sequence[str]) -> dict[str, Floats]:
    """Indices of results that are constant: nothing drives what does not move."""
    n = len(design.problem.units)
    return {name: np.zeros((n, n) if name == "S2" else n) for name in names}
