"""The village, one object at a time: the whole school year of docs/ODD.md in plain Python and Mesa.

Read this first. It says what the model does with schools, teachers, families and students that one can point
at, slowly and without arrays; `model/` does the same for a million pupils at once. `test_village.py` lets the
two live side by side and asks them to agree. It is written from docs/ODD.md alone, so that a mistake in
either shows; section numbers below are those of the ODD.

    village = Village(region, policy, behaviour, seed=1)
    village.step()  # one school year, the steps in the order of ODD section 3

Only the starting state (a settled region), the declarations of the levers, the values of behaviour and the
norms are taken from `model/`. Every agent carries the columns of ODD section 2 under their own names; where a
column holds the row of another table, an agent holds the other agent itself.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import mesa
from numpy.random import SeedSequence

from model.behaviour import Behaviour
from model.draws import Decision
from model.levers import (
    Admission,
    BackbonePipeline,
    Budget,
    BundledEvaluation,
    CapacityAward,
    Caps,
    CareerRules,
    CooperativeSchools,
    DigitalResources,
    EducationGroups,
    FacilityInvestment,
    FacilityMaintenance,
    HeadExchange,
    HiredVenues,
    InServiceDegrees,
    NewPlaces,
    NewSchools,
    PeArtRecruitment,
    Posts,
    PublicFunds,
    RegionalCommunities,
    SchoolMerging,
    SchoolZones,
    SeniorHighQuota,
    Stipend,
    StrongTown,
    TeacherPay,
    TeacherRotation,
    Training,
    UrbanRuralPairs,
)
from model.national_standard import INDICATORS, standard
from model.policy import Lever, Policy
from model.region import ALWAYS_OPEN, Kind, Network, Region, Schools, Setting, Stage, Subject
from model.rules import rule
from model.table import Table

T = TypeVar("T")
PRIMARY, JUNIOR = Stage.PRIMARY, Stage.JUNIOR
STAGES = (PRIMARY, JUNIOR)
ROTATED, SECONDED = 1, 2  # away_as
YELLOW, RED, HATCHED = 1, 2, 3  # card of a tie
FACILITIES = ("teaching_area", "sports_area", "equipment", "multimedia_rooms")
WEIGHT = (1.0, 1.1)  # of a primary and a junior pupil where stages share a facility
CORE_TEAM = 3


# ---------------------------------------------------------------------------------------------------------------
# Chance (ODD section 8): a draw has an address, so the same person draws the same number in every scenario
# ---------------------------------------------------------------------------------------------------------------

WORD = 2**64 - 1
A, B = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(word: int) -> int:
    """Stir 64 bits so that every bit moves every other."""
    word ^= word >> 30
    word = word * A & WORD
    word ^= word >> 27
    word = word * B & WORD
    return word ^ word >> 31


def key_of_name(name: str) -> int:
    """Who something is that is known by its name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def key_of_origin(*parts: int) -> int:
    """Who somebody is that is known by where it comes from."""
    word = len(parts)
    for part in parts:
        word = mix(word ^ mix(part + A & WORD))
    return word


@cache
def stream(seed: int, decision: int, year: int) -> int:
    return int(SeedSequence(seed, spawn_key=(decision, year)).generate_state(1, "uint64")[0])


class Chance:
    """The draws of one seed in one year."""

    def __init__(self, seed: int, year: int) -> None:
        self.seed, self.year = seed, year

    def word(self, decision: Decision, key: int, second: int | None = None) -> int:
        word = mix(key ^ stream(self.seed, int(decision), self.year))
        return word if second is None else mix(word ^ second)

    def uniform(self, decision: Decision, key: int, second: int | None = None) -> float:
        return ((self.word(decision, key, second) >> 12) + 0.5) * 2.0**-52

    def normal(self, decision: Decision, key: int, second: int | None = None) -> float:
        """The standardised number of ones among 32 coins and two digits."""
        word = self.word(decision, key, second)
        coins, digits = (word >> 32).bit_count(), (word >> 16 & 0xFFFF) + (word & 0xFFFF)
        return (digits * 2.0**-16 + coins - (17 - 2.0**-16)) / math.sqrt(8 + (1 - 2.0**-32) / 6)

    def gumbel(self, decision: Decision, key: int, second: int | None = None) -> float:
        return -math.log(-math.log(self.uniform(decision, key, second)))

    def order(self, decision: Decision, key: int) -> int:
        """A number to sort by."""
        return self.word(decision, key) >> 32


# ---------------------------------------------------------------------------------------------------------------
# Small tools (ODD 7, Conventions)
# ---------------------------------------------------------------------------------------------------------------


def single(x: float) -> float:
    """A number as a column in single precision keeps it."""
    return float(struct.unpack("f", struct.pack("f", x))[0])


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def above(x: float) -> float:
    """(x)⁺."""
    return max(x, 0.0)


def mean(values: Iterable[float], otherwise: float = 0.0) -> float:
    held = list(values)
    return math.fsum(held) / len(held) if held else otherwise


def median(values: Sequence[float]) -> float:
    return quantile(values, 0.5)


def quantile(values: Sequence[float], share: float) -> float:
    """By straight lines between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def spread(values: Sequence[float]) -> float:
    """Standard deviation."""
    centre = mean(values)
    return math.sqrt(mean((x - centre) ** 2 for x in values))


def km(a: Any, b: Any) -> float:
    """Straight distance of two who lie somewhere."""
    return math.sqrt((a.x_km - b.x_km) ** 2 + (a.y_km - b.y_km) ** 2)


def apportion(number: int, weights: Sequence[float]) -> list[int]:
    """Whole shares of a number: each its part rounded down, what is missing to the largest remainders."""
    weights = [above(w) for w in weights]
    whole = sum(weights)
    if number <= 0 or whole == 0:
        return [0] * len(weights)
    parts = [number * w / whole for w in weights]
    shares = [math.floor(part + 1e-9) for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda i: (shares[i] - parts[i], i))
    for i in by_remainder[: max(number - sum(shares), 0)]:
        shares[i] += 1
    return shares


def poisson_quantile(u: float, expected: float) -> int:
    """The least number of arrivals that is not exceeded with probability u."""
    number, chance = 0, math.exp(-expected)
    reached = chance
    while reached < u:
        number += 1
        chance *= expected / number
        reached += chance
    return number


def steps_of(rate: float, i: int) -> int:
    """How many of a rate fall to the i-th turn: ⌊rate·(i + 1)⌋ − ⌊rate·i⌋."""
    return math.floor(rate * (i + 1)) - math.floor(rate * i)


P = TypeVar("P", bound=Hashable)
S = TypeVar("S", bound=Hashable)


def deferred_acceptance(wishes: dict[P, list[S]], seats: dict[S, int], priority: Callable[[P, S], Any]) -> dict[P, S]:
    """Applicants propose in the order of their wishes; a place keeps those who come first in its priority.

    Who has not been kept anywhere is missing in the answer. Equal priorities keep the order of `wishes`.
    """
    rank = {applicant: i for i, applicant in enumerate(wishes)}
    held: dict[S, list[P]] = defaultdict(list)
    next_wish = dict.fromkeys(wishes, 0)
    free = list(wishes)
    while free:
        applicant = free.pop()
        if next_wish[applicant] >= len(wishes[applicant]):
            continue
        place = wishes[applicant][next_wish[applicant]]
        next_wish[applicant] += 1
        held[place].append(applicant)
        held[place].sort(key=lambda a: (priority(a, place), rank[a]))
        free += held[place][seats[place] :]
        del held[place][seats[place] :]
    return {applicant: place for place, kept in held.items() for applicant in kept}


def immediate_acceptance(wishes: dict[P, list[S]], seats: dict[S, int], priority: Callable[[P, S], Any]) -> dict[P, S]:
    """First wishes are settled for good, then second ones with what is left, and so on."""
    left, got = dict(seats), {}
    for turn in range(max(map(len, wishes.values()), default=0)):
        for place in seats:
            asking = [a for a, list_ in wishes.items() if a not in got and len(list_) > turn and list_[turn] == place]
            for applicant in sorted(asking, key=lambda a: priority(a, place))[: left[place]]:
                got[applicant] = place
                left[place] -= 1
    return got


# ---------------------------------------------------------------------------------------------------------------
# Places
# ---------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class District:
    """县区."""

    row: int
    name_en: str
    name_zh: str


@dataclass(eq=False)
class Town:
    """乡镇街道."""

    row: int
    name_zh: str
    district: District
    setting: int
    x_km: float
    y_km: float


@dataclass(eq=False)
class Catchment:
    """招生片区: the smallest place a family lives in."""

    row: int
    key: int
    district: District
    setting: int
    x_km: float
    y_km: float
    spread_km: float
    right: list[int]  # admission area at each stage
    share: float
    surroundings: list[float]
    ses_place: float
    ability_place: float
    part_of: Catchment | None = None  # whose children it takes a part of
    part: float = 0.0


@dataclass(eq=False)
class Klass:
    """班级: pupils of one grade and school, with a team of three core teachers."""

    school: School
    stage: int
    grade: int
    cohort: int
    number: int
    size: int
    team: list[Teacher | None]
    changed: float = 0.0


@dataclass(eq=False)
class Tie:
    """Two schools that work together in a network: one leads."""

    kind: int
    lead: School
    member: School
    since: int
    until: int
    card: int = 0
    municipal: bool = False
    integrated: bool = False
    score_at_start: float = 0.0

    def stands(self, year: int) -> bool:
        return self.since <= year <= self.until


# ---------------------------------------------------------------------------------------------------------------
# Agents
# ---------------------------------------------------------------------------------------------------------------


def row_of(table: Table, row: int) -> dict[str, Any]:
    """One row of a table as plain numbers, by column."""
    return {name: values[row].tolist() for name, values in table.items()}


class Agent(mesa.Agent):
    """Somebody with a key, whose attributes are the columns of its table (ODD section 2)."""

    key: int

    def __init__(self, village: Village, columns: dict[str, Any]) -> None:
        super().__init__(village)
        vars(self).update(columns)
        self.village = village


class School(Agent):
    """学校. Lists of two are by stage."""

    row: int
    name: str
    district: District
    town: Town
    setting: int
    town_seat: bool
    kind: int
    boarding: bool
    x_km: float
    y_km: float
    opened: int
    closed: int
    has: list[bool]
    right: list[int]
    zone: int
    classrooms: list[int]
    posts: list[int]
    posts_per_pupil: list[float]
    pe_art_posts: list[int]
    enrolment: list[int]
    enrolment_lagged: list[int]
    teaching_area: float
    sports_area: float
    equipment: float
    multimedia_rooms: float
    music_rooms: int
    art_rooms: int
    floor_area: float
    grade_c_area: float
    condition: float
    shared_sports: float
    bought_lessons: float
    practice_mean: float
    practice: float
    leadership: float
    digital: float
    digital_since: int
    reputation: list[list[float]]  # by stage: now, a year ago, two years ago
    score: list[float]
    value_added: list[float]
    adequacy: float
    satisfaction: list[float]
    elite_share: float
    wished: list[int]

    @property
    def stages(self) -> list[int]:
        return [stage for stage in STAGES if self.has[stage]]

    @property
    def village_school(self) -> bool:
        return self.setting == Setting.VILLAGE

    @property
    def standing(self) -> float:
        """Mean of what families believe of its stages."""
        return mean(self.reputation[stage][0] for stage in self.stages)

    @property
    def weak(self) -> bool:
        """A village school, or one whose scores are below the mean."""
        return self.village_school or sum(self.score) < 0

    @property
    def management(self) -> float:
        return self.leadership + self.practice

    @property
    def mean_score(self) -> float:
        return mean(self.score[stage] for stage in self.stages)

    @property
    def pupils(self) -> int:
        return sum(self.enrolment)

    def is_open(self, year: int) -> bool:
        return self.opened <= year < self.closed

    def shares_a_stage_with(self, other: School) -> bool:
        return any(self.has[stage] and other.has[stage] for stage in STAGES)

    def core_posts(self, stage: int) -> int:
        return self.posts[stage] - self.pe_art_posts[stage]


class Teacher(Agent):
    """教师."""

    post: School  # holds the post
    school: School  # taught in
    stage: int
    subject: int
    district_home: District
    home_x: float
    home_y: float
    age: int
    experience: int
    lasting: float
    practice: float
    signal: float
    credential: float
    leads: float
    is_head: bool
    degree_above: bool
    backbone: int
    title: int
    years_in_school: int
    weak_years: int
    away_until: int
    away_as: int
    moved: int
    compelled: bool
    stipend: float

    @property
    def core(self) -> bool:
        return self.subject == Subject.CORE

    @property
    def at_home(self) -> bool:
        return self.away_as == 0

    @property
    def power(self) -> float:
        """Teaching power: what lasts and what was learnt."""
        return self.lasting + self.practice

    @property
    def effectiveness(self) -> float:
        """Power, less what a move costs in its first year."""
        return self.power - (self.village.behaviour.mover_loss if self.moved == self.village.year else 0.0)

    @property
    def employers_view(self) -> float:
        rho = self.village.behaviour.employer_signal
        return rho * self.power + math.sqrt(1 - rho**2) * self.signal

    @property
    def titles_view(self) -> float:
        rho = self.village.behaviour.credential_signal
        return rho * self.lasting + math.sqrt(1 - rho**2) * self.credential

    def way_to(self, school: School) -> float:
        """Kilometres from home."""
        return math.sqrt((self.home_x - school.x_km) ** 2 + (self.home_y - school.y_km) ** 2)

    def moves_to(self, school: School, year: int) -> None:
        """Teach in another school: the clock of years starts anew."""
        self.school, self.moved, self.years_in_school = school, year, 0


class Family(Agent):
    """家庭."""

    catchment: Catchment
    origin: Catchment
    x_km: float
    y_km: float
    ses: float
    income: float
    local: bool
    owns_home: bool
    taste_reputation: float
    taste_distance: float
    delay: int
    satisfaction: float
    student: Student

    def moves_to(self, catchment: Catchment) -> None:
        """Move house, to the same place relative to the centre."""
        old, ratio = self.catchment, catchment.spread_km / self.catchment.spread_km
        self.x_km = single(catchment.x_km + ratio * (self.x_km - old.x_km))
        self.y_km = single(catchment.y_km + ratio * (self.y_km - old.y_km))
        self.catchment = catchment


class Student(Agent):
    """学生."""

    family: Family
    cohort: int
    grade: int
    school: School | None
    klass: Klass | None
    ability: float
    achievement: float
    prior: float
    left_behind: bool
    special: bool
    way_km: float
    boards: bool
    school_years: int
    wish: School | None

    @property
    def stage(self) -> int:
        return JUNIOR if self.grade > self.village.primary_grades else PRIMARY

    @property
    def home(self) -> float:
        """What it learns a year by itself and at home."""
        b, place = self.village.behaviour, self.family.origin
        settings = zip(place.surroundings, b.by_setting("home_effect"), strict=True)
        return self.ability + b.ses_effect * self.family.ses + sum(share * effect for share, effect in settings)


# ---------------------------------------------------------------------------------------------------------------
# The village
# ---------------------------------------------------------------------------------------------------------------


class Village(mesa.Model):
    """Everything that is, and the year it lives. Agents of a type keep the order in which they came."""

    def __init__(self, region: Region, policy: Policy, behaviour: Behaviour, seed: int) -> None:
        super().__init__()
        self.policy, self.behaviour, self.seed_of_run = policy, behaviour, seed
        self.name, self.year, self.base_year = region.name, region.year, region.base_year
        self.region_seed, self.primary_grades = region.seed, region.primary_grades
        self.prices, self.rates = dict(region.prices), region.official["families"]
        self.cohorts = {int(y): e.tolist() for y, e in zip(region.cohorts.year, region.cohorts.entrants, strict=True)}
        scale = region.scale
        self.score_mean, self.score_sd = scale.score_mean.tolist(), scale.score_sd.tolist()
        self.school_mean_sd = scale.school_mean_sd.tolist()
        self.adequacy_mean, self.adequacy_sd = float(scale.adequacy_mean[0]), float(scale.adequacy_sd[0])
        self._read_places(region)
        self._read_people(region)
        self.put_new_schools_on_the_map()
        self.begin_year()
        self.year = region.year

    def _read_places(self, region: Region) -> None:
        d, t, c = region.districts, region.towns, region.catchments
        self.districts = [District(i, str(d.name_en[i]), str(d.name_zh[i])) for i in range(d.n)]
        self.towns = []
        for i in range(t.n):
            r = row_of(t, i)
            self.towns.append(Town(i, r["name_zh"], self.districts[r["district"]], r["setting"], r["x_km"], r["y_km"]))
        self.catchments = []
        for i in range(c.n):
            r = row_of(c, i)
            r.pop("town")
            whole, part = r.pop("part_of"), r.pop("part")
            place = Catchment(row=i, district=self.districts[r.pop("district")], part=part, **r)
            place.part_of = self.catchments[whole] if part > 0 else None
            self.catchments.append(place)

    def _read_people(self, region: Region) -> None:
        for i in range(region.schools.n):
            r = row_of(region.schools, i)
            School(self, r | {"row": i, "district": self.districts[r["district"]], "town": self.towns[r["town"]]})
        schools = self.schools
        for i in range(region.teachers.n):
            r = row_of(region.teachers, i)
            places = {"post": schools[r["post"]], "school": schools[r["school"]]}
            Teacher(self, r | places | {"district_home": self.districts[r["district_home"]]})
        teachers = self.teachers
        self.classes = []
        for i in range(region.classes.n):
            r = row_of(region.classes, i)
            team = [teachers[row] if row >= 0 else None for row in r["team"]]
            self.classes.append(Klass(**r | {"school": schools[r["school"]], "team": team}))
        for i in range(region.students.n):
            r = row_of(region.families, i)
            home = {"catchment": self.catchments[r["catchment"]], "origin": self.catchments[r["origin"]]}
            family = Family(self, r | home)
            r = row_of(region.students, i)
            family.student = Student(
                self,
                r
                | {
                    "family": family,
                    "school": schools[r["school"]] if r["school"] >= 0 else None,
                    "klass": self.classes[r["klass"]] if r["klass"] >= 0 else None,
                    "wish": schools[r["wish"]] if r["wish"] >= 0 else None,
                },
            )
        self.ties = []
        for i in range(region.networks.n):
            r = row_of(region.networks, i)
            self.ties.append(Tie(**r | {"lead": schools[r["lead"]], "member": schools[r["member"]]}))

    # the year --------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Live one school year."""
        self.begin_year()
        for part in THE_YEAR:
            part(self)

    def begin_year(self) -> None:
        """Open the books of the next year."""
        self.year += 1
        self.chance = Chance(self.seed_of_run, self.year)
        self.ledger: dict[tuple[str, str, str, str], float] = defaultdict(float)  # yuan by payer, receiver, lever, item
        self.notices: list[tuple[int, str]] = []  # (year, lever) that could not do what it says
        self.vacancies: dict[tuple[School, int], int] = {}
        self.posts_over: dict[tuple[School, int], int] = {}

    def pay(self, payer: str, receiver: str, lever: str, item: str, yuan: float) -> None:
        if yuan > 0:
            self.ledger[payer, receiver, lever, item] += yuan

    def say(self, lever: str) -> None:
        """A lever that cannot do what it says is named."""
        self.notices.append((self.year, lever))

    # who is there ----------------------------------------------------------------------------------------------

    @property
    def schools(self) -> list[School]:
        return list(self.agents_by_type[School])

    @property
    def teachers(self) -> list[Teacher]:
        return list(self.agents_by_type[Teacher])

    @property
    def students(self) -> list[Student]:
        return list(self.agents_by_type[Student])

    @property
    def families(self) -> list[Family]:
        return list(self.agents_by_type[Family])

    @property
    def open_schools(self) -> list[School]:
        return [school for school in self.schools if school.is_open(self.year)]

    def grades(self, stage: int) -> int:
        """How many grades a stage has."""
        return self.primary_grades if stage == PRIMARY else 9 - self.primary_grades

    def first_grade(self, stage: int) -> int:
        return 1 if stage == PRIMARY else self.primary_grades + 1

    def last_grade(self, stage: int) -> int:
        return self.primary_grades if stage == PRIMARY else 9

    def sections(self) -> list[tuple[School, int]]:
        """Every stage of every school."""
        return [(school, stage) for school in self.schools for stage in school.stages]

    def standing_ties(self, *kinds: int) -> list[Tie]:
        """Ties in force this year, of some kinds."""
        return [tie for tie in self.ties if tie.kind in kinds and tie.stands(self.year)]

    def cohort(self, year: int) -> list[float]:
        """Children of the table who enter grade 1, by setting; of the nearest year where it has none."""
        return self.cohorts[min(self.cohorts, key=lambda y: abs(y - year))]

    # what is in force (ODD section 6) --------------------------------------------------------------------------

    def in_force(self, kind: type[Lever], year: int | None = None) -> list[Any]:
        now = self.year if year is None else year
        return [e for e in self.policy.entries if isinstance(e, kind) and e.start <= now <= e.until]

    def one(self, kind: type[Lever], year: int | None = None) -> Any:
        """The entry of a lever that holds for the whole region."""
        held = self.in_force(kind, year)
        return held[0] if held else kind()

    def at(self, school: School, kind: type[Lever]) -> Any:
        """The entry of a lever that covers a school, or the neutral one."""
        return next((entry for entry in self.in_force(kind) if covers(entry, school)), kind())

    def places_of(self, entry: Lever) -> list[School]:
        """Open schools where an entry acts."""
        return [school for school in self.open_schools if covers(entry, school)]

    # new schools (ODD 7.3) -------------------------------------------------------------------------------------

    def put_new_schools_on_the_map(self) -> None:
        """Every school that a policy will open stands on the map from the start, closed."""
        built = self.schools
        for entry in self.policy.entries:
            if isinstance(entry, NewSchools):
                for names, has in (
                    (entry.primary, [True, False]),
                    (entry.junior, [False, True]),
                    (entry.nine_year, [True, True]),
                ):
                    for name in names:
                        self._put_on_the_map(name, has, entry.start, built)

    def _put_on_the_map(self, name_at_town: str, has: list[bool], opens: int, built: list[School]) -> None:
        name, _, town_name = name_at_town.partition("@")
        town = next(t for t in self.towns if t.name_zh == town_name)
        key, chance = key_of_name(f"{self.name}/{name}"), Chance(self.region_seed, 0)
        like = [s for s in built if s.setting == town.setting and s.district is town.district]
        level = mean(s.practice_mean for s in like)
        nothing: dict[str, Any] = {
            column: [0, 0] if declared.shape == (2,) else 0 for column, declared in Schools.COLUMNS.items()
        }
        school = School(
            self,
            nothing
            | {
                "row": len(self.schools),
                "key": key,
                "name": name,
                "district": town.district,
                "town": town,
                "setting": town.setting,
                "town_seat": town.setting == Setting.TOWN,
                "kind": int(Kind.DISTRICT),
                "boarding": False,
                "x_km": town.x_km + chance.normal(Decision.SCHOOL_EAST, key),
                "y_km": town.y_km + chance.normal(Decision.SCHOOL_NORTH, key),
                "opened": opens,
                "closed": ALWAYS_OPEN,
                "has": has,
                "right": [-1, -1],
                "condition": 1.0,
                "practice_mean": level,
                "practice": level,
                "reputation": [[0.0] * 3, [0.0] * 3],
            },
        )
        school.zone = min(built, key=lambda s: km(s, school)).zone


