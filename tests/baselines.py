"""Every indicator of every shipped scenario on one seed, kept as text: `python -m tests.baselines [NAME...]`.

One file a case under tests/baselines/, one line a value of the whole region, with ten significant digits: the first,
the third and the last year of the scenario under both calibrations. A change of results is read in the diff, and is
named in CHANGELOG.md under "Results change". Names are those of scenarios, and `village` for the baseline there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from experiments.plan import CALIBRATIONS
from experiments.prepared import prepared_region
from experiments.scenario import BASELINE, Scenario, load_scenario, scenarios
from model.behaviour import load_behaviour
from model.simulate import simulate

FOLDER = Path(__file__).parent / "baselines"
COMMAND = "python -m tests.baselines"
HEADER = "calibration\tyear\tstage\tindicator\tvalue"
SEED = 1
VILLAGE = "village"
NAMES = (VILLAGE, *scenarios())
Key = tuple[str, int, str, str]  # calibration, year, stage, indicator


def computed(name: str) -> dict[Key, float]:
    """The values of a case as the model gives them now."""
    scenario = load_scenario(BASELINE if name == VILLAGE else name)
    region = VILLAGE if name == VILLAGE else scenario.region
    return {key: value for calibration in CALIBRATIONS for key, value in _lived(scenario, region, calibration)}


def _lived(scenario: Scenario, region: str, calibration: str) -> Iterator[tuple[Key, float]]:
    behaviour = load_behaviour(calibration)
    settled = prepared_region(region, SEED, behaviour, load_scenario(BASELINE).policy)
    found = simulate(settled, scenario.policy, behaviour, SEED, scenario.ends - settled.year).indicators
    years = (scenario.starts, scenario.starts + 2, scenario.ends)
    columns = (found[title].tolist() for title in ("level", "year", "stage", "indicator", "value"))
    for level, year, stage, indicator, value in zip(*columns, strict=True):
        if level == "region" and year in years:
            yield (calibration, year, stage, indicator), value


def kept(name: str) -> dict[Key, float]:
    """The values of a case as its file has them; {} without a file."""
    path = FOLDER / f"{name}.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    rows = (line.split("\t") for line in lines)
    return {(calibration, int(year), stage, name): float(value) for calibration, year, stage, name, value in rows}


def write(name: str) -> None:
    """Compute a case and write its file."""
    rows = ["\t".join((*map(str, key), f"{value:.10g}")) for key, value in sorted(computed(name).items())]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.tsv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        write(chosen)
