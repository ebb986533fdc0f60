"""Complete a region from tables: what they tell is kept, what they leave out is drawn so that it agrees.

A profile lends what no table holds: class sizes, staffing, families, births, prices, how schools differ. Totals
(pupils by setting, teachers, cohorts) are those of the tables, and where a stock is told for some schools only, the
others are drawn around the mean and spread of those. What is told binds by `model/given.py`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import build
from model.draws import Draws, key_of_name
from model.errors import InputError
from model.given import hold_given
from model.groupwise import apportion, weighted_cv
from model.national_standard import BY_FACILITIES, BY_TEACHERS, INDICATORS, split, standard
from model.official import bind_official
from model.people import populate
from model.policy import FOREVER
from model.profile import SETTINGS
from model.region import (
    ALWAYS_OPEN,
    CLASS_CAP,
    NOBODY,
    STAGES,
    Kind,
    Network,
    Region,
    Setting,
    Stage,
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Profile = dict[str, Any]
Marks = dict[str, NDArray[np.int8]]  # of each value of a column: how it is known

TOLD, DERIVED, DRAWN = 0, 1, 2
BY_STAGE = ("boarders", "classes", "seats", "classrooms", "teachers", "posts", *BY_TEACHERS)
BY_SCHOOL = (*BY_FACILITIES, "music_rooms", "art_rooms", "floor_area", "grade_c_area")
LABELS = ("district", "town", "catchment", "zone", "group")
KNOWN_ENOUGH = 5  # schools told from which mean and spread of the others are taken
GROUPED_FOR = 3  # years that groups of a table have stood: ripe
STREET = re.compile(r"(街道|街|社区|开发区|园区|新区)$")
SEPARATOR = re.compile(r"[、,，;；/|]\s*")
ORDINARY = (Kind.DISTRICT, Kind.MUNICIPAL, Kind.TEACHING_POINT)  # admit by right


@dataclass
class Tables:
    """What tables tell, a row a school; NaN, −1 or an empty text where nothing is told."""

    name: list[str]
    has: NDArray[np.bool_]  # (n, 2) teaches the stage
    pupils: Counts  # (n, 2)
    kind: NDArray[np.int64]  # (n,)
    setting: NDArray[np.int64]  # (n,)
    x_km: Floats  # (n,)
    y_km: Floats  # (n,)
    boarding: NDArray[np.int64]  # (n,) 0, 1
    town_seat: NDArray[np.int64]  # (n,) 0, 1
    lead: NDArray[np.int64]  # (n,) 1 lead, 0 member of its group
    labels: dict[str, list[str]] = field(default_factory=dict)  # by LABELS
    columns: dict[str, Floats] = field(default_factory=dict)  # by BY_STAGE (n, 2) and BY_SCHOOL (n,)
    staff: dict[str, list[Any]] = field(default_factory=dict)  # see model/given.py
    flows: dict[str, list[Any]] = field(default_factory=dict)  # the same, with "home" (name of a town) for "town"

    @classmethod
    def of(cls, name: list[str], pupils: Counts, **told: Any) -> Tables:
        """Tables that tell names and pupils, and what else is handed in."""
        n = len(name)
        untold = {key: np.full(n, -1) for key in ("kind", "setting", "boarding", "town_seat", "lead")}
        columns = {key: np.full((n, 2), np.nan) for key in BY_STAGE} | {key: np.full(n, np.nan) for key in BY_SCHOOL}
        labels = {key: [""] * n for key in LABELS}
        values: dict[str, Any] = {"has": pupils > 0, "x_km": np.full(n, np.nan), "y_km": np.full(n, np.nan)}
        values |= {**untold, **told}
        values["columns"] = columns | told.get("columns", {})
        values["labels"] = labels | told.get("labels", {})
        return cls(name=name, pupils=pupils, **values)


def complete(
    given: Profile, facts: list[dict[str, Any]], tables: Tables, seed: int, name: str, title: dict[str, str]
) -> tuple[Region, Marks]:
    """A region in its base year in which everything told holds, not yet burned in; and how each value is known.

    `given`, `facts`: a profile as `model.profile.read_profile` gives it; its base year, grades and figures hold.
    Raises InputError where what is told cannot be a region.
    """
    region = Region(
        name=name,
        title_en=title["en"],
        title_zh=title["zh"],
        base_year=given["base_year"],
        seed=seed,
        primary_grades=given["primary_grades"],
        year=given["base_year"],
        prices=dict(given["prices"]),
        facts=facts,
    )
    draws = Draws(seed, 0)
    marks: Marks = {}
    district = _districts(given, tables, marks)
    setting, town = _settings_and_towns(given, tables, district, marks)
    given = given | {"networks": {}}
    given["districts"] = _blocks(given, tables, district, setting, town)
    _found(region, given, tables, district, setting, town, draws, marks)
    build._draw_catchments(region, given, draws, tables.pupils)
    _share_rights(region, tables, Stage.PRIMARY)
    build._count_cohorts(region, given)
    build._draw_junior_areas(region, given, tables.pupils[:, Stage.JUNIOR])
    _share_rights(region, tables, Stage.JUNIOR)
    build._tell_places_apart(region, given, draws)
    build._tell_schools_apart(region, given, draws)
    _put_flags(region, tables, marks)
    _tie_groups(region, tables, marks)
    _admit_by_right(region)
    region.official = build._official(region, given, draws)
    region.official["given"] = _as_given(region, tables)
    populate(region, region.base_year)
    region.schools.enrolment[:] = tables.pupils
    region.schools.enrolment_lagged[:] = tables.pupils
    build._house_and_staff(region, given, draws)
    _rooms_and_posts(region, tables)
    build._engage_teachers(region, given, draws)
    bind_official(region)
    hold_given(region)
    _mark_columns(tables, marks)
    region.facts = [*region.facts, *_facts(marks)]
    return region, marks


# --- where schools are


def _districts(given: Profile, tables: Tables, marks: Marks) -> list[str]:
    """The district of each school: as told; without any, the profile's one."""
    told = tables.labels["district"]
    marks["district"] = np.where(np.array([bool(d) for d in told]), TOLD, DERIVED).astype(np.int8)
    if all(told):
        return told
    if any(told):
        missing = [name for name, district in zip(tables.name, told, strict=True) if not district]
        raise InputError("schools: district", f"none for {', '.join(missing[:5])}", "one for every school, or for none")
    return [str(given["districts"][0]["name"]["zh"])] * len(tables.name)


