"""Reading a planner's table: headings found, cells checked, all that is wrong told at once.

    read = read_table(Path("schools.xlsx"), table_spec("schools"))
    read.number("pupils"), read.text("school"), read.row, read.notes

Cells are checked by pydantic, a column at a time: it is small, fast and reports every wrong cell of a list
with its index. What cells mean before that (full-width digits, thousands separators, Chinese words for the
stages) is said here and in `tables.yaml`.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.cells import Cell, Cells, Sheet, letters, sheets
from calibration.columns import (
    FALSE,
    TRUE,
    Column,
    Heading,
    TableSpec,
    headings,
    is_total,
    is_unit,
    other_units,
    plain,
    words,
)
from calibration.faults import Fault, TableError, Words, stretches
from model.errors import InputError, nearest_name

HEAD_ROWS = 30  # in which the headings are looked for
FEWEST_HEADINGS = 2
PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
GROUPED_NUMBER = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
SPACED_NUMBER = re.compile(r"[+-]?[1-9]\d{0,2}( \d{3})+(\.\d+)?")
UNITS_ZH = {"m2": "平方米", "yuan": "元", "km": "千米", "share": "比例"}
_BREAK = re.compile(r"\s*[\r\n]+\s*")  # within a cell, where the name was too long for it
DASHES = str.maketrans("−–—", "---")


@dataclass
class Read:
    """A table that was read. Rows are in the order of the file; columns that it has not are not there."""

    path: Path
    sheet: str
    spec: TableSpec
    columns: dict[str, NDArray[Any]]  # text and choices: object, "" where empty; else float64, NaN where empty
    row: NDArray[np.int64]  # row of the sheet, or line of the file, from 1
    at: Mapping[str, tuple[str, str]]  # by column: what spreadsheets call it, and its heading
    notes: list[Words] = field(default_factory=list)
    broken: dict[str, NDArray[np.bool_]] = field(default_factory=dict)  # cells with a fault already told
    unused: Sequence[str] = ()  # headings that are not known

    @property
    def n(self) -> int:
        """How many rows."""
        return int(self.row.size)

    def has(self, name: str) -> bool:
        """Whether the table has the column."""
        return name in self.columns

    def number(self, name: str) -> NDArray[np.float64]:
        """A column of numbers (of flags: 1 and 0), NaN where empty or not there."""
        return self.columns[name] if name in self.columns else np.full(self.n, np.nan)

    def text(self, name: str) -> NDArray[Any]:
        """A column of text or choices, "" where empty or not there."""
        return self.columns[name] if name in self.columns else np.full(self.n, "", object)

    def wrong(self, name: str) -> NDArray[np.bool_]:
        """Which cells of a column have a fault already."""
        return self.broken.get(name, np.zeros(self.n, bool))

    def fault(self, index: int, name: str, found: Words, expected: Words, nearest: str | None = None) -> Fault:
        """A fault of a cell, for checks that look at several cells at once."""
        letter, heading = self.at.get(name, ("", self.spec.columns[name].zh))
        return Fault(found, expected, self.sheet, int(self.row[index]), letter, heading, nearest)


Check = Callable[[Read], Sequence[Fault]]


def read_table(
    path: Path,
    spec: TableSpec,
    sheet: str | None = None,
    required: Collection[str] = (),
    check: Check | None = None,
) -> Read:
    """The table in a file: CSV (UTF-8, GBK; comma, semicolon, tab) or a workbook.

    `sheet`: of a workbook; else the one that has the headings. `required`: columns that must be there beside
    those that always must. `check`: further faults of what was read, told together with those of single cells
    (it sees NaN and "" where a cell is wrong or a required column missing). Raises TableError with every fault of
    the table, and InputError where the file is no table at all.
    """
    needed = [name for name, column in spec.columns.items() if column.required or name in required]
    chosen, head = _headed(path, sheets(path, sheet), spec, needed)
    faults = list(_heading_faults(chosen, head, spec, needed))
    read = _body(path, chosen, head, spec, faults)
    if not read.n and not faults:
        faults.append(Fault(Words("no row under the headings", "表头下没有数据行"), _rows_expected(spec), chosen.name))
    if check is not None and all(read.has(name) for name, column in spec.columns.items() if column.required):
        faults += check(read)
    if faults:
        raise TableError.of(str(path), faults)
    return read


def _rows_expected(spec: TableSpec) -> Words:
    return Words(f"a row for each of the {spec.title.en}", f"每行一条{spec.title.zh}记录")


# --- headings


@dataclass
class _Head:
    """The row of headings of a sheet."""

    row: int  # from 1
    last: int  # of the headings: the next row where units stand in a row of their own
    width: int
    columns: dict[int, Heading]  # by column from 0, the first that has the name
    again: dict[int, tuple[int, str]]  # a later column with the same name: the first one's column, and the heading
    unknown: dict[int, str]
    text: dict[int, str]
    units_above: dict[str, str] = field(
        default_factory=dict
    )  # by measure, where a remark names one not the columns' own

    def has(self, name: str) -> bool:
        return any(heading.column.name == name for heading in self.columns.values())


def _headed(path: Path, found: list[Sheet], spec: TableSpec, needed: Sequence[str]) -> tuple[Sheet, _Head]:
    """The sheet that has the headings, and the row of them. Raises InputError where none has, or several."""
    heads, errors = [], []
    for held in found:
        try:
            head = _head(held, spec)
        except InputError as error:  # text that is none with this separator may be with the next
            if not held.separator:
                raise
            errors.append(error)
            continue
        heads += [(held, head)] if head else []
    whole = [(held, head) for held, head in heads if all(head.has(name) for name in needed)]
    shown = [pair for pair in whole if not pair[0].hidden] or whole
    if len(shown) > 1 and shown[0][0].separator:  # a text file: the separator that makes most of it
        return max(shown, key=lambda pair: len(pair[1].columns))
    if len(shown) > 1:
        names = ", ".join(repr(held.name) for held, _ in shown)
        raise InputError(str(path), f"the headings in several sheets: {names}", "--sheet with the name of one")
    if not shown and not heads:
        raise errors[0] if errors else _no_heading(path, found, spec, needed)
    return shown[0] if shown else max(heads, key=lambda pair: len(pair[1].columns))


def _no_heading(path: Path, found: list[Sheet], spec: TableSpec, needed: Sequence[str]) -> TableError | InputError:
    first: dict[str, list[str]] = {}
    for held in found:
        for _, cells in _first_rows(held.read()):
            texts = [_shown(cell) for cell in cells if _shown(cell)]
            if len(texts) > len(first.get(held.name, [])):
                first[held.name] = texts
    if not any(first.values()):
        return InputError(str(path), "no cell that holds anything", f"a table of {spec.title.en}")
    name, texts = max(first.items(), key=lambda pair: len(pair[1]))
    seen = ", ".join(texts[:8])[:120]
    wanted = ", ".join(f"{spec.columns[n].name} ({spec.columns[n].zh})" for n in needed)
    wanted_zh = "、".join(spec.columns[n].zh for n in needed)
    fault = Fault(
        Words(
            f"no row of headings among the first {HEAD_ROWS}; there stands: {seen}",
            f"前{HEAD_ROWS}行没有表头；其中有：{seen}",
        ),
        Words(f"a row of headings with {wanted}", f"含{wanted_zh}的一行表头"),
        name,
    )
    return TableError.of(str(path), [fault])


def _first_rows(cells: Cells) -> Iterator[tuple[int, list[Cell]]]:
    """The rows in which headings may stand; comments, as in the template, do not count."""
    seen = 0
    for row, held in cells.rows:
        if held and _shown(held[0]).startswith("#"):
            continue
        seen += 1
        if seen > HEAD_ROWS:
            return
        yield row, held


def _head(sheet: Sheet, spec: TableSpec) -> _Head | None:
    """The row with most headings that are known, or None; a heading merged over cells counts in each."""
    cells = sheet.read()
    rows = dict(_first_rows(cells))
    for (top, left), (bottom, right) in cells.merged:
        value = rows.get(top + 1, [])[left : left + 1]
        for row in range(top + 1, min(bottom + 1, HEAD_ROWS) + 1):
            held = rows.get(row, [])
            held[left : right + 1] = (value or [""]) * len(held[left : right + 1])
    best: _Head | None = None
    for row, held in rows.items():
        head = _named(row, held, spec)
        if len(head.columns) >= FEWEST_HEADINGS and (best is None or len(head.columns) > len(best.columns)):
            best = head
    if best is None:
        return None
    best = _with_units_below(best, rows.get(best.row + 1, []), spec)
    for row, held in rows.items():
        for cell in held if row < best.row else ():
            best.units_above.update(other_units(_shown(cell)))
    return best


def _with_units_below(head: _Head, cells: list[Cell], spec: TableSpec) -> _Head:
    """The headings with the units that stand in a row of their own under them, if that is what stands there."""
    units = {i: _shown(cell) for i, cell in enumerate(cells) if _shown(cell)}
    if not units or not all(is_unit(text) for text in units.values()):
        return head
    texts = [f"{text}（{units[i]}）" if text and i in units else text for i, text in head.text.items()]
    return dataclasses.replace(_named(head.row, texts, spec), last=head.row + 1)


def _named(row: int, cells: list[Cell], spec: TableSpec) -> _Head:
    head = _Head(row, row, len(cells), {}, {}, {}, {})
    first: dict[str, int] = {}
    for index, cell in enumerate(cells):
        text = _shown(cell)
        head.text[index] = text
        heading = spec.heading(text) if text else None
        if heading is None:
            if text:
                head.unknown[index] = text
        elif heading.column.name in first:
            head.again[index] = (first[heading.column.name], text)
        else:
            first[heading.column.name] = index
            head.columns[index] = heading
    return head


def no_column(column: Column, unused: Sequence[str]) -> Words:
    """That a column is not there, and which heading may have been meant as it."""
    near = nearest_name(column.zh, unused) or nearest_name(column.name, unused)
    near_en, near_zh = (f"; {near!r} is not known as it", f"；“{near}”未被识别") if near else ("", "")
    return Words(f"no column {column.name} ({column.zh}){near_en}", f"缺少“{column.zh}”列{near_zh}")


def _heading_faults(sheet: Sheet, head: _Head, spec: TableSpec, needed: Sequence[str]) -> Iterator[Fault]:
    def fault(index: int, found: Words, expected: Words) -> Fault:
        return Fault(found, expected, sheet.name, head.row, letters(index), head.text[index])

    unknown = list(head.unknown.values())
    for name in needed:
        if not head.has(name):
            column = spec.columns[name]
            found = no_column(column, unknown)
            title = Words(f"the heading {name!r} or {column.zh!r}", f"表头“{column.zh}”")
            yield Fault(found, title, sheet.name, head.row)
    for index, (before, _) in head.again.items():
        found = Words(
            f"the same column a second time (first in column {letters(before)})", f"与{letters(before)}列重复"
        )
        yield fault(index, found, Words("each column once", "每列只出现一次"))
    for index, heading in head.columns.items():
        if heading.unknown_unit:
            units = {
                "m2": ("m2, 亩, 公顷", "平方米、亩、公顷"),
                "yuan": ("元, 千元, 万元", "元、千元、万元"),
                "km": ("km, m", "千米、米"),
            }
            en, zh = units.get(heading.column.unit, (heading.column.unit, heading.column.unit))
            found = Words(f"the unit {heading.unknown_unit!r}", f"单位“{heading.unknown_unit}”")
            yield fault(index, found, Words(en or "no unit", zh or "无单位"))
        elif not heading.unit and (unit := head.units_above.get(heading.column.unit)):
            found = Words(f"no unit, under a remark that says {unit}", f"未注明单位，而表头上方写有“{unit}”")
            bare, own = heading.column.zh, UNITS_ZH[heading.column.unit]
            both = Words(
                f"the unit in the heading: {bare}（{own}） or {bare}（{unit}）",
                f"“{bare}（{own}）”或“{bare}（{unit}）”",
            )
            yield fault(index, found, both)


def _heading_notes(head: _Head, spec: TableSpec) -> Iterator[Words]:
    for index, heading in head.columns.items():
        where_en, where_zh = f"column {letters(index)} “{head.text[index]}”", f"{letters(index)}列“{head.text[index]}”"
        if heading.factor != 1:
            factor, to = f"{heading.factor:,.10g}", heading.column.unit
            yield Words(
                f"{where_en}: multiplied by {factor}, to {to}",
                f"{where_zh}：已乘以{factor}，换算为{UNITS_ZH.get(to, to)}",
            )
        elif heading.ignored:
            yield Words(
                f"{where_en}: read as {heading.column.name}; what stands in brackets is not looked at",
                f"{where_zh}：按“{heading.column.zh}”读取，括号内容未作处理",
            )
    if not head.unknown:
        return
    known = headings(spec.name)
    free = [word for word, column in known.items() if not head.has(column.name)]
    close = {text: nearest_name(text, free) for text in head.unknown.values()}
    for text, near in close.items():
        if near:
            yield Words(f"column “{text}” is not used; did you mean {near!r}?", f"“{text}”列未使用；是否为“{near}”？")
    rest = [text for text, near in close.items() if not near]
    if rest:
        shown, more = "、".join(rest[:10]), len(rest) - 10
        also_en, also_zh = (f" and {more} more", f"等另外{more}列") if more > 0 else ("", "")
        yield Words(f"columns not used: {shown}{also_en}", f"未使用的列：{shown}{also_zh}")


# --- rows


def _body(path: Path, sheet: Sheet, head: _Head, spec: TableSpec, faults: list[Fault]) -> Read:
    """Everything under the headings; faults of cells are added to `faults`."""
    cells = sheet.read()
    taken, row_of, notes = _rows_under(sheet, cells, head, faults)
    row = np.array(row_of, np.int64)
    at = {h.column.name: (letters(i), head.text[i]) for i, h in head.columns.items()}
    notes = [*cells.notes, *_hidden(sheet, cells, head, row_of), *_heading_notes(head, spec), *notes]
    read = Read(path, sheet.name, spec, {}, row, at, notes, unused=list(head.unknown.values()))
    lost = _at_rows(cells.lost, row_of)
    filled = _unmerge(sheet, cells, head, taken, row_of, faults)
    if filled:
        read.notes.append(
            Words(
                f"{filled} cells take the name of the cell they are merged with", f"{filled} 个单元格取合并单元格的内容"
            )
        )
    as_text = 0
    for index, heading in head.columns.items():
        unread = lost.get(index, {})
        values, broken, texts = _checked(
            taken[index], heading, unread, sheet, row_of, letters(index), head.text[index], faults
        )
        read.columns[heading.column.name] = values
        read.broken[heading.column.name] = broken
        as_text += texts
    if as_text and not sheet.separator:
        read.notes.append(
            Words(
                f"{as_text} numbers are written as text: read as numbers", f"{as_text} 个以文本存储的数字，已按数字读取"
            )
        )
    return read


def _hidden(sheet: Sheet, cells: Cells, head: _Head, rows: list[int]) -> Iterator[Words]:
    """What a reader may not have seen of what is read."""
    if sheet.hidden:
        yield Words(f"the sheet “{sheet.name}” is hidden; it is read", f"工作表“{sheet.name}”是隐藏的，已读取")
    unseen = sorted(cells.hidden_rows & set(rows))
    if unseen:
        shown = stretches(unseen)
        en = f"{len(unseen)} hidden rows are read like the others: row {shown}"
        yield Words(en, f"{len(unseen)} 个隐藏行同样计入：第 {shown} 行")
    for column in sorted(cells.hidden_columns & set(head.columns)):
        name, text = letters(column), head.text[column]
        yield Words(f"column {name} “{text}” is hidden; it is read", f"{name}列“{text}”是隐藏的，已读取")


def _rows_under(
    sheet: Sheet, cells: Cells, head: _Head, faults: list[Fault]
) -> tuple[dict[int, list[Cell]], list[int], list[Words]]:
    """Cells by column, the row of each, and what was left out. `cells.rows` is used up."""
    taken: dict[int, list[Cell]] = {index: [] for index in head.columns}
    name = min(head.columns, key=lambda i: (head.columns[i].column.type != "text", i))
    rows: list[int] = []
    left: list[tuple[int, str]] = []
    lost_rows = {row + 1 for row, _ in cells.lost}
    for row, held in cells.rows:
        if row <= head.last:
            continue
        filled = list(itertools.islice((cell for cell in held if cell != "" and _shown(cell)), 2))
        if not filled and row not in lost_rows:
            continue
        first, others = _shown(filled[0]) if filled else "", len(filled) > 1
        if first.startswith("#"):  # as in the template
            continue
        if _footer(first, others) or _is_total(held[name] if name < len(held) else "", first):
            left.append((row, first))
            continue
        if sheet.separator and len(held) > head.width and any(cell.strip() for cell in held[head.width :]):
            expected = Words(f"at most {head.width}, as many as headings", f"最多{head.width}格，与表头一致")
            faults.append(Fault(Words(f"{len(held)} cells", f"{len(held)} 格"), expected, sheet.name, row))
            continue
        rows.append(row)
        for index, column in taken.items():
            column.append(held[index] if index < len(held) else "")
    notes = []
    if left:
        shown = ", ".join(f"{row} “{text[:20]}”" for row, text in left[:5])
        notes.append(
            Words(
                f"{len(left)} rows left out, totals or notes: row {shown}",
                f"略去 {len(left)} 行合计或附注：第 {shown} 行",
            )
        )
    return taken, rows, notes


def _footer(first: str, others: bool) -> bool:
    """A remark under the table: its first cell begins with the word for it, and no other cell is filled."""
    start = re.split(r"[:：\s]", first, maxsplit=1)[0]
    return (plain(first) in words("footers") or plain(start) in words("footers")) and (not others or start != first)


def _is_total(name: Cell, first: str) -> bool:
    return is_total(_shown(name)) or is_total(first)


def _at_rows(lost: Mapping[tuple[int, int], Words], rows: list[int]) -> dict[int, dict[int, Words]]:
    """Cells without a value by column, then by position in `rows`."""
    place = {row: i for i, row in enumerate(rows)}
    found: dict[int, dict[int, Words]] = {}
    for (row, column), what in lost.items():
        if row + 1 in place:
            found.setdefault(column, {})[place[row + 1]] = what
    return found


def _unmerge(
    sheet: Sheet, cells: Cells, head: _Head, taken: dict[int, list[Cell]], rows: list[int], faults: list[Fault]
) -> int:
    """Names merged over rows hold for each of them; a number merged over rows or columns is nobody's: a fault."""
    place = {row: i for i, row in enumerate(rows)}
    filled = 0
    for (top, left), (bottom, right) in cells.merged:
        held = [place[row] for row in range(top + 1, bottom + 2) if row in place]
        columns = [index for index in range(left, right + 1) if index in taken]
        if not held or not columns or top + 1 <= head.last:
            continue
        heading = head.columns[columns[0]]
        if len(columns) == 1 and left == right and heading.column.type in ("text", "choice"):
            value = taken[left][held[0]]
            for i in held[1:]:
                taken[left][i] = value
            filled += len(held) - 1
        elif len(held) > 1 or len(columns) > 1:
            over = f"{letters(left)}{top + 1}:{letters(right)}{bottom + 1}"
            found = Words(f"cells merged over {over}", f"合并单元格{over}")
            expected = Words("a value in each cell: undo the merging", "每格各有一个值：请取消合并")
            faults.append(Fault(found, expected, sheet.name, top + 1, letters(columns[0]), head.text[columns[0]]))
    return filled


