"""Gaps, spreads and correlations: between town and village, schools, districts, leads and members.

Every value is counted for both stages, the region and each of its districts at once: sums by district, and over
them. An array of places holds the region first, then the districts; those of the second stage follow on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from model.draws import Floats
from model.groupwise import place_in_group, total, totals
from model.indicators import ALL, NUMBER, Rows
from model.levers import SchoolZones
from model.national_standard import INDICATORS as OFFICIAL
from model.national_standard import SLACK, Scorecard, spread
from model.quality import effectiveness, section, standing
from model.region import STAGES, Network, Region, Setting, Stage, Subject
from model.rules import rule
from model.school_year import SchoolYear

Add = Callable[[str, int, Any], None]
RIPE = len(rule("ripening"))  # years until a network works in full
BASE_SCORE, BASE_SD = 500.0, 100.0  # the scale on which Theil's index is taken


def measure_gaps(region: Region, year: SchoolYear, cards: tuple[Scorecard, Scorecard], rows: Rows) -> None:
    """Add the gaps of the region and its districts to `rows`."""
    names: list[int] = []
    stages: list[int] = []
    values: list[Any] = []

    def add(name: str, stage: int, value: Any) -> None:
        names.append(NUMBER[name])
        stages.append(stage)
        values.append(value)

    _standard(region, cards, add)
    _schools(region, year, add)
    _networks(region, year, add)
    if year.seen.tested:
        _scores(region, year, add)
    stage_rows, name_rows, table = np.array(stages), np.array(names), np.array(values, float)
    rows.add(year.number, "region", region.name, stage_rows, name_rows, table[:, 0])
    for d, label in enumerate(region.districts.name_en):
        rows.add(year.number, "district", str(label), stage_rows, name_rows, table[:, 1 + d])


def _with_region(by_district: NDArray[Any], districts: int) -> NDArray[Any]:
    """Sums by district, led by those of the region, stage after stage."""
    each = by_district.shape[1:]
    of_stage = by_district.reshape(-1, districts, *each)
    return np.concatenate([of_stage.sum(axis=1, keepdims=True), of_stage], axis=1).reshape(-1, *each)


def _tell(told: dict[str, Floats], stages: Sequence[int], districts: int, add: Add) -> None:
    """Add arrays of places, one stage after another."""
    for i, stage in enumerate(stages):
        for name, values in told.items():
            add(name, stage, values[i * (1 + districts) : (i + 1) * (1 + districts)])


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def _standard(region: Region, cards: tuple[Scorecard, Scorecard], add: Add) -> None:
    """The official coefficients of variation, how many are within the limit, and whether a county passes."""
    s, districts = region.schools, region.districts.n
    passed = np.ones(1 + districts, bool)
    for card in cards:
        district = s.district[card.school]
        cv = np.concatenate([card.cv[None, :], spread(card.values, card.pupils, district, districts)[1]])
        within = cv <= card.limit * (1 + SLACK)
        failing = _with_region(np.bincount(district, ~card.passed, districts), districts)
        passed &= within.all(axis=1) & (failing == 0)
        for i, name in enumerate(OFFICIAL):
            add(f"cv.{name}", card.stage, cv[:, i])
        add("cvs_passed", card.stage, within.sum(axis=1))
    add("standard_met", ALL, passed)


def _schools(region: Region, year: SchoolYear, add: Add) -> None:
    """Gaps in what schools are, and in the elite places they win."""
    s, t, districts = region.schools, region.teachers, region.districts.n
    core = np.flatnonzero(t.subject == Subject.CORE)
    at = section(t.school[core], t.stage[core])
    count = np.bincount(at, minlength=2 * s.n).reshape(-1, 2)
    power = effectiveness(t, year.behaviour, year.number)[core]
    mean_power = np.bincount(at, power, 2 * s.n).reshape(-1, 2) / np.maximum(count, 1)
    district, setting = _each_stage(s.district, districts), np.tile(s.setting, 2)
    rural = _rural(district, setting)
    pupils, number = s.enrolment.T.ravel(), count.T.ravel()
    told = {
        "gap.teacher_effectiveness": _town_less_village(
            rural, districts, 2 * districts, pupils * (number > 0), mean_power.T.ravel()
        )[0]
    }
    names, held = ("gap.leadership", "gap.practice", "gap.adequacy"), (s.leadership, s.practice, s.adequacy)
    told |= zip(
        names, _town_less_village(rural, districts, 2 * districts, pupils, *(np.tile(x, 2) for x in held)), strict=True
    )
    stable = np.flatnonzero(s.has.T.ravel() & (pupils > 0))
    now, before = (x.T.ravel()[stable] for x in (s.value_added, year.seen.value_added_before))
    moments = _moments(district[stable], 2 * districts, now, before, pupils[stable])
    told["value_added_stability"] = _correlation(_with_region(moments, districts))
    _tell(told, STAGES, districts, add)
    village = np.bincount(_rural(s.district, s.setting), year.seen.elite_places, 2 * districts).reshape(-1, 2)
    won = _with_region(village, districts)
    add("quota_to_village", Stage.JUNIOR, _ratio(won[:, 1], won.sum(axis=1)))


def _each_stage(district: NDArray[Any], districts: int, stages: int = 2) -> NDArray[np.int64]:
    """The district of each school, numbered stage after stage, as if every stage had districts of its own."""
    own = np.asarray(district, np.int64)
    return np.concatenate([own + stage * districts for stage in range(stages)])


def _networks(region: Region, year: SchoolYear, add: Add) -> None:
    """Ties that reach into the region or a district."""
    n, s, districts = region.networks, region.schools, region.districts.n
    held = (n.since <= year.number) & (year.number <= n.until)

    def reached(rows: NDArray[np.intp], what: NDArray[Any]) -> NDArray[Any]:
        """How many different `what` (numbers, one a tie) the ties of each place are."""
        ends = np.concatenate([s.district[n.lead[rows]], s.district[n.member[rows]]]).astype(np.int64)
        size = int(what.max(initial=0)) + 1
        different = np.unique(ends * size + np.concatenate([what, what]))
        return np.append(np.unique(what).size, np.bincount(different // size, minlength=districts))

    def tied(kind: Network) -> NDArray[np.intp]:
        return np.flatnonzero(held & (n.kind == kind))

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> Floats:
        whole = _with_region(np.bincount(s.district[among], minlength=districts), districts)
        part = _with_region(np.bincount(s.district[of & among], minlength=districts), districts)
        return part / np.maximum(whole, 1)

    groups, pairs, joint = tied(Network.GROUP), tied(Network.PAIR), tied(Network.COMMUNITY)
    municipal = groups[n.municipal[groups]]
    between = s.district[n.lead[joint]].astype(np.int64) * districts + s.district[n.member[joint]]
    opened = region.open_schools(year.number)
    needy = opened & ((s.setting == Setting.VILLAGE) | (standing(region) < -1.0))
    zoned = (s.zone >= 0) & np.isin(s.zone, s.zone[n.member[tied(Network.ZONE)]])
    add("networks.groups", ALL, reached(groups, n.lead[groups]))
    add("networks.municipal_groups", ALL, reached(municipal, n.lead[municipal]))
    add("networks.pairs", ALL, reached(pairs, n.lead[pairs]))
    add("networks.paired_share", ALL, share(np.isin(np.arange(s.n), n.member[pairs]), needy))
    add("networks.communities", ALL, reached(joint, between))
    parented = s.district[n.member[tied(Network.COOPERATIVE)]]
    add("networks.cooperative", ALL, _with_region(np.bincount(parented, minlength=districts), districts))
    add("networks.zoned_share", ALL, share(zoned, opened))
    zones = tied(Network.ZONE)
    ripe = n.member[zones[year.number - n.since[zones] >= RIPE]]
    first = np.unique(s.zone[ripe], return_index=True)[1]
    of_zone = s.district[ripe[first]]
    # one of every district, then another of every district (TJ2-071)
    turn = np.argsort(place_in_group(of_zone, np.arange(of_zone.size)), kind="stable")
    named = of_zone[turn][: year.policy.one(SchoolZones, year.number).model_zones]
    add("networks.model_zones", ALL, _with_region(np.bincount(named, minlength=districts), districts))


def _scores(region: Region, year: SchoolYear, add: Add) -> None:
    """Gaps in the July test of each stage's last grade; schools are numbered stage after stage."""
    s, f, n, districts = region.schools, region.families, region.networks, region.districts.n
    tests = year.seen.tested
    stages = [tested.stage for tested in tests]
    groups, sections = len(stages) * districts, len(stages) * s.n
    school = np.concatenate([region.students.school[one.rows] + i * s.n for i, one in enumerate(tests)]).astype(np.intp)
    points = np.concatenate(
        [(one.score - region.scale.score_mean[one.stage]) / region.scale.score_sd[one.stage] for one in tests]
    )
    origin, status = (np.concatenate([x[one.rows] for one in tests]) for x in (f.origin, f.ses))
    district, setting = _each_stage(s.district, districts, len(stages)), np.tile(s.setting, len(stages))
    sums = SchoolSums.of(school, points, sections)
    count = sums.count
    held = count > 0
    mean = sums.total / np.maximum(count, 1)
    told = {"gap.score": _town_less_village(_rural(district, setting), districts, groups, count, mean)[0]}
    lived = school * 2 + (region.catchments.setting[origin] == Setting.VILLAGE)
    children, learnt = np.bincount(lived, minlength=2 * sections), np.bincount(lived, points, 2 * sections)
    home = np.repeat(district * 2, 2) + np.tile((0, 1), sections)
    level_by_home = learnt / np.maximum(children, 1)
    told["gap.score_home"] = _town_less_village(home, districts, groups, children, level_by_home)[0]
    by_stage = zip(count.reshape(-1, s.n), mean.reshape(-1, s.n), strict=True)
    told["gap.town_seat"] = np.concatenate([_town_seat(region, number, level) for number, level in by_stage])
    tie = np.flatnonzero((n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until))
    lead, member = (np.concatenate([end[tie] + i * s.n for i in range(len(stages))]) for end in (n.lead, n.member))
    both = held[lead] & held[member]
    lead, member = lead[both], member[both]
    ahead, stage = mean[lead] - mean[member], lead // s.n
    inside = district[lead] == district[member]
    gained, ties = np.bincount(district[lead], ahead * inside, groups), np.bincount(district[lead], inside, groups)
    every = [(ahead[stage == i].sum(), (stage == i).sum()) for i in range(len(stages))]
    above, below = (
        np.concatenate([np.array(whole)[:, None], part.reshape(-1, districts)], axis=1).ravel()
        for whole, part in zip(zip(*every, strict=True), (gained, ties), strict=True)
    )
    told["gap.lead_member"] = _ratio(above, below)
    weight, level = count[held], mean[held]
    told["gap.schools_p90_p10"] = _p90_p10(district[held], districts, len(stages), weight, level)
    names = ("between_school_share", "between_school_share.low", "between_school_share.high")
    told |= zip(names, between_school_share(sums, district, districts, groups), strict=True)
    there = np.bincount(district[held], weight, groups).reshape(-1, districts)
    by_district = _ratio(np.bincount(district[held], weight * level, groups).reshape(-1, districts), there)
    apart = [np.ptp(levels[people > 0]) for levels, people in zip(by_district, there, strict=True)]
    told["gap.districts"] = np.concatenate([np.append(one, np.zeros(districts)) for one in apart])
    between, within = _theil(district[held], districts, groups, setting[held], weight, BASE_SCORE + BASE_SD * level)
    told |= {"theil.between": between, "theil.within": within}
    x, xx, xy = (np.bincount(school, v, sections) for v in (status, status * status, status * points))
    # by school, then by district: many groups are added faster than few
    moments = totals(district, groups, np.column_stack([count, x, sums.total, xx, sums.squares, xy]))
    told["ses_correlation"] = _correlation(_with_region(moments, districts))
    added = SchoolSums.of(school, np.concatenate([one.residual for one in tests]), sections, count)
    ratio, size, _, _ = _variance_ratio(added, district, districts, groups)
    told["value_added_share"] = _share(ratio, size)
    _tell(told, stages, districts, add)


