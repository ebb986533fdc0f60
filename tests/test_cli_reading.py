"""The reading commands: what they answer, and what they refuse with one message and exit status 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.clauses import CLAUSES
from experiments.scenario import load_scenario, scenarios
from junheng.cli import main
from junheng.commands import listing
from junheng.commands.explain import look_up
from model.behaviour import parameters
from model.indicators import INDICATORS
from model.levers import LEVERS
from model.profile import profiles

ROOT = Path(__file__).parents[1]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command line in an empty folder; returns status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        held = capsys.readouterr()
        return status, held.out, held.err

    return run


# ---- bad input

WRONG_FILES = {
    "an unknown lever": (
        "extends: baseline\npolicies:\n  teacher_rotatoin:\n    - {share_of_eligible: 0.1}\n",
        ["line 3", "unknown lever 'teacher_rotatoin'", "did you mean 'teacher_rotation'?"],
    ),
    "a misspelt field of a lever": (
        "extends: baseline\npolicies:\n  teacher_rotation:\n    - from: 2020\n      share_of_eligibel: 0.1\n",
        ["line 5", "unknown field of teacher_rotation 'share_of_eligibel'", "did you mean 'share_of_eligible'?"],
    ),
    "a misspelt key": ("extends: baseline\nyaers: 3\n", ["line 2", "unknown key 'yaers'", "did you mean 'years'?"]),
    "a misspelt key of a target": (
        "extends: baseline\ntargets:\n  - {indicator: cv.equipment, stage: primary, at_mots: 1, by: 2022}\n",
        ["line 3", "'at_mots'", "did you mean 'at_most'?"],
    ),
    "a share of 1.3": (
        "extends: baseline\npolicies:\n  teacher_rotation:\n    - share_of_eligible: 1.3\n",
        ["line 4", "teacher_rotation.share_of_eligible: 1.3", "from 0 to 0.5 (share)"],
    ),
    "a percentage as text": (
        "extends: baseline\npolicies:\n  teacher_rotation:\n    - share_of_eligible: 10%\n",
        ["line 4", "the text '10%'", "did you mean '0.1'?"],
    ),
    "a number with a comma": (
        "extends: baseline\npolicies:\n  stipend:\n    - yuan_per_year: 24,000\n",
        ["line 4", "the text '24,000'", "(yuan)", "did you mean '24000'?"],
    ),
    "half a class": (
        "extends: baseline\npolicies:\n  caps:\n    - class_primary: 45.5\n",
        ["line 4", "45.5", "a whole number"],
    ),
    "a yes that is a word": (
        "extends: baseline\npolicies:\n  education_groups:\n    - integrated: yes\n",
        ["line 4", "the text 'yes'", "true or false"],
    ),
    "a misspelt choice": (
        "extends: baseline\npolicies:\n  stipend:\n    - who: secondad\n",
        ["line 4", "'secondad'", "did you mean 'seconded'?"],
    ),
    "an entry that ends before it begins": (
        "extends: baseline\npolicies:\n  posts:\n    - from: 2023\n      until: 2021\n",
        ["line 5", "until 2021, before from 2023", "2023 or later"],
    ),
    "a target due before the start": (
        "extends: baseline\nstarts: 2021\ntargets:\n"
        "  - {indicator: cv.equipment, stage: primary, at_most: 1, by: 2020}\n",
        ["line 4", "by 2020", "2021 or later"],
    ),
    "a date that is not a year": ("extends: baseline\nstarts: 20200901\n", ["line 2", "20200901", "from 1990 to 2100"]),
    "two entries in force together": (
        "extends: baseline\npolicies:\n  posts:\n    - {from: 2020, until: 2022}\n    - {from: 2022}\n",
        ["line 5", "a second entry of posts in force in 2022", "line 4"],
    ),
    "coverage together with count": (
        "extends: baseline\npolicies:\n  education_groups:\n    - {coverage: 0.2, count: 3}\n",
        ["line 4", "both coverage and count", "one of the two"],
    ),
    "an unknown region": (
        "extends: baseline\nregion: wuqin\n",
        ["line 2", "unknown region 'wuqin'", "did you mean 'wuqing'?"],
    ),
    "an unknown clause": (
        "extends: baseline\npolicies:\n  posts:\n    - {follow_enrolment: 0.1, clause: WQ3-999}\n",
        ["line 4", "unknown clause 'WQ3-999'", "did you mean 'WQ3-"],
    ),
    "an unknown indicator": (
        "extends: baseline\ntargets:\n  - {indicator: cv.equipmnt, stage: primary, at_most: 1, by: 2022}\n",
        ["line 3", "unknown indicator 'cv.equipmnt'", "did you mean 'cv.equipment'?"],
    ),
    "an indicator at a stage that it has not": (
        "extends: baseline\ntargets:\n  - {indicator: cv.equipment, stage: all, at_most: 1, by: 2022}\n",
        ["line 3", "cv.equipment by stage 'all'", "primary"],
    ),
    "an unknown setting": (
        "extends: baseline\npolicies:\n  facility_investment:\n    - where: {settings: [rural]}\n",
        ["line 4", "unknown setting 'rural'", "did you mean 'village'?"],
    ),
    "an unknown town": (
        "extends: baseline\nregion: village\npolicies:\n  facility_investment:\n    - where: {towns: [杨村]}\n",
        ["line 5", "unknown town '杨村'"],
    ),
    "a place for a lever of the whole region": (
        "extends: baseline\npolicies:\n  posts:\n    - where: {settings: [village]}\n",
        ["line 4", "posts limited to places", "it holds for the whole region"],
    ),
    "a lever that is no list": (
        "extends: baseline\npolicies:\n  posts: {follow_enrolment: 0.1}\n",
        ["line 3", "posts: a mapping", "a list of entries"],
    ),
    "a file that extends itself": ("extends: wrong.yaml\n", ["line 1", "extends itself (wrong → wrong)"]),
    "an unknown parent": ("extends: baselin\n", ["line 1", "unknown scenario 'baselin'", "did you mean 'baseline'?"]),
    "no years and no parent": ("region: wuqing\nstarts: 2020\n", ["line 1", "no 'years'"]),
    "a duplicate key": ("extends: baseline\nyears: 3\nyears: 4\n", ["line 3", "'years' a second time", "line 2"]),
    "a tag of Python": ("extends: !!python/object/apply:os.getcwd []\n", ["line 1", "python/object"]),
    "unreadable YAML": ("extends: baseline\npolicies: [}\n", ["line 2"]),
    "a list": ("- extends: baseline\n", ["line 1", "a list", "a mapping"]),
    "nothing": ("", ["line 1", "nothing", "a mapping"]),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_wrong_scenario_file_is_refused_in_one_line_that_says_where_what_and_what_instead(
    wrong: str, ask: Any, tmp_path: Path
) -> None:
    text, told = WRONG_FILES[wrong]
    Path("wrong.yaml").write_text(text, encoding="utf-8")
    status, out, err = ask("scenario", "check", "wrong.yaml")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for part in told:
        assert part in err, err
    if "line" in told[0]:
        assert f"wrong.yaml, {told[0]}:" in err
    assert [p.name for p in tmp_path.iterdir()] == ["wrong.yaml"]


def test_files_that_extend_each_other_are_refused_with_the_chain(ask: Any) -> None:
    Path("a.yaml").write_text("extends: b.yaml\n")
    Path("b.yaml").write_text("extends: c.yaml\n")
    Path("c.yaml").write_text("extends: a.yaml\n")
    status, _, err = ask("scenario", "check", "a.yaml")
    assert status == 2
    assert "c.yaml, line 1" in err
    assert "a → b → c → a" in err


def test_a_file_that_is_not_there_or_not_text_is_refused(ask: Any) -> None:
    assert "no file 'missing.yaml'" in ask("scenario", "check", "missing.yaml")[2]
    Path("bytes.yaml").write_bytes(b"extends: \xff\xfe")
    status, _, err = ask("scenario", "check", "bytes.yaml")
    assert status == 2
    assert "UTF-8" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lsit"], "list"),
        (["list", "lever"], "did you mean 'levers'?"),
        (["list", "levers", "--jsn"], "--json"),
        (["list", "levers", "--lang", "fr"], "one of en, zh"),
        (["list"], "KIND"),
        (["explain", "teacher_rotaton"], "did you mean 'teacher_rotation'?"),
        (["explain", "stipend.yuan_per_yaer"], "did you mean 'stipend.yuan_per_year'?"),
        (["explain", "WQ3-999"], "did you mean 'WQ3-"),
        (["scenario", "chek"], "check"),
        (["scenario", "check", "wuqing-2020-2023"], "did you mean 'wuqing-2020-2022'?"),
        (["scenario", "diff", "baseline"], "SCENARIO"),
        (["scenario", "new", "x.yaml", "--extends", "base"], "did you mean 'baseline'?"),
        (["scenario", "new", "x.yaml", "--region", "wuqng"], "did you mean 'wuqing'?"),
        (["scenario", "new", "no/such/folder/x.yaml"], "no/such/folder"),
        (["run", "baseline", "--replicates", "none"], "--replicates"),
        (["run", "baseline", "--calibration", "inputs"], "did you mean 'input'?"),
        (["run", "baseline", "--replicats", "3"], "--replicates"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_refused_in_one_line_that_names_what_was_meant(
    arguments: list[str], told: str, ask: Any, tmp_path: Path
) -> None:
    status, out, err = ask(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("junheng: ")
    assert err.count("\n") == 1
    assert told in err
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_ends_with_130_and_no_traceback(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "list_kind", interrupted)
    status, out, err = ask("list", "levers")
    assert (status, out) == (130, "")
    assert "Traceback" not in err


# ---- list


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("scenarios", lambda: set(scenarios())),
        ("regions", lambda: set(profiles())),
        ("levers", lambda: {f"{n}.{f}" for n, kind in LEVERS.items() for f in kind.settings()}),
        ("indicators", lambda: set(INDICATORS)),
        ("parameters", lambda: set(parameters())),
        ("clauses", lambda: set(CLAUSES)),
    ],
)
def test_list_names_everything_of_a_kind_as_json_and_as_a_table(kind: str, names: Any, ask: Any) -> None:
    status, out, err = ask("list", kind, "--json")
    assert (status, err) == (0, "")
    assert {row["name"] for row in json.loads(out)} == names()
    status, table, err = ask("list", kind)
    assert (status, err) == (0, "")
    assert all(name in table for name in names())


def test_list_targets_is_every_target_of_every_scenario(ask: Any) -> None:
    rows = json.loads(ask("list", "targets", "--json")[1])
    assert len(rows) == sum(len(load_scenario(name).targets) for name in scenarios())
    assert {"scenario", "indicator", "stage", "direction", "required", "by", "clause"} <= set(rows[0])


def test_list_like_keeps_the_rows_in_which_the_text_stands(ask: Any) -> None:
    rows = json.loads(ask("list", "clauses", "--json", "--like", "轮岗")[1])
    assert {row["id"] for row in rows} == {c.id for c in CLAUSES.values() if "轮岗" in c.phrase_zh}


def test_lang_zh_answers_in_chinese_and_lang_en_in_english(ask: Any) -> None:
    meta = LEVERS["stipend"].settings()["yuan_per_year"].metadata
    chinese, english = ask("list", "levers", "--lang", "zh")[1], ask("list", "levers", "--lang", "en")[1]
    assert meta["zh"] in chinese
    assert meta["en"] not in chinese
    assert meta["en"] in english
    assert meta["zh"] not in english


# ---- explain


def test_every_lever_field_indicator_and_parameter_is_explained_in_both_languages() -> None:
    fields = [f"{n}.{f}" for n, kind in LEVERS.items() for f in kind.settings()]
    for name in [*LEVERS, *fields, *INDICATORS, *parameters(), *scenarios(), *profiles()]:
        found = look_up(name)
        assert found["name"] == name
        assert any("一" <= character <= "鿿" for character in found["zh"]), name
        assert any(character.isascii() and character.isalpha() for character in found["en"]), name


def test_explain_a_clause_gives_its_words_and_what_it_became(ask: Any) -> None:
    found = json.loads(ask("explain", "WQ3-073", "--json")[1])
    assert found["phrase_zh"] == CLAUSES["WQ3-073"].phrase_zh
    used = {(row["scenario"], row["what"].split()[0]) for row in found["used_by"]}
    assert used == {("wuqing-2020-2022", "teacher_rotation"), ("wuqing-2020-2022", "rotated_share")}


def test_explain_a_field_gives_its_range_and_its_value_in_each_scenario(ask: Any) -> None:
    found = json.loads(ask("explain", "teacher_rotation.share_of_eligible", "--json")[1])
    assert (found["unit"], found["low"], found["high"]) == ("share", 0, 0.5)
    rows = [(row["scenario"], row["years"], row["value"]) for row in found["scenarios"]]
    assert {(scenario, value) for scenario, _, value in rows if scenario in ("baseline", "wuqing-2020-2022")} == {
        ("baseline", 0.02),
        ("wuqing-2020-2022", 0.1),
    }
    assert sorted((years, value) for scenario, years, value in rows if scenario == "wuqing-14th-plan") == [
        ("2021–2022", 0.1),
        ("2023–", 0.2),
        ("–2020", 0.02),
    ]
    assert {row["clause"] for row in found["clauses"]} >= {"WQ3-073", "WQ3-074"}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "name", ["stipend", "stipend.who", "cv.equipment", "persistence", "TJ2-011", "baseline", "wuqing"]
)
def test_explain_prints_a_card_for_every_sort_of_name(name: str, lang: str, ask: Any) -> None:
    status, out, err = ask("explain", name, "--lang", lang)
    assert (status, err) == (0, "")
    assert name in out


# ---- scenario new, check, diff


def test_a_new_scenario_is_valid_names_every_lever_and_is_never_overwritten(ask: Any) -> None:
    assert ask("scenario", "new", "mine")[0] == 0
    text = Path("mine.yaml").read_text(encoding="utf-8")
    assert all(f"{name}:" in text for name in LEVERS)
    status, out, _ = ask("scenario", "check", "mine.yaml", "--json")
    assert status == 0
    assert json.loads(out)[0]["valid"] is True
    status, _, err = ask("scenario", "new", "mine.yaml")
    assert status == 2
    assert "exists" in err
    assert Path("mine.yaml").read_text(encoding="utf-8") == text


def test_every_lever_in_the_template_is_valid_once_its_comment_is_taken_away(ask: Any) -> None:
    ask("scenario", "new", "mine.yaml")
    lines = Path("mine.yaml").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("#  education_groups"))
    stop = next(i for i, line in enumerate(lines) if line.startswith("targets"))
    body = [line[1:] if line.startswith("#  ") else line for line in lines[start:stop]]
    Path("all.yaml").write_text("\n".join([*lines[:start], *body]), encoding="utf-8")
    status, out, err = ask("scenario", "check", "all.yaml", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)[0]["levers"] == len(LEVERS)


def test_diff_of_a_scenario_with_itself_is_empty_and_with_another_names_its_levers(ask: Any) -> None:
    assert json.loads(ask("scenario", "diff", "baseline", "baseline", "--json")[1])["differences"] == []
    assert "nothing differs" in ask("scenario", "diff", "baseline", "baseline")[1]
    rows = json.loads(ask("scenario", "diff", "baseline", "wuqing-2020-2022", "--json")[1])["differences"]
    share = [r for r in rows if r["what"] == "teacher_rotation.share_of_eligible"]
    assert [(r["from"], r["until"], r["a"], r["b"]) for r in share] == [(2020, 2027, 0.02, 0.1)]
    assert "teacher_rotation.share_of_eligible" in ask("scenario", "diff", "baseline", "wuqing-2020-2022")[1]


# ---- help, and what it costs


def test_help_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from junheng.cli import main; status = main(['--help']); "
        "heavy = {'numpy', 'scipy', 'pandas', 'pyarrow', 'matplotlib', 'yaml'} & set(sys.modules); "
        "print(status, sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "0 []"
    assert all(command in done.stdout for command in ("run", "list", "explain", "scenario"))


def test_a_reader_that_stops_early_gets_no_traceback() -> None:
    shell = f"{sys.executable} -m junheng list clauses --json | head -c 10"
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_an_ascii_terminal_gets_escapes_instead_of_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "junheng", "explain", "WQ3-073", "--json"],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout.decode("ascii"))["phrase_zh"] == CLAUSES["WQ3-073"].phrase_zh


def test_the_front_door_has_the_four_names_and_imports_nothing_before_they_are_asked_for() -> None:
    code = (
        "import sys, junheng; print(sorted(junheng.__all__)); "
        "print([n for n in ('numpy', 'junheng.api') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['build_region', 'run', 'scenario', 'simulate']", "[]"]
