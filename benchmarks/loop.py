"""The unit of the benchmarks: a fixed loop of NumPy and SciPy work, timed in the same run on the same machine."""

from __future__ import annotations

import os
import time

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LENGTH = 100_000
GROUPS = 200
PASSES = 10  # of one timing


def on_one_thread() -> None:
    """Pin the linear algebra library to one thread: to be called before NumPy is imported."""
    os.environ.update(dict.fromkeys(THREADS, "1"))


def loop_seconds() -> float:
    """Seconds of one pass: sort, bincount and ndtri of 100,000 doubles, the mean of ten passes."""
    import numpy as np
    from scipy.special import ndtri

    values = np.random.default_rng(1).uniform(size=LENGTH)
    group = (values * GROUPS).astype(np.intp)
    begun = time.perf_counter()
    for _ in range(PASSES):
        np.sort(values)
        np.bincount(group, values, GROUPS)
        ndtri(values)
    return (time.perf_counter() - begun) / PASSES
