"""Build a region from a profile: places, schools, cohorts, people and stocks that reproduce its totals.

Depends on no behaviour: what tells places, schools and people apart is standardised, and the behaviour in
force scales it before the burn-in. All draws have the address (seed, decision, 0 or the cohort, key).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.draws import Decision, Draws, Keys, key_of_name, key_of_origin
from model.errors import InputError, unknown
from model.groupwise import apportion, mean, place_in_group, total
from model.national_standard import BY_TEACHERS, INDICATORS
from model.official import bind_official
from model.people import populate
from model.policy import FOREVER
from model.profile import SETTINGS, profiles, read_profile
from model.region import ALWAYS_OPEN, NOBODY, STAGES, Kind, Network, Region, Setting, Stage, Subject

Floats = NDArray[np.float64]
Profile = dict[str, Any]

__all__ = ["build_region", "profiles"]

FIRST_COHORT = 23  # autumns before the base year: 15 of burn-in and nine grades
OPENED = 1990  # before any year that is lived
STREET_GAP_KM = 2.0  # countryside between the last street and the first town
CANDIDATES = 24  # places tried for a town, of which the loneliest is taken
OTHER_TOWN_KM = 3.0  # how much farther a junior school of another town seems when areas are drawn
FAR_KM = 16.0  # way at which one pupil's distance weighs as much as a school twice its size, in drawing junior areas
ZONE_LEAST = 4  # schools in a school zone


def build_region(profile: str | Path, seed: int = 1) -> Region:
    """A region in its base year from a shipped profile's name or a YAML file; not yet burned in.

    Raises InputError where the profile is unknown or wrong.
    """
    given, facts = read_profile(profile)
    region = Region(
        name=given["name"],
        title_en=given["title"]["en"],
        title_zh=given["title"]["zh"],
        base_year=given["base_year"],
        seed=seed,
        primary_grades=given["primary_grades"],
        year=given["base_year"],
        prices=dict(given["prices"]),
        facts=facts,
    )
    draws = Draws(seed, 0)
    _lay_out_towns(region, given, draws)
    sizes = _found_schools(region, given, draws)
    _draw_catchments(region, given, draws, sizes)
    _count_cohorts(region, given)
    _draw_junior_areas(region, given, sizes[:, Stage.JUNIOR])
    _tell_places_apart(region, given, draws)
    _tell_schools_apart(region, given, draws)
    _tie_schools(region, given, draws)
    region.official = _official(region, given, draws)
    populate(region, region.base_year)
    section = region.section_of_students()
    region.schools.enrolment[:] = np.bincount(section, minlength=2 * region.schools.n).reshape(-1, 2)
    region.schools.enrolment_lagged[:] = region.schools.enrolment
    _house_and_staff(region, given, draws)
    _engage_teachers(region, given, draws)
    bind_official(region)
    return region


def _salt(what: str) -> Keys:
    """The second key of a draw that an agent makes for several things under one decision."""
    return np.array([key_of_name(what)])


def _by_setting(block: dict[str, float]) -> Floats:
    return np.array([block[name] for name in SETTINGS], np.float64)


def _by_stage(block: dict[str, Any]) -> list[Any]:
    return [block[stage.name.lower()] for stage in STAGES]


# --- places


def _lay_out_towns(region: Region, given: Profile, draws: Draws) -> None:
    """Streets crowd the centre of a district, towns spread over the rest of its disc, each far from the others.

    Where discs overlap, land goes to the district whose centre is nearer, in units of the root of its radius: by
    the radius itself, a large district would fill the gaps between small ones.
    """
    known = set()
    centres = np.array([[d["centre_km"]["east"], d["centre_km"]["north"]] for d in given["districts"]])
    radii = np.sqrt(np.array([d["area_km2"] for d in given["districts"]]) / np.pi)
    for row, district in enumerate(given["districts"]):
        name = district["name"]
        region.districts.append(1, name_en=name["en"], name_zh=name["zh"], code=district["code"], ring=district["ring"])
        edge = float(np.sqrt(district["area_km2"] / np.pi))
        core = min(district["urban_radius_km"], edge)
        centre = np.array([district["centre_km"]["east"], district["centre_km"]["north"]])
        placed = np.empty((0, 2))
        for names, setting, inner, outer in (
            (district["streets"], Setting.URBAN, 0.0, core),
            (district["towns"], Setting.TOWN, min(core + STREET_GAP_KM, edge), edge),
        ):
            for town in names:
                if town in known:
                    raise InputError(f"{given['name']}: {name['en']}", f"{town} a second time", "each town once")
                known.add(town)
                key = key_of_origin(key_of_name(name["en"]), key_of_name(town), np.arange(CANDIDATES))
                radius = np.sqrt(inner**2 + (outer**2 - inner**2) * draws.uniform(Decision.PLACE_NORTH, key))
                angle = 2 * np.pi * draws.uniform(Decision.PLACE_EAST, key)
                tried = centre + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
                gaps = np.linalg.norm(tried[:, None] - placed[None], axis=2).min(axis=1, initial=np.inf)
                near = np.linalg.norm(tried[:, None] - centres[None], axis=2) / np.sqrt(radii)
                own = near.argmin(axis=1) == row
                here = tried[int(np.argmax(np.where(own, gaps, -1.0)))]
                placed = np.vstack([placed, here])
                region.towns.append(1, name_zh=town, district=row, setting=setting, x_km=here[0], y_km=here[1])


def _found_schools(region: Region, given: Profile, draws: Draws) -> NDArray[np.int64]:
    """The schools of every district and setting, with names and positions; returns pupils meant for each, by stage."""
    has: list[tuple[bool, bool]] = []
    town_of: list[int] = []
    setting_of: list[Setting] = []
    known: list[dict[str, Any]] = []  # what is known of each school by its name
    towns = region.towns
    for row, district in enumerate(given["districts"]):
        for setting in Setting:
            name = SETTINGS[setting]
            primary, junior = (int(block["schools"][name]) for block in _by_stage(district))
            both = int(district["nine_year"][name])
            where = f"{given['name']}: {district['name']['en']}"
            if both > min(primary, junior):
                raise InputError(where, f"{both} nine-year schools ({name})", f"at most {min(primary, junior)}")
            kind = Setting.URBAN if setting == Setting.URBAN else Setting.TOWN  # villages belong to a town
            seats = np.flatnonzero((towns.district == row) & (towns.setting == kind))
            if primary + junior > 0 and seats.size == 0:
                raise InputError(where, f"{name} schools", "streets" if kind == Setting.URBAN else "towns for them")
            kinds = (((True, True), 0, both), ((True, False), both, primary), ((False, True), both, junior))
            for stages, first, last in kinds:
                places = [int(seats[i % seats.size]) for i in range(first, last)]  # one after another, in turn
                named = [n for n in _named(district, where) if (n["setting"], SECTIONS[n["stage"]]) == (name, stages)]
                has += [stages] * len(places)
                known += _take_their_places(region, named, places, seats, where)
                town_of += places
                setting_of += [setting] * len(places)
    unnamed = np.array([not about for about in known])
    order = np.lexsort((np.arange(len(has)), unnamed, np.array(setting_of), np.array(town_of)))
    town, settings, taught = np.array(town_of)[order], np.array(setting_of)[order], np.array(has)[order]
    about = [known[i] for i in order]
    schools = region.schools
    names = [own.get("name", name) for own, name in zip(about, _names(region, town, taught), strict=True)]
    schools.append(
        town.size,
        key=[key_of_name(f"{region.name}/{name}") for name in names],
        name=names,
        district=towns.district[town],
        town=town,
        setting=settings,
        town_seat=settings == Setting.TOWN,
        kind=[Kind[own.get("run_by", "district").upper()] for own in about],
        has=taught,
        opened=OPENED,
        closed=ALWAYS_OPEN,
        zone=NOBODY,
    )
    _place_schools(region, draws)
    _zone(region, round(given.get("networks", {}).get("zones", 0)))
    return _sizes(region, given, draws)


SECTIONS = {"primary": (True, False), "junior": (False, True), "nine_year": (True, True)}
KINDS = [kind.name.lower() for kind in Kind]


def _named(district: Profile, where: str) -> list[dict[str, Any]]:
    """The schools of a district that are known by name. Raises InputError for an unknown stage, setting or runner."""
    named: list[dict[str, Any]] = district.get("named", [])
    for school in named:
        for what, choices in (("stage", list(SECTIONS)), ("setting", list(SETTINGS)), ("run_by", KINDS)):
            if school.get(what, "district") not in choices:
                raise unknown(f"{where}: {school['name']}", what, school[what], choices)
    return named


def _take_their_places(
    region: Region, named: list[dict[str, Any]], places: list[int], seats: NDArray[Any], where: str
) -> list[dict[str, Any]]:
    """Named schools take the place of one in their town, or else of any; writes their towns into `places`."""
    about: list[dict[str, Any]] = [{} for _ in places]
    towns = [str(town) for town in region.towns.name_zh[seats]]
    for school in named:
        if school["town"] not in towns:
            raise unknown(f"{where}: {school['name']}", "town", school["town"], towns)
        town = int(seats[towns.index(school["town"])])
        free = [i for i, own in enumerate(about) if not own]
        if not free:
            raise InputError(f"{where}: {school['name']}", "more named schools of its stage", f"at most {len(places)}")
        taken = min(free, key=lambda i: places[i] != town)
        about[taken], places[taken] = school, town
    return about


def _by_name(region: Region, given: Profile, what: str) -> list[tuple[int, Any]]:
    """The named schools of whom something is known: (row, what is known)."""
    rows = {str(name): row for row, name in enumerate(region.schools.name)}
    named = [school for district in given["districts"] for school in district.get("named", [])]
    return [(rows[school["name"]], school[what]) for school in named if what in school]


_NUMERALS = "一二三四五六七八九十"


def _numeral(n: int) -> str:
    """Chinese numeral of 1…99."""
    tens, ones = divmod(n, 10)
    head = "" if tens == 0 else "十" if tens == 1 else _NUMERALS[tens - 1] + "十"
    return head + (_NUMERALS[ones - 1] if ones else "")


def _names(region: Region, town: NDArray[Any], stages: NDArray[np.bool_]) -> list[str]:
    """Names from the town and a number; a town's first primary school is its central one."""
    kind = stages[:, 0] + 2 * stages[:, 1]
    number = place_in_group(town * 4 + kind, np.arange(town.size)) + 1
    names = []
    for here, what, n in zip(town, kind, number, strict=True):
        place, seat = region.towns.name_zh[here], region.towns.setting[here] == Setting.TOWN
        if what == 1:
            names.append(f"{place}中心小学" if seat and n == 1 else f"{place}第{_numeral(n)}小学")
        elif what == 2:
            names.append(f"{place}初级中学" if seat and n == 1 else f"{place}第{_numeral(n)}中学")
        else:
            names.append(f"{place}九年一贯制学校" if n == 1 else f"{place}第{_numeral(n)}九年一贯制学校")
    return names