# --- cells


def _checked(
    raw: list[Cell],
    heading: Heading,
    lost: Mapping[int, Words],
    sheet: Sheet,
    rows: list[int],
    letter: str,
    title: str,
    faults: list[Fault],
) -> tuple[NDArray[Any], NDArray[np.bool_], int]:
    """The values of a column, which of its cells are wrong, and how many numbers were text."""
    column = heading.column
    meant = [_meaning(cell, column, sheet.separator) for cell in raw]
    texts = sum(type(cell) is str and type(value) is float for cell, value in zip(raw, meant, strict=True))
    wrong = dict.fromkeys(_refused(column, meant)) | dict.fromkeys(lost)
    for i in wrong:
        found = lost.get(i) or _found(raw[i])
        near = nearest_name(str(raw[i]), _ways(column)) if column.type == "choice" and not lost.get(i) else None
        faults.append(Fault(found, _expected(column, raw[i], sheet), sheet.name, rows[i], letter, title, near))
        meant[i] = None
    broken = np.zeros(len(raw), bool)
    broken[list(wrong)] = True
    if column.type in ("text", "choice"):
        return np.array([value or "" for value in meant], object), broken, 0
    values = np.array([math.nan if value is None else value for value in meant], np.float64)
    return values * heading.factor if heading.factor != 1 else values, broken, texts


