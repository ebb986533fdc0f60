"""What is officially given binds: stocks and counts are set so that the region has the stated CVs and deficits.

Bound when a region is built and again at the end of the burn-in, on the enrolments that stand then. Each
school keeps its standardised place in every indicator (`region.official["latents"]`); level and spread are
solved. A facility indicator with deficit has the same ratio of mean to standard at both stages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from model.errors import InputError
from model.groupwise import place_in_group, total, weighted_cv
from model.national_standard import BY_FACILITIES, BY_TEACHERS, INDICATORS, standard
from model.region import Kind, Region, Subject

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
_WIDEST = 3.0  # SD of log stock a pupil: beyond any table seen
_MEAN_FIRST = 10.0  # where a few schools cannot have both, the mean holds and the CV comes near
_PE_ART_MOST = 0.5  # of a section's teachers: the rest teach the core subjects
_SUBJECT_CYCLE = np.array([Subject.PE, Subject.MUSIC, Subject.PE, Subject.ART], np.int8)


def bind_official(region: Region, rho: float = 0.0) -> None:
    """Set each school's facilities and its teachers' degrees, backbones and PE and art subjects as officially given.

    `rho`: correlation of what backbones are chosen by with lasting effectiveness; without a behaviour, 0.
    """
    schools = region.schools
    counted = region.open_schools(region.base_year) & (schools.kind != Kind.SPECIAL)
    wanted = np.zeros((2 * schools.n, len(BY_TEACHERS)), np.int64)
    staff = total(region.teachers.school.astype(np.intp) * 2 + region.teachers.stage, 2 * schools.n)
    for district, targets in enumerate(region.official["indicators"]):
        rows = np.flatnonzero(counted & (schools.district == district) & (schools.enrolment.sum(axis=1) > 0))
        if rows.size == 0:
            continue
        for name in BY_FACILITIES:
            stock = _facility(region, rows, name, targets[name])
            getattr(schools, name)[rows] = np.rint(stock) if name == "multimedia_rooms" else stock
        for i, name in enumerate(BY_TEACHERS):
            most = _PE_ART_MOST if name == "pe_art_teachers" else 1.0
            _count(region, rows, name, targets[name], np.floor(most * staff), wanted[:, i])
        _grade_c(region, rows, float(region.official["grade_c_m2"][district]))
    _hand_out(region, wanted, rho)


# --- facilities: shared by the stages of a school, so both stages are solved together


def _facility(region: Region, rows: NDArray[Any], name: str, target: dict[str, Any]) -> Floats:
    """Stock of each school of a district that gives both stages their CV and the stated means or deficit."""
    rule, column = standard(), INDICATORS.index(name)
    need = rule.per_pupil[:, column]  # raw stock a pupil at each stage
    pupils = region.schools.enrolment[rows].astype(np.float64)
    weight = pupils * rule.split[:2]
    share = np.divide(weight, weight.sum(axis=1, keepdims=True), out=np.zeros_like(weight), where=pupils > 0)
    taught = np.flatnonzero(pupils.sum(axis=0) > 0)
    cv = np.asarray(target["cv"])[taught]
    usual = np.sqrt(np.log1p(cv**2))
    latent = _with_setting(region, rows, name, target, float(usual.mean()))

    # with a deficit only the ratio of the means matters: that of the standards
    means = (np.asarray(target["mean"]) / rule.per[column] if "mean" in target else need)[taught]

    def stock(spread: Floats, level: Floats) -> Floats:
        logs = level - np.log(rule.split[taught]) + spread * latent[:, None]  # of stock an equal pupil
        return np.asarray(np.exp((share[:, taught] * logs).sum(axis=1)) * weight.sum(axis=1))

    def miss(x: Floats) -> Floats:
        spread, level = x[: taught.size], np.append(0.0, x[taught.size :])
        parts = share[:, taught] * stock(spread, level)[:, None]
        found = [weighted_cv(parts[:, i], pupils[:, stage]) for i, stage in enumerate(taught)]
        mean = parts.sum(axis=0) / pupils[:, taught].sum(axis=0)
        return np.append(np.log(np.maximum(found, 1e-6) / cv), _MEAN_FIRST * np.diff(np.log(mean / means)))

    start = np.append(usual, np.diff(np.log(means)))
    bounds = (
        np.append(np.full(taught.size, 1e-3), np.full(taught.size - 1, -np.inf)),
        np.append(np.full(taught.size, _WIDEST), np.full(taught.size - 1, np.inf)),
    )
    x = least_squares(miss, start, bounds=bounds, xtol=1e-12, ftol=1e-12, gtol=1e-12).x
    shape = stock(x[: taught.size], np.append(0.0, x[taught.size :]))
    parts = share * shape[:, None]
    if "mean" in target:
        return np.asarray(shape * means[0] / (parts[:, taught[0]].sum() / pupils[:, taught[0]].sum()))
    return np.asarray(shape * _scale_to_deficit(lambda k: _missing(k * parts, pupils, need), target["deficit"], parts))


def _with_setting(region: Region, rows: NDArray[Any], name: str, target: dict[str, Any], usual: float) -> Floats:
    """A school's place in an indicator, with the stated factors between settings inside it (variance about one)."""
    latent: Floats = np.asarray(region.official["latents"][name], np.float64)[rows]
    if "setting" not in target:
        return latent
    schools = region.schools
    offset = np.log(np.asarray(target["setting"]))[schools.setting[rows]] / usual
    pupils = schools.enrolment[rows].sum(axis=1)
    offset = offset - np.average(offset, weights=pupils)
    between = min(float(np.average(offset**2, weights=pupils)), 0.9)
    return np.asarray(offset + np.sqrt(1 - between) * latent, np.float64)


