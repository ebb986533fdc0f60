"""The picture of a run: its title says what the numbers say, and it is drawn from a run folder alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pretend
import pytest

from experiments.batch import run_batch, run_folder
from model.errors import InputError
from results.pictures import Lived, finding, gaps, main

PLAN = "wuqing-2020-2022"


def lived(primary: float, junior: float) -> Lived:
    """Eight replicates whose last year's gap differs by these, give or take 0.01."""
    shared, own = np.linspace(0.3, 0.5, 8), np.array([-0.01, 0.01] * 4)
    series = {}
    for stage, effect in (("primary", primary), ("junior", junior)):
        series["baseline", "gap.score", stage] = np.column_stack([shared, shared])
        series[PLAN, "gap.score", stage] = np.column_stack([shared, shared + own + effect])
    return Lived("wuqing", "input", ["baseline", PLAN], [2020, 2021], series, [])


@pytest.mark.parametrize(
    ("primary", "junior", "said"),
    [
        (-0.1, -0.1, "is narrower in 2021"),
        (0.1, 0.1, "is wider in 2021"),
        (0.001, -0.001, "is not measurably different in 2021"),
        (-0.1, 0.0, "is narrower in primary schools and not measurably different in junior schools in 2021"),
    ],
)
def test_the_title_says_what_the_paired_intervals_say(primary: float, junior: float, said: str) -> None:
    sentence, numbers = finding(lived(primary, junior))
    assert sentence.endswith(said)
    assert f"{primary:+.3f}".replace("-", "−") in numbers


def test_a_picture_is_drawn_of_a_run_folder_and_of_nothing_else(tmp_path: Path) -> None:
    plan = pretend.plan(3)
    folder = run_folder(plan, tmp_path / "run")
    run_batch(plan, folder, workers=0, work=pretend.live)
    assert main([str(folder.path), str(tmp_path / "picture.png")]) == 0
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="sorting"):
        gaps(folder, "sorting")
    assert main([str(tmp_path), str(tmp_path / "none.png")]) == 2
    assert not (tmp_path / "none.png").exists()
