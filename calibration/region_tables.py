"""Tables of schools, teachers and flows, as what they tell about a region: `model.complete.Tables`.

Rows of one school become one school; what a table gives for a school of two stages together is divided between them
by pupils; stocks of complete and twelve-year schools are their compulsory part, divided as the standard says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration import school_table
from calibration.cells import sheets
from calibration.columns import STAGES as STAGE_WORDS
from calibration.columns import same, table_spec
from calibration.faults import Fault, TableError, Words
from calibration.tables import Read, _head, read_table
from model.complete import BY_STAGE, LABELS, Tables
from model.errors import nearest_name
from model.given import STAFF
from model.groupwise import apportion
from model.national_standard import BY_TEACHERS, standard
from model.region import STAGES, Kind, Setting, Stage, Subject

EARTH_KM = 6371.0088  # mean radius of the earth
MOST_PUPILS = 5_000_000  # of a region that is simulated; the largest cities have fewer
LONGEST = {"school": 40, "district": 20, "town": 20}  # letters that a region keeps
KINDS = {name.name.lower(): int(name) for name in Kind} | {"special_school": int(Kind.SPECIAL)}
CODES: dict[str, dict[str, float]] = {
    "setting": {s.name.lower(): int(s) for s in Setting},
    "role": {"lead": 1, "member": 0},
    "subject": {s.name if s != Subject.CORE else "core": float(s) for s in Subject},
    "backbone": {"none": 0, "district": 1, "municipal": 2},
    "title": {"junior": 0, "middle": 1, "senior": 2},
}
# columns of the table of schools by the name that a region has for them
STAGED = {name: name for name in BY_STAGE} | {"degree_above": "teachers_above_degree"}
STOCKS = {
    "teaching_area": "teaching_area_m2",
    "sports_area": "sports_area_m2",
    "equipment": "equipment_yuan",
    "multimedia_rooms": "multimedia_rooms",
    "music_rooms": "music_rooms",
    "art_rooms": "art_rooms",
    "floor_area": "floor_area_m2",
    "grade_c_area": "grade_c_m2",
}
SHARED = ("teaching_area", "sports_area", "equipment", "multimedia_rooms")  # with senior pupils, by the rule
USED = {
    "school", "stage", "kind", "pupils", "primary_pupils", "junior_pupils", "senior_pupils", "setting", "town_seat",
    "x_km", "y_km", "lon", "lat", "boarding", "role", "indoor_sports_m2", *LABELS, *STOCKS.values(),
    *(f"{stage}{name}" for name in STAGED.values() for stage in ("", "primary_", "junior_")),
}  # fmt: skip

Floats = NDArray[np.float64]
At = dict[tuple[str, str], int]  # row of a school by district and name


@dataclass
class Told:
    """What the tables tell, what they tell that a region has no place for, and what should be known about them."""

    tables: Tables
    reads: list[Read]
    unused: dict[str, list[str]]  # columns by table
    derived: dict[str, int] = field(default_factory=dict)  # values of a column that were divided between stages
    notes: list[Words] = field(default_factory=list)


def read_told(
    schools: Path,
    teachers: Path | None = None,
    flows: Path | None = None,
    sheet: str | None = None,
) -> Told:
    """What the tables tell. Raises TableError with every fault of every file, InputError where one is no table."""
    found: list[Any] = []

    def school_faults(read: Read) -> list[Fault]:
        held = _Schools(read)
        found[:] = [held] if held.n else []
        return held.faults

    errors: list[TableError] = []
    reads: list[Read] = []
    notes: list[Words] = []

    def take(path: Path, table: str, sheet: str | None, check: Callable[[Read], list[Fault]]) -> None:
        try:
            read = read_table(path, table_spec(table), sheet or _sheet_of(path, table), check=check)
        except TableError as error:
            errors.append(error)
        else:
            reads.append(read)
            notes.extend(read.notes)

    take(schools, "schools", sheet, school_faults)
    if not found:
        raise TableError.together(errors)
    told: _Schools = found[0]
    if teachers is not None:
        take(teachers, "teachers", None, lambda read: list(_staff(read, told)))
    if flows is not None:
        take(flows, "flows", None, lambda read: list(_flows(read, told)))
    if errors:
        raise TableError.together(errors)
    unused = {r.spec.name: [c for c in r.columns if r.spec.name == "schools" and c not in USED] for r in reads}
    return Told(told.tables, reads, unused, told.divided, [*notes, *told.notes])


def _sheet_of(path: Path, table: str) -> str | None:
    """The sheet of a workbook that has more columns of a table than any other; None where none stands out.

    The template holds schools, teachers and flows in one workbook, and all of them have a school and a stage.
    """
    found = [(len(head.columns), held.name) for held in sheets(path) if (head := _head(held, table_spec(table)))]
    best = max(found, default=(0, ""))
    return best[1] if best[1] and [count for count, _ in found].count(best[0]) == 1 else None


class _Schools:
    """The table of schools, school by school."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.faults: list[Fault] = list(school_table.row_faults(read))
        self.notes: list[Words] = []
        self.divided: dict[str, int] = {}
        self.at: At = {}
        self.row: list[int] = []  # first row of the table for each school
        others = 0
        rows: list[tuple[int, int]] = []  # school, row of the table
        stage, name, keys = read.text("stage"), read.text("school"), school_table.key(read)
        for i in range(read.n):
            if stage[i] == "other":
                others += 1
            elif stage[i] and name[i]:
                if keys[i] not in self.at:
                    self.at[keys[i]] = len(self.at)
                    self.row.append(i)
                rows.append((self.at[keys[i]], i))
        if others:
            self.notes.append(Words(f"{others} rows of other stages left out", f"略去 {others} 行其他学段"))
        self.n = len(self.at)
        self.rows = rows
        if not rows:
            if not self.faults and not read.wrong("stage").any():
                none = Words("no primary or junior school", "没有小学或初中")
                self.faults.append(Fault(none, Words("schools of both stages", "两学段的学校"), read.sheet))
            return
        self._read_schools()
        if self.senior.any():
            n, pupils = int((self.senior > 0).sum()), int(self.senior.sum())
            en = (
                f"{n} schools teach {pupils:,} senior pupils: these are not in the region, and of facilities it has the"
            )
            en += " compulsory part (1 : 1.1 : 1.32)"
            zh = f"{n} 所学校有高中学生 {pupils:,} 人：区域不含高中，设施只计义务教育部分（1:1.1:1.32）"
            self.notes.append(Words(en, zh))
        self.notes += school_table._notes(read)

    def fault(self, i: int, column: str, found: Words, expected: Words, nearest: str | None = None) -> None:
        """Tell a fault of a cell, unless the cell has one already."""
        if not self.read.wrong(column)[i]:
            self.faults.append(self.read.fault(i, column, found, expected, nearest))

    def number(self, name: str) -> Floats:
        return self.read.number(name)

    def parts(self, i: int) -> tuple[int, ...]:
        """The stages that a row tells of: 0 primary, 1 junior, 2 senior."""
        return school_table.PARTS[str(self.read.text("stage")[i])]

    def taught(self, i: int) -> NDArray[np.bool_]:
        """Which of primary and junior a row tells of."""
        return np.isin(np.arange(2), self.parts(i))

    def _read_schools(self) -> None:
        self._lengths()
        self._not_too_many()
        self.pupils, self.has = np.zeros((self.n, 2), np.int64), np.zeros((self.n, 2), bool)
        self.senior = np.zeros(self.n)
        pupils = school_table.pupils(self.read)
        for school, i in self.rows:
            self.has[school] |= self.taught(i)
            self.pupils[school] += pupils[i, :2].astype(np.int64)
            self.senior[school] += pupils[i, 2]
        names, districts = ([str(self.read.text(column)[i]) for i in self.row] for column in ("school", "district"))
        often = Counter(name for _, name in self.at)
        twice = {name for name, (_, known) in zip(names, self.at, strict=True) if often[known] > 1}
        full = [f"{n}（{d}）" if n in twice else n for d, n in zip(districts, names, strict=True)]
        tables = Tables.of(full, self.pupils, has=self.has)
        self.tables = tables
        if twice:
            shown = "、".join(sorted(twice)[:3])
            self.notes.append(
                Words(f"names in several districts get the district: {shown}", f"重名学校加注县区：{shown}")
            )
        self._kinds()
        for label in LABELS:
            tables.labels[label] = self._one_text(label)
        for name, codes in (("setting", tables.setting), ("role", tables.lead)):
            codes[:] = [CODES[name].get(text, -1) for text in self._one_text(name)]
        for name, flags in (("town_seat", tables.town_seat), ("boarding", tables.boarding)):
            flags[:] = np.nan_to_num(self._one_number(name), nan=-1).astype(np.int64)
        self._places()
        for name, column in STAGED.items():
            tables.columns[name][:] = self._by_stage(name, column)
        for name, column in STOCKS.items():
            tables.columns[name][:] = self._stock(name, column)
        self._check_counts()

    def _lengths(self) -> None:
        for name, most in LONGEST.items():
            for i, text in enumerate(self.read.text(name)):
                if len(text) > most:
                    expected = Words(f"at most {most} letters", f"最多{most}个字")
                    self.fault(i, name, Words(f"{len(text)} letters", f"{len(text)}个字"), expected)

    def _not_too_many(self) -> None:
        everyone = school_table.pupils(self.read)[:, : school_table.SENIOR].sum()
        if everyone > MOST_PUPILS:
            found = Words(f"{everyone:,.0f} pupils", f"{everyone:,.0f}名学生")
            most = Words(f"at most {MOST_PUPILS:,}: one city or district", f"不超过{MOST_PUPILS:,}名：一个市或县区")
            raise TableError.of(str(self.read.path), [Fault(found, most, self.read.sheet)])

    def _kinds(self) -> None:
        """Who runs a school: as told, or what its stage says of it."""
        kind, stage = self.read.text("kind"), self.read.text("stage")
        for school, i in self.rows:
            own = str(kind[i]) or (str(stage[i]) if stage[i] in KINDS else "")
            if own:
                self.tables.kind[school] = KINDS[own]
        public = np.isin(self.tables.kind, [-1, int(Kind.DISTRICT)])  # untold ones are public
        for part, (zh, *_) in zip(STAGES, STAGE_WORDS.values(), strict=True):
            if self.has[:, part].any() and not self.has[public, part].any():
                en = f"no {part.name.lower()} school of kind district"
                one = Words("one or more: it takes whom no other admits", "至少一所：统筹安排未被录取的学生")
                self.faults.append(Fault(Words(en, f"没有公办{zh}"), one, self.read.sheet))

    # --- what is one for a school, though it may stand in several rows

    def _one_text(self, name: str) -> list[str]:
        held = [""] * self.n
        texts = self.read.text(name)
        spelt: dict[str, str] = {}  # 城关街道 and 城关 街道 are one town
        for school, i in self.rows:
            text = spelt.setdefault(same(str(texts[i])), str(texts[i]))
            if text and held[school] and name == "catchment":  # of each stage its own
                held[school] += f"、{text}"
            elif text and held[school] and held[school] != text:
                found = Words(f"{text!r}, and {held[school]!r} in another row", f"“{text}”，另一行为“{held[school]}”")
                self.fault(i, name, found, Words("one for a school", "同校各行一致"))
            held[school] = held[school] or text
        return held

    def _one_number(self, name: str) -> Floats:
        held = np.full(self.n, np.nan)
        values = self.number(name)
        for school, i in self.rows:
            if not np.isnan(values[i]) and not np.isnan(held[school]) and held[school] != values[i]:
                found = Words(
                    f"{values[i]:g}, and {held[school]:g} in another row", f"{values[i]:g}，另一行为{held[school]:g}"
                )
                self.fault(i, name, found, Words("one for a school", "同校各行一致"))
            held[school] = values[i] if np.isnan(held[school]) else held[school]
        return held

    def _places(self) -> None:
        """Kilometres as told, or from longitude and latitude: x = R·cos φ₀·Δλ, y = R·Δφ around the schools' mean."""
        x, y, lon, lat = (self._one_number(name) for name in ("x_km", "y_km", "lon", "lat"))
        for a, b, one, other in ((x, y, "x_km", "y_km"), (lon, lat, "lon", "lat")):
            for school in np.flatnonzero(np.isnan(a) != np.isnan(b)):
                missing = other if np.isnan(b[school]) else one
                there = missing if self.read.has(missing) else (one if missing == other else other)
                found = Words(f"{one if missing == other else other} alone", "只有一个坐标")
                self.fault(self.row[school], there, found, Words("both or none", "两个坐标都填或都不填"))
        if np.isfinite(x).any() and np.isfinite(lon).any():
            i = self.row[int(np.flatnonzero(np.isfinite(lon))[0])]
            found = Words("lon and lat beside x_km and y_km", "同时有经纬度与公里坐标")
            self.fault(i, "lon", found, Words("one or the other in the whole table", "全表只用一种"))
        self.tables.x_km[:], self.tables.y_km[:] = x, y
        told = np.isfinite(lon) & np.isfinite(lat)
        if told.any():
            self.tables.x_km[told], self.tables.y_km[told] = projected(lon[told], lat[told])

    # --- stocks and counts

    def _by_stage(self, name: str, column: str) -> Floats:
        """A count of each stage. A total of a school with both stages is divided by pupils."""
        held = np.full((self.n, 2), np.nan)
        whole, parts = self.number(column), [self.number(f"{s.name.lower()}_{column}") for s in STAGES]
        for school, i in self.rows:
            taught = self.taught(i)
            own = np.array([part[i] for part in parts])
            if taught.sum() == 1:
                s = int(np.argmax(taught))
                held[school, s] = whole[i] if np.isnan(own[s]) else own[s]
                continue
            if not np.isnan(whole[i]) and np.isnan(own).any():
                own = self._share(name, whole[i], own, school)
                if (own < 0).any():
                    found = Words(
                        f"{whole[i]:.0f} in all, less than one stage has", f"合计{whole[i]:.0f}，小于分学段数"
                    )
                    self.fault(i, column, found, Words("the sum of the stages", "各学段之和"))
                    continue
            elif not np.isnan(whole[i]) and whole[i] != own.sum():
                found = Words(
                    f"{whole[i]:.0f}, beside {own[0]:.0f} + {own[1]:.0f}",
                    f"{whole[i]:.0f}，而分学段为{own[0]:.0f}+{own[1]:.0f}",
                )
                self.fault(i, column, found, Words("their sum", "两者之和"))
            held[school] = own
        return held

    def _share(self, name: str, whole: float, own: Floats, school: int) -> Floats:
        self.divided[name] = self.divided.get(name, 0) + 1
        if np.isnan(own).all():
            weight = self.pupils[school] * (
                standard().split[:2] if name in ("teachers", "posts", *BY_TEACHERS) else 1.0
            )
            least = 1 if name in ("classes", "classrooms", "teachers") and whole >= 2 else 0
            return apportion(round(whole) - 2 * least, weight).astype(np.float64) + least
        return np.where(np.isnan(own), whole - np.nansum(own), own)

    def _stock(self, name: str, column: str) -> Floats:
        """A stock of a school: the sum of its rows; of complete and twelve-year schools the compulsory part."""
        held = np.full(self.n, np.nan)
        values, indoor = self.number(column), self.number("indoor_sports_m2")
        for school, i in self.rows:
            value = values[i]
            if name == "teaching_area" and not np.isnan(indoor[i]) and not np.isnan(value):
                value -= indoor[i]
            if not np.isnan(value):
                held[school] = value + (0.0 if np.isnan(held[school]) else held[school])
        if name in SHARED and self.senior.any():
            weight = np.column_stack([self.pupils, self.senior]) * standard().split
            whole = np.maximum(weight.sum(axis=1), 1e-12)
            held = np.where(self.senior > 0, held * weight[:, :2].sum(axis=1) / whole, held)
            self.divided[name] = int((self.senior > 0).sum())
        return held

    def _check_counts(self) -> None:
        """Counts that cannot stand beside each other."""
        told = self.tables.columns
        rules = [(name, "teachers") for name in (*BY_TEACHERS,)] + [("boarders", "pupils"), ("classes", "pupils")]
        for small, large in rules:
            most = self.pupils.astype(float) if large == "pupils" else told[large]
            for school, s in np.argwhere(told[small] > most):
                value, limit = told[small][school, s], most[school, s]
                what = "pupils" if large == "pupils" else "teachers"
                zh = "名学生" if large == "pupils" else "名教师"
                found = Words(
                    f"{value:.0f}, with {limit:.0f} {what} in the {STAGES[s].name.lower()} stage",
                    f"{value:.0f}，而该学段有{limit:.0f}{zh}",
                )
                row = self._row_of(int(school), int(s))
                column = self._column(STAGED[small], row, int(s))
                self.fault(row, column, found, Words(f"at most {limit:.0f}", f"不大于{limit:.0f}"))
        for name in ("classes", "teachers"):
            for school, s in np.argwhere((told[name] < 1) & (self.pupils > 0)):
                found = Words(f"0 {name} in the {STAGES[s].name.lower()} stage", "0，而该学段有学生")
                row = self._row_of(int(school), int(s))
                self.fault(row, self._column(STAGED[name], row, int(s)), found, Words("1 or more", "至少1"))
        for school in np.flatnonzero(told["grade_c_area"] > told["floor_area"]):
            value, limit = told["grade_c_area"][school], told["floor_area"][school]
            found = Words(f"{value:g}, more than all floor, {limit:g}", f"{value:g}，大于校舍建筑面积{limit:g}")
            self.fault(self.row[school], "grade_c_m2", found, Words(f"at most {limit:g}", f"不大于{limit:g}"))

    def _row_of(self, school: int, stage: int) -> int:
        held = [i for row, i in self.rows if row == school]
        return next((i for i in held if self.taught(i)[stage]), held[0])

    def _column(self, column: str, row: int, stage: int) -> str:
        """The column in which a row tells a count of a stage: its own, or the plain one."""
        own = f"{STAGES[stage].name.lower()}_{column}"
        return own if not np.isnan(self.number(own)[row]) else column


