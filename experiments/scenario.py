"""Scenarios as files: a region, its years, the policy of a document and the targets it is judged by.

A scenario is YAML (see `scenarios/`), may extend another, and is read strictly: what is unknown, of the wrong
type, out of range or contradictory is refused with its file and line, before anything runs.

A child that names a lever replaces all the parent's entries of that lever, from the year the child starts: in the
years before, which a region that stands earlier lives first, the parent's hold, unless the child dates an entry of
that lever there. A child with targets replaces the parent's targets; every other key it leaves out it takes from the
parent.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.policy_file import YEARS, read_clauses, read_policies, set_everywhere
from experiments.reading import Node, shown
from model import strict_yaml
from model.errors import InputError, unknown
from model.levers import LEVERS
from model.policy import FOREVER, Lever, Policy
from model.profile import profiles
from model.region import Region

SHIPPED = Path(__file__).parent / "scenarios"
BASELINE = "baseline"
KEYS = ("name", "title", "extends", "region", "starts", "years", "document", "policies", "targets")
DOCUMENT_KEYS = ("file", "number", "issued")
TARGET_KEYS = ("indicator", "stage", "level", "place", "at_least", "at_most", "since", "by", "clause", "note")
DIRECTIONS = ("at_least", "at_most")
STAGES = ("primary", "junior", "all")
LEVELS = ("region", "district", "town", "setting", "group", "school")
LONGEST = 60  # years a scenario may run


@dataclass(frozen=True)
class Target:
    """What a document asks for: an indicator of a stage at a place, at least or at most so much by a year.

    `by` is a school year (2022 is the one that begins in autumn 2022). With `since`, an earlier school year of the
    scenario, the bound is on the change from then to `by`. `place` is empty at level `region`; at another level an
    empty place means every place of that level.
    """

    indicator: str
    stage: str
    level: str
    place: str
    direction: str
    required: float
    by: int
    clause: tuple[str, ...] = ()
    note: str = ""
    since: int | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario with everything it inherits resolved. The first school year is `starts` (its autumn)."""

    name: str
    title: Mapping[str, str]
    region: str
    starts: int
    years: int
    document: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    targets: tuple[Target, ...] = ()
    extends: tuple[str, ...] = ()  # names of what it extends, the nearest first
    path: Path | None = None
    lines: Mapping[Lever, str] = field(default_factory=dict, compare=False, repr=False)  # file and line of each entry

    @property
    def ends(self) -> int:
        """Last school year."""
        return self.starts + self.years - 1

    def with_set(self, assignment: str) -> Scenario:
        """The same scenario with `lever.field=value` in every entry and year of that lever.

        Raises InputError for an unknown lever or field and for a value of the wrong type or out of range.
        """
        where = f"--set {assignment}"
        name, sign, text = assignment.partition("=")
        if not sign:
            raise InputError(where, "no '='", "LEVER.FIELD=VALUE, e.g. teacher_rotation.share_of_eligible=0.2")
        value = strict_yaml.load_text(text.strip(), where)
        return dataclasses.replace(self, policy=set_everywhere(self.policy, name.strip(), value, where))

    def check(self, region: Region) -> None:
        """Raise InputError, with file and line, for a place the region lacks or entries that overlap in it."""
        for entry in self.policy.entries:
            try:
                entry.where.mask(region)
            except InputError as error:
                where = self.lines.get(entry, f"{self.name}, {entry.NAME}")
                raise InputError(where, error.found, error.expected, error.nearest) from None
        try:
            self.policy.check(region)
        except InputError as error:
            raise InputError(f"{self.path}, {error.where}", error.found, error.expected) from None

    def beside(self, other: Scenario) -> Scenario:
        """The same levers and targets in the other scenario's region and years (a baseline beside a plan)."""
        return dataclasses.replace(self, region=other.region, starts=other.starts, years=other.years)

    def resolved(self) -> dict[str, Any]:
        """All of it, with every value that is implied, in canonical order: JSON for manifests and hashes."""
        return {
            "name": self.name,
            "title": dict(self.title),
            "region": self.region,
            "starts": self.starts,
            "years": self.years,
            "document": dict(self.document),
            "extends": list(self.extends),
            "policies": {name: [_as_data(e) for e in held] for name, held in by_lever(self.policy).items()},
            "targets": [dataclasses.asdict(t) | {"clause": list(t.clause)} for t in self.targets],
        }


