"""What sensitivity indices are worth: `python -m benchmarks.sensitivity [--repeats N] [--direct-width]`.

On functions whose indices are known, with and without noise of 30 % of the whole variance: bias of the products across
replicates, how often their intervals hold the truth, and how many runs a surrogate saves at equal error. With
`--direct-width`: how wide intervals of a direct study of ten noisy factors stay.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from SALib.test_functions import Ishigami, Sobol_G

from benchmarks.loop import on_one_thread
from results import sensitivity_surrogate as surrogate
from results.sensitivity_luck import dealt, means
from results.sensitivity_replicated import Indices, cross_products, split
from results.sensitivity_salib import Design, Problem, sample_design, sobol_design

on_one_thread()
Floats = NDArray[np.float64]
NOISE = 0.3
REPLICATES = 2
POINTS = 256  # of the sample whose points share seeds or do not
PARTS = (0.78, 0.03, 0.19)  # of luck: alike for all points, by a factor, of each run
G = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0])


def ishigami() -> tuple[Callable[[Floats], Floats], Floats, Floats, float]:
    """Function, first and total indices (an inert factor last), variance."""
    own = np.array([0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 49 / 8, 0.0, 0.0])
    both = 0.01 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = float(own.sum() + both)
    total = (own + both * np.array([1, 0, 1, 0])) / variance
    return lambda u: np.asarray(Ishigami.evaluate(np.pi * (2 * u[:, :3] - 1))), own / variance, total, variance


def sobol_g() -> tuple[Callable[[Floats], Floats], Floats, Floats, float]:
    """The same of eight factors, and an inert one."""
    own = 1 / (3 * (1 + G) ** 2)
    variance = float(np.prod(1 + own) - 1)
    total = np.append(own * np.prod(1 + own) / (1 + own), 0) / variance
    return lambda u: np.asarray(Sobol_G.evaluate(u[:, :8], G)), np.append(own, 0) / variance, total, variance


FUNCTIONS = {"ishigami": ishigami(), "sobol-g": sobol_g()}


def problem(name: str) -> Problem:
    """Its factors, the last one inert."""
    return Problem(tuple(f"x{i}" for i in range(len(FUNCTIONS[name][1]))))


@cache
def saltelli(name: str, n: int, seed: int) -> Design:
    """A direct design."""
    return sobol_design(problem(name), n, seed)


def noisy(name: str, rows: Floats, noise: float, seed: int) -> Floats:
    """Values (points, replicates) with fresh noise in every run."""
    function, _, _, variance = FUNCTIONS[name]
    spread = np.sqrt(noise / (1 - noise) * variance)
    return function(rows)[:, None] + spread * np.random.default_rng(seed).normal(size=(len(rows), REPLICATES))


def direct(name: str, noise: float, n: int, seed: int) -> Indices:
    """Indices by products across replicates."""
    rows = saltelli(name, n, seed).rows
    return cross_products(*split(noisy(name, rows, noise, seed), len(FUNCTIONS[name][1])), seed=seed)


def through_surrogate(name: str, noise: float, n: int, seed: int) -> surrogate.Study:
    """Indices through a surrogate."""
    rows = sample_design(problem(name), n, seed).rows
    values = noisy(name, rows, noise, seed)
    return surrogate.study(problem(name), np.zeros(rows.shape[1]), rows, means(values), seed, second=False)


def bias_and_coverage(repeats: int) -> None:
    """Largest bias of the mean, how often intervals hold the truth."""
    say(f"{'function':<10}{'noise':>6}{'N':>6}{'runs':>8}  bias S1  bias ST   luck  coverage ST (least, mean)  inert")
    for name, (_, first, total, _) in FUNCTIONS.items():
        for noise in (0.0, NOISE):
            for n in (256, 1024):
                found = [direct(name, noise, n, seed) for seed in range(repeats)]
                s1, st = (np.mean([getattr(f, k) for f in found], axis=0) for k in ("first", "total"))
                held = holds(np.array([f.total_interval for f in found]), total)
                luck = np.mean([f.noise for f in found])
                say(
                    f"{name:<10}{noise:>6.1f}{n:>6}{n * (len(total) + 2) * REPLICATES:>8,}"
                    f"{abs(s1 - first).max():>9.3f}{abs(st - total).max():>9.3f}{luck:>7.2f}"
                    f"{held.min():>15.2f}{held.mean():>8.2f}{held[-1]:>14.2f}"
                )


def holds(ends: Floats, truth: Floats) -> Floats:
    """How often each interval (repeats, factors, 2) holds the truth."""
    held: Floats = ((ends[:, :, 0] <= truth + 1e-9) & (truth - 1e-9 <= ends[:, :, 1])).mean(axis=0)
    return held


def saving(repeats: int) -> None:
    """Error of total indices by runs, directly and through a surrogate."""
    say(f"\n{'function':<10}{'noise':>6}  {'how':<11}{'runs':>8}  mean of largest |error|   Q²   coverage   seconds")
    for name in ("sobol-g",):
        total = FUNCTIONS[name][2]
        for noise in (0.0, NOISE):
            for n in (64, 128, 256):
                begun = time.process_time()
                found = [through_surrogate(name, noise, n, seed) for seed in range(repeats)]
                seconds = (time.process_time() - begun) / repeats
                error = np.mean([abs(f.indices.total - total).max() for f in found])
                held = holds(np.array([f.indices.total_interval for f in found]), total).mean()
                q2 = np.mean([f.q2 for f in found])
                runs = n * REPLICATES
                say(
                    f"{name:<10}{noise:>6.1f}  {'surrogate':<11}{runs:>8,}"
                    f"{error:>16.3f}{q2:>14.2f}{held:>10.2f}{seconds:>10.1f}"
                )
            for n in (64, 128, 256, 512):
                errors = [abs(direct(name, noise, n, seed).total - total).max() for seed in range(repeats)]
                runs = n * (len(total) + 2) * REPLICATES
                say(f"{name:<10}{noise:>6.1f}  {'direct':<11}{runs:>8,}{np.mean(errors):>16.3f}")


def sharing(repeats: int) -> None:
    """What it helps that points share seeds, where half of a run's variance is luck."""
    say(f"\nnoisy sobol-g, {POINTS} points, luck .5, of which seeds do .78 to all points alike and .03 by a factor")
    say("seeds      replicates   widest interval above .1   mean of largest |error|   Q²   coverage")
    total = FUNCTIONS["sobol-g"][2]
    for replicates in (2, 4):
        for share in (False, True):
            found = [with_luck(replicates, share, seed) for seed in range(repeats)]
            widest = np.mean([f.indices.widths[total > 0.1].max() for f in found])
            error = np.mean([abs(f.indices.total - total).max() for f in found])
            held = holds(np.array([f.indices.total_interval for f in found]), total).mean()
            q2 = np.mean([f.q2 for f in found])
            name = "shared" if share else "own"
            say(f"{name:<10}{replicates:>11}{widest:>27.3f}{error:>26.3f}{q2:>5.2f}{held:>11.2f}")


