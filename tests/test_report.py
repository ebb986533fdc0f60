"""The report says what the numbers say, in both languages, in one file that asks nothing of anybody."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openpyxl
import pandas as pd
import pretend
import pytest
import situations
from hypothesis import given
from hypothesis import strategies as st

from experiments.batch import run_batch, run_folder
from experiments.plan import planned
from experiments.scenario import load_scenario
from junheng.cli import main
from model.errors import InputError
from model.levers import LEVERS
from model.profile import PRICES
from model.simulate import simulate
from results.comparison import difference_of
from results.drawing import saved
from results.pictures_of_money import MOST, largest
from results.report import numbers, words, write
from results.report.answer import numbers as told_numbers
from results.report.answer import verdict
from results.report.compose import compose
from results.report.document import Document, Table, Value
from results.report.excel import book
from results.report.html import html
from results.run_folder import RunFolder
from results.series import At, Series

PLAN = "wuqing-2020-2022"
LANGUAGES = ("en", "zh")
HAN = re.compile("[\u4e00-\u9fff]")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two counties live three years under the baseline and a plan, twice, under both calibrations."""
    chosen = [load_scenario("baseline"), load_scenario(PLAN)]
    plan = planned(chosen, region="village", years=3, replicates=2, calibrations=("input", "sorting"))
    made = run_folder(plan, tmp_path_factory.mktemp("report") / "run", command="junheng run baseline <plan> & more")
    run_batch(plan, made, workers=0)
    return made


@pytest.fixture(scope="module")
def reports(folder: RunFolder) -> dict[str, Document]:
    return {lang: compose(folder, lang) for lang in LANGUAGES}


@pytest.fixture(scope="module")
def pages(reports: dict[str, Document], few: RunFolder) -> dict[str, str]:
    """A whole Chinese page, and an English one of a run that lacks most outcomes."""
    return {"zh": html(reports["zh"]), "en": html(compose(few, "en"))}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Pretended runs, of which replicate 1 of the plan failed; most outcomes are missing."""
    place = tmp_path_factory.mktemp("few")
    (place / "broken").touch()
    plan = pretend.plan(3)
    made = run_folder(plan, place / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRETEND_BROKEN", str(place / "broken"))
        run_batch(plan, made, workers=0, work=pretend.live_unless_broken)
    return made


def alone(path: Path, scenarios: list[str], replicates: int) -> RunFolder:
    """A short real run."""
    chosen = [load_scenario(name) for name in scenarios]
    plan = planned(chosen, region="village", years=2, replicates=replicates)
    made = run_folder(plan, path)
    run_batch(plan, made, workers=0)
    return made


# ---- one file, no request, no script


class Page(HTMLParser):
    """Tags with their attributes, and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.styles: list[str] = []
        self.within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.within = tag

    def handle_data(self, data: str) -> None:
        if self.within == "style":
            self.styles.append(data)
            self.within = ""


