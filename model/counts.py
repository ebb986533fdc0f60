"""Sums and ratios: counted for every place from the same numerators and denominators of schools, or of homes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.draws import Floats
from model.groupwise import totals
from model.indicators import ALL, NUMBER, Rows
from model.national_standard import INDICATORS as OFFICIAL
from model.national_standard import Scorecard
from model.quality import effectiveness, section, standard_per_pupil
from model.region import CLASS_CAP, STAGES, Network, Region, Setting, Subject
from model.rules import rule
from model.school_year import SchoolYear

SIZE_CAP, NINE_YEAR_CAP, SMALL = rule("school_cap"), rule("nine_year_cap"), rule("small_school")
ART_ROOM_CLASSES = rule("classes_per_art_room")


class Places:
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


def count_schools(
    region: Region, year: SchoolYear, cards: tuple[Scorecard, Scorecard], places: Places, rows: Rows
) -> None:
    """Indicators of schools, for every place they lie in."""
    s, seen = region.schools, year.seen
    names: list[int] = []
    stages: list[int] = []
    above: list[Floats] = []
    below: list[Floats | None] = []

    def add(name: str, stage: int, numerator: Any, denominator: Any = None) -> None:
        names.append(NUMBER[name])
        stages.append(stage)
        above.append(numerator[:, None])
        below.append(None if denominator is None else denominator[:, None])

    def both(name: str, numerator: Any, denominator: Any = None) -> None:
        names.extend([NUMBER[name]] * len(STAGES))
        stages.extend(STAGES)
        above.append(numerator)
        below.append(denominator)

    c, t, students = region.classes, region.teachers, region.students
    sections = 2 * s.n

    def by_section(at: NDArray[Any], values: NDArray[Any] | None = None) -> NDArray[Any]:
        return np.bincount(at, values, sections).reshape(-1, 2)

    at_class = section(c.school, c.stage)
    class_count = by_section(at_class)
    at_teacher = section(t.school, t.stage)
    staff = by_section(at_teacher)
    core = t.subject == Subject.CORE
    power = effectiveness(t, year.behaviour, year.number)
    at = region.section_of_students()
    pupils = s.enrolment
    stock, lacking = np.zeros((2, s.n, 2, len(OFFICIAL)))
    counted, passing = np.zeros((2, s.n, 2))
    for card in cards:
        mine, stage = card.school, card.stage
        stock[mine, stage] = card.values * card.pupils[:, None]
        lacking[mine, stage] = card.shortfall
        counted[mine, stage] = card.pupils
        passing[mine, stage] = card.passed
    for i, name in enumerate(OFFICIAL):
        both(f"mean.{name}", stock[:, :, i], counted)
        both(f"shortfall.{name}", lacking[:, :, i])
    both("schools_passing", passing, counted > 0)
    both("classes_over_cap", by_section(at_class, c.size > np.array(CLASS_CAP)[c.stage]), class_count)
    both("teams_changed", by_section(at_class, c.changed), class_count)
    both("satisfaction", s.satisfaction * pupils, pupils)
    both("teacher_effectiveness", by_section(at_teacher, power * core), by_section(at_teacher, core))
    both("enrolment", pupils)
    both("seat_gap", np.maximum(pupils - s.classrooms * np.array(CLASS_CAP), 0))
    both("boarders", by_section(at[students.boards]), pupils)
    both("teachers", staff)
    both("pupils_per_teacher", pupils, staff)
    both("vacancies", seen.vacancies)
    both("posts_over", seen.over)
    both("eligible_share", seen.eligible, staff)
    both("rotated_share", seen.rotated_out, seen.eligible)
    both("rotated_backbone_share", seen.rotated_backbones, seen.rotated_out)
    both("seconded", by_section(at_teacher, t.away_as == 2), staff)
    both("quits", seen.quit, staff)
    both("turnover", seen.left + seen.transferred + seen.rotated_out, staff)
    both("sender_loss", np.maximum(seen.sent_effectiveness, 0.0), staff)
    for tested in seen.tested:
        school = students.school[tested.rows]
        scale = region.scale
        points = (tested.score - scale.score_mean[tested.stage]) / scale.score_sd[tested.stage]
        add("mean_score", tested.stage, np.bincount(school, points, s.n), np.bincount(school, minlength=s.n))
    for one in seen.admitted:
        school = students.school[one.rows].astype(np.intp)
        # what is true of each who comes, as bits behind its school: counted at once
        came = school * 16 + one.entrant * 8
        came += one.own_right * 4
        came += (one.first_wish == school) * 2
        came += one.overflow
        tally = np.bincount(came, minlength=16 * s.n).reshape(s.n, 2, 2, 2, 2)
        new = tally[:, 1]
        entered = new.sum(axis=(1, 2, 3))
        add("entrants", one.stage, entered)
        add("proximity_share", one.stage, new[:, 1].sum(axis=(1, 2)), entered)
        add("first_wish_met", one.stage, new[:, :, 1].sum(axis=(1, 2)), entered)
        add("distance_km", one.stage, np.bincount(school, one.distance * one.entrant, s.n), entered)
        add("overflow", one.stage, new[:, :, :, 1].sum(axis=(1, 2)), entered)
        add("places_empty", one.stage, np.maximum(one.places - tally.sum(axis=(1, 2, 3, 4)), 0))
        add("oversubscription", one.stage, s.wished[:, one.stage], one.places)
    size = pupils.sum(axis=1)
    some = size > 0
    cap = np.where(s.has.all(axis=1), NINE_YEAR_CAP, SIZE_CAP)
    rooms = np.ceil(class_count.sum(axis=1) / ART_ROOM_CLASSES)
    lessons = s.bought_lessons + np.bincount(t.school[~core], minlength=s.n)
    asked = (pupils * standard_per_pupil("pe_art_teachers")).sum(axis=1)
    add("schools_over_cap", ALL, size > cap)
    add("small_schools", ALL, some & (size < SMALL))
    add("art_rooms_met", ALL, some & (s.music_rooms >= rooms) & (s.art_rooms >= rooms), some)
    add("pe_art_lessons", ALL, some & (lessons >= np.floor(asked)), some)
    add("grade_c_area", ALL, s.grade_c_area * region.open_schools(year.number))
    top = np.concatenate(above, axis=1, dtype=np.float64)
    is_ratio = np.repeat([b is not None for b in below], [a.shape[1] for a in above])
    bottom = np.concatenate([b for b in below if b is not None], axis=1, dtype=np.float64)
    largest = np.zeros(sections, c.size.dtype)
    np.maximum.at(largest, at_class, c.size)
    stage_rows, name_rows = np.array(stages)[None, :], np.array(names)[None, :]
    stacked = np.concatenate([top, bottom], axis=1)
    for level, labels, group, _ in places.levels:
        sums = totals(group, len(labels), stacked)
        value, under = sums[:, : top.shape[1]], sums[:, top.shape[1] :]
        with np.errstate(invalid="ignore", divide="ignore"):
            value[:, is_ratio] = np.where(under > 0, value[:, is_ratio] / under, np.nan)
        label = np.array(labels, object)[:, None]
        rows.add(year.number, level, label, stage_rows, name_rows, value)
        biggest = np.zeros((len(labels), 2), c.size.dtype)
        np.maximum.at(biggest, group[group >= 0], largest.reshape(-1, 2)[group >= 0])
        rows.add(year.number, level, label, np.array([[0, 1]]), NUMBER["largest_class"], biggest)


def count_homes(region: Region, year: SchoolYear, places: Places, rows: Rows) -> None:
    """Indicators by where children live (or lived on entry)."""
    f, students, s, c = region.families, region.students, region.schools, region.catchments
    countryside = (c.setting != Setting.URBAN)[:, None]
    urban_school = s.setting == Setting.URBAN

    stay, gone, local, rural, entered, out = np.zeros((6, c.n, 2))
    for stage, grades in enumerate(((1, region.primary_grades), (region.primary_grades + 1, 9))):
        taught = region.grade_rows(*grades)
        school = students.school[taught]
        # local hukou, and whether at school in the town where it lives, as two bits behind the home
        lives = f.catchment[taught] * 4 + f.local[taught] * 2
        lives += np.take(c.town, f.catchment[taught]) == np.take(s.town, school)
        tally = np.bincount(lives, minlength=4 * c.n).reshape(c.n, 2, 2)
        local[:, stage], stay[:, stage] = tally[:, 1].sum(axis=1), tally[:, 1, 1]
        came = f.origin[taught] * 2 + np.take(urban_school, school)
        went = np.bincount(came, minlength=2 * c.n).reshape(c.n, 2)
        rural[:, stage], gone[:, stage] = went.sum(axis=1), went[:, 1]
    for one in year.seen.admitted:
        home = f.catchment[one.rows[one.entrant]]
        entered[:, one.stage] = np.bincount(home, minlength=c.n)
        out[:, one.stage] = np.bincount(home, one.wish_out[one.entrant], c.n)
    stacked = np.hstack([stay, gone * countryside, out, local, rural * countryside, entered])
    names = np.repeat([NUMBER["local_stay"], NUMBER["to_city"], NUMBER["first_wish_out"]], 2)
    for level, labels, _, group in places.levels:
        if group is None:
            continue
        sums = totals(group, len(labels), stacked)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(sums[:, 6:] > 0, sums[:, :6] / sums[:, 6:], np.nan)
        label = np.array(labels, object)[:, None]
        rows.add(year.number, level, label, np.tile([0, 1], 3)[None, :], names[None, :], value)


def count_money(region: Region, year: SchoolYear, rows: Rows) -> None:
    """What the year cost, in all and per pupil."""
    ledger = year.ledger
    real, transfer = ledger.total(transfers=False), ledger.total(transfers=True)
    levers = ledger.of_levers()
    pupils = max(int(region.schools.enrolment.sum()), 1)
    names = ("spending.real", "spending.transfer", "spending.levers", "spending.per_pupil")
    values = np.array([real, transfer, levers, real / pupils])
    rows.add(year.number, "region", region.name, ALL, np.array([NUMBER[name] for name in names]), values)
