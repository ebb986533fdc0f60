"""The market for teachers' posts: seekers, surplus teachers and newcomers meet vacancies, by stable matching.

A market is a district, a stage and a kind of subject (core, or PE and art); all clear at once. A slot is a
section's posts of one kind, numbered 2·(2·school + stage) + kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.draws import Decision, Floats, key_of_origin
from model.groupwise import ranks
from model.levers import CareerRules
from model.matching import stable_assignment
from model.pay import base_pay, comes_with_post
from model.quality import distances, employer_view, section
from model.region import Region, Setting, Subject
from model.school_year import SchoolYear

SPECIALISTS = (Subject.PE, Subject.MUSIC, Subject.ART)
VILLAGE_FIRST = 1e3  # utility above all others: who must serve in a village takes a post there if there is one
APPLICANTS = 1000  # in the origin of newcomers' keys, before the number of their market

Columns = dict[str, NDArray[Any]]


def slot(region: Region) -> NDArray[np.int64]:
    """The slot each teacher's post is in; shape (teachers,)."""
    t = region.teachers
    return section(t.post, t.stage) * 2 + (t.subject != Subject.CORE)


def fill_vacancies(
    region: Region, year: SchoolYear, posts: NDArray[Any], seeking: NDArray[Any], surplus: NDArray[Any]
) -> None:
    """Who already has a post moves in place, newcomers hired are appended.

    posts: (slots,). seeking, surplus: (teachers,), who looks for another post by choice, and for want of one.
    """
    s, t, b = region.schools, region.teachers, year.behaviour
    opened = region.open_schools(year.number)
    mine = slot(region)
    vacant = np.maximum(posts - np.bincount(mine, minlength=posts.size), 0) * np.repeat(opened, 4)
    market_of = (s.district[:, None] * 4 + np.arange(4)).ravel()
    markets = 4 * region.districts.n
    vacancies = np.bincount(market_of, vacant, markets)
    able = (seeking | surplus) & ~t.is_head & (t.away_as == 0) & opened[t.post] & (vacancies > 0)[market_of[mine]]
    look = np.flatnonzero(able)
    look = look[np.argsort(market_of[mine[look]], kind="stable")]
    unplaced = np.bincount(market_of[mine[look]], surplus[look], markets)
    short = np.maximum(vacancies - unplaced, 0).astype(np.int64)
    new, its_market = _applicants(region, year, -(-(b.applicants * short * 100).astype(np.int64) // 100))
    if look.size + its_market.size == 0:
        return
    gives_up = ~surplus[look]
    seats = vacant.astype(np.int64) + np.bincount(mine[look[gives_up]], minlength=posts.size)
    offered, place = _offers(market_of, seats)
    market = np.concatenate([market_of[mine[look]], its_market])
    key, x, y = (np.concatenate([getattr(t, name)[look], new[name]]) for name in ("key", "home_x", "home_y"))
    known = b.employer_signal * new["lasting"] + np.sqrt(1 - b.employer_signal**2) * new["signal"]
    view = np.concatenate([employer_view(t, b)[look], known])
    worth = _worth(region, year, key, x, y, offered, market)
    # who has a post keeps it unless a better one is free: it is worth the cost of moving more, and nobody can
    # take it before its holder leaves it; surplus teachers and newcomers take what they find
    holder = np.flatnonzero(gives_up)
    at = place[mine[look[holder]]]
    stay = worth[holder, at] + b.move_cost
    worth[look.size :][worth[look.size :] <= b.least_worth] = -np.inf
    bound = year.policy.one(CareerRules, year.number).newcomer_village_years > 0
    if bound:
        rural = np.append(np.repeat(s.setting == Setting.VILLAGE, 4), False)[np.take(offered, market, axis=0)]
        worth[look.size :][rural[look.size :]] += VILLAGE_FIRST
    worth[holder] = np.where(worth[holder] > stay[:, None], worth[holder], -np.inf)
    worth[holder, at] = stay
    priority = np.repeat(ranks(-view)[:, None] + 1, offered.shape[1], axis=1)
    if bound:  # the district sends newcomers by lot: a village cannot choose the best of those who must come
        sent = np.concatenate([view[: look.size], year.draws.normal(Decision.NEWCOMER_LOT, new["key"])])
        priority = np.where(rural, ranks(-sent)[:, None] + 1, priority)
    priority[holder, at] = 1
    got = stable_assignment(worth, offered, priority, seats, row=market)
    school = np.where(got >= 0, got >> 2, -1).astype(np.int32)
    _move(region, year, look, school[: look.size])
    hired = got[look.size :] >= 0
    new["post"] = new["school"] = school[look.size :]
    t.append(int(hired.sum()), **{name: values[hired] for name, values in new.items()})


def _offers(market_of: NDArray[Any], seats: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slots with seats in each market, −1 where fewer, shape (markets, J); and the place of each slot in its row."""
    some = np.flatnonzero(seats > 0)
    some = some[np.argsort(market_of[some], kind="stable")]
    count = np.bincount(market_of[some], minlength=int(market_of.max(initial=0)) + 1)
    turn = np.arange(some.size) - np.repeat(np.cumsum(count) - count, count)
    offered = np.full((count.size, int(count.max(initial=0))), -1, np.int64)
    offered[market_of[some], turn] = some
    place = np.zeros(seats.size, np.int64)
    place[some] = turn
    return offered, place


def _worth(
    region: Region,
    year: SchoolYear,
    key: NDArray[np.uint64],
    x: Floats,
    y: Floats,
    offered: NDArray[np.int64],
    market: NDArray[np.int64],
) -> Floats:
    """What each post is worth to each applicant: setting, pay, the school's score, the way, taste; −∞ for none."""
    s, b = region.schools, year.behaviour
    pay = np.log1p(comes_with_post(region, year.policy, year.number) / base_pay(region, year.policy, year.number))
    pull = np.array(b.by_setting("amenity"))[s.setting] + b.wage_attraction * pay
    of_slot = np.repeat(pull[:, None] + b.school_attraction * s.score, 2)
    of_slot = np.append(of_slot, -np.inf)  # where no slot is
    school = offered >> 2
    # a row of each table by market: gathering whole rows is several times faster than single posts
    worth = np.take(of_slot[offered], market, axis=0)
    far = distances(x, y, np.take(s.x_km[school], market, axis=0), np.take(s.y_km[school], market, axis=0))
    far *= b.commute
    worth -= far
    taste = year.draws.normal(Decision.POST_TASTE, key[:, None], np.take(s.key[school], market, axis=0))
    taste *= b.post_noise
    worth += taste
    return worth


def _move(region: Region, year: SchoolYear, rows: NDArray[np.intp], school: NDArray[np.int32]) -> None:
    t = region.teachers
    moving = (school >= 0) & (school != t.post[rows])
    rows = rows[moving]
    at = section(t.school[rows], t.stage[rows])
    year.seen.transferred += np.bincount(at, minlength=2 * region.schools.n).reshape(-1, 2)
    t.post[rows] = t.school[rows] = school[moving]
    t.moved[rows], t.years_in_school[rows] = year.number, 0


def _applicants(region: Region, year: SchoolYear, count: NDArray[np.int64]) -> tuple[Columns, NDArray[np.int64]]:
    """Newcomers who apply, `count` in each market, and the market of each; drawn by year, market and serial."""
    n = int(count.sum())
    market = np.repeat(np.arange(count.size), count)
    serial = np.arange(n) - np.repeat(np.cumsum(count) - count, count)
    key = key_of_origin(year.number, APPLICANTS + market, serial)
    district, d = market // 4, year.draws
    towns = np.argsort(region.towns.district, kind="stable")
    number = np.bincount(region.towns.district, minlength=region.districts.n)
    begin = np.cumsum(number) - number
    town = towns[begin[district] + (d.uniform(Decision.TEACHER_HOME, key) * number[district]).astype(int)]
    subject = np.where(market % 2 == 1, np.array(SPECIALISTS)[serial % len(SPECIALISTS)], Subject.CORE)
    columns = {
        "key": key,
        "stage": market // 2 % 2,
        "subject": subject,
        "district_home": district,
        "home_x": region.towns.x_km[town] + d.normal(Decision.TEACHER_EAST, key),
        "home_y": region.towns.y_km[town] + d.normal(Decision.TEACHER_NORTH, key),
        "age": (22 + 6 * d.uniform(Decision.TEACHER_AGE, key)).astype(np.int16),
        "lasting": d.normal(Decision.TEACHER_LASTING, key),
        "signal": d.normal(Decision.TEACHER_SIGNAL, key),
        "credential": d.normal(Decision.TEACHER_CREDENTIAL, key),
        "leads": d.normal(Decision.TEACHER_LEADERSHIP, key),
        "degree_above": d.uniform(Decision.TEACHER_DEGREE, key) < year.behaviour.newcomer_degree,
        "moved": np.full(n, year.number, np.int16),
    }
    return columns, market
