"""The columns that tables of schools, teachers and flows may have: `tables.yaml`, and how their headings are known."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from calibration.faults import Words
from model.strict_yaml import load

MOST = 1e12  # no stock of a school comes near it
STAGES = {"primary": ("小学", "小学部", "小学阶段", "小学段"), "junior": ("初中", "初中部", "初中阶段", "初中段")}
TRUE = frozenset({"是", "有", "yes", "y", "true", "1", "√", "✓", "✔"})
FALSE = frozenset({"否", "无", "no", "n", "false", "0", "×", "✗"})
MEASURES = ("m2", "yuan", "km")  # units that a heading must not leave open
_BRACKETS = re.compile(r"[(\[{【〔《<](.*?)[)\]}】〕》>]")
_FILLING = re.compile(r"[\s_\-/·、,:;*.'\"“”]+")
_REMARK = re.compile(r"(?<![报表管送制位])单位:(.*)")
# in brackets behind a heading: it is a ratio, or a part of what the heading names
_OTHERWISE = re.compile(
    r"[生人师校平]均|每|率|比例|占比|百分|[%‰]|/\s*(百|生|人|班|100|pupil|student)|\bper\b|ratio|share|average"
    r"|其中|[男女]|of which|小学|初中|高中|primary|junior|senior"
)


@dataclass(frozen=True)
class Column:
    """One column: what may stand in it and how it may be headed."""

    name: str
    type: str  # text, whole, number, share, flag, choice
    zh: str
    help: Words
    aliases: tuple[str, ...] = ()
    unit: str = ""
    low: float = 0.0
    high: float = MOST
    required: bool = False
    stock: str = ""  # the indicator of the national standard whose stock it is
    stage: str = ""  # primary or junior, where it counts one of them
    choices: Mapping[str, str] | None = None  # a way to write it (plain) → the value meant
    options: tuple[Words, ...] = ()  # the values, as they are best written

    def expected(self) -> Words:
        """What a cell of it should hold."""
        if self.type == "choice":
            return Words(
                "one of " + ", ".join(o.en for o in self.options), "、".join(o.zh for o in self.options) + "之一"
            )
        if self.type == "flag":
            return Words("yes or no", "“是”或“否”")
        if self.type == "text":
            return Words("a name", "名称")
        if self.type == "share":
            return Words("a share between 0 and 1, or one with %", "0到1之间的比例，或带%的百分比")
        en, zh = ("a whole number", "整数") if self.type == "whole" else ("a number", "数值")
        if self.high < MOST:
            return Words(f"{en} from {self.low:g} to {self.high:g}", f"{self.low:g}到{self.high:g}之间的{zh}")
        if self.low < 0:
            return Words(en, zh)
        return Words(f"{en} of {self.low:g} or more", f"不小于{self.low:g}的{zh}")

    def title(self, lang: str) -> str:
        """Its heading in a language, as `tables.yaml` has it."""
        return self.zh if lang == "zh" else self.name


@dataclass(frozen=True)
class TableSpec:
    """A table: its columns by name."""

    name: str
    title: Words
    columns: Mapping[str, Column]

    def heading(self, text: str) -> Heading | None:
        """The column that a heading names, with the factor of the unit it states; None where it names none."""
        return _recognised(self.name, text)


@dataclass(frozen=True)
class Heading:
    """A recognised heading."""

    column: Column
    factor: float = 1.0  # on the column's own unit
    unit: str = ""  # as stated
    unknown_unit: str = ""  # a unit in it that the column cannot have
    ignored: str = ""  # in brackets, and no unit


@cache
def table_spec(name: str) -> TableSpec:
    """The table `schools`, `teachers` or `flows`."""
    row = _file()["tables"][name]
    columns = {column.name: column for title, held in row["columns"].items() for column in _columns(title, held)}
    return TableSpec(name, Words(**row["title"]), columns)


@cache
def words(kind: str) -> frozenset[str]:
    """First cells of rows that are no schools: `totals`, their `endings`, or `footers`, plain."""
    return frozenset(plain(word) or word for word in _file()[kind])


@cache
def _file() -> dict[str, Any]:
    return dict(load(Path(__file__).with_name("tables.yaml")))


def _columns(name: str, row: Mapping[str, Any]) -> Iterator[Column]:
    """The column, and where it is counted by stage its two others."""
    written = row.get("choices", {})
    choices = {plain(word): value for value, others in written.items() for word in (value, *others)}
    options = tuple(Words(value, _chinese(value, others)) for value, others in written.items())
    kinds: dict[str, Any] = {key: float(row[key]) for key in ("low", "high") if key in row}
    kinds |= {key: row[key] for key in ("type", "unit", "required") if key in row}
    kinds |= {"choices": choices, "options": options}
    aliases, stock, help_ = tuple(row.get("aliases", ())), row.get("stock", ""), Words(**row["help"])
    yield Column(name=name, zh=row["zh"], help=help_, aliases=aliases, stock=stock, **kinds)
    if row.get("by_stage"):
        for stage, prefixes in STAGES.items():
            others = [f"{prefix}{word}" for prefix in prefixes for word in (row["zh"], *aliases) if not word.isascii()]
            others += [f"{stage} {word}" for word in aliases if word.isascii()]
            of_stage = Words(f"{help_.en}; of the {stage} stage", f"{help_.zh}（{prefixes[0]}）")
            yield Column(
                name=f"{stage}_{name}",
                zh=f"{prefixes[0]}{row['zh']}",
                help=of_stage,
                aliases=tuple(others),
                stock=stock,
                stage=stage,
                **kinds,
            )


def _chinese(value: str, others: list[str]) -> str:
    """The first way to write a value that has a Chinese letter."""
    return next((word for word in others if any("\u4e00" <= letter <= "\u9fff" for letter in word)), value)


def is_total(text: str) -> bool:
    """Whether a row with this name is a sum or mean of others: 合计, 全县合计, 小学平均."""
    bare = plain(text)
    return bare in words("totals") or bare.endswith(tuple(words("endings")))


def is_unit(text: str) -> bool:
    """Whether a cell holds a unit and nothing else."""
    return any(_unit(text) in _units(measure) for measure in _file()["units"])


def other_units(remark: str) -> dict[str, str]:
    """By measure, the unit that a remark as 单位：人、万元 names where it is not the columns' own."""
    said = _REMARK.search(_unit(remark))
    found = {}
    for measure in MEASURES if said else ():
        for unit, factor in _units(measure).items():
            if factor != 1 and not unit.isascii() and unit in said[1]:  # type: ignore[index]
                found[measure] = unit
    return found


