"""Every outcome, declared once: name, unit, titles, definition, direction, levels, stages; and how it is counted.

Sums and ratios are counted for every level from the same numerators and denominators of schools (or of
homes); gaps, spreads and correlations for the region and each district. Never recomputed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from model.draws import Floats
from model.national_standard import INDICATORS as OFFICIAL
from model.national_standard import Scorecard, score, standard, stocks_of
from model.quality import effectiveness, section, standard_per_pupil, standing
from model.region import CLASS_CAP, STAGES, Network, Region, Setting, Stage, Subject
from model.rules import rule
from model.school_year import SchoolYear, Tested
from model.strict_yaml import load

PLACES = ("region", "district", "town", "setting", "group", "school")
WIDE = ("region", "district")
BOTH = ("primary", "junior")
SIZE_CAP, NINE_YEAR_CAP, SMALL = rule("school_cap"), rule("nine_year_cap"), rule("small_school")
ART_ROOM_CLASSES = rule("classes_per_art_room")


@dataclass(frozen=True)
class Indicator:
    """What an outcome means. `direction`: up or down is better; empty where neither is."""

    name: str
    unit: str
    en: str
    zh: str
    definition: str
    direction: str = ""
    levels: tuple[str, ...] = PLACES
    stages: tuple[str, ...] = BOTH


def _official() -> list[Indicator]:
    titles = {
        "degree_above": ("teachers above the required degree", "高于规定学历教师"),
        "backbone_teachers": ("backbone teachers", "骨干教师"),
        "pe_art_teachers": ("PE and art teachers", "体育艺术教师"),
        "teaching_area": ("teaching area", "教学及辅助用房面积"),
        "sports_area": ("sports area", "体育运动场馆面积"),
        "equipment": ("teaching equipment", "教学仪器设备值"),
        "multimedia_rooms": ("multimedia classrooms", "网络多媒体教室"),
    }
    found = []
    for name, (en, zh) in titles.items():
        unit = standard().unit[name]
        spread = "enrolment-weighted coefficient of variation between schools"
        found += [
            Indicator(f"cv.{name}", "CV", f"CV of {en}", f"{zh}校际差异系数", spread, "down", WIDE),
            Indicator(
                f"mean.{name}", unit, f"{en}, mean", f"{zh}均值", "stock over pupils, as the standard counts", "up"
            ),
            Indicator(
                f"shortfall.{name}", "raw units", f"{en} missing", f"{zh}缺口", "lacking to the standard", "down"
            ),
        ]
    return found


_LEVELS = {"every": PLACES, "wide": WIDE, "homes": PLACES[:4], "region": PLACES[:1]}
_STAGES = {"both": BOTH, "all": ("all",), "junior": ("junior",)}


def _declared() -> list[Indicator]:
    rows = load(Path(__file__).parent / "data" / "indicators.yaml").items()
    found = _official()
    for name, row in rows:
        levels, stages = _LEVELS[row.pop("levels", "every")], _STAGES[row.pop("stages", "both")]
        found.append(Indicator(name, levels=levels, stages=stages, **row))
    return found


INDICATORS: dict[str, Indicator] = {i.name: i for i in _declared()}
LISTED = tuple(INDICATORS)
NUMBER = {name: i for i, name in enumerate(LISTED)}
STAGE_NAMES = ("primary", "junior", "all")
ALL = 2


@dataclass
class Rows:
    """Values gathered as blocks, turned into columns once at the end."""

    blocks: list[tuple[int, str, Any, Any, Any, Any]] = field(default_factory=list)

    def add(self, year: int, level: str, place: Any, stage: Any, indicator: Any, value: Any) -> None:
        """A block of values; place, stage (number) and indicator (number) broadcast with value."""
        self.blocks.append((year, level, place, stage, indicator, value))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The tidy table: year, level, place, stage, indicator, value."""
        parts: dict[str, list[NDArray[Any]]] = {
            k: [] for k in ("year", "level", "place", "stage", "indicator", "value")
        }
        stages, names = np.array(STAGE_NAMES, object), np.array(LISTED, object)
        for year, level, place, stage, indicator, value in self.blocks:
            value = np.asarray(value, float)
            shape = value.shape
            n = value.size
            parts["year"].append(np.full(n, year))
            parts["level"].append(np.full(n, level, object))
            parts["place"].append(np.broadcast_to(np.asarray(place, object), shape).ravel())
            parts["stage"].append(np.broadcast_to(stages[stage], shape).ravel())
            parts["indicator"].append(np.broadcast_to(names[indicator], shape).ravel())
            parts["value"].append(value.ravel())
        return {k: np.concatenate(v) if v else np.empty(0) for k, v in parts.items()}


