"""Packages of one price: the first is the yardstick, the others are scaled until they cost as many yuan.

More levers always win otherwise. A package is what a scenario sets beyond the baseline. Scaled by m, a field of size
(`data/scaling.yaml`) stands at baseline + m · (package − baseline), inside its range and whole where it counts; rules
and shapes stay. What counts is the money that leaves the public purse in all years: real costs and what is paid to
people, without awards from one purse to another. m is found on the first replicates, which all packages share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from experiments.live import live
from experiments.plan import Plan
from experiments.scenario import BASELINE, Scenario, load_scenario
from experiments.workers import lived
from model.errors import InputError
from model.levers import LEVERS
from model.policy import Lever, Policy, Where
from model.strict_yaml import load

TOLERANCE = 0.01  # of what the yardstick costs beyond the baseline
PILOT = 2  # replicates that the price is found on
LARGEST = 64.0  # times its size, beyond which a package is not looked for
RESOLUTION = 1e-3  # of the factor: whole numbers make the price a staircase
STEPS = 20
BETWEEN_PURSES = "award"

Spend = Callable[[Sequence[Scenario]], Mapping[str, float]]  # yuan of all years by scenario


@dataclass(frozen=True)
class Scaled:
    """A package at the yardstick's price."""

    scenario: Scenario
    of: str  # the scenario it was made from
    yardstick: str
    factor: float
    yuan: float  # on the pilot replicates, beyond the baseline
    yuan_wanted: float
    bounded: tuple[str, ...] = field(default=())  # LEVER.FIELD that stand at an end of their range
    kept: tuple[str, ...] = field(default=())  # levers that differ from the baseline and have no size

    @property
    def gap(self) -> float:
        """By how much the price is missed, as a share of it."""
        return self.yuan / self.yuan_wanted - 1

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        said = {"scenario": self.scenario.name, "of": self.of, "yardstick": self.yardstick, "factor": self.factor}
        money = {"yuan": self.yuan, "yuan_wanted": self.yuan_wanted, "gap": self.gap}
        money["near"] = abs(self.gap) <= TOLERANCE
        return {**said, **money, "bounded": list(self.bounded), "kept": list(self.kept)}


@lru_cache
def sizes() -> dict[str, tuple[str, ...]]:
    """The fields of each lever that are scaled."""
    rows = load(Path(__file__).parent / "data" / "scaling.yaml")
    return {name: tuple(row.get("size", ())) for name, row in rows.items()}


def equal_cost(scenarios: Sequence[Scenario], spend: Spend) -> tuple[list[Scenario], list[Scaled]]:
    """The scenarios with all packages but the first scaled to the first's price, and how.

    A baseline among them stays. Raises InputError where there are fewer than two packages, the yardstick costs
    nothing beyond the baseline, or a package cannot be scaled to its price.
    """
    packages = [s for s in scenarios if s.name != BASELINE]
    if len(packages) < 2:
        found = f"{len(packages)} beside the baseline"
        raise InputError("--equal-cost", found, "two packages or more, the first of which sets the price")
    yardstick, *others = packages
    base = next((s for s in scenarios if s.name == BASELINE), load_scenario(BASELINE).beside(yardstick))
    spent = spend([base, *packages])
    wanted = spent[yardstick.name] - spent[BASELINE]
    if wanted <= 0:
        raise InputError(
            f"--equal-cost: {yardstick.name}", f"{wanted / 1e6:,.1f} million yuan beyond the baseline", "a cost"
        )
    made = [
        _at_price(package, base, yardstick.name, wanted, spent[package.name] - spent[BASELINE], spend, spent[BASELINE])
        for package in others
    ]
    replaced = {one.of: one.scenario for one in made}
    return [replaced.get(s.name, s) for s in scenarios], made


def scaled(package: Scenario, base: Scenario, factor: float) -> tuple[Scenario, tuple[str, ...]]:
    """The package at `factor` times its size, and the LEVER.FIELD that stand at an end of their range.

    An entry is split where the baseline changes under it.
    """
    entries: list[Lever] = []
    bounded: dict[str, None] = {}
    for entry in package.policy.entries:
        pieces: list[Lever] = []
        for year in range(max(entry.start, package.starts), min(entry.until, package.ends) + 1):
            piece, at_end = _scaled_entry(entry, base.policy, year, factor)
            bounded |= dict.fromkeys(at_end)
            if pieces and pieces[-1].values() == piece.values():
                pieces[-1] = replace(pieces[-1], until=year)
            else:
                pieces.append(replace(piece, start=year, until=year))
        if pieces:
            pieces[0] = replace(pieces[0], start=entry.start)
            pieces[-1] = replace(pieces[-1], until=entry.until)
        entries += pieces or [entry]
    name = f"{package.name}-x{factor:.3g}"
    return replace(package, name=name, policy=Policy(tuple(entries)), lines={}), tuple(bounded)


