"""A planner's table of schools: checked as a whole, and split into what the national standard judges.

A row is a school and stage, or a school of several stages: nine-year (primary, junior), complete (junior, senior),
twelve-year (all three). Facilities of these are shared by the rule of the standard, teachers counted by stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.columns import STAGES, Column, same, table_spec
from calibration.faults import Fault, Words, stretches
from calibration.tables import Read, no_column, read_table
from calibration.tolerances import counts_itinerant, counts_nearby, require
from model.national_standard import BY_TEACHERS, INDICATORS, Stocks, split, standard
from model.region import Stage

SENIOR = 2
PARTS = {  # the stages that a school of each kind teaches
    "primary": (Stage.PRIMARY,),
    "teaching_point": (Stage.PRIMARY,),
    "special_school": (Stage.PRIMARY,),
    "junior": (Stage.JUNIOR,),
    "nine-year": (Stage.PRIMARY, Stage.JUNIOR),
    "complete": (Stage.JUNIOR, SENIOR),
    "twelve-year": (Stage.PRIMARY, Stage.JUNIOR, SENIOR),
}
PUPILS = ("primary_pupils", "junior_pupils", "senior_pupils")
AT_LEAST_ONE = Words("at least one pupil: leave out a school that has none", "至少1名学生：没有学生的学校请删去")
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def stock_column(indicator: str) -> Column:
    """The column of a table of schools that holds the stock of an indicator of the national standard."""
    return next(c for c in table_spec("schools").columns.values() if c.stock == indicator and not c.stage)


STOCKS = tuple(stock_column(indicator).name for indicator in INDICATORS)
OF_TEACHERS, OF_FACILITIES = STOCKS[: len(BY_TEACHERS)], STOCKS[len(BY_TEACHERS) :]


def read_schools(path: Path, sheet: str | None = None, *, stocks: bool = True, private: bool = False) -> Read:
    """The table of schools in a file.

    `stocks`: whether every school that the standard judges must have its seven stocks (`private`: private ones,
    too); else cells of them may be empty and columns missing. Raises TableError with everything that is wrong.
    """

    def check(read: Read) -> list[Fault]:
        faults = list(row_faults(read))
        return faults + (list(_stock_faults(read, in_scope(read, private))) if stocks else [])

    read = read_table(path, table_spec("schools"), sheet, OF_FACILITIES if stocks else (), check)
    read.notes += [*_notes(read), *_one_county(read)]
    return read


# --- what a row is


def pupils(read: Read) -> Floats:
    """Pupils of each row by stage: (rows, 3) primary, junior, senior; zero where it has not the stage."""
    stage, whole = read.text("stage"), read.number("pupils")
    held = np.column_stack([read.number(name) for name in PUPILS])
    taught = _taught(read)
    for part in (Stage.PRIMARY, Stage.JUNIOR):
        alone = taught[:, part] & (taught[:, :SENIOR].sum(axis=1) == 1) & np.isnan(held[:, part])
        held[alone, part] = whole[alone]
    held[stage == "other"] = 0.0
    return np.nan_to_num(np.where(taught, held, 0.0))


def _taught(read: Read) -> Mask:
    """Which stages each row teaches; (rows, 3)."""
    taught = np.zeros((read.n, 3), bool)
    for kind, parts in PARTS.items():
        taught[np.ix_(read.text("stage") == kind, parts)] = True
    return taught


def in_scope(read: Read, private: bool = False) -> Mask:
    """Rows that the standard judges: no special schools, no teaching points below 50 pupils, private ones if asked."""
    stage, kind = read.text("stage"), read.text("kind")
    point = (kind == "teaching_point") | (stage == "teaching_point")
    small = point & (pupils(read)[:, :SENIOR].sum(axis=1) < standard().teaching_point_pupils)
    out = small | (kind == "special") | np.isin(stage, ["special_school", "other", ""])
    return np.asarray(~out if private else ~out & (kind != "private"))


def key(read: Read) -> list[tuple[str, str]]:
    """Which school each row is of: district and name, as `same` has them."""
    district, school = ([same(text) for text in read.text(name)] for name in ("district", "school"))
    return list(zip(district, school, strict=True))


# --- what the standard judges


@dataclass(frozen=True)
class Sections:
    """The schools that the standard judges, a row a school and stage."""

    row: NDArray[np.int64]  # position in the table
    stocks: Stocks  # its `school` numbers the rows of `Sections`


def sections(read: Read, private: bool = False, tolerances: frozenset[str] = frozenset()) -> Sections:
    """The official stocks by school and stage: facilities split by pupils weighted 1 : 1.1 : 1.32, teachers by stage.

    `tolerances`: which of `calibration.tolerances` hold. Raises InputError where one needs a column that is missing.
    """
    by_stage = pupils(read)
    require(read, tolerances)
    itinerant = counts_itinerant(read, tolerances, by_stage[:, :SENIOR].sum(axis=1))
    facilities = np.column_stack([np.nan_to_num(read.number(name)) for name in OF_FACILITIES])
    facilities[:, OF_FACILITIES.index("teaching_area_m2")] -= np.nan_to_num(read.number("indoor_sports_m2"))
    nearby = np.nan_to_num(read.number("nearby_sports_m2"))
    facilities[:, OF_FACILITIES.index("sports_area_m2")] += nearby * counts_nearby(read, tolerances)
    shared = split(by_stage, facilities)
    stock = np.empty((read.n, 2, len(STOCKS)))
    for part in (Stage.PRIMARY, Stage.JUNIOR):
        for i, name in enumerate(OF_TEACHERS):
            stock[:, part, i] = np.nan_to_num(teachers(read, name, part))
        more = np.nan_to_num(teachers(read, "itinerant_pe_art_teachers", part))
        stock[:, part, OF_TEACHERS.index("pe_art_teachers")] += more * itinerant
        stock[:, part, len(OF_TEACHERS) :] = shared[:, part]
    judged = in_scope(read, private)[:, None] & (by_stage[:, :SENIOR] > 0)
    row, stage = np.nonzero(judged)
    stocks = Stocks(np.arange(row.size), stage, by_stage[row, stage], stock[row, stage])
    return Sections(row, stocks)


def teachers(read: Read, name: str, part: int) -> Floats:
    """Teachers of one stage: the stage's own column, or the plain one in a school that has not the other."""
    own = read.number(f"{_stage(part)}_{name}")
    alone = _taught(read)[:, :SENIOR].sum(axis=1) == 1
    return np.where(np.isnan(own) & alone, read.number(name), own)


