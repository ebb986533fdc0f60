"""Government-support indicators as far as a table of schools shows them: size of schools and classes, rooms for art.

They stand beside the seven resource indicators and do not enter their verdict. A school is judged on what the
table says of it; the sizes of schools are always there, the others where their columns are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.columns import STAGES
from calibration.school_table import SENIOR, in_scope, key, pupils
from calibration.tables import Read
from calibration.tolerances import OLDER_ART_ROOMS, OLDER_SCHOOLS, figures, tolerances
from model.region import Stage
from model.rules import rule

ROOMS = {"music": "music_rooms", "art": "art_rooms"}
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Support:
    """One support indicator over the schools whose rows show it; arrays of (schools,)."""

    item: str  # school_size, class_size, music_rooms, art_rooms, music_room_m2, art_room_m2
    stage: str  # primary or junior where they are judged apart, else empty
    school: NDArray[Any]
    value: Floats
    limit: Floats
    passed: NDArray[np.bool_]


def support(read: Read, private: bool = False, names: frozenset[str] = frozenset()) -> list[Support]:
    """Every support indicator that the table shows, over the schools in scope. `names`: tolerances that hold."""
    rows = np.flatnonzero(in_scope(read, private))
    if not rows.size:
        return []
    schools = _Schools(read, rows)
    found = [_size(schools, names)]
    found += [_classes(schools, part) for part in (Stage.PRIMARY, Stage.JUNIOR)]
    found += [_rooms(schools, column) for column in ROOMS.values()]
    found += [_areas(schools, room, names) for room in ROOMS]
    return [one for one in found if one.school.size]


class _Schools:
    """Rows of the table gathered by school: a school of two stages may have a row or two."""

    def __init__(self, read: Read, rows: NDArray[np.int64]) -> None:
        self.read, self.rows = read, rows
        keys = key(read)
        place: dict[tuple[str, str], int] = {}
        self.school = np.array([place.setdefault(keys[i], len(place)) for i in rows.tolist()])
        self.name = read.text("school")[rows[np.unique(self.school, return_index=True)[1]]]
        by_stage = pupils(read)[rows, :SENIOR]
        self.pupils = np.column_stack([np.bincount(self.school, part) for part in by_stage.T])
        self.both = (self.pupils > 0).all(axis=1)
        self.taught = by_stage > 0

    def most(self, values: Floats) -> Floats:
        """The largest of the rows' values, NaN where none is known."""
        found = np.full(self.name.size, -np.inf)
        np.maximum.at(found, self.school, np.where(np.isnan(values), -np.inf, values))
        return np.where(np.isinf(found), np.nan, found)

    def total(self, values: Floats) -> Floats:
        """The sum of the rows' values, NaN where none is known."""
        known = np.bincount(self.school, ~np.isnan(values)) > 0
        return np.where(known, np.bincount(self.school, np.nan_to_num(values)), np.nan)

    def number(self, name: str) -> Floats:
        """A column of the table in these rows."""
        return self.read.number(name)[self.rows]

    def judged(self, item: str, stage: str, value: Floats, limit: Floats, at_most: bool) -> Support:
        """The schools whose value is known against their limit."""
        known = ~(np.isnan(value) | np.isnan(limit))
        value, limit = value[known], limit[known]
        return Support(item, stage, self.name[known], value, limit, value <= limit if at_most else value >= limit)


def _size(schools: _Schools, names: frozenset[str]) -> Support:
    older = tolerances()[OLDER_SCHOOLS]
    limit = np.where(schools.both, float(rule("nine_year_cap")), float(rule("school_cap")))
    if OLDER_SCHOOLS in names:
        built, migrants = -schools.most(-schools.number("built")), schools.most(schools.number("migrant_share"))
        eased = (built <= older["built_until"]) | (migrants > older["migrant_share_above"])
        limit = np.where(eased, np.where(schools.both, older["several_stages_cap"], older["cap"]), limit)
    return schools.judged("school_size", "", schools.pupils.sum(axis=1), limit.astype(np.float64), at_most=True)


def _classes(schools: _Schools, part: Stage) -> Support:
    """The largest class of a stage: its own column, or the plain one of a row that teaches nothing else."""
    stage = list(STAGES)[part]
    alone = schools.taught[:, part] & (schools.taught.sum(axis=1) == 1)
    own = np.where(schools.taught[:, part], schools.number(f"{stage}_largest_class"), np.nan)
    plain = np.where(alone, schools.number("largest_class"), np.nan)
    largest = schools.most(np.fmax(own, plain))
    limit = np.full(largest.size, float(rule("class_cap")[part]))
    return schools.judged("class_size", stage, largest, limit, at_most=True)


def _rooms(schools: _Schools, column: str) -> Support:
    """One music room and one art room to every twelve classes."""
    parts = [schools.total(schools.number(f"{stage}_classes")) for stage in STAGES]
    plain = schools.total(schools.number("classes"))
    classes = np.where(np.isnan(plain), np.nan_to_num(parts[0]) + np.nan_to_num(parts[1]), plain)
    limit = np.ceil(np.where(classes > 0, classes, np.nan) / rule("classes_per_art_room"))
    return schools.judged(column, "", schools.total(schools.number(column)), limit, at_most=False)


def _areas(schools: _Schools, room: str, names: frozenset[str]) -> Support:
    column = f"{room}_room_m2"
    smallest = -schools.most(-schools.number(column))
    usual, older = figures()["support"]["art_room_m2"][room], tolerances()[OLDER_ART_ROOMS]
    limit = np.full(smallest.size, float(usual))
    if OLDER_ART_ROOMS in names:
        columns = ("largest_class", *(f"{stage}_largest_class" for stage in STAGES))
        largest = np.fmax.reduce([schools.most(schools.number(name)) for name in columns])
        village = schools.total((schools.read.text("setting")[schools.rows] == "village").astype(np.float64)) > 0
        small = np.where(schools.pupils[:, Stage.JUNIOR] > 0, older["small_junior"], older["small_primary"])
        eased = np.where(village & (largest < older["small_class_below"]), small, older[room])
        built = -schools.most(-schools.number("built"))
        limit = np.where(built <= older["built_until"], eased, limit).astype(np.float64)
    return schools.judged(column, "", smallest, limit, at_most=False)
