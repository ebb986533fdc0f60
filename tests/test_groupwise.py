"""The verbs by group give what pandas gives, and the official coefficient of variation its published value."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.groupwise import apportion, mean, ordered, place_in_group, total, weighted_cv

GROUPS = 6
values = st.integers(-5, 5).map(float)
grouped = st.lists(st.tuples(st.integers(0, GROUPS - 2), values, values), max_size=40)  # the last stays empty


def columns(rows: list[tuple[int, float, float]]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    table = np.array(rows, float).reshape(len(rows), 3)
    return table[:, 0].astype(int), table[:, 1], table[:, 2]


@given(grouped)
def test_total_and_mean_agree_with_pandas(rows: list[tuple[int, float, float]]) -> None:
    group, x, _ = columns(rows)
    by_group = pd.Series(x).groupby(group)
    everywhere = range(GROUPS)
    np.testing.assert_allclose(total(group, GROUPS, x), by_group.sum().reindex(everywhere, fill_value=0))
    np.testing.assert_array_equal(total(group, GROUPS), by_group.size().reindex(everywhere, fill_value=0))
    np.testing.assert_allclose(mean(group, GROUPS, x), by_group.mean().reindex(everywhere))
    np.testing.assert_allclose(mean(group, GROUPS, x, 7.0), by_group.mean().reindex(everywhere, fill_value=7.0))


@given(grouped)
def test_place_in_group_counts_as_pandas_does_after_sorting(rows: list[tuple[int, float, float]]) -> None:
    """First key first, ties by the second, then by row; keys of few values make ties common."""
    group, first, second = columns(rows)
    frame = pd.DataFrame({"group": group, "first": first, "second": second})
    ranked = frame.sort_values(["first", "second"], kind="stable").groupby("group").cumcount().sort_index()
    assert place_in_group(group, first, second).tolist() == ranked.tolist()


@given(grouped)
def test_whoever_comes_before_is_smaller(rows: list[tuple[int, float, float]]) -> None:
    group, first, second = columns(rows)
    place = place_in_group(group, first, second)
    for i, mine in enumerate(zip(first, second, strict=True)):
        ahead = [(first[h], second[h]) for h in np.flatnonzero((group == group[i]) & (place < place[i]))]
        assert len(ahead) == place[i]
        assert all(theirs <= mine for theirs in ahead)


@given(st.lists(st.tuples(st.integers(-1, 3), values), max_size=40), st.sampled_from([1, 40_000]))
def test_rows_are_ordered_by_group_and_those_of_none_come_first(rows: list[tuple[int, float]], apart: int) -> None:
    """Groups numbered closely or far apart, −1 for none: as Python's own sort."""
    group, key = np.array([g * apart if g > 0 else g for g, _ in rows], int), np.array([x for _, x in rows], float)
    assert ordered(group, key).tolist() == sorted(range(len(rows)), key=lambda i: (group[i], key[i]))


# ---------------------------------------------------------------- apportionment

weights = st.lists(st.integers(0, 50), min_size=1, max_size=12)


@given(st.integers(0, 500), weights)
def test_apportionment_gives_everything_and_each_within_one_of_its_share(seats: int, weight: list[int]) -> None:
    assume(sum(weight) > 0)
    given_out = apportion(seats, np.array(weight))
    assert given_out.sum() == seats
    for got, w in zip(given_out.tolist(), weight, strict=True):
        assert math.floor(Fraction(seats * w, sum(weight))) <= got <= math.ceil(Fraction(seats * w, sum(weight)))


@given(st.integers(0, 500), weights)
def test_the_largest_remainders_get_what_is_left(seats: int, weight: list[int]) -> None:
    assume(sum(weight) > 0)
    shares = [Fraction(seats * w, sum(weight)) for w in weight]
    extra = [got - math.floor(s) for got, s in zip(apportion(seats, np.array(weight)).tolist(), shares, strict=True)]
    remainders = [s - math.floor(s) for s in shares]
    rewarded = [r for r, e in zip(remainders, extra, strict=True) if e]
    passed_over = [r for r, e in zip(remainders, extra, strict=True) if not e]
    assert not rewarded or not passed_over or min(rewarded) >= max(passed_over) - Fraction(1, 10**8)


def test_nothing_is_apportioned_where_nobody_has_weight() -> None:
    assert apportion(5, np.zeros(3)).tolist() == [0, 0, 0]
    assert apportion(5, np.array([-1.0, 2.0, -3.0])).tolist() == [0, 5, 0]
    assert apportion(0, np.ones(3)).tolist() == [0, 0, 0]


# ---------------------------------------------------------------- coefficient of variation


def test_the_worked_example_of_the_national_standard() -> None:
    """Books of five schools: X̄ = 6.334 a pupil, S = 3.264, CV = 0.515."""
    pupils, books = np.array([45.0, 37, 89, 76, 55]), np.array([279.0, 137, 935, 160, 402])
    assert books.sum() / pupils.sum() == pytest.approx(6.334, abs=5e-4)
    assert weighted_cv(books, pupils) == pytest.approx(0.515, abs=5e-4)
    assert weighted_cv(books, pupils) * books.sum() / pupils.sum() == pytest.approx(3.264, abs=5e-4)


schools = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300)), min_size=1, max_size=12)


@given(schools)
def test_the_coefficient_is_that_of_the_pupils_each_standing_for_its_school(rows: list[tuple[int, int]]) -> None:
    """One record a pupil, then the plain standard deviation over the plain mean."""
    assume(sum(x for x, _ in rows) > 0)
    stock, pupils = np.array(rows, float).T
    each = np.repeat(stock / pupils, pupils.astype(int))
    assert weighted_cv(stock, pupils) == pytest.approx(each.std() / each.mean(), rel=1e-9, abs=1e-12)


@given(schools, st.floats(0.1, 10), st.integers(1, 5))
def test_units_and_twin_schools_leave_the_coefficient_alone(
    rows: list[tuple[int, int]], unit: float, twins: int
) -> None:
    assume(sum(x for x, _ in rows) > 0)
    stock, pupils = np.array(rows, float).T
    same = weighted_cv(np.tile(stock, twins) * unit, np.tile(pupils, twins))
    assert same == pytest.approx(weighted_cv(stock, pupils), rel=1e-9, abs=1e-12)


def test_schools_all_alike_have_none_and_empty_ones_do_not_count() -> None:
    pupils = np.array([100.0, 250.0, 40.0])
    assert weighted_cv(pupils * 4.5, pupils) == pytest.approx(0, abs=1e-12)
    with_empty = weighted_cv(np.array([10.0, 40.0, 30.0]), np.array([10.0, 10.0, 0.0]))
    assert np.isfinite(with_empty)
    assert np.isnan(weighted_cv(np.zeros(2), np.ones(2)))
    assert np.isnan(weighted_cv(np.ones(2), np.zeros(2)))
