"""What must be true of an assignment of places, whatever the applicants."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching.games import HospitalResident
from numpy.typing import NDArray

from model.matching import deferred_acceptance, immediate_acceptance, overflow


@dataclass
class Market:
    """Wishes as lists; `rank[i][j]` is the priority of applicant i at alternative j, all different."""

    wishes: list[list[int]]
    rank: list[list[float]]
    capacity: list[int]

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
        longest = max((len(w) for w in self.wishes), default=0) + 1  # every list ends with at least one −1
        preferences = np.full((len(self.wishes), longest), -1, np.int32)
        priority = np.full((len(self.wishes), longest), np.nan)
        for i, wishes in enumerate(self.wishes):
            preferences[i, : len(wishes)] = wishes
            priority[i, : len(wishes)] = [self.rank[i][j] for j in wishes]
        return preferences, priority, np.array(self.capacity, np.int32)

    def deferred(self) -> list[int]:
        return [int(j) for j in deferred_acceptance(*self.arrays())]

    def immediate(self) -> list[int]:
        return [int(j) for j in immediate_acceptance(*self.arrays())]

    def likes(self, i: int, alternative: int) -> int:
        """Place of an alternative in i's list; being without one comes after all acceptable ones."""
        return self.wishes[i].index(alternative) if alternative >= 0 else len(self.wishes[i])

    def envied(self, assigned: list[int]) -> list[tuple[int, int]]:
        """(applicant, alternative) that would both rather have each other: what makes it unstable."""
        pairs = []
        for i, wishes in enumerate(self.wishes):
            for j in wishes[: self.likes(i, assigned[i])]:
                holders = [h for h, a in enumerate(assigned) if a == j]
                if len(holders) < self.capacity[j] or any(self.rank[i][j] < self.rank[h][j] for h in holders):
                    pairs.append((i, j))
        return pairs


@st.composite
def markets(draw: st.DrawFn, applicants: int = 10, alternatives: int = 5, common: bool = False) -> Market:
    n, m = draw(st.integers(0, applicants)), draw(st.integers(1, alternatives))
    wishes = [draw(st.permutations(range(m)))[: draw(st.integers(0, m))] for _ in range(n)]
    if common:
        merit = draw(st.permutations(range(n)))
        rank = [[float(merit[i])] * m for i in range(n)]
    else:
        queues = [draw(st.permutations(range(n))) for _ in range(m)]
        rank = [[float(queues[j].index(i)) for j in range(m)] for i in range(n)]
    return Market(wishes, rank, [draw(st.integers(0, 3)) for _ in range(m)])


def proposing_one_by_one(market: Market) -> list[int]:
    """Gale and Shapley with one proposal at a time, the last applicant first."""
    assigned, asked = [-1] * len(market.wishes), [0] * len(market.wishes)
    waiting = list(range(len(market.wishes)))
    while waiting:
        i = waiting.pop()
        if asked[i] == len(market.wishes[i]):
            continue
        j = market.wishes[i][asked[i]]
        asked[i] += 1
        assigned[i] = j
        holders = [h for h, a in enumerate(assigned) if a == j]
        if len(holders) > market.capacity[j]:
            last = max(holders, key=lambda h: market.rank[h][j])
            assigned[last] = -1
            waiting.append(last)
    return assigned


def taking_turns(market: Market) -> list[int]:
    """Boston, one place at a time."""
    assigned, left = [-1] * len(market.wishes), list(market.capacity)
    for wish in range(max(map(len, market.wishes), default=0)):
        for j in range(len(left)):
            queue = [
                i
                for i, wishes in enumerate(market.wishes)
                if assigned[i] < 0 and len(wishes) > wish and wishes[wish] == j
            ]
            for i in sorted(queue, key=lambda i: market.rank[i][j])[: left[j]]:
                assigned[i] = j
                left[j] -= 1
    return assigned


def choosing_in_turn(order: list[int], wishes: list[list[int]], capacity: list[int]) -> list[int]:
    """Serial dictatorship: each in turn takes the best that is left."""
    assigned, left = [-1] * len(wishes), list(capacity)
    for i in order:
        free = [j for j in wishes[i] if left[j] > 0]
        if free:
            assigned[i] = free[0]
            left[free[0]] -= 1
    return assigned


def in_the_library(market: Market, optimal: str) -> list[int]:
    """The same market in Wilde, Knight & Gillard's `matching`, which takes only pairs that can be."""
    wishes = {i: [j for j in w if market.capacity[j] > 0] for i, w in enumerate(market.wishes)}
    wishes = {i: w for i, w in wishes.items() if w}
    queues = {j: [i for i in wishes if j in wishes[i]] for j, places in enumerate(market.capacity) if places > 0}
    queues = {j: sorted(q, key=lambda i: market.rank[i][j]) for j, q in queues.items() if q}
    assigned = [-1] * len(market.wishes)
    if wishes:
        names = {i: [f"s{j}" for j in w] for i, w in wishes.items()}
        game = HospitalResident.create_from_dictionaries(
            {f"a{i}": w for i, w in names.items()},
            {f"s{j}": [f"a{i}" for i in q] for j, q in queues.items()},
            {f"s{j}": market.capacity[j] for j in queues},
        )
        for hospital, residents in game.solve(optimal=optimal).items():
            for resident in residents:
                assigned[int(resident.name[1:])] = int(hospital.name[1:])
    return assigned


