"""New schools by name and date: on the map from the start, open from their autumn, growing a grade a year.

A school of the lever `new_schools` gets a row before the first year, so that every array keeps its length; it
stays closed until it opens. It takes its first classes from the homes nearest to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.draws import Decision, Draws, Floats, key_of_name
from model.errors import InputError, unknown
from model.levers import CapacityAward, NewSchools
from model.people import cohort_size
from model.policy import Policy
from model.quality import distance_km, facility_need
from model.region import CLASS_CAP, NOBODY, STAGES, Kind, Region, Setting, Stage
from model.rules import rule
from model.school_year import SchoolYear

STAYS_OPEN = 9999
PUPILS_PER_POST = np.array(rule("pupils_per_post"))
SITE_KM = 1.0  # SD of its place around the seat of its town, each way
STOCKS = ("teaching_area", "sports_area", "equipment", "multimedia_rooms")


def put_on_the_map(region: Region, policy: Policy) -> None:
    """Add a closed school for every one that the policy will open and the region does not have. Raises InputError."""
    s = region.schools
    for entry in policy.entries:
        if not isinstance(entry, NewSchools) or not entry.names() or entry.until <= region.year:
            continue
        names = [_read(named, region)[0] for named in entry.names()]
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise InputError("policies.new_schools", f"{twice} twice", "a name for each school")
        for field, has in (
            ("primary", (True, False)),
            ("junior", (False, True)),
            ("nine_year", (True, True)),
        ):
            for named in getattr(entry, field):
                name, town = _read(named, region)
                if (s.opened[s.name == name] == entry.start).any():  # put there by an earlier part of the run
                    continue
                if name in s.name:
                    raise InputError(f"policies.new_schools.{field}", f"{name}, which is there already", "another name")
                if entry.start <= region.year:
                    found = f"from {entry.start}" if entry.start else "no `from`"
                    raise InputError("policies.new_schools", found, f"the autumn they open, {region.year + 1} or later")
                _add(region, name, town, has, entry.start)


def _read(named: str, region: Region) -> tuple[str, int]:
    name, _, town = named.partition("@")
    towns = [str(t) for t in region.towns.name_zh]
    if not name or not town:
        raise InputError("policies.new_schools", repr(named), "'name@town'")
    if town not in towns:
        raise unknown("policies.new_schools", "town", town, towns)
    return name, towns.index(town)


def _add(region: Region, name: str, town: int, has: tuple[bool, bool], opens: int) -> None:
    s, towns = region.schools, region.towns
    key = np.array([key_of_name(f"{region.name}/{name}")])
    draws = Draws(region.seed, 0)
    x = towns.x_km[town] + SITE_KM * draws.normal(Decision.SCHOOL_EAST, key)
    y = towns.y_km[town] + SITE_KM * draws.normal(Decision.SCHOOL_NORTH, key)
    beside = np.flatnonzero(s.district == towns.district[town])
    nearest = beside[np.argmin(distance_km(x, y, s.x_km[beside], s.y_km[beside]))]
    like = beside[s.setting[beside] == towns.setting[town]]
    practice = float(s.practice_mean[like].mean()) if like.size else 0.0
    s.append(
        1,
        key=key,
        name=name,
        district=towns.district[town],
        town=town,
        setting=towns.setting[town],
        town_seat=towns.setting[town] == Setting.TOWN,
        kind=int(Kind.DISTRICT),
        x_km=x,
        y_km=y,
        opened=opens,
        closed=STAYS_OPEN,
        has=np.array([has]),
        right=NOBODY,
        zone=s.zone[nearest],
        practice_mean=practice,
        practice=practice,
        condition=1.0,
    )


def draw_areas(region: Region, year: SchoolYear) -> None:
    """Before the year's children come: the admission areas of the schools that open this autumn."""
    entry = year.policy.one(NewSchools, year.number)
    for row in _opening(region, year, entry):
        for stage, rooms in zip(STAGES, (entry.primary_classes, entry.junior_classes), strict=True):
            if region.schools.has[row, stage]:
                _take_homes(region, year, row, stage, rooms)


