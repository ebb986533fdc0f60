"""Functions over the unit cube whose Sobol indices are known in closed form; each has an inert last factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from SALib.test_functions import Ishigami, Sobol_G

Floats = NDArray[np.float64]
A, B = 7.0, 0.1  # of SALib's Ishigami
G = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0])


def ishigami(u: Floats) -> Floats:
    """Three factors and an inert one."""
    return np.asarray(Ishigami.evaluate(np.pi * (2 * u[:, :3] - 1)))


def ishigami_indices() -> tuple[Floats, Floats, float]:
    """First and total indices, and the variance."""
    first = np.array([0.5 * (1 + B * np.pi**4 / 5) ** 2, A**2 / 8, 0, 0])
    both = B**2 * np.pi**8 * (1 / 18 - 1 / 50)  # of the first and third factor together
    variance = float(first.sum() + both)
    return first / variance, (first + both * np.array([1, 0, 1, 0])) / variance, variance


def sobol_g(u: Floats) -> Floats:
    """Eight factors, four of them nearly inert, and an inert one."""
    return np.asarray(Sobol_G.evaluate(u[:, :8], G))


def sobol_g_indices() -> tuple[Floats, Floats, float]:
    """First and total indices, and the variance."""
    own = 1 / (3 * (1 + G) ** 2)
    variance = float(np.prod(1 + own) - 1)
    total = own * np.prod(1 + own) / (1 + own)
    return np.append(own, 0) / variance, np.append(total, 0) / variance, variance


FUNCTIONS = {"ishigami": (ishigami, ishigami_indices), "sobol-g": (sobol_g, sobol_g_indices)}
