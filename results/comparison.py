"""Scenarios compared: differences paired by replicate, with intervals and what they allow to be said.

Scenarios of one replicate share the region and all draws, so what is analysed is the difference within each
replicate: its mean with a 95 % t interval, in how many replicates one scenario beats the other, and how much the
shared draws helped. The t interval is used at every number of replicates: measured on normal and skewed
differences (`python -m benchmarks.stopping --intervals`), the BCa bootstrap covers less below 32 replicates and no
better above. p-values of all differences that are shown together are adjusted by Holm's method.

`compare(folder)` is what others call; `sentences.sentence(difference, lang)` says a difference in words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import stdtr

from model.errors import InputError, unknown
from model.indicators import INDICATORS
from model.ledger import TRANSFERS
from model.national_standard import INDICATORS as STOCKS
from results.run_folder import RunFolder
from results.series import BASELINE, codes
from results.statistics import paired

ALPHA = 0.05  # what is called established: Holm's p below it, and the 95 % interval without zero
HEADLINES = (
    "schools_passing",
    "gap.score",
    "gap.score_home",
    "gap.teacher_effectiveness",
    "gap.adequacy",
    "between_school_share",
    "local_stay",
    "proximity_share",
    "satisfaction",
    "rotated_share",
)
MONEY = {"yuan.real": False, "yuan.transfer": True}  # sums over all years of real costs, of transfers
STANDARD = (*(f"cv.{stock}" for stock in STOCKS), *HEADLINES, *MONEY)  # what is compared if nothing is asked for
PLACE_OUTCOMES = (
    "mean_score",
    "teacher_effectiveness",
    "satisfaction",
    "schools_passing",
    "local_stay",
    "distance_km",
)
PLACE_LEVELS = ("district", "town", "setting", "group", "school")
STAGES = ("primary", "junior", "all")
_SHARES = {name for name, declared in INDICATORS.items() if declared.unit in ("share", "0/1")}
CONSTANT = 1e-12  # relative: differences that vary by less differ by rounding only

Floats = NDArray[np.float64]
Json = dict[str, Any]


class At(NamedTuple):
    """An outcome at a place."""

    level: str
    place: str
    indicator: str
    stage: str


@dataclass(frozen=True)
class Difference:
    """One outcome under a scenario less the same under the reference, paired by replicate.

    `low` and `high` bound the mean difference (95 %); None with a single pair. They meet where the difference is
    the same in every replicate: then `p` is the sign test's, 2^(1−pairs). `p` is None where all differences are
    zero or there is one pair. `p_adjusted` allows for all differences shown together (Holm; of places, Benjamini
    and Hochberg). `above`, `below`: replicates in which the scenario lies above, below the reference; `better`:
    replicates in which it beats it, None for an indicator without a better direction. `correlation` and
    `variance_ratio` (variance of independent seeds over that of shared draws) are None where a side does not vary.
    `year` is None for sums over all years.
    """

    scenario: str
    reference: str
    calibration: str
    indicator: str
    stage: str
    level: str
    place: str
    year: int | None
    pairs: int
    mean: float
    mean_reference: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    above: int
    below: int
    better: int | None
    correlation: float | None
    variance_ratio: float | None

    @property
    def verdict(self) -> str:
        """What may be said: same, higher, lower, perhaps higher, perhaps lower, unclear, one pair.

        `perhaps`: the interval excludes zero, but not once all that is shown together is allowed for.
        """
        if self.low is None or self.high is None:
            return "one pair"
        if self.above == self.below == 0:
            return "same"
        if self.low <= 0 <= self.high:
            return "unclear"
        word = "higher" if self.difference > 0 else "lower"
        return word if self.p_adjusted is not None and self.p_adjusted < ALPHA else f"perhaps {word}"

    @property
    def effect(self) -> str:
        """`better` or `worse` where the verdict is higher or lower and the indicator has a direction; else empty."""
        direction = direction_of(self.indicator)
        if not direction or self.verdict not in ("higher", "lower"):
            return ""
        return "better" if (self.verdict == "higher") == (direction == "up") else "worse"

    @property
    def half_width(self) -> float | None:
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def as_data(self) -> Json:
        """For JSON: every field, and what may be said."""
        return {**dataclasses.asdict(self), "verdict": self.verdict, "effect": self.effect}


@dataclass(frozen=True)
class Shared:
    """What shared draws did for a comparison: medians over the outcomes that vary on both sides."""

    scenario: str
    reference: str
    calibration: str
    correlation: float
    variance_ratio: float
    outcomes: int
    replicates: int


@dataclass(frozen=True)
class Disagreement:
    """An outcome on whose sign the calibrations disagree; `established` where both intervals exclude zero."""

    a: Difference
    b: Difference
    established: bool


@dataclass(frozen=True)
class Comparison:
    """Scenarios of a run against one of them."""

    region: str
    reference: str
    scenarios: list[str]  # compared with the reference
    calibrations: list[str]
    year: int
    replicates: int
    differences: list[Difference]
    shared: list[Shared]
    disagreements: list[Disagreement]

    def of(self, scenario: str, calibration: str) -> list[Difference]:
        """The differences of one scenario under one calibration, in the order of what was asked for."""
        return [d for d in self.differences if (d.scenario, d.calibration) == (scenario, calibration)]

    def one(self, scenario: str, calibration: str, indicator: str, stage: str) -> Difference | None:
        """One region-level difference, None where there is no value."""
        held = [d for d in self.of(scenario, calibration) if (d.indicator, d.stage) == (indicator, stage)]
        return held[0] if held else None


def compare(
    folder: RunFolder,
    reference: str = "",
    outcomes: Sequence[str] = (),
    year: int | None = None,
    level: str = "region",
    place: str = "",
) -> Comparison:
    """Compare every scenario of a run folder with one of them.

    `reference`: the baseline if it is there, else the first scenario. `outcomes`: indicators (`cv.*` for several),
    with `:primary` or `:junior` for one stage; the seven CVs, the headlines and the money if empty. `year`: the
    last if not given. `place`: all of the level if empty. Raises InputError where a name is unknown, there is
    nothing to compare, or the tables are not written.
    """
    scenarios, calibrations = list(folder.manifest["scenarios"]), list(folder.manifest["calibrations"])
    reference = reference_of(scenarios, reference)
    wanted = chosen(outcomes, level)
    rows, finance = tables_of(folder, year, level, place)
    differences = differences_in(rows, finance, scenarios, calibrations, reference, wanted)
    if not rows.num_rows:
        raise InputError(str(folder.path), f"no run that is done with values at level {level}", "runs that are done")
    if not differences:
        raise InputError(str(folder.path), "no outcome with a value on both sides", "outcomes that this run has")
    return Comparison(
        folder.manifest["region"]["profile"],
        reference,
        [s for s in scenarios if s != reference],
        calibrations,
        _last(folder) if year is None else year,
        folder.manifest["replicates"],
        differences,
        shared_draws(rows, scenarios, calibrations, reference),
        disagreements(differences),
    )


def tables_of(
    folder: RunFolder, year: int | None = None, level: str = "region", place: str = ""
) -> tuple[pa.Table, pa.Table | None]:
    """Indicators of one school year (the last if None), level and place, and the region's finance of all years.

    Raises InputError where the run has no such year or place, or its tables are not written.
    """
    when = _last(folder) if year is None else year
    if not folder.manifest["first_year"] <= when <= _last(folder):
        held = f"a school year of the run: {folder.manifest['first_year']} to {_last(folder)}"
        raise InputError("--year", str(when), held)
    filters = [("design_point", "=", 0), ("year", "=", when), ("level", "=", level)]
    rows = folder.table("indicators", filters=filters)
    if place:
        rows = _at(rows, level, place)
    finance = folder.table("finance", filters=[("design_point", "=", 0)]) if level == "region" else None
    return rows, finance


def differences_in(
    indicators: pa.Table,
    finance: pa.Table | None,
    scenarios: Sequence[str],
    calibrations: Sequence[str],
    reference: str,
    wanted: Sequence[tuple[str, str]],
) -> list[Difference]:
    """The differences of tidy tables: `indicators` of one school year and level, `finance` of all years.

    `wanted`: (indicator, stage) pairs, in the order of the result. p-values are adjusted over all of them.
    """
    cells = values_of(indicators, finance, scenarios, calibrations, wanted)
    year = int(indicators["year"][0].as_py()) if indicators.num_rows else None
    found = []
    for c, calibration in enumerate(calibrations):
        for scenario in (s for s in scenarios if s != reference):
            whose = {"scenario": scenario, "reference": reference, "calibration": calibration}
            for at, values in cells.items():
                a, b = (values[scenarios.index(s), c] for s in (scenario, reference))
                one = difference_of(a, b, **whose, **at._asdict(), year=None if at.indicator in MONEY else year)
                if one is not None:
                    found.append(one)
    return adjusted(found)


def paired_series(
    folder: RunFolder,
    outcomes: Sequence[str],
    reference: str = "",
    year: int | None = None,
    level: str = "region",
    place: str = "",
) -> list[Floats]:
    """The differences themselves, one a replicate in their order, of every scenario, calibration and outcome.

    Replicates without a pair are left out. Arguments and errors as of `compare`.
    """
    scenarios, calibrations = list(folder.manifest["scenarios"]), list(folder.manifest["calibrations"])
    base = scenarios.index(reference_of(scenarios, reference))
    rows, finance = tables_of(folder, year, level, place)
    cells = values_of(rows, finance, scenarios, calibrations, chosen(outcomes, level))
    found = []
    for values in cells.values():
        differences = np.delete(values, base, axis=0) - values[base]
        found += [d[np.isfinite(d)] for d in differences.reshape(-1, differences.shape[-1])]
    return [d for d in found if d.size]


def values_of(
    indicators: pa.Table,
    finance: pa.Table | None,
    scenarios: Sequence[str],
    calibrations: Sequence[str],
    wanted: Sequence[tuple[str, str]],
) -> dict[At, Floats]:
    """Values of outcomes, shape (scenarios, calibrations, replicates), NaN where missing; in the order wanted."""
    names = {name for name, _ in wanted}
    rows = indicators.filter(pc.is_in(indicators["indicator"].cast(pa.string()), pa.array(sorted(names))))
    cells = _cells(rows, scenarios, calibrations)
    if finance is not None:
        cells |= _money(finance, indicators, scenarios, calibrations, sorted(names & set(MONEY)))
    order = {pair: i for i, pair in enumerate(wanted)}
    known = [at for at in cells if (at.indicator, at.stage) in order]
    return {at: cells[at] for at in sorted(known, key=lambda at: (order[at.indicator, at.stage], at.place))}


def difference_of(a: Floats, b: Floats, **about: Any) -> Difference | None:
    """The difference of one outcome: `a` and `b` have a value a replicate, NaN where there is none.

    `about`: scenario, reference, calibration, indicator, stage, level, place, year. None without a pair.
    """
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if not a.size:
        return None
    d = _without_rounding(a - b, a, b)
    above, below = int((d > 0).sum()), int((d < 0).sum())
    direction = direction_of(about["indicator"])
    correlation, ratio = _sharing(a, b, d)
    low, high, p = _interval(d)
    if low is not None and high is not None and about["indicator"] in _SHARES:  # no share moves by more than all
        low, high = max(low, -1.0), min(high, 1.0)
    return Difference(
        **about,
        pairs=d.size,
        mean=float(a.mean()),
        mean_reference=float(b.mean()),
        difference=float(d.mean()),
        low=low,
        high=high,
        p=p,
        p_adjusted=p,
        above=above,
        below=below,
        better=None if not direction else above if direction == "up" else below,
        correlation=correlation,
        variance_ratio=ratio,
    )


def adjusted(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with Holm's p over all of them that have a p."""
    tested = [d.p for d in differences if d.p is not None]
    corrected = iter(holm(np.array(tested)))
    return [d if d.p is None else replace(d, p_adjusted=float(next(corrected))) for d in differences]


