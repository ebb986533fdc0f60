"""What teachers, heads and facilities are worth: the hidden quality that the official tables do not show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.behaviour import Behaviour
from model.draws import Decision, Draws, Floats
from model.national_standard import INDICATORS, standard
from model.region import Region, Teachers


def effectiveness(teachers: Teachers, behaviour: Behaviour, year: int) -> Floats:
    """Effectiveness of each teacher this year, in teacher SD: lasting + learnt, less the loss of a first year."""
    return teachers.lasting + teachers.practice - behaviour.mover_loss * (teachers.moved == year)


def experience_effect(experience: NDArray[Any], behaviour: Behaviour) -> Floats:
    """What experience adds, in pupil SD a year: rises fast, then flat (Papay & Kraft 2015)."""
    return behaviour.experience_gain * -np.expm1(-experience / behaviour.experience_years)


def employer_view(teachers: Teachers, behaviour: Behaviour) -> Floats:
    """What an employer sees of each teacher: s = ρq + √(1−ρ²)u, standardised (evidence.md 3.4)."""
    rho = behaviour.employer_signal
    return rho * (teachers.lasting + teachers.practice) + np.sqrt(1 - rho**2) * teachers.signal


def titles_view(teachers: Teachers, behaviour: Behaviour) -> Floats:
    """What titles and honours reward: correlated with effectiveness by `credential_signal`."""
    rho = behaviour.credential_signal
    return rho * teachers.lasting + np.sqrt(1 - rho**2) * teachers.credential


def management(region: Region) -> Floats:
    """Management of each school: its head's leadership and its practice, in management SD."""
    return region.schools.leadership + region.schools.practice


def section(school: NDArray[Any], stage: NDArray[Any]) -> NDArray[np.int64]:
    """School and stage as one number, 2·school + stage."""
    return np.asarray(school, np.int64) * 2 + stage


def standing(region: Region) -> Floats:
    """How strong a school is thought to be: mean reputation of its stages; shape (schools,)."""
    s = region.schools
    return np.asarray((s.reputation[:, :, 0] * s.has).sum(axis=1) / np.maximum(s.has.sum(axis=1), 1))


def observed_score(region: Region, behaviour: Behaviour, draws: Draws, rows: Any) -> Floats:
    """What a test shows of the achievement of students (rows): the error is that of its reliability."""
    s = region.students
    sd = region.scale.score_sd * np.sqrt(1 - behaviour.test_reliability)
    error = np.take(sd, region.stage_of_grade(s.grade[rows]))
    error *= draws.normal(Decision.TEST_ERROR, s.key[rows])
    return np.asarray(s.achievement[rows] + error)


def distance_km(x: NDArray[Any], y: NDArray[Any], to_x: NDArray[Any], to_y: NDArray[Any]) -> Floats:
    """Straight distance in km; arguments broadcast."""
    east, north = np.asarray(x - to_x), np.asarray(y - to_y)
    np.multiply(east, east, out=east)
    np.multiply(north, north, out=north)
    np.add(east, north, out=east)
    return np.sqrt(east, out=east)


def distances(x: Floats, y: Floats, to_x: Floats, to_y: Floats) -> Floats:
    """Straight distances in km from each row's (x, y) to the places in its row; shape (rows, J) of `to_x`, `to_y`.

    Written into `to_x`; `to_y` is used up: large arrays are dear to make.
    """
    for there, here in ((to_x, x), (to_y, y)):
        np.subtract(there, here[:, None], out=there)
        np.multiply(there, there, out=there)
    to_x += to_y
    return np.sqrt(to_x, out=to_x)


def standard_per_pupil(indicator: str) -> Floats:
    """Raw stock a pupil of each stage must have by the national standard; shape (2,)."""
    return standard().per_pupil[:, INDICATORS.index(indicator)]


def facility_need(enrolment: NDArray[Any], indicator: str) -> Floats:
    """Stock at which every stage of a school just meets the standard; shape (schools,).

    A school with both stages shares its stock 1 : 1.1 a pupil, so the stage that asks more decides.
    """
    weight = standard().split[:2]
    shared = enrolment @ weight
    asked = standard_per_pupil(indicator) / weight * (enrolment > 0)
    return np.asarray(shared * asked.max(axis=1))
