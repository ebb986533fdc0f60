"""`junheng score`: a planner's table of schools against the national standard."""

from __future__ import annotations

import sys
from collections import Counter
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from calibration.faults import TableError
from calibration.school_table import read_schools
from calibration.scorecard import County, document, judged, missing, stage_name, yuan
from calibration.scorecard_words import amount, indicator, number, say, shown_below, unit, yuan_text
from calibration.tolerances import chosen
from junheng.commands.tables import note, refuse
from model.errors import InputError
from model.national_standard import INDICATORS, Scorecard, standard
from results.lift import Lift

PASSED, FAILED = 0, 1
SHOWN_SCHOOLS, SHOWN_RAISED = 20, 4
WIDTH = 110  # columns where standard output is not a terminal


def score(
    table: Path,
    *,
    sheet: str | None,
    private: bool,
    tolerances: list[str],
    json: bool,
    out: Path | None,
    lang: str,
    require_pass: bool,
) -> int:
    """Judge a table and print the verdict; returns the exit status. Raises InputError for what is no such table."""
    names = chosen(tolerances)
    if out is not None:
        _free(out)
    try:
        county = judged(read_schools(table, sheet, private=private), private, names)
    except TableError as error:
        return refuse(error, lang)
    if out is not None:
        from calibration.scorecard_workbook import write

        write(county, out, lang)
    note(county.read.notes, lang)
    if json:
        sys.stdout.write(dumps(document(county), ensure_ascii=False) + "\n")  # indented, 10,000 schools take a second
    else:
        _print(county, out, lang)
    return FAILED if require_pass and not county.passed else PASSED


def _free(out: Path) -> None:
    if out.suffix.lower() != ".xlsx":
        raise InputError("--out", f"{out}", "the name of a workbook, ending in .xlsx")
    if out.exists():
        raise InputError("--out", f"{out}, which exists already", "a name that is free")
    if not out.absolute().parent.is_dir():
        raise InputError("--out", f"{out}, in a folder that is not there", "a folder that exists")


def _print(county: County, out: Path | None, lang: str) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=False)
    for part in (_verdict(county, lang), *_coefficients(county, lang), *_schools(county, lang), *_lifts(county, lang)):
        console.print(part)
    for line in _support(county, lang):
        console.print(line, markup=False)
    if out is not None:
        console.print(say("written", lang, file=out), markup=False)


def _verdict(county: County, lang: str) -> Any:
    from rich.text import Text

    text = Text(say("passes" if county.passed else "fails", lang), style="bold")
    text.append(
        f"  {county.read.path.name}" + (f" [{county.read.sheet}]" if county.read.sheet else ""), style="not bold"
    )
    for card in county.held:
        over = [indicator(INDICATORS[k], lang) for k in np.flatnonzero(~card.cvs_passed).tolist()]
        values = {
            "stage": say(stage_name(card), lang),
            "n": card.school.size,
            "pupils": f"{int(card.pupils.sum()):,}",
            "failing": int((~card.passed).sum()),
            "over": len(over),
            "which": say("listed", lang, names=say("comma", lang).join(over)) if over else "",
        }
        text.append("\n" + say("stage_verdict", lang, **values), style="not bold")
    left = Counter(why for _, why in county.outside())
    if left:
        counted = say("comma", lang).join(f"{say('out_' + why, lang)} {n}" for why, n in sorted(left.items()))
        text.append("\n" + say("outside", lang, counted=counted), style="not bold")
    if county.tolerances:
        text.append("\n" + say("tolerances", lang, names=", ".join(sorted(county.tolerances))), style="not bold")
    return text


def _coefficients(county: County, lang: str) -> list[Any]:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = []
    for card in county.held:
        title = say("county_title", lang, stage=say(stage_name(card), lang), limit=f"{card.limit:.2f}")
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
        table.add_column(say("indicator", lang))
        for name in ("unit", "standard", "mean", "cv", "", "below", "missing"):
            table.add_column(say(name, lang) if name else "", justify="left" if name == "unit" else "right")
        for k, name in enumerate(INDICATORS):
            short = float(missing(card)[:, k].sum())
            below = int((~card.met[:, k]).sum())
            table.add_row(
                indicator(name, lang),
                unit(name, lang),
                number(float(standard().threshold[card.stage, k])),
                number(float(card.mean[k])),
                _cv(card, k),
                "✓" if card.cvs_passed[k] else "✗",
                str(below) if below else "",
                amount(name, short, lang) if short > 0 else "",
                style=None if card.cvs_passed[k] else "bold",
            )
        made.append(table)
    return made


