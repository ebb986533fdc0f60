"""Each mechanism is set against a baseline that differs from it in nothing else, and judged by what is known of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from experiments.effects import Effect, Range, effect
from experiments.mechanisms import (
    MECHANISMS,
    SPREADS,
    Evidence,
    Found,
    Mechanism,
    document,
    evidence,
    plan_of,
    plans_of,
    rows,
    run,
    table,
)
from experiments.plan import CALIBRATIONS, Plan
from experiments.policy_file import read_value
from experiments.scenario import BASELINE, by_lever, load_scenario
from model.indicators import INDICATORS
from model.levers import LEVERS, FacilityInvestment
from model.region import Setting

WORKS = Mechanism(
    "facility investment", FacilityInvestment, {"yuan_per_pupil": (0.0, 1000.0, 5000.0)}, region="village"
)
YEARS = 2
NOT_ALONE = {"bundled_evaluation", "budget"}  # act through another lever, or only give notice


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Found]:
    """One mechanism lived in the village, in this process, with two replicates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUNHENG_CACHE", str(tmp_path_factory.mktemp("cache")))
        plan = plan_of([WORKS], "village", replicates=2, years=YEARS)
        return plan, run(plan, workers=0)


def test_the_table_has_three_intensities_under_each_calibration(lived: tuple[Plan, Found]) -> None:
    held = rows(WORKS, lived[1])
    assert {(r.intensity, r.calibration) for r in held} == {(i, c) for i in range(3) for c in CALIBRATIONS}
    lines = table(held).splitlines()
    assert len(lines) == 2 + len(held) == 2 + 6
    assert len({line.count("|") for line in lines}) == 1


def test_a_lever_at_zero_differs_by_exactly_nothing_from_the_baseline_and_hurts_nobody(
    lived: tuple[Plan, Found],
) -> None:
    for row in rows(WORKS, lived[1]):
        values = [e for e in row.effects.values() if np.isfinite(e.mean)]
        assert len(values) > len(row.effects) / 2
        if row.intensity == 0:
            assert all(e.mean == 0 and e.half == 0 for e in values)
            assert row.hurt is None
        else:
            assert row.effects["spending.levers", "all", ""].mean > 0
            assert any(row.effects[key].mean != 0 for key in SPREADS)


def test_whoever_loses_most_is_named_where_the_loss_is_clear(lived: tuple[Plan, Found]) -> None:
    """Town schools are given a fall of one SD, village schools one of half, by hand."""
    harmed: Found = dict(lived[1])
    runs = []
    for i, one in enumerate(lived[1]["facility investment, 1", "input"]):
        fall = one.groups["town"] * (1 + 0.001 * i) + one.groups["village"] * 0.5
        runs.append(replace(one, score=one.score - fall))
    harmed["facility investment, 1", "input"] = runs
    found = next(r for r in rows(WORKS, harmed) if r.intensity == 0 and r.calibration == "input")
    assert found.hurt is not None
    assert found.hurt[0] == "town"
    assert found.hurt[2].mean == pytest.approx(-1.0005)


def test_the_document_names_every_intensity_its_seeds_and_that_the_region_is_synthetic(
    lived: tuple[Plan, Found],
) -> None:
    plan, found = lived
    text = document([WORKS], {"village": plan}, {"village": found})
    assert "`village`, synthetic" in text
    assert "--replicates 2 --years 2 --seed 1" in text
    assert all(str(r.seed) in text for r in plan.runs)
    assert "0.0 → 1000.0 → 5000.0 (baseline: 0.0)" in text
    assert text == document([WORKS], {"village": plan}, {"village": found})


def test_the_verdicts_of_the_document_follow_from_what_was_measured(lived: tuple[Plan, Found]) -> None:
    """Scores raised by ten SD by hand lie outside every range; left as they were, nobody's do."""
    plan, found = lived
    raised: Found = dict(found)
    for c in CALIBRATIONS:
        runs = found["facility investment, 2", c]
        key = "mean_score", "primary", ""
        raised["facility investment, 2", c] = [replace(r, values={**r.values, key: r.values[key] + 10}) for r in runs]
    before, after = (document([WORKS], {"village": plan}, {"village": f}) for f in (found, raised))
    assert "outside" not in _judged_line(before)
    assert _judged_line(after).count("outside") == len(CALIBRATIONS)


