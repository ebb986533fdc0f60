"""Indices of stochastic functions whose truth is known: unbiased, with intervals that hold it, directly and not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_functions import FUNCTIONS, ishigami
from numpy.typing import NDArray
from scipy import stats

from model.errors import InputError
from results import sensitivity_surrogate as surrogate
from results.sensitivity_convergence import WIDTH, Step, parts_of, verdict
from results.sensitivity_luck import means
from results.sensitivity_replicated import Indices, cross_products, split
from results.sensitivity_salib import Design, Problem, sample_design, sobol_design

Floats = NDArray[np.float64]
NOISE = 0.3


def noisy(name: str, rows: Floats, noise: float, replicates: int, seed: int) -> Floats:
    """Values (points, replicates) with fresh noise in every run, `noise` of the whole variance."""
    function, truth = FUNCTIONS[name]
    spread = np.sqrt(noise / (1 - noise) * truth()[2])
    return function(rows)[:, None] + spread * np.random.default_rng(seed).normal(size=(len(rows), replicates))


def problem(name: str) -> Problem:
    n = len(FUNCTIONS[name][1]()[0])
    return Problem(tuple(f"x{i}" for i in range(n)))


@cache
def saltelli(name: str, n: int, seed: int) -> Design:
    return sobol_design(problem(name), n, seed)


def direct(name: str, noise: float, n: int, seed: int, resamples: int = 200) -> Indices:
    design = saltelli(name, n, seed)
    values = noisy(name, design.rows, noise, 2, seed)
    return cross_products(*split(values, len(design.problem.units)), seed=seed, resamples=resamples)


@pytest.mark.parametrize("noise", [0.0, NOISE])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_mean_of_forty_studies_is_within_two_hundredths_of_the_truth(name: str, noise: float) -> None:
    first, total, _ = FUNCTIONS[name][1]()
    studies = [direct(name, noise, 512, seed, resamples=2) for seed in range(40)]
    assert np.mean([s.first for s in studies], axis=0) == pytest.approx(first, abs=0.02)
    assert np.mean([s.total for s in studies], axis=0) == pytest.approx(total, abs=0.02)
    assert np.mean([s.noise for s in studies]) == pytest.approx(noise, abs=0.02)


def test_the_ordinary_estimator_would_call_noise_an_interaction() -> None:
    """What the products across replicates are for: the same values, averaged first, give an inert factor an index."""
    from results.sensitivity_salib import sobol

    design = sobol_design(problem("ishigami"), 1024, 1)
    values = noisy("ishigami", design.rows, NOISE, 2, 1)
    naive = sobol(design, values.mean(axis=1), 1)["ST"]
    assert naive[3] > 0.1
    assert cross_products(*split(values, 4)).total[3] == pytest.approx(0, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, NOISE])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_intervals_hold_the_truth_as_often_as_they_say(name: str, noise: float) -> None:
    """At least nine times in ten; more where the even spread of Sobol points makes errors smaller than chance would."""
    total = FUNCTIONS[name][1]()[1]
    studies = [direct(name, noise, 256, seed, resamples=400) for seed in range(200)]
    ends = np.array([s.total_interval for s in studies])
    held = ((ends[:, :, 0] - 1e-12 <= total) & (total <= ends[:, :, 1] + 1e-12)).mean(axis=0)
    assert (held >= 0.9).all(), held


def test_an_inert_factor_s_interval_holds_zero() -> None:
    held = [direct("ishigami", NOISE, 256, seed).total_interval[3] for seed in range(40)]
    assert np.mean([low <= 0 <= high for low, high in held]) >= 0.85


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_inert_factor_s_interval_is_as_wide_as_noise_makes_it(name: str) -> None:
    """Closed form: half a product of two differences of noise has the noise's own variance σ², so that the index of an
    inert factor has the standard error σ² / (V √N)."""
    n = 512
    found = [direct(name, NOISE, n, seed) for seed in range(20)]
    error = NOISE / (1 - NOISE) / np.sqrt(n)
    assert np.mean([f.widths[-1] for f in found]) == pytest.approx(2 * 1.96 * error, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-1e3, 1e3), scale=st.floats(0.01, 100), swap=st.booleans())
def test_indices_know_no_unit_and_no_order_of_replicates(shift: float, scale: float, swap: bool) -> None:
    design = sobol_design(problem("ishigami"), 64, 5)
    values = noisy("ishigami", design.rows, NOISE, 3, 5)
    a = cross_products(*split(values, 4), resamples=20)
    b = cross_products(*split((values[:, ::-1] if swap else values) * scale + shift, 4), resamples=20)
    for name in ("first", "total", "first_interval", "total_interval", "noise"):
        assert getattr(b, name) == pytest.approx(getattr(a, name), abs=1e-6)


def test_replicates_without_noise_give_the_ordinary_indices() -> None:
    """Independent oracle: SciPy's own estimator on the same function."""
    design = sobol_design(problem("ishigami"), 1024, 2)
    values = ishigami(design.rows)[:, None].repeat(2, axis=1)
    found = cross_products(*split(values, 4))
    oracle = stats.sobol_indices(
        func=lambda x: ishigami(x.T), n=1024, dists=[stats.uniform()] * 4, rng=np.random.default_rng(2)
    )
    assert found.total == pytest.approx(oracle.total_order, abs=0.03)
    assert found.first == pytest.approx(oracle.first_order, abs=0.03)
    assert found.noise == pytest.approx(0, abs=1e-12)