def covers(entry: Lever, school: School) -> bool:
    """Whether an entry of a lever acts at a school: all its conditions on places hold."""
    where = entry.where
    return (
        (not where.districts or bool({school.district.name_en, school.district.name_zh} & set(where.districts)))
        and (not where.towns or school.town.name_zh in where.towns)
        and (not where.settings or Setting(school.setting).name.lower() in where.settings)
        and (not where.schools or school.name in where.schools)
    )


def by_section(agents: Iterable[T]) -> dict[tuple[School, int], list[T]]:
    """Teachers or students by the school and stage they are in."""
    found: dict[tuple[School, int], list[T]] = defaultdict(list)
    for agent in agents:
        found[agent.school, agent.stage].append(agent)  # type: ignore[attr-defined]
    return found


def by_post(teachers: Iterable[Teacher]) -> dict[tuple[School, int], list[Teacher]]:
    """Teachers by the school and stage that holds their post."""
    found: dict[tuple[School, int], list[Teacher]] = defaultdict(list)
    for teacher in teachers:
        found[teacher.post, teacher.stage].append(teacher)
    return found


def need(v: Village, school: School, facility: str, pupils: Sequence[int] | None = None) -> float:
    """What a school must have of a facility; its stages share it, a junior pupil weighing a tenth more."""
    pupils = school.enrolment if pupils is None else pupils
    weighed = sum(n * w for n, w in zip(pupils, WEIGHT, strict=True))
    asked = [per_pupil(stage, facility) / WEIGHT[stage] for stage in STAGES if pupils[stage] > 0]
    return weighed * max(asked, default=0.0)


def per_pupil(stage: int, indicator: str) -> float:
    """What the national standard asks for each pupil."""
    return float(standard().per_pupil[stage, INDICATORS.index(indicator)])


# ---------------------------------------------------------------------------------------------------------------
# 1. Policy of the year
# ---------------------------------------------------------------------------------------------------------------


def policy_of_the_year(v: Village) -> None:
    """New schools draw their areas; whose right an area is; where a lever lacks what it needs."""
    for entry in v.in_force(NewSchools):
        for school in opening(v, entry):
            for stage in school.stages:
                draw_area(v, school, stage, rooms_of(entry)[stage] / v.grades(stage) * rule("class_cap")[stage])
    v.no_rights = set()  # sections that merge this year
    v.joined = [{}, {}]  # by stage: an area that gives its families the right of another one
    if v.one(Admission).rule == "multi_school_lottery":
        for stage in STAGES:
            first: dict[int, int] = {}
            for school in v.schools:
                if school.right[stage] >= 0 and school.zone >= 0:
                    v.joined[stage][school.right[stage]] = first.setdefault(school.zone, school.right[stage])
    if any(r.scope == "group" and r.share_of_eligible > 0 for r in v.in_force(TeacherRotation)):
        groups = any(g.coverage > 0 or g.count > 0 for g in v.in_force(EducationGroups))
        if not groups and not v.standing_ties(Network.GROUP):
            v.say("teacher_rotation")
    seconding = (
        any(e.seconded_per_pair > 0 for e in v.in_force(UrbanRuralPairs))
        or any(e.seconded_per_school > 0 for e in v.in_force(RegionalCommunities))
        or any(e.seconded_per_school > 0 for e in v.in_force(CooperativeSchools))
    )
    if any(s.who.startswith("seconded") and s.yuan_per_year > 0 for s in v.in_force(Stipend)) and not seconding:
        v.say("stipend")
    award = v.one(CapacityAward)
    places = any(not e.is_neutral() for e in (*v.in_force(NewPlaces), *v.in_force(NewSchools)))
    if award.yuan_per_primary_class + award.yuan_per_junior_class > 0 and not places:
        v.say("capacity_award")


def opening(v: Village, entry: NewSchools) -> list[School]:
    """Schools of an entry that open this year."""
    names = [name.partition("@")[0] for name in entry.names()]
    return [s for s in v.schools if s.name in names and s.opened == v.year]


def rooms_of(entry: NewSchools) -> tuple[int, int]:
    return entry.primary_classes, entry.junior_classes


def draw_area(v: Village, school: School, stage: int, one_grade: float) -> None:
    """Give a new school homes whose children fill one grade, and the name of its like."""
    area = 1 + max([c.right[stage] for c in v.catchments] + [s.right[stage] for s in v.schools])
    near = sorted((c for c in v.catchments if c.district is school.district), key=lambda c: km(c, school))
    cohort = v.cohort(v.year)
    children = {c: cohort[c.setting] * c.share for c in near}
    if stage == PRIMARY:
        split_off(v, school, children, one_grade, area)
    else:
        take_over(v, children, one_grade, area)
    school.right[stage] = area
    others = [s for s in v.open_schools if s.district is school.district and s.has[stage] and s.opened < v.year]
    like = [s for s in others if s.setting == school.setting] or others
    school.reputation[stage] = [mean(s.reputation[stage][0] for s in like)] * 3


def split_off(v: Village, school: School, children: dict[Catchment, float], one_grade: float, area: int) -> None:
    """The nearest catchments give up to half of their children: that part becomes a catchment of its own."""
    missing, number = one_grade, 0
    for giver, living in children.items():
        given = min(living / 2, missing)
        if given <= 0:
            continue
        missing -= given
        key = key_of_name(f"{v.name}/{school.name}/片区/{number}")
        number += 1
        own = {"row": len(v.catchments), "key": key, "right": [area, giver.right[JUNIOR]], "share": 0.0}
        v.catchments.append(Catchment(**vars(giver) | own | {"part_of": giver, "part": given / living}))


def take_over(v: Village, children: dict[Catchment, float], one_grade: float, area: int) -> None:
    """The nearest catchments change their junior area, unless they are the last of it."""
    got = 0.0
    for place, living in children.items():
        if place.part_of is not None:
            continue
        if got > 0 and got + living > one_grade:
            break
        if sum(c.right[JUNIOR] == place.right[JUNIOR] and c.part_of is None for c in v.catchments) > 1:
            place.right[JUNIOR] = area
            got += living
    for place in v.catchments:
        if place.part_of is not None:
            place.right[JUNIOR] = place.part_of.right[JUNIOR]


def right_of(v: Village, school: School, stage: int) -> int:
    """The area that a section admits by right this year."""
    area = school.right[stage]
    return -1 if (school, stage) in v.no_rights else v.joined[stage].get(area, area)


