"""Every character that a picture may show can be drawn, in Chinese too, and wherever it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import get_font

from model.profile import profiles, read_profile
from results import fonts
from results.drawing import CHINESE, canvas, saved, style, wrapped
from results.fonts.build import texts


def test_the_project_s_own_strings_and_data_can_be_drawn_to_the_last_character() -> None:
    own = {c for path in texts() for c in path.read_text(encoding="utf-8") if c.isprintable()}
    assert {c for c in own if ord(c) not in fonts.covered()} == set()
    assert len(own) > 1000


def test_names_that_gb_2312_lacks_are_in_our_own_font() -> None:
    has = get_font(fonts.FILE).get_charmap()
    towns = [town for name in profiles() for d in read_profile(name)[0]["districts"] for town in d["towns"]]
    assert any("俵" in town for town in towns)
    assert {c for town in [*towns, "邨"] for c in town if ord(c) not in has} == set()


def test_the_font_bears_a_name_of_its_own_and_its_licence_lies_beside_it() -> None:
    font = get_font(fonts.FILE)
    assert font.family_name == fonts.FAMILY
    assert not any(reserved in font.family_name for reserved in ("Noto", "Source"))
    assert "SIL OPEN FONT LICENSE Version 1.1" in (fonts.FILE.parent / "OFL.txt").read_text(encoding="utf-8")
    assert fonts.FILE.stat().st_size < 2e6


def test_a_character_that_no_font_has_shows_as_the_printers_mark_and_never_as_a_box() -> None:
    assert fonts.drawn("大良镇\U00020000") == "大良镇〓"


@pytest.mark.filterwarnings("error::UserWarning")  # matplotlib warns of glyphs that are missing
def test_a_chinese_picture_is_drawn_without_a_missing_glyph() -> None:
    with style():
        figure, axes = canvas(3, 2)
        axes[0, 0].set_title(fonts.drawn("俵口镇 ✓ ✗ ◐ −0.5 ≤ 1 \U00020000"))
    assert b"<text" not in saved(figure, "svg")  # letters are paths


@pytest.fixture
def without_font(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """As if our font were not installed."""
    monkeypatch.setattr(fonts, "FILE", tmp_path / "none.otf")
    for known in (fonts.families, fonts.covered):
        known.cache_clear()
    yield
    monkeypatch.undo()
    for known in (fonts.families, fonts.covered):
        known.cache_clear()


@pytest.mark.usefixtures("without_font")
def test_without_the_font_there_is_no_chinese_and_no_box() -> None:
    assert not fonts.has_chinese()
    assert fonts.drawn("武清 a") == "?? a"


@given(st.text(st.sampled_from("ab 1，。）武清区−…"), max_size=80), st.integers(4, 30))
def test_wrapping_loses_nothing_keeps_to_the_width_and_begins_no_line_with_a_closing_mark(
    text: str, width: int
) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        size = sum(2 if ord(c) >= CHINESE else 1 for c in line)
        words = line.split()
        alone = len(words) == 1 and sum(ord(c) >= CHINESE and c not in "，。）" for c in line) <= 1
        assert size <= width or alone
    if not text.lstrip().startswith(("，", "。", "）")) and not any(f" {mark}" in text for mark in "，。）"):
        assert not any(line.startswith(("，", "。", "）")) for line in lines)
