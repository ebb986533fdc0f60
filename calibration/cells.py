"""The cells of a file: text in any usual encoding, or a workbook. What it is, its bytes say, not its name.

Workbooks of today (.xlsx) are read by calamine, ten times as fast as openpyxl. It holds a sheet as one block, so
that a stray cell far out would take all memory and end the process, and it shows errors and formulas without a
result as empty cells: a first pass over the sheet's XML finds all three. Old workbooks (.xls) are read by xlrd.
"""

from __future__ import annotations

import codecs
import csv
import io
import posixpath
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.parsers import expat

from calibration.faults import Words
from model.errors import InputError, unknown

MOST_BYTES = 200 * 2**20  # of a file
MOST_UNPACKED = 2**30  # bytes of a part of a workbook
MOST_ROWS = 200_000  # the nation has about as many schools
MOST_COLUMNS = 1_000
MOST_CELLS = 10_000_000  # of the block that a sheet is held in
DELIMITERS = (",", ";", "\t", "|", "，")
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OTHERS = {
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a compressed file",
    b"Rar!": "an archive",
    b"7z\xbc\xaf": "an archive",
}
TABLE = "a table as .xlsx, .xls or CSV"
OLD = Words(
    "an old workbook (.xls): formulas count with the values last saved",
    "旧版工作簿（.xls）：公式按上次保存的值读取",
)
UNSAVED = Words(
    "a formula whose result was never saved (open the workbook and save it)",
    "没有保存结果的公式（请打开工作簿后重新保存）",
)

Cell = Any  # str, float, int, bool, date, datetime, time, timedelta; "" where empty
Range = tuple[tuple[int, int], tuple[int, int]]  # first and last row and column, from 0


@dataclass(frozen=True)
class Cells:
    """The cells of one sheet."""

    rows: Iterator[tuple[int, list[Cell]]]  # row of the sheet or line of the file, from 1, and its cells
    merged: list[Range] = field(default_factory=list)
    lost: dict[tuple[int, int], Words] = field(default_factory=dict)  # by row and column from 0: no value can be read
    notes: list[Words] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)  # from 1, as `rows`
    hidden_columns: set[int] = field(default_factory=set)  # from 0


@dataclass(frozen=True)
class Sheet:
    """A sheet that can be read, again and again."""

    name: str  # empty for a text file
    read: Callable[[], Cells]
    hidden: bool = False
    separator: str = ""  # of a text file


def sheets(path: Path, sheet: str | None = None) -> list[Sheet]:
    """The sheets of a file, or the named one; of a text file one for each separator it might have.

    Raises InputError where the file cannot be read, is no table, or has no such sheet.
    """
    data = _bytes(path)
    if data[:4] == ZIP or data[:8] == OLE:
        found = _workbook(path, data)
        if sheet is None:
            return found
        if sheet not in [held.name for held in found]:
            raise unknown(str(path), "sheet", sheet, [held.name for held in found])
        return [held for held in found if held.name == sheet]
    if sheet is not None:
        raise InputError("--sheet", f"{sheet!r}, but {path} is a text file", "a workbook, or no --sheet")
    return _texts(path, data)


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(str(path), "a folder", TABLE)
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(str(path), f"{size / 2**20:,.0f} MiB", f"a file of at most {MOST_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(str(path), "no such file", TABLE) from None
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error), "a file that can be read") from None
    if not data.strip():
        raise InputError(str(path), "an empty file", TABLE)
    return data


# --- text


def _texts(path: Path, data: bytes) -> list[Sheet]:
    for magic, what in OTHERS.items():
        if data.startswith(magic):
            raise InputError(str(path), what, TABLE)
    text, notes = decoded(path, data)
    if text.lstrip()[:1] == "<":
        found = "a web page or XML, whatever its name (older systems export such as .xls)"
        raise InputError(str(path), found, "a workbook: open it and save it as .xlsx")
    return [Sheet("", _text_reader(path, text, mark, notes), separator=mark) for mark in DELIMITERS]


