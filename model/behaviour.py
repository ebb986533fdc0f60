"""Behaviour: how agents act, as parameters with value under each calibration, unit, range, kind, source.

`behaviour.yaml` holds them. Two calibrations are shipped (evidence.md 1 and 7): under `input` schools make
most of the gap, under `sorting` homes do. Both fit the same base moments; they disagree about policy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model.errors import InputError, unknown
from model.strict_yaml import load

CALIBRATIONS = ("input", "sorting")
KINDS = ("measured", "derived", "assumed")


@dataclass(frozen=True)
class Parameter:
    """One number of behaviour and how far it can be trusted."""

    name: str
    unit: str
    input: float
    sorting: float
    low: float
    high: float
    kind: str
    source: str
    en: str
    zh: str


class Behaviour:
    """The parameters in force, by name: `behaviour.persistence`."""

    def __init__(self, calibration: str, values: dict[str, float]) -> None:
        self.calibration = calibration
        self.values = values

    def __getattr__(self, name: str) -> float:
        try:
            return float(self.__dict__["values"][name])
        except KeyError:
            raise AttributeError(f"no behaviour parameter {name!r}") from None

    def __getstate__(self) -> dict[str, Any]:
        return {"calibration": self.calibration, "values": self.values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def by_setting(self, name: str) -> list[float]:
        """The three values of a parameter kept for urban, town and village."""
        return [self.values[f"{name}_{place}"] for place in ("urban", "town", "village")]

    def by_stage(self, name: str) -> list[float]:
        """The two values of a parameter kept for primary and junior."""
        return [self.values[f"{name}_{stage}"] for stage in ("primary", "junior")]

    def fingerprint(self) -> str:
        """A hash of every value."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def parameters() -> dict[str, Parameter]:
    """Every parameter by name, in the order of the file."""
    found: dict[str, Parameter] = {}
    for name, row in load(Path(__file__).with_name("behaviour.yaml")).items():
        value = row.pop("value", None)
        if value is not None:
            row = {"input": value, "sorting": value, **row}
        parameter = Parameter(name=name, **row)
        for calibration in CALIBRATIONS:
            if not parameter.low <= getattr(parameter, calibration) <= parameter.high:
                raise ValueError(f"behaviour.yaml: {name}: {calibration} lies outside its range")
        if parameter.kind not in KINDS:
            raise ValueError(f"behaviour.yaml: {name}: kind {parameter.kind!r}")
        found[name] = parameter
    return found


def load_behaviour(calibration: str = "input", **overrides: float) -> Behaviour:
    """The behaviour of a calibration, with some parameters set otherwise.

    Raises InputError for an unknown calibration or parameter, or a value outside the parameter's range.
    """
    if calibration not in CALIBRATIONS:
        raise unknown("calibration", "calibration", calibration, CALIBRATIONS)
    known = parameters()
    values = {name: float(getattr(p, calibration)) for name, p in known.items()}
    for name, value in overrides.items():
        if name not in known:
            raise unknown("parameters", "parameter", name, known)
        p = known[name]
        if not p.low <= value <= p.high:
            raise InputError(f"parameters.{name}", f"{value}", f"{p.low} to {p.high} {p.unit}")
        values[name] = float(value)
    return Behaviour(calibration, values)


def __getattr__(name: str) -> Any:
    if name == "PARAMETERS":
        return parameters()
    raise AttributeError(name)