def _stage(part: int) -> str:
    return list(STAGES)[part]


# --- checks over several cells


def row_faults(read: Read) -> Iterator[Fault]:
    """What is wrong with rows whatever they are read for."""
    yield from _repeated(read)
    yield from _pupil_faults(read)
    yield from _other_stage_faults(read)
    yield from _twice_told_faults(read)
    yield from _indoor_faults(read)


def _repeated(read: Read) -> Iterator[Fault]:
    """Rows without a name or a stage, and a school's stage that stands in the table twice."""
    first: dict[tuple[str, str, int], int] = {}
    empty = Words("an empty cell", "空单元格")
    wrong = {name: read.wrong(name) for name in ("school", "stage")}
    stages, taught = read.text("stage"), [np.flatnonzero(row).tolist() for row in _taught(read)[:, :SENIOR]]
    for i, school in enumerate(key(read)):
        for name, value in (("school", school[1]), ("stage", stages[i])):
            if not value and not wrong[name][i]:
                yield read.fault(i, name, empty, read.spec.columns[name].expected())
        if school[1]:
            again = [part for part in taught[i] if first.setdefault((*school, part), i) != i]
            if again:
                yield _second_time(read, i, first[(*school, again[0])], _stage(again[0]))


def _second_time(read: Read, index: int, before: int, stage: str) -> Fault:
    name, row = read.text("school")[index], read.row[before]
    found = Words(
        f"{name!r}, {stage}, a second time (first in row {row})",
        f"“{name}”{STAGES[stage][0]}重复（首次在第{row}行）",
    )
    expected = Words(
        "each school and stage once (schools of the same name apart by a column district)",
        "每校每学段只有一行（不同县区的同名学校请加“县区”列）",
    )
    return read.fault(index, "school", found, expected)


