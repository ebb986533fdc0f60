"""Means over replicates without the luck that points share: the mixed model's, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from results import sensitivity_surrogate as surrogate
from results.sensitivity_luck import SHARED, dealt, means
from results.sensitivity_replicated import Indices
from results.sensitivity_salib import Problem, sample_design

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def drawn(points: int, replicates: int, shared: float, own: float, seed: int) -> tuple[Floats, Floats, Whole]:
    """Means of points, values of runs whose luck has the two variances, and how the seeds were dealt out."""
    rng, hands = np.random.default_rng(seed), dealt(points, replicates)
    truth = rng.normal(size=points)
    effect = np.sqrt(shared) * rng.normal(size=(replicates, SHARED))
    lucky = effect[np.arange(replicates), hands] + np.sqrt(own) * rng.normal(size=(points, replicates))
    return truth, truth[:, None] + lucky, hands


def test_more_points_or_replicates_leave_every_seed_where_it_is() -> None:
    assert np.array_equal(dealt(300, 5)[:70, :3], dealt(70, 3))


def test_what_seeds_do_to_all_points_alike_is_gone() -> None:
    truth, values, hands = drawn(96, 3, 4.0, 0.0, 1)
    told = means(values, hands)
    assert told.value - told.value.mean() == pytest.approx(truth - truth.mean(), abs=1e-9)
    assert told.noise == pytest.approx(0.0, abs=1e-12)


def test_where_every_point_meets_every_seed_means_are_plain_and_their_error_is_what_is_left() -> None:
    """Closed form: the two-way table, complete."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(40, 1)) + 3 * rng.normal(size=(1, 5)) + rng.normal(size=(40, 5))
    told = means(values, np.zeros((40, 5), int))  # a seed a replicate
    left = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    own = (left**2).sum() / (39 * 4)
    assert told.value - told.value.mean() == pytest.approx(values.mean(axis=1) - values.mean())
    assert told.own == pytest.approx(own)
    assert told.shared == pytest.approx(values.mean(axis=0).var(ddof=1) - own / 40)
    assert told.noise.mean() == pytest.approx(own / 5)


@pytest.mark.parametrize(("points", "replicates", "left_out"), [(96, 2, 0), (96, 4, 0), (70, 3, 0), (128, 3, 40)])
def test_means_are_those_of_generalised_least_squares(points: int, replicates: int, left_out: int) -> None:
    """Oracle: the whole covariance of all runs, with the variances that were found."""
    _, values, hands = drawn(points, replicates, 2.0, 0.5, 3)
    kept = np.sort(np.random.default_rng(1).permutation(points)[left_out:])
    points, values, hands = len(kept), values[kept], hands[kept]
    told = means(values, hands)
    assert told.shared > 0
    of_point = np.kron(np.eye(points), np.ones((replicates, 1)))
    same_seed = told.seeds.reshape(-1, 1) == told.seeds.reshape(1, -1)
    inverse = np.linalg.inv(told.own * np.eye(values.size) + told.shared * same_seed)
    errors = np.linalg.inv(of_point.T @ inverse @ of_point)
    assert told.value == pytest.approx(errors @ of_point.T @ inverse @ values.ravel())
    contrasts = np.eye(points) - 1 / points
    assert told.noise.mean() == pytest.approx(np.trace(contrasts @ errors @ contrasts) / (points - 1))


@pytest.mark.parametrize(("shared", "own"), [(1.0, 0.3), (0.2, 1.0), (0.0, 1.0)])
def test_variances_and_errors_are_right_on_average(shared: float, own: float) -> None:
    found, errors = [], []
    for seed in range(60):
        truth, values, hands = drawn(128, 3, shared, own, seed)
        told = means(values, hands)
        found.append((told.shared, told.own, told.noise.mean()))
        errors.append((told.value - truth).var(ddof=1))
    of_seeds, left, noise = np.mean(found, axis=0)
    assert of_seeds == pytest.approx(shared, abs=0.05)
    assert left == pytest.approx(own, rel=0.05)
    assert noise == pytest.approx(np.mean(errors), rel=0.05)
    assert np.mean(errors) <= 1.03 * (shared + own) / 3, "no worse than plain means"


def test_without_shared_seeds_means_are_plain() -> None:
    _, values, _ = drawn(40, 3, 1.0, 1.0, 1)
    few = values[:SHARED]
    for told, runs in ((means(values), values), (means(few, dealt(SHARED, 3)), few)):
        assert np.array_equal(told.value, runs.mean(axis=1))
        assert told.noise == pytest.approx(runs.var(axis=1, ddof=1) / 3)
        assert told.shared == 0


def test_one_replicate_knows_no_luck() -> None:
    told = means(np.arange(40.0)[:, None], dealt(40, 1))
    assert np.array_equal(told.value, np.arange(40.0))
    assert not told.noise.any()


