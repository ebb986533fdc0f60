"""Pretended runs for tests of batches: what a worker does in place of living school years.

Values come from the run's seed, as a real run's do: a part that scenarios share and a part of their own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.plan import Plan, Task, planned
from experiments.scenario import load_scenario
from results.tables import pack
from results.targets import judge

YEARS = range(2020, 2024)
NAMES = ("gap.score", "cv.equipment", "cv.backbone_teachers", "local_stay", "mean.equipment", "standard_met")
SHARE, PERSISTENCE = -0.5, 0.2  # effects of two factors of a design, a unit


def plan(replicates: int = 3, **settings: Any) -> Plan:
    """The baseline beside Wuqing's plan."""
    chosen = [load_scenario("baseline"), load_scenario("wuqing-2020-2022")]
    return planned(chosen, years=len(YEARS), replicates=replicates, **settings)


def live(task: Task) -> Mapping[str, bytes]:
    """A run whose indicators are its replicate's noise, an effect of its scenario, and a little of its own."""
    own = int.from_bytes(task.run.id[:8].encode(), "little")
    shared, alone = np.random.default_rng(task.run.seed), np.random.default_rng(own)
    keys = [(y, s, n) for y in YEARS for s in ("primary", "junior", "all") for n in NAMES]
    effect = -0.1 if task.run.scenario == "wuqing-2020-2022" else 0.0
    effect += SHARE * task.point.levers.get("teacher_rotation.share_of_eligible", 0.0)
    effect += PERSISTENCE * (task.behaviour.persistence - 0.5)
    value = 0.5 + effect + 0.05 * shared.normal(size=len(keys)) + 0.005 * alone.normal(size=len(keys))
    indicators = {
        "year": np.array([k[0] for k in keys]),
        "level": np.full(len(keys), "region"),
        "place": np.full(len(keys), "wuqing"),
        "stage": np.array([k[1] for k in keys]),
        "indicator": np.array([k[2] for k in keys]),
        "value": value,
    }
    finance = {
        "year": np.repeat(np.array(YEARS), 2),
        "payer": np.full(2 * len(YEARS), "district"),
        "receiver": np.full(2 * len(YEARS), "construction"),
        "lever": np.tile(["new_places", "stipend"], len(YEARS)),
        "item": np.tile(["building", "stipend"], len(YEARS)),
        "yuan": np.tile([1.5e9, 3e9], len(YEARS)) * value[0],
    }
    notices = {"year": [2021], "lever": ["stipend"], "en": ["only 3 were found"], "zh": ["仅3人"]}
    tables = {
        "indicators": indicators,
        "finance": finance,
        "targets": judge(task.targets, indicators),
        "notices": notices,
    }
    return {name: pack(name, columns) for name, columns in tables.items()}


def live_slowly(task: Task) -> Mapping[str, bytes]:
    """The same, so slow that it can be killed under way."""
    time.sleep(0.1)
    return live(task)


def live_at_length(task: Task) -> Mapping[str, bytes]:
    """Leaves more than a pipe has room for."""
    return {"indicators": task.run.id.encode() * 50_000}


def live_never(task: Task) -> Mapping[str, bytes]:
    """Raises, whatever the task."""
    raise ZeroDivisionError("no pupils")


def never_live(task: Task) -> Mapping[str, bytes]:
    """Raises."""
    raise ZeroDivisionError("no pupils in 大良镇")


def live_unless_broken(task: Task) -> Mapping[str, bytes]:
    """Raises in replicate 1 of the plan as long as the file named by PRETEND_BROKEN is there."""
    if task.run.replicate == 1 and task.run.scenario != "baseline" and Path(os.environ["PRETEND_BROKEN"]).exists():
        raise ZeroDivisionError("no pupils in 大良镇")
    return live(task)


def live_or_die(task: Task) -> Mapping[str, bytes]:
    """The worker is killed in replicate 1 of the plan: PRETEND_DEATHS times, each noted in PRETEND_NOTES."""
    if task.run.replicate == 1 and task.run.scenario != "baseline":
        notes = Path(os.environ["PRETEND_NOTES"])
        deaths = len(list(notes.iterdir()))
        if deaths < int(os.environ["PRETEND_DEATHS"]):
            (notes / str(deaths)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return live(task)
