"""How much the shared draws help: every shipped scenario against the baseline.

python -m benchmarks.shared_draws [SCENARIO...] [--replicates N] [--calibration input|sorting|both] [--region NAME]

Figure 8 of the design: the variance of a difference at least 3 times smaller than with independent seeds. Printed
by comparison: the ratio of each headline, and the median over all outcomes that vary on both sides.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from experiments.batch import run_batch, run_folder
from experiments.plan import CALIBRATIONS, planned
from experiments.scenario import BASELINE, load_scenario, scenarios
from results.comparison import compare

WANTED = 3.0
OUTCOMES = (
    "gap.score",
    "gap.score_home",
    "mean_score",
    "between_school_share",
    "gap.teacher_effectiveness",
    "local_stay",
    "satisfaction",
)


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Live every comparison and print its ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", default=[name for name in scenarios() if name != BASELINE])
    parser.add_argument("--replicates", type=int, default=16)
    parser.add_argument("--calibration", default="input")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--region", default=None)
    asked = parser.parse_args()
    calibrations = CALIBRATIONS if asked.calibration == "both" else (asked.calibration,)
    for name in asked.scenarios:
        chosen = [load_scenario(BASELINE), load_scenario(name)]
        plan = planned(chosen, asked.region, calibrations=calibrations, replicates=asked.replicates)
        with tempfile.TemporaryDirectory() as folder:
            run = run_folder(plan, Path(folder) / "run")
            run_batch(plan, run, asked.workers)
            found = compare(run, outcomes=OUTCOMES)
        for shared in found.shared:
            mark = "reached" if shared.variance_ratio >= WANTED else "not reached"
            say(
                f"{name} ({plan.profile}, {shared.calibration}, {shared.replicates} replicates): median ratio"
                f" {shared.variance_ratio:.1f}, correlation {shared.correlation:.2f}, over {shared.outcomes} outcomes;"
                f" {WANTED:g} {mark}"
            )
            own = [d for d in found.of(name, shared.calibration) if d.variance_ratio is not None]
            cells = [f"{d.indicator} {d.stage} {d.variance_ratio:.1f}" for d in own]
            ratios = np.array([d.variance_ratio for d in own], float)
            say(f"  headlines, median {np.median(ratios):.1f}: " + ", ".join(cells))


if __name__ == "__main__":
    main()
