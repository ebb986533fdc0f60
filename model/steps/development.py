"""Step 9. Practice spreads in networks, colleagues learn from colleagues, lessons go over the network."""

from __future__ import annotations

import numpy as np

from model.draws import Decision
from model.levers import CooperativeSchools, DigitalResources, EducationGroups, SchoolZones, StrongTown
from model.policy import schools_in
from model.quality import distance_km, section
from model.region import Network, Region, Setting
from model.rules import rule
from model.school_year import SchoolYear

RIPENING = rule("ripening")  # ψ in years one, two, three
YEARS_TO_USE = rule("digital_years")


def development(region: Region, year: SchoolYear) -> None:
    """Move practice, what teachers learnt, and the use of digital lessons; serves learning from next year."""
    _practice(region, year)
    _colleagues(region, year)
    _digital(region, year)


def _practice(region: Region, year: SchoolYear) -> None:
    """A school's practice returns to its own mean; members move toward a stronger lead (Nelson–Phelps)."""
    s, n, b = region.schools, region.networks, year.behaviour
    memory = b.practice_memory
    spread = np.sqrt((1 - b.leadership_sd**2) * (1 - memory**2))
    gain = np.zeros(s.n)
    rate = np.array([b.group_rate, b.pair_rate, b.pair_rate, b.group_rate, b.zone_rate])
    rate[Network.ZONE] *= year.policy.one(SchoolZones, year.number).joint_research
    held = np.flatnonzero((n.since <= year.number) & (year.number <= n.until))
    if held.size:
        lead, member, kind = n.lead[held], n.member[held], n.kind[held]
        ripe = np.array(RIPENING)[np.clip(year.number - n.since[held], 0, len(RIPENING) - 1)]
        far = distance_km(s.x_km[lead], s.y_km[lead], s.x_km[member], s.y_km[member])
        members = np.bincount(lead * len(Network) + kind, minlength=s.n * len(Network))[lead * len(Network) + kind]
        speed = rate[kind] * np.where(n.integrated[held], b.integration, 1.0)
        share = speed * ripe * np.exp(-far / b.group_distance) / (1 + members / b.group_number)
        np.maximum.at(gain, member, share * np.maximum(s.practice[lead] - s.practice[member], 0.0))
    for lever in year.policy.in_force(StrongTown, year.number):
        seats = schools_in(lever, region, year.number) & s.town_seat
        best = s.practice[(s.setting == Setting.URBAN) & region.open_schools(year.number)].max(initial=0.0)
        gain += seats * lever.practice_support * b.pair_rate * np.maximum(best - s.practice, 0.0)
    noise = spread * year.draws.normal(Decision.PRACTICE_NOISE, s.key)
    s.practice[:] = s.practice_mean + memory * (s.practice - s.practice_mean) + gain + noise


def _colleagues(region: Region, year: SchoolYear) -> None:
    """Teachers below the mean of their school (and zone, where it researches together) learn; it fades.

    Generic training adds nothing here: the evidence finds no effect on scores (evidence.md 2, row 30).
    """
    t, s, b = region.teachers, region.schools, year.behaviour
    power = t.lasting + t.practice
    at = section(t.school, t.stage)
    count = np.bincount(at, minlength=2 * s.n)
    mean = np.bincount(at, power, 2 * s.n) / np.maximum(count, 1)
    gain = b.colleague_learning * np.maximum(mean[at] - power, 0.0)
    zones = year.policy.one(SchoolZones, year.number)
    if zones.joint_research > 0 and zones.coverage > 0:
        n = region.networks
        held = (n.kind == Network.ZONE) & (n.since <= year.number) & (year.number <= n.until)
        inside = np.zeros(s.n, bool)
        inside[n.member[held]] = inside[n.lead[held]] = True
        zone = np.where(inside, s.zone, -1)[t.school].astype(np.int64)
        code = (zone + 1) * 2 + t.stage
        of_zone = np.bincount(code, power) / np.maximum(np.bincount(code), 1)
        better = zones.joint_research * b.colleague_learning * np.maximum(of_zone[code] - power, 0.0)
        gain = np.maximum(gain, better * (zone >= 0))
    # new teachers train at the parent of a cooperative school, or the lead of a group, in their first years (涵养培训)
    n = region.networks
    trains: tuple[tuple[Network, type[CooperativeSchools] | type[EducationGroups]], ...] = (
        (Network.COOPERATIVE, CooperativeSchools),
        (Network.GROUP, EducationGroups),
    )
    for kind, lever in trains:
        tied = (n.kind == kind) & (n.since <= year.number) & (year.number <= n.until)
        parent = np.full(s.n, -1)
        parent[n.member[tied]] = n.lead[tied]
        for joint in year.policy.in_force(lever, year.number):
            fresh = (parent[t.school] >= 0) & (t.experience < joint.trained_years) & joint.where.mask(region)[t.school]
            training = np.flatnonzero(fresh & s.has[parent[t.school], t.stage])
            model = mean[section(parent[t.school[training]], t.stage[training])]
            learnt = b.colleague_learning * np.maximum(model - power[training], 0.0)
            gain[training] = np.maximum(gain[training], learnt)
    t.practice *= 1 - b.learning_fades
    t.practice += gain


def _digital(region: Region, year: SchoolYear) -> None:
    """Schools begin to use lessons over the network, village schools first; use grows over two years."""
    s = region.schools
    s.digital[:] = 0.0
    for lever in year.policy.in_force(DigitalResources, year.number):
        here = schools_in(lever, region, year.number)
        using = here & (s.digital_since > 0)
        wanted = round(lever.coverage * here.sum()) - int(using.sum())
        rows = np.flatnonzero(here & (s.digital_since == 0))
        order = np.lexsort((s.score.sum(axis=1)[rows], -s.setting[rows]))
        s.digital_since[rows[order][: max(wanted, 0)]] = year.number + 1
        using = here & (s.digital_since > 0)
        ramp = np.clip((year.number + 2 - s.digital_since) / YEARS_TO_USE, 0.0, 1.0)
        s.digital[using] = (lever.use * ramp)[using]
