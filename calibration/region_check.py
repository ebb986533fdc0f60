"""What is wrong or doubtful with a region: conservation, what tables gave and does not hold, and what looks odd.

Wrong is what the model forbids; doubtful is what a table may well say by mistake: units, decimals, places, counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.columns import table_spec
from calibration.faults import Words
from calibration.region_tables import STAGED, STOCKS
from model.given import STAFF, known
from model.groupwise import total
from model.national_standard import BY_FACILITIES, BY_TEACHERS, INDICATORS, score, stocks_of, teacher_counts
from model.quality import section
from model.region import CLASS_CAP, STAGES, Kind, Region
from model.rules import rule

KINDS = ("wrong", "doubtful", "standard")
LISTED = 4  # schools that a finding names
FAR_KM, FAR_TIMES = 30.0, 4.0  # beyond both (times the usual way to the district's middle) a school lies far away
ODD = 8.0  # times the district's median, or one in so many: a unit or decimal may be wrong
RATIO = (4.0, 30.0)  # pupils a teacher
PER_CLASS = (1.0, 4.5)  # teachers a class
STEP_UP = (0.5, 1.8)  # a grade of junior pupils to one of primary pupils
SIZE_CAP, NINE_YEAR_CAP, SMALL = rule("school_cap"), rule("nine_year_cap"), rule("small_school")
STAGE_WORDS = (Words("primary", "小学"), Words("junior", "初中"))

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful, and the schools it is about."""

    kind: str  # wrong, doubtful, or standard: no mistake, but beyond a limit
    about: str
    words: Words
    schools: tuple[str, ...] = ()

    def text(self, lang: str) -> str:
        """One line, with the first schools."""
        if not self.schools:
            return self.words.text(lang)
        shown = ("、" if lang == "zh" else ", ").join(self.schools[:LISTED])
        more = len(self.schools) - LISTED
        if lang == "zh":
            return f"{self.words.zh}：{shown}" + (f"等 {len(self.schools)} 所" if more > 0 else "")
        return f"{self.words.en}: {shown}" + (f" and {more} more" if more > 0 else "")

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        words = {"en": self.words.en, "zh": self.words.zh}
        return {"kind": self.kind, "about": self.about, **words, "schools": list(self.schools)}


def _zh(name: str) -> str:
    """The Chinese name of a column of schools, of `staff.` teachers, or of flows, named as the region names it."""
    table, _, own = name.rpartition(".")
    if table == "staff":
        return table_spec("teachers").columns[own].zh
    columns = {"enrolment": "pupils", **STAGED, **STOCKS}
    return table_spec("flows").title.zh if name == "flows" else table_spec("schools").columns[columns[name]].zh


def findings(region: Region) -> list[Finding]:
    """Everything that is found, the wrong first."""
    found = [finding for look in LOOKS for finding in look(region)]
    return sorted(found, key=lambda finding: KINDS.index(finding.kind))


def not_held(region: Region) -> list[tuple[str, NDArray[np.intp]]]:
    """Columns that the tables gave and the region does not hold, each with the schools where it does not."""
    given = region.official.get("given")
    if given is None or region.year != region.base_year:
        return []
    s, n = region.schools, region.schools.n
    kinds = teacher_counts(region).reshape(n, 2, len(BY_TEACHERS))
    held: dict[str, Any] = {name: kinds[:, :, i] for i, name in enumerate(BY_TEACHERS)}
    held |= {name: getattr(s, name) for name in ("enrolment", "classrooms", "posts")}
    held |= {
        name: getattr(s, name) for name in (*BY_FACILITIES, "music_rooms", "art_rooms", "floor_area", "grade_c_area")
    }
    held["teachers"] = total(section(region.teachers.school, region.teachers.stage), 2 * n).reshape(n, 2)
    held["boarders"] = total(region.section_of_students(), 2 * n, region.students.boards).reshape(n, 2)
    if region.classes.n:
        held["classes"] = total(section(region.classes.school, region.classes.stage), 2 * n).reshape(n, 2)
    found = []
    for name, values in held.items():
        told = known(given, name)
        rows = np.flatnonzero((~np.isnan(told) & (told != values)).reshape(n, -1).any(axis=1))
        found.append((name, rows))
    return [(name, rows) for name, rows in [*found, *_flows_not_held(region), *_staff_not_held(region)] if rows.size]


