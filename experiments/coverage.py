"""What each clause of the five documents became: a lever, a target, a timing, a document field, or nothing.

Source: `data/coverage.csv`, one row a clause of `clauses.csv`. `what` names lever fields (`lever.field`),
indicators, keys of a scenario file or steps of the year (`step.networks`); `scenario` the scenarios that cite the
clause; `reason` why nothing carries it, what was assumed, or how a conflict between documents was settled.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

DATA = Path(__file__).parent / "data" / "coverage.csv"
BECOMES = ("lever", "target", "timing", "document", "not_modelled")


@dataclass(frozen=True)
class Coverage:
    """What one clause became.

    A clause that both orders and aims is a `lever`; `what` then holds its indicator too. A `target` without a
    scenario states a direction and no level: the indicator is in every table, and no run is judged by it.
    """

    id: str
    becomes: str
    what: tuple[str, ...]
    scenario: tuple[str, ...]
    reason: str


@cache
def load() -> Mapping[str, Coverage]:
    """The coverage of every clause by its id, in the order of the documents."""
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = [_row(row) for row in csv.DictReader(file)]
    return MappingProxyType({row.id: row for row in rows})


def _row(row: Mapping[str, str]) -> Coverage:
    return Coverage(row["id"], row["becomes"], _names(row["what"]), _names(row["scenario"]), row["reason"])


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(";") if name)
