"""The report as one HTML file: no script, no request to anywhere, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from results.drawing import saved
from results.report import numbers, words
from results.report.document import Cell, Document, Table, Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).parent
CLASSES = {"✓": "met", "✗": "missed", "◐": "some"}


def html(report: Document) -> str:
    """The whole page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    lang = report.lang

    def td(cell: Cell) -> Markup:
        """A cell: numbers to the right with the range beneath, judged ones tinted."""
        if not isinstance(cell, Value):
            tint = CLASSES.get(str(cell), "text")
            return Markup('<td class="{}">{}</td>').format(tint, "" if cell is None else cell)
        held = numbers.interval(cell, lang)
        small = Markup("<small>{}</small>").format(held) if held else ""
        shown = " ".join(part for part in (numbers.mean(cell, lang), cell.mark) if part)
        return Markup('<td class="{}">{}{}</td>').format(
            f"n {CLASSES.get(cell.mark, '')}".strip(), escape(shown), small
        )

    made = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    made.globals |= {
        "css": Markup((HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 our own file
        "td": td,
        "numeric": numeric,
        "picture": inside,
        "mean": lambda value: numbers.mean(value, lang),
        "interval": lambda value: numbers.interval(value, lang),
        "say": lambda word, **fill: words.say(word, lang, **fill),
    }
    return made.get_template("report.html.j2").render(report=report)


def numeric(table: Table, column: int) -> bool:
    """Whether a column holds numbers."""
    return any(isinstance(row[column], Value) for row in table.rows)


def inside(draw: Callable[[], Figure]) -> str:
    """A picture as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(saved(draw(), "svg")).decode()