ADDRESSES = ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_asks_nothing_of_anybody_and_runs_nothing(pages: dict[str, str], lang: str) -> None:
    page = Page(pages[lang])
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "embed", "link", "base", "form"})
    pictures = []
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ADDRESSES:
            if name in attributes:
                assert attributes[name].startswith(("#", "data:image/svg+xml;base64,"))
                pictures.append(attributes[name].partition(",")[2])
    assert not re.search(r"url\(|@import", "".join(page.styles) + "".join(a.get("style", "") for _, a in page.tags))
    drawn = [base64.b64decode(picture).decode() for picture in pictures if picture]
    assert len(drawn) > 4
    for picture in drawn:
        for tag, attributes in Page(picture).tags:
            assert tag not in ("script", "image", "foreignobject")
            assert not [v for k, v in attributes.items() if k in ADDRESSES and not v.startswith("#")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_link_leads_to_a_chapter_and_every_picture_is_told_in_words(pages: dict[str, str], lang: str) -> None:
    page = Page(pages[lang])
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [attributes["href"].removeprefix("#") for tag, attributes in page.tags if tag == "a"]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    told = [attributes["alt"] for tag, attributes in page.tags if tag == "img" and attributes.get("class") != "spark"]
    assert all(len(alt) > 20 for alt in told)


def test_what_users_named_is_text_and_never_markup(pages: dict[str, str]) -> None:
    assert "baseline &lt;plan&gt; &amp; more" in pages["zh"]


def test_the_same_run_gives_the_same_bytes(few: RunFolder) -> None:
    first, second = (compose(few, "zh") for _ in range(2))
    assert book(first) == book(second)
    drawn = [saved(report.sections[2].pictures[0].draw(), "svg") for report in (first, second)]
    assert drawn[0] == drawn[1]


# ---- what is said is what is counted


def shown(table: Table, lang: str) -> Iterator[str]:
    """Every text of a table."""
    yield from table.headings
    for row in table.rows:
        yield from (numbers.text(cell, lang) for cell in row)


def counted(table: Table) -> Iterator[int]:
    """How many rows of a table bear each text: targets missed, places with a verdict."""
    columns = list(zip(*table.rows, strict=True))
    for column in columns:
        texts = [cell for cell in column if isinstance(cell, str)]
        yield from (texts.count(text) for text in set(texts))
    yield len(table.rows)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_number_in_the_text_stands_in_a_table_or_counts_its_rows(reports: dict[str, Document], lang: str) -> None:
    report = reports[lang]
    tables = report.tables()
    held = {n for table in tables for text in shown(table, lang) for n in NUMBER.findall(text)}
    held |= {str(n) for table in tables for n in counted(table)}
    held |= {n for name in report.looks for n in NUMBER.findall(name)}
    states = [row[0] for table in tables if table.name.startswith("targets") for row in table.rows]
    held |= {str(n) for n in (0, 3, 7, 90, 95, len(states), *(states.count(mark) for mark in "✓◐✗"))}
    moved = [row for table in tables if table.name.startswith("moved") for row in table.rows]
    scenarios = {row[2] for row in moved}
    held |= {str(sum(row[2] == name for row in moved)) for name in scenarios}
    texts = [paragraph for section in report.sections for _, paragraph in section.answers]
    texts += [finding for section in report.sections for picture in section.pictures for finding in picture.findings]
    missing = {n: text for text in texts for n in NUMBER.findall(text) if n not in held and not n.startswith("20")}
    assert missing == {}
    assert len(texts) > 10


@given(
    st.lists(st.integers(-90, 90).map(lambda n: n / 100), min_size=2, max_size=9),
    st.sampled_from(["gap.score", "schools_passing", "local_stay"]),
    st.sampled_from(LANGUAGES),
)
def test_no_more_is_said_than_the_interval_allows(values: list[float], indicator: str, lang: str) -> None:
    about = {"scenario": "a", "reference": "b", "calibration": "input", "indicator": indicator, "stage": "primary"}
    d = difference_of(np.array(values), np.zeros(len(values)), **about, level="region", place="", year=2027)
    assert d is not None
    assert d.low is not None
    assert d.high is not None
    context = SimpleNamespace(lang=lang, say=lambda word, /, **fill: words.say(word, lang, **fill))
    said = verdict(context, d)  # type: ignore[arg-type]
    up, down = (words.say(f"{way} gap.score" if indicator == "gap.score" else way, lang) for way in ("up", "down"))
    if d.low <= 0 <= d.high:
        assert up not in said
        assert down not in said
    else:
        assert (up in said) == (d.low > 0)
        assert (down in said) == (d.high < 0)
        assert told_numbers(context, d)  # type: ignore[arg-type]


def test_one_run_is_told_as_one_run(tmp_path: Path) -> None:
    report = compose(alone(tmp_path / "run", ["baseline", PLAN], 1), "en")
    told = " ".join(paragraph for _, paragraph in report.sections[0].answers)
    assert words.say("one_replicate", "en") in report.banners
    assert "one pair of runs" in told
    assert not re.search(r"interval|narrower|wider|higher|measurably|perhaps", told)
    values = [cell for table in report.tables() for row in table.rows for cell in row if isinstance(cell, Value)]
    assert all(value.low is None for value in values)


def test_a_scenario_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    report = compose(alone(tmp_path / "run", [PLAN], 2), "zh")
    assert words.say("no_reference", "zh") in report.banners
    assert not [table for table in report.tables() if table.name == "differences"]
    assert html(report)
    assert book(report)


def test_runs_that_failed_are_counted_listed_and_left_out(few: RunFolder) -> None:
    report = compose(few, "en")
    assert words.say("failed", "en", failed=1, planned=6) in report.banners
    (failures,) = [table for table in report.tables() if table.name == "failures"]
    assert [row[0] for row in failures.rows] == [PLAN]
    paid = few.table("finance").to_pandas().groupby("scenario", observed=True)["yuan"].sum()
    runs = {"baseline": 3, PLAN: 2}
    told = pd.DataFrame(report.ledger).groupby("scenario")["yuan"].sum()
    assert told.to_dict() == pytest.approx({name: paid[name] / n for name, n in runs.items()})


def test_the_first_year_a_target_is_met_is_the_median_over_the_runs_that_meet_it(
    folder: RunFolder, reports: dict[str, Document]
) -> None:
    rows = folder.table("indicators", filters=[("level", "=", "region")]).to_pandas()
    asked = next(t for t in folder.manifest["scenarios"][PLAN]["targets"] if t["indicator"] == "mean.equipment")
    own = rows[(rows.scenario == PLAN) & (rows.calibration == "input") & (rows.indicator == "mean.equipment")]
    own = own[(own.stage == asked["stage"]) & (own.value >= asked["required"])]
    first = own.groupby("replicate", observed=True)["year"].min()
    (table,) = [t for t in reports["en"].tables() if t.name == f"targets-{PLAN}-input"]
    row = next(r for r in table.rows if r[1] == "teaching equipment, mean" and r[2] == asked["stage"])
    assert row[8] == f"{int(first.quantile(0.5, interpolation='lower'))} ({len(first)}/2)"


def test_series_hold_what_the_table_holds(folder: RunFolder) -> None:
    series = Series.read(folder, ["mean_score", "local_stay"])
    rows = folder.table("indicators", filters=[("level", "=", "town"), ("indicator", "=", "local_stay")]).to_pandas()
    for (s, c, stage, place), own in rows.groupby(["scenario", "calibration", "stage", "place"], observed=True):
        grid = own.pivot(index="replicate", columns="year", values="value").to_numpy()
        np.testing.assert_array_equal(series.of(At(s, c, "local_stay", stage, "town", place)), grid)


# ---- two languages


def test_every_phrase_is_there_in_both_languages_with_the_same_gaps() -> None:
    for part in ("words", "parties", "prices", "ways_out"):
        for key, (en, zh) in words.phrases(part).items():
            gaps = [sorted(re.findall(r"{(\w+)}", text)) for text in (en, zh)]
            assert gaps[0] == gaps[1], key
            assert not HAN.search(en), key
            assert HAN.search(zh) or not re.search("[a-z]{3}", re.sub(r"{\w+}", "", zh)), key


def test_levers_payers_and_prices_all_have_words(village: object) -> None:
    assert set(words.phrases("ways_out")) <= set(LEVERS)
    assert set(words.phrases("prices")) == set(PRICES)
    history = simulate(situations.settled(policy=situations.BASELINE), situations.RICH, situations.INPUT, 1, 2)
    assert {*history.finance["payer"], *history.finance["receiver"]} <= set(words.phrases("parties"))


def test_a_chinese_report_is_chinese_throughout(reports: dict[str, Document]) -> None:
    report = reports["zh"]
    texts = [report.title, report.subtitle, *report.banners]
    for section in report.sections:
        texts += [section.title, *section.says, *(finding for p in section.pictures for finding in p.findings)]
        texts += [p.note for p in section.pictures] + [card.title for strip in section.strips for card in strip.cards]
    for table in report.tables():
        texts += [table.title, *(h for h in table.headings if h not in ("", "input", "sorting") and not h.isdigit())]
    assert [text for text in texts if text and not HAN.search(text) and PLAN not in text] == []


def test_an_english_report_has_chinese_in_names_and_documents_only(reports: dict[str, Document]) -> None:
    report = reports["en"]
    texts = [report.title, *report.banners, *(section.title for section in report.sections)]
    texts += [text for section in report.sections for text in section.says]
    texts += [heading for table in report.tables() for heading in table.headings]
    assert [text for text in texts if HAN.search(text)] == []


# ---- numbers as they are read


@given(st.floats(-1e11, 1e11), st.sampled_from(LANGUAGES), st.booleans())
def test_money_reads_back_to_about_three_digits(yuan: float, lang: str, signed: bool) -> None:
    shown_as = numbers.money(yuan, lang, signed)
    (digits,) = NUMBER.findall(shown_as)
    scale = {"亿元": 1e8, "万元": 1e4, "million": 1e6}
    unit = next(factor for name, factor in scale.items() if name in shown_as)
    assert float(digits.replace(",", "")) * unit == pytest.approx(abs(yuan), rel=0.006, abs=0.006 * unit)
    assert ("−" in shown_as) == (yuan < 0 and float(digits.replace(",", "")) > 0)
    assert "-" not in shown_as


@given(st.floats(-1, 1), st.sampled_from(LANGUAGES))
def test_a_share_reads_back_as_percent(share: float, lang: str) -> None:
    shown_as = numbers.figure(share, "share", lang)
    (digits,) = NUMBER.findall(shown_as)
    assert float(digits) == pytest.approx(abs(100 * share), abs=0.0501)
    assert shown_as.endswith("%")


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.lists(st.floats(-9, 9), min_size=3, max_size=3)))
def test_the_largest_parts_and_the_rest_are_all_that_was_there(parts: dict[str, list[float]]) -> None:
    kept = largest({name: np.array(values) for name, values in parts.items()}, "")
    assert len(kept) <= MOST
    if parts:
        np.testing.assert_allclose(np.sum(list(kept.values()), axis=0), np.sum(list(parts.values()), axis=0), atol=1e-9)