def _judged_line(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("| facility investment") and "mean_score" in line)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Effect(-0.05, 0.02), "inside"),
        (Effect(-0.05, 0.2), "open"),  # as wide as that it says nothing
        (Effect(-0.12, 0.05), "open"),
        (Effect(-0.5, 0.1), "outside"),
        (Effect(0.015, 0.01), "inside, but of the other sign"),
    ],
)
def test_an_estimate_is_judged_by_range_width_and_sign(found: Effect, verdict: str) -> None:
    known = Evidence("gap.score", "primary", "down", -0.1, 0.02, "E2.9", "C", "")
    assert known.verdict(found) == verdict
    assert replace(known, source="none").verdict(found).startswith("no evidence")


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_every_mechanism_has_evidence_with_source_and_range_or_says_that_there_is_none(mechanism: Mechanism) -> None:
    held = evidence()[mechanism.name]
    assert held
    for known in held:
        declared = INDICATORS[known.outcome]
        assert known.stage in declared.stages
        assert not known.setting or (known.setting.upper() in Setting.__members__ and "setting" in declared.levels)
        assert known.low < known.high
        assert known.sign in ("down", "up", "none")
        assert known.sign != "down" or known.low < 0
        assert known.sign != "up" or known.high > 0
        assert known.note
        assert bool(known.mark) == (known.source != "none")
        assert known.intensity(mechanism) in mechanism.intensities


def test_a_range_without_evidence_is_wider_than_the_usual_one_with_it() -> None:
    """Only for gaps of scores, where both occur."""
    gaps = [known for held in evidence().values() for known in held if known.outcome == "gap.score"]
    width = {s: [k.high - k.low for k in gaps if (k.source == "none") == s] for s in (True, False)}
    assert np.median(width[True]) > np.median(width[False])


def test_every_lever_is_tried_alone_or_said_to_be_none_that_can_be() -> None:
    tried = {m.lever.NAME for m in MECHANISMS}
    assert tried == set(LEVERS) - NOT_ALONE
    beside = {e.NAME for m in MECHANISMS for e in m.beside}
    assert "bundled_evaluation" in beside
    assert set(evidence()) == {m.name for m in MECHANISMS}


def test_the_plan_of_every_region_fits_it() -> None:
    for plan in plans_of(MECHANISMS, replicates=2, years=2).values():
        plan.check()


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_every_field_is_one_of_its_lever_and_every_value_lies_in_its_range(mechanism: Mechanism) -> None:
    for i in mechanism.intensities:
        for name, value in mechanism.set_at(i).items():
            written = list(value) if isinstance(value, tuple) else value
            assert read_value(mechanism.lever, name, written, mechanism.name) == value
    assert len({mechanism.label(i) for i in mechanism.intensities}) == len(mechanism.intensities)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_a_mechanism_changes_its_own_levers_and_leaves_the_rest(mechanism: Mechanism) -> None:
    baseline = load_scenario(BASELINE).policy
    own = {mechanism.lever.NAME, *(e.NAME for e in mechanism.beside)}
    before = by_lever(baseline)
    for i in mechanism.intensities:
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


def test_an_interval_of_a_pick_is_that_of_all_it_was_picked_from() -> None:
    """Bonferroni by scipy: five picked from, at 99 %."""
    d = np.random.default_rng(4).normal(size=6)
    interval = stats.ttest_1samp(d, 0).confidence_interval(0.99)
    found = effect(list(d), among=5)
    assert np.allclose([found.mean - found.half, found.mean + found.half], interval)


def test_a_range_without_bounds_holds_whatever_is_finite() -> None:
    assert Range().holds(Effect(1e6, 1.0)) == "yes"
