"""How long ten years of Tianjin take under `tianjin-2.0`, and in how much memory: `python -m benchmarks.city`."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.loop import loop_seconds, on_one_thread

on_one_thread()
SCENARIO = "tianjin-2.0"


def prepare(saved: Path) -> dict[str, float]:
    """Build the city and burn it in, nothing cached; seconds of each."""
    from experiments.scenario import BASELINE, load_scenario
    from model.behaviour import load_behaviour
    from model.build import build_region
    from model.burn_in import burn_in

    behaviour, chosen = load_behaviour("input"), load_scenario(SCENARIO)
    begun = time.perf_counter()
    region = build_region(chosen.region, 1)
    built = time.perf_counter()
    settled = burn_in(region, behaviour, load_scenario(BASELINE).policy)
    ended = time.perf_counter()
    settled.save(saved)
    return {"built": built - begun, "burned in": ended - built}


def live(saved: Path) -> dict[str, float]:
    """Live the scenario's years with all indicators in a process of its own; seconds, and its peak memory."""
    from experiments.memory import keep_freed_memory
    from experiments.scenario import load_scenario
    from model.behaviour import load_behaviour
    from model.region import Region
    from model.simulate import simulate

    keep_freed_memory()  # as workers do
    region, behaviour, chosen = Region.load(saved), load_behaviour("input"), load_scenario(SCENARIO)
    begun = time.perf_counter()
    simulate(region, chosen.policy, behaviour, 1, chosen.years)
    lived = time.perf_counter() - begun
    return {"years": chosen.years, "lived": lived, "peak": peak_megabytes()}


def peak_megabytes() -> float:
    """Most memory this process has held, MB; not `ru_maxrss`, in which a process inherits its parent's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def main() -> None:
    """Print seconds of building, burning in and living, and the peak memory of a process that only lives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.live:
        sys.stdout.write(json.dumps(live(asked.live)))
        return
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "city.npz")
        seconds = prepare(saved)
        command = [sys.executable, "-m", "benchmarks.city", "--live", str(saved)]
        said = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(asked.repeats)]  # noqa: S603
    found = [json.loads(text) for text in said]
    loop, lived = loop_seconds(), statistics.median(run["lived"] for run in found)
    sys.stdout.write(f"{SCENARIO}, one core, nothing cached; one loop {loop * 1000:.2f} ms\n")
    for name, value in seconds.items():
        sys.stdout.write(f"{name:<12}{value:>8.1f} s\n")
    sys.stdout.write(
        f"{found[0]['years']:.0f} years    {lived:>8.2f} s   {lived / loop:.0f} loops, median of {asked.repeats}\n"
    )
    sys.stdout.write(f"{'peak memory':<12}{max(run['peak'] for run in found):>8.0f} MB\n")


if __name__ == "__main__":
    main()