def open_new_schools(region: Region, year: SchoolYear) -> None:
    """Build and open the schools whose autumn has come."""
    s = region.schools
    entry = year.policy.one(NewSchools, year.number)
    rooms = np.array([entry.primary_classes, entry.junior_classes])
    for row in _opening(region, year, entry):
        s.classrooms[row] = rooms * s.has[row]
        seats = s.classrooms[row] * np.array(CLASS_CAP)
        for item in STOCKS:
            getattr(s, item)[row] = facility_need(seats[None, :], item)[0]
        s.floor_area[row] = s.teaching_area[row]
        s.condition[row] = 1.0  # nothing wears before it is built
        s.music_rooms[row] = s.art_rooms[row] = -(-int(s.classrooms[row].sum()) // rule("classes_per_art_room"))
        year.ledger.pay("district", "construction", "new_schools", "building", seats.sum() * region.prices["place"])
        for stage in STAGES:
            pay_capacity_award(year, stage, int(s.classrooms[row, stage]))


def pay_capacity_award(year: SchoolYear, stage: Stage, rooms: int) -> None:
    """What the municipality pays the district for classrooms that open, in schools old or new."""
    award = year.policy.one(CapacityAward, year.number)
    yuan = award.yuan_per_junior_class if stage else award.yuan_per_primary_class
    year.ledger.pay("municipality", "district", "capacity_award", "award", rooms * yuan)


def _opening(region: Region, year: SchoolYear, entry: NewSchools) -> list[int]:
    names = [named.partition("@")[0] for named in entry.names()]
    s = region.schools
    return [int(row) for row in np.flatnonzero(s.opened == year.number) if str(s.name[row]) in names]


def _take_homes(region: Region, year: SchoolYear, row: int, stage: Stage, rooms: int) -> None:
    """Homes whose children fill its classes of one grade: of a primary school a catchment of its own, split off."""
    s, places = region.schools, region.catchments
    wanted = rooms / region.grades[stage] * CLASS_CAP[stage]
    here = np.flatnonzero((places.district == s.district[row]) & (places.right[:, stage] >= 0))
    if here.size == 0:
        return
    area = int(max(places.right[:, stage].max(), s.right[:, stage].max())) + 1
    far = distance_km(s.x_km[row], s.y_km[row], places.x_km[here], places.y_km[here])
    here = here[np.argsort(far, kind="stable")]
    children = cohort_size(region, year.number)[places.setting] * places.share
    if stage == Stage.PRIMARY:
        _split_off(region, row, here, children, wanted, area)
    else:
        _take_over(region, here, children, wanted, area)
    s.right[row, stage] = area
    beside = np.flatnonzero(s.has[:, stage] & region.open_schools(year.number - 1) & (s.district == s.district[row]))
    alike = beside[s.setting[beside] == s.setting[row]]
    # nobody knows it yet: it is thought to be like its kind
    s.reputation[row, stage] = s.reputation[alike if alike.size else beside, stage, 0].mean() if beside.size else 0.0


def _split_off(region: Region, row: int, here: NDArray[np.intp], children: Floats, wanted: float, area: int) -> None:
    """Parts of the nearest catchments, up to half of each, as catchments with the school's own area."""
    s, places = region.schools, region.catchments
    half = children[here] / 2
    given = np.minimum(half, np.maximum(wanted - (np.cumsum(half) - half), 0.0))
    donors = here[given > 0]
    right = places.right[donors]
    right[:, Stage.PRIMARY] = area
    same = ("town", "district", "setting", "x_km", "y_km", "spread_km", "surroundings", "ses_place", "ability_place")
    names = [f"{region.name}/{s.name[row]}/片区/{number}" for number in range(donors.size)]
    places.append(
        donors.size,
        key=np.array([key_of_name(name) for name in names], np.uint64),
        right=right,
        part_of=donors,
        part=(given / np.maximum(children[here], 1e-9))[given > 0],
        **{column: getattr(places, column)[donors] for column in same},
    )


def settle_in_parts(region: Region, rows: slice) -> None:
    """Of the families that have come (rows), the nearest to a new school live in the parts that are its own."""
    f, s, places = region.families, region.schools, region.catchments
    for part in np.flatnonzero(places.part > 0):
        school = np.flatnonzero(s.right[:, Stage.PRIMARY] == places.right[part, Stage.PRIMARY])[0]
        homes = np.flatnonzero(f.catchment[rows] == places.part_of[part]) + rows.start
        far = distance_km(f.x_km[homes], f.y_km[homes], s.x_km[school], s.y_km[school])
        nearest = np.argsort(far, kind="stable")[: round(places.part[part] * homes.size)]
        f.catchment[homes[nearest]] = part


def _take_over(region: Region, here: NDArray[np.intp], children: Floats, wanted: float, area: int) -> None:
    """The nearest catchments change their junior area, as long as no other area is left without one."""
    right = region.catchments.right[:, Stage.JUNIOR]
    whole = region.catchments.part == 0
    left = np.bincount(right[(right >= 0) & whole])
    got = 0.0
    for place in here[whole[here]]:
        if got > 0 and got + children[place] > wanted:
            break
        if left[right[place]] > 1:
            left[right[place]] -= 1
            right[place] = area
            got += children[place]
    right[~whole] = right[region.catchments.part_of[~whole]]  # a part goes where its catchment goes


def growing(region: Region, year: int) -> NDArray[np.bool_]:
    """Stages of new schools whose grades are not all there yet; shape (schools, 2)."""
    s = region.schools
    new = (s.opened > region.base_year) & region.open_schools(year)
    return new[:, None] & (year - s.opened[:, None] < np.array(region.grades))


def staff_new_schools(region: Region, year: SchoolYear) -> None:
    """While a new school fills, its posts are the standard's for its pupils and the next cohort, beside the quota."""
    s = region.schools
    for row in np.flatnonzero((s.opened > region.base_year) & region.open_schools(year.number)):
        for stage in STAGES:
            grades = region.grades[stage]
            if not s.has[row, stage] or year.number - s.opened[row] >= grades:
                continue
            coming = s.classrooms[row, stage] / grades * CLASS_CAP[stage]
            posts = int(np.ceil((s.enrolment_lagged[row, stage] + coming) / PUPILS_PER_POST[stage]))
            s.posts[row, stage] = max(s.posts[row, stage], posts)
            s.posts_per_pupil[row, stage] = 1 / PUPILS_PER_POST[stage]
            s.pe_art_posts[row, stage] = max(s.pe_art_posts[row, stage], posts // 7)
