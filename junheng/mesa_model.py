"""`model.mesa_model` by names: region and scenario as the command line knows them.

from junheng.mesa_model import EqualizationModel

model = EqualizationModel("village", "baseline", seed=1, years=8)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.prepared import burned_in, prepared_region
from experiments.scenario import BASELINE, Scenario, load_scenario
from model import mesa_model
from model.behaviour import Behaviour, load_behaviour
from model.errors import InputError
from model.policy import Policy
from model.region import Region


class EqualizationModel(mesa_model.EqualizationModel):
    """A region that lives a school year a step; see `model.mesa_model`, whose other arguments it takes.

    `region`: a shipped name, a file or a Region; burned in under the baseline's levers where it is not yet (kept on
    disk); None takes the scenario's. `policy`: a shipped scenario, a scenario file, a Scenario or a Policy. `years`:
    None for as long as the scenario lasts, without end for a Policy. Raises InputError where they do not fit.
    """

    def __init__(
        self,
        region: str | Path | Region | None = None,
        policy: str | Path | Scenario | Policy = BASELINE,
        calibration: str | Behaviour = "input",
        seed: int | None = None,
        years: int | None = None,
        record_schools: bool = False,
        report: Sequence[str] = mesa_model.HEADLINES,
        region_seed: int = 1,
        **kwargs: Any,
    ) -> None:
        scenario = load_scenario(policy) if isinstance(policy, str | Path) else policy
        behaviour = load_behaviour(calibration) if isinstance(calibration, str) else calibration
        baseline = load_scenario(BASELINE).policy
        if region is None:
            region = scenario.region if isinstance(scenario, Scenario) else load_scenario(BASELINE).region
        if isinstance(region, Region):
            settled = burned_in(region, behaviour, baseline)
        else:
            settled = prepared_region(str(region), region_seed, behaviour, baseline)
        if isinstance(scenario, Scenario):
            starts = settled.year + 1 if scenario.name == BASELINE else scenario.starts
            if starts <= settled.year:
                expected = f"{settled.year + 1} or later in this region"
                raise InputError(f"{scenario.name}: starts", f"{starts}", expected)
            years = starts + scenario.years - 1 - settled.year if years is None else years
            scenario = scenario.policy
        super().__init__(settled, scenario, behaviour, seed, years, record_schools, report, **kwargs)