def has_right(v: Village, catchment: Catchment, school: School, stage: int) -> bool:
    area = catchment.right[stage]
    return v.joined[stage].get(area, area) == right_of(v, school, stage)


# ---------------------------------------------------------------------------------------------------------------
# 2. Demography
# ---------------------------------------------------------------------------------------------------------------


def demography(v: Village) -> None:
    """Grade 9 goes to senior high, everyone moves up, children enter, some families move to town."""
    for school in v.schools:
        school.enrolment_lagged = list(school.enrolment)
    senior_high(v)
    everyone_moves_up(v)
    children_enter(v)
    for grade in (1, v.first_grade(JUNIOR)):
        for student in v.students:
            if student.grade == grade and student.family.catchment.setting == Setting.VILLAGE:
                perhaps_moves_to_town(v, student.family)


def observed_score(v: Village, student: Student) -> float:
    """What a test shows of what a student knows."""
    error = v.score_sd[student.stage] * math.sqrt(1 - v.behaviour.test_reliability)
    return student.achievement + error * v.chance.normal(Decision.TEST_ERROR, student.key)


def senior_high(v: Village) -> None:
    """Elite places go to schools by quota, for their best with enough years there, and to the best of the rest."""
    lever, rate = v.one(SeniorHighQuota), v.behaviour.reputation_rate
    leavers = [s for s in v.students if s.grade == 9]
    exam = {s: observed_score(v, s) for s in leavers}
    for district in v.districts:
        schools = [s for s in v.schools if s.district is district]
        of_school = {s: [k for k in leavers if k.school is s] for s in schools}
        number = sum(len(k) for k in of_school.values())
        elite = round(v.behaviour.elite_places * number)
        weights = [len(of_school[s]) * (1 + lever.village_tilt * s.village_school) for s in schools]
        quotas = apportion(round(lever.share * elite), weights)
        won: list[Student] = []
        for school, quota in zip(schools, quotas, strict=True):
            able = [k for k in of_school[school] if k.school_years >= lever.enrolment_years]
            won += sorted(able, key=lambda k: -exam[k])[: min(quota, len(of_school[school]))]
        rest = [k for k in leavers if k.school is not None and k.school.district is district and k not in won]
        won += sorted(rest, key=lambda k: -exam[k])[: elite - len(won)]
        for school in schools:
            if of_school[school]:
                share = sum(k.school is school for k in won) / len(of_school[school])
                school.elite_share += rate * (share - school.elite_share)


def everyone_moves_up(v: Village) -> None:
    for student in v.students:
        if student.grade == 9:
            student.family.remove()
            student.remove()
    for student in v.students:
        student.grade += 1
        student.school_years += 1
    ended = []
    for klass in v.classes:
        klass.grade += 1
        if klass.grade > v.last_grade(klass.stage):
            ended.append(klass)
    leave_classes(v, ended)


def leave_classes(v: Village, ended: list[Klass]) -> None:
    """Classes end; their pupils have none."""
    v.classes = [klass for klass in v.classes if klass not in ended]
    for student in v.students:
        if student.klass in ended:
            student.klass = None


def children_enter(v: Village) -> None:
    for catchment, number in zip(v.catchments, children_of_the_year(v), strict=True):
        for serial in range(number):
            born(v, catchment, serial)
    entrants = [s.family for s in v.students if s.grade == 1]
    for part in v.catchments:
        if part.part_of is not None:
            settle_in_part(v, part, [f for f in entrants if f.catchment is part.part_of])


def settle_in_part(v: Village, part: Catchment, families: list[Family]) -> None:
    """The nearest to a new school live in the part of the catchment that is its own."""
    school = next(s for s in v.schools if s.right[PRIMARY] == part.right[PRIMARY])
    near = sorted(families, key=lambda f: km(f, school))
    for family in near[: round(part.part * len(families))]:
        family.catchment = part


def children_of_the_year(v: Village) -> list[int]:
    """How many enter from each catchment: Poisson around the table, from which each setting runs away."""
    walkers = [key_of_name(f"{v.name}/{walker}") for walker in ("cohorts", "URBAN", "TOWN", "VILLAGE")]
    run = [0.0] * 4
    for past in range(v.base_year + 1, v.year + 1):
        chance = Chance(v.seed_of_run, past)
        for i, walker in enumerate(walkers):
            run[i] += math.sqrt(0.5) * chance.normal(Decision.COHORT_TREND, walker)
    cohort = v.cohort(v.year)
    weights = [cohort[c.setting] * c.share for c in v.catchments]
    numbers = []
    for catchment, weight in zip(v.catchments, weights, strict=True):
        drift = math.exp(v.behaviour.cohort_uncertainty * (run[0] + run[1 + catchment.setting]))
        expected = sum(cohort) * weight / sum(weights) * drift
        numbers.append(poisson_quantile(v.chance.uniform(Decision.CHILDREN, catchment.key), expected))
    return numbers


def born(v: Village, place: Catchment, serial: int) -> None:
    """A child who enters grade 1, and its family."""
    b, rates, draw = v.behaviour, v.rates, v.chance
    key = key_of_origin(v.year, place.key, serial)

    def happens(decision: Decision, rate: str) -> bool:
        return draw.uniform(decision, key) < rates[rate][place.setting]

    own_ses, own_ability = draw.normal(Decision.SES, key), single(draw.normal(Decision.ABILITY, key))
    income = rates["income_ses"] * own_ses + rates["income_sd"] * draw.normal(Decision.INCOME, key)
    family = Family(
        v,
        {
            "key": key,
            "catchment": place,
            "origin": place,
            "x_km": single(place.x_km + place.spread_km * draw.normal(Decision.HOME_EAST, key)),
            "y_km": single(place.y_km + place.spread_km * draw.normal(Decision.HOME_NORTH, key)),
            "ses": math.sqrt(1 - b.ses_sorting**2) * own_ses + b.ses_sorting * place.ses_place,
            "income": single(rates["income_median"] * math.exp(income)),
            "local": happens(Decision.HUKOU, "local_hukou"),
            "owns_home": happens(Decision.OWNS_HOME, "owns_home"),
            "taste_reputation": single(math.exp(rates["taste_sd"] * draw.normal(Decision.TASTE_REPUTATION, key))),
            "taste_distance": single(math.exp(rates["taste_sd"] * draw.normal(Decision.TASTE_DISTANCE, key))),
            "delay": 1 if draw.uniform(Decision.KNOWS_LATE, key) < rates["delay"][0] else 2,
            "satisfaction": 0.0,
        },
    )
    ability = math.sqrt(1 - b.ability_sorting**2) * own_ability + b.ability_sorting * place.ability_place
    child = family.student = Student(
        v,
        {
            "key": key,
            "family": family,
            "cohort": v.year,
            "grade": 1,
            "school": None,
            "klass": None,
            "ability": single(b.ability_sd * ability),
            "prior": 0.0,
            "left_behind": happens(Decision.LEFT_BEHIND, "left_behind"),
            "special": happens(Decision.SPECIAL_NEEDS, "special"),
            "way_km": 0.0,
            "boards": False,
            "school_years": 0,
            "wish": None,
        },
    )
    child.achievement = child.home / (1 - b.persistence)


def perhaps_moves_to_town(v: Village, family: Family) -> None:
    """A village family may move to a town or the city of its district as its child enters a stage."""
    u = v.chance.uniform(Decision.TOWN_TO_CITY, family.key)
    if u >= v.behaviour.town_to_city:
        return
    cohort = v.cohort(v.year)
    towns = [c for c in v.catchments if c.district is family.catchment.district and c.setting != Setting.VILLAGE]
    whole = sum(c.share * cohort[c.setting] for c in towns)
    reached = 0.0
    for catchment in towns:
        reached += catchment.share * cohort[catchment.setting]
        if reached / whole >= u / v.behaviour.town_to_city:
            family.moves_to(catchment)
            return


# ---------------------------------------------------------------------------------------------------------------
# 3. Places
# ---------------------------------------------------------------------------------------------------------------


def places(v: Village) -> None:
    """Classrooms open where places are short, schools open on their date, small village schools merge."""
    for entry in v.in_force(NewPlaces):
        more_classrooms(v, entry)
    for entry in v.in_force(NewSchools):
        for school in opening(v, entry):
            build(v, entry, school)
    posts_of_new_schools(v)
    for entry in v.in_force(SchoolMerging):
        merge(v, entry)


def more_classrooms(v: Village, entry: NewPlaces) -> None:
    """By number, then by a share of those there, which grows in every district by itself."""
    here = v.places_of(entry)
    for stage in STAGES:
        open_classrooms(v, here, stage, (entry.primary_classes, entry.junior_classes)[stage])
    growing = []
    for district in v.districts:
        mine = [s for s in here if s.district is district]
        for stage in STAGES:
            growth = (entry.growth_primary, entry.growth_junior)[stage]
            growing.append((mine, stage, round(growth * sum(s.classrooms[stage] for s in mine))))
    for mine, stage, number in growing:
        open_classrooms(v, mine, stage, number)


def open_classrooms(v: Village, here: list[School], stage: int, number: int) -> None:
    """One after another where pupils are most for the rooms there are."""
    schools, size = [s for s in here if s.has[stage]], rule("class_cap")[stage]
    if not schools:
        return
    for _ in range(number):
        fullest = min(schools, key=lambda s: (-s.enrolment[stage] / (size * max(s.classrooms[stage], 1)), s.key))
        fullest.classrooms[stage] += 1
    v.pay("district", "construction", "new_places", "building", number * size * v.prices["place"])
    award_classrooms(v, stage, number)


def award_classrooms(v: Village, stage: int, number: int) -> None:
    award = v.one(CapacityAward)
    each = (award.yuan_per_primary_class, award.yuan_per_junior_class)[stage]
    v.pay("municipality", "district", "capacity_award", "award", number * each)


def build(v: Village, entry: NewSchools, school: School) -> None:
    """Rooms as the lever says, and stocks that just meet the standard."""
    for stage in school.stages:
        school.classrooms[stage] = rooms_of(entry)[stage]
    pupils = [rule("class_cap")[stage] * school.classrooms[stage] for stage in STAGES]
    for facility in FACILITIES:
        setattr(school, facility, need(v, school, facility, pupils))
    school.floor_area, school.condition = school.teaching_area, 1.0
    school.music_rooms = school.art_rooms = math.ceil(sum(school.classrooms) / rule("classes_per_art_room"))
    v.pay("district", "construction", "new_schools", "building", sum(pupils) * v.prices["place"])
    for stage in STAGES:
        award_classrooms(v, stage, school.classrooms[stage])


def growing(v: Village, school: School, stage: int) -> bool:
    """Whether a new school has not all grades of a stage yet."""
    return school.opened > v.base_year and school.is_open(v.year) and v.year < school.opened + v.grades(stage)


