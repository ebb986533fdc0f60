"""Make the Chinese font of the pictures from Noto Sans CJK: `python -m results.fonts.build NotoSansCJK-Regular.ttc`.

Kept are GB 2312, Latin letters, and every character that the project's own strings and data hold (GB 2312 lacks 俵
of 俵口镇). Needs fonttools. The outlines stay as they are (CFF); the family is renamed, as the licence asks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.errors import InputError
from results.fonts import FAMILY, FILE

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("model", "results", "experiments", "calibration", "junheng")
WITH_WORDS = (".py", ".yaml", ".csv", ".json", ".md", ".j2", ".css", ".typ")
SIMPLIFIED_CHINESE = 2  # of the fonts in Noto's collection
LATIN = range(0x20, 0x180)
SIGNS = range(0x2010, 0x2040)
CODES = range(0xA1, 0xFF)  # of either byte of a GB 2312 character
COPYRIGHT, FAMILY_NAME, STYLE, UNIQUE, FULL, VERSION, POSTSCRIPT, LICENCE, LICENCE_URL = 0, 1, 2, 3, 4, 5, 6, 13, 14


def texts(root: Path = ROOT) -> Iterator[Path]:
    """The project's files that hold words or names which a picture might show."""
    for floor in FLOORS:
        yield from (p for p in sorted((root / floor).rglob("*")) if p.suffix in WITH_WORDS)


def characters() -> set[str]:
    """Every character that the font should have."""
    pairs = (bytes((first, second)) for first in CODES for second in CODES)
    standard = {pair.decode("gb2312", errors="ignore") for pair in pairs} - {""}
    own = {c for path in texts() for c in path.read_text(encoding="utf-8")}
    return standard | {chr(code) for code in (*LATIN, *SIGNS)} | {c for c in own if c.isprintable()}


def build(collection: Path, made: Path = FILE) -> int:
    """Subset the font and rename it; returns its size in bytes. Raises InputError where the file is no font."""
    from fontTools import subset
    from fontTools.ttLib import TTLibError

    options = subset.Options(font_number=SIMPLIFIED_CHINESE, hinting=False, layout_features=[], name_IDs=["*"])
    try:
        font = subset.load_font(str(collection), options)
    except (OSError, TTLibError) as error:
        raise InputError(str(collection), str(error), "NotoSansCJK-Regular.ttc") from None
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(sorted(characters())))
    subsetter.subset(font)
    _rename(font)
    subset.save_font(font, str(made), options)
    return made.stat().st_size


def _rename(font: Any) -> None:
    names, postscript = font["name"], FAMILY.replace(" ", "") + "-Regular"
    kept = {n: names.getDebugName(n) for n in (COPYRIGHT, STYLE, VERSION, LICENCE, LICENCE_URL)}
    names.names = []
    own = {FAMILY_NAME: FAMILY, FULL: FAMILY, UNIQUE: f"{kept[VERSION]};{postscript}", POSTSCRIPT: postscript}
    for number, text in (kept | own).items():
        names.setName(text, number, 3, 1, 0x409)  # Windows, Unicode, English
    outlines = font["CFF "].cff
    outlines.fontNames = [postscript]
    top = outlines.topDictIndex[0]
    top.FamilyName = top.FullName = FAMILY
    top.Notice = kept[COPYRIGHT]


def main(arguments: list[str]) -> int:
    """Build from the collection named; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        size = build(Path(arguments[0]))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{FILE.name}: {size / 1e6:.2f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
