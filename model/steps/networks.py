"""Step 4. Groups, pairs, communities, cooperative schools and zones form by rule, ripen, are judged, end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.groupwise import place_in_group
from model.levers import CooperativeSchools, EducationGroups, RegionalCommunities, SchoolZones, UrbanRuralPairs
from model.policy import FOREVER, Lever, district_names, schools_in
from model.quality import distance_km, standing
from model.region import Kind, Network, Region, Setting, Stage
from model.rules import rule
from model.school_year import SchoolYear

RIPE = len(rule("ripening"))  # years until a network works in full
GROWN = rule("grown_brand")
STRONG = rule("strong_school")
RED, HATCHED = 2, 3  # how a school left its group for good; yellow is 1
NO_EFFECT = rule("no_effect")
STARTS_AT = rule("cooperative_start")


def networks(region: Region, year: SchoolYear) -> None:
    """End what is no longer in force, judge and hatch groups, then form what the levers ask for."""
    _end(region, year)
    for groups in year.policy.in_force(EducationGroups, year.number):
        if groups.cards:
            _judge(region, year, groups)
        if groups.incubation:
            _hatch(region, year, groups)
        _form_groups(region, year, groups)
    for pairs in year.policy.in_force(UrbanRuralPairs, year.number):
        _form_pairs(region, year, pairs)
    for communities in year.policy.in_force(RegionalCommunities, year.number):
        _form_communities(region, year, communities)
    for cooperation in year.policy.in_force(CooperativeSchools, year.number):
        _form_cooperation(region, year, cooperation)
    _form_zones(region, year)


def _active(region: Region, year: int, kind: Network) -> NDArray[np.bool_]:
    n = region.networks
    return (n.kind == kind) & (n.since <= year) & (year <= n.until)


def _end(region: Region, year: SchoolYear) -> None:
    n = region.networks
    levers: tuple[type[Lever], ...] = (
        EducationGroups,
        UrbanRuralPairs,
        RegionalCommunities,
        CooperativeSchools,
        SchoolZones,
    )
    closed = ~region.open_schools(year.number)
    for kind, lever in zip(Network, levers, strict=True):
        held = _active(region, year.number, kind)
        over = held & (closed[n.lead] | closed[n.member])
        if all(entry.is_neutral() for entry in year.policy.in_force(lever, year.number)):
            over |= held & (n.since > region.base_year)  # ties given with the region stand without a lever
        n.until[over] = year.number - 1


def _tie(
    region: Region, year: SchoolYear, kind: Network, lead: int, members: NDArray[np.intp], integrated: bool = False
) -> None:
    if members.size == 0:
        return
    s = region.schools
    score = (s.score[members] * s.has[members]).sum(axis=1) / np.maximum(s.has[members].sum(axis=1), 1)
    region.networks.append(
        members.size,
        kind=int(kind),
        lead=lead,
        member=members,
        since=year.number,
        until=FOREVER,
        integrated=integrated,
        score_at_start=score,
    )
    if kind in (Network.GROUP, Network.COOPERATIVE):
        # families lend a member part of its lead's name at once; quality follows later, if it does
        gap = np.maximum(s.reputation[lead, :, 0] - s.reputation[members, :, 0], 0.0)
        s.reputation[members, :, 0] += year.behaviour.halo * gap * (s.has[members] & s.has[lead])


def _in_group(region: Region, year: int) -> NDArray[np.bool_]:
    n = region.networks
    held = _active(region, year, Network.GROUP)
    inside = np.zeros(region.schools.n, bool)
    inside[n.lead[held]] = inside[n.member[held]] = True
    return inside


def _form_groups(region: Region, year: SchoolYear, lever: EducationGroups) -> None:
    s, n = region.schools, region.networks
    here = schools_in(lever, region, year.number)
    here &= (s.kind == Kind.DISTRICT) | (s.kind == Kind.MUNICIPAL)
    inside = _in_group(region, year.number)
    held = _active(region, year.number, Network.GROUP)
    here[n.member[(n.kind == Network.GROUP) & (n.card >= RED)]] = False
    eligible = int(here.sum())
    if lever.count:
        groups, size = lever.count, lever.members
    else:
        size = min(lever.members, lever.max_members)
        groups = -(-round(lever.coverage * eligible) // (size + 1))
    goal = groups * (size + 1) if lever.count else round(lever.coverage * eligible)
    wanted = goal - int((inside & here).sum())
    fame = standing(region)
    leads = [int(lead) for lead in np.unique(n.lead[held & here[n.member]])]
    members = np.bincount(n.lead[held], minlength=s.n)
    named = np.isin(s.name, lever.leads)
    fresh = np.flatnonzero(here & ~inside)
    candidates = [int(row) for row in fresh[np.lexsort((s.key[fresh], -fame[fresh], ~named[fresh]))]]
    room_for = min(size, lever.max_members)
    most = dict.fromkeys(leads, room_for)
    while wanted > 0 and (leads or candidates):
        new = not leads
        lead = candidates.pop(0) if new else leads.pop(0)
        if new and (inside[lead] or (lever.count and len(most) >= groups)):
            continue
        if new and wanted == 1:  # one school too few for another group: a group takes it beside its members
            leads = [other for other in most if most[other] < lever.max_members]
            most |= dict.fromkeys(leads, lever.max_members)
            candidates = []
            continue
        free = here & ~inside & ~named & ((fame <= fame[lead]) | named[lead])
        if not lever.across_districts:
            free &= s.district == s.district[lead]
        free[lead] = False
        rows = np.flatnonzero(free & (s.has & s.has[lead]).any(axis=1))
        # weak, village and new schools first (TJ2-064), the near before the far
        far = distance_km(s.x_km[rows], s.y_km[rows], s.x_km[lead], s.y_km[lead])
        first = (fame[rows] < 0) | (s.setting[rows] == Setting.VILLAGE) | (year.number - s.opened[rows] < RIPE)
        number = max(0, min(most.get(lead, room_for) - int(members[lead]), wanted - new))
        chosen = rows[np.lexsort((s.key[rows], far, ~first))][:number]
        if chosen.size == 0:
            continue
        most.setdefault(lead, room_for)
        members[lead] += chosen.size
        _tie(region, year, Network.GROUP, lead, chosen, lever.integrated)
        inside[chosen] = inside[lead] = True
        wanted -= chosen.size + new
    if wanted > 0:
        text = f"{wanted} schools fewer than asked could join a group"
        year.say("education_groups", text, f"有{wanted}所学校未能入集团")
    if lever.municipal:
        _name_municipal(region, year, lever)


def _name_municipal(region: Region, year: SchoolYear, lever: EducationGroups) -> None:
    """Of the ripe groups without a card, those whose members gained most since they joined are of municipal level."""
    s, n = region.schools, region.networks
    mine = _active(region, year.number, Network.GROUP) & lever.where.mask(region)[n.lead]
    ripe = mine & (year.number - n.since >= RIPE) & (n.card == 0)
    member = n.member
    now = (s.score[member] * s.has[member]).sum(axis=1) / np.maximum(s.has[member].sum(axis=1), 1)
    gain = np.bincount(n.lead[ripe], (now - n.score_at_start)[ripe], s.n)
    count = np.bincount(n.lead[ripe], minlength=s.n)
    leads = np.flatnonzero(count)
    best = leads[np.lexsort((s.key[leads], -gain[leads] / count[leads]))]
    # the best of every district first (TJ2-060), then the best of all
    best = best[np.argsort(place_in_group(s.district[best], np.arange(best.size)) > 0, kind="stable")][
        : lever.municipal
    ]
    n.municipal[mine] = False
    n.municipal[ripe & np.isin(n.lead, best)] = True


def _judge(region: Region, year: SchoolYear, lever: EducationGroups) -> None:
    """A ripe group whose members gained nothing since they joined: yellow, a year later red and dissolved."""
    s, n = region.schools, region.networks
    held = _active(region, year.number, Network.GROUP) & lever.where.mask(region)[n.lead]
    for lead in np.unique(n.lead[held]):
        rows = np.flatnonzero(held & (n.lead == lead) & (year.number - n.since >= RIPE))
        if rows.size == 0:
            continue
        m = n.member[rows]
        now = (s.score[m] * s.has[m]).sum(axis=1) / np.maximum(s.has[m].sum(axis=1), 1)
        if (now - n.score_at_start[rows]).mean() > NO_EFFECT:
            n.card[rows] = 0
        elif n.card[rows].max() == 0:
            n.card[rows] = 1
        else:
            n.card[rows] = RED
            n.until[rows] = year.number - 1
            gap = np.maximum(s.reputation[lead, :, 0] - s.reputation[m, :, 0], 0.0)
            s.reputation[m, :, 0] -= year.behaviour.halo * gap * (s.has[m] & s.has[lead])


def _hatch(region: Region, year: SchoolYear, lever: EducationGroups) -> None:
    """A member that has become a brand of its own leaves and keeps its name."""
    n = region.networks
    fame = standing(region)
    held = _active(region, year.number, Network.GROUP) & (year.number - n.since >= RIPE)
    held &= lever.where.mask(region)[n.lead] & (fame[n.member] >= GROWN)
    n.until[held] = year.number - 1
    n.card[held] = HATCHED


def _form_pairs(region: Region, year: SchoolYear, lever: UrbanRuralPairs) -> None:
    s, n = region.schools, region.networks
    here = schools_in(lever, region, year.number)
    fame = standing(region)
    held = _active(region, year.number, Network.PAIR)
    helped = np.zeros(s.n, bool)
    helped[n.member[held]] = True
    needy = here & (s.kind == Kind.DISTRICT) & ((s.setting == Setting.VILLAGE) | (fame < -GROWN))
    wanted = round(lever.coverage * needy.sum()) - int((helped & needy).sum())
    rows = np.flatnonzero(needy & ~helped)
    for member in rows[np.argsort(fame[rows], kind="stable")][: max(wanted, 0)]:
        able = region.open_schools(year.number) & (s.district == s.district[member])
        able &= (s.setting != Setting.VILLAGE) & (fame > fame[member])
        able &= (s.has & s.has[member]).any(axis=1)
        helpers = np.flatnonzero(able)
        if helpers.size == 0:
            continue
        busy = np.bincount(n.lead[_active(region, year.number, Network.PAIR)], minlength=s.n)[helpers]
        far = distance_km(s.x_km[helpers], s.y_km[helpers], s.x_km[member], s.y_km[member])
        helper = helpers[np.lexsort((far, busy))[0]]
        _tie(region, year, Network.PAIR, int(helper), np.array([member]))


def _form_communities(region: Region, year: SchoolYear, lever: RegionalCommunities) -> None:
    s, n = region.schools, region.networks
    fame = standing(region)
    names = district_names(region)
    for pair in lever.pairs:
        strong, weak = (names.index(d) % region.districts.n for d in pair.split("-", 1))
        held = _active(region, year.number, Network.COMMUNITY)
        tied = int((held & (s.district[n.lead] == strong) & (s.district[n.member] == weak)).sum())
        busy = np.isin(np.arange(s.n), [*n.lead[held], *n.member[held]])
        for stage in Stage:
            new = (lever.schools_per_pair - tied + stage) // 2
            able = region.open_schools(year.number) & s.has[:, stage] & ~busy
            helpers = np.flatnonzero(able & (s.district == strong))
            helped = np.flatnonzero(able & (s.district == weak) & lever.where.mask(region))
            helpers = helpers[np.argsort(-fame[helpers], kind="stable")][: max(new, 0)]
            helped = helped[np.argsort(fame[helped], kind="stable")][: max(new, 0)]
            for lead, member in zip(helpers, helped, strict=False):
                _tie(region, year, Network.COMMUNITY, int(lead), np.array([member]))


def _form_cooperation(region: Region, year: SchoolYear, lever: CooperativeSchools) -> None:
    s, n = region.schools, region.networks
    held = _active(region, year.number, Network.COOPERATIVE)
    able = schools_in(lever, region, year.number) & (s.kind == Kind.DISTRICT)
    wanted = lever.count - int((held & able[n.member]).sum())
    if wanted <= 0:
        return
    fame = standing(region)
    able[n.member[held]] = False
    # new schools first, then the least known (TJ2-012, TJ2-016)
    rows = np.flatnonzero(able)
    rows = rows[np.lexsort((fame[rows], -s.opened[rows]))][:wanted]
    opened = region.open_schools(year.number)
    strong = np.flatnonzero(opened & (fame >= np.quantile(fame[opened], STRONG)))
    parents = np.flatnonzero(region.open_schools(year.number) & (s.kind == Kind.MUNICIPAL))
    for member in rows:
        for able in (parents, strong):  # a strong school of the region where no municipal one teaches the stage
            fit = able[(s.has[able] & s.has[member]).any(axis=1) & (fame[able] > fame[member])]
            if fit.size:
                # whose name it bears, then who runs none in the district yet (TJ2-022), then who runs fewest
                bears = np.array([str(s.name[member]).startswith(str(s.name[row])) for row in fit])
                ties = _active(region, year.number, Network.COOPERATIVE)
                there = np.bincount(n.lead[ties & (s.district[n.member] == s.district[member])], minlength=s.n)
                run = np.bincount(n.lead[ties], minlength=s.n)
                parent = int(fit[np.lexsort((s.key[fit], run[fit], there[fit], ~bears))[0]])
                _tie(region, year, Network.COOPERATIVE, parent, np.array([member]))
                if s.opened[member] == year.number:  # a new school begins with a part of what its parent can do
                    s.practice[member] = max(s.practice[member], STARTS_AT * s.practice[parent])
                break


def _form_zones(region: Region, year: SchoolYear) -> None:
    """Schools of a zone work with its strongest; zones join in the order of their numbers, new schools as they open."""
    s, n = region.schools, region.networks
    lever = year.policy.one(SchoolZones, year.number)
    zones = np.unique(s.zone[s.zone >= 0])
    held = _active(region, year.number, Network.ZONE)
    leads = np.unique(n.lead[held])
    inside = np.isin(np.arange(s.n), np.concatenate([leads, n.member[held]]))
    fame = standing(region)
    for zone in zones[: round(lever.coverage * zones.size)]:
        for stage in Stage:
            rows = np.flatnonzero((s.zone == zone) & s.has[:, stage] & region.open_schools(year.number))
            if rows.size < 2 or inside[rows].all():
                continue
            leading = leads[(s.zone[leads] == zone) & s.has[leads, stage]]
            lead = leading[0] if leading.size else rows[np.argmax(fame[rows])]
            _tie(region, year, Network.ZONE, int(lead), rows[(rows != lead) & ~inside[rows]])
