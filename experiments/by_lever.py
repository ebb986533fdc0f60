"""The mixtures of a plan's and a reference's levers, as runs in a folder beside the run they explain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.difference import diff
from experiments.plan import Plan, Run
from experiments.scenario import Scenario
from model.errors import InputError, unknown
from model.levers import LEVERS
from model.policy import Policy
from results.attribution import mixtures, orders_of
from results.run_folder import RunFolder

FOLDER = "by-lever"  # inside the run's
MOST_PLAYERS = 62  # the number of a mixture has a bit a lever


@dataclass(frozen=True)
class MixturePlan(Plan):
    """Mixtures of two scenarios' levers; each replicate lives those that its orders pass through."""

    about: tuple[tuple[str, Any], ...] = ()  # what the manifest says of the mixtures
    wanted: tuple[tuple[str, ...], ...] = ()  # names of the mixtures each replicate lives

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every run, replicate by replicate."""
        return tuple(run for run in self._runs() if run.scenario in self.wanted[run.replicate])

    def as_data(self) -> dict[str, Any]:
        """The plan for the manifest, and what its scenarios are mixtures of."""
        return super().as_data() | {"runs": len(self.runs), "by_lever": dict(self.about)}


def differing(reference: Scenario, plan: Scenario, first: int) -> list[str]:
    """The levers that differ between two scenarios in some year from `first` on, by name."""
    years = max(reference.ends, plan.ends) - first + 1
    a, b = (replace(s, starts=first, years=years) for s in (reference, plan))
    named = {row.what.partition(".")[0] for row in diff(a, b)}
    return [name for name in LEVERS if name in named]


def players_of(levers: Sequence[str], groups: Sequence[str]) -> dict[str, list[str]]:
    """Levers that are added together: `groups` as NAME=LEVER,LEVER; every other lever is a group of its own.

    Raises InputError for a group that is no such text, names a lever twice, or one that does not differ.
    """
    players: dict[str, list[str]] = {}
    held: set[str] = set()
    for text in groups:
        where = f"--group {text}"
        name, sign, members = text.partition("=")
        inside = [m.strip() for m in members.split(",")]
        if not sign or not name or (name in LEVERS and name not in inside):
            raise InputError(where, text, "NAME=LEVER,LEVER with a name that is no other lever's")
        players[name] = []
        for lever in inside:
            if lever not in levers:
                if lever in LEVERS:
                    raise InputError(where, f"{lever}, which does not differ", "one of " + ", ".join(levers))
                raise unknown(where, "lever", lever, levers)
            if lever in held:
                raise InputError(where, f"{lever} a second time", "each lever in one group")
            held.add(lever)
            players[name].append(lever)
    return players | {lever: [lever] for lever in levers if lever not in held}


def mixture(reference: Scenario, plan: Scenario, players: Mapping[str, Sequence[str]], number: int) -> Scenario:
    """The scenario with the plan's entries of the players whose bits are set in `number`, else the reference's."""
    levers = list(players.values())
    left = {lever for i, held in enumerate(levers) if not number >> i & 1 for lever in held}
    entries = [e for e in plan.policy.entries if e.NAME not in left]
    entries += [e for e in reference.policy.entries if e.NAME in left]
    place = {name: i for i, name in enumerate(LEVERS)}
    policy = Policy(tuple(sorted(entries, key=lambda e: place[e.NAME])))
    return replace(plan, name=f"{plan.name}~{number:x}", policy=policy, targets=(), lines={})


def mixture_plan(
    plan: Plan, scenario: str, reference: str, groups: Sequence[str], orders: int, first: int
) -> MixturePlan:
    """The runs that say how much each lever gave of a scenario's difference from the reference.

    `orders`: drawn for each replicate, beside the reverse of each. `first`: the first year lived. Raises InputError
    where no lever differs.
    """
    known = {s.name: s for s in plan.scenarios}
    levers = differing(known[reference], known[scenario], first)
    if not levers:
        raise InputError(f"{scenario} and {reference}", "no lever that differs", "scenarios of different levers")
    players = players_of(levers, groups)
    if len(players) == 1:
        only = next(iter(players))
        raise InputError(f"{scenario} and {reference}", f"one that differs, {only}", "two or more: it gave all of it")
    if len(players) > MOST_PLAYERS:
        raise InputError("--by-lever", f"{len(players)} levers that differ", f"{MOST_PLAYERS} at most; use --group")
    drawn = [orders_of(plan.seed, r, len(players), orders) for r in range(plan.replicates)]
    numbers = [mixtures(len(players), own) for own in drawn]
    distinct = sorted(set().union(*numbers))
    made = {n: mixture(known[reference], known[scenario], players, n) for n in distinct}
    about = {
        "scenario": scenario,
        "reference": reference,
        "players": players,
        "mixtures": {s.name: n for n, s in made.items()},
        "orders": drawn,
    }
    return MixturePlan(
        tuple(made.values()),
        plan.calibrations,
        plan.replicates,
        plan.seed,
        plan.redraw_region,
        about=tuple(about.items()),
        wanted=tuple(tuple(made[n].name for n in own) for own in numbers),
    )


def mixture_folder(run: RunFolder, plan: MixturePlan) -> Path:
    """Where the mixtures of a run are kept: for each comparison and grouping a folder inside the run's."""
    about = dict(plan.about)
    players = hashlib.blake2b(json.dumps(about["players"]).encode(), digest_size=4).hexdigest()
    return run.path / FOLDER / f"{about['scenario']}-{about['reference']}-{players}"
