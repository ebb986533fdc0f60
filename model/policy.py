"""Policies: levers that are typed, dated, placed and costed, and cite their clauses.

`model/levers.py` declares what can be set; here is how an entry is dated, placed and checked, and how a
step asks what is in force. The default of every field is neutral: a lever at its defaults changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError, unknown
from model.region import NOBODY, Region, Setting

L = TypeVar("L", bound="Lever")
FOREVER = 9999


def setting(
    default: Any,
    en: str,
    zh: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    cost: str = "",
) -> Any:
    """Declare one field of a lever: neutral value, meaning in both languages, unit, range, price it uses."""
    meta = {"en": en, "zh": zh, "unit": unit, "low": low, "high": high, "choices": choices, "cost": cost}
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Where:
    """Where a lever acts: everywhere, or only in the places named (all conditions hold together)."""

    districts: tuple[str, ...] = ()
    towns: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()

    def mask(self, region: Region) -> NDArray[np.bool_]:
        """Which schools lie there; raises InputError for a place that the region does not have."""
        schools = region.schools
        held = np.ones(schools.n, bool)
        if self.districts:
            names = district_names(region)
            rows = [names.index(_known("district", d, names)) % region.districts.n for d in self.districts]
            held &= np.isin(schools.district, rows)
        if self.towns:
            towns = [str(name) for name in region.towns.name_zh]
            held &= np.isin(schools.town, [towns.index(_known("town", t, towns)) for t in self.towns])
        if self.settings:
            held &= np.isin(schools.setting, [Setting[s.upper()] for s in self.settings])
        if self.schools:
            names = [str(name) for name in schools.name]
            rows = [names.index(_known("school", s, names)) for s in self.schools]
            held &= np.isin(np.arange(schools.n), rows)
        return held


def district_names(region: Region) -> list[str]:
    """Names by which a policy may call a district: English, then Chinese, each in the order of rows."""
    return [str(name) for name in (*region.districts.name_en, *region.districts.name_zh)]


def _known(kind: str, name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise unknown("where", kind, name, names)
    return name


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One entry of a lever: what is set, from when until when (school years, inclusive), where, and why."""

    NAME: ClassVar[str] = ""
    TITLE_ZH: ClassVar[str] = ""
    WHOLE_REGION: ClassVar[bool] = False  # cannot be limited to places

    start: int = 0
    until: int = FOREVER
    where: Where = Where()
    clause: tuple[str, ...] = ()
    mark: str = "measured"  # measured / derived / assumed: how far the value can be trusted
    note: str = ""

    @classmethod
    def settings(cls) -> dict[str, dataclasses.Field[Any]]:
        """The fields that can be set, by name."""
        return {f.name: f for f in dataclasses.fields(cls) if "en" in f.metadata}

    def values(self) -> dict[str, Any]:
        """What is set, by field."""
        return {name: getattr(self, name) for name in self.settings()}

    def check_names(self, region: Region) -> None:
        """Raise InputError where a field names what the region does not have; most levers name nothing."""

    def is_neutral(self) -> bool:
        """Whether every field stands at its neutral value."""
        return all(getattr(self, name) == f.default for name, f in self.settings().items())


@dataclass(frozen=True)
class Policy:
    """All entries of all levers of a scenario."""

    entries: tuple[Lever, ...] = ()

    def in_force(self, kind: type[L], year: int) -> list[L]:
        """The entries of one lever in force in a school year, in the order they were written."""
        return [e for e in self.entries if isinstance(e, kind) and e.start <= year <= e.until]

    def one(self, kind: type[L], year: int) -> L:
        """The entry of a lever that holds for the whole region; the neutral one where none is in force."""
        held = self.in_force(kind, year)
        return held[0] if held else kind()

    def by_school(self, kind: type[Lever], name: str, region: Region, year: int) -> NDArray[Any]:
        """One field of a lever as it holds for each school; shape (schools,)."""
        default = kind.settings()[name].default
        values = np.full(region.schools.n, default)
        for entry in self.in_force(kind, year):
            values[entry.where.mask(region)] = getattr(entry, name)
        return values

    def check(self, region: Region) -> None:
        """Raise InputError where a place is unknown or two entries of one lever overlap in time and place."""
        masks = [entry.where.mask(region) for entry in self.entries]
        for i, a in enumerate(self.entries):
            a.check_names(region)
            if a.WHOLE_REGION and a.where != Where():
                raise InputError(f"policies.{a.NAME}.where", "places", "none: this lever holds for the whole region")
            for j, b in enumerate(self.entries[:i]):
                together = max(a.start, b.start), min(a.until, b.until)
                if type(a) is type(b) and together[0] <= together[1] and (masks[i] & masks[j]).any():
                    raise InputError(
                        f"policies.{a.NAME}",
                        f"two entries in force together in {together[0]} in the same places",
                        "entries of one lever that do not overlap in time and place",
                    )

    def with_entries(self, entries: Iterable[Lever]) -> Policy:
        """The same policy with these entries added."""
        return Policy((*self.entries, *entries))

    def with_value(self, lever: type[Lever], name: str, value: Any) -> Policy:
        """The same policy with one field set in every entry of a lever, or in a new entry where there is none."""
        if not any(isinstance(e, lever) for e in self.entries):
            return self.with_entries([lever(**{name: value})])
        replaced = (dataclasses.replace(e, **{name: value}) if isinstance(e, lever) else e for e in self.entries)
        return Policy(tuple(replaced))


def schools_in(entry: Lever, region: Region, year: int) -> NDArray[np.bool_]:
    """Open schools where an entry acts."""
    return entry.where.mask(region) & region.open_schools(year)


__all__ = ["FOREVER", "NOBODY", "Lever", "Policy", "Where", "schools_in", "setting"]
