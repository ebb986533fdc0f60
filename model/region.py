"""A region: the columns of its places, schools, teachers, families, students, classes and networks.

A row is where an agent lies, its key (64 bit) is who it is. Students lie by cohort, the oldest first: they
leave from the front and enter at the end, so a grade is a slice. A family has one child at school here, so
row i of `families` is the family of row i of `students`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.rules import rule
from model.table import Table, column

FORMAT = 1  # of a saved region
NOBODY = -1
ALWAYS_OPEN = 9999  # `closed` of a school that stays


class Stage(IntEnum):
    """学段."""

    PRIMARY = 0
    JUNIOR = 1


class Setting(IntEnum):
    """城区, 镇区, 乡村, as the official statistics have it."""

    URBAN = 0
    TOWN = 1
    VILLAGE = 2


class Kind(IntEnum):
    """Who runs a school, and whether it is a whole one."""

    DISTRICT = 0
    MUNICIPAL = 1
    PRIVATE = 2
    TEACHING_POINT = 3
    SPECIAL = 4


class Subject(IntEnum):
    """Core subjects make a class's team; PE, music and art count in the official indicator."""

    CORE = 0
    PE = 1
    MUSIC = 2
    ART = 3


class Network(IntEnum):
    """How schools are tied."""

    GROUP = 0
    PAIR = 1
    COMMUNITY = 2
    COOPERATIVE = 3
    ZONE = 4


STAGES = tuple(Stage)
CLASS_CAP = rule("class_cap")  # pupils a class by the norm; levers may set others
TEAM = 3  # core teachers of a class (evidence.md 7)


class Districts(Table):
    """县区."""

    name_en = column("<U40", "English name")
    name_zh = column("<U20", "Chinese name")
    code = column("int32", "national statistical code, 0 where made up")
    ring = column("<U16", "central, suburban_ring, outer, binhai or empty")


class Towns(Table):
    """乡镇街道."""

    name_zh = column("<U20", "Chinese name")
    district = column("int32", "row in districts")
    setting = column("int8", "setting of its seat")
    x_km = column("float64", "east of the region's origin", "km")
    y_km = column("float64", "north of the region's origin", "km")


class Catchments(Table):
    """Residential areas (招生片区): the smallest place a family lives in, and who admits it by right."""

    key = column("uint64", "who it is")
    town = column("int32", "row in towns")
    district = column("int32", "row in districts")
    setting = column("int8", "urban, town or village")
    x_km = column("float64", "centre, east", "km")
    y_km = column("float64", "centre, north", "km")
    spread_km = column("float64", "standard deviation of homes around the centre, each way", "km")
    right = column("int32", "admission area at each stage: schools with the same number admit by right", "", (2,))
    share = column("float64", "share of its setting's entrants that live here", "share")
    part_of = column("int32", "catchment whose children it takes a part of, where part is above 0")
    part = column("float64", "of that catchment's entrants, those nearest to the school whose area it is", "share")
    surroundings = column("float64", "how far urban, town and village its surroundings are", "share", (3,))
    ses_place = column("float64", "what place adds to socio-economic status, standardised", "SD")
    ability_place = column("float64", "what place adds to ability, standardised", "SD")