def _place_schools(region: Region, draws: Draws) -> None:
    """Urban schools lie in their street, town schools at the seat, village schools in a ring of sectors around it."""
    schools, towns = region.schools, region.towns
    u = draws.uniform(Decision.SCHOOL_EAST, schools.key)
    v = draws.uniform(Decision.SCHOOL_NORTH, schools.key)
    group = schools.town.astype(np.intp) * 3 + schools.setting
    count = np.bincount(group, minlength=3 * towns.n)[group]
    angle = 2 * np.pi * (place_in_group(group, np.arange(schools.n)) + u) / count
    apart = np.hypot(towns.x_km[:, None] - towns.x_km, towns.y_km[:, None] - towns.y_km)
    np.fill_diagonal(apart, np.inf)
    ring = np.clip(0.6 * apart.min(axis=1, initial=20.0), 2.5, 6.0)[schools.town]
    inner = np.array([0.0, 0.0, 1.5])[schools.setting]
    outer = np.where(schools.setting == Setting.VILLAGE, ring, np.array([1.2, 0.6, 0.0])[schools.setting])
    radius = np.sqrt(inner**2 + (outer**2 - inner**2) * v)
    schools.x_km[:] = towns.x_km[schools.town] + radius * np.cos(angle)
    schools.y_km[:] = towns.y_km[schools.town] + radius * np.sin(angle)


