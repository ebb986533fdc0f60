"""The report as a PDF on A4, set by Typst: what stands open in the HTML page, without the folded tables."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import InputError
from results import fonts
from results.drawing import saved
from results.report import numbers, words
from results.report.document import Cell, Document, Section, Table, Value
from results.report.html import CLASSES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).parent / "report.typ"
SHORT = 14  # letters up to which a column of text takes what it needs


def check() -> None:
    """Raise InputError where Typst is not installed."""
    if importlib.util.find_spec("typst") is None:
        raise InputError("--format", "pdf without the package typst", "pip install 'junheng[pdf]', or --format html")


def pdf(report: Document) -> bytes:
    """The file. Raises InputError where Typst is not installed."""
    check()
    import matplotlib as mpl
    import typst

    others = Path(mpl.get_data_path()) / "fonts" / "ttf"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        setter = _Setter(report, folder)
        data = {
            "lang": report.lang,
            "title": report.title,
            "subtitle": report.subtitle,
            "banners": report.banners,
            "sections": [setter.section(section) for section in report.sections],
        }
        (folder / "report.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        main = folder / TEMPLATE.name
        main.write_bytes(TEMPLATE.read_bytes())
        made: bytes = typst.compile(
            str(main), font_paths=[str(fonts.FILE.parent), str(others)], ignore_system_fonts=True, timestamp=0
        )
    return made


class _Setter:
    """What the template reads, with pictures written beside it."""

    def __init__(self, report: Document, folder: Path) -> None:
        self.report, self.folder, self.lang = report, folder, report.lang
        self.pictures = 0

    def section(self, section: Section) -> dict[str, Any]:
        return {
            "title": section.title,
            "answers": section.answers,
            "says": [text for text in section.says if text],
            "strips": [
                {
                    "title": strip.title,
                    "cards": [
                        {"title": card.title, "rows": [self.row(row, card.unit) for row in card.rows]}
                        for card in strip.cards
                    ],
                }
                for strip in section.strips
            ],
            "pictures": [
                {"findings": list(one.findings), "note": one.note, "file": self.picture(one.draw)}
                for one in section.pictures
            ],
            "tables": [self.table(one) for one in section.tables],
            "code": section.code,
        }

    def row(self, row: Any, unit: str) -> dict[str, str]:
        held = numbers.interval(row.value, self.lang)
        ghost = ""
        if row.ghost is not None:
            ghost = words.say(
                "ghost", self.lang, reference=self.report.reference, value=numbers.text(row.ghost, self.lang)
            )
        sd = f" {words.say('sd', self.lang)}" if unit == "base SD" else ""
        return {
            "label": row.label,
            "value": numbers.mean(row.value, self.lang) + sd,
            "range": f"({held})" if held else "",
            "ghost": ghost,
            "spark": self.picture(row.spark) if row.spark is not None else "",
        }

    def picture(self, draw: Callable[[], Figure]) -> str:
        self.pictures += 1
        name = f"{self.pictures}.svg"
        (self.folder / name).write_bytes(saved(draw(), "svg"))
        return name

    def table(self, table: Table) -> dict[str, Any]:
        rows = [[self.cell(cell) for cell in row] for row in table.rows]
        texts = [
            [str(row[i]) for row in table.rows if not isinstance(row[i], Value)] for i in range(len(table.headings))
        ]
        longest = [max(map(len, column), default=0) for column in texts]
        widths = [0 if most <= SHORT else most for most in longest]
        return {"title": table.title, "headings": list(table.headings), "rows": rows, "widths": widths}

    def cell(self, cell: Cell) -> str | dict[str, str]:
        if not isinstance(cell, Value):
            return "" if cell is None else str(cell)
        shown = " ".join(part for part in (numbers.mean(cell, self.lang), cell.mark) if part)
        return {"mean": shown, "range": numbers.interval(cell, self.lang), "tint": CLASSES.get(cell.mark, "")}
