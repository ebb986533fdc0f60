"""`junheng compare` on the village: what it prints, adds to a run, refuses, and how it goes on."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pretend
import pytest

from experiments import equal_cost, precision
from experiments.batch import StoppedError, Tally, run_batch, run_folder
from experiments.plan import Plan
from experiments.recorded import recorded_plan
from junheng.cli import main
from junheng.commands import batch
from model.errors import InputError
from results.run_folder import RunFolder

SMALL = ("--region", "village", "--years", "4", "--replicates", "2", "--workers", "1", "--quiet")

TWO_LEVERS = """
name: mine
extends: baseline
policies:
  teacher_pay:
    - {from: 2020, village_supplement: 20000}
  pe_art_recruitment:
    - {from: 2020, teachers: 6}
"""


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


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches live pretended runs, in this process."""
    monkeypatch.setattr(batch, "run_batch", pretended_batch)


def pretended_batch(plan: Plan, folder: RunFolder, workers: int, *rest: Any, **more: Any) -> Tally:
    return run_batch(plan, folder, 0, *rest, **more, work=pretend.live)


def test_scenarios_are_lived_and_compared_and_the_run_can_be_asked_again(ask: Callable[..., Any]) -> None:
    status, out, err = ask("compare", "baseline", "wuqing-2020-2022", *SMALL, "--out", "a", "--calibration", "both")
    assert (status, err) == (0, "")
    assert "if schools make most of the gap (input):" in out
    assert re.search(r"\nshared draws: correlation −?\d\.\d\d, variance of the difference \d+\.\d times smaller", out)
    assert re.search(r"\np adjusted by Holm's method for the \d+ differences shown", out)
    assert out.splitlines()[-1] == "a"
    assert ask("compare", "a") == (0, out, "")
    status, out, _ = ask("compare", "a", "--json", "--outcome", "satisfaction:junior", "--year", "2020")
    told = json.loads(out)
    assert {(d["indicator"], d["stage"], d["year"]) for d in told["differences"]} == {("satisfaction", "junior", 2020)}
    assert [d["calibration"] for d in told["differences"]] == ["input", "sorting"]
    assert told["differences"][0]["en"].startswith("Families satisfied, junior, 2020: ")
    assert "满意度" in told["differences"][0]["zh"]
    status, out, _ = ask("compare", "a", "--lang", "zh", "--level", "setting", "--outcome", "satisfaction")
    assert status == 0
    assert "数据所能说明的" in out


def test_a_folder_tells_the_plan_that_it_was_made_by(tmp_path: Path) -> None:
    plan = pretend.plan(replicates=2, calibrations=("input", "sorting"), seed=7)
    again = recorded_plan(run_folder(plan, tmp_path / "a"))
    assert [run.id for run in again.runs] == [run.id for run in plan.runs]
    assert again.as_data() == plan.as_data()


@pytest.mark.usefixtures("pretended")
def test_more_precision_keeps_every_run_that_is_there(ask: Callable[..., Any]) -> None:
    assert ask("compare", "baseline", "wuqing-2020-2022", *SMALL, "--out", "a")[0] == 0
    before = RunFolder.open(Path("a")).table("indicators").to_pandas()
    wanted = ("--precision", "1e-6", "--max-replicates", "4", "--outcome", "gap.score:primary")
    status, out, err = ask("compare", "a", *wanted, "--json")
    told = json.loads(out)
    assert status == 0
    assert "going on to 4" in err
    assert "not reached with 4 replicates" in err
    assert told["precision"]["reached"] is False
    assert told["precision"]["replicates"] == told["replicates"] == 4
    after = RunFolder.open(Path("a")).table("indicators").to_pandas()
    kept = after[after.replicate < 2].reset_index(drop=True)
    assert kept.astype(str).equals(before.astype(str))
    again = json.loads(ask("compare", "a", *wanted, "--json", "--quiet")[1])
    assert again["replicates"] == 4, "the cap is not passed"


@pytest.mark.usefixtures("pretended")
def test_a_precision_that_is_reached_ends_the_search(ask: Callable[..., Any]) -> None:
    assert ask("compare", "baseline", "wuqing-2020-2022", *SMALL, "--out", "a")[0] == 0
    wanted = ("--precision", "1000", "--outcome", "gap.score", "--workers", "1", "--json", "--quiet")
    told = json.loads(ask("compare", "a", *wanted)[1])
    assert told["precision"]["reached"] is True
    assert told["replicates"] == precision.FIRST + precision.AHEAD


