"""`junheng region build|import|check|show`: make a region, look at what is in it, and at what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from junheng.commands import show
from junheng.commands.batch import said, say
from model.errors import InputError

if TYPE_CHECKING:
    from calibration.region_check import Finding
    from calibration.region_import import Imported
    from model.region import Region

DONE, FOUND_WRONG = 0, 1
REGION, REPORT = ".npz", ".report.csv"

WORDS = {
    "en": {
        "written": "written: {path}", "given": "given", "derived": "derived", "synthesised": "synthesised",
        "how": "how",
        "column": "column", "table": "table", "wrong": "wrong", "doubtful": "doubtful", "standard": "standard",
        "nothing": "nothing wrong", "n_wrong": "{n} wrong", "n_doubtful": "{n} doubtful",
        "n_standard": "{n} over a limit",
        "font": "no Chinese font: the picture is lettered in English",
        "held": "{n} values given; the region holds every one",
        "try": "try: junheng run wuqing-2020-2022 --region {path}",
        "building": "making the region", "schools": "schools", "pupils": "pupils", "teachers": "teachers",
        "primary": "primary", "junior": "junior", "place": "place", "seats": "seats", "mean": "mean", "cv": "CV",
        "limit": "limit", "threshold": "standard", "ratio": "pupils a teacher", "smallest": "smallest", "p10": "10 %",
        "median": "median", "p90": "90 %", "largest": "largest", "sections": "sections", "small": "below 100",
        "age": "age", "stage": "stage", "indicator": "indicator", "urban": "urban", "town": "town",
        "village": "village", "origin_tables": "made from tables, completed", "origin_profile": "synthetic",
        "settled": "burned in", "built": "not yet lived in",
        "head": "{name} ({title}): {origin}, {state}; school year {year}, seed {seed}, {grades}-{junior} schooling",
        "counts": "schools {schools:,}, pupils {pupils:,}, teachers {teachers:,}, towns {towns}, districts {districts}",
    },
    "zh": {
        "written": "已写入：{path}", "given": "给定", "derived": "推算", "synthesised": "合成", "how": "方法",
        "column": "列", "table": "表", "wrong": "错误", "doubtful": "存疑", "standard": "标准", "nothing": "没有错误",
        "n_wrong": "错误 {n} 项", "n_doubtful": "存疑 {n} 项", "n_standard": "超过标准限值 {n} 项",
        "font": "没有中文字体：图中用英文", "held": "给定值 {n} 个，区域中全部保持不变",
        "try": "可运行：junheng run wuqing-2020-2022 --region {path}", "building": "正在生成区域", "schools": "学校",
        "pupils": "学生", "teachers": "教师", "primary": "小学", "junior": "初中", "place": "地点", "seats": "学位",
        "mean": "均值", "cv": "差异系数", "limit": "上限", "threshold": "标准", "ratio": "生师比", "smallest": "最小",
        "p10": "10%", "median": "中位", "p90": "90%", "largest": "最大", "sections": "学段数", "small": "不足100人",
        "age": "年龄", "stage": "学段", "indicator": "指标", "urban": "城区", "town": "镇区",
        "village": "乡村", "origin_tables": "据表格补全", "origin_profile": "合成", "settled": "已预热",
        "built": "未预热",
        "head": "{name}（{title}）：{origin}，{state}；{year} 学年，种子 {seed}，{grades}-{junior} 学制",
        "counts": "县区 {districts} 个，乡镇 {towns} 个，学校 {schools:,} 所，学生 {pupils:,} 人，教师 {teachers:,} 人",
    },
}  # fmt: skip


# --- build and import


def build(profile: str, *, seed: int, out: Path, json: bool, lang: str) -> int:
    """Build a region from a profile and write it. Raises InputError before anything is written."""
    from calibration.region_import import write_whole
    from results.region_summary import describe

    _free(out)
    if profile.endswith(REGION):
        raise InputError("--profile", profile, "a shipped profile or a YAML file of totals")
    region = _given(profile, seed)
    write_whole({out: region.save})
    if json:
        show.document({"path": str(out), **describe(region)})
        return DONE
    console = show.console()
    for part in _described(region, lang, brief=True):
        console.print(part)
    console.print(WORDS[lang]["written"].format(path=out), markup=False)
    return DONE


def import_tables(
    schools: Path,
    *,
    teachers: Path | None,
    flows: Path | None,
    profile: str,
    name: str | None,
    sheet: str | None,
    seed: int,
    base_year: int | None,
    primary_grades: int | None,
    out: Path,
    json: bool,
    lang: str,
) -> int:
    """Make a region of tables, write it with its report; returns the exit status. Raises InputError."""
    from calibration.faults import TableError
    from calibration.region_import import import_region, report_csv, summary, write_whole
    from junheng.commands.tables import note, refuse

    _free(out)
    try:
        with said(WORDS[lang]["building"], json):
            made = import_region(schools, teachers, flows, profile, seed, name, sheet, base_year, primary_grades)
    except TableError as error:
        return refuse(error, lang)
    report = out.with_suffix(REPORT)
    text = report_csv(made, lang)
    write_whole({out: made.region.save, report: lambda path: _write(path, text)})
    note(made.notes, lang)
    if json:
        show.document({"path": str(out), "report": str(report), **summary(made), "findings": _found(made.region)})
        return DONE
    _print_import(made, out, report, lang)
    return DONE


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _free(out: Path) -> None:
    """A name under which a region can be written. Raises InputError."""
    if out.suffix != REGION:
        raise InputError("--out", str(out), f"a file that ends in {REGION}")
    if out.exists():
        raise InputError(str(out), "a file that exists already", "a name that is free")
    if not out.parent.is_dir():
        raise InputError(str(out.parent), "no such folder", "one that exists")


def _print_import(made: Imported, out: Path, report: Path, lang: str) -> None:
    words, console = WORDS[lang], show.console()
    from calibration.columns import table_spec
    from calibration.region_check import findings

    rows = [
        {
            words["table"]: table_spec(line.table).title.text(lang),
            words["column"]: line.zh if lang == "zh" else line.column,
            words["given"]: line.told or "",
            words["derived"]: line.derived or "",
            words["synthesised"]: line.drawn or "",
            words["how"]: line.how.text(lang),
        }
        for line in made.lines
    ]
    console.print(show.table(rows, list(rows[0]), lang))
    for part in _described(made.region, lang, brief=True):
        console.print(part)
    given = sum(
        line.told for line in made.lines if not (line.drawn == 0 and line.how.en.startswith("the region has no"))
    )
    console.print(words["held"].format(n=f"{given:,}"), markup=False)
    _print_findings(findings(made.region), lang)
    for path in (out, report):
        console.print(words["written"].format(path=path), markup=False)
    say(words["try"].format(path=out))


# --- check


def check(file: str, *, teachers: Path | None, flows: Path | None, profile: str, json: bool, lang: str) -> int:
    """Print what is wrong or doubtful with a region or with tables; returns the exit status. Raises InputError."""
    from calibration.faults import TableError
    from calibration.region_check import findings
    from junheng.commands.tables import note, refuse

    try:
        if _is_table(file):
            from calibration.region_import import import_region

            made = import_region(Path(file), teachers, flows, profile)
            note(made.notes, lang)
            region = made.region
        elif teachers or flows:
            option = "--teachers" if teachers else "--flows"
            raise InputError(option, f"it beside {file}", "it beside a table of schools")
        else:
            region = _given(file, 1)
    except TableError as error:
        return refuse(error, lang)
    found = findings(region)
    if json:
        show.document(_found(region))
    else:
        _print_findings(found, lang)
    return FOUND_WRONG if any(finding.kind == "wrong" for finding in found) else DONE


def _is_table(file: str) -> bool:
    return Path(file).suffix.lower() in (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")


def _given(name: str, seed: int) -> Region:
    """A shipped region, a profile's file or a saved region. Raises InputError."""
    from experiments.prepared import given_region

    return given_region(name, seed)


