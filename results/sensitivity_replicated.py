"""Sobol indices of a stochastic model from two replicates or more: products across replicates.

With fresh noise in every run, ordinary estimators count the noise as interaction: an inert factor shows the noise's
share. Products of values from different replicates hold none of it, since their noise is independent. With A, B and
AB_i the values at the base points, at the other base points, and at A with factor i from B, and r ≠ s two replicates,

    S_i  = mean B_r (AB_i,s − A_s) / V
    ST_i = mean ½ (A_r − AB_i,r) (A_s − AB_i,s) / V
    V    = mean ½ (A_r A_s + B_r B_s),    all centred,

estimate the indices of E[Y|X] without bias in their numerators, whether or not the replicates' draws act alike at
different points. What remains of the variance is luck. Intervals are percentiles of a bootstrap over base points;
a base point's replicates have seeds of its own, so that they are drawn anew with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

Floats = NDArray[np.float64]

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Indices:
    """First and total indices of each unit with their 95 % intervals (units, 2), and the share of luck.

    `noise`: share of a single run's variance that no factor explains, with its interval; NaN where it is not known.
    """

    first: Floats
    first_interval: Floats
    total: Floats
    total_interval: Floats
    noise: float
    noise_interval: Floats
    variance: float  # of E[Y|X]

    @property
    def widths(self) -> Floats:
        """Width of each total index's interval."""
        return self.total_interval[:, 1] - self.total_interval[:, 0]


def split(values: Floats, units: int) -> tuple[Floats, Floats, Floats]:
    """A, B (base points, replicates) and AB (base points, units, replicates) of a Saltelli design's values.

    `values`: (points, replicates) in the design's order, without its second-order rows.
    """
    blocks = values.reshape(-1, units + 2, values.shape[1])
    return blocks[:, 0], blocks[:, -1], blocks[:, 1:-1]


def cross_products(a: Floats, b: Floats, ab: Floats, seed: int = 0, resamples: int = RESAMPLES) -> Indices:
    """Indices of E[Y|X]. Raises InputError for one replicate, or values that are no numbers.

    `a`, `b`: (base points, replicates); `ab`: (base points, units, replicates).
    """
    if a.shape[1] < 2:
        raise InputError("sensitivity", "one replicate", "two or more, for products across replicates")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and np.isfinite(ab).all()):
        raise InputError("sensitivity", "values that are no numbers", "whole base points")
    first, total, shared, whole, mean = summands(a, b, ab)
    n = len(a)
    weights = np.full((1, n), 1.0)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    told = _ratios(np.vstack([weights, drawn]) / n, first, total, shared, whole, mean)
    s1, st, noise = (values[0] for values in told)
    low_high = [np.percentile(values[1:], INTERVAL, axis=0).T for values in told]
    variance = float(shared.mean() - mean.mean() ** 2)
    return Indices(s1, low_high[0], st, low_high[1], float(noise), low_high[2], variance)


def summands(a: Floats, b: Floats, ab: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """What the estimators average, by base point: first and total (points, units), V, all variance, the mean."""
    centre = (a.mean() + b.mean()) / 2
    a, b, ab = a - centre, b - centre, ab - centre
    moved = ab - a[:, None]
    first = _across(b[:, None], moved)
    total = _across(moved, moved) / 2
    shared = (_across(a, a) + _across(b, b)) / 2
    whole = ((a**2).mean(axis=-1) + (b**2).mean(axis=-1)) / 2
    return first, total, shared, whole, (a.mean(axis=-1) + b.mean(axis=-1)) / 2


def _across(x: Floats, y: Floats) -> Floats:
    """Mean of x_r y_s over all pairs of different replicates (the last axis)."""
    r = x.shape[-1]
    pairs: Floats = (x.sum(axis=-1) * y.sum(axis=-1) - (x * y).sum(axis=-1)) / (r * (r - 1))
    return pairs


def _ratios(
    weights: Floats, first: Floats, total: Floats, shared: Floats, whole: Floats, mean: Floats
) -> tuple[Floats, Floats, Floats]:
    """Indices and noise under each row of weights over base points."""
    square = (weights @ mean) ** 2
    variance, everything = weights @ shared - square, weights @ whole - square
    safe = np.where(variance > 0, variance, np.inf)  # where noise hides all else, nothing is told
    return (
        (weights @ first) / safe[:, None],
        (weights @ total) / safe[:, None],
        1 - np.divide(variance, everything, out=np.ones_like(variance), where=everything > 0),
    )
