"""The national standard on a planner's own table: what passes, what fails, and what it would take.

The rule is `model.national_standard.score`, the one that judges every simulated year.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.columns import STAGES
from calibration.school_table import STOCKS, Sections, in_scope, sections
from calibration.support import Support, support
from calibration.tables import Read
from model.national_standard import INDICATORS, Scorecard, score, standard
from model.profile import DEFAULTS
from model.strict_yaml import load
from results.lift import WHOLE, Lift, lifts

COLUMN = dict(zip(INDICATORS, STOCKS, strict=True))  # of the table, which names the indicator in what is printed
PRICE = {  # of a raw unit of each indicator, in the model's list of prices
    "pe_art_teachers": "teacher_pay",
    "teaching_area": "teaching_area",
    "sports_area": "sports_area",
    "multimedia_rooms": "multimedia_room",
}
YEARLY = frozenset({"pe_art_teachers"})  # paid every year
Json = dict[str, Any]


@dataclass(frozen=True)
class County:
    """A table of schools against the national standard."""

    read: Read
    private: bool
    tolerances: frozenset[str]
    sections: Sections
    cards: tuple[Scorecard, Scorecard]  # primary, junior
    lifts: tuple[list[Lift], list[Lift]]
    support: list[Support]

    @property
    def passed(self) -> bool:
        """Whether every school and every coefficient of variation passes. A stage without schools fails nothing."""
        return bool(self.sections.row.size) and all(card.all_passed for card in self.held)

    @property
    def held(self) -> list[Scorecard]:
        """The stages that have schools."""
        return [card for card in self.cards if card.school.size]

    def row(self, card: Scorecard) -> NDArray[np.int64]:
        """The table's row of each school of a stage."""
        return self.sections.row[card.school]

    def name(self, card: Scorecard) -> list[str]:
        """The name of each school of a stage."""
        return list(self.read.text("school")[self.row(card)])

    def outside(self) -> list[tuple[str, str]]:
        """Schools that are not judged, and why: special, teaching_point, private, other."""
        read, found = self.read, []
        for i in np.flatnonzero(~in_scope(read, self.private)).tolist():
            kind, stage = read.text("kind")[i], read.text("stage")[i]
            special = kind == "special" or stage == "special_school"
            why = "other" if stage == "other" else "special" if special else kind or stage
            found.append((read.text("school")[i], why))
        return found


def judged(read: Read, private: bool = False, tolerances: frozenset[str] = frozenset()) -> County:
    """A table against the standard, with the private schools if asked.

    `tolerances`: names in `tolerances.yaml`. Raises InputError where one needs a column that the table has not.
    """
    own = sections(read, private, tolerances)
    cards = score(own.stocks)
    raised = (lifts(cards[0]), lifts(cards[1]))
    return County(read, private, tolerances, own, cards, raised, support(read, private, tolerances))


@cache
def prices() -> dict[str, float]:
    """Yuan of a raw unit by indicator, where there is a price: the model's own, assumed where no source gives one."""
    listed = load(DEFAULTS)["prices"]
    return {"equipment": 1.0} | {name: float(listed[price]["value"]) for name, price in PRICE.items()}


def yuan(indicator: str, amount: float) -> float | None:
    """What an amount of an indicator's stock costs; None where there is no price (teachers with a title)."""
    price = prices().get(indicator)
    return None if price is None else price * amount


def stage_name(card: Scorecard) -> str:
    """primary or junior."""
    return list(STAGES)[card.stage]


def missing(card: Scorecard) -> NDArray[np.float64]:
    """Raw units missing to the standard, teachers and rooms in whole ones; (schools, 7)."""
    short = np.where(card.met, 0.0, card.shortfall)
    for k, name in enumerate(INDICATORS):
        if name in WHOLE:
            short[:, k] = np.ceil(short[:, k] - 1e-9)  # 3.0000000001 is 3
    return short


def to_floor(card: Scorecard) -> NDArray[np.float64]:
    """Raw units missing to 85 % of the standard, which one item of a school may stay at; (schools, 7)."""
    rule = standard()
    floor = rule.others_at_least * rule.per_pupil[card.stage]
    stock = card.values / rule.per * card.pupils[:, None]
    return np.maximum(floor * card.pupils[:, None] - stock, 0.0)


# --- as one document


def document(county: County) -> Json:
    """What `junheng score --json` prints."""
    return {
        "table": str(county.read.path),
        "sheet": county.read.sheet,
        "passed": county.passed,
        "county": {stage_name(card): _county(card) for card in county.held},
        "schools": [school for card in county.held for school in _schools(county, card)],
        "lifts": [
            _lift(county, card, lift)
            for card, raised in zip(county.cards, county.lifts, strict=True)
            for lift in raised
        ],
        "support": [_support(one) for one in county.support],
        "outside": [{"school": name, "why": why} for name, why in county.outside()],
        "private": county.private,
        "tolerances": sorted(county.tolerances),
        "prices": {COLUMN[name]: price for name, price in prices().items()},
        "notes": [vars(note) for note in county.read.notes],
    }


def _county(card: Scorecard) -> Json:
    rule = standard()
    return {
        COLUMN[name]: {
            "mean": _number(card.mean[k]),
            "cv": _number(card.cv[k]),
            "limit": card.limit,
            "passed": bool(card.cvs_passed[k]),
            "standard": float(rule.threshold[card.stage, k]),
            "schools_below": int((~card.met[:, k]).sum()),
            "shortfall": float(card.shortfall[:, k].sum()),
            "unit": rule.unit[name],
        }
        for k, name in enumerate(INDICATORS)
    }


def _schools(county: County, card: Scorecard) -> list[Json]:
    values, met, passed = card.values.tolist(), card.met.tolist(), card.passed.tolist()
    missed = [[name for name, held in zip(STOCKS, row, strict=True) if not held] for row in met]
    short = [dict(zip(STOCKS, row, strict=True)) for row in card.shortfall.tolist()]
    floor = [dict(zip(STOCKS, row, strict=True)) for row in to_floor(card).tolist()]
    row, pupils = county.read.row[county.row(card)].tolist(), card.pupils.tolist()
    return [
        {
            "school": name,
            "stage": stage_name(card),
            "row": row[i],
            "pupils": int(pupils[i]),
            "values": dict(zip(STOCKS, values[i], strict=True)),
            "met": sum(met[i]),
            "passed": passed[i],
            "missed": missed[i],
            "shortfall": {item: short[i][item] for item in missed[i]},
            "shortfall_to_85_percent": {item: floor[i][item] for item in missed[i] if floor[i][item] > 0},
        }
        for i, name in enumerate(county.name(card))
    ]


def _lift(county: County, card: Scorecard, lift: Lift) -> Json:
    names = county.name(card)
    total = float(lift.add.sum())
    return {
        "stage": stage_name(card),
        "indicator": COLUMN[lift.indicator],
        "cv": lift.before,
        "limit": lift.limit,
        "cv_after": lift.after,
        "level": lift.level,
        "meeting_the_standard_is_enough": lift.below_standard,
        "total": total,
        "yuan": yuan(lift.indicator, total),
        "schools": [{"school": names[i], "add": float(lift.add[i])} for i in lift.schools.tolist()],
    }


def _support(one: Support) -> Json:
    failing = np.flatnonzero(~one.passed).tolist()
    return {
        "item": one.item,
        "stage": one.stage or None,
        "judged": int(one.passed.size),
        "passed": bool(one.passed.all()),
        "failing": [
            {"school": one.school[i], "value": float(one.value[i]), "limit": float(one.limit[i])} for i in failing
        ],
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
