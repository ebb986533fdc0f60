"""A Gaussian process in the model's place: indices from a few hundred runs, with the process's own error in them.

Fitted on means over replicates at the points of a sample (scikit-learn: Matérn 5/2 with a length a factor, and white
noise), it stands for E[Y|X]. It is believed only where it predicts points that it was not fitted on: Q² over five
folds, each fitted anew, of what can be predicted at all (the noise of a mean over replicates is known from their
spread and taken out of both error and variance). Intervals come from realisations of the process given the runs (Le
Gratiet, Cannamela and Iooss, SIAM/ASA Journal on Uncertainty Quantification 2, 2014), drawn by Matheron's rule from
random Fourier features, on base points drawn anew each time.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMOOTHNESS = 2.5
LENGTHS = (0.05, 1e3)  # bounds, in units of a factor's range
SCALES = (1e-3, 1e4)
NOISE = (1e-8, 2.0)
RESTARTS = 2
FEATURES = 1000
GATE = 0.9  # Q² from which a surrogate is believed
FOLDS = 5


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
        return self.centre + self.scale * np.asarray(self.process.predict(x), float)

    @property
    def lengths(self) -> Floats:
        """Length of each factor, in units of its range: the longer, the less it does."""
        return np.broadcast_to(self._matern.length_scale, self.x.shape[1]).astype(float)

    @property
    def noise(self) -> float:
        """Variance of the noise in a point's mean."""
        return float(self.process.kernel_.k2.noise_level) * self.scale**2

    @property
    def _matern(self) -> Any:
        return self.process.kernel_.k1.k2

    @property
    def _amplitude(self) -> float:
        return float(self.process.kernel_.k1.k1.constant_value)

    def realisations(self, x: Floats, n: int, seed: int) -> Floats:
        """Values (points, n) of n functions that the runs allow, at points."""
        from scipy.linalg import cho_solve

        rng = np.random.default_rng(seed)
        factors = self.x.shape[1]
        spread = np.sqrt(2 * SMOOTHNESS / rng.chisquare(2 * SMOOTHNESS, size=(FEATURES, 1)))
        frequencies = rng.normal(size=(FEATURES, factors)) * spread / self.lengths
        phases = rng.uniform(0, 2 * np.pi, FEATURES)
        weights = rng.normal(size=(FEATURES, n)) * np.sqrt(2 * self._amplitude / FEATURES)

        def prior(at: Floats) -> Floats:
            return np.cos(at @ frequencies.T + phases) @ weights

        noise = np.sqrt(self.process.kernel_.k2.noise_level)
        lacking = self.y[:, None] - prior(self.x) - noise * rng.normal(size=(len(self.x), n))
        pull = cho_solve((self.process.L_, True), lacking)
        drawn = [prior(part) + self.process.kernel_.k1(part, self.x) @ pull for part in _parts(x)]
        return self.centre + self.scale * np.vstack(drawn)


def fit(x: Floats, y: Floats, seed: int = 0, start: Any = None) -> Surrogate:
    """The process for values (n,) at coordinates (n, factors); `start`: a fitted one to begin from."""
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
    from sklearn.gaussian_process import GaussianProcessRegressor  # type: ignore[import-untyped]
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel  # type: ignore[import-untyped]

    centre, scale = float(y.mean()), float(y.std()) or 1.0
    told = (y - centre) / scale
    kernel = (
        ConstantKernel(1.0, SCALES) * Matern(np.full(x.shape[1], 2.0), LENGTHS, nu=SMOOTHNESS) + WhiteKernel(0.1, NOISE)
        if start is None
        else start.process.kernel_
    )
    process = GaussianProcessRegressor(kernel, n_restarts_optimizer=0, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is an inert factor
        process.fit(x, told)
    return Surrogate(process, x, told, centre, scale)


def _parts(x: Floats, size: int = 2048) -> list[Floats]:
    return [x[i : i + size] for i in range(0, len(x), size)]
