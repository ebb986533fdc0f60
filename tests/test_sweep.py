"""Sweeps: designs that stay as they are when they grow, honest values, and responses that are what was planted."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pretend
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.batch import run_batch, run_folder
from experiments.design import METHODS, Design, Factor, check_factors, outcome, read_design, vary
from experiments.plan import Plan, Point, planned, with_levers
from experiments.scenario import load_scenario
from junheng.cli import main
from model.behaviour import load_behaviour, parameters
from model.errors import InputError
from results import pictures_of_responses
from results.pictures_of_responses import findings, heat_map, pictures
from results.report.compose import compose
from results.report.document import Value
from results.responses import Answer, Level, Responses, effect, respond
from results.run_folder import RunFolder

SHARE, SCOPE, YEARS_AWAY = "teacher_rotation.share_of_eligible", "teacher_rotation.scope", "teacher_rotation.term_years"
TABLES = ("indicators.parquet", "finance.parquet", "targets.parquet", "notices.parquet")


def design(*varied: str, method: str = "grid", points: int = 0) -> Design:
    found = Design(("wuqing-2020-2022",), method, tuple(vary(text) for text in varied), points)
    check_factors(found)
    return found


def plan(found: Design, replicates: int = 3, seed: int = 1, **settings: Any) -> Plan:
    scenarios = [load_scenario(name) for name in found.scenarios]
    said = {"points": found.points(seed), "design": found.as_data(), "replicates": replicates, "seed": seed}
    return planned(scenarios, years=4, **said, **settings)


def lived(path: Path, of: Plan, resume: bool = False) -> RunFolder:
    folder = run_folder(of, path, resume)
    run_batch(of, folder, work=pretend.live)
    return folder


# ---- values


def test_a_grid_has_every_combination_of_its_values_ends_included() -> None:
    points = design(f"{SHARE}=0:0.3:4", f"{SCOPE}=group,district").points(1)
    assert [tuple(p.levers.values()) for p in points] == [
        (share, scope) for share in (0.0, 0.1, 0.2, 0.3) for scope in ("group", "district")
    ]
    assert all(not p.uncertainties for p in points)


@settings(max_examples=60, deadline=None)
@given(low=st.integers(1, 5), more=st.integers(1, 4), u=st.floats(0, 1, exclude_max=True))
def test_a_sampled_count_is_a_whole_number_of_the_range_each_as_likely(low: int, more: int, u: float) -> None:
    factor = vary(f"{YEARS_AWAY}={low}:{low + more}")
    value = factor.at(u)
    assert isinstance(value, int)
    assert value == low + int(u * (more + 1))


@given(u=st.floats(0, 1, exclude_max=True))
def test_sampled_choices_and_truths_are_drawn_from_those_named(u: float) -> None:
    assert vary(f"{SCOPE}=group,zone,district").at(u) == ("group", "zone", "district")[int(3 * u)]
    assert vary("teacher_rotation.keeps_post=true,false").at(u) is (u < 0.5)
    assert vary(f"{SHARE}=0:0.3:4").at(u) == (0.0, 0.1, 0.2, 0.3)[int(4 * u)], "steps hold in a sample, too"


@pytest.mark.parametrize("n", [8, 64])
def test_a_hypercube_has_one_value_in_every_slice_of_every_factor(n: int) -> None:
    points = design(f"{SHARE}=0:0.4", "persistence=0.3:0.6", method="lhs", points=n).points(7)
    for values, low, high in (
        ([p.levers[SHARE] for p in points], 0.0, 0.4),
        ([p.uncertainties["persistence"] for p in points], 0.3, 0.6),
    ):
        slices = np.floor((np.array(values) - low) / (high - low) * n)
        assert sorted(slices) == list(range(n))


def test_a_sobol_design_is_spread_more_evenly_than_chance() -> None:
    points = design(f"{SHARE}=0:0.4", "persistence=0.3:0.6", method="sobol", points=64).points(1)
    unit = [[p.levers[SHARE] / 0.4, (p.uncertainties["persistence"] - 0.3) / 0.3] for p in points]
    chance = np.random.default_rng(1).uniform(size=(50, 64, 2))
    assert stats.qmc.discrepancy(unit) < min(stats.qmc.discrepancy(sample) for sample in chance)


@pytest.mark.parametrize("method", ["lhs", "sobol"])
def test_another_factor_leaves_the_values_of_the_others_as_they_are(method: str) -> None:
    few = design(f"{SHARE}=0:0.4", "persistence=0.3:0.6", method=method, points=16).points(3)
    more = design(f"{SHARE}=0:0.4", "persistence=0.3:0.6", "peer_effect=0:0.1", method=method, points=16).points(3)
    assert [p.levers for p in few] == [p.levers for p in more]
    assert [p.uncertainties["persistence"] for p in few] == [p.uncertainties["persistence"] for p in more]


def test_a_sobol_design_of_twice_the_points_begins_with_those_it_had() -> None:
    small = design(f"{SHARE}=0:0.4", method="sobol", points=16)
    assert dataclasses.replace(small, size=32).points(5)[:16] == small.points(5)
    assert dataclasses.replace(small, size=16).points(6) != small.points(5)


# ---- growing


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (design(f"{SHARE}=0:0.2:2"), design(f"{SHARE}=0:0.2:3")),
        (design(f"{SHARE}=0,0.2"), design(f"{SHARE}=0.3,0.2,0.1,0")),
        (design(f"{SHARE}=0:0.2", method="sobol", points=4), design(f"{SHARE}=0:0.2", method="sobol", points=8)),
        (design(f"{SHARE}=0,0.2"), design(f"{SHARE}=0,0.2", "persistence=0.3,0.5")),  # .5 is what it was
        (design(f"{SHARE}=0,0.2"), design(f"{SHARE}=0,0.2", "bundled_evaluation.weight=0,0.5")),  # 0: as without it
    ],
)
def test_more_points_or_factors_leave_every_run_as_it_is(before: Design, after: Design, tmp_path: Path) -> None:
    small, large = plan(before, 2), plan(after, 3)
    assert {r.id for r in small.runs} <= {r.id for r in large.runs}
    lived(tmp_path / "a", small)
    folder = run_folder(large, tmp_path / "a", resume=True)
    tally = run_batch(large, folder, work=pretend.live)
    assert tally.lived == len({r.id for r in large.runs}) - len({r.id for r in small.runs})
    lived(tmp_path / "b", large)
    for name in (*TABLES, "design.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_same_points_in_another_order_are_written_anew_without_living_a_run(tmp_path: Path) -> None:
    lived(tmp_path / "a", plan(design(f"{SHARE}=0,0.2")))
    other = plan(design(f"{SHARE}=0.2,0"))
    folder = run_folder(other, tmp_path / "a", resume=True)
    assert run_batch(other, folder, work=pretend.live).lived == 0
    assert [p[SHARE] for p in folder.design()] == [0.2, 0.0]
    lived(tmp_path / "b", other)
    assert (tmp_path / "a" / TABLES[0]).read_bytes() == (tmp_path / "b" / TABLES[0]).read_bytes()


def test_a_design_that_lost_points_is_refused_and_the_folder_left_alone(tmp_path: Path) -> None:
    lived(tmp_path / "a", plan(design(f"{SHARE}=0,0.2")))
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    with pytest.raises(InputError, match="a run that is not asked for now"):
        run_folder(plan(design(f"{SHARE}=0,0.3")), tmp_path / "a", resume=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == before


def test_points_of_a_sample_that_meet_are_lived_once_and_told_twice(tmp_path: Path) -> None:
    of = plan(design(f"{YEARS_AWAY}=3:4", method="lhs", points=6), 2)
    folder = run_folder(of, tmp_path / "a")
    assert run_batch(of, folder, work=pretend.live).lived == 4
    assert folder.manifest["runs"] == 4
    assert set(folder.table("finance")["design_point"].to_pylist()) == set(range(6))


def test_a_point_sets_its_levers_together_and_refuses_what_contradicts() -> None:
    policy = load_scenario("lutai-group").policy
    with pytest.raises(InputError, match="both coverage and count"):
        with_levers(policy, {"education_groups.coverage": 0.5, "education_groups.count": 3})
    for order in (("coverage", "count"), ("count", "coverage")):
        values = {"coverage": 0.5, "count": 0}
        changed = with_levers(policy, {f"education_groups.{name}": values[name] for name in order})
        assert {e.coverage for e in changed.entries if e.NAME == "education_groups"} == {0.5}  # type: ignore[attr-defined]


def test_all_points_of_a_replicate_share_their_draws_and_uncertainties_change_behaviour() -> None:
    of = plan(design(f"{SHARE}=0,0.2", "persistence=0.3,0.6"), 2)
    assert len({(r.replicate, r.seed, r.region_seed) for r in of.runs}) == 2
    tasks = list(of.tasks())
    assert {t.behaviour.persistence for t in tasks} == {0.3, 0.6}
    assert of.prepared_regions() == 2
    told = {t.run.design_point: t.policy for t in tasks}
    assert len({repr(p) for p in told.values()}) == 2
    assert load_behaviour("input", persistence=0.3).fingerprint() in {t.behaviour.fingerprint() for t in tasks}


@given(st.integers(1, 70), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_work_is_ordered_replicate_by_replicate_within_blocks_of_few_regions(points: int, replicates: int) -> None:
    spread = tuple(Point(uncertainties={"persistence": 0.2 + 0.5 * i / points}) for i in range(points))
    of = Plan((load_scenario("wuqing-2020-2022"),), replicates=replicates, points=spread)
    order = of.in_order_of_work(of.runs)
    assert sorted(r.id for r in order) == sorted(r.id for r in of.runs)
    blocks = [run.design_point // 32 for run in order]
    assert blocks == sorted(blocks)
    for block in set(blocks):
        held = [run.replicate for run in order if run.design_point // 32 == block]
        assert held == sorted(held)


# ---- responses


def test_the_difference_of_a_grid_is_what_was_planted(tmp_path: Path) -> None:
    folder = lived(tmp_path / "a", plan(design(f"{SHARE}=0:0.2:3", "persistence=0.3:0.6:2"), 8))
    found = respond(folder)
    for answer in (a for a in found.answers if a.indicator in ("gap.score", "local_stay")):
        for name, planted in ((SHARE, -0.1), ("persistence", 0.06)):
            told = effect(found, name, answer)
            assert told.mean == pytest.approx(planted, abs=0.01), "an interval of 95 % may miss it"
            assert told.low is not None
            assert told.high is not None
            assert told.high - told.low < 0.02, "draws are shared"


def test_least_squares_of_a_sample_find_what_was_planted_over_the_whole_range(tmp_path: Path) -> None:
    of = plan(design(f"{SHARE}=0:0.2", "persistence=0.3:0.6", f"{SCOPE}=group,zone", method="lhs", points=24), 6)
    found = respond(lived(tmp_path / "a", of))
    answer = found.answers[0]
    for name, planted in ((SHARE, -0.1), ("persistence", 0.06), (SCOPE, 0.0)):
        told = effect(found, name, answer)
        assert told.mean == pytest.approx(planted, abs=0.006)
    assert (effect(found, SHARE, answer).first, effect(found, SHARE, answer).last) == ("0", "0.2")
    assert effect(found, SHARE, answer).correlation == pytest.approx(-0.9, abs=0.1)
    assert effect(found, SCOPE, answer).correlation is None


def test_a_difference_is_the_t_interval_of_differences_within_replicates(tmp_path: Path) -> None:
    folder = lived(tmp_path / "a", plan(design(f"{SHARE}=0,0.2"), 5))
    found = respond(folder)
    rows = [
        r for r in folder.table("indicators").to_pylist()
        if (r["indicator"], r["stage"], r["year"]) == ("gap.score", "primary", 2023)
    ]  # fmt: skip
    at = [[r["value"] for r in rows if r["design_point"] == point] for point in (1, 0)]
    expected = stats.ttest_rel(*at).confidence_interval(0.95)
    told = effect(found, SHARE, found.answers[0])
    assert (told.low, told.high) == pytest.approx((expected.low, expected.high))


def test_one_replicate_gives_no_interval_and_one_value_no_difference(tmp_path: Path) -> None:
    found = respond(lived(tmp_path / "a", plan(design(f"{SHARE}=0:0.2:3", "persistence=0.4"), 1)))
    assert effect(found, SHARE, found.answers[0]).mean is None
    assert effect(found, "persistence", found.answers[0]).mean is None
    assert "no interval" in findings(found, SHARE)[0]


def test_runs_that_failed_are_left_out_of_means_and_differences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").touch()
    monkeypatch.setenv("PRETEND_BROKEN", str(tmp_path / "broken"))
    of = plan(design(f"{SHARE}=0,0.2"), 4)
    folder = run_folder(of, tmp_path / "a")
    assert run_batch(of, folder, work=pretend.live_unless_broken).failed == 2
    found = respond(folder)
    assert np.isnan(found.answers[0].values[:, 1]).all()
    assert effect(found, SHARE, found.answers[0]).mean == pytest.approx(-0.1, abs=0.02)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_of_a_sweep_begins_with_the_responses_that_its_tables_hold(lang: str, tmp_path: Path) -> None:
    folder = lived(tmp_path / "a", plan(design(f"{SHARE}=0,0.1,0.2", f"{SCOPE}=group,zone"), 3))
    chapter = compose(folder, lang).sections[0]
    by_share, by_scope, both = chapter.pictures
    rows = pd.DataFrame(folder.table("indicators").to_pylist()).query("indicator == 'gap.score' and year == 2023")
    primary = rows[rows["stage"] == "primary"]
    shares = np.repeat([0, 1, 2], 2)[primary["design_point"]]
    told = [cell.mean for cell in by_share.table.rows[0] if isinstance(cell, Value)]
    means = primary["value"].groupby(shares).mean()
    assert told == pytest.approx([*means, means[2] - means[0]])
    assert by_scope.table.headings[2:4] == ["group", "zone"]
    assert len(both.table.rows) == 6
    gap = [row[2].mean for row in both.table.rows if isinstance(row[2], Value)]
    assert gap == pytest.approx(list(primary["value"].groupby(primary["design_point"]).mean()))
    for picture in chapter.pictures:
        assert picture.draw().axes
        assert picture.findings


def test_a_heat_map_does_not_colour_what_hardly_differs() -> None:
    answer = Answer("plan", "input", "gap.score", "primary", "region", "", 2023, np.array([[0.5], [0.5001]]))
    levels = [Level(f"{n}", float(n), np.array([n])) for n in (0, 1)]
    found = Responses("grid", 1, [{}, {}], {}, {"a": levels, "b": [Level("0", 0.0, np.array([0, 1]))]}, [answer])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures_of_responses, "factor_title", lambda name, lang: name)
        low, high = heat_map(found, "plan", "input").axes[0].images[0].get_clim()
    assert high - low == pytest.approx(0.02 * 0.5001)
    assert low < 0.5 < 0.5001 < high


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "made",
    [
        design(f"{SHARE}=0:0.2:3", f"{SCOPE}=group,zone"),
        design(f"{SHARE}=0:0.2", "persistence=0.3:0.6", method="sobol", points=8),
        design("teacher_rotation.keeps_post=true,false"),
    ],
)
def test_every_factor_has_its_picture_and_two_have_one_together(made: Design, lang: str, tmp_path: Path) -> None:
    folder = lived(tmp_path / "a", plan(made, 2, calibrations=("input", "sorting")))
    found = respond(folder)
    names = [name for name, figure in pictures(found, folder, lang) if figure.axes]
    assert names[: len(made.factors)] == [f"response-{f.name}" for f in made.factors]
    assert len(names) == len(made.factors) + (2 if len(made.factors) == 2 else 0)


# ---- files and command lines

FILE = """
scenario: wuqing-2020-2022
replicates: 2
design: {design}
{points}
levers:
  teacher_rotation.share_of_eligible: {{from: 0, to: 0.2, steps: 3}}
  teacher_rotation.scope: [group, district]