def _flows_not_held(region: Region) -> Iterator[tuple[str, NDArray[np.intp]]]:
    flows = region.official["given"].get("flows")
    if not flows:
        return
    at, town = (np.array(flows[name], np.int64) for name in ("section", "town"))
    home = region.catchments.town[region.families.catchment]
    seen = np.bincount(
        region.section_of_students() * region.towns.n + home, minlength=2 * region.schools.n * region.towns.n
    )
    yield "flows", np.unique(at[seen[at * region.towns.n + town] != np.array(flows["pupils"])] >> 1).astype(np.intp)


def _staff_not_held(region: Region) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Sections in which the given values of a column are not among those of its teachers."""
    staff, t = region.official["given"].get("staff"), region.teachers
    if not staff:
        return
    at, of_teacher = np.array(staff["section"], np.int64), section(t.school, t.stage)
    for name in STAFF:
        values = np.array(staff[name], np.float64)
        told = ~np.isnan(values)
        pairs = _counted(at[told], values[told])
        here = _counted(of_teacher, getattr(t, name).astype(np.float64))
        wrong = {one for (one, value), count in pairs.items() if here.get((one, value), 0) < count}
        yield f"staff.{name}", np.unique([one >> 1 for one in wrong]).astype(np.intp)


def _counted(at: NDArray[Any], values: NDArray[Any]) -> dict[tuple[int, float], int]:
    pairs, count = np.unique(np.column_stack([at, values]), axis=0, return_counts=True)
    return {(int(one), float(value)): int(number) for (one, value), number in zip(pairs, count, strict=True)}


# --- wrong


def _conservation(region: Region) -> Iterator[Finding]:
    """Every pupil has a place that exists, and the columns say so."""
    s, students = region.schools, region.students
    inside = (students.school >= 0) & (students.school < s.n)
    if not inside.all():
        n = int((~inside).sum())
        yield _wrong(region, "pupils", f"{n} pupils in no school", f"{n} 名学生没有学校")
        return
    counted = total(region.section_of_students(), 2 * s.n).reshape(s.n, 2)
    off = np.flatnonzero((counted != s.enrolment).any(axis=1))
    yield from _about(
        region, "wrong", "enrolment", off, "enrolment is not the number of pupils", "在校生数与学生数不符"
    )
    untaught = np.flatnonzero(((counted > 0) & ~s.has).any(axis=1))
    yield from _about(region, "wrong", "stage", untaught, "pupils of a stage that is not taught", "有未设学段的学生")
    seated = students.klass >= 0
    if region.classes.n and seated.any():
        c = region.classes
        sizes = np.bincount(students.klass[seated], minlength=c.n)
        away = c.school[students.klass[seated]] != students.school[seated]
        off = np.unique(np.concatenate([c.school[sizes[: c.n] != c.size], students.school[seated][away]]))
        yield from _about(region, "wrong", "classes", off, "classes and their pupils disagree", "班级与学生不符")


def _numbers(region: Region) -> Iterator[Finding]:
    """Columns hold numbers, stocks and counts none below zero."""
    s = region.schools
    counts = (
        *BY_FACILITIES,
        "classrooms",
        "posts",
        "enrolment",
        "music_rooms",
        "art_rooms",
        "floor_area",
        "grade_c_area",
    )
    for name in counts:
        values = np.asarray(getattr(s, name), np.float64).reshape(s.n, -1)
        rows = np.flatnonzero((values < 0).any(axis=1))
        yield from _about(region, "wrong", name, rows, f"{name} below zero", f"{_zh(name)}为负")
    for title, table in region.tables().items():
        for name, values in table.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                yield _wrong(
                    region, f"{title}.{name}", f"{title}.{name} is not a number everywhere", f"{title}.{name} 含非数值"
                )


def _rights(region: Region) -> Iterator[Finding]:
    """Every family has a school that admits it by right."""
    s, places = region.schools, region.catchments
    for stage in STAGES:
        admitted = np.isin(places.right[:, stage], s.right[s.has[:, stage], stage]) & (places.right[:, stage] >= 0)
        if not admitted.all():
            n, words = int((~admitted).sum()), STAGE_WORDS[stage]
            yield _wrong(
                region,
                "catchments",
                f"{n} catchments that no {words.en} school admits",
                f"{n} 个片区没有对口{words.zh}",
            )


def _given(region: Region) -> Iterator[Finding]:
    for name, rows in not_held(region):
        yield from _about(
            region, "wrong", name, rows, f"{name} is not what the tables gave", f"{_zh(name)}与所给表格不符"
        )


# --- doubtful


def _room(region: Region) -> Iterator[Finding]:
    """Seats, classes, size of schools."""
    s, held = region.schools, _open(region)
    seats = s.classrooms * np.array(CLASS_CAP)
    told = region.official.get("given")
    if told is not None:
        seats = np.where(np.isnan(given := known(told, "seats")), seats, given)
    for stage, words in zip(STAGES, STAGE_WORDS, strict=True):
        few = np.flatnonzero(held & (s.enrolment[:, stage] > seats[:, stage]))
        yield from _about(
            region, "doubtful", "seats", few, f"fewer {words.en} seats than pupils", f"{words.zh}学位少于学生"
        )
    c = region.classes
    over = np.unique(c.school[c.size > np.array(CLASS_CAP)[c.stage]])
    yield from _about(
        region,
        "doubtful",
        "classes",
        over,
        "classes over 45 (primary) or 50 (junior) pupils",
        "有班级超过45人（小学）或50人（初中）",
    )
    if told is not None and not c.n:
        classes = known(told, "classes")
        with np.errstate(invalid="ignore", divide="ignore"):
            full = np.flatnonzero((s.enrolment / classes > np.array(CLASS_CAP)).any(axis=1))
        yield from _about(
            region,
            "doubtful",
            "classes",
            full,
            "more pupils a class than 45 (primary) or 50 (junior)",
            "平均班额超过45人（小学）或50人（初中）",
        )
    size = s.enrolment.sum(axis=1)
    large = np.flatnonzero(held & (size > np.where(s.has.all(axis=1), NINE_YEAR_CAP, SIZE_CAP)))
    yield from _about(
        region,
        "doubtful",
        "size",
        large,
        f"schools over {SIZE_CAP} pupils ({NINE_YEAR_CAP} with both stages)",
        f"学校超过{SIZE_CAP}人（两学段{NINE_YEAR_CAP}人）",
    )
    small = np.flatnonzero(held & (size < SMALL) & (s.kind != Kind.SPECIAL))
    yield from _about(region, "doubtful", "size", small, f"schools below {SMALL} pupils", f"学校不足{SMALL}人")


def _staffing(region: Region) -> Iterator[Finding]:
    s, held = region.schools, _open(region)
    staff = total(section(region.teachers.school, region.teachers.stage), 2 * s.n).reshape(s.n, 2)
    classes = total(section(region.classes.school, region.classes.stage), 2 * s.n).reshape(s.n, 2)
    some = (s.enrolment > 0) & held[:, None]
    none = np.flatnonzero((some & (staff == 0)).any(axis=1))
    yield from _about(region, "doubtful", "teachers", none, "pupils and no teacher", "有学生而无教师")
    ratio = np.divide(s.enrolment, staff, out=np.full(staff.shape, np.nan), where=some & (staff > 0))
    odd = np.flatnonzero(((ratio < RATIO[0]) | (ratio > RATIO[1])).any(axis=1))
    yield from _about(
        region,
        "doubtful",
        "teachers",
        odd,
        f"fewer than {RATIO[0]:g} or more than {RATIO[1]:g} pupils a teacher",
        f"每名教师的学生少于{RATIO[0]:g}或多于{RATIO[1]:g}",
    )
    each = np.divide(staff, classes, out=np.full(staff.shape, np.nan), where=(classes > 0) & some)
    thin = np.flatnonzero((each < PER_CLASS[0]).any(axis=1))
    yield from _about(region, "doubtful", "teachers", thin, "fewer teachers than classes", "教师少于班级")


def _places(region: Region) -> Iterator[Finding]:
    """Schools far from their district, or several on one spot."""
    s, held = region.schools, _open(region)
    far = np.zeros(s.n, bool)
    for d in range(region.districts.n):
        rows = np.flatnonzero(held & (s.district == d))
        if rows.size > 2:
            away = np.hypot(s.x_km[rows] - np.median(s.x_km[rows]), s.y_km[rows] - np.median(s.y_km[rows]))
            far[rows] = (away > FAR_KM) & (away > FAR_TIMES * np.median(away))
    yield from _about(
        region,
        "doubtful",
        "place",
        np.flatnonzero(far),
        "far from all other schools of the district",
        "远离本县区其他学校",
    )
    _, first, count = np.unique(np.column_stack([s.x_km, s.y_km]), axis=0, return_inverse=True, return_counts=True)
    yield from _about(
        region, "doubtful", "place", np.flatnonzero(count[first.ravel()] > 1), "on one spot with another", "坐标相同"
    )


def _stocks(region: Region) -> Iterator[Finding]:
    """A stock a pupil so far from the district's median that a unit or decimal may be wrong."""
    s = region.schools
    for d in range(region.districts.n):
        stocks = stocks_of(region, d if region.districts.n > 1 else None, private=True)
        each = stocks.stock / stocks.pupils[:, None]
        for i, name in enumerate(INDICATORS):
            column = each[:, i]
            if column.size < 3 or np.median(column) <= 0 or name in BY_TEACHERS:
                continue
            usual = float(np.median(column))
            odd = np.unique(stocks.school[(column > ODD * usual) | (column < usual / ODD)])
            yield from _about(region, "doubtful", name, odd[s.district[odd] == d],
                              f"{name} a pupil {ODD:g} times the usual, or one in {ODD:g}: a unit?",
                              f"生均{_zh(name)}为常见值的{ODD:g}倍以上或不足{ODD:g}分之一，单位是否有误")  # fmt: skip


