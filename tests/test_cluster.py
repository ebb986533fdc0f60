"""Runs on a Dask cluster: the same bytes as from one machine, and nothing lost when a part of it dies."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pretend
import pytest
from distributed import LocalCluster

from experiments import cluster as clusters
from experiments.batch import run_batch, run_folder
from experiments.plan import Plan
from junheng.cli import main
from model.errors import InputError
from results.run_folder import INTERRUPTED, RunFolder

TABLES = ("indicators.parquet", "finance.parquet", "targets.parquet", "notices.parquet")
TESTS = Path(__file__).parent
QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}


def run(path: Path, plan: Plan, resume: bool = False, **how: Any) -> RunFolder:
    folder = run_folder(plan, path, resume)
    run_batch(plan, folder, **{"work": pretend.live, **how})
    return folder


def tables(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LocalCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
            yield cluster


class Cluster:
    """A scheduler and two workers as processes of their own, as they stand on a cluster."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
        self.environment = {**os.environ, **QUIET, "PYTHONPATH": path}
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start("scheduler", "--port", "0")
        wait_until(self.file.exists)
        self.workers = self.start("worker", "--nthreads", "1", "--nworkers", "2")

    def start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dask", what, "--no-dashboard", "--scheduler-file", str(self.file)),
                *options,
            ],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text(encoding="utf-8"))["address"])

    def end(self) -> None:
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Callable[[str], Cluster]]:
    started: list[Cluster] = []

    def begin(name: str) -> Cluster:
        (tmp_path / name).mkdir()
        started.append(Cluster(tmp_path / name))
        return started[-1]

    yield begin
    for one in started:
        one.end()


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_cluster_one_of_whose_workers_is_killed_leaves_the_bytes_of_one_machine(
    two_workers: LocalCluster, tmp_path: Path
) -> None:
    plan = pretend.plan(10)
    victims = iter([two_workers.workers[0].pid])

    def kill(tally: Any) -> None:
        if tally.done == 6 and (victim := next(victims, None)):
            os.kill(victim, signal.SIGKILL)

    run(tmp_path / "cluster", plan, cluster=two_workers.scheduler_address, work=pretend.live_slowly, progress=kill)
    run(tmp_path / "here", plan)
    assert tables(tmp_path / "cluster") == tables(tmp_path / "here")
    with RunFolder.open(tmp_path / "cluster").reading() as ledger:
        assert (ledger.standing().done, ledger.standing().failed) == (20, 0)


def test_a_run_that_raises_on_a_cluster_is_kept_with_its_traceback(two_workers: LocalCluster, tmp_path: Path) -> None:
    folder = run(tmp_path / "a", pretend.plan(2), cluster=two_workers.scheduler_address, work=pretend.live_never)
    with folder.reading() as ledger:
        failures = ledger.failures()
    assert len(failures) == 4
    assert all("ZeroDivisionError" in text and "live_never" in text for _, _, text in failures)


def test_a_run_under_which_every_worker_dies_is_singled_out_and_nobody_else_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("PRETEND_NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("PRETEND_DEATHS", "99")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        cluster.scheduler.allowed_failures = 1  # deaths that a scheduler forgives; three of its own accord
        folder = run(tmp_path / "a", pretend.plan(4), cluster=cluster.scheduler_address, work=pretend.live_or_die)
    with folder.reading() as ledger:
        ((key, _, text),) = ledger.failures()
        assert ledger.standing().done == 7
    assert (key["scenario"], key["replicate"]) == ("wuqing-2020-2022", 1)
    assert "died" in text


@pytest.mark.parametrize("onward", ["here", "at a new address"])
def test_a_scheduler_that_dies_ends_in_status_130_with_nothing_lost(
    onward: str,
    cluster: Callable[[str], Cluster],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = cluster("first")
    words = ["run", "baseline", "wuqing-2020-2022", "--region", "village", "--years", "4", "--replicates", "12"]
    words += ["--out", str(tmp_path / "a"), "--cluster", first.address]

    def doomed(*given: Any, progress: Any = None, **how: Any) -> Any:
        def kill(tally: Any) -> None:
            if tally.done == 5:
                first.scheduler.kill()

        *given, _ = given  # the progress bar
        return run_batch(*given, kill, **how, work=pretend.live_slowly)

    with monkeypatch.context() as patch:
        patch.setattr("junheng.commands.batch.run_batch", doomed)
        patch.setattr(sys, "argv", ["junheng", *words])
        assert main(words) == 130
    said = capsys.readouterr().err
    assert "is lost" in said
    assert "--resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    folder = RunFolder.open(tmp_path / "a")
    assert folder.status == INTERRUPTED
    with folder.reading() as ledger:
        kept = ledger.standing().done
    assert 5 <= kept < 24

    plan = pretend.plan(12, region="village")
    where: dict[str, Any] = {"workers": 2} if onward == "here" else {"cluster": cluster("second").address}
    again = run_folder(plan, tmp_path / "a", resume=True)
    tally = run_batch(plan, again, work=pretend.live, **where)
    assert (tally.done, tally.lived) == (24, 24 - kept)
    run(tmp_path / "b", plan)
    assert tables(tmp_path / "a") == tables(tmp_path / "b")


def test_workers_of_another_version_are_refused_by_name(
    two_workers: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = clusters.versions() | {"numpy": "1.0"}
    monkeypatch.setattr(clusters, "versions", lambda: others)
    with pytest.raises(InputError, match=r"worker tcp://.* with numpy .* instead of 1\.0"):
        clusters.look_over(two_workers.scheduler_address)
    monkeypatch.undo()
    monkeypatch.setattr(clusters, "model_fingerprint", lambda: "another")
    with pytest.raises(InputError, match="another model"):
        clusters.look_over(two_workers.scheduler_address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "tcp://", "http://127.0.0.1:1", "127.0.0.1:-3"])
def test_an_address_without_a_scheduler_is_refused_with_nothing_written(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clusters, "CONNECT", "0.5s")
    monkeypatch.chdir(tmp_path)
    words = ["run", "baseline", "--region", "village", "--years", "2", "--cluster", address, "--out", "a"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert address in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "a").exists()


DOCS = (TESTS.parent / "docs" / "cluster.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_on_clusters_can_be_read() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS, re.S)
    assert len(blocks) == 1
    ast.parse(blocks[0])


def test_every_command_of_the_page_on_clusters_is_one() -> None:
    """Each is asked for its help, with its options: one that does not exist is refused."""
    lines = [line for block in re.findall(r"```bash\n(.*?)```", DOCS, re.S) for line in block.splitlines()]
    commands = [re.split(r"\s{2,}#", line)[0].strip(' "') for line in lines if "junheng " in line]
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command[command.index("junheng ") :])[1:]
        assert main([*words, "--help"]) == 0, command


@pytest.mark.parametrize("program", ["scheduler", "worker"])
def test_dask_knows_the_options_that_the_page_on_clusters_gives_it(program: str) -> None:
    (line,) = [line for line in DOCS.splitlines() if f"dask {program} " in line]
    options = set(re.findall(r"--[a-z-]+", line))
    module = importlib.import_module(f"distributed.cli.dask_{program}")
    known = {word for parameter in module.main.params for word in (*parameter.opts, *parameter.secondary_opts)}
    assert options <= known
