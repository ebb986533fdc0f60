"""The scorecard as a workbook: the county, schools by indicator, who fails, what is missing, least additions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.columns import STAGES
from calibration.scorecard import County, missing, prices, stage_name, to_floor, yuan
from calibration.scorecard_words import indicator, raw_unit, say, unit
from model.errors import InputError
from model.national_standard import INDICATORS, Scorecard, standard

LIMIT_COLOUR, BAR_COLOURS = "#D55E00", ("#0072B2", "#56B4E9")  # Okabe-Ito
BELOW, FAR_BELOW = "#FCE4D6", "#F4B183"
FAILS = {"bg_color": FAR_BELOW, "bold": True}
NUMBER, CV, AMOUNT, SHARE = "#,##0.00", "0.000", "#,##0", "0 %"
NAME_WIDTH, CELL_WIDTH = 26, 13
NOTE_WIDTH = 110
CHART_COLUMNS = (0, 5)  # of the charts of the two stages, side by side
RULES = ("rule_school", "rule_cv", "rule_split", "rule_lift")


def write(county: County, out: Path, lang: str) -> None:
    """Write the workbook; nothing is left behind where it fails. Raises InputError where it cannot be written."""
    import xlsxwriter

    try:
        handle, name = tempfile.mkstemp(dir=out.absolute().parent, suffix=".xlsx")
    except OSError as error:
        raise InputError("--out", f"{out}: {error.strerror}", "a place that can be written") from None
    os.close(handle)
    unwritten = Path(name)
    try:
        texts = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(name, {**texts, "nan_inf_to_errors": True}) as book:
            _Book(book, county, lang).write()
        unwritten.chmod(0o644)
        unwritten.replace(out)
    except (OSError, xlsxwriter.exceptions.XlsxWriterException) as error:
        raise InputError("--out", f"{out}: {error}", "a place that can be written") from None
    finally:
        unwritten.unlink(missing_ok=True)


class _Book:
    """One workbook in one language."""

    def __init__(self, book: Any, county: County, lang: str) -> None:
        self.book, self.county, self.lang = book, county, lang
        self.formats: dict[str, Any] = {}

    def write(self) -> None:
        """Every sheet, the result first."""
        self.county_sheet()
        self.schools_sheet()
        self.failing_sheet()
        self.gaps_sheet()
        self.lifts_sheet()
        self.support_sheet()
        self.notes_sheet()

    def say(self, word: str, **values: object) -> str:
        return say(word, self.lang, **values)

    def style(self, number: str = "", **properties: Any) -> Any:
        key = repr((number, sorted(properties.items())))
        if key not in self.formats:
            held = {"font_name": "Arial", "font_size": 10, "valign": "vcenter", **properties}
            self.formats[key] = self.book.add_format(held | ({"num_format": number} if number else {}))
        return self.formats[key]

    def sheet(self, name: str, head: Sequence[str], row: int = 0, names: int = 1) -> Any:
        """A sheet with a row of headings that stays in sight; the first `names` columns are wide."""
        made = self.book.add_worksheet(self.say(name))
        for column, title in enumerate(head):
            made.write_string(row, column, title, self.heading(column >= names))
        made.set_row(row, 30)
        made.set_column(0, names - 1, NAME_WIDTH, self.style())
        made.set_column(names, max(len(head) - 1, names), CELL_WIDTH, self.style())
        made.freeze_panes(row + 1, 1)
        made.set_landscape()
        made.set_paper(9)
        made.fit_to_pages(1, 0)
        made.repeat_rows(row)
        return made

    def heading(self, centred: bool) -> Any:
        look: dict[str, Any] = {"bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#F2F2F2"}
        return self.style(align="center" if centred else "left", **look)

    # --- result

    def county_sheet(self) -> None:
        head = [
            self.say(w) for w in ("indicator", "unit", "standard", "mean", "cv", "limit", "within", "below", "missing")
        ]
        made = self.book.add_worksheet(self.say("sheet_county"))
        verdict = self.say("passes" if self.county.passed else "fails")
        made.write_string(0, 0, verdict, self.style(bold=True, font_size=14))
        made.write_string(1, 0, self.county.read.path.name, self.style(font_color="#666666"))
        made.set_column(0, 0, NAME_WIDTH)
        made.set_column(1, len(head) - 1, CELL_WIDTH)
        made.set_landscape()
        made.set_paper(9)
        made.fit_to_pages(1, 0)
        row, first = 3, []
        for card in self.county.held:
            first.append(self.stage_table(made, card, head, row))
            row = first[-1] + len(INDICATORS) + 1
        for card, at, column in zip(self.county.held, first, CHART_COLUMNS, strict=False):
            self.cv_chart(made, card, at, column, row + 1)

    def stage_table(self, made: Any, card: Scorecard, head: Sequence[str], row: int) -> int:
        """One stage from a row on; returns the row of its first indicator."""
        failing = int((~card.passed).sum())
        over = int((~card.cvs_passed).sum())
        pupils = f"{int(card.pupils.sum()):,}"
        stage = self.say(stage_name(card))
        values = {"stage": stage, "n": card.school.size, "pupils": pupils, "failing": failing, "over": over}
        made.write_string(row, 0, self.say("stage_verdict", **values, which=""), self.style(bold=True))
        for column, title in enumerate(head):
            made.write_string(row + 1, column, title, self.heading(column > 1))
        for k, name in enumerate(INDICATORS):
            held = bool(card.cvs_passed[k])
            mark: dict[str, Any] = {} if held else FAILS
            at = row + 2 + k
            made.write_string(at, 0, indicator(name, self.lang), self.style())
            made.write_string(at, 1, unit(name, self.lang), self.style())
            made.write_number(at, 2, float(standard().threshold[card.stage, k]), self.style(NUMBER))
            self.number(made, at, 3, card.mean[k], NUMBER)
            self.number(made, at, 4, card.cv[k], CV, **mark)
            made.write_number(at, 5, card.limit, self.style(CV))
            made.write_string(at, 6, "✓" if held else "✗", self.style(align="center", **mark))
            made.write_number(at, 7, int((~card.met[:, k]).sum()), self.style(AMOUNT))
            made.write_number(at, 8, float(missing(card)[:, k].sum()), self.style(AMOUNT))
            made.write_string(at, 9, raw_unit(name, self.lang), self.style(indent=1))
        return row + 2

    def cv_chart(self, made: Any, card: Scorecard, first: int, column: int, row: int) -> None:
        sheet, last = self.say("sheet_county"), first + len(INDICATORS) - 1
        bars = self.book.add_chart({"type": "column"})
        names = [sheet, first, 0, last, 0]
        fill = {"color": BAR_COLOURS[card.stage]}
        bars.add_series(
            {"name": self.say("cv"), "categories": names, "values": [sheet, first, 4, last, 4], "fill": fill}
        )
        line = self.book.add_chart({"type": "line"})
        dashed = {"color": LIMIT_COLOUR, "dash_type": "dash", "width": 2}
        title = f"{self.say('limit')} {card.limit:.2f}"
        line.add_series({"name": title, "categories": names, "values": [sheet, first, 5, last, 5], "line": dashed})
        bars.combine(line)
        over = [indicator(INDICATORS[k], self.lang) for k in np.flatnonzero(~card.cvs_passed).tolist()]
        values = {"stage": self.say(stage_name(card)), "n": len(over), "names": self.say("comma").join(over)}
        bars.set_title(
            {"name": self.say("chart_over" if over else "chart_within", **values), "name_font": {"size": 11}}
        )
        bars.set_legend({"position": "bottom"})
        bars.set_y_axis(
            {"num_format": "0.00", "min": 0, "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}}
        )
        bars.set_size({"width": 520, "height": 330})
        made.insert_chart(row, column, bars)

    def number(self, made: Any, row: int, column: int, value: float, form: str, **properties: Any) -> None:
        if np.isfinite(value):
            made.write_number(row, column, float(value), self.style(form, **properties))
        else:
            made.write_string(row, column, "–", self.style(align="right", **properties))

    # --- schools

    def schools_sheet(self) -> None:
        head = [self.say(w) for w in ("school", "stage", "pupils")]
        head += [f"{indicator(name, self.lang)} ({unit(name, self.lang)})" for name in INDICATORS]
        head += [self.say("met"), self.say("passed")]
        made = self.sheet("sheet_schools", head)
        made.set_row(0, 58)
        made.set_column(3, 2 + len(INDICATORS), 15, self.style(NUMBER))
        row = 1
        for card in self.county.held:
            row = self.stage_rows(made, card, row)
        made.autofilter(0, 0, max(row - 1, 1), len(head) - 1)

    def stage_rows(self, made: Any, card: Scorecard, row: int) -> int:
        """The schools of a stage from a row on; returns the row after the last."""
        first = row
        for i, name in enumerate(self.county.name(card)):
            made.write_string(row, 0, name)
            made.write_string(row, 1, self.say(stage_name(card)))
            made.write_number(row, 2, int(card.pupils[i]), self.style(AMOUNT))
            for k in range(len(INDICATORS)):
                made.write_number(row, 3 + k, float(card.values[i, k]))
            made.write_number(row, 3 + len(INDICATORS), int(card.met[i].sum()))
            mark = "✓" if card.passed[i] else "✗"
            made.write_string(row, 4 + len(INDICATORS), mark, self.style(align="center"))
            row += 1
        rule = standard()
        for k in range(len(INDICATORS)):
            needed = float(rule.threshold[card.stage, k])
            for below, colour, bold in ((needed * rule.others_at_least, FAR_BELOW, True), (needed, BELOW, False)):
                marked = self.book.add_format({"bg_color": colour, "bold": bold})
                test = {"type": "cell", "criteria": "<", "value": below, "format": marked, "stop_if_true": True}
                made.conditional_format(first, 3 + k, row - 1, 3 + k, test)
        fails = self.book.add_format({"bg_color": FAR_BELOW, "bold": True})
        column = 4 + len(INDICATORS)
        test = {"type": "cell", "criteria": "==", "value": '"✗"', "format": fails}
        made.conditional_format(first, column, row - 1, column, test)
        return row

    def failing_sheet(self) -> None:
        words = (
            "school",
            "stage",
            "pupils",
            "met",
            "item",
            "value",
            "standard",
            "share",
            "gap",
            "gap_85",
            "unit",
            "yuan",
        )
        made = self.sheet("sheet_failing", [self.say(word) for word in words])
        made.set_column(4, 4, NAME_WIDTH)
        rule, row = standard(), 1
        for card in self.county.held:
            names, floor, gap = self.county.name(card), to_floor(card), missing(card)
            for i, k in np.argwhere(~card.met & ~card.passed[:, None]).tolist():
                needed, cost = float(rule.threshold[card.stage, k]), yuan(INDICATORS[k], float(gap[i, k]))
                far = card.values[i, k] < needed * rule.others_at_least
                mark = {"bg_color": FAR_BELOW if far else BELOW}
                made.write_string(row, 0, names[i])
                made.write_string(row, 1, self.say(stage_name(card)))
                made.write_number(row, 2, int(card.pupils[i]), self.style(AMOUNT))
                made.write_number(row, 3, int(card.met[i].sum()))
                made.write_string(row, 4, indicator(INDICATORS[k], self.lang), self.style(indent=1))
                made.write_number(row, 5, float(card.values[i, k]), self.style(NUMBER, **mark))
                made.write_number(row, 6, needed, self.style(NUMBER))
                made.write_number(row, 7, float(card.values[i, k]) / needed, self.style(SHARE))
                made.write_number(row, 8, float(gap[i, k]), self.style(AMOUNT))
                made.write_number(row, 9, float(floor[i, k]), self.style(NUMBER))
                made.write_string(row, 10, raw_unit(INDICATORS[k], self.lang), self.style(indent=1))
                if cost is not None:
                    made.write_number(row, 11, cost, self.style(AMOUNT))
                row += 1
        made.autofilter(0, 0, max(row - 1, 1), len(words) - 1)

    def gaps_sheet(self) -> None:
        """What every school lacks to the standard in raw units, with sums that stay live."""
        head = [self.say(w) for w in ("school", "stage", "pupils")]
        head += [f"{indicator(name, self.lang)} ({raw_unit(name, self.lang)})" for name in INDICATORS]
        made = self.sheet("sheet_gaps", head)
        made.set_row(0, 45)
        row, totals = 1, np.zeros(len(INDICATORS))
        for card in self.county.held:
            gap, names = missing(card), self.county.name(card)
            totals += gap.sum(axis=0)
            for i in np.flatnonzero((gap > 0).any(axis=1)).tolist():
                made.write_string(row, 0, names[i])
                made.write_string(row, 1, self.say(stage_name(card)))
                made.write_number(row, 2, int(card.pupils[i]), self.style(AMOUNT))
                for k in np.flatnonzero(gap[i] > 0).tolist():
                    made.write_number(row, 3 + k, float(gap[i, k]), self.style(AMOUNT))
                row += 1
        bold = self.style(AMOUNT, bold=True, top=1)
        made.write_string(row, 0, self.say("total"), bold)
        made.write_string(row + 1, 0, self.say("yuan"), self.style(AMOUNT, bold=True))
        for k, name in enumerate(INDICATORS):
            letter = chr(ord("D") + k)
            made.write_formula(row, 3 + k, f"=SUM({letter}2:{letter}{max(row, 2)})", bold, float(totals[k]))
            price = prices().get(name)
            if price is not None:
                cost = float(totals[k]) * price
                made.write_formula(row + 1, 3 + k, f"={letter}{row + 1}*{price:.10g}", self.style(AMOUNT), cost)

    def lifts_sheet(self) -> None:
        words = ("stage", "indicator", "cv_before", "limit", "cv_after", "school", "add", "unit", "level", "yuan")
        made = self.sheet("sheet_lifts", [self.say(word) for word in words])
        made.set_column(0, 0, CELL_WIDTH)
        made.set_column(1, 1, NAME_WIDTH)
        made.set_column(5, 5, NAME_WIDTH)
        row = 1
        for card, raised in zip(self.county.cards, self.county.lifts, strict=True):
            names = self.county.name(card)
            for lift in raised:
                for i in lift.schools.tolist():
                    amount = float(lift.add[i])
                    cost = yuan(lift.indicator, amount)
                    made.write_string(row, 0, self.say(stage_name(card)))
                    made.write_string(row, 1, indicator(lift.indicator, self.lang))
                    for column, value in ((2, lift.before), (3, lift.limit), (4, lift.after)):
                        made.write_number(row, column, value, self.style(CV))
                    made.write_string(row, 5, names[i], self.style(indent=1))
                    made.write_number(row, 6, amount, self.style(NUMBER))
                    made.write_string(row, 7, raw_unit(lift.indicator, self.lang), self.style(indent=1))
                    made.write_number(row, 8, lift.level, self.style(NUMBER))
                    if cost is not None:
                        made.write_number(row, 9, cost, self.style(AMOUNT))
                    row += 1
        made.autofilter(0, 0, max(row - 1, 1), len(words) - 1)

    def support_sheet(self) -> None:
        words = ("school", "stage", "item", "value", "limit", "within")
        made = self.sheet("sheet_support", [self.say(word) for word in words])
        made.set_column(2, 2, NAME_WIDTH + 6)
        row = 1
        for one in self.county.support:
            for i in np.argsort(one.passed, kind="stable").tolist():
                mark: dict[str, Any] = {} if one.passed[i] else FAILS
                made.write_string(row, 0, str(one.school[i]))
                made.write_string(row, 1, self.say(one.stage) if one.stage else "")
                made.write_string(row, 2, self.say(one.item))
                made.write_number(row, 3, float(one.value[i]), self.style("#,##0.##", **mark))
                made.write_number(row, 4, float(one.limit[i]), self.style("#,##0.##"))
                made.write_string(row, 5, "✓" if one.passed[i] else "✗", self.style(align="center", **mark))
                row += 1
        made.autofilter(0, 0, max(row - 1, 1), len(words) - 1)

    def notes_sheet(self) -> None:
        made = self.book.add_worksheet(self.say("sheet_notes"))
        made.set_column(0, 0, NOTE_WIDTH)
        made.set_landscape()
        made.fit_to_pages(1, 0)
        listed = self.say("comma").join(
            f"{indicator(name, self.lang)} {price:,.10g}/{raw_unit(name, self.lang)}"
            for name, price in prices().items()
        )
        rule = standard()
        weights = " : ".join(f"{weight:g}" for weight in rule.split)
        limits = dict(zip(STAGES, rule.cv_limit.tolist(), strict=True))
        lines = [self.say(word, weights=weights, **limits) for word in RULES]
        lines += [self.say("rule_prices", prices=listed), self.say("rule_source")]
        lines += [note.text(self.lang) for note in self.county.read.notes]
        lines += [f"{self.say('out_' + why)}: {name}" for name, why in self.county.outside()]
        if self.county.tolerances:
            lines.append(self.say("tolerances", names=", ".join(sorted(self.county.tolerances))))
        for row, line in enumerate(lines):
            made.write_string(row, 0, line, self.style(text_wrap=True, valign="top"))
            made.set_row(row, 15 * (1 + sum(2 if ord(letter) > 255 else 1 for letter in line) // NOTE_WIDTH))
