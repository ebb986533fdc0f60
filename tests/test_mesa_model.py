"""Mesa's model is the region itself: its years are those of `simulate`, its agents are views of the columns."""

from __future__ import annotations

import gc
import importlib
import socket
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mesa
import numpy as np
import pytest
from mesa.agent import AgentSet
from situations import BASELINE, INPUT, NOTHING, RICH

import junheng as jh
from junheng.mesa_model import EqualizationModel as ByNames
from model.build import build_region
from model.errors import InputError
from model.levers import SchoolMerging, TeacherRotation
from model.mesa_model import HEADLINES, EqualizationModel, Teacher, with_lever
from model.region import Region
from model.simulate import History, simulate

YEARS = 4
EXAMPLES = Path(__file__).parent.parent / "examples"
# one village school closes within the years, one new school opens
MERGING = RICH.with_value(SchoolMerging, "below_pupils", 130)


def stepped(region: Region, years: int = YEARS, **arguments: Any) -> EqualizationModel:
    model = EqualizationModel(region, **arguments)
    for _ in range(years):
        model.step()
    return model


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return set(a) == set(b) and all(
        a[title].dtype == b[title].dtype
        and np.array_equal(a[title], b[title], equal_nan=np.issubdtype(a[title].dtype, np.floating))
        for title in a
    )


def of_region(history: History, name: str) -> list[float]:
    """An `indicator.stage` of the whole region, a value a year."""
    indicator, stage = name.rsplit(".", 1)
    table = history.indicators
    chosen = (table["level"] == "region") & (table["indicator"] == indicator) & (table["stage"] == stage)
    return list(table["value"][chosen])


@pytest.mark.parametrize("policy", [RICH, MERGING, BASELINE, NOTHING])
def test_its_years_are_those_of_simulate_bit_for_bit(village: Region, policy: Any) -> None:
    before = village.fingerprint()
    model = stepped(village, policy=policy, seed=7, record_schools=True)
    history = simulate(village, policy, INPUT, 7, YEARS, record_schools=True)
    assert village.fingerprint() == before
    assert model.region.fingerprint() == history.region.fingerprint() != before
    assert same(model.history.indicators, history.indicators)
    assert same(model.history.finance, history.finance)
    assert model.history.notices == history.notices
    assert model.history.years == history.years == list(range(village.year + 1, model.year + 1))
    name = str(village.schools.name[0])
    assert same(model.history.school(name), history.school(name))


def test_a_view_reads_and_writes_the_column_itself(village: Region) -> None:
    model = EqualizationModel(village, RICH, seed=1)
    for school in model.agents:
        for title, column in model.region.schools.items():
            assert np.array_equal(getattr(school, title), column[school.row])
            if column.ndim > 1:
                assert np.shares_memory(getattr(school, title), column)
    school = model.school(3)
    school.practice = 1.25
    school.posts[1] += 2
    assert model.region.schools.practice[3] == 1.25
    assert model.region.schools.posts[3, 1] == village.schools.posts[3, 1] + 2
    teacher = next(iter(model.teachers()))
    teacher.age += 1
    assert model.region.teachers.age[0] == village.teachers.age[0] + 1
    assert {"posts", "practice", "teachers"} <= set(dir(school))
    with pytest.raises(AttributeError, match="School has no column 'practise'"):
        _ = school.practise


def test_what_is_written_between_two_years_is_lived_in_the_next(village: Region) -> None:
    changed = village.copy()
    changed.schools.practice_mean[2] = 3.0
    changed.teachers.age[5] = 61
    model = EqualizationModel(village, RICH, seed=1)
    model.school(2).practice_mean = 3.0
    model.person(Teacher, 5).age = 61
    model.step()
    assert model.region.fingerprint() == simulate(changed, RICH, INPUT, 1, 1).region.fingerprint()
    assert model.region.fingerprint() != simulate(village, RICH, INPUT, 1, 1).region.fingerprint()


