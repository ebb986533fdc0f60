"""The indicators of a run folder as series over the years, one array a scenario, place and outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from results.run_folder import RunFolder

Floats = NDArray[np.float64]
BASELINE = "baseline"
LEVELS = ("region", "district", "town", "setting")


class At(NamedTuple):
    """Whose values, of what and where."""

    scenario: str
    calibration: str
    indicator: str
    stage: str = "all"
    level: str = "region"
    place: str = ""  # of the region: empty


@dataclass(frozen=True)
class Series:
    """Values by scenario, calibration, indicator, stage and place: (replicates, years); NaN where there are none."""

    scenarios: list[str]
    calibrations: list[str]
    years: list[int]
    replicates: int
    values: dict[At, Floats]

    @classmethod
    def read(cls, folder: RunFolder, indicators: Sequence[str], levels: Sequence[str] = LEVELS) -> Self:
        """Series of some indicators at some levels, of the first design point.

        Raises InputError where the tables are not written.
        """
        filters = [("design_point", "=", 0), ("level", "in", list(levels)), ("indicator", "in", list(indicators))]
        rows = folder.table("indicators", filters=filters)
        year = rows["year"].to_numpy().astype(int)
        years = [int(y) for y in np.unique(year)]
        replicates = folder.manifest["replicates"]
        names = [codes(rows[name]) for name in At._fields]
        keys, which = np.unique(np.column_stack([code for _, code in names]), axis=0, return_inverse=True)
        held = np.full((len(keys), replicates, len(years)), np.nan)
        held[which.ravel(), rows["replicate"].to_numpy(), np.searchsorted(years, year)] = rows["value"].to_numpy()
        values: dict[At, Floats] = {}
        for key, block in zip(keys, held, strict=True):
            at = At(*(known[i] for (known, _), i in zip(names, key, strict=True)))
            values[at._replace(place="") if at.level == "region" else at] = block
        manifest = folder.manifest
        return cls(list(manifest["scenarios"]), list(manifest["calibrations"]), years, replicates, values)

    @property
    def reference(self) -> str:
        """What the others are compared with: the baseline, or the first scenario."""
        return BASELINE if BASELINE in self.scenarios else self.scenarios[0]

    @property
    def others(self) -> list[str]:
        """Every scenario but the reference."""
        return [s for s in self.scenarios if s != self.reference]

    def of(self, at: At) -> Floats:
        """Values of one series, shape (replicates, years); NaN throughout where there are none."""
        return self.values.get(at, np.full((self.replicates, len(self.years)), np.nan))

    def last(self, at: At) -> Floats:
        """Values of the last year, one a replicate."""
        return self.of(at)[:, -1]

    def has(self, indicator: str, stage: str, level: str = "region", place: str = "") -> bool:
        """Whether any run has a value of it there."""
        return any(
            np.isfinite(self.of(At(s, c, indicator, stage, level, place))).any()
            for s in self.scenarios
            for c in self.calibrations
        )

    def places(self, level: str) -> list[str]:
        """Places of a level, in the order in which the region has them."""
        return self._places.get(level, [])

    @cached_property
    def _places(self) -> dict[str, list[str]]:
        found: dict[str, dict[str, None]] = {}
        for at in self.values:
            found.setdefault(at.level, {})[at.place] = None
        return {level: list(places) for level, places in found.items()}


def codes(column: pa.ChunkedArray) -> tuple[list[Any], NDArray[np.int64]]:
    """Distinct values of a text column and, row by row, which it is."""
    if not len(column):
        return [], np.zeros(0, np.int64)
    whole = column.unify_dictionaries().combine_chunks()
    return whole.dictionary.to_pylist(), whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)
