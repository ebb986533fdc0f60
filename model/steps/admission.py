"""Step 7. Every entrant and every mover gets a place: wishes by random utility, places by the region's rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.caps import places_to_enter
from model.draws import Decision, Floats
from model.homes import move_home
from model.levers import Admission, StrongTown
from model.matching import immediate_acceptance, overflow, stable_assignment
from model.quality import distance_km
from model.region import STAGES, Kind, Region, Stage
from model.school_year import Admitted, SchoolYear

NEAREST, FAMOUS = 5, 2  # schools a family considers beside its own: the nearest and the best known (E3.2)
BOARDS_FROM_KM = 8.0  # daily travel beyond this means boarding where the school takes boarders (assumed 5–15)
OUTSIDE = 3.0  # priority class of applicants without a right


def admission(region: Region, year: SchoolYear) -> None:
    """Admit to primary, then to junior school; then take the new enrolment on 1 September."""
    s = region.schools
    s.enrolment_lagged[:] = s.enrolment
    for stage in STAGES:
        _admit(region, year, stage)
    s.enrolment[:] = np.bincount(region.section_of_students(), minlength=2 * s.n).reshape(-1, 2)


def _admit(region: Region, year: SchoolYear, stage: Stage) -> None:
    students, s = region.students, region.schools
    first, last = (1, region.primary_grades) if stage == Stage.PRIMARY else (region.primary_grades + 1, 9)
    span = region.grade_rows(first, last)
    entering = students.grade[span] == first
    seeking = entering | (students.school[span] < 0)
    rows = np.flatnonzero(seeking) + span.start
    entrant = entering[seeking]
    if rows.size == 0:
        return
    staying = _staying(region, rows)
    places = places_to_enter(region, year, stage, staying)
    lever = year.policy.one(Admission, year.number)
    schools = _considered(region, year, stage)[region.families.catchment[rows]]
    worth, has_right, own = _utility(region, year, stage, rows, schools, lever.rule)
    _move_house(region, year, stage, rows, schools, worth, has_right, lever.rule)
    everyone, best = np.arange(rows.size), worth.argmax(axis=1)
    wish = schools[everyone, best]
    priority = _priority(region, year, rows, has_right, lever.rule)
    floor = lever.proximity_primary if stage == Stage.PRIMARY else lever.proximity_junior
    got = _assign(worth, schools, has_right, priority, places, floor, lever.rule)
    placed_by_authority = got < 0
    if placed_by_authority.any():
        got[placed_by_authority] = _place_nearby(region, year, stage, rows[placed_by_authority], got, places)
    was = students.school[rows]
    students.school[rows] = got
    students.klass[rows] = -1
    students.school_years[rows] = np.where(was == got, students.school_years[rows], 1)
    students.wish[rows] = wish
    s.wished[:, stage] = np.bincount(wish, minlength=s.n)
    far = distance_km(region.families.x_km[rows], region.families.y_km[rows], s.x_km[got], s.y_km[got])
    students.boards[rows] = s.boarding[got] & (far > BOARDS_FROM_KM)
    year.seen.admitted.append(
        Admitted(
            int(stage),
            rows,
            entrant,
            ((schools == got[:, None]) & has_right).any(axis=1),
            wish,
            ~own[everyone, best],
            far,
            placed_by_authority,
            places,
        )
    )


def _staying(region: Region, entering: NDArray[np.intp]) -> NDArray[np.int64]:
    """Pupils who are already in each school and stage and stay; shape (schools, 2)."""
    stays = np.ones(region.students.n, bool)
    stays[entering] = False
    stays &= region.students.school >= 0
    # junior entrants still bear their primary school until their own admission
    stays[region.grade_rows(region.primary_grades + 1, region.primary_grades + 1)] &= (
        region.students.klass[region.grade_rows(region.primary_grades + 1, region.primary_grades + 1)] >= 0
    )
    at = region.section_of_students()[stays]
    return np.bincount(at, minlength=2 * region.schools.n).reshape(-1, 2)


def _considered(region: Region, year: SchoolYear, stage: Stage) -> NDArray[np.int64]:
    """Schools that families of each catchment consider; shape (catchments, J), −1 where fewer."""
    s, places = region.schools, region.catchments
    able = np.flatnonzero(region.open_schools(year.number) & s.has[:, stage] & (s.kind != Kind.SPECIAL))
    far = distance_km(places.x_km[:, None], places.y_km[:, None], s.x_km[able], s.y_km[able])
    far = np.where(places.district[:, None] == s.district[able], far, np.inf)
    marked = (places.right[:, stage][:, None] == year.seen.rights[able, stage]) & np.isfinite(far)
    if year.policy.one(Admission, year.number).rule == "multi_school_lottery":
        marked |= _rights_of_places(region, year, stage)[:, None] == year.seen.rights[able, stage]
    near = np.argsort(far, axis=1, kind="stable")[:, :NEAREST]
    np.put_along_axis(marked, near, True, 1)
    for d in range(region.districts.n):
        here = np.flatnonzero(s.district[able] == d)
        best = here[np.argsort(-s.reputation[able[here], stage, 0], kind="stable")][:FAMOUS]
        marked[np.ix_(places.district == d, best)] = True
    marked &= np.isfinite(far)
    longest = int(marked.sum(axis=1).max())
    order = np.argsort(~marked, axis=1, kind="stable")[:, :longest]
    return np.where(np.take_along_axis(marked, order, 1), able[order], -1)


def _rights_of_places(region: Region, year: SchoolYear, stage: Stage) -> NDArray[np.int32]:
    """The admission area of each catchment under the rule in force (zones may join areas)."""
    s = region.schools
    area = region.catchments.right[:, stage].copy()
    held = s.has[:, stage] & (s.right[:, stage] >= 0)
    joined = dict(zip(s.right[held, stage].tolist(), year.seen.rights[held, stage].tolist(), strict=True))
    return np.array([joined.get(int(a), int(a)) for a in area], np.int32)


def _utility(
    region: Region, year: SchoolYear, stage: Stage, rows: NDArray[np.intp], schools: NDArray[np.int64], rule: str
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Utility of each school considered, −∞ where none; whether the family has the right there (twice).

    U = (β_R + β_RS·SES)·taste·R − β_d·taste·km − crossing cost + β_Q·elite chance + Gumbel (evidence.md 3.2).
    """
    f, s, b = region.families, region.schools, year.behaviour
    none = schools < 0
    at = np.where(none, 0, schools)
    weight = np.maximum(b.reputation_weight + b.reputation_ses * f.ses[rows], 0.0) * f.taste_reputation[rows]
    late = (f.delay[rows] > 0) & (year.draws.uniform(Decision.KNOWS_LATE, f.key[rows]) < 2 * b.knows_late)
    believed = s.reputation[:, stage, :].ravel()[at * 3 + np.where(late, f.delay[rows], 0)[:, None]]
    far = distance_km(f.x_km[rows][:, None], f.y_km[rows][:, None], s.x_km[at], s.y_km[at])
    bus = year.policy.by_school(StrongTown, "bus_km", region, year.number) * s.town_seat
    far = np.maximum(far - bus[at], 0.0)
    worth = weight[:, None] * believed
    dislike = b.distance_primary if stage == Stage.PRIMARY else b.distance_junior
    worth -= (dislike * f.taste_distance[rows])[:, None] * far
    has_right = _rights_of_places(region, year, stage)[f.catchment[rows]][:, None] == year.seen.rights[at, stage]
    has_right &= ~none
    if rule in ("single_catchment", "multi_school_lottery"):
        worth -= crossing_cost(region, year, stage, rows)[:, None] * ~has_right
    if stage == Stage.JUNIOR:
        worth += b.elite_pull * s.elite_share[at]
    worth += year.draws.gumbel(Decision.SCHOOL_CHOICE, f.key[rows][:, None], s.key[at])
    worth[none] = -np.inf
    return worth, has_right, has_right.copy()


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
    has_right: NDArray[np.bool_],
    rule: str,
) -> None:
    """Owners to whom another school is worth the premium move into its catchment and gain the right."""
    if rule not in ("single_catchment", "multi_school_lottery"):
        return
    f, b, s = region.families, year.behaviour, region.schools
    cost = crossing_cost(region, year, stage, rows)[:, None] * ~has_right
    without = worth + cost
    home = np.where(has_right, worth, -np.inf).max(axis=1)
    best = np.argmax(without, axis=1)
    gain = without[np.arange(rows.size), best] - home
    move = np.flatnonzero((gain > b.house_move_cost) & np.isfinite(home) & f.owns_home[rows])
    if move.size == 0:
        return
    area = s.right[schools[move, best[move]], stage]
    # the first catchment of that admission area; a school without one (private) gives nobody a right
    first = np.full(int(region.catchments.right.max()) + 2, -1, np.int64)
    first[region.catchments.right[::-1, stage]] = np.arange(region.catchments.n)[::-1]
    to = first[area]
    move, to = move[to >= 0], to[to >= 0]
    move_home(region, rows[move], to)
    has_right[move] = False
    has_right[move, best[move]] = True
    worth[move, best[move]] = without[move, best[move]]