def posts_of_new_schools(v: Village) -> None:
    """Until its grades are full a new school has posts for its pupils and the next ones, beside the quota."""
    for school, stage in v.sections():
        if growing(v, school, stage):
            ratio = rule("pupils_per_post")[stage]
            coming = school.classrooms[stage] * rule("class_cap")[stage] / v.grades(stage)
            least = math.ceil((school.enrolment_lagged[stage] + coming) / ratio)
            school.posts[stage] = max(school.posts[stage], least)
            school.posts_per_pupil[stage] = 1 / ratio
            school.pe_art_posts[stage] = max(school.pe_art_posts[stage], least // 7)


def merge(v: Village, entry: SchoolMerging) -> None:
    """Small village schools off the town seat close; the nearest schools of the district inherit them."""
    closing = [
        s
        for s in v.places_of(entry)
        if s.village_school and not s.town_seat and 0 < sum(s.enrolment_lagged) < entry.below_pupils
    ]
    for school in closing:
        heirs = {}
        for stage in school.stages:
            able = [
                s
                for s in v.open_schools
                if s.kind == Kind.DISTRICT and s.district is school.district and s.has[stage] and s not in closing
            ]
            if able:
                heirs[stage] = min(able, key=lambda s: km(s, school))
        if len(heirs) < len(school.stages):
            v.say("school_merging")
            continue
        for stage, heir in heirs.items():
            inherit(v, school, stage, heir)
        school.closed = v.year
        for student in v.students:
            if student.school is school:
                student.school = student.klass = None


def inherit(v: Village, school: School, stage: int, heir: School) -> None:
    for catchment in v.catchments:
        if catchment.right[stage] == school.right[stage]:
            catchment.right[stage] = heir.right[stage]
    v.no_rights.add((school, stage))
    heir.classrooms[stage] += school.classrooms[stage]
    heir.posts[stage] += school.posts[stage]
    heir.pe_art_posts[stage] += school.pe_art_posts[stage]
    school.classrooms[stage] = school.posts[stage] = school.pe_art_posts[stage] = 0
    for teacher in v.teachers:
        if teacher.stage == stage:
            if teacher.post is school:
                teacher.post = heir
            if teacher.school is school:
                teacher.moves_to(heir, v.year)
                teacher.is_head = False


# ---------------------------------------------------------------------------------------------------------------
# 4. Networks
# ---------------------------------------------------------------------------------------------------------------

LEVER_OF = {
    Network.GROUP: EducationGroups,
    Network.PAIR: UrbanRuralPairs,
    Network.COMMUNITY: RegionalCommunities,
    Network.COOPERATIVE: CooperativeSchools,
    Network.ZONE: SchoolZones,
}


def networks(v: Village) -> None:
    """Ties end; groups are judged, hatch and form; pairs, communities, cooperative schools and zones form."""
    end_ties(v)
    for entry in v.in_force(EducationGroups):
        if entry.cards:
            give_cards(v, entry)
        if entry.incubation:
            hatch(v, entry)
        form_groups(v, entry)
        name_municipal(v, entry)
    for entry in v.in_force(UrbanRuralPairs):
        form_pairs(v, entry)
    for entry in v.in_force(RegionalCommunities):
        form_communities(v, entry)
    for entry in v.in_force(CooperativeSchools):
        form_cooperatives(v, entry)
    form_zones(v, v.one(SchoolZones))


def end_ties(v: Village) -> None:
    for tie in v.standing_ties(*Network):
        gone = not tie.lead.is_open(v.year) or not tie.member.is_open(v.year)
        dropped = all(entry.is_neutral() for entry in v.in_force(LEVER_OF[Network(tie.kind)]))
        if gone or (dropped and tie.since > v.base_year):
            tie.until = v.year - 1


def tie_schools(v: Village, kind: int, lead: School, member: School, integrated: bool = False) -> None:
    v.ties.append(Tie(kind, lead, member, v.year, ALWAYS_OPEN, integrated=integrated, score_at_start=member.mean_score))


def ripe(v: Village, tie: Tie) -> bool:
    """A tie of at least three years."""
    return v.year - tie.since >= 3


def gained(ties: list[Tie]) -> float:
    """What the scores of members gained since they joined."""
    return mean(tie.member.mean_score - tie.score_at_start for tie in ties)


def give_cards(v: Village, entry: EducationGroups) -> None:
    """A group without effect gets a yellow card, then a red one, with which it ends."""
    for lead in v.places_of(entry):
        ties = [t for t in v.standing_ties(Network.GROUP) if t.lead is lead and ripe(v, t)]
        if not ties:
            continue
        if gained(ties) > rule("no_effect"):
            for tie in ties:
                tie.card = 0
            continue
        warned = any(tie.card == YELLOW for tie in ties)
        for tie in ties:
            tie.card = RED if warned else YELLOW
            if warned:
                tie.until = v.year - 1
                lose_the_name(v, tie)


def lose_the_name(v: Village, tie: Tie) -> None:
    for stage in STAGES:
        if tie.lead.has[stage] and tie.member.has[stage]:
            gap = above(tie.lead.reputation[stage][0] - tie.member.reputation[stage][0])
            tie.member.reputation[stage][0] -= v.behaviour.halo * gap


def gain_the_name(v: Village, lead: School, member: School) -> None:
    """On joining a member gets part of its lead's name."""
    for stage in STAGES:
        if lead.has[stage] and member.has[stage]:
            gap = above(lead.reputation[stage][0] - member.reputation[stage][0])
            member.reputation[stage][0] += v.behaviour.halo * gap


def hatch(v: Village, entry: EducationGroups) -> None:
    """A member grown to a brand of its own leaves."""
    for tie in v.standing_ties(Network.GROUP):
        if ripe(v, tie) and tie.member.standing >= rule("grown_brand") and covers(entry, tie.lead):
            tie.card, tie.until = HATCHED, v.year - 1


def form_groups(v: Village, entry: EducationGroups) -> None:
    """Leads take members until as many schools as the lever asks for are inside groups."""
    left = {t.member for t in v.ties if t.kind == Network.GROUP and t.card in (RED, HATCHED)}
    eligible = [s for s in v.places_of(entry) if s.kind in (Kind.DISTRICT, Kind.MUNICIPAL) and s not in left]
    goal = entry.count * (entry.members + 1) if entry.count else round(entry.coverage * len(eligible))
    inside = {s for t in v.standing_ties(Network.GROUP) for s in (t.lead, t.member)}
    missing = goal - sum(s in inside for s in eligible)
    size = min(entry.members, entry.max_members)
    outside = [s for s in eligible if s not in inside]
    places = v.places_of(entry)
    leads = sorted({t.lead for t in v.standing_ties(Network.GROUP) if t.member in places}, key=lambda s: s.row)
    for lead in leads:
        missing -= take_members(v, entry, lead, outside, size, missing)
    for lead in sorted(outside, key=lambda s: (s.name not in entry.leads, -s.standing, s.key)):
        enough = entry.count > 0 and len(leads) >= entry.count
        if missing <= 0 or lead not in outside or enough:
            continue
        if missing == 1:  # one school too few for another group: a group takes it beside its members
            for other in leads:
                missing -= take_members(v, entry, other, outside, entry.max_members, missing)
            break
        taken = take_members(v, entry, lead, outside, size, missing - 1)
        if taken:
            outside.remove(lead)
            leads.append(lead)
            missing -= taken + 1
    if missing > 0:
        v.say("education_groups")


def take_members(
    v: Village, entry: EducationGroups, lead: School, outside: list[School], size: int, missing: int
) -> int:
    """A lead takes the schools that need it most and lie nearest; returns how many."""
    room = size - sum(t.lead is lead for t in v.standing_ties(Network.GROUP))
    able = [
        s
        for s in outside
        if s is not lead
        and s.name not in entry.leads
        and (entry.across_districts or s.district is lead.district)
        and (lead.name in entry.leads or s.standing <= lead.standing)
        and s.shares_a_stage_with(lead)
    ]

    def first(s: School) -> tuple[bool, float, int]:
        needy = s.standing < 0 or s.village_school or v.year - s.opened < 3
        return not needy, km(s, lead), s.key

    chosen = sorted(able, key=first)[: max(min(room, missing), 0)]
    for member in chosen:
        outside.remove(member)
        tie_schools(v, Network.GROUP, lead, member, entry.integrated)
        gain_the_name(v, lead, member)
    return len(chosen)


def name_municipal(v: Village, entry: EducationGroups) -> None:
    """The groups whose members gained most become municipal, one of every district first."""
    if entry.municipal <= 0:
        return
    ties = v.standing_ties(Network.GROUP)
    worth: dict[School, float] = {}
    for lead in v.places_of(entry):
        own = [t for t in ties if t.lead is lead and ripe(v, t) and t.card == 0]
        if own:
            worth[lead] = gained(own)
    ranked = sorted(worth, key=lambda s: (-worth[s], s.key))
    place = {s: [r for r in ranked if r.district is s.district].index(s) for s in ranked}
    named = sorted(ranked, key=lambda s: place[s])[: entry.municipal]
    for tie in ties:
        if covers(entry, tie.lead):
            tie.municipal = tie.lead in named and ripe(v, tie) and tie.card == 0


def form_pairs(v: Village, entry: UrbanRuralPairs) -> None:
    """The weakest first are helped by the school with fewest pairs, then the nearest."""
    places = v.places_of(entry)
    needy = [s for s in places if s.kind == Kind.DISTRICT and (s.village_school or s.standing < -1)]
    helped = {t.member for t in v.standing_ties(Network.PAIR)}
    missing = round(entry.coverage * len(needy)) - sum(s in helped for s in needy)
    for school in sorted((s for s in needy if s not in helped), key=lambda s: s.standing):
        if missing <= 0:
            break
        able = [
            s
            for s in places
            if s.district is school.district
            and not s.village_school
            and s.standing > school.standing
            and s.shares_a_stage_with(school)
        ]
        if not able:
            continue
        pairs = {s: sum(t.lead is s for t in v.standing_ties(Network.PAIR)) for s in able}
        helper = min(able, key=lambda s: (pairs[s], km(s, school)))
        tie_schools(v, Network.PAIR, helper, school)
        missing -= 1


def form_communities(v: Village, entry: RegionalCommunities) -> None:
    """The best of one district are tied to the weakest of another."""
    for pair in entry.pairs:
        helper, helped = (next(d for d in v.districts if name in (d.name_en, d.name_zh)) for name in pair.split("-"))
        ties = v.standing_ties(Network.COMMUNITY)
        tied = sum(t.lead.district is helper and t.member.district is helped for t in ties)
        inside = {s for t in ties for s in (t.lead, t.member)}
        for stage in STAGES:
            free = [s for s in v.open_schools if s.has[stage] and s not in inside]
            number = (entry.schools_per_pair - tied + stage) // 2
            best = sorted((s for s in free if s.district is helper), key=lambda s: -s.standing)
            worst = sorted((s for s in free if s.district is helped), key=lambda s: s.standing)
            for lead, member in list(zip(best, worst, strict=False))[: max(number, 0)]:
                tie_schools(v, Network.COMMUNITY, lead, member)


def form_cooperatives(v: Village, entry: CooperativeSchools) -> None:
    """Until so many schools have a parent, the newest, then the weakest, are given one."""
    ties = v.standing_ties(Network.COOPERATIVE)
    tied = {t.member for t in ties}
    able = [s for s in v.places_of(entry) if s.kind == Kind.DISTRICT]
    missing = entry.count - sum(s in tied for s in able)
    waiting = sorted((s for s in able if s not in tied), key=lambda s: (-s.opened, s.standing))
    strong = quantile([s.standing for s in v.open_schools], rule("strong_school"))
    for school in waiting[: max(missing, 0)]:

        def fits(s: School, school: School = school) -> bool:
            return s.shares_a_stage_with(school) and s.standing > school.standing

        def first(s: School, school: School = school) -> tuple[bool, int, int, int]:
            runs = [t.member.district for t in v.standing_ties(Network.COOPERATIVE) if t.lead is s]
            return not school.name.startswith(s.name), runs.count(school.district), len(runs), s.key

        parents = [s for s in v.open_schools if s.kind == Kind.MUNICIPAL and fits(s)]
        parents = parents or [s for s in v.open_schools if s.standing >= strong and fits(s)]
        if not parents:
            continue
        parent = min(parents, key=first)
        tie_schools(v, Network.COOPERATIVE, parent, school)
        gain_the_name(v, parent, school)
        if school.opened == v.year:
            school.practice = max(school.practice, rule("cooperative_start") * parent.practice)


def form_zones(v: Village, lever: SchoolZones) -> None:
    """In the zones that work, the best school of each stage leads the others."""
    numbers = sorted({s.zone for s in v.schools if s.zone >= 0})
    for zone in numbers[: round(lever.coverage * len(numbers))]:
        ties = v.standing_ties(Network.ZONE)
        working = {s for t in ties for s in (t.lead, t.member)}
        for stage in STAGES:
            schools = [s for s in v.open_schools if s.zone == zone and s.has[stage]]
            idle = [s for s in schools if s not in working]
            if len(schools) < 2 or not idle:
                continue
            leads = [t.lead for t in v.standing_ties(Network.ZONE) if t.lead in schools]
            lead = leads[0] if leads else max(schools, key=lambda s: s.standing)
            for school in idle:
                if school is not lead:
                    tie_schools(v, Network.ZONE, lead, school)


# ---------------------------------------------------------------------------------------------------------------
# 5. Staffing
# ---------------------------------------------------------------------------------------------------------------


def staffing(v: Village) -> None:
    """A year older; retire, quit; posts; vacancies matched; heads, titles, backbones, degrees, lessons."""
    for teacher in v.teachers:
        a_year_older(v, teacher)
    going = [t for t in v.teachers if retires(v, t) or quits(v, t)]
    for teacher in going:
        leave_teaching(v, teacher)
    for teacher in v.teachers:
        teacher.compelled = teacher.compelled and not teacher.at_home
    posts_follow_pupils(v)
    for entry in v.in_force(PeArtRecruitment):
        more_pe_art_posts(v, entry)
    labour_market(v)
    appoint_heads(v)
    give_titles(v)
    for entry in v.in_force(BackbonePipeline):
        name_backbones(v, entry)
    gain_degrees(v)
    lessons_from_outside(v)


def a_year_older(v: Village, t: Teacher) -> None:
    t.age += 1
    t.experience += 1
    t.years_in_school += 1
    if t.school.weak:
        t.weak_years += 1
    if not t.at_home and t.away_until <= v.year:
        if t.post.is_open(v.year):
            t.school = t.post
        t.years_in_school = t.away_until = t.away_as = 0
        t.compelled = False


def pay_at(v: Village, school: School) -> float:
    return v.prices["teacher_pay"] * v.at(school, TeacherPay).ratio_to_civil_service


def supplement_at(v: Village, school: School) -> float:
    return v.at(school, TeacherPay).village_supplement if school.village_school else 0.0


def retention(v: Village, t: Teacher) -> float:
    """R: what extra pay above the threshold takes off leaving, in log-odds."""
    b = v.behaviour
    extra = (supplement_at(v, t.school) + t.stipend) / pay_at(v, t.school)
    return b.wage_retention * math.log(1 + above(extra - b.retention_threshold))


def retires(v: Village, t: Teacher) -> bool:
    if t.age >= rule("retirement_age"):
        return True
    return t.age >= 55 and v.chance.uniform(Decision.RETIRE, t.key) < v.behaviour.early_retirement


def quits(v: Village, t: Teacher) -> bool:
    b = v.behaviour
    odds = (
        logit(b.quit_rate)
        + b.commute * (t.way_to(t.school) - 10)
        - b.wage_retention * math.log(pay_at(v, t.school) / v.prices["teacher_pay"])
        + b.rotation_aversion * t.compelled
        - retention(v, t)
    )
    return v.chance.uniform(Decision.QUIT, t.key) < logistic(odds)


def leave_teaching(v: Village, t: Teacher) -> None:
    for klass in v.classes:
        klass.team = [None if member is t else member for member in klass.team]
    t.remove()


def posts_follow_pupils(v: Village) -> None:
    """Posts move toward where pupils are, inside the quota of each district."""
    lever = v.one(Posts)
    if lever.follow_enrolment == 0 and lever.quota_growth == 0:
        return
    for district in v.districts:
        due = posts_due(v, lever, [(s, stage) for s, stage in v.sections() if s.district is district])
        due = {section: posts for section, posts in due.items() if not growing(v, *section)}
        held = sum(school.posts[stage] for school, stage in due)
        total = round(held * (1 + lever.quota_growth))
        goal = []
        for (school, stage), posts in due.items():
            gap = total * posts / sum(due.values()) - school.posts[stage]
            goal.append(school.posts[stage] + lever.follow_enrolment * gap)
        for (school, stage), posts in zip(due, apportion(total, goal), strict=True):
            school.posts[stage] = posts
            school.pe_art_posts[stage] = min(school.pe_art_posts[stage], posts)


def posts_due(v: Village, lever: Posts, sections: list[tuple[School, int]]) -> dict[tuple[School, int], float]:
    """What pupils ask for: by the ratios of the base year, by one standard for all, or something between."""
    own, one = {}, {}
    for school, stage in sections:
        pupils, ratio = school.enrolment_lagged[stage], rule("pupils_per_post")[stage]
        own[school, stage] = (school.posts_per_pupil[stage] or 1 / ratio) * pupils
        one[school, stage] = pupils / ratio
    due = {}
    for school, stage in sections:
        alike = [section for section in sections if section[1] == stage]
        whole = sum(one[section] for section in alike)
        factor = sum(own[section] for section in alike) / whole if whole else 0.0  # as many posts as there are
        posts = (1 - lever.one_standard) * own[school, stage] + lever.one_standard * factor * one[school, stage]
        if school.enrolment_lagged[stage] < rule("small_school"):
            going_on = sum(k.school is school and k.stage == stage for k in v.classes)
            posts = max(posts, lever.small_school_posts * (going_on + 1))
        members = sum(t.lead is school for t in v.standing_ties(Network.GROUP))
        extra = v.at(school, EducationGroups).lead_posts * members / len(school.stages)
        due[school, stage] = posts + extra if school.is_open(v.year) and posts > 0 else 0.0
    return due


def more_pe_art_posts(v: Village, entry: PeArtRecruitment) -> None:
    """One after another a core post becomes one for PE and art where these are shortest."""
    for _ in range(entry.teachers):
        able = [(s, stage) for s in v.places_of(entry) for stage in s.stages if s.core_posts(stage) >= 2]
        if not able:
            v.say("pe_art_recruitment")
            return
        school, stage = min(
            able,
            key=lambda x: (
                x[0].pe_art_posts[x[1]] - x[0].enrolment_lagged[x[1]] * per_pupil(x[1], "pe_art_teachers"),
                x[0].key,
            ),
        )
        school.pe_art_posts[stage] += 1


def posts_of_kind(school: School, stage: int, core: bool) -> int:
    return school.core_posts(stage) if core else school.pe_art_posts[stage]


def labour_market(v: Village) -> None:
    """In each district, stage and kind, those who look and newcomers are matched with what is vacant."""
    seekers = {t for t in v.teachers if seeks(v, t)}
    surplus: set[Teacher] = set()
    vacant: dict[tuple[School, int, bool], int] = {}
    holders = by_post(v.teachers)
    for school, stage in v.sections():
        for core in (True, False):
            held = [t for t in holders[school, stage] if t.core == core]
            posts = posts_of_kind(school, stage, core)
            vacant[school, stage, core] = max(posts - len(held), 0) if school.is_open(v.year) else 0
            movable = [t for t in held if t.at_home and not t.is_head]
            last = sorted(movable, key=lambda t: (t.years_in_school, t.key))
            surplus.update(last[: max(len(held) - posts, 0)])
    for district in v.districts:
        for stage in STAGES:
            for core in (True, False):
                one_market(v, district, stage, core, seekers, surplus, vacant)
    holders = by_post(v.teachers)
    for school, stage in v.sections():
        over = len(holders[school, stage]) - school.posts[stage]
        v.vacancies[school, stage], v.posts_over[school, stage] = max(-over, 0), max(over, 0)


def seeks(v: Village, t: Teacher) -> bool:
    """Whether a teacher looks for another post."""
    if t.post.village_school and t.years_in_school >= t.experience:  # the first post
        if t.experience < v.one(CareerRules).newcomer_village_years:
            return False
        if t.experience - 1 < v.one(CareerRules, v.year - 1).newcomer_village_years:
            return True
    b = v.behaviour
    rate = b.transfer_rate_village if t.post.village_school else b.transfer_rate_other
    return v.chance.uniform(Decision.TRANSFER_WISH, t.key) < logistic(logit(rate) - retention(v, t))


@dataclass(eq=False)
class Newcomer:
    """Somebody who applies for a first post."""

    key: int
    number: int
    x_km: float
    y_km: float
    view: float  # what employers see
    lot: float  # by which villages get those who must come
    lasting: float
    signal: float


def one_market(
    v: Village,
    district: District,
    stage: int,
    core: bool,
    seekers: set[Teacher],
    surplus: set[Teacher],
    vacant: dict[tuple[School, int, bool], int],
) -> None:
    b = v.behaviour
    schools = [s for s in v.schools if s.district is district and s.has[stage] and s.is_open(v.year)]
    empty = {s: vacant[s, stage, core] for s in schools}
    if sum(empty.values()) == 0:
        return
    lookers = [
        t
        for t in v.teachers
        if (t in seekers or t in surplus)
        and t.at_home
        and not t.is_head
        and t.post.district is district
        and t.stage == stage
        and t.core == core
    ]
    seats = dict(empty)
    for t in lookers:
        if t not in surplus:
            seats[t.post] += 1
    offered = [s for s in schools if seats[s] > 0]
    short = max(sum(empty.values()) - sum(t in surplus for t in lookers), 0)
    number = math.ceil(math.floor(100 * b.applicants * short) / 100)
    newcomers = [newcomer(v, district, stage, core, i) for i in range(number)]
    wishes: dict[Any, list[School]] = {}
    for t in lookers:
        worth = {s: worth_of_post(v, t.key, t.way_to(s), s, stage) for s in {*offered, t.post}}
        liked = sorted(offered, key=lambda s: -worth[s])
        if t not in surplus:
            liked = [s for s in liked if s is not t.post and worth[s] > worth[t.post] + b.move_cost] + [t.post]
        wishes[t] = liked
    bound = v.one(CareerRules).newcomer_village_years > 0
    for n in newcomers:
        worth = {s: worth_of_post(v, n.key, km(n, s), s, stage) for s in offered}
        good = [s for s in offered if worth[s] > b.least_worth]
        wishes[n] = sorted(good, key=lambda s: (bound and not s.village_school, -worth[s]))

    def priority(applicant: Any, school: School) -> tuple[bool, float]:
        if isinstance(applicant, Newcomer):
            return True, -(applicant.lot if bound and school.village_school else applicant.view)
        return not (applicant not in surplus and applicant.post is school), -applicant.employers_view

    got = deferred_acceptance(wishes, seats, priority)
    for t in lookers:
        if t in got and got[t] is not t.post:
            t.post = got[t]
            t.moves_to(got[t], v.year)
    for n in newcomers:
        if n in got:
            hire(v, n, got[n], stage, core)


def worth_of_post(v: Village, key: int, way: float, school: School, stage: int) -> float:
    b = v.behaviour
    return (
        b.by_setting("amenity")[school.setting]
        + b.wage_attraction * math.log(1 + comes_with_post(v, school) / pay_at(v, school))
        + b.school_attraction * school.score[stage]
        - b.commute * way
        + b.post_noise * v.chance.normal(Decision.POST_TASTE, key, school.key)
    )


def comes_with_post(v: Village, school: School) -> float:
    """Supplement, and stipends for village posts as far as they reach the teacher."""
    stipend = v.at(school, Stipend)
    extra = supplement_at(v, school)
    if stipend.who == "village_posts" and school.village_school:
        extra += stipend.yuan_per_year * (stipend.passed_on if stipend.received_by == "sending_school" else 1)
    return extra


def newcomer(v: Village, district: District, stage: int, core: bool, number: int) -> Newcomer:
    draw, rho = v.chance, v.behaviour.employer_signal
    key = key_of_origin(v.year, 1000 + 4 * district.row + 2 * stage + (not core), number)
    towns = [t for t in v.towns if t.district is district]
    town = towns[math.floor(draw.uniform(Decision.TEACHER_HOME, key) * len(towns))]
    lasting, signal = draw.normal(Decision.TEACHER_LASTING, key), draw.normal(Decision.TEACHER_SIGNAL, key)
    return Newcomer(
        key,
        number,
        town.x_km + draw.normal(Decision.TEACHER_EAST, key),
        town.y_km + draw.normal(Decision.TEACHER_NORTH, key),
        rho * lasting + math.sqrt(1 - rho**2) * signal,
        draw.normal(Decision.NEWCOMER_LOT, key),
        lasting,
        signal,
    )


def hire(v: Village, n: Newcomer, school: School, stage: int, core: bool) -> None:
    draw = v.chance
    special = (Subject.PE, Subject.MUSIC, Subject.ART)[n.number % 3]
    Teacher(
        v,
        {
            "key": n.key,
            "post": school,
            "school": school,
            "stage": int(stage),
            "subject": int(Subject.CORE if core else special),
            "district_home": school.district,
            "home_x": n.x_km,
            "home_y": n.y_km,
            "age": math.floor(22 + 6 * draw.uniform(Decision.TEACHER_AGE, n.key)),
            "experience": 0,
            "lasting": n.lasting,
            "practice": 0.0,
            "signal": n.signal,
            "credential": draw.normal(Decision.TEACHER_CREDENTIAL, n.key),
            "leads": draw.normal(Decision.TEACHER_LEADERSHIP, n.key),
            "is_head": False,
            "degree_above": draw.uniform(Decision.TEACHER_DEGREE, n.key) < v.behaviour.newcomer_degree,
            "backbone": 0,
            "title": 0,
            "years_in_school": 0,
            "weak_years": 0,
            "away_until": 0,
            "away_as": 0,
            "moved": v.year,
            "compelled": False,
            "stipend": 0.0,
        },
    )


def appoint_heads(v: Village) -> None:
    b, asked = v.behaviour, v.one(CareerRules).head_weak_years
    for school in v.open_schools:
        here = [t for t in v.teachers if t.school is school]
        if any(t.is_head for t in here):
            continue
        able = [t for t in here if t.at_home]
        if able:

            def merit(t: Teacher) -> float:
                noise = v.chance.normal(Decision.HEAD_APPOINTMENT, t.key)
                served = asked > 0 and t.weak_years >= asked
                return b.credential_signal * t.leads + noise + t.title + 0.02 * t.experience + 10 * served

            min(able, key=lambda t: (-merit(t), t.key)).is_head = True
    set_leadership(v)


def set_leadership(v: Village) -> None:
    for school in v.schools:
        school.leadership = 0.0
    for t in v.teachers:
        if t.is_head:
            t.school.leadership = v.behaviour.leadership_sd * t.leads


def give_titles(v: Village) -> None:
    b, lever = v.behaviour, v.one(CareerRules)
    for t in v.teachers:
        u = v.chance.uniform(Decision.TITLE_AWARD, t.key)
        village_post = t.post.village_school
        factor = 1 + lever.village_titles * village_post
        served = village_post or t.weak_years >= lever.senior_title_weak_years
        if t.title == 0 and t.experience >= 5 and u < b.title_middle_rate * factor:
            t.title = 1
        elif t.title == 1 and t.experience >= 12 and served and u < b.title_senior_rate * factor:
            t.title = 2


def name_backbones(v: Village, entry: BackbonePipeline) -> None:
    """Some go to sections short of backbones, shortest first; the others to the best."""
    here = [t for t in v.teachers if covers(entry, t.school)]
    able = [t for t in here if t.backbone == 0 and t.experience >= 8 and t.title >= 1]
    merit = {t: t.titles_view + v.chance.normal(Decision.BACKBONE_AWARD, t.key) for t in able}
    number = entry.per_year + round(entry.share_per_year * len(here))
    reserved = round(entry.to_short_schools * number)
    have = by_section(t for t in v.teachers if t.backbone > 0)
    in_line: dict[Teacher, float] = {}
    for (school, stage), candidates in by_section(able).items():
        due = school.enrolment_lagged[stage] * per_pupil(stage, "backbone_teachers")
        lack = max(math.ceil(due - len(have[school, stage])), 0)
        for t in sorted(candidates, key=lambda t: -merit[t])[:lack]:
            in_line[t] = lack / due + 1e-6 * merit[t]
    named = sorted(in_line, key=lambda t: -in_line[t])[:reserved]
    rest = sorted((t for t in able if t not in named), key=lambda t: -merit[t])
    named += rest[: number - len(named)]
    if len(named) < number:
        v.say("backbone_pipeline")
    for t in named:
        t.backbone = 1
    yuan = len(named) * v.prices["backbone_training"]
    v.pay("district", "trainers", "backbone_pipeline", "training", yuan)


def gain_degrees(v: Village) -> None:
    gained_it = 0
    for t in v.teachers:
        share = v.at(t.school, InServiceDegrees).share_per_year
        if not t.degree_above and v.chance.uniform(Decision.IN_SERVICE_DEGREE, t.key) < share:
            t.degree_above = True
            gained_it += 1
    yuan = gained_it * v.prices["degree_course"]
    v.pay("district", "trainers", "in_service_degrees", "courses", yuan)


def lessons_from_outside(v: Village) -> None:
    """PE and art lessons bought where teachers are missing, and given by the lead of a group."""
    for school in v.schools:
        school.bought_lessons = 0.0
        if school.is_open(v.year):
            share = v.at(school, PeArtRecruitment).bought_lessons
            due = sum(school.enrolment_lagged[stage] * per_pupil(stage, "pe_art_teachers") for stage in STAGES)
            have = sum(t.school is school and not t.core for t in v.teachers)
            school.bought_lessons = share * above(due - have)
            yuan = school.bought_lessons * v.prices["bought_lesson"]
            v.pay("district", "providers", "pe_art_recruitment", "bought lessons", yuan)
    for entry in v.in_force(EducationGroups):
        for tie in v.standing_ties(Network.GROUP):
            if covers(entry, tie.lead):
                tie.member.bought_lessons += entry.shared_pe_art
                tie.lead.bought_lessons -= entry.shared_pe_art


# ---------------------------------------------------------------------------------------------------------------
# 6. Rotation
# ---------------------------------------------------------------------------------------------------------------


def rotation(v: Village) -> None:
    """Heads change places, groups exchange, teachers rotate, teachers are seconded."""
    for entry in v.in_force(HeadExchange):
        exchange_heads(v, entry)
    for entry in v.in_force(EducationGroups):
        exchange_in_groups(v, entry)
    for entry in v.in_force(TeacherRotation):
        rotate(v, entry)
    for entry in v.in_force(UrbanRuralPairs):
        second(v, entry, Network.PAIR, entry.seconded_per_pair, entry.term_years)
    for entry in v.in_force(RegionalCommunities):
        second(v, entry, Network.COMMUNITY, entry.seconded_per_school, entry.term_years)
    for entry in v.in_force(CooperativeSchools):
        second(v, entry, Network.COOPERATIVE, entry.seconded_per_school, rule("cooperation_term"))
    set_leadership(v)


def change_places_for_good(v: Village, a: Teacher, b: Teacher) -> None:
    a.post, b.post = b.post, a.post
    there, here = b.school, a.school
    a.moves_to(there, v.year)
    b.moves_to(here, v.year)


def exchange_heads(v: Village, entry: HeadExchange) -> None:
    for district in v.districts:
        for stage in STAGES:
            heads = [
                t
                for t in v.teachers
                if t.is_head and t.stage == stage and t.school.district is district and covers(entry, t.school)
            ]
            heads.sort(key=lambda t: -t.school.standing)
            half = len(heads) // 2
            number = min(round(entry.share_per_year * len(heads) / 2), half)
            upper = sorted(heads[:half], key=lambda t: -t.years_in_school)
            lower = sorted(heads[half:], key=lambda t: -t.years_in_school)
            for a, b in list(zip(upper, lower, strict=False))[:number]:
                change_places_for_good(v, a, b)


def let_go(v: Village, t: Teacher, helps: bool) -> float:
    """How late a sender lets a teacher go: the smallest first; evaluation with others makes a helper generous."""
    care = 2 * v.at(t.school, BundledEvaluation).weight * helps - 1
    chance = v.chance.normal(Decision.ROTATION_PICK, t.key)
    return -(care * t.employers_view + math.sqrt(1 - care**2) * chance)


def exchange_in_groups(v: Village, entry: EducationGroups) -> None:
    for lead in [s for s in v.schools if covers(entry, s)]:
        ties = [t for t in v.standing_ties(Network.GROUP) if t.lead is lead]
        if not ties:
            continue
        turn = v.year - min(t.since for t in ties)
        yearly = entry.managers_exchanged * rule("heads_of_managers")
        for j in range(math.floor(yearly * turn), math.floor(yearly * (turn + 1))):
            exchange_head_with(v, lead, ties[j % len(ties)].member)
        for i, tie in enumerate(ties):
            for stage in STAGES:
                pairs = steps_of(entry.teachers_exchanged, i)
                exchange_teachers(v, entry, lead, tie.member, stage, pairs)


def exchange_head_with(v: Village, lead: School, member: School) -> None:
    heads = [[t for t in v.teachers if t.is_head and t.school is s] for s in (lead, member)]
    if all(heads) and heads[0][0].stage == heads[1][0].stage:
        change_places_for_good(v, heads[0][0], heads[1][0])


def exchange_teachers(v: Village, entry: EducationGroups, lead: School, member: School, stage: int, pairs: int) -> None:
    def queue(school: School) -> list[Teacher]:
        able = [
            t for t in v.teachers if t.school is school and t.stage == stage and t.core and t.at_home and not t.is_head
        ]
        return sorted(able, key=lambda t: (entry.backbones_first and t.backbone == 0, let_go(v, t, school is lead)))

    for a, b in list(zip(queue(lead), queue(member), strict=False))[:pairs]:
        for t, to in ((a, member), (b, lead)):
            t.moves_to(to, v.year)
            t.away_until, t.away_as = v.year + 1, ROTATED


def offered(v: Village, t: Teacher, across: bool | None) -> float:
    """Stipends that await who goes: for rotation (None), or a secondment, perhaps across districts."""
    lever = v.at(t.school, Stipend)
    if across is None:
        counts = lever.who in ("rotated", "rotated_to_weak")
    else:
        counts = lever.who == "seconded" or (across and lever.who == "seconded_across")
    return lever.yuan_per_year * lever.passed_on if counts else 0.0


def volunteers(v: Village, t: Teacher, across: bool | None = None) -> bool:
    b, career = v.behaviour, v.one(CareerRules)
    title = t.title == 1 and t.weak_years < career.senior_title_weak_years
    head = career.head_weak_years > 0 and t.weak_years < career.head_weak_years and t.title >= 1
    odds = (
        -b.rotation_reluctance
        + b.wage_attraction * math.log(1 + offered(v, t, across) / v.prices["teacher_pay"])
        + b.title_incentive * (title + 0.5 * head)
    )
    return v.chance.uniform(Decision.ROTATION_VOLUNTEER, t.key) < logistic(odds)


def scope_of(v: Village, entry: TeacherRotation, school: School) -> int | None:
    """The number of what a school's teachers change places in."""
    if entry.scope == "district":
        return school.district.row
    if entry.scope == "zone":
        return school.zone if school.zone >= 0 else None
    kind = Network.GROUP if entry.scope == "group" else Network.COMMUNITY
    for tie in v.standing_ties(kind):
        if school in (tie.lead, tie.member):
            return tie.lead.row
    return None


def gives(v: Village, entry: TeacherRotation, school: School, stage: int) -> bool:
    """Whether a section is on the giving side."""
    if entry.direction == "urban_village":
        return not school.village_school
    if entry.direction == "any":
        return v.chance.uniform(Decision.NETWORK_ORDER, school.key) < 0.5
    others = [s for s in v.open_schools if s.district is school.district and s.has[stage]]
    return school.reputation[stage][0] > median([s.reputation[stage][0] for s in others])


def rotate(v: Village, entry: TeacherRotation) -> None:
    eligible = [
        t
        for t in v.teachers
        if t.years_in_school >= entry.eligible_after_years
        and not t.is_head
        and t.at_home
        and t.age < rule("retirement_age") - rule("exempt_before_retirement")
        and t.school.is_open(v.year)
        and covers(entry, t.school)
        and scope_of(v, entry, t.school) is not None
    ]
    if entry.share_of_eligible == 0:
        return
    markets: dict[tuple[int, int, bool], list[Teacher]] = defaultdict(list)
    for t in eligible:
        markets[scope_of(v, entry, t.school), t.stage, not t.core].append(t)  # type: ignore[index]
    asked, wanted = 0, dict.fromkeys(markets, 0)
    for district in v.districts:
        for stage in STAGES:
            mine = [m for m in sorted(markets) if m[1] == stage]
            numbers = [
                sum(t.school.district is district for t in markets[m]) * has_two_sides(v, entry, markets[m])
                for m in mine
            ]
            eligible_here = sum(t.school.district is district and t.stage == stage for t in eligible)
            pairs = math.ceil(entry.share_of_eligible * eligible_here / 2)
            asked += pairs
            for market, number in zip(mine, apportion(pairs, numbers), strict=True):
                wanted[market] += number
    done = sum(rotate_in(v, entry, markets[m], wanted[m]) for m in sorted(markets))
    if done < 0.95 * asked:
        v.say("teacher_rotation")


def has_two_sides(v: Village, entry: TeacherRotation, teachers: list[Teacher]) -> bool:
    return len({gives(v, entry, t.school, t.stage) for t in teachers}) == 2


def rotate_in(v: Village, entry: TeacherRotation, eligible: list[Teacher], wanted: int) -> int:
    """Teachers of two sides change places; backbones go first as far as asked, of the giving side before the other."""
    giving = [t for t in eligible if gives(v, entry, t.school, t.stage)]
    receiving = [t for t in eligible if t not in giving]
    pairs = min(wanted, len(giving), len(receiving))
    backbones = math.ceil(entry.backbone_share * 2 * pairs)
    going = take(v, giving, pairs, min(backbones, pairs), helps=True)
    coming = take(v, receiving, pairs, min(backbones - sum(t.backbone > 0 for t in going), pairs), helps=False)
    for side in (going, coming):
        side.sort(key=lambda t: v.chance.uniform(Decision.NETWORK_ORDER, t.key))
    willing = {t: volunteers(v, t) for t in going + coming}
    for a, b in zip(going, coming, strict=True):
        here, there = a.school, b.school
        for t, to in ((a, there), (b, here)):
            t.moves_to(to, v.year)
            t.compelled = not willing[t]
            if entry.keeps_post:
                t.away_until, t.away_as = v.year + entry.term_years, ROTATED
            else:
                t.post = to
    return pairs


def take(v: Village, side: list[Teacher], number: int, backbones: int, helps: bool) -> list[Teacher]:
    """So many of one side: first backbones as far as asked, then of who is left."""
    first = from_schools(v, [t for t in side if t.backbone > 0], helps)[: max(backbones, 0)]
    rest = from_schools(v, [t for t in side if t not in first], helps)
    return first + rest[: number - len(first)]


def from_schools(v: Village, able: list[Teacher], helps: bool) -> list[Teacher]:
    """In turn from the schools in proportion to whom they have, from each in its queue."""
    place: dict[Teacher, float] = {}
    for school in {t.school for t in able}:
        queue = sorted((t for t in able if t.school is school), key=lambda t: queueing(v, t, helps))
        for i, t in enumerate(queue):
            place[t] = (i + 0.5) / len(queue)
    return sorted(able, key=lambda t: (place[t], queueing(v, t, helps)))


def queueing(v: Village, t: Teacher, helps: bool, across: bool | None = None) -> tuple[bool, float]:
    """Volunteers first, each part in the order in which the sender lets go."""
    return not volunteers(v, t, across), let_go(v, t, helps)


def second(v: Village, entry: Any, kind: int, rate: float, term: int) -> None:
    """A lead lends teachers one way; their posts stay empty."""
    across = kind in (Network.COMMUNITY, Network.COOPERATIVE)
    ties = [t for t in v.standing_ties(kind) if covers(entry, t.member)]
    short = 0
    for i, tie in enumerate(ties):
        serving = sum(t.away_as == SECONDED and t.school is tie.member for t in v.teachers)
        wanted = steps_of(rate, i) - serving
        posts = sum(t.post is tie.lead for t in v.teachers)
        lent = sum(t.post is tie.lead and t.away_as == SECONDED for t in v.teachers)
        able = [
            t
            for t in v.teachers
            if t.school is tie.lead
            and t.core
            and t.at_home
            and not t.is_head
            and t.years_in_school >= rule("lent_after_years")
            and t.age < rule("retirement_age") - rule("exempt_before_retirement")
            and tie.member.has[t.stage]
        ]
        queue = sorted(able, key=lambda t: queueing(v, t, True, across))
        going = queue[: max(min(wanted, posts // 10 - lent), 0)]
        short += max(wanted, 0) - len(going)
        for t in going:
            t.compelled = not volunteers(v, t, across)
            t.moves_to(tie.member, v.year)
            t.away_until, t.away_as = v.year + term, SECONDED
    if short > 0:
        v.say(entry.NAME)


# ---------------------------------------------------------------------------------------------------------------
# 7. Admission
# ---------------------------------------------------------------------------------------------------------------


def admission(v: Village) -> None:
    """Every child without a place gets one: primary first, then junior."""
    for stage in STAGES:
        admit(v, stage)
    for school in v.schools:
        school.enrolment = [0, 0]
    for student in v.students:
        assert student.school is not None
        student.school.enrolment[student.stage] += 1


def admit(v: Village, stage: int) -> None:
    seekers = [s for s in v.students if s.stage == stage and (s.grade == v.first_grade(stage) or s.school is None)]
    rule_in_force = v.one(Admission).rule
    by_right = rule_in_force in ("single_catchment", "multi_school_lottery")
    room = places_of_schools(v, stage, seekers)
    right = {s: {x for x in room if has_right(v, s.family.catchment, x, stage)} for s in seekers}
    lists: dict[Student, list[School]] = {}
    for student in seekers:
        lists[student] = wishes_of(v, stage, student, right, by_right)
    order = lottery(v, seekers, rule_in_force)

    def priority(student: Student, school: School) -> int:
        family = student.family
        if rule_in_force == "merit":
            return order[student]
        rank = 3 if school not in right[student] else 2 - family.local - family.owns_home
        return rank * len(seekers) + order[student]

    if rule_in_force == "immediate_acceptance":
        got = immediate_acceptance(lists, room, priority)
    else:
        proximity = (v.one(Admission).proximity_primary, v.one(Admission).proximity_junior)[stage]
        got = assign(lists, room, right, priority, proximity if by_right else 0.0)
    place_who_is_left(v, stage, seekers, got, room)
    for student in seekers:
        enter(v, student, got[student])
    for school in v.schools:
        school.wished[stage] = sum(s.wish is school and s.grade == v.first_grade(stage) for s in seekers)


def places_of_schools(v: Village, stage: int, seekers: list[Student]) -> dict[School, int]:
    """Free seats: what free rooms take, and what the cap on the school leaves."""
    caps, seeking = v.one(Caps), set(seekers)
    class_cap = (caps.class_primary, caps.class_junior)[stage] or rule("large_class")[stage]
    room = {}
    for school in v.open_schools:
        if school.kind == Kind.SPECIAL or not school.has[stage]:
            continue
        running = sum(k.school is school and k.stage == stage for k in v.classes)
        rooms = max(school.classrooms[stage] - running, 0)
        if growing(v, school, stage):
            rooms = min(rooms, math.ceil(school.classrooms[stage] / v.grades(stage)))
        seats = rooms * class_cap
        cap = caps.nine_year if all(school.has) else caps.school
        if cap:
            staying = sum(
                s.school is school and s not in seeking and not (stage == PRIMARY and seeks_junior(v, s))
                for s in v.students
            )
            left = cap - staying
            if all(school.has) and stage == PRIMARY:
                left = left // 2
            seats = min(seats, max(left, 0))
        room[school] = seats
    return room


def seeks_junior(v: Village, student: Student) -> bool:
    return student.grade == v.first_grade(JUNIOR)


def considered(v: Village, stage: int, student: Student, right: set[School]) -> list[School]:
    """Schools where the family has the right, the nearest and the most famous ones of the district."""
    place = student.family.catchment
    here = [s for s in v.open_schools if s.has[stage] and s.kind != Kind.SPECIAL and s.district is place.district]
    near = sorted(here, key=lambda s: km(s, place))[: rule("nearest_schools")]
    famous = sorted(here, key=lambda s: -s.reputation[stage][0])[: rule("famous_schools")]
    return [s for s in here if s in near or s in famous or s in right]


def crossing_cost(v: Village, stage: int, student: Student) -> float:
    b = v.behaviour
    cost = b.crossing_cost - b.crossing_ses * student.family.ses
    if stage == JUNIOR:
        cost -= b.crossing_score * (student.prior - v.score_mean[PRIMARY]) / v.score_sd[PRIMARY]
    return above(cost)


def utility(v: Village, stage: int, student: Student, school: School) -> float:
    """What a family sees in a school, before the cost of crossing."""
    b, family = v.behaviour, student.family
    late = v.chance.uniform(Decision.HEARS_LATE, family.key) < b.knows_late
    believed = school.reputation[stage][family.delay if late else 0]
    weight = max(b.reputation_weight + b.reputation_ses * family.ses, 1e-9) * family.taste_reputation
    distance = b.by_stage("distance")[stage] * family.taste_distance
    value = weight * believed - distance * felt_distance(v, family, school)
    if stage == JUNIOR:
        value += b.elite_pull * school.elite_share
    return value + v.chance.gumbel(Decision.SCHOOL_CHOICE, family.key, school.key)


def has_bed(v: Village, family: Family, school: School) -> bool:
    share = v.at(school, StrongTown).boarding_share if school.town_seat else 0.0
    return v.chance.uniform(Decision.BED, family.key, school.key) < share


def felt_distance(v: Village, family: Family, school: School) -> float:
    bus = v.at(school, StrongTown).bus_km if school.town_seat else 0.0
    way = above(km(family, school) - bus)
    return min(way, rule("boards_from_km")) if has_bed(v, family, school) else way


def wishes_of(
    v: Village, stage: int, student: Student, right: dict[Student, set[School]], by_right: bool
) -> list[School]:
    """The family's list, best first; it may move house for the best school."""
    schools = considered(v, stage, student, right[student])
    plain = {s: utility(v, stage, student, s) for s in schools}
    cost = crossing_cost(v, stage, student) if by_right else 0.0
    value = {s: plain[s] - (0.0 if s in right[student] else cost) for s in schools}
    rightful = [plain[s] for s in schools if s in right[student]]
    best = max(schools, key=lambda s: plain[s])
    can_move = by_right and rightful and student.family.owns_home
    if can_move and plain[best] - max(rightful) > v.behaviour.house_move_cost:
        new_home = next((c for c in v.catchments if c.right[stage] == best.right[stage]), None)
        if new_home is not None:
            student.family.moves_to(new_home)
            right[student] = {best}
            value[best] = plain[best]
    ranked = sorted(schools, key=lambda s: -value[s])
    student.wish = ranked[0]
    return ranked


def lottery(v: Village, seekers: list[Student], rule_in_force: str) -> dict[Student, int]:
    """Everybody's place in the queue, from 1."""
    if rule_in_force == "merit":
        queue = sorted(seekers, key=lambda s: -s.achievement)
    else:
        queue = sorted(seekers, key=lambda s: v.chance.order(Decision.ADMISSION_LOTTERY, s.key))
    return {s: i for i, s in enumerate(queue, start=1)}


def assign(
    lists: dict[Student, list[School]],
    room: dict[School, int],
    right: dict[Student, set[School]],
    priority: Callable[[Student, School], int],
    proximity: float,
) -> dict[Student, School]:
    """Deferred acceptance; under proximity those without the right compete for few places of their own."""
    if proximity == 0:
        return deferred_acceptance(lists, room, priority)
    rate = (1 - proximity) / proximity
    seeking = {s: sum(s in right[k] for k in lists) for s in room}
    outside = {s: min(math.floor(seeking[s] * rate), max(room[s] - seeking[s], 0)) for s in room}
    while True:
        seats = {(s, True): room[s] - outside[s] for s in room} | {(s, False): outside[s] for s in room}
        wishes = {k: [(s, s in right[k]) for s in ranked] for k, ranked in lists.items()}
        got = deferred_acceptance(wishes, seats, lambda k, place: priority(k, place[0]))
        with_right = {s: sum(place == (s, True) for place in got.values()) for s in room}
        without = {s: sum(place == (s, False) for place in got.values()) for s in room}
        allowed = {s: math.floor(with_right[s] * rate) for s in room}
        if all(without[s] <= allowed[s] for s in room):
            return {k: place[0] for k, place in got.items()}
        outside = {s: min(outside[s], allowed[s]) for s in room}


def place_who_is_left(
    v: Village, stage: int, seekers: list[Student], got: dict[Student, School], room: dict[School, int]
) -> None:
    """The authority places them nearby, by lot."""
    order = lottery(v, seekers, "by lot")
    for nearest in (24, None):
        left = [s for s in seekers if s not in got]
        taken = list(got.values())
        spare = {s: room[s] - taken.count(s) for s in room if room[s] > taken.count(s)}
        if not left or not spare:
            break
        wishes = {}
        for student in left:
            family = student.family
            schools = [s for s in spare if s.kind == Kind.DISTRICT]

            def far(s: School, here: Any = family, family: Family = family) -> float:
                return km(s, here) + 1000 * (s.district is not family.catchment.district)

            if nearest is not None:
                schools = sorted(schools, key=lambda s: far(s, family.catchment))[:nearest]
            wishes[student] = sorted(schools, key=far)
        got.update(deferred_acceptance(wishes, spare, lambda s, _: order[s]))
    for student in seekers:
        if student not in got:
            family = student.family
            able = [s for s in room if s.kind == Kind.DISTRICT]
            got[student] = min(able, key=lambda s: km(s, family) + 1000 * (s.district is not family.catchment.district))


def enter(v: Village, student: Student, school: School) -> None:
    if student.school is not school:
        student.school_years = 1
    student.school, student.klass = school, None
    way = km(student.family, school)
    student.way_km = single(way)
    boarding = school.boarding or has_bed(v, student.family, school)
    student.boards = boarding and way > rule("boards_from_km")


# ---------------------------------------------------------------------------------------------------------------
# 8. Classes, learning, assessment
# ---------------------------------------------------------------------------------------------------------------


def classes(v: Village) -> None:
    """Movers are seated, large classes split, classes formed, teams completed."""
    fresh: set[Klass] = set()
    split: set[Klass] = set()
    seat_movers(v)
    split_grades = split_large_classes(v)
    form_classes(v, fresh, split, split_grades)
    for klass in v.classes:
        klass.size = 0
    for student in v.students:
        assert student.klass is not None
        student.klass.size += 1
    v.classes = [klass for klass in v.classes if klass.size > 0]
    complete_teams(v, fresh, split)


def class_cap_in_force(v: Village, stage: int) -> int:
    caps = v.one(Caps)
    return int((caps.class_primary, caps.class_junior)[stage])


def seat_movers(v: Village) -> None:
    """Pupils from closed schools join the classes of their grade, the smallest first."""
    running: dict[tuple[School, int], list[Klass]] = defaultdict(list)
    for klass in v.classes:
        running[klass.school, klass.grade].append(klass)
    movers: dict[tuple[School | None, int], list[Student]] = defaultdict(list)
    for student in v.students:
        if student.klass is None:
            movers[student.school, student.grade].append(student)
    pupils = [s.klass for s in v.students]
    for place, ordered in running.items():
        ordered.sort(key=pupils.count)
        for i, student in enumerate(sorted(movers[place], key=lambda s: s.key)):
            student.klass = ordered[i % len(ordered)]


def split_large_classes(v: Village) -> set[tuple[School, int]]:
    """Grades with a class above the cap are formed anew where rooms are free."""
    found: set[tuple[School, int]] = set()
    taken: dict[tuple[School, int], int] = defaultdict(int)
    pupils: dict[Klass | None, int] = defaultdict(int)
    waiting: dict[tuple[School | None, int], int] = defaultdict(int)
    for student in v.students:
        pupils[student.klass] += 1
        waiting[student.school, student.stage] += student.klass is None
    for school in v.schools:
        for grade in range(1, 10):
            mine = [k for k in v.classes if k.school is school and k.grade == grade]
            if not mine:
                continue
            stage = mine[0].stage
            cap = class_cap_in_force(v, stage)
            if not cap or max(pupils[k] for k in mine) <= cap:
                continue
            more = math.ceil(sum(pupils[k] for k in mine) / cap) - len(mine)
            running = sum(k.school is school and k.stage == stage for k in v.classes)
            free = school.classrooms[stage] - running - math.ceil(waiting[school, stage] / cap)
            if more <= free - taken[school, stage]:
                found.add((school, grade))
                taken[school, stage] += more
                for student in v.students:
                    if student.klass in mine:
                        student.klass = None
    return found


def form_classes(v: Village, fresh: set[Klass], split: set[Klass], split_grades: set[tuple[School, int]]) -> None:
    """Pupils without class form classes of about the same size, by lot."""
    for school in v.schools:
        for grade in range(1, 10):
            new = [s for s in v.students if s.school is school and s.grade == grade and s.klass is None]
            if not new:
                continue
            stage = new[0].stage
            cap = class_cap_in_force(v, stage) or rule("large_class")[stage]
            number = math.ceil(len(new) / cap)
            formed = [Klass(school, stage, grade, new[0].cohort, i, 0, [None] * CORE_TEAM) for i in range(number)]
            new.sort(key=lambda s: v.chance.order(Decision.CLASS_PLACEMENT, s.key))
            for i, student in enumerate(new):
                student.klass = formed[i % number]
            v.classes += formed
            (split if (school, grade) in split_grades else fresh).update(formed)


def complete_teams(v: Village, fresh: set[Klass], split: set[Klass]) -> None:
    """Who still teaches there stays; empty places go to those with the fewest classes."""
    held: dict[Teacher, int] = defaultdict(int)
    for klass in v.classes:
        anew = klass.stage == PRIMARY and klass.grade == v.primary_grades // 2 + 1
        for i, t in enumerate(klass.team):
            if t is not None:
                stays = t.school is klass.school and t.stage == klass.stage and t.core and not anew
                if stays:
                    held[t] += 1
                else:
                    klass.team[i] = None
        klass.changed = klass.team.count(None) / CORE_TEAM
        if klass in fresh or anew:
            klass.changed = 0.0
        if klass in split:
            klass.changed = 1.0
    core = by_section(t for t in v.teachers if t.core)
    for section, teachers in core.items():
        teachers.sort(key=lambda t: (held[t], v.chance.order(Decision.TEAM_PLACEMENT, t.key)))
        turn = 0
        for klass in v.classes:
            if (klass.school, klass.stage) == section:
                for i, member in enumerate(klass.team):
                    if member is None:
                        klass.team[i] = teachers[turn % len(teachers)]
                        turn += 1


def learning(v: Village) -> None:
    """What every pupil knows after the year."""
    b = v.behaviour
    of_class = {klass: what_a_class_adds(v, klass) for klass in v.classes}
    of_section = {(s, stage): what_a_school_adds(v, s, stage) for s, stage in v.sections()}
    before: dict[Klass, list[float]] = defaultdict(list)
    of_grade: dict[int, list[float]] = defaultdict(list)
    for student in v.students:
        assert student.klass is not None
        before[student.klass].append(student.achievement)
        of_grade[student.grade].append(student.achievement)
    total = {klass: math.fsum(known) for klass, known in before.items()}
    usual = {grade: mean(known) for grade, known in of_grade.items()}
    for student in v.students:
        klass, school = student.klass, student.school
        assert klass is not None
        assert school is not None
        others = len(before[klass]) - 1
        peers = (total[klass] - student.achievement) / others - usual[student.grade] if others else 0.0
        student.achievement = (
            b.persistence * student.achievement
            + student.home
            + of_class[klass]
            + of_section[school, student.stage]
            + b.peer_effect * peers
            + b.learning_shock_sd * v.chance.normal(Decision.LEARNING_SHOCK, student.key)
        )


def what_a_class_adds(v: Village, klass: Klass) -> float:
    """T: its team, its size, its lessons over the network."""
    b, school = v.behaviour, klass.school
    team = [t for t in klass.team if t is not None]
    quality = mean(t.effectiveness for t in team)
    gain = b.teacher_effect * quality
    gain += b.experience_gain * mean(1 - math.exp(-t.experience / b.experience_years) for t in team)
    if not team:
        gain = b.substitute_effect
    gain += b.team_change * klass.changed
    gain += b.class_size_effect * (klass.size - rule("usual_class")) / 10
    gain += b.digital_effect * school.digital * above(b.digital_remote - quality)
    if school.digital_since == v.year and school.digital > 0:
        gain -= b.digital_dip
    return gain


def what_a_school_adds(v: Village, school: School, stage: int) -> float:
    """S: management, facilities, luck, posts that stand empty."""
    b = v.behaviour
    members = sum(t.lead is school for t in v.standing_ties(Network.GROUP))
    return (
        b.management_effect * school.management
        + b.facility_effect * (school.adequacy - v.adequacy_mean) / v.adequacy_sd
        - b.lead_dilution * members
        + b.school_year_shock_sd * v.chance.normal(Decision.SCHOOL_YEAR_SHOCK, school.key, stage)
        + b.substitute_effect * v.vacancies[school, stage] / max(school.posts[stage], 1)
    )


def assessment(v: Village) -> None:
    """The tests of July: scores of the last grade of each stage, and what they show beyond the intake."""
    for school in v.schools:
        school.score, school.value_added = [0.0, 0.0], [0.0, 0.0]
    for stage in STAGES:
        tested = [s for s in v.students if s.grade == v.last_grade(stage)]
        score = {s: observed_score(v, s) for s in tested}
        prior_mean, score_mean = mean(s.prior for s in tested), mean(score.values())
        varies = math.fsum((s.prior - prior_mean) ** 2 for s in tested)
        along = math.fsum((s.prior - prior_mean) * (score[s] - score_mean) for s in tested)
        slope = along / varies if varies else 0.0
        residual = {s: score[s] - score_mean - slope * (s.prior - prior_mean) for s in tested}
        for (school, _), pupils in by_section(tested).items():
            school.score[stage] = (mean(score[s] for s in pupils) - v.score_mean[stage]) / v.score_sd[stage]
            school.value_added[stage] = mean(residual[s] for s in pupils) / v.score_sd[stage]
        for student in tested:
            student.prior = single(score[student])
        for student in v.students:
            if student.grade == v.last_grade(stage) - 1:
                student.prior = single(observed_score(v, student))


# ---------------------------------------------------------------------------------------------------------------
# 9. Development
# ---------------------------------------------------------------------------------------------------------------


def development(v: Village) -> None:
    """Practice spreads in networks, teachers learn from colleagues, lessons come over the network."""
    practice_spreads(v)
    colleagues_learn(v)
    digital_lessons(v)


def practice_spreads(v: Village) -> None:
    b, phi = v.behaviour, v.behaviour.practice_memory
    luck = math.sqrt((1 - b.leadership_sd**2) * (1 - phi**2))
    gain = dict.fromkeys(v.schools, 0.0)
    for tie in v.standing_ties(*Network):
        gain[tie.member] = max(gain[tie.member], help_of(v, tie))
    best_urban = max([0.0, *(s.practice for s in v.open_schools if s.setting == Setting.URBAN)])
    for school in v.open_schools:
        if school.town_seat:
            support = v.at(school, StrongTown).practice_support
            gain[school] += support * b.pair_rate * above(best_urban - school.practice)
    for school in v.schools:
        noise = v.chance.normal(Decision.PRACTICE_NOISE, school.key)
        kept = school.practice_mean + phi * (school.practice - school.practice_mean)
        school.practice = kept + gain[school] + luck * noise


def help_of(v: Village, tie: Tie) -> float:
    """How much nearer a member's practice comes to its lead's: less with distance and with many members."""
    b = v.behaviour
    rate = {
        Network.GROUP: b.group_rate,
        Network.COOPERATIVE: b.group_rate,
        Network.PAIR: b.pair_rate,
        Network.COMMUNITY: b.pair_rate,
        Network.ZONE: b.zone_rate * v.one(SchoolZones).joint_research,
    }[Network(tie.kind)]
    factor = b.integration if tie.integrated else 1.0
    ripening = rule("ripening")[min(v.year - tie.since, 2)]
    number = sum(t.lead is tie.lead for t in v.standing_ties(tie.kind))
    near = math.exp(-km(tie.lead, tie.member) / b.group_distance) / (1 + number / b.group_number)
    return rate * factor * ripening * near * above(tie.lead.practice - tie.member.practice)


def colleagues_learn(v: Village) -> None:
    b, research = v.behaviour, v.one(SchoolZones).joint_research
    sections = by_section(v.teachers)
    level = {section: mean(t.power for t in teachers) for section, teachers in sections.items()}
    working = {s for t in v.standing_ties(Network.ZONE) for s in (t.lead, t.member)}
    of_zone: dict[tuple[int, int], list[float]] = defaultdict(list)
    for t in v.teachers:
        if t.school in working:
            of_zone[t.school.zone, t.stage].append(t.power)
    zone_level = {zone: mean(powers) for zone, powers in of_zone.items()}
    gains: dict[Teacher, float] = {}
    for t in v.teachers:
        gain = b.colleague_learning * above(level[t.school, t.stage] - t.power)
        if t.school in working:
            near = zone_level[t.school.zone, t.stage]
            gain = max(gain, research * b.colleague_learning * above(near - t.power))
        for lead in parents_who_train(v, t):
            gain = max(gain, b.colleague_learning * above(level.get((lead, t.stage), 0.0) - t.power))
        gains[t] = gain
    for t, gain in gains.items():
        t.practice = (1 - b.learning_fades) * t.practice + gain


def parents_who_train(v: Village, t: Teacher) -> list[School]:
    """Leads and parents with whom a new teacher trains."""
    found = []
    for kind in (Network.GROUP, Network.COOPERATIVE):
        if t.experience < v.at(t.school, LEVER_OF[kind]).trained_years:
            ties = [tie for tie in v.standing_ties(kind) if tie.member is t.school]
            found += [tie.lead for tie in ties if tie.lead.has[t.stage]]
    return found


def digital_lessons(v: Village) -> None:
    """Schools begin to use lessons over the network, villages first; use grows over two years."""
    for school in v.schools:
        school.digital = 0.0
    for entry in v.in_force(DigitalResources):
        here = v.places_of(entry)
        users = [s for s in here if s.digital_since > 0]
        waiting = sorted((s for s in here if s.digital_since == 0), key=lambda s: (-s.setting, sum(s.score)))
        for school in waiting[: max(round(entry.coverage * len(here)) - len(users), 0)]:
            school.digital_since = v.year + 1
        for school in here:
            if school.digital_since > 0:
                grown = (v.year + 2 - school.digital_since) / rule("digital_years")
                school.digital = entry.use * min(max(grown, 0.0), 1.0)


# ---------------------------------------------------------------------------------------------------------------
# 10. Facilities
# ---------------------------------------------------------------------------------------------------------------


def facilities(v: Village) -> None:
    """Wear, works, venues, and how all that stands against the standard."""
    for school in v.schools:
        upkeep = v.at(school, FacilityMaintenance).share_of_wear
        school.condition *= 1 - v.behaviour.wear * (1 - upkeep)
        school.condition = min(max(school.condition, 0.0), 1.0)
    for entry in v.in_force(FacilityInvestment):
        works(v, entry)
    venues(v)
    for school in v.schools:
        stock = {f: getattr(school, f) for f in FACILITIES}
        stock["sports_area"] += school.shared_sports
        needs = {f: need(v, school, f) for f in FACILITIES}
        met = [min(stock[f] / needs[f], 1.0) if needs[f] > 0 else 1.0 for f in FACILITIES]
        school.adequacy = mean(met) * school.condition


def fill_up(amount: float, stock: Sequence[float], width: Sequence[float], limit: float) -> list[float]:
    """Pour an amount into vessels of these widths so that the lowest levels rise first, up to a limit."""
    added = [0.0] * len(stock)
    rows = [i for i in range(len(stock)) if width[i] > 0]
    levels = sorted({stock[i] / width[i] for i in rows if stock[i] / width[i] < limit} | {limit})
    left = amount
    for low, high in pairwise(levels):
        rising = [i for i in rows if (stock[i] + added[i]) / width[i] <= low + 1e-12]
        across = sum(width[i] for i in rising)
        step = min(high - low, left / across)
        for i in rising:
            added[i] += step * width[i]
        left -= step * across
        if left <= 1e-9 * amount:
            break
    return added


def poured(
    target: str, amount: float, stock: Sequence[float], needs: Sequence[float], pupils: Sequence[int]
) -> list[float]:
    """What each gets of an amount, in the order in which a target raises stocks; it may not be all of it."""
    if target == "worst":
        return fill_up(amount, stock, needs, 1.0)
    if target == "largest_cv":
        return fill_up(amount, stock, pupils, math.inf)
    return [amount * n / sum(pupils) for n in pupils]


def spread_over(v: Village, entry: FacilityInvestment, facility: str, amount: float) -> dict[School, float]:
    """How an amount of a facility is given to schools; what is left when all meet the standard goes by pupils."""
    schools = [s for s in v.places_of(entry) if s.pupils > 0]
    stock, needs = [getattr(s, facility) for s in schools], [need(v, s, facility) for s in schools]
    pupils = [s.pupils for s in schools]
    added = poured(entry.target, amount, stock, needs, pupils)
    rest = amount - math.fsum(added)
    return {s: x + rest * s.pupils / sum(pupils) for s, x in zip(schools, added, strict=True)}


def works(v: Village, entry: FacilityInvestment) -> None:
    """Area, equipment and rooms by item, then by money."""
    price = v.prices
    for facility, amount, unit_price in (
        ("teaching_area", entry.teaching_area_m2, price["teaching_area"]),
        ("sports_area", entry.sports_area_m2, price["sports_area"]),
        ("equipment", entry.equipment_sets * price["equipment_set"], 1.0),
        ("multimedia_rooms", entry.multimedia_rooms, price["multimedia_room"]),
    ):
        if amount > 0:
            lacking = sum(above(need(v, s, facility) - getattr(s, facility)) for s in v.places_of(entry))
            if amount > 1.001 * lacking:
                v.say("facility_investment")
            added = spread_over(v, entry, facility, amount)
            give(v, facility, whole_rooms(added) if facility == "multimedia_rooms" else added, unit_price)
    for rooms, number in (("music_rooms", entry.music_rooms), ("art_rooms", entry.art_rooms)):
        for _ in range(number):
            school = min(v.places_of(entry), key=lambda s: (-rooms_missing(v, s, rooms), s.key))
            setattr(school, rooms, getattr(school, rooms) + 1)
            v.pay("district", "construction", "facility_investment", rooms, price["art_room"])
    repair(v, entry)
    by_money(v, entry)


def rooms_missing(v: Village, school: School, rooms: str) -> int:
    number = sum(klass.school is school for klass in v.classes)
    return math.ceil(number / rule("classes_per_art_room")) - getattr(school, rooms)


def give(v: Village, facility: str, added: dict[School, float], unit_price: float) -> None:
    for school, amount in added.items():
        setattr(school, facility, getattr(school, facility) + amount)
        v.pay("district", "construction", "facility_investment", facility, amount * unit_price)


def whole_rooms(added: dict[School, float]) -> dict[School, float]:
    """Whole rooms: as the sum over schools, by key, passes a whole number."""
    reached, given, rooms = 0.0, 0, {}
    for school in sorted(added, key=lambda s: s.key):
        reached += added[school]
        rooms[school] = float(math.floor(reached + 1e-9) - given)
        given = math.floor(reached + 1e-9)
    return rooms


def repair(v: Village, entry: FacilityInvestment) -> None:
    schools = v.places_of(entry)
    there = sum(s.grade_c_area for s in schools)
    if entry.grade_c_m2 <= 0:
        return
    share = min(entry.grade_c_m2 / there, 1.0) if there else 0.0
    for school in schools:
        repaired = share * school.grade_c_area
        school.grade_c_area -= repaired
        if school.floor_area > 0:
            school.condition += repaired / school.floor_area * (1 - school.condition)
        v.pay("district", "construction", "facility_investment", "repair", repaired * v.prices["repair"])
    if share * there < 0.999 * entry.grade_c_m2:
        v.say("facility_investment")


def by_money(v: Village, entry: FacilityInvestment) -> None:
    """Yuan a pupil for whatever lies farthest below the standard, never beyond it."""
    if entry.yuan_per_pupil <= 0:
        return
    schools = v.places_of(entry)
    price = {
        "teaching_area": v.prices["teaching_area"],
        "sports_area": v.prices["sports_area"],
        "equipment": 1.0,
        "multimedia_rooms": v.prices["multimedia_room"],
    }
    cells = [(s, f) for s in schools for f in FACILITIES]
    stock = [getattr(s, f) * price[f] for s, f in cells]
    needs = [need(v, s, f) * price[f] for s, f in cells]
    yuan = entry.yuan_per_pupil * sum(s.pupils for s in schools)
    added = poured(entry.target, yuan, stock, needs, [s.pupils for s, _ in cells])
    added = [min(x, above(n - there)) for x, n, there in zip(added, needs, stock, strict=True)]
    if math.fsum(added) < 0.999 * yuan:
        v.say("facility_investment")
    for facility in FACILITIES:
        mine = {s: x / price[f] for (s, f), x in zip(cells, added, strict=True) if f == facility}
        give(v, facility, mine, price[facility])


def venues(v: Village) -> None:
    """Sports area hired, and shared inside working zones."""
    for school in v.schools:
        school.shared_sports = 0.0
    gap = {s: above(need(v, s, "sports_area") - s.sports_area) for s in v.open_schools}
    for school in v.open_schools:
        hired = v.at(school, HiredVenues).share_of_gap * gap[school]
        school.shared_sports = hired
        gap[school] -= hired
        v.pay("district", "venues", "hired_venues", "rent", hired * v.prices["hired_sports_area"])
    share = v.one(SchoolZones).shared_venues
    for zone in {s.zone for t in v.standing_ties(Network.ZONE) for s in (t.lead, t.member)}:
        mine = [s for s in v.open_schools if s.zone == zone]
        spare = share * sum(above(s.sports_area - need(v, s, "sports_area")) for s in mine)
        missing = sum(gap[s] for s in mine)
        if missing > 0:
            for school in mine:
                school.shared_sports += gap[school] * min(spare / missing, 1.0)


# ---------------------------------------------------------------------------------------------------------------
# 11. Reputation
# ---------------------------------------------------------------------------------------------------------------


def reputation(v: Village) -> None:
    """What families will believe, and how satisfied they are."""
    b = v.behaviour
    for school in v.schools:
        facility = (school.adequacy - v.adequacy_mean) / v.adequacy_sd
        for stage in STAGES:
            now, last, _ = school.reputation[stage]
            if not school.has[stage]:
                school.reputation[stage] = [0.0, now, last]
                continue
            unit = v.score_sd[stage] / v.school_mean_sd[stage]
            shown = (
                b.reputation_level * school.score[stage] * unit
                + b.reputation_value_added * school.value_added[stage] * unit
                + b.reputation_facilities * facility
                + b.reputation_noise * v.chance.normal(Decision.REPUTATION_NOISE, school.key, stage)
            )
            school.reputation[stage] = [now + b.reputation_rate * (shown - now), now, last]
    satisfied(v)


def satisfied(v: Village) -> None:
    b = v.behaviour
    number: dict[tuple[School, int], int] = defaultdict(int)
    for klass in v.classes:
        number[klass.school, klass.stage] += 1
    for student in v.students:
        school, stage, family = student.school, student.stage, student.family
        assert school is not None
        rooms = number[school, stage]
        size = school.enrolment[stage] / rooms if rooms else rule("usual_class")
        refused = student.wish is not None and student.wish is not school
        family.satisfaction = single(
            logistic(
                b.satisfaction_base
                + b.satisfaction_reputation * (school.reputation[stage][0] - b.reputation_ses * family.ses)
                + b.satisfaction_distance * student.way_km
                + b.satisfaction_class * (size - rule("usual_class")) / 10
                + b.satisfaction_facilities * (school.adequacy - v.adequacy_mean) / v.adequacy_sd
                - b.satisfaction_wish * refused
            )
        )
    for school in v.schools:
        school.satisfaction = [0.0, 0.0]
    for (school, stage), pupils in by_section(v.students).items():
        school.satisfaction[stage] = mean(s.family.satisfaction for s in pupils)


# ---------------------------------------------------------------------------------------------------------------
# 12. Finance
# ---------------------------------------------------------------------------------------------------------------


def finance(v: Village) -> None:
    """Recurrent money of the year."""
    salaries(v)
    public_funds(v)
    stipends(v)
    running_money(v)
    for school in v.schools:
        ways_and_beds(v, school)
        if not school.is_open(v.year):
            continue
        wear = above(v.at(school, FacilityMaintenance).share_of_wear - 1) * v.behaviour.wear
        yuan = wear * school.floor_area * v.prices["repair"]
        v.pay("district", "construction", "facility_maintenance", "repair", yuan)
    added_classes(v)
    limit = v.one(Budget).yuan_per_year
    spent = math.fsum(yuan for (_, _, lever, _), yuan in v.ledger.items() if lever not in ("payroll", "public_funds"))
    if limit > 0 and spent > limit:
        v.say("budget")


def salaries(v: Village) -> None:
    for t in v.teachers:
        pay = pay_at(v, t.school) * (1 + v.behaviour.title_pay * (t.title - 1))
        raised = above(1 - 1 / v.at(t.school, TeacherPay).ratio_to_civil_service)
        v.pay("district", "teachers", "payroll", "salaries", pay * (1 - raised))
        v.pay("district", "teachers", "teacher_pay", "raise", pay * raised)
        v.pay("district", "teachers", "teacher_pay", "supplement", supplement_at(v, t.school))


def public_funds(v: Village) -> None:
    for school in v.open_schools:
        if school.kind == Kind.PRIVATE or school.pupils == 0:
            continue
        lever = v.at(school, PublicFunds)
        rates = (lever.primary, lever.junior)
        rate = sum(rates[stage] * school.enrolment[stage] for stage in STAGES) / school.pupils
        funds = rate * max(school.pupils, lever.small_school_floor)
        share = v.at(school, Training).share_of_public_funds
        v.pay("district", "schools", "public_funds", "running costs", funds * (1 - share))
        v.pay("district", "trainers", "training", "courses", funds * share)


def stipends(v: Village) -> None:
    for t in v.teachers:
        lever = v.at(t.school, Stipend)
        across = t.post.district is not t.school.district
        entitled = {
            "seconded": t.away_as == SECONDED,
            "seconded_across": t.away_as == SECONDED and across,
            "rotated": t.away_as == ROTATED,
            "rotated_to_weak": t.away_as == ROTATED and t.school.weak,
            "village_posts": t.school.village_school,
        }[lever.who]
        t.stipend = 0.0
        if entitled:
            through_school = lever.received_by == "sending_school"
            receiver = "sending schools" if through_school else "teachers"
            v.pay(lever.paid_by.replace("_", " "), receiver, "stipend", "stipend", lever.yuan_per_year)
            t.stipend = lever.yuan_per_year * (lever.passed_on if through_school else 1.0)


def running_money(v: Village) -> None:
    """Money for each tie, and for lessons over the network."""
    for kind, lever, amount, receiver, item in (
        (Network.GROUP, EducationGroups, "yuan_per_member", "schools", "running costs"),
        (Network.PAIR, UrbanRuralPairs, "yuan_per_pair", "schools", "running costs"),
        (Network.COMMUNITY, RegionalCommunities, "yuan_per_pair", "schools", "running costs"),
        (Network.COOPERATIVE, CooperativeSchools, "yuan_per_school", "parent schools", "cooperation"),
        (Network.ZONE, SchoolZones, "yuan_per_school", "schools", "joint research"),
    ):
        for tie in v.standing_ties(kind):
            v.pay("district", receiver, lever.NAME, item, getattr(v.at(tie.member, lever), amount))
    for school in v.schools:
        if school.digital > 0:
            devices = v.prices["digital_pupil"] * school.pupils
            lessons = v.prices["digital_lessons"] * school.digital * school.pupils
            v.pay("municipality", "platform", "digital_resources", "platform and devices", devices)
            v.pay("district", "platform", "digital_resources", "lessons", lessons)


def ways_and_beds(v: Village, school: School) -> None:
    lever = v.at(school, StrongTown)
    if not school.town_seat or lever.is_neutral():
        return
    pupils = [s for s in v.students if s.school is school]
    if lever.bus_km > 0:
        riders = sum(s.way_km > rule("bus_from_km") and not s.boards for s in pupils)
        v.pay("district", "carriers", "strong_town", "buses", riders * v.prices["bus_pupil"])
    if not school.boarding:
        beds = sum(s.boards for s in pupils)
        v.pay("district", "schools", "strong_town", "boarding", beds * v.prices["boarding_place"])


def added_classes(v: Village) -> None:
    """A class cap costs the classes beyond those of 55 pupils."""
    pupils: dict[tuple[School | None, int], int] = defaultdict(int)
    for student in v.students:
        pupils[student.school, student.grade] += 1
    for (school, grade), number in pupils.items():
        stage = JUNIOR if grade > v.primary_grades else PRIMARY
        if class_cap_in_force(v, stage):
            running = sum(k.school is school and k.grade == grade for k in v.classes)
            usual = math.ceil(number / rule("large_class")[stage])
            yuan = max(running - usual, 0) * v.prices["added_class"]
            v.pay("district", "teachers", "caps", "lessons of added classes", yuan)


THE_YEAR: tuple[Callable[[Village], None], ...] = (
    policy_of_the_year,  # 1
    demography,  # 2
    places,  # 3
    networks,  # 4
    staffing,  # 5
    rotation,  # 6
    admission,  # 7
    classes,  # 8a
    learning,  # 8b
    assessment,  # 8c
    development,  # 9
    facilities,  # 10
    reputation,  # 11
    finance,  # 12
)