def _pupil_faults(read: Read) -> Iterator[Fault]:
    """Pupils that are missing, none at all, or do not add up."""
    taught, stage = _taught(read), read.text("stage")
    columns = {name: read.number(name) for name in ("pupils", *PUPILS)}
    wrong = {name: read.wrong(name) for name in columns}
    held, whole = np.column_stack([columns[name] for name in PUPILS]), columns["pupils"]
    counted = pupils(read)[:, :SENIOR].sum(axis=1)
    together = (counted, counted + np.nan_to_num(held[:, SENIOR]))
    several = taught.sum(axis=1) > 1
    adds_up = np.isnan(whole) | (whole == together[0]) | (whole == together[1])
    fine = ~several & ~np.isnan(whole) & (counted > 0)
    for i in np.flatnonzero(taught.any(axis=1) & ~fine).tolist():
        wanted = _wanted(stage[i], held[i], bool(several[i]))
        missing = [name for name in wanted if np.isnan(columns[name][i])]
        for name in missing:
            if not wrong[name][i]:
                yield read.fault(i, name, _nothing(read, name), _pupils_expected(read, i, name))
        if missing or any(faulty[i] for faulty in wrong.values()):
            continue
        if counted[i] == 0:
            where = "pupils" if read.has("pupils") else wanted[0]
            yield read.fault(i, where, Words("0 pupils", "0名学生"), AT_LEAST_ONE)
        elif several[i] and not adds_up[i]:
            en, zh = "the pupils of its stages together", "各学段在校生数之和"
            expected = Words(f"{counted[i]:g}, {en}", f"{counted[i]:g}，即{zh}")
            yield read.fault(i, "pupils", Words(f"{whole[i]:g}", f"{whole[i]:g}"), expected)


def _wanted(stage: str, held: Floats, several: bool) -> list[str]:
    """The columns of pupils that a row of this stage needs."""
    if stage == "complete":
        return ["pupils" if np.isnan(held[Stage.JUNIOR]) else "junior_pupils", "senior_pupils"]
    if several:
        return [PUPILS[part] for part in PARTS[stage]]
    return ["pupils"] if np.isnan(held[PARTS[stage][0]]) else []


def _nothing(read: Read, name: str) -> Words:
    if read.has(name):
        return Words("an empty cell", "空单元格")
    return no_column(read.spec.columns[name], read.unused)


def _pupils_expected(read: Read, index: int, name: str) -> Words:
    stage = read.text("stage")[index]
    column, chinese = read.spec.columns[name], read.spec.columns["stage"].options
    zh = next(option.zh for option in chinese if option.en == stage)
    return Words(f"{column.name.replace('_', ' ')} of a school of stage {stage}", f"“{zh}”学校的{column.zh}")


def _other_stage_faults(read: Read) -> Iterator[Fault]:
    """Pupils of a stage that the row does not teach. Special schools are not judged, whatever they teach."""
    stage, taught = read.text("stage"), _taught(read)
    known = taught.any(axis=1) & (stage != "special_school")
    for part, name in enumerate(PUPILS):
        held = read.number(name)
        for i in np.flatnonzero(known & ~taught[:, part] & (held > 0)).tolist():
            zh = next(option.zh for option in read.spec.columns["stage"].options if option.en == stage[i])
            found = Words(f"{held[i]:g}, in a school of stage {stage[i]}", f"{held[i]:g}，而学段为“{zh}”")
            yield read.fault(i, name, found, Words("no pupils, or a stage that has them", "留空，或填写含该学段的学段"))


def _twice_told_faults(read: Read) -> Iterator[Fault]:
    """A number in the plain column and another in that of its stage, where a row teaches nothing else."""
    taught = _taught(read)
    for part in (Stage.PRIMARY, Stage.JUNIOR):
        alone = taught[:, part] & (taught.sum(axis=1) == 1)
        for name in read.spec.columns:
            own = f"{_stage(part)}_{name}"
            if not (read.has(name) and read.has(own)):
                continue
            plain, staged = read.number(name), read.number(own)
            for i in np.flatnonzero(alone & (plain != staged) & ~np.isnan(plain) & ~np.isnan(staged)).tolist():
                found = Words(f"{staged[i]:g}", f"{staged[i]:g}")
                zh = read.spec.columns[name].zh
                expected = Words(f"{plain[i]:g}, as in {name}, or an empty cell", f"与“{zh}”相同的{plain[i]:g}，或留空")
                yield read.fault(i, own, found, expected)


def _indoor_faults(read: Read) -> Iterator[Fault]:
    area, indoor = read.number("teaching_area_m2"), read.number("indoor_sports_m2")
    for i in np.flatnonzero(indoor > area).tolist():
        found = Words(f"{indoor[i]:,g} m2", f"{indoor[i]:,g}平方米")
        expected = Words(
            f"at most the {area[i]:,g} m2 of teaching and auxiliary rooms that it is part of",
            f"不大于所属的教学及辅助用房面积{area[i]:,g}平方米",
        )
        yield read.fault(i, "indoor_sports_m2", found, expected)