def _settings_and_towns(
    given: Profile, tables: Tables, district: list[str], marks: Marks
) -> tuple[NDArray[np.int64], list[str]]:
    """Setting and town of each school, as told or derived.

    Setting, where only the town is told: streets are urban; in a town, junior schools and its largest primary one lie
    at its seat, the others in villages. Without town: the largest schools are urban, the next are town schools, so
    that pupils are divided between settings as in the profile. Town, where it is not told: the nearest told one, or
    by turns one of as many as the profile has for so many schools.
    """
    setting, told = tables.setting.copy(), list(tables.labels["town"])
    size, junior = tables.pupils.sum(axis=1), tables.has[:, Stage.JUNIOR]
    has_town = np.array([bool(t) for t in told])
    marks["setting"] = np.where(setting >= 0, TOLD, np.where(has_town, DERIVED, DRAWN)).astype(np.int8)
    marks["town"] = np.where(has_town, TOLD, DRAWN).astype(np.int8)
    place = [(d, t) for d, t in zip(district, told, strict=True)]
    for here in dict.fromkeys(place):
        rows = np.array([i for i, p in enumerate(place) if p == here])
        free = rows[setting[rows] < 0]
        if not here[1] or free.size == 0:
            continue
        primary = rows[~junior[rows]]
        seat = (setting[primary] == Setting.TOWN).any() if primary.size else True
        setting[free] = np.where(junior[free], Setting.TOWN, Setting.VILLAGE)
        if STREET.search(here[1]):
            setting[free] = Setting.URBAN
        elif not seat and (own := primary[np.isin(primary, free)]).size:
            setting[own[np.argmax(size[own])]] = Setting.TOWN
    _settings_by_size(given, setting, size)
    for at in dict.fromkeys(district):
        _towns_by_turns(given, tables, np.array([d == at for d in district]), setting, told, at)
    return setting, told


