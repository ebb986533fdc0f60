"""What each lever gave: Shapley values of games whose values are known, and of runs whose levers' effects are known."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pretend
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import by_lever
from experiments.batch import run_batch, run_folder
from experiments.plan import Plan, Task, planned
from experiments.scenario import Scenario, load_scenario
from experiments.scenario import by_lever as entries_by_lever
from model.errors import InputError
from model.levers import LEVERS, Caps, HeadExchange, Stipend, TeacherRotation
from model.policy import Policy
from results import attribution as a
from results.comparison import compare
from results.run_folder import RunFolder
from results.tables import pack

Game = Sequence[float]  # worth by coalition number
small = st.integers(1, 5)


@st.composite
def games(draw: st.DrawFn) -> tuple[int, Game]:
    players = draw(small)
    worths = draw(st.lists(st.integers(-1000, 1000), min_size=1 << players, max_size=1 << players))
    return players, [float(w) for w in worths]


def every_order(players: int) -> list[list[int]]:
    return [list(order) for order in itertools.permutations(range(players))]


# ---- games


def test_the_glove_game() -> None:
    """Two hold a left glove, one the right; a pair is worth 1: 1/6, 1/6, 4/6."""

    def worth(mixture: int) -> float:
        return float(bool(mixture & 4) and bool(mixture & 3))

    assert a.shapley(3, worth) == pytest.approx([1 / 6, 1 / 6, 4 / 6])


def test_the_airport_game() -> None:
    """Runways of 1, 2 and 4 km: each kilometre is shared by those who need it (Littlechild and Owen, 1973)."""
    lengths = [1, 2, 4]

    def worth(mixture: int) -> float:
        return float(max((lengths[i] for i in range(3) if mixture >> i & 1), default=0))

    assert a.shapley(3, worth) == pytest.approx([1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 2])


@given(games())
def test_values_are_the_mean_of_what_players_add_over_all_orders(game: tuple[int, Game]) -> None:
    players, worths = game
    exact = a.shapley(players, worths.__getitem__)
    assert exact == pytest.approx(a.shapley(players, worths.__getitem__, every_order(players)), abs=1e-9)


@given(games(), st.integers(1, 4), st.integers(0, 1000))
def test_values_add_up_to_the_whole_difference_whatever_the_orders(
    game: tuple[int, Game], count: int, seed: int
) -> None:
    players, worths = game
    rng = np.random.default_rng(seed)
    orders = [list(map(int, rng.permutation(players))) for _ in range(count)]
    for values in (a.shapley(players, worths.__getitem__), a.shapley(players, worths.__getitem__, orders)):
        assert values.sum() == pytest.approx(worths[-1] - worths[0], abs=1e-9)


@given(games(), st.data())
def test_a_player_who_changes_nothing_gets_exactly_nothing(game: tuple[int, Game], data: st.DataObject) -> None:
    players, worths = game
    idle = data.draw(st.integers(0, players - 1))
    dull = [worths[mixture & ~(1 << idle)] / 7 for mixture in range(1 << players)]
    for orders in ([], every_order(players)):
        assert a.shapley(players, dull.__getitem__, orders)[idle] == 0.0
    assert a.leave_one_out(players, dull.__getitem__)[idle] == 0.0


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6))
def test_players_who_do_not_act_on_each_other_get_what_they_do(effects: list[float]) -> None:
    def worth(mixture: int) -> float:
        return sum(e for i, e in enumerate(effects) if mixture >> i & 1)

    assert a.shapley(len(effects), worth) == pytest.approx(effects, abs=1e-6)
    assert a.leave_one_out(len(effects), worth) == pytest.approx(effects, abs=1e-6)


# ---- orders and mixtures


def test_few_levers_need_no_orders_and_many_get_each_order_with_its_reverse() -> None:
    assert a.orders_of(1, 0, a.EXACT, 3) == []
    orders = a.orders_of(1, 0, a.EXACT + 1, 3)
    assert len(orders) == 6
    assert all(sorted(order) == list(range(a.EXACT + 1)) for order in orders)
    assert [order[::-1] for order in orders[::2]] == orders[1::2]


def test_more_orders_keep_the_first_and_replicates_have_their_own() -> None:
    assert a.orders_of(1, 0, 9, 5)[:4] == a.orders_of(1, 0, 9, 2)
    assert a.orders_of(1, 0, 9, 2) != a.orders_of(1, 1, 9, 2)
    assert a.orders_of(1, 0, 9, 2) != a.orders_of(2, 0, 9, 2)


@given(st.integers(2, 9), st.integers(0, 50))
def test_every_worth_that_is_asked_for_is_among_the_mixtures(players: int, seed: int) -> None:
    orders = a.orders_of(seed, 0, players, 2)
    whole = (1 << players) - 1
    known = {0, whole, *a.mixtures(players, orders)}
    asked: set[int] = set()

    def worth(mixture: int) -> float:
        asked.add(mixture)
        return 0.0

    a.shapley(players, worth, orders)
    a.leave_one_out(players, worth)
    assert asked == known


# ---- mixtures as scenarios

BASE, PLAN = load_scenario("baseline"), load_scenario("wuqing-2020-2022")


def same_entries(one: Scenario, other: Scenario) -> bool:
    return {k: set(v) for k, v in entries_by_lever(one.policy).items()} == {
        k: set(v) for k, v in entries_by_lever(other.policy).items()
    }


def test_a_mixture_takes_each_lever_whole_from_one_side() -> None:
    levers = by_lever.differing(BASE, PLAN, 2020)
    players = by_lever.players_of(levers, ["teachers=teacher_rotation,posts"])
    whole = (1 << len(players)) - 1
    assert same_entries(by_lever.mixture(BASE, PLAN, players, whole), PLAN)
    nothing = entries_by_lever(by_lever.mixture(BASE, PLAN, players, 0).policy)
    for lever in levers:
        assert set(nothing.get(lever, ())) == set(entries_by_lever(BASE.policy).get(lever, ())), lever
    first = entries_by_lever(by_lever.mixture(BASE, PLAN, players, 1).policy)
    for lever in levers:
        source = PLAN if lever in ("teacher_rotation", "posts") else BASE
        assert set(first.get(lever, ())) == set(entries_by_lever(source.policy).get(lever, ())), lever


def test_levers_that_stay_as_they_are_are_no_players() -> None:
    assert by_lever.differing(PLAN, replace(PLAN, name="other"), 2020) == []
    assert "teacher_pay" not in by_lever.differing(BASE, PLAN, 2020), "the same pay, said again"
    assert "caps" in by_lever.differing(BASE, PLAN, 2020)


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("teachers", "NAME=LEVER"),
        ("caps=posts,stipend", "no other lever's"),
        ("t=teacher_rotatoin", "did you mean 'teacher_rotation'"),
        ("t=career_rules", "does not differ"),
        ("t=posts,posts", "a second time"),
    ],
)
def test_groups_that_make_no_sense_are_refused(group: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        by_lever.players_of(by_lever.differing(BASE, PLAN, 2020), [group])


# ---- from runs to contributions


def of_levers(worth: Callable[[float, float, float], float]) -> Callable[[Task], Mapping[str, bytes]]:
    """Runs whose score gap is a function of three levers, and a replicate's noise that they share."""

    def live(task: Task) -> Mapping[str, bytes]:
        policy = task.policy
        rotation = policy.one(TeacherRotation, 2023).share_of_eligible
        stipend = policy.one(Stipend, 2023).yuan_per_year / 1e4
        heads = policy.one(HeadExchange, 2023).share_per_year
        noise = np.random.default_rng(task.run.seed).normal()
        rows: dict[str, Any] = {
            "year": [2023],
            "level": ["region"],
            "place": ["wuqing"],
            "stage": ["primary"],
            "indicator": ["gap.score"],
            "value": [noise + (1 + noise) * worth(rotation, stipend, heads)],
        }
        return {**pretend.live(task), "indicators": pack("indicators", rows)}

    return live


