"""The stopping rule: its running intervals, when it stops, what it asks for, and that it covers what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from experiments.precision import AHEAD, FIRST, Floats, Goal, ahead, more, running, stops_at
from model.errors import InputError

series = arrays(float, st.integers(2, 60), elements=st.floats(-100, 100).map(lambda x: round(x, 3)))
goals = st.builds(Goal, st.floats(0.01, 50), st.booleans())


@given(series)
def test_running_intervals_are_those_of_each_beginning(d: Floats) -> None:
    means, half = running(d)
    for n in range(2, d.size + 1):
        error = d[:n].std(ddof=1) / np.sqrt(n)
        assert means[n - 1] == pytest.approx(d[:n].mean(), abs=1e-9)
        assert half[n - 1] == pytest.approx(stats.t.ppf(0.975, n - 1) * error, rel=1e-5, abs=1e-5)
    assert half[0] == np.inf


@given(series, goals)
def test_the_rule_stops_where_the_interval_is_and_stays_narrow(d: Floats, goal: Goal) -> None:
    means, half = running(d)
    narrow = [
        bool(h <= (goal.width * abs(m) if goal.relative else goal.width)) for m, h in zip(means, half, strict=True)
    ]
    candidates = [n for n in range(FIRST, d.size - AHEAD + 1) if all(narrow[n - 1 : n + AHEAD])]
    assert stops_at(d, goal) == (candidates[0] + AHEAD if candidates else None)


@given(series, goals, st.integers(0, 58))
def test_later_replicates_do_not_change_a_decision(d: Floats, goal: Goal, cut: int) -> None:
    early = stops_at(d[: 2 + cut], goal)
    assert early is None or early == stops_at(d, goal)


def test_beyond_a_hundred_it_looks_five_in_a_hundred_ahead() -> None:
    assert [ahead(n) for n in (10, 100, 120, 200)] == [5, 5, 6, 10]


@given(st.lists(series, min_size=1, max_size=3), goals, st.integers(61, 300))
def test_what_is_asked_for_next_is_more_than_now_and_no_more_than_the_cap(
    held: list[Floats], goal: Goal, most: int
) -> None:
    now = max(d.size for d in held)
    wanted = more(held, goal, now, most)
    assert (wanted is None) == all(stops_at(d, goal) is not None for d in held)
    assert wanted is None or now < wanted <= most


def test_it_goes_on_to_about_as_many_as_the_spread_asks_for() -> None:
    d = np.random.default_rng(3).normal(size=4000)
    held, rounds = d[:8], 0
    while (wanted := more([held], Goal(0.2), held.size, 4000)) is not None:
        held, rounds = d[:wanted], rounds + 1
    needed = stops_at(d, Goal(0.2))
    assert needed is not None
    assert needed <= held.size <= 1.2 * needed
    assert rounds <= 8


@pytest.mark.parametrize(("text", "goal"), [("0.02", Goal(0.02)), ("10%", Goal(0.1, True)), ("5 ％", Goal(0.05, True))])
def test_goals_are_read(text: str, goal: Goal) -> None:
    assert Goal.read(text) == goal


@pytest.mark.parametrize("text", ["", "ten", "0", "-1", "nan", "inf", "%"])
def test_what_is_no_goal_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="half-width"):
        Goal.read(text)


def test_its_intervals_cover_where_those_of_the_first_success_do_not() -> None:
    """The long measurement is `python -m benchmarks.stopping`; 800 studies tell 91 from 95 % (2.5 errors)."""
    rows = 2 + np.random.default_rng(5).normal(size=(800, 120))
    goal = Goal(0.25, relative=True)

    def covered(row: Floats, first: int, look: int) -> bool:
        n = stops_at(row, goal, first, lambda _: look) or row.size
        means, half = running(row[:n])
        return bool(abs(means[-1] - 2) <= half[-1])

    with_rule = np.mean([covered(row, FIRST, AHEAD) for row in rows])
    naive = np.mean([covered(row, 3, 0) for row in rows])
    assert 0.935 <= with_rule <= 0.965
    assert naive < with_rule - 0.02