def _missing(parts: Floats, pupils: Floats, need: Floats) -> float:
    return float(np.maximum(need * pupils - parts, 0.0).sum())


def _scale_to_deficit(missing: Callable[[float], float], deficit: float, parts: Floats) -> float:
    """The factor on all stocks at which what is missing to the standard sums to the stated deficit."""
    high = 1.0 / max(float(parts.sum()), 1e-300)
    most = missing(0.0)
    if deficit >= most:
        raise InputError("indicators: deficit", f"{deficit:g}", f"less than the whole need, {most:g}")
    while missing(high) > deficit:
        high *= 2.0
    return float(brentq(lambda k: missing(k) - deficit, 0.0, high, xtol=1e-14 * high, rtol=1e-13))


# --- teachers: whole persons, by stage


def _count(region: Region, rows: NDArray[Any], name: str, target: dict[str, Any], most: Floats, wanted: Counts) -> None:
    """How many teachers of a kind each section of a district has: written into `wanted` (2·schools,)."""
    rule, column = standard(), INDICATORS.index(name)
    latents = np.asarray(region.official["latents"][name])
    sections = [2 * rows[region.schools.enrolment[rows, s] > 0] + s for s in (0, 1)]
    pupils = [region.schools.enrolment.ravel()[held].astype(np.float64) for held in sections]
    stages = [s for s in (0, 1) if pupils[s].size]
    need = rule.per_pupil[:, column]

    def solve(s: int, number: float) -> Counts:
        held = sections[s]
        return _spread_counts(round(number), pupils[s], latents.ravel()[held], most[held], target["cv"][s])

    if "mean" in target:
        found = {s: solve(s, target["mean"][s] / rule.per[column] * pupils[s].sum()) for s in stages}
    else:
        found = _counts_with_deficit(solve, stages, pupils, need, float(target["deficit"]))
    for s in stages:
        wanted[sections[s]] = found[s]


def _counts_with_deficit(
    solve: Callable[[int, float], Counts], stages: list[int], pupils: list[Floats], need: Floats, deficit: float
) -> dict[int, Counts]:
    """Counts whose shortfall comes nearest to a deficit, the ratio of mean to standard being equal at both stages."""
    best: tuple[float, dict[int, Counts]] = (np.inf, {})
    low, high = 0.0, 4.0
    for _ in range(14):
        ratio = (low + high) / 2
        found = {s: solve(s, ratio * need[s] * pupils[s].sum()) for s in stages}
        missing = math.fsum(float(np.maximum(need[s] * pupils[s] - found[s], 0).sum()) for s in stages)
        if abs(missing - deficit) < best[0]:
            best = abs(missing - deficit), found
        low, high = (ratio, high) if missing > deficit else (low, ratio)
    return best[1]