def holm(p: Floats) -> Floats:
    """Holm's step-down adjusted p-values (Scandinavian Journal of Statistics 6, 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    factors = np.arange(p.size, 0, -1)
    result = np.empty(p.size)
    result[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return result


def disagreements(differences: Iterable[Difference]) -> list[Disagreement]:
    """Outcomes whose difference has another sign under another calibration, and is more than chance under one."""
    by: dict[tuple[Any, ...], list[Difference]] = {}
    for d in differences:
        by.setdefault((d.scenario, d.indicator, d.stage, d.level, d.place), []).append(d)
    return [
        Disagreement(a, b, bool(a.low * a.high > 0 and b.low * b.high > 0))
        for a, b in (held for held in by.values() if len(held) == 2)
        if a.low is not None and a.high is not None and b.low is not None and b.high is not None
        if a.difference * b.difference < 0 and (a.low * a.high > 0 or b.low * b.high > 0)
    ]


def losers(folder: RunFolder, reference: str = "", year: int | None = None) -> list[Difference]:
    """Places (districts, towns, settings, groups, schools where recorded) that a scenario leaves worse off.

    Of the differences of PLACE_OUTCOMES in every place, those for the worse that hold at a false discovery rate of
    5 % (Benjamini and Hochberg): about one in twenty of those found may be chance. The heaviest come first,
    measured against how far places lie apart under the reference. Empty with fewer than two replicates.
    """
    return [d for d in places(folder, reference, year) if d.effect == "worse"]


def places(folder: RunFolder, reference: str = "", year: int | None = None) -> list[Difference]:
    """Every place's differences in PLACE_OUTCOMES, p adjusted by Benjamini and Hochberg; the heaviest first."""
    from scipy.stats import false_discovery_control

    scenarios, calibrations = list(folder.manifest["scenarios"]), list(folder.manifest["calibrations"])
    reference = reference_of(scenarios, reference)
    found: list[Difference] = []
    for level in PLACE_LEVELS:
        wanted = [(name, s) for name in PLACE_OUTCOMES if level in levels_of(name) for s in stages_of(name)]
        rows, _ = tables_of(folder, year, level)
        found += differences_in(rows, None, scenarios, calibrations, reference, wanted)
    spread = _spread(found)
    found.sort(key=lambda d: -abs(d.difference) / (spread[_alike(d)] or np.inf))
    tested = [d.p for d in found if d.p is not None]
    corrected = iter(false_discovery_control(tested) if tested else ())
    return [d if d.p is None else replace(d, p_adjusted=float(next(corrected))) for d in found]