def with_luck(replicates: int, share: bool, seed: int) -> surrogate.Study:
    """A study of Sobol-G with as much luck as signal, on seeds that points share or not."""
    function, _, _, variance = FUNCTIONS["sobol-g"]
    rows, rng = sample_design(problem("sobol-g"), POINTS, seed).rows, np.random.default_rng(seed)
    hands = dealt(POINTS, replicates) if share else np.tile(np.arange(POINTS)[:, None], replicates)
    which = np.arange(replicates), hands
    alike, slope = rng.normal(size=(2, replicates, hands.max() + 1)) * np.sqrt(np.array(PARTS[:2])[:, None, None])
    left = np.sqrt(PARTS[2]) * rng.normal(size=hands.shape)
    luck = alike[which] + slope[which] * np.sqrt(12) * (rows[:, :1] - 0.5) + left
    told = means(function(rows)[:, None] + np.sqrt(variance) * luck, hands if share else None)
    return surrogate.study(problem("sobol-g"), np.zeros(rows.shape[1]), rows, told, seed, second=False)


def direct_width() -> None:
    """Widths that a direct study of ten noisy factors leaves, and the runs that it says it would need."""
    say("\nnoisy sobol-g, direct:  N    runs   widest interval above .1   runs for .1, by what it found")
    for n in (64, 256, 1024):
        found = direct("sobol-g", NOISE, n, 1)
        widest = max(w for w, t in zip(found.widths, found.total, strict=True) if t > 0.1)
        needed = surrogate.runs_for(found, n, 0.1, REPLICATES)
        say(f"{n:>26}{n * 11 * REPLICATES:>8,}{widest:>18.2f}{needed:>24,}")


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40, help="of each study")
    parser.add_argument("--surrogates", type=int, default=10, help="repeats of each study through a surrogate")
    parser.add_argument("--direct-width", action="store_true", help="only how wide direct intervals stay")
    asked = parser.parse_args()
    if not asked.direct_width:
        bias_and_coverage(asked.repeats)
        saving(asked.surrogates)
        sharing(asked.surrogates)
    direct_width()


if __name__ == "__main__":
    main()
