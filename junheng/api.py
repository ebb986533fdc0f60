"""Python's front door: build a region, read a scenario, live it, or live many replicates into a run folder.

region = jh.build_region("wuqing", seed=1)
history = jh.simulate(region, jh.scenario("wuqing-2020-2022"))
batch = jh.run(["baseline", "wuqing-2020-2022"], replicates=16, out="runs/a")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.batch import Tally, run_batch, run_folder
from experiments.plan import CALIBRATIONS, planned
from experiments.prepared import burned_in, given_region
from experiments.scenario import BASELINE, Scenario, load_scenario
from model.behaviour import load_behaviour
from model.errors import InputError, unknown
from model.region import Region
from model.simulate import History as ModelHistory
from model.simulate import simulate as live
from results.run_folder import RunFolder
from results.summary import summarise


@dataclass(frozen=True)
class History:
    """What one run leaves, as tidy tables, and the region after its last year."""

    indicators: pd.DataFrame = field(repr=False)  # year, level, place, stage, indicator, value
    finance: pd.DataFrame = field(repr=False)  # year, payer, receiver, lever, item, yuan
    notices: pd.DataFrame = field(repr=False)  # year, lever, en, zh
    region: Region = field(repr=False)
    _history: ModelHistory = field(repr=False)

    def school(self, name: str) -> pd.DataFrame:
        """One school's trajectory, a row a year; a value of each stage has two columns.

        Raises InputError for a school that the region does not have.
        """
        try:
            columns = self._history.school(name)
        except KeyError:
            raise unknown("school", "school", name, map(str, self.region.schools.name)) from None
        flat: dict[str, Any] = {}
        for title, values in columns.items():
            if values.ndim == 1:
                flat[title] = values
                continue
            by_stage = values.reshape(*values.shape[:2], -1)[..., 0]  # of beliefs, today's
            flat |= {f"{title}.{stage}": by_stage[:, i] for i, stage in enumerate(("primary", "junior"))}
        return pd.DataFrame(flat).set_index("year")


@dataclass(frozen=True)
class Batch:
    """A run folder, its tables read when asked for."""

    path: Path
    tally: Tally

    @property
    def indicators(self) -> pd.DataFrame:
        """scenario, calibration, design_point, replicate, year, level, place, stage, indicator, value."""
        return self.table("indicators")

    @property
    def finance(self) -> pd.DataFrame:
        """scenario, calibration, design_point, replicate, year, payer, receiver, lever, item, yuan."""
        return self.table("finance")

    @property
    def targets(self) -> pd.DataFrame:
        """What each run reached: … target, clause, due, …, required, value, met."""
        return self.table("targets")

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run folder; text as categories."""
        read: pd.DataFrame = RunFolder.open(self.path).table(name).to_pandas()
        return read

    def summary(self) -> dict[str, Any]:
        """What `junheng run --json` prints."""
        return summarise(RunFolder.open(self.path))


def build_region(name_or_file: str | Path, seed: int = 1) -> Region:
    """A region from a shipped profile, a profile's file or a saved region, as it is before it is lived in.

    Raises InputError where there is none or it is wrong.
    """
    return given_region(str(name_or_file), seed)


def scenario(name_or_file: str | Path) -> Scenario:
    """A shipped scenario or a scenario file. Raises InputError where there is none or it is wrong."""
    return load_scenario(str(name_or_file))


def simulate(
    region: Region,
    scenario: Scenario | str,
    years: int | None = None,
    seed: int = 1,
    calibration: str = "input",
) -> History:
    """Live the school years of a scenario in a region, which is left as it was.

    A region that is not burned in is burned in first, under the behaviour of the calibration and the
    baseline's levers (kept on disk). `years` counts from the scenario's first; its own length if not given.
    Raises InputError where scenario and region do not fit.
    """
    chosen = load_scenario(scenario) if isinstance(scenario, str) else scenario
    behaviour = load_behaviour(calibration)
    settled = burned_in(region, behaviour, load_scenario(BASELINE).policy)
    starts = settled.year + 1 if chosen.name == BASELINE else chosen.starts
    if starts <= settled.year:
        raise InputError(f"{chosen.name}: starts", f"{starts}", f"{settled.year + 1} or later in this region")
    last = starts + (chosen.years if years is None else years) - 1
    history = live(settled, chosen.policy, behaviour, seed, last - settled.year, record_schools=True)
    notices = pd.DataFrame([vars(n) for n in history.notices], columns=["year", "lever", "en", "zh"])
    return History(pd.DataFrame(history.indicators), pd.DataFrame(history.finance), notices, history.region, history)


def run(
    scenarios: Sequence[Scenario | str],
    region: str | Path | None = None,
    years: int | None = None,
    replicates: int = 8,
    redraw_region: bool = False,
    seed: int = 1,
    calibration: str = "input",
    workers: int | None = None,
    record: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    retry_failed: bool = False,
) -> Batch:
    """Live scenarios, replicated, into a run folder (a new one under `runs/` where `out` is not given).

    `calibration`: input, sorting or both. `resume` goes on with the runs of `out` that are not settled. Raises
    InputError where anything asked for is wrong, StoppedError where the batch was stopped and can be resumed.
    """
    chosen = [load_scenario(s) if isinstance(s, str) else s for s in scenarios]
    plan = planned(
        chosen,
        region=None if region is None else str(region),
        years=years,
        calibrations=CALIBRATIONS if calibration == "both" else (calibration,),
        replicates=replicates,
        seed=seed,
        redraw_region=redraw_region,
        record=record or "",
    )
    plan.check()
    folder = run_folder(plan, None if out is None else Path(out), resume)
    tally = run_batch(plan, folder, workers or os.cpu_count() or 1, retry_failed)
    return Batch(folder.path, tally)
