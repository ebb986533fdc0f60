"""Reading a mapping of a YAML file strictly: what is wrong is refused with its file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import InputError, nearest_name, unknown
from model.strict_yaml import Located, load


def shown(value: Any) -> str:
    """A value as a message names it."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"the text {value!r}" if isinstance(value, str) else str(value)


@dataclass(frozen=True)
class Node:
    """A mapping in a file. Every method raises InputError naming file and line."""

    path: Path
    data: Located

    @classmethod
    def of_file(cls, path: Path, known: Sequence[str]) -> Node:
        """The mapping that a file holds, with no other keys than these."""
        data = load(path)
        if not isinstance(data, Located):
            raise InputError(f"{path}, line 1", shown(data), "a mapping with " + ", ".join(known))
        node = cls(path, data)
        node.only(known, "key")
        return node

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def at(self, key: str | None = None) -> str:
        """File and line of a key, or of the mapping itself where there is no such key."""
        line = self.data.line if key is None else self.data.lines.get(key, self.data.line)
        return f"{self.path}, line {line}"

    def only(self, known: Iterable[str], kind: str) -> None:
        """Refuse keys other than these."""
        names = list(known)
        for key in self.data:
            if key not in names:
                raise unknown(self.at(str(key)), kind, str(key), names)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; required where there is no default."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or not value.strip():
            found = f"{key}: {shown(value)}" if key in self else f"no {key!r}"
            raise InputError(self.at(key), found, f"{key!r} as text")
        return value

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number in a range; required where there is no default."""
        value = self.data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            found = f"{key}: {shown(value)}" if key in self else f"no {key!r}"
            raise InputError(self.at(key), found, f"{key!r}, a whole number from {low} to {high}")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        """One of some words."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or value not in choices:
            nearest = nearest_name(str(value), choices)
            raise InputError(self.at(key), f"{key}: {shown(value)}", "one of " + ", ".join(choices), nearest)
        return value

    def mapping(self, key: str, known: Sequence[str], kind: str) -> Node:
        """A mapping under a key, with no other keys than these."""
        value = self.data[key]
        if not isinstance(value, Located):
            raise InputError(self.at(key), f"{key}: {shown(value)}", f"a mapping ({kind}: value)")
        node = Node(self.path, value)
        node.only(known, kind)
        return node

    def items(self, key: str, what: str) -> Iterator[Node]:
        """The mappings of a list under a key."""
        held = self.data[key]
        if not isinstance(held, list):
            raise InputError(self.at(key), f"{key}: {shown(held)}", f"a list of {what}, each begun with '- '")
        for item in held:
            if not isinstance(item, Located):
                raise InputError(self.at(key), f"{key}: an item that is {shown(item)}", f"a mapping ({what})")
            yield Node(self.path, item)
