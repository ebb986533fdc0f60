"""How long a school year of Wuqing takes, step by step, on one core: `python -m benchmarks.year`."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict

from benchmarks.loop import loop_seconds, on_one_thread

on_one_thread()
SCENARIOS = ("baseline", "wuqing-2020-2022")
PARTS = ("year", "indicators", "all")


def timed(scenario: str, region: str, repeats: int) -> tuple[dict[str, float], float]:
    """Median seconds of each step, the year, its indicators and both; and of one pass of the loop beside them."""
    from experiments.memory import keep_freed_memory
    from experiments.prepared import prepared_region
    from experiments.scenario import BASELINE, load_scenario
    from model.behaviour import load_behaviour
    from model.indicators import Rows
    from model.measure import measure
    from model.school_year import SchoolYear
    from model.year import live

    keep_freed_memory()  # as workers do
    behaviour = load_behaviour("input")
    chosen = load_scenario(scenario)
    settled = prepared_region(region, 1, behaviour, load_scenario(BASELINE).policy)
    found: dict[str, list[float]] = defaultdict(list)
    loops = []
    for repeat in range(repeats):
        living, rows = settled.copy(), Rows()
        for _ in range(chosen.years):
            loops.append(loop_seconds())
            clock: dict[str, float] = {}
            begun = time.perf_counter()
            year = SchoolYear.begin(living, chosen.policy, behaviour, seed=1 + repeat)
            live(living, year, clock)
            lived = time.perf_counter()
            measure(living, year, rows)
            measured = time.perf_counter()
            spans = {"year": lived - begun, "indicators": measured - lived, "all": measured - begun}
            for name, seconds in (clock | spans).items():
                found[name].append(seconds)
    return {name: statistics.median(held) for name, held in found.items()}, statistics.median(loops)


def main() -> None:
    """Print one table: milliseconds and units of the loop, under each scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="times that the scenario's years are lived")
    parser.add_argument("--region", default="wuqing")
    asked = parser.parse_args()
    results = [timed(name, asked.region, asked.repeats) for name in SCENARIOS]
    lines = [f"{'':<22}" + "".join(f"{name:>26}" for name in SCENARIOS)]
    lines.append(f"{'median':<22}" + f"{'ms':>14}{'loops':>12}" * len(SCENARIOS))
    steps = [name for name in results[0][0] if name not in PARTS]
    for name in (*steps, *PARTS):
        cells = [(held[name] * 1000, held[name] / loop) for held, loop in results]
        lines.append(f"{name:<22}" + "".join(f"{ms:>14.2f}{units:>12.2f}" for ms, units in cells))
    lines.append(f"{'one loop':<22}" + "".join(f"{loop * 1000:>14.2f}{1:>12.2f}" for _, loop in results))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
