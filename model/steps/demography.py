"""Step 2. Grade 9 leaves for senior high school, everyone moves up, a new cohort arrives."""

from __future__ import annotations

import numpy as np

from model.draws import Decision
from model.groupwise import apportion, place_in_group
from model.homes import move_home, scale_latents
from model.levers import SeniorHighQuota
from model.new_schools import settle_in_parts
from model.people import children, cohort_size, entrants, entrants_by_catchment
from model.quality import observed_score
from model.region import Region, Setting, Stage
from model.school_year import SchoolYear


def demography(region: Region, year: SchoolYear) -> None:
    """Leavers, one grade up, entrants by catchment, village families that move to a town or the city."""
    region.schools.enrolment_lagged[:] = region.schools.enrolment
    _senior_high(region, year)
    _move_up(region)
    _enter(region, year)
    _to_town(region, year)


def _senior_high(region: Region, year: SchoolYear) -> None:
    """Elite places: the quota to the best of each school with enough years of 学籍, the rest by merit."""
    s, schools = region.students, region.schools
    rows = region.grade_rows(9, 9)
    count = rows.stop - rows.start
    if count == 0:
        return
    lever = year.policy.one(SeniorHighQuota, year.number)
    exam = observed_score(region, year.behaviour, year.draws, rows)
    school = s.school[rows]
    district = schools.district[school]
    leavers = np.bincount(school, minlength=schools.n)
    weight = leavers * (1 + lever.village_tilt * (schools.setting == Setting.VILLAGE))
    won = np.zeros(count, bool)
    best_first = np.argsort(-exam)
    for d in range(region.districts.n):
        here = schools.district == d
        places = round(year.behaviour.elite_places * leavers[here].sum())
        quota = np.zeros(schools.n, np.int64)
        quota[here] = np.minimum(apportion(round(lever.share * places), weight[here]), leavers[here])
        mine = best_first[district[best_first] == d]
        chosen = mine[s.school_years[rows][mine] >= lever.enrolment_years]
        chosen = chosen[place_in_group(school[chosen]) < quota[school[chosen]]]
        won[chosen] = True
        year.seen.elite_quota += np.bincount(school[chosen], minlength=schools.n)
        won[mine[~won[mine]][: places - chosen.size]] = True
    year.seen.elite_places += np.bincount(school[won], minlength=schools.n)
    seen = leavers > 0
    share = np.divide(year.seen.elite_places, leavers, out=np.zeros(schools.n), where=seen)
    # families judge the chance by several years, as they judge reputation
    schools.elite_share[seen] += year.behaviour.reputation_rate * (share - schools.elite_share)[seen]


def _move_up(region: Region) -> None:
    s, classes = region.students, region.classes
    leaving = region.grade_rows(9, 9)
    s.drop_front(leaving.stop)
    region.families.drop_front(leaving.stop)
    s.grade += 1
    s.school_years += 1
    classes.grade += 1
    ended = ((classes.stage == Stage.PRIMARY) & (classes.grade > region.primary_grades)) | (classes.grade > 9)
    moved = classes.keep(~ended)
    if moved.size:
        # who is in no class (−1) is sent on to no class
        s.klass[:] = np.take(np.append(moved, np.int32(-1)), s.klass)


def _enter(region: Region, year: SchoolYear) -> None:
    if year.settling:
        counts = entrants_by_catchment(region, year.number)
    else:
        counts = children(region, year.number, year.draws.seed, year.behaviour.cohort_uncertainty)
    families, students = entrants(region, year.number, counts, year.draws.seed)
    rows = region.families.append(int(counts.sum()), **families)
    region.students.append(int(counts.sum()), **students)
    region.students.school[rows] = -1
    region.students.klass[rows] = -1
    region.students.wish[rows] = -1
    scale_latents(region, rows, year.behaviour)
    settle_in_parts(region, rows)


def _to_town(region: Region, year: SchoolYear) -> None:
    """Some village families whose child enters a stage move to a town or the city of their district."""
    f, places, b = region.families, region.catchments, year.behaviour
    for grade in (1, region.primary_grades + 1):
        span = region.grade_rows(grade, grade)
        village = np.flatnonzero(places.setting[f.catchment[span]] == Setting.VILLAGE) + span.start
        draw = year.draws.uniform(Decision.TOWN_TO_CITY, f.key[village])
        leave = draw < b.town_to_city
        rows, pick = village[leave], draw[leave] / max(b.town_to_city, 1e-12)  # uniform again among the movers
        for d in range(region.districts.n):
            to = np.flatnonzero((places.district == d) & (places.setting != Setting.VILLAGE))
            here = places.district[f.catchment[rows]] == d
            if to.size == 0 or not here.any():
                continue
            size = places.share[to] * cohort_size(region, year.number)[places.setting[to]]
            ladder = np.cumsum(size) / size.sum()
            new = to[np.minimum(np.searchsorted(ladder, pick[here]), to.size - 1)]
            move_home(region, rows[here], new)
