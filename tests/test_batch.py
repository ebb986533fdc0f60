"""Batches: nothing that was finished is lost, and how a batch was run cannot be seen in its tables."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pretend
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import workers as processes
from experiments.batch import StoppedError, run_batch, run_folder
from experiments.plan import Plan, Point, Task, planned, run_seed
from experiments.scenario import load_scenario
from model.errors import InputError
from results.ledger import Ledger
from results.run_folder import COMPLETE, INTERRUPTED, RUNNING, WITH_FAILURES, RunFolder
from results.tables import TableFile

TABLES = ("indicators.parquet", "finance.parquet", "targets.parquet", "notices.parquet")


def run(path: Path, plan: Plan, work: Any = pretend.live, resume: bool = False, **how: Any) -> RunFolder:
    folder = run_folder(plan, path, resume)
    run_batch(plan, folder, work=work, **how)
    return folder


def tables(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in TABLES}


# ---- the plan


def test_runs_come_replicate_by_replicate() -> None:
    runs = pretend.plan(3, calibrations=("input", "sorting")).runs
    assert [r.replicate for r in runs] == sorted(r.replicate for r in runs)
    assert len({r.id for r in runs}) == len(runs) == 3 * 2 * 2


@settings(max_examples=20, deadline=None)
@given(few=st.integers(1, 5), more=st.integers(0, 5), root=st.integers(0, 2**40))
def test_more_replicates_leave_the_planned_runs_as_they_are(few: int, more: int, root: int) -> None:
    small, large = pretend.plan(few, seed=root).runs, pretend.plan(few + more, seed=root).runs
    assert large[: len(small)] == small


def test_another_scenario_calibration_or_point_leaves_the_planned_runs_as_they_are() -> None:
    alone = {r.id: r for r in planned([load_scenario("wuqing-2020-2022")], years=4, replicates=2).runs}
    points = (Point(), Point({"training.share_of_public_funds": 0.1}))
    beside = {r.id: r for r in pretend.plan(2, calibrations=("sorting", "input"), points=points).runs}
    assert len(beside) == 2 * 2 * 2 * 2
    assert all(beside[run] == was for run, was in alone.items())


def test_runs_of_one_replicate_share_seed_and_region_and_replicates_share_no_seed() -> None:
    runs = pretend.plan(20).runs
    assert len({(r.replicate, r.seed, r.region_seed) for r in runs}) == 20
    assert len({r.seed for r in runs}) == 20
    assert {r.region_seed for r in runs} == {1}


def test_redrawn_regions_differ_by_replicate_and_begin_with_the_shared_one() -> None:
    runs = pretend.plan(3, redraw_region=True).runs
    assert [r.region_seed for r in runs if r.scenario == "baseline"] == [1, 2, 3]


def test_seeds_of_neighbouring_roots_do_not_meet() -> None:
    seeds = [run_seed(root, replicate) for root in range(50) for replicate in range(50)]
    assert len(set(seeds)) == 2500
    assert max(seeds) < 2**53


def test_what_decides_a_runs_values_decides_its_id() -> None:
    base = pretend.plan(1)
    others = [
        pretend.plan(1, seed=2),
        pretend.plan(1, record="school"),
        pretend.plan(1, points=(Point({"training.share_of_public_funds": 0.2}),)),
        pretend.plan(1, points=(Point(uncertainties={"persistence": 0.6}),)),
        planned([load_scenario("baseline"), load_scenario("wuqing-2020-2022")], years=5, replicates=1),
        planned(
            [load_scenario("baseline"), load_scenario("wuqing-2020-2022")], region="village", years=4, replicates=1
        ),
    ]
    ids = [run.id for plan in (base, *others) for run in plan.runs]
    assert len(set(ids)) == len(ids)


def test_the_baseline_takes_region_start_and_years_from_what_it_stands_beside() -> None:
    plan = planned([load_scenario("baseline"), load_scenario("wuqing-2020-2022").with_set("posts.quota_growth=0")])
    assert {(s.region, s.starts, s.years) for s in plan.scenarios} == {("wuqing", 2020, 8)}
    alone = planned([load_scenario("baseline")])
    assert (alone.profile, alone.first_year, alone.last_year) == ("wuqing", 2020, 2027)


def test_scenarios_of_different_regions_are_refused_unless_one_is_named(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.yaml"
    other.write_text("name: elsewhere\nextends: baseline\nregion: village\n", encoding="utf-8")
    chosen = [load_scenario("wuqing-2020-2022"), load_scenario(str(other))]
    with pytest.raises(InputError, match="region wuqing and village"):
        planned(chosen)
    assert planned(chosen, region="village").profile == "village"


def test_one_scenario_twice_is_refused() -> None:
    with pytest.raises(InputError, match="more than once"):
        planned([load_scenario("baseline"), load_scenario("baseline")])


# ---- running it


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_leave_no_trace_in_the_tables(workers: int, tmp_path: Path) -> None:
    run(tmp_path / "here", pretend.plan(4))
    run(tmp_path / "there", pretend.plan(4), workers=workers)
    assert tables(tmp_path / "here") == tables(tmp_path / "there")


def test_rows_stand_in_the_plans_order_with_the_columns_that_others_rely_on(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", pretend.plan(2), workers=2)
    columns = {
        "indicators": "year level place stage indicator value",
        "finance": "year payer receiver lever item yuan",
        "targets": "target clause due level place indicator stage direction required value met",
    }
    for name, own in columns.items():
        table = pq.read_table(tmp_path / "a" / f"{name}.parquet")
        assert table.column_names == ["scenario", "calibration", "design_point", "replicate", *own.split()]
    rows = folder.table("indicators").select(["replicate", "scenario"]).to_pylist()
    order = [(row["replicate"], row["scenario"]) for row in rows]
    assert list(dict.fromkeys(order)) == [(r, s) for r in (0, 1) for s in ("baseline", "wuqing-2020-2022")]
    assert not (tmp_path / "a" / "design.parquet").exists()


def test_a_design_has_its_own_table(tmp_path: Path) -> None:
    points = (Point({"posts.quota_growth": 0.0}), Point({"posts.quota_growth": 0.01}, {"persistence": 0.6}))
    run(tmp_path / "a", pretend.plan(1, points=points))
    assert pq.read_table(tmp_path / "a" / "design.parquet").to_pylist() == [
        {"design_point": 0, "posts.quota_growth": 0.0, "persistence": None},
        {"design_point": 1, "posts.quota_growth": 0.01, "persistence": 0.6},
    ]
    assert set(pq.read_table(tmp_path / "a" / "finance.parquet")["design_point"].to_pylist()) == {0, 1}


def test_more_replicates_leave_the_values_of_existing_runs_as_they_are(tmp_path: Path) -> None:
    plan = pretend.plan(2)
    before = run(tmp_path / "a", plan).table("indicators").to_pylist()
    folder = run(tmp_path / "a", pretend.plan(4), resume=True)
    after = folder.table("indicators").to_pylist()
    assert [row for row in after if row["replicate"] < 2] == before
    assert {row["replicate"] for row in after} == {0, 1, 2, 3}
    run(tmp_path / "b", pretend.plan(4))
    assert tables(tmp_path / "a") == tables(tmp_path / "b")


def test_a_complete_folder_is_resumed_without_living_a_run(tmp_path: Path) -> None:
    run(tmp_path / "a", pretend.plan(2))
    folder = run_folder(pretend.plan(2), tmp_path / "a", resume=True)
    tally = run_batch(pretend.plan(2), folder, work=_never)
    assert (tally.done, tally.lived) == (4, 0)


def _never(task: object) -> Any:
    raise AssertionError(task)


# ---- what goes wrong


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failed_run_is_kept_with_its_traceback_and_can_be_retried(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    monkeypatch.setenv("PRETEND_BROKEN", str(broken))
    plan = pretend.plan(3)
    folder = run(tmp_path / "a", plan, pretend.live_unless_broken, workers=workers)
    assert folder.status == WITH_FAILURES
    with folder.reading() as ledger:
        ((key, attempts, text),) = ledger.failures()
        assert (ledger.standing().done, ledger.standing().failed) == (5, 1)
    assert (key["scenario"], key["replicate"], attempts) == ("wuqing-2020-2022", 1, 1)
    assert "ZeroDivisionError: no pupils in 大良镇" in text
    assert "live_unless_broken" in text
    held = {(row["scenario"], row["replicate"]) for row in folder.table("finance").to_pylist()}
    assert len(held) == 5
    assert ("wuqing-2020-2022", 1) not in held

    broken.unlink()
    again = run_folder(plan, tmp_path / "a", resume=True)
    assert run_batch(plan, again, work=pretend.live_unless_broken).failed == 1, "not asked for"
    tally = run_batch(plan, again, retry_failed=True, work=pretend.live_unless_broken)
    assert (tally.lived, tally.failed) == (1, 0)
    assert again.status == COMPLETE
    run(tmp_path / "b", plan)
    assert tables(tmp_path / "a") == tables(tmp_path / "b")


@pytest.mark.parametrize(("deaths", "failed", "attempts"), [(2, 0, 3), (99, 1, 3)])
def test_a_killed_worker_costs_its_run_a_try_and_nobody_else_anything(
    deaths: int, failed: int, attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    monkeypatch.setenv("PRETEND_NOTES", str(notes))
    monkeypatch.setenv("PRETEND_DEATHS", str(deaths))
    folder = run(tmp_path / "a", pretend.plan(4), pretend.live_or_die, workers=2)
    assert len(list(notes.iterdir())) == min(deaths, 3)
    with folder.reading() as ledger:
        assert ledger.standing().failed == failed
        assert ledger.standing().done == 8 - failed
    with closing(sqlite3.connect(tmp_path / "a" / "ledger.sqlite")) as database:
        tries = [row[0] for row in database.execute("SELECT attempts FROM runs ORDER BY attempts")]
    assert tries == [1] * 7 + [attempts]
    if not failed:
        run(tmp_path / "b", pretend.plan(4))
        assert tables(tmp_path / "a") == tables(tmp_path / "b")


def killed_at_birth(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next so many workers are killed before they have begun anything."""
    start, left = processes.Lane.start, iter(range(times))

    def started(self: processes.Lane) -> None:
        start(self)
        if next(left, None) is not None:
            assert self.process is not None
            self.process.kill()

    monkeypatch.setattr(processes.Lane, "start", started)


