"""What is in a region: counts, sizes, the seven means and CVs, teachers by age, stocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.national_standard import INDICATORS, score, standard, stocks_of
from model.region import CLASS_CAP, STAGES, Kind, Network, Region, Setting, Subject
from model.rules import rule

AGES = (22, 30, 35, 40, 45, 50, 55, 61)  # bounds of the groups: 22–29, …, 55–60
QUANTILES = (0, 10, 50, 90, 100)
SMALL = rule("small_school")
STAGE_NAMES = tuple(stage.name.lower() for stage in STAGES)
STOCKS = ("teaching_area", "sports_area", "equipment", "multimedia_rooms", "music_rooms", "art_rooms", "floor_area",
          "grade_c_area")  # fmt: skip

Data = dict[str, Any]


def describe(region: Region) -> Data:
    """Everything that `junheng region show --json` prints."""
    s = region.schools
    held = region.open_schools(region.year)
    return {
        "name": region.name,
        "title": {"en": region.title_en, "zh": region.title_zh},
        "base_year": region.base_year,
        "year": region.year,
        "seed": region.seed,
        "primary_grades": region.primary_grades,
        "burned_in": region.burned_in,
        "from_tables": "given" in region.official,
        "synthetic": region.synthetic,
        "counts": {
            "districts": region.districts.n,
            "towns": region.towns.n,
            "zones": int(np.unique(s.zone[s.zone >= 0]).size),
            "catchments": region.catchments.n,
            "schools": int(held.sum()),
            "pupils": int(s.enrolment.sum()),
            "teachers": region.teachers.n,
            "classes": region.classes.n,
        },
        "settings": [_group(region, s.setting == x, x.name.lower()) for x in Setting],
        "districts": [
            _group(region, s.district == d, str(region.districts.name_en[d]), str(region.districts.name_zh[d]))
            for d in range(region.districts.n)
        ],
        "kinds": {k.name.lower(): int((held & (s.kind == k)).sum()) for k in Kind if (held & (s.kind == k)).any()},
        "stages": {
            "primary": int((held & s.has[:, 0] & ~s.has[:, 1]).sum()),
            "junior": int((held & s.has[:, 1] & ~s.has[:, 0]).sum()),
            "nine_year": int((held & s.has.all(axis=1)).sum()),
        },
        "networks": {k.name.lower(): int((region.networks.kind == k).sum()) for k in Network},
        "sizes": {name: _sizes(region, stage) for stage, name in enumerate(STAGE_NAMES)},
        "standard": _standards(region),
        "teachers": {name: _teachers(region, stage) for stage, name in enumerate(STAGE_NAMES)},
        "stocks": {name: float(getattr(s, name).sum()) for name in STOCKS},
        "seats": dict(zip(STAGE_NAMES, (s.classrooms * np.array(CLASS_CAP)).sum(axis=0).tolist(), strict=True)),
    }


def _group(region: Region, here: NDArray[np.bool_], name: str, zh: str = "") -> Data:
    s, t = region.schools, region.teachers
    pupils = s.enrolment[here].sum(axis=0)
    teachers = np.bincount(t.stage[here[t.school]], minlength=2)
    return {
        "name": name,
        **({"zh": zh} if zh else {}),
        "schools": int((here & region.open_schools(region.year)).sum()),
        "pupils": dict(zip(STAGE_NAMES, pupils.tolist(), strict=True)),
        "teachers": dict(zip(STAGE_NAMES, teachers.tolist(), strict=True)),
        "pupils_per_teacher": {
            stage: float(pupils[i] / teachers[i]) if teachers[i] else None for i, stage in enumerate(STAGE_NAMES)
        },
        "seats": dict(zip(STAGE_NAMES, (s.classrooms[here] * np.array(CLASS_CAP)).sum(axis=0).tolist(), strict=True)),
    }


def _sizes(region: Region, stage: int) -> Data:
    """Pupils of a section, from the smallest to the largest."""
    s = region.schools
    size = s.enrolment[s.has[:, stage] & (s.enrolment[:, stage] > 0), stage]
    if size.size == 0:
        return {"sections": 0}
    names = ("smallest", "p10", "median", "p90", "largest")
    found = dict(zip(names, np.percentile(size, QUANTILES).tolist(), strict=True))
    return {"sections": int(size.size), "mean": float(size.mean()), **found, "small": int((size < SMALL).sum())}


def _standards(region: Region) -> list[Data]:
    """Each district, the whole first where there are several, against the national standard."""
    places: list[tuple[str, str, int | None]] = []
    if region.districts.n > 1:
        places.append((region.name, region.title_zh, None))
    names = zip(region.districts.name_en, region.districts.name_zh, strict=True)
    places += [(str(en), str(zh), d) for d, (en, zh) in enumerate(names)]
    return [{"place": en, "zh": zh, **_standard(region, district)} for en, zh, district in places]


def _standard(region: Region, district: int | None) -> Data:
    rule_, found = standard(), {}
    for name, card in zip(STAGE_NAMES, score(stocks_of(region, district)), strict=True):
        found[name] = {
            "schools": int(card.school.size),
            "schools_passing": int(card.passed.sum()),
            "cvs_passed": int(card.cvs_passed.sum()),
            "cv_limit": card.limit,
            "indicators": {
                indicator: {
                    "mean": _number(card.mean[i]),
                    "threshold": float(rule_.threshold[card.stage, i]),
                    "unit": rule_.unit[indicator],
                    "cv": _number(card.cv[i]),
                    "cv_passed": bool(card.cvs_passed[i]),
                    "shortfall": float(card.shortfall[:, i].sum()),
                }
                for i, indicator in enumerate(INDICATORS)
            },
        }
    return found


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _teachers(region: Region, stage: int) -> Data:
    t = region.teachers
    here = t.stage == stage
    n = max(int(here.sum()), 1)
    by_age = np.histogram(t.age[here], AGES)[0]
    return {
        "number": int(here.sum()),
        "ages": {f"{a}–{b - 1}": int(count) for a, b, count in zip(AGES[:-1], AGES[1:], by_age, strict=True)},
        "degree_above": float(t.degree_above[here].sum() / n),
        "backbone": float((t.backbone[here] > 0).sum() / n),
        "pe_art": float((t.subject[here] != Subject.CORE).sum() / n),
        "senior_title": float((t.title[here] == 2).sum() / n),
    }
