"""Who gets which place: the rules of assignment, on arrays.

An applicant is a row, an alternative (a school, a post) a number 0…m−1. A smaller priority is served
earlier; priority classes and lotteries are both in that one number, such as class + uniform draw. The
result does not depend on the order of rows as long as nobody ties within an alternative; where two do, the
earlier row goes first. A merit order common to all alternatives makes deferred acceptance a serial
dictatorship, so that rule has no function of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.groupwise import ordered, place_in_group

Ints = NDArray[np.integer[Any]]

FEW = 16  # alternatives tried before the whole list: most who are left over find a place among them


def deferred_acceptance(preferences: Ints, priority: NDArray[Any], capacity: Ints) -> NDArray[np.int64]:
    """Stable assignment that is best for the applicants (Gale & Shapley 1962).

    preferences: (n, J), the alternatives of each applicant from best to worst, each once; a list ends at its
    first −1. priority: (n, J), the applicant's priority at that alternative. capacity: (m,), places; below 0
    is none. Returns (n,): the alternative, or −1 when the list was exhausted.
    """
    listed = np.logical_and.accumulate(preferences >= 0, axis=1)
    worth = np.where(listed, -np.arange(preferences.shape[1], dtype=float), -np.inf)
    return stable_assignment(worth, preferences, priority, capacity)


def stable_assignment(
    worth: NDArray[np.float64],
    alternatives: Ints,
    priority: NDArray[Any],
    capacity: Ints,
    best: Ints | None = None,
    row: Ints | None = None,
) -> NDArray[np.int64]:
    """Deferred acceptance from what alternatives are worth, which need not be sorted.

    worth: (n, J), −∞ where the applicant would rather have nothing; of equals the first column is liked better.
    alternatives: (n, J) or (1, J), the alternative in each column. priority: (n, J) or (n, 1), numbers, or whole
    numbers from 1. best: (n,), the column worth most, where it is known. row: (n,), which row of `alternatives` is
    an applicant's, where many share one. Returns as `deferred_acceptance`.

    All propose at once; an over-subscribed alternative keeps its first by priority, and a refusal is for
    good, since whom it keeps only gets better. Simultaneous and one-by-one proposals end alike (McVitie &
    Wilson 1970).
    """
    n, number = worth.shape
    nowhere = len(capacity)  # one more alternative, with room for everybody
    room = np.append(np.maximum(capacity, 0), n)
    if number == 0 or n == 0:
        return np.full(n, -1, np.int64)
    listed, alternatives = alternatives, alternatives if row is None else np.take(alternatives, row, axis=0)
    worth = worth.copy()  # what has refused an applicant is struck out
    alternatives, priority = (np.ascontiguousarray(np.broadcast_to(x, worth.shape)) for x in (alternatives, priority))
    begin = np.arange(n) * number  # of each applicant's row in the arrays read as one list
    cell = begin + (worth.argmax(axis=1) if best is None else best)
    asked = np.where(np.take(worth, cell) > -np.inf, np.take(alternatives, cell), nowhere)
    standing = np.take(priority, cell)
    asking = np.bincount(asked, minlength=nowhere + 1)
    whole = np.issubdtype(priority.dtype, np.integer)
    never, always = (0, np.iinfo(priority.dtype).max) if whole else (-np.inf, np.inf)
    last = np.full(nowhere, always, priority.dtype)  # priority of the last one kept, where every place is taken
    while (over := asking > room).any():
        rows = np.flatnonzero(over[asked])
        rows = rows[ordered(asked[rows], standing[rows])]
        queue = asked[rows]
        waiting = np.where(over, asking, 0)
        first = np.cumsum(waiting) - waiting
        refused = rows[np.arange(rows.size) - first[queue] >= room[queue]]
        full = np.flatnonzero(over)
        kept_last = rows[np.maximum(first[full] + room[full] - 1, 0)]
        last[full] = np.where(room[full] > 0, standing[kept_last], never)
        np.minimum(asking, room, out=asking)
        # on to the next alternative that would not refuse at once: whom it keeps only gets better
        worth.reshape(-1)[cell[refused]] = -np.inf
        left = worth[refused]
        bar = last[alternatives[refused]] if row is None else np.take(last[listed], row[refused], axis=0)
        np.putmask(left, priority[refused] > bar, -np.inf)
        top = left.argmax(axis=1)
        found = left[np.arange(refused.size), top] > -np.inf
        cell[refused] = next_best = begin[refused] + top
        asked[refused] = np.where(found, np.take(alternatives, next_best), nowhere)
        standing[refused] = np.take(priority, next_best)
        asking += np.bincount(asked[refused], minlength=nowhere + 1)
    return np.where(asked == nowhere, -1, asked).astype(np.int64)


def immediate_acceptance(preferences: Ints, priority: NDArray[Any], capacity: Ints) -> NDArray[np.int64]:
    """The Boston rule: places go for good to those who wish an alternative first, then second, and so on.

    Arguments and result as in `deferred_acceptance`. Priority decides only among those of the same wish, so
    that a wish out of reach costs the place at home (Abdulkadiroğlu & Sönmez 2003).
    """
    n, longest = preferences.shape
    nowhere = len(capacity)  # one more alternative, with room for everybody
    room = np.append(capacity, n)
    assigned = np.full(n, -1, np.int64)
    free = np.arange(n)
    for wish in range(longest):
        asked = _numbered(preferences[free, wish], nowhere)
        free, asked = free[asked != nowhere], asked[asked != nowhere]
        if free.size == 0:
            break
        taken = np.ones(free.size, bool)
        over = np.flatnonzero((np.bincount(asked, minlength=nowhere + 1) > room)[asked])
        taken[over] = _queue(asked[over], priority[free[over], wish]) < room[asked[over]]
        assigned[free[taken]] = asked[taken]
        room -= np.bincount(asked[taken], minlength=nowhere + 1)
        free = free[~taken]
    return assigned


def overflow(distance: NDArray[np.float64], priority: NDArray[Any], spare: Ints) -> NDArray[np.int64]:
    """Those left over are placed nearby (统筹安排): by priority, each at the nearest with places to spare.

    distance: (k, m), infinite where an applicant cannot go. priority: (k,). spare: (m,), places left; below 0
    is none. Those still without once everything in reach is full go to the nearest all the same; −1 only for
    who can go nowhere. Of two equally near the lower number comes first.
    """
    if distance.size == 0:
        return np.full(len(distance), -1, np.int64)
    some = np.flatnonzero(np.asarray(spare) > 0)
    near = distance[:, some]
    for reach in (min(FEW, some.size), some.size):
        placed = _serve(near, some, priority, spare, reach)
        if (placed >= 0).all():  # nobody came to the end of a shortened list: the same as with the whole one
            return placed
    nearest = np.argmin(distance, axis=1)
    nearest[~np.isfinite(distance.min(axis=1))] = -1
    return np.where(placed >= 0, placed, nearest)


def _serve(near: NDArray[np.float64], some: Ints, priority: NDArray[Any], spare: Ints, reach: int) -> NDArray[np.int64]:
    """Deferred acceptance over the `reach` nearest of the alternatives `some`."""
    if reach < near.shape[1]:
        parted = np.argpartition(near, reach, axis=1)
        beyond = np.take_along_axis(near, parted[:, reach : reach + 1], 1)
        first = np.sort(parted[:, :reach], axis=1)  # of equals the lower number
        near, some = np.take_along_axis(near, first, 1), some[first]
        near = np.where(near < beyond, near, np.inf)  # equals on both sides of the cut: none of them
    else:
        some = np.broadcast_to(some, near.shape)
    worth = np.where(np.isfinite(near), -near, -np.inf)
    return stable_assignment(worth, some, np.asarray(priority)[:, None], spare)


def _queue(asked: Ints, priority: NDArray[Any]) -> NDArray[np.intp]:
    """How many are served before each applicant; few bits a number, since NumPy sorts those by radix."""
    return place_in_group(asked.astype(np.min_scalar_type(asked.max(initial=0))), priority)


def _numbered(alternative: Ints, nowhere: int) -> NDArray[np.int64]:
    return np.where(alternative < 0, nowhere, alternative).astype(np.int64)
