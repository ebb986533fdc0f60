"""Norms of law and practice: what `data/rules.yaml` holds, by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from model.strict_yaml import load


@cache
def rules() -> dict[str, dict[str, Any]]:
    """Every norm with its value, unit, kind, range and source."""
    rows = load(Path(__file__).parent / "data" / "rules.yaml")
    for name, row in rows.items():
        if not set(row) <= {"value", "unit", "kind", "low", "high", "source", "en"}:
            raise ValueError(f"rules.yaml: {name}: {sorted(row)}")
    return dict(rows)


def rule(name: str) -> Any:
    """The value of a norm: a number, or a tuple with one a stage or year. Raises KeyError."""
    value = rules()[name]["value"]
    return tuple(value) if isinstance(value, list) else value