def test_one_replicate_or_a_value_missing_is_refused() -> None:
    a = np.zeros((8, 1))
    with pytest.raises(InputError, match="two or more"):
        cross_products(a, a, np.zeros((8, 2, 1)))
    b = np.ones((8, 2))
    b[3, 1] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        cross_products(b, b, np.zeros((8, 2, 2)))


def test_where_there_is_noise_only_all_is_luck() -> None:
    values = np.random.default_rng(1).normal(size=(512 * 5, 2))
    found = cross_products(*split(values, 3))
    assert found.noise == pytest.approx(1, abs=0.15)
    assert found.noise_interval[0] <= 1 <= found.noise_interval[1] + 0.05


# ---- convergence


def fake(total: list[float], width: float) -> Indices:
    values = np.array(total)
    ends = np.column_stack([values - width / 2, values + width / 2])
    return Indices(values, ends, values, ends, 0.1, np.array([0.05, 0.15]), 1.0)


@pytest.mark.parametrize(
    ("half", "whole", "width", "settled"),
    [
        ([0.6, 0.3, 0.0], [0.58, 0.31, 0.0], 0.08, True),
        ([0.6, 0.3, 0.0], [0.58, 0.31, 0.0], 0.12, False),  # too wide
        ([0.2, 0.7, 0.0], [0.58, 0.31, 0.0], 0.08, False),  # ranks change
        ([0.6, 0.3, 0.0], [0.58, 0.31, 0.2], 0.08, False),  # the dummy does something
        ([0.6, 0.3, 0.0], [0.58, 0.06, 0.0], 0.08, True),
        ([0.96, 0.01, 0.02, 0.0], [0.97, 0.02, 0.01, 0.0], 0.08, True),  # what does nothing has no rank
    ],
)
def test_a_study_has_settled_where_intervals_ranks_and_dummy_say_so(
    half: list[float], whole: list[float], width: float, settled: bool
) -> None:
    found = verdict([Step(64, fake(half, 2 * width)), Step(128, fake(whole, width))], len(whole) - 1)
    assert found.settled is settled


def test_indices_are_computed_on_a_quarter_a_half_and_all_and_never_on_too_little() -> None:
    assert parts_of(256) == [64, 128, 256]
    assert parts_of(40) == [20, 40]


def test_a_direct_study_says_how_many_runs_would_be_narrow_enough() -> None:
    design = sobol_design(problem("ishigami"), 256, 1)
    found = direct("ishigami", NOISE, 256, 1)
    more = surrogate.runs_for(found, 256, WIDTH, 2)
    assert more > 256 * design.block * 2
    n = more // (2 * design.block)
    wide = max(w for w, t in zip(direct("ishigami", NOISE, n, 1).widths, found.total, strict=True) if t > WIDTH)
    assert wide <= 1.5 * WIDTH


# ---- surrogate


def smooth(u: Floats) -> Floats:
    """Four factors, one inert, two of which interact; its indices below."""
    x = u - 0.5
    return 2 * x[:, 0] + x[:, 1] + 4 * x[:, 1] * x[:, 2]


def smooth_total() -> Floats:
    own = np.array([4 / 12, 1 / 12, 0, 0])
    both = 16 / 144
    return (own + both * np.array([0, 1, 1, 0])) / (own.sum() + both)


