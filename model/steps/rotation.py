"""Step 6. Rotation exchanges teachers of stronger and weaker schools; secondment lends them one way.

Nobody gains by moving: rotation carries effectiveness from school to school and creates none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model.draws import Decision, Floats
from model.groupwise import apportion, ordered, place_in_group
from model.levers import (
    BundledEvaluation,
    CareerRules,
    CooperativeSchools,
    EducationGroups,
    HeadExchange,
    RegionalCommunities,
    Stipend,
    TeacherRotation,
    UrbanRuralPairs,
)
from model.policy import Lever, schools_in
from model.quality import effectiveness, employer_view, section, standing
from model.region import Network, Region, Setting, Subject
from model.rules import rule
from model.school_year import SchoolYear

YEARS_BEFORE_RETIREMENT = rule("exempt_before_retirement")
RETIREMENT = rule("retirement_age")
ROTATED, SECONDED = 1, 2
COOPERATION_TERM = rule("cooperation_term")
HEADS_OF_MANAGERS = rule("heads_of_managers")
LENT_AFTER_YEARS = rule("lent_after_years")


def rotation(region: Region, year: SchoolYear) -> None:
    """Head exchange, rotation, then secondment, under the levers in force."""
    for heads in year.policy.in_force(HeadExchange, year.number):
        _exchange_heads(region, year, heads.share_per_year, schools_in(heads, region, year.number))
    for groups in year.policy.in_force(EducationGroups, year.number):
        _exchange_in_groups(region, year, groups)
    elsewhere = np.ones(region.schools.n, bool)
    for lever in year.policy.in_force(TeacherRotation, year.number):
        elsewhere &= ~lever.where.mask(region)
        _rotate(region, year, lever, schools_in(lever, region, year.number))
    _rotate(region, year, TeacherRotation(), elsewhere & region.open_schools(year.number))
    for pairs in year.policy.in_force(UrbanRuralPairs, year.number):
        _second(region, year, Network.PAIR, pairs, pairs.seconded_per_pair, pairs.term_years)
    for ties in year.policy.in_force(RegionalCommunities, year.number):
        _second(region, year, Network.COMMUNITY, ties, ties.seconded_per_school, ties.term_years)
    for joint in year.policy.in_force(CooperativeSchools, year.number):
        _second(region, year, Network.COOPERATIVE, joint, joint.seconded_per_school, COOPERATION_TERM)
    heads_now = np.flatnonzero(region.teachers.is_head)
    region.schools.leadership[:] = 0.0
    region.schools.leadership[region.teachers.school[heads_now]] = (
        year.behaviour.leadership_sd * region.teachers.leads[heads_now]
    )


def _volunteers(region: Region, year: SchoolYear, stipends: tuple[str, ...]) -> NDArray[np.bool_]:
    """Who goes of its own will: reluctance against stipend, title and head rules."""
    t, b = region.teachers, year.behaviour
    offered = np.zeros(t.n)
    for s in year.policy.in_force(Stipend, year.number):
        if s.who in stipends:
            reaches = s.yuan_per_year * (s.passed_on if s.received_by == "sending_school" else 1.0)
            offered += reaches * s.where.mask(region)[t.school]
    rules = year.policy.one(CareerRules, year.number)
    odds = -b.rotation_reluctance + b.wage_attraction * np.log1p(offered / region.prices["teacher_pay"])
    wants_title = (t.title == 1) & (t.weak_years < rules.senior_title_weak_years)
    wants_head = (rules.head_weak_years > 0) & (t.weak_years < rules.head_weak_years) & (t.title >= 1)
    odds = odds + b.title_incentive * (wants_title.astype(float) + 0.5 * wants_head)
    return np.asarray(year.draws.uniform(Decision.ROTATION_VOLUNTEER, t.key) < expit(odds))


def _pick_order(
    region: Region, year: SchoolYear, volunteer: NDArray[np.bool_], helps: NDArray[np.bool_] | bool
) -> Floats:
    """Place in the queue, smallest first: volunteers, then as the sender picks.

    A sender lets its worst go (by what it sees) unless it is to help and is judged by whom it helps too. With
    c = 2b−1 a helper ranks by c·score + √(1−c²)·u: the worst at b = 0, by chance at b = ½, the best at b = 1.
    """
    t = region.teachers
    weight = year.policy.by_school(BundledEvaluation, "weight", region, year.number)[t.school]
    care = 2 * weight * helps - 1
    chance = year.draws.normal(Decision.ROTATION_PICK, t.key)
    liked = care * employer_view(t, year.behaviour) + np.sqrt(1 - care**2) * chance
    return np.where(volunteer, -1e6, 0.0) - liked


def _sides(region: Region, year: SchoolYear, direction: str) -> NDArray[np.int8]:
    """1 where a school is on the giving side, 0 on the receiving side, by stage; shape (schools, 2)."""
    s = region.schools
    if direction == "urban_village":
        return np.repeat((s.setting != Setting.VILLAGE)[:, None], 2, axis=1).astype(np.int8)
    if direction == "any":
        odd = year.draws.uniform(Decision.NETWORK_ORDER, s.key) < 0.5
        return np.repeat(odd[:, None], 2, axis=1).astype(np.int8)
    side = np.zeros((s.n, 2), np.int8)
    for d in range(region.districts.n):
        for stage in (0, 1):
            here = np.flatnonzero((s.district == d) & s.has[:, stage] & region.open_schools(year.number))
            if here.size:
                side[here, stage] = s.reputation[here, stage, 0] > np.median(s.reputation[here, stage, 0])
    return side


def _scopes(region: Region, year: SchoolYear, scope: str) -> NDArray[np.int64]:
    """Inside what each school changes teachers: a number; −1 outside any; shape (schools,)."""
    s, n = region.schools, region.networks
    if scope == "district":
        return s.district.astype(np.int64)
    if scope == "zone":
        return s.zone.astype(np.int64)
    kind = Network.GROUP if scope == "group" else Network.COMMUNITY
    held = (n.kind == kind) & (n.since <= year.number) & (year.number <= n.until)
    inside = np.full(s.n, -1, np.int64)
    inside[n.member[held]] = n.lead[held]
    inside[n.lead[held]] = n.lead[held]
    return inside


def _rotate(region: Region, year: SchoolYear, lever: TeacherRotation, here: NDArray[np.bool_]) -> None:
    t = region.teachers
    able = (t.years_in_school >= lever.eligible_after_years) & ~t.is_head & (t.away_as == 0)
    able &= (t.age < RETIREMENT - YEARS_BEFORE_RETIREMENT) & here[t.school]
    year.seen.eligible += _sections(region, able)
    if lever.share_of_eligible == 0:
        return
    scope = _scopes(region, year, lever.scope)[t.school]
    side = _sides(region, year, lever.direction)[t.school, t.stage]
    rows = np.flatnonzero(able & (scope >= 0))
    if rows.size == 0:
        return
    # who can change places with whom: inside one scope, one stage, core with core, PE and art with their like
    market = (scope[rows] * 2 + t.stage[rows]) * 2 + (t.subject[rows] != Subject.CORE)
    markets = int(market.max()) + 1
    giving, receiving = side[rows] == 1, side[rows] == 0
    most = np.minimum(np.bincount(market[giving], minlength=markets), np.bincount(market[receiving], minlength=markets))
    asked, pairs = 0, np.zeros(markets, np.int64)
    home = region.schools.district[t.school[rows]]
    for d in range(region.districts.n):  # the share holds in every district and stage, so it is rounded up
        for stage in (0, 1):
            mine = (home == d) & (t.stage[rows] == stage)
            number = int(np.ceil(lever.share_of_eligible * mine.sum() / 2 - 1e-9))
            asked += number
            pairs += apportion(number, np.bincount(market[mine], minlength=markets) * (most > 0))
    pairs = np.minimum(pairs, most)
    if pairs.sum() < 0.95 * asked:
        reached = 2 * pairs.sum() / able.sum()
        year.say(
            "teacher_rotation",
            f"only {reached:.1%} of eligible teachers find a partner, {lever.share_of_eligible:.0%} asked",
            f"符合条件教师中仅{reached:.1%}可结对轮岗，要求{lever.share_of_eligible:.0%}",
        )
    volunteer = _volunteers(region, year, ("rotated", "rotated_to_weak"))
    queue = _pick_order(region, year, volunteer, side == 1)[rows]
    backbone = t.backbone[rows] > 0
    wanted = np.ceil(lever.backbone_share * 2 * pairs).astype(np.int64)
    chosen = np.zeros(rows.size, bool)
    for mine in (giving, receiving):  # the stronger side has the backbones, so it is asked first
        left = np.maximum(wanted - np.bincount(market[chosen & backbone], minlength=markets), 0)
        chosen |= _draw_from_schools(t.school[rows], market, queue, backbone & mine, np.minimum(left, pairs))
        left = pairs - np.bincount(market[chosen & mine], minlength=markets)
        chosen |= _draw_from_schools(t.school[rows], market, queue, mine & ~chosen, left)
    a, b = np.flatnonzero(chosen & giving), np.flatnonzero(chosen & receiving)
    order = year.draws.uniform(Decision.NETWORK_ORDER, t.key[rows])
    a, b = a[np.lexsort((order[a], market[a]))], b[np.lexsort((order[b], market[b]))]
    first, second = rows[a], rows[b]
    moved = np.concatenate([first, second])
    year.seen.rotated_out += _sections(region, moved)
    year.seen.rotated_backbones += _sections(region, moved[t.backbone[moved] > 0])
    power = effectiveness(t, year.behaviour, year.number)
    lost = power[first] - power[second]
    np.add.at(year.seen.sent_effectiveness, (t.school[first], t.stage[first]), lost)
    t.school[first], t.school[second] = t.school[second].copy(), t.school[first].copy()
    t.compelled[moved] = ~volunteer[moved]
    t.moved[moved] = year.number
    t.years_in_school[moved] = 0
    if lever.keeps_post:
        t.away_as[moved], t.away_until[moved] = ROTATED, year.number + lever.term_years
    else:
        t.post[moved] = t.school[moved]


def _draw_from_schools(
    school: NDArray[np.int32],
    market: NDArray[np.intp],
    queue: Floats,
    who: NDArray[np.bool_],
    number: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Take `number` of each market, from its schools in proportion to whom they have, each by its own queue."""
    rows = np.flatnonzero(who)
    chosen = np.zeros(who.size, bool)
    if rows.size == 0:
        return chosen
    at = market[rows] * (int(school.max()) + 1) + school[rows]
    place = place_in_group(at, queue[rows])
    share = (place + 0.5) / np.bincount(at)[at]
    chosen[rows] = place_in_group(market[rows], share, queue[rows]) < number[market[rows]]
    return chosen


