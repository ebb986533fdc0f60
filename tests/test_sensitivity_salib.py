"""The fence around SALib: each of its faults is met at the fence, and what it finds is what is known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_functions import ishigami, ishigami_indices

from experiments.design import Factor
from experiments.sensitivity import levels_of
from model.errors import InputError
from results import sensitivity_salib as fence
from results.sensitivity_salib import (
    Problem,
    coordinate,
    delta,
    morris,
    morris_design,
    pawn,
    sample_design,
    sobol,
    sobol_design,
)

THREE = Problem(("a", "b", "c", "dummy"))
SEED = 3


def designs() -> dict[str, fence.Design]:
    return {
        "sobol": sobol_design(THREE, 64, SEED),
        "morris": morris_design(THREE, 8, SEED),
        "sample": sample_design(THREE, 128, SEED),
    }


ANALYSERS = {"sobol": [sobol], "morris": [morris], "sample": [pawn, delta]}


@pytest.mark.parametrize("method", ANALYSERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_result_that_is_no_number_is_refused_and_not_made_into_zeros(method: str, bad: float) -> None:
    design = designs()[method]
    y = ishigami(design.rows)
    y[7] = bad
    for analyse in ANALYSERS[method]:
        with pytest.raises(InputError, match="1 results that are no numbers"):
            analyse(design, y, SEED)


@pytest.mark.parametrize("method", ANALYSERS)
@pytest.mark.parametrize("more", [-1, 1, 64])
def test_results_of_another_length_are_refused_even_where_they_would_divide(method: str, more: int) -> None:
    design = designs()[method]
    for analyse in ANALYSERS[method]:
        with pytest.raises(InputError, match=f"{len(design.rows) + more} results"):
            analyse(design, np.zeros(len(design.rows) + more), SEED)


def test_results_are_analysed_with_the_design_they_were_sampled_by() -> None:
    with pytest.raises(ValueError, match="analysed as sobol"):
        sobol(designs()["morris"], np.zeros(40), SEED)


@pytest.mark.parametrize("second", [False, True])
def test_second_order_is_carried_with_the_design(second: bool) -> None:
    """With three factors and a power of two, SALib takes rows of either kind for the other without a word."""
    problem = Problem(("a", "b", "c"))
    design = sobol_design(problem, 1024, SEED, second_order=second)
    found = sobol(design, ishigami(np.c_[design.rows, design.rows[:, :1]]), SEED)
    assert found["ST"] == pytest.approx(ishigami_indices()[1][:3], abs=0.12)
    assert ("S2" in found) is second
    if second:
        assert found["S2"][0, 2] == pytest.approx(ishigami_indices()[1][2], abs=0.12), "a and c act together"


def test_seed_0_is_a_seed_like_any_other() -> None:
    for make in (lambda s: sobol_design(THREE, 16, s), lambda s: morris_design(THREE, 6, s)):
        assert np.array_equal(make(0).rows, make(0).rows)
        assert not np.array_equal(make(0).rows, make(1).rows)
    design = designs()["sobol"]
    y = ishigami(design.rows)
    first, again, other = (sobol(design, y, s)["ST_conf"] for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("method", ANALYSERS)
def test_the_global_generator_and_the_warnings_stay_as_they_were(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state, filters, formatting = np.random.get_state(), list(warnings.filters), warnings.formatwarning  # noqa: NPY002
    design = designs()[method]
    for analyse in ANALYSERS[method]:
        analyse(design, ishigami(design.rows), SEED)
    after = np.random.get_state()  # noqa: NPY002
    assert state[0] == after[0]
    assert np.array_equal(state[1], after[1])
    assert state[2:] == after[2:]
    assert (warnings.filters, warnings.formatwarning) == (filters, formatting)
    assert capsys.readouterr() == ("", "")


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60))
def test_pawn_takes_every_number_of_slices_or_refuses_it_with_a_near_one(slices: int) -> None:
    design = sample_design(THREE, 128, SEED)
    try:
        fence.check_slices(slices)
    except InputError as refused:
        near = int(str(refused).rpartition("e.g. ")[2].split()[0].strip(".;"))
        fence.check_slices(near)
        with pytest.raises(InputError, match="slices"):
            pawn(design, ishigami(design.rows), SEED, slices)
        return
    assert np.isfinite(pawn(design, ishigami(design.rows), SEED, slices)["maximum"]).all()


def test_the_slices_that_salib_fails_on_are_the_ones_refused() -> None:
    for slices in (6, 9, 21, 24, 28, 29, 30, 38, 46, 49, 54, 57):
        with pytest.raises(InputError, match="slices"):
            fence.check_slices(slices)
    for n in (20, 64, 150, 1000):
        fence.check_slices(fence.slices_for(n))


@pytest.mark.parametrize("method", ANALYSERS)
def test_where_nothing_moves_nothing_drives_and_nothing_is_said(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    design = designs()[method]
    for analyse in ANALYSERS[method]:
        found = analyse(design, np.full(len(design.rows), 0.3), SEED)
        assert all((values == 0).all() for values in found.values())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("ending", fence.RESERVED)
def test_a_factor_may_not_be_named_like_a_column_of_delta(ending: str) -> None:
    with pytest.raises(InputError, match="another ending"):
        Problem(("a", f"b{ending}"))


@settings(max_examples=40)
@given(levels=st.integers(2, 9), low=st.integers(-3, 3), u=st.floats(0, 1))
def test_coordinates_are_where_a_factor_s_value_lies_in_its_range(levels: int, low: int, u: float) -> None:
    for factor in (
        Factor("n", True, low, low + levels - 1, whole=True),
        Factor("c", True, values=tuple(range(low, low + levels))),
        Factor("s", False, float(low), float(low + levels - 1), steps=levels),
    ):
        assert levels_of(factor) == levels
        share = (factor.at(u) - low) / (levels - 1)
        assert coordinate(np.array([u]), levels)[0] == pytest.approx(share)
    free = Factor("f", False, float(low), low + 2.0)
    assert coordinate(np.array([u]), levels_of(free))[0] == pytest.approx((free.at(u) - low) / 2, abs=1e-9)


def test_every_value_of_a_count_or_choice_is_as_likely() -> None:
    for levels in (2, 3, 5):
        u = sample_design(THREE, 1024, SEED).rows[:, 0]
        shares = np.bincount(np.round(coordinate(u, levels) * (levels - 1)).astype(int)) / 1024
        assert shares == pytest.approx(np.full(levels, 1 / levels), abs=0.01)


@pytest.mark.parametrize("make", [sobol_design, sample_design])
def test_a_larger_design_begins_with_the_smaller_one(make: object) -> None:
    small, large = (make(THREE, n, SEED).rows for n in (32, 64))  # type: ignore[operator]
    assert np.array_equal(large[: len(small)], small)


def test_groups_move_together_and_have_one_index() -> None:
    grouped = Problem(("a", "b", "c", "dummy"), ("ac", "b", "ac", "dummy"))
    assert grouped.units == ("ac", "b", "dummy")
    design = sobol_design(grouped, 1024, SEED)
    first, total, _ = ishigami_indices()
    found = sobol(design, ishigami(design.rows), SEED)
    assert found["ST"] == pytest.approx([total[0], first[1], 0], abs=0.03), "c acts through a only"
    assert found["S1"] == pytest.approx(found["ST"], abs=0.04), "a and c inside one group interact with nothing"
    trajectories = morris_design(grouped, 10, SEED)
    assert len(trajectories.rows) == 10 * 4
    assert morris(trajectories, ishigami(trajectories.rows), SEED)["mu_star"][2] == 0
    sample = sample_design(grouped, 128, SEED)
    assert pawn(sample, ishigami(sample.rows), SEED)["median"].argmin() == 2
    assert len(delta(sample, ishigami(sample.rows), SEED)["delta"]) == 4


def test_morris_finds_the_slopes_of_a_plane_exactly() -> None:
    design = morris_design(THREE, 6, SEED)
    found = morris(design, design.rows @ np.array([3.0, -2.0, 0.5, 0.0]), SEED)
    assert found["mu"] == pytest.approx([3, -2, 0.5, 0])
    assert found["mu_star"] == pytest.approx([3, 2, 0.5, 0])
    assert found["sigma"] == pytest.approx(0, abs=1e-9)


def test_a_part_of_a_design_is_whole_blocks() -> None:
    design = designs()["sobol"]
    kept = np.arange(design.blocks) % 3 != 1
    part = design.part(kept)
    assert part.blocks == kept.sum()
    y = ishigami(design.rows).reshape(design.blocks, -1)[kept].ravel()
    assert sobol(part, y, SEED)["ST"][1] == pytest.approx(ishigami_indices()[1][1], abs=0.2)
