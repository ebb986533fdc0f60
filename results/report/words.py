"""What a report says, in English and Chinese: `words.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from model.strict_yaml import load

Pair = tuple[str, str]  # English, Chinese


@cache
def phrases(part: str) -> dict[str, Pair]:
    """One part of the file: words, parties, prices or ways_out."""
    held: Any = load(Path(__file__).with_suffix(".yaml"))
    return {str(key): (str(pair[0]), str(pair[1])) for key, pair in held[part].items()}


def say(word: str, lang: str, /, **fill: object) -> str:
    """A word or sentence in a language, its gaps filled."""
    return phrases("words")[word][lang == "zh"].format(**fill)