@lru_cache(maxsize=1 << 14)
def plain(text: str) -> str:
    """A heading or word without what people vary: width, case, spaces, dashes, brackets and what they hold."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return _FILLING.sub("", _BRACKETS.sub("", text))


@cache
def _by_heading(table: str) -> dict[str, Column]:
    """Columns by every plain heading, the columns' own names first."""
    columns = table_spec(table).columns.values()
    known: dict[str, Column] = {}
    for own in (True, False):
        for column in columns:
            for word in (column.name, column.zh) if own else column.aliases:
                known.setdefault(plain(word), column)
    return known


def same(name: str) -> str:
    """A name without what two people write differently: width, case and blanks. Brackets and what they hold stay."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def headings(table: str) -> dict[str, Column]:
    """Every heading that is known, as it is best written, with its column."""
    return {word: column for column in table_spec(table).columns.values() for word in (column.name, column.zh)}


@cache
def _units(unit: str) -> dict[str, float]:
    return {_unit(word): float(factor) for word, factor in _file()["units"].get(unit, {}).items()}


def _unit(word: str) -> str:
    return "".join(unicodedata.normalize("NFKC", word).casefold().split()).replace("^", "")


@cache
def _measures() -> frozenset[str]:
    return frozenset(word for measure in MEASURES for word in _units(measure) if word not in ("m", "ha"))


def _recognised(table: str, text: str) -> Heading | None:
    known, bare = _by_heading(table), plain(text)
    bracketed = _BRACKETS.findall(unicodedata.normalize("NFKC", text))
    staged = [found for found in bracketed if found and plain(found) + bare in known]  # 在校生数（小学）: 小学在校生数
    inside = [_unit(found) for found in bracketed if found not in staged]
    column = known[plain(staged[0]) + bare] if staged else known.get(bare)
    if column is None:  # a unit behind the name, without brackets
        for word in sorted(_measures(), key=len, reverse=True):
            if bare.endswith(word) and bare.removesuffix(word) in known:
                column, inside = known[bare.removesuffix(word)], [word, *inside]
                break
    if column is None:
        return None
    if column.type in ("text", "flag", "choice"):
        return Heading(column)
    if column.type != "share" and any(
        _OTHERWISE.search(found.casefold()) for found in bracketed if found not in staged
    ):
        return None
    return _with_unit(column, [part.removeprefix("单位:").removeprefix("unit:") for part in inside if part])


def _with_unit(column: Column, inside: list[str]) -> Heading:
    known = _units(column.unit)
    for part in inside:
        if part in known:
            return Heading(column, known[part], part)
    for part in inside:
        if part[0] in "十百千万亿" or any(measure in part for measure in _measures()):
            return Heading(column, unknown_unit=part)
    return Heading(column, ignored="".join(inside))
