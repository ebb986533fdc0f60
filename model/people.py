"""Who enters school in an autumn: families with one child each, drawn by the place they live in.

What makes people differ is standardised here (mean 0, SD 1, the same for every place); the behaviour in
force scales it and adds what the place does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrik

from model.draws import Decision, Draws, key_of_name, key_of_origin
from model.groupwise import apportion
from model.quality import distance_km
from model.region import NOBODY, Region, Setting

Columns = dict[str, NDArray[Any]]


def cohort_size(region: Region, year: int) -> NDArray[np.float64]:
    """Children who enter grade 1 in an autumn, by the setting they live in; the nearest year where none is given."""
    cohorts = region.cohorts
    row = int(np.abs(cohorts.year.astype(np.int64) - year).argmin())
    return np.asarray(cohorts.entrants[row], np.float64)


def entrants_by_catchment(region: Region, year: int) -> NDArray[np.int64]:
    """How many of them live in each catchment; shape (catchments,)."""
    size = cohort_size(region, year)
    places = region.catchments
    return apportion(round(float(size.sum())), size[places.setting] * places.share)


def children(region: Region, year: int, seed: int, uncertainty: float) -> NDArray[np.int64]:
    """How many children enter from each catchment in a year after the base year; shape (catchments,).

    Poisson around the table's cohort. The cohort of each setting runs away from the table as a random walk of
    `uncertainty` (SD of logs a year), half of whose variance all settings share.
    """
    walkers = np.array([key_of_name(f"{region.name}/{name}") for name in ("cohorts", *(x.name for x in Setting))])
    run = np.zeros(len(walkers))
    for past in range(region.base_year + 1, year + 1):
        run += Draws(seed, past).normal(Decision.COHORT_TREND, walkers)
    run *= np.sqrt(0.5)
    size, places = cohort_size(region, year), region.catchments
    weight = size[places.setting] * places.share
    expected = size.sum() * weight / max(weight.sum(), 1e-9) * np.exp(uncertainty * (run[0] + run[1:]))[places.setting]
    level = Draws(seed, year).uniform(Decision.CHILDREN, places.key)
    return np.ceil(np.maximum(pdtrik(level, np.maximum(expected, 1e-9)), 0.0) - 1e-9).astype(np.int64)


def entrants(region: Region, cohort: int, counts: NDArray[Any], seed: int | None = None) -> tuple[Columns, Columns]:
    """Columns of the families and of the pupils of grade 1, `counts` from each catchment, in its order.

    Drawn with the region's own seed, or the seed of the run that they enter.

    Not yet in a school or class; ability and ses are individual standard normals. Rates by setting come from
    the profile (`region.official["families"]`).
    """
    rates = region.official["families"]
    places = region.catchments
    n = int(counts.sum())
    catchment = np.repeat(np.arange(places.n, dtype=np.int32), counts)
    serial = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    key = key_of_origin(cohort, places.key[catchment], serial)
    draws, setting = Draws(region.seed if seed is None else seed, cohort), places.setting[catchment]

    def happens(decision: Decision, by_setting: str) -> NDArray[np.bool_]:
        return np.asarray(draws.uniform(decision, key) < np.asarray(rates[by_setting])[setting])

    spread = places.spread_km[catchment]
    ses = draws.normal(Decision.SES, key)
    income = np.log(rates["income_median"]) + rates["income_ses"] * ses
    income += rates["income_sd"] * draws.normal(Decision.INCOME, key)
    families: Columns = {
        "key": key,
        "catchment": catchment,
        "origin": catchment,
        "x_km": places.x_km[catchment] + spread * draws.normal(Decision.HOME_EAST, key),
        "y_km": places.y_km[catchment] + spread * draws.normal(Decision.HOME_NORTH, key),
        "ses": ses,
        "income": np.exp(income),
        "local": happens(Decision.HUKOU, "local_hukou"),
        "owns_home": happens(Decision.OWNS_HOME, "owns_home"),
        "taste_reputation": np.exp(rates["taste_sd"] * draws.normal(Decision.TASTE_REPUTATION, key)),
        "taste_distance": np.exp(rates["taste_sd"] * draws.normal(Decision.TASTE_DISTANCE, key)),
        "delay": 1 + (draws.uniform(Decision.KNOWS_LATE, key) >= rates["delay"][0]),
    }
    pupils: Columns = {
        "key": key,
        "cohort": np.full(n, cohort, np.int16),
        "grade": np.ones(n, np.int8),
        "school": np.full(n, NOBODY, np.int32),
        "klass": np.full(n, NOBODY, np.int32),
        "ability": draws.normal(Decision.ABILITY, key),
        "left_behind": happens(Decision.LEFT_BEHIND, "left_behind"),
        "special": happens(Decision.SPECIAL_NEEDS, "special"),
        "wish": np.full(n, NOBODY, np.int32),
    }
    return families, pupils


def populate(region: Region, year: int) -> None:
    """Fill the nine grades of a school year, the oldest first, each child in the school that admits it by right."""
    region.families.drop_front(region.families.n)
    region.students.drop_front(region.students.n)
    admits = school_by_right(region)
    for grade in range(9, 0, -1):
        cohort = year - grade + 1
        families, pupils = entrants(region, cohort, entrants_by_catchment(region, cohort))
        stage = int(grade > region.primary_grades)
        pupils["grade"][:] = grade
        pupils["school"] = school = admits[families["catchment"], stage]
        s = region.schools
        pupils["way_km"] = distance_km(families["x_km"], families["y_km"], s.x_km[school], s.y_km[school])
        first = 1 if stage == 0 else region.primary_grades + 1
        pupils["school_years"] = np.full(pupils["key"].size, grade - first + 1, np.int8)
        region.families.append(pupils["key"].size, **families)
        region.students.append(pupils["key"].size, **pupils)


def school_by_right(region: Region) -> NDArray[np.int32]:
    """The first school that admits each catchment by right at each stage; shape (catchments, 2)."""
    schools, places = region.schools, region.catchments
    found = np.full((places.n, 2), NOBODY, np.int32)
    for stage in (0, 1):
        rows = np.flatnonzero(schools.has[:, stage])
        areas, first = np.unique(schools.right[rows, stage], return_index=True)
        where = np.searchsorted(areas, places.right[:, stage])
        found[:, stage] = rows[first[where]]
    return found