def _stock_faults(read: Read, scope: Mask) -> Iterator[Fault]:
    """Stocks that a judged school lacks."""
    by_stage = pupils(read)
    for name in filter(read.has, OF_FACILITIES):  # a column that is not there is told once
        for i in np.flatnonzero(scope & np.isnan(read.number(name)) & ~read.wrong(name)).tolist():
            yield read.fault(i, name, _nothing(read, name), read.spec.columns[name].expected())
    taught = _taught(read)
    several: Mask = np.asarray(taught[:, :SENIOR].all(axis=1))
    for name in OF_TEACHERS:
        for part in (Stage.PRIMARY, Stage.JUNIOR):
            own = f"{_stage(part)}_{name}"
            asked = taught[:, part] & ((by_stage[:, part] > 0) | np.isnan(read.number(PUPILS[part])))
            empty = scope & asked & np.isnan(teachers(read, name, part))
            for i in np.flatnonzero(empty & ~read.wrong(own) & (several | ~read.wrong(name))).tolist():
                where = own if several[i] else name
                yield read.fault(i, where, _nothing(read, where), read.spec.columns[where].expected())
        yield from _sum_faults(read, name, several)


def _sum_faults(read: Read, name: str, several: Mask) -> Iterator[Fault]:
    """A plain count of teachers in a school of two stages that is not the sum of theirs."""
    parts = read.number(f"primary_{name}") + read.number(f"junior_{name}")
    whole = read.number(name)
    for i in np.flatnonzero(several & ~np.isnan(whole) & ~np.isnan(parts) & (whole != parts)).tolist():
        found = Words(f"{whole[i]:g}", f"{whole[i]:g}")
        expected = Words(
            f"{parts[i]:g}, primary and junior together, or an empty cell", f"{parts[i]:g}（小学与初中之和）或留空"
        )
        yield read.fault(i, name, found, expected)


def _notes(read: Read) -> list[Words]:
    """What a reader should know of how rows were understood."""
    notes, by_stage, stage = [], pupils(read), read.text("stage")
    taken = (stage == "complete") & np.isnan(read.number("junior_pupils"))
    if taken.any():
        rows = stretches(read.row[taken].tolist())
        en = f"complete schools without junior_pupils: pupils are taken as those of the junior stage (row {rows})"
        notes.append(Words(en, f"完全中学未填初中在校生数：在校生数视为初中学生（第 {rows} 行）"))
    for part in (Stage.PRIMARY, Stage.JUNIOR):
        held = np.any([read.number(f"{_stage(part)}_{name}") > 0 for name in OF_TEACHERS], axis=0)
        unused = held & (by_stage[:, part] == 0)
        if unused.any():
            rows, zh = stretches(read.row[unused].tolist()), STAGES[_stage(part)][0]
            en = f"teachers of a {_stage(part)} stage without pupils are not counted (row {rows})"
            notes.append(Words(en, f"没有{zh}学生的学校，其{zh}教师不计入（第 {rows} 行）"))
    return notes + list(_doubts(read))


def _one_county(read: Read) -> Iterator[Words]:
    """That schools of several districts are judged together."""
    districts = sorted({district for district in read.text("district").tolist() if district})
    if len(districts) > 1:
        shown = "、".join(districts[:3]) + ("…" if len(districts) > 3 else "")
        en = f"{len(districts)} districts ({shown}) are judged as one county, which the rule is for: give each a table"
        yield Words(en, f"共{len(districts)}个县区（{shown}）：按一个县评估；标准以县为单位，宜分县区填表")


def _doubts(read: Read) -> Iterator[Words]:
    """Stocks so far from the standard that the unit may be another."""
    counted = pupils(read)[:, :SENIOR].sum(axis=1)
    needed = standard().per_pupil.mean(axis=0)
    for name, need in zip(STOCKS, needed, strict=True):
        stock = read.number(name)
        known = ~np.isnan(stock) & (counted > 0)
        if known.any() and stock[known].sum() > 0:
            ratio = stock[known].sum() / counted[known].sum() / need
            if ratio < 0.02 or ratio > 50:
                zh = read.spec.columns[name].zh
                en = f"{name}: {ratio:.2g} times the standard on average; is it in another unit?"
                yield Words(en, f"{zh}：平均为标准的{ratio:.2g}倍；单位是否有误？")