def scenarios() -> list[str]:
    """Names of the shipped scenarios, the baseline first."""
    names = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    return sorted(names, key=lambda name: name != BASELINE)


def load_scenario(name_or_path: str | Path) -> Scenario:
    """A shipped scenario by name, or one from a file. Raises InputError naming file and line."""
    return _load(_find(str(name_or_path), Path(), "scenario"), ())


def by_lever(policy: Policy) -> dict[str, tuple[Lever, ...]]:
    """The entries of a policy by lever, in canonical order."""
    held = {name: [e for e in policy.entries if type(e) is kind] for name, kind in LEVERS.items()}
    return {
        name: tuple(sorted(entries, key=lambda e: (e.start, e.until, dataclasses.astuple(e.where))))
        for name, entries in held.items()
        if entries
    }


def describe(target: Target) -> str:
    """A target in one line, e.g. `cv.backbone_teachers primary at most 0.5 by 2022`, of a change `… since 2019`."""
    sign = target.direction.replace("_", " ")
    where = "" if target.level == "region" else f" {target.level} {target.place}".rstrip()
    since = f" since {target.since}" if target.since is not None else ""
    return f"{target.indicator} {target.stage}{where} {sign} {target.required:,g}{since} by {target.by}"


def _find(name: str, folder: Path, where: str) -> Path:
    """The file of a shipped scenario, or a path (relative to `folder`)."""
    if name in scenarios():
        return SHIPPED / f"{name}.yaml"
    path = folder / name
    if path.is_file():
        return path
    if "/" in name or "\\" in name or path.suffix in (".yaml", ".yml"):
        raise InputError(where, f"no file {name!r}", "a scenario file, or one of " + ", ".join(scenarios()))
    raise unknown(where, "scenario", name, scenarios())


def _load(path: Path, children: tuple[tuple[Path, str], ...]) -> Scenario:
    node = Node.of_file(path, KEYS)
    parent = _parent(node, children)
    starts = node.whole("starts", *YEARS, parent.starts if parent else None)
    inherited = by_lever(parent.policy) if parent else {}
    entries = {name: {e: parent.lines[e] for e in held} for name, held in inherited.items()} if parent else {}
    for name, held in read_policies(node).items():
        entries[name] = _from_its_start(held, entries.get(name, {}), starts, parent)
    return Scenario(
        name=node.text("name", path.stem),
        title=_title(node),
        region=_region(node, parent),
        starts=starts,
        years=node.whole("years", 1, LONGEST, parent.years if parent else None),
        document=_document(node, parent),
        policy=Policy(tuple(e for name in LEVERS for e in entries.get(name, ()))),
        lines={e: line for held in entries.values() for e, line in held.items()},
        targets=parent.targets if parent and "targets" not in node else _targets(node, starts),
        extends=(parent.name, *parent.extends) if parent else (),
        path=path,
    )


def _from_its_start(
    own: dict[Lever, str], inherited: Mapping[Lever, str], starts: int, parent: Scenario | None
) -> dict[Lever, str]:
    """A child's entries of a lever; before a later start than the parent's, the parent's, if the child says nothing."""
    if parent is None or starts <= parent.starts or any(0 < e.start < starts or e.until < starts for e in own):
        return own
    before = {
        dataclasses.replace(e, until=min(e.until, starts - 1)): line
        for e, line in inherited.items()
        if e.start < starts
    }
    return before | {dataclasses.replace(e, start=max(e.start, starts)): line for e, line in own.items()}


