"""`junheng region build|import|check|show`: tables become a region, or a message says what is in the way."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook

from calibration.faults import TableError
from calibration.region_check import findings, not_held
from calibration.region_import import completion, import_region
from calibration.region_tables import projected, read_told
from experiments.prepared import given_region
from junheng.cli import main
from model.build import build_region
from model.complete import DERIVED, TOLD, complete
from model.errors import InputError
from model.national_standard import BY_FACILITIES, INDICATORS
from model.profile import read_profile
from model.region import Kind, Network, Region, Subject
from results.pictures_of_region import portrait
from results.region_summary import describe

TABLE = """\
学校名称,学段,在校生数,小学在校生数,初中在校生数,高中在校生数,乡镇街道,专任教师数,小学专任教师数,初中专任教师数,骨干教师数,班级数,\
教学及辅助用房面积,教学仪器设备值（万元）,经度,纬度,教育集团,集团角色,食堂面积
城关一小,小学,900,,,,城关街道,50,,,9,22,4100.5,180,117.05,39.38,一小集团,牵头校,
城关二小,小学,700,,,,城关街道,40,,,,,,,,,一小集团,,
东镇小学,小学,210,,,,东镇,16,,,,6,,,117.2,39.4,,,
李村小学,教学点,40,,,,东镇,,,,,4,,,,,,,
东镇学校,九年一贯制,,300,200,,东镇,,18,17,,13,3000,,,,,,
城关中学,完全中学,800,,800,400,城关街道,,,,,,12800,,,,,,
"""
ROWS: list[dict[str, Any]] = list(csv.DictReader(TABLE.splitlines()))
HEADS = list(ROWS[0])


def written(path: Path, rows: list[dict[str, Any]], heads: list[str] | None = None) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, heads or HEADS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def changed(row: int, **values: Any) -> list[dict[str, Any]]:
    return [one | values if i == row else one for i, one in enumerate(ROWS)]


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that must be refused says; one message, nothing on standard output, no traceback."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


# --- from tables to a region


def test_what_a_table_tells_is_understood(tmp_path: Path) -> None:
    imported = import_region(written(tmp_path / "schools.csv", ROWS))
    region = imported.region
    s = region.schools
    assert not_held(region) == []
    assert s.enrolment.tolist() == [[900, 0], [700, 0], [210, 0], [40, 0], [300, 200], [0, 800]]
    assert s.equipment[0] == 1_800_000
    assert s.kind[3] == Kind.TEACHING_POINT
    # a complete school's junior part of shared rooms: 800 / (800 + 1.2 × 400) of 12,800 m²
    assert s.teaching_area[5] == pytest.approx(12_800 * 800 / (800 + 1.2 * 400))
    ties = region.networks
    assert [(int(ties.lead[i]), int(ties.member[i])) for i in np.flatnonzero(ties.kind == Network.GROUP)] == [(0, 1)]
    lines = {line.column: line for line in imported.lines}
    assert (lines["teachers"].told, lines["teachers"].drawn) == (5, 2)
    assert (lines["classes"].told, lines["classes"].derived, lines["classes"].drawn) == (4, 1, 2)
    classes = np.array(region.official["given"]["classes"], float)
    assert classes[4].sum() == 13, "a total of both stages is divided, and kept"


def test_teachers_and_flows_of_tables_are_those_of_the_region(tmp_path: Path) -> None:
    first = {"学校名称": "城关一小", "学科": "语文", "骨干教师": "无"}
    staff = [first | {"教师编号": f"T{i}", "年龄": 30 + i % 25} for i in range(50)]
    for row in staff[:9]:
        row |= {"学科": "体育", "骨干教师": "区级"}
    flows = [
        {"居住乡镇": "东镇", "学校名称": "城关中学", "学生数": 130},
        {"居住乡镇": "城关街道", "学校名称": "城关中学", "学生数": 670},
    ]
    told = (written(tmp_path / "schools.csv", ROWS), written(tmp_path / "teachers.csv", staff, list(staff[0])),
            written(tmp_path / "flows.csv", flows, list(flows[0])))  # fmt: skip
    region = import_region(*told).region
    assert not_held(region) == []
    t = region.teachers
    here = t.school == 0
    assert sorted(t.age[here].tolist()) == sorted(row["年龄"] for row in staff)
    assert int((t.backbone[here] > 0).sum()) == int((t.subject[here] == Subject.PE).sum()) == 9
    junior = region.students.school == 5
    home = region.towns.name_zh[region.catchments.town[region.families.catchment[junior]]]
    assert (home == "东镇").sum() == 130


def test_one_workbook_may_hold_schools_teachers_and_flows(tmp_path: Path) -> None:
    """As the template has them: all three tables name a school and a stage, and the fullest sheet is taken."""
    book = Workbook()
    tables = {
        "学校": [HEADS, *([row[head] for head in HEADS] for row in ROWS)],
        "教师": [["教师编号", "学校名称", "学段", "年龄"], ["T1", "城关一小", "小学", 41]],
        "就学流动": [["居住乡镇", "学校名称", "学段", "学生数"], ["东镇", "城关中学", "初中", 77]],
    }
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path := tmp_path / "all.xlsx")
    given = import_region(path, path, path).region.official["given"]
    assert given["staff"]["age"] == [41.0]
    assert given["flows"]["pupils"] == [77]
    assert len(given["enrolment"]) == len(ROWS)


def test_names_written_two_ways_are_one_school_and_one_town(tmp_path: Path) -> None:
    rows = changed(2, 乡镇街道="东 镇")
    first = {"教师编号": "T1", "学校名称": "城关 一小", "年龄": 41}
    flows = [{"居住乡镇": "东镇 ", "学校名称": "城关中学　", "学生数": 130}]
    told = (written(tmp_path / "schools.csv", rows), written(tmp_path / "teachers.csv", [first], list(first)),
            written(tmp_path / "flows.csv", flows, list(flows[0])))  # fmt: skip
    region = import_region(*told).region
    assert region.towns.n == 2
    assert region.schools.name[0] == "城关一小"
    assert not_held(region) == []
    assert 41 in region.teachers.age[region.teachers.school == 0]


def test_a_fault_names_the_column_in_which_the_number_stands(tmp_path: Path) -> None:
    """The template has a column for each stage, too; most schools leave it empty."""
    rows = [row | {"小学骨干教师数": ""} for row in changed(0, 骨干教师数=60)]
    with pytest.raises(TableError) as caught:
        read_told(written(tmp_path / "schools.csv", rows, [*HEADS, "小学骨干教师数"]))
    assert "row 2, column K “骨干教师数”: found 60, with 50 teachers" in str(caught.value)


def test_the_report_tells_what_the_model_does_not_count_and_leaves_out_columns_that_nobody_filled(
    tmp_path: Path,
) -> None:
    rows = [row | {"建校年份": "", "最大班额": 45} for row in changed(0, 学位数=1000)]
    imported = import_region(written(tmp_path / "schools.csv", rows, [*HEADS, "学位数", "建校年份", "最大班额"]))
    rooms = int(imported.region.schools.classrooms[0, 0])
    said = "; ".join(note.en for note in imported.notes)
    assert f"1,000 seats given: the model admits by rooms; {rooms} of 45 or 50 are {45 * rooms:,} seats" in said
    assert "1 schools teach 400 senior pupils" in said
    columns = [line.column for line in imported.lines]
    assert "largest_class" in columns
    assert "built" not in columns


def test_a_table_without_a_school_that_the_region_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no primary or junior school"):
        read_told(written(tmp_path / "schools.csv", [ROWS[0] | {"学段": "高中"}]))
    with pytest.raises(TableError, match="'学堂'"):
        read_told(written(tmp_path / "schools.csv", [ROWS[0] | {"学段": "学堂"}]))


@pytest.mark.parametrize("kind", ["民办", "特殊教育", "市属"])
def test_a_stage_without_a_school_that_the_authority_fills_is_refused(tmp_path: Path, kind: str) -> None:
    rows = [row | {"学校类型": kind if row["学段"] in ("完全中学", "九年一贯制") else ""} for row in ROWS]
    with pytest.raises(TableError, match="no junior school of kind district"):
        read_told(written(tmp_path / "schools.csv", rows, [*HEADS, "学校类型"]))


def test_an_empty_cell_that_a_row_cannot_do_without_is_told(tmp_path: Path) -> None:
    schools = written(tmp_path / "schools.csv", ROWS)
    whole = {"居住乡镇": "东镇", "学校名称": "城关中学", "学生数": 130}
    for name in whole:
        row = whole | {name: ""}
        with pytest.raises(TableError, match=f"“{name}”: found an empty cell") as caught:
            read_told(schools, None, written(tmp_path / "flows.csv", [row], list(row)))
        assert len(caught.value.faults) == 1
    teacher = {"教师编号": "", "学校名称": "城关一小", "年龄": 41}
    with pytest.raises(TableError, match="“教师编号”: found an empty cell"):
        read_told(schools, written(tmp_path / "teachers.csv", [teacher], list(teacher)))


def test_more_pupils_than_a_city_has_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"学校名称": f"{i}小", "在校生数": 99_999} for i in range(60)]
    with pytest.raises(TableError, match="5,999,940 pupils"):
        read_told(written(tmp_path / "schools.csv", rows))


def test_kilometres_of_longitude_and_latitude_agree_with_the_great_circle() -> None:
    rng = np.random.default_rng(1)
    lon, lat = 117 + rng.uniform(-0.6, 0.6, 40), 39.4 + rng.uniform(-0.5, 0.5, 40)
    x, y = projected(lon, lat)
    a, b = np.radians(lat), np.radians(lon)
    cosine = np.sin(a)[:, None] * np.sin(a) + np.cos(a)[:, None] * np.cos(a) * np.cos(b[:, None] - b)
    far = 6371.0088 * np.arccos(np.clip(cosine, -1, 1))
    seen = np.hypot(x[:, None] - x, y[:, None] - y)
    apart = far > 5
    assert np.abs(seen / np.where(apart, far, 1) - 1)[apart].max() < 0.01


def test_every_column_that_is_completed_says_how() -> None:
    values, facts = read_profile("village")
    pupils = np.array([(200, 0), (0, 150)])
    from model.complete import Tables

    _, marks = complete(values, facts, Tables.of(["a", "b"], pupils), 1, "x", {"en": "x", "zh": "x"})
    for name, mark in marks.items():
        assert completion(name).en or (mark <= TOLD).all(), name
        assert bool(completion(name).en) == bool(completion(name).zh), name
    assert (marks["district"] == DERIVED).all()


# --- the commands


def test_import_writes_a_region_and_its_report_that_scenarios_run_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path / "cache"))
    schools, out = written(tmp_path / "mine.csv", ROWS), tmp_path / "mine.npz"
    assert main(["region", "import", str(schools), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schools"] == 6
    columns = {row["column"]: row for row in said["columns"]}
    assert columns["pupils"]["given"] == 7
    assert columns["sports_area_m2"]["synthesised"] == 6
    report = (tmp_path / "mine.report.csv").read_text(encoding="utf-8-sig").splitlines()
    assert report[0].split(",")[:5] == ["table", "column", "given", "derived", "synthesised"]
    assert any(line.startswith("schools,pupils,7,0,0") for line in report)
    run = [
        "run",
        "baseline",
        "wuqing-2020-2022",
        "--region",
        str(out),
        "--years",
        "1",
        "--replicates",
        "1",
        "--workers",
        "1",
    ]
    assert main([*run, "--out", str(tmp_path / "run"), "--json", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["region", "check", str(out)]) == 0
    assert "nothing wrong" in capsys.readouterr().out
    assert main(["region", "show", str(out), "--lang", "zh", "--out", str(tmp_path / "mine.png")]) == 0
    assert "据表格补全" in capsys.readouterr().out
    assert (tmp_path / "mine.png").read_bytes().startswith(b"\x89PNG")


def test_a_prepared_region_holds_what_its_tables_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.prepared import prepared_region
    from model.behaviour import load_behaviour
    from model.policy import Policy

    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path / "cache"))
    import_region(written(tmp_path / "mine.csv", ROWS)).region.save(tmp_path / "mine.npz")
    region = prepared_region(str(tmp_path / "mine.npz"), 1, load_behaviour("input"), Policy())
    assert region.burned_in
    assert not_held(region) == []


def test_build_writes_what_the_profile_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "village.npz"
    assert main(["region", "build", "--profile", "village", "--seed", "3", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["schools"] == 12
    assert Region.load(out).fingerprint() == build_region("village", 3).fingerprint()
    assert "exists already" in fails(capsys, "region", "build", "--profile", "village", "--out", str(out))


def test_the_example_profile_builds_as_it_is_and_with_every_comment_in_force(tmp_path: Path) -> None:
    text = Path("calibration/profile_template.yaml").read_text(encoding="utf-8")
    region = given_region("calibration/profile_template.yaml", 1)
    assert not [f for f in findings(region) if f.kind == "wrong"]
    examples = re.sub(r"(?m)^( *)# ", r"\1", text)
    assert examples != text
    path = tmp_path / "all.yaml"
    path.write_text(examples, encoding="utf-8")
    region = given_region(str(path), 1)
    assert "某某县第一小学" in region.schools.name
    assert region.official["indicators"][0]["sports_area"]["cv"] == [0.48, 0.42]
    assert "my guess" in {fact["source"] for fact in region.facts if fact["name"].startswith("class_size")}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("primary_grades: 6", "primary_grade: 6", "line"),
        ("area_km2: {value: 900, unit: km2}", "area_km2: {value: big, unit: km2}", "line"),
        ("teachers: {value: 480, unit: teachers}", "teachers: 480, x: 3", "line"),
        ("streets: [城关街道, 新城街道]", "streets: []", "line 32: districts.1.primary.schools.urban"),
        ("towns: [东湖镇, ", "towns: [城关街道, ", "a second time"),
        ("town: 4300, village: 3100", "town: 4300, village: 31", "districts.1.primary.pupils.village"),
        ("base_year: 2019", "base_year: 19", "line 15: base_year"),
        (
            "nine_year: {urban: 0, town: 1, village: 1",
            "nine_year: {urban: 9, town: 1, village: 1",
            "line 39: districts.1.nine_year.urban",
        ),
    ],
)
def test_a_wrong_profile_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    text = Path("calibration/profile_template.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    out = tmp_path / "x.npz"
    assert said in fails(capsys, "region", "build", "--profile", str(path), "--out", str(out))
    assert not out.exists()


# --- what is wrong with tables


@pytest.mark.parametrize(
    ("rows", "where", "found"),
    [
        (changed(0, 在校生数="很多"), "row 2, column C", "很多"),
        (changed(0, 专任教师数=-3), "row 2, column H", "-3"),
        (changed(0, 骨干教师数=51), "row 2, column K", "51"),
        (changed(0, 班级数=901), "row 2, column L", "901"),
        (changed(0, 班级数=0), "row 2, column L", "0 classes"),
        (changed(0, 经度=""), "row 2, column O", "lat alone"),
        (changed(0, 纬度=117.05), "row 2, column P", "117.05"),
        (changed(0, 学校名称="城" * 41), "row 2, column A", "41 letters"),
        (changed(1, 学校名称="城关一小"), "row 3, column A", "城关一小"),
        (changed(4, 小学专任教师数=18, 初中专任教师数=17, 专任教师数=30), "row 6, column H", "30"),
    ],
)
def test_a_wrong_cell_of_the_table_of_schools_is_told(
    tmp_path: Path, rows: list[dict[str, Any]], where: str, found: str
) -> None:
    with pytest.raises(TableError) as error:
        read_told(written(tmp_path / "schools.csv", rows))
    assert where in str(error.value)
    assert found in str(error.value)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"学校名称": "城关三小"}, "城关三小"),
        ({"教师编号": "T1"}, "as in row 2"),
        ({"学校名称": "东镇学校"}, "no stage"),
        ({"年龄": 25, "教龄": 20}, "20"),
        ({"教龄": 3, "在本校年限": 4}, "4"),
    ],
)
def test_a_wrong_row_of_the_table_of_teachers_is_told(tmp_path: Path, row: dict[str, Any], found: str) -> None:
    heads = ["教师编号", "学校名称", "学段", "年龄", "教龄", "在本校年限"]
    good = {"教师编号": "T1", "学校名称": "城关一小", "年龄": 40}
    staff = written(tmp_path / "teachers.csv", [good, good | {"教师编号": "T2"} | row], heads)
    with pytest.raises(TableError, match=found):
        read_told(written(tmp_path / "schools.csv", ROWS), staff)


def test_more_teachers_or_other_counts_than_the_table_of_schools_are_told(tmp_path: Path) -> None:
    heads = ["教师编号", "学校名称", "骨干教师"]
    staff = [{"教师编号": i, "学校名称": "城关一小", "骨干教师": "无"} for i in range(50)]
    schools = written(tmp_path / "schools.csv", ROWS)
    with pytest.raises(TableError, match="9, as in the table of schools"):
        read_told(schools, written(tmp_path / "teachers.csv", staff, heads))
    more = [*staff, {"教师编号": 99, "学校名称": "城关一小"}]
    with pytest.raises(TableError, match="found 51 of"):
        read_told(schools, written(tmp_path / "more.csv", more, heads))


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"学生数": 801}, "801"),
        ({"居住乡镇": "城关街"}, "did you mean '城关街道'"),
        ({"学校名称": "东镇学校"}, "no stage"),
    ],
)
def test_a_wrong_row_of_the_table_of_flows_is_told(tmp_path: Path, row: dict[str, Any], found: str) -> None:
    flows = [{"居住乡镇": "城关街道", "学校名称": "城关中学", "学生数": 800} | row]
    with pytest.raises(TableError, match=found):
        read_told(written(tmp_path / "s.csv", ROWS), None, written(tmp_path / "f.csv", flows, list(flows[0])))


def test_faults_of_all_files_are_told_together_in_either_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schools = written(tmp_path / "schools.csv", changed(0, 专任教师数=-3))
    teachers = written(tmp_path / "teachers.csv", [{"教师编号": 1, "学校名称": "无此校"}], ["教师编号", "学校名称"])
    out = tmp_path / "x.npz"
    said = fails(
        capsys, "region", "import", str(schools), "--teachers", str(teachers), "--out", str(out), "--lang", "zh"
    )
    assert "无此校" in said
    assert "-3" in said
    assert "第2行" in said
    assert list(tmp_path.glob("x*")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("region", "show", "wuqin"), "wuqing"),
        (("region", "show", "none.npz"), "no such file"),
        (("region", "show", "village", "--out", "picture.gif"), ".png"),
        (("region", "check", "village", "--teachers", "t.csv"), "table of schools"),
        (("region", "check", "none.csv"), "no such file"),
        (("region", "import", "none.csv", "--out", "x.npz"), "no such file"),
        (("region", "import", "none.csv", "--out", "x.zip"), ".npz"),
        (("region", "build", "--profile", "village", "--out", "no/such/x.npz"), "no such folder"),
        (
            (
                "region",
                "chek",
            ),
            "check",
        ),
    ],
)
def test_wrong_calls_are_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
    assert said in fails(capsys, *arguments)


# --- checking and showing


@pytest.mark.parametrize("name", ["village", "zibo-town"])
def test_shipped_regions_have_nothing_wrong(name: str) -> None:
    assert [f.text("en") for f in findings(build_region(name)) if f.kind == "wrong"] == []


def test_check_finds_what_was_broken() -> None:
    def about(region: Region, kind: str) -> set[str]:
        return {f.about for f in findings(region) if f.kind == kind}

    region = build_region("village")
    region.schools.enrolment[0, 0] += 1
    region.schools.sports_area[1] = -4
    region.schools.condition[2] = np.nan
    region.catchments.right[0, 0] = 99
    assert about(region, "wrong") >= {"enrolment", "sports_area", "schools.condition", "catchments"}
    region = build_region("village")
    region.schools.x_km[0] += 400
    region.schools.equipment[3] *= 10_000
    region.schools.classrooms[4] = 1
    region.teachers.keep(~((region.teachers.school == 5) & (region.teachers.stage == 0)))
    assert about(region, "doubtful") >= {"place", "equipment", "seats", "teachers"}


def test_findings_in_chinese_name_the_stocks_in_chinese() -> None:
    broken = build_region("village")
    broken.schools.equipment[0] *= 1000
    broken.schools.sports_area[1] = -1
    told = "；".join(finding.text("zh") for finding in findings(broken))
    for said in ("体育运动场馆面积为负", "生均教学仪器设备值为常见值的8倍", "差异系数超过0.5：", "教学仪器设备值 "):
        assert said in told
    assert not any(name in told for name in INDICATORS)


def test_a_region_with_something_wrong_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    region = build_region("village")
    region.schools.enrolment[0, 0] += 1
    region.save(tmp_path / "wrong.npz")
    assert main(["region", "check", str(tmp_path / "wrong.npz"), "--json"]) == 1
    assert any(row["kind"] == "wrong" for row in json.loads(capsys.readouterr().out))


def test_show_counts_what_the_region_holds() -> None:
    region = build_region("village")
    facts = describe(region)
    for stage in ("primary", "junior"):
        k = ("primary", "junior").index(stage)
        for groups in ("settings", "districts"):
            assert sum(g["pupils"][stage] for g in facts[groups]) == region.schools.enrolment[:, k].sum()
            assert sum(g["teachers"][stage] for g in facts[groups]) == (region.teachers.stage == k).sum()
        assert sum(facts["teachers"][stage]["ages"].values()) == facts["teachers"][stage]["number"]
    assert facts["stocks"]["sports_area"] == pytest.approx(region.schools.sports_area.sum())
    assert json.loads(json.dumps(facts)) == facts


def test_the_portrait_says_in_its_title_how_many_cvs_pass() -> None:
    region = build_region("village")
    passed = min(place["primary"]["cvs_passed"] for place in describe(region)["standard"][1:])
    figure = portrait(region, "en")
    assert f"{passed} of 7 CVs in primary" in "\n".join(text.get_text() for text in figure.texts).replace("\n", " ")


def test_stocks_are_the_model_s_four_facilities() -> None:
    with pytest.raises(InputError):
        build_region("nowhere")
    assert set(BY_FACILITIES) <= set(describe(build_region("village"))["stocks"])