def _rural(district: NDArray[Any], setting: NDArray[Any]) -> NDArray[np.int64]:
    """District, and village or not, as one number: 2·district + village."""
    return np.asarray(district, np.int64) * 2 + (setting == Setting.VILLAGE)


def _town_less_village(
    rural: NDArray[np.int64], districts: int, groups: int, weight: NDArray[Any], *values: NDArray[Any]
) -> list[Floats]:
    """Weighted mean outside villages less that in villages, NaN where either has nobody; of each of `values`."""
    sums = [np.bincount(rural, w, 2 * groups) for w in (weight, *(weight * value for value in values))]
    people, *masses = (_with_region(x.reshape(-1, 2), districts) for x in sums)
    means = (_ratio(mass, people) for mass in masses)
    return [mean[:, 0] - mean[:, 1] for mean in means]


def _town_seat(region: Region, count: NDArray[Any], mean: Floats) -> Floats:
    """Mean of the better half of urban schools less that of town-seat schools, by pupils."""
    s, districts = region.schools, region.districts.n
    gaps = np.full(1 + districts, np.nan)
    seat, urban = s.town_seat & (count > 0), (s.setting == Setting.URBAN) & (count > 0)
    for place in range(1 + districts):
        here = np.ones(s.n, bool) if place == 0 else s.district == place - 1
        seats, best = np.flatnonzero(seat & here), np.flatnonzero(urban & here)
        if seats.size and best.size:
            middle = np.sort(mean[best])
            best = best[mean[best] >= (middle[(best.size - 1) // 2] + middle[best.size // 2]) / 2]
            gaps[place] = _mean(mean[best], count[best]) - _mean(mean[seats], count[seats])
    return gaps


def _mean(value: Floats, weight: NDArray[Any]) -> float:
    return float((value * weight).sum() / weight.sum())


def _moments(group: NDArray[Any], n: int, x: Floats, y: Floats, weight: NDArray[Any] | None = None) -> Floats:
    """How many are in each group, and the sums of x, y, x², y² and xy; shape (n, 6)."""
    held: list[Any] = [weight, x, y, x * x, y * y, x * y]
    if weight is not None:
        held[1:] = [weight * v for v in held[1:]]
    return np.stack([np.bincount(group, v, n) for v in held], axis=1)


def _correlation(moments: Floats) -> Floats:
    """Correlation in each place from its moments; NaN where one of the two does not vary."""
    means = _ratio(moments[:, 1:], np.broadcast_to(moments[:, :1], moments[:, 1:].shape)).T
    variance = (means[2] - means[0] ** 2) * (means[3] - means[1] ** 2)
    flat = ~(variance > 1e-20)  # of what rounding leaves
    return np.where(flat, np.nan, (means[4] - means[0] * means[1]) / np.sqrt(np.where(flat, 1.0, variance)))


def _p90_p10(district: NDArray[Any], districts: int, stages: int, weight: NDArray[Any], value: Floats) -> Floats:
    """Weighted 90th less 10th percentile; shape (places,)."""
    found = np.full((stages, 1 + districts), np.nan)
    for columns, group, groups in (
        (found[:, :1], district // districts, stages),
        (found[:, 1:], district, stages * districts),
    ):
        order = np.lexsort((value, group))
        reached, whole = np.cumsum(weight[order]), np.bincount(group, weight, groups)
        before = np.cumsum(whole) - whole
        some = whole > 0
        low, high = (np.searchsorted(reached, (before + q * whole)[some]) for q in (0.1, 0.9))
        columns[some.reshape(columns.shape)] = value[order[high]] - value[order[low]]
    return found.ravel()


def _theil(
    district: NDArray[Any],
    districts: int,
    groups: int,
    setting: NDArray[Any],
    weight: NDArray[Any],
    value: Floats,
) -> tuple[Floats, Floats]:
    """Theil's T of positive values, between settings and within them; exact decomposition."""
    kinds = len(Setting)
    group = district * kinds + setting
    columns = np.column_stack([weight, weight * value, weight * value * np.log(value)])
    sums = _with_region(totals(group, groups * kinds, columns).reshape(groups, kinds, 3), districts)
    people, mass = sums[:, :, 0], sums[:, :, 1]
    everyone, whole = people.sum(axis=1), mass.sum(axis=1)
    mean = _ratio(whole, everyone)
    total = _ratio(sums[:, :, 2].sum(axis=1), whole) - np.log(mean)
    relative = np.where(people > 0, mass / np.maximum(people, 1e-300) / mean[:, None], 1.0)
    between = (_ratio(mass, np.broadcast_to(whole[:, None], mass.shape)) * np.log(relative)).sum(axis=1)
    return between, total - between


@dataclass(frozen=True)
class SchoolSums:
    """How many pupils each school tested, the sum of what they scored, and of its squares; shape (schools,)."""

    count: NDArray[Any]
    total: Floats
    squares: Floats

    @classmethod
    def of(cls, school: NDArray[Any], value: Floats, schools: int, count: NDArray[Any] | None = None) -> SchoolSums:
        """From `school` and `value`, a pupil each."""
        if count is None:
            count = np.bincount(school, minlength=schools)
        return cls(count, total(school, schools, value), total(school, schools, value * value))


def between_school_share(
    sums: SchoolSums, district: NDArray[Any], districts: int, groups: int
) -> tuple[Floats, Floats, Floats]:
    """Between-school share of variance (one-way random effects, corrected for size) with its 95 % interval.

    `district`: of each school, `groups` of them over all stages. Shapes (places,). Searle, Casella & McCulloch 1992:
    ρ = (MSB − MSW)/(MSB + (n₀−1)MSW); bounds from F at the mean size n₀.
    """
    ratio, size, schools, rest = _variance_ratio(sums, district, districts, groups)
    bounds = np.array([_f_bounds(int(j), k if k < 100 else round(k, -2)) for j, k in zip(schools, rest, strict=True)])
    low, high = _share(ratio / bounds[:, 1], size), _share(ratio / bounds[:, 0], size)
    return _share(ratio, size), low, high


def _share(ratio: Floats, size: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(ratio), 1.0, (ratio - 1) / (ratio - 1 + size))


def _variance_ratio(
    sums: SchoolSums, district: NDArray[Any], districts: int, groups: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean square between schools over that within (infinite where none, NaN where undefined); mean size; freedoms."""
    count = sums.count
    explained = sums.total * sums.total / np.maximum(count, 1)
    columns = np.column_stack([count > 0, count, sums.total, sums.squares, explained, count.astype(float) ** 2])
    j, n, total, square, explained, sizes = _with_region(totals(district, groups, columns), districts).T
    defined = (j >= 2) & (n > j)
    schools, rest, everyone = np.where(defined, j - 1, 1), np.where(defined, n - j, 1), np.maximum(n, 1)
    between = np.maximum(explained - total * total / everyone, 0.0)
    within = square - explained
    alike, flat = within <= 1e-12 * square, between <= 1e-12 * square  # of what rounding leaves
    ratio = np.divide(between / schools, within / rest, out=np.full(j.size, np.inf), where=~alike)
    ratio[~defined | (alike & flat)] = np.nan
    return ratio, (everyone - sizes / everyone) / schools, schools, rest


@lru_cache(maxsize=4096)
def _f_bounds(between: int, within: int) -> tuple[float, float]:
    # degrees of freedom within hardly matter above hundreds: rounded, so that the table is looked up once
    return float(fdtri(between, within, 0.025)), float(fdtri(between, within, 0.975))
