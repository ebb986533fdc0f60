"""The run folder: what it refuses, what it keeps, and what is read out of it."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pretend
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console
from rich.text import Text
from scipy import stats

from experiments.batch import run_batch, run_folder
from experiments.plan import Plan
from experiments.prepared import _shrink
from model.errors import InputError
from results.ledger import Ledger, Outcome
from results.provenance import versions
from results.run_folder import COMPLETE, RunFolder
from results.statistics import paired, spread
from results.summary import summarise
from results.summary_text import number, render, spans
from results.tables import ROW_GROUP, SMALL, TableFile, pack, schema, unpack, unpack_many
from results.targets import judge


def lived(path: Path, plan: Plan) -> RunFolder:
    folder = run_folder(plan, path)
    run_batch(plan, folder, work=pretend.live)
    return folder


def changed(plan: Plan, assignment: str) -> Plan:
    return dataclasses.replace(plan, scenarios=tuple(s.with_set(assignment) for s in plan.scenarios))


# ---- what it refuses


def test_an_existing_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    lived(tmp_path / "a", pretend.plan(1))
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    with pytest.raises(InputError, match="--resume"):
        run_folder(pretend.plan(1), tmp_path / "a")
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == before


def test_resume_starts_where_nothing_is_there_yet(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        folder = run_folder(pretend.plan(1), tmp_path / name, resume=True)
        assert run_batch(pretend.plan(1), folder, work=pretend.live).lived == 2


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"notes.txt": "mine"}, "without manifest.json"),
        ({"manifest.json": "{"}, "not JSON"),
        ({"manifest.json": '{"name": "a web page"}'}, "no manifest"),
        ({"manifest.json": '{"format": 99, "scenarios": {}}'}, "format 99"),
    ],
)
def test_a_folder_that_is_no_run_folder_is_refused_and_left_alone(
    content: dict[str, str], found: str, tmp_path: Path
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for attempt in (lambda: run_folder(pretend.plan(1), tmp_path, resume=True), lambda: RunFolder.open(tmp_path)):
        with pytest.raises(InputError, match=found):
            attempt()
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == content


def test_a_place_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file / "below", file):
        with pytest.raises(InputError, match="file"):
            run_folder(pretend.plan(1), path, resume=True)


def test_a_ledger_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = run_folder(pretend.plan(1), tmp_path / "a")
    (tmp_path / "a" / "ledger.sqlite").write_text("a letter, not a ledger. " * 50, encoding="utf-8")
    with pytest.raises(InputError, match=r"ledger\.sqlite"):
        run_batch(pretend.plan(1), folder, work=pretend.live)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (pretend.plan(2, seed=2), "seed"),
        (pretend.plan(2, record="school"), "record"),
        (pretend.plan(2, redraw_region=True), "redraw_region"),
        (pretend.plan(1), "2 replicates"),
        (pretend.plan(2, calibrations=("sorting",)), "'input' among its calibrations"),
        (Plan(pretend.plan(2).scenarios[1:], replicates=2), "'baseline' among its scenarios"),
        (
            Plan(tuple(s.with_set("posts.quota_growth=0.01") for s in pretend.plan(2).scenarios), replicates=2),
            "another",
        ),
    ],
)
def test_a_folder_of_another_plan_is_not_gone_on_with(other: Plan, what: str, tmp_path: Path) -> None:
    lived(tmp_path / "a", pretend.plan(2))
    manifest = (tmp_path / "a" / "manifest.json").read_bytes()
    with pytest.raises(InputError, match=what):
        run_folder(other, tmp_path / "a", resume=True)
    assert (tmp_path / "a" / "manifest.json").read_bytes() == manifest


def test_runs_of_two_versions_of_the_model_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(tmp_path / "a", pretend.plan(1))
    monkeypatch.setattr("experiments.plan.model_fingerprint", lambda: "another")
    with pytest.raises(InputError, match="another model"):
        run_folder(pretend.plan(2), tmp_path / "a", resume=True)


def test_runs_of_two_versions_of_a_package_do_not_mix_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p.name: p.read_bytes() for p in lived(tmp_path / "a", pretend.plan(1)).path.iterdir()}
    others = versions() | {"numpy": "1.0"}
    monkeypatch.setattr("experiments.batch.versions", lambda: others)
    with pytest.raises(InputError, match=rf"numpy {versions()['numpy']}.*numpy 1\.0.*--mix-versions"):
        run_folder(pretend.plan(2), tmp_path / "a", resume=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == before
    folder = run_folder(pretend.plan(2), tmp_path / "a", resume=True, mix_versions=True)
    assert run_batch(pretend.plan(2), folder, work=pretend.live).lived == 2
    assert [s["versions"]["numpy"] for s in folder.manifest["sessions"]] == [versions()["numpy"], "1.0"]


def test_a_folder_of_another_model_can_be_gone_on_with_if_asked_for_and_says_which_run_is_whose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(tmp_path / "a", pretend.plan(1))
    for module in ("experiments.plan", "experiments.batch"):
        monkeypatch.setattr(f"{module}.model_fingerprint", lambda: "another")
    folder = run_folder(pretend.plan(2), tmp_path / "a", resume=True, mix_versions=True)
    assert run_batch(pretend.plan(2), folder, work=pretend.live).lived == 2, "the others are not lived again"
    assert [s["model"] for s in folder.manifest["sessions"]][1] == "another"
    with sqlite3.connect(tmp_path / "a" / "ledger.sqlite") as database:
        rows = database.execute("SELECT json_extract(key, '$.replicate'), session FROM runs").fetchall()
    assert sorted(rows) == [(0, 0), (0, 0), (1, 1), (1, 1)]


def test_a_folder_where_nothing_can_be_written_is_refused_and_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(tmp_path / "a", pretend.plan(1))
    (tmp_path / "a").chmod(0o555)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(InputError, match="cannot be written"):
        run_folder(pretend.plan(1), tmp_path / "a", resume=True)
    with RunFolder.open(tmp_path / "a").reading() as ledger:
        assert ledger.standing().done == 2
    (tmp_path / "a").chmod(0o755)


def test_a_folder_that_cannot_be_begun_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        run_folder(pretend.plan(1), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_folders_under_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [run_folder(pretend.plan(1), None).path for _ in range(2)]
    assert [str(n) for n in names] == ["runs/baseline+wuqing-2020-2022-001", "runs/baseline+wuqing-2020-2022-002"]


# ---- what it keeps


def test_the_manifest_stands_before_any_run_and_tells_all_that_made_the_runs(tmp_path: Path) -> None:
    plan = pretend.plan(2, calibrations=("input", "sorting"))
    folder = run_folder(plan, tmp_path / "a", command="junheng run baseline")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["manifest.json"]
    told = json.loads((tmp_path / "a" / "manifest.json").read_text(encoding="utf-8"))
    assert (told["format"], told["status"], told["runs"]) == (3, "running", 8)
    assert told["scenarios"] == {s.name: s.resolved() for s in plan.scenarios}
    assert told["seeds"] == [{"run": r.seed, "region": 1} for r in plan.runs[::4]]
    assert told["calibrations"]["input"] != told["calibrations"]["sorting"]
    assert {"python", "numpy", "pyarrow"} <= set(told["versions"])
    assert {"model", "revision", "command", "prepared", "region", "config"} <= set(told)
    (session,) = told["sessions"]
    assert {"command", "started", "host", "process", "versions", "revision", "model"} == set(session)
    run_batch(plan, folder, work=pretend.live)
    assert json.loads((tmp_path / "a" / "manifest.json").read_text(encoding="utf-8"))["status"] == COMPLETE


def test_values_and_the_row_that_marks_them_done_enter_together_or_not_at_all(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.record([(Outcome("a", 0.1, {"finance": b"1"}), {})])
        with pytest.raises(sqlite3.Error):
            ledger.record([(Outcome("a", 0.1, {"indicators": b"2"}), {})])  # done once, not twice
        assert ledger.tables("a") == (None, b"1", None, None)
        assert ledger.statuses() == {"a": "done"}


def test_a_retried_run_stands_as_its_last_try_and_its_failure_is_still_there(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.record([(Outcome("a", 0.1, traceback="ValueError"), {"replicate": 3})])
        assert ledger.failures() == [({"replicate": 3}, 1, "ValueError")]
        ledger.record([(Outcome("a", 0.2, {"finance": b"1"}), {"replicate": 3})])
        assert ledger.statuses() == {"a": "done"}
        assert ledger.failures() == []
        assert (ledger.standing().done, ledger.standing().failed) == (1, 0)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        assert [row[0] for row in database.execute("SELECT status FROM runs ORDER BY entry")] == ["failed", "done"]


@pytest.mark.parametrize("change", ["UPDATE runs SET status = 'failed'", "DELETE FROM runs", "DELETE FROM run_values"])
def test_the_ledger_takes_nothing_back(change: str, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.record([(Outcome("a", 0.1, {"finance": b"1"}), {})])
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database, pytest.raises(sqlite3.Error, match="append-only"):
        database.execute(change)


def test_a_batch_can_be_looked_at_while_it_runs(tmp_path: Path) -> None:
    folder = run_folder(pretend.plan(2), tmp_path / "a")
    seen = []

    def look(tally: Any) -> None:
        with RunFolder.open(tmp_path / "a").reading() as ledger:
            seen.append((ledger.standing().done, tally.done, RunFolder.open(tmp_path / "a").status))

    run_batch(pretend.plan(2), folder, work=pretend.live, progress=look)
    assert seen == [(n, n, "running") for n in range(5)]


SIZES = (1, 1000, 5000)  # rows
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1990, 2100), texts, texts, st.floats(allow_nan=True)), max_size=40))
def test_packed_rows_come_back_as_they_were(rows: list[tuple[int, str, str, float]]) -> None:
    year, place, name, value = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [], [])
    columns = {"year": year, "level": place, "place": place, "stage": name, "indicator": name, "value": value}
    back = unpack(pack("indicators", columns)).to_pydict()
    assert {k: v for k, v in back.items() if k != "value"} == {k: v for k, v in columns.items() if k != "value"}
    np.testing.assert_array_equal(back["value"], value)


def test_runs_read_together_are_those_that_were_packed_one_by_one() -> None:
    """Small tables are not pressed, large ones are, and each has words of its own."""
    held = [
        {"year": [2020] * n, **{name: [f"{name}{n}", *"b" * (n - 1)] for name in ("lever", "en", "zh")}} for n in SIZES
    ]
    blobs = [pack("notices", columns) for columns in held]
    assert [batch.to_pydict() for batch in unpack_many(blobs)] == held
    assert len(blobs[2]) < len(blobs[1]) < SMALL


@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 300_000), min_size=1, max_size=4))
def test_row_groups_are_of_one_size_however_many_rows_a_run_has(cuts: list[int], tmp_path_factory: Any) -> None:
    total = 300_000
    texts = {"lever": "a", "en": "b", "zh": "c"}
    edges = [0, *sorted(cuts), total]
    path = tmp_path_factory.mktemp("tables") / "notices.parquet"
    with TableFile(path, schema("notices")) as file:
        for start, end in itertools.pairwise(edges):
            key = {"scenario": "s", "calibration": "input", "design_point": 0, "replicate": 0}
            n = end - start
            file.add(key, pack("notices", {"year": [0] * n, **{name: [text] * n for name, text in texts.items()}}))
    groups = pa.parquet.ParquetFile(path).metadata
    sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    assert sizes == [ROW_GROUP, ROW_GROUP, total - 2 * ROW_GROUP]


def test_a_table_that_was_not_finished_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), TableFile(tmp_path / "notices.parquet", schema("notices")):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_the_cache_of_regions_drops_what_was_longest_unused(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "used", "old")):
        (tmp_path / f"{name}.npz").write_bytes(b"x" * 100)
        os.utime(tmp_path / f"{name}.npz", (1e9 - age, 1e9 - age))
    _shrink(tmp_path, 250)
    assert sorted(p.stem for p in tmp_path.glob("*.npz")) == ["new", "used"]


# ---- targets


def indicators(*rows: tuple[int, str, str, str, str, float]) -> dict[str, np.ndarray]:
    names = ("year", "level", "place", "stage", "indicator", "value")
    return {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def target(**changes: Any) -> dict[str, Any]:
    plain = {"indicator": "cv.equipment", "stage": "primary", "level": "region", "place": "", "clause": ["WQ3-001"]}
    return plain | {"direction": "at_most", "required": 0.5, "by": 2022} | changes


@pytest.mark.parametrize(
    ("value", "direction", "met"),
    [
        (0.49, "at_most", True),
        (0.5, "at_most", True),
        (0.51, "at_most", False),
        (0.5, "at_least", True),
        (0.49, "at_least", False),
    ],
)
def test_a_target_is_met_on_the_right_side_of_what_is_required_and_on_it(
    value: float, direction: str, met: bool
) -> None:
    rows = judge([target(direction=direction)], indicators((2022, "region", "武清", "primary", "cv.equipment", value)))
    assert (rows["met"], rows["value"]) == ([met], [value])


def test_a_target_is_judged_by_the_value_of_its_own_year_stage_and_place() -> None:
    lived = indicators(
        (2021, "region", "武清", "primary", "cv.equipment", 0.1),
        (2022, "region", "武清", "junior", "cv.equipment", 0.2),
        (2022, "region", "武清", "primary", "cv.sports_area", 0.3),
        (2022, "town", "崔黄口镇", "primary", "cv.equipment", 0.4),
        (2022, "region", "武清", "primary", "cv.equipment", 0.6),
    )
    assert judge([target()], lived)["value"] == [0.6]
    assert judge([target(level="town", place="崔黄口镇")], lived)["met"] == [True]


def test_a_target_not_yet_due_or_without_a_value_is_neither_met_nor_missed() -> None:
    lived = indicators((2022, "region", "武清", "primary", "cv.equipment", float("nan")))
    rows = judge([target(), target(by=2030)], lived)
    assert (rows["met"], rows["value"], rows["due"]) == ([None, None], [None, None], [2022, 2030])


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=6), direction=st.sampled_from(["at_most", "at_least"]))
def test_a_target_for_every_place_is_met_when_every_place_meets_it(values: list[float], direction: str) -> None:
    lived = indicators(*((2022, "town", f"镇{i}", "primary", "cv.equipment", v) for i, v in enumerate(values)))
    (met,) = judge([target(level="town", direction=direction)], lived)["met"]
    each = [
        judge([target(level="town", place=f"镇{i}", direction=direction)], lived)["met"][0] for i in range(len(values))
    ]
    assert met == all(each)


# ---- the summary

samples = arrays(float, st.integers(2, 12), elements=st.floats(-1e3, 1e3))


@given(samples, st.floats(-10, 10))
def test_the_interval_of_a_paired_difference_is_students(values: np.ndarray, shift: float) -> None:
    noise = np.linspace(-1, 1, values.size)
    got = paired(values + shift + noise, values)
    expected = stats.ttest_rel(values + shift + noise, values).confidence_interval(0.95)
    assert got is not None
    np.testing.assert_allclose([got["low"], got["high"]], [expected.low, expected.high], rtol=1e-6, atol=1e-9)


def test_pairs_with_a_value_missing_are_left_out_and_one_pair_says_nothing() -> None:
    a, b = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0.0, 0.0, 1.0, np.nan])
    both = paired(a, b)
    assert both is not None
    assert (both["pairs"], both["mean"]) == (2, 1.5)
    assert paired(a[:2], b[:2]) is None
    assert spread(np.array([np.nan])) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return lived(tmp_path_factory.mktemp("runs") / "a", pretend.plan(8, calibrations=("input", "sorting")))


def test_the_summary_says_what_its_tables_hold(folder: RunFolder) -> None:
    summary = summarise(folder)
    rows = [r for r in folder.table("indicators").to_pylist() if r["calibration"] == "sorting"]
    (said,) = [s for s in summary["scenarios"] if (s["scenario"], s["calibration"]) == ("baseline", "sorting")]
    (cv,) = [c for c in said["cv"] if (c["indicator"], c["stage"]) == ("equipment", "junior")]
    values = [
        r["value"]
        for r in rows
        if (r["scenario"], r["indicator"], r["stage"], r["year"]) == ("baseline", "cv.equipment", "junior", 2023)
    ]
    assert len(values) == 8
    assert cv["limit"] == 0.45
    assert cv["last"]["mean"] == pytest.approx(np.mean(values))
    assert cv["last"]["low"] == pytest.approx(np.percentile(values, 5))
    assert cv["last"]["passed"] == pytest.approx(np.mean(np.array(values) <= 0.45))
    yuan = [
        r["yuan"]
        for r in folder.table("finance").to_pylist()
        if r["scenario"] == "baseline" and r["calibration"] == "sorting"
    ]
    kinds = said["yuan"]["real"]["all"]["mean"], said["yuan"]["transfer"]["all"]["mean"]
    assert sum(kinds) == pytest.approx(sum(yuan) / 8)
    assert kinds[1] == pytest.approx(2 * kinds[0]), "a stipend moves money, a building costs it"


def test_the_summary_compares_each_scenario_with_the_baseline_on_shared_draws(folder: RunFolder) -> None:
    summary = summarise(folder)
    assert [(s["a"], s["b"], s["calibration"]) for s in summary["shared_draws"]] == [
        ("wuqing-2020-2022", "baseline", "input"),
        ("wuqing-2020-2022", "baseline", "sorting"),
    ]
    assert all(0 < s["ratio"] < 0.1 for s in summary["shared_draws"]), "pretended runs share nearly all their noise"
    gaps = [d for d in summary["differences"] if d["indicator"] == "gap.score"]
    assert len(gaps) == 4, "of two stages under two calibrations"
    assert all(d["low"] < -0.1 < d["high"] or abs(d["mean"] + 0.1) < 0.01 for d in gaps)


def test_the_summary_says_which_targets_are_reached_and_whether_they_would_be_anyway(folder: RunFolder) -> None:
    (plan,) = [
        s for s in summarise(folder)["scenarios"] if (s["scenario"], s["calibration"]) == ("wuqing-2020-2022", "input")
    ]
    rows = {(t["indicator"], t["stage"]): t for t in plan["targets"]}
    cv = rows["cv.backbone_teachers", "primary"]
    met = [
        r["met"]
        for r in folder.table("targets").to_pylist()
        if (r["calibration"], r["indicator"], r["stage"]) == ("input", "cv.backbone_teachers", "primary")
    ]
    assert cv["reached"] == pytest.approx(np.mean(met))
    assert cv["clause"] == "WQ3-078"
    assert cv["without_plan"] < cv["reached"], "the pretended plan lowers every value by 0.1"
    assert rows["mean.equipment", "primary"]["state"] == "missed"
    assert rows["rotated_share", "primary"]["state"] == "no value", "pretended runs have no such indicator"


def test_the_summary_is_json(folder: RunFolder) -> None:
    summary = summarise(folder)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def printed(summary: dict[str, Any], lang: str, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    for part in render(summary, lang):
        console.print(part, soft_wrap=isinstance(part, Text))
    return console.export_text()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_readable_summary_loses_no_number_in_100_columns(lang: str, folder: RunFolder) -> None:
    summary = summarise(folder)
    narrow, wide = (re.findall(r"[−+≤≥ ]*[0-9][0-9.,–−]*", printed(summary, lang, width)) for width in (100, 400))
    assert {n.strip() for n in narrow} == {n.strip() for n in wide}
    said = printed(summary, lang, 100)
    assert "WQ3-078" in said
    assert ("input (schools" if lang == "en" else "投入（") in said
    assert (
        "shared draws: variance of the difference is 0.0" if lang == "en" else "差异的方差为独立随机数的 0.0"
    ) in said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.004, "0.00"),
        (-0.004, "0.00"),
        (-0.126, "−0.13"),
        (9.996, "10.0"),
        (61.25, "61.2"),
        (999.96, "1,000"),
        (None, "–"),
    ],
)
def test_numbers_are_shown_at_the_precision_that_is_read(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_years_are_shown_as_spans() -> None:
    assert spans([2020, 2021, 2022, 2024]) == "2020–2022, 2024"