def _sections(region: Region, rows: NDArray[Any]) -> NDArray[np.int64]:
    """How many of some teachers (rows, or a mask) teach in each section; shape (schools, 2)."""
    t = region.teachers
    return np.bincount(section(t.school[rows], t.stage[rows]), minlength=2 * region.schools.n).reshape(-1, 2)


def _exchange_heads(region: Region, year: SchoolYear, share: float, here: NDArray[np.bool_]) -> None:
    """Heads of stronger and weaker schools of a district with the same stage change places for good."""
    t, s = region.teachers, region.schools
    fame = standing(region)
    for d in range(region.districts.n):
        for stage in (0, 1):
            heads = np.flatnonzero(t.is_head & (s.district[t.school] == d) & (t.stage == stage) & here[t.school])
            pairs = min(round(share * heads.size / 2), heads.size // 2)
            ordered = heads[np.argsort(-fame[t.school[heads]], kind="stable")]
            half = ordered.size // 2
            strong = ordered[:half][np.argsort(-t.years_in_school[ordered[:half]], kind="stable")][:pairs]
            weak = ordered[half:][np.argsort(-t.years_in_school[ordered[half:]], kind="stable")][:pairs]
            _swap(region, year, strong, weak)


def _swap(region: Region, year: SchoolYear, a: NDArray[np.intp], b: NDArray[np.intp]) -> None:
    t = region.teachers
    t.school[a], t.school[b] = t.school[b].copy(), t.school[a].copy()
    t.post[a], t.post[b] = t.post[b].copy(), t.post[a].copy()
    for rows in (a, b):
        t.moved[rows], t.years_in_school[rows] = year.number, 0


def _exchange_in_groups(region: Region, year: SchoolYear, lever: EducationGroups) -> None:
    """Managers and teachers that the lead of a group and its members exchange each year."""
    t, n = region.teachers, region.networks
    held = np.flatnonzero((n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until))
    held = held[lever.where.mask(region)[n.lead[held]]]
    if held.size == 0 or lever.managers_exchanged + lever.teachers_exchanged == 0:
        return
    head = np.full(region.schools.n, -1)
    head[t.school[t.is_head]] = np.flatnonzero(t.is_head)
    power = effectiveness(t, year.behaviour, year.number)
    free = (t.away_as == 0) & ~t.is_head & (t.subject == Subject.CORE)
    leads = np.isin(t.school, n.lead[held])
    line = _lines(region, year, np.flatnonzero(free), leads, lever.backbones_first)
    moved: list[NDArray[np.intp]] = []
    for lead in np.unique(n.lead[held]):
        rows = held[n.lead[held] == lead]
        age = year.number - int(n.since[rows[0]])
        done, due = (int(lever.managers_exchanged * HEADS_OF_MANAGERS * years) for years in (age, age + 1))
        for turn in range(done, due):
            member = n.member[rows[turn % rows.size]]
            if min(head[lead], head[member]) >= 0 and t.stage[head[lead]] == t.stage[head[member]]:
                _swap(region, year, head[[lead]], head[[member]])
                head[[lead, member]] = head[[member, lead]]
        for i, member in enumerate(n.member[rows]):
            pairs = int(lever.teachers_exchanged * (i + 1)) - int(lever.teachers_exchanged * i)
            for stage in (0, 1):
                mine, theirs = line[2 * lead + stage], line[2 * member + stage]
                k = min(pairs, len(mine), len(theirs))
                a, b = mine[:k], theirs[:k]
                line[2 * lead + stage], line[2 * member + stage] = mine[k:], theirs[k:]
                t.school[a], t.school[b] = member, lead
                year.seen.rotated_out[[lead, member], stage] += k
                year.seen.sent_effectiveness[lead, stage] += power[a].sum() - power[b].sum()
                moved += [a, b]
    both = np.concatenate(moved) if moved else np.zeros(0, np.intp)
    t.moved[both], t.years_in_school[both] = year.number, 0
    t.away_as[both], t.away_until[both] = ROTATED, year.number + 1


def _lines(
    region: Region, year: SchoolYear, rows: NDArray[np.intp], leads: NDArray[np.bool_], backbones_first: bool
) -> list[NDArray[np.intp]]:
    """Teachers (rows) of each school and stage in the order in which the school lets them go."""
    t = region.teachers
    queue = _pick_order(region, year, np.zeros(t.n, bool), leads)[rows]
    queue -= 1e6 * (backbones_first & (t.backbone[rows] > 0))
    at = section(t.school[rows], t.stage[rows])
    order = ordered(at, queue)
    return np.split(rows[order], np.searchsorted(at[order], np.arange(1, 2 * region.schools.n)))


def _second(region: Region, year: SchoolYear, kind: Network, lever: Lever, per_school: float, term: int) -> None:
    """Helpers lend teachers to those they help, until as many serve there as ordered; posts stay empty."""
    t, s, n = region.teachers, region.schools, region.networks
    held = np.flatnonzero((n.kind == kind) & (n.since <= year.number) & (year.number <= n.until))
    held = held[lever.where.mask(region)[n.member[held]]]
    if held.size == 0 or per_school == 0:
        return
    serving = np.bincount(t.school[t.away_as == SECONDED], minlength=s.n)
    # a school lends at most a tenth of its staff
    lendable = np.bincount(t.post, minlength=s.n) // 10
    lendable -= np.bincount(t.post[t.away_as == SECONDED], minlength=s.n)
    power = effectiveness(t, year.behaviour, year.number)
    asked = np.floor(per_school * (np.arange(held.size) + 1)) - np.floor(per_school * np.arange(held.size))
    across = kind in (Network.COMMUNITY, Network.COOPERATIVE)
    volunteer = _volunteers(region, year, ("seconded", "seconded_across") if across else ("seconded",))
    queue = _pick_order(region, year, volunteer, helps=True)
    able = (t.away_as == 0) & ~t.is_head & (t.subject == Subject.CORE) & (t.years_in_school >= LENT_AFTER_YEARS)
    able &= t.age < RETIREMENT - YEARS_BEFORE_RETIREMENT
    willing = np.flatnonzero(able)
    willing = willing[np.lexsort((queue[willing], t.school[willing]))]
    begins = np.searchsorted(t.school[willing], np.arange(s.n + 1))
    short = 0
    for row, wanted in zip(held, asked, strict=True):
        lead, member = int(n.lead[row]), int(n.member[row])
        more = int(wanted) - int(serving[member])
        if more <= 0:
            continue
        rows = willing[begins[lead] : begins[lead + 1]]  # in the order in which the lead lets them go
        rows = rows[able[rows] & s.has[member][t.stage[rows]]]
        chosen = rows[: max(min(more, int(lendable[lead])), 0)]
        lendable[lead] -= chosen.size
        short += more - chosen.size
        np.add.at(year.seen.sent_effectiveness, (t.school[chosen], t.stage[chosen]), power[chosen])
        able[chosen] = False
        serving[member] += chosen.size
        t.school[chosen] = member
        t.moved[chosen], t.years_in_school[chosen] = year.number, 0
        t.compelled[chosen] = ~volunteer[chosen]
        t.away_as[chosen], t.away_until[chosen] = SECONDED, year.number + term
    if short:
        year.say(lever.NAME, f"{short} fewer teachers seconded than ordered", f"支教教师比要求少{short}人")
