"""Step 11. Reputation follows what families see, late; satisfaction weighs it with the way, the class, the wish."""

from __future__ import annotations

import numpy as np

from model.draws import Decision
from model.quality import section
from model.region import Region
from model.school_year import SchoolYear


def reputation(region: Region, year: SchoolYear) -> None:
    """Adaptive expectations on the base year's scale (never re-standardised), then satisfaction."""
    s, b, scale = region.schools, year.behaviour, region.scale
    level = s.score * scale.score_sd / scale.school_mean_sd
    added = s.value_added * scale.score_sd / scale.school_mean_sd
    looks = ((s.adequacy - scale.adequacy_mean[0]) / scale.adequacy_sd[0])[:, None]
    rumour = year.draws.normal(Decision.REPUTATION_NOISE, s.key[:, None], np.arange(2, dtype=np.uint64)[None, :])
    shown = b.reputation_level * level + b.reputation_value_added * added + b.reputation_facilities * looks
    shown = shown + b.reputation_noise * rumour
    s.reputation[:, :, 2] = s.reputation[:, :, 1]
    s.reputation[:, :, 1] = s.reputation[:, :, 0]
    s.reputation[:, :, 0] += b.reputation_rate * (shown - s.reputation[:, :, 0])
    s.reputation[~s.has] = 0.0
    _satisfaction(region, year)


def _satisfaction(region: Region, year: SchoolYear) -> None:
    """Log-odds that a family is satisfied: school against expectation, distance, class, facilities, wish."""
    s, f, students, b = region.schools, region.families, region.students, year.behaviour
    at = region.section_of_students()
    looks = (s.adequacy - region.scale.adequacy_mean[0]) / region.scale.adequacy_sd[0]
    count = np.bincount(section(region.classes.school, region.classes.stage), minlength=2 * s.n)
    size = np.divide(s.enrolment.ravel(), count, out=np.full(2 * s.n, 40.0), where=count > 0)
    of_school = b.satisfaction_base + b.satisfaction_reputation * s.reputation[:, :, 0].ravel()
    of_school = of_school + b.satisfaction_class * (size - 40.0) / 10
    of_school = of_school + b.satisfaction_facilities * np.repeat(looks, 2)
    odds = np.take(of_school, at)
    odds += b.satisfaction_distance * students.way_km
    # better-off families expect a better school, as they weigh reputation more
    odds -= b.satisfaction_reputation * b.reputation_ses * f.ses
    odds -= b.satisfaction_wish * ((students.wish >= 0) & (students.wish != students.school))
    np.negative(odds, out=odds)  # the logistic function in place, faster than scipy's
    np.minimum(odds, 700.0, out=odds)  # beyond, the exponential overflows and satisfaction is nought all the same
    np.exp(odds, out=odds)
    odds += 1.0
    np.reciprocal(odds, out=f.satisfaction)
    mean = np.bincount(at, f.satisfaction, 2 * s.n) / np.maximum(s.enrolment.ravel(), 1)
    s.satisfaction[:] = mean.reshape(-1, 2)
