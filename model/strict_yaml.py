"""YAML as people mean it: duplicate keys, tags and anchors that surprise are refused, `no` is a word,
0120 is a number with four digits lost to nobody, and every key remembers its line.

PyYAML reads; this only swaps its YAML 1.1 resolvers for those of YAML 1.2's core schema.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from model.errors import InputError

Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 100  # levels


class Located(dict[Any, Any]):
    """A mapping that knows the line of each of its keys (from 1)."""

    lines: dict[str, int]
    line: int = 0


class _Loader(Base):  # type: ignore[misc]
    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}
    where = ""


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))
_resolver("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")
_resolver("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789.")


def _mapping(loader: Any, node: Any) -> Located:
    result = Located()
    result.lines, result.line = {}, node.start_mark.line + 1
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise InputError(f"{loader.where}, line {line}", f"key {key!r}", "a plain name")
        if str(key) in result.lines:
            first = result.lines[str(key)]
            raise InputError(f"{loader.where}, line {line}", f"key {key!r} a second time", f"it once (line {first})")
        result[key] = loader.construct_object(value_node, deep=True)
        result.lines[str(key)] = line
    return result


def _number(loader: Any, node: Any) -> float | str:
    text = str(node.value)
    if re.fullmatch(r"0[0-9]+", text):  # a code such as 0120: digits, not a number
        return text
    value = float(text)
    if math.isinf(value):
        raise InputError(f"{loader.where}, line {node.start_mark.line + 1}", "a number too large", "a finite number")
    return int(text) if node.tag.endswith(":int") else value


def _refuse_surprises(text: str, where: str) -> None:
    """Tags, anchors and depths that no policy needs. A pass of its own: events come before any recursion."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=Base):
        found = ""
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            found = "lists and mappings nested too deep" if depth > DEEPEST else ""
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if getattr(event, "anchor", None):
            found = f"the anchor or alias {event.anchor!r}"
        elif getattr(event, "tag", None):
            found = f"the tag {event.tag!r}"
        if found:
            raise InputError(f"{where}, line {event.start_mark.line + 1}", found, "plain YAML")


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def load_text(text: str, where: str) -> Any:
    """The document in `text`; `where` names it in messages. Raises InputError with the line."""
    try:
        _refuse_surprises(text, where)
        loader = _Loader(text)
        loader.where = where
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(f"{where}{line}", str(problem).strip(), "plain YAML") from None


def load(path: Path) -> Any:
    """The document in a file (UTF-8). Raises InputError where it cannot be read or is not plain YAML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(str(path), "bytes that are not UTF-8", "a text file in UTF-8") from None
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error), "a file that can be read") from None
    return load_text(text, str(path))
