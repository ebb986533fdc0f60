"""What a report holds before it is HTML, a book or a PDF: sections of sentences, pictures and tables of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from results.drawing import Look


class Value(NamedTuple):
    """A number with its unit, the range of replicates where there is one, and whether it is met."""

    mean: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    mark: str = ""  # ✓, ✗, ◐
    signed: bool = False  # a difference


Cell = str | int | Value | None


@dataclass(frozen=True)
class Table:
    """Rows under headings. `totals`: rows that sum others; `by`: columns of the ledger that its sums are grouped by."""

    name: str
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    totals: Sequence[int] = ()
    by: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """A figure (drawn when asked for), what it found (a sentence a scenario), what it is of, the table behind it.

    `chart`: how a spreadsheet may draw it from its table, `lines` or `stacks`; empty where it cannot. `aims`: the
    lines of targets, as the first two columns of the table's rows they belong to, label and value.
    """

    name: str
    draw: Callable[[], Figure]
    findings: Sequence[str]
    note: str
    table: Table
    chart: str = ""
    aims: Sequence[tuple[str, str, str, float]] = ()


@dataclass(frozen=True)
class Card:
    """One of the headline numbers: a row a stage, each with the reference's ghost and a sparkline."""

    title: str
    unit: str
    rows: Sequence[CardRow]


@dataclass(frozen=True)
class CardRow:
    """A headline number at a stage."""

    label: str
    value: Value
    ghost: Value | None
    spark: Callable[[], Figure] | None


@dataclass(frozen=True)
class Strip:
    """The headline numbers of one scenario under one calibration."""

    title: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Section:
    """A chapter. `tables` stand open; the table of a picture is folded behind it."""

    name: str
    title: str
    says: Sequence[str] = ()
    answers: Sequence[tuple[str, str]] = ()  # heading, paragraph
    strips: Sequence[Strip] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()
    code: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """A report."""

    lang: str
    title: str
    subtitle: str
    banners: Sequence[str]
    sections: Sequence[Section]
    looks: dict[str, Look]  # of every scenario (and calibration) by its name in tables
    ledger: Sequence[dict[str, str | int | float]]  # what the sums of a book are made from
    reference: str  # what others are compared with; empty where there is nothing to compare

    def tables(self) -> list[Table]:
        """Every table, in order."""
        found: list[Table] = []
        for section in self.sections:
            found += [*(p.table for p in section.pictures), *section.tables, *section.folded]
        return found


def spread(values: NDArray[Any], unit: str, mark: str = "", signed: bool = False) -> Value:
    """Mean and 5th to 95th percentile over replicates; no range where there is one replicate, None where none."""
    held = values[np.isfinite(values)]
    if not held.size:
        return Value(None, unit)
    if held.size == 1:
        return Value(float(held[0]), unit, mark=mark, signed=signed)
    low, high = np.percentile(held, (5, 95))
    return Value(float(held.mean()), unit, float(low), float(high), mark, signed)