def _zone(region: Region, wanted: int = 0) -> None:
    """School zones: towns, the smallest joined to the nearest while one has too few schools, or until `wanted` are."""
    towns = region.towns
    zone = np.arange(towns.n)
    held = total(region.schools.town, towns.n)
    for _ in range(towns.n):
        count = total(zone, towns.n, held)
        small = np.flatnonzero((count > 0) & ((count < ZONE_LEAST) | (wanted > 0)))
        if small.size == 0 or np.count_nonzero(count) == wanted:
            break
        one = small[np.argmin(count[small])]
        x, y = mean(zone, towns.n, towns.x_km), mean(zone, towns.n, towns.y_km)
        district = mean(zone, towns.n, towns.district)
        far = np.hypot(x - x[one], y - y[one]) + np.where(district == district[one], 0.0, np.inf)
        far[[one, *np.flatnonzero(~np.isfinite(x) | (count == 0))]] = np.inf
        if not np.isfinite(far).any():
            break
        zone[zone == one] = int(np.argmin(far))
    region.schools.zone[:] = np.unique(zone[region.schools.town], return_inverse=True)[1]


def _sizes(region: Region, given: Profile, draws: Draws) -> NDArray[np.int64]:
    """Pupils meant for each school at each stage: lognormal inside a setting, with its exact total."""
    schools = region.schools
    sizes = np.zeros((schools.n, 2), np.int64)
    given_pupils = _by_name(region, given, "pupils")
    for stage in STAGES:
        known = {row: round(by[stage.name.lower()]) for row, by in given_pupils if stage.name.lower() in by}
        cv = _by_setting(_by_stage(given["sizes"]["cv"])[stage])
        z = np.clip(draws.normal(Decision.SCHOOL_SIZE, schools.key, _salt(stage.name)), -2, 2)
        weight = np.exp(np.sqrt(np.log1p(cv**2))[schools.setting] * z)
        for row, district in enumerate(given["districts"]):
            for setting in Setting:
                rows = np.flatnonzero(schools.has[:, stage] & (schools.district == row) & (schools.setting == setting))
                pupils = int(_by_stage(district)[stage]["pupils"][SETTINGS[setting]])
                fixed = np.isin(rows, list(known))
                sizes[rows[fixed], stage] = [known[row] for row in rows[fixed]]
                rest = pupils - int(sizes[rows[fixed], stage].sum())
                if rest < 0:
                    raise InputError(district["name"]["en"], "more pupils in named schools", f"at most {pupils}")
                sizes[rows[~fixed], stage] = apportion(rest, weight[rows[~fixed]])
    return sizes


