"""A region from tables: what they tell is kept, the rest drawn from a profile; and a report on which is which."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from calibration.columns import table_spec
from calibration.faults import Words
from calibration.region_tables import STAGED, STOCKS, Told, read_told
from model.complete import DERIVED, DRAWN, TOLD, Marks, complete
from model.errors import InputError
from model.given import STAFF, known
from model.profile import read_profile
from model.region import CLASS_CAP, Region
from model.strict_yaml import load

BASE = "wuqing"  # the one profile that is calibrated
COLUMNS = {"enrolment": "pupils", "place": "x_km", **STAGED, **STOCKS}  # a region's name → the table's


@dataclass(frozen=True)
class Line:
    """How the values of one column are known: counts, and what was done about those that are not told."""

    table: str
    column: str
    zh: str
    told: int
    derived: int
    drawn: int
    how: Words

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        counts = {"given": self.told, "derived": self.derived, "synthesised": self.drawn}
        return {
            "table": self.table,
            "column": self.column,
            "zh": self.zh,
            **counts,
            "how": self.how.en,
            "how_zh": self.how.zh,
        }


@dataclass(frozen=True)
class Imported:
    """A region made from tables, and how it was."""

    region: Region
    lines: list[Line]
    notes: list[Words]
    base: str


def import_region(
    schools: Path,
    teachers: Path | None = None,
    flows: Path | None = None,
    base: str = BASE,
    seed: int = 1,
    name: str | None = None,
    sheet: str | None = None,
    base_year: int | None = None,
    primary_grades: int | None = None,
) -> Imported:
    """The region that the tables tell of, in the profile's base year unless another is given.

    Raises TableError with all that is wrong with the tables, InputError where something else is.
    """
    given, facts = read_profile(base)
    given = given | ({"base_year": base_year} if base_year else {})
    given = given | ({"primary_grades": primary_grades} if primary_grades else {})
    told = read_told(schools, teachers, flows, sheet)
    own = name or schools.stem
    facts = [fact for fact in facts if not fact["name"].startswith("districts.")]
    region, marks = complete(given, facts, told.tables, seed, own, {"en": own, "zh": own})
    notes = [*told.notes, *_seats_note(region)]
    return Imported(region, [*_lines(told, marks), *_other_lines(told)], notes, base)


def _seats_note(region: Region) -> Iterator[Words]:
    """What becomes of seats, which the model does not count: it admits by rooms."""
    told = known(region.official["given"], "seats")
    given = ~np.isnan(told)
    if given.any():
        rooms = np.where(given, region.schools.classrooms, 0)
        seats, held = np.nansum(told), (rooms * np.array(CLASS_CAP)).sum()
        en = f"{seats:,.0f} seats given: the model admits by rooms; {rooms.sum():,.0f} of 45 or 50 are"
        zh = f"给定学位 {seats:,.0f} 个：模型按教室招生，共 {rooms.sum():,.0f} 间（小学45座、初中50座），"
        yield Words(f"{en} {held:,.0f} seats", f"{zh}合 {held:,.0f} 个学位")


def _lines(told: Told, marks: Marks) -> list[Line]:
    """A line a column of the table of schools."""
    spec, found = table_spec("schools"), []
    for name, mark in marks.items():
        column = COLUMNS.get(name, name)
        divided = told.derived.get(name, 0)
        told_count = int((mark == TOLD).sum())
        counts = (told_count - divided, int((mark == DERIVED).sum()) + divided, int((mark == DRAWN).sum()))
        how = completion(name) if counts[1] + counts[2] else Words("", "")
        found.append(Line("schools", column, spec.columns[column].zh, *counts, how))
    return found


def _other_lines(told: Told) -> list[Line]:
    """Columns of the other tables, and columns that a region has no place for."""
    found = []
    for read in told.reads:
        spec = read.spec
        unused = told.unused[spec.name]
        for name in STAFF if spec.name == "teachers" else spec.columns if spec.name == "flows" else unused:
            values = read.columns.get(name)
            count = 0 if values is None else sum(value not in ("",) and value == value for value in values.tolist())
            if name in unused and not count:  # a column of the template that nobody filled
                continue
            missing = read.n - count if spec.name == "teachers" else 0
            how = completion("unused") if name in unused else completion("staff") if missing else Words("", "")
            found.append(Line(spec.name, name, spec.columns[name].zh, count, 0, missing, how))
    return found


@cache
def _completions() -> dict[str, Words]:
    return {name: Words(**row) for name, row in load(Path(__file__).with_name("completion.yaml")).items()}


def completion(name: str) -> Words:
    """What is done about the values of a column that are not told."""
    return _completions()[name]


def report_csv(imported: Imported, lang: str) -> bytes:
    """The report as CSV that Excel opens: UTF-8 with a byte order mark."""
    heads = {
        "en": ("table", "column", "given", "derived", "synthesised", "how"),
        "zh": ("表", "列", "给定", "推算", "合成", "方法"),
    }[lang]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(heads)
    for line in imported.lines:
        table, title = (table_spec(line.table).title.zh, line.zh) if lang == "zh" else (line.table, line.column)
        writer.writerow((table, title, line.told, line.derived, line.drawn, line.how.text(lang)))
    for note in imported.notes:
        writer.writerow(("", "", "", "", "", note.text(lang)))
    return text.getvalue().encode("utf-8-sig")


def write_whole(files: dict[Path, Callable[[Path], None]]) -> None:
    """Write several files, or none of them: each is written beside its place first. Raises InputError."""
    unfinished = {path: path.with_name(f"{path.name}.{os.getpid()}.unfinished") for path in files}
    try:
        for path, write in files.items():
            if path.is_dir():
                raise InputError(str(path), "a folder", "the name of a file")
            write(unfinished[path])
        for path, part in unfinished.items():
            part.replace(path)
    except OSError as error:
        raise InputError(
            str(error.filename or path), error.strerror or str(error), "a place that can be written"
        ) from None
    finally:
        for part in unfinished.values():
            part.unlink(missing_ok=True)


def summary(imported: Imported) -> dict[str, Any]:
    """What `junheng region import --json` prints."""
    region = imported.region
    return {
        "name": region.name,
        "base": imported.base,
        "base_year": region.base_year,
        "schools": region.schools.n,
        "pupils": dict(zip(("primary", "junior"), region.schools.enrolment.sum(axis=0).tolist(), strict=True)),
        "teachers": region.teachers.n,
        "classrooms": int(np.sum(region.schools.classrooms)),
        "columns": [line.as_data() for line in imported.lines],
        "notes": [{"en": note.en, "zh": note.zh} for note in imported.notes],
    }
