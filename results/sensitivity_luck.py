"""Means over replicates at the points of a sample, without the luck that points share.

What another draw of children and teachers does to every point alike tells nothing about factors, and is most of a
run's luck. Points of a sample therefore share seeds: every replicate deals SHARED seeds out anew to each SHARED points
in order, a stretch of a scrambled Sobol sequence that fills the whole cube (Schruben and Margolin, Journal of the
American Statistical Association 73, 1978, on seeds dealt out in blocks). A run is then its point's mean, its seed's
effect and what is left,

    y[point, replicate] = mean[point] + effect[seed] + left,

with effects that are random: Henderson's mixed model equations for the means, his third method for the two variances
(Searle, Casella and McCulloch, Variance Components, 1992, chapters 5 and 7). Where seeds do nothing to all points
alike, or too few runs tell, or none is shared, these are plain means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

SHARED = 32  # seeds of a replicate, and points that each is dealt out to once
FREEDOM = 30  # degrees of freedom from which what is left is told from what seeds do


@dataclass(frozen=True)
class Means:
    """E[Y|X] at each point of a sample, as far as replicates tell.

    `value`, `noise`: the mean at each point, and the variance of its error but for one that all have; `spread`: of each
    point, the variance of a run; `shared`, `own`: the variance of what a seed does to all points alike, and of what is
    left; `seeds`: numbers from 0 on (points, replicates); `left`: what is left of each run. One replicate has no
    spread and no noise.
    """

    value: Floats
    noise: Floats
    spread: Floats
    shared: float
    own: float
    seeds: Whole
    left: Floats

    @property
    def replicates(self) -> int:
        """Runs of a point."""
        return self.left.shape[1]

    @property
    def seeds_shared(self) -> bool:
        """Whether points share seeds, and more than one run tells what they do."""
        return self.replicates > 1 and int(self.seeds.max()) + 1 < self.seeds.size


def dealt(points: int, replicates: int) -> Whole:
    """Which of a replicate's SHARED seeds each run has (points, replicates); more points or replicates change none."""
    blocks = -(-points // SHARED)
    hands = [np.random.default_rng((r, b)).permutation(SHARED) for r in range(replicates) for b in range(blocks)]
    return np.array(hands).reshape(replicates, -1)[:, :points].T


def means(values: Floats, hands: Whole | None = None) -> Means:
    """The means of values (points, replicates); `hands`: which seed of its replicate each run has, None: all differ."""
    points, replicates = values.shape
    plain, every = values.mean(axis=1), np.arange(values.size).reshape(values.shape)
    if replicates == 1:
        none = np.zeros(points)
        return Means(plain, none, none, 0.0, 0.0, every, np.zeros_like(values))
    spread, within = values.var(axis=1, ddof=1), values - plain[:, None]
    if hands is None or points <= SHARED:
        return Means(plain, spread / replicates, spread, 0.0, float(spread.mean()), every, within)
    seeds = np.unique(hands + SHARED * np.arange(replicates), return_inverse=True)[1].reshape(values.shape)
    met = np.zeros((points, int(seeds.max()) + 1))  # how often a point meets a seed: once or never
    np.put_along_axis(met, seeds, 1.0, axis=1)
    shared, own = _variances(within, seeds, met)
    if shared == 0:
        return Means(plain, spread / replicates, spread, 0.0, float(spread.mean()), seeds, within)
    contrasts = np.diag(met.sum(axis=0) + own / shared) - met.T @ met / replicates
    solve = np.linalg.pinv(contrasts, hermitian=True)
    effect = solve @ np.bincount(seeds.ravel(), within.ravel())
    value = plain - effect[seeds].mean(axis=1)
    left = values - effect[seeds] - value[:, None]
    # of the means' errors, the part that differs between points: of the runs and of the seeds' effects
    apart = met - met.mean(axis=0)
    error = own * (1 / replicates + ((apart @ solve) * apart).sum() / (replicates**2 * (points - 1)))
    weight = (left**2).mean(axis=1)
    return Means(value, error * weight / (weight.mean() or 1.0), spread, shared, own, seeds, left)


def _variances(within: Floats, seeds: Whole, met: Floats) -> tuple[float, float]:
    """Variance of what seeds do to all points alike, and of what is left; (0, …) where they cannot be told apart.

    `within`: values less their point's mean; `met`: points by seeds, 1 where they meet.
    """
    points, replicates = within.shape
    whole = float((within**2).sum())
    contrasts = np.diag(met.sum(axis=0)) - met.T @ met / replicates
    found, _, rank, _ = np.linalg.lstsq(contrasts, np.bincount(seeds.ravel(), within.ravel()), rcond=None)
    freedom = points * (replicates - 1) - rank
    if freedom < FREEDOM:
        return 0.0, whole / (points * (replicates - 1))
    of_seeds = float(found @ contrasts @ found)
    own = max(whole - of_seeds, 0.0) / freedom
    shared = (of_seeds - rank * own) / (points * (replicates - 1))
    return max(shared, 0.0), own