# --- who lives where, and who admits them


def _draw_catchments(region: Region, given: Profile, draws: Draws, sizes: NDArray[np.int64]) -> None:
    """One catchment around each primary section, whose children it admits by right."""
    schools = region.schools
    rows = np.flatnonzero(schools.has[:, Stage.PRIMARY])
    setting, pupils = schools.setting[rows], sizes[rows, Stage.PRIMARY]
    schools.right[:] = NOBODY
    schools.right[rows, Stage.PRIMARY] = np.arange(rows.size)
    junior = np.flatnonzero(schools.has[:, Stage.JUNIOR])
    schools.right[junior, Stage.JUNIOR] = np.arange(junior.size)
    region.catchments.append(
        rows.size,
        key=[key_of_name(f"{region.name}/{name}/片区") for name in schools.name[rows]],
        town=schools.town[rows],
        district=schools.district[rows],
        setting=setting,
        x_km=schools.x_km[rows],
        y_km=schools.y_km[rows],
        spread_km=_by_setting(given["catchments"]["spread_km"])[setting],
        right=np.column_stack([np.arange(rows.size), np.full(rows.size, NOBODY)]),
        share=pupils / total(setting, 3, pupils)[setting],
    )


def _count_cohorts(region: Region, given: Profile) -> None:
    """Entrants by year and setting, scaled so that the cohorts at school in the base year are its pupils.

    The entrants of an autumn are `same_year_share` of the births six years back and the rest of seven; the
    shares of the settings drift, and those of the primary cohorts sum to the pupils of each setting.
    """
    base, grades = given["base_year"], given["primary_grades"]
    years = np.arange(base - FIRST_COHORT, int(given["last_year"]) + 1)
    births = _births(given, np.arange(years[0] - 7, years[-1] - 5))
    shape = given["same_year_share"] * births[1:] + (1 - given["same_year_share"]) * births[:-1]
    by_district = [[_by_setting(block["pupils"]) for block in _by_stage(d)] for d in given["districts"]]
    pupils = np.array(by_district).sum(axis=0)  # (2, 3)
    in_primary = (years > base - grades) & (years <= base)
    in_junior = (years > base - 9) & (years <= base - grades)
    in_primary_or_later = years > base - grades
    scale = [pupils[stage].sum() / shape[held].sum() for stage, held in ((0, in_primary), (1, in_junior))]
    size = np.rint(np.where(in_primary_or_later, scale[0], scale[1]) * shape)
    size[in_primary] = apportion(round(pupils[0].sum()), shape[in_primary])
    size[in_junior] = apportion(round(pupils[1].sum()), shape[in_junior])
    drift = np.exp(np.outer(years - base, _by_setting(given["setting_drift"])))
    level = pupils[0] / pupils[0].sum()
    for _ in range(100):  # iterative proportional fitting, which settles in a few rounds
        share = level * drift
        share /= share.sum(axis=1, keepdims=True)
        found = (size[:, None] * share)[in_primary].sum(axis=0)
        level = level * np.divide(pupils[0], found, out=np.zeros(3), where=found > 0)
    region.cohorts.append(years.size, year=years, entrants=size[:, None] * share)