def _found(region: Region) -> list[dict[str, Any]]:
    from calibration.region_check import findings

    return [finding.as_data() for finding in findings(region)]


def _print_findings(found: list[Finding], lang: str) -> None:
    from rich.text import Text

    words, console = WORDS[lang], show.console()
    styles = {"wrong": "bold red", "doubtful": "yellow", "standard": "cyan"}
    for finding in found:
        label = f"{words[finding.kind]}{'：' if lang == 'zh' else ': '}"
        console.print(Text.assemble((label, styles[finding.kind]), finding.text(lang)))
    counts = {kind: sum(finding.kind == kind for finding in found) for kind in styles}
    said_counts = [words[f"n_{kind}"].format(n=n) for kind, n in counts.items() if n]
    if not counts["wrong"]:
        said_counts.insert(0, words["nothing"])
    console.print(("；" if lang == "zh" else "; ").join(said_counts), markup=False)


# --- show


def show_region(name: str, *, seed: int, out: Path | None, json: bool, lang: str) -> int:
    """Print what is in a region and, with `out`, draw it. Raises InputError."""
    if out is not None and out.suffix.lower() not in (".png", ".svg"):
        raise InputError("--out", str(out), "a file that ends in .png or .svg")
    region = _given(name, seed)
    if out is not None:
        _draw(region, out, lang)
    if json:
        from results.region_summary import describe

        show.document(describe(region))
        return DONE
    console = show.console()
    for part in _described(region, lang):
        console.print(part)
    if out is not None:
        console.print(WORDS[lang]["written"].format(path=out), markup=False)
    return DONE


