"""Simulate: a settled region lives school years under a policy, and leaves a history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.behaviour import Behaviour
from model.indicators import Rows
from model.measure import measure
from model.new_schools import put_on_the_map
from model.policy import Policy
from model.region import Region
from model.school_year import Notice, SchoolYear
from model.year import live

FINANCE = ("payer", "receiver", "lever", "item")
TRAJECTORY = ("enrolment", "score", "value_added", "reputation", "satisfaction", "posts", "adequacy", "practice")


@dataclass
class History:
    """What a run leaves: the region after its last year, and what each year looked like."""

    region: Region
    indicators: dict[str, NDArray[Any]]  # year, level, place, stage, indicator, value
    finance: dict[str, NDArray[Any]]  # year, payer, receiver, lever, item, yuan
    notices: list[Notice]
    years: list[int]
    schools: list[dict[str, NDArray[Any]]] = field(repr=False)  # per year, columns of schools by name

    def school(self, name: str) -> dict[str, NDArray[Any]]:
        """One school's trajectory: each column with a row a year. Raises KeyError for an unknown school."""
        rows = np.flatnonzero(self.region.schools.name == name)
        if rows.size == 0:
            raise KeyError(name)
        columns = {title: np.array([year[title][rows[0]] for year in self.schools]) for title in TRAJECTORY}
        return {"year": np.array(self.years), **columns}


def simulate(
    region: Region,
    policy: Policy,
    behaviour: Behaviour,
    seed: int,
    years: int,
    record_schools: bool = False,
    clock: dict[str, float] | None = None,
) -> History:
    """Live `years` school years after the region's last one; the region given is left as it was.

    `record_schools` adds the level of schools to the indicators; `clock` collects seconds by step.
    Raises ValueError for a region that is not burned in, InputError where the policy does not fit it.
    """
    if not region.burned_in:
        raise ValueError(f"region {region.name!r} is not burned in: see model.burn_in")
    living = region.copy()
    put_on_the_map(living, policy)
    policy.check(living)
    rows, money = Rows(), []
    notices: list[Notice] = []
    snapshots = []
    for _ in range(years):
        year = SchoolYear.begin(living, policy, behaviour, seed)
        live(living, year, clock)
        measure(living, year, rows, record_schools)
        money += [(year.number, *key, yuan) for key, yuan in sorted(year.ledger.entries.items())]
        notices += year.notices
        snapshots.append({title: getattr(living.schools, title).copy() for title in TRAJECTORY})
    finance = {name: np.array([m[i] for m in money], dtype=object) for i, name in enumerate(("year", *FINANCE))}
    finance["year"] = finance["year"].astype(np.int64)
    finance["yuan"] = np.array([m[-1] for m in money], float)
    lived = [region.year + 1 + i for i in range(years)]
    return History(living, rows.columns(), finance, notices, lived, snapshots)