def _priority(region: Region, year: SchoolYear, rows: NDArray[np.intp], right: NDArray[np.bool_], rule: str) -> Floats:
    """Priority at each wish, smaller first: class of right, then the lottery (or the score, under merit)."""
    f = region.families
    lottery = year.draws.uniform(Decision.ADMISSION_LOTTERY, f.key[rows])
    if rule == "merit":
        score = region.students.achievement[rows]
        return np.broadcast_to((-score + 1e-9 * lottery)[:, None], right.shape).copy()
    local, owner = f.local[rows], f.owns_home[rows]
    claim = np.where(local & owner, 0.0, np.where(owner | local, 1.0, 2.0))
    return np.where(right, claim[:, None], OUTSIDE) + lottery[:, None]


def _assign(
    worth: Floats,
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
        return stable_assignment(worth, schools, priority, places)
    # those without the right queue for places of their own: what the right-holders leave, up to the share
    n = places.size
    holders = np.bincount(schools[right], minlength=n)
    outside = np.minimum(np.floor((1 - proximity) * places), np.maximum(places - holders, 0)).astype(np.int64)
    inside = np.where(outside > 0, places - outside, places)
    split = np.where((schools >= 0) & ~right, schools + n, schools)
    got = stable_assignment(worth, split, priority, np.concatenate([inside, outside]))
    return np.where(got >= n, got - n, got)


def _place_nearby(
    region: Region,
    year: SchoolYear,
    stage: Stage,
    rows: NDArray[np.intp],
    got: NDArray[np.int64],
    places: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The authority places those left over at the nearest school of the district with room (统筹)."""
    f, s = region.families, region.schools
    spare = places - np.bincount(got[got >= 0], minlength=s.n)
    able = np.flatnonzero(region.open_schools(year.number) & s.has[:, stage] & (s.kind == Kind.DISTRICT))
    able = able[spare[able] > 0] if (spare[able] > 0).any() else able
    far = distance_km(f.x_km[rows][:, None], f.y_km[rows][:, None], s.x_km[able], s.y_km[able])
    elsewhere = region.catchments.district[f.catchment[rows]][:, None] != s.district[able]
    far += 1000.0 * elsewhere  # another district only when the own one is full
    lottery = year.draws.uniform(Decision.ADMISSION_LOTTERY, f.key[rows])
    return able[overflow(far, lottery, spare[able])]
