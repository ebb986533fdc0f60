"""The base moments: measured as they are declared, judged by their tolerances, and reached by both calibrations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.moments import (
    HOW,
    Looked,
    Tolerance,
    judged,
    looked_at,
    measured,
    moments,
    outside,
    plan_of,
    series,
    verdict,
    with_flat_births,
    without_building,
)
from experiments.scenario import load_scenario
from junheng.cli import main
from model.build import build_region
from model.errors import InputError
from model.indicators import INDICATORS
from model.people import cohort_size
from model.region import Setting

YEARS = 8


def columns(values: dict[tuple[str, str, str], list[float]]) -> dict[str, np.ndarray]:
    """A table of indicators by (indicator, stage, setting), the whole region where no setting is named."""
    rows = [
        (2019 + i, "setting" if place else "region", place or "here", stage, indicator, value)
        for (indicator, stage, place), held in values.items()
        for i, value in enumerate(held)
    ]
    names = ("year", "level", "place", "stage", "indicator", "value")
    return {n: np.array(c, object if i in (1, 2, 3, 4) else None) for i, (n, c) in enumerate(zip(names, zip(*rows, strict=True), strict=True))}  # fmt: skip  # noqa: E501


def everywhere(value: float, years: int) -> dict[str, np.ndarray]:
    """Every indicator that a moment looks at, at one value in every year and place."""
    at = {(m.indicator, s, p) for m in moments().values() if m.indicator for s in m.stages for p in ("", m.place)}
    return columns({key: [value] * years for key in at})


def seen(**changes: Any) -> Looked:
    same = everywhere(0.25, YEARS)
    sizes = np.array([[100, 0], [300, 200]])
    return replace(Looked(sizes, sizes, everywhere(0.25, 1), same, [(everywhere(0.25, 1), same)] * 2), **changes)


def test_every_moment_is_of_an_indicator_that_is_declared_at_that_stage_and_place() -> None:
    for moment in moments().values():
        assert moment.how in HOW
        assert (moment.how == "sizes") == (not moment.indicator)
        if moment.indicator:
            declared = INDICATORS[moment.indicator]
            assert set(moment.stages) <= set(declared.stages)
            assert ("setting" if moment.place else "region") in declared.levels
        assert moment.place in ("", *(s.name.lower() for s in Setting))
        assert moment.kind in ("measured", "derived", "assumed")
        assert moment.source


def test_what_another_model_reached_lies_in_the_tolerances() -> None:
    """The tolerances are those of the evidence, and both corners of its sketch were found inside them."""
    for moment in moments().values():
        for at, tolerance in moment.tolerance.items():
            if tolerance is not None and moment.sketch[at] is not None:
                assert tolerance.holds(moment.sketch[at]), (moment.name, at)


def test_the_base_moments_are_the_last_year_s_values_of_the_place_asked_for() -> None:
    urban = ("teacher_effectiveness", "junior", "urban")
    base = columns({urban: [9.0, 0.5], (*urban[:2], ""): [9.0, 9.0], ("proximity_share", "junior", ""): [9.0, 0.9]})
    looked = seen(base=base)
    by_name = moments()
    assert HOW["base"](by_name["teachers_urban"], "junior", looked) == 0.5
    assert HOW["base"](by_name["crossing"], "junior", looked) == pytest.approx(0.1)


@given(
    base=st.floats(-1, 1),
    runs=st.lists(st.lists(st.floats(-1, 1), min_size=YEARS, max_size=YEARS), min_size=1, max_size=3),
    shift=st.floats(-1, 1),
)
def test_drift_is_nil_in_a_still_region_and_ignores_the_level(
    base: float, runs: list[list[float]], shift: float
) -> None:
    moment = moments()["drift_score_gap"]

    def drift(by: float) -> float:
        flat = [columns({("gap.score", "primary", ""): [v + by for v in run]}) for run in runs]
        start = columns({("gap.score", "primary", ""): [base + by]})
        return HOW["drift"](moment, "primary", seen(still=[(start, run) for run in flat]))

    assert drift(shift) == pytest.approx(drift(0.0), abs=1e-12)
    still = [columns({("gap.score", "primary", ""): [base] * YEARS})] * 2
    start = columns({("gap.score", "primary", ""): [base]})
    assert HOW["drift"](moment, "primary", seen(still=[(start, run) for run in still])) == pytest.approx(0.0, abs=1e-12)


def test_a_gap_that_grows_evenly_drifts_by_its_slope_times_seven() -> None:
    """Years 7 and 8 lie on average seven years after years 0 and 1."""
    run = columns({("gap.score", "junior", ""): [0.1 + 0.02 * y for y in range(1, YEARS + 1)]})
    start = columns({("gap.score", "junior", ""): [0.1]})
    found = HOW["drift"](moments()["drift_score_gap"], "junior", seen(still=[(start, run)]))
    assert found == pytest.approx(0.14)


def test_sizes_are_off_by_the_pupils_who_are_not_where_they_were_given() -> None:
    looked = seen(found=np.array([[110, 0], [270, 200]]))
    assert HOW["sizes"](moments()["school_sizes"], "primary", looked) == pytest.approx(40 / 400)
    assert HOW["sizes"](moments()["school_sizes"], "junior", looked) == 0.0


def test_flat_births_keep_the_children_at_school_and_nothing_else_changes() -> None:
    region = build_region("village", seed=1)
    before = region.fingerprint()
    flat = with_flat_births(region)
    assert region.fingerprint() == before
    at_school = [cohort_size(region, region.base_year - i) for i in range(9)]
    for year in (region.base_year - 8, region.base_year, region.base_year + 8):
        assert cohort_size(flat, year) == pytest.approx(np.mean(at_school, axis=0))
    flat.cohorts.entrants[:] = region.cohorts.entrants
    assert flat.fingerprint() == before


def test_without_building_only_the_places_opened_are_gone() -> None:
    baseline = load_scenario("baseline").policy
    kept = without_building(baseline)
    gone = [entry for entry in baseline.entries if entry not in kept.entries]
    assert {entry.NAME for entry in gone} == {"new_places"}
    assert len(kept.entries) + len(gone) == len(baseline.entries)


@pytest.mark.parametrize(
    ("low", "high", "value", "inside"),
    [
        (0.15, 0.25, 0.15, True),
        (0.15, 0.25, 0.25, True),
        (0.15, 0.25, 0.149, False),
        (0.15, 0.25, 0.251, False),
        (None, 0.4, -1.0, True),
        (None, 0.4, 0.41, False),
        (0.08, None, 0.3, True),
        (0.08, None, 0.07, False),
    ],
)
def test_a_mean_outside_its_tolerance_is_flagged(
    low: float | None, high: float | None, value: float, inside: bool
) -> None:
    around = np.array([value - 0.5, value, value + 0.5])
    assert verdict(around, Tolerance(low, high))["inside"] is inside


def test_a_moment_without_tolerance_or_value_is_not_judged_but_one_that_lacks_some_values_fails() -> None:
    nan = float("nan")
    assert verdict(np.array([0.1, 0.2]), None)["inside"] is None
    assert verdict(np.array([nan, nan]), Tolerance(0.0, 1.0))["inside"] is None
    assert verdict(np.array([0.5, nan]), Tolerance(0.0, 1.0))["inside"] is False


def test_one_artificial_moment_out_of_place_is_the_one_that_is_named() -> None:
    good = {(m.name, s): 0.5 * sum(m.tolerance[s, "input"] or (0, 0)) if None not in (m.tolerance[s, "input"] or ()) else 0.3 for m in moments().values() for s in m.stages}  # fmt: skip  # noqa: E501
    assert outside(judged({"input": [good, good]})) == []
    bad = good | {("ses_correlation", "junior"): 0.55}
    assert outside(judged({"input": [bad, bad]})) == ["ses_correlation junior input"]


def test_two_calibrations_that_agree_about_equal_teachers_are_flagged() -> None:
    values = {(m.name, s): 0.22 for m in moments().values() for s in m.stages}
    missed = outside(judged({"input": [values] * 2, "sorting": [values] * 2}))
    assert "gap_without_teachers primary sorting less input" in missed
    apart = values | {("gap_without_teachers", "primary"): 0.35}
    missed = outside(judged({"input": [values] * 2, "sorting": [apart] * 2}))
    assert "gap_without_teachers primary sorting less input" not in missed


def test_the_error_of_a_mean_is_that_of_independent_regions() -> None:
    values = np.array([0.1, 0.2, 0.4, 0.5])
    found = verdict(values, None)
    assert found["mean"] == pytest.approx(0.3)
    assert found["se"] == pytest.approx(np.sqrt(np.var(values, ddof=1) / 4))


def test_a_saved_region_or_an_unknown_one_is_refused() -> None:
    with pytest.raises(InputError, match="a profile, from which several are built"):
        plan_of("here.npz", 2, ("input",))
    with pytest.raises(InputError, match="village"):
        plan_of("vilage", 2, ("input",))


def test_the_regions_looked_at_are_built_and_lived_on_seeds_of_their_own() -> None:
    plan = plan_of("village", 3, ("input", "sorting"))
    by_replicate = {(run.replicate, run.region_seed, run.seed) for run in plan.runs}
    assert len(by_replicate) == 3
    assert len({seed for _, seed, _ in by_replicate}) == len({seed for *_, seed in by_replicate}) == 3


@pytest.fixture
def validate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["junheng", "validate", *arguments])
        status = main(["validate", *arguments])
        return status, *capsys.readouterr()

    return run


def test_the_command_prints_each_moment_with_evidence_and_verdict(validate: Callable[..., Any]) -> None:
    status, out, err = validate("--region", "village", "--regions", "1")
    assert status == 0
    assert "regions" in err
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith("Outside"))
    for moment in moments().values():
        assert moment.en.split()[0] in out
    assert ".15–.25" in out
    assert {"✓", "✗"} & set(out)


def test_the_command_s_json_agrees_with_what_the_library_measures(validate: Callable[..., Any]) -> None:
    status, out, err = validate(
        "--region", "village", "--regions", "1", "--calibration", "sorting", "--json", "--quiet"
    )
    assert (status, err) == (0, "")
    document = json.loads(out)
    ((calibration, values),) = looked_at(plan_of("village", 1, ("sorting",)), workers=0)
    assert calibration == "sorting"
    assert not isinstance(values, str)
    assert len(document["moments"]) == len(values)
    for row in document["moments"]:
        own = row["calibrations"]["sorting"]["mean"]
        value = values[row["moment"], row["stage"]]
        assert own == pytest.approx(value, abs=1e-9) if np.isfinite(value) else own is None


def test_an_unknown_region_is_refused_with_the_nearest_name(validate: Callable[..., Any]) -> None:
    status, out, err = validate("--region", "wuqin")
    assert (status, out) == (2, "")
    assert "wuqing" in err


def test_measured_takes_every_moment_from_what_was_seen() -> None:
    found = measured(seen())
    assert set(found) == {(m.name, s) for m in moments().values() for s in m.stages}
    assert found["score_gap", "primary"] == series(seen().base, "gap.score", "primary")[-1] == 0.25
    assert found["crossing", "primary"] == 0.75
    assert found["drift_score_gap", "primary"] == 0.0


@pytest.mark.slow
def test_both_calibrations_of_wuqing_land_in_the_evidence_and_disagree_about_equal_teachers(
    validate: Callable[..., Any],
) -> None:
    """The mean over eight built regions; of a drift, that it is not shown to be larger than allowed (two errors)."""
    status, out, _ = validate("--json", "--quiet")
    document = json.loads(out)
    assert status == 0
    for row in document["moments"]:
        for calibration, one in row["calibrations"].items():
            known = moments()[row["moment"]].tolerance[row["stage"], calibration] is not None
            assert (one["inside"] is not None) == known
            if moments()[row["moment"]].how == "drift":
                assert abs(one["mean"]) - 2 * one["se"] <= one["high"]
    assert [name for name in document["outside"] if not name.startswith("drift")] == []