def shared_draws(
    indicators: pa.Table, scenarios: Sequence[str], calibrations: Sequence[str], reference: str
) -> list[Shared]:
    """What shared draws did, over all indicators of a table of one school year that vary on both sides."""
    cells = _cells(indicators, scenarios, calibrations)
    found = []
    for c, calibration in enumerate(calibrations):
        for scenario in (s for s in scenarios if s != reference):
            pairs, replicates = [], 0
            for values in cells.values():
                a, b = (values[scenarios.index(s), c] for s in (scenario, reference))
                both = np.isfinite(a) & np.isfinite(b)
                replicates = max(replicates, int(both.sum()))
                pairs.append(_sharing(a[both], b[both], _without_rounding((a - b)[both], a[both], b[both])))
            known = np.array([pair for pair in pairs if None not in pair], float).reshape(-1, 2)
            if known.size:
                correlation, ratio = np.median(known, axis=0)
                about = scenario, reference, calibration
                found.append(Shared(*about, float(correlation), float(ratio), len(known), replicates))
    return found


def chosen(outcomes: Sequence[str], level: str = "region") -> list[tuple[str, str]]:
    """(indicator, stage) pairs of names such as `gap.score:primary` or `cv.*`. Raises InputError for an unknown one."""
    known = [name for name in (*INDICATORS, *MONEY) if level in levels_of(name)]
    if not known:
        raise unknown("--level", "level", level, ("region", *PLACE_LEVELS))
    pairs: dict[tuple[str, str], None] = {}
    for outcome in outcomes or [name for name in STANDARD if name in known] or PLACE_OUTCOMES:
        pattern, _, stage = outcome.partition(":")
        names = [name for name in known if fnmatchcase(name, pattern)]
        if not names:
            if pattern in INDICATORS or pattern in MONEY:
                at = ", ".join(levels_of(pattern))
                raise InputError(f"outcome {pattern}", f"level {level}", f"one of its levels: {at}")
            raise unknown("outcome", "indicator", pattern, known)
        stages = {s: None for name in names for s in stages_of(name)}
        if stage and stage not in stages:
            raise unknown(f"outcome {pattern}", "stage", stage, stages)
        pairs |= dict.fromkeys((n, s) for n in names for s in stages_of(n) if stage in ("", s))
    return list(pairs)