uncertainties:
  persistence: {{from: 0.3, to: 0.6, steps: 2}}
outcomes:
  - {{indicator: gap.score, stage: primary, year: 2021}}
  - {{indicator: local_stay}}
"""


@pytest.mark.parametrize("method", METHODS)
def test_a_design_file_says_what_the_command_line_can(method: str, tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    points = "" if method == "grid" else "points: 8"
    path.write_text(FILE.format(design=method, points=points), encoding="utf-8")
    found = read_design(path)
    said = [f"{SHARE}=0:0.2:3", f"{SCOPE}=group,district", "persistence=0.3:0.6:2"]
    assert found.factors == tuple(vary(text) for text in said)
    assert (found.method, found.replicates, found.scenarios) == (method, 2, ("wuqing-2020-2022",))
    assert found.outcomes == (outcome("gap.score:primary:2021"), outcome("local_stay"))
    assert len(found.points(1)) == (12 if method == "grid" else 8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"share_of_eligible": "share_of_eligibel"}, ["line 6", "did you mean 'teacher_rotation.share_of_eligible'"]),
        ({"persistence": "persistance"}, ["line 9", "did you mean 'persistence'"]),
        ({"to: 0.2": "to: 0.9"}, ["line 6", "0.9", "from 0 to 0.5 (share)"]),
        ({"to: 0.2": "to: 10%"}, ["line 6", "'10%'", "did you mean '0.1'"]),
        ({"to: 0.6": "to: 0.9"}, ["line 9", "0.9", "from 0.2 to 0.7"]),
        ({"from: 0,": "from: 0.4,"}, ["line 6", "from below to"]),
        ({", steps: 3": ""}, ["line 6", "without steps in a grid"]),
        ({"steps: 3": "steps: 1"}, ["line 6", "2 or more"]),
        ({"steps: 3": "step: 3"}, ["line 6", "did you mean 'steps'"]),
        ({"[group, district]": "[group, distrit]"}, ["line 7", "did you mean 'district'"]),
        ({"[group, district]": "[group, group]"}, ["line 7", "twice"]),
        ({"[group, district]": "{from: 1, to: 2}"}, ["line 7"]),
        ({"design: grid": "design: gird"}, ["line 4", "did you mean 'grid'"]),
        ({"design: grid": "design: sobol"}, ["line 4", "without points"]),
        ({"design: grid": "design: sobol\\npoints: 12"}, ["line 5", "8 or 16"]),
        ({"design: grid": "design: grid\\npoints: 12"}, ["line 5", "no points"]),
        ({"gap.score": "gap.scroe"}, ["line 11", "did you mean 'gap.score'"]),
        ({"stage: primary": "stage: all"}, ["line 11", "stage"]),
        ({"outcomes": "outcome"}, ["line 10", "did you mean 'outcomes'"]),
        ({"levers:": "uncertain:"}, ["line 5"]),
        ({"scenario: wuqing-2020-2022": "replicate: 3"}, ["line 2", "did you mean 'replicates'"]),
        ({"scenario: wuqing-2020-2022": "scenario: 7"}, ["line 2", "scenario"]),
        ({"uncertainties:": "more:"}, ["line 8"]),
        ({"  persistence": "  teacher_rotation.term_years"}, ["line 9", "levers under levers:"]),
    ],
)
def test_a_wrong_design_is_refused_with_its_line(change: dict[str, str], said: list[str], tmp_path: Path) -> None:
    text = FILE.format(design="grid", points="").replace("\n\n", "\n")
    text = "# a design\n" + text.lstrip("\n")
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new.replace("\\n", "\n"), 1)
    path = tmp_path / "d.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_design(path)
    for part in ["d.yaml", *said]:
        assert part in str(refused.value)


@pytest.fixture
def ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("junheng.commands.batch.run_batch", functools.partial(run_batch, work=pretend.live))

    def run(*words: str) -> tuple[int, str, str]:
        arguments = ["sweep", *words]
        monkeypatch.setattr(sys, "argv", ["junheng", *arguments])
        status = main(arguments)
        return status, *capsys.readouterr()

    return run


SMALL = ("--region", "village", "--years", "4", "--replicates", "3", "--workers", "1")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_sweep_prints_its_responses_and_leaves_tables_and_figures(
    lang: str, ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, err = ask(
        "wuqing-2020-2022", *SMALL, "--vary", f"{SHARE}=0:0.2:3", "--outcome", "gap.score", "--out", "a", "--lang", lang
    )
    assert status == 0
    assert "−0.1" in out
    assert ("difference" if lang == "en" else "差异") in out
    assert out.splitlines()[-1] == "a"
    assert "response-teacher_rotation.share_of_eligible.png" in err
    assert pq.read_table(tmp_path / "a" / "design.parquet").to_pylist() == [
        {"design_point": i, SHARE: share} for i, share in enumerate((0.0, 0.1, 0.2))
    ]
    held = {p.suffix for p in (tmp_path / "a" / "report").iterdir()}
    assert held == {".png", ".svg"}


def test_json_is_one_document_of_every_response(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(FILE.format(design="grid", points=""), encoding="utf-8")
    status, out, err = ask("d.yaml", "--region", "village", "--years", "4", "--workers", "1", "--json", "--quiet")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (len(told["points"]), told["replicates"], told["runs"]["done"]) == (12, 2, 24)
    assert [(r["indicator"], r["stage"], r["year"]) for r in told["responses"]] == [
        ("gap.score", "primary", 2021),
        ("local_stay", "primary", 2023),
        ("local_stay", "junior", 2023),
    ]
    assert told["responses"][0]["factors"][SHARE]["difference"]["mean"] == pytest.approx(-0.1, abs=0.02)


def test_a_dry_run_counts_runs_and_regions_and_writes_nothing(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    words = ["--vary", f"{SHARE}=0:0.2:3", "--vary", "persistence=0.3,0.4", "--dry-run", "--json"]
    status, out, _ = ask("wuqing-2020-2022", *SMALL, *words)
    assert status == 0
    assert (json.loads(out)["runs"], json.loads(out)["regions_to_prepare"]) == (18, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wuqing-2020-2022"], "without --vary"),
        (["wuqing-2020-2022", "--vary", SHARE], "no '='"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0:0.2"], "without steps in a grid"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0:0.2:x"], "steps"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0:1:2:3"], "FROM:TO:STEPS"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0,1"], "from 0 to 0.5"),
        (["wuqing-2020-2022", "--vary", f"{YEARS_AWAY}=1:4:3"], "steps 2, 4"),
        (["wuqing-2020-2022", "--vary", "teacher_rotatoin.scope=group"], "did you mean"),
        (["wuqing-2020-2022", "--vary", "teacher_rotation=0:1:2"], "did you mean"),
        (["wuqing-2020-2022", "--vary", f"{SCOPE}=group:zone:2"], "one by one"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0,0.1", "--vary", f"{SHARE}=0.2,0.3"], "more than once"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0:0.1", "--design", "sobol", "--points", "6"], "4 or 8"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0:0.1", "--design", "sbol"], "did you mean 'sobol'"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0,0.1", "--points", "6"], "no points"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0,0.1", "--outcome", "gap.scroe"], "did you mean 'gap.score'"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0,0.1", "--outcome", "gap.score:all"], "stage"),
        (["wuqing-2020-2022", "--vary", f"{SHARE}=0,0.1", "--outcome", "gap.score:primary:2040"], "2020 to 2023"),
        (["nowhere.yaml"], "without --vary"),
    ],
)
def test_a_wrong_call_is_refused_with_one_message_and_nothing_written(
    words: list[str], said: str, ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, err = ask(*words, *SMALL)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_every_parameter_can_be_varied_over_its_range() -> None:
    for name, parameter in parameters().items():
        factor = vary(f"{name}={parameter.low!r}:{parameter.high!r}:3")
        assert not factor.lever
        assert (factor.levels()[0], factor.levels()[-1]) == pytest.approx((parameter.low, parameter.high))
        assert load_behaviour("input", **{name: factor.levels()[1]})
    assert Factor("x", True, 1, 3, 3, True).levels() == [1, 2, 3]
