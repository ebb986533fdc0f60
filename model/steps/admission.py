"""Step 7. Every entrant and every mover gets a place: wishes by random utility, places by the region's rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.caps import places_to_enter
from model.draws import Decision, Floats
from model.groupwise import in_column, place_in_group, ranks
from model.homes import move_home
from model.levers import Admission, StrongTown
from model.matching import immediate_acceptance, overflow, stable_assignment
from model.quality import distance_km, distances, section
from model.region import STAGES, Kind, Region, Stage
from model.rules import rule
from model.school_year import Admitted, SchoolYear

NEAREST, FAMOUS = rule("nearest_schools"), rule("famous_schools")  # considered beside the own school
NEARBY = 24  # schools with room that the authority looks at first
OTHER_DISTRICT_KM = 1000.0  # how much farther a school of another district seems
BOARDS_FROM_KM = rule("boards_from_km")
BY_CATCHMENT = ("single_catchment", "multi_school_lottery")  # rules under which leaving the catchment costs
LEAST = 1e-9  # weight of reputation: nobody likes a school the less for its good name
OUTSIDE = 3  # priority class of applicants without a right


def admission(region: Region, year: SchoolYear) -> None:
    """Admit to primary, then to junior school; then take the new enrolment on 1 September."""
    s = region.schools
    for stage in STAGES:
        _admit(region, year, stage)
    s.enrolment[:] = np.bincount(region.section_of_students(), minlength=2 * s.n).reshape(-1, 2)


def _admit(region: Region, year: SchoolYear, stage: Stage) -> None:
    students, s, f = region.students, region.schools, region.families
    first, last = (1, region.primary_grades) if stage == Stage.PRIMARY else (region.primary_grades + 1, 9)
    span = region.grade_rows(first, last)
    entering = students.grade[span] == first
    seeking = entering | (students.school[span] < 0)
    rows = np.flatnonzero(seeking) + span.start
    entrant = entering[seeking]
    if rows.size == 0:
        return
    places = places_to_enter(region, year, stage, _staying(region, year))
    lever = year.policy.one(Admission, year.number)
    area = _areas(region, year, stage)
    considered = _considered(region, year, stage, area)
    cost = crossing_cost(region, year, stage, rows) * (lever.rule in BY_CATCHMENT)
    worth, schools, has_right = _utility(region, year, stage, rows, considered, area, cost)
    best = worth.argmax(axis=1)
    wish_out = ~in_column(has_right, best)
    if lever.rule in BY_CATCHMENT:
        _move_house(region, year, stage, rows, schools, worth, best, has_right, cost)
    wish = in_column(schools, best)
    priority = _priority(region, year, rows, has_right, lever.rule)
    floor = lever.proximity_primary if stage == Stage.PRIMARY else lever.proximity_junior
    got = _assign(worth, best, schools, has_right, priority, places, floor, lever.rule)
    by_authority = got < 0
    if by_authority.any():
        got[by_authority] = _place_nearby(region, year, stage, rows[by_authority], got, places)
    was = students.school[rows]
    students.school[rows] = got
    students.klass[rows] = -1
    students.school_years[rows] = np.where(was == got, students.school_years[rows], 1)
    students.wish[rows] = wish
    s.wished[:, stage] = np.bincount(wish[entrant & (wish >= 0)], minlength=s.n)
    far = distance_km(f.x_km[rows], f.y_km[rows], s.x_km[got], s.y_km[got])
    students.way_km[rows] = far
    students.boards[rows] = s.boarding[got] & (far > BOARDS_FROM_KM)
    beds = _beds(region, year)
    if beds.any():
        bed = year.draws.uniform(Decision.BED, f.key[rows], s.key[got]) < beds[got]
        students.boards[rows] |= bed & (far > BOARDS_FROM_KM)
    own_right = area[f.catchment[rows]] == year.seen.rights[got, stage]
    year.seen.admitted.append(Admitted(int(stage), rows, entrant, own_right, wish, wish_out, far, by_authority, places))


def _staying(region: Region, year: SchoolYear) -> NDArray[np.int64]:
    """Pupils already in each school and stage: those in classes, and those admitted just now; (schools, 2)."""
    c, s = region.classes, region.schools
    staying = np.bincount(section(c.school, c.stage), c.size, 2 * s.n).astype(np.int64).reshape(-1, 2)
    for one in year.seen.admitted:
        staying[:, one.stage] += np.bincount(region.students.school[one.rows], minlength=s.n)
    return staying


def _areas(region: Region, year: SchoolYear, stage: Stage) -> NDArray[np.int32]:
    """The admission area of each catchment under the rule in force (zones may join areas); shape (catchments,)."""
    s = region.schools
    area = region.catchments.right[:, stage]
    joined = np.arange(int(area.max(initial=-1)) + 1, dtype=np.int32)
    held = s.has[:, stage] & (s.right[:, stage] >= 0) & (s.right[:, stage] < joined.size)
    held &= year.seen.rights[:, stage] >= 0
    joined[s.right[held, stage]] = year.seen.rights[held, stage]
    return np.where(area >= 0, joined[np.maximum(area, 0)], -2).astype(np.int32)


def _considered(region: Region, year: SchoolYear, stage: Stage, area: NDArray[np.int32]) -> NDArray[np.int64]:
    """Schools that families of each catchment consider; shape (catchments, J), −1 where fewer."""
    s, places = region.schools, region.catchments
    able = np.flatnonzero(region.open_schools(year.number) & s.has[:, stage] & (s.kind != Kind.SPECIAL))
    lists = [(np.zeros(0, np.intp), np.zeros(0, np.intp))]
    for d in range(region.districts.n):  # the nearest and best known are those of the own district
        homes = np.flatnonzero(places.district == d)
        here = able[s.district[able] == d]
        if homes.size == 0 or here.size == 0:
            continue
        far = distance_km(places.x_km[homes, None], places.y_km[homes, None], s.x_km[here], s.y_km[here])
        marked = area[homes, None] == year.seen.rights[here, stage]
        if here.size > NEAREST:
            near = np.argpartition(far, NEAREST, axis=1)[:, :NEAREST]
            np.put_along_axis(marked, near, True, 1)
        else:
            marked[:] = True
        marked[:, np.argsort(-s.reputation[here, stage, 0], kind="stable")[:FAMOUS]] = True
        home, school = np.nonzero(marked)
        lists.append((homes[home], here[school]))
    home, school = (np.concatenate(part) for part in zip(*lists, strict=True))
    number = np.bincount(home, minlength=places.n)
    considered = np.full((places.n, max(1, int(number.max()))), -1, np.int64)
    considered[home, place_in_group(home)] = school
    return considered


def _utility(
    region: Region,
    year: SchoolYear,
    stage: Stage,
    rows: NDArray[np.intp],
    considered: NDArray[np.int64],
    area: NDArray[np.int32],
    cost: Floats,
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Utility of each school considered (−∞ where none), which school it is, whether the family has the right.

    U = (β_R + β_RS·SES)·taste·R − β_d·taste·km − crossing cost + β_Q·elite chance + Gumbel (evidence.md 3.2).
    What depends only on where a family lives is gathered by catchment, a row at a time.
    """
    f, s, b = region.families, region.schools, year.behaviour
    home = f.catchment[rows].astype(np.intp)

    def there(by_catchment: NDArray[Any]) -> NDArray[Any]:
        return np.take(by_catchment, home, axis=0)  # several times faster than an index, for whole rows

    none = considered < 0
    at = np.where(none, 0, considered)
    bus = year.policy.by_school(StrongTown, "bus_km", region, year.number) * s.town_seat
    weight = np.maximum(b.reputation_weight + b.reputation_ses * f.ses[rows], LEAST) * f.taste_reputation[rows]
    late = year.draws.uniform(Decision.HEARS_LATE, f.key[rows]) < b.knows_late
    known = np.concatenate([np.where(none, -np.inf, s.reputation[at, stage, delay]) for delay in range(3)])
    worth = np.take(known, home + len(at) * (late * f.delay[rows].astype(np.intp)), axis=0)
    worth *= weight[:, None]
    x, y, patience = (column[rows].astype(float) for column in (f.x_km, f.y_km, f.taste_distance))
    far = distances(x, y, there(s.x_km[at]), there(s.y_km[at]))
    if bus.any():
        far = np.maximum(far - there(bus[at]), 0.0)
    beds = _beds(region, year)
    if beds.any():  # who gets a bed does not go home every day
        bed = year.draws.uniform(Decision.BED, f.key[rows][:, None], there(s.key[at])) < there(beds[at])
        far = np.where(bed, np.minimum(far, BOARDS_FROM_KM), far)
    dislike = b.distance_primary if stage == Stage.PRIMARY else b.distance_junior
    far *= (dislike * patience)[:, None]
    worth -= far
    right = (area[:, None] == year.seen.rights[at, stage]) & ~none
    crossing = there((~right).astype(float))
    crossing *= cost[:, None]
    worth -= crossing
    worth += year.draws.gumbel(Decision.SCHOOL_CHOICE, f.key[rows][:, None], there(s.key[at]))
    if stage == Stage.JUNIOR:
        worth += there(b.elite_pull * s.elite_share[at])
    return worth, there(considered), there(right)


