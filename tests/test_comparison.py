"""Paired differences: their statistics against independent computations, and sentences that say no more than they."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pretend
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from experiments.batch import run_batch, run_folder
from experiments.plan import Task
from model.errors import InputError
from model.indicators import INDICATORS
from results import comparison as c
from results import sentences
from results.run_folder import RunFolder
from results.tables import pack

ABOUT: dict[str, Any] = {
    "scenario": "plan",
    "reference": "baseline",
    "calibration": "input",
    "indicator": "gap.score",
    "stage": "primary",
    "level": "region",
    "place": "",
    "year": 2027,
}
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=12)


def difference(a: Any, b: Any, **about: Any) -> c.Difference:
    found = c.difference_of(np.asarray(a, float), np.asarray(b, float), **{**ABOUT, **about})
    assert found is not None
    return found


def around(mean: float, half: float, n: int = 12, **about: Any) -> c.Difference:
    """A difference whose 95 % interval is mean ± half: symmetric deviations, scaled."""
    deviations = np.tile([-1.0, 1.0], n // 2)
    unit = difference(deviations, np.zeros(n)).half_width
    assert unit is not None
    return difference(mean + deviations * half / unit, np.zeros(n), **about)


# ---- one difference


@given(pairs)
def test_interval_and_p_are_those_of_the_paired_t_test(values: list[tuple[float, float]]) -> None:
    a, b = np.array(values).T
    assume(np.ptp(a - b) > 1e-3 * (1 + np.abs(a).max() + np.abs(b).max()))
    found, oracle = difference(a, b), stats.ttest_rel(a, b)
    ends = oracle.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
    assert found.difference == pytest.approx(a.mean() - b.mean(), abs=1e-6)


@given(st.lists(numbers, min_size=1, max_size=12))
def test_a_scenario_compared_with_itself_differs_in_nothing(values: list[float]) -> None:
    found = difference(values, values)
    assert (found.difference, found.above, found.below, found.better, found.p) == (0, 0, 0, 0, None)
    assert found.verdict == ("same" if len(values) > 1 else "one pair")
    assert found.effect == ""


@given(pairs, st.randoms())
def test_the_order_of_replicates_does_not_matter(values: list[tuple[float, float]], random: Any) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    one, other = (difference(*np.array(v).T) for v in (values, shuffled))
    for name, value in vars(one).items():
        expected = pytest.approx(value, rel=1e-6, abs=1e-6) if isinstance(value, float) else value
        assert getattr(other, name) == expected, name


@given(pairs)
def test_changing_sides_changes_signs(values: list[tuple[float, float]]) -> None:
    a, b = np.array(values).T
    one, other = difference(a, b), difference(b, a)
    assert one.low is not None
    assert other.high is not None
    assert (other.difference, other.high) == pytest.approx((-one.difference, -one.low))
    assert (other.above, other.below) == (one.below, one.above)
    assert (other.variance_ratio is None) == (one.variance_ratio is None)


@given(pairs)
def test_the_variance_ratio_is_what_the_correlation_makes_of_it(values: list[tuple[float, float]]) -> None:
    a, b = np.array(values).T
    found = difference(a, b)
    assume(found.correlation is not None and found.variance_ratio is not None and found.variance_ratio < 1e6)
    va, vb = a.var(ddof=1), b.var(ddof=1)
    assert found.correlation is not None
    expected = (va + vb) / (va + vb - 2 * found.correlation * np.sqrt(va * vb))
    assert found.variance_ratio == pytest.approx(expected, rel=1e-3)


def test_independent_seeds_would_give_one_and_shared_draws_as_much_as_is_shared() -> None:
    rng = np.random.default_rng(1)
    shared, own = rng.normal(size=(1, 20_000)), rng.normal(size=(2, 20_000))
    assert difference(*own).variance_ratio == pytest.approx(1, abs=0.03)
    a, b = 3 * shared + own  # variances 10 and 10, of the difference 2
    assert difference(a, b).variance_ratio == pytest.approx(10, rel=0.03)


@given(st.integers(2, 20), st.integers(1, 5), st.sampled_from([1, -1]))
def test_a_difference_that_is_always_the_same_is_judged_by_its_sign(n: int, size: int, sign: int) -> None:
    found = difference(np.full(n, 7.0 + sign * size), np.full(n, 7.0))
    assert (found.low, found.high) == (sign * size, sign * size)
    assert found.p == pytest.approx(stats.binomtest(n, n, 0.5).pvalue)
    assert found.verdict.endswith("higher" if sign > 0 else "lower")


def test_rounding_is_no_difference() -> None:
    a = np.array([0.1 + 0.2, 1.0, 2.0])
    assert difference(a, [0.3, 1.0, 2.0]).verdict == "same"


def test_replicates_that_lack_one_side_are_left_out() -> None:
    found = difference([1.0, np.nan, 3.0, 5.0], [0.0, 1.0, np.nan, 2.0])
    assert found.pairs == 2
    assert found.difference == 2.0
    assert c.difference_of(np.array([np.nan]), np.array([1.0]), **ABOUT) is None


def test_one_pair_has_no_interval() -> None:
    found = difference([1.0], [2.0])
    assert (found.low, found.high, found.p, found.verdict) == (None, None, None, "one pair")
    assert found.better == 1


@pytest.mark.parametrize(
    ("indicator", "sign", "effect"),
    [("gap.score", -1, "better"), ("gap.score", 1, "worse"), ("satisfaction", 1, "better"), ("enrolment", 1, "")],
)
def test_better_is_what_the_indicator_says_is_better(indicator: str, sign: int, effect: str) -> None:
    found = around(sign * 0.3, 0.01, indicator=indicator)
    assert found.effect == effect
    assert found.better == {"better": 12, "worse": 0, "": None}[effect]


def test_a_share_moves_by_no_more_than_all_of_it() -> None:
    found = difference([1.0, 1.0, 1.0, 0.7], [0.0] * 4, indicator="schools_passing")
    assert found.high == 1.0


# ---- many differences


def closed_testing(p: list[float]) -> list[float]:
    """Holm by its definition: the largest Bonferroni p of all intersections that hold a hypothesis."""
    indices = range(len(p))
    sets = [s for n in range(1, len(p) + 1) for s in itertools.combinations(indices, n)]
    worth = {s: min(1.0, len(s) * min(p[i] for i in s)) for s in sets}
    return [max(v for s, v in worth.items() if i in s) for i in indices]


@given(st.lists(st.floats(0, 1), max_size=7))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    assert list(c.holm(np.array(p))) == pytest.approx(closed_testing(p))


def test_holm_of_published_values() -> None:
    """Four p-values whose adjusted ones stand in textbooks: 0.01, 0.04, 0.03, 0.005."""
    assert list(c.holm(np.array([0.01, 0.04, 0.03, 0.005]))) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_more_that_is_looked_at_makes_one_finding_less_sure() -> None:
    finding = around(0.3, 0.25)
    noise = [replace(around(0.0, 0.3), stage=stage) for stage in "abcdefghij"]
    alone, among = c.adjusted([finding])[0], c.adjusted([finding, *noise])[0]
    assert alone.verdict == "higher"
    assert among.verdict == "perhaps higher"
    assert among.effect == ""


def test_calibrations_disagree_where_signs_differ_and_one_is_sure() -> None:
    sure, other = around(-0.3, 0.1), around(0.3, 0.1, calibration="sorting")
    unsure = around(0.1, 0.3, calibration="sorting")
    vague = around(-0.1, 0.3)
    assert [d.established for d in c.disagreements([sure, other])] == [True]
    assert [d.established for d in c.disagreements([sure, unsure])] == [False]
    assert c.disagreements([vague, unsure]) == []
    assert c.disagreements([sure, replace(sure, calibration="sorting")]) == []


# ---- a run folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    plan = pretend.plan(replicates=6, calibrations=("input", "sorting"))
    made = run_folder(plan, tmp_path_factory.mktemp("runs") / "a")
    run_batch(plan, made, work=pretend.live)
    return RunFolder.open(made.path)


def test_a_run_is_compared_as_its_table_says(folder: RunFolder) -> None:
    found = c.compare(folder, outcomes=["gap.score"])
    frame = folder.table("indicators").to_pandas()
    frame = frame[(frame.year == 2023) & (frame.indicator == "gap.score")]
    wide = frame.pivot_table(
        index=["calibration", "stage", "replicate"], columns="scenario", values="value", observed=True
    )
    d = wide["wuqing-2020-2022"] - wide["baseline"]
    for one in found.differences:
        own = d[one.calibration][one.stage]
        assert one.difference == pytest.approx(own.mean())
        assert one.below == (own < 0).sum()
    assert {(one.calibration, one.stage) for one in found.differences} == set(
        itertools.product(("input", "sorting"), ("primary", "junior"))
    )
    assert found.differences[0].difference == pytest.approx(-0.1, abs=0.02), "what the pretended plan does"
    assert all(shared.variance_ratio > 20 for shared in found.shared), "a part in a hundred of its noise is its own"


def test_the_money_is_the_sum_of_all_years(folder: RunFolder) -> None:
    one = c.compare(folder, outcomes=["yuan.transfer"]).differences[0]
    frame = folder.table("finance").to_pandas()
    stipends = frame[(frame["item"] == "stipend") & (frame.calibration == one.calibration)]
    sums = stipends.groupby(["scenario", "replicate"], observed=True).yuan.sum()
    expected = (sums["wuqing-2020-2022"] - sums["baseline"]).mean()
    assert one.difference == pytest.approx(expected)
    assert one.year is None


def test_the_series_behind_a_comparison_have_its_means(folder: RunFolder) -> None:
    series = c.paired_series(folder, ["cv.equipment:junior"])
    differences = c.compare(folder, outcomes=["cv.equipment:junior"]).differences
    assert [d.mean() for d in series] == pytest.approx([one.difference for one in differences])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"reference": "basline"}, "did you mean 'baseline'"),
        ({"outcomes": ["gap.scor"]}, "did you mean 'gap.score'"),
        ({"outcomes": ["gap.score:primry"]}, "did you mean 'primary'"),
        ({"year": 2031}, "2020 to 2023"),
        ({"level": "distrikt"}, "did you mean 'district'"),
        ({"level": "town", "outcomes": ["gap.score"]}, "one of its levels: region, district"),
        ({"level": "town"}, "level town"),
    ],
)
def test_what_a_run_does_not_have_is_refused_by_name(arguments: dict[str, Any], said: str, folder: RunFolder) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        c.compare(folder, **arguments)


def test_one_scenario_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    plan = replace(pretend.plan(replicates=2), scenarios=pretend.plan().scenarios[:1])
    made = run_folder(plan, tmp_path / "a")
    run_batch(plan, made, work=pretend.live)
    with pytest.raises(InputError, match="two or more"):
        c.compare(RunFolder.open(made.path))


def live_in_towns(task: Task) -> Mapping[str, bytes]:
    """Forty towns with the same noise; the plan hurts the first one and helps the second."""
    rng = np.random.default_rng(task.run.seed)
    effect = np.zeros(40)
    if task.run.scenario != "baseline":
        effect[:2] = -0.5, 0.5
        effect += 0.01 * np.random.default_rng(task.run.seed + 1).normal(size=40)
    value = np.linspace(-1, 1, 40) + rng.normal(size=40) + effect
    rows = {
        "year": np.full(40, 2023),
        "level": np.full(40, "town"),
        "place": [f"town {i}" for i in range(40)],
        "stage": np.full(40, "primary"),
        "indicator": np.full(40, "mean_score"),
        "value": value,
    }
    return {**pretend.live(task), "indicators": pack("indicators", rows)}


def test_who_lost_is_found_among_many_who_did_not(tmp_path: Path) -> None:
    plan = pretend.plan(replicates=8)
    made = run_folder(plan, tmp_path / "a")
    run_batch(plan, made, work=live_in_towns)
    run = RunFolder.open(made.path)
    assert c.losers(run)[0].place == "town 0"
    assert len(c.losers(run)) <= 4, "a false discovery rate of 5 %"
    assert len(c.places(run)) == 40
    assert "town 1" not in [d.place for d in c.losers(run)]
    found = {d.place: d for d in c.compare(run, outcomes=["mean_score"], level="town").differences}
    assert found["town 1"].verdict == "higher"
    only = c.compare(run, outcomes=["mean_score"], level="town", place="town 7").differences
    assert [d.place for d in only] == ["town 7"]


def test_tables_without_rows_have_no_differences() -> None:
    fields = {"scenario": pa.string(), "calibration": pa.string(), "replicate": pa.int32(), "year": pa.int16()}
    fields |= dict.fromkeys(("level", "place", "stage", "indicator"), pa.string()) | {"value": pa.float64()}
    empty = pa.schema(list(fields.items())).empty_table()
    assert c.differences_in(empty, None, ["a", "b"], ["input"], "a", [("gap.score", "primary")]) == []


# ---- sentences

FOUND = re.compile(r"(\d[\d,]*\.?\d*)")


def said_numbers(text: str) -> list[float]:
    body = text.split(":", 1)[1] if ":" in text else text.split("：", 1)[1]
    return [float(n.replace(",", "")) for n in FOUND.findall(body)]


@given(
    st.floats(-50, 50, allow_nan=False),
    st.floats(1e-4, 50),
    st.sampled_from(["gap.score", "cv.equipment", "enrolment", "satisfaction", "yuan.real"]),
    st.sampled_from(["en", "zh"]),
)
def test_a_sentence_says_no_more_than_the_interval(mean: float, half: float, indicator: str, lang: str) -> None:
    scale = {"satisfaction": 0.01, "yuan.real": 1e6}.get(indicator, 1.0)
    d = around(mean * scale, half * scale, indicator=indicator)
    assert d.low is not None
    assert d.high is not None
    text = sentences.sentence(d, lang)
    unsure = d.low <= 0 <= d.high
    assert (("cannot tell" if lang == "en" else "不足以区分") in text) == unsure
    factor = sentences.UNITS[sentences.unit_of(indicator)][0]
    low, high = d.low * factor, d.high * factor
    shown = [float(n.replace("−", "-").replace(",", "")) for n in sentences.interval(d).split(" … ")]
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert shown[0] <= low + slack
    assert shown[-1] >= high - slack
    if unsure:
        return
    up, down = ("higher", "lower") if lang == "en" else ("高", "低")
    assert (up in text, down in text) == (mean > 0, mean < 0)
    assert all(end * mean > 0 for end in shown), "an end that is not zero is not shown as zero"
    said = said_numbers(text)
    assert min(abs(v) for v in shown) in said
    assert max(abs(v) for v in shown) in said


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("found", "said"),
    [
        (difference([1.0, 2.0], [1.0, 2.0]), ("the same under plan and baseline in each of 2", "完全相同")),
        (difference([2.0], [1.0]), ("gives no interval", "无法给出区间")),
        (difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]), ("in each of 3 replicates", "3 次重复中每次都是")),
        (replace(around(0.3, 0.2), p_adjusted=0.4), ("which may be chance", "不能排除偶然")),
    ],
)
def test_what_is_not_an_interval_is_said_as_what_it_is(lang: str, found: c.Difference, said: tuple[str, str]) -> None:
    assert said[lang == "zh"] in sentences.sentence(found, lang)


def test_every_unit_has_a_name_in_both_languages() -> None:
    assert {i.unit for i in INDICATORS.values()} <= set(sentences.UNITS)
    for _, en, zh in sentences.UNITS.values():
        assert bool(en) == bool(zh)


@given(st.sampled_from(sorted(INDICATORS)), st.floats(-1, 1), st.floats(0.01, 1))
def test_chinese_sentences_hold_no_english_but_names(indicator: str, mean: float, half: float) -> None:
    text = sentences.sentence(around(mean, half, indicator=indicator), "zh")
    left = re.sub(r"plan|baseline|\d|C级|SD", "", text)
    assert not re.search(r"[A-Za-z]", left), text