def reference_of(scenarios: Sequence[str], reference: str = "") -> str:
    """What scenarios are compared with: the one named, else the baseline, else the first.

    Raises InputError where it is not among them, or there is one scenario only.
    """
    if len(scenarios) < 2:
        raise InputError("comparison", f"one scenario, {scenarios[0]}", "two or more, to be compared")
    if reference and reference not in scenarios:
        raise unknown("--reference", "scenario", reference, scenarios)
    return reference or (BASELINE if BASELINE in scenarios else scenarios[0])


def direction_of(name: str) -> str:
    """`up` or `down` is better; empty where neither is."""
    return "" if name in MONEY else INDICATORS[name].direction


def levels_of(name: str) -> tuple[str, ...]:
    """Levels at which an outcome has values."""
    return ("region",) if name in MONEY else INDICATORS[name].levels


def stages_of(name: str) -> tuple[str, ...]:
    """Stages for which an outcome has values."""
    return ("all",) if name in MONEY else INDICATORS[name].stages


# ---- statistics of one difference


def _without_rounding(d: Floats, a: Floats, b: Floats) -> Floats:
    """Differences that are equal but for rounding made equal, and zero made zero."""
    scale = CONSTANT * (np.abs(a).max() + np.abs(b).max()) if d.size else 0.0
    if d.size and np.ptp(d) <= scale:
        return np.full(d.size, 0.0 if abs(d.mean()) <= scale else float(np.median(d)))
    return np.where(np.abs(d) <= scale, 0.0, d)