def decoded(path: Path, data: bytes) -> tuple[str, list[Words]]:
    """A text file's text: UTF-8 with or without a byte order mark, UTF-16 or 32 with one, else GB18030 (so GBK).

    Raises InputError where it is none of them.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):  # begins as UTF-16 does
        tried = ["utf-32"]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tried = ["utf-16"]
    elif b"\0" in data:
        found = "bytes that are no text, or UTF-16 without a byte order mark"
        raise InputError(str(path), found, f"{TABLE} in UTF-8 or GBK")
    else:
        tried = ["utf-8-sig"] if data.startswith(codecs.BOM_UTF8) else ["utf-8", "gb18030"]
    for encoding in tried:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            continue
        if encoding == "gb18030":
            return text, [Words("read as GB18030 (GBK): it is not UTF-8", "不是UTF-8，按GB18030（GBK）读取")]
        return text, []
    found = f"bytes that are not {' or '.join(name.removesuffix('-sig').upper() for name in tried)}"
    raise InputError(f"{path}, line {line}", found, "a text file in UTF-8 or GBK")


def _text_reader(path: Path, text: str, separator: str, notes: list[Words]) -> Callable[[], Cells]:
    def rows() -> Iterator[tuple[int, list[Cell]]]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        line = 1
        try:
            for number, cells in enumerate(reader):
                if number > MOST_ROWS:
                    raise InputError(str(path), f"more than {MOST_ROWS:,} rows", "a table of schools, not larger")
                yield line, list(cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"{path}, line {line}", str(error), "cells in quotes, or none in them") from None

    return lambda: Cells(rows(), notes=list(notes))


# --- workbooks


def _workbook(path: Path, data: bytes) -> list[Sheet]:
    with _told(path):
        found = _new_workbook(path, data) if data[:4] == ZIP else _old_workbook(path, data)
    if not found:
        raise InputError(str(path), "a workbook without a sheet", TABLE)
    return found


def _new_workbook(path: Path, data: bytes) -> list[Sheet]:
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    parts = _worksheets(path, data)
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return [
        Sheet(
            held.name,
            _sheet_reader(path, data, book, held.name, parts[held.name]),
            held.visible != SheetVisibleEnum.Visible,
        )
        for held in book.sheets_metadata
        if held.typ == SheetTypeEnum.WorkSheet and held.name in parts
    ]


def _old_workbook(path: Path, data: bytes) -> list[Sheet]:
    """Sheets of an .xls. xlrd is slower than calamine, but a damaged file cannot end the process."""
    import xlrd

    if "EncryptedPackage".encode("utf-16-le") in data:
        raise InputError(str(path), "a workbook with a password", "one without: save it without")
    book = xlrd.open_workbook(file_contents=data, formatting_info=True, logfile=io.StringIO())
    return [Sheet(held.name, _old_reader(path, held, book.datemode), held.visibility != 0) for held in book.sheets()]


def _old_reader(path: Path, sheet: Any, datemode: int) -> Callable[[], Cells]:
    import xlrd

    lost: dict[tuple[int, int], Words] = {}

    def cell(row: int, column: int) -> Cell:
        kind, value = sheet.cell_type(row, column), sheet.cell_value(row, column)
        if kind == xlrd.XL_CELL_ERROR:
            text = xlrd.error_text_from_code.get(value, "?")
            lost[row, column] = Words(f"the error {text}", f"错误值{text}")
            return ""
        if kind == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(value, 1 if datemode else 0)
        return bool(value) if kind == xlrd.XL_CELL_BOOLEAN else value

    def read() -> Cells:
        with _told(path):
            rows = [(r + 1, [cell(r, c) for c in range(sheet.ncols)]) for r in range(sheet.nrows)]
        merged = [((top, left), (bottom - 1, right - 1)) for top, bottom, left, right in sheet.merged_cells]
        hidden_rows = {row + 1 for row, held in sheet.rowinfo_map.items() if held.hidden}
        hidden_columns = {column for column, held in sheet.colinfo_map.items() if held.hidden}
        return Cells(iter(rows), merged, lost, [OLD], hidden_rows, hidden_columns)

    return read


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What a library finds wrong with a workbook, as a message."""
    try:
        yield
    except InputError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # calamine's own panics are no Exception
        found = f"a workbook that cannot be read ({' '.join(str(error).split())[:120]})"
        raise InputError(str(path), found, "one that opens: save it again as .xlsx") from None


def _sheet_reader(path: Path, data: bytes, book: Any, name: str, part: str) -> Callable[[], Cells]:
    @cache
    def looked() -> tuple[_Look, Any]:
        with _told(path):
            look = _look(path, name, data, part)
            sheet = book.get_sheet_by_name(name)
        first = sheet.start[0] if sheet.start else 0
        if sheet.end and sheet.end[0] - first > MOST_ROWS:
            raise InputError(f"{path}, sheet {name}", f"{sheet.end[0] + 1:,} rows", f"at most {MOST_ROWS:,}")
        return look, sheet

    def read() -> Cells:
        look, sheet = looked()
        merged = sheet.merged_cell_ranges or []
        return Cells(_rows(path, sheet), merged, look.lost, look.notes(), look.hidden_rows, look.hidden_columns)

    return read


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, list[Cell]]]:
    left = [""] * (sheet.start[1] if sheet.start else 0)  # calamine begins at the first column that holds anything
    with _told(path):
        for row, cells in enumerate(sheet.iter_rows(), 1):
            yield row, left + cells if left else cells


