"""`junheng status`: what it says of a batch that runs, was stopped, failed, or has not begun."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pretend
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.batch import run_batch, run_folder
from junheng.cli import main
from junheng.commands.status import duration, look
from results.ledger import Ledger, Outcome
from results.run_folder import RunFolder


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["status", *words])
        return status, *capsys.readouterr()

    return run


def test_a_running_batch_can_be_looked_at_from_elsewhere(tmp_path: Path) -> None:
    plan = pretend.plan(4)
    folder = run_folder(plan, tmp_path / "a", command="junheng run baseline")
    seen: list[dict[str, Any]] = []
    run_batch(plan, folder, progress=lambda tally: seen.append(look(tmp_path / "a")), work=pretend.live_slowly)
    assert [(s["done"], s["left"]) for s in seen] == [(n, 8 - n) for n in range(9)]
    assert {s["status"] for s in seen} == {"running"}
    for s in seen[2:]:
        assert 3 < s["runs_a_second"] < 10, "a run takes a tenth of a second"
        assert s["seconds_left"] == pytest.approx(s["left"] / s["runs_a_second"])
    assert seen[0]["sessions"][0]["command"] == "junheng run baseline"
    after = look(tmp_path / "a")
    assert (after["status"], after["left"], after["seconds_left"]) == ("complete", 0, None)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_failures_are_named_with_the_last_line_of_their_traceback(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / "broken").touch()
    monkeypatch.setenv("PRETEND_BROKEN", str(tmp_path / "broken"))
    plan = pretend.plan(3)
    run_batch(plan, run_folder(plan, tmp_path / "a"), work=pretend.live_unless_broken)
    status, out, err = ask(str(tmp_path / "a"), "--lang", lang)
    assert (status, err) == (0, "")
    assert "ZeroDivisionError: no pupils in 大良镇" in out
    assert "--retry-failed" in out
    assert "Traceback" not in out
    status, out, _ = ask(str(tmp_path / "a"), "--json")
    told = json.loads(out)
    assert (told["done"], told["failed"], told["left"]) == (5, 1, 0)
    assert told["failures"] == [
        {
            "scenario": "wuqing-2020-2022",
            "calibration": "input",
            "design_point": 0,
            "replicate": 1,
            "attempts": 1,
            "error": "ZeroDivisionError: no pupils in 大良镇",
        }
    ]


def test_a_batch_whose_process_is_gone_is_said_to_be_interrupted(
    tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    run_folder(pretend.plan(2), tmp_path / "a")  # its manifest says: running
    status, out, _ = ask(str(tmp_path / "a"))
    assert status == 0
    assert "interrupted; go on with --resume" in out
    assert "0 done, 0 failed, 4 left" in out


def test_a_folder_that_is_none_is_refused(tmp_path: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        status, out, err = ask(str(path))
        assert (status, out) == (2, "")
        assert "a run folder" in err
        assert len(err.splitlines()) == 1
    run_folder(pretend.plan(1), tmp_path / "a")
    (tmp_path / "a" / "ledger.sqlite").write_text("a letter, not a ledger. " * 50, encoding="utf-8")
    status, _, err = ask(str(tmp_path / "a"))
    assert status == 2
    assert "ledger.sqlite" in err


def test_looking_leaves_no_trace(tmp_path: Path) -> None:
    plan = pretend.plan(1)
    run_batch(plan, run_folder(plan, tmp_path / "a"), work=pretend.live)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "a").iterdir()}
    look(tmp_path / "a")
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "a").iterdir()} == before


@settings(max_examples=25, deadline=None)
@given(tries=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=20))
def test_counts_are_of_runs_not_of_tries(
    tries: list[tuple[int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stands: dict[str, bool] = {}
    with Ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite") as ledger:
        for run, well in tries:
            name = str(run)
            if stands.get(name):  # what is done is never lived again
                with pytest.raises(sqlite3.IntegrityError):
                    ledger.record([(Outcome(name, 0.1), {})])
                continue
            ledger.record([(Outcome(name, 0.1, traceback=None if well else "Error: no"), {"run": run})])
            stands[name] = well
        standing = ledger.standing()
        assert (standing.done, standing.failed) == (sum(stands.values()), len(stands) - sum(stands.values()))
        assert {key["run"] for key, _, _ in ledger.failures()} == {int(n) for n, well in stands.items() if not well}
        assert {n for n, status in ledger.statuses().items() if status == "done"} == {n for n, w in stands.items() if w}


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0.2, "0 s", "0 秒"),
        (42, "42 s", "42 秒"),
        (190, "3 min 10 s", "3 分 10 秒"),
        (7501, "2 h 5 min", "2 小时 5 分"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, en: str, zh: str) -> None:
    assert (duration(seconds), duration(seconds, "zh")) == (en, zh)


def test_who_runs_a_folder_is_named_where_another_wants_it(tmp_path: Path) -> None:
    folder = run_folder(pretend.plan(1), tmp_path / "a")
    assert folder.runner().startswith("process ")
    assert str(RunFolder.open(tmp_path / "a").manifest["sessions"][0]["process"]) in folder.runner()