def _settings_by_size(given: Profile, setting: NDArray[np.int64], size: Counts) -> None:
    free = np.flatnonzero(setting < 0)
    if free.size == 0:
        return
    pupils = np.array([build._by_setting(d[stage]["pupils"]) for d in given["districts"] for stage in STAGE_NAMES])
    share = np.cumsum(pupils.sum(axis=0)) / pupils.sum()
    order = free[np.argsort(-size[free], kind="stable")]
    before = (np.cumsum(size[order]) - size[order] / 2) / max(int(size[free].sum()), 1)
    setting[order] = np.minimum(np.searchsorted(share, before), Setting.VILLAGE)


STAGE_NAMES = tuple(stage.name.lower() for stage in STAGES)


def _towns_by_turns(
    given: Profile, tables: Tables, here: NDArray[np.bool_], setting: NDArray[np.int64], town: list[str], district: str
) -> None:
    """Give the schools of a district that have none a town; urban schools a street."""
    per_town = _schools_per_town(given)
    for urban in (True, False):
        mine = np.flatnonzero(here & ((setting == Setting.URBAN) == urban))
        free = [int(i) for i in mine if not town[i]]
        known = [int(i) for i in mine if town[i]]
        if not free:
            continue
        names = list(dict.fromkeys(town[i] for i in known))
        if not names and urban:
            names = [f"{district}城区"[-20:]]
        elif not names:
            number = max(1, round(len(free) / per_town))
            names = [f"{district[:12]}第{build._numeral(i + 1)}镇" for i in range(min(number, 99))]
        for turn, row in enumerate(free):
            far = np.hypot(tables.x_km[known] - tables.x_km[row], tables.y_km[known] - tables.y_km[row])
            near = known and np.isfinite(far).any()
            town[row] = town[known[int(np.nanargmin(far))]] if near else names[turn % len(names)]


def _schools_per_town(given: Profile) -> float:
    outside = [sum(d[stage]["schools"][s] for stage in STAGE_NAMES for s in SETTINGS[1:]) for d in given["districts"]]
    return float(sum(outside) / max(sum(len(d["towns"]) for d in given["districts"]), 1)) or 5.0


def _blocks(
    given: Profile, tables: Tables, district: list[str], setting: NDArray[np.int64], town: list[str]
) -> list[dict[str, Any]]:
    """The districts as a profile would state them, with the totals of the tables."""
    blocks: list[dict[str, Any]] = []
    for name in dict.fromkeys(district):
        rows = np.flatnonzero(np.array([d == name for d in district]))
        base = _base_district(given, name, len(set(district)))
        block = {key: base[key] for key in ("code", "ring", "strength", "urban_radius_km")}
        if base["name"]["zh"] != name and name != base["name"]["en"]:
            block |= {"code": 0, "strength": 0.0, "ring": ""}
            block["name"] = {"en": name, "zh": name}
        else:
            block["name"] = base["name"]
        share = tables.pupils[rows].sum() / max(_pupils_of(base), 1.0)
        places = {town[i]: setting[[j for j in rows if town[j] == town[i]]] for i in rows}
        block["streets"] = [t for t, s in places.items() if (s == Setting.URBAN).all()]
        block["towns"] = [t for t, s in places.items() if not (s == Setting.URBAN).all()]
        block["centre_km"], block["area_km2"] = _extent(tables, rows, base, share, len(blocks))
        for stage, stage_name in zip(STAGES, STAGE_NAMES, strict=True):
            block[stage_name] = _stage_block(tables, rows, setting, base, stage)
        block["nine_year"] = {}
        block["indicators"] = _targets(given, base, tables, rows, share)
        block["grade_c_m2"] = _grade_c(tables, rows, base["grade_c_m2"] * share)
        block["named"] = []
        blocks.append(block)
    return blocks


