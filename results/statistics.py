"""What is said of values over replicates: mean, range, and the mean difference of pairs with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

RANGE = (5, 95)  # percentiles
CONFIDENCE = 0.95

Floats = NDArray[np.float64]
Json = dict[str, Any]


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
