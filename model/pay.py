"""What a teacher earns: the mean pay of the place, its title, and what a village post adds."""

from __future__ import annotations

import numpy as np

from model.behaviour import Behaviour
from model.draws import Floats
from model.levers import Stipend, TeacherPay
from model.policy import Policy, schools_in
from model.region import Region, Setting


def base_pay(region: Region, policy: Policy, year: int) -> Floats:
    """Mean pay at each school before supplements, yuan a year; shape (schools,)."""
    return region.prices["teacher_pay"] * policy.by_school(TeacherPay, "ratio_to_civil_service", region, year)


def supplement(region: Region, policy: Policy, year: int) -> Floats:
    """What a post in a village school adds, yuan a year; shape (schools,)."""
    village = region.schools.setting == Setting.VILLAGE
    return policy.by_school(TeacherPay, "village_supplement", region, year) * village


def comes_with_post(region: Region, policy: Policy, year: int) -> Floats:
    """Supplement and stipends for village posts that come with a post, yuan a year; shape (schools,)."""
    extra = supplement(region, policy, year)
    village = region.schools.setting == Setting.VILLAGE
    for stipend in policy.in_force(Stipend, year):
        if stipend.who == "village_posts":
            reaches = stipend.yuan_per_year * (stipend.passed_on if stipend.received_by == "sending_school" else 1.0)
            extra = extra + reaches * (schools_in(stipend, region, year) & village)
    return extra


def pay_of_teachers(region: Region, policy: Policy, behaviour: Behaviour, year: int) -> Floats:
    """Pay of each teacher by title where it teaches, yuan a year, without supplement and stipend."""
    t = region.teachers
    return base_pay(region, policy, year)[t.school] * (1 + behaviour.title_pay * (t.title - 1.0))


def extra_share(region: Region, policy: Policy, year: int) -> Floats:
    """Supplement and last year's stipend of each teacher as a share of mean pay."""
    t = region.teachers
    extra = supplement(region, policy, year)[t.school] + t.stipend
    return np.asarray(extra / base_pay(region, policy, year)[t.school])
