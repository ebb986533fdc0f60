"""The one error a user can mend: where, what was found, what was expected, the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong input. The command line prints it as one message and exits with status 2."""

    def __init__(self, where: str, found: str, expected: str, nearest: str | None = None) -> None:
        self.where, self.found, self.expected, self.nearest = where, found, expected, nearest
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"{where}: found {found}; expected {expected}{hint}")


def nearest_name(word: str, names: Iterable[str]) -> str | None:
    """The valid name closest to a misspelt one, or None when none is close."""
    close = difflib.get_close_matches(word, list(names), n=1, cutoff=0.5)
    return close[0] if close else None


def unknown(where: str, kind: str, word: str, names: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest one that does."""
    known = sorted(names)
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return InputError(where, f"unknown {kind} {word!r}", f"one of {shown}", nearest_name(word, known))
