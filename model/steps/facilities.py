"""Step 10. Works add area, rooms and sets, repair restores condition; they serve learning from next year.

Official stocks do not wear. Condition does: what buildings and equipment are worth in use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.draws import Floats
from model.levers import FacilityInvestment, FacilityMaintenance, HiredVenues, SchoolZones
from model.national_standard import BY_FACILITIES
from model.policy import schools_in
from model.quality import facility_need
from model.region import Network, Region
from model.rules import rule
from model.school_year import SchoolYear

CLASSES_PER_ART_ROOM = rule("classes_per_art_room")
PRICE = {
    "teaching_area": "teaching_area",
    "sports_area": "sports_area",
    "equipment": "",  # a yuan of book value costs a yuan
    "multimedia_rooms": "multimedia_room",
}
NAMES = {
    "teaching_area": ("teaching rooms", "教学及辅助用房"),
    "sports_area": ("sports area", "体育运动场馆"),
    "equipment": ("equipment", "教学仪器设备"),
    "multimedia_rooms": ("multimedia classrooms", "网络多媒体教室"),
}


def facilities(region: Region, year: SchoolYear) -> None:
    """Wear and maintenance, the works of the year, venues hired and shared, then adequacy."""
    if not year.settling:
        _wear(region, year)
        for lever in year.policy.in_force(FacilityInvestment, year.number):
            here = schools_in(lever, region, year.number)
            _works(region, year, lever, here)
            _by_money(region, year, lever, here)
        _venues(region, year)
    _adequacy(region, year)


def _wear(region: Region, year: SchoolYear) -> None:
    made_good = year.policy.by_school(FacilityMaintenance, "share_of_wear", region, year.number)
    s = region.schools
    s.condition *= 1 - year.behaviour.wear * (1 - made_good)
    np.clip(s.condition, 0.0, 1.0, out=s.condition)


def _price(region: Region, item: str) -> float:
    return region.prices[PRICE[item]] if PRICE[item] else 1.0


def _works(region: Region, year: SchoolYear, lever: FacilityInvestment, here: NDArray[np.bool_]) -> None:
    """Works given by item: spread over schools as the target says, paid at unit prices."""
    s = region.schools
    items = {
        "teaching_area": lever.teaching_area_m2,
        "sports_area": lever.sports_area_m2,
        "equipment": lever.equipment_sets * region.prices["equipment_set"],
        "multimedia_rooms": float(lever.multimedia_rooms),
    }
    pupils = s.enrolment.sum(axis=1) * here
    for item, amount in items.items():
        if amount > 0:
            stock = getattr(s, item)
            need = facility_need(s.enrolment, item) * here
            added = spread(amount, stock, need, pupils, lever.target)
            if amount > np.maximum(need - stock, 0).sum() * 1.001:
                en, zh = NAMES[item]
                year.say("facility_investment", f"more {en} than schools lack", f"{zh}投入超过缺口")
            if item == "multimedia_rooms":
                order = np.argsort(s.key)  # whole rooms, what is left over going on to the next by key
                reached = np.floor(np.cumsum(added[order]) + 1e-9)
                added[order] = np.diff(reached, prepend=0.0)
            stock += added
            year.ledger.pay("district", "construction", lever.NAME, item, amount * _price(region, item))
    classes = np.bincount(region.classes.school, minlength=s.n) * here
    for item, rooms in (("music_rooms", lever.music_rooms), ("art_rooms", lever.art_rooms)):
        if rooms:
            stock = getattr(s, item)
            order = np.argsort(s.key)
            for _ in range(rooms):
                lack = np.where(here, np.ceil(classes / CLASSES_PER_ART_ROOM) - stock, -np.inf)
                stock[order[np.argmax(lack[order])]] += 1
            year.ledger.pay("district", "construction", lever.NAME, item, rooms * region.prices["art_room"])
    if lever.grade_c_m2 > 0:
        repaired = spread(lever.grade_c_m2, np.zeros(s.n), s.grade_c_area * here, s.grade_c_area * here, "worst")
        repaired = np.minimum(repaired, s.grade_c_area)
        s.grade_c_area -= repaired
        share = np.divide(repaired, s.floor_area, out=np.zeros(s.n), where=s.floor_area > 0)
        s.condition += share * (1 - s.condition)
        year.ledger.pay("district", "construction", lever.NAME, "repair", repaired.sum() * region.prices["repair"])
        if repaired.sum() < 0.999 * lever.grade_c_m2:
            year.say("facility_investment", "more repair than grade-C floor left", "C级校舍改造量超过存量")


def _by_money(region: Region, year: SchoolYear, lever: FacilityInvestment, here: NDArray[np.bool_]) -> None:
    """Yuan a pupil, spent on the items farthest below the standard; what nothing is short of stays unspent."""
    s = region.schools
    budget = lever.yuan_per_pupil * float(s.enrolment[here].sum())
    if budget <= 0:
        return
    need = np.column_stack([facility_need(s.enrolment, item) * here for item in BY_FACILITIES])
    stock = np.column_stack([getattr(s, item) for item in BY_FACILITIES])
    price = np.array([_price(region, item) for item in BY_FACILITIES])
    # a share of each need as the common measure; filled from the lowest share up
    pupils = np.repeat((s.enrolment.sum(axis=1) * here)[:, None], len(BY_FACILITIES), axis=1)
    added = spread(budget, (stock * price).ravel(), (need * price).ravel(), pupils.ravel(), lever.target, cap=True)
    added = added.reshape(need.shape)
    for column, item in enumerate(BY_FACILITIES):
        getattr(s, item)[:] += added[:, column] / price[column]
        year.ledger.pay("district", "construction", lever.NAME, item, float(added[:, column].sum()))
    if added.sum() < 0.999 * budget:
        left = budget - added.sum()
        year.say("facility_investment", f"{left:,.0f} yuan found nothing below standard", f"{left:,.0f}元无缺口可投")


def spread(amount: float, stock: Floats, need: Floats, pupils: Floats, target: str, cap: bool = False) -> Floats:
    """What each school gets of `amount`; sums to it (or to what is short, with `cap`).

    worst: raise the lowest share of need first until all stand level or meet it; even: by pupils;
    largest_cv: raise the lowest stock a pupil, whatever the need. What is left over goes by pupils.
    """
    lack = np.maximum(need - stock, 0.0)
    if target == "even":
        shares = pupils / max(pupils.sum(), 1e-12)
        return np.minimum(amount * shares, lack) if cap else amount * shares
    goal = need if target == "worst" else np.where(pupils > 0, pupils, 0.0)
    level = np.divide(stock, goal, out=np.full(stock.shape, np.inf), where=goal > 0)
    most = 1.0 if target == "worst" else np.inf
    added = _raise_lowest(amount, level, goal, most)
    if cap:
        return np.minimum(added, lack)
    left = amount - added.sum()
    if left > 1e-9 * amount:
        added = added + left * pupils / max(pupils.sum(), 1e-12)
    return added


def _raise_lowest(amount: float, level: Floats, weight: Floats, most: float) -> Floats:
    """Pour `amount` over cells of height `level` and area `weight` as water, up to height `most`."""
    rows = np.flatnonzero((weight > 0) & (level < most))
    if rows.size == 0:
        return np.zeros(level.shape)
    rows = rows[np.argsort(level[rows], kind="stable")]
    height, area = level[rows], np.cumsum(weight[rows])
    poured = np.concatenate([[0.0], np.cumsum(area[:-1] * np.diff(height))])
    last = int(np.searchsorted(poured, amount, "right")) - 1
    water = min(height[last] + (amount - poured[last]) / area[last], most)
    added = np.zeros(level.shape)
    added[rows] = np.maximum(water - height, 0.0) * weight[rows]
    return added


def _venues(region: Region, year: SchoolYear) -> None:
    """Sports area hired near a school, and a neighbour's spare area shared inside a working zone."""
    s, n = region.schools, region.networks
    need = facility_need(s.enrolment, "sports_area")
    gap = np.maximum(need - s.sports_area, 0.0)
    share = year.policy.by_school(HiredVenues, "share_of_gap", region, year.number)
    hired = share * gap
    year.ledger.pay(
        "district", "venues", "hired_venues", "rent", float(hired.sum()) * region.prices["hired_sports_area"]
    )
    s.shared_sports[:] = hired
    sharing = year.policy.one(SchoolZones, year.number).shared_venues
    if sharing > 0:
        held = (n.kind == Network.ZONE) & (n.since <= year.number) & (year.number <= n.until)
        inside = np.zeros(s.n, bool)
        inside[n.member[held]] = inside[n.lead[held]] = True
        zone = np.where(inside & (s.zone >= 0), s.zone, -1) + 1
        spare = np.bincount(zone, sharing * np.maximum(s.sports_area - need, 0.0) * (zone > 0))
        wanted = np.bincount(zone, (gap - hired) * (zone > 0))
        rate = np.minimum(np.divide(spare, wanted, out=np.zeros(spare.size), where=wanted > 0), 1.0)
        s.shared_sports += (gap - hired) * rate[zone] * (zone > 0)


def _adequacy(region: Region, year: SchoolYear) -> None:
    """How far the four stocks reach the standard, flat above it, times condition.

    What it does to learning is told per SD of stock, so its scale is the SD of the same index without the cap:
    capped, it hardly differs between schools, and its own SD would make works several times too strong.
    """
    s = region.schools
    ratio = np.ones((s.n, len(BY_FACILITIES)))
    for column, item in enumerate(BY_FACILITIES):
        need = facility_need(s.enrolment, item)
        stock = getattr(s, item) + (s.shared_sports if item == "sports_area" else 0.0)
        np.divide(stock, need, out=ratio[:, column], where=need > 0)
    s.adequacy[:] = np.minimum(ratio, 1.0).mean(axis=1) * s.condition
    if year.settling:
        held = s.enrolment.sum(axis=1) > 0
        region.scale.adequacy_mean[0] = s.adequacy[held].mean()
        region.scale.adequacy_sd[0] = max((ratio.mean(axis=1) * s.condition)[held].std(), 1e-9)
