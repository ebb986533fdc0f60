"""What the national assessment allows beside its rule, each by name: `tolerances.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.tables import Read
from model.errors import InputError, unknown
from model.strict_yaml import load

ITINERANT, NEARBY_GROUNDS = "itinerant-teachers", "nearby-grounds"
OLDER_ART_ROOMS, OLDER_SCHOOLS = "older-art-rooms", "older-schools"
ALL = "all"


@cache
def figures() -> dict[str, Any]:
    """The file: `tolerances` and `support`, each with value, kind and source."""
    return dict(load(Path(__file__).with_name("tolerances.yaml")))


def tolerances() -> dict[str, dict[str, Any]]:
    """Every tolerance by name."""
    return dict(figures()["tolerances"])


def chosen(names: list[str]) -> frozenset[str]:
    """The tolerances asked for; `all` is every one. Raises InputError for one that is not known."""
    known = tolerances()
    for name in names:
        if name not in known and name != ALL:
            raise unknown("--tolerance", "tolerance", name, [*known, ALL])
    return frozenset(known if ALL in names else names)


def require(read: Read, names: frozenset[str]) -> None:
    """Raises InputError where a tolerance needs a column that the table has not."""
    for name in sorted(names):
        columns = [read.spec.columns[column] for column in tolerances()[name]["needs"]]
        missing = [f"{c.name} ({c.zh})" for c in columns if not _there(read, c.name)]
        if missing:
            found = f"no column {', '.join(missing)} in {read.path}"
            raise InputError(f"--tolerance {name}", found, "a table that has it, or no such tolerance")


def _there(read: Read, name: str) -> bool:
    return any(read.has(column) for column in (name, f"primary_{name}", f"junior_{name}"))


def counts_itinerant(read: Read, names: frozenset[str], counted: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Schools that count itinerant teachers; `counted`: their pupils of the compulsory stages."""
    rule = tolerances()[ITINERANT]
    small = (counted >= rule["from_pupils"]) & (counted <= rule["to_pupils"])
    return np.asarray((read.text("setting") == "village") & small & (ITINERANT in names))


def counts_nearby(read: Read, names: frozenset[str]) -> NDArray[np.bool_]:
    """Schools that count grounds nearby, in basements and on roofs."""
    return np.asarray((read.text("setting") == "urban") & (NEARBY_GROUNDS in names))
