"""Burn-in: a built region lives the years before the scenario, until its schools and beliefs are its own.

Official stocks and the ledger stand still; at the end what is officially given binds on the enrolments that
came about. Where families live is inferred: children enrol where they do partly by choice, so the number of
children each catchment sends is adjusted until schools have the sizes that are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.behaviour import Behaviour
from model.given import hold_given, hold_stocks
from model.homes import scale_latents
from model.indicators import Rows
from model.measure import measure
from model.official import bind_official
from model.people import cohort_size, populate
from model.policy import Policy
from model.region import Region, Setting, Subject
from model.school_year import SchoolYear
from model.steps.facilities import facilities
from model.steps.staffing import staffing
from model.year import live

YEARS = 15  # some to learn where families live, then nine in which every cohort at school came under it
LABOUR_YEARS = 40  # the teachers' market alone needs about thirty years from arbitrary posts (evidence.md 7)
BIND_EVERY = 2  # years after which the official stocks and counts bind again
NEARER = 0.8  # of the gap in logs between a school's given and realised share, closed in the first year; less later


def burn_in(
    region: Region, behaviour: Behaviour, baseline: Policy, years: int = YEARS, rows: Rows | None = None
) -> Region:
    """The region at the end of its base year, settled under this behaviour and the baseline's levers.

    Returns a new region; `rows` is given the indicators of the base year. Raises ValueError for a region that
    has been burned in already.
    """
    if region.burned_in:
        raise ValueError(f"region {region.name!r} is burned in already")
    settled = region.copy()
    baseline.check(settled)
    given = settled.schools.enrolment.copy()
    _scale_schools(settled, behaviour)
    settled.year = settled.base_year - years - LABOUR_YEARS
    for _ in range(LABOUR_YEARS):
        year = SchoolYear.begin(settled, baseline, behaviour, settled.seed, settling=True)
        staffing(settled, year)
        settled.year = year.number
    populate(settled, settled.year)
    scale_latents(settled, slice(0, settled.students.n), behaviour)
    _bind(settled, behaviour)
    for number in range(years):
        year = SchoolYear.begin(settled, baseline, behaviour, settled.seed, settling=True)
        live(settled, year)
        _infer_homes(settled, given, NEARER / (1 + number / 3))
        if (years - number) % BIND_EVERY == 0:  # little by little, so that the last binding moves hardly anything
            _bind(settled, behaviour)
    _bind(settled, behaviour)
    hold_given(settled, behaviour)
    pupils = np.maximum(settled.schools.enrolment, 1)
    settled.schools.posts_per_pupil[:] = settled.schools.posts / pupils * (settled.schools.enrolment > 0)
    facilities(settled, year)
    if rows is not None:
        measure(settled, year, rows)
    settled.burned_in = True
    return settled


def _bind(region: Region, behaviour: Behaviour) -> None:
    """What is officially given holds on the enrolments of now; PE and art posts are those that are held."""
    bind_official(region, behaviour.credential_signal)
    _count_specialists(region)
    hold_stocks(region)


def _scale_schools(region: Region, b: Behaviour) -> None:
    """Give practice the spread of the behaviour and the level of its setting."""
    s = region.schools
    level = np.zeros(len(Setting))
    level[Setting.URBAN], level[Setting.VILLAGE] = b.management_setting, -b.management_setting
    s.practice_mean[:] = np.sqrt(1 - b.leadership_sd**2) * s.practice_mean + level[s.setting]
    s.practice[:] = s.practice_mean
    _count_specialists(region)


def _count_specialists(region: Region) -> None:
    """PE and art posts are those that PE and art teachers hold."""
    t = region.teachers
    special = t.subject != Subject.CORE
    at = t.post[special].astype(np.int64) * 2 + t.stage[special]
    region.schools.pe_art_posts[:] = np.bincount(at, minlength=2 * region.schools.n).reshape(-1, 2)


def _infer_homes(region: Region, given: NDArray[np.int32], nearer: float) -> None:
    """Move the shares of catchments toward those at which primary schools reach their given share."""
    s, places = region.schools, region.catchments
    entering = region.grade_rows(1, 1)
    seen = np.bincount(region.students.school[entering], minlength=s.n).astype(float)
    # the year's mix of settings differs from the base year's, so a school's share is that of its setting
    mix = cohort_size(region, region.year) / np.maximum(np.bincount(s.setting, given[:, 0], len(Setting)), 1.0)
    goal = given[:, 0] * mix[s.setting]
    rows = np.flatnonzero((s.right[:, 0] >= 0) & (goal > 0))
    areas = int(places.right[:, 0].max()) + 1  # schools that share an area are reached together
    wanted, found = (np.bincount(s.right[rows, 0], x[rows], areas) for x in (goal, seen))
    ratio = wanted / np.maximum(found, 1.0) * seen.sum() / goal.sum()
    factor = np.where(wanted > 0, np.clip(ratio, 0.5, 2.0), 1.0) ** nearer
    places.share *= factor[places.right[:, 0]]
