"""The clauses of the five policy documents: what each says, in both languages, and how much of what by when.

Source: `data/clauses.csv`, one row a clause, taken from the documents themselves (column `seed` names the
text). The ids are what levers and targets cite.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from model.errors import unknown

DATA = Path(__file__).parent / "data" / "clauses.csv"


@dataclass(frozen=True)
class Clause:
    """One clause. `quantity` and `unit` stay as the document words them; `seed` is the text it stands in."""

    id: str
    seed: str
    document: str
    section: str
    phrase_zh: str
    meaning_en: str
    mechanism: str
    quantity: str
    unit: str
    date_or_period: str


@cache
def load() -> Mapping[str, Clause]:
    """Every clause by id, in the order of the documents."""
    with DATA.open(encoding="utf-8-sig", newline="") as file:
        rows = [Clause(**row) for row in csv.DictReader(file)]
    return MappingProxyType({row.id: row for row in rows})


def clause(number: str, where: str = "clause") -> Clause:
    """The clause of that id. Raises InputError with the nearest id where there is none."""
    if number not in CLAUSES:
        raise unknown(where, "clause", number, CLAUSES)
    return CLAUSES[number]


CLAUSES = load()