def lucky(rows: Floats, replicates: int, seed: int, share: bool) -> tuple[Floats, Whole | None]:
    """2a + b of the unit cube; luck as strong as it, a fifth of which a seed does to points with much of a."""
    rng, y = np.random.default_rng(seed), 2 * rows[:, 0] + rows[:, 1]
    hands = dealt(len(rows), replicates) if share else np.arange(len(rows))[:, None] + np.zeros(replicates, int)
    apart = hands + (hands.max() + 1) * np.arange(replicates)
    common, slope = rng.normal(size=(2, apart.max() + 1)) * np.sqrt([[0.7], [0.2]]) * y.std()
    left = np.sqrt(0.1) * y.std() * rng.normal(size=apart.shape)
    away = (rows[:, :1] - 0.5) * np.sqrt(12)
    return y[:, None] + common[apart] + slope[apart] * away + left, hands if share else None


@pytest.mark.slow
def test_shared_seeds_make_intervals_narrower_that_hold_the_truth_as_often() -> None:
    three, total = Problem(("a", "b", "dummy")), np.array([0.8, 0.2, 0.0])
    widths: dict[bool, list[float]] = {True: [], False: []}
    held = []
    for seed in range(8):
        for share in (True, False):
            design = sample_design(three, 128, seed)
            told = means(*lucky(design.rows, 3, seed, share))
            found = surrogate.study(three, np.zeros(3), design.rows, told, seed, second=False).indices
            widths[share].append(found.widths[:2].max())
            if share:
                low, high = found.total_interval.T
                held.append((low <= total) & (total <= high))
                assert found.noise == pytest.approx(0.5, abs=0.15)
    assert np.mean(widths[True]) < 0.75 * np.mean(widths[False])
    assert np.mean(np.array(held)[:, :2]) >= 0.85


def test_the_interval_of_luck_knows_how_few_seeds_there_are() -> None:
    """More points tell no more of what seeds do: the width wanted is that of the variance of 64 normal numbers."""
    three, found, ends = Problem(("a", "b", "dummy")), [], []
    for seed in range(60):
        design = sample_design(three, 128, seed)
        told = means(*lucky(design.rows, 2, seed, True))
        share, interval, _ = surrogate.luck(told, seed)
        found.append(share)
        ends.append(interval)
    low, high = np.array(ends).T
    assert np.mean(high - low) == pytest.approx(3.92 * np.std(found, ddof=1), rel=0.25)
    assert ((low <= 0.5) & (high >= 0.5)).mean() >= 0.88


def test_what_comes_from_seeds_asks_for_replicates_and_the_rest_for_points() -> None:
    total = np.array([0.5, 0.3, 0.0])

    def found(width: float) -> Indices:
        ends = np.column_stack([total - width / 2, total + width / 2])
        return Indices(total, ends, total, ends, 0.5, np.array([0.4, 0.6]), 1.0)

    none, all_of_it = np.zeros(3), np.full(3, (0.2 / 3.92) ** 2)
    assert surrogate.more_runs(found(0.09), none, 256, 0.1, 4) == 256 * 4
    assert surrogate.more_runs(found(0.2), none, 256, 0.1, 4) == 1024 * 4
    assert surrogate.more_runs(found(0.2), all_of_it, 256, 0.1, 4) == 256 * 32, "variance a quarter, and half of that"


@pytest.mark.slow
@pytest.mark.parametrize(("points", "replicates"), [(256, 2), (128, 4)])
def test_what_a_seed_does_to_points_with_much_of_a_factor_is_in_the_interval(points: int, replicates: int) -> None:
    """Each seed has a slope of its own: estimates scatter with the seeds, more than with as many runs."""
    three, found, halves = Problem(("a", "b", "dummy")), [], []
    for seed in range(16):
        rows, rng, hands = (
            sample_design(three, points, seed).rows,
            np.random.default_rng(seed),
            dealt(points, replicates),
        )
        which = np.arange(replicates), hands
        alike, slopes = rng.normal(size=(2, replicates, SHARED)) * np.sqrt(replicates / 2)
        away = (rows[:, :1] - 0.5) * np.sqrt(12)
        values = (2 * rows[:, 0] + rows[:, 1])[:, None] + alike[which] + 0.35 * slopes[which] * away
        told = means(values + 0.01 * rng.normal(size=hands.shape), hands)
        indices = surrogate.study(three, np.zeros(3), rows, told, seed, second=False).indices
        found.append(indices.total[0])
        halves.append(indices.widths[0] / 2)
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
    assert np.mean(halves) >= 1.5 * np.std(found, ddof=1)
    assert (np.abs(np.array(found) - 0.8) <= np.array(halves)).mean() >= 0.85