def _beds(region: Region, year: SchoolYear) -> Floats:
    """How likely a child gets a boarding place that the levers pay at each school; shape (schools,)."""
    share = year.policy.by_school(StrongTown, "boarding_share", region, year.number)
    return np.asarray(share * region.schools.town_seat)


def crossing_cost(region: Region, year: SchoolYear, stage: Stage, rows: NDArray[np.intp]) -> Floats:
    """What leaving the catchment costs each family, in utility."""
    b, students = year.behaviour, region.students
    cost = b.crossing_cost - b.crossing_ses * region.families.ses[rows]
    if stage == Stage.JUNIOR and b.crossing_score > 0:
        scale = region.scale
        cost = cost - b.crossing_score * (students.prior[rows] - scale.score_mean[0]) / scale.score_sd[0]
    return np.maximum(cost, 0.0)


def _move_house(
    region: Region,
    year: SchoolYear,
    stage: Stage,
    rows: NDArray[np.intp],
    schools: NDArray[np.int64],
    worth: Floats,
    best: NDArray[np.intp],
    has_right: NDArray[np.bool_],
    cost: Floats,
) -> None:
    """Owners to whom another school is worth the premium move into its catchment and gain the right."""
    f, b, s = region.families, year.behaviour, region.schools
    # who wishes the own school most gains by a move at most what crossing would have cost
    outward = ~in_column(has_right, best) | (cost > b.house_move_cost)
    able = np.flatnonzero(outward & f.owns_home[rows])
    able = able[has_right[able].any(axis=1)]  # has a right somewhere
    held, now = has_right[able], worth[able]
    without = now + np.where(held, 0.0, cost[able, None])
    now[~held] = -np.inf
    top = without.argmax(axis=1)
    gain = in_column(without, top) - in_column(now, now.argmax(axis=1))
    area = s.right[schools[able, top], stage]
    # the first catchment of that admission area; a school without one (private) gives nobody a right
    first = np.full(int(region.catchments.right.max()) + 2, -1, np.int64)
    first[region.catchments.right[::-1, stage]] = np.arange(region.catchments.n)[::-1]
    moving = (gain > b.house_move_cost) & (first[area] >= 0)
    move, top, to = able[moving], top[moving], first[area[moving]]
    move_home(region, rows[move], to)
    has_right[move] = False
    has_right[move, top] = True
    worth[move, top] = without[moving, top]
    best[move] = worth[move].argmax(axis=1)


