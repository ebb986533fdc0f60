"""Every outcome, declared once: name, unit, titles, definition, direction, levels, stages; and how it is counted.

Sums and ratios are counted for every level from the same numerators and denominators of schools (or of
homes); gaps, spreads and correlations for the region and each district. Never recomputed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from model.draws import Floats
from model.national_standard import INDICATORS as OFFICIAL
from model.national_standard import Scorecard, score, standard, stocks_of
from model.quality import effectiveness, section
from model.region import CLASS_CAP, STAGES, Network, Region, Setting, Stage, Subject
from model.school_year import SchoolYear, Tested

PLACES = ("region", "district", "town", "setting", "group", "school")
WIDE = ("region", "district")
BOTH = ("primary", "junior")
SIZE_CAP, NINE_YEAR_CAP, SMALL = 2000, 2500, 100  # national_standard.md 1.5 (4 and 6)
ART_ROOM_CLASSES = 12  # national_standard.md 1.5 (3)


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
        found += [
            Indicator(f"cv.{name}", "CV", f"CV of {en}", f"{zh}校际差异系数", "enrolment-weighted coefficient of variation between schools", "down", WIDE),
            Indicator(f"mean.{name}", unit, f"{en}, mean", f"{zh}均值", "stock over pupils, as the standard counts it", "up"),
            Indicator(f"shortfall.{name}", "raw units", f"{en} missing", f"{zh}缺口", "what schools lack to the standard, summed", "down"),
        ]
    return found


_ALL = ("all",)
_DECLARED: list[Indicator] = [
    *_official(),
    Indicator("schools_passing", "share", "schools that pass", "达标学校比例", "schools with six of seven indicators met and the other at 85 % or more", "up"),
    Indicator("cvs_passed", "count", "CVs within the limit", "差异系数达标项数", "of the seven CVs, those at most .50 (primary) or .45 (junior)", "up", WIDE),
    Indicator("standard_met", "0/1", "county passes on resources", "资源配置达标", "every school passes and every CV is within its limit, at both stages", "up", WIDE, _ALL),
    Indicator("largest_class", "pupils", "largest class", "最大班额", "pupils of the largest class", "down"),
    Indicator("classes_over_cap", "share", "classes over the norm", "超班额比例", "classes above 45 (primary) or 50 (junior)", "down"),
    Indicator("schools_over_cap", "schools", "schools over the norm", "超规模学校数", "schools above 2,000 pupils (2,500 with both stages)", "down", stages=_ALL),
    Indicator("art_rooms_met", "share", "schools with art rooms", "音美教室达标比例", "schools with a music and an art room for every 12 classes", "up", stages=_ALL),
    Indicator("grade_c_area", "m2", "grade-C floor left", "C级校舍面积", "floor appraised as grade C and not repaired", "down", stages=_ALL),
    Indicator("satisfaction", "share", "families satisfied", "满意度", "mean probability that a family is satisfied", "up"),
    Indicator("mean_score", "base SD", "mean score", "平均成绩", "mean test score of the last grade, less the base year's mean", "up"),
    Indicator("teacher_effectiveness", "teacher SD", "teacher effectiveness", "教师效能", "mean effectiveness of core teachers", "up"),
    Indicator("gap.score", "base SD", "score gap by school", "成绩城乡差距（按学校）", "mean score in urban and town schools less village schools, last grade", "down", WIDE),
    Indicator("gap.score_home", "base SD", "score gap by home", "成绩城乡差距（按户籍地）", "the same by where the child lived on entry", "down", WIDE),
    Indicator("gap.town_seat", "base SD", "town-seat against urban quality schools", "镇驻地校与城区优质校差距", "mean score of the better half of urban schools less town-seat schools", "down", WIDE),
    Indicator("gap.teacher_effectiveness", "teacher SD", "gap in teacher effectiveness", "教师效能城乡差距", "urban and town less village, by pupils", "down", WIDE),
    Indicator("gap.leadership", "management SD", "gap in leadership", "校长领导力城乡差距", "urban and town less village, by pupils", "down", WIDE),
    Indicator("gap.practice", "management SD", "gap in practice", "学校实践城乡差距", "urban and town less village, by pupils", "down", WIDE),
    Indicator("gap.adequacy", "index", "gap in facilities", "办学条件城乡差距", "urban and town less village, by pupils", "", WIDE),
    Indicator("gap.lead_member", "base SD", "gap of leads and members", "牵头校与成员校差距", "mean score of lead schools less their members", "down", WIDE),
    Indicator("gap.schools_p90_p10", "base SD", "10th to 90th percentile of schools", "学校成绩九十分位差", "of school means, by pupils", "down", WIDE),
    Indicator("between_school_share", "share", "between-school share of variance", "校际差异率", "one-way random-effects share of score variance, last grade (corrected for school size)", "down", WIDE),
    Indicator("between_school_share.low", "share", "its lower bound", "校际差异率下限", "lower end of the 95 % sampling interval", "", WIDE),
    Indicator("between_school_share.high", "share", "its upper bound", "校际差异率上限", "upper end of the 95 % sampling interval", "", WIDE),
    Indicator("theil.between", "index", "Theil between settings", "泰尔指数（组间）", "of school mean scores at mean 500, SD 100: between urban, town and village", "down", WIDE),
    Indicator("theil.within", "index", "Theil within settings", "泰尔指数（组内）", "the rest of it", "down", WIDE),
    Indicator("ses_correlation", "correlation", "status and score", "家庭地位与成绩相关", "correlation of family status and test score, last grade", "down", WIDE),
    Indicator("value_added_share", "share", "school share of value-added", "增值的校际比例", "between-school share of score beyond what intake predicts", "", WIDE),
    Indicator("value_added_stability", "correlation", "stability of value-added", "增值的年际稳定性", "correlation of schools' value-added with the year before", "", WIDE),
    Indicator("proximity_share", "share", "admitted in the own catchment", "就近入学比例", "entrants admitted where they have the right", "up"),
    Indicator("first_wish_out", "share", "first wishes outside the catchment", "第一志愿跨片区比例", "entrants who wish most a school where they have no right; by home", "", PLACES[:4]),
    Indicator("first_wish_met", "share", "first wishes met", "第一志愿满足率", "entrants admitted to the school they wish most", "up"),
    Indicator("oversubscription", "ratio", "first wishes per place", "热度", "first wishes over places offered", ""),
    Indicator("distance_km", "km", "way to school", "入学距离", "mean straight distance of entrants", "down"),
    Indicator("local_stay", "share", "local children who stay", "生源稳定率", "of children with local hukou who live in a town, those at school there; by home", "up", PLACES[:4]),
    Indicator("to_city", "share", "village and town children in urban schools", "进城就读比例", "of children who lived in a town or village on entry, those at an urban school; by home", "", PLACES[:4]),
    Indicator("enrolment", "pupils", "pupils", "在校生", "pupils on 1 September", ""),
    Indicator("entrants", "pupils", "entrants", "新生", "admitted to the first grade of the stage", ""),
    Indicator("places_empty", "places", "empty places", "空余学位", "places offered less those taken", "down"),
    Indicator("seat_gap", "places", "places short", "学位缺口", "pupils above what classrooms hold at 45 and 50", "down"),
    Indicator("small_schools", "schools", "small schools", "小规模学校数", "schools below 100 pupils", "", stages=_ALL),
    Indicator("overflow", "share", "placed by the authority", "统筹安排比例", "entrants whom no wish could place", "down"),
    Indicator("boarders", "share", "boarders", "寄宿比例", "pupils who board", ""),
    Indicator("teachers", "teachers", "teachers", "教师", "teachers who teach here", ""),
    Indicator("pupils_per_teacher", "ratio", "pupils per teacher", "生师比", "pupils over teachers", ""),
    Indicator("vacancies", "posts", "posts vacant", "空编", "posts nobody holds", "down"),
    Indicator("posts_over", "posts", "teachers over posts", "超编", "teachers beyond the posts", "down"),
    Indicator("eligible_share", "share", "eligible for rotation", "符合轮岗条件比例", "teachers long enough in one school, not near retirement", ""),
    Indicator("rotated_share", "share", "rotated of eligible", "轮岗占符合条件比例", "teachers who changed places this year over the eligible", ""),
    Indicator("rotated_backbone_share", "share", "backbones among the rotated", "轮岗教师骨干比例", "backbones over all rotated this year", ""),
    Indicator("seconded", "share", "teachers on secondment", "支教教师比例", "of those teaching here, lent by another school", ""),
    Indicator("quits", "share", "teachers who quit", "离职率", "left teaching here, without retirement", "down"),
    Indicator("turnover", "share", "teachers who left a school", "流动率", "quit, retired, transferred or rotated away", "down"),
    Indicator("teams_changed", "share", "changed teams", "任课教师变动比例", "mean share of a class's team that is new and unplanned", "down"),
    Indicator("sender_loss", "teacher SD", "what senders lost", "派出校损失", "effectiveness sent away this year over the teachers of the school", "down"),
    Indicator("quota_to_village", "share", "elite places to village schools", "优质高中名额农村比例", "of elite senior-high places, won from village schools", "", WIDE, ("junior",)),
    Indicator("spending.real", "yuan", "real spending", "实际支出", "yuan that bought work, goods or places", "", ("region",), _ALL),
    Indicator("spending.transfer", "yuan", "transfers", "转移支付", "stipends, supplements and awards", "", ("region",), _ALL),
    Indicator("spending.levers", "yuan", "spending on levers", "政策支出", "all but salaries and public funds", "down", ("region",), _ALL),
    Indicator("spending.per_pupil", "yuan", "spending per pupil", "生均支出", "real spending over pupils", "", ("region",), _ALL),
]
INDICATORS: dict[str, Indicator] = {i.name: i for i in _DECLARED}
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
        parts: dict[str, list[NDArray[Any]]] = {k: [] for k in ("year", "level", "place", "stage", "indicator", "value")}
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
    member = np.zeros((n, group.size))
    inside = group >= 0
    member[group[inside], np.flatnonzero(inside)] = 1.0
    return np.asarray(member @ values)


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
    boarders = np.bincount(at, students.boards, 2 * s.n).reshape(-1, 2)
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
        rows.add(year.number, level, np.array(places, object)[:, None], np.array([[0, 1]]), NUMBER["largest_class"], biggest)


def _homes(region: Region, year: SchoolYear, groups: _Groups, rows: Rows) -> None:
    """Indicators by where children live."""
    f, students, s, places = region.families, region.students, region.schools, region.catchments
    junior = region.stage_of_grade(students.grade)
    code = f.catchment * 2 + junior
    n = 2 * places.n
    countryside = places.setting[f.origin] != Setting.URBAN
    urban_school = s.setting[students.school] == Setting.URBAN
    here = s.town[students.school] == places.town[f.catchment]
    local = np.bincount(code, f.local, n).reshape(-1, 2)
    stay = np.bincount(code, f.local & here, n).reshape(-1, 2)
    by_origin = f.origin * 2 + junior
    rural = np.bincount(by_origin, countryside, n).reshape(-1, 2)
    gone = np.bincount(by_origin, countryside & urban_school, n).reshape(-1, 2)
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
        rows.add(year.number, level, np.array(labels, object)[:, None], np.tile([0, 1], 3)[None, :], names[None, :], value)


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
        add("gap.teacher_effectiveness", stage, _town_less_village(s.setting, pupils * (count[:, stage] > 0), mean_power[:, stage]))
        add("gap.leadership", stage, _town_less_village(s.setting, pupils, s.leadership))
        add("gap.practice", stage, _town_less_village(s.setting, pupils, s.practice))
        add("gap.adequacy", stage, _town_less_village(s.setting, pupils, s.adequacy))
        stable = here & s.has[:, stage] & (pupils > 0)
        add("value_added_stability", stage, _correlation(s.value_added[stable, stage], year.seen.value_added_before[stable, stage], pupils[stable]))
    add("standard_met", ALL, float(card[0].all_passed and card[1].all_passed))
    for tested in year.seen.tested:
        _scores(region, year, tested, here, seat, add)
    urban_elite = year.seen.elite_places * here
    if urban_elite.sum() > 0:
        share = urban_elite[s.setting == Setting.VILLAGE].sum() / urban_elite.sum()
        add("quota_to_village", Stage.JUNIOR, float(share))
    names, stages, values = (np.array(x) for x in zip(*found, strict=True))
    rows.add(year.number, level, place, stages.astype(int), names.astype(int), values)


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
        add("gap.town_seat", stage, np.average(mean[best], weights=count[best]) - np.average(mean[seat & held], weights=count[seat & held]))
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
    levers = real + transfer - ledger.total("payroll") - ledger.total("public_funds")
    pupils = max(int(region.schools.enrolment.sum()), 1)
    names = ("spending.real", "spending.transfer", "spending.levers", "spending.per_pupil")
    values = np.array([real, transfer, levers, real / pupils])
    rows.add(year.number, "region", region.name, ALL, np.array([NUMBER[name] for name in names]), values)