def projected(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Kilometres east and north of the mean point: x = R·cos φ₀·Δλ, y = R·Δφ (equirectangular, R = 6371.0088 km).

    Distances between points of one prefecture (200 km) are right within 1 %.
    """
    centre = float(lat.mean())
    x = EARTH_KM * np.cos(np.radians(centre)) * np.radians(lon - lon.mean())
    return np.asarray(x), np.asarray(EARTH_KM * np.radians(lat - centre))


# --- teachers and flows


def _empty(read: Read) -> Iterator[Fault]:
    """Empty cells of the columns that a row cannot do without."""
    for name, column in read.spec.columns.items():
        if column.required:
            values = read.text(name) == "" if column.type == "text" else np.isnan(read.number(name))
            for i in np.flatnonzero(values & ~read.wrong(name)).tolist():
                yield read.fault(i, name, Words("an empty cell", "空单元格"), column.expected())


def _sections(read: Read, told: _Schools) -> tuple[NDArray[np.int64], list[Fault]]:
    """The section (2·school + stage) of each row, −1 where it has a fault."""
    by_name: dict[str, list[int]] = {}
    for (_, name), row in told.at.items():
        by_name.setdefault(name, []).append(row)
    by_name |= {same(full): [row] for row, full in enumerate(told.tables.name)}
    faults: list[Fault] = []
    at = np.full(read.n, -1, np.int64)
    known = Words("a school of the table of schools", "学校表中的学校")
    for i, (name, stage) in enumerate(zip(read.text("school"), read.text("stage"), strict=True)):
        rows = by_name.get(same(name), [])
        if not rows and name and not read.wrong("school")[i]:
            faults.append(
                read.fault(
                    i, "school", Words(repr(str(name)), f"“{name}”"), known, nearest_name(str(name), told.tables.name)
                )
            )
        elif len(rows) > 1:
            both = Words(f"{name!r}, the name of {len(rows)} schools", f"“{name}”，有{len(rows)}所同名学校")
            faults.append(
                read.fault(i, "school", both, Words("the name with its district, as 名称（县区）", "名称（县区）"))
            )
        elif rows:
            has = told.has[rows[0]]
            chosen = Stage[stage.upper()] if stage else Stage(int(has[1]))
            if not stage and has.all() and not read.wrong("stage")[i]:
                both = Words("no stage, at a school with both", "两学段学校未填学段")
                faults.append(
                    read.fault(
                        i, "stage" if read.has("stage") else "school", both, Words("primary or junior", "小学或初中")
                    )
                )
            elif not has[chosen]:
                absent = Words(f"{stage}, which the school has not", "学校没有的学段")
                faults.append(read.fault(i, "stage", absent, Words("a stage of the school", "该校的学段")))
            else:
                at[i] = rows[0] * 2 + chosen
    return at, faults


def _staff(read: Read, told: _Schools) -> Iterator[Fault]:
    """Faults of the table of teachers; writes what it tells into the tables."""
    yield from _empty(read)
    at, faults = _sections(read, told)
    yield from faults
    yield from _twice(read, [(str(name),) for name in read.text("teacher")], "teacher")
    columns: dict[str, Floats] = {}
    for name in STAFF:
        if name in CODES:
            columns[name] = np.array([CODES[name].get(str(text), np.nan) for text in read.text(name)], np.float64)
        else:
            columns[name] = read.number(name)
    limits = (
        ("experience", columns["age"] - 16, "age − 16", "年龄减16"),
        ("years_in_school", columns["experience"], "experience", "教龄"),
    )
    for name, most, en, zh in limits:
        for i in np.flatnonzero(columns[name] > most):
            found = Words(f"{columns[name][i]:.0f}", f"{columns[name][i]:.0f}")
            yield read.fault(
                int(i), name, found, Words(f"at most {most[i]:.0f} ({en})", f"不大于{most[i]:.0f}（{zh}）")
            )
    if (at < 0).any():
        return
    yield from _staff_counts(read, told, at, columns)
    told.tables.staff = {"section": at.tolist()} | {name: values.tolist() for name, values in columns.items()}


def _staff_counts(read: Read, told: _Schools, at: NDArray[np.int64], columns: dict[str, Floats]) -> Iterator[Fault]:
    """Counts of the table of schools beside those of the table of teachers; those untold are taken from it."""
    stated = told.tables.columns
    listed = np.bincount(at, minlength=2 * told.n)
    teachers = stated["teachers"].reshape(-1)
    flags = {
        "degree_above": columns["degree_above"],
        "backbone_teachers": np.where(np.isnan(columns["backbone"]), np.nan, columns["backbone"] > 0),
        "pe_art_teachers": np.where(np.isnan(columns["subject"]), np.nan, columns["subject"] > 0),
    }
    for one in np.flatnonzero(listed):
        first = int(np.flatnonzero(at == one)[0])
        if listed[one] > teachers[one]:
            yield _beside(read, first, "teacher", f"{listed[one]}", f"{teachers[one]:.0f}")
        if np.isnan(teachers[one]):
            teachers[one] = listed[one]
        for name, values in flags.items():
            counts, mine = stated[name].reshape(-1), values[at == one]
            sure, open_ = int(np.nansum(mine)), int(np.isnan(mine).sum() + teachers[one] - listed[one])
            if np.isnan(counts[one]) and not open_:
                counts[one] = sure
            elif not np.isnan(counts[one]) and not sure <= counts[one] <= sure + open_:
                column = {
                    "degree_above": "degree_above",
                    "backbone_teachers": "backbone",
                    "pe_art_teachers": "subject",
                }[name]
                yield _beside(read, first, column, f"{sure}", f"{counts[one]:.0f}")


def _beside(read: Read, i: int, column: str, here: str, there: str) -> Fault:
    name = read.text("school")[i]
    found = Words(f"{here} of {name} in this table", f"本表中{name}有{here}人")
    return read.fault(i, column, found, Words(f"{there}, as in the table of schools", f"{there}人，与学校表一致"))


def _flows(read: Read, told: _Schools) -> Iterator[Fault]:
    """Faults of the table of flows; writes what it tells into the tables."""
    yield from _empty(read)
    at, faults = _sections(read, told)
    yield from faults
    towns = [town for town, has in zip(told.tables.labels["town"], told.has[:, 0], strict=True) if town and has]
    spelt = {same(town): town for town in towns}
    home, pupils = [spelt.get(same(town), str(town)) for town in read.text("home_town")], read.number("pupils")
    yield from _twice(read, [(town, str(one)) for town, one in zip(home, at, strict=True)], "home_town")
    expected = Words("a town that has a primary school in the table of schools", "学校表中有小学的乡镇或街道")
    for i, town in enumerate(home):
        if town and town not in towns and not read.wrong("home_town")[i]:
            yield read.fault(i, "home_town", Words(repr(town), f"“{town}”"), expected, nearest_name(town, towns))
    if (at < 0).any() or np.isnan(pupils).any():
        return
    enrolled = told.pupils.reshape(-1)
    sent = np.bincount(at, pupils, enrolled.size)
    for one in np.flatnonzero(sent > enrolled):
        first = int(np.flatnonzero(at == one)[0])
        found = Words(
            f"{sent[one]:.0f} pupils of {read.text('school')[first]} in all",
            f"{read.text('school')[first]}合计{sent[one]:.0f}人",
        )
        yield read.fault(
            first, "pupils", found, Words(f"at most the {enrolled[one]} enrolled", f"不超过在校生数{enrolled[one]}")
        )
    everywhere = set(towns)
    for one in np.flatnonzero((sent > 0) & (sent < enrolled)):
        mine = at == one
        if everywhere <= {town for town, held in zip(home, mine, strict=True) if held}:
            first = int(np.flatnonzero(mine)[0])
            found = Words(
                f"{sent[one]:.0f} pupils in all, and every town named", f"合计{sent[one]:.0f}人，且已列出全部乡镇"
            )
            yield read.fault(first, "pupils", found, Words(f"all {enrolled[one]} enrolled", f"在校生数{enrolled[one]}"))
    told.tables.flows = {"section": at.tolist(), "home": home, "pupils": pupils.astype(np.int64).tolist()}


def _twice(read: Read, keys: list[tuple[str, ...]], column: str) -> Iterator[Fault]:
    seen: dict[tuple[str, ...], int] = {}
    for i, key in enumerate(keys):
        if key in seen and key[0]:
            first = int(read.row[seen[key]])
            yield read.fault(
                i,
                column,
                Words(f"{key[0]!r}, as in row {first}", f"“{key[0]}”，与第{first}行重复"),
                Words("each once", "每个一次"),
            )
        seen.setdefault(key, i)