def test_a_surrogate_finds_the_indices_of_a_smooth_noisy_function_from_few_runs() -> None:
    four = Problem(("a", "b", "c", "dummy"))
    design = sample_design(four, 64, 1)
    y = smooth(design.rows)
    spread = np.sqrt(0.2 / 0.8 * y.var())
    values = y[:, None] + spread * np.random.default_rng(1).normal(size=(64, 2))
    found = surrogate.study(four, np.zeros(4), design.rows, means(values), 1)
    assert found.believed
    assert found.q2_raw < found.q2
    total, ends = smooth_total(), found.indices.total_interval
    assert found.indices.total == pytest.approx(total, abs=0.07)
    assert ((ends[:, 0] <= total) & (total <= ends[:, 1])).all()
    assert ends[3, 0] <= 0 <= ends[3, 1]
    assert found.second[1, 2] == pytest.approx(16 / 144 / (5 / 12 + 16 / 144), abs=0.08)
    assert found.indices.noise == pytest.approx(0.2, abs=0.1)
    low, high = found.indices.noise_interval
    assert low <= 0.2 <= high


def test_a_surrogate_of_mere_noise_is_not_believed() -> None:
    four = Problem(("a", "b", "c", "dummy"))
    design = sample_design(four, 48, 1)
    values = np.random.default_rng(1).normal(size=(48, 2))
    found = surrogate.study(four, np.zeros(4), design.rows, means(values), 1, second=False)
    assert not found.believed
    assert found.indices.noise > 0.6


def test_where_nearly_all_is_luck_no_surrogate_is_believed_whatever_its_q2_by_chance() -> None:
    """What is left to be predicted is then a small difference of large numbers: Q² may come out as 1."""
    four = Problem(("a", "b", "c", "dummy"))
    for seed in range(10):
        design = sample_design(four, 64, seed)
        noise = np.random.default_rng(seed).normal(size=(64, 2))
        told = means(0.1 * smooth(design.rows)[:, None] + noise)
        found = surrogate.study(four, np.zeros(4), design.rows, told, seed, False)
        assert not found.believed


def test_realisations_of_a_surrogate_have_its_mean_and_its_error() -> None:
    """Independent oracle: scikit-learn's own posterior mean and standard deviation."""
    four = Problem(("a", "b", "c", "dummy"))
    design = sample_design(four, 32, 1)
    y = smooth(design.rows) + 0.1 * np.random.default_rng(1).normal(size=32)
    fitted = surrogate.fit(design.rows, y)
    at = sample_design(four, 16, 9).rows
    drawn = fitted.realisations(at, 2000, 1)
    mean, error = fitted.process.predict(at, return_std=True)
    noise = fitted.process.kernel_.k2.noise_level
    exact = fitted.scale * np.sqrt(np.maximum(error**2 - noise, 0))
    assert drawn.mean(axis=1) == pytest.approx(fitted.centre + fitted.scale * mean, abs=4 * exact.max() / np.sqrt(2000))
    assert drawn.std(axis=1) == pytest.approx(exact, rel=0.15, abs=0.01)


def test_counts_and_choices_are_one_value_to_a_surrogate() -> None:
    two = Problem(("count", "dummy"))
    design = sample_design(two, 32, 1)
    levels = np.array([3, 0])
    x = surrogate.coordinates(design.rows, levels)
    assert set(x[:, 0]) == {0.0, 0.5, 1.0}
    assert np.array_equal(x[:, 1], design.rows[:, 1])


@pytest.mark.slow
def test_a_surrogate_takes_ten_times_fewer_runs_than_products_across_replicates() -> None:
    """On noisy Sobol-G, against a direct study of ten times its runs."""
    g = problem("sobol-g")
    total = FUNCTIONS["sobol-g"][1]()[1]
    few, many = [], []
    for seed in range(6):
        sample = sample_design(g, 128, seed)
        values = noisy("sobol-g", sample.rows, NOISE, 2, seed)
        found = surrogate.study(g, np.zeros(9), sample.rows, means(values), seed, second=False)
        few.append(found.indices.total - total)
        many.append(direct("sobol-g", NOISE, 128, seed).total - total)  # 128 · 11 · 2 runs, 11 times as many
    assert np.sqrt(np.mean(np.square(few))) <= np.sqrt(np.mean(np.square(many)))
