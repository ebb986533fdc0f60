"""How much of a difference each lever gave: leave-one-out and Shapley values, on the same draws.

Between a reference and a plan lies every mixture that takes some levers from the plan and the others from the
reference. A lever's Shapley value is what it adds, averaged over all orders in which levers can be added (Shapley
1953): values add up to the whole difference, and a lever that changes nothing gets nothing. With few levers all
mixtures are lived and the average is exact; with many, orders are drawn anew for each replicate, each with its
reverse (Mitchell et al., JMLR 23:43, 2022). Intervals are over replicates and so hold both kinds of chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from results.comparison import At, chosen, tables_of, values_of
from results.run_folder import RunFolder
from results.statistics import paired

EXACT = 6  # levers or groups up to which every mixture is lived
ORDERS_STREAM = 6  # first number of the spawn key that orders are drawn with

Floats = NDArray[np.float64]
Worth = Callable[[int], float]  # an outcome under a mixture: bit i of its number is lever i


@dataclass(frozen=True)
class Contribution:
    """What one lever (or group) gave of an outcome's difference; ends are 95 % t intervals over replicates.

    `difference`: the plan's outcome less the reference's, to which the levers' `shapley` add up. `without`: the plan's
    outcome less what it is when only this lever is left out. Errors and ends are None with one replicate.
    """

    lever: str
    calibration: str
    indicator: str
    stage: str
    level: str
    place: str
    difference: float
    shapley: float
    error: float | None
    low: float | None
    high: float | None
    without: float
    without_low: float | None
    without_high: float | None
    replicates: int

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def mixtures(players: int, orders: Sequence[Sequence[int]]) -> list[int]:
    """Numbers of the mixtures to be lived, between the reference (0) and the plan (all): those that the orders
    pass through, or every one if there are no orders; and the plan less each lever.
    """
    whole = (1 << players) - 1
    if not orders:
        return list(range(1, whole))
    passed = {sum(1 << i for i in order[:n]) for order in orders for n in range(1, players)}
    return sorted((passed | {whole ^ (1 << i) for i in range(players)}) - {0, whole})


def orders_of(seed: int, replicate: int, players: int, count: int) -> list[list[int]]:
    """The orders of levers for one replicate: `count` drawn by the seed, and the reverse of each. More keep the first.

    None where there are so few levers that every mixture is lived.
    """
    if players <= EXACT:
        return []
    draws = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(ORDERS_STREAM, replicate))))
    drawn = [[int(i) for i in draws.permutation(players)] for _ in range(count)]
    return [order for one in drawn for order in (one, one[::-1])]


def shapley(players: int, worth: Worth, orders: Sequence[Sequence[int]] = ()) -> Floats:
    """Shapley value of each lever: exact, or the mean of what it adds along the orders given.

    `worth(mixture)`: the outcome of a mixture. They add up to worth(all) − worth(0) in either case.
    """
    values = np.zeros(players)
    if orders:
        for order in orders:
            mixture = 0
            for i in order:
                values[i] += worth(mixture | 1 << i) - worth(mixture)
                mixture |= 1 << i
        return values / len(orders)
    for i in range(players):
        for mixture in range(1 << players):
            if not mixture >> i & 1:
                size = mixture.bit_count()
                weight = factorial(size) * factorial(players - size - 1) / factorial(players)
                values[i] += weight * (worth(mixture | 1 << i) - worth(mixture))
    return values


def leave_one_out(players: int, worth: Worth) -> Floats:
    """What the plan loses when a lever is left out, the others staying."""
    whole = (1 << players) - 1
    return np.array([worth(whole) - worth(whole ^ (1 << i)) for i in range(players)])


def attribute(
    run: RunFolder,
    mixed: RunFolder,
    outcomes: Sequence[str] = (),
    year: int | None = None,
    level: str = "region",
    place: str = "",
) -> list[Contribution]:
    """What each lever gave of the differences of a run, by the mixtures lived into the folder `mixed`.

    Outcome by outcome (see `comparison.compare`), levers in the order of the folder. Replicates in which a run
    failed are left out. Raises InputError where none is complete.
    """
    about = mixed.manifest["by_lever"]
    players = list(about["players"])
    wanted = chosen(outcomes, level)
    plain, trials = _values(run, wanted, year, level, place), _values(mixed, wanted, year, level, place)
    scenarios = list(run.manifest["scenarios"]), list(mixed.manifest["scenarios"])
    ends = {0: about["reference"], (1 << len(players)) - 1: about["scenario"]}
    found = []
    for at, values in trials.items():
        for c, calibration in enumerate(run.manifest["calibrations"]):
            by_mixture = {number: plain[at][scenarios[0].index(name), c] for number, name in ends.items()}
            by_mixture |= {about["mixtures"][name]: values[s, c] for s, name in enumerate(scenarios[1])}
            found += _contributions(players, by_mixture, about["orders"], calibration, at)
    if not found:
        raise InputError(str(mixed.path), "no replicate whose runs are all done", "one at least (--retry-failed)")
    return found


def _values(
    folder: RunFolder, wanted: Sequence[tuple[str, str]], year: int | None, level: str, place: str
) -> dict[At, Floats]:
    names = list(folder.manifest["scenarios"]), list(folder.manifest["calibrations"])
    return values_of(*tables_of(folder, year, level, place), *names, wanted)


def _contributions(
    players: Sequence[str],
    by_mixture: Mapping[int, Floats],
    orders: Sequence[Sequence[Sequence[int]]],
    calibration: str,
    at: At,
) -> list[Contribution]:
    """Of one outcome under one calibration; `orders` by replicate."""
    k, whole = len(players), (1 << len(players)) - 1
    given, without, differences = [], [], []
    for replicate, own in enumerate(orders):
        needed = [0, whole, *mixtures(k, own)]
        held = {number: float(v[replicate]) if replicate < v.size else np.nan for number, v in by_mixture.items()}
        if not np.isfinite([held[number] for number in needed]).all():
            continue
        worth = partial(_looked_up, held)
        given.append(shapley(k, worth, own))
        without.append(leave_one_out(k, worth))
        differences.append(held[whole] - held[0])
    if not given:
        return []
    found = []
    for i, lever in enumerate(players):
        own_given, own_without = (np.array([row[i] for row in rows]) for rows in (given, without))
        inside, outside = (paired(v, np.zeros(v.size)) or {} for v in (own_given, own_without))
        n = own_given.size
        found.append(
            Contribution(
                lever,
                calibration,
                at.indicator,
                at.stage,
                at.level,
                at.place,
                float(np.mean(differences)),
                float(own_given.mean()),
                float(own_given.std(ddof=1) / np.sqrt(n)) if n > 1 else None,
                inside.get("low"),
                inside.get("high"),
                float(own_without.mean()),
                outside.get("low"),
                outside.get("high"),
                n,
            )
        )
    return found


def _looked_up(held: Mapping[int, float], mixture: int) -> float:
    return held[mixture]