def test_its_agents_are_the_open_schools_of_the_year(village: Region) -> None:
    model = EqualizationModel(village, MERGING, seed=1)
    seen = [{str(name) for name in model.agents.get("name")}]
    for _ in range(YEARS):
        model.step()
        is_open = model.region.open_schools(model.year)
        assert {str(name) for name in model.agents.get("name")} == set(model.region.schools.name[is_open].tolist())
        assert len(model.agents) == is_open.sum()
        seen.append({str(name) for name in model.agents.get("name")})
    assert "新校" in seen[-1] - seen[0]
    closed = seen[0] - seen[-1]
    assert closed
    with pytest.raises(LookupError):
        model.school(closed.pop())


def test_agent_sets_select_and_aggregate_as_the_columns_do(village: Region) -> None:
    model = EqualizationModel(village, seed=1)
    schools = village.schools
    assert model.agents.agg("practice", np.mean) == pytest.approx(schools.practice.mean(), rel=1e-12)
    rural = model.agents.select(lambda school: school.setting == 2)
    assert sorted(school.row for school in rural) == np.flatnonzero(schools.setting == 2).tolist()
    assert sorted(school.row for school in model.agents.shuffle()) == list(range(schools.n))
    for school in model.agents:
        assert {t.row for t in school.teachers()} == set(np.flatnonzero(village.teachers.school == school.row))
        assert len(school.students()) == school.enrolment.sum()
    old = model.teachers(village.teachers.age >= 50)
    assert isinstance(old, AgentSet)
    assert 0 < len(old) < village.teachers.n
    assert old.agg("age", min) >= 50
    assert (
        len(old.select(lambda teacher: teacher.is_head))
        == (village.teachers.is_head & (village.teachers.age >= 50)).sum()
    )
    assert len(model.agents) == schools.n  # people are not registered
    assert list(model.teachers([4])) == list(model.teachers())[4:5] == [model.person(Teacher, 4)]


def test_a_family_and_its_child_know_each_other(village: Region) -> None:
    model = EqualizationModel(village, seed=1)
    for student in model.students(slice(0, 2000, 400)):
        assert isinstance(student, mesa.Agent)
        assert student.family.ses == village.families.ses[student.row]
        assert student.family.student is student
        assert student.unique_id == village.students.key[student.row]
    assert len(model.families()) == village.families.n


def test_a_view_stays_with_its_person_however_the_rows_move(village: Region) -> None:
    model = EqualizationModel(village, RICH, seed=1)
    teachers, students = model.teachers(), model.students()
    met = [(view, view.row, view.key, view.lasting) for view in teachers]
    for _ in range(2):
        model.step()
    stayed = np.isin([key for _, _, key, _ in met], model.region.teachers.key)
    assert 0 < stayed.sum() < len(met)
    for (view, _, key, lasting), stays in zip(met, stayed, strict=True):
        if stays:
            assert (view.key, view.lasting) == (key, lasting)
            assert model.region.teachers.key[view.row] == key
        else:
            with pytest.raises(LookupError, match="has left"):
                _ = view.age
    assert any(view.row != row for (view, row, _, _), stays in zip(met, stayed, strict=True) if stays)
    del met, view
    assert set(teachers.get("key")) <= set(model.region.teachers.key)
    assert set(students.get("grade")) == set(range(3, 10))


