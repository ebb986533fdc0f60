"""The least additions that meet a limit on the coefficient of variation: are they feasible, and is nothing cheaper?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from results.lift import coefficient, water_filling, whole_units

Floats = NDArray[np.float64]
SCHOOLS = st.lists(st.tuples(st.integers(20, 2000), st.floats(0, 5)), min_size=2, max_size=8)


def schools(drawn: list[tuple[int, float]]) -> tuple[Floats, Floats]:
    pupils = np.array([p for p, _ in drawn], float)
    return np.array([x for _, x in drawn]) * pupils, pupils


@settings(max_examples=60, deadline=None)
@given(SCHOOLS, st.floats(0.1, 0.6))
def test_a_general_solver_finds_nothing_cheaper_than_one_common_level(
    drawn: list[tuple[int, float]], limit: float
) -> None:
    stock, pupils = schools(drawn)
    if stock.sum() < 1:
        return
    add = water_filling(stock, pupils, limit)
    assert coefficient((stock + add) / pupils, pupils) <= limit

    def slack(scaled: Floats) -> float:
        """The second-order cone: limit × mean − standard deviation."""
        value = (stock + scaled * pupils) / pupils
        mean = np.average(value, weights=pupils)
        return float(limit * mean - np.sqrt(np.average((value - mean) ** 2, weights=pupils) + 1e-18))

    whole = pupils.sum()
    begin = np.full(pupils.size, (stock / pupils).max()) - stock / pupils  # all equal: feasible
    solved = minimize(
        lambda a: a @ pupils / whole,
        begin,
        bounds=[(0, None)] * pupils.size,
        constraints=[{"type": "ineq", "fun": slack}],
        method="SLSQP",
        options={"maxiter": 300, "ftol": 1e-12},
    )
    if slack(solved.x) >= -1e-9:
        assert add.sum() / whole <= solved.fun + 1e-6


@settings(max_examples=60, deadline=None)
@given(SCHOOLS, st.floats(0.1, 0.6))
def test_all_raised_schools_end_at_one_level_and_no_other_stands_below_it(
    drawn: list[tuple[int, float]], limit: float
) -> None:
    stock, pupils = schools(drawn)
    if stock.sum() < 1:
        return
    add = water_filling(stock, pupils, limit)
    value = (stock + add) / pupils
    raised = add > 0
    if coefficient(stock / pupils, pupils) <= limit:
        assert not raised.any()
    else:
        assert value[raised] == pytest.approx(np.full(raised.sum(), value.min()), abs=1e-9)
        assert coefficient(value, pupils) == pytest.approx(limit, rel=1e-9)  # and not a unit more than needed


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(3, 30), st.integers(0, 6)), min_size=2, max_size=3),
    st.floats(0.15, 0.6),
)
def test_no_smaller_number_of_whole_units_meets_the_limit(drawn: list[tuple[int, int]], limit: float) -> None:
    pupils, stock = np.array(drawn, float).T
    if stock.sum() == 0:
        return
    add = whole_units(stock, pupils, limit)
    assert (add == np.round(add)).all()
    assert coefficient((stock + add) / pupils, pupils) <= limit
    fewer = int(add.sum()) - 1
    if fewer > 40:
        return
    for n in range(fewer + 1):  # every way to hand out fewer units
        for given_out in itertools.product(range(n + 1), repeat=pupils.size - 1):
            if sum(given_out) <= n:
                units = np.array([*given_out, n - sum(given_out)], float)
                assert coefficient((stock + units) / pupils, pupils) > limit


@settings(max_examples=60, deadline=None)
@given(SCHOOLS, st.floats(0.2, 0.6))
def test_whole_units_need_at_least_what_any_amounts_need(drawn: list[tuple[int, float]], limit: float) -> None:
    stock, pupils = schools(drawn)
    stock = np.floor(stock / 50)
    if stock.sum() == 0:
        return
    assert whole_units(stock, pupils, limit).sum() >= water_filling(stock, pupils, limit).sum() - 1e-6


def test_two_equal_schools_in_closed_form() -> None:
    """Values 1 and 3, equal pupils: the CV is (3 − t)/(3 + t), so a limit of 0.2 asks for t = 2."""
    pupils = np.array([100.0, 100.0])
    assert water_filling(np.array([100.0, 300.0]), pupils, 0.2) == pytest.approx([100.0, 0.0])
    assert whole_units(np.array([100.0, 300.0]), pupils, 0.2).tolist() == [100.0, 0.0]