# ---------------------------------------------------------------- deferred acceptance


@given(markets())
def test_proposing_together_ends_where_proposing_one_by_one_ends(market: Market) -> None:
    assert market.deferred() == proposing_one_by_one(market)


@given(markets())
@settings(deadline=None)
def test_a_public_matching_library_finds_the_same_assignment(market: Market) -> None:
    assert market.deferred() == in_the_library(market, "resident")


@given(markets())
@settings(deadline=None)
def test_who_goes_without_and_how_many_come_is_the_same_when_schools_propose(market: Market) -> None:
    """The rural hospitals theorem (Roth 1986), with the schools' side taken from the library."""
    ours, theirs = market.deferred(), in_the_library(market, "hospital")
    assert [j < 0 for j in ours] == [j < 0 for j in theirs]
    assert sorted(ours) == sorted(theirs)


@given(markets())
def test_nobody_envies_a_place_that_their_priority_would_have_won_and_no_wished_place_stays_empty(
    market: Market,
) -> None:
    assigned = market.deferred()
    assert market.envied(assigned) == []
    assert all(j < 0 or j in market.wishes[i] for i, j in enumerate(assigned))
    assert all(assigned.count(j) <= places for j, places in enumerate(market.capacity))


@given(markets(applicants=4, alternatives=3))
@settings(deadline=None)
def test_no_stable_assignment_is_better_for_anybody(market: Market) -> None:
    """Every assignment there can be is looked at."""
    best = market.deferred()
    for other in itertools.product(*[[*wishes, -1] for wishes in market.wishes]):
        fits = all(other.count(j) <= places for j, places in enumerate(market.capacity))
        if fits and not market.envied(list(other)):
            assert all(market.likes(i, best[i]) <= market.likes(i, j) for i, j in enumerate(other))


@given(markets(), st.data())
def test_no_family_gains_by_hiding_its_true_wishes(market: Market, data: st.DataObject) -> None:
    if not market.wishes:
        return
    i = data.draw(st.integers(0, len(market.wishes) - 1))
    told = data.draw(st.permutations(range(len(market.capacity))))[: data.draw(st.integers(0, len(market.capacity)))]
    wishes = [told if h == i else w for h, w in enumerate(market.wishes)]
    gained = Market(wishes, market.rank, market.capacity).deferred()[i]
    honest = market.likes(i, market.deferred()[i])
    assert gained not in market.wishes[i] or honest <= market.likes(i, gained)


@given(markets(), st.data())
def test_one_more_place_hurts_nobody(market: Market, data: st.DataObject) -> None:
    j = data.draw(st.integers(0, len(market.capacity) - 1))
    more = Market(market.wishes, market.rank, [c + (k == j) for k, c in enumerate(market.capacity)])
    before, after = market.deferred(), more.deferred()
    assert all(market.likes(i, after[i]) <= market.likes(i, before[i]) for i in range(len(before)))


@given(markets(common=True))
def test_under_one_merit_order_the_best_choose_in_turn(market: Market) -> None:
    order = sorted(range(len(market.wishes)), key=lambda i: market.rank[i][0])
    assert market.deferred() == choosing_in_turn(order, market.wishes, market.capacity)


def test_the_example_in_which_stability_costs_two_families_their_first_wish() -> None:
    """Abdulkadiroğlu & Sönmez (2003), Example 1: trading would please both, but the third would envy."""
    wishes = [[1, 0, 2], [0, 1, 2], [0, 1, 2]]
    rank = [[0.0, 1.0, 1.0], [2.0, 0.0, 0.0], [1.0, 2.0, 2.0]]
    market = Market(wishes, rank, [1, 1, 1])
    assert market.deferred() == [0, 1, 2]
    assert market.immediate() == [1, 2, 0]


def test_a_crowded_town_is_assigned_as_by_hand_and_fewer_than_no_places_are_none() -> None:
    rng = np.random.default_rng(11)
    n, m = 600, 40
    liking = rng.gumbel(size=(n, m)) + 2 * rng.normal(size=m)
    queue = [[float(v) for v in row] for row in rng.random((n, m)) + rng.integers(0, 3, (n, m))]
    town = Market(np.argsort(-liking, axis=1)[:, :8].tolist(), queue, rng.integers(-2, 30, m).tolist())
    assigned = town.deferred()
    assert -1 in assigned  # crowded indeed
    by_hand = Market(town.wishes, town.rank, [max(places, 0) for places in town.capacity])
    assert assigned == proposing_one_by_one(by_hand)
    assert town.immediate() == taking_turns(by_hand)


# ---------------------------------------------------------------- immediate acceptance


@given(markets())
def test_the_boston_rule_fills_places_wish_by_wish(market: Market) -> None:
    assert market.immediate() == taking_turns(market)


