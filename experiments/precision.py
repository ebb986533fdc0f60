"""How many replicates a difference needs: on until its interval is as narrow as asked for.

The confidence-interval method with look-ahead (Hoad, Robinson and Davies, Journal of the Operational Research
Society 61, 2010): from the tenth replicate on, the half-width of the paired 95 % t interval must be small enough, and
stay so over the next five replicates (five in a hundred beyond the hundredth). Stopping at the first success
instead would choose moments at which the spread happens to look small; `python -m benchmarks.stopping` measures both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from model.errors import InputError
from results.statistics import CONFIDENCE

FIRST = 10  # replicates before which no interval is trusted
AHEAD = 5  # replicates over which the half-width must stay small, up to the hundredth; then as many in a hundred
SKEWED = 1.0  # skewness of differences beyond which intervals cover less than they say (benchmarks/stopping.py)
MOST = 200  # replicates, if no other cap is asked for

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """The half-width wanted: in the outcome's unit, or as a share of the mean difference."""

    width: float
    relative: bool = False

    @classmethod
    def read(cls, text: str) -> Goal:
        """A goal such as `0.02` or `10%`. Raises InputError."""
        number, relative = (text.strip()[:-1], True) if text.strip().endswith(("%", "％")) else (text, False)
        try:
            width = float(number)
        except ValueError:
            width = math.nan
        if not (math.isfinite(width) and width > 0):
            raise InputError("--precision", text, "a half-width above zero, e.g. 0.02, or a share such as 10%")
        return cls(width / 100 if relative else width, relative)

    def met(self, means: Floats, half_widths: Floats) -> NDArray[np.bool_]:
        """Where a half-width is small enough."""
        return half_widths <= (self.width * np.abs(means) if self.relative else self.width)


def running(differences: Floats) -> tuple[Floats, Floats]:
    """Mean and half-width of the first 1, 2, … differences; the half-width of one is infinite."""
    n = np.arange(1, differences.size + 1)
    centred = differences - differences[:1].sum()  # squares of small numbers: no digits lost
    means = np.cumsum(centred) / n
    squares = np.maximum(np.cumsum(centred**2) - n * means**2, 0.0)
    half = np.full(differences.size, np.inf)
    m = n[1:]
    half[1:] = stdtrit(m - 1, 0.5 + CONFIDENCE / 2) * np.sqrt(squares[1:] / (m - 1) / m)
    return means + differences[:1].sum(), half


def skewness(differences: Floats) -> float:
    """Size of the third standardized moment; 0 where nothing varies."""
    centred = differences - differences.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    return abs(float(np.mean(centred**3))) / spread**3 if spread > 0 else 0.0


def ahead(n: int) -> int:
    """Replicates to look ahead from n."""
    return AHEAD if n <= 100 else AHEAD * n // 100


def stops_at(differences: Floats, goal: Goal, first: int = FIRST, look: Callable[[int], int] = ahead) -> int | None:
    """The replicates that the rule asks for, look-ahead included; None while it asks for more than there are."""
    means, half = running(differences)
    good = goal.met(means, half)
    for n in range(first, differences.size + 1):
        last = n + look(n)
        if last > differences.size:
            return None
        if good[n - 1 : last].all():
            return last
    return None


def more(series: Iterable[Floats], goal: Goal, now: int, most: int) -> int | None:
    """How many replicates to go on to, from `now`: None where every series of differences has stopped.

    As many as the spread so far lets expect, at most twice as many as now, and the look-ahead; `most` at most.
    """
    waiting = [d for d in series if stops_at(d, goal) is None]
    if not waiting:
        return None
    return min(max(now + 1, *(_expected(d, goal, now) for d in waiting)), most)


def _expected(differences: Floats, goal: Goal, now: int) -> int:
    """Replicates at which the rule may be met, as far as the spread so far tells."""
    means, half = running(differences)
    good = goal.met(means, half)
    if good.size and good[-1]:  # it looks ahead from the first of those that are good up to now
        begun = max(good.size - int(np.argmin(good[::-1])) + 1 if not good.all() else 1, FIRST)
        return now - good.size + begun + ahead(begun)
    width = goal.width * abs(float(means[-1])) if goal.relative else goal.width
    n = differences.size * (float(half[-1]) / width) ** 2 if width > 0 and differences.size > 1 else math.inf
    expected = math.ceil(min(n, 2 * now))
    return max(expected + ahead(expected), FIRST + AHEAD)
