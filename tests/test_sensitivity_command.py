"""`junheng sensitivity`: what is varied, on which seeds, in which stages; and that it finds what was planted."""

from __future__ import annotations

import functools
import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pretend
import pyarrow.parquet as pq
import pytest

from experiments import sensitivity as studies
from experiments.batch import run_batch, run_folder
from experiments.design import outcome, vary
from experiments.plan import Task, planned
from experiments.scenario import load_scenario
from experiments.sensitivity import SensitivityPlan, Study, sensitivity_plan
from junheng.cli import main
from model.behaviour import load_behaviour, parameters
from model.errors import InputError
from model.levers import LEVERS
from results.pictures_of_sensitivity import pictures
from results.report.compose import compose
from results.report.document import Value
from results.report.excel import book
from results.report.html import html
from results.run_folder import RunFolder
from results.sensitivity import Finding, analyse, rows, screened
from results.sensitivity_salib import DUMMY
from results.sensitivity_text import render, said

SHARE, YEARS_AWAY = "teacher_rotation.share_of_eligible", "teacher_rotation.term_years"
FACTORS = (vary(f"{SHARE}=0:0.5"), vary(f"{YEARS_AWAY}=1:5"), vary("persistence=0.2:0.7"), vary("halo=0.05:0.35"))
SMALL = ("--region", "village", "--years", "4", "--workers", "1", "--quiet")
VARIED = tuple(w for f in FACTORS for w in ("--vary", f"{f.name}={f.low:g}:{f.high:g}"))
GAP = ("--outcome", "gap.score:primary")


def study(kind: str, size: int, method: str = "", replicates: int = 2, **said: object) -> Study:
    looked = (outcome("gap.score:primary"), outcome("local_stay:junior"))
    groups: Mapping[str, tuple[str, ...]] = said.get("groups", {})  # type: ignore[assignment]
    made = Study(method or kind, FACTORS, looked, groups, replicates, 1)
    return made.with_stage(kind, size)  # type: ignore[arg-type]


def plan(made: Study, **settings: object) -> SensitivityPlan:
    return sensitivity_plan(planned([load_scenario("wuqing-2020-2022")], years=4, seed=1, **settings), made)


def lived(path: Path, of: SensitivityPlan, resume: bool = False) -> RunFolder:
    folder = run_folder(of, path, resume)
    run_batch(of, folder, work=pretend.live)
    return folder


# ---- seeds


@pytest.mark.parametrize("kind", ["morris", "sobol"])
def test_a_block_has_seeds_of_its_own_and_other_ones_where_the_dummy_moved(kind: str) -> None:
    made = study(kind, 8)
    design, of = made.design_of(made.stages[0]), plan(made)
    dummy = design.rows[:, -1].reshape(design.blocks, -1)
    moved = dummy != dummy[:, :1]
    by_replicate = [np.array([r.seed for r in of.runs if r.replicate == k]).reshape(moved.shape) for k in (0, 1)]
    for seeds in by_replicate:
        for row, other in zip(seeds, moved, strict=True):
            assert len(set(row[~other])) == len(set(row[other])) == 1
            assert row[~other][0] != row[other][0]
    assert len({s for seeds in by_replicate for s in seeds.ravel()}) == 8 * 2 * 2, "none is used twice"


def test_a_replicate_deals_its_seeds_out_anew_to_every_stretch_of_a_sample() -> None:
    of = plan(study("sample", 128))
    first, second = (np.array([r.seed for r in of.runs if r.replicate == k]).reshape(4, -1) for k in (0, 1))
    for seeds in (first, second):
        assert all(sorted(stretch) == sorted(seeds[0]) for stretch in seeds)
        assert len(set(seeds[0])) == seeds.shape[1]
    assert not set(first.ravel()) & set(second.ravel())
    met_twice = [
        (i, j)
        for i in range(128)
        for j in range(i)
        if first.flat[i] == first.flat[j] and second.flat[i] == second.flat[j]
    ]
    assert len(met_twice) < 0.05 * 32 * 6, "other points share the seeds of another replicate"


def test_the_dummy_is_in_no_run() -> None:
    of = plan(study("sobol", 8))
    assert all(DUMMY not in p.as_data() for p in of.points)
    a, *_, last_but_one, _ = of.points[:7]
    assert a == last_but_one, "where only the dummy moves, the runs differ by their seeds"


