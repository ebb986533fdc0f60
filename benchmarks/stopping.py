"""How often the interval of a difference covers the truth when the interval itself decides when to stop.

python -m benchmarks.stopping [--intervals]

Figure 12 of the design: 94–96 % for a nominal 95. Synthetic differences, normal and skewed; three rules. The model's
own headline differences (village, Wuqing's plan, 100 replicates) have a median skewness of 0.2, nine in ten below 0.5.
With `--intervals`: t against BCa at fixed numbers of replicates, which is why the t interval is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from experiments.precision import FIRST, Goal, ahead, running, stops_at

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

STUDIES, LONGEST = 4000, 600
RESAMPLES, BATCH = 999, 250
DRAWS: dict[str, Draw] = {  # standard deviation 1, mean 0
    "normal": lambda rng, shape: rng.normal(size=shape),
    "t, 5 degrees": lambda rng, shape: rng.standard_t(5, size=shape) / np.sqrt(5 / 3),
    "gamma, skewness 0.5": lambda rng, shape: (rng.gamma(16.0, size=shape) - 16) / 4,
    "gamma, skewness 1": lambda rng, shape: (rng.gamma(4.0, size=shape) - 4) / 2,
    "exponential, skewness 2": lambda rng, shape: rng.exponential(size=shape) - 1,
}
RULES: dict[str, tuple[int, Callable[[int], int]]] = {
    "first success from 3": (3, lambda n: 0),
    f"first success from {FIRST}": (FIRST, lambda n: 0),
    f"from {FIRST}, look-ahead": (FIRST, ahead),
}
GOALS = {  # mean in standard deviations, and the half-width wanted
    "±25 % of a mean of 2 SD": (2.0, Goal(0.25, relative=True)),
    "±10 % of a mean of 1 SD": (1.0, Goal(0.10, relative=True)),
    "±0.4 SD": (0.0, Goal(0.4)),
    "±0.2 SD": (0.0, Goal(0.2)),
}


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def coverage(draw: Draw, mean: float, goal: Goal, first: int, look: Callable[[int], int]) -> tuple[float, float, float]:
    """Share of studies whose interval covers the mean, its Monte Carlo error, and the mean number of replicates."""
    rng = np.random.default_rng(12)
    covered, spent = 0, 0
    for row in mean + draw(rng, (STUDIES, LONGEST)):
        n = stops_at(row, goal, first, look) or LONGEST
        means, half = running(row[:n])
        covered += bool(abs(means[-1] - mean) <= half[-1])
        spent += n
    share = covered / STUDIES
    return share, float(np.sqrt(share * (1 - share) / STUDIES)), spent / STUDIES


def rules() -> None:
    """Coverage of each rule."""
    say(f"{'goal':26}{'differences':26}" + "".join(f"{rule:>28}" for rule in RULES))
    for goal_name, (mean, goal) in GOALS.items():
        for name, draw in DRAWS.items():
            cells = []
            for first, look in RULES.values():
                share, error, spent = coverage(draw, mean, goal, first, look)
                cells.append(f"{100 * share:.1f} ± {100 * error:.1f} % ({spent:.0f} runs)")
            say(f"{goal_name:26}{name:26}" + "".join(f"{cell:>28}" for cell in cells))


def intervals() -> None:
    """Coverage and width of t and BCa at fixed numbers of replicates."""
    from scipy.stats import bootstrap
    from scipy.stats import t as student

    rng = np.random.default_rng(13)
    say(f"{'differences':26}{'n':>5}{'t':>10}{'BCa':>10}{'width of BCa / t':>20}")
    for name, draw in DRAWS.items():
        for n in (8, 16, 32, 64):
            data = draw(rng, (STUDIES, n))
            half = student.ppf(0.975, n - 1) * data.std(axis=1, ddof=1) / np.sqrt(n)
            t_covers = np.mean(np.abs(data.mean(axis=1)) <= half)
            ends = []
            for rows in np.split(data, STUDIES // BATCH):
                found = bootstrap((rows,), np.mean, axis=1, n_resamples=RESAMPLES, batch=100, method="BCa", rng=rng)
                ends.append(found.confidence_interval)
            low, high = (np.concatenate([e[i] for e in ends]) for i in (0, 1))
            covers, width = np.mean((low <= 0) & (high >= 0)), np.mean((high - low) / (2 * half))
            say(f"{name:26}{n:5}{100 * t_covers:9.1f}%{100 * covers:9.1f}%{width:20.2f}")


if __name__ == "__main__":
    intervals() if "--intervals" in sys.argv[1:] else rules()