class Schools(Table):
    """学校. Columns of shape (n, 2) are by stage; zero where the school has not that stage."""

    key = column("uint64", "who it is: made from its name")
    name = column("<U40", "name")
    district = column("int32", "row in districts")
    town = column("int32", "row in towns")
    setting = column("int8", "urban, town or village")
    town_seat = column("bool", "lies at the seat of its town (镇驻地)")
    kind = column("int8", "district, municipal, private, teaching point, special")
    boarding = column("bool", "takes boarders")
    x_km = column("float64", "east", "km")
    y_km = column("float64", "north", "km")
    opened = column("int16", "autumn it opened", "year")
    closed = column("int16", "autumn from which it is closed; 9999 while it stays", "year")
    has = column("bool", "teaches this stage", "", (2,))
    right = column("int32", "admission area whose families it admits by right; −1 none", "", (2,))
    zone = column("int32", "school zone (学区): which schools work together; −1 none")
    classrooms = column("int32", "rooms for classes", "rooms", (2,))
    posts = column("int32", "posts in force (编制)", "posts", (2,))
    posts_per_pupil = column("float64", "as it stood in the base year", "posts a pupil", (2,))
    pe_art_posts = column("int32", "of these for PE, music and art", "posts", (2,))
    enrolment = column("int32", "pupils on 1 September", "pupils", (2,))
    enrolment_lagged = column("int32", "pupils a year before", "pupils", (2,))
    # official stocks: taken as counted, they do not wear
    teaching_area = column("float64", "teaching and auxiliary rooms without indoor sports", "m2")
    sports_area = column("float64", "sports grounds and halls", "m2")
    equipment = column("float64", "book value of teaching equipment", "yuan")
    multimedia_rooms = column("float64", "networked multimedia classrooms", "rooms")
    music_rooms = column("int32", "music rooms", "rooms")
    art_rooms = column("int32", "art rooms", "rooms")
    floor_area = column("float64", "floor area of all buildings", "m2")
    grade_c_area = column("float64", "floor area appraised as grade C", "m2")
    condition = column("float64", "how well buildings and equipment serve: 1 as new; wears", "0–1")
    shared_sports = column("float64", "hired or shared sports area within a 10-minute walk", "m2")
    bought_lessons = column("float64", "PE and art lessons bought or lent (given away: below 0)", "full-time teachers")
    # what the school can do without its head
    practice_mean = column("float64", "level its practice reverts to", "management SD")
    practice = column("float64", "routines and methods", "management SD")
    leadership = column("float64", "of its head this year", "management SD")
    digital = column("float64", "share of lessons that use digital resources", "share")
    digital_since = column("int16", "autumn of first use; 0 never", "year")
    reputation = column("float64", "what families believe now, a year ago, two years ago", "SD of school means", (2, 3))
    score = column("float64", "mean score of the stage's last grade, less the base year's mean", "base SD", (2,))
    value_added = column("float64", "mean score beyond what intake predicts, last grade", "base SD", (2,))
    adequacy = column("float64", "facilities against the standard, 0–1, times condition", "index")
    satisfaction = column("float64", "share of families satisfied", "share", (2,))
    elite_share = column("float64", "probability of an elite senior-high place from this school", "share")
    wished = column("int32", "first wishes this year", "pupils", (2,))


class Teachers(Table):
    """教师."""

    key = column("uint64", "who it is: founder number, or applicant year × serial")
    post = column("int32", "school that holds the post (编制)")
    school = column("int32", "school taught in")
    stage = column("int8", "primary or junior")
    subject = column("int8", "core, PE, music, art")
    district_home = column("int32", "district it lives in")
    home_x = column("float64", "home, east", "km")
    home_y = column("float64", "home, north", "km")
    age = column("int16", "age on 1 September", "years")
    experience = column("int16", "completed years of teaching", "years")
    lasting = column("float64", "lasting part of effectiveness (hidden)", "teacher SD")
    practice = column("float64", "learnt part of effectiveness, which fades", "teacher SD")
    signal = column("float64", "what employers see besides effectiveness: standard normal", "SD")
    credential = column("float64", "what titles reward besides effectiveness: standard normal", "SD")
    leads = column("float64", "leadership if head", "management SD")
    is_head = column("bool", "head of the school taught in (校长)")
    degree_above = column("bool", "degree above the requirement")
    backbone = column("int8", "0 none, 1 district backbone, 2 municipal")
    title = column("int8", "0 junior, 1 middle, 2 senior")
    years_in_school = column("int16", "full years in this school since the clock last started", "years")
    weak_years = column("int16", "years served in weak or village schools", "years")
    away_until = column("int16", "autumn of return from rotation or secondment; 0 at home", "year")
    away_as = column("int8", "0 at home, 1 rotated, 2 seconded")
    moved = column("int16", "autumn of the last change of school", "year")
    compelled = column("bool", "away against its wish")
    stipend = column("float64", "stipend received this year", "yuan")