@pytest.mark.usefixtures("pretended")
def test_what_levers_gave_adds_up_to_the_difference(ask: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TWO_LEVERS, encoding="utf-8")
    status, out, err = ask("compare", "baseline", "mine.yaml", *SMALL, "--out", "a", "--by-lever", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    (parts,) = told["by_lever"]
    assert parts["exact"]
    assert list(parts["players"]) == ["pe_art_recruitment", "teacher_pay"]
    whole = {(d["indicator"], d["stage"]): d["difference"] for d in told["differences"]}
    for key in {(c["indicator"], c["stage"]) for c in parts["contributions"]}:
        given = [c for c in parts["contributions"] if (c["indicator"], c["stage"]) == key]
        assert sum(c["shapley"] for c in given) == pytest.approx(whole[key], rel=1e-9, abs=1e-9)
    assert isinstance(told["losers"], list)
    status, out, _ = ask("compare", "a", "--by-lever", "--quiet", "--lang", "zh", "--outcome", "yuan.real")
    assert status == 0
    assert "各政策工具的贡献" in out
    assert len(list((tmp_path / "a" / "by-lever").iterdir())) == 1


@pytest.mark.usefixtures("pretended")
def test_packages_are_brought_to_one_price_before_they_are_compared(
    ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process = equal_cost.lived
    monkeypatch.setattr(equal_cost, "lived", lambda tasks, work, workers: in_this_process(tasks, work, 0))
    (tmp_path / "mine.yaml").write_text(TWO_LEVERS, encoding="utf-8")
    pay = TWO_LEVERS.replace("name: mine", "name: pay").replace("supplement: 20000", "supplement: 9000")
    (tmp_path / "pay.yaml").write_text(pay[: pay.index("  pe_art")], encoding="utf-8")
    status, out, err = ask("compare", "mine.yaml", "pay.yaml", *SMALL, "--equal-cost", "--out", "a", "--json")
    assert (status, err) == (0, "")
    (scaled,) = json.loads(out)["equal_cost"]
    assert abs(scaled["gap"]) <= equal_cost.TOLERANCE
    assert scaled["factor"] > 1
    assert list(RunFolder.open(Path("a")).manifest["scenarios"]) == ["mine", scaled["scenario"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["baseline"], "two scenarios: baseline baseline"),
        (["nowhere/run", "baseline"], "no file 'nowhere/run'"),
        (["empty"], "a folder without manifest.json"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--outcome", "gap.scor"], "did you mean 'gap.score'"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--precision", "narrow"], "half-width"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--group", "a=posts"], "--by-lever"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--place", "village"], "--level"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--equal-cost"], "two packages or more"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--reference", "basline"], "did you mean 'baseline'"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--year", "2035"], "2020 to 2023"),
        (["baseline", "wuqing-2020-2022", *SMALL, "--by-lever", "--group", "a=post"], "did you mean 'posts'"),
    ],
)
def test_bad_input_ends_in_one_message_with_nothing_written(
    arguments: list[str], said: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    status, out, err = ask("compare", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--replicates", "9"], "--replicates"),
        (["--seed", "2"], "--seed"),
        (["--set", "posts.follow_enrolment=1"], "--set"),
        (["--equal-cost"], "beside a run folder"),
        (["--out", "b"], "the run itself"),
        (["--reference", "basline"], "did you mean 'baseline'"),
    ],
)
def test_a_run_is_not_made_another(arguments: list[str], said: str, ask: Callable[..., Any], tmp_path: Path) -> None:
    plan = pretend.plan(replicates=2)
    run_batch(plan, run_folder(plan, tmp_path / "a"), work=pretend.live)
    status, out, err = ask("compare", "a", *arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_a_stopped_search_goes_on_by_the_command_it_names(
    ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(TWO_LEVERS, encoding="utf-8")
    calls = 0

    def stopped(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls in (2, 5):  # enlarging the run, and among the mixtures
            raise StoppedError("stopped by the keyboard")
        return pretended_batch(*arguments, **options)

    monkeypatch.setattr(batch, "run_batch", stopped)
    whole = ("compare", "baseline", "mine.yaml", *SMALL, "--outcome", "gap.score:primary")
    status, _, err = ask(*whole, "--precision", "1e-9", "--max-replicates", "3", "--by-lever")
    assert status == 130
    first = err.split("go on with:\n  junheng ")[1].split()
    status, _, err = ask(*first)
    assert status == 130, "among the mixtures this time"
    second = err.split("go on with:\n  junheng ")[1].split()
    status, out, _ = ask(*second)
    assert status == 0
    assert "What each lever gave" in out
    assert "3 replicates" in out


def test_a_sweep_is_not_gone_on_with(tmp_path: Path) -> None:
    from dataclasses import replace

    from experiments.plan import Point

    plan = replace(pretend.plan(), points=(Point(), Point({"posts.follow_enrolment": 0.9})))
    with pytest.raises(InputError, match="a design of 2 points"):
        recorded_plan(run_folder(plan, tmp_path / "a"))
