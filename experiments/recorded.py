"""The plan that a run folder was made by, read back from its manifest, so that it can be gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments import prepared
from experiments.plan import Plan
from experiments.scenario import Scenario, Target
from model.errors import InputError
from model.levers import LEVERS
from model.policy import FOREVER, Lever, Policy, Where
from results.run_folder import RunFolder


def recorded_plan(folder: RunFolder) -> Plan:
    """The plan of a run folder: scenarios as they were resolved then, seeds, years, calibrations.

    Raises InputError for a sweep, and where the region's file is gone or is another by now.
    """
    manifest = folder.manifest
    if _points(manifest) > 1:
        raise InputError(str(folder.path), f"a design of {_points(manifest)} points", "a run of scenarios only")
    profile = manifest["region"]["profile"]
    try:
        content = prepared.profile_fingerprint(profile)
    except OSError as error:
        raise InputError(profile, error.strerror or str(error), "the region's file") from None
    if content != manifest["region"]["content"]:
        raise InputError(profile, "another region, or none, than the run was made with", "the same file")
    return Plan(
        tuple(recorded_scenario(said) for said in manifest["scenarios"].values()),
        calibrations=tuple(manifest["calibrations"]),
        replicates=manifest["replicates"],
        seed=manifest["seed"],
        redraw_region=manifest["redraw_region"],
        record=manifest["record"],
    )


def recorded_scenario(said: Mapping[str, Any]) -> Scenario:
    """The scenario that `Scenario.resolved` told of."""
    return Scenario(
        name=said["name"],
        title=said["title"],
        region=said["region"],
        starts=said["starts"],
        years=said["years"],
        document=said["document"],
        policy=Policy(tuple(_entry(name, e) for name, entries in said["policies"].items() for e in entries)),
        targets=tuple(Target(**{**t, "clause": tuple(t["clause"])}) for t in said["targets"]),
        extends=tuple(said["extends"]),
    )


def _entry(lever: str, said: Mapping[str, Any]) -> Lever:
    kind = LEVERS[lever]
    values = {name: tuple(v) if isinstance(v := said[name], list) else v for name in kind.settings()}
    return kind(
        start=said["from"] or 0,
        until=FOREVER if said["until"] is None else said["until"],
        where=Where(**{key: tuple(places) for key, places in said["where"].items()}),
        clause=tuple(said["clause"]),
        mark=said["mark"],
        note=said["note"],
        **values,
    )


def _points(manifest: Mapping[str, Any]) -> int:
    return int(manifest["design"]["points"])