def _base_district(given: Profile, name: str, districts: int) -> dict[str, Any]:
    """The profile's district of that name; its only one for an only one; else its first."""
    for block in given["districts"]:
        if name in (block["name"]["zh"], block["name"]["en"]):
            return dict(block)
    first = dict(given["districts"][0])
    if len(given["districts"]) > 1 or districts > 1:
        first["indicators"] = {}
    return first


def _pupils_of(base: dict[str, Any]) -> float:
    return math.fsum(sum(base[stage]["pupils"][s] for s in SETTINGS) for stage in STAGE_NAMES)


def _extent(
    tables: Tables, rows: NDArray[Any], base: dict[str, Any], share: float, number: int
) -> tuple[dict[str, float], float]:
    """Centre and area: of the schools whose place is told, else those of the profile, in proportion to pupils."""
    x, y = tables.x_km[rows], tables.y_km[rows]
    told = np.isfinite(x)
    area = max(base["area_km2"] * share, 20.0)
    if not told.any():
        apart = 2.5 * number * float(np.sqrt(area / np.pi))
        return {"east": base["centre_km"]["east"] + apart, "north": base["centre_km"]["north"]}, area
    east, north = float(x[told].mean()), float(y[told].mean())
    reach = float(np.hypot(x[told] - east, y[told] - north).max())
    return {"east": east, "north": north}, (max(np.pi * reach**2, 20.0) if told.sum() > 2 else area)


def _stage_block(
    tables: Tables, rows: NDArray[Any], setting: NDArray[np.int64], base: dict[str, Any], stage: Stage
) -> dict[str, Any]:
    """Schools, pupils by setting, and teachers: those untold at the ratio of those told, or of the profile."""
    has, pupils, teachers = tables.has[rows, stage], tables.pupils[rows, stage], tables.columns["teachers"][rows, stage]
    if not has.any():
        raise InputError(
            f"schools: district {tables.labels['district'][rows[0]] or base['name']['zh']}",
            f"no {stage.name.lower()} school",
            "schools of both stages: children go up from primary to junior school where they live",
        )
    told = np.isfinite(teachers)
    block = base[STAGE_NAMES[stage]]
    ratio = block["teachers"] / max(sum(block["pupils"][s] for s in SETTINGS), 1.0)
    if teachers[told].sum() > 0 and pupils[told].sum() > 0:
        ratio = teachers[told].sum() / pupils[told].sum()
    number = np.where(told, teachers, ratio * pupils)[has].sum()
    by_setting = np.bincount(setting[rows], pupils, len(SETTINGS))
    counts = np.bincount(setting[rows], has, len(SETTINGS))
    return {
        "schools": dict(zip(SETTINGS, counts, strict=True)),
        "pupils": dict(zip(SETTINGS, by_setting, strict=True)),
        "teachers": float(round(number)),
    }


def _targets(
    given: Profile, base: dict[str, Any], tables: Tables, rows: NDArray[Any], share: float
) -> dict[str, dict[str, Any]]:
    """Mean and CV of each indicator in a district: of the schools told where they are enough, else the profile's.

    A deficit that a document states for the profile's pupils is taken in proportion to the pupils here.
    """
    rule, found = standard(), {}
    for i, name in enumerate(INDICATORS):
        block = dict((given["indicators"] | base.get("indicators", {}))[name])
        if "deficit" in block:
            block["deficit"] *= share
        told = _told_a_stage(tables, rows, name)
        if any(stock.size >= KNOWN_ENOUGH and weighted_cv(stock, pupils) > 0 for stock, pupils in told):
            block = {"cv": dict(block["cv"]), "mean": dict(given["indicators"][name].get("mean", {}))}
            for stage, (stock, pupils) in zip(STAGE_NAMES, told, strict=True):
                if stock.size >= KNOWN_ENOUGH and (cv := weighted_cv(stock, pupils)) > 0:
                    block["cv"][stage] = cv
                    block["mean"][stage] = float(stock.sum() / pupils.sum() * rule.per[i])
        found[name] = block
    return found


