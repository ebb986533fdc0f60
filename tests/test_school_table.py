"""Planners' files as they come: each gives the right table or one listing of all that is wrong, never a guess."""

from __future__ import annotations

import datetime
import io
import itertools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import xlsxwriter
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.cells import letters, position
from calibration.columns import plain, table_spec
from calibration.faults import TableError, stretches
from calibration.school_table import STOCKS, read_schools, sections
from calibration.table_template import TABLES, csv_template, workbook_template
from calibration.tables import Read, read_table
from model.errors import InputError

ZH = ["学校名称", "学段", "在校生数", "高于规定学历教师数", "骨干教师数", "体育艺术教师数"]
ZH += ["教学及辅助用房面积", "体育运动场馆面积", "教学仪器设备值", "网络多媒体教室数"]
EN = ["school", "stage", "pupils", *STOCKS]
ROWS: list[list[Any]] = [
    ["实验小学", "小学", 480, 30, 6, 5, 2600, 4000, 1200000, 14],
    ["第二初级中学", "初中", 620, 41, 8, 7, 4100, 7000, 1700000, 17],
]
NAMES = ["实验小学", "第二初级中学"]


def text(rows: list[list[Any]], head: list[str] = ZH, separator: str = ",") -> str:
    return "\n".join(separator.join(map(str, row)) for row in [head, *rows]) + "\n"


