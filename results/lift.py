"""The cheapest way to bring a coefficient of variation down to its limit by adding, and only by adding.

School i has P pupils and stock x; y = x/P. Given additions a ≥ 0 of one price a unit, which least sum Σa makes
CV ≤ L? With weights w = P/ΣP and mean m = Σwy, the limit says Σwy² ≤ (1 + L²)m², and Σa = ΣP·(m − m before).

**One level for all below it is optimal.** For a fixed sum, m is fixed, so the best additions make Σwy² least: a
convex problem whose Karush-Kuhn-Tucker conditions say that all raised schools end at one level t and all others
stand at t or above: y = max(x/P, t). Raising t lowers the CV as long as t < m(1 + CV²), which holds since t is the
least y and so t ≤ m. So the least sum is where the CV first meets the limit; it always does, since CV = 0 at the top.

**Whole units** (teachers, rooms). A further unit to school i adds (2y + 1/P)/ΣP to Σwy² and the same to m wherever it
goes: for n units Σwy² is separable and convex, so giving each unit where y + 1/(2P) is least is optimal for every n
(Fox 1966, Operations Research 14:210), and the first n that meets the limit is the least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.national_standard import INDICATORS, Scorecard, standard

WHOLE = frozenset({"degree_above", "backbone_teachers", "pe_art_teachers", "multimedia_rooms"})
SLACK = 1e-12  # relative, by which a lift goes below the limit so that rounding does not undo it
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lift:
    """The least additions with which one indicator's coefficient of variation is within its limit."""

    indicator: str
    level: float  # every school reaches it, in the standard's unit (a pupil or a hundred pupils)
    add: Floats  # (schools,) raw units: teachers, m2, yuan, rooms
    before: float  # CV
    after: float  # CV
    limit: float
    below_standard: bool  # whether the level is at most the standard: meeting the standard everywhere is enough

    @property
    def schools(self) -> NDArray[np.int64]:
        """Rows of the schools that are raised, the largest addition first."""
        raised = np.flatnonzero(self.add > 0)
        return raised[np.argsort(-self.add[raised], kind="stable")]


def lifts(card: Scorecard) -> list[Lift]:
    """The least additions for each indicator of a stage whose coefficient of variation is beyond the limit.

    Where a county has nothing of an indicator the coefficient is not defined, and none is given.
    """
    rule, found = standard(), []
    pupils = card.pupils.astype(np.float64)
    for k in np.flatnonzero(~card.cvs_passed & np.isfinite(card.cv)).tolist():
        stock = card.values[:, k] * pupils / rule.per[k]
        whole = INDICATORS[k] in WHOLE
        add = whole_units(stock, pupils, card.limit) if whole else water_filling(stock, pupils, card.limit)
        if not add.any():  # beyond the limit by less than rounding
            continue
        value = (stock + add) / pupils
        level = float(value[add > 0].min() * rule.per[k])
        enough = bool(level <= rule.threshold[card.stage, k] * (1 + SLACK))
        after = coefficient(value, pupils)
        found.append(Lift(INDICATORS[k], level, add, float(card.cv[k]), after, card.limit, enough))
    return found


def coefficient(value: Floats, pupils: Floats) -> float:
    """The coefficient of variation of values a pupil, weighted by pupils."""
    mean = np.average(value, weights=pupils)
    return float(np.sqrt(np.average((value - mean) ** 2, weights=pupils)) / mean)


def water_filling(stock: Floats, pupils: Floats, limit: float) -> Floats:
    """The least additions in any amounts; zero where the limit is met. Shapes (schools,); pupils above zero."""
    from scipy.optimize import brentq

    value = stock / pupils
    low, high = float(value.min()), float(value.max())
    aim = limit * (1 - SLACK)
    if high <= 0 or coefficient(value, pupils) <= limit:
        return np.zeros(value.shape)
    # where a level of zero is the start, the mean is above zero as one school has something
    level = brentq(lambda t: coefficient(np.maximum(value, t), pupils) - aim, low, high, xtol=1e-15 * high, rtol=1e-15)
    while coefficient(np.maximum(value, level), pupils) > limit:  # the last bit of the root
        level = np.nextafter(level, np.inf)
    return np.asarray(np.maximum(level - value, 0.0) * pupils)


def whole_units(stock: Floats, pupils: Floats, limit: float) -> Floats:
    """The least additions in whole units; zero where the limit is met. Shapes (schools,); pupils above zero."""
    value, everyone = stock / pupils, pupils.sum()
    if value.max() <= 0 or coefficient(value, pupils) <= limit:
        return np.zeros(value.shape)
    any_amounts = water_filling(stock, pupils, limit)
    water, step = float((value + any_amounts / pupils).min()), 0.5 / float(pupils.mean())
    while True:  # units due at a level that asks for no more than any amounts do: no need to count them one by one
        level = water - step
        due = _units(level, value, pupils)
        if due.sum() <= any_amounts.sum():
            break
        step *= 2.0
    stock, value = stock + due, (stock + due) / pupils
    if coefficient(value, pupils) <= limit:
        return due
    while True:
        level += step
        units = _units(level, value, pupils).astype(np.int64)
        school = np.repeat(np.arange(value.size), units)
        serial = np.arange(school.size) - np.repeat(np.cumsum(units) - units, units)
        price = value[school] + (serial + 0.5) / pupils[school]  # what a unit adds to Σwy², but for a factor
        order = np.lexsort((serial, school, price))
        squares = (pupils @ value**2 + 2.0 * np.cumsum(price[order])) / everyone
        mean = (stock.sum() + np.arange(1, order.size + 1)) / everyone
        enough = np.flatnonzero(squares <= (1.0 + limit**2) * mean**2)
        for n in enough[:2].tolist():  # the sums round: count again
            add = np.bincount(school[order[: n + 1]], minlength=value.size).astype(np.float64)
            if coefficient((stock + add) / pupils, pupils) <= limit:
                return due + add
        step *= 2.0


def _units(level: float, value: Floats, pupils: Floats) -> Floats:
    """Whole units whose middle lies below a level, by school."""
    return np.maximum(np.floor((level - value) * pupils + 0.5), 0.0)
