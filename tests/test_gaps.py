"""Indicators against plain sums over people and schools, for a region, its districts, towns and settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from situations import BASELINE, INPUT, RICH, begin, permuted, settled

from model.indicators import Rows
from model.measure import measure
from model.national_standard import BY_FACILITIES, score, standard, stocks_of
from model.national_standard import INDICATORS as OFFICIAL
from model.quality import effectiveness
from model.region import CLASS_CAP, Network, Region, Setting, Subject
from model.school_year import SchoolYear
from model.year import live

STAGE = ("primary", "junior")
SOME = settings(max_examples=15, deadline=None)
Found = dict[tuple[str, str, str, str], float]  # level, place, stage, indicator


@cache
def _lived(policy: Any, years: int) -> tuple[Region, SchoolYear]:
    region = settled(policy=BASELINE)
    for _ in range(years):
        year = begin(region, policy)
        live(region, year)
    return region, year


def lived(policy: Any = RICH, years: int = 3) -> tuple[Region, SchoolYear]:
    """A village of two districts after some years, and its last one as it was seen; one's own copy of both."""
    region, year = _lived(policy, years)
    own = SchoolYear(**vars(year))
    own.seen = type(year.seen)(**vars(year.seen))
    own.seen.tested = [type(one)(**vars(one)) for one in year.seen.tested]
    return region.copy(), own


def scrambled(seed: int, districts: int = 2) -> tuple[Region, SchoolYear]:
    """The same with what is measured drawn at random: settings, districts, scores, qualities; some schools empty."""
    rng = np.random.default_rng(seed)
    region, year = lived()
    s, f, n = region.schools, region.families, region.networks
    s.setting[:] = rng.integers(0, 3, s.n)
    s.town_seat[:] = rng.random(s.n) < 0.4
    s.district[:] = rng.integers(0, districts, s.n)
    s.enrolment[:] = rng.integers(0, 300, s.enrolment.shape) * s.has * (rng.random(s.n) > 0.2)[:, None]
    for column in ("leadership", "practice", "adequacy"):
        getattr(s, column)[:] = rng.normal(size=s.n)
    s.value_added[:] = rng.normal(size=s.value_added.shape)
    year.seen.value_added_before = rng.normal(size=s.value_added.shape)
    year.seen.elite_places = rng.integers(0, 5, s.n)
    region.catchments.setting[:] = rng.integers(0, 3, region.catchments.n)
    f.ses[:] = rng.normal(size=f.n)
    n.until[rng.random(n.n) < 0.2] = year.number - 1
    for tested in year.seen.tested:
        school_effect = rng.normal(size=s.n)[region.students.school[tested.rows]]
        tested.score = np.round(school_effect + rng.normal(size=tested.score.size), int(rng.integers(0, 3)))
        tested.residual = rng.normal(size=tested.score.size)
    region.scale.score_mean[:], region.scale.score_sd[:] = rng.normal(size=2), rng.uniform(1.5, 3, 2)
    return region, year


def found_in(region: Region, year: SchoolYear, schools: bool = True) -> Found:
    rows = Rows()
    measure(region, year, rows, schools)
    c = rows.columns()
    keys = zip(c["level"], c["place"], c["stage"], c["indicator"], strict=True)
    found = dict(zip(keys, c["value"].tolist(), strict=True))
    assert len(found) == c["value"].size  # nothing is told twice
    return found


def wide(region: Region) -> list[tuple[str, str, Callable[[Any], bool]]]:
    """Region and districts: level, place, whether a school (row) lies there."""
    s = region.schools
    places: list[tuple[str, str, Callable[[Any], bool]]] = [("region", region.name, lambda j: True)]
    for d, name in enumerate(region.districts.name_en):
        places.append(("district", str(name), lambda j, d=d: int(s.district[j]) == d))
    return places


def agree(found: Found, key: tuple[str, str, str, str], expected: float) -> None:
    if expected is None or math.isnan(expected):
        assert math.isnan(found[key]), (key, found[key])
    else:
        assert found[key] == pytest.approx(expected, rel=1e-8, abs=1e-9), key


