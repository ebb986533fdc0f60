"""The report as an Excel book: a sheet a chapter, native charts, sums that are formulas on the ledger's rows.

Numbers are numbers, with formats. Ranges stand in columns of their own, or, where a table has many, in two tables
beneath it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from results.drawing import GREY, TARGET
from results.pictures_of_money import COLOURS
from results.report import words
from results.report.document import Cell, Document, Picture, Section, Table, Value

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

CREATED = datetime(2000, 1, 1)  # no clock: the same bytes for the same run
SHEET_NAME = 31  # letters
MANY = 3  # ranges that stand beside their means
CHART = {"width": 560, "height": 300}
RULES = {"visible": True, "line": {"color": "#DDDDDD"}}
CHART_ROWS = 16  # rows that a chart covers
TINTS = {"✓": "#DCEBF5", "✗": "#FBE6C8", "◐": "#F1F1E6"}
LEDGER = ("scenario", "year", "payer", "receiver", "lever", "kind", "nature", "yuan")
WIDE, NARROW = 46, 14  # letters
COLUMNS, TEXT_OVER, LINE = 40, 8, 15.5  # columns that are sized, the last one under a paragraph, points of a line
FORMATS = {"share": "0.0%", "yuan": '¥#,##0.00,,"M"', "count": "#,##0.0", "yuan per pupil": "#,##0", "0/1": "0.0"}
YUAN_ZH = r'0\.0,"万元"'  # in thousands, the last digit after a point of its own: ten thousands


def book(report: Document) -> bytes:
    """The report as a book."""
    import xlsxwriter

    held = io.BytesIO()
    made = xlsxwriter.Workbook(held, {"in_memory": True})
    made.set_properties({"title": report.title, "subject": report.subtitle, "created": CREATED})
    made.set_calc_mode("auto")
    writer = _Writer(report, made, words.say("ledger", report.lang))
    for section in report.sections:
        writer.sheet(section)
    writer.ledger()
    made.close()
    return held.getvalue()


@dataclass
class _Writer:
    """The book under way."""

    report: Document
    book: Workbook
    ledger_sheet: str
    formats: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    widths: dict[int, int] = field(default_factory=dict)  # letters of the widest text of each column of a sheet
    texts: dict[int, str] = field(default_factory=dict)  # paragraphs of a sheet by row
    parts: dict[str, int] = field(default_factory=dict)  # parts of stacks, in the order of their colours

    def sheet(self, section: Section) -> None:
        """A chapter: its words, its tables one beneath the other, charts to the right of theirs."""
        sheet = self.book.add_worksheet(section.title[:SHEET_NAME])
        sheet.hide_gridlines(2)
        self.widths, self.texts = {}, {}
        row = 0
        if section is self.report.sections[0]:
            sheet.write(0, 0, self.report.title, self.format(bold=True, font_size=16))
            sheet.write(1, 0, self.report.subtitle, self.format(font_color=GREY))
            for i, banner in enumerate(self.report.banners):
                sheet.write(2 + i, 0, banner, self.format(bg_color="#FDF3DC"))
            row = 3 + len(self.report.banners)
        sheet.write(row, 0, section.title, self.format(bold=True, font_size=13))
        row = self._words(sheet, row + 1, section)
        for picture in section.pictures:
            for text in (*picture.findings, picture.note):
                row = self._paragraph(sheet, row, text, bold=text != picture.note)
            row = self._picture(sheet, row, picture) + 1
        for table in (*section.tables, *section.folded):
            row, _ = self._table(sheet, row, table)
            row += 1
        for text in section.code:
            sheet.write_string(row, 0, text)
            row += 1
        widths = [min(max(self.widths.get(column, 0) + 2, NARROW), WIDE) for column in range(COLUMNS)]
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        for at, text in self.texts.items():
            sheet.set_row(at, LINE * (1 + int(_letters(text) * 1.1) // sum(widths[: TEXT_OVER + 1])))
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&Cjunheng &P / &N")

    def ledger(self) -> None:
        """The rows that every sum is made from."""
        sheet = self.book.add_worksheet(self.ledger_sheet)
        sheet.write(0, 0, words.say("ledger_note", self.report.lang))
        head = self.format(bold=True, bottom=1)
        for column, name in enumerate(LEDGER):
            sheet.write(1, column, words.say(name, self.report.lang), head)
        for i, entry in enumerate(self.report.ledger):
            for column, name in enumerate(LEDGER):
                sheet.write(2 + i, column, entry[name], self.format(num_format="#,##0") if name == "yuan" else None)
        sheet.set_column(0, len(LEDGER) - 1, 18)
        sheet.freeze_panes(2, 0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        if self.report.ledger:
            sheet.autofilter(1, 0, 1 + len(self.report.ledger), len(LEDGER) - 1)

    # ---- parts of a sheet

    def _words(self, sheet: Worksheet, row: int, section: Section) -> int:
        for heading, text in section.answers:
            sheet.write(row, 0, heading, self.format(bold=True))
            row = self._paragraph(sheet, row + 1, text)
        for text in section.says:
            row = self._paragraph(sheet, row, text)
        return row + 1

    def _paragraph(self, sheet: Worksheet, row: int, text: str, bold: bool = False) -> int:
        """A text over several columns, as high as it needs."""
        if not text:
            return row
        sheet.merge_range(row, 0, row, TEXT_OVER, text, self.format(text_wrap=True, valign="top", bold=bold))
        self.texts[row] = text
        return row + 1

    def _picture(self, sheet: Worksheet, row: int, picture: Picture) -> int:
        """The table behind a picture, the lines of its targets, and its charts beneath."""
        first = row + 2  # title, headings
        end, block = self._table(sheet, row, picture.table)
        if not picture.chart:
            return end
        aims: dict[tuple[str, ...], list[int]] = {}
        for indicator, stage, label, value in picture.aims:
            start, width = block
            unit = next(c.unit for c in picture.table.rows[0] if isinstance(c, Value))
            for column, text in enumerate((indicator, stage, label)):
                sheet.write(end, column, text, self.format(font_color=TARGET))
            for column in range(start, start + width):
                sheet.write(end, column, value, self.format(font_color=TARGET, num_format=self._number_format(unit)))
            aims.setdefault((indicator, stage), []).append(end)
            end += 1
        charts = self._charts(picture, first, sheet.get_name(), block, aims)
        for i, chart in enumerate(charts):
            sheet.insert_chart(end + 1 + i // 2 * CHART_ROWS, 0 if i % 2 == 0 else 5, chart, {"x_offset": 4})
        return end + 2 + -(-len(charts) // 2) * CHART_ROWS

    def _table(self, sheet: Worksheet, row: int, table: Table) -> tuple[int, tuple[int, int]]:
        """Write a table; returns the row after it, and its columns of years as (first, how many)."""
        beside, beneath = _columns(table, self.report.lang)
        end = self._block(sheet, row, table, table.title, beside)
        if table.by:
            self._sums(sheet, row + 1, table)
        for title, columns in beneath:
            end = self._block(sheet, end + 1, table, title, columns)
        years = [at for at, column in enumerate(beside) if column.part == "mean" and column.heading.isdigit()]
        return end, (years[0], len(years)) if years else (0, 0)

    def _block(self, sheet: Worksheet, row: int, table: Table, title: str, columns: Sequence[_Column]) -> int:
        """Some columns of a table, with headings; returns the row after it."""
        sheet.write(row, 0, title, self.format(bold=True))
        for at, column in enumerate(columns):
            side = "right" if column.part else "left"
            head = self.format(bold=True, bottom=1, text_wrap=True, valign="bottom", align=side)
            sheet.write(row + 1, at, int(column.heading) if column.heading.isdigit() else column.heading, head)
        for i, cells in enumerate(table.rows):
            for at, column in enumerate(columns):
                self._cell(sheet, row + 2 + i, at, column.of(cells), bold=i in table.totals)
        return row + 2 + len(table.rows)

    def _sums(self, sheet: Worksheet, head: int, table: Table) -> None:
        """Replace the amounts by formulas on the ledger: by year, and their sum to the right."""
        from xlsxwriter.utility import xl_rowcol_to_cell as at

        last = 2 + len(self.report.ledger)
        ranges = {name: f"'{self.ledger_sheet}'!${c}$3:${c}${last}" for name, c in zip(LEDGER, "ABCDEFGH", strict=True)}
        width = len(table.headings) - len(table.by) - 1
        begins = len(table.by)
        for i, cells in enumerate(table.rows):
            row = head + 1 + i
            by = table.by[:-1] if i in table.totals else table.by
            keys = "".join(f",{ranges[name]},{at(row, c, col_abs=True)}" for c, name in enumerate(by))
            form = self.format(num_format=self._number_format("yuan"), bold=i in table.totals)
            for year in range(width):
                when = f",{ranges['year']},{at(head, begins + year, row_abs=True)}"
                value = cells[begins + year]
                formula = f"=SUMIFS({ranges['yuan']}{keys}{when})"
                sheet.write_formula(row, begins + year, formula, form, value.mean if isinstance(value, Value) else 0)
            whole = cells[begins + width]
            span = f"{at(row, begins)}:{at(row, begins + width - 1)}"
            sheet.write_formula(
                row, begins + width, f"=SUM({span})", form, whole.mean if isinstance(whole, Value) else 0
            )

    def _cell(self, sheet: Worksheet, row: int, column: int, cell: Cell, bold: bool) -> None:
        if isinstance(cell, Value):
            if cell.mean is not None:
                tint = {"bg_color": TINTS[cell.mark]} if cell.mark in TINTS else {}
                form = self.format(num_format=self._number_format(cell.unit, cell.mark), bold=bold, **tint)
                sheet.write_number(row, column, cell.mean, form)
        elif isinstance(cell, int):
            sheet.write_number(row, column, cell)
        elif cell:
            tint = {"bg_color": TINTS[cell]} if cell in TINTS else {}
            self.widths[column] = max(self.widths.get(column, 0), _letters(cell))
            sheet.write_string(row, column, cell, self.format(bold=bold, **tint))

    def _charts(
        self,
        picture: Picture,
        first: int,
        sheet: str,
        block: tuple[int, int],
        aims: dict[tuple[str, ...], list[int]],
    ) -> list[Any]:
        """Native charts of a table over its years: a series a row, a chart for rows alike but in their last name."""
        begin, width = block
        if not width:
            return []
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, cells in enumerate(picture.table.rows):
            if i not in picture.table.totals:
                groups.setdefault(tuple(str(c) for c in cells[: begin - 1]), []).append(i)
        found = []
        for name, rows in groups.items():
            kind = {"type": "line"} if picture.chart == "lines" else {"type": "column", "subtype": "stacked"}
            chart = self.book.add_chart(kind)
            head = [sheet, first - 1, begin, first - 1, begin + width - 1]
            for i in rows:
                label = [sheet, first + i, begin - 1]
                values = [sheet, first + i, begin, first + i, begin + width - 1]
                who = str(picture.table.rows[i][begin - 1])
                chart.add_series(
                    {"name": label, "categories": head, "values": values, **self._drawn(who, picture.chart)}
                )
            for row in aims.get(name, []):
                values = [sheet, row, begin, row, begin + width - 1]
                line = {"color": TARGET, "dash_type": "dash", "width": 1.5}
                chart.add_series({"name": [sheet, row, begin - 1], "categories": head, "values": values, "line": line})
            chart.set_title(
                {"name": " · ".join(part for part in name if part) or picture.table.title, "name_font": {"size": 11}}
            )
            unit = next((c.unit for c in picture.table.rows[rows[0]] if isinstance(c, Value)), "")
            held = [c.mean for i in rows for c in picture.table.rows[i] if isinstance(c, Value) and c.mean is not None]
            axis: dict[str, Any] = {"num_format": self._number_format(unit), "major_gridlines": RULES}
            chart.set_y_axis(axis | ({"min": 0} if min(held, default=0) >= 0 else {}))
            chart.set_x_axis({"label_position": "low"})
            chart.set_legend({"position": "bottom"})
            chart.set_size(CHART)
            found.append(chart)
        return found

    def _drawn(self, who: str, kind: str) -> dict[str, Any]:
        if kind == "stacks":
            at = self.parts.setdefault(who, len(self.parts))
            return {"fill": {"color": COLOURS[at % len(COLOURS)]}, "border": {"color": "white", "width": 0.5}}
        look = self.report.looks.get(who)
        if look is None:
            return {}
        solid = look.dashes == "-" and not who.endswith(("(sorting)", "（sorting）"))
        return {"line": {"color": look.colour, "width": 2, "dash_type": "solid" if solid else "dash"}}

    # ---- formats

    def format(self, **how: Any) -> Any:
        """A cell format, each made once."""
        key = tuple(sorted(how.items()))
        if key not in self.formats:
            self.formats[key] = self.book.add_format(how)
        return self.formats[key]

    def _number_format(self, unit: str, mark: str = "") -> str:
        plain = YUAN_ZH if unit == "yuan" and self.report.lang == "zh" else FORMATS.get(unit, "#,##0.00")
        return f'{plain} "{mark}"' if mark else plain


@dataclass(frozen=True)
class _Column:
    """A column of a sheet: a column of a table, or one part of a value with a range."""

    heading: str
    index: int
    part: str  # "", mean, low, high

    def of(self, cells: Sequence[Cell]) -> Cell:
        """Its cell of a row."""
        cell = cells[self.index]
        if self.part in ("", "mean"):
            return cell
        if not isinstance(cell, Value):
            return None
        return Value(cell.low if self.part == "low" else cell.high, cell.unit)


def _columns(table: Table, lang: str) -> tuple[list[_Column], list[tuple[str, list[_Column]]]]:
    """Columns of a table, with the ends of ranges beside them; or, where they are many, as two tables beneath."""
    numbers = [i for i in range(len(table.headings)) if any(isinstance(row[i], Value) for row in table.rows)]
    ranged = [i for i in numbers if any(_has_range(row[i]) for row in table.rows)]
    many = len(ranged) > MANY or any(table.headings[i].isdigit() for i in ranged)
    ends = {part: words.say(part, lang) for part in ("low", "high")}
    found: list[_Column] = []
    for i, heading in enumerate(table.headings):
        found.append(_Column(heading, i, "mean" if i in numbers else ""))
        if i in ranged and not many:
            found += [_Column(f"{heading} {end}", i, part) for part, end in ends.items()]
    if not many:
        return found, []
    beneath = [
        (f"{table.title} · {end}", [replace(c, part=part if c.part else "") for c in found])
        for part, end in ends.items()
    ]
    return found, beneath


def _has_range(cell: Cell) -> bool:
    return isinstance(cell, Value) and cell.low is not None


def _letters(text: str) -> int:
    """How wide a text is, a Chinese character counting two."""
    return sum(2 if ord(c) > 0x2E80 else 1 for c in text)
