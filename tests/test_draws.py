"""Every draw has an address, and what is drawn there is random to the eye and fixed to the machine."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from model.draws import Decision, Draws, key_of_name, key_of_origin, mix

MASK32, MASK64 = 2**32 - 1, 2**64 - 1
N = 20_000
STRICT = 1e-4  # a fixed seed either passes or not; honest draws fail one such check in ten thousand
words64 = st.integers(0, MASK64)


# ---------------------------------------------------------------- an independent reading of the published algorithms


def seed_sequence(seed: int, spawn_key: tuple[int, ...]) -> int:
    """First 64-bit word of O'Neill's seed_seq as NumPy publishes it, on Python's integers."""
    entropy = []
    while seed:
        entropy.append(seed & MASK32)
        seed >>= 32
    entropy += [0] * (4 - len(entropy))
    entropy += spawn_key
    hash_const = 0x43B0D7E5

    def hashed(value: int) -> int:
        nonlocal hash_const
        value ^= hash_const
        hash_const = hash_const * 0x931E8875 & MASK32
        value = value * hash_const & MASK32
        return value ^ value >> 16

    def mixed(x: int, y: int) -> int:
        word = (0xCA01F9DD * x - 0x4973F715 * y) & MASK32
        return word ^ word >> 16

    pool = [hashed(word) for word in entropy[:4]]
    for source, target in itertools.permutations(range(4), 2):
        pool[target] = mixed(pool[target], hashed(pool[source]))
    for word in entropy[4:]:
        for target in range(4):
            pool[target] = mixed(pool[target], hashed(word))
    hash_const, halves = 0x8B51F9DD, []
    for word in pool[:2]:
        word ^= hash_const
        hash_const = hash_const * 0x58F38DED & MASK32
        word = word * hash_const & MASK32
        halves.append(word ^ word >> 16)
    return halves[0] | halves[1] << 32