def _cohorts(region: Region) -> Iterator[Finding]:
    """Junior grades much larger or smaller than primary ones."""
    for d in range(region.districts.n):
        pupils = region.schools.enrolment[region.schools.district == d].sum(axis=0) / np.array(region.grades)
        if pupils.min() > 0 and not STEP_UP[0] <= pupils[1] / pupils[0] <= STEP_UP[1]:
            name, zh = str(region.districts.name_en[d]), str(region.districts.name_zh[d])
            ratio = pupils[1] / pupils[0]
            yield Finding(
                "doubtful",
                "enrolment",
                Words(
                    f"{name}: a grade of junior pupils is {ratio:.2f} of a primary one",
                    f"{zh}：初中每年级人数为小学的{ratio:.2f}倍",
                ),
            )


def _standard(region: Region) -> Iterator[Finding]:
    """CVs over the limit: no mistake, but what a reader should know."""
    for d in range(region.districts.n):
        cards = score(stocks_of(region, d if region.districts.n > 1 else None))
        for card, words in zip(cards, STAGE_WORDS, strict=True):
            over = [name for i, name in enumerate(INDICATORS) if card.cv[i] > card.limit]
            if over:
                place, zh = str(region.districts.name_en[d]), str(region.districts.name_zh[d])
                cv = dict(zip(INDICATORS, card.cv.tolist(), strict=True))
                shown = ", ".join(f"{name} {cv[name]:.3f}" for name in over)
                shown_zh = "、".join(f"{_zh(name)} {cv[name]:.3f}" for name in over)
                yield Finding(
                    "standard",
                    "cv",
                    Words(
                        f"{place}, {words.en}: CV over {card.limit:g}: {shown}",
                        f"{zh}{words.zh}差异系数超过{card.limit:g}：{shown_zh}",
                    ),
                )


# --- saying it


def _open(region: Region) -> Mask:
    return np.asarray(region.open_schools(region.year))


def _wrong(region: Region, about: str, en: str, zh: str) -> Finding:
    return Finding("wrong", about, Words(en, zh))


def _about(region: Region, kind: str, about: str, rows: NDArray[Any], en: str, zh: str) -> Iterator[Finding]:
    """A finding on schools, if there are any."""
    if rows.size:
        yield Finding(kind, about, Words(en, zh), tuple(str(name) for name in region.schools.name[rows]))


LOOKS: tuple[Callable[[Region], Iterator[Finding]], ...] = (
    _conservation, _numbers, _rights, _given, _room, _staffing, _places, _stocks, _cohorts, _standard,
)  # fmt: skip

__all__ = ["Finding", "findings", "not_held"]