# ---- the book


def opened(content: bytes, values: bool) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sums_of_the_book_are_formulas_that_add_up_the_ledger(
    folder: RunFolder, reports: dict[str, Document], lang: str
) -> None:
    content = book(reports[lang])
    formulas, values = (opened(content, kept) for kept in (False, True))
    name = words.say("ledger", lang)
    ledger = list(values[name].iter_rows(min_row=3, max_col=8, values_only=True))
    columns = {letter: [row[i] for row in ledger] for i, letter in enumerate("ABCDEFGH")}
    sheet, cached = (made[words.say("money", lang)] for made in (formulas, values))
    checked = 0
    for row in sheet.iter_rows():
        for cell in row:
            if not isinstance(cell.value, str) or not cell.value.startswith("=SUMIFS("):
                continue
            ranges, keys = [], []
            for part in cell.value[len("=SUMIFS(") : -1].split(","):
                found = re.fullmatch(rf"'{name}'!\$([A-H])\$3:\$[A-H]\${2 + len(ledger)}", part)
                if found:
                    ranges.append(found[1])
                else:
                    keys.append(cached[part.replace("$", "")].value)
            total = sum(
                yuan
                for i, yuan in enumerate(columns[ranges[0]])
                if all(columns[letter][i] == key for letter, key in zip(ranges[1:], keys, strict=True))
            )
            assert cached[cell.coordinate].value == pytest.approx(total, abs=1e-3)
            checked += 1
    assert checked > 30
    runs = folder.manifest["replicates"]
    whole = folder.table("finance")["yuan"].to_numpy().sum() / runs
    assert sum(columns["H"]) == pytest.approx(whole)


