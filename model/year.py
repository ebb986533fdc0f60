"""THE YEAR: the steps of one school year, in order. Nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from model.region import Region
from model.school_year import SchoolYear
from model.steps.admission import admission
from model.steps.assessment import assessment
from model.steps.classes import classes
from model.steps.demography import demography
from model.steps.development import development
from model.steps.facilities import facilities
from model.steps.finance import finance
from model.steps.learning import learning
from model.steps.networks import networks
from model.steps.places import places
from model.steps.policy_of_the_year import policy_of_the_year
from model.steps.reputation import reputation
from model.steps.rotation import rotation
from model.steps.staffing import staffing

Step = Callable[[Region, SchoolYear], None]

STEPS: tuple[Step, ...] = (
    policy_of_the_year,  # 1  what is in force, and where it lacks what it needs
    demography,  # 2  leavers go to senior high, everyone moves up, entrants arrive
    places,  # 3  classrooms open, small schools merge
    networks,  # 4  groups, pairs, communities, zones form, ripen, end
    staffing,  # 5  teachers retire, quit, move; posts follow pupils; vacancies are matched
    rotation,  # 6  teachers are exchanged and seconded
    admission,  # 7  every child gets a place
    classes,  # 8a classes form, teams are completed
    learning,  # 8b achievement grows
    assessment,  # 8c the tests of July
    development,  # 9  practice spreads, colleagues learn
    facilities,  # 10 works, repair, wear
    reputation,  # 11 what families believe, and how satisfied they are
    finance,  # 12 every yuan
)


def live(region: Region, year: SchoolYear, clock: dict[str, float] | None = None) -> None:
    """Live one school year in place; `clock` collects seconds by step."""
    for step in STEPS:
        begun = time.perf_counter()
        step(region, year)
        if clock is not None:
            clock[step.__name__] = clock.get(step.__name__, 0.0) + time.perf_counter() - begun
    region.year = year.number


def describe() -> str:
    """The order of the year as text: each step with the first line of its specification."""
    lines = []
    for step in STEPS:
        first = (step.__doc__ or "").strip().splitlines()[0]
        lines.append(f"{step.__name__:<20} {first}")
    return "\n".join(lines)