def measure(region: Region, year: SchoolYear, rows: Rows, schools: bool = False) -> None:
    """Add this year's indicators to `rows`; `schools` adds the level of schools."""
    cards = [score(stocks_of(region, d if region.districts.n > 1 else None)) for d in range(region.districts.n)]
    whole = cards[0] if region.districts.n == 1 else score(stocks_of(region))
    grouping = _Groups(region, year, schools)
    _sums(region, year, whole, grouping, rows)
    _homes(region, year, grouping, rows)
    name = "region"
    _wide(region, year, rows, name, region.name, np.ones(region.schools.n, bool), whole)
    if region.districts.n == 1:  # the same schools, so the same values
        rows.add(*_again(rows.blocks[-1], "district", str(region.districts.name_en[0])))
        _money(region, year, rows)
        return
    for d in range(region.districts.n):
        here = region.schools.district == d
        _wide(region, year, rows, "district", str(region.districts.name_en[d]), here, cards[d])
    _money(region, year, rows)


def _again(block: tuple[int, str, Any, Any, Any, Any], level: str, place: str) -> tuple[int, str, Any, Any, Any, Any]:
    year, _, _, stage, indicator, value = block
    return year, level, place, stage, indicator, value


class _Groups:
    """Which places there are at each level, and which school or home belongs to which."""

    def __init__(self, region: Region, year: SchoolYear, schools: bool) -> None:
        s, n = region.schools, region.networks
        held = (n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until)
        lead = np.full(s.n, -1)
        lead[n.member[held]] = n.lead[held]
        lead[n.lead[held]] = n.lead[held]
        settings = [x.name.lower() for x in Setting]
        self.levels: list[tuple[str, list[str], NDArray[Any], NDArray[Any] | None]] = [
            ("region", [region.name], np.zeros(s.n, int), np.zeros(region.catchments.n, int)),
            ("district", list(region.districts.name_en), s.district, region.catchments.district),
            ("town", list(region.towns.name_zh), s.town, region.catchments.town),
            ("setting", settings, s.setting, region.catchments.setting),
        ]
        if held.any():
            names = [str(s.name[i]) for i in np.unique(lead[lead >= 0])]
            row = np.searchsorted(np.unique(lead[lead >= 0]), lead)
            self.levels.append(("group", names, np.where(lead >= 0, row, -1), None))
        if schools:
            self.levels.append(("school", list(s.name), np.arange(s.n), None))


def _by_group(group: NDArray[Any], n: int, values: Floats) -> Floats:
    """Sums of rows of `values` by group; rows of group −1 are left out."""
    rows = np.argsort(group, kind="stable")[np.count_nonzero(group < 0) :]
    sums = np.zeros((n, values.shape[1]))
    if rows.size:
        begins = np.flatnonzero(np.diff(group[rows], prepend=-1))
        sums[group[rows][begins]] = np.add.reduceat(values[rows], begins, axis=0)
    return sums


