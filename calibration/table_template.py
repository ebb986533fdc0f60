"""The tables to be filled in: schools, teachers, flows, with every column that is known and what it means.

A template that is read again is a table without rows: it holds no examples that might be judged.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from calibration.columns import Column, TableSpec, table_spec

TABLES = ("schools", "teachers", "flows")
FILL = {"needed": "#1F4E79", "several": "#2E75B6", "optional": "#DDEBF7"}
LAST_ROW = 2000  # to which lists of choices reach
SEVERAL = frozenset({"senior_pupils", "primary_pupils", "junior_pupils"})
WORDS = {
    "guide": ("How to fill in", "填表说明"),
    "table": ("table", "表"),
    "column": ("heading", "表头"),
    "other": ("also known as", "亦可写作"),
    "need": ("when", "填写要求"),
    "help": ("what it holds", "内容"),
    "values": ("values", "取值"),
    "needed": ("always", "必填"),
    "several": ("schools of several stages", "多学段学校必填"),
    "optional": ("optional", "选填"),
    "no_stock": ("optional for `region import`, always for `score`", "评分必填，导入选填"),
    "colours": (
        "Dark: always; blue: schools of several stages; light: optional. Delete the columns you do not need.",
        "深色为必填，蓝色为多学段学校必填，浅色为选填；不需要的列可删除。",
    ),
    "rows": (
        "One row a school and stage; a nine-year, complete or twelve-year school may stand in one row with its parts.",
        "每校每学段一行；九年一贯制、完全中学、十二年一贯制学校也可一行填写各学段。",
    ),
    "raw": (
        "Raw stocks, not ratios; a unit in the heading is obeyed, e.g. 教学仪器设备值（万元）.",
        "填写总量，不填生均值；表头括号内可注明单位，如“教学仪器设备值（万元）”。",
    ),
}


def _say(word: str, lang: str) -> str:
    return WORDS[word][lang == "zh"]


def need(column: Column) -> str:
    """When a column has to be filled: needed, several (by schools of several stages) or optional."""
    if column.name in SEVERAL or (column.stock and column.stage):
        return "several"
    return "needed" if column.required or column.stock or column.name == "pupils" else "optional"


def in_order(spec: TableSpec) -> list[Column]:
    """The columns as they stand in a template: what is needed first."""
    order = ("needed", "several", "optional")
    return sorted(spec.columns.values(), key=lambda column: order.index(need(column)))


def csv_template(name: str, lang: str) -> bytes:
    """A table as CSV in UTF-8 with a byte order mark: comments, which begin with #, and the headings."""
    columns = in_order(table_spec(name))
    lines = [_say(word, lang) for word in ("rows", "raw")] if name == "schools" else []
    lines += [f"{c.title(lang)} [{_say(need(c), lang)}]: {_meaning(c, lang)}" for c in columns]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([f"# {line}"] for line in lines)
    writer.writerow(column.title(lang) for column in columns)
    return text.getvalue().encode("utf-8-sig")


def _meaning(column: Column, lang: str) -> str:
    values = _values(column, lang)
    return column.help.text(lang) + (f" ({' | '.join(values)})" if values else "")


def _values(column: Column, lang: str) -> list[str]:
    if column.type == "flag":
        return ["是", "否"] if lang == "zh" else ["yes", "no"]
    return [option.text(lang) for option in column.options]


def workbook_template(lang: str) -> bytes:
    """All tables as one workbook: a sheet each, with notes and lists at the headings, and a guide."""
    import xlsxwriter

    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True, "strings_to_urls": False}) as book:
        for name in TABLES:
            _sheet(book, table_spec(name), lang)
        _guide(book, lang)
    return data.getvalue()


def _sheet(book: Any, spec: TableSpec, lang: str) -> None:
    sheet = book.add_worksheet(spec.title.text(lang))
    for index, column in enumerate(in_order(spec)):
        dark = need(column) != "optional"
        look = {"bold": dark, "text_wrap": True, "valign": "top", "bg_color": FILL[need(column)], "border": 1}
        style = book.add_format(look | {"font_color": "#FFFFFF" if dark else "#000000"})
        sheet.write_string(0, index, column.title(lang), style)
        note = f"{_say(need(column), lang)}\n{column.help.text(lang)}"
        sheet.write_comment(0, index, note, {"x_scale": 1.6, "y_scale": 1.2})
        values = _values(column, lang)
        if values and len(",".join(values)) < 256:  # Excel's limit for a list
            sheet.data_validation(
                1, index, LAST_ROW, index, {"validate": "list", "source": values, "ignore_blank": True}
            )
        elif column.type in ("whole", "number"):
            title, text = column.title(lang)[:32], column.expected().text(lang)
            limits = {"validate": "decimal", "criteria": ">=", "value": column.low, "error_title": title}
            sheet.data_validation(1, index, LAST_ROW, index, limits | {"error_message": text})
    sheet.set_row(0, 46)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, len(spec.columns) - 1, 15)
    sheet.freeze_panes(1, 1)


def _guide(book: Any, lang: str) -> None:
    sheet = book.add_worksheet(_say("guide", lang))
    plain = book.add_format({"text_wrap": True, "valign": "top"})
    bold = book.add_format({"bold": True, "bottom": 1, "bg_color": "#F2F2F2"})
    for row, word in enumerate(("rows", "raw", "colours")):
        sheet.write_string(row, 0, _say(word, lang))
    head = 4
    for index, word in enumerate(("table", "column", "need", "help", "values", "other")):
        sheet.write_string(head, index, _say(word, lang), bold)
    row = head + 1
    for name in TABLES:
        spec = table_spec(name)
        for column in in_order(spec):
            when = "no_stock" if column.stock and not column.stage else need(column)
            other = column.name if lang == "zh" else column.zh
            cells = (
                spec.title.text(lang),
                column.title(lang),
                _say(when, lang),
                column.help.text(lang),
                " | ".join(_values(column, lang)) or column.expected().text(lang),
                ", ".join([other, *column.aliases[:4]]),
            )
            for index, text in enumerate(cells):
                sheet.write_string(row, index, text, plain)
            row += 1
    for index, width in enumerate((12, 28, 22, 60, 36, 60)):
        sheet.set_column(index, index, width)
    sheet.freeze_panes(head + 1, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.autofilter(head, 0, row - 1, 5)