@pytest.mark.parametrize("kind", ["sample", "sobol"])
def test_a_larger_study_or_more_replicates_leave_every_run_as_it_is(kind: str, tmp_path: Path) -> None:
    small, large = plan(study(kind, 8)), plan(study(kind, 16, replicates=3))
    assert {r.id for r in small.runs} < {r.id for r in large.runs}
    lived(tmp_path / "a", small)
    lived(tmp_path / "a", large, resume=True)
    lived(tmp_path / "b", large)
    for name in ("indicators.parquet", "design.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_next_stage_leaves_the_runs_of_those_before_it() -> None:
    made = study("morris", 6, "auto")
    more = made.with_stage("sample", 32, [SHARE, "persistence"])
    assert {r.id for r in plan(made).runs} < {r.id for r in plan(more).runs}
    design = more.as_data()["stages"]
    assert [s["points"] for s in design] == [[0, 36], [36, 68]]
    assert set(more.points()[0][-1].as_data()) == {SHARE, "persistence"}


def test_redrawn_regions_go_with_the_seeds() -> None:
    of = plan(study("sample", 4, replicates=2), redraw_region=True)
    assert len({r.region_seed for r in of.runs}) == 8
    assert of.prepared_regions() == 4 * 8, "of each behaviour"


# ---- what is varied


@pytest.mark.parametrize("name", ["wuqing-2020-2022", "tianjin-2.0", "zibo-strong-town", "baseline"])
@pytest.mark.parametrize("number", [4, 10, 12])
def test_factors_by_default_are_levers_that_the_scenario_sets_and_uncertainties(name: str, number: int) -> None:
    policy = load_scenario(name).policy
    found = studies.default_factors(policy, number)
    assert len(found) == len({f.name for f in found}) == number
    studies.check(found, {})
    for factor in found:
        assert factor.low < factor.high
        if not factor.lever:
            declared = parameters()[factor.name]
            assert declared.low <= factor.low <= declared.input <= factor.high <= declared.high
            assert ((factor.low, factor.high) == (declared.low, declared.high)) != ("fitted" in declared.source)
            continue
        lever, _, wanted = factor.name.partition(".")
        values = [getattr(e, wanted) for e in policy.entries if lever == e.NAME]
        assert factor.low < max(values) <= factor.high
    if name != "baseline":
        assert sum(f.lever for f in found) == number // 2


def test_every_default_exists() -> None:
    known = {f"{n}.{f}" for n, kind in LEVERS.items() for f in kind.settings()}
    levers, unknowns = ([d.name for d in studies.defaults()[section]] for section in ("levers", "uncertainties"))
    assert set(levers) <= known
    assert set(unknowns) <= set(parameters())


def test_a_parameter_fitted_to_the_base_year_stays_near_what_each_calibration_found() -> None:
    """Far from it, the base year's gap is not the measured one, and the gap would be what was put in."""
    policy = load_scenario("wuqing-2020-2022").policy

    def ends(*calibrations: str) -> tuple[float, float]:
        found = {f.name: f for f in studies.default_factors(policy, 10, calibrations)}["home_effect_village"]
        return found.low, found.high

    own = {c: load_behaviour(c).home_effect_village for c in ("input", "sorting")}
    for calibration, value in own.items():
        low, high = ends(calibration)
        assert low + high == pytest.approx(2 * value)
    assert ends("input", "sorting") == (ends("sorting")[0], ends("input")[1])


# ---- what is found


def test_direct_indices_find_what_was_planted(tmp_path: Path) -> None:
    """pretend: the gap falls by 0.5 a unit of rotation, rises by 0.2 a unit of persistence; half of it is luck."""
    folder = lived(tmp_path / "a", plan(study("sobol", 64, "sobol")))
    found = analyse(folder)[0]
    assert found.direct is not None
    units, indices = found.direct.units, found.direct.indices
    share, stays = (0.5 * 0.5) ** 2, (0.2 * 0.5) ** 2
    truth = dict.fromkeys(units, 0.0) | {SHARE: share / (share + stays), "persistence": stays / (share + stays)}
    noise = 12 * (0.05**2 + 0.005**2)
    assert indices.total == pytest.approx([truth[u] for u in units], abs=0.15)
    for i, unit in enumerate(units):
        low, high = indices.total_interval[i]
        assert low - 0.02 <= truth[unit] <= high + 0.02
    assert indices.noise == pytest.approx(noise / (noise + share + stays), abs=0.12)


def test_screening_drops_what_does_nothing_and_the_dummy_shows_luck(tmp_path: Path) -> None:
    found = analyse(lived(tmp_path / "a", plan(study("morris", 12))))[0]
    assert found.screening is not None
    effects = dict(zip(found.screening.units, found.screening.mu_star, strict=True))
    assert effects[SHARE] == pytest.approx(0.25, abs=0.02), "differences are free of luck within a trajectory"
    assert effects["persistence"] == pytest.approx(0.1, abs=0.02)
    assert 0.02 < effects[DUMMY] < 0.3
    assert screened([found]) == [SHARE, "persistence"]


def test_groups_have_one_index(tmp_path: Path) -> None:
    made = study("sobol", 32, "sobol", groups={"rotation": (SHARE, YEARS_AWAY)})
    found = analyse(lived(tmp_path / "a", plan(made)))[0]
    assert found.direct is not None
    assert found.direct.units == ("rotation", "persistence", "halo", DUMMY)
    assert found.direct.indices.total[0] == pytest.approx(0.0625 / 0.0725, abs=0.2)


def broken_sometimes(task: Task) -> Mapping[str, bytes]:
    if task.run.seed % 5 == 3:
        raise ZeroDivisionError("no pupils")
    return pretend.live(task)


def test_a_block_with_a_failed_run_is_left_out_whole_and_counted(tmp_path: Path) -> None:
    of = plan(study("sobol", 32, "sobol"))
    folder = run_folder(of, tmp_path / "a")
    run_batch(of, folder, work=broken_sometimes)
    found = analyse(folder)[0]
    blocks = {run.design_point // 7 for run in of.runs if run.seed % 5 == 3}
    assert 0 < found.left_out == len(blocks) < 32
    assert found.direct is not None
    assert found.direct.indices.total[0] > found.direct.indices.total[2]
    assert str(found.left_out) in " ".join(said(folder, found))


def test_points_of_a_sample_are_left_out_alone_and_the_others_keep_their_seeds(tmp_path: Path) -> None:
    of = plan(study("sample", 128, "sobol"))
    folder = run_folder(of, tmp_path / "a")
    run_batch(of, folder, work=broken_sometimes)
    found = analyse(folder)[0]
    assert 0 < found.left_out == len({run.design_point for run in of.runs if run.seed % 5 == 3}) < 96
    assert found.surrogate is not None
    assert found.surrogate.q2_raw is not None
    assert found.surrogate.q2_raw > 0.98, "luck of pretended runs is that of their seeds, which is taken out"
    assert found.surrogate.indices.noise > 0.2


def test_several_processes_find_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lived(tmp_path / "a", plan(study("sample", 64, "sobol")))
    alone = rows(analyse(folder))
    monkeypatch.setattr("results.sensitivity.LARGE", 2)
    assert rows(analyse(folder, workers=2)) == alone


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[Finding]]:
    """A study through a surrogate, under both calibrations."""
    of = plan(study("sample", 64, "sobol"), calibrations=("input", "sorting"))
    folder = lived(tmp_path_factory.mktemp("sampled") / "a", of)
    return folder, analyse(folder)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_surrogate_study_says_what_drives_what_does_not_and_how_much_is_luck(
    sampled: tuple[RunFolder, list[Finding]], lang: str
) -> None:
    folder, found = sampled
    assert [(f.answer.indicator, f.answer.calibration) for f in found] == [
        (name, calibration) for name in ("gap.score", "local_stay") for calibration in ("input", "sorting")
    ]
    gap = found[0]
    assert gap.variance is not None
    assert gap.variance.believed
    sentence = said(folder, gap, lang)[0]
    first, rest = sentence.split("." if lang == "en" else "；", 1)
    assert ("eligible teachers" if lang == "en" else "轮岗") in sentence
    assert ("persistence" not in first) or rest
    assert ("Luck makes" if lang == "en" else "运气占") in sentence
    assert all(part is not None for part in render(folder, found, lang))
    names = [name for name, figure in pictures(folder, found[:1], lang) if figure.axes]
    what = "gap.score-primary-input"
    assert names == [f"tornado-{what}", f"interactions-{what}", f"convergence-{what}"]


# ---- against another scenario


def against_baseline(kind: str, size: int) -> SensitivityPlan:
    both = planned([load_scenario("wuqing-2020-2022"), load_scenario("baseline")], years=4, seed=1)
    return sensitivity_plan(both, replace(study(kind, size, "sobol"), against="baseline"))


def test_the_scenario_compared_with_has_the_point_s_uncertainties_and_seeds_and_none_of_its_levers() -> None:
    of = against_baseline("sobol", 4)
    tasks: dict[tuple[int, int], dict[str, Task]] = {}
    for task in of.tasks():
        tasks.setdefault((task.run.design_point, task.run.replicate), {})[task.run.scenario] = task
    policy = load_scenario("baseline").policy
    for pair in tasks.values():
        mine, other = pair["wuqing-2020-2022"], pair["baseline"]
        assert (mine.run.seed, mine.run.region_seed) == (other.run.seed, other.run.region_seed)
        assert mine.behaviour.fingerprint() == other.behaviour.fingerprint()
        assert other.policy == policy != mine.policy
    ids = {(t.run.id): (t.behaviour.fingerprint(), t.run.seed) for pair in tasks.values() for t in pair.values()}
    others = [t for pair in tasks.values() for name, t in pair.items() if name == "baseline"]
    assert all(ids[t.run.id] == (t.behaviour.fingerprint(), t.run.seed) for t in others)
    assert len({t.run.id for t in others}) < len(others), "where only levers move it is one run"


def test_against_a_scenario_what_moves_both_alike_does_nothing_and_shared_luck_is_gone(tmp_path: Path) -> None:
    """pretend: persistence adds the same to both scenarios, rotation to the plan's alone."""
    found = analyse(lived(tmp_path / "a", against_baseline("sobol", 32)))[0]
    assert found.answer.scenario == "wuqing-2020-2022 − baseline"
    assert found.direct is not None
    total = dict(zip(found.direct.units, found.direct.indices.total, strict=True))
    assert total[SHARE] == pytest.approx(1, abs=0.05)
    assert total["persistence"] == pytest.approx(0, abs=0.05)
    own = 12 * 2 * 0.005**2
    assert found.direct.indices.noise == pytest.approx(own / (own + (0.5 * 0.5) ** 2), abs=0.01)


# ---- the command


@pytest.fixture
def ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("junheng.commands.batch.run_batch", functools.partial(run_batch, work=pretend.live))

    def run(*words: str) -> tuple[int, str, str]:
        arguments = ["sensitivity", *words]
        monkeypatch.setattr(sys, "argv", ["junheng", *arguments])
        status = main(arguments)
        return status, *capsys.readouterr()

    return run


def test_auto_screens_then_samples_what_is_left_and_goes_on_where_it_was_stopped(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    words = ("wuqing-2020-2022", *SMALL, *VARIED, *GAP, "--runs", "260", "--out", "a")
    status, out, err = ask(*words, "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert [(s["kind"], len(s["factors"])) for s in told["design"]["stages"]] == [("morris", 4), ("sample", 2)]
    assert told["runs"]["done"] == told["runs"]["planned"] <= 260
    gap = told["findings"][0]["sobol"]
    assert gap["factors"][SHARE]["verdict"] == "drives"
    assert gap["factors"][SHARE]["kind"] == "lever"
    rows = pq.read_table(tmp_path / "a" / "sensitivity.parquet").to_pylist()
    assert {r["method"] for r in rows} == {"morris", "pawn", "delta", "sobol.surrogate"}
    before = (tmp_path / "a" / "sensitivity.parquet").read_bytes()
    (tmp_path / "a" / "indicators.parquet").unlink()
    assert ask(*words, "--json", "--resume")[:2] == (status, out)
    assert (tmp_path / "a" / "sensitivity.parquet").read_bytes() == before
    assert {p.suffix for p in (tmp_path / "a" / "report").iterdir()} == {".png", ".svg"}


@pytest.mark.parametrize("method", ["morris", "pawn", "delta"])
def test_each_method_alone(method: str, ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    status, out, _ = ask("wuqing-2020-2022", *SMALL, *VARIED, *GAP, "--method", method, "--runs", "64", "--out", "a")
    assert status == 0
    assert "eligible teachers who move each year" in out
    assert out.splitlines()[-1] == "a"
    rows = pq.read_table(tmp_path / "a" / "sensitivity.parquet").to_pylist()
    assert "sobol.surrogate" not in {r["method"] for r in rows}


def test_where_no_surrogate_is_believed_the_rest_of_the_runs_goes_into_direct_ones(
    ask: Callable[..., tuple[int, str, str]],
) -> None:
    words = ("--method", "sobol", "--runs", "500", "--outcome", "cv.equipment:primary", "--replicates", "2")
    still = ("--vary", "halo=0.05:0.35", "--vary", "peer_effect=0:0.15")  # nothing that pretend looks at
    status, out, _ = ask("wuqing-2020-2022", *SMALL, *still, *words, "--json", "--out", "a")
    assert status == 0
    told = json.loads(out)
    assert [s["kind"] for s in told["design"]["stages"]] == ["sample", "sobol"]
    assert told["findings"][0]["sobol"]["by"] == "direct"
    assert told["findings"][0]["sobol"]["luck"]["value"] > 0.6


def test_a_file_says_what_the_command_line_can(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text(
        f"levers:\n  {SHARE}: {{from: 0, to: 0.5}}\n  {YEARS_AWAY}: {{from: 1, to: 5}}\n"
        "uncertainties:\n  persistence: {from: 0.2, to: 0.7}\n"
        f"groups:\n  rotation: [{SHARE}, {YEARS_AWAY}]\n"
        "outcomes:\n  - {indicator: gap.score, stage: junior, year: 2021}\n",
        encoding="utf-8",
    )
    words = ("--over", "over.yaml", "--method", "morris", "--runs", "60", "--json", "--out", "a")
    status, out, _ = ask("wuqing-2020-2022", *SMALL, *words)
    told = json.loads(out)
    assert status == 0
    assert (told["findings"][0]["stage"], told["findings"][0]["year"]) == ("junior", 2021)
    units = {r["factor"] for r in told["findings"][0]["rows"]}
    assert units == {"rotation", "persistence", DUMMY}


def test_a_dry_run_counts_both_stages_and_writes_nothing(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, _ = ask("wuqing-2020-2022", *SMALL, *VARIED, "--dry-run", "--json")
    assert status == 0
    assert json.loads(out)["runs"] == 10 * 6 * 2 + 256 * 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said_so"),
    [
        (["--method", "sobl"], "did you mean 'sobol'"),
        (["--vary", f"{SHARE}=0:0.2"], "one factor"),
        (["--vary", f"{SHARE}=0:0.2", "--vary", "persistense=0.3:0.4"], "did you mean 'persistence'"),
        ([*VARIED, "--factors", "5"], "beside --vary"),
        ([*VARIED, "--group", "a"], "no '='"),
        ([*VARIED, "--group", f"a={SHARE}", "--group", f"b={SHARE}"], "in another group"),
        ([*VARIED, "--group", "a=teacher_rotation.share_of_eligibel"], "did you mean"),
        ([*VARIED, "--outcome", "gap.scroe"], "did you mean 'gap.score'"),
        ([*VARIED, "--outcome", "gap.score:primary:2050"], "2020 to 2023"),
        ([*VARIED, "--runs", "10"], "or more for 4 factors"),
        ([*VARIED, "--method", "morris", "--direct"], "--method sobol"),
        ([*VARIED, "--replicates", "1"], "2 or more"),
        (["--over", "nowhere.yaml"], "nowhere.yaml"),
        ([*VARIED, "--vary", "halo=0.1"], "more than once"),
        ([*VARIED, "--against", "basline"], "did you mean 'baseline'"),
        ([*VARIED, "--against", "wuqing-2020-2022"], "more than once"),
    ],
)
def test_a_wrong_call_is_refused_with_one_message_and_nothing_written(
    words: list[str], said_so: str, ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, err = ask("wuqing-2020-2022", *SMALL, *words)
    assert (status, out) == (2, "")
    assert said_so in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_another_folder_s_runs_are_no_study(tmp_path: Path) -> None:
    of = pretend.plan()
    folder = run_folder(of, tmp_path / "a")
    run_batch(of, folder, work=pretend.live)
    with pytest.raises(InputError, match="junheng sensitivity"):
        analyse(folder)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_of_a_study_opens_with_what_matters(sampled: tuple[RunFolder, list[Finding]], lang: str) -> None:
    """Every outcome's sentences, its pictures lettered, and the numbers behind them, in page and book."""
    folder, found = sampled
    report = compose(folder, lang)
    first = report.sections[0]
    assert first.title == ("What matters" if lang == "en" else "影响因素")
    assert [text for _, text in first.answers] == [
        ("" if lang == "zh" else " ").join(said(folder, f, lang)) for f in found
    ]
    kinds = ["tornado", "interactions", "convergence"]
    assert [p.name for p in first.pictures if p.name.endswith("-0")] == [f"{kind}-0" for kind in kinds]
    v = found[0].variance
    assert v is not None
    for table, column in ((first.pictures[0].table.rows[:-1], 1), (first.pictures[2].table.rows, -1)):
        shown = [row[column] for row in table]
        assert [value.mean for value in shown if isinstance(value, Value)] == list(v.indices.total)
    assert len(first.pictures[1].table.rows) == 5 * 4 / 2, "each pair of four factors and the dummy"
    assert said(folder, found[0], lang)[1].partition(" ")[0] in html(report)
    assert first.title in openpyxl.load_workbook(io.BytesIO(book(report)), read_only=True).sheetnames