def _interval(d: Floats) -> tuple[float | None, float | None, float | None]:
    """Ends of the 95 % interval of the mean, and the p of its being zero."""
    n = d.size
    if n < 2:
        return None, None, None
    if np.ptp(d) == 0:
        value = float(d[0])
        return value, value, None if value == 0 else 2.0 ** (1 - n)
    found = paired(d, np.zeros(n))
    if found is None:
        raise AssertionError
    error = float(d.std(ddof=1) / np.sqrt(n))
    low, high = found["low"], found["high"]
    least = CONSTANT * max(abs(low), abs(high))
    low, high = (end if abs(end) > least else 0.0 for end in (low, high))
    return low, high, float(2 * stdtr(n - 1, -abs(found["mean"]) / error))


def _sharing(a: Floats, b: Floats, d: Floats) -> tuple[float | None, float | None]:
    """Correlation of both sides, and variance of independent seeds over that of the difference."""
    if a.size < 2:
        return None, None
    alone = a.var(ddof=1), b.var(ddof=1)
    if min(np.sqrt(alone)) <= CONSTANT * (1 + max(np.abs(a).max(), np.abs(b).max())):
        return None, None
    paired_variance = d.var(ddof=1)
    if paired_variance == 0:  # all chance is shared, the ratio is without bound
        return 1.0, None
    correlation = float(np.corrcoef(a, b)[0, 1])
    return correlation, float(sum(alone) / paired_variance)


