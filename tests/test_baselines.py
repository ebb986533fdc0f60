"""The indicators of every shipped scenario are the committed ones: a change of results is meant and told."""

from __future__ import annotations

import math
from collections.abc import Iterator

import baselines
import pytest

from model.indicators import INDICATORS

AT_ONCE = ("village", "zibo-strong-town")  # small regions, in the ordinary suite
TOLERANCE = 1e-9  # of an indicator's scale, its largest value in the file: processors round differently
LEAST_SCALE = 1e-3  # of what is nil but for rounding


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of prepared regions of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUNHENG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def departures(name: str) -> list[str]:
    """What the file of a case and the model do not agree on, the largest change for its scale first."""
    then, now = baselines.kept(name), baselines.computed(name)
    scale: dict[str, float] = {}
    for (*_, indicator), value in then.items():
        scale[indicator] = max(scale.get(indicator, LEAST_SCALE), 0.0 if math.isnan(value) else abs(value))
    moved = {key: distance(then[key], now[key]) / scale[key[-1]] for key in then.keys() & now.keys()}
    order = sorted((key for key in moved if moved[key] > TOLERANCE), key=lambda key: (-moved[key], key))
    return [
        *(f"{said(key)}: only in the file" for key in sorted(then.keys() - now.keys())),
        *(f"{said(key)}: not in the file" for key in sorted(now.keys() - then.keys())),
        *(f"{said(key)}: {then[key]!r} -> {now[key]:.10g}" for key in order),
    ]


def distance(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    return abs(a - b)


def said(key: baselines.Key) -> str:
    return " ".join(map(str, key))


def agree(name: str) -> None:
    found = departures(name)
    assert not found, (
        f"{len(found)} values of {name} are not those of tests/baselines/{name}.tsv. If that is meant, run "
        f"`{baselines.COMMAND} {name}` and name the change in CHANGELOG.md under 'Results change':\n"
        + "\n".join(found[:20])
    )


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_small_region_gives_the_indicators_that_are_committed(name: str) -> None:
    agree(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in baselines.NAMES if name not in AT_ONCE])
def test_every_scenario_gives_the_indicators_that_are_committed(name: str) -> None:
    agree(name)


@pytest.mark.parametrize("name", baselines.NAMES)
def test_a_file_holds_every_indicator_of_the_region_in_three_years_under_both_calibrations(name: str) -> None:
    kept = baselines.kept(name)
    assert {key[0] for key in kept} == set(baselines.CALIBRATIONS)
    assert len({key[1] for key in kept}) == 3
    told = {(indicator, stage) for _, _, stage, indicator in kept}
    assert told == {(i.name, stage) for i in INDICATORS.values() if "region" in i.levels for stage in i.stages}


def test_a_change_of_a_value_a_missing_and_a_new_one_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {("input", 2020, "all", "a"): 2.0, ("input", 2020, "all", "b"): math.nan, ("input", 2020, "all", "c"): 1.0}
    now = {("input", 2020, "all", "a"): 2.0 + 5e-9, ("input", 2020, "all", "b"): 0.0, ("input", 2020, "all", "d"): 1.0}
    monkeypatch.setattr(baselines, "kept", lambda name: kept)
    monkeypatch.setattr(baselines, "computed", lambda name: now)
    assert [line.split(":")[0].split()[-1] for line in departures("village")] == ["c", "d", "b", "a"]
    now["input", 2020, "all", "a"] = 2.0 + 1e-9
    assert len(departures("village")) == 3