def _draw(region: Region, out: Path, lang: str) -> None:
    from calibration.region_import import write_whole
    from results.drawing import saved
    from results.pictures_of_region import lettered, portrait

    if lettered(lang) != lang:
        say(WORDS[lang]["font"])
    data = saved(portrait(region, lang), "svg" if out.suffix.lower() == ".svg" else "png")
    write_whole({out: lambda path: _write(path, data)})


def _described(region: Region, lang: str, brief: bool = False) -> Iterable[Any]:
    """A head line and tables for the terminal; `brief`: without ages and sizes."""
    from rich.text import Text

    from results.region_summary import describe

    words, facts = WORDS[lang], describe(region)
    origin = words["origin_tables"] if facts["from_tables"] else words["origin_profile"]
    state = words["settled"] if facts["burned_in"] else words["built"]
    grades = facts["primary_grades"]
    title = facts["title"][lang]
    yield Text(words["head"].format(name=facts["name"], title=title, origin=origin, state=state, year=facts["year"],
                                    seed=facts["seed"], grades=grades, junior=9 - grades), "bold")  # fmt: skip
    yield Text(words["counts"].format(**facts["counts"]))
    yield _places(facts, words, lang)
    yield _against_standard(facts, words, lang)
    if not brief:
        yield _sizes(facts, words, lang)
        yield _ages(facts, words, lang)


def _places(facts: dict[str, Any], words: dict[str, str], lang: str) -> Any:
    """A row a setting and a district."""
    rows = []
    groups = [*facts["settings"], *facts["districts"]] if len(facts["districts"]) > 1 else facts["settings"]
    for group in groups:
        label = words.get(group["name"]) if "zh" not in group else group["zh"] if lang == "zh" else group["name"]
        row = {words["place"]: label, words["schools"]: f"{group['schools']:,}"}
        for stage in ("primary", "junior"):
            row[f"{words['pupils']} {words[stage]}"] = f"{group['pupils'][stage]:,}"
            row[f"{words['teachers']} {words[stage]}"] = f"{group['teachers'][stage]:,}"
            ratio = group["pupils_per_teacher"][stage]
            row[f"{words['ratio']} {words[stage]}"] = "" if ratio is None else f"{ratio:.1f}"
        rows.append(row)
    return show.table(rows, list(rows[0]), lang)


def _against_standard(facts: dict[str, Any], words: dict[str, str], lang: str) -> Any:
    """A row an indicator: mean against the standard, CV against its limit; a block a district."""
    from calibration.scorecard_words import indicator as label

    rows = []
    places = facts["standard"][1:] or facts["standard"]
    for place in places:
        for indicator in place["primary"]["indicators"]:
            row = {words["place"]: place["zh"] if lang == "zh" else place["place"]} if len(places) > 1 else {}
            row[words["indicator"]] = label(indicator, lang)
            for stage in ("primary", "junior"):
                card = place[stage]
                value = card["indicators"][indicator]
                row[f"{words[stage]}: {words['mean']}"] = _against(value["mean"], value["threshold"])
                mark = "✓" if value["cv_passed"] else "✗"
                row[f"{words[stage]}: {words['cv']} (≤ {card['cv_limit']:g})"] = (
                    "" if value["cv"] is None else f"{value['cv']:.3f} {mark}"
                )
            rows.append(row)
    return show.table(rows, list(rows[0]), lang)


def _against(mean: float | None, threshold: float) -> str:
    return "" if mean is None else f"{mean:,.{0 if threshold >= 1000 else 2}f} / {threshold:,g}"


def _sizes(facts: dict[str, Any], words: dict[str, str], lang: str) -> Any:
    names = ("sections", "smallest", "p10", "median", "p90", "largest", "small")
    rows = [
        {words["stage"]: words[stage], **{words[name]: f"{sizes[name]:,.0f}" for name in names if name in sizes}}
        for stage, sizes in facts["sizes"].items()
    ]
    return show.table(rows, list(rows[0]), lang)


def _ages(facts: dict[str, Any], words: dict[str, str], lang: str) -> Any:
    rows = [
        {words["teachers"]: words[stage], **{f"{words['age']} {a}": f"{n:,}" for a, n in held["ages"].items()}}
        for stage, held in facts["teachers"].items()
    ]
    return show.table(rows, list(rows[0]), lang)