def _ways(column: Column) -> list[str]:
    return [word for option in column.options for word in dict.fromkeys((option.en, option.zh))]


def _expected(column: Column, cell: Cell, sheet: Sheet) -> Words:
    if sheet.separator == ";" and isinstance(cell, str) and GROUPED_NUMBER.fullmatch(cell.strip()):
        en, zh = (
            "a number without thousands separators: between semicolons it may be 1,500 or 1.5",
            "不带千位分隔符的数字",
        )
        return Words(en, zh)
    return column.expected()


def _refused(column: Column, values: list[Any]) -> list[int]:
    """Positions of the values that are not what the column takes."""
    from pydantic import ValidationError

    try:
        _adapter(column.type, column.low, column.high, tuple(option.en for option in column.options)).validate_python(
            values
        )
    except ValidationError as error:
        return [
            int(one["loc"][0]) for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    return []


@cache
def _adapter(type_: str, low: float, high: float, options: tuple[str, ...]) -> Any:
    """What checks a list of cells: each of the type and in the range, or None."""
    from pydantic import Field, TypeAdapter

    if type_ == "text":
        return TypeAdapter(list[str | None])
    if type_ == "choice":
        return TypeAdapter(list[Literal[options] | None])  # type: ignore[valid-type]
    if type_ == "flag":
        return TypeAdapter(list[Annotated[float, Field(strict=True, ge=0, le=1, multiple_of=1)] | None])
    whole = 1.0 if type_ == "whole" else None
    limits = Field(strict=True, ge=low, le=high, multiple_of=whole, allow_inf_nan=False)
    return TypeAdapter(list[Annotated[float, limits] | None])


def _meaning(cell: Cell, column: Column, separator: str) -> Any:
    """What a cell says, as far as it can be told: None where empty, itself where it cannot."""
    if type(cell) is float and column.type in ("whole", "number"):
        return cell
    text = _shown(cell)
    if not text:
        return None
    if column.type == "text":
        return _BREAK.sub("", text)
    if column.type == "choice":
        return (column.choices or {}).get(plain(text) or text, text)
    if column.type == "flag":
        known = plain(text) or text.casefold()
        return 1.0 if known in TRUE else 0.0 if known in FALSE else text
    if isinstance(cell, bool | datetime.date | datetime.time | datetime.timedelta):
        return text
    return _number(text, column, separator)


def _number(text: str, column: Column, separator: str) -> float | str:
    """A number as people write it, or the text itself."""
    if PLAIN_NUMBER.fullmatch(text) and text.isascii():
        return float(text)
    known = unicodedata.normalize("NFKC", text).translate(DASHES)
    known = known.replace(" ", "") if SPACED_NUMBER.fullmatch(known) or known.endswith("%") else known
    percent = column.type == "share" and known.endswith("%")
    known = known.removesuffix("%") if percent else known
    if GROUPED_NUMBER.fullmatch(known) and separator != ";":
        known = known.replace(",", "")
    if not PLAIN_NUMBER.fullmatch(known):
        return text
    return float(known) / (100 if percent else 1)


def _shown(cell: Cell) -> str:
    """A cell as text: without blanks around it, whole numbers without a point."""
    if type(cell) is str:
        return cell.strip().strip("\ufeff\u200b")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def _found(cell: Cell) -> Words:
    text = _shown(cell)
    if not text:
        return Words("an empty cell", "空单元格")
    if isinstance(cell, str):
        cut = text if len(text) <= 40 else text[:39] + "…"
        return Words(repr(cut), f"“{cut}”")
    if isinstance(cell, datetime.date | datetime.time | datetime.timedelta):
        return Words(f"the date or time {text}", f"日期或时间{text}")
    return Words(text, text)