def _spread_counts(number: int, pupils: Floats, latent: Floats, most: Floats, cv: float) -> Counts:
    """`number` persons over sections in proportion to pupils × exp(spread × latent), the spread giving the CV."""
    best: tuple[float, Counts] = (np.inf, np.zeros(pupils.size, np.int64))
    low, high = 0.0, _WIDEST
    for _ in range(14):
        spread = (low + high) / 2
        counts = _fill(number, pupils * np.exp(spread * latent), most)
        found = weighted_cv(counts.astype(np.float64), pupils)
        if abs(found - cv) < best[0]:
            best = abs(found - cv), counts
        low, high = (spread, high) if found < cv else (low, spread)
    return best[1]


def _fill(number: int, weights: Floats, most: Floats) -> Counts:
    """Whole numbers in proportion to weights, none above its most; they sum to `number`, or to all that fits."""
    most = np.floor(most)
    number = min(number, int(most.sum()))
    share = np.zeros(weights.size)
    full = np.zeros(weights.size, bool)
    for _ in range(weights.size):
        free = ~full
        share[free] = weights[free] * (number - most[full].sum()) / max(weights[free].sum(), 1e-300)
        over = free & (share > most)
        if not over.any():
            break
        full |= over
        share[over] = most[over]
    whole = np.floor(share + 1e-9)
    short = number - int(whole.sum())
    order = np.argsort(whole - share + 10.0 * (whole >= most), kind="stable")
    whole[order[:short]] += 1
    return whole.astype(np.int64)


def _hand_out(region: Region, wanted: Counts, rho: float) -> None:
    """Name the persons: degrees to the youngest, backbones by credentials, PE and art as before or to the youngest."""
    teachers = region.teachers
    section = teachers.school.astype(np.intp) * 2 + teachers.stage
    standing = -(rho * teachers.lasting + np.sqrt(1 - rho**2) * teachers.credential)
    degree, backbone, pe_art = (wanted[section, i] for i in range(3))
    teachers.degree_above[:] = place_in_group(section, teachers.age, teachers.key) < degree
    named = place_in_group(section, standing, teachers.key) < backbone
    teachers.backbone[:] = np.where(named, np.maximum(teachers.backbone, 1), 0)
    core = teachers.subject == Subject.CORE
    rank = place_in_group(section, teachers.is_head, core, teachers.age, teachers.key)
    chosen = rank < pe_art
    teachers.subject[chosen & core] = _SUBJECT_CYCLE[rank[chosen & core] % _SUBJECT_CYCLE.size]
    teachers.subject[~chosen] = Subject.CORE


# --- floor that is appraised as grade C


def _grade_c(region: Region, rows: NDArray[Any], area: float) -> None:
    """All floor from teaching area; grade-C floor of a district concentrated where buildings are worst."""
    schools, given = region.schools, region.official["buildings"]
    schools.floor_area[rows] = given["floor_per_teaching_area"] * schools.teaching_area[rows]
    most = given["grade_c_most"] * schools.floor_area[rows]
    weight = np.asarray(given["grade_c_weight"])[schools.setting[rows]]
    weight = weight * np.exp(2 * np.asarray(region.official["latents"]["grade_c"])[rows]) * schools.floor_area[rows]
    if area <= 0 or weight.sum() <= 0:
        schools.grade_c_area[rows] = 0.0
        return
    area = min(area, float(most.sum()))
    scale = brentq(lambda k: np.minimum(k * weight, most).sum() - area, 0.0, float((most / weight).max()) + 1e-9)
    held = np.minimum(scale * weight, most)
    schools.grade_c_area[rows] = held * (area / held.sum())