def kept(package: Scenario, base: Scenario) -> tuple[str, ...]:
    """Levers that differ from the baseline in nothing that is scaled: they stay as they are."""
    found: dict[str, bool] = {}
    for entry in package.policy.entries:
        for year in range(max(entry.start, package.starts), min(entry.until, package.ends) + 1):
            before = _before(base.policy, entry, year)
            if entry.values() != before.values():
                size = any(getattr(entry, f) != getattr(before, f) for f in sizes()[entry.NAME])
                found[entry.NAME] = found.get(entry.NAME, False) or size
    return tuple(name for name in LEVERS if found.get(name) is False)


def pilot(plan: Plan, workers: int) -> Spend:
    """Yuan of scenarios, a mean over the first replicates of a plan, lived on `workers` processes."""

    def spend(scenarios: Sequence[Scenario]) -> dict[str, float]:
        trial = replace(
            plan,
            scenarios=tuple(replace(s, targets=()) for s in scenarios),
            calibrations=plan.calibrations[:1],
            replicates=min(PILOT, plan.replicates),
            record="",
        )
        names = {run.id: run.scenario for run in trial.runs}
        spent = dict.fromkeys(names.values(), 0.0)
        for outcome in lived(trial.tasks(), live, workers):
            if outcome.traceback is not None:
                last = outcome.traceback.strip().splitlines()[-1]
                raise InputError(
                    f"--equal-cost: {names[outcome.id]}", f"a run that failed ({last})", "runs that finish"
                )
            spent[names[outcome.id]] += _leaving(outcome.tables["finance"]) / trial.replicates
        return spent

    return spend


def _leaving(packed: bytes) -> float:
    """Yuan that left the public purse, of a run's packed finance."""
    from results.tables import unpack

    rows = unpack(packed)
    return sum(
        yuan
        for item, yuan in zip(rows["item"].to_pylist(), rows["yuan"].to_pylist(), strict=True)
        if item != BETWEEN_PURSES
    )


def _before(base: Policy, entry: Lever, year: int) -> Lever:
    """The baseline's entry of a lever in force in a year where another entry acts, or the neutral one."""
    held = [e for e in base.in_force(type(entry), year) if e.where in (entry.where, Where())]
    return held[0] if held else type(entry)()


def _scaled_entry(entry: Lever, base: Policy, year: int, factor: float) -> tuple[Lever, list[str]]:
    before = _before(base, entry, year)
    values: dict[str, Any] = {}
    bounded = []
    for name in sizes()[entry.NAME]:
        full, low = getattr(entry, name), getattr(before, name)
        if full == low:
            continue
        meta = entry.settings()[name].metadata
        value = low + factor * (full - low)
        inside = min(max(value, meta["low"]), meta["high"])
        if inside != value:
            bounded.append(f"{entry.NAME}.{name}")
        values[name] = round(inside) if isinstance(full, int) else float(inside)
    return replace(entry, **values), bounded


def _at_price(
    package: Scenario, base: Scenario, yardstick: str, wanted: float, cost: float, spend: Spend, before: float
) -> Scaled:
    """The package at the yardstick's price: a bracket of the factor, then Brent's method."""
    from scipy.optimize import brentq

    known = {1.0: cost}

    def price(factor: float) -> float:
        if factor not in known:
            trial = replace(scaled(package, base, factor)[0], name="trial")
            known[factor] = spend([trial])["trial"] - before
        return known[factor] - wanted

    def result(factor: float) -> Scaled:
        made, bounded = scaled(package, base, factor)
        return Scaled(made, package.name, yardstick, factor, known[factor], wanted, bounded, kept(package, base))

    def missed(factor: float) -> float:
        gap = price(factor)
        return 0.0 if abs(gap) <= TOLERANCE * wanted else gap

    if missed(1.0):
        bracket = _bracket(package, base, missed, wanted)
        brentq(missed, *bracket, rtol=RESOLUTION, xtol=RESOLUTION, maxiter=STEPS, disp=False)
    return result(min(known, key=lambda factor: abs(known[factor] - wanted)))


def _bracket(package: Scenario, base: Scenario, missed: Callable[[float], float], wanted: float) -> tuple[float, float]:
    """Two factors between which the price is met. Raises InputError where there are none."""
    where = f"--equal-cost: {package.name}"
    if missed(1.0) > 0:
        if (least := missed(0.0)) > 0:
            found = f"{(least + wanted) / 1e6:,.1f} million yuan beyond the baseline even with nothing that is scaled"
            raise InputError(where, found, f"{wanted / 1e6:,.1f} million, the price of the first package")
        return 0.0, 1.0
    factor = 1.0
    while factor < LARGEST:
        if scaled(package, base, 2 * factor)[0].policy == scaled(package, base, factor)[0].policy:
            break
        factor *= 2
        if missed(factor) >= 0:
            return factor / 2, factor
    found = f"{(missed(factor) + wanted) / 1e6:,.1f} million yuan beyond the baseline at its largest (×{factor:g})"
    raise InputError(where, found, f"{wanted / 1e6:,.1f} million, the price of the first package")