def test_workers_that_die_before_they_begin_a_run_cost_it_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at_birth(7, monkeypatch)
    folder = run(tmp_path / "a", pretend.plan(1), workers=1)
    assert folder.status == COMPLETE
    with closing(sqlite3.connect(tmp_path / "a" / "ledger.sqlite")) as database:
        assert {row[0] for row in database.execute("SELECT attempts FROM runs")} == {1}


def test_workers_that_never_live_to_begin_a_run_stop_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STILLBORN", 3)
    killed_at_birth(99, monkeypatch)
    with pytest.raises(StoppedError, match="died as they started"):
        run(tmp_path / "a", pretend.plan(1), workers=1)


def test_more_tasks_and_values_than_pipes_have_room_for_come_through() -> None:
    """Quick runs are handed out many at a time, and each says more than its worker may leave unread."""
    points = tuple(Point({"posts.not_a_lever": "x" * 20_000 + str(i)}) for i in range(40))
    tasks = [Task(run, points[i % 40], b"") for i, run in enumerate(pretend.plan(40).runs)]
    came = list(processes.lived(tasks, pretend.live_at_length, workers=2))
    assert {outcome.id: outcome.tables["indicators"] for outcome in came} == {
        task.run.id: task.run.id.encode() * 50_000 for task in tasks
    }