def _sums(region: Region, year: SchoolYear, card: tuple[Scorecard, Scorecard], groups: _Groups, rows: Rows) -> None:
    s, seen = region.schools, year.seen
    names: list[int] = []
    stages: list[int] = []
    above: list[Floats] = []
    below: list[Floats | None] = []

    def add(name: str, stage: int, numerator: Any, denominator: Any = None) -> None:
        names.append(NUMBER[name])
        stages.append(stage)
        above.append(np.asarray(numerator, float))
        below.append(None if denominator is None else np.asarray(denominator, float))

    c, t, students = region.classes, region.teachers, region.students
    at_class = section(c.school, c.stage)
    class_count = np.bincount(at_class, minlength=2 * s.n).reshape(-1, 2)
    over = np.bincount(at_class, c.size > np.array(CLASS_CAP)[c.stage], 2 * s.n).reshape(-1, 2)
    changed = np.bincount(at_class, c.changed, 2 * s.n).reshape(-1, 2)
    at_teacher = section(t.school, t.stage)
    staff = np.bincount(at_teacher, minlength=2 * s.n).reshape(-1, 2)
    lent = np.bincount(at_teacher, t.away_as == 2, 2 * s.n).reshape(-1, 2)
    core = t.subject == Subject.CORE
    power = effectiveness(t, year.behaviour, year.number)
    core_count = np.bincount(at_teacher, core, 2 * s.n).reshape(-1, 2)
    power_sum = np.bincount(at_teacher, power * core, 2 * s.n).reshape(-1, 2)
    at = region.section_of_students()
    boarders = np.bincount(at[students.boards], minlength=2 * s.n).reshape(-1, 2)
    gone = seen.left + seen.transferred + seen.rotated_out
    pupils = s.enrolment
    capacity = s.classrooms * np.array(CLASS_CAP)
    for stage in STAGES:
        held = card[stage]
        stock = np.zeros((s.n, len(OFFICIAL)))
        counted = np.zeros(s.n)
        passing = np.zeros(s.n)
        lacking = np.zeros((s.n, len(OFFICIAL)))
        mine = held.school
        stock[mine] = held.values * held.pupils[:, None]
        counted[mine] = held.pupils
        passing[mine] = held.passed
        lacking[mine] = held.shortfall
        for i, name in enumerate(OFFICIAL):
            add(f"mean.{name}", stage, stock[:, i], counted)
            add(f"shortfall.{name}", stage, lacking[:, i])
        add("schools_passing", stage, passing, counted > 0)
        add("classes_over_cap", stage, over[:, stage], class_count[:, stage])
        add("teams_changed", stage, changed[:, stage], class_count[:, stage])
        add("satisfaction", stage, s.satisfaction[:, stage] * pupils[:, stage], pupils[:, stage])
        add("teacher_effectiveness", stage, power_sum[:, stage], core_count[:, stage])
        add("enrolment", stage, pupils[:, stage])
        add("seat_gap", stage, np.maximum(pupils[:, stage] - capacity[:, stage], 0))
        add("boarders", stage, boarders[:, stage], pupils[:, stage])
        add("teachers", stage, staff[:, stage])
        add("pupils_per_teacher", stage, pupils[:, stage], staff[:, stage])
        add("vacancies", stage, seen.vacancies[:, stage])
        add("posts_over", stage, seen.over[:, stage])
        add("eligible_share", stage, seen.eligible[:, stage], staff[:, stage])
        add("rotated_share", stage, seen.rotated_out[:, stage], seen.eligible[:, stage])
        add("rotated_backbone_share", stage, seen.rotated_backbones[:, stage], seen.rotated_out[:, stage])
        add("seconded", stage, lent[:, stage], staff[:, stage])
        add("quits", stage, seen.quit[:, stage], staff[:, stage])
        add("turnover", stage, gone[:, stage], staff[:, stage])
        add("sender_loss", stage, np.maximum(seen.sent_effectiveness[:, stage], 0.0), staff[:, stage])
    for tested in seen.tested:
        school = students.school[tested.rows]
        scale = region.scale
        points = (tested.score - scale.score_mean[tested.stage]) / scale.score_sd[tested.stage]
        add("mean_score", tested.stage, np.bincount(school, points, s.n), np.bincount(school, minlength=s.n))
    for one in seen.admitted:
        school = students.school[one.rows]
        new = one.entrant
        entered = np.bincount(school[new], minlength=s.n)
        add("entrants", one.stage, entered)
        add("proximity_share", one.stage, np.bincount(school, one.own_right & new, s.n), entered)
        met = (one.first_wish == school) & new
        add("first_wish_met", one.stage, np.bincount(school, met, s.n), entered)
        add("distance_km", one.stage, np.bincount(school, one.distance * new, s.n), entered)
        add("overflow", one.stage, np.bincount(school, one.overflow & new, s.n), entered)
        add("places_empty", one.stage, np.maximum(one.places - np.bincount(school, minlength=s.n), 0))
        add("oversubscription", one.stage, s.wished[:, one.stage], one.places)
    size = pupils.sum(axis=1)
    some = size > 0
    cap = np.where(s.has.all(axis=1), NINE_YEAR_CAP, SIZE_CAP)
    rooms = np.ceil(class_count.sum(axis=1) / ART_ROOM_CLASSES)
    add("schools_over_cap", ALL, size > cap)
    add("small_schools", ALL, some & (size < SMALL))
    add("art_rooms_met", ALL, some & (s.music_rooms >= rooms) & (s.art_rooms >= rooms), some)
    lessons = s.bought_lessons + np.bincount(t.school[~core], minlength=s.n)
    asked = (pupils * standard_per_pupil("pe_art_teachers")).sum(axis=1)
    add("pe_art_lessons", ALL, some & (lessons >= np.floor(asked)), some)
    add("grade_c_area", ALL, s.grade_c_area * region.open_schools(year.number))
    is_ratio = np.array([b is not None for b in below])
    ones = np.ones(s.n)
    stacked = np.column_stack([*above, *(ones if b is None else b for b in below)])
    largest = np.zeros((s.n, 2))
    np.maximum.at(largest, (c.school, c.stage), c.size)
    name_rows, stage_rows = np.array(names), np.array(stages)
    for level, places, group, _ in groups.levels:
        sums = _by_group(group, len(places), stacked)
        top, bottom = sums[:, : len(names)], sums[:, len(names) :]
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(is_ratio, np.where(bottom > 0, top / bottom, np.nan), top)
        rows.add(year.number, level, np.array(places, object)[:, None], stage_rows[None, :], name_rows[None, :], value)
        biggest = np.zeros((len(places), 2))
        np.maximum.at(biggest, group[group >= 0], largest[group >= 0])
        rows.add(
            year.number, level, np.array(places, object)[:, None], np.array([[0, 1]]), NUMBER["largest_class"], biggest
        )


