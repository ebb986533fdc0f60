"""One hash of every array that five years of the village leave, for any Python to print: `python tests/digests.py`.

Needs the root of the source tree on the path, NumPy, SciPy and PyYAML.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import situations
from numpy.typing import NDArray

from model.behaviour import load_behaviour
from model.build import build_region
from model.burn_in import burn_in
from model.simulate import simulate

YEARS = 5


def digest(values: NDArray[Any]) -> str:
    """SHA-256 of the bytes of an array; of its elements' names where they are objects."""
    data = repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
    return hashlib.sha256(repr((values.dtype.str, values.shape)).encode() + data).hexdigest()


def digests(calibration: str) -> dict[str, str]:
    """Of every column of the region after five years under every lever, every indicator's, every yuan's."""
    behaviour = load_behaviour(calibration)
    region = burn_in(build_region("village", seed=1), behaviour, situations.BASELINE)
    history = simulate(region, situations.RICH, behaviour, 1, YEARS, record_schools=True)
    found = {name: digest(values) for name, values in situations.columns(history.region)}
    for table, columns in (("indicators", history.indicators), ("finance", history.finance)):
        found |= {f"{table}.{name}": digest(values) for name, values in columns.items()}
    found |= {f"indicator {name}": digest(values) for name, values in by_indicator(history.indicators)}
    return found


def by_indicator(columns: dict[str, NDArray[Any]]) -> list[tuple[str, NDArray[Any]]]:
    """The values of each indicator, so that one that differs is named."""
    names = columns["indicator"]
    return [(name, columns["value"][names == name]) for name in sorted(set(names.tolist()))]


if __name__ == "__main__":
    said = {c: digests(c) for c in ("input", "sorting")}
    json.dump({"python": sys.version.split()[0], "digests": said}, sys.stdout)