SCRIPT = """
import signal, sys
from pathlib import Path
import pretend
from experiments.batch import run_batch, run_folder
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have it ignored
plan = pretend.plan(15)
run_batch(plan, run_folder(plan, Path(sys.argv[1]), resume=True), workers=2, work=pretend.live_slowly)
"""


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Starts a slow batch in a session of its own; returns it when some of its runs are settled."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    started: list[subprocess.Popen[bytes]] = []

    def begin(path: Path, settled: int = 4) -> subprocess.Popen[bytes]:
        places = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
        process = subprocess.Popen(
            [sys.executable, str(script), str(path)],
            env={**os.environ, "PYTHONPATH": places},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        wait_until(lambda: (path / "ledger.sqlite").exists() and done_in(path) >= settled)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def done_in(path: Path) -> int:
    try:
        with RunFolder.open(path).reading() as ledger:
            return ledger.standing().done
    except Exception:  # the ledger is being made
        return 0


def wait_until(true: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("whom", ["everything", "the parent"])
def test_kill_9_at_any_moment_loses_nothing_and_the_resumed_tables_are_the_same_bytes(
    whom: str, start: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    process = start(path)
    if whom == "everything":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    kept = done_in(path)
    folder = RunFolder.open(path)
    assert folder.manifest["status"] == RUNNING
    assert 4 <= kept < 30
    plan = pretend.plan(15)
    resumed = run_folder(plan, path, resume=True)
    tally = run_batch(plan, resumed, workers=2, work=pretend.live)
    assert (tally.done, tally.lived) == (30, 30 - kept)
    run(tmp_path / "b", plan)
    assert tables(path) == tables(tmp_path / "b")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_do_not_outlive_their_parent(start: Any, tmp_path: Path) -> None:
    process = start(tmp_path / "a")
    process.kill()
    process.wait()

    wait_until(lambda: not alive(process.pid), 20)


def alive(group: int) -> list[str]:
    """Processes of a group that still run (those that wait for their parent's notice do not)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it left while we looked
            state, _, pgrp = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state not in "ZX":
                found.append(stat.parent.name)
    return found


def test_ctrl_c_stops_cleanly_and_says_that_it_can_be_resumed(start: Any, tmp_path: Path) -> None:
    process = start(tmp_path / "a")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to parent and workers alike
    _, error = process.communicate(timeout=60)
    assert b"StoppedError" in error
    assert error.count(b"Traceback") <= 2, "workers say nothing"
    assert RunFolder.open(tmp_path / "a").status == INTERRUPTED


def test_two_processes_on_one_folder_end_in_a_message(start: Any, tmp_path: Path) -> None:
    start(tmp_path / "a")
    plan = pretend.plan(15)
    folder = run_folder(plan, tmp_path / "a", resume=True)
    assert folder.status == RUNNING
    with pytest.raises(InputError, match="another process"):
        run_batch(plan, folder, work=pretend.live)


def test_a_full_disk_stops_the_batch_and_what_was_finished_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Ledger.record

    def full(self: Ledger, settled: Any, session: int) -> None:
        if any(key["replicate"] == 1 for _, key in settled):
            raise sqlite3.OperationalError("database or disk is full")
        record(self, settled, session)

    plan = pretend.plan(3)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", full)
        with pytest.raises(StoppedError, match="disk is full"):
            run(tmp_path / "a", plan)
    tally = run_batch(plan, run_folder(plan, tmp_path / "a", resume=True), work=pretend.live)
    assert (tally.done, tally.lived) == (6, 4)


DISK = """
import resource, signal, sys
from pathlib import Path
import pretend
from experiments.batch import StoppedError, run_batch, run_folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
plan = pretend.plan(40)
folder = run_folder(plan, Path(sys.argv[1]), resume=True)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    run_batch(plan, folder, work=pretend.live)
except StoppedError as stop:
    print(stop)
    sys.exit(130)
"""


@pytest.mark.parametrize("limit", [100_000, 300_000, 700_000])
def test_a_disk_that_is_really_full_stops_the_batch_and_corrupts_nothing(limit: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    places = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    ended = subprocess.run(
        [sys.executable, "-c", DISK, str(path), str(limit)],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130, ended.stderr
    assert str(path) in ended.stdout
    assert "Traceback" not in ended.stderr
    with closing(sqlite3.connect(path / "ledger.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = done_in(path)
    plan = pretend.plan(40)
    tally = run_batch(plan, run_folder(plan, path, resume=True), work=pretend.live)
    assert (tally.done, tally.lived) == (80, 80 - kept)
    run(tmp_path / "b", plan)
    assert tables(path) == tables(tmp_path / "b")


def test_a_batch_that_is_stopped_while_it_writes_tables_writes_them_when_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pretend.plan(2)
    with monkeypatch.context() as patch:
        patch.setattr(TableFile, "__exit__", _interrupted)
        with pytest.raises(StoppedError):
            run(tmp_path / "a", plan)
    assert RunFolder.open(tmp_path / "a").status == INTERRUPTED
    assert not list((tmp_path / "a").glob("*.parquet"))
    run(tmp_path / "a", plan, work=_never, resume=True)
    run(tmp_path / "b", plan)
    assert tables(tmp_path / "a") == tables(tmp_path / "b")


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_that_grows_has_no_tables_until_it_is_whole_again(tmp_path: Path) -> None:
    """Tables of the smaller plan beside the manifest of the larger one would be read as its results."""
    run(tmp_path / "a", pretend.plan(1))
    folder = run_folder(pretend.plan(2), tmp_path / "a", resume=True)
    assert RunFolder.open(tmp_path / "a").has_tables(), "nothing is touched before the batch begins"
    seen = []
    run_batch(pretend.plan(2), folder, work=pretend.live, progress=lambda tally: seen.append(folder.has_tables()))
    assert seen == [False] * 3
    assert folder.has_tables()


@pytest.mark.slow
def test_kills_at_random_moments_of_a_sweep_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as `python -m benchmarks.chaos`, with fewer runs and kills."""
    from benchmarks import chaos

    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path / "cache"))
    chaos.undisturbed(tmp_path / "undisturbed", 5, 8, "--workers", "1")
    found = chaos.disturbed(tmp_path / "killed", 5, 8, kills=6, seed=1)
    assert (found.kills, found.lost, found.runs, found.status) == (6, 0, 40, 0)
    assert chaos.same(tmp_path / "undisturbed", tmp_path / "killed")