def weighted(pairs: Iterable[tuple[float, float]]) -> float:
    """Weighted mean of (weight, value); NaN where there is no weight."""
    pairs = list(pairs)
    whole = sum(w for w, _ in pairs)
    return sum(w * v for w, v in pairs) / whole if whole > 0 else math.nan


CASES = [("lived", 0), *(("scrambled", seed) for seed in range(6))]


def case(kind: str, seed: int) -> tuple[Region, SchoolYear]:
    return lived() if kind == "lived" else scrambled(seed, districts=1 + seed % 2)


# ---------------------------------------------------------------- scores


def pupils_tested(region: Region, year: SchoolYear) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    """By stage, a record a pupil tested: school, home, score in base SD, status, residual."""
    for tested in year.seen.tested:
        sd, mean = region.scale.score_sd[tested.stage], region.scale.score_mean[tested.stage]
        rows = range(tested.rows.start, tested.rows.stop)
        yield (
            STAGE[tested.stage],
            [
                {
                    "school": int(region.students.school[row]),
                    "village": region.catchments.setting[region.families.origin[row]] == Setting.VILLAGE,
                    "score": float((tested.score[i] - mean) / sd),
                    "ses": float(region.families.ses[row]),
                    "residual": float(tested.residual[i]),
                }
                for i, row in enumerate(rows)
            ],
        )


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_score_gaps_of_town_and_village_are_those_of_their_pupils(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, s = found_in(region, year), region.schools
    for stage, pupils in pupils_tested(region, year):
        for level, place, here in wide(region):
            mine = [p for p in pupils if here(p["school"])]
            by_school: dict[bool, list[float]] = {True: [], False: []}
            by_home: dict[bool, list[float]] = {True: [], False: []}
            for p in mine:
                by_school[s.setting[p["school"]] == Setting.VILLAGE].append(p["score"])
                by_home[bool(p["village"])].append(p["score"])
            for name, parts in (("gap.score", by_school), ("gap.score_home", by_home)):
                gap = math.nan
                if parts[True] and parts[False]:
                    gap = sum(parts[False]) / len(parts[False]) - sum(parts[True]) / len(parts[True])
                agree(found, (level, place, stage, name), gap)
            agree(found, (level, place, stage, "mean_score"), weighted((1, p["score"]) for p in mine))


def school_means(pupils: list[dict[str, Any]], name: str = "score") -> dict[int, list[float]]:
    scores: dict[int, list[float]] = {}
    for p in pupils:
        scores.setdefault(p["school"], []).append(p[name])
    return scores


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_the_percentile_gap_is_that_of_schools_lined_up_by_their_pupils(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found = found_in(region, year)
    for stage, pupils in pupils_tested(region, year):
        for level, place, here in wide(region):
            scores = school_means([p for p in pupils if here(p["school"])])
            line = sorted((sum(v) / len(v), len(v)) for v in scores.values())
            each = [mean for mean, count in line for _ in range(count)]
            if not each:
                assert math.isnan(found[level, place, stage, "gap.schools_p90_p10"])
                continue
            # the first pupil at whom a tenth (nine tenths) of all are reached
            low, high = (each[max(math.ceil(q * len(each) - 1e-9) - 1, 0)] for q in (0.1, 0.9))
            agree(found, (level, place, stage, "gap.schools_p90_p10"), high - low)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_theils_index_of_schools_falls_into_what_lies_between_settings_and_within(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, s = found_in(region, year), region.schools
    for stage, pupils in pupils_tested(region, year):
        for level, place, here in wide(region):
            scores = school_means([p for p in pupils if here(p["school"])])
            schools = [(len(v), 500 + 100 * sum(v) / len(v), int(s.setting[j])) for j, v in scores.items()]
            if not schools:
                assert math.isnan(found[level, place, stage, "theil.between"])
                continue
            everyone, mean = sum(n for n, _, _ in schools), weighted((n, x) for n, x, _ in schools)
            between = within = 0.0
            for _, group in itertools.groupby(sorted(schools, key=lambda x: x[2]), key=lambda x: x[2]):
                members = list(group)
                n, own = sum(m for m, _, _ in members), weighted((m, x) for m, x, _ in members)
                share = n * own / (everyone * mean)
                between += share * math.log(own / mean)
                within += share * sum(m * x / (n * own) * math.log(x / own) for m, x, _ in members)
            agree(found, (level, place, stage, "theil.between"), between)
            agree(found, (level, place, stage, "theil.within"), within)
            assert within > -1e-12


def one_way(groups: list[list[float]]) -> tuple[float, float, float]:
    """Between-school share and its 95 % interval by the textbook's analysis of variance."""
    n, j = sum(map(len, groups)), len(groups)
    grand = sum(map(sum, groups)) / n
    means = [sum(g) / len(g) for g in groups]
    msb = sum(len(g) * (m - grand) ** 2 for g, m in zip(groups, means, strict=True)) / (j - 1)
    msw = sum((x - m) ** 2 for g, m in zip(groups, means, strict=True) for x in g) / (n - j)
    size = (n - sum(len(g) ** 2 for g in groups) / n) / (j - 1)

    def share(f: float) -> float:
        return (f - 1) / (f - 1 + size)

    low, high = stats.f.ppf([0.025, 0.975], j - 1, n - j)
    return share(msb / msw), share(msb / msw / high), share(msb / msw / low)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_between_school_shares_are_those_of_the_analysis_of_variance(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found = found_in(region, year)
    for stage, pupils in pupils_tested(region, year):
        for level, place, here in wide(region):
            mine = [p for p in pupils if here(p["school"])]
            groups = list(school_means(mine).values())
            if len(groups) < 2 or sum(map(len, groups)) <= len(groups):
                assert math.isnan(found[level, place, stage, "between_school_share"])
                continue
            share, low, high = one_way(groups)
            agree(found, (level, place, stage, "between_school_share"), share)
            added = one_way(list(school_means(mine, "residual").values()))[0]
            agree(found, (level, place, stage, "value_added_share"), added)
            # degrees of freedom within are rounded to hundreds, so the bounds lie near
            assert found[level, place, stage, "between_school_share.low"] == pytest.approx(low, abs=0.02)
            assert found[level, place, stage, "between_school_share.high"] == pytest.approx(high, abs=0.02)


def test_the_interval_of_a_small_district_is_that_of_its_own_pupils() -> None:
    region, year = lived()
    rng = np.random.default_rng(4)
    # two schools of a district test some 20 pupils each, all others are another district's
    tested = year.seen.tested[0]
    school = region.students.school[tested.rows]
    rows = np.concatenate([np.flatnonzero(school == j)[:20] for j in np.unique(school)[:2]])
    region.schools.district[:] = 1
    region.schools.district[np.unique(school)[:2]] = 0
    keep = np.isin(np.arange(school.size), rows) | ~np.isin(school, np.unique(school)[:2])
    moved = np.flatnonzero(~keep)
    region.students.school[moved + tested.rows.start] = np.unique(school)[2]
    tested.score = rng.normal(size=tested.score.size)
    found = found_in(region, year)
    (_, pupils), *_ = pupils_tested(region, year)
    groups = list(school_means([p for p in pupils if region.schools.district[p["school"]] == 0]).values())
    assert sum(map(len, groups)) < 50
    _, low, high = one_way(groups)
    place = str(region.districts.name_en[0])
    assert found["district", place, "primary", "between_school_share.low"] == pytest.approx(low, abs=0.02)
    assert found["district", place, "primary", "between_school_share.high"] == pytest.approx(high, abs=0.02)


def test_a_school_that_tests_a_single_pupil_is_one_of_the_schools() -> None:
    region, year = lived()
    for tested in year.seen.tested:
        school = region.students.school[tested.rows]
        one, other, *_ = np.unique(school)
        region.students.school[tested.rows][np.flatnonzero(school == one)[1:]] = other
    found = found_in(region, year)
    for stage, pupils in pupils_tested(region, year):
        groups = list(school_means(pupils).values())
        assert min(map(len, groups)) == 1
        share, low, high = one_way(groups)
        agree(found, ("region", region.name, stage, "between_school_share"), share)
        assert found["region", region.name, stage, "between_school_share.low"] == pytest.approx(low, abs=0.02)
        assert found["region", region.name, stage, "between_school_share.high"] == pytest.approx(high, abs=0.02)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_status_and_score_correlate_as_pupil_by_pupil(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found = found_in(region, year)
    for stage, pupils in pupils_tested(region, year):
        for level, place, here in wide(region):
            x = [(p["ses"], p["score"]) for p in pupils if here(p["school"])]
            expected = np.corrcoef(np.array(x).T)[0, 1] if len(x) > 1 else math.nan
            agree(found, (level, place, stage, "ses_correlation"), float(expected))


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_town_seats_are_held_against_the_better_half_of_urban_schools(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, s = found_in(region, year), region.schools
    for stage, pupils in pupils_tested(region, year):
        for level, place, here in wide(region):
            scores = school_means([p for p in pupils if here(p["school"])])
            means = {j: sum(v) / len(v) for j, v in scores.items()}
            urban = [j for j in scores if s.setting[j] == Setting.URBAN]
            seats = [j for j in scores if s.town_seat[j]]
            gap = math.nan
            if urban and seats:
                best = [j for j in urban if means[j] >= np.median([means[k] for k in urban])]
                gap = weighted((len(scores[j]), means[j]) for j in best)
                gap -= weighted((len(scores[j]), means[j]) for j in seats)
            agree(found, (level, place, stage, "gap.town_seat"), gap)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_leads_and_members_are_compared_tie_by_tie(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, n = found_in(region, year), region.networks
    for stage, pupils in pupils_tested(region, year):
        means = {j: sum(v) / len(v) for j, v in school_means(pupils).items()}
        for level, place, here in wide(region):
            gaps = []
            for i in range(n.n):
                lead, member = int(n.lead[i]), int(n.member[i])
                held = n.kind[i] == Network.GROUP and n.since[i] <= year.number <= n.until[i]
                if held and here(lead) and here(member) and lead in means and member in means:
                    gaps.append(means[lead] - means[member])
            agree(found, (level, place, stage, "gap.lead_member"), weighted((1, g) for g in gaps))


def test_districts_are_compared_by_the_means_of_all_their_pupils() -> None:
    for seed in (1, 3):
        region, year = scrambled(seed)
        found = found_in(region, year)
        for stage, pupils in pupils_tested(region, year):
            means = []
            for d in range(2):
                scores = [p["score"] for p in pupils if region.schools.district[p["school"]] == d]
                means += [sum(scores) / len(scores)] if scores else []
            agree(found, ("region", region.name, stage, "gap.districts"), max(means) - min(means))
    region, year = scrambled(0, districts=1)
    assert found_in(region, year)["region", region.name, "primary", "gap.districts"] == 0


# ---------------------------------------------------------------- what schools are


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_gaps_in_what_schools_are_weigh_them_by_their_pupils(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, s, t = found_in(region, year), region.schools, region.teachers
    power = effectiveness(t, INPUT, year.number)
    for stage in (0, 1):
        core: dict[int, list[float]] = {}
        for row in range(t.n):
            if t.stage[row] == stage and t.subject[row] == Subject.CORE:
                core.setdefault(int(t.school[row]), []).append(float(power[row]))
        worth: dict[str, dict[int, float]] = {
            name: dict(enumerate(getattr(s, name).tolist())) for name in ("leadership", "practice", "adequacy")
        }
        worth["teacher_effectiveness"] = {j: sum(v) / len(v) for j, v in core.items()}
        for level, place, here in wide(region):
            for name, value in worth.items():
                town, village = (
                    weighted(
                        (float(s.enrolment[j, stage]), value[j])
                        for j in range(s.n)
                        if here(j) and (s.setting[j] == Setting.VILLAGE) == rural and j in value
                    )
                    for rural in (False, True)
                )
                agree(found, (level, place, STAGE[stage], f"gap.{name}"), town - village)
            rows = [j for j in range(s.n) if here(j) and s.has[j, stage] and s.enrolment[j, stage] > 0]
            x = [float(s.value_added[j, stage]) for j in rows]
            y = [float(year.seen.value_added_before[j, stage]) for j in rows]
            covariance = np.cov(x, y, aweights=s.enrolment[rows, stage], ddof=0) if len(rows) > 1 else np.zeros((2, 2))
            apart = math.sqrt(covariance[0, 0] * covariance[1, 1])
            expected = covariance[0, 1] / apart if apart > 0 else math.nan
            agree(found, (level, place, STAGE[stage], "value_added_stability"), expected)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_elite_places_of_village_schools_are_counted_one_by_one(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, s, won = found_in(region, year), region.schools, year.seen.elite_places
    for level, place, here in wide(region):
        rows = [j for j in range(s.n) if here(j)]
        village = sum(int(won[j]) for j in rows if s.setting[j] == Setting.VILLAGE)
        every = sum(int(won[j]) for j in rows)
        agree(found, (level, place, "junior", "quota_to_village"), village / every if every else math.nan)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_the_standard_of_a_district_is_the_scorecard_of_that_district_alone(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found = found_in(region, year)
    places: list[tuple[str, str, int | None]] = [("region", region.name, None)]
    places += [("district", str(name), d) for d, name in enumerate(region.districts.name_en)]
    for level, place, d in places:
        cards = score(stocks_of(region, d))
        for card in cards:
            stage = STAGE[card.stage]
            for i, name in enumerate(OFFICIAL):
                agree(found, (level, place, stage, f"cv.{name}"), float(card.cv[i]))
                agree(found, (level, place, stage, f"mean.{name}"), float(card.mean[i]))
                agree(found, (level, place, stage, f"shortfall.{name}"), float(card.shortfall[:, i].sum()))
            agree(found, (level, place, stage, "cvs_passed"), float(card.cvs_passed.sum()))
            passing = float(card.passed.mean()) if card.passed.size else math.nan
            agree(found, (level, place, stage, "schools_passing"), passing)
        agree(found, (level, place, "all", "standard_met"), float(all(card.all_passed for card in cards)))


def met_standard() -> tuple[Region, SchoolYear]:
    """Two districts whose schools have a tenth more than they must, or more, and pupils are alike in what they have."""
    region, year = lived()
    s, t = region.schools, region.teachers
    staff = np.bincount(t.school * 2 + t.stage, minlength=2 * s.n).reshape(-1, 2)
    s.enrolment[:] = 15 * staff  # more teachers a pupil than any standard asks for
    t.degree_above[:], t.backbone[:], t.subject[:] = True, 1, Subject.PE
    s.shared_sports[:] = 0.0
    weight = (s.enrolment * standard().split[:2]).sum(axis=1)
    for name, column in ((name, i) for i, name in enumerate(OFFICIAL) if name in BY_FACILITIES):
        most = (standard().per_pupil[:, column] / standard().split[:2]).max()
        getattr(s, name)[:] = 1.1 * most * weight
    return region, year


def test_a_county_meets_the_standard_when_every_school_passes_and_every_coefficient_is_within_the_limit() -> None:
    def told(region: Region, year: SchoolYear) -> list[float]:
        found = found_in(region, year)
        places = [("region", region.name), *(("district", str(name)) for name in region.districts.name_en)]
        return [found[level, place, "all", "standard_met"] for level, place in places]

    assert told(*met_standard()) == [1, 1, 1]
    for d in (0, 1):
        alone = [0, float(d != 0), float(d != 1)]
        region, year = met_standard()
        rows = np.flatnonzero(region.schools.district == d)
        for row in rows[:2]:  # one school that fails is enough, and so are two
            region.schools.sports_area[row] *= 0.5
            assert told(region, year) == alone
        region, year = met_standard()
        region.schools.equipment[rows[0]] *= 20  # nobody fails, but the district is torn apart
        assert told(region, year) == alone


# ---------------------------------------------------------------- children


@pytest.mark.parametrize("policy", [BASELINE, RICH], ids=["baseline", "rich"])
def test_who_stays_who_goes_to_the_city_and_who_got_what_it_wished_are_counted_child_by_child(policy: Any) -> None:
    region, year = lived(policy)
    found = found_in(region, year)
    f, p, s, c = region.families, region.students, region.schools, region.catchments
    homes: list[tuple[str, str, Callable[[Any], bool]]] = [("region", region.name, lambda j: True)]
    homes += [("district", str(x), lambda j, d=d: c.district[j] == d) for d, x in enumerate(region.districts.name_en)]
    homes += [("town", str(x), lambda j, d=d: c.town[j] == d) for d, x in enumerate(region.towns.name_zh)]
    homes += [("setting", x.name.lower(), lambda j, x=x: c.setting[j] == x) for x in Setting]
    for stage in (0, 1):
        at_stage = [i for i in range(p.n) if (p.grade[i] > 6) == bool(stage)]
        for level, place, here in homes:
            local = [i for i in at_stage if f.local[i] and here(f.catchment[i])]
            stay = [i for i in local if c.town[f.catchment[i]] == s.town[p.school[i]]]
            rural = [i for i in at_stage if here(f.origin[i]) and c.setting[f.origin[i]] != Setting.URBAN]
            gone = [i for i in rural if s.setting[p.school[i]] == Setting.URBAN]
            agree(found, (level, place, STAGE[stage], "local_stay"), weighted((1, i in set(stay)) for i in local))
            agree(found, (level, place, STAGE[stage], "to_city"), weighted((1, i in set(gone)) for i in rural))
    for one in year.seen.admitted:
        stage = STAGE[one.stage]
        new = [k for k in range(one.rows.size) if one.entrant[k]]
        for level, place, here in homes:
            mine = [k for k in new if here(f.catchment[one.rows[k]])]
            agree(found, (level, place, stage, "first_wish_out"), weighted((1, bool(one.wish_out[k])) for k in mine))
        for level, place, lies in wide(region):
            mine = [k for k in new if lies(p.school[one.rows[k]])]
            rows = [j for j in range(s.n) if lies(j)]
            agree(found, (level, place, stage, "entrants"), len(mine))
            met = weighted((1, one.first_wish[k] == p.school[one.rows[k]]) for k in mine)
            agree(found, (level, place, stage, "first_wish_met"), met)
            near = weighted((1, bool(one.own_right[k])) for k in mine)
            agree(found, (level, place, stage, "proximity_share"), near)
            agree(found, (level, place, stage, "overflow"), weighted((1, bool(one.overflow[k])) for k in mine))
            agree(found, (level, place, stage, "distance_km"), weighted((1, float(one.distance[k])) for k in mine))
            taken = {j: sum(p.school[row] == j for row in one.rows) for j in rows}
            empty = sum(max(int(one.places[j]) - taken[j], 0) for j in rows)
            agree(found, (level, place, stage, "places_empty"), empty)
            wished = sum(int(one.first_wish[k] == j) for k in new for j in rows)
            places = sum(int(one.places[j]) for j in rows)
            agree(found, (level, place, stage, "oversubscription"), wished / places if places else math.nan)


def test_what_entrants_wished_and_where_they_have_a_right_is_what_their_rows_say() -> None:
    region, year = lived(BASELINE)
    p, f, s, c = region.students, region.families, region.schools, region.catchments
    for one in year.seen.admitted:
        np.testing.assert_array_equal(one.first_wish, p.wish[one.rows])
        right = c.right[f.catchment[one.rows], one.stage] == s.right[p.school[one.rows], one.stage]
        np.testing.assert_array_equal(one.own_right, right)
        far = np.hypot(f.x_km[one.rows] - s.x_km[p.school[one.rows]], f.y_km[one.rows] - s.y_km[p.school[one.rows]])
        np.testing.assert_allclose(one.distance, far, atol=1e-4)


@pytest.mark.parametrize("level", ["town", "setting", "school"])
def test_counts_of_schools_classes_and_teachers_are_those_of_the_rows_in_each_place(level: str) -> None:
    region, year = lived()
    found = found_in(region, year)
    s, t, c, p = region.schools, region.teachers, region.classes, region.students
    group = {"town": s.town, "setting": s.setting, "school": np.arange(s.n)}[level]
    names = {
        "town": [str(x) for x in region.towns.name_zh],
        "setting": [x.name.lower() for x in Setting],
        "school": [str(x) for x in s.name],
    }[level]
    for number, place in enumerate(names):
        inside = {j for j in range(s.n) if group[j] == number}
        for stage in (0, 1):
            staff = [i for i in range(t.n) if t.school[i] in inside and t.stage[i] == stage]
            taught = [i for i in range(c.n) if c.school[i] in inside and c.stage[i] == stage]
            pupils = [i for i in range(p.n) if p.school[i] in inside and (p.grade[i] > 6) == bool(stage)]
            seats = {j: int(s.classrooms[j, stage]) * CLASS_CAP[stage] for j in inside}
            expected = {
                "teachers": len(staff),
                "enrolment": len(pupils),
                "largest_class": max((int(c.size[i]) for i in taught), default=0),
                "classes_over_cap": weighted((1, c.size[i] > CLASS_CAP[stage]) for i in taught),
                "boarders": weighted((1, bool(p.boards[i])) for i in pupils),
                "seconded": weighted((1, t.away_as[i] == 2) for i in staff),
                "satisfaction": weighted((1, float(region.families.satisfaction[i])) for i in pupils),
                "seat_gap": sum(max(int(s.enrolment[j, stage]) - seats[j], 0) for j in inside),
            }
            for name, value in expected.items():
                key = (level, place, STAGE[stage], name)
                if name == "satisfaction" and not math.isnan(value):
                    assert found[key] == pytest.approx(value, abs=1e-6)  # held in single precision
                else:
                    agree(found, key, value)
        size = {j: int(s.enrolment[j].sum()) for j in inside}
        small = sum(0 < pupils < 100 for pupils in size.values())
        agree(found, (level, place, "all", "small_schools"), small)
        large = sum(size[j] > (2500 if s.has[j].all() else 2000) for j in inside)
        agree(found, (level, place, "all", "schools_over_cap"), large)


@pytest.mark.parametrize(("nine_year", "cap"), [(False, 2000), (True, 2500)])
def test_a_school_is_over_the_cap_from_one_pupil_above_it(nine_year: bool, cap: int) -> None:
    region, year = lived()
    s = region.schools
    rows = np.flatnonzero(s.has.all(axis=1) == nine_year)[:1]
    for pupils, over in ((cap - 1, 0), (cap, 0), (cap + 1, 1), (2 * cap, 1)):
        s.enrolment[rows] = np.where(s.has[rows], [[pupils, 0]] if s.has[rows[0], 0] else [[0, pupils]], 0)
        found = found_in(region, year)
        for level, place in (("region", region.name), ("school", str(s.name[rows[0]]))):
            assert found[level, place, "all", "schools_over_cap"] == over


@pytest.mark.parametrize(("taught", "bought", "full"), [(3, 0, 0), (4, 0, 1), (3, 1, 1), (0, 3, 0), (6, 0, 1)])
def test_lessons_are_full_with_the_teachers_that_the_standard_asks_of_whole_hundreds(
    taught: int, bought: int, full: int
) -> None:
    """.9 teachers of PE and art a hundred primary pupils: 500 ask for four and a half, so for four."""
    region, year = lived()
    s, t = region.schools, region.teachers
    row = int(np.flatnonzero(s.has[:, 0] & ~s.has[:, 1])[0])
    s.enrolment[row] = (500, 0)
    s.bought_lessons[row] = bought
    t.subject[t.school == row] = Subject.CORE
    t.subject[np.flatnonzero(t.school != row)[:taught]] = Subject.PE
    t.school[np.flatnonzero(t.school != row)[:taught]] = row
    assert (t.subject[t.school == row] != Subject.CORE).sum() == taught
    assert found_in(region, year)["school", str(s.name[row]), "all", "pe_art_lessons"] == full


# ---------------------------------------------------------------- places add up

ADDITIVE = (
    *(f"shortfall.{name}" for name in OFFICIAL),
    "enrolment", "entrants", "teachers", "vacancies", "posts_over", "seat_gap", "places_empty",
    "small_schools", "schools_over_cap", "grade_c_area",
)  # fmt: skip


@SOME
@given(seed=st.integers(0, 1000))
def test_what_can_be_added_is_the_same_over_districts_towns_settings_and_schools(seed: int) -> None:
    region, year = scrambled(seed)
    found = found_in(region, year)
    for name in ADDITIVE:
        for stage in ("primary", "junior", "all"):
            if ("region", region.name, stage, name) not in found:
                continue
            for level in ("district", "town", "setting", "school"):
                parts = [v for (at, _, when, what), v in found.items() if (at, when, what) == (level, stage, name)]
                assert sum(parts) == pytest.approx(found["region", region.name, stage, name]), (level, name)


def test_a_region_of_one_district_is_that_district() -> None:
    region, year = scrambled(2, districts=1)
    found, one = found_in(region, year), str(region.districts.name_en[0])
    for (level, _, stage, name), value in found.items():
        if level == "region" and ("district", one, stage, name) in found and name != "gap.districts":
            if name in ("local_stay", "to_city", "first_wish_out"):  # by home, and homes lie in both
                continue
            agree(found, ("district", one, stage, name), value)


def test_a_district_without_a_school_changes_nothing_for_the_others() -> None:
    region, year = scrambled(3)
    before = found_in(region, year)
    region.districts.append(1, name_en="Nowhere", name_zh="无处")
    after = found_in(region, year)
    assert {place for _, place, _, _ in after.keys() - before.keys()} == {"Nowhere"}
    for key, value in before.items():
        agree(after, key, value)


@pytest.mark.parametrize("table", ["teachers", "schools"])
def test_the_order_of_rows_is_nothing_to_what_is_measured(table: str) -> None:
    region, year = scrambled(5)
    before = found_in(region, year)
    order = np.random.default_rng(8).permutation(getattr(region, table).n)
    other = permuted(region, table, order)
    if table == "schools":
        to = np.empty(order.size, np.int64)
        to[order] = np.arange(order.size)
        seen = year.seen
        for name, values in vars(seen).items():
            if isinstance(values, np.ndarray):
                setattr(seen, name, values[order])
        moved = [
            {"first_wish": np.where(one.first_wish >= 0, to[one.first_wish], -1), "places": one.places[order]}
            for one in seen.admitted
        ]
        seen.admitted = [type(one)(**(vars(one) | new)) for one, new in zip(seen.admitted, moved, strict=True)]
    after = found_in(other, year)
    assert before.keys() == after.keys()
    for key in before:
        agree(after, key, before[key])


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_networks_are_counted_tie_by_tie(kind: str, seed: int) -> None:
    region, year = case(kind, seed)
    found, n, s = found_in(region, year), region.networks, region.schools
    held = [i for i in range(n.n) if n.since[i] <= year.number <= n.until[i]]
    ties = {what: [i for i in held if n.kind[i] == what] for what in Network}
    opened = [j for j in range(s.n) if s.opened[j] <= year.number < s.closed[j]]
    fame = [
        sum(float(s.reputation[j, k, 0]) for k in (0, 1) if s.has[j, k]) / max(int(s.has[j].sum()), 1)
        for j in range(s.n)
    ]
    working = {int(s.zone[n.member[i]]) for i in ties[Network.ZONE]} - {-1}
    for level, place, here in wide(region):

        def reaching(what: Network, here: Callable[[Any], bool] = here) -> list[int]:
            return [i for i in ties[what] if here(n.lead[i]) or here(n.member[i])]

        groups, pairs = reaching(Network.GROUP), reaching(Network.PAIR)
        needy = [j for j in opened if here(j) and (s.setting[j] == Setting.VILLAGE or fame[j] < -1)]
        paired = {int(n.member[i]) for i in ties[Network.PAIR]}
        mine = [j for j in opened if here(j)]
        joint = reaching(Network.COMMUNITY)
        expected = {
            "groups": len({int(n.lead[i]) for i in groups}),
            "municipal_groups": len({int(n.lead[i]) for i in groups if n.municipal[i]}),
            "pairs": len({int(n.lead[i]) for i in pairs}),
            "paired_share": sum(j in paired for j in needy) / max(len(needy), 1),
            "communities": len({(int(s.district[n.lead[i]]), int(s.district[n.member[i]])) for i in joint}),
            "cooperative": sum(here(n.member[i]) for i in ties[Network.COOPERATIVE]),
            "zoned_share": sum(int(s.zone[j]) in working for j in mine) / max(len(mine), 1),
        }
        for name, value in expected.items():
            agree(found, (level, place, "all", f"networks.{name}"), value)
