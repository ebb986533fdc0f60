"""The letters of pictures: a Chinese font of our own beside matplotlib's, so that no machine needs one installed.

Junheng Sans SC is a subset of Noto Sans CJK SC (SIL Open Font License, `OFL.txt`); `build.py` makes it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FAMILY = "Junheng Sans SC"
FILE = Path(__file__).parent / "JunhengSansSC-Regular.otf"
OTHER = "DejaVu Sans"  # comes with matplotlib; holds the signs that the Chinese font lacks: ✓ ✗ ◐
STAND_IN = "〓"  # printers' mark for a character that is not at hand


@cache
def families() -> tuple[str, ...]:
    """Font families for matplotlib, the Chinese one first once it is registered; without it where it is missing."""
    if not FILE.is_file():
        return (OTHER,)
    from matplotlib.font_manager import fontManager

    fontManager.addfont(FILE)
    return (FAMILY, OTHER)


def has_chinese() -> bool:
    """Whether pictures can be lettered in Chinese."""
    return FAMILY in families()


@cache
def covered() -> frozenset[int]:
    """Code points that can be drawn."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    files = [findfont(FontProperties(family=name)) for name in families()]
    return frozenset(code for file in files for code in get_font(file).get_charmap())


def drawn(text: str) -> str:
    """A text as it can be drawn: a character that no font has becomes 〓 (or ? where even that is missing)."""
    known = covered()
    instead = STAND_IN if ord(STAND_IN) in known else "?"
    return "".join(c if ord(c) in known or c.isspace() else instead for c in text)
