"""Numbers as they are read: percent, 万元 and 亿元, the digits that a unit deserves."""

from __future__ import annotations

from results.report.document import Cell, Value

WHOLE = (
    "pupils",
    "schools",
    "places",
    "teachers",
    "posts",
    "groups",
    "zones",
    "communities",
    "m2",
    "raw units",
    "yuan per pupil",
)
COUNTS = ("count", "0/1")
UNITS_AFTER = (" %", "%", " million", "亿元", "万元")
NOTHING = "–"


def text(cell: Cell, lang: str) -> str:
    """A cell as text: the mean, its mark, and the range in brackets where it is wider than the digits shown."""
    if cell is None:
        return NOTHING
    if not isinstance(cell, Value):
        return str(cell)
    shown = " ".join(part for part in (mean(cell, lang), cell.mark) if part)
    held = interval(cell, lang)
    return f"{shown} ({held})" if held else shown


def mean(value: Value, lang: str) -> str:
    """The mean alone."""
    return NOTHING if value.mean is None else figure(value.mean, value.unit, lang, value.signed)


def interval(value: Value, lang: str) -> str:
    """The range alone, empty where there is none or it does not show."""
    if value.low is None or value.high is None:
        return ""
    low, high = (figure(end, value.unit, lang, value.signed) for end in (value.low, value.high))
    if low == high:
        return ""
    if value.signed or "−" in low + high:
        return f"{low} … {high}"
    for unit in UNITS_AFTER:  # once is enough
        if low.endswith(unit) and high.endswith(unit):
            low = low.removesuffix(unit)
    return f"{low}–{high.removeprefix('¥')}"


def figure(number: float, unit: str, lang: str, signed: bool = False) -> str:
    """A number in its unit's digits: 61.3 %, 0.42, 1,204; yuan as 万元 or 亿元, or as ¥1.2 million."""
    if unit == "share":
        shown = f"{100 * number:,.1f}"
        return _sign(shown, signed) + ("%" if lang == "zh" else " %")
    if unit == "yuan":
        return money(number, lang, signed)
    size = abs(number)
    if unit in COUNTS and abs(number - round(number)) < 1e-9:
        shown = f"{number:,.0f}"
    elif unit in WHOLE:
        shown = f"{number:,.0f}" if size >= 99.95 or abs(number - round(number)) < 1e-9 else f"{number:,.1f}"
    else:
        shown = f"{number:,.3f}" if signed and size < 1 else f"{number:,.2f}" if size < 99.995 else f"{number:,.0f}"
    return _sign(shown, signed)


def bound(number: float, unit: str, lang: str) -> str:
    """A number that a document states: no more digits than it has."""
    if unit != "share":
        return f"{number:,.9g}"
    return f"{100 * number:,.6g}{'%' if lang == 'zh' else ' %'}"


def money(yuan: float, lang: str, signed: bool = False) -> str:
    """Yuan: in Chinese 亿元 from a hundred million on and 万元 below it, in English ¥1.2 million."""
    size = abs(yuan)
    if lang == "zh":
        big = size >= 99_995_000
        scaled, unit = (yuan / 1e8, "亿元") if big else (yuan / 1e4, "万元")
        return _sign(f"{scaled:,.2f}" if big else _three(scaled), signed) + unit
    shown = _sign(_three(yuan / 1e6), signed)
    sign = shown[:1] if shown[:1] in "+−" else ""
    return f"{sign}¥{shown.removeprefix(sign)} million"


def _three(number: float) -> str:
    """About three digits."""
    size = abs(number)
    return f"{number:,.2f}" if size < 9.995 else f"{number:,.1f}" if size < 999.95 else f"{number:,.0f}"


def _sign(shown: str, signed: bool) -> str:
    """A true minus; none before zero; a plus where the number is a difference."""
    zero = not any(c in "123456789" for c in shown)
    shown = shown.lstrip("-") if zero else shown.replace("-", "−")
    return f"+{shown}" if signed and not zero and not shown.startswith("−") else shown