def _cv(card: Scorecard, k: int) -> str:
    """A coefficient; with more digits where three would make one beyond the limit look like the limit."""
    if not np.isfinite(card.cv[k]):
        return "–"
    hidden = not card.cvs_passed[k] and round(float(card.cv[k]), 3) <= card.limit
    return f"{card.cv[k]:.6f}" if hidden else f"{card.cv[k]:.3f}"


def _schools(county: County, lang: str) -> list[Any]:
    """The schools that fail, those that miss most first, and what each item lacks."""
    failing = [(card, i) for card in county.held for i in np.flatnonzero(~card.passed).tolist()]
    if not failing:
        return []
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    failing.sort(key=lambda pair: (int(pair[0].met[pair[1]].sum()), -int(pair[0].pupils[pair[1]])))
    title = say("failing_title", lang, n=len(failing))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name, justify in (
        ("school", "left"),
        ("stage", "left"),
        ("pupils", "right"),
        ("met", "right"),
        ("lacks", "left"),
    ):
        table.add_column(say(name, lang), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for card, i in failing[:SHOWN_SCHOOLS]:
        name = county.read.text("school")[county.row(card)[i]]
        met = f"{int(card.met[i].sum())}/7"
        from rich.text import Text

        table.add_row(Text(name), say(stage_name(card), lang), f"{int(card.pupils[i]):,}", met, _lacks(card, i, lang))
    if len(failing) <= SHOWN_SCHOOLS:
        return [table]
    return [table, say("more_schools", lang, n=len(failing) - SHOWN_SCHOOLS)]


def _lacks(card: Scorecard, i: int, lang: str) -> str:
    """Each missed item with its value and the raw units missing; ↓ where it is below 85 %."""
    rule = standard()
    parts = []
    for k in np.flatnonzero(~card.met[i]).tolist():
        low = "↓" if card.values[i, k] < rule.others_at_least * rule.threshold[card.stage, k] else ""
        value = f"{shown_below(float(card.values[i, k]))}{low}"
        parts.append(
            f"{indicator(INDICATORS[k], lang)} {value} (+{amount(INDICATORS[k], float(card.shortfall[i, k]), lang)})"
        )
    return say("semicolon", lang).join(parts)


def _lifts(county: County, lang: str) -> list[Any]:
    """The least additions that bring each coefficient within its limit."""
    made = []
    for card, raised in zip(county.cards, county.lifts, strict=True):
        names = county.name(card)
        made += [_lift(card, names, lift, lang) for lift in raised]
    return [say("lift_title", lang), *made] if made else []


def _lift(card: Scorecard, names: list[str], lift: Lift, lang: str) -> Any:
    from rich.padding import Padding
    from rich.text import Text

    total = float(lift.add.sum())
    cost = yuan(lift.indicator, total)
    schools = lift.schools.tolist()
    shown = [f"{names[i]} +{amount(lift.indicator, float(lift.add[i]), lang)}" for i in schools[:SHOWN_RAISED]]
    values = {
        "stage": say(stage_name(card), lang),
        "indicator": indicator(lift.indicator, lang),
        "before": f"{lift.before:.3f}",
        "limit": f"{lift.limit:.2f}",
        "total": amount(lift.indicator, total, lang),
        "cost": ""
        if cost is None or lift.indicator == "equipment"
        else say("costs_yearly" if lift.indicator == "pe_art_teachers" else "costs", lang, yuan=yuan_text(cost, lang)),
        "n": len(schools),
        "level": f"{number(lift.level)} {unit(lift.indicator, lang)}",
        "schools": say("comma", lang).join(shown) + (say("and_more", lang) if len(schools) > SHOWN_RAISED else ""),
    }
    text = say("lift", lang, **values) + (" " + say("enough", lang) if lift.below_standard else "")
    return Padding(Text(text), (0, 0, 0, 2))


def _support(county: County, lang: str) -> list[str]:
    lines = [""]
    for one in county.support:
        failing = np.flatnonzero(~one.passed).tolist()
        shown = [
            f"{one.school[i]} {number(float(one.value[i]))} / {number(float(one.limit[i]))}"
            for i in failing[:SHOWN_RAISED]
        ]
        stage = say(one.stage, lang) + " " if one.stage else ""
        rest = say("and_more", lang) if len(failing) > SHOWN_RAISED else ""
        held = (
            f"✗ {len(failing)}/{one.passed.size}: {say('comma', lang).join(shown)}{rest}"
            if failing
            else f"✓ {one.passed.size}"
        )
        lines.append(f"  {stage}{say(one.item, lang)} {held}")
    return [lines[0], say("support_title", lang), *lines[1:]] if county.support else []