class Families(Table):
    """家庭: row i is the family of student i."""

    key = column("uint64", "who it is: birth cohort × catchment × serial")
    catchment = column("int32", "row in catchments: where it lives")
    origin = column("int32", "catchment it lived in when the child entered school")
    x_km = column("float32", "home, east", "km")
    y_km = column("float32", "home, north", "km")
    ses = column("float64", "socio-economic status", "SD")
    income = column("float32", "yearly household income", "yuan")
    local = column("bool", "local hukou")
    owns_home = column("bool", "owns its home in the catchment")
    taste_reputation = column("float32", "its weight on reputation, beside the common one", "factor")
    taste_distance = column("float32", "its dislike of distance, beside the common one", "factor")
    delay = column("int8", "how old its knowledge of reputation is when it hears late", "years")
    satisfaction = column("float32", "with the school this year", "share")


class Students(Table):
    """学生, oldest cohort first."""

    key = column("uint64", "who it is: its family's key")
    cohort = column("int16", "autumn of entry to grade 1", "year")
    grade = column("int8", "1…9")
    school = column("int32", "row in schools; −1 before the first admission")
    klass = column("int32", "row in classes; −1 before the first one")
    ability = column("float32", "what it learns a year by itself", "pupil SD a year")
    achievement = column("float64", "what it knows", "pupil SD")
    prior = column("float32", "score of its last test", "pupil SD")
    left_behind = column("bool", "parents work elsewhere")
    special = column("bool", "special educational needs")
    way_km = column("float32", "straight from home to school, as admitted", "km")
    boards = column("bool", "boards at school")
    school_years = column("int8", "years of 学籍 in this school", "years")
    wish = column("int32", "first wish at the last admission; −1 none")

    @property
    def family(self) -> NDArray[np.int32]:
        """Row of each student's family: its own row."""
        return np.arange(self.n, dtype=np.int32)


class Classes(Table):
    """班级 of this year, with the team of core teachers."""

    school = column("int32", "row in schools")
    stage = column("int8", "primary or junior")
    grade = column("int8", "1…9")
    cohort = column("int16", "cohort of its pupils", "year")
    number = column("int16", "its number in the grade of its school, from 0")
    size = column("int32", "pupils", "pupils")
    team = column("int32", "rows of its core teachers; −1 empty", "", (TEAM,))
    changed = column("float64", "share of the team that is new this year", "share")


class Networks(Table):
    """Ties of schools: a row is one member tied to one lead."""

    kind = column("int8", "group, pair, community, cooperative, zone")
    lead = column("int32", "row in schools")
    member = column("int32", "row in schools")
    since = column("int16", "first school year", "year")
    until = column("int16", "last school year", "year")
    card = column("int8", "0 none, 1 yellow, 2 red, 3 hatched")
    municipal = column("bool", "municipal level")
    integrated = column("bool", "one legal person (一体化)")
    score_at_start = column("float64", "member's score when it joined", "base SD")


class Cohorts(Table):
    """Entrants to grade 1 by the setting they live in, a row a year."""

    year = column("int16", "autumn of entry", "year")
    entrants = column("float64", "children who enter grade 1", "pupils", (3,))


@dataclass
class Scale:
    """The base year's scale: fixed at the end of the burn-in, so that nothing is re-standardised later."""

    score_mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    score_sd: NDArray[np.float64] = field(default_factory=lambda: np.ones(2))
    school_mean_sd: NDArray[np.float64] = field(default_factory=lambda: np.ones(2))
    adequacy_mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    adequacy_sd: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))