def test_row_sums_of_the_book_are_formulas_over_their_years(reports: dict[str, Document]) -> None:
    content = book(reports["zh"])
    sheet, cached = (opened(content, values)["经费"] for values in (False, True))
    sums = [c for row in sheet.iter_rows() for c in row if isinstance(c.value, str) and c.value.startswith("=SUM(")]
    assert len(sums) > 10
    for cell in sums:
        (span,) = cached[cell.value[len("=SUM(") : -1]]
        assert cached[cell.coordinate].value == pytest.approx(sum(one.value or 0 for one in span), abs=1e-3)


def test_the_book_has_chinese_sheets_native_charts_and_numbers_as_numbers(reports: dict[str, Document]) -> None:
    made = opened(book(reports["zh"]), values=False)
    assert made.sheetnames == [*(section.title for section in reports["zh"].sections), "台账"]
    assert len(made["差距变化"]._charts) > 10
    card = made["体检表"]
    judged = [c for row in card.iter_rows() for c in row if "✓" in str(c.number_format) or "✗" in str(c.number_format)]
    assert len(judged) > 20
    assert all(isinstance(c.value, int | float) for c in judged)


# ---- writing


def test_the_command_writes_what_is_asked_for_and_names_it(few: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["report", str(few.path), "--lang", "zh", "--format", "xlsx", "--format", "png"]
    assert main(call) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert {file.suffix for file in files} == {".xlsx", ".png"}
    assert all(file.is_file() and file.parent.is_relative_to(few.path / "report") for file in files)
    assert not list((few.path / "report").rglob("*.unfinished"))


def test_an_unknown_format_and_a_run_without_results_are_refused_and_nothing_is_written(
    few: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = run_folder(pretend.plan(2), tmp_path / "fresh")
    assert main(["report", str(fresh.path)]) == 2
    assert main(["report", str(fresh.path), "--format", "htm"]) == 2
    assert "'html'" in capsys.readouterr().err
    assert not (tmp_path / "fresh" / "report").exists()
    with pytest.raises(InputError):
        write(few, formats=["docx"])


def test_a_pdf_without_the_package_that_sets_it_is_refused_with_what_to_install(
    few: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"junheng\[pdf\]"):
        write(few, formats=["pdf"])


@pytest.mark.extras
def test_a_pdf_is_set(few: RunFolder) -> None:
    (file,) = write(few, "zh", ["pdf"])
    assert file.read_bytes().startswith(b"%PDF")


def test_a_region_that_can_no_longer_be_read_is_said_to_be_so(few: RunFolder) -> None:
    manifest = few.manifest | {"region": few.manifest["region"] | {"profile": "gone.yaml"}}
    report = compose(dataclasses.replace(few, manifest=manifest), "en")
    assert words.say("own_region", "en") in report.banners
