"""Step 5. Teachers retire, quit, look for other posts; posts follow pupils; vacancies are filled by matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from model.draws import Decision, Draws, Floats, key_of_origin
from model.groupwise import apportion, place_in_group, ranks
from model.levers import (
    BackbonePipeline,
    CareerRules,
    EducationGroups,
    InServiceDegrees,
    PeArtRecruitment,
    Posts,
)
from model.matching import stable_assignment
from model.pay import base_pay, extra_share, supplement
from model.policy import schools_in
from model.quality import distance_km, employer_view, section, standard_per_pupil, titles_view
from model.region import STAGES, Network, Region, Setting, Stage, Subject
from model.rules import rule
from model.school_year import SchoolYear

RETIREMENT = rule("retirement_age")
PUPILS_PER_POST = rule("pupils_per_post")
SMALL = rule("small_school")
SPECIALISTS = (Subject.PE, Subject.MUSIC, Subject.ART)


def staffing(region: Region, year: SchoolYear) -> None:
    """A year of every teacher's life, posts, then the market for vacancies, heads, titles."""
    _a_year_older(region, year)
    staying = ~_retire(region, year) & ~_quit(region, year)
    region.teachers.compelled &= region.teachers.away_as > 0  # who was moved for good has got used to it
    _leave(region, year, staying)
    _posts(region, year)
    _market(region, year)
    _heads(region, year)
    _titles(region, year)
    for lever in year.policy.in_force(BackbonePipeline, year.number):
        _backbones(region, year, lever)
    _degrees(region, year)
    _bought_lessons(region, year)


def _a_year_older(region: Region, year: SchoolYear) -> None:
    t, s = region.teachers, region.schools
    t.age += 1
    t.experience += 1
    t.years_in_school += 1
    weak = (s.setting == Setting.VILLAGE) | (s.score.sum(axis=1) < 0)
    t.weak_years += weak[t.school]
    back = np.flatnonzero((t.away_as > 0) & (t.away_until <= year.number))
    home = back[region.open_schools(year.number)[t.post[back]]]
    t.school[home] = t.post[home]
    t.years_in_school[back] = 0  # the clock restarts on return
    t.away_as[back], t.away_until[back], t.compelled[back] = 0, 0, False


def _retire(region: Region, year: SchoolYear) -> NDArray[np.bool_]:
    t = region.teachers
    early = year.draws.uniform(Decision.RETIRE, t.key) < year.behaviour.early_retirement
    return np.asarray((t.age >= RETIREMENT) | ((t.age >= 55) & early))


def _retained(region: Region, year: SchoolYear) -> Floats:
    """What extra pay takes off the log-odds of leaving: only what lies above the threshold counts."""
    b = year.behaviour
    extra = extra_share(region, year.policy, year.number)
    return np.asarray(b.wage_retention * np.log1p(np.maximum(extra - b.retention_threshold, 0.0)))


def _quit(region: Region, year: SchoolYear) -> NDArray[np.bool_]:
    t, s, b = region.teachers, region.schools, year.behaviour
    far = distance_km(t.home_x, t.home_y, s.x_km[t.school], s.y_km[t.school])
    pay = np.log(base_pay(region, year.policy, year.number)[t.school] / region.prices["teacher_pay"])
    odds = logit(b.quit_rate) + b.commute * (far - 10.0) - b.wage_retention * pay
    odds = odds + b.rotation_aversion * t.compelled - _retained(region, year)
    gone = year.draws.uniform(Decision.QUIT, t.key) < expit(odds)
    year.seen.quit += _count(region, gone)
    return np.asarray(gone)