def csv(folder: Path, content: str | bytes, name: str = "schools.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def book(folder: Path, rows: list[list[Any]], head: list[str] = ZH, name: str = "schools.xlsx") -> Path:
    made = openpyxl.Workbook()
    for row in [head, *rows]:
        made.active.append(row)
    made.save(folder / name)
    return folder / name


def right(read: Read) -> bool:
    """Whether it is the table of ROWS."""
    held = list(read.text("school")) == NAMES and list(read.text("stage")) == ["primary", "junior"]
    values = np.column_stack([read.number(name) for name in EN[2:]])
    return held and values.tolist() == [row[2:] for row in ROWS]


def refused(path: Path, sheet: str | None = None) -> str:
    """The English listing of what is wrong."""
    with pytest.raises(InputError) as caught:
        read_schools(path, sheet)
    return str(caught.value)


# --- files that are read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "，"])
def test_text_in_every_usual_encoding_and_with_every_separator(tmp_path: Path, encoding: str, separator: str) -> None:
    assert right(read_schools(csv(tmp_path, text(ROWS, separator=separator).encode(encoding))))


@pytest.mark.parametrize("head", [ZH, EN, [h.upper() for h in EN], [f" {h}（）" for h in ZH]])
def test_headings_in_both_languages_however_they_are_written(tmp_path: Path, head: list[str]) -> None:
    assert right(read_schools(csv(tmp_path, text(ROWS, head))))
    assert right(read_schools(book(tmp_path, ROWS, head)))


def test_windows_line_ends_blank_lines_quotes_and_columns_in_another_order(tmp_path: Path) -> None:
    order = [2, 0, 9, 1, 8, 3, 7, 4, 6, 5]
    lines = [",".join(f'"{row[i]}"' for i in order) for row in [ZH, *ROWS]]
    assert right(read_schools(csv(tmp_path, "\r\n\r\n".join(lines))))


def test_a_unit_in_the_heading_is_obeyed_and_an_unknown_one_refused(tmp_path: Path) -> None:
    in_ten_thousands = [[*row[:8], row[8] / 10000, row[9]] for row in ROWS]
    for title in (
        "教学仪器设备值（万元）",
        "教学仪器设备值(万元)",
        "教学仪器设备值 万元",
        "教学仪器设备值（单位：万元）",
    ):
        head = [*ZH[:8], title, ZH[9]]
        read = read_schools(csv(tmp_path, text(in_ten_thousands, head)))
        assert read.number("equipment_yuan").tolist() == [1200000, 1700000]
        assert any("10,000" in note.en for note in read.notes)
    for title in ("教学仪器设备值（百元）", "教学仪器设备值（平方米）"):
        assert "unit" in refused(csv(tmp_path, text(ROWS, [*ZH[:8], title, ZH[9]])))


@pytest.mark.parametrize(
    ("column", "inside"),
    [
        (2, "女"),
        (2, "其中：寄宿"),
        (3, "%"),
        (3, "人/百生"),
        (3, "每百名学生"),
        (6, "生均"),
        (6, "平方米/生"),
        (6, "小学"),
    ],
)
def test_a_ratio_or_a_part_in_brackets_is_not_taken_for_the_whole(tmp_path: Path, column: int, inside: str) -> None:
    head = [f"{title}（{inside}）" if i == column else title for i, title in enumerate(ZH)]
    assert f"'{ZH[column]}（{inside}）' is not known as it" in refused(csv(tmp_path, text(ROWS, head)))


def test_a_stage_in_brackets_means_the_column_of_that_stage(tmp_path: Path) -> None:
    head = [title if "小学" not in title and "初中" not in title else f"{title[2:]}（{title[:2]}）" for title in NINE]
    assert head[2:5] == ["在校生数（小学）", "在校生数（初中）", "高于规定学历教师数（小学）"]
    read = sections(read_schools(csv(tmp_path, text([NINE_ROW], head))))
    assert read.stocks.pupils.tolist() == [166, 210]
    assert read.stocks.stock[:, 0].tolist() == [9, 14]


def test_a_row_of_units_under_the_headings_is_obeyed(tmp_path: Path) -> None:
    units = ["", "", "人", "人", "人", "人", "平方米", "平方米", "万元", "间"]
    in_ten_thousands = [[*row[:8], row[8] / 10000, row[9]] for row in ROWS]
    assert right(read_schools(book(tmp_path, [units, *in_ten_thousands])))
    assert right(read_schools(csv(tmp_path, text([units, *in_ten_thousands]))))


def test_a_unit_above_the_table_is_not_passed_over(tmp_path: Path) -> None:
    in_ten_thousands = [[*row[:8], row[8] / 10000, row[9]] for row in ROWS]
    remark = ["2023年统计表 填报单位：百亩中心校 单位：人、平方米、万元"]
    found = refused(book(tmp_path, [ZH, *in_ten_thousands], remark))
    assert "row 2, column I “教学仪器设备值”: found no unit, under a remark that says 万元" in found
    assert len(found.splitlines()) == 2  # areas are in their own unit
    stated = [*ZH[:8], "教学仪器设备值（万元）", ZH[9]]
    assert right(read_schools(book(tmp_path, [stated, *in_ten_thousands], remark)))
    stated[8] = "教学仪器设备值（元）"
    assert right(read_schools(book(tmp_path, [stated, *ROWS], remark)))


@pytest.mark.parametrize("name", ["小学合计", "全县合计：", "合 计（2所）", "平均", "初中均值", "Total"])
def test_sums_and_means_between_the_rows_are_no_schools(tmp_path: Path, name: str) -> None:
    read = read_schools(csv(tmp_path, text([ROWS[0], [name, "小学", *ROWS[0][2:]], ROWS[1]])))
    assert right(read)
    assert any("1 rows left out" in note.en for note in read.notes)


def test_what_is_hidden_is_read_and_said_so(tmp_path: Path) -> None:
    made = openpyxl.load_workbook(book(tmp_path, ROWS))
    sheet = made.active
    made.create_sheet("封面")
    made.active = 1
    sheet.row_dimensions[3].hidden = sheet.column_dimensions["C"].hidden = True
    sheet.sheet_state = "hidden"
    made.save(tmp_path / "hidden.xlsx")
    read = read_schools(tmp_path / "hidden.xlsx")
    assert right(read)
    said = "; ".join(note.en for note in read.notes)
    for what in ("sheet “Sheet” is hidden", "1 hidden rows are read like the others: row 3", "column C “在校生数” is"):
        assert what in said
    old = xlwt.Workbook()
    table = old.add_sheet("学校")
    for r, row in enumerate([ZH, *ROWS]):
        for c, value in enumerate(row):
            table.write(r, c, value)
    table.row(2).hidden = True
    old.save(tmp_path / "hidden.xls")
    read = read_schools(tmp_path / "hidden.xls")
    assert right(read)
    assert any("hidden rows" in note.en for note in read.notes)


def test_a_name_over_two_lines_of_a_cell_is_one_name(tmp_path: Path) -> None:
    rows = [["实验\n小学", *ROWS[0][1:]], ROWS[1]]
    assert right(read_schools(book(tmp_path, rows, [f"{title[:2]}\n{title[2:]}" for title in ZH])))


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    rows = [[*ROWS[0][:2], "４８０", "30", " 6 ", "5.0", '"2,600"', "4000.0", '"1,200,000"', "1.4e1"], ROWS[1]]
    assert right(read_schools(csv(tmp_path, text(rows))))


@pytest.mark.parametrize(
    "cell", ["41 00", "12,00,000", "约4100", "4100平方米", "四千一百", "41OO", "--", "4100 0", "1e999"]
)
def test_what_may_be_a_number_is_not_guessed(tmp_path: Path, cell: str) -> None:
    found = refused(book(tmp_path, [[*ROWS[0][:6], cell, *ROWS[0][7:]], ROWS[1]]))
    assert f"row 2, column G “教学及辅助用房面积”: found {cell!r}" in found


def test_a_count_that_no_school_has_is_refused(tmp_path: Path) -> None:
    """A unit or column mixed up; and additions in whole units would be counted one by one."""
    for column, most in ((2, "100000"), (4, "10000"), (9, "10000")):
        rows = [[1_200_000 if i == column else cell for i, cell in enumerate(ROWS[0])], ROWS[1]]
        assert f"found 1200000; expected a {'whole ' * (column < 9)}number from 0 to {most}" in refused(
            book(tmp_path, rows)
        )


def test_a_thousands_separator_between_semicolons_is_not_guessed(tmp_path: Path) -> None:
    rows = [[*ROWS[0][:6], "2,600", *ROWS[0][7:]], ROWS[1]]
    assert "may be 1,500 or 1.5" in refused(csv(tmp_path, text(rows, separator=";")))


def test_titles_above_totals_and_remarks_below_are_left_out_and_said_so(tmp_path: Path) -> None:
    total = ["合计", "", 1100, 71, 14, 12, 6700, 11000, 2900000, 31]
    above, below = [["武清区2023年基础教育统计表"], ["单位：人、平方米、元"]], [["注：不含民办学校"], ["填表人：张三"]]
    made = openpyxl.Workbook()
    for row in [*above, ZH, *ROWS, total, *below]:
        made.active.append(row)
    made.active.merge_cells("A1:J1")
    made.save(tmp_path / "form.xlsx")
    read = read_schools(tmp_path / "form.xlsx")
    assert right(read)
    assert any("3 rows left out" in note.en for note in read.notes)


def test_a_heading_of_two_rows_with_merged_cells(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.append([*ZH[:3], "专任教师", None, None, "办学条件", None, None, None])
    sheet.append([None, None, None, *ZH[3:]])
    for row in ROWS:
        sheet.append(row)
    for area in ("A1:A2", "B1:B2", "C1:C2", "D1:F1", "G1:J1"):
        sheet.merge_cells(area)
    made.save(tmp_path / "merged.xlsx")
    assert right(read_schools(tmp_path / "merged.xlsx"))


def test_a_name_merged_over_rows_holds_for_each_and_a_number_for_none(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    for row in [ZH, ["实验学校", *ROWS[0][1:]], ["", *ROWS[1][1:]]]:
        made.active.append(row)
    made.active.merge_cells("A2:A3")
    made.save(tmp_path / "names.xlsx")
    read = read_schools(tmp_path / "names.xlsx")
    assert list(read.text("school")) == ["实验学校", "实验学校"]
    made.active.merge_cells("G2:G3")
    made.save(tmp_path / "numbers.xlsx")
    assert "merged over G2:G3" in refused(tmp_path / "numbers.xlsx")


def test_the_sheet_that_has_the_headings_is_taken_and_of_two_none(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    made.active.title = "封面"
    made.active.append(["统计资料"])
    for title in ("学校", "去年"):
        sheet = made.create_sheet(title)
        for row in [ZH, *ROWS]:
            sheet.append(row)
        made.save(tmp_path / f"{title}.xlsx")
    assert right(read_schools(tmp_path / "学校.xlsx"))
    assert "several sheets" in refused(tmp_path / "去年.xlsx")
    assert right(read_schools(tmp_path / "去年.xlsx", "去年"))
    assert "did you mean '去年'" in refused(tmp_path / "去年.xlsx", "去年的")
    assert "no row of headings" in refused(tmp_path / "去年.xlsx", "封面")


def test_a_table_that_begins_anywhere_on_the_sheet_keeps_its_rows_and_columns(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    for r, row in enumerate([ZH, *ROWS]):
        for c, value in enumerate(row):
            made.active.cell(5 + r, 4 + c, value)
    made.save(tmp_path / "far.xlsx")
    assert right(read_schools(tmp_path / "far.xlsx"))
    made.active["F6"] = "many"
    made.save(tmp_path / "far.xlsx")
    assert "row 6, column F" in refused(tmp_path / "far.xlsx")
    made.active["F6"] = "=1/0"
    made.save(tmp_path / "far.xlsx")
    assert "row 6, column F" in refused(tmp_path / "far.xlsx")


def test_cells_that_do_not_say_where_they_are_cannot_take_the_memory(tmp_path: Path) -> None:
    """Some programs leave the names of cells out; a row may then still claim to be the four-billionth."""
    whole = zipfile.ZipFile(book(tmp_path, ROWS))
    for row, says in (("4294967295", "200,000 rows"), ("9", "empty cell")):
        with zipfile.ZipFile(tmp_path / "nameless.xlsx", "w") as made:
            for part in whole.namelist():
                content = whole.read(part)
                if part == "xl/worksheets/sheet1.xml":
                    extra = f'<row r="{row}"><c><v>7</v></c></row></sheetData>'
                    content = content.replace(b"</sheetData>", extra.encode())
                made.writestr(part, content)
        assert says in refused(tmp_path / "nameless.xlsx")


def test_two_hundred_columns(tmp_path: Path) -> None:
    more = [f"其他数据{i}" for i in range(190)]
    read = read_schools(book(tmp_path, [[*row, *range(190)] for row in ROWS], ZH + more))
    assert right(read)
    assert any("180 more" in note.en for note in read.notes)


def test_a_misspelt_optional_heading_is_named_with_the_nearest(tmp_path: Path) -> None:
    read = read_schools(csv(tmp_path, text([[*row, "西部"] for row in ROWS], [*ZH, "县区名"])))
    assert any("县区名" in note.en and "'县区'" in note.en for note in read.notes)


# --- workbooks with traps


def formulas(folder: Path, value: Any) -> Path:
    made = xlsxwriter.Workbook(folder / "formulas.xlsx")
    sheet = made.add_worksheet("学校")
    for index, row in enumerate([ZH, *ROWS]):
        sheet.write_row(index, 0, row)
    sheet.write_formula(1, 2, "=240*2", None, value)
    made.close()
    return folder / "formulas.xlsx"


def test_a_formula_counts_with_its_saved_result(tmp_path: Path) -> None:
    read = read_schools(formulas(tmp_path, 480))
    assert right(read)
    assert any("1 formulas" in note.en for note in read.notes)


def test_a_formula_that_was_never_computed_and_an_error_are_told(tmp_path: Path) -> None:
    made = openpyxl.load_workbook(formulas(tmp_path, 480))
    made.save(tmp_path / "formulas.xlsx")  # openpyxl keeps no results
    found = refused(tmp_path / "formulas.xlsx")
    assert "row 2, column C" in found
    assert "never saved" in found
    assert "the error #DIV/0!" in refused(formulas(tmp_path, "#DIV/0!"))


def test_an_empty_optional_cell_is_empty_but_a_lost_formula_in_it_is_not(tmp_path: Path) -> None:
    rows = [[*ROWS[0], ""], [*ROWS[1], 12]]
    assert right(read_schools(book(tmp_path, rows, [*ZH, "班级数"])))
    rows = [[*ROWS[0], "=6+6"], [*ROWS[1], 12]]
    assert "never saved" in refused(book(tmp_path, rows, [*ZH, "班级数"]))


def test_dates_and_truth_values_are_not_numbers(tmp_path: Path) -> None:
    rows = [[*ROWS[0][:2], datetime.date(2020, 9, 1), True, *ROWS[0][4:]], ROWS[1]]
    found = refused(book(tmp_path, rows))
    assert "the date or time 2020-09-01" in found
    assert "column D" in found


def test_a_stray_cell_far_out_does_not_take_the_memory(tmp_path: Path) -> None:
    made = openpyxl.load_workbook(book(tmp_path, ROWS))
    made.active["XFD1048576"] = "x"
    made.save(tmp_path / "stray.xlsx")
    assert "rows" in refused(tmp_path / "stray.xlsx")
    made.active["XFD1048576"] = None
    made.active["XFD20"] = "x"
    made.save(tmp_path / "stray.xlsx")
    assert "XFD20" in refused(tmp_path / "stray.xlsx")


def test_an_old_workbook_is_read_whatever_its_name(tmp_path: Path) -> None:
    made = xlwt.Workbook()
    sheet = made.add_sheet("学校")
    for r, row in enumerate([ZH, *ROWS]):
        for c, value in enumerate(row):
            sheet.write(r, c, value)
    for name in ("old.xls", "old.xlsx", "old.csv"):
        made.save(tmp_path / name)
        assert right(read_schools(tmp_path / name))


def test_a_new_workbook_and_text_under_other_names(tmp_path: Path) -> None:
    for name in ("new.xls", "new.csv", "new"):
        assert right(read_schools(book(tmp_path, ROWS, name="x.xlsx").rename(tmp_path / name)))
    for name in ("text.xlsx", "text.xls"):
        assert right(read_schools(csv(tmp_path, text(ROWS), name)))


# --- files that are no tables


def archive() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("readme.txt", "hello")
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b" \n\t\n", "an empty file"),
        (b"\xef\xbb\xbf\n", "no cell"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no text"),
        (b"\xff\xd8\xff\xe0\x10JFIF", "not UTF-8 or GB18030"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        (b'<?xml version="1.0"?><Workbook/>', "web page or XML"),
        (b"PK\x03\x04 and nothing else", "cannot be read"),
        (archive(), "no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "cannot be read"),
        ("a,b\n1,2\n", "no row of headings"),
        ('学校名称,学段\n"实验小学,小学\n', "line 2"),
        ("一段没有表格的文字\n", "no row of headings"),
        (text(ROWS).replace("学段", "学\ufffd段").encode("utf-8-sig")[:-40] + b"\xff\xff", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.xlsx"])
def test_what_is_no_table_is_refused_with_one_message(tmp_path: Path, content: Any, says: str, name: str) -> None:
    found = refused(csv(tmp_path, content, name))
    assert says in found
    assert str(tmp_path / name) in found


def test_folders_missing_files_and_sheets_of_text_are_refused(tmp_path: Path) -> None:
    assert "a folder" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "text file" in refused(csv(tmp_path, text(ROWS)), "学校")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_workbook_is_read_or_refused_but_never_breaks_anything(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    whole = book(folder, ROWS).read_bytes()  # its length may vary by a byte: it holds the time
    cut = 5 + int(data.draw(st.floats(0, 1)) * (len(whole) - 5))
    held = bytearray(whole[:cut] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 8))):
        held[4 + int(data.draw(st.floats(0, 1)) * (len(held) - 5))] = data.draw(st.integers(0, 255))
    try:
        read_schools(csv(folder, bytes(held), "damaged.xlsx"))
    except InputError as error:
        said = str(error)
    else:
        said = "damaged.xlsx"
    assert "damaged.xlsx" in said


# --- rows that are wrong


def test_every_fault_is_told_at_once_with_its_place_in_both_languages(tmp_path: Path) -> None:
    rows = [
        ["", "小学", 480, *ROWS[0][3:]],
        ["乙校", "中学", 0, -3, 8, 7, "4,10", 7000, "", 17],
        ["丙校", "初中", 12.5, "四十", 8, 7, 4100, 7000, 1700000, 17],
        ["丁校", "初中", 0, 41, 8, 7, 4100, 7000, 1700000, 17],
        ["丁校", "初中", 620, 41, 8, 7, 4100, 7000, 1700000, 17],
    ]
    with pytest.raises(TableError) as caught:
        read_schools(book(tmp_path, rows))
    places = {(fault.row, fault.column) for fault in caught.value.faults}
    assert places == {(2, "A"), (3, "B"), (3, "D"), (3, "G"), (4, "C"), (4, "D"), (5, "C"), (6, "A")}
    assert [fault.row for fault in caught.value.faults] == sorted(fault.row for fault in caught.value.faults)
    english, chinese = caught.value.text("en"), caught.value.text("zh")
    for said in ("sheet “Sheet”", "row 4, column D", "'四十'", "0 pupils", "a second time (first in row 5)"):
        assert said in english
    for said in ("第4行D列", "应为0到10000之间的整数", "0名学生", "首次在第5行"):
        assert said in chinese
    assert len(english.splitlines()) == len(chinese.splitlines()) == 1 + len(caught.value.faults)


def test_the_same_fault_in_many_rows_takes_one_line(tmp_path: Path) -> None:
    rows = [[f"学校{i}", *ROWS[0][1:6], "", *ROWS[0][7:]] for i in range(3000)]
    found = refused(csv(tmp_path, text(rows)))
    assert "rows 2–3001" in found
    assert len(found.splitlines()) == 2


def test_a_missing_column_hides_no_other_fault(tmp_path: Path) -> None:
    rows = [row[:-1] for row in (ROWS[0], ROWS[0], [*ROWS[1][:2], 0, *ROWS[1][3:]])]
    found = refused(csv(tmp_path, text(rows, ZH[:-1])))
    for said in ("no column multimedia_rooms", "row 3, column A", "a second time", "row 4, column C", "0 pupils"):
        assert said in found
    assert len(found.splitlines()) == 4


@pytest.mark.parametrize("gone", ZH)
def test_a_missing_column_is_named_with_what_stands_in_its_place(tmp_path: Path, gone: str) -> None:
    head = [title if title != gone else f"{title}甲" for title in ZH]
    found = refused(csv(tmp_path, text(ROWS, head)))
    assert gone in found
    assert f"'{gone}甲' is not known as it" in found


def test_a_ratio_is_not_taken_for_a_stock(tmp_path: Path) -> None:
    head = [*ZH[:6], "生均教学及辅助用房面积", *ZH[7:]]
    assert "no column teaching_area_m2" in refused(csv(tmp_path, text(ROWS, head)))


def test_a_column_given_twice_and_a_row_with_too_many_cells_are_refused(tmp_path: Path) -> None:
    assert "a second time (first in column C)" in refused(
        csv(tmp_path, text([[*row, 1] for row in ROWS], [*ZH, "学生数"]))
    )
    broken = text(ROWS).replace("2600", "2,600")  # a thousands separator without quotes moves every cell after it
    assert "11 cells" in refused(csv(tmp_path, broken))


NINE = ["学校名称", "学段", "小学在校生数", "初中在校生数"]
NINE += [*(f"小学{title}" for title in ZH[3:6]), *(f"初中{title}" for title in ZH[3:6]), *ZH[6:]]
NINE_ROW = ["九年", "九年一贯制学校", 166, 210, 9, 2, 2, 14, 3, 2, 2000, 4000, 23226, 9]


def test_a_nine_year_school_in_one_row_or_in_two(tmp_path: Path) -> None:
    one = sections(read_schools(csv(tmp_path, text([NINE_ROW], NINE))))
    assert one.stocks.pupils.tolist() == [166, 210]
    assert one.stocks.stock[:, 5] == pytest.approx([9711.6, 13514.4], abs=0.05)
    assert one.stocks.stock[:, 0].tolist() == [9, 14]
    two = [["九年", "小学", 166, 9, 2, 2, 900, 1800, 9711.6, 4]]
    two += [["九年", "初中", 210, 14, 3, 2, 1100, 2200, 13514.4, 5]]
    assert sections(read_schools(csv(tmp_path, text(two)))).stocks.stock[:, 5].tolist() == [9711.6, 13514.4]


def test_a_nine_year_school_without_its_parts_or_with_parts_that_do_not_add_up(tmp_path: Path) -> None:
    found = refused(csv(tmp_path, text([["九年", "九年一贯制", *ROWS[0][2:]]])))
    assert "primary_pupils" in found
    assert "junior_backbone_teachers" in found
    wrong = text([[*NINE_ROW, 400, 99]], [*NINE, "在校生数", "骨干教师数"])
    found = refused(csv(tmp_path, wrong))
    assert "376, the pupils of its stages together" in found
    assert "5, primary and junior together" in found


@pytest.mark.parametrize(
    ("row", "place", "says"),
    [
        (["小学", 480, "", 200, "", ""], "column L", "200, in a school of stage primary"),
        (["初中", 480, "", "", 300, ""], "column M", "300, in a school of stage junior"),
        (["小学", 480, 300, "", "", ""], "column K", "found 300; expected 480, as in pupils"),
        (["初中", 480, "", "", "", 9], "column N", "found 9; expected 6, as in backbone_teachers"),
    ],
)
def test_pupils_and_teachers_that_contradict_the_stage_or_each_other(
    tmp_path: Path, row: list[Any], place: str, says: str
) -> None:
    head = [*ZH, "小学在校生数", "初中在校生数", "高中在校生数", "初中骨干教师数"]
    found = refused(csv(tmp_path, text([["某校", *row[:2], *ROWS[0][3:], *row[2:]]], head)))
    assert place in found
    assert says in found
    assert len(found.splitlines()) == 2


def test_one_school_written_two_ways_is_one_school_and_another_letter_is_another(tmp_path: Path) -> None:
    for one, other in (("实验小学", "实验 小学"), ("一小(东区)", "一小（东区）"), ("A校", "ａ校")):
        path = csv(tmp_path, text([[one, *ROWS[0][1:]], [other, *ROWS[0][1:]]]))
        assert "a second time (first in row 2)" in refused(path)
    for one, other in (("实验小学", "實验小学"), ("一小（东区）", "一小（西区）")):
        assert read_schools(csv(tmp_path, text([[one, *ROWS[0][1:]], [other, *ROWS[0][1:]]]))).n == 2


def test_schools_of_several_districts_are_said_to_be_judged_as_one_county(tmp_path: Path) -> None:
    rows = [[*ROWS[0], "东区"], [*ROWS[1], "西区"]]
    notes = read_schools(csv(tmp_path, text(rows, [*ZH, "县区"]))).notes
    assert any("2 districts (东区、西区) are judged as one county" in note.en for note in notes)


def test_schools_of_one_name_need_a_district(tmp_path: Path) -> None:
    same = [ROWS[0], ROWS[0]]
    assert "a second time" in refused(csv(tmp_path, text(same)))
    apart = [[*ROWS[0], "东区"], [*ROWS[0], "西区"]]
    assert read_schools(csv(tmp_path, text(apart, [*ZH, "县区"]))).n == 2


def test_a_school_out_of_scope_needs_no_stocks_but_may_not_have_wrong_ones(tmp_path: Path) -> None:
    head = [*ZH, "学校类型"]
    blank = ["", "", "", "", "", "", ""]
    for row in (["启智学校", "特殊教育学校", 60, *blank, ""], ["东庄", "教学点", 20, *blank, ""]):
        assert sections(read_schools(csv(tmp_path, text([[*ROWS[0], ""], row], head)))).row.tolist() == [0]
    row = ["私立", "小学", 300, *blank, "民办"]
    path = csv(tmp_path, text([[*ROWS[0], ""], row], head))
    assert sections(read_schools(path)).row.tolist() == [0]
    with pytest.raises(TableError, match="an empty cell"):
        read_schools(path, private=True)
    row[3] = "-1"
    assert "-1" in refused(csv(tmp_path, text([[*ROWS[0], ""], row], head)))


def test_stocks_in_another_unit_raise_a_doubt(tmp_path: Path) -> None:
    rows = [[*row[:8], row[8] / 10000, row[9]] for row in ROWS]
    read = read_schools(csv(tmp_path, text(rows)))
    assert any("another unit" in note.en for note in read.notes)


def test_more_rows_than_any_nation_has_schools_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    line = ",".join(map(str, ROWS[0])) + "\n"
    assert "200,000 rows" in refused(csv(tmp_path, ",".join(ZH) + "\n" + line * 200_001))


# --- templates, and the parts


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_template_has_every_heading_and_no_row_and_takes_rows(tmp_path: Path, lang: str) -> None:
    whole = csv(tmp_path, workbook_template(lang), "template.xlsx")
    for name in TABLES:
        path, spec = csv(tmp_path, csv_template(name, lang), f"{name}.csv"), table_spec(name)
        for source, sheet in ((path, None), (whole, spec.title.text(lang))):
            with pytest.raises(TableError, match="no row under the headings"):
                read_table(source, spec, sheet)
        with pytest.raises(TableError) as caught:
            read_table(path, spec, required=list(spec.columns))
        assert len(caught.value.faults) == 1  # every column is there


@pytest.mark.parametrize("name", TABLES)
def test_no_heading_means_two_columns(name: str) -> None:
    owner: dict[str, str] = {}
    for column in table_spec(name).columns.values():
        for word in (column.name, column.zh, *column.aliases):
            assert owner.setdefault(plain(word), column.name) == column.name


@pytest.mark.parametrize("name", TABLES)
def test_no_way_to_write_a_choice_means_two_values(name: str) -> None:
    for column in table_spec(name).columns.values():
        options = {option.en for option in column.options}
        assert set((column.choices or {}).values()) == options
        for option in column.options:
            for word in (option.en, option.zh):
                assert (column.choices or {})[plain(word) or word] == option.en


@given(st.integers(0, 20000), st.integers(0, 10**6))
def test_names_of_cells_go_both_ways(column: int, row: int) -> None:
    assert position(f"{letters(column)}{row + 1}") == (row, column)


@given(st.sets(st.integers(1, 60), min_size=1, max_size=8))
def test_stretches_of_rows_name_every_row_once(rows: set[int]) -> None:
    shown = stretches(sorted(rows))
    if "…" in shown:
        return
    ends = [[int(end) for end in part.split("–")] for part in shown.split(", ")]
    assert list(itertools.chain(*(range(e[0], e[-1] + 1) for e in ends))) == sorted(rows)
