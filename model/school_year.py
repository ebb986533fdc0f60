"""One school year as it is being lived: what is in force, who draws, who pays, what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.behaviour import Behaviour
from model.draws import Draws
from model.ledger import Ledger
from model.policy import Policy
from model.region import Region


@dataclass(frozen=True)
class Notice:
    """A lever that saturates or exceeds what can be had: said, never silent."""

    year: int
    lever: str
    en: str
    zh: str


@dataclass
class Admitted:
    """What one stage's admission looked like: a row each entrant or mover."""

    stage: int
    rows: NDArray[Any]  # rows of students
    entrant: NDArray[np.bool_]  # enters the stage (otherwise moves from a closed school)
    own_right: NDArray[np.bool_]  # admitted where it has the right
    first_wish: NDArray[np.int64]  # school wished most
    wish_out: NDArray[np.bool_]  # wished most lies outside the catchment
    distance: NDArray[np.float64]  # km to the school
    overflow: NDArray[np.bool_]  # placed by the authority
    places: NDArray[np.int64]  # places offered, by school


@dataclass
class Tested:
    """The July test of one stage's last grade, a row each pupil."""

    stage: int
    rows: slice  # rows of students
    score: NDArray[np.float64]  # observed
    residual: NDArray[np.float64]  # observed less what intake predicts


@dataclass
class Seen:
    """What the steps of this year leave for the indicators; shapes (schools, 2) unless said otherwise."""

    admitted: list[Admitted] = field(default_factory=list)
    left: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))  # quit or retired
    quit: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    transferred: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    vacancies: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    over: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    eligible: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    rotated_out: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    rotated_backbones: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    sent_effectiveness: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))  # lost by senders
    elite_places: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # by school
    elite_quota: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    tested: list[Tested] = field(default_factory=list)
    value_added_before: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    rights: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 2), np.int32))

    @classmethod
    def nothing(cls, schools: int) -> Seen:
        """The record at the start of a year."""
        seen = cls()
        for name in (
            "left",
            "quit",
            "transferred",
            "vacancies",
            "over",
            "eligible",
            "rotated_out",
            "rotated_backbones",
        ):
            setattr(seen, name, np.zeros((schools, 2), np.int64))
        seen.sent_effectiveness = np.zeros((schools, 2))
        seen.elite_places, seen.elite_quota = np.zeros(schools, np.int64), np.zeros(schools, np.int64)
        return seen


@dataclass
class SchoolYear:
    """The context that each step is given, beside the region itself."""

    number: int  # autumn in which the school year begins
    policy: Policy
    behaviour: Behaviour
    draws: Draws
    ledger: Ledger
    seen: Seen
    settling: bool = False  # burn-in: official stocks and the ledger stand still
    notices: list[Notice] = field(default_factory=list)

    @classmethod
    def begin(
        cls, region: Region, policy: Policy, behaviour: Behaviour, seed: int, settling: bool = False
    ) -> SchoolYear:
        """The year after the last one the region lived."""
        number = region.year + 1
        return cls(
            number,
            policy,
            behaviour,
            Draws(seed, number),
            Ledger(number, frozen=settling),
            Seen.nothing(region.schools.n),
            settling,
        )

    def say(self, lever: str, en: str, zh: str) -> None:
        """Leave a notice about a lever."""
        if not self.settling:
            self.notices.append(Notice(self.number, lever, en, zh))