@given(markets())
def test_the_boston_rule_grants_as_many_first_wishes_as_there_can_be(market: Market) -> None:
    first = [w[0] for w in market.wishes if w]
    granted = sum(w[0] == j for w, j in zip(market.wishes, market.immediate(), strict=True) if w)
    assert granted == sum(min(first.count(j), places) for j, places in enumerate(market.capacity))
    assert granted >= sum(w[0] == j for w, j in zip(market.wishes, market.deferred(), strict=True) if w)


def test_the_boston_rule_punishes_an_honest_wish_out_of_reach() -> None:
    """The family with the right to school 1 loses it by naming school 0 first, and keeps it by not doing so."""
    rank = [[1.0, 0.0], [0.0, 1.0], [2.0, 1.5]]
    honest = Market([[0, 1], [0, 1], [1, 0]], rank, [1, 1])
    cautious = Market([[1, 0], [0, 1], [1, 0]], rank, [1, 1])
    assert honest.immediate()[0] == -1
    assert cautious.immediate()[0] == 1
    assert honest.deferred()[0] == 1


# ---------------------------------------------------------------- overflow


def going_nearby(distance: NDArray[np.float64], priority: list[int], spare: list[int]) -> list[int]:
    """Overflow by hand: one after the other by priority, and who is still without to the nearest."""
    reach = [sorted((j for j in range(len(d)) if np.isfinite(d[j])), key=lambda j: (d[j], j)) for d in distance]
    placed = choosing_in_turn(sorted(range(len(reach)), key=lambda i: priority[i]), reach, spare)
    return [j if j >= 0 else (reach[i][0] if reach[i] else -1) for i, j in enumerate(placed)]


@given(st.data())
def test_overflow_goes_by_priority_to_the_nearest_with_places_and_then_to_the_nearest(data: st.DataObject) -> None:
    k, m = data.draw(st.integers(0, 8)), data.draw(st.integers(1, 5))
    far = st.sampled_from([1.0, 2.0, 3.0, 4.0, np.inf])
    distance = np.array(data.draw(st.lists(st.lists(far, min_size=m, max_size=m), min_size=k, max_size=k)))
    distance = distance.reshape(k, m)
    priority = data.draw(st.permutations(range(k)))
    spare = data.draw(st.lists(st.integers(-1, 3), min_size=m, max_size=m))
    placed = overflow(distance, np.array(priority), np.array(spare))
    assert placed.tolist() == going_nearby(distance, priority, spare)


@pytest.mark.parametrize("distances", [2, 8, 10**6])
@pytest.mark.parametrize("crowd", [30, 120, 400])
def test_overflow_into_more_schools_than_anybody_looks_at_goes_the_same_way(crowd: int, distances: int) -> None:
    """Crowds that all find a place near, some only far off, some nowhere; with few distances most schools tie."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        distance = rng.integers(1, distances + 1, (crowd, 60)).astype(float)
        distance[rng.random((crowd, 60)) < 0.1] = np.inf
        priority, spare = rng.permutation(crowd), rng.integers(-1, 8, 60)
        placed = overflow(distance, priority, spare)
        assert placed.tolist() == going_nearby(distance, priority.tolist(), spare.tolist())


def test_everybody_is_placed_even_when_every_school_is_full() -> None:
    assert overflow(np.array([[3.0, 1.0], [2.0, 5.0]]), np.array([0, 1]), np.array([0, -4])).tolist() == [1, 0]


# ---------------------------------------------------------------- all rules


@given(markets(), st.randoms(use_true_random=False))
def test_shuffling_the_rows_shuffles_the_result_and_nothing_else(market: Market, random: object) -> None:
    preferences, priority, capacity = market.arrays()
    order = np.random.default_rng(random.randrange(2**32)).permutation(len(preferences))  # type: ignore[attr-defined]
    for rule in (deferred_acceptance, immediate_acceptance):
        result = rule(preferences, priority, capacity)
        assert rule(preferences[order], priority[order], capacity).tolist() == result[order].tolist()
    merit = np.arange(len(preferences))
    distance = np.random.default_rng(5).random((len(preferences), len(capacity)))
    result = overflow(distance, merit, capacity)
    assert overflow(distance[order], merit[order], capacity).tolist() == result[order].tolist()


@pytest.mark.parametrize("rule", [deferred_acceptance, immediate_acceptance])
def test_nobody_or_nothing_to_wish_for_is_no_error(rule: object) -> None:
    none, places = np.zeros((0, 3), np.int64), np.array([2])
    assert rule(none, none.astype(float), places).shape == (0,)  # type: ignore[operator]
    wishless = np.zeros((2, 0), np.int64)
    assert rule(wishless, wishless.astype(float), places).tolist() == [-1, -1]  # type: ignore[operator]


@given(markets())
def test_priorities_as_64_bit_words_serve_as_well_as_real_numbers(market: Market) -> None:
    preferences, priority, capacity = market.arrays()
    words = np.nan_to_num(priority).astype(np.uint64) + np.uint64(2**63)
    for rule in (deferred_acceptance, immediate_acceptance):
        assert rule(preferences, words, capacity).tolist() == rule(preferences, priority, capacity).tolist()