def _births(given: Profile, years: NDArray[np.int64]) -> Floats:
    """Births of each year: the table's, its first year before it, its last year with the stated trend after it."""
    table = sorted(given["births"].items())
    known = np.array([year for year, _ in table])
    after = np.maximum(years - known[-1], 0)
    births = np.interp(years, known, np.array([births for _, births in table]))
    return np.asarray(births * np.exp(given["births_trend"] * after))


def _draw_junior_areas(region: Region, given: Profile, meant: NDArray[np.int64]) -> None:
    """Each catchment is served by one junior school of its district: near, preferably of its town, none too full."""
    schools, places = region.schools, region.catchments
    junior = np.flatnonzero(schools.has[:, Stage.JUNIOR])
    cohorts = region.cohorts
    in_junior = (cohorts.year > given["base_year"] - 9) & (cohorts.year <= given["base_year"] - given["primary_grades"])
    load_of = cohorts.entrants[in_junior].sum(axis=0)[places.setting] * places.share
    size = meant[junior].astype(np.float64)
    size *= load_of.sum() / size.sum()
    own = schools.has[:, Stage.PRIMARY][junior]
    home = np.full(places.n, NOBODY)  # a nine-year school keeps its own primary pupils
    home[schools.right[junior[own], Stage.PRIMARY]] = np.flatnonzero(own)
    for d in range(region.districts.n):
        live, learn = np.flatnonzero(places.district == d), np.flatnonzero(schools.district[junior] == d)
        if learn.size == 0:
            raise InputError(f"{given['name']}: {region.districts.name_en[d]}", "no junior school", "one at least")
        at = junior[learn]
        far = np.hypot(places.x_km[live][:, None] - schools.x_km[at], places.y_km[live][:, None] - schools.y_km[at])
        far = far + np.where(places.town[live][:, None] == schools.town[at], 0.0, OTHER_TOWN_KM)
        kept = np.where(home[live] >= 0, np.searchsorted(learn, home[live]), NOBODY)
        places.right[live, Stage.JUNIOR] = learn[_share_out(load_of[live], size[learn], far, kept)]


