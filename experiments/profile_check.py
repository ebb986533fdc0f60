"""What a profile's figures must be to each other: checked before a region is built, each error with its line.

`model.profile.read_profile` looks at names, types and marks; here is what only several figures together, or their
size, can get wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.errors import InputError, unknown
from model.profile import BY_STAGE, SETTINGS, read_profile
from model.strict_yaml import Located, load

RANGES = {  # of figures by the last part of their name: lowest, highest, what is expected
    "area_km2": (1e-3, 1e6, "an area above 0 km2"),
    "urban_radius_km": (0.0, 1e3, "a radius of 0 km or more"),
    "grade_c_m2": (0.0, 1e9, "0 m2 or more"),
    "teachers": (1.0, 1e6, "1 teacher or more"),
}
YEARS = (1990, 2060)
WIDEST_CV = 3.0


def check_profile(path: Path) -> None:
    """Raise InputError, with the line, for the first thing that is wrong with a profile's file."""
    values, _ = read_profile(path)
    held = load(path)
    if not YEARS[0] <= values["base_year"] <= YEARS[1]:
        raise _at(path, held, ("base_year",), str(values["base_year"]), f"a year from {YEARS[0]} to {YEARS[1]}")
    if values["primary_grades"] not in (5, 6):
        raise _at(path, held, ("primary_grades",), str(values["primary_grades"]), "6, or 5 where schooling is 5-4")
    towns: dict[str, int] = {}
    if not values["districts"]:
        raise _at(path, held, ("districts",), "no district", "one at least")
    for number, district in enumerate(values["districts"]):
        _check_district(path, held, number, district, values["primary_grades"], towns)


def _check_district(
    path: Path, held: Any, number: int, district: dict[str, Any], grades: int, towns: dict[str, int]
) -> None:
    at = ("districts", number)
    for name, (low, high, expected) in RANGES.items():
        for key in ((name,),) if name in district else ((stage, name) for stage in BY_STAGE):
            value = _value(district, key)
            if not low <= value <= high:
                raise _at(path, held, (*at, *key), f"{value:g}", expected)
    for place in ("streets", "towns"):
        for town in district[place]:
            if town in towns:
                raise _at(path, held, (*at, place), f"{town} a second time", "each street and town once")
            towns[town] = number
    for stage, own_grades in zip(BY_STAGE, (grades, 9 - grades), strict=True):
        _check_stage(path, held, (*at, stage), district, stage, own_grades)
    for setting, both in district["nine_year"].items():
        most = min(district[stage]["schools"][setting] for stage in BY_STAGE)
        if not _whole(both) or both > most:
            expected = f"a whole number of at most {most:g}, the {setting} sections of each stage"
            raise _at(path, held, (*at, "nine_year", setting), f"{both:g} nine-year schools", expected)
    for name, block in district.get("indicators", {}).items():
        for stage, cv in block["cv"].items():
            if not 0 < cv <= WIDEST_CV:
                expected = f"a CV above 0, at most {WIDEST_CV:g}"
                raise _at(path, held, (*at, "indicators", name, "cv", stage), f"{cv:g}", expected)
    for i, school in enumerate(district.get("named", [])):
        known = [*district["streets"], *district["towns"]]
        if school["town"] not in known:
            where = _line(held, (*at, "named", i, "town"))
            raise unknown(f"{path}, line {where}: {school['name']}", "town", school["town"], known)


def _check_stage(path: Path, held: Any, at: tuple[Any, ...], district: dict[str, Any], stage: str, grades: int) -> None:
    block = district[stage]
    for setting in SETTINGS:
        schools, pupils = block["schools"][setting], block["pupils"][setting]
        for what, value in (("schools", schools), ("pupils", pupils)):
            if not _whole(value):
                raise _at(path, held, (*at, what, setting), f"{value:g}", "a whole number of 0 or more")
        if (schools > 0) != (pupils > 0):
            found = f"{schools:g} {setting} schools with {pupils:g} pupils"
            raise _at(path, held, (*at, "pupils", setting), found, "pupils where there are schools, and only there")
        if pupils < grades * schools:
            expected = f"{grades * schools:g} or more, one a grade in each of {schools:g} schools"
            raise _at(path, held, (*at, "pupils", setting), f"{pupils:g} pupils", expected)
        place = "streets" if setting == "urban" else "towns"
        if schools and not district[place]:
            raise _at(path, held, (*at, "schools", setting), f"{schools:g} {setting} schools and no {place}", place)
    number = sum(block["schools"].values())
    if number == 0:
        raise _at(path, held, (*at, "schools"), f"no {stage} school", "one at least in every district")
    if not _whole(block["teachers"]) or block["teachers"] < number:
        found, expected = (
            f"{block['teachers']:g} teachers",
            f"a whole number, one or more for each of {number:g} schools",
        )
        raise _at(path, held, (*at, "teachers"), found, expected)


def _whole(value: float) -> bool:
    return value >= 0 and float(value).is_integer()


def _value(block: dict[str, Any], key: tuple[str, ...]) -> float:
    for part in key:
        block = block[part]
    return float(block)  # type: ignore[arg-type]


def _at(path: Path, held: Any, where: tuple[Any, ...], found: str, expected: str) -> InputError:
    name = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    return InputError(f"{path}, line {_line(held, where)}: {name}", found, expected)


def _line(held: Any, where: tuple[Any, ...]) -> int:
    """The line of a key, or of the nearest one above it that the file has."""
    return list(_lines(held, where))[-1]


def _lines(held: Any, where: tuple[Any, ...]) -> Iterator[int]:
    yield 1
    for part in where:
        if isinstance(held, Located) and str(part) in held.lines:
            yield held.lines[str(part)]
            held = held[part]
        elif isinstance(held, list) and isinstance(part, int) and part < len(held):
            held = held[part]
            if isinstance(held, Located):
                yield held.line
        else:
            return