def _homes(region: Region, year: SchoolYear, groups: _Groups, rows: Rows) -> None:
    """Indicators by where children live."""
    f, students, s, places = region.families, region.students, region.schools, region.catchments
    stay, gone, local, rural = np.zeros((4, places.n, 2))
    here = places.town[:, None] == s.town
    countryside = places.setting != Setting.URBAN
    urban_school = s.setting == Setting.URBAN
    for stage, grades in enumerate(((1, region.primary_grades), (region.primary_grades + 1, 9))):
        taught = region.grade_rows(*grades)
        school, size = students.school[taught], places.n * s.n
        # how many of each place are at each school: of those with local hukou where they live, of all by origin
        lives = np.bincount(f.catchment[taught] * s.n + school, f.local[taught], size).reshape(places.n, s.n)
        came = np.bincount(f.origin[taught] * s.n + school, minlength=size).reshape(places.n, s.n)
        local[:, stage], stay[:, stage] = lives.sum(axis=1), (lives * here).sum(axis=1)
        rural[:, stage] = came.sum(axis=1) * countryside
        gone[:, stage] = came[:, urban_school].sum(axis=1) * countryside
    entered, out = np.zeros((places.n, 2)), np.zeros((places.n, 2))
    for one in year.seen.admitted:
        home = f.catchment[one.rows[one.entrant]]
        entered[:, one.stage] = np.bincount(home, minlength=places.n)
        out[:, one.stage] = np.bincount(home, one.wish_out[one.entrant], places.n)
    stacked = np.hstack([stay, gone, out, local, rural, entered]).astype(float)
    names = np.repeat([NUMBER["local_stay"], NUMBER["to_city"], NUMBER["first_wish_out"]], 2)
    for level, labels, _, group in groups.levels:
        if group is None:
            continue
        sums = _by_group(group, len(labels), stacked)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(sums[:, 6:] > 0, sums[:, :6] / sums[:, 6:], np.nan)
        rows.add(
            year.number, level, np.array(labels, object)[:, None], np.tile([0, 1], 3)[None, :], names[None, :], value
        )


def _wide(
    region: Region,
    year: SchoolYear,
    rows: Rows,
    level: str,
    place: str,
    here: NDArray[np.bool_],
    card: tuple[Scorecard, Scorecard],
) -> None:
    """Gaps, spreads and correlations of the region or a district."""
    s = region.schools
    found: list[tuple[int, int, float]] = []

    def add(name: str, stage: int, value: float) -> None:
        found.append((NUMBER[name], stage, value))

    seat = here & s.town_seat
    power = effectiveness(region.teachers, year.behaviour, year.number)
    t = region.teachers
    core = np.flatnonzero(t.subject == Subject.CORE)
    at = section(t.school[core], t.stage[core])
    count = np.bincount(at, minlength=2 * s.n).reshape(-1, 2)
    mean_power = np.bincount(at, power[core], 2 * s.n).reshape(-1, 2) / np.maximum(count, 1)
    for stage in STAGES:
        for i, name in enumerate(OFFICIAL):
            add(f"cv.{name}", stage, card[stage].cv[i])
        add("cvs_passed", stage, float(card[stage].cvs_passed.sum()))
        pupils = s.enrolment[:, stage] * here
        add(
            "gap.teacher_effectiveness",
            stage,
            _town_less_village(s.setting, pupils * (count[:, stage] > 0), mean_power[:, stage]),
        )
        add("gap.leadership", stage, _town_less_village(s.setting, pupils, s.leadership))
        add("gap.practice", stage, _town_less_village(s.setting, pupils, s.practice))
        add("gap.adequacy", stage, _town_less_village(s.setting, pupils, s.adequacy))
        stable = here & s.has[:, stage] & (pupils > 0)
        add(
            "value_added_stability",
            stage,
            _correlation(s.value_added[stable, stage], year.seen.value_added_before[stable, stage], pupils[stable]),
        )
    _networks(region, year, here, add)
    add("standard_met", ALL, float(card[0].all_passed and card[1].all_passed))
    for tested in year.seen.tested:
        _scores(region, year, tested, here, seat, add)
    urban_elite = year.seen.elite_places * here
    if urban_elite.sum() > 0:
        share = urban_elite[s.setting == Setting.VILLAGE].sum() / urban_elite.sum()
        add("quota_to_village", Stage.JUNIOR, float(share))
    names, stages, values = (np.array(x) for x in zip(*found, strict=True))
    rows.add(year.number, level, place, stages.astype(int), names.astype(int), values)