def lived(
    tmp_path: Path, live: Any, plan: Plan, groups: Sequence[str] = (), orders: int = 1
) -> tuple[RunFolder, RunFolder]:
    run = run_folder(plan, tmp_path / "run")
    run_batch(plan, run, work=live)
    mixing = by_lever.mixture_plan(plan, "plan", "baseline", groups, orders, 2020)
    mixed = run_folder(mixing, by_lever.mixture_folder(run, mixing))
    run_batch(mixing, mixed, work=live)
    return RunFolder.open(run.path), RunFolder.open(mixed.path)


def three_levers(*more: Any, replicates: int = 4) -> Plan:
    base = replace(BASE, policy=Policy())
    entries = (TeacherRotation(share_of_eligible=0.1), Stipend(yuan_per_year=2e4), HeadExchange(share_per_year=0.2))
    plan = replace(PLAN, name="plan", policy=Policy((*entries, *more)), targets=())
    return planned([base, plan], years=4, replicates=replicates)


def test_contributions_are_the_shapley_values_of_what_the_levers_do(tmp_path: Path) -> None:
    """Rotation does nothing without a stipend, heads do something alone, caps nothing at all."""

    def worth(rotation: float, stipend: float, heads: float) -> float:
        return 10 * rotation * stipend + heads

    run, mixed = lived(tmp_path, of_levers(worth), three_levers(Caps(class_primary=45)))
    found = {one.lever: one for one in a.attribute(run, mixed, ["gap.score"])}
    noise = [np.random.default_rng(run_seed["run"]).normal() for run_seed in run.manifest["seeds"]]
    scale = 1 + np.array(noise)
    assert found["teacher_rotation"].shapley == pytest.approx(1.0 * scale.mean())
    assert found["stipend"].shapley == pytest.approx(1.0 * scale.mean())
    assert found["head_exchange"].shapley == pytest.approx(0.2 * scale.mean())
    assert found["head_exchange"].error == pytest.approx(0.2 * scale.std(ddof=1) / 2)
    assert found["stipend"].without == pytest.approx(2.0 * scale.mean()), "without it rotation is lost, too"
    assert (found["caps"].shapley, found["caps"].without, found["caps"].error) == (0, 0, 0)
    whole = compare(run, outcomes=["gap.score"]).differences[0].difference
    assert sum(one.shapley for one in found.values()) == pytest.approx(whole)
    assert all(one.difference == pytest.approx(whole) for one in found.values())


