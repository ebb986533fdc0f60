"""`junheng run` and its Python twin on the village: what they print, leave behind, refuse, and how they end."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pretend
import pytest

import junheng as jh
from experiments import prepared
from experiments.batch import StoppedError, run_batch
from experiments.plan import run_seed
from experiments.scenario import load_scenario
from junheng.cli import main
from model.behaviour import load_behaviour
from model.errors import InputError
from model.region import Region
from results.run_folder import RunFolder

SMALL = ("--region", "village", "--years", "2", "--replicates", "2", "--workers", "2")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUNHENG_CACHE", str(folder))
        yield folder


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command line in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["junheng", *arguments])
        status = main(list(arguments))
        return status, *capsys.readouterr()

    return run


def test_a_run_prints_its_summary_and_leaves_a_complete_folder(ask: Callable[..., Any], tmp_path: Path) -> None:
    status, out, err = ask("run", "baseline", "wuqing-2020-2022", *SMALL)
    assert status == 0
    assert "Calibration input" in out
    assert re.search(
        r"\nshared draws: variance of the difference is \d\.\d\d of that of independent seeds"
        r" \(median over \d+ indicators\)\n",
        out,
    )
    assert "Targets · wuqing-2020-2022" in out
    assert "4/4" in err
    (folder,) = (tmp_path / "runs").iterdir()
    assert out.splitlines()[-1] == f"runs/{folder.name}"
    assert RunFolder.open(folder).status == "complete"
    targets = RunFolder.open(folder).table("targets").to_pylist()
    assert {t["met"] for t in targets if t["due"] > 2021} == {None}, "not yet due"
    assert {t["met"] for t in targets if t["due"] <= 2021} <= {True, False, None}


def test_json_is_one_document_and_both_calibrations_are_lived_when_asked_for(ask: Callable[..., Any]) -> None:
    status, out, err = ask("run", "baseline", *SMALL, "--calibration", "both", "--json", "--quiet")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["calibrations"] == ["input", "sorting"]
    assert told["runs"] == {"planned": 4, "done": 4, "failed": 0}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_dry_run_says_runs_time_and_disk_and_writes_nothing(
    lang: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    status, out, _ = ask("run", "baseline", *SMALL, "--dry-run", "--lang", lang)
    assert status == 0
    assert out.startswith("2 runs" if lang == "en" else "2 次运行")
    assert "MB" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "teacher_rotation.share_of_eligible=1.3"], "from 0 to 0.5"),
        (["--set", "teacher_rotatoin.share_of_eligible=0.1"], "did you mean"),
        (["--region", "vilage"], "did you mean 'village'"),
        (["--region", "nowhere.npz"], "no such file"),
        (["--out", "file/below"], "file"),
        (["--out", "file"], "--resume"),
        (["--retry-failed"], "--resume"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_bad_input_ends_in_one_message_with_nothing_written(
    arguments: list[str], said: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    status, out, err = ask("run", "baseline", *SMALL, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "part",
    [
        "policies:\n  head_exchange:\n    - {share_per_year: 0.1, where: {towns: [崔黄口镇]}}\n",
        "targets:\n  - {indicator: enrolment, stage: primary, level: town, place: 崔黄口镇, at_least: 1, by: 2021}\n",
        "policies:\n  new_schools:\n    - {from: 2021, primary: [一小@崔黄口镇]}\n",
    ],
)
def test_a_place_that_the_region_does_not_have_is_refused_before_anything_is_written(
    part: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text("extends: baseline\n" + part, encoding="utf-8")
    status, _, err = ask("run", "s.yaml", *SMALL)
    assert status == 2
    assert "崔黄口镇" in err
    assert not (tmp_path / "runs").exists()


def test_where_every_run_fails_the_summary_says_so(
    ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = functools.partial(run_batch, work=pretend.never_live)
    monkeypatch.setattr("junheng.commands.batch.run_batch", pretended)
    status, out, _ = ask("run", "baseline", "wuqing-2020-2022", *SMALL)
    assert status == 1
    assert "0 of 4 runs done, 4 failed" in out


def test_runs_that_fail_make_status_1_and_are_retried_by_the_command_that_is_said(
    ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRETEND_BROKEN", str(tmp_path / "broken"))
    (tmp_path / "broken").touch()
    pretended = functools.partial(run_batch, work=pretend.live_unless_broken)
    monkeypatch.setattr("junheng.commands.batch.run_batch", pretended)
    status, out, err = ask("run", "baseline", "wuqing-2020-2022", *SMALL)
    assert status == 1
    assert "ZeroDivisionError: no pupils in 大良镇" in out
    said = err.splitlines()[-1].split()
    assert said[0] == "junheng"
    assert said[-2:] == ["--resume", "--retry-failed"]
    (tmp_path / "broken").unlink()
    status, out, _ = ask(*said[1:])
    assert status == 0
    assert "4 of 4 runs done" in out


def test_a_batch_that_is_stopped_ends_with_130_and_says_how_to_go_on(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise StoppedError("stopped by the keyboard")

    with monkeypatch.context() as patch:
        patch.setattr("junheng.commands.batch.run_batch", stopped)
        status, out, err = ask("run", "baseline", *SMALL)
    assert (status, out) == (130, "")
    said = err.splitlines()[-1].split()
    assert said[-3:] == ["--out", "runs/baseline-001", "--resume"]
    assert ask(*said[1:])[0] == 0


def test_workers_leave_no_trace_in_the_tables_of_lived_runs(tmp_path: Path) -> None:
    how: dict[str, Any] = {"region": "village", "years": 2, "replicates": 2, "calibration": "both"}
    one = jh.run(["wuqing-2020-2022"], out=tmp_path / "one", workers=1, **how)
    two = jh.run(["wuqing-2020-2022"], out=tmp_path / "two", workers=2, **how)
    for table in ("indicators", "finance", "targets", "notices"):
        file = f"{table}.parquet"
        assert (one.path / file).read_bytes() == (two.path / file).read_bytes()


def test_a_run_of_a_batch_is_the_history_that_its_seed_gives(tmp_path: Path) -> None:
    batch = jh.run(["wuqing-2020-2022"], region="village", years=2, replicates=2, out=tmp_path / "a", record="school")
    history = jh.simulate(jh.build_region("village"), "wuqing-2020-2022", years=2, seed=run_seed(1, 1))
    mine = batch.indicators[batch.indicators["replicate"] == 1]
    columns = ["year", "level", "place", "stage", "indicator", "value"]
    pd.testing.assert_frame_equal(
        mine[columns].reset_index(drop=True).astype({"value": float}),
        history.indicators[columns],
        check_dtype=False,
        check_categorical=False,
        rtol=1e-9,
    )
    assert set(batch.targets["clause"]) > {"WQ3-004"}
    assert set(batch.finance.columns) > {"payer", "receiver", "lever", "item", "yuan"}


def test_simulating_leaves_the_region_as_it_was() -> None:
    region = jh.build_region("village", seed=3)
    before = region.fingerprint()
    history = jh.simulate(region, jh.scenario("baseline"), years=2, seed=5)
    assert region.fingerprint() == before
    assert not region.burned_in
    assert history.region.year == region.base_year + 2
    assert sorted(history.indicators["year"].unique()) == [2020, 2021]
    again = jh.simulate(region, jh.scenario("baseline"), years=2, seed=5)
    pd.testing.assert_frame_equal(history.indicators, again.indicators)
    other = jh.simulate(region, jh.scenario("baseline"), years=2, seed=6)
    assert not history.indicators["value"].equals(other.indicators["value"])


def test_one_schools_trajectory_is_what_the_region_ends_with() -> None:
    history = jh.simulate(jh.build_region("village"), "baseline", years=3)
    schools = history.region.schools
    trajectory = history.school(str(schools.name[2]))
    assert list(trajectory.index) == [2020, 2021, 2022]
    assert trajectory["enrolment.primary"].iloc[-1] == schools.enrolment[2, 0]
    assert trajectory["reputation.junior"].iloc[-1] == schools.reputation[2, 1, 0]
    with pytest.raises(InputError, match="school"):
        history.school("芦台第一小学")


def test_a_scenario_that_starts_before_the_region_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "early.yaml"
    path.write_text("extends: baseline\nregion: village\nstarts: 2010\n", encoding="utf-8")
    for attempt in (
        lambda: jh.simulate(jh.build_region("village"), str(path)),
        lambda: jh.run([str(path)], out=tmp_path / "a"),
    ):
        with pytest.raises(InputError, match="2010"):
            attempt()
    assert not (tmp_path / "a").exists()


# ---- prepared regions


@pytest.fixture
def burn_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """An empty cache; seeds of the regions that are burned in, which only marks them."""
    seeds: list[int] = []

    def burn_in(region: Region, *_: Any) -> Region:
        seeds.append(region.seed)
        settled = region.copy()
        settled.burned_in = True
        return settled

    monkeypatch.setattr("model.burn_in.burn_in", burn_in)
    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path / "cache"))
    prepared._memory.clear()
    yield seeds
    prepared._memory.clear()


def village(seed: int = 1, calibration: str = "input", scenario: str = "baseline", **overrides: float) -> Region:
    behaviour = load_behaviour(calibration, **overrides)
    return prepared.prepared_region("village", seed, behaviour, load_scenario(scenario).policy)


def test_a_region_is_prepared_once_for_each_seed_behaviour_and_baseline(burn_ins: list[int]) -> None:
    for _ in range(2):
        village()
        village(seed=2)
        village(calibration="sorting")
        village(persistence=0.6)
        village(scenario="wuqing-2020-2022")
        prepared._memory.clear()  # as in another process
    assert burn_ins == [1, 2, 1, 1, 1]


def test_another_model_prepares_its_own_region(burn_ins: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    village()
    monkeypatch.setattr(prepared, "model_fingerprint", lambda: "another")
    village()
    assert burn_ins == [1, 1]


@pytest.mark.parametrize("damage", [b"", b"not a region", None])
def test_a_damaged_file_in_the_cache_is_made_anew(damage: bytes | None, burn_ins: list[int]) -> None:
    before = village().fingerprint()
    prepared._memory.clear()
    (file,) = prepared.cache_folder().glob("*.npz")
    file.write_bytes(file.read_bytes()[:-2000] if damage is None else damage)
    assert village().fingerprint() == before
    assert burn_ins == [1, 1]
    prepared._memory.clear()
    assert village().fingerprint() == before
    assert burn_ins == [1, 1]


def test_who_makes_a_region_holds_the_very_one_that_others_load(burn_ins: list[int]) -> None:
    made = village()
    prepared._memory.clear()
    loaded = village()
    assert made.fingerprint() == loaded.fingerprint()
    assert made.official == loaded.official, "what is not columns, too"


def test_a_cache_that_cannot_be_written_only_costs_time(
    burn_ins: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path / "file" / "cache"))
    assert village().burned_in
    assert burn_ins == [1]


def test_a_saved_region_can_be_run_in(burn_ins: list[int], tmp_path: Path) -> None:
    village().save(tmp_path / "mine.npz")
    region = prepared.given_region(str(tmp_path / "mine.npz"), 1)
    np.testing.assert_array_equal(region.schools.name, village().schools.name)
    (tmp_path / "text.npz").write_text("a letter", encoding="utf-8")
    with pytest.raises(InputError, match="no saved region"):
        prepared.given_region(str(tmp_path / "text.npz"), 1)