def splitmix(word: int) -> int:
    """Finaliser of SplitMix64 (Steele, Lea & Flood 2014; Stafford's variant 13)."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK64
    return word ^ word >> 31


def by_hand(seed: int, decision: int, year: int, key: int, second: int | None = None) -> int:
    word = splitmix(key ^ seed_sequence(seed, (decision, year)))
    return word if second is None else splitmix(word ^ second)


GOLDEN = {  # seed, decision, year, key, second → word; written down once from the reading above
    (0, 1, 0, 0, None): 0x3520216D9E83BE3D,
    (1, 60, 2021, 12345, None): 0x825B637AE7981344,
    (1, 60, 2021, 12345, 678): 0x89B7D2B2886B37A9,
    (20260101, 64, 2031, 18446744073709551615, None): 0x283DC6666D58DBE3,
    (1099511627783, 92, 2019, 11400714819323198485, 9223372036854775808): 0x13A7CA2DD9C1041C,
}


@pytest.mark.parametrize(("address", "word"), GOLDEN.items())
def test_an_address_holds_the_word_that_was_written_down(
    address: tuple[int, int, int, int, int | None], word: int
) -> None:
    """Whoever changes one of these changes every published result."""
    seed, decision, year, key, second = address
    assert by_hand(*address) == word
    seconds = None if second is None else np.array([second], np.uint64)
    assert Draws(seed, year).words(Decision(decision), np.array([key], np.uint64), seconds).tolist() == [word]


@given(st.integers(0, 2**70), st.sampled_from(Decision), st.integers(0, 9999), words64, st.none() | words64)
def test_every_address_holds_what_the_published_algorithms_say(
    seed: int, decision: Decision, year: int, key: int, second: int | None
) -> None:
    seconds = None if second is None else np.array([second], np.uint64)
    words = Draws(seed, year).words(decision, np.array([key], np.uint64), seconds)
    assert words.tolist() == [by_hand(seed, int(decision), year, key, second)]


def test_a_decision_keeps_its_number_for_ever() -> None:
    """These numbers are part of every address; a new decision takes a new one."""
    fixed = {"ABILITY": 1, "SES": 2, "TEACHER_LASTING": 20, "PLACE_ABILITY": 40, "SCHOOL_SIZE": 50}
    fixed |= {"SCHOOL_CHOICE": 60, "ADMISSION_LOTTERY": 61, "LEARNING_SHOCK": 64, "QUIT": 81, "NETWORK_ORDER": 92}
    assert {name: int(Decision[name]) for name in fixed} == fixed
    assert len({int(d) for d in Decision.__members__.values()}) == len(Decision.__members__)


# ---------------------------------------------------------------- addresses


def keys(n: int = N, of: int = 0) -> NDArray[np.uint64]:
    return key_of_origin(2020, of, np.arange(n))


@given(st.lists(words64, min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_who_else_draws_in_what_order_and_in_what_chunks_changes_nothing(held: list[int], random: object) -> None:
    draws, key = Draws(5, 2021), np.array(held, np.uint64)
    alone = {k: draws.gumbel(Decision.SCHOOL_CHOICE, np.array([k], np.uint64))[0] for k in held}
    random.shuffle(held)  # type: ignore[attr-defined]
    cut = random.randrange(len(held) + 1)  # type: ignore[attr-defined]
    parts = [draws.gumbel(Decision.SCHOOL_CHOICE, np.array(p, np.uint64)) for p in (held[:cut], held[cut:])]
    together = dict(zip(held, np.concatenate(parts), strict=True))
    assert together == alone
    more = np.concatenate([np.arange(10, dtype=np.uint64), key])
    assert draws.gumbel(Decision.SCHOOL_CHOICE, more)[10:].tolist() == [alone[int(k)] for k in key]


def test_a_choice_broadcasts_chooser_by_alternative_and_equals_the_draws_one_by_one() -> None:
    draws, chooser, alternative = Draws(1, 2020), keys(7), keys(4, of=1)
    table = draws.gumbel(Decision.SCHOOL_CHOICE, chooser[:, None], alternative[None, :])
    assert table.shape == (7, 4)
    for i, j in itertools.product(range(7), range(4)):
        one = draws.gumbel(Decision.SCHOOL_CHOICE, chooser[i : i + 1], alternative[j : j + 1])
        assert table[i, j] == one[0]
    # chooser and alternative do not stand for one another
    assert not np.isin(table, draws.gumbel(Decision.SCHOOL_CHOICE, alternative[:, None], chooser[None, :])).any()


def test_drawing_leaves_the_keys_as_they_were() -> None:
    key = keys(50)
    before = key.copy()
    for draw in (Draws(1, 0).words, Draws(1, 0).uniform, Draws(1, 0).normal, Draws(1, 0).gumbel):
        draw(Decision.ABILITY, key, key[::-1])
        assert np.array_equal(key, before)


# ---------------------------------------------------------------- distributions


def test_uniform_draws_are_uniform() -> None:
    for seed, decision, year in itertools.product((0, 1, 2**40), (Decision.ABILITY, Decision.QUIT), (0, 2021)):
        values = Draws(seed, year).uniform(decision, keys())
        assert stats.kstest(values, "uniform").pvalue > STRICT


def test_the_lowest_bits_are_as_random_as_the_highest() -> None:
    words = Draws(3, 2020).words(Decision.ADMISSION_LOTTERY, keys())
    for shift in range(0, 64, 8):
        byte = (words >> np.uint64(shift)) & np.uint64(255)
        assert stats.chisquare(np.bincount(byte.astype(int), minlength=256)).pvalue > STRICT


def test_plain_counting_keys_draw_as_evenly_as_scrambled_ones() -> None:
    """Keys 0, 1, 2, … differ in few bits; so do keys that are multiples of a power of two."""
    for shift in (0, 20, 45):
        values = Draws(9, 2020).uniform(Decision.LEARNING_SHOCK, np.arange(N, dtype=np.uint64) << np.uint64(shift))
        assert stats.kstest(values, "uniform").pvalue > STRICT
        assert stats.chisquare(_pairs(values[:-1], values[1:]).ravel()).pvalue > STRICT


@given(st.integers(0, MASK64))
def test_a_uniform_draw_is_never_0_or_1_and_its_transforms_are_finite(word: int) -> None:
    stream = seed_sequence(4, (int(Decision.ABILITY), 0))
    for target in (word, 0, MASK64):  # find the key that holds exactly this word, its extremes too
        key = np.array([_unmix(target) ^ stream], np.uint64)
        draws = Draws(4, 0)
        assert draws.words(Decision.ABILITY, key).tolist() == [target]
        value = draws.uniform(Decision.ABILITY, key)[0]
        assert 0 < value < 1
        assert abs(Fraction(float(value)) - Fraction(target, 2**64)) <= Fraction(1, 2**52)
        assert np.isfinite([draws.normal(Decision.ABILITY, key)[0], draws.gumbel(Decision.ABILITY, key)[0]]).all()


def test_gumbel_draws_are_the_quantiles_of_the_uniform_ones() -> None:
    draws, key = Draws(7, 2022), keys(500)
    u = draws.uniform(Decision.SES, key)
    np.testing.assert_allclose(draws.gumbel(Decision.SES, key), [-math.log(-math.log(v)) for v in u], rtol=1e-12)


@given(words64)
def test_a_normal_draw_is_a_standardised_sum_of_coins_and_digits(word: int) -> None:
    """Counted in exact fractions from the word's own bits, whatever processor the model ran on."""
    stream = int(Draws(4, 0).words(Decision.ABILITY, np.array([0], np.uint64))[0])
    draws = Draws(4, 0)
    key = np.array([_unmix(word) ^ _unmix(stream)], np.uint64)
    assert draws.words(Decision.ABILITY, key).tolist() == [word]
    high, digits = word >> 32, [word & 0xFFFF, word >> 16 & 0xFFFF]
    total = Fraction(high.bit_count()) + sum(Fraction(d, 2**16) for d in digits)
    mean = 16 + 2 * Fraction(2**16 - 1, 2**17)
    variance = Fraction(32, 4) + 2 * (1 - Fraction(1, 2**32)) / 12
    expected = float(total - mean) / math.sqrt(variance)
    assert draws.normal(Decision.ABILITY, key)[0] == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_the_sum_of_coins_and_digits_is_normal_to_two_in_a_thousand() -> None:
    """Its distribution, convolved exactly from 32 coins and two digits, against Φ."""
    coins = stats.binom.pmf(np.arange(33), 32, 0.5)
    sd = math.sqrt(32 / 4 + 2 / 12)
    x = np.linspace(-6, 6, 2401) * sd + 17  # on the scale of the sum, whose mean is 17 with continuous digits
    shift = x[:, None] - np.arange(33)
    triangle = np.where(shift < 1, np.clip(shift, 0, 1) ** 2 / 2, 1 - np.clip(2 - shift, 0, 1) ** 2 / 2)
    assert np.abs(triangle @ coins - stats.norm.cdf((x - 17) / sd)).max() < 0.002
    values = Draws(11, 2021).normal(Decision.SES, keys(200_000))
    assert stats.kstest(values, "norm").statistic < 0.002 + 1.95 / math.sqrt(200_000)
    assert values.std() == pytest.approx(1, abs=0.006)
    assert stats.kurtosis(values) == pytest.approx(-0.06, abs=0.04)


