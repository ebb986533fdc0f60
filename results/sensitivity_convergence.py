"""Whether indices have settled: the same on a quarter, a half and all of the points, with a verdict.

After Sarrazin, Pianosi and Wagener (Environmental Modelling & Software 79, 2016): intervals narrow enough, ranks that
the second half of the points does not change, and a dummy that is found inert.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from results.sensitivity_replicated import Indices

Floats = NDArray[np.float64]

SHARES = (4, 2, 1)  # the points are divided by these
WIDTH = 0.1  # of the interval of every total index above it
RANKS = 0.8  # weighted rank correlation of total indices on a half and on all
SMALL = 0.05  # total indices below it have no rank of their own
FEWEST = 16  # points or base points of a part


@dataclass(frozen=True)
class Step:
    """Indices from so many points or base points."""

    size: int
    indices: Indices


@dataclass(frozen=True)
class Verdict:
    """Whether indices have settled. `widest`: of the intervals of total indices above WIDTH."""

    widest: float
    ranks: float  # NaN where there is nothing to compare with
    dummy: bool  # whether its interval holds 0

    @property
    def settled(self) -> bool:
        """Whether all three hold."""
        return self.widest <= WIDTH and not self.ranks < RANKS and self.dummy


def parts_of(size: int) -> list[int]:
    """A quarter, a half and all of `size` points; parts that are too small are left out."""
    return [size // share for share in SHARES if size // share >= FEWEST or share == 1]


def verdict(steps: list[Step], dummy: int) -> Verdict:
    """The verdict on the last of some steps; `dummy`: which unit it is."""
    last = steps[-1].indices
    kept = np.arange(len(last.total)) != dummy
    ranks = _same_order(steps[-2].indices.total[kept], last.total[kept]) if len(steps) > 1 else float("nan")
    widest = max((w for w, t in zip(last.widths, last.total, strict=True) if t > WIDTH), default=0.0)
    low, high = last.total_interval[dummy]
    return Verdict(float(widest), ranks, bool(low <= 0 <= high))


def _same_order(before: Floats, after: Floats) -> float:
    """Weighted rank correlation of total indices; those below SMALL stand on one rank, since theirs means nothing."""
    before, after = (np.where(total < SMALL, 0.0, total) for total in (before, after))
    if not (before.any() and after.any()):
        return 1.0 if before.any() == after.any() else 0.0
    from scipy.stats import weightedtau

    return float(weightedtau(before, after).statistic)
