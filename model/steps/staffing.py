"""Step 5. Teachers retire, quit, look for other posts; posts follow pupils; vacancies are filled by matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from model.draws import Decision, Floats
from model.groupwise import apportion, place_in_group, totals
from model.levers import (
    BackbonePipeline,
    CareerRules,
    EducationGroups,
    InServiceDegrees,
    PeArtRecruitment,
    Posts,
)
from model.new_schools import growing
from model.pay import base_pay, extra_share
from model.policy import schools_in
from model.quality import distance_km, section, standard_per_pupil, titles_view
from model.region import Network, Region, Setting, Subject
from model.rules import rule
from model.school_year import SchoolYear
from model.teacher_market import fill_vacancies, slot

RETIREMENT = rule("retirement_age")
PUPILS_PER_POST = rule("pupils_per_post")
SMALL = rule("small_school")


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
    of_district = [totals(s.district, region.districts.n, x) for x in (own, standard)]
    standard *= (of_district[0] / np.maximum(of_district[1], 1e-9))[s.district]  # as the district's posts allow
    need = (1 - lever.one_standard) * own + lever.one_standard * standard
    # with the entrants' classes, which form after admission
    number = np.bincount(section(c.school, c.stage), minlength=2 * s.n).reshape(-1, 2) + s.has
    need = np.where(pupils < SMALL, np.maximum(need, lever.small_school_posts * number), need) * opened[:, None]
    need += _posts_of_leads(region, year) * (need > 0)
    settled = ~growing(region, year.number)  # a new school has posts of its own until its grades are full
    for d in range(region.districts.n):
        here = (s.district == d)[:, None] & settled
        total = round(s.posts[here].sum() * (1 + lever.quota_growth))
        due = total * need[here] / max(need[here].sum(), 1e-9)
        goal = s.posts[here] + lever.follow_enrolment * (due - s.posts[here])
        s.posts[here] = apportion(total, goal)
    np.minimum(s.pe_art_posts, s.posts, out=s.pe_art_posts)


def _posts_of_leads(region: Region, year: SchoolYear) -> Floats:
    """Posts that leads of groups are due for their members, shared among their stages; shape (schools, 2)."""
    s, n = region.schools, region.networks
    held = (n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until)
    due = np.bincount(n.lead[held], minlength=s.n) * year.policy.by_school(
        EducationGroups, "lead_posts", region, year.number
    )
    return due[:, None] * s.has / np.maximum(s.has.sum(axis=1, keepdims=True), 1)


def _market(region: Region, year: SchoolYear) -> None:
    """Vacancies of each district, stage and kind of subject: newcomers, seekers and surplus are matched."""
    s = region.schools
    for recruit in year.policy.in_force(PeArtRecruitment, year.number):
        _recruit_specialists(region, year, recruit.teachers, schools_in(recruit, region, year.number))
    posts = np.stack([s.posts - s.pe_art_posts, s.pe_art_posts], axis=2).ravel()  # by slot
    fill_vacancies(region, year, posts, _seekers(region, year), _surplus(region, posts))
    filled = np.bincount(section(region.teachers.post, region.teachers.stage), minlength=2 * s.n).reshape(-1, 2)
    year.seen.vacancies += np.maximum(s.posts - filled, 0)
    year.seen.over += np.maximum(filled - s.posts, 0)


def _seekers(region: Region, year: SchoolYear) -> NDArray[np.bool_]:
    t, s, b = region.teachers, region.schools, year.behaviour
    village = s.setting[t.post] == Setting.VILLAGE
    odds = logit(np.where(village, b.transfer_rate_village, b.transfer_rate_other)) - _retained(region, year)
    first_post = village & (t.experience <= t.years_in_school)
    before, now = (
        year.policy.one(CareerRules, number).newcomer_village_years for number in (year.number - 1, year.number)
    )
    serving = first_post & (t.experience < now)
    freed = first_post & (t.experience - 1 < before) & ~serving  # who had to come looks as soon as it may
    wish = np.asarray(year.draws.uniform(Decision.TRANSFER_WISH, t.key) < expit(odds))
    return (wish | freed) & ~serving


def _surplus(region: Region, posts: NDArray[Any]) -> NDArray[np.bool_]:
    """The last to come are surplus where more teachers than posts are left."""
    t, at = region.teachers, slot(region)
    over = np.maximum(np.bincount(at, minlength=posts.size) - posts, 0)
    rows = np.flatnonzero((over[at] > 0) & ~t.is_head & (t.away_as == 0))
    chosen = np.zeros(t.n, bool)
    chosen[rows] = place_in_group(at[rows], t.years_in_school[rows], t.key[rows]) < over[at[rows]]
    return chosen


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
    best_first = np.argsort(-view, kind="stable")
    in_line = np.empty(able.size, bool)
    in_line[best_first] = place_in_group(at[best_first]) < missing[at[best_first]]
    first = best_first[in_line[best_first]]
    lacking = (missing / np.maximum(need, 1e-9))[at[first]]
    first = first[np.argsort(-lacking, kind="stable")][:reserved]
    rest = np.ones(able.size, bool)
    rest[first] = False
    chosen = able[np.concatenate([first, best_first[rest[best_first]][: places - first.size]])]
    t.backbone[chosen] = 1
    money = chosen.size * region.prices["backbone_training"]
    year.ledger.pay("district", "trainers", "backbone_pipeline", "training", money)
    if chosen.size < places:
        year.say("backbone_pipeline", "fewer teachers fit to be named than places", "可认定骨干教师不足")


def _degrees(region: Region, year: SchoolYear) -> None:
    t = region.teachers
    share = year.policy.by_school(InServiceDegrees, "share_per_year", region, year.number)[t.school]
    gained = ~t.degree_above & (year.draws.uniform(Decision.IN_SERVICE_DEGREE, t.key) < share)
    t.degree_above |= gained
    money = float(gained.sum()) * region.prices["degree_course"]
    year.ledger.pay("district", "trainers", "in_service_degrees", "courses", money)


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
    # teachers whom a lead shares with its members stay on its list and give lessons there instead
    for groups in year.policy.in_force(EducationGroups, year.number):
        held = (n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until)
        rows = held & groups.where.mask(region)[n.lead]
        np.add.at(s.bought_lessons, n.member[rows], groups.shared_pe_art)
        np.subtract.at(s.bought_lessons, n.lead[rows], groups.shared_pe_art)