def _share_out(load_of: Floats, size: Floats, far: Floats, kept: NDArray[np.int64]) -> NDArray[np.intp]:
    """The junior school of each catchment; those with a `kept` one (not −1) have it.

    Starts with the nearest, then moves the one catchment whose move helps most until none does. What an
    assignment costs: Σ (load − size)²/size over schools + Σ (km / FAR_KM)² over pupils.
    """
    fixed = kept >= 0
    served = np.where(fixed, kept, far.argmin(axis=1))
    cost = load_of[:, None] * (far / FAR_KM) ** 2
    cost[fixed] = np.inf
    everyone = np.arange(load_of.size)
    for _ in range(20 * load_of.size):
        load = total(served, size.size, load_of)
        leave = ((load[served] - load_of - size[served]) ** 2 - (load[served] - size[served]) ** 2) / size[served]
        enter = ((load + load_of[:, None] - size) ** 2 - (load - size) ** 2) / size
        now = np.where(fixed, 0.0, load_of * (far[everyone, served] / FAR_KM) ** 2)
        gain = leave[:, None] + enter + cost - now[:, None]
        gain[everyone, served] = 0.0
        best = int(np.argmin(gain))
        if gain.flat[best] > -1e-9:
            break
        served[best // size.size] = best % size.size
    return served


def _tell_places_apart(region: Region, given: Profile, draws: Draws) -> None:
    """What a catchment adds to SES and ability, standardised over pupils: its setting, its junior area, itself."""
    places = region.catchments
    block = given["catchments"]
    pupils = region.cohorts.entrants[region.cohorts.year == region.base_year].sum(axis=0)[places.setting] * places.share
    strength = np.array([district["strength"] for district in given["districts"]])[places.district]
    group = places.district.astype(np.intp) * 3 + places.setting
    junior_school = np.flatnonzero(region.schools.has[:, Stage.JUNIOR])[places.right[:, Stage.JUNIOR]]
    junior = region.schools.key[junior_school]
    # a village beside its town's junior school is more of a town than one whose junior school is rural itself
    own, wider = np.eye(len(SETTINGS))[places.setting], np.eye(len(SETTINGS))[region.schools.setting[junior_school]]
    places.surroundings[:] = (1 - block["wider_share"]) * own + block["wider_share"] * wider
    known = _standardised(places.surroundings @ _by_setting(block["setting_score"]) + strength, pupils)
    admits = np.flatnonzero(region.schools.has[:, Stage.PRIMARY])[places.right[:, Stage.PRIMARY]]
    named = _by_name(region, given, "intake")
    for name, decision in (("ses", Decision.PLACE_SES), ("ability", Decision.PLACE_ABILITY)):
        wide, close = draws.normal(decision, junior), draws.normal(decision, places.key)
        z = np.sqrt(block["junior_share"]) * wide + np.sqrt(1 - block["junior_share"]) * close
        for row, intake in named:
            z[(junior_school == row) | (admits == row)] = intake
        n = int(group.max()) + 1
        centre = total(group, n, pupils * z) / np.maximum(total(group, n, pupils), 1e-9)
        within = _standardised(z - centre[group], pupils)
        between = block["setting_share"][name]
        column = getattr(places, f"{name}_place")
        column[:] = _standardised(np.sqrt(between) * known + np.sqrt(1 - between) * within, pupils)


def _standardised(values: Floats, weight: Floats) -> Floats:
    """Mean 0 and SD 1 over pupils; zeros where there is no difference."""
    values = values - np.average(values, weights=weight)
    sd = float(np.sqrt(np.average(values**2, weights=weight)))
    return values / sd if sd > 1e-12 else np.zeros_like(values)


# --- schools: practice, rooms, posts


def _tell_schools_apart(region: Region, given: Profile, draws: Draws) -> None:
    """Practice: standard normal, centred within setting and highest stage, plus the strength of the district."""
    schools = region.schools
    z = draws.normal(Decision.SCHOOL_PRACTICE, schools.key)
    for row, practice in _by_name(region, given, "practice"):
        z[row] = practice
    group = schools.setting.astype(np.intp) * 2 + schools.has[:, Stage.JUNIOR]
    strength = np.array([district["strength"] for district in given["districts"]])[schools.district]
    schools.practice_mean[:] = z - mean(group, 6, z)[group] + strength - strength.mean()
    schools.practice[:] = schools.practice_mean
    town_junior = np.flatnonzero(schools.town_seat & schools.has[:, Stage.JUNIOR])
    lots = draws.uniform(Decision.SCHOOL_STAFF, schools.key[town_junior], _salt("boarding"))
    schools.boarding[town_junior[np.argsort(lots)[: round(given["boarding_share"] * town_junior.size)]]] = True
    block = given["buildings"]
    condition = _by_setting(block["condition"])[schools.setting]
    condition += block["condition_sd"] * draws.normal(Decision.SCHOOL_CONDITION, schools.key)
    schools.condition[:] = np.clip(condition, 0.5, 1.0)


def _tie_schools(region: Region, given: Profile, draws: Draws) -> None:
    """Cooperative schools and communities of districts that stand in the base year.

    Which schools is not published: cooperative ones are urban, by lot; a community ties the strongest of the
    helping district with the weakest of the helped one, by practice.
    """
    s, ties = region.schools, given.get("networks", {})
    ordinary = s.kind == Kind.DISTRICT
    lot = draws.uniform(Decision.NETWORK_ORDER, s.key)
    free = ordinary & (s.setting == Setting.URBAN)
    for tie in ties.get("cooperative", []):
        parent = _row(region.schools.name, "school", tie["parent"], given)
        here = free & (s.district == _row(region.districts.name_en, "district", tie["district"], given))
        able = np.flatnonzero(here & (s.has & s.has[parent]).any(axis=1))
        members = able[np.argsort(lot[able])][: round(tie["schools"])]
        free[members] = False
        _tie(region, Network.COOPERATIVE, np.full(members.size, parent), members, tie["since"])
    free = ordinary.copy()
    for tie in ties.get("communities", []):
        helper, helped = (_row(region.districts.name_en, "district", tie[side], given) for side in ("helper", "helped"))
        for stage in STAGES:
            number = (round(tie["schools"]) + 1 - stage) // 2
            leads, members = (np.flatnonzero(free & (s.district == d) & s.has[:, stage]) for d in (helper, helped))
            leads = leads[np.argsort(-s.practice_mean[leads], kind="stable")][:number]
            members = members[np.argsort(s.practice_mean[members], kind="stable")][:number]
            number = min(leads.size, members.size)
            free[leads[:number]] = free[members[:number]] = False
            _tie(region, Network.COMMUNITY, leads[:number], members[:number], tie["since"])


def _tie(region: Region, kind: Network, lead: NDArray[Any], member: NDArray[Any], since: int) -> None:
    region.networks.append(member.size, kind=int(kind), lead=lead, member=member, since=since, until=FOREVER)


def _row(names: NDArray[Any], what: str, name: str, given: Profile) -> int:
    held = [str(n) for n in names]
    if name not in held:
        raise unknown(f"{given['name']}: networks", what, name, held)
    return held.index(name)


def _house_and_staff(region: Region, given: Profile, draws: Draws) -> None:
    """Classrooms for today's pupils with some to spare, music and art rooms, posts that sum to the given teachers."""
    schools = region.schools
    for stage, grades in zip(STAGES, region.grades, strict=True):
        rows = np.flatnonzero(schools.has[:, stage])
        pupils, setting = schools.enrolment[rows, stage], schools.setting[rows]
        planned = _by_setting(_by_stage(given["class_size"])[stage])[setting]
        rooms = grades * np.maximum(np.ceil(pupils / grades / planned), 1)
        spare = draws.uniform(Decision.SCHOOL_STOCK, schools.key[rows], _salt(f"classrooms {stage.name}"))
        schools.classrooms[rows, stage] = rooms + np.floor(given["spare_classrooms"] * rooms + spare)
        _posts(region, given, draws, stage)
    classes = schools.classrooms.sum(axis=1) / given["buildings"]["classes_per_art_room"]
    for name in ("music_rooms", "art_rooms"):
        lot = draws.uniform(Decision.SCHOOL_STOCK, schools.key, _salt(name))
        getattr(schools, name)[:] = np.floor(classes + lot)


def _posts(region: Region, given: Profile, draws: Draws, stage: Stage) -> None:
    """Posts by pupils a post, more in small schools, apportioned so that each district has its teachers."""
    schools, block = region.schools, given["staffing"]
    pupils = schools.enrolment[:, stage]
    ratio = _by_stage(block["pupils_per_post"])[stage] * _by_setting(block["ratio"])[schools.setting]
    z = draws.normal(Decision.SCHOOL_STAFF, schools.key, _salt(f"posts {stage.name}"))
    wanted = np.maximum(pupils / ratio * np.exp(block["spread"] * z), _by_stage(block["least"])[stage])
    for row, district in enumerate(given["districts"]):
        held = np.flatnonzero(schools.has[:, stage] & (schools.district == row))
        schools.posts[held, stage] = apportion(round(_by_stage(district)[stage]["teachers"]), wanted[held])


# --- teachers


def _engage_teachers(region: Region, given: Profile, draws: Draws) -> None:
    """Founders, one a post; who teaches where is arbitrary, the burn-in lives the labour market first."""
    schools, block = region.schools, given["teachers"]
    section = np.repeat(np.arange(2 * schools.n), schools.posts.ravel())
    n, school = section.size, section >> 1
    key = key_of_origin(0, np.arange(n), key_of_name(region.name))
    low, high = block["age"]["low"], block["age"]["high"]
    age = np.floor(low + (high - low + 1) * draws.uniform(Decision.TEACHER_AGE, key)).astype(np.int16)
    experience = (age - int(low)).astype(np.int16)
    stayed = np.log(draws.uniform(Decision.TEACHER_TENURE, key)) / np.log1p(-block["leaves_school"])
    credential = draws.normal(Decision.TEACHER_CREDENTIAL, key)
    middle, senior = block["title_years"]["middle"], block["title_years"]["senior"]
    order = np.where(age < 35, 2, np.where(age > 55, 1, 0))  # heads: neither the youngest nor the oldest
    region.teachers.append(
        n,
        key=key,
        post=school,
        school=school,
        stage=section & 1,
        subject=Subject.CORE,
        district_home=schools.district[school],
        home_x=schools.x_km[school] + block["home_km"] * draws.normal(Decision.TEACHER_EAST, key),
        home_y=schools.y_km[school] + block["home_km"] * draws.normal(Decision.TEACHER_NORTH, key),
        age=age,
        experience=experience,
        lasting=draws.normal(Decision.TEACHER_LASTING, key),
        signal=draws.normal(Decision.TEACHER_SIGNAL, key),
        credential=credential,
        leads=draws.normal(Decision.TEACHER_LEADERSHIP, key),
        is_head=place_in_group(school, order, key) == 0,
        title=(experience >= middle).astype(np.int8) + ((experience >= senior) & (credential > 0)),
        years_in_school=np.minimum(np.floor(stayed), experience),
    )


# --- what is officially given


def _official(region: Region, given: Profile, draws: Draws) -> dict[str, Any]:
    """Targets of every district, each school's standardised place in each indicator, and what entrants are drawn by."""
    schools = region.schools
    latents: dict[str, Any] = {}
    for name in INDICATORS:
        if name in BY_TEACHERS:
            salts = (_salt(f"{name} {stage.name}") for stage in STAGES)
            both = [draws.normal(Decision.SCHOOL_STAFF, schools.key, salt) for salt in salts]
            latents[name] = np.column_stack(both).tolist()
        else:
            latents[name] = draws.normal(Decision.SCHOOL_STOCK, schools.key, _salt(name)).tolist()
    latents["grade_c"] = draws.normal(Decision.SCHOOL_STOCK, schools.key, _salt("grade_c")).tolist()
    families = {
        name: [value[key] for key in value] if isinstance(value, dict) else value
        for name, value in given["families"].items()
    }
    return {
        "indicators": [
            {name: _target((given["indicators"] | district.get("indicators", {}))[name], given) for name in INDICATORS}
            for district in given["districts"]
        ],
        "latents": latents,
        "grade_c_m2": [district["grade_c_m2"] for district in given["districts"]],
        "buildings": {
            name: [value[s] for s in SETTINGS] if isinstance(value, dict) else value
            for name, value in given["buildings"].items()
        },
        "families": families,
    }


def _target(block: dict[str, Any], given: Profile) -> dict[str, Any]:
    """An indicator's CV by stage and its mean by stage, or the deficit of both stages in raw units."""
    target: dict[str, Any] = {"cv": _by_stage(block["cv"])}
    if "deficit" in block:
        target["deficit"] = block["deficit"] * given["prices"].get(block.get("deficit_priced_as", ""), 1.0)
    elif "mean" in block:
        target["mean"] = _by_stage(block["mean"])
    else:
        raise InputError(given["name"], "an indicator with neither mean nor deficit", "one of them")
    if "setting" in block:
        target["setting"] = [block["setting"][name] for name in SETTINGS]
    return target
