"""The randomness cube: every draw has an address (seed, decision, year, key).

The same agent facing the same decision draws the same number in every scenario, whatever the order of
rows, whoever else exists, and on however many workers. This is the only module that touches random
numbers, and it holds no state.

Address. `stream = SeedSequence(seed, spawn_key=(decision, year)).generate_state(1, uint64)[0]` (NumPy's
published algorithm); `word = mix(key XOR stream)`, where mix is the finaliser of SplitMix64 (Steele, Lea &
Flood 2014, variant 13). With a second key: `word = mix(mix(key XOR stream) XOR second)`.
Transforms. uniform: ((word >> 12) + ½)·2⁻⁵², which a double holds exactly, so never 0 or 1; Gumbel:
−ln(−ln uniform). normal: (coins + d·2⁻¹⁶ + d′·2⁻¹⁶ − 17 + 2⁻¹⁶)/√(8 + ⅙), where coins is the number of ones among
the 32 highest bits and d, d′ are the two lowest 16-bit digits: a sum of 32 fair coins and two uniform digits. It
is the same on every processor and seven times faster than the quantile; its distribution function lies within
0.002 of Φ, its kurtosis is 2.94, and it ends beyond 6 standard deviations.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]


class Decision(IntEnum):
    """What is being drawn. Numbers are part of every address: never reuse or change one."""

    # who a child and its family are (year: the autumn they enter school)
    ABILITY = 1
    SES = 2
    HOME_EAST = 3
    HOME_NORTH = 4
    HUKOU = 5
    OWNS_HOME = 6
    TASTE_REPUTATION = 7
    TASTE_DISTANCE = 8
    KNOWS_LATE = 9  # by how much, if late
    LEFT_BEHIND = 10
    SPECIAL_NEEDS = 11
    INCOME = 12
    CHILDREN = 13  # how many enter from a catchment
    HEARS_LATE = 15  # whether it knows reputation late
    BED = 16  # whether it gets a boarding place
    COHORT_TREND = 14  # how far the cohorts run from the table
    # who a teacher is (year: 0 for founders, else the year of application)
    TEACHER_LASTING = 20
    TEACHER_SIGNAL = 21
    TEACHER_CREDENTIAL = 22
    TEACHER_LEADERSHIP = 23
    TEACHER_AGE = 24
    TEACHER_HOME = 25
    TEACHER_DEGREE = 26
    TEACHER_EAST = 28
    TEACHER_NORTH = 29
    TEACHER_TENURE = 31
    # what places and schools are like (year: 0)
    PLACE_ABILITY = 40
    PLACE_SES = 41
    PLACE_EAST = 42
    PLACE_NORTH = 43
    SCHOOL_SIZE = 50
    SCHOOL_STOCK = 51
    SCHOOL_PRACTICE = 52
    SCHOOL_STAFF = 53
    SCHOOL_EAST = 54
    SCHOOL_NORTH = 55
    SCHOOL_CONDITION = 56
    # what happens in a school year
    SCHOOL_CHOICE = 60
    ADMISSION_LOTTERY = 61
    CLASS_PLACEMENT = 63
    LEARNING_SHOCK = 64
    SCHOOL_YEAR_SHOCK = 65
    TEST_ERROR = 66
    REPUTATION_NOISE = 67
    PRACTICE_NOISE = 68
    TOWN_TO_CITY = 69
    RETIRE = 80
    QUIT = 81
    TRANSFER_WISH = 82
    POST_TASTE = 83
    ROTATION_VOLUNTEER = 84
    ROTATION_PICK = 85
    TEAM_PLACEMENT = 86
    BACKBONE_AWARD = 87
    TITLE_AWARD = 88
    HEAD_APPOINTMENT = 90
    NETWORK_ORDER = 92
    IN_SERVICE_DEGREE = 93
    NEWCOMER_LOT = 94


_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)
_S32, _DIGIT, _LOWER = np.uint64(32), np.uint32(16), np.uint32(0xFFFF)
_NORMAL_MEAN = 17.0 * 2**16 - 1  # 16 of the coins, ½ − 2⁻¹⁷ of each digit; in units of 2⁻¹⁶
_NORMAL_SCALE = (32 / 4 + 2 * (1 - 2.0**-32) / 12) ** -0.5 * 2.0**-16  # coins of variance ¼, digits of (1 − 2⁻³²)/12


def mix(word: Keys) -> Keys:
    """SplitMix64's finaliser: a bijection of 64-bit words in which every input bit moves every output bit."""
    mixed = word >> _S30
    mixed ^= word
    word = mixed  # and in place from here on
    word *= _A
    word ^= word >> _S27
    word *= _B
    word ^= word >> _S31
    return word


@lru_cache(maxsize=65536)
def key_of_name(name: str) -> np.uint64:
    """The key of something known by its name (a school, a catchment): the same on every machine."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def key_of_origin(*origin: Any) -> Keys:
    """Keys from where agents come from, such as (cohort, catchment key, serial); parts broadcast."""
    with np.errstate(over="ignore"):
        word = np.uint64(len(origin)) * np.ones(1, np.uint64)
        for part in origin:
            word = mix(word ^ mix(np.atleast_1d(np.asarray(part)).astype(np.uint64) + _A))
    return word


@lru_cache(maxsize=4096)
def _stream(seed: int, decision: int, year: int) -> np.uint64:
    state = np.random.SeedSequence(seed, spawn_key=(decision, year)).generate_state(1, np.uint64)
    return np.uint64(state[0])


class Draws:
    """The draws of one seed in one year."""

    def __init__(self, seed: int, year: int) -> None:
        self.seed, self.year = seed, year

    def words(self, decision: Decision, key: Keys, second: Keys | None = None) -> Keys:
        """64 random bits an address; shape of `key` (broadcast with `second`)."""
        word = mix(key ^ _stream(self.seed, int(decision), self.year))
        return word if second is None else mix(word ^ second)

    def uniform(self, decision: Decision, key: Keys, second: Keys | None = None) -> Floats:
        """Uniform on the open interval (0, 1)."""
        words = self.words(decision, key, second)
        words >>= _S12
        values = words.astype(np.float64)
        values += 0.5
        values *= 2.0**-52
        return values

    def order(self, decision: Decision, key: Keys) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """A random order: the 32 highest bits of each word as two digits, the higher first (sorted by radix)."""
        words = self.words(decision, key)
        return (words >> np.uint64(48)).astype(np.uint16), (words >> np.uint64(32)).astype(np.uint16)

    def normal(self, decision: Decision, key: Keys, second: Keys | None = None) -> Floats:
        """Standard normal, as a standardised sum of coins and digits."""
        words = self.words(decision, key, second)
        digits = words.astype(np.uint32)
        words >>= _S32
        total = np.bitwise_count(words).astype(np.uint32)  # in units of 2⁻¹⁶: exact in whole numbers
        total <<= _DIGIT
        total += digits & _LOWER
        digits >>= _DIGIT
        total += digits
        values = total.astype(np.float64)
        values -= _NORMAL_MEAN
        values *= _NORMAL_SCALE
        return values

    def gumbel(self, decision: Decision, key: Keys, second: Keys | None = None) -> Floats:
        """Standard Gumbel (extreme value type 1), the error term of a logit choice."""
        values = self.uniform(decision, key, second)
        np.log(values, out=values)
        np.negative(values, out=values)
        np.log(values, out=values)
        return np.negative(values, out=values)