def _priority(region: Region, year: SchoolYear, rows: NDArray[np.intp], right: NDArray[np.bool_], rule: str) -> Floats:
    """Priority at each school considered, from 1: class of right, then the lottery (or the score, under merit).

    Classes: local hukou and home, one of the two, neither, no right.
    """
    f = region.families
    if rule == "merit":
        return np.broadcast_to(ranks(-region.students.achievement[rows])[:, None], right.shape)
    place = ranks(*year.draws.order(Decision.ADMISSION_LOTTERY, f.key[rows]), classes=OUTSIDE + 1)
    local, owner = f.local[rows], f.owns_home[rows]
    behind = place.dtype.type(rows.size) * np.arange(OUTSIDE + 1, dtype=place.dtype)  # a class after the other
    outside = place + behind[OUTSIDE]
    ahead = behind[OUTSIDE] - behind[2 - local.astype(int) - owner]  # by so much, where it has the right
    return outside[:, None] - right * ahead[:, None]


def _assign(
    worth: Floats,
    best: NDArray[np.intp],
    schools: NDArray[np.int64],
    right: NDArray[np.bool_],
    priority: Floats,
    places: NDArray[np.int64],
    proximity: float,
    rule: str,
) -> NDArray[np.int64]:
    """Places under the rule; −1 for whom no wish could be met."""
    if rule == "immediate_acceptance":
        order = np.argsort(-worth, axis=1, kind="stable")
        wishes = np.take_along_axis(schools, order, 1)
        return immediate_acceptance(wishes, np.take_along_axis(priority, order, 1), places)
    if proximity <= 0 or rule in ("deferred_acceptance", "merit"):
        return stable_assignment(worth, schools, priority, places, best)
    # those without the right queue for places of their own: what the right-holders leave, up to the share
    n = places.size
    holders = np.bincount(schools[right], minlength=n)
    split = np.where((schools >= 0) & ~right, schools + n, schools)
    ratio = (1 - proximity) / proximity
    outside = np.minimum(np.floor(ratio * holders), np.maximum(places - holders, 0)).astype(np.int64)
    while True:
        got = stable_assignment(worth, split, priority, np.concatenate([places - outside, outside]), best)
        count = np.bincount(got[got >= 0], minlength=2 * n)
        allowed = np.floor(ratio * count[:n] + 1e-9).astype(np.int64)
        if (count[n:] <= allowed).all():
            return np.where(got >= n, got - n, got)
        outside = np.minimum(outside, allowed)


