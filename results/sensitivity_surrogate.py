"""A Gaussian process in the model's place: indices from a few hundred runs, with the process's own error in them.

Fitted on means over replicates at the points of a sample (scikit-learn: Matérn 5/2 with a length a factor, and white
noise), it stands for E[Y|X]. It is believed only where it predicts points that it was not fitted on: Q² over folds,
each a stretch of the sequence that fills the cube and fitted anew, of what can be predicted at all (the noise of a mean
is known from the spread of replicates and is taken out of error and variance alike).

Four errors make the interval of an index, their variances added: the design's (the fits of the folds, as a
delete-a-group jackknife, which holds the choice of lengths too), the process's (realisations that the runs allow, in
pairs through the estimator for replicates; Le Gratiet, Cannamela and Iooss, SIAM/ASA Journal on Uncertainty
Quantification 2, 2014), that of seeds which points share, and that of the integral (base points drawn anew). The first
two overlap: each alone holds the truth less often than it says. A total index may always be as high as what
the process leaves unexplained, 1 − Q²: a factor that it overlooked is in there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.sensitivity_luck import Means
from results.sensitivity_replicated import INTERVAL, RESAMPLES, Indices, cross_products, split, summands
from results.sensitivity_salib import Problem, coordinate, sobol, sobol_design

Floats = NDArray[np.float64]

SMOOTHNESS = 2.5
LENGTHS = (0.05, 1e3)  # bounds, in units of a factor's range
SCALES = (1e-3, 1e4)
NOISE = (1e-8, 2.0)
STEPS = 60  # of the search for lengths
STEPS_FROM = 20  # of the search from lengths found before
FEATURES = 1000
GATE = 0.9  # Q² from which a surrogate is believed
SURELY = 0.7  # what Q² must surely be (5 % bound) where it is believed
BOUND = 5  # percentile
FOLDS = 8
BASE = 512  # base points of one integral
INTEGRALS = 4
PAIRS = 20  # of realisations
HALF_WIDTH = 1.96  # in standard errors

Json = dict[str, Any]


@dataclass(frozen=True)
class Surrogate:
    """A fitted process over coordinates of the unit cube."""

    process: Any
    x: Floats
    y: Floats  # standardized
    centre: float
    scale: float

    def predict(self, x: Floats) -> Floats:
        """E[Y|X] at points (n, factors)."""
        return np.concatenate([self.centre + self.scale * self.process.predict(part) for part in _parts(x)])

    @property
    def lengths(self) -> Floats:
        """Length of each factor, in units of its range: the longer, the less it does."""
        return np.broadcast_to(self.process.kernel_.k1.k2.length_scale, self.x.shape[1]).astype(float)

    def moved(self, x: Floats, pull: Floats) -> Floats:
        """How E[Y|X] at points moves (points, n) with n changes of the values that it was fitted on (values, n).

        But for a change of all points alike.
        """
        from scipy.linalg import cho_solve

        weights = cho_solve((self.process.L_, True), pull - pull.mean(axis=0))
        return np.vstack([self.process.kernel_.k1(part, self.x) @ weights for part in _parts(x)])

    def realisations(self, x: Floats, n: int, seed: int) -> Floats:
        """Values (points, n) of n functions that the runs allow (Matheron's rule on random Fourier features)."""
        from scipy.linalg import cho_solve

        rng = np.random.default_rng(seed)
        kernel = self.process.kernel_
        spread = np.sqrt(2 * SMOOTHNESS / rng.chisquare(2 * SMOOTHNESS, size=(FEATURES, 1)))
        frequencies = rng.normal(size=(FEATURES, self.x.shape[1])) * spread / self.lengths
        phases = rng.uniform(0, 2 * np.pi, FEATURES)
        weights = rng.normal(size=(FEATURES, n)) * np.sqrt(2 * kernel.k1.k1.constant_value / FEATURES)

        def prior(at: Floats) -> Floats:
            values: Floats = np.cos(at @ frequencies.T + phases) @ weights
            return values

        noise = np.sqrt(kernel.k2.noise_level) * rng.normal(size=(len(self.x), n))
        pull = cho_solve((self.process.L_, True), self.y[:, None] - prior(self.x) - noise)
        drawn = [prior(part) + kernel.k1(part, self.x) @ pull for part in _parts(x)]
        values: Floats = self.centre + self.scale * np.vstack(drawn)
        return values


@dataclass(frozen=True)
class Study:
    """What a surrogate says: indices, interactions (units, units; NaN at and below the diagonal), and its Q².

    `q2`: of what can be predicted, with its lower bound `q2_low`; `q2_raw`: of the means with their noise; `of_seeds`:
    variance of the total indices that comes from the choice of seeds.
    """

    indices: Indices
    second: Floats
    q2: float
    q2_low: float
    q2_raw: float
    surrogate: Surrogate
    of_seeds: Floats

    @property
    def believed(self) -> bool:
        """Whether it predicts well enough to stand for the model."""
        return believed(self.q2, self.q2_low)


def believed(q2: float, q2_low: float) -> bool:
    """Whether a surrogate predicts well, and surely so."""
    return q2 >= GATE and q2_low >= SURELY


def fit(x: Floats, y: Floats, start: Surrogate | None = None) -> Surrogate:
    """The process for values (n,) at coordinates (n, factors); `start`: a fitted one whose lengths to begin from."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    centre, scale = float(y.mean()), float(y.std()) or 1.0
    told = (y - centre) / scale
    if start is None:
        matern = Matern(np.full(x.shape[1], 2.0), LENGTHS, nu=SMOOTHNESS)
        kernel = ConstantKernel(1.0, SCALES) * matern + WhiteKernel(0.1, NOISE)
    else:
        kernel = start.process.kernel_
    process = GaussianProcessRegressor(kernel, optimizer=partial(_search, steps=STEPS if start is None else STEPS_FROM))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is an inert factor
        process.fit(x, told)
    return Surrogate(process, x, told, centre, scale)


def study(problem: Problem, levels: Floats, rows: Floats, told: Means, seed: int = 0, second: bool = True) -> Study:
    """Indices through a surrogate of a sample.

    `rows`: (points, factors) of the unit cube; `levels`: of each factor (0: any value); `told`: of each point.
    """
    x, means = coordinates(rows, levels), told.value
    whole = fit(x, means)
    fold = np.arange(len(x)) * FOLDS // len(x)  # stretches of the sequence, each of which fills the cube
    fits = [fit(x[fold != k], means[fold != k], whole) for k in range(FOLDS)]
    errors = np.empty(len(x))
    for k, fitted in enumerate(fits):
        errors[fold == k] = (fitted.predict(x[fold == k]) - means[fold == k]) ** 2
    q2, q2_low, q2_raw = _predictivity(told, errors, seed)
    indices, of_seeds = _indices(problem, levels, whole, fits, told, 1 - q2, seed)
    return Study(
        indices,
        _second(problem, levels, whole, seed) if second else np.full((len(problem.units),) * 2, np.nan),
        q2,
        q2_low,
        q2_raw,
        whole,
        of_seeds,
    )


def coordinates(rows: Floats, levels: Floats) -> Floats:
    """Points of the unit cube as shares of factors' ranges."""
    return np.column_stack([coordinate(u, int(n)) for u, n in zip(rows.T, levels, strict=True)])


def direct_runs(
    problem: Problem, levels: Floats, whole: Surrogate, told: Means, width: float, seed: int = 0, base: int = 256
) -> int:
    """Runs of a direct study until total indices above `width` have intervals no wider, as far as a surrogate tells.

    `whole` is studied directly in the model's place, with luck as strong as the model's, of which a base point's rows
    share what seeds do to all alike: the width found falls with the root of the base points.
    """
    design = sobol_design(problem, base, seed)
    values = whole.predict(coordinates(design.rows, levels))[:, None]
    rng, replicates = np.random.default_rng(seed), max(told.replicates, 2)
    own = np.sqrt(told.own) * rng.normal(size=(len(values), replicates))
    shared = np.sqrt(told.shared) * rng.normal(size=(base, 2, replicates))
    moved = np.zeros(design.block, int)
    moved[-2:] = 1  # the dummy's, whose seeds are other ones
    found = cross_products(*split(values + own + shared[:, moved].reshape(own.shape), len(problem.units)), seed=seed)
    return runs_for(found, base, width, replicates)


def runs_for(found: Indices, base: int, width: float, replicates: int) -> int:
    """Runs of a direct study until the widest interval of a total index above `width` is no wider."""
    return _enough(found, base, width) * (len(found.total) + 2) * replicates


def more_runs(found: Indices, of_seeds: Floats, points: int, width: float, replicates: int) -> int:
    """Runs of a sample until the widest interval of a total index above `width` is no wider.

    What comes from the choice of seeds (`of_seeds`: variances) falls with replicates, everything else with points.
    """
    wide = found.total > width
    seeds = (2 * HALF_WIDTH) ** 2 * of_seeds[wide]
    more = int(np.ceil(replicates * max(1.0, seeds.max(initial=0.0) / (width**2 / 2))))
    rest = np.maximum(found.widths[wide] ** 2 - seeds, 0.0) / (width**2 - seeds * replicates / more)
    return int(2 ** np.ceil(np.log2(points * max(1.0, rest.max(initial=1.0))))) * more


def _enough(found: Indices, size: int, width: float) -> int:
    """A power of two to which a design must grow, widths falling with its root; no less than it has."""
    widest = max((w for w, t in zip(found.widths, found.total, strict=True) if t > width), default=width)
    return int(2 ** np.ceil(np.log2(size * max(widest / width, 1.0) ** 2)))


# ---- parts


def _search(objective: Any, start: Floats, bounds: Floats, steps: int) -> tuple[Floats, float]:
    from scipy.optimize import minimize

    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": steps})
    return found.x, found.fun


def _predictivity(told: Means, errors: Floats, seed: int) -> tuple[float, float, float]:
    """Q² of what can be predicted, its lower bound, and Q² of the means as they are; `errors`: squared, held out."""
    n, means = len(errors), told.value
    weights = _drawn_points(n, seed)
    error, noise = weights @ errors, weights @ told.noise
    variance = (weights @ (means - means.mean()) ** 2 - (weights @ (means - means.mean())) ** 2) * n / (n - 1)
    safe = np.where(variance > noise, variance - noise, np.nan)
    q2 = np.nan_to_num(np.minimum(1 - (error - noise) / safe, 1.0), nan=-np.inf)
    raw = 1 - error[0] / variance[0] if variance[0] > 0 else 0.0
    return float(q2[0]), float(np.percentile(q2[1:], BOUND, method="lower")), float(raw)


def _indices(
    problem: Problem, levels: Floats, whole: Surrogate, fits: list[Surrogate], told: Means, left: float, seed: int
) -> tuple[Indices, Floats]:
    """The indices, and the variance of the total ones from the choice of seeds."""
    units = len(problem.units)
    designs = [coordinates(sobol_design(problem, BASE, seed + i).rows, levels) for i in range(INTEGRALS)]
    integrals = np.array([_of(whole.predict(x)[:, None], units) for x in designs])  # (integrals, first or total, units)
    folds = np.array([_of(f.predict(designs[0])[:, None], units) for f in fits])
    drawn = whole.realisations(designs[0], 2 * PAIRS, seed)
    pairs = np.array([_of(drawn[:, [k, k + PAIRS]], units) for k in range(PAIRS)])
    of_seeds = _of_seeds(whole, told, designs[0], units)
    variance = (
        integrals.var(axis=0, ddof=1) / INTEGRALS
        + (FOLDS - 1) / FOLDS * ((folds - folds.mean(axis=0)) ** 2).sum(axis=0)
        + pairs.var(axis=0, ddof=1)
        + of_seeds
    )
    first, total = integrals.mean(axis=0)
    half = HALF_WIDTH * np.sqrt(variance)
    upper = np.maximum(np.minimum(total + half[1], 1.0), min(left, 1.0))
    noise, interval, explained = luck(told, seed)
    found = Indices(
        first,
        np.column_stack([first - half[0], first + half[0]]),
        total,
        np.column_stack([total - half[1], upper]),
        noise,
        interval,
        explained,
    )
    return found, of_seeds[1]


def _of(values: Floats, units: int) -> Floats:
    """First and total indices (2, units) of values (points, 1 or 2) of a Saltelli design; of one, by itself."""
    pair = values if values.shape[1] > 1 else np.repeat(values, 2, axis=1)
    first, total, shared, _, mean = summands(*split(pair, units))
    variance = shared.mean() - mean.mean() ** 2
    return np.array([first.mean(axis=0), total.mean(axis=0)]) / (variance if variance > 0 else np.inf)


def _of_seeds(whole: Surrogate, told: Means, x: Floats, units: int) -> Floats:
    """Variance of first and total indices (2, units) from what a seed does to points that are near each other.

    What seeds do to all points alike is gone, what runs do on their own is in the other variances. In between is what
    a seed does to points with much of a factor, say: the influences of one seed's runs then add up to more than those
    of as many runs of different seeds.
    """
    if not told.seeds_shared:
        return np.zeros((2, units))
    at = whole.predict(x)
    a, b, ab = (part[..., 0] for part in split(at[:, None], units))
    centre = (a.mean() + b.mean()) / 2
    a, b, ab = a - centre, b - centre, ab - centre
    variance = ((a**2).mean() + (b**2).mean()) / 2
    moved, index = ab - a[:, None], _of(at[:, None], units)
    # how the indices move with the mean of each point (2, units, points)
    of_a, of_b, of_ab = split(whole.moved(x, np.eye(len(told.value))), units)
    of_moved = of_ab - of_a[:, None]
    first = np.einsum("bp,bu->up", of_b, moved) + np.einsum("b,bup->up", b, of_moved)
    total = np.einsum("bu,bup->up", moved, of_moved)
    slopes = np.array([first, total]) - index[..., None] * (a @ of_a + b @ of_b)
    # a run's share of its mean, without what fitting means and effects has taken out of what is left
    runs = told.replicates
    kept = (told.left**2).mean() / (told.own * (runs - 1) / runs or 1.0)
    pull = told.left / (runs - 1) / np.sqrt(kept or 1.0)
    influence = slopes[..., None] * pull / (len(a) * (variance or np.inf))  # (2, units, points, replicates)
    flat = influence.reshape(2, units, -1)
    of_seed = np.array([[np.bincount(told.seeds.ravel(), each) for each in row] for row in flat])
    more: Floats = np.maximum((of_seed**2).sum(axis=-1) - (flat**2).sum(axis=-1), 0.0)
    return more


def luck(told: Means, seed: int) -> tuple[float, Floats, float]:
    """Share of luck in a single run's variance with its interval, and the variance of E[Y|X]."""
    if told.replicates < 2:
        return float("nan"), np.full(2, np.nan), float(told.value.var())
    means, weights = told.value, _drawn_points(len(told.value), seed)
    own = weights @ told.spread
    if told.seeds_shared:  # what seeds do is known from so many seeds, however many points they meet
        seeds = int(told.seeds.max())
        own[1:] += told.shared * (np.random.default_rng(seed).chisquare(seeds, len(own) - 1) / seeds - 1)
    explained = weights @ (means - means.mean()) ** 2 - (weights @ (means - means.mean())) ** 2 - weights @ told.noise
    whole = np.maximum(explained, 0) + own
    share = np.divide(own, whole, out=np.zeros_like(own), where=whole > 0)
    return float(share[0]), np.percentile(share[1:], INTERVAL), float(explained[0])


def _drawn_points(n: int, seed: int) -> Floats:
    """Weights of n points: all alike, and as a bootstrap draws them."""
    return np.vstack([np.ones(n), np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)]) / n


def _second(problem: Problem, levels: Floats, whole: Surrogate, seed: int) -> Floats:
    """Interactions of two units, by SALib on the surrogate."""
    design = sobol_design(problem, BASE, seed, second_order=True)
    return sobol(design, whole.predict(coordinates(design.rows, levels)), seed, resamples=2)["S2"]


def _parts(x: Floats, size: int = 2048) -> list[Floats]:
    return [x[i : i + size] for i in range(0, len(x), size)]
