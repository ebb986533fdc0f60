"""Trade-offs come about by themselves, and their verdicts come from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.effects import Effect, Range
from experiments.plan import CALIBRATIONS, Plan
from experiments.tradeoffs import (
    Design,
    Experiment,
    Finding,
    Found,
    Judged,
    design,
    document,
    judge,
    plan_of,
    run,
    verdict,
)
from experiments.tradeoffs import live as live_arm
from model.indicators import INDICATORS
from model.simulate import simulate

VILLAGE = ("new places stand empty", "the halo of a group")


def finding(**values: object) -> Finding:
    return Finding(**{"says": "x", "measure": "score strong", "stage": "primary", "arm": "a", "against": "b"} | values)


def lives(values: Sequence[float], stage: str = "primary") -> list[dict[tuple[str, str], list[float]]]:
    """A life for each value: a series that ends in it."""
    return [{("score strong", stage): [0.0, value]} for value in values]


# --- verdicts are computed


@given(st.floats(-2, 2), st.floats(0.01, 1))
def test_a_finding_holds_where_its_whole_interval_lies_in_the_range_and_fails_where_all_lies_outside(
    mean: float, half: float
) -> None:
    asked = Range(-0.5, 0.5)
    points = np.linspace(mean - half, mean + half, 501)
    inside = (points > -0.5) & (points < 0.5)
    assert asked.holds(Effect(mean, half)) == ("yes" if inside.all() else "open" if inside.any() else "no")


def test_a_range_that_asks_for_a_fall_is_not_met_by_no_change_at_all() -> None:
    assert Range(high=0.0).holds(Effect(0.0, 0.0)) == "no"
    assert Range(high=0.0).holds(Effect(float("nan"), 0.0)) == "no"


def test_turning_what_was_measured_around_turns_the_verdict_around() -> None:
    """The page cannot say "emerges" whatever was measured: the same claim fails on the mirrored lives."""
    claim = finding(below=0)
    rising, flat = lives([1.0, 1.1, 0.9]), lives([0.0, 0.0, 0.0])
    said = {}
    for name, mine, other in (("falls", flat, rising), ("rises", rising, flat)):
        found: Found = {("a", "input"): mine, ("b", "input"): other}
        said[name] = verdict([judge(claim, 2, "input", found)])
    assert said == {"falls": "emerges", "rises": "does not emerge (1 of 1 findings fail)"}


def test_a_check_does_not_decide_and_an_open_claim_is_not_settled() -> None:
    wrong = Judged(finding(role="check"), "input", Effect(1, 0), "no")
    good, unsure = (Judged(finding(), "input", Effect(0, 1), holds) for holds in ("yes", "open"))
    assert verdict([wrong, good]) == "emerges"
    assert verdict([good, unsure]) == "not settled (1 of 2 findings hold, none fails)"


def test_an_arm_that_lives_longer_for_another_experiment_is_cut_to_the_years_of_this_one() -> None:
    life = {("score strong", "primary"): [1.0, 2.0, 30.0]}
    assert finding(against="").value({"a": life}, 2) == 2.0
    assert finding(against="", at="mean").value({"a": life}, 2) == 1.5
    assert finding(against="", at=1, since=0).value({"a": life}, 3) == 1.0
    assert finding(relative=True).value({"a": life, "b": {("score strong", "primary"): [1.0, 4.0]}}, 2) == -0.5


# --- the design


def test_every_claim_names_arms_that_exist_indicators_that_are_declared_and_a_range() -> None:
    for experiment in design().experiments:
        assert experiment.source
        claims = [f for f in experiment.findings if f.role == "claim"]
        assert claims
        for f in experiment.findings:
            name, _, argument = f.measure.partition(" ")
            assert name != "indicator" or argument.partition("@")[0] in INDICATORS
            assert f.expected.low < f.expected.high
        assert all(np.isfinite([f.above, f.below]).any() for f in claims)


def test_every_arm_is_a_policy_and_a_behaviour_within_their_ranges(plan: tuple[Plan, Design]) -> None:
    for arm in design().arms.values():
        policy = arm.policy(plan[0].baseline)
        assert (policy == plan[0].baseline) == (not arm.levers)
        behaviour = arm.behaviour(plan[0].behaviour_at("sorting"))
        assert all(getattr(behaviour, name) == value for name, value in arm.parameters.items())


# --- lived in the village


@pytest.fixture(scope="module")
def plan() -> tuple[Plan, Design]:
    """Two trade-offs in the village, with three replicates."""
    chosen = design().only(VILLAGE)
    return plan_of(chosen, "village", replicates=3), chosen


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache of prepared regions of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUNHENG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.usefixtures("cache")
def test_an_arm_lived_year_by_year_is_the_life_lived_at_once(plan: tuple[Plan, Design]) -> None:
    task = next(t for t in plan[0].tasks() if t.run.scenario == "places")
    wanted = [("indicator mean_score", "primary"), ("indicator quits", "junior"), ("empty_share", "primary")]
    life = live_arm(task, design().arms["places"], None, 3, wanted)
    whole = simulate(task.region(), task.policy, task.behaviour, task.run.seed, 3).indicators
    for measure, stage in wanted[:2]:
        held = (whole["indicator"] == measure.split()[1]) & (whole["stage"] == stage) & (whole["level"] == "region")
        assert list(whole["value"][held]) == life[measure, stage]


@pytest.mark.usefixtures("cache")
def test_the_page_says_what_was_measured_and_nothing_else(plan: tuple[Plan, Design]) -> None:
    """Mirrored data give a page with other verdicts: no result stands in the code."""
    chosen = plan[1].only(["the halo of a group"])
    found = _pretended(chosen, 1.0)
    text = document(chosen, plan[0], found, "command")
    mirrored = document(chosen, plan[0], _pretended(chosen, -1.0), "command")
    assert "| emerges | emerges |" in text
    assert "| emerges |" not in mirrored
    assert "does not emerge" in mirrored


def _pretended(chosen: Design, sign: float) -> Found:
    """Lives in which wishes for members are higher (or lower) with groups by a hundredth, and nothing else moves."""
    found: Found = {}
    for name in chosen.arms:
        for c in CALIBRATIONS:
            wishes = 100.0 + sign * name.startswith("groups")
            held = {key: [wishes if key[0].startswith("wishes") else 0.0] * 8 for key in chosen.measures(name)}
            found[name, c] = [held, held, held]
    return found


@pytest.mark.usefixtures("cache")
def test_a_halo_raises_wishes_for_members_before_value_added_moves() -> None:
    """In one year of Wuqing: draws are shared, so nothing but the name of members differs by then."""
    chosen = design().only(["the halo of a group"])
    chosen = replace(chosen, experiments=tuple(replace(e, years=1) for e in chosen.experiments))
    found = run(plan_of(chosen, "wuqing", replicates=2), workers=0)
    first = [f for f in chosen.experiments[0].findings if f.at == 0]
    for c in CALIBRATIONS:
        wishes = [judge(f, 1, c, found).effect.mean for f in first if f.measure.startswith("wishes")]
        added = [judge(f, 1, c, found).effect.mean for f in first if f.measure.startswith("value_added")]
        assert min(wishes) > 0
        assert np.abs(added).max() < 0.01


# --- lived in Wuqing


def _lived(names: Sequence[str], replicates: int, years: int) -> tuple[Experiment, Found]:
    chosen = design().only(names)
    chosen = replace(chosen, experiments=tuple(replace(e, years=min(e.years, years)) for e in chosen.experiments))
    return chosen.experiments[0], run(plan_of(chosen, "wuqing", replicates), workers=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "measure", "arm", "sign"),
    [
        ("rotation costs the sender", "effectiveness strong", "rotation", -1),
        ("the sender chooses whom to send", "indicator gap.teacher_effectiveness", "sender bound", -1),
        ("forced and unpaid rotation raises quits", "indicator quits", "rotation", 1),
        ("small stipends attract and retain nobody", "vacant", "scarce, small supplement", -1),
        ("small stipends attract and retain nobody", "quit_rate village", "scarce, large supplement", -1),
        ("migration out of villages", "mean_cv", "migration", 1),
        ("the gap falls while the CVs fail", "indicator gap.score", "equal teaching", -1),
    ],
)
def test_in_wuqing_it_goes_the_way_that_is_claimed(name: str, measure: str, arm: str, sign: int) -> None:
    experiment, found = _lived([name], 4, 8)
    held = [f for f in experiment.findings if f.measure == measure and f.arm == arm]
    assert held
    for f in held:
        assert sign * judge(f, experiment.years, "input", found).effect.mean > 0


@pytest.mark.slow
def test_small_pay_keeps_nobody_and_equal_facilities_leave_the_gap() -> None:
    experiment, found = _lived(["small stipends attract and retain nobody"], 4, 8)
    small = next(f for f in experiment.findings if f.measure == "quit_rate village" and "small" in f.arm)
    large = next(f for f in experiment.findings if f.measure == "quit_rate village" and "large" in f.arm)
    kept = [judge(f, experiment.years, "input", found).effect.mean for f in (small, large)]
    assert abs(kept[0]) < 0.2 * abs(kept[1])
    experiment, found = _lived(["equal facilities leave the gap"], 4, 8)
    gaps = [f for f in experiment.findings if f.measure == "indicator gap.score"]
    assert max(abs(judge(f, 8, "input", found).effect.mean) for f in gaps) < 0.06