def _place_nearby(
    region: Region,
    year: SchoolYear,
    stage: Stage,
    rows: NDArray[np.intp],
    got: NDArray[np.int64],
    places: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The authority places those left over at the nearest school of the district with room (统筹), by lottery.

    First among the `NEARBY` schools with room around the catchment, then, for those still without, among all;
    another district only when the own one is full.
    """
    f, s, c = region.families, region.schools, region.catchments
    spare = places - np.bincount(got[got >= 0], minlength=s.n)
    every = np.flatnonzero(region.open_schools(year.number) & s.has[:, stage] & (s.kind == Kind.DISTRICT))
    able = every[spare[every] > 0] if (spare[every] > 0).any() else every
    lottery = ranks(*year.draws.order(Decision.ADMISSION_LOTTERY, f.key[rows]))
    home = f.catchment[rows].astype(np.intp)
    around = distance_km(c.x_km[:, None], c.y_km[:, None], s.x_km[able], s.y_km[able])
    around += OTHER_DISTRICT_KM * (c.district[:, None] != s.district[able])
    nearby = able[np.argsort(around, axis=1, kind="stable")[:, :NEARBY]]
    x, y = f.x_km[rows].astype(float), f.y_km[rows].astype(float)
    far = distances(x, y, np.take(s.x_km[nearby], home, 0), np.take(s.y_km[nearby], home, 0))
    far += OTHER_DISTRICT_KM * (c.district[:, None] != s.district[nearby])[home]
    placed = stable_assignment(-far, np.take(nearby, home, 0), lottery[:, None], spare)
    left = np.flatnonzero(placed < 0)
    if left.size:
        spare -= np.bincount(placed[placed >= 0], minlength=s.n)
        far = distance_km(x[left, None], y[left, None], s.x_km[every], s.y_km[every])
        far += OTHER_DISTRICT_KM * (c.district[home[left]][:, None] != s.district[every])
        placed[left] = every[overflow(far, lottery[left], spare[every])]
    return placed