def test_the_largest_gumbel_utility_chooses_with_logit_probabilities() -> None:
    utility = np.array([0.0, 0.7, -0.5, 1.2])
    errors = Draws(2, 2023).gumbel(Decision.SCHOOL_CHOICE, keys()[:, None], keys(4, of=3)[None, :])
    chosen = np.bincount(np.argmax(utility + errors, axis=1), minlength=4)
    expected = N * np.exp(utility) / np.exp(utility).sum()
    assert stats.chisquare(chosen, expected).pvalue > STRICT


# ---------------------------------------------------------------- independence


def _pairs(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many pairs fall in each of 10 × 10 equal cells of the unit square."""
    return np.histogram2d(a, b, bins=10, range=[[0, 1], [0, 1]])[0].astype(np.int64)


def _independent(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return stats.chisquare(_pairs(a, b).ravel()).pvalue > STRICT and stats.pearsonr(a, b).pvalue > STRICT


def test_neighbouring_decisions_years_seeds_and_agents_draw_independently() -> None:
    key = keys()
    here = Draws(1, 2020).uniform(Decision.ABILITY, key)
    assert _independent(here, Draws(1, 2020).uniform(Decision.SES, key))
    assert _independent(here, Draws(1, 2021).uniform(Decision.ABILITY, key))
    assert _independent(here, Draws(2, 2020).uniform(Decision.ABILITY, key))
    assert _independent(here[:-1], here[1:])
    assert _independent(here, Draws(1, 2020).uniform(Decision.ABILITY, keys(of=1)))


def test_the_alternatives_of_one_chooser_and_the_choosers_of_one_alternative_are_independent() -> None:
    u = Draws(1, 2020).uniform(Decision.SCHOOL_CHOICE, keys()[:, None], keys(2, of=9)[None, :])
    assert _independent(u[:, 0], u[:, 1])
    assert _independent(u[:-1, 0], u[1:, 0])
    assert _independent(u[:, 0], Draws(1, 2020).uniform(Decision.SCHOOL_CHOICE, keys()))


def test_all_decisions_together_are_uncorrelated() -> None:
    """The largest of all correlations between decisions is as large as chance makes it."""
    values = np.array([Draws(6, 2020).normal(d, keys(5000)) for d in Decision])
    off = np.corrcoef(values)[np.triu_indices(len(Decision), 1)] * np.sqrt(5000)
    assert np.abs(off).max() < NormalDist().inv_cdf(1 - STRICT / 2 / off.size)
    assert off.std() == pytest.approx(1, abs=0.1)


# ---------------------------------------------------------------- keys


def _unmix(word: int) -> int:
    """The inverse of `splitmix`, step by step backwards."""
    word ^= word >> 31 ^ word >> 62
    word = word * pow(0x94D049BB133111EB, -1, 2**64) & MASK64
    word ^= word >> 27 ^ word >> 54
    word = word * pow(0xBF58476D1CE4E5B9, -1, 2**64) & MASK64
    return word ^ word >> 30 ^ word >> 60


@given(words64)
def test_mixing_loses_nothing(word: int) -> None:
    assert _unmix(int(mix(np.array([word], np.uint64))[0])) == word


def test_every_bit_of_a_key_moves_every_bit_of_the_word_half_of_the_time() -> None:
    key = keys(2000)
    for bit in range(64):
        moved = mix(key) ^ mix(key ^ np.uint64(1 << bit))
        shares = np.array([np.mean((moved >> np.uint64(b)) & np.uint64(1)) for b in range(64)])
        assert np.abs(shares - 0.5).max() < 0.08  # 7 standard errors


def test_origins_give_different_keys_whatever_part_differs() -> None:
    parts = np.array(list(itertools.product(range(2010, 2030), range(15), range(60))))
    made = key_of_origin(*parts.T)
    assert np.unique(made).size == len(parts)
    swapped = key_of_origin(*parts.T[::-1])
    assert np.intersect1d(made, swapped).size == 0
    assert np.intersect1d(made, key_of_origin(*parts.T[:2])).size == 0


def test_an_origin_broadcasts_and_does_not_depend_on_who_else_is_made() -> None:
    many = key_of_origin(2020, key_of_name("杨村第一小学"), np.arange(100))
    assert many.dtype == np.uint64
    assert key_of_origin(2020, key_of_name("杨村第一小学"), 42)[0] == many[42]
    assert np.unique(many).size == 100


def test_a_name_has_the_same_key_on_every_machine() -> None:
    assert int(key_of_name("杨村第一小学")) == 0xB0C4EA1C7B5283DF
    assert key_of_name("杨村第一小学") != key_of_name("杨村第二小学")


def test_two_named_places_of_one_cohort_do_not_share_children() -> None:
    """Collisions among a million children would be a flaw: chance makes them one in 37 million."""
    made = [key_of_origin(2020, key_of_name(f"catchment {c}"), np.arange(1000)) for c in range(1000)]
    assert np.unique(np.concatenate(made)).size == 1_000_000