@dataclass
class Region:
    """Everything that is, at the end of school year `year`.

    `official` holds what the profile or the tables state about each school's stocks and counts and what the
    documents state as deficits; it binds when the region is built and again at the end of the burn-in.
    `facts` carries each figure with unit, range, kind (measured / derived / assumed) and source.
    """

    name: str
    title_en: str
    title_zh: str
    base_year: int  # the last school year before any scenario: its stocks are the given ones
    seed: int
    primary_grades: int = 6
    year: int = 0  # last school year lived
    burned_in: bool = False
    synthetic: bool = True
    districts: Districts = field(default_factory=Districts)
    towns: Towns = field(default_factory=Towns)
    catchments: Catchments = field(default_factory=Catchments)
    schools: Schools = field(default_factory=Schools)
    teachers: Teachers = field(default_factory=Teachers)
    families: Families = field(default_factory=Families)
    students: Students = field(default_factory=Students)
    classes: Classes = field(default_factory=Classes)
    networks: Networks = field(default_factory=Networks)
    cohorts: Cohorts = field(default_factory=Cohorts)
    scale: Scale = field(default_factory=Scale)
    prices: dict[str, float] = field(default_factory=dict)
    official: dict[str, Any] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def grades(self) -> tuple[int, int]:
        """How many grades each stage has: (6, 3), or (5, 4) where schooling is 5-4."""
        return self.primary_grades, 9 - self.primary_grades

    def stage_of_grade(self, grade: NDArray[Any]) -> NDArray[np.int64]:
        """Stage of each grade."""
        return (grade > self.primary_grades).astype(np.int64)

    def grade_rows(self, first: int, last: int) -> slice:
        """Rows of the students of grades `first`…`last`, which lie together."""
        rising, n = self.students.grade[::-1], self.students.n
        begin, end = np.searchsorted(rising, np.int8(last), "right"), np.searchsorted(rising, np.int8(first), "left")
        return slice(n - int(begin), n - int(end))

    def section_of_students(self) -> NDArray[np.int64]:
        """School × stage of each student as one number: 2·school + stage."""
        section = self.students.school.astype(np.int64) * 2
        section[self.grade_rows(self.primary_grades + 1, 9)] += 1
        return section

    def open_schools(self, year: int) -> NDArray[np.bool_]:
        """Which schools are open in a school year."""
        return (self.schools.opened <= year) & (year < self.schools.closed)

    def tables(self) -> dict[str, Table]:
        """The tables by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Table)}

    def copy(self) -> Region:
        """An independent region in the same state."""
        values: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Table):
                value = value.copy()
            elif isinstance(value, Scale):
                value = Scale(**{g.name: getattr(value, g.name).copy() for g in fields(value)})
            elif isinstance(value, dict):
                value = dict(value)
            elif isinstance(value, list):
                value = list(value)
            values[f.name] = value
        return Region(**values)

    def fingerprint(self) -> str:
        """A hash of every column and scalar: the same region, the same fingerprint."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps(self._scalars(), sort_keys=True, ensure_ascii=False).encode())
        for name, table in self.tables().items():
            for title, values in table.items():
                digest.update(f"{name}.{title}".encode())
                digest.update(np.ascontiguousarray(values).tobytes())
        for f in fields(self.scale):
            digest.update(getattr(self.scale, f.name).tobytes())
        return digest.hexdigest()

    def _scalars(self) -> dict[str, Any]:
        return {
            f.name: getattr(self, f.name) for f in fields(self) if not isinstance(getattr(self, f.name), Table | Scale)
        }

    def save(self, path: Path) -> None:
        """Write the region as columns (.npz, no pickle)."""
        arrays: dict[str, Any] = {
            f"{name}.{title}": values for name, table in self.tables().items() for title, values in table.items()
        }
        arrays |= {f"scale.{f.name}": getattr(self.scale, f.name) for f in fields(self.scale)}
        arrays["scalars"] = np.array(json.dumps({"format": FORMAT, **self._scalars()}, ensure_ascii=False))
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Region:
        """Read what `save` wrote. Raises ValueError when the file is not a saved region of this format."""
        with np.load(path, allow_pickle=False) as arrays:
            if "scalars" not in arrays:
                raise ValueError(f"{path}: not a saved region")
            scalars = json.loads(str(arrays["scalars"]))
            if scalars.pop("format") != FORMAT:
                raise ValueError(f"{path}: saved by another version of the format")
            region = cls(**scalars)
            for name, table in region.tables().items():
                columns = {title: arrays[f"{name}.{title}"] for title in table.COLUMNS}
                setattr(region, name, type(table).from_columns(columns))
            region.scale = Scale(**{f.name: arrays[f"scale.{f.name}"] for f in fields(Scale)})
        return region
