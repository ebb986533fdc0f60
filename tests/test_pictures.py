"""The picture of the README is drawn from a run folder alone, in both languages, in one colour a scenario."""

from __future__ import annotations

from pathlib import Path

import pretend
import pytest

from experiments.batch import run_batch, run_folder
from model.errors import InputError
from results.drawing import DASHES, GREY, SCENARIOS, TARGET, looks
from results.pictures import gaps, main
from results.run_folder import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Three pretended replicates of the baseline and a plan whose gap is 0.1 narrower."""
    plan = pretend.plan(3)
    made = run_folder(plan, tmp_path_factory.mktemp("pictures") / "run")
    run_batch(plan, made, workers=0, work=pretend.live)
    return made


@pytest.mark.parametrize(("lang", "word"), [("en", "narrower"), ("zh", "缩小")])
def test_the_title_says_what_the_paired_intervals_say(folder: RunFolder, lang: str, word: str) -> None:
    title, note = (text.get_text() for text in gaps(folder, lang=lang).texts)
    assert word in title.replace("\n", "")
    assert "3" in note


def test_a_picture_is_drawn_of_a_run_folder_and_of_nothing_else(folder: RunFolder, tmp_path: Path) -> None:
    assert main([str(folder.path), str(tmp_path / "picture.png"), "zh"]) == 0
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="sorting"):
        gaps(folder, "sorting")
    assert main([str(tmp_path), str(tmp_path / "none.png")]) == 2
    assert not (tmp_path / "none.png").exists()


def test_scenarios_keep_apart_from_one_another_from_the_baseline_and_from_targets() -> None:
    many = [f"plan-{i}" for i in range(len(SCENARIOS) * len(DASHES))]
    found = looks(["baseline", *many])
    drawn = [(look.colour, str(look.dashes)) for look in found.values()]
    assert len(set(drawn)) == len(drawn)
    assert found["baseline"].colour == GREY
    assert TARGET not in {look.colour for look in found.values()}


def test_a_scenario_looks_the_same_whether_the_baseline_stands_beside_it_or_not() -> None:
    assert looks(["a", "b"]) == {
        name: look for name, look in looks(["a", "baseline", "b"]).items() if name != "baseline"
    }
