"""Live one run: the work that a batch's workers do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.plan import Task
from model.simulate import simulate
from results.provenance import model_fingerprint
from results.tables import pack
from results.targets import judge


def live(task: Task) -> Mapping[str, bytes]:
    """The packed tables of one run: indicators, finance, judged targets, notices.

    Raises RuntimeError where the model's source was changed since the plan was made.
    """
    setting = task.setting
    if setting.model != model_fingerprint():
        raise RuntimeError("the model's source was changed while the batch ran: start it again, in a new folder")
    region = task.region()
    history = simulate(
        region,
        task.policy,
        task.behaviour,
        task.run.seed,
        task.last_year - region.year,
        record_schools=setting.record_schools,
    )
    return packed(history, task.targets)


def packed(history: Any, targets: tuple[Mapping[str, Any], ...]) -> dict[str, bytes]:
    """A history's tables, packed."""
    notices = {
        "year": [n.year for n in history.notices],
        "lever": [n.lever for n in history.notices],
        "en": [n.en for n in history.notices],
        "zh": [n.zh for n in history.notices],
    }
    tables = {
        "indicators": history.indicators,
        "finance": history.finance,
        "targets": judge(targets, history.indicators),
        "notices": notices,
    }
    return {name: pack(name, columns) for name, columns in tables.items()}
