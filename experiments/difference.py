"""What differs between two scenarios: lever by lever, field by field, year by year."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.scenario import Scenario, describe
from model.levers import LEVERS
from model.policy import Lever, Policy, Where


@dataclass(frozen=True)
class Difference:
    """`what` differs at `where` (empty: everywhere) from year `first` to `last`: `a` in one, `b` in the other."""

    what: str
    where: str
    first: int | None
    last: int | None
    a: Any
    b: Any


def diff(a: Scenario, b: Scenario) -> list[Difference]:
    """What differs: region and years, then each lever in the years of either, then the targets."""
    rows = [
        Difference(name, "", None, None, getattr(a, name), getattr(b, name))
        for name in ("region", "starts", "years")
        if getattr(a, name) != getattr(b, name)
    ]
    years = range(min(a.starts, b.starts), max(a.ends, b.ends) + 1)
    for kind in LEVERS.values():
        rows += _of_lever(kind, a.policy, b.policy, years)
    rows += [Difference("target", "", None, t.by, describe(t), None) for t in a.targets if t not in b.targets]
    rows += [Difference("target", "", None, t.by, None, describe(t)) for t in b.targets if t not in a.targets]
    return rows


def place_of(where: Where) -> str:
    """A place as text: empty for everywhere."""
    return "; ".join(", ".join(places) for places in dataclasses.asdict(where).values() if places)


def _of_lever(kind: type[Lever], a: Policy, b: Policy, years: range) -> list[Difference]:
    places = dict.fromkeys(e.where for policy in (a, b) for e in policy.entries if type(e) is kind)
    rows: list[Difference] = []
    for place in places:
        for name in kind.settings():
            pairs = [tuple(_in_force(p, kind, place, year, name) for p in (a, b)) for year in years]
            rows += _stretches(f"{kind.NAME}.{name}", place_of(place), years, pairs)
    return rows


def _in_force(policy: Policy, kind: type[Lever], place: Where, year: int, name: str) -> Any:
    held = [e for e in policy.in_force(kind, year) if e.where in (place, Where())]
    return getattr(held[0] if held else kind(), name)


def _stretches(what: str, where: str, years: range, pairs: Sequence[tuple[Any, ...]]) -> list[Difference]:
    """Runs of years in which two values differ in the same way."""
    rows: list[Difference] = []
    for year, (x, y) in zip(years, pairs, strict=True):
        if x == y:
            continue
        last = rows[-1] if rows else None
        if last and last.last == year - 1 and (last.a, last.b) == (x, y):
            rows[-1] = dataclasses.replace(last, last=year)
        else:
            rows.append(Difference(what, where, year, year, x, y))
    return rows