@dataclass
class _Look:
    """What the first pass over a sheet's XML finds."""

    rows: int = 0
    columns: int = 0
    formulas: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    lost: dict[tuple[int, int], Words] = field(default_factory=dict)

    def notes(self) -> list[Words]:
        """That formulas are read, and how."""
        if not self.formulas:
            return []
        en = f"{self.formulas} formulas: read with the values last saved"
        return [Words(en, f"{self.formulas} 个公式：按上次保存的值读取")]


def _worksheets(path: Path, data: bytes) -> dict[str, str]:
    """The part of the archive that holds each sheet."""
    from xml.etree import ElementTree  # expat refuses entities that grow

    archive = zipfile.ZipFile(io.BytesIO(data))
    names = set(archive.namelist())
    if any(part.file_size > MOST_UNPACKED for part in archive.infolist()):
        raise InputError(str(path), "a workbook of more than 1 GiB when unpacked", "a table of schools, not larger")
    if "xl/workbook.xml" not in names:
        raise InputError(str(path), "a file that is no workbook of Excel (.xlsx)", "one: save it as .xlsx")
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    target = {item.get("Id"): item.get("Target", "") for item in relations}
    found = {}
    for item in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314
        if item.tag.rpartition("}")[2] == "sheet":
            own = next((value for key, value in item.attrib.items() if key.endswith("}id")), "")
            part = posixpath.normpath(posixpath.join("/xl", target.get(own, ""))).lstrip("/")
            if part in names:
                found[item.get("name", "")] = part
    return found


def _look(path: Path, name: str, data: bytes, part: str) -> _Look:
    """One pass over a sheet's XML. Raises InputError for a sheet that is too large to be held."""
    looked, where = _Look(), f"{path}, sheet {name}"
    at, kind, value, formula = "", "", False, False
    line, place = 0, 0  # of cells that do not say where they are
    columns: dict[str, int] = {}
    text: list[str] = []  # of the value, where a formula or an error stands

    def settle() -> None:
        """Take in the cell before; one that is only formatted does not count."""
        if not at or not (value or formula):
            return
        name = at.rstrip("0123456789")
        if name not in columns:
            columns[name] = position(at)[1]
            looked.columns = max(looked.columns, columns[name] + 1)
        looked.rows = max(looked.rows, int(at[len(name) :]))
        if looked.rows > MOST_ROWS + 1 or looked.columns > MOST_COLUMNS or looked.rows * looked.columns > MOST_CELLS:
            raise _too_large(where, looked, at)
        looked.formulas += formula
        if kind == "e":
            looked.lost[position(at)] = Words(f"the error {''.join(text)}", f"错误值{''.join(text)}")
        elif formula and kind != "str" and not "".join(text).strip():
            looked.lost[position(at)] = UNSAVED

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal at, kind, value, formula, line, place
        tag = tag.rpartition(":")[2]
        if tag == "v" or tag == "is":
            value = True
            if formula or kind == "e":
                parser.CharacterDataHandler = text.append
        elif tag == "f":
            formula = True
        elif tag == "c":
            settle()
            text.clear()
            parser.CharacterDataHandler = None
            at, kind, value, formula = attributes.get("r", ""), attributes.get("t", ""), False, False
            at = at or f"{letters(place)}{line}"
            place += 1
        elif tag == "row":
            line, place = int(attributes.get("r", line + 1)), 0
            if attributes.get("hidden") in ("1", "true") and line <= MOST_ROWS:
                looked.hidden_rows.add(line)
        elif tag == "col" and attributes.get("hidden") in ("1", "true"):
            first, last = int(attributes.get("min", 1)), int(attributes.get("max", 1))
            looked.hidden_columns.update(range(first - 1, min(last, MOST_COLUMNS)))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    with zipfile.ZipFile(io.BytesIO(data)).open(part) as file:
        while chunk := file.read(1 << 20):
            parser.Parse(chunk)
    settle()
    return looked


def _too_large(where: str, looked: _Look, at: str) -> InputError:
    if looked.rows > MOST_ROWS + 1:
        return InputError(where, f"more than {MOST_ROWS:,} rows", "a table of schools, not larger")
    found = f"a cell at {at}, so {looked.rows:,} rows of {looked.columns:,} columns"
    most = f"at most {MOST_COLUMNS:,} columns and {MOST_CELLS:,} cells: clear what is far out"
    return InputError(where, found, most)


def position(name: str) -> tuple[int, int]:
    """Row and column, from 0, of a cell by its name: B3 is (2, 1)."""
    letters = name.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(name[len(letters) :]) - 1, column - 1


def letters(column: int) -> str:
    """A column, from 0, as spreadsheets call it."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
