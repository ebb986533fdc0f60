"""A profile: a region's published totals and the assumptions that complete them, each with its mark.

A figure is a number, or a mapping with `value` and what is known about it (`unit`, `low`, `high`, `kind`,
`source`); `unit`, `kind` and `source` written in a block hold for every figure inside it. What a profile
leaves out is taken from `model/data/profile_defaults.yaml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model import strict_yaml
from model.errors import InputError, unknown
from model.national_standard import INDICATORS
from model.strict_yaml import Located

FOLDER = Path(__file__).parent / "profiles"
DEFAULTS = Path(__file__).parent / "data" / "profile_defaults.yaml"

PRICES = (
    "teaching_area",
    "sports_area",
    "equipment_set",
    "multimedia_room",
    "art_room",
    "repair",
    "place",
    "teacher_pay",
    "bought_lesson",
    "hired_sports_area",
    "boarding_place",
    "bus_pupil",
    "digital_pupil",
    "digital_lessons",
    "degree_course",
    "backbone_training",
    "added_class",
)

KINDS = ("measured", "derived", "assumed")
MARKS = ("kind", "source", "unit", "note")
OF_A_FIGURE = ("value", "low", "high", *MARKS)

# What a profile may say: a type is a figure or a text, a list holds many of its one item, a tuple of names
# stands for a figure each, "year" for a figure a year; a name that ends in ? may be left out.
SETTINGS = ("urban", "town", "village")
BY_STAGE = ("primary", "junior")
_INDICATOR = {"cv": BY_STAGE, "mean?": BY_STAGE, "deficit?": float, "deficit_priced_as?": str, "setting?": SETTINGS}
_SECTIONS = {"schools": SETTINGS, "pupils": SETTINGS, "teachers": float}
# A school whose name is known takes the place of one of the district's schools of its stage and setting. `practice`,
# `intake`: how far it, and the status and ability of the families it serves, lie above them, in SD.
_NAMED = {
    "name": str,
    "stage": str,
    "setting": str,
    "town": str,
    "run_by?": str,
    "pupils?": {"primary?": float, "junior?": float},
    "practice?": float,
    "intake?": float,
}
_DISTRICT = {
    "name": {"en": str, "zh": str},
    "code": int,
    "ring": str,
    "area_km2": float,
    "centre_km": ("east", "north"),
    "urban_radius_km": float,
    "strength": float,
    "streets": [str],
    "towns": [str],
    "primary": _SECTIONS,
    "junior": _SECTIONS,
    "nine_year": SETTINGS,
    "indicators?": {f"{name}?": _INDICATOR for name in INDICATORS},
    "grade_c_m2": float,
    "named?": [_NAMED],
}
# Ties that stand in the base year: so many schools of a district run with a municipal school, or helped by another
# district; and how many school zones there are.
_NETWORKS = {
    "cooperative?": [{"parent": str, "district": str, "since": int, "schools": float}],
    "communities?": [{"helper": str, "helped": str, "since": int, "schools": float}],
    "zones?": float,
}
SHAPE: dict[str, Any] = {
    "name": str,
    "title": {"en": str, "zh": str},
    "base_year": int,
    "primary_grades": int,
    "districts": [_DISTRICT],
    "sizes": {"cv": {"primary": SETTINGS, "junior": SETTINGS}},
    "class_size": {"primary": SETTINGS, "junior": SETTINGS},
    "spare_classrooms": float,
    "boarding_share": float,
    "staffing": {"pupils_per_post": BY_STAGE, "ratio": SETTINGS, "spread": float, "least": BY_STAGE},
    "catchments": {
        "spread_km": SETTINGS,
        "setting_score": SETTINGS,
        "setting_share": ("ses", "ability"),
        "junior_share": float,
        "wider_share": float,
    },
    "families": {
        "local_hukou": SETTINGS,
        "owns_home": SETTINGS,
        "left_behind": SETTINGS,
        "special": SETTINGS,
        "income_median": float,
        "income_ses": float,
        "income_sd": float,
        "taste_sd": float,
        "delay": ("one_year", "two_years"),
    },
    "teachers": {
        "age": ("low", "high"),
        "leaves_school": float,
        "title_years": ("middle", "senior"),
        "home_km": float,
    },
    "births": "year",
    "births_trend": float,
    "same_year_share": float,
    "setting_drift": SETTINGS,
    "last_year": int,
    "indicators": dict.fromkeys(INDICATORS, _INDICATOR),
    "buildings": {
        "floor_per_teaching_area": float,
        "classes_per_art_room": float,
        "condition": SETTINGS,
        "condition_sd": float,
        "grade_c_weight": SETTINGS,
        "grade_c_most": float,
    },
    "prices": PRICES,
    "networks?": _NETWORKS,
}


def profiles() -> list[str]:
    """Names of the profiles that are shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_profile(profile: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The plain values of a profile (a shipped name or a YAML file) and its figures with their marks.

    Raises InputError for an unknown name, key or kind, a figure without a kind, or one that is missing.
    """
    path = Path(profile)
    if path.suffix not in (".yaml", ".yml"):
        if str(profile) not in profiles():
            raise unknown("region", "profile", str(profile), profiles())
        path = FOLDER / f"{profile}.yaml"
    given, defaults = strict_yaml.load(path), strict_yaml.load(DEFAULTS)
    if not isinstance(given, dict):
        raise InputError(str(path), "no mapping", "a profile: name, title, base_year, districts, …")
    facts: list[dict[str, Any]] = []
    values = _Reader(str(path), facts).mapping(given, SHAPE, "", {}, partial=True)
    missing = {key: shape for key, shape in SHAPE.items() if key not in values and key in defaults}
    held = {key: defaults[key] for key in missing}
    values |= _Reader(DEFAULTS.name, facts).mapping(held, missing, "", {})
    for key in SHAPE:
        if key not in values and not key.endswith("?"):
            raise InputError(str(path), f"no {key}", f"{key}, which has no default")
    return values, facts


class _Reader:
    """Walks a document beside its shape; gathers the figures."""

    def __init__(self, file: str, facts: list[dict[str, Any]]) -> None:
        self.file, self.facts = file, facts

    def mapping(
        self, node: Any, shape: dict[str, Any], name: str, marks: dict[str, Any], partial: bool = False
    ) -> dict[str, Any]:
        if not isinstance(node, dict):
            raise InputError(f"{self.file}: {name}", repr(node), f"a mapping with {', '.join(shape)}")
        lines = getattr(node, "lines", {})
        names = {key.rstrip("?"): kind for key, kind in shape.items()}
        marks = marks | {key: node[key] for key in MARKS if key in node}
        values = {}
        for key, child in node.items():
            where = f"{self.file}, line {lines.get(str(key), 0)}"
            full = f"{name}.{key}" if name else str(key)
            if key in names:
                values[key] = self.value(child, names[key], full, marks, where)
            elif key not in MARKS:
                raise unknown(where, "key", str(key), [*names, *MARKS])
        absent = [key for key in shape if not key.endswith("?") and key not in node]
        if absent and not partial:
            line = f", line {node.line}" if isinstance(node, Located) else ""
            raise InputError(f"{self.file}{line}: {name}", f"no {absent[0]}", f"{', '.join(shape)}")
        return values

    def value(self, node: Any, shape: Any, name: str, marks: dict[str, Any], where: str) -> Any:
        if isinstance(shape, dict):
            return self.mapping(node, shape, name, marks)
        if isinstance(shape, tuple):
            return self.mapping(node, dict.fromkeys(shape, float), name, marks)
        if isinstance(shape, list):
            if not isinstance(node, list):
                raise InputError(f"{where}: {name}", repr(node), "a list")
            return [self.value(item, shape[0], f"{name}.{i + 1}", marks, where) for i, item in enumerate(node)]
        if shape == "year":
            if not isinstance(node, dict) or not any(isinstance(key, int) for key in node):
                raise InputError(f"{where}: {name}", repr(node), "a figure a year")
            marks = marks | {key: node[key] for key in MARKS if key in node}
            years = [key for key in node if key not in MARKS]
            return {year: self.value(node[year], float, f"{name}.{year}", marks, where) for year in years}
        if shape in (str, int):
            if not isinstance(node, shape) or isinstance(node, bool):
                raise InputError(f"{where}: {name}", repr(node), "text" if shape is str else "a whole number")
            return node
        return self.figure(node, name, marks, where)

    def figure(self, node: Any, name: str, marks: dict[str, Any], where: str) -> float:
        known = dict(marks)
        if isinstance(node, dict):
            for key in node:
                if key not in OF_A_FIGURE:
                    raise unknown(f"{where}: {name}", "key", str(key), OF_A_FIGURE)
            known |= node
            node = node.get("value")
        if isinstance(node, bool) or not isinstance(node, int | float):
            raise InputError(f"{where}: {name}", repr(node), "a number, or a mapping with value")
        if known.get("kind") not in KINDS:
            raise InputError(f"{where}: {name}", f"kind {known.get('kind')!r}", f"kind: one of {', '.join(KINDS)}")
        fact = {"name": name, "value": float(node)}
        fact |= {key: known.get(key) for key in ("unit", "low", "high", "kind", "source")}
        self.facts.append(fact)
        return float(node)