def _networks(region: Region, year: SchoolYear, here: NDArray[np.bool_], add: Any) -> None:
    """Ties that reach into the region or district."""
    n, s = region.networks, region.schools
    held = (n.since <= year.number) & (year.number <= n.until)

    def tied(kind: Network) -> NDArray[np.intp]:
        return np.flatnonzero(held & (n.kind == kind) & (here[n.lead] | here[n.member]))

    groups, pairs, joint = tied(Network.GROUP), tied(Network.PAIR), tied(Network.COMMUNITY)
    districts = s.district[n.lead[joint]].astype(np.int64) * region.districts.n + s.district[n.member[joint]]
    opened = here & region.open_schools(year.number)
    zoned = (s.zone >= 0) & np.isin(s.zone, s.zone[n.member[tied(Network.ZONE)]])
    needy = opened & ((s.setting == Setting.VILLAGE) | (standing(region) < -1.0))
    helped = np.isin(np.arange(s.n), n.member[pairs])
    add("networks.groups", ALL, float(np.unique(n.lead[groups]).size))
    add("networks.municipal_groups", ALL, float(np.unique(n.lead[groups][n.municipal[groups]]).size))
    add("networks.pairs", ALL, float(np.unique(n.lead[pairs]).size))
    add("networks.paired_share", ALL, float((helped & needy).sum() / max(needy.sum(), 1)))
    add("networks.communities", ALL, float(np.unique(districts).size))
    cooperative = n.member[held & (n.kind == Network.COOPERATIVE)]
    add("networks.cooperative", ALL, float(here[cooperative].sum()))
    add("networks.zoned_share", ALL, float((zoned & opened).sum() / max(opened.sum(), 1)))


def _scores(
    region: Region, year: SchoolYear, tested: Tested, here: NDArray[np.bool_], seat: NDArray[np.bool_], add: Any
) -> None:
    s, f = region.schools, region.families
    stage = tested.stage
    school = region.students.school[tested.rows]
    inside = here[school]
    school, score_, residual = school[inside], tested.score[inside], tested.residual[inside]
    if school.size < 2:
        return
    points = (score_ - region.scale.score_mean[stage]) / region.scale.score_sd[stage]
    count = np.bincount(school, minlength=s.n)
    held = count > 0
    mean = np.bincount(school, points, s.n) / np.maximum(count, 1)
    add("gap.score", stage, _town_less_village(s.setting, count, mean))
    origin = region.catchments.setting[f.origin[tested.rows][inside]]
    add("gap.score_home", stage, _town_less_village(origin, np.ones(origin.size), points))
    urban = np.flatnonzero(held & (s.setting == Setting.URBAN))
    if urban.size and (seat & held).any():
        best = urban[mean[urban] >= np.median(mean[urban])]
        add(
            "gap.town_seat",
            stage,
            np.average(mean[best], weights=count[best]) - np.average(mean[seat & held], weights=count[seat & held]),
        )
    n = region.networks
    tie = (n.kind == Network.GROUP) & (n.since <= year.number) & (year.number <= n.until)
    tie &= held[n.lead] & held[n.member]
    if tie.any():
        add("gap.lead_member", stage, float((mean[n.lead[tie]] - mean[n.member[tie]]).mean()))
    low, high = _weighted_quantiles(mean[held], count[held], (0.1, 0.9))
    add("gap.schools_p90_p10", stage, high - low)
    share, bottom, top = between_share(school, points, s.n)
    add("between_school_share", stage, share)
    add("between_school_share.low", stage, bottom)
    add("between_school_share.high", stage, top)
    by_district = np.bincount(s.district, count * mean, region.districts.n)
    pupils_there = np.bincount(s.district, count, region.districts.n)
    means = by_district[pupils_there > 0] / pupils_there[pupils_there > 0]
    add("gap.districts", stage, float(np.ptp(means)))
    between, within = _theil(s.setting[held], count[held], 500 + 100 * mean[held])
    add("theil.between", stage, between)
    add("theil.within", stage, within)
    add("ses_correlation", stage, _correlation(f.ses[tested.rows][inside], points, np.ones(points.size)))
    add("value_added_share", stage, between_share(school, residual, s.n)[0])


