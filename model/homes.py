"""Where families live, and what a home brings: the spread of latents, moving house."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.behaviour import Behaviour
from model.region import Region


def scale_latents(region: Region, rows: slice, b: Behaviour) -> None:
    """Give standardised latents the spread of the behaviour: own part, and what the place adds."""
    families, students, places = region.families, region.students, region.catchments
    home = families.origin[rows]
    own = np.sqrt(1 - b.ses_sorting**2)
    families.ses[rows] = own * families.ses[rows] + b.ses_sorting * places.ses_place[home]
    own = np.sqrt(1 - b.ability_sorting**2)
    students.ability[rows] = b.ability_sd * (
        own * students.ability[rows] + b.ability_sorting * places.ability_place[home]
    )
    students.achievement[rows] = home_input(region, rows, b) / (1 - b.persistence)


def home_input(region: Region, rows: slice, b: Behaviour) -> NDArray[np.float64]:
    """What children learn a year without any school: ability, family status, place of home; pupil SD a year."""
    place = (region.catchments.surroundings @ b.by_setting("home_effect"))[region.families.origin[rows].astype(np.intp)]
    return np.asarray(region.students.ability[rows] + b.ses_effect * region.families.ses[rows] + place)


def move_home(region: Region, rows: NDArray[np.intp], to: NDArray[np.intp]) -> None:
    """Families (rows) move to catchments `to`, as far from the new centre as from the old one."""
    f, places = region.families, region.catchments
    old = f.catchment[rows]
    ratio = places.spread_km[to] / np.maximum(places.spread_km[old], 1e-9)
    f.x_km[rows] = places.x_km[to] + (f.x_km[rows] - places.x_km[old]) * ratio
    f.y_km[rows] = places.y_km[to] + (f.y_km[rows] - places.y_km[old]) * ratio
    f.catchment[rows] = to
