"""Whether indices have settled: the same on a quarter, a half and all of the points, with a verdict.

After Sarrazin, Pianosi and Wagener (Environmental Modelling & Software 79, 2016): intervals narrow enough, ranks that
the second half of the points does not change, and a dummy that is found inert.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from results.sensitivity_replicated import Indices

SHARES = (4, 2, 1)  # the points are divided by these
WIDTH = 0.1  # of the interval of every total index above it
RANKS = 0.8  # weighted rank correlation of total indices on a half and on all
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


def converge(size: int, indices_of: Callable[[int], Indices]) -> list[Step]:
    """Indices on a quarter, a half and all of `size` points; parts that are too small are left out."""
    sizes = [size // share for share in SHARES if size // share >= FEWEST or share == 1]
    return [Step(n, indices_of(n)) for n in sizes]


def verdict(steps: list[Step], dummy: int) -> Verdict:
    """The verdict on the last of some steps; `dummy`: which unit it is."""
    last = steps[-1].indices
    ranks = float("nan")
    kept = np.arange(len(last.total)) != dummy
    if len(steps) > 1 and kept.sum() > 1:
        from scipy.stats import weightedtau

        ranks = float(weightedtau(steps[-2].indices.total[kept], last.total[kept]).statistic)
    widest = max((w for w, t in zip(last.widths, last.total, strict=True) if t > WIDTH), default=0.0)
    low, high = last.total_interval[dummy]
    return Verdict(float(widest), ranks, bool(low <= 0 <= high))