def _parent(node: Node, children: tuple[tuple[Path, str], ...]) -> Scenario | None:
    if "extends" not in node:
        return None
    where = node.at("extends")
    found = _find(node.text("extends"), node.path.parent, where)
    chain = (*children, (node.path.resolve(), node.path.stem))
    if found.resolve() in [path for path, _ in chain]:
        shown_chain = " → ".join([*(stem for _, stem in chain), found.stem])
        raise InputError(where, f"a scenario that extends itself ({shown_chain})", "`extends` that comes to an end")
    return _load(found, chain)


def _title(node: Node) -> dict[str, str]:
    if "title" not in node or isinstance(node["title"], str):
        title = node.text("title", node.path.stem)
        return {"en": title, "zh": title}
    title_node = node.mapping("title", ("en", "zh"), "language")
    return {language: title_node.text(language) for language in ("en", "zh")}


def _region(node: Node, parent: Scenario | None) -> str:
    """A shipped region, or a file (relative to the scenario's)."""
    name = node.text("region", parent.region if parent else None)
    if "region" not in node:
        return name
    path = node.path.parent / name
    if path.is_file():
        return str(path)
    if name not in profiles():
        raise unknown(node.at("region"), "region", name, profiles())
    return name


def _document(node: Node, parent: Scenario | None) -> Mapping[str, str]:
    if "document" not in node:
        return parent.document if parent else {}
    document = node.mapping("document", DOCUMENT_KEYS, "key of document")
    return {key: document.text(key) for key in document}


def _targets(node: Node, starts: int) -> tuple[Target, ...]:
    if "targets" not in node:
        return ()
    return tuple(_target(item, starts) for item in node.items("targets", "targets"))


def _target(item: Node, starts: int) -> Target:
    item.only(TARGET_KEYS, "key of a target")
    indicator = item.text("indicator")
    stage, level = item.choice("stage", STAGES, "all"), item.choice("level", LEVELS, "region")
    _check_indicator(item, indicator, stage, level)
    place = item.text("place") if "place" in item else ""
    if place and level == "region":
        raise InputError(item.at("place"), f"place {place!r} at level region", "a level such as town, or no place")
    by = item.whole("by", *YEARS)
    if by < starts:
        raise InputError(item.at("by"), f"by {by}, before the scenario starts", f"{starts} or later")
    since = item.whole("since", *YEARS) if "since" in item else None
    if since is not None and not starts <= since < by:
        found = f"since {since}, by {by}, in a scenario that starts in {starts}"
        raise InputError(item.at("since"), found, f"a year from {starts} to {by - 1}")
    direction, required = _bound(item)
    note = item.text("note") if "note" in item else ""
    return Target(indicator, stage, level, place, direction, required, by, read_clauses(item), note, since)


def _bound(item: Node) -> tuple[str, float]:
    """Direction and required value."""
    held = [d for d in DIRECTIONS if d in item]
    if len(held) != 1:
        found = " and ".join(held) or "neither at_least nor at_most"
        raise InputError(item.at(), f"a target with {found}", "one of at_least, at_most")
    value = item[held[0]]
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(item.at(held[0]), f"{held[0]}: {shown(value)}", "a number")
    return held[0], float(value)


def _check_indicator(item: Node, name: str, stage: str, level: str) -> None:
    from model.indicators import INDICATORS

    if name not in INDICATORS:
        raise unknown(item.at("indicator"), "indicator", name, INDICATORS)
    indicator = INDICATORS[name]
    for key, value, known in (("stage", stage, indicator.stages), ("level", level, indicator.levels)):
        if value not in known:
            raise InputError(item.at(key), f"{name} by {key} {value!r}", "one of " + ", ".join(known))


def _as_data(entry: Lever) -> dict[str, Any]:
    values = {name: list(v) if isinstance(v, tuple) else v for name, v in entry.values().items()}
    return {
        "from": entry.start or None,
        "until": None if entry.until == FOREVER else entry.until,
        "where": {key: list(places) for key, places in dataclasses.asdict(entry.where).items() if places},
        **values,
        "mark": entry.mark,
        "clause": list(entry.clause),
        "note": entry.note,
    }