def test_groups_are_added_together(tmp_path: Path) -> None:
    run, mixed = lived(
        tmp_path, of_levers(lambda r, s, h: 10 * r * s + h), three_levers(), ["away=teacher_rotation,stipend"]
    )
    found = {one.lever: one for one in a.attribute(run, mixed, ["gap.score"])}
    assert set(found) == {"away", "head_exchange"}
    assert found["away"].shapley == pytest.approx(10 * found["head_exchange"].shapley)


def test_drawn_orders_keep_the_sum_and_find_what_is_additive(tmp_path: Path) -> None:
    idle = [Caps(class_primary=45), LEVERS["admission"](proximity_primary=0.5)]  # type: ignore[call-arg]
    idle += [LEVERS["training"](share_of_public_funds=0.1), LEVERS["posts"](follow_enrolment=0.5)]  # type: ignore[call-arg]
    run, mixed = lived(tmp_path, of_levers(lambda r, s, h: 10 * r + s + h), three_levers(*idle), orders=2)
    found = {one.lever: one for one in a.attribute(run, mixed, ["gap.score"])}
    assert len(found) == 7
    assert len(mixed.manifest["by_lever"]["orders"][0]) == 4
    assert found["stipend"].shapley == pytest.approx(2 * found["teacher_rotation"].shapley)
    assert found["admission"].shapley == 0
    whole = compare(run, outcomes=["gap.score"]).differences[0].difference
    assert sum(one.shapley for one in found.values()) == pytest.approx(whole)


def test_more_replicates_go_on_with_the_mixtures_that_are_there(tmp_path: Path) -> None:
    live, plan = of_levers(lambda r, s, h: r + s + h), three_levers(replicates=2)
    run, mixed = lived(tmp_path, live, plan)
    more = replace(plan, replicates=3)
    run_batch(more, run_folder(more, run.path, resume=True), work=live)
    mixing = by_lever.mixture_plan(more, "plan", "baseline", [], 1, 2020)
    assert by_lever.mixture_folder(run, mixing) == mixed.path
    tally = run_batch(mixing, run_folder(mixing, mixed.path, resume=True), work=live)
    assert (tally.lived, tally.done) == (6, 18)
    found = a.attribute(RunFolder.open(run.path), RunFolder.open(mixed.path), ["gap.score"])
    assert {one.replicates for one in found} == {3}


def test_scenarios_that_do_not_differ_or_by_one_lever_only_are_refused() -> None:
    plan = three_levers()
    alike = replace(plan, scenarios=(plan.scenarios[0], replace(plan.scenarios[0], name="plan")))
    with pytest.raises(InputError, match="no lever that differs"):
        by_lever.mixture_plan(alike, "plan", "baseline", [], 1, 2020)
    one = replace(plan.scenarios[1], policy=Policy((Stipend(yuan_per_year=1.0),)))
    with pytest.raises(InputError, match="stipend"):
        by_lever.mixture_plan(replace(plan, scenarios=(plan.scenarios[0], one)), "plan", "baseline", [], 1, 2020)