def test_the_data_collector_holds_the_years_and_the_schools(village: Region) -> None:
    report = (*HEADLINES, "gap.districts.primary", "networks.groups.all")
    model = stepped(village, policy=RICH, seed=2, report=report)
    history = simulate(village, RICH, INPUT, 2, YEARS)
    frame = model.datacollector.get_model_vars_dataframe()
    assert list(frame["year"]) == [village.year, *history.years]
    assert set(frame["seed"]) == {2}
    for name in report:
        assert np.isnan(frame[name][0])  # nothing was lived yet
        found = of_region(history, name) or [np.nan] * YEARS
        assert np.array_equal(frame[name][1:], found, equal_nan=True)
    assert frame[list(report)].iloc[1:].notna().any().sum() >= len(report) - 1
    agents = model.datacollector.get_agent_vars_dataframe()
    for (step, _), row in agents.iterrows():
        if step == 0:
            assert row["practice"] == village.schools.practice[village.schools.name == row["name"]][0]
            continue
        then = {title: column[int(step) - 1] for title, column in history.school(row["name"]).items()}
        assert row["practice"] == then["practice"]
        has = history.region.schools.has[history.region.schools.name == row["name"]][0]
        for stage, title in enumerate(("primary", "junior")):
            assert np.isnan(row[f"score.{title}"]) != has[stage]
            if has[stage]:
                assert row[f"score.{title}"] == then["score"][stage]
                assert row[f"reputation.{title}"] == then["reputation"][stage, 0]
                assert row[f"enrolment.{title}"] == then["enrolment"][stage]


def test_it_stops_after_the_years_asked_for_and_never_by_itself(village: Region) -> None:
    model = EqualizationModel(village, seed=1, years=2)
    model.run_model()
    assert model.year == village.year + 2
    assert len(model.datacollector.get_model_vars_dataframe()) == 3
    lived = model.region.fingerprint()
    model.step()
    assert model.region.fingerprint() == lived
    assert stepped(village, 3, seed=1).running


@pytest.mark.filterwarnings("ignore:The `iterations` keyword:DeprecationWarning")
def test_batch_run_takes_it_as_it_is(village: Region) -> None:
    shares = [0.0, 0.4]
    rows = mesa.batch_run(
        EqualizationModel,
        {"region": village, "policy": BASELINE, "teacher_rotation__share_of_eligible": shares, "years": 2},
        iterations=2,
        display_progress=False,
    )
    runs = {row["RunId"]: row for row in rows if row["name"] == village.schools.name[0]}
    assert len(runs) == 4
    assert len({row["seed"] for row in runs.values()}) == 4  # iterations are replicates, not one run four times
    assert sorted(row["teacher_rotation__share_of_eligible"] for row in runs.values()) == [0.0, 0.0, 0.4, 0.4]
    for row in runs.values():
        share = row["teacher_rotation__share_of_eligible"]
        policy = BASELINE.with_value(TeacherRotation, "share_of_eligible", share)
        history = simulate(village, policy, INPUT, row["seed"], 2)
        assert row["year"] == history.years[-1]
        assert row["Step"] == 2
        assert row["rotated_share.primary"] == of_region(history, "rotated_share.primary")[-1]
        assert row["practice"] == history.school(row["name"])["practice"][-1]
        assert row["score.primary"] == history.school(row["name"])["score"][-1, 0]
        assert row["rotated_share.primary"] == 0 or share > 0


def test_a_model_nobody_holds_is_freed(village: Region) -> None:
    """A batch of many runs must not keep their regions."""
    model = stepped(village, policy=RICH, seed=1)
    assert sorted(model.agents.get("unique_id")) == [school.row + 1 for school in model.agents]
    list(model.teachers())
    held = weakref.ref(model)
    del model
    gc.collect()
    assert held() is None


def test_batch_run_reports_every_year_and_stops_where_it_is_told(village: Region) -> None:
    rows = mesa.batch_run(
        EqualizationModel,
        {"region": village, "policy": RICH},
        data_collection_period=1,
        max_steps=3,
        display_progress=False,
    )
    assert [row["year"] for row in rows if row["AgentID"] == 1] == [village.year + i for i in range(4)]