def _town_less_village(setting: NDArray[Any], weight: NDArray[Any], value: Floats) -> float:
    village = setting == Setting.VILLAGE
    here, there = weight[~village].sum(), weight[village].sum()
    if here == 0 or there == 0:
        return float("nan")
    return float((weight * value)[~village].sum() / here - (weight * value)[village].sum() / there)


def _correlation(x: Floats, y: Floats, weight: NDArray[Any]) -> float:
    if weight.sum() == 0:
        return float("nan")
    # sums, not dot products: a linear-algebra library's threads cost more than they save at this length
    w = weight / weight.sum()
    x, y = x - (w * x).sum(), y - (w * y).sum()
    scale = np.sqrt((w * x * x).sum() * (w * y * y).sum())
    return float((w * x * y).sum() / scale) if scale > 0 else float("nan")


def _weighted_quantiles(value: Floats, weight: NDArray[Any], levels: tuple[float, ...]) -> list[float]:
    order = np.argsort(value, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    return [float(value[order[np.searchsorted(reached, level)]]) for level in levels]


def _theil(group: NDArray[Any], weight: NDArray[Any], value: Floats) -> tuple[float, float]:
    """Theil's T of positive values, between groups and within; exact decomposition."""
    w = weight / weight.sum()
    total = w @ value
    whole = float(w @ (value / total * np.log(value / total)))
    between = 0.0
    for g in np.unique(group):
        share = w[group == g].sum()
        mean = (w[group == g] @ value[group == g]) / share
        between += float(share * mean / total * np.log(mean / total))
    return between, whole - between


@lru_cache(maxsize=512)
def _f_bounds(between: int, within: int) -> tuple[float, float]:
    # degrees of freedom within hardly matter above hundreds: rounded, so that the table is looked up once
    return float(fdtri(between, within, 0.025)), float(fdtri(between, within, 0.975))


def between_share(school: NDArray[Any], value: Floats, schools: int) -> tuple[float, float, float]:
    """Between-school share of variance (one-way random effects, corrected for size) with its 95 % interval.

    Searle, Casella & McCulloch 1992: ρ = (MSB − MSW)/(MSB + (n₀−1)MSW); bounds from F at the mean size n₀.
    """
    count = np.bincount(school, minlength=schools)
    sums = np.bincount(school, value, schools)
    held = count > 0
    j, n = int(held.sum()), int(count.sum())
    if j < 2 or n <= j:
        return (float("nan"),) * 3
    mean = sums[held] / count[held]
    overall = sums.sum() / n
    between = float((count[held] * (mean - overall) ** 2).sum())
    within = float((value**2).sum() - (count[held] * mean**2).sum())
    if within <= 0:
        return (float("nan"),) * 3 if between <= 0 else (1.0, 1.0, 1.0)
    msb, msw = between / (j - 1), within / (n - j)
    size = (n - float((count[held] ** 2).sum()) / n) / (j - 1)
    ratio = msb / msw
    f_low, f_high = _f_bounds(j - 1, round(n - j, -2) or 1)

    def rho(r: float) -> float:
        return (r - 1) / (r - 1 + size)

    return rho(ratio), rho(ratio / f_high), rho(ratio / f_low)


def _money(region: Region, year: SchoolYear, rows: Rows) -> None:
    ledger = year.ledger
    real, transfer = ledger.total(transfers=False), ledger.total(transfers=True)
    levers = sum(yuan for (_, _, lever, _), yuan in ledger.entries.items() if lever not in ("payroll", "public_funds"))
    pupils = max(int(region.schools.enrolment.sum()), 1)
    names = ("spending.real", "spending.transfer", "spending.levers", "spending.per_pupil")
    values = np.array([real, transfer, levers, real / pupils])
    rows.add(year.number, "region", region.name, ALL, np.array([NUMBER[name] for name in names]), values)