def _told_a_stage(tables: Tables, rows: NDArray[Any], name: str) -> list[tuple[Floats, Floats]]:
    """Stock and pupils of the schools of a district for which an indicator is told, for each stage."""
    pupils = tables.pupils[rows].astype(np.float64)
    values = tables.columns[name][rows]
    stock = split(pupils, np.nan_to_num(values)) if values.ndim == 1 else np.nan_to_num(values)
    held = np.isfinite(values)[:, None] if values.ndim == 1 else np.isfinite(values)
    held = held & (pupils > 0)
    return [(stock[held[:, s], s], pupils[held[:, s], s]) for s in STAGES]


def _grade_c(tables: Tables, rows: NDArray[Any], usual: float) -> float:
    """Grade-C floor of a district: what is told, and for the others their part of what the profile has."""
    told, pupils = tables.columns["grade_c_area"][rows], tables.pupils[rows].sum(axis=1)
    free = np.isnan(told)
    return float(np.nansum(told) + usual * pupils[free].sum() / max(int(pupils.sum()), 1))


def _found(
    region: Region,
    given: Profile,
    tables: Tables,
    district: list[str],
    setting: NDArray[np.int64],
    town: list[str],
    draws: Draws,
    marks: Marks,
) -> None:
    """Towns and schools; those whose place is told lie there, and their town around them."""
    build._lay_out_towns(region, given, draws)
    names = [str(n) for n in region.towns.name_zh]
    town_row = np.array([names.index(t) for t in town])
    told = np.isfinite(tables.x_km) & np.isfinite(tables.y_km)
    centre = told & (setting != Setting.VILLAGE)
    for row in range(region.towns.n):
        mine = (town_row == row) & (centre if (centre & (town_row == row)).any() else told)
        if mine.any():
            region.towns.x_km[row], region.towns.y_km[row] = tables.x_km[mine].mean(), tables.y_km[mine].mean()
    schools = region.schools
    districts = list(dict.fromkeys(district))
    schools.append(
        len(tables.name),
        key=[key_of_name(f"{region.name}/{name}") for name in tables.name],
        name=tables.name,
        district=[districts.index(d) for d in district],
        town=town_row,
        setting=setting,
        town_seat=np.where(tables.town_seat >= 0, tables.town_seat > 0, setting == Setting.TOWN),
        kind=np.where(tables.kind >= 0, tables.kind, Kind.DISTRICT),
        has=tables.has,
        opened=build.OPENED,
        closed=ALWAYS_OPEN,
        zone=NOBODY,
    )
    build._place_schools(region, draws)
    schools.x_km[told], schools.y_km[told] = tables.x_km[told], tables.y_km[told]
    marks["place"] = np.where(told, TOLD, DRAWN).astype(np.int8)
    marks["kind"] = np.where(tables.kind >= 0, TOLD, DERIVED).astype(np.int8)
    marks["town_seat"] = np.where(tables.town_seat >= 0, TOLD, DERIVED).astype(np.int8)
    _zones(region, tables, marks)


def _zones(region: Region, tables: Tables, marks: Marks) -> None:
    """School zones as told; untold ones that of the nearest told school of the district; else by towns."""
    s = region.schools
    build._zone(region)
    labels = np.array(tables.labels["zone"])
    marks["zone"] = np.where(labels != "", TOLD, np.where((labels != "").any(), DERIVED, DRAWN)).astype(np.int8)
    drawn = s.zone.copy()
    names = list(dict.fromkeys(zip(s.district[labels != ""].tolist(), labels[labels != ""].tolist(), strict=True)))
    for row in range(s.n):
        near = np.flatnonzero((labels != "") & (s.district == s.district[row]))
        if labels[row] != "":
            s.zone[row] = names.index((int(s.district[row]), str(labels[row])))
        elif near.size:
            far = np.hypot(s.x_km[near] - s.x_km[row], s.y_km[near] - s.y_km[row])
            one = near[int(np.argmin(far))]
            s.zone[row] = names.index((int(s.district[one]), str(labels[one])))
        else:
            s.zone[row] = len(names) + drawn[row]


# --- who admits whom


