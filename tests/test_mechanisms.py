"""Each mechanism is set against a baseline that differs from it in nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.mechanisms import (
    INTENSITIES,
    MECHANISMS,
    SPREADS,
    Found,
    Mechanism,
    document,
    effect,
    plan_of,
    rows,
    run,
    table,
)
from experiments.plan import CALIBRATIONS, Plan
from experiments.policy_file import read_value
from experiments.scenario import BASELINE, by_lever, load_scenario
from model.levers import FacilityInvestment

WORKS = Mechanism("works", FacilityInvestment, {"yuan_per_pupil": (0.0, 1000.0, 5000.0)})
YEARS = 2


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Found]:
    """One mechanism lived in the village, in this process, with two replicates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUNHENG_CACHE", str(tmp_path_factory.mktemp("cache")))
        plan = plan_of([WORKS], "village", replicates=2, years=YEARS)
        return plan, run(plan, workers=0)


def test_the_table_has_three_intensities_under_each_calibration(lived: tuple[Plan, Found]) -> None:
    held = rows(WORKS, lived[1])
    assert {(r.intensity, r.calibration) for r in held} == {(i, c) for i in range(INTENSITIES) for c in CALIBRATIONS}
    lines = table(held).splitlines()
    assert len(lines) == 2 + len(held) == 2 + 6
    assert len({line.count("|") for line in lines}) == 1


def test_a_lever_at_zero_differs_by_exactly_nothing_from_the_baseline(lived: tuple[Plan, Found]) -> None:
    for row in rows(WORKS, lived[1]):
        values = [e for e in row.effects.values() if np.isfinite(e.mean)]
        assert len(values) > len(row.effects) / 2
        if row.intensity == 0:
            assert all(e.mean == 0 and e.half == 0 for e in values)
        else:
            assert row.effects["spending.real", "all", ""].mean > 0
            assert any(row.effects[key].mean != 0 for key in SPREADS)


def test_the_document_names_every_intensity_its_seeds_and_that_the_region_is_synthetic(
    lived: tuple[Plan, Found],
) -> None:
    plan, found = lived
    text = document([WORKS], plan, found)
    assert "`village`, synthetic" in text
    assert "--replicates 2 --years 2 --seed 1" in text
    assert all(str(r.seed) in text for r in plan.runs)
    assert "0.0 → 1000.0 → 5000.0 (baseline: 0.0)" in text
    assert text == document([WORKS], plan, found)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_every_field_is_one_of_its_lever_and_every_value_lies_in_its_range(mechanism: Mechanism) -> None:
    for i in range(INTENSITIES):
        for name, value in mechanism.set_at(i).items():
            assert read_value(mechanism.lever, name, value, mechanism.name) == value
    assert len({mechanism.label(i) for i in range(INTENSITIES)}) == INTENSITIES


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_a_mechanism_changes_its_own_levers_and_leaves_the_rest(mechanism: Mechanism) -> None:
    baseline = load_scenario(BASELINE).policy
    own = {mechanism.lever.NAME, *(e.NAME for e in mechanism.beside)}
    before = by_lever(baseline)
    for i in range(INTENSITIES):
        after = by_lever(mechanism.policy(baseline, i))
        assert {n: e for n, e in after.items() if n not in own} == {n: e for n, e in before.items() if n not in own}
        assert own <= set(after)
        assert len(after[mechanism.lever.NAME]) == max(1, len(before.get(mechanism.lever.NAME, ())))


def test_mechanisms_have_names_of_their_own() -> None:
    assert len({m.name for m in MECHANISMS}) == len(MECHANISMS)


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    """An independent oracle: the confidence interval of scipy's paired test."""
    a, b = np.random.default_rng(3).normal(size=(2, 5))
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    found = effect(list(a - b))
    assert np.allclose([found.mean - found.half, found.mean + found.half], interval)
