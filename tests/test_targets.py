"""A target on a change: what a year shows less what an earlier one did, place by place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.targets import judge, label

PLACES = ("甲", "乙", "丙")
YEARS = (2020, 2021, 2022)
VALUE = st.one_of(st.just(float("nan")), st.floats(-5, 5).map(lambda v: round(v, 3)))


def target(**settings: Any) -> dict[str, Any]:
    usual = {
        "indicator": "gap.score", "stage": "primary", "level": "town", "place": "", "direction": "at_most",
        "required": 0.0, "by": 2022, "since": 2020, "clause": "T-1",
    }  # fmt: skip
    return usual | settings


def table(values: dict[tuple[int, str], float]) -> dict[str, Any]:
    """Columns of one indicator of towns, with others of the same years that must not be read."""
    rows = [(y, "town", p, "primary", "gap.score", v) for (y, p), v in values.items()]
    rows += [(y, "town", p, "junior", "gap.score", 99.0) for y, p in values]
    rows += [(y, "region", p, "primary", "gap.score", 99.0) for y, p in values]
    rows += [(y, "town", p, "primary", "local_stay", 99.0) for y, p in values]
    names = ("year", "level", "place", "stage", "indicator", "value")
    return {name: np.array([r[i] for r in rows]) for i, name in enumerate(names)}


@given(
    values=st.dictionaries(st.tuples(st.sampled_from(YEARS), st.sampled_from(PLACES)), VALUE, min_size=1),
    since=st.sampled_from([None, 2019, *YEARS]),
    by=st.sampled_from([*YEARS, 2030]),
    place=st.sampled_from(["", *PLACES]),
    direction=st.sampled_from(["at_most", "at_least"]),
    required=st.floats(-3, 3).map(lambda v: round(v, 3)),
)
def test_a_change_is_judged_by_its_worst_place_that_has_both_years(
    values: dict[tuple[int, str], float], since: int | None, by: int, place: str, direction: str, required: float
) -> None:
    asked = target(since=since, by=by, place=place, direction=direction, required=required)
    rows = judge([asked], table(values))
    changes = []
    for p in PLACES if not place else (place,):
        now, before = values.get((by, p), np.nan), 0.0 if since is None else values.get((since, p), np.nan)
        if not np.isnan(now - before):
            changes.append(now - before)
    if not changes:
        assert (rows["value"], rows["met"]) == ([None], [None])
        return
    worst = max(changes) if direction == "at_most" else min(changes)
    assert rows["value"] == [pytest.approx(worst)]
    met = worst <= required + 1e-9 if direction == "at_most" else worst >= required - 1e-9
    assert rows["met"] == [met]


@pytest.mark.parametrize(("before", "after", "met"), [(0.5, 0.4, True), (0.5, 0.45, False), (0.5, 0.6, False)])
def test_a_gap_that_is_to_fall_by_a_tenth_must_fall_by_it(before: float, after: float, met: bool) -> None:
    lived = table({(2020, "甲"): before, (2022, "甲"): after})
    assert judge([target(required=-0.1)], lived)["met"] == [met]


def test_a_change_from_a_year_to_itself_is_nothing() -> None:
    rows = judge([target(since=2022, required=0.0)], table({(2022, "甲"): 0.7}))
    assert (rows["value"], rows["met"]) == ([0.0], [True])


def test_a_target_on_a_change_says_from_when() -> None:
    plain = target()
    del plain["since"]
    assert label(target()) == label(plain) + " since 2020"
    assert label(target(since=None)) == label(plain)
    assert judge([target()], table({(2020, "甲"): 0.0}))["target"] == [label(target())]