def _share_rights(region: Region, tables: Tables, stage: Stage) -> None:
    """Schools of one catchment admit together; a junior school admits the primary catchments it names."""
    s, places = region.schools, region.catchments
    labels = [set(filter(None, SEPARATOR.split(text))) for text in tables.labels["catchment"]]
    rows = np.flatnonzero(s.has[:, stage])
    first: dict[tuple[int, frozenset[str]], int] = {}
    for row in rows:
        at = (int(s.district[row]), frozenset(labels[row]))
        if labels[row]:
            own = int(s.right[row, stage])
            right = first.setdefault(at, own)
            places.right[places.right[:, stage] == own, stage] = right
            s.right[row, stage] = right
    if stage == Stage.PRIMARY:
        return
    primary = np.flatnonzero(s.has[:, Stage.PRIMARY])  # catchment i lies around the i-th primary section
    for row in rows:
        for place, school in enumerate(primary):
            if labels[row] & labels[school] and s.district[row] == s.district[school]:
                places.right[place, stage] = s.right[row, stage]


def _admit_by_right(region: Region) -> None:
    """Private and special schools admit nobody by right: families around them belong to the nearest that does."""
    s, places = region.schools, region.catchments
    ordinary = np.isin(s.kind, ORDINARY)
    for stage in STAGES:
        rows = np.flatnonzero(s.has[:, stage] & ~ordinary)
        for row in rows:
            able = np.flatnonzero(s.has[:, stage] & ordinary & (s.district == s.district[row]))
            if able.size == 0:
                continue  # the only ones there are
            right, s.right[row, stage] = s.right[row, stage], NOBODY
            if (s.right[:, stage] == right).any():
                continue
            near = able[np.argmin(np.hypot(s.x_km[able] - s.x_km[row], s.y_km[able] - s.y_km[row]))]
            left = places.right[:, stage] == right
            places.right[left, stage] = s.right[near, stage]
    outside = np.flatnonzero(s.has[:, Stage.PRIMARY])[: places.n]
    nobody = ~ordinary[outside] & (s.right[outside, Stage.PRIMARY] == NOBODY)
    places.share[nobody] = 0.0  # their pupils live all over
    total = np.bincount(places.setting, places.share, len(Setting))[places.setting]
    places.share[:] = np.divide(places.share, total, out=np.zeros(places.n), where=total > 0)


# --- what is told about schools


def _put_flags(region: Region, tables: Tables, marks: Marks) -> None:
    told = tables.boarding >= 0
    region.schools.boarding[told] = tables.boarding[told] > 0
    marks["boarding"] = np.where(told, TOLD, DRAWN).astype(np.int8)


def _tie_groups(region: Region, tables: Tables, marks: Marks) -> None:
    """Education groups of the table stand, ripe, before the base year; without a told lead the largest school leads."""
    labels, size = np.array(tables.labels["group"]), tables.pupils.sum(axis=1)
    marks["group"] = np.where(labels != "", TOLD, DERIVED).astype(np.int8)
    role = np.where(tables.lead >= 0, TOLD, DERIVED)
    marks["role"] = np.where(labels != "", role, NOBODY).astype(np.int8)
    for name in dict.fromkeys(labels[labels != ""].tolist()):
        rows = np.flatnonzero(labels == name)
        leads = rows[tables.lead[rows] == 1]
        if leads.size > 1:
            both = "、".join(tables.name[i] for i in leads[:3])
            raise InputError(f"schools: group {name}", f"{leads.size} leads ({both})", "one lead")
        free = rows[tables.lead[rows] < 0]
        lead = leads[0] if leads.size else (free if free.size else rows)[np.argmax(size[free if free.size else rows])]
        members = rows[rows != lead]
        since = region.base_year - GROUPED_FOR + 1
        region.networks.append(
            members.size, kind=int(Network.GROUP), lead=lead, member=members, since=since, until=FOREVER
        )


