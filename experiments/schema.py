"""The JSON Schema of a scenario file, made from the declarations of the levers, for editors.

It is shipped as `scenario.schema.json`; `write()` makes it anew after a lever has changed. A file it accepts may
still contradict itself (dates, overlaps, unknown names): `load_scenario` has the last word.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from experiments.policy_file import MARKS, SETTINGS, WHERE_KEYS, YEARS, field_range
from experiments.scenario import DOCUMENT_KEYS, LEVELS, LONGEST, STAGES
from model.levers import LEVERS
from model.policy import Lever

SHIPPED = Path(__file__).with_name("scenario.schema.json")
YEAR = {"type": "integer", "minimum": YEARS[0], "maximum": YEARS[1]}
NAMES = {"type": "array", "items": {"type": "string"}}
CLAUSE_ID = {"type": "string", "pattern": "^[A-Z0-9]+-[0-9]{3}$"}
CLAUSE = {"anyOf": [CLAUSE_ID, {"type": "array", "items": CLAUSE_ID}]}


def schema() -> dict[str, Any]:
    """The schema as data (JSON Schema 2020-12)."""
    properties: dict[str, Any] = {
        "name": {"type": "string"},
        "title": {"anyOf": [{"type": "string"}, _mapping({"en": {"type": "string"}, "zh": {"type": "string"}})]},
        "extends": {"type": "string", "description": "a shipped scenario, or a file beside this one"},
        "region": {"type": "string"},
        "starts": YEAR | {"description": "autumn of the first school year"},
        "years": {"type": "integer", "minimum": 1, "maximum": LONGEST},
        "document": _mapping({key: {"type": "string"} for key in DOCUMENT_KEYS}),
        "policies": _mapping({name: _lever(kind) for name, kind in LEVERS.items()}),
        "targets": {"type": "array", "items": _target()},
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "junheng scenario"}
    return head | _mapping(properties)


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


def write() -> None:
    """Make the shipped schema anew."""
    SHIPPED.write_text(text(), encoding="utf-8")


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _lever(kind: type[Lever]) -> dict[str, Any]:
    places = dict.fromkeys(WHERE_KEYS, NAMES) | {"settings": {"type": "array", "items": {"enum": list(SETTINGS)}}}
    entry = {
        "from": YEAR,
        "until": YEAR,
        **({} if kind.WHOLE_REGION else {"where": _mapping(places)}),
        **{name: _setting(declared) for name, declared in kind.settings().items()},
        "clause": CLAUSE,
        "mark": {"enum": list(MARKS)},
        "note": {"type": "string"},
    }
    return {"description": kind.__doc__, "type": "array", "items": _mapping(entry)}


def _setting(declared: dataclasses.Field[Any]) -> dict[str, Any]:
    meta, default = declared.metadata, declared.default
    described: dict[str, Any] = {"description": f"{meta['en']} / {meta['zh']}{field_range(meta)}"}
    if meta["choices"]:
        return described | {"enum": list(meta["choices"]), "default": default}
    if isinstance(default, bool):
        return described | {"type": "boolean", "default": default}
    if isinstance(default, tuple):
        return described | NAMES | {"default": list(default)}
    kind = "integer" if isinstance(default, int) else "number"
    bounds = {"minimum": meta["low"], "maximum": meta["high"]}
    return described | {"type": kind, "default": default} | {k: v for k, v in bounds.items() if v is not None}


def _target() -> dict[str, Any]:
    properties = {
        "indicator": {"type": "string"},
        "stage": {"enum": list(STAGES)},
        "level": {"enum": list(LEVELS)},
        "place": {"type": "string"},
        "at_least": {"type": "number"},
        "at_most": {"type": "number"},
        "since": YEAR | {"description": "the bound is on the change from this year"},
        "by": YEAR,
        "clause": CLAUSE,
        "note": {"type": "string"},
    }
    one_bound = {"oneOf": [{"required": ["at_least"]}, {"required": ["at_most"]}]}
    return _mapping(properties) | {"required": ["indicator", "by"]} | one_bound
