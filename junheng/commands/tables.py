"""What commands that read tables say on standard error: errors as a list, and how cells were understood."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from calibration.faults import TableError, Words

WRONG = 2


def refuse(error: TableError, lang: str) -> int:
    """Print everything that is wrong with tables; returns the exit status."""
    sys.stderr.write(f"junheng: {error.text(lang)}\n")
    return WRONG


def note(notes: Iterable[Words], lang: str) -> None:
    """Print how a table was understood, a line a remark."""
    for one in notes:
        sys.stderr.write(f"junheng: {one.text(lang)}\n")