def _as_given(region: Region, tables: Tables) -> dict[str, Any]:
    """What is told, as `model/given.py` keeps it."""
    given: dict[str, Any] = {"enrolment": tables.pupils.tolist()}
    given |= {name: _nulls(values) for name, values in tables.columns.items()}
    given["labels"] = {name: list(values) for name, values in tables.labels.items()}
    if tables.staff:
        given["staff"] = {name: [None if v != v else v for v in values] for name, values in tables.staff.items()}
    if tables.flows:
        names = [str(n) for n in region.towns.name_zh]
        with_homes = set(region.catchments.town.tolist())
        town = [names.index(t) if t in names else NOBODY for t in tables.flows["home"]]
        for name, row in zip(tables.flows["home"], town, strict=True):
            if row not in with_homes:
                raise InputError("flows: home_town", str(name), "a town or street that has a primary school")
        given["flows"] = {"section": tables.flows["section"], "town": town, "pupils": tables.flows["pupils"]}
    return given


def _nulls(values: Floats) -> list[Any]:
    if values.ndim == 2:
        return [[None if v != v else v for v in row] for row in values.tolist()]
    return [None if v != v else v for v in values.tolist()]


def _rooms_and_posts(region: Region, tables: Tables) -> None:
    """Rooms for the classes or seats told; posts as told, else a post a teacher, else what the district has left."""
    s, told = region.schools, tables.columns
    rooms = np.where(np.isnan(told["seats"]), np.nan, np.rint(told["seats"] / np.array(CLASS_CAP)))
    rooms = np.where(np.isnan(rooms), s.classrooms, np.maximum(rooms, 1))
    rooms = np.where(np.isnan(told["classes"]), rooms, np.fmax(rooms, told["classes"]))
    rooms = np.where(np.isnan(told["classrooms"]), rooms, told["classrooms"])
    s.classrooms[:] = np.where(s.has, rooms, 0)
    posts = np.where(np.isnan(told["posts"]), told["teachers"], told["posts"])
    counts = [np.nan_to_num(told[name]) for name in BY_TEACHERS]
    least = np.maximum(np.maximum(counts[0], counts[1]), counts[2])  # of teachers, where only their kinds are told
    if tables.staff:
        listed = np.bincount(np.array(tables.staff["section"], np.int64), minlength=2 * s.n).reshape(-1, 2)
        least = np.maximum(least, listed)
    for stage in STAGES:
        for d in range(region.districts.n):
            here = s.has[:, stage] & (s.district == d)
            free = np.flatnonzero(here & np.isnan(posts[:, stage]))
            left = int(s.posts[here, stage].sum() - np.nansum(posts[here, stage]))
            drawn = apportion(max(left, 0), s.posts[free, stage]) if free.size else np.zeros(0, np.int64)
            s.posts[free, stage] = np.maximum(drawn, np.maximum(least[free, stage], 1))
    held = ~np.isnan(posts)
    s.posts[held] = posts[held]


def _mark_columns(tables: Tables, marks: Marks) -> None:
    marks["enrolment"] = np.where(tables.has, TOLD, NOBODY).astype(np.int8)
    for name, values in tables.columns.items():
        here = tables.has if values.ndim == 2 else np.ones(len(tables.name), bool)
        marks[name] = np.where(here, np.where(np.isnan(values), DRAWN, TOLD), NOBODY).astype(np.int8)
    for name, sources in (("posts", ("teachers",)), ("classrooms", ("seats", "classes")), ("seats", ("classrooms",))):
        held = np.isfinite([tables.columns[source] for source in sources]).any(axis=0)
        marks[name][held & (marks[name] == DRAWN)] = DERIVED
    labels = np.array([bool(label) for label in tables.labels["catchment"]])
    marks["catchment"] = np.where(labels, TOLD, DRAWN).astype(np.int8)


def _facts(marks: Marks) -> list[dict[str, Any]]:
    """How many values of each column are told, among the region's figures."""
    return [
        {"name": f"tables.{name}", "value": float((mark == TOLD).sum()), "unit": "values told", "low": None,
         "high": None, "kind": "measured", "source": "tables"}
        for name, mark in marks.items() if (mark == TOLD).any()
    ]  # fmt: skip


__all__ = ["BY_SCHOOL", "BY_STAGE", "DERIVED", "DRAWN", "LABELS", "TOLD", "Marks", "Tables", "complete"]
