"""What is wrong with a table: every cell of it, told at once, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.errors import InputError

SHOWN_ROWS = 6  # stretches of rows that one line names
SHOWN_LINES = 60


@dataclass(frozen=True)
class Words:
    """A sentence in both languages."""

    en: str
    zh: str

    def text(self, lang: str) -> str:
        """The sentence in `en` or `zh`."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, what was found, what was expected, the nearest valid name."""

    found: Words
    expected: Words
    sheet: str = ""
    row: int = 0  # line of the file or row of the sheet, from 1; 0: the table as a whole
    column: str = ""  # as spreadsheets call it: A, B, …
    heading: str = ""
    nearest: str | None = None

    def text(self, lang: str, rows: str = "") -> str:
        """One line. `rows` names several rows that have the same fault."""
        return f"{self.where(lang, rows)}: {self.what(lang)}" if self.where(lang, rows) else self.what(lang)

    def where(self, lang: str, rows: str = "") -> str:
        """Sheet, row and column."""
        rows = rows or (str(self.row) if self.row else "")
        heading = f"“{self.heading}”" if self.heading else ""
        if lang == "zh":
            parts = (self.sheet and f"工作表“{self.sheet}”", rows and f"第{rows}行", self.column and f"{self.column}列")
            return "".join(part for part in parts if part) + heading
        many = "rows" if "–" in rows or "," in rows else "row"
        parts = (
            self.sheet and f"sheet “{self.sheet}”",
            rows and f"{many} {rows}",
            self.column and f"column {self.column}",
        )
        return " ".join([", ".join(part for part in parts if part), heading]).strip()

    def what(self, lang: str) -> str:
        """Found, expected, and the nearest valid name."""
        if lang == "zh":
            hint = f"；是否想写“{self.nearest}”？" if self.nearest else ""
            return f"现为{self.found.zh}；应为{self.expected.zh}{hint}"
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"found {self.found.en}; expected {self.expected.en}{hint}"


class TableError(InputError):
    """Everything that is wrong with one or more tables. `str()` is the English listing, a line a fault."""

    def __init__(self, found: Sequence[tuple[str, Fault]]) -> None:
        """`found`: the file of each fault, and the fault."""
        self.found_in = list(found)
        first = self.faults[0]
        files = ", ".join(dict.fromkeys(file for file, _ in found))
        super().__init__(files, first.found.en, first.expected.en, first.nearest)
        self.args = (self.text("en"),)

    @property
    def faults(self) -> list[Fault]:
        """Every fault, in the order of the rows."""
        return [fault for _, fault in self.found_in]

    @classmethod
    def of(cls, file: str, faults: Iterable[Fault]) -> TableError:
        """The errors of one file, by row and column."""
        order = sorted(faults, key=lambda fault: (fault.row, len(fault.column), fault.column))
        return cls([(file, fault) for fault in order])

    @classmethod
    def together(cls, errors: Iterable[TableError]) -> TableError:
        """The errors of several files as one."""
        return cls([pair for error in errors for pair in error.found_in])

    def text(self, lang: str) -> str:
        """The listing: a heading for each file, a line a fault; rows with the same fault share a line."""
        lines = []
        for file in dict.fromkeys(file for file, _ in self.found_in):
            faults = [fault for where, fault in self.found_in if where == file]
            count = len(faults)
            head = f"{file}：{count} 处错误" if lang == "zh" else f"{file}: {count} error{'s' * (count > 1)}"
            lines += [head, *(f"  {line}" for line in _lines(faults, lang))]
        return "\n".join(lines)


def _lines(faults: Sequence[Fault], lang: str) -> list[str]:
    alike: dict[tuple[object, ...], list[Fault]] = {}
    for fault in faults:
        alike.setdefault((fault.sheet, fault.column, fault.heading, fault.what(lang)), []).append(fault)
    lines = [held[0].text(lang, stretches([fault.row for fault in held if fault.row])) for held in alike.values()]
    if len(lines) > SHOWN_LINES:
        rest = len(lines) - SHOWN_LINES
        lines[SHOWN_LINES:] = [f"……另有 {rest} 条" if lang == "zh" else f"… and {rest} more"]
    return lines


def stretches(rows: Sequence[int]) -> str:
    """Rows as text, neighbours together: 2–5, 9. At most a few of them."""
    spans: list[list[int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    shown = [str(a) if a == b else f"{a}–{b}" for a, b in spans[:SHOWN_ROWS]]
    return ", ".join(shown) + (", …" if len(spans) > SHOWN_ROWS else "")