def test_a_seed_that_is_drawn_is_told_and_can_be_lived_again(village: Region) -> None:
    first, second = EqualizationModel(village, RICH), EqualizationModel(village, RICH)
    assert first.seed != second.seed
    again = EqualizationModel(village, RICH, seed=first.seed)
    assert [a.row for a in again.agents.shuffle()] == [a.row for a in first.agents.shuffle()]
    assert again.rng.integers(2**40) == first.rng.integers(2**40)
    for model in (first, second, again):
        model.step()
    assert first.region.fingerprint() == again.region.fingerprint() != second.region.fingerprint()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teacher_rotation__share_of_eligibles": 0.1}, "did you mean 'teacher_rotation__share_of_eligible'"),
        ({"teacher_rotation__share_of_eligible": 1.5}, "expected a number from 0 to 0.5 share"),
        ({"teacher_rotation__share_of_eligible": "0.1"}, "found '0.1'"),
        ({"teacher_rotation__share_of_eligible": float("nan")}, "found nan"),
        ({"teacher_rotation__term_years": 2.5}, "expected a whole number from"),
        ({"teacher_rotation__scope": "street"}, "expected one of .*district"),
        ({"new_schools__primary": "新校@云岚街道"}, "expected a list of names"),
        ({"new_schools__start": 2021}, "unknown argument 'new_schools__start'"),
        ({"scenario": "baseline"}, "unknown argument 'scenario'"),
        ({"calibration": "inputs"}, "did you mean 'input'"),
        ({"report": ["gap.score"]}, "did you mean 'gap.score"),
        ({"seed": 1.5}, "seed: found 1.5"),
        ({"seed": -1}, "seed: found -1"),
    ],
)
def test_wrong_arguments_are_refused_with_one_message(village: Region, arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EqualizationModel(village, **arguments)


def test_a_region_that_is_not_burned_in_is_refused() -> None:
    for region in (build_region("village", seed=1), "village"):
        with pytest.raises(InputError, match="burned in"):
            EqualizationModel(region)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1, np.int64(1), 1.0, np.float64(1.0), True])
def test_numbers_of_every_kind_set_a_lever_alike(value: Any) -> None:
    assert with_lever(RICH, "bundled_evaluation__weight", value) == with_lever(RICH, "bundled_evaluation__weight", 1.0)
    entry = with_lever(NOTHING, "new_schools__primary", ["新校@云岚街道"]).entries[0]
    assert entry.values()["primary"] == ("新校@云岚街道",)


def test_solara_of_mesa_35_may_hand_over_a_scenario_of_mesa(village: Region) -> None:
    assert EqualizationModel(village, seed=1, scenario=SimpleNamespace(rng=None)).seed == 1


def test_by_names_it_is_what_jh_simulate_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path))
    lived = jh.simulate(jh.build_region("village"), "baseline", years=2, seed=3)
    model = ByNames("village", seed=3, years=2)
    model.run_model()
    assert model.region.fingerprint() == lived.region.fingerprint()
    assert ByNames("village").years == jh.scenario("baseline").years
    assert ByNames(jh.build_region("village"), NOTHING).years is None
    with pytest.raises(InputError, match="did you mean 'village'"):
        ByNames("vilage")
    with pytest.raises(InputError, match="did you mean 'baseline'"):
        ByNames("village", "base-line")


@pytest.mark.extras
def test_the_page_with_the_map_lives_years_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ipyvuetify
    import ipywidgets
    import reacton
    import solara

    def refused(*_: Any) -> None:
        raise AssertionError("the page reached for the network")

    monkeypatch.setenv("JUNHENG_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = importlib.import_module("solara_map")
    try:
        _, page = reacton.render(solara.AppLayout(children=[example.page], navigation=False), handle_error=False)

        def pictures() -> list[bytes]:
            return [bytes(found.widget.value) for found in page.find(ipywidgets.Image)]

        def press(button: str) -> None:
            page.find(ipyvuetify.Btn, children=[button]).widget.click()

        at_first = pictures()
        assert len(at_first) == 2
        press("Step")
        assert [a != b for a, b in zip(at_first, pictures(), strict=True)] == [True, True]
        press("Reset")
        assert pictures() == at_first
        page.close()
    finally:
        sys.modules.pop("solara_map", None)
