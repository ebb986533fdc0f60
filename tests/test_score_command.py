"""`junheng score` and `junheng region template` as a planner meets them: what is printed, written, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from python_calamine import CalamineWorkbook

from junheng.cli import main
from model.national_standard import INDICATORS

HEAD = "学校名称,学段,在校生数,高于规定学历教师数,骨干教师数,体育艺术教师数"
HEAD += ",教学及辅助用房面积,体育运动场馆面积,教学仪器设备值,网络多媒体教室数"
GOOD = "实验小学,小学,480,30,6,5,2600,4000,1200000,14"
POOR = "河东小学,小学,500,30,2,5,900,4000,1300000,14"


@pytest.fixture
def county(tmp_path: Path) -> Path:
    return written(tmp_path, GOOD, POOR)


def written(folder: Path, *rows: str) -> Path:
    path = folder / "schools.csv"
    path.write_text("\n".join([HEAD, *rows]), encoding="utf-8")
    return path


def test_the_document_has_the_promised_shape(county: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(county), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = ["teachers_above_degree", "backbone_teachers", "pe_art_teachers", "teaching_area_m2", "sports_area_m2"]
    names += ["equipment_yuan", "multimedia_rooms"]
    assert list(found["county"]) == ["primary"]
    assert list(found["county"]["primary"]) == names
    for card in found["county"]["primary"].values():
        assert {"mean", "cv", "limit", "passed"} <= set(card)
    assert [set(school["values"]) for school in found["schools"]] == [set(names)] * 2
    assert [(school["met"], school["passed"]) for school in found["schools"]] == [(7, True), (5, False)]
    assert found["passed"] is False
    missing = found["schools"][1]["shortfall"]
    assert missing == {"backbone_teachers": pytest.approx(3), "teaching_area_m2": pytest.approx(500 * 4.5 - 900)}


@pytest.mark.parametrize(("rows", "status"), [((GOOD,), 0), ((GOOD, POOR), 1)])
def test_the_verdict_decides_the_exit_status_only_if_asked(tmp_path: Path, rows: tuple[str, ...], status: int) -> None:
    path = str(written(tmp_path, *rows))
    assert main(["score", path]) == 0
    assert main(["score", path, "--require-pass"]) == status
    assert main(["score", path, "--require-pass", "--json"]) == status


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["DOES NOT PASS", "河东小学", "5/7", "backbone teachers 0.4↓ (+3 teachers)", "1,350 m²"]),
        ("zh", ["不达标", "河东小学", "5/7", "骨干教师 0.4↓ (+3人)", "1,350平方米"]),
    ],
)
def test_the_report_names_the_failing_school_its_items_and_what_is_missing(
    county: Path, capsys: pytest.CaptureFixture[str], lang: str, said: list[str]
) -> None:
    assert main(["score", str(county), "--lang", lang]) == 0
    out = capsys.readouterr().out
    for words in said:
        assert words in out
    assert "实验小学" not in out.split("河东小学")[0]


def test_errors_go_to_standard_error_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD.replace("480", "四百八十"), POOR.replace("900", "-900"))
    out = tmp_path / "out.xlsx"
    for lang, said in (("en", ("row 2, column C", "row 3, column G")), ("zh", ("第2行C列", "第3行G列"))):
        assert main(["score", str(path), "--lang", lang, "--out", str(out), "--json"]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert all(words in shown.err for words in said)
        assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_workbook_says_what_the_report_says(county: Path, tmp_path: Path, lang: str) -> None:
    out = tmp_path / "result.xlsx"
    assert main(["score", str(county), "--out", str(out), "--lang", lang]) == 0
    book = CalamineWorkbook.from_path(str(out))
    result, schools, failing, gaps, lifts, _support, notes = (
        book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names
    )
    assert book.sheet_names[2] == ("不达标学校" if lang == "zh" else "Failing schools")
    assert sum(row[6] in ("✓", "✗") for row in result) == len(INDICATORS)
    assert [row[0] for row in schools[1:]] == ["实验小学", "河东小学"]
    assert [(row[0], row[8]) for row in failing[1:]] == [("河东小学", 3.0), ("河东小学", 1350.0)]
    total = gaps[2]
    assert (total[4], total[6]) == (3.0, 1350.0)  # cached results of live sums
    assert len(lifts) == 1 + sum(row[6] == "✗" for row in result)
    assert len(notes) >= 6
    assert openpyxl.load_workbook(out).worksheets[3]["E3"].value == "=SUM(E2:E2)"


def test_a_workbook_that_exists_is_kept_and_so_is_the_table_itself(
    county: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = county.with_name("kept.xlsx")
    kept.write_bytes(b"mine")
    for out in (kept, county, county.with_name("none") / "x.xlsx"):
        assert main(["score", str(county), "--out", str(out)]) == 2
        assert "--out" in capsys.readouterr().err
    assert kept.read_bytes() == b"mine"


def test_names_that_look_like_formulas_stay_names(tmp_path: Path) -> None:
    out = tmp_path / "result.xlsx"
    assert main(["score", str(written(tmp_path, POOR.replace("河东小学", "=1+1"))), "--out", str(out)]) == 0
    assert openpyxl.load_workbook(out).worksheets[1]["A2"].value == "=1+1"
    assert openpyxl.load_workbook(out).worksheets[1]["A2"].data_type != "f"


def test_unknown_tolerances_are_named_with_the_nearest(county: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(county), "--tolerance", "older-school"]) == 2
    assert "did you mean 'older-schools'?" in capsys.readouterr().err


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_templates_are_written_once_and_filled_in_they_are_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    assert main(["region", "template", str(tmp_path / "a.xlsx"), "--lang", lang]) == 0
    assert main(["region", "template", str(tmp_path / "tables"), "--lang", lang]) == 0
    assert main(["region", "template", str(tmp_path / "a.xlsx")]) == 2
    assert main(["region", "template", str(tmp_path / "tables")]) == 2
    assert {path.name for path in (tmp_path / "tables").iterdir()} >= {"schools.csv", "teachers.csv", "flows.csv"}
    schools = tmp_path / "tables" / "schools.csv"
    schools.write_text(schools.read_text(encoding="utf-8-sig") + GOOD + "\n", encoding="utf-8-sig")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    book.worksheets[0].append([cell if i < 2 else float(cell) for i, cell in enumerate(GOOD.split(","))])
    book.save(tmp_path / "filled.xlsx")
    capsys.readouterr()
    for path in (schools, tmp_path / "filled.xlsx"):
        assert main(["score", str(path), "--require-pass", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["passed"] is True