def _count(region: Region, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    t = region.teachers
    return np.bincount(section(t.school[rows], t.stage[rows]), minlength=2 * region.schools.n).reshape(-1, 2)


def _leave(region: Region, year: SchoolYear, staying: NDArray[np.bool_]) -> None:
    year.seen.left += _count(region, ~staying)
    moved = region.teachers.keep(staying)
    team = region.classes.team
    team[:] = np.where(team >= 0, moved[team], -1)


def _posts(region: Region, year: SchoolYear) -> None:
    """Posts follow last year's pupils inside the quota of each district (区管校聘).

    A school is due its pupils at the ratio it had in the base year, or at one urban-rural standard as far as
    the lever goes; in small schools at least so many a class.
    """
    s, c, lever = region.schools, region.classes, year.policy.one(Posts, year.number)
    if year.settling or lever.follow_enrolment + abs(lever.quota_growth) == 0:
        return
    opened = region.open_schools(year.number)
    pupils = s.enrolment_lagged
    own = np.where((s.posts_per_pupil == 0) & s.has, 1 / np.array(PUPILS_PER_POST), s.posts_per_pupil) * pupils
    standard = pupils / np.array(PUPILS_PER_POST)
    standard *= own.sum(axis=0) / np.maximum(standard.sum(axis=0), 1e-9)  # as the district's posts allow
    need = (1 - lever.one_standard) * own + lever.one_standard * standard
    number = np.bincount(section(c.school, c.stage), minlength=2 * s.n).reshape(-1, 2)
    need = np.where(pupils < SMALL, np.maximum(need, lever.small_school_posts * number), need) * opened[:, None]
    for d in range(region.districts.n):
        here = s.district == d
        total = round(s.posts[here].sum() * (1 + lever.quota_growth))
        due = total * need[here] / max(need[here].sum(), 1e-9)
        goal = s.posts[here] + lever.follow_enrolment * (due - s.posts[here])
        s.posts[here] = apportion(total, goal.ravel()).reshape(-1, 2)
    np.minimum(s.pe_art_posts, s.posts, out=s.pe_art_posts)


def _market(region: Region, year: SchoolYear) -> None:
    """Vacancies of each district, stage and kind of subject: newcomers, seekers and surplus are matched."""
    s, t = region.schools, region.teachers
    for recruit in year.policy.in_force(PeArtRecruitment, year.number):
        _recruit_specialists(region, year, recruit.teachers, schools_in(recruit, region, year.number))
    seeking = _seekers(region, year)
    specialist = t.subject != Subject.CORE
    posts = np.stack([s.posts - s.pe_art_posts, s.pe_art_posts], axis=2)  # school, stage, kind of subject
    at = section(t.post, t.stage) * 2 + specialist
    held = np.bincount(at, minlength=posts.size).reshape(posts.shape)
    over = np.maximum(held - posts, 0)
    surplus = _surplus(region, at, over.ravel())
    opened = region.open_schools(year.number)
    district = s.district[t.post]
    looking = np.flatnonzero((seeking | surplus) & ~t.is_head & (t.away_as == 0) & opened[t.post])
    pay = np.log1p(supplement(region, year.policy, year.number) / base_pay(region, year.policy, year.number))
    pull = np.array(year.behaviour.by_setting("amenity"))[s.setting] + year.behaviour.wage_attraction * pay
    hired: list[dict[str, NDArray[Any]]] = []
    for d in range(region.districts.n):
        schools_here = np.flatnonzero((s.district == d) & opened)
        for stage in STAGES:
            for kind in (0, 1):
                look = looking[(district[looking] == d) & (t.stage[looking] == stage) & (specialist[looking] == kind)]
                vacant = np.maximum(posts[schools_here, stage, kind] - held[schools_here, stage, kind], 0)
                attraction = pull[schools_here] + year.behaviour.school_attraction * s.score[schools_here, stage]
                new = _fill(region, year, d, stage, kind, schools_here, vacant, attraction, look, surplus[look])
                if new is not None:
                    hired.append(new)
    for columns in hired:
        t.append(len(columns["key"]), **columns)
    filled = np.bincount(section(t.post, t.stage), minlength=2 * s.n).reshape(-1, 2)
    year.seen.vacancies += np.maximum(s.posts - filled, 0)
    year.seen.over += np.maximum(filled - s.posts, 0)


def _seekers(region: Region, year: SchoolYear) -> NDArray[np.bool_]:
    t, s, b = region.teachers, region.schools, year.behaviour
    village = s.setting[t.post] == Setting.VILLAGE
    odds = logit(np.where(village, b.transfer_rate_village, b.transfer_rate_other)) - _retained(region, year)
    return np.asarray(year.draws.uniform(Decision.TRANSFER_WISH, t.key) < expit(odds))


def _surplus(region: Region, at: NDArray[np.int64], over: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The last to come are surplus where more teachers than posts are left."""
    t = region.teachers
    rows = np.flatnonzero((over[at] > 0) & ~t.is_head & (t.away_as == 0))
    chosen = np.zeros(t.n, bool)
    chosen[rows] = place_in_group(at[rows], t.years_in_school[rows], t.key[rows]) < over[at[rows]]
    return chosen


def _fill(
    region: Region,
    year: SchoolYear,
    district: int,
    stage: Stage,
    kind: int,
    schools: NDArray[np.intp],
    vacant: NDArray[np.int64],
    attraction: Floats,
    look: NDArray[np.intp],
    surplus: NDArray[np.bool_],
) -> dict[str, NDArray[Any]] | None:
    """One market. Who already has a post is moved in place; returns the columns of the newcomers hired."""
    t, b = region.teachers, year.behaviour
    short = max(int(vacant.sum()) - int(surplus.sum()), 0)
    new = _applicants(region, year, district, stage, kind, -(-int(b.applicants * short * 100) // 100))
    if vacant.sum() == 0 or (look.size + len(new["key"])) == 0:
        return None
    key = np.concatenate([t.key[look], new["key"]])
    home_x = np.concatenate([t.home_x[look], new["home_x"]])
    home_y = np.concatenate([t.home_y[look], new["home_y"]])
    view = np.concatenate(
        [
            employer_view(t, b)[look],
            b.employer_signal * new["lasting"] + np.sqrt(1 - b.employer_signal**2) * new["signal"],
        ]
    )
    column = np.full(region.schools.n, -1)
    column[schools] = np.arange(schools.size)
    own = np.concatenate([column[t.post[look]], np.full(len(new["key"]), -1)])
    gives_up = np.concatenate([~surplus, np.zeros(len(new["key"]), bool)])
    seats = vacant + np.bincount(own[gives_up], minlength=schools.size)
    some = np.flatnonzero(seats > 0)
    s = region.schools
    far = distance_km(home_x[:, None], home_y[:, None], s.x_km[schools[some]], s.y_km[schools[some]])
    worth = attraction[some] - b.commute * far
    worth += b.post_noise * year.draws.normal(Decision.POST_TASTE, key[:, None], s.key[schools[some]][None, :])
    at = np.minimum(np.searchsorted(some, np.maximum(own, 0)), some.size - 1)
    holder = np.flatnonzero((own >= 0) & gives_up & (some[at] == own))
    # who has a post keeps it unless a better one is free: it is worth the cost of moving more, and nobody can
    # take it before its holder leaves it; surplus teachers and newcomers take what they find
    stay = worth[holder, at[holder]] + b.move_cost
    worth[look.size :] = np.where(worth[look.size :] > b.least_worth, worth[look.size :], -np.inf)
    worth[holder] = np.where(worth[holder] > stay[:, None], worth[holder], -np.inf)
    worth[holder, at[holder]] = stay
    priority = np.repeat(ranks(-view)[:, None] + 1, some.size, axis=1)
    priority[holder, at[holder]] = 1
    got = stable_assignment(worth, np.arange(some.size)[None, :], priority, seats[some])
    placed = np.where(got >= 0, schools[some[np.maximum(got, 0)]], -1)
    mine = placed[: look.size]
    moving = (mine >= 0) & (mine != t.post[look])
    rows = look[moving]
    at_school = section(t.school[rows], t.stage[rows])
    year.seen.transferred += np.bincount(at_school, minlength=2 * region.schools.n).reshape(-1, 2)
    t.post[rows] = t.school[rows] = mine[moving]
    t.moved[rows], t.years_in_school[rows] = year.number, 0
    newcomers = placed[look.size :]
    taken = newcomers >= 0
    if not taken.any():
        return None
    columns = {name: values[taken] for name, values in new.items()}
    columns["post"] = columns["school"] = newcomers[taken].astype(np.int32)
    return columns


def _applicants(
    region: Region, year: SchoolYear, district: int, stage: Stage, kind: int, count: int
) -> dict[str, NDArray[Any]]:
    """Newcomers who apply; drawn by applicant year, district, stage, subject and serial."""
    key = key_of_origin(year.number, 1000 + district * 4 + stage * 2 + kind, np.arange(count))[:count]
    d: Draws = year.draws
    towns = np.flatnonzero(region.towns.district == district)
    town = towns[(d.uniform(Decision.TEACHER_HOME, key) * towns.size).astype(int)]
    subject = np.zeros(count, np.int8)
    if kind:
        subject[:] = np.array(SPECIALISTS)[np.arange(count) % len(SPECIALISTS)]
    return {
        "key": key,
        "stage": np.full(count, stage, np.int8),
        "subject": subject,
        "district_home": np.full(count, district, np.int32),
        "home_x": region.towns.x_km[town] + d.normal(Decision.TEACHER_EAST, key),
        "home_y": region.towns.y_km[town] + d.normal(Decision.TEACHER_NORTH, key),
        "age": (22 + 6 * d.uniform(Decision.TEACHER_AGE, key)).astype(np.int16),
        "lasting": d.normal(Decision.TEACHER_LASTING, key),
        "signal": d.normal(Decision.TEACHER_SIGNAL, key),
        "credential": d.normal(Decision.TEACHER_CREDENTIAL, key),
        "leads": d.normal(Decision.TEACHER_LEADERSHIP, key),
        "degree_above": d.uniform(Decision.TEACHER_DEGREE, key) < year.behaviour.newcomer_degree,
        "moved": np.full(count, year.number, np.int16),
    }


def _recruit_specialists(region: Region, year: SchoolYear, teachers: int, here: NDArray[np.bool_]) -> None:
    """Core posts become PE and art posts where these are shortest against the standard, within the quota."""
    s = region.schools
    order = np.argsort(s.key)  # of equals the first by key, wherever it lies
    for _ in range(teachers):
        short = s.enrolment_lagged * standard_per_pupil("pe_art_teachers") - s.pe_art_posts
        short[(s.posts - s.pe_art_posts < 2) | ~here[:, None]] = -np.inf
        place, stage = np.unravel_index(np.argmax(short[order]), short.shape)
        row = order[place]
        if not np.isfinite(short[row, stage]):
            year.say("pe_art_recruitment", "no post left to turn into one for PE or art", "无可调整的体艺编制")
            break
        s.pe_art_posts[row, stage] += 1


def _heads(region: Region, year: SchoolYear) -> None:
    """A school without a head appoints one of its own; service in weak schools gives priority where ruled."""
    t, s, b = region.teachers, region.schools, year.behaviour
    rule = year.policy.one(CareerRules, year.number).head_weak_years
    has = np.zeros(s.n, bool)
    has[t.school[t.is_head]] = True
    rows = np.flatnonzero(~has[t.school] & (t.away_as == 0))
    if rows.size:
        noise = year.draws.normal(Decision.HEAD_APPOINTMENT, t.key[rows])
        fit = b.credential_signal * t.leads[rows] + noise + t.title[rows] + 0.02 * t.experience[rows]
        fit += 10.0 * ((rule > 0) & (t.weak_years[rows] >= rule))  # priority: before all without it
        first = rows[place_in_group(t.school[rows], -fit, t.key[rows]) == 0]
        t.is_head[first] = True
    heads = np.flatnonzero(t.is_head)
    s.leadership[:] = 0.0
    s.leadership[t.school[heads]] = b.leadership_sd * t.leads[heads]


def _titles(region: Region, year: SchoolYear) -> None:
    t, s, b = region.teachers, region.schools, year.behaviour
    rules = year.policy.one(CareerRules, year.number)
    village = s.setting[t.post] == Setting.VILLAGE
    better = 1 + rules.village_titles * village
    draw = year.draws.uniform(Decision.TITLE_AWARD, t.key)
    middle = (t.title == 0) & (t.experience >= 5) & (draw < b.title_middle_rate * better)
    served = village | (t.weak_years >= rules.senior_title_weak_years)
    senior = (t.title == 1) & (t.experience >= 12) & served & (draw < b.title_senior_rate * better)
    t.title += middle | senior


def _backbones(region: Region, year: SchoolYear, lever: BackbonePipeline) -> None:
    """Named backbones of the year: by what titles reward, some reserved for schools short of them."""
    t, s = region.teachers, region.schools
    here = schools_in(lever, region, year.number)[t.school]
    places = lever.per_year + round(lever.share_per_year * int(here.sum()))
    if places == 0:
        return
    able = np.flatnonzero(here & (t.backbone == 0) & (t.experience >= 8) & (t.title >= 1))
    view = titles_view(t, year.behaviour)[able] + year.draws.normal(Decision.BACKBONE_AWARD, t.key[able])
    at = section(t.school[able], t.stage[able])
    have = np.bincount(section(t.school, t.stage)[t.backbone > 0], minlength=2 * s.n)
    need = (s.enrolment_lagged * standard_per_pupil("backbone_teachers")).ravel()
    reserved = round(lever.to_short_schools * places)
    missing = np.maximum(np.ceil(need - have), 0).astype(np.int64)
    in_line = place_in_group(at, -view, t.key[able]) < missing[at]
    worst = np.argsort(-(missing / np.maximum(need, 1e-9))[at] * in_line - 1e-6 * view, kind="stable")
    first = worst[in_line[worst]][:reserved]
    rest = np.setdiff1d(np.arange(able.size), first)
    rest = rest[np.argsort(-view[rest], kind="stable")][: places - first.size]
    chosen = able[np.concatenate([first, rest])]
    t.backbone[chosen] = 1
    if chosen.size < places:
        year.say("backbone_pipeline", "fewer teachers fit to be named than places", "可认定骨干教师不足")


def _degrees(region: Region, year: SchoolYear) -> None:
    t = region.teachers
    share = year.policy.by_school(InServiceDegrees, "share_per_year", region, year.number)[t.school]
    t.degree_above |= year.draws.uniform(Decision.IN_SERVICE_DEGREE, t.key) < share


def _bought_lessons(region: Region, year: SchoolYear) -> None:
    """PE and art lessons bought where teachers are missing; they count in lessons, not as teachers."""
    s, t = region.schools, region.teachers
    n = region.networks
    share = year.policy.by_school(PeArtRecruitment, "bought_lessons", region, year.number)
    have = np.bincount(t.school[t.subject != Subject.CORE], minlength=s.n)
    need = (s.enrolment_lagged * standard_per_pupil("pe_art_teachers")).sum(axis=1)
    s.bought_lessons[:] = share * np.maximum(need - have, 0) * region.open_schools(year.number)
    year.ledger.pay(
        "district",
        "providers",
        "pe_art_recruitment",
        "bought lessons",
        float(s.bought_lessons.sum()) * region.prices["bought_lesson"],
    )
    # teachers whom a lead shares with its members give lessons there and count at the lead
    for groups in year.policy.in_force(EducationGroups, year.number):
        held = (n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until)
        members = n.member[held & groups.where.mask(region)[n.lead]]
        s.bought_lessons[members] += groups.shared_pe_art
