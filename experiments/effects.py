"""Effects over replicates: mean paired difference with its interval, and how it stands to a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


class Effect(NamedTuple):
    """A mean paired difference and half the width of its 95 % t interval."""

    mean: float
    half: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return abs(self.mean) > self.half


def effect(differences: Sequence[float], among: int = 1) -> Effect:
    """Mean and half-width over replicates; wider where it is picked `among` so many (Bonferroni)."""
    d = np.asarray(differences, np.float64)
    t = float(stdtrit(d.size - 1, 1 - (1 - CONFIDENCE) / 2 / among))
    return Effect(float(d.mean()), t * float(d.std(ddof=1)) / d.size**0.5)


@dataclass(frozen=True)
class Range:
    """What is expected of an effect: above `low`, below `high`; a bound may be infinite."""

    low: float = -np.inf
    high: float = np.inf

    def holds(self, found: Effect) -> str:
        """Whether the whole interval lies inside the range: yes, no (all of it outside or on a bound), or open."""
        if not np.isfinite(found.mean):
            return "no"
        low, high = found.mean - found.half, found.mean + found.half
        if self.low < low and high < self.high:
            return "yes"
        return "no" if high <= self.low or low >= self.high else "open"

    def agrees(self, found: Effect) -> str:
        """Where an estimate lies: inside (its interval no wider than the range), outside (all of it), or open."""
        low, high = found.mean - found.half, found.mean + found.half
        if self.low <= found.mean <= self.high and high - low <= self.high - self.low:
            return "inside"
        return "outside" if high < self.low or low > self.high or not np.isfinite(found.mean) else "open"


def number(value: float, decimals: int, sign: str = "+") -> str:
    """A number as text with a true minus; zero where it rounds to zero."""
    text = f"{value:{sign}.{decimals}f}"
    return f"{0:.{decimals}f}" if float(text) == 0 else text.replace("-", "−")