# ---- tables into arrays


def _cells(rows: pa.Table, scenarios: Sequence[str], calibrations: Sequence[str]) -> dict[At, Floats]:
    """Values of every outcome in a table."""
    if not rows.num_rows:
        return {}
    known, code = zip(*(codes(rows[name]) for name in At._fields), strict=True)
    sizes = tuple(len(names) for names in known)
    distinct, at = np.unique(np.ravel_multi_index(code, sizes), return_inverse=True)
    replicate = rows["replicate"].to_numpy()
    values = np.full((distinct.size, len(scenarios), len(calibrations), int(replicate.max()) + 1), np.nan)
    place = _which(rows["scenario"], scenarios), _which(rows["calibration"], calibrations)
    values[at, place[0], place[1], replicate] = rows["value"].to_numpy()
    each = zip(*np.unravel_index(distinct, sizes), strict=True)
    keys = [At(*(names[i] for names, i in zip(known, one, strict=True))) for one in each]
    return dict(zip(keys, values, strict=True))


def _money(
    finance: pa.Table, indicators: pa.Table, scenarios: Sequence[str], calibrations: Sequence[str], names: Sequence[str]
) -> dict[At, Floats]:
    """Yuan over all years, real costs and transfers; zero in runs that spent nothing, NaN where there is no run."""
    if not names or not indicators.num_rows:
        return {}
    lived = _where(indicators, scenarios, calibrations)
    shape = (len(scenarios), len(calibrations), int(lived[2].max()) + 1)
    place = _where(finance, scenarios, calibrations)
    transfer = pc.is_in(finance["item"].cast(pa.string()), pa.array(TRANSFERS)).to_numpy(zero_copy_only=False)
    yuan = finance["yuan"].to_numpy()
    found = {}
    for name in names:
        values = np.full(shape, np.nan)
        values[lived] = 0.0
        np.add.at(values, place, np.where(transfer == MONEY[name], yuan, 0.0))
        found[At("region", "", name, "all")] = values
    return found


def _where(rows: pa.Table, scenarios: Sequence[str], calibrations: Sequence[str]) -> tuple[NDArray[np.int64], ...]:
    return (
        _which(rows["scenario"], scenarios),
        _which(rows["calibration"], calibrations),
        rows["replicate"].to_numpy().astype(np.int64),
    )


def _which(column: pa.ChunkedArray, order: Sequence[str]) -> NDArray[np.int64]:
    """Place of each row's text in `order`. Raises ValueError for one that is not in it."""
    known, code = codes(column)
    return np.array([order.index(name) for name in known], np.int64)[code]


def _at(rows: pa.Table, level: str, place: str) -> pa.Table:
    """The rows of one place. Raises InputError where the level has none of this name."""
    known = rows["place"].cast(pa.string()).unique().to_pylist()
    if place not in known:
        raise unknown("--place", level, place, known)
    return rows.filter(pc.equal(rows["place"].cast(pa.string()), place))


def _last(folder: RunFolder) -> int:
    return int(folder.manifest["last_year"])


def _alike(d: Difference) -> tuple[str, ...]:
    return d.calibration, d.level, d.indicator, d.stage


def _spread(differences: Iterable[Difference]) -> dict[tuple[str, ...], float]:
    """Standard deviation of places under the reference, by what they are alike in."""
    means: dict[tuple[str, ...], list[float]] = {}
    for d in differences:
        means.setdefault(_alike(d), []).append(d.mean_reference)
    return {alike: float(np.std(values)) for alike, values in means.items()}
