"""A built region: does it reproduce what the profile and the documents say, and depend on nothing else?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.build import build_region, profiles
from model.draws import key_of_name
from model.errors import InputError
from model.national_standard import BY_FACILITIES, BY_TEACHERS, INDICATORS, score, standard, stocks_of
from model.official import _fill, bind_official
from model.people import cohort_size, entrants, entrants_by_catchment, populate, school_by_right
from model.profile import FOLDER, read_profile
from model.region import Region, Setting, Subject

ROW = {name: i for i, name in enumerate(INDICATORS)}


@pytest.fixture(scope="module")
def wuqing() -> Region:
    return build_region("wuqing")


@pytest.fixture(scope="module")
def village() -> Region:
    return build_region("village")


# --- totals


def test_wuqing_has_the_schools_pupils_and_teachers_of_its_profile(wuqing: Region) -> None:
    schools = wuqing.schools
    assert schools.n == 171
    assert schools.has.sum(axis=0).tolist() == [135, 52]
    assert schools.has.all(axis=1).sum() == 16
    assert schools.enrolment.sum(axis=0).tolist() == [71000, 31000]
    assert np.bincount(wuqing.teachers.stage).tolist() == [4385, 2437]
    assert len(set(schools.name)) == schools.n
    assert len(set(schools.key)) == schools.n


def test_primary_pupils_of_each_setting_are_given_exactly_but_for_rounding(wuqing: Region) -> None:
    schools = wuqing.schools
    for setting, pupils in ((Setting.URBAN, 25560), (Setting.TOWN, 24140), (Setting.VILLAGE, 21300)):
        assert schools.enrolment[schools.setting == setting, 0].sum() == pytest.approx(pupils, abs=60)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_junior_pupils_of_each_setting_come_near_what_is_given(seed: int) -> None:
    schools = build_region("wuqing", seed).schools
    for setting, pupils in ((Setting.URBAN, 12000), (Setting.TOWN, 13600), (Setting.VILLAGE, 5400)):
        assert schools.enrolment[schools.setting == setting, 1].sum() == pytest.approx(pupils, rel=0.17)


def test_village_is_small_and_has_two_districts(village: Region) -> None:
    assert village.districts.n == 2
    assert village.schools.n == 12
    assert village.students.n == 2000
    strong, weak = (village.schools.practice_mean[village.schools.district == d].mean() for d in (0, 1))
    assert strong > weak


def test_cohorts_at_school_sum_to_the_pupils_and_fall_with_births(wuqing: Region) -> None:
    sizes = {year: cohort_size(wuqing, year).sum() for year in range(1996, 2046)}
    assert sum(sizes[y] for y in range(2014, 2020)) == pytest.approx(71000)
    assert sum(sizes[y] for y in range(2011, 2014)) == pytest.approx(31000)
    expected = (2 * 6.10 + 6.50) / (2 * 10.91 + 10.63)  # ⅔ of births six years back, ⅓ of seven: 2029 against 2023
    assert sizes[2029] / sizes[2023] == pytest.approx(expected, rel=1e-3)


def test_villages_have_a_falling_share_of_entrants(wuqing: Region) -> None:
    entrants_of = wuqing.cohorts.entrants
    assert (np.diff(entrants_of[:, Setting.VILLAGE] / entrants_of.sum(axis=1)) < 0).all()


# --- what is officially given binds


def checked(region: Region) -> list[tuple[str, int, float, float]]:
    """(indicator, stage, CV found, CV given) of a region of one district."""
    cards = score(stocks_of(region))
    targets = region.official["indicators"][0]
    return [(n, s, cards[s].cv[ROW[n]], targets[n]["cv"][s]) for n in INDICATORS for s in (0, 1)]


def shortfall(region: Region) -> NDArray[np.float64]:
    return np.asarray(sum(card.shortfall.sum(axis=0) for card in score(stocks_of(region))))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_coefficient_of_variation_is_the_one_given(seed: int) -> None:
    for name, stage, found, given_cv in checked(build_region("wuqing", seed)):
        whole = name in BY_TEACHERS or name == "multimedia_rooms"
        assert found == pytest.approx(given_cv, abs=0.02 if whole else 1e-6), (name, stage)


def test_the_deficits_of_the_document_bind(wuqing: Region) -> None:
    missing = shortfall(wuqing)
    assert missing[ROW["sports_area"]] == pytest.approx(25800)
    assert missing[ROW["pe_art_teachers"]] == pytest.approx(77, abs=1)
    assert missing[ROW["equipment"]] / wuqing.prices["equipment_set"] == pytest.approx(406800)
    assert wuqing.schools.grade_c_area.sum() == pytest.approx(86400)


def test_means_that_are_given_bind(wuqing: Region) -> None:
    cards = score(stocks_of(wuqing))
    for name, means in (("teaching_area", (4.5, 5.8)), ("degree_above", (5.0, 6.6)), ("backbone_teachers", (0.9, 0.9))):
        for stage in (0, 1):
            assert cards[stage].mean[ROW[name]] == pytest.approx(means[stage], rel=2e-3)


def test_grade_c_floor_lies_mostly_in_villages_and_never_exceeds_the_floor(wuqing: Region) -> None:
    schools = wuqing.schools
    assert (schools.grade_c_area <= schools.floor_area).all()
    assert schools.grade_c_area[schools.setting == Setting.VILLAGE].sum() > 0.5 * schools.grade_c_area.sum()


def test_village_schools_have_more_room_a_pupil(wuqing: Region) -> None:
    schools = wuqing.schools
    primary = ~schools.has[:, 1]
    room = [
        schools.teaching_area[primary & (schools.setting == s)].sum()
        / schools.enrolment[primary & (schools.setting == s), 0].sum()
        for s in Setting
    ]
    assert room[2] > 1.3 * room[1]
    assert room[2] > 1.3 * room[0]


def test_binding_again_on_other_enrolments_keeps_coefficients_and_deficits(wuqing: Region) -> None:
    region = wuqing.copy()
    tilt = np.where(region.schools.setting == Setting.VILLAGE, 0.7, 1.15)
    region.schools.enrolment[:] = np.rint(region.schools.enrolment * tilt[:, None])
    assert shortfall(region)[ROW["sports_area"]] > 1.05 * 25800  # it does not hold by itself
    bind_official(region)
    for name, stage, found, given_cv in checked(region):
        whole = name in BY_TEACHERS or name == "multimedia_rooms"
        assert found == pytest.approx(given_cv, abs=0.02 if whole else 1e-6), (name, stage)
    assert shortfall(region)[ROW["sports_area"]] == pytest.approx(25800)
    assert shortfall(region)[ROW["pe_art_teachers"]] == pytest.approx(77, abs=1)


def test_binding_twice_changes_nothing(wuqing: Region) -> None:
    region = wuqing.copy()
    bind_official(region)
    assert region.fingerprint() == wuqing.fingerprint()


def test_binding_touches_stocks_and_flags_only(wuqing: Region) -> None:
    region = wuqing.copy()
    region.schools.enrolment[:] = region.schools.enrolment[:, ::-1] // 2 + region.schools.enrolment
    before = region.copy()
    bind_official(region, rho=0.5)
    may = {
        "schools": {*BY_FACILITIES, "floor_area", "grade_c_area"},
        "teachers": {"degree_above", "backbone", "subject"},
    }
    for name, table in region.tables().items():
        for column, values in table.items():
            same = np.array_equal(values, getattr(before.tables()[name], column))
            assert same or column in may.get(name, set()), f"{name}.{column}"


def test_backbones_are_the_better_teachers_only_as_far_as_the_correlation_says(wuqing: Region) -> None:
    region, lead = wuqing.copy(), []
    for rho in (0.0, 0.3, 1.0):
        bind_official(region, rho)
        named = region.teachers.backbone > 0
        lead.append(region.teachers.lasting[named].mean() - region.teachers.lasting[~named].mean())
    assert abs(lead[0]) < 0.15
    assert 0.15 < lead[1] < lead[2]


@pytest.mark.parametrize(("credential", "lasting_first"), [(0.74, True), (0.76, False)])
def test_at_a_correlation_of_three_fifths_credentials_weigh_four_fifths(credential: float, lasting_first: bool) -> None:
    """The two are independent, so squares of weights sum to one: 0.6 of what lasts against 0.8 of the credential."""
    region = build_region("village")
    t = region.teachers
    lasts = t.key % 2 == 0
    t.lasting[:], t.credential[:] = np.where(lasts, 1.0, 0.0), np.where(lasts, 0.0, credential)
    bind_official(region, rho=0.6)
    section, named, first = t.school * 2 + t.stage, t.backbone > 0, lasts == lasting_first
    assert (named & first).sum() > 10
    for held in np.unique(section[named & ~first]):  # the others only where all of the first are named
        assert named[(section == held) & first].all()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_a_deficit_binds_from_hardly_any_to_nearly_the_whole_need(share: float) -> None:
    region = build_region("village")
    schools, need = region.schools, standard().per_pupil[:, ROW["sports_area"]]
    whole = [(schools.enrolment[schools.district == d] * need).sum() for d in (0, 1)]
    for targets, most in zip(region.official["indicators"], whole, strict=True):
        targets["sports_area"] = {"cv": [0.5, 0.45], "deficit": share * most}
    bind_official(region)
    assert shortfall(region)[ROW["sports_area"]] == pytest.approx(share * sum(whole))


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.floats(0.01, 10), st.integers(0, 12)), min_size=1, max_size=8),
)
def test_persons_are_counted_out_in_proportion_and_none_goes_where_it_is_full(
    number: int, sections: list[tuple[float, int]]
) -> None:
    """Few persons for many sections, or more than fit: all that fit are placed, whoever is not full has its share."""
    weight, most = np.array([w for w, _ in sections]), np.array([m for _, m in sections], float)
    counts = _fill(number, weight, most)
    assert counts.sum() == min(number, most.sum())
    assert (counts <= most).all()
    free = counts < most
    assert ((counts[free] > number * weight[free] / weight.sum() - 1 - 1e-6) | (counts.sum() < number)).all()


def test_of_more_than_there_are_all_teachers_have_the_degree_and_half_teach_pe_and_art() -> None:
    region = build_region("village")
    for targets in region.official["indicators"]:
        for name in BY_TEACHERS:
            targets[name]["mean"] = [90.0, 90.0]  # of a hundred pupils
    region.schools.enrolment[3] = 1, 0  # a school of one pupil, too
    bind_official(region)
    t = region.teachers
    section = t.school * 2 + t.stage
    assert t.degree_above.all()
    assert (t.backbone > 0).all()
    np.testing.assert_array_equal(
        np.bincount(section[t.subject != Subject.CORE]), np.bincount(section)[: section.max() + 1] // 2
    )


@pytest.mark.parametrize("name", ["wuqing", "village"])
def test_a_section_never_has_more_of_a_kind_of_teacher_than_teachers(name: str) -> None:
    teachers = build_region(name).teachers
    section = teachers.school * 2 + teachers.stage
    staff = np.bincount(section)
    pe_art = np.bincount(section[teachers.subject != Subject.CORE], minlength=staff.size)
    assert (pe_art <= staff / 2).all()
    assert teachers.is_head.sum() == np.unique(teachers.school).size


# --- places and people


def test_what_places_add_is_standardised_and_only_ses_follows_the_setting(wuqing: Region) -> None:
    places = wuqing.catchments
    pupils = wuqing.cohorts.entrants[wuqing.cohorts.year == 2019].sum(axis=0)[places.setting] * places.share
    for values in (places.ses_place, places.ability_place):
        assert np.average(values, weights=pupils) == pytest.approx(0, abs=1e-9)
        assert np.average(values**2, weights=pupils) == pytest.approx(1)
    between = {
        name: sum(
            pupils[places.setting == s].sum()
            / pupils.sum()
            * np.average(v[places.setting == s], weights=pupils[places.setting == s]) ** 2
            for s in Setting
        )
        for name, v in (("ses", places.ses_place), ("ability", places.ability_place))
    }
    assert between["ses"] == pytest.approx(0.25, abs=0.04)  # of one region: places follow their wider surroundings too
    assert between["ability"] == pytest.approx(0, abs=1e-9)


def test_every_catchment_has_a_school_by_right_at_each_stage_in_its_district(village: Region, wuqing: Region) -> None:
    for region in (village, wuqing):
        admits = school_by_right(region)
        assert (admits >= 0).all()
        for stage in (0, 1):
            assert region.schools.has[admits[:, stage], stage].all()
            assert (region.schools.district[admits[:, stage]] == region.catchments.district).all()
            assert set(admits[:, stage]) == set(np.flatnonzero(region.schools.has[:, stage]))
        nine = np.isin(admits[:, 0], np.flatnonzero(region.schools.has.all(axis=1)))
        assert (admits[nine, 0] == admits[nine, 1]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_junior_schools_are_near_and_none_is_left_empty(seed: int) -> None:
    region = build_region("wuqing", seed)
    places, schools = region.catchments, region.schools
    served = school_by_right(region)[:, 1]
    far = np.hypot(places.x_km - schools.x_km[served], places.y_km - schools.y_km[served])
    assert np.quantile(far, 0.9) < 9
    assert (schools.town[served] == places.town).mean() > 0.7
    size = schools.enrolment[schools.has[:, 1], 1]
    assert size.min() > 50
    assert size.std() / size.mean() < 0.8


def test_shares_of_catchments_sum_to_one_in_each_setting(wuqing: Region) -> None:
    sums = np.bincount(wuqing.catchments.setting, wuqing.catchments.share, 3)
    assert sums == pytest.approx(np.ones(3))


def test_people_are_standardised_and_owe_nothing_to_their_place(wuqing: Region) -> None:
    for values in (wuqing.students.ability, wuqing.families.ses, wuqing.teachers.lasting, wuqing.teachers.signal):
        assert values.mean() == pytest.approx(0, abs=4 / values.size**0.5)
        assert values.std() == pytest.approx(1, abs=4 / values.size**0.5)
    by_setting = [
        wuqing.families.ses[wuqing.catchments.setting[wuqing.families.catchment] == s].mean() for s in Setting
    ]
    assert np.ptp(by_setting) < 0.05


def test_students_lie_oldest_first_and_every_grade_is_its_cohort(wuqing: Region) -> None:
    students = wuqing.students
    assert (np.diff(students.grade.astype(int)) <= 0).all()
    assert (students.cohort + students.grade == wuqing.base_year + 1).all()
    assert np.array_equal(students.key, wuqing.families.key)
    assert np.unique(students.key).size == students.n


def test_the_same_child_is_drawn_whoever_else_enters(village: Region) -> None:
    counts = entrants_by_catchment(village, 2025)
    alone = np.zeros_like(counts)
    alone[3] = counts[3] + 5
    families, pupils = entrants(village, 2025, counts)
    few_families, few_pupils = entrants(village, 2025, alone)
    here = families["catchment"] == 3
    for many, few in ((families, few_families), (pupils, few_pupils)):
        for column, values in many.items():
            assert np.array_equal(values[here], few[column][: counts[3]]), column


@settings(max_examples=15, deadline=None)
@given(st.integers(1996, 2045))
def test_entrants_of_any_year_are_as_many_as_the_cohort(village: Region, year: int) -> None:
    counts = entrants_by_catchment(village, year)
    assert counts.sum() == round(float(cohort_size(village, year).sum()))
    assert counts.min() >= 0


def test_a_region_can_be_peopled_as_of_an_earlier_year(village: Region) -> None:
    region = village.copy()
    populate(region, 2004)
    sizes = [round(float(cohort_size(region, year).sum())) for year in range(1996, 2005)]
    assert np.bincount(region.students.grade, minlength=10)[1:].tolist() == sizes[::-1]


# --- the same, or another


def test_the_same_seed_builds_the_same_region_and_another_seed_another() -> None:
    first, again, other = build_region("village", 7), build_region("village", 7), build_region("village", 8)
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != other.fingerprint()
    assert other.students.n == first.students.n


def test_a_built_region_is_saved_and_loaded_whole(village: Region, tmp_path: Path) -> None:
    village.save(tmp_path / "village.npz")
    assert Region.load(tmp_path / "village.npz").fingerprint() == village.fingerprint()


def test_another_region_has_other_people_under_the_same_seed(wuqing: Region, village: Region) -> None:
    assert not set(wuqing.teachers.key) & set(village.teachers.key)
    assert not set(wuqing.schools.key) & set(village.schools.key)
    assert key_of_name("wuqing") != key_of_name("village")


# --- profiles


def test_every_figure_of_a_profile_carries_its_mark() -> None:
    for name in profiles():
        facts = build_region(name).facts
        assert len(facts) > 150
        for fact in facts:
            assert fact["kind"] in ("measured", "derived", "assumed"), fact
            assert fact["source"], fact
            if fact["low"] is not None:
                assert fact["low"] <= fact["value"] <= fact["high"], fact


def profile_with(old: str, new: str, folder: Path) -> Path:
    """The village profile with one change."""
    text = (FOLDER / "village.yaml").read_text(encoding="utf-8")
    assert old in text
    path = folder / "mine.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_a_profile_of_ones_own_is_read_and_may_replace_a_default(tmp_path: Path) -> None:
    block = "boarding_share: {value: 1, kind: assumed, source: a test}\nprimary_grades: 6"
    region = build_region(profile_with("primary_grades: 6", block, tmp_path))
    town_juniors = region.schools.town_seat & region.schools.has[:, 1]
    assert region.schools.boarding[town_juniors].all()


def test_five_four_schooling_puts_grade_six_into_junior_schools(tmp_path: Path) -> None:
    region = build_region(profile_with("primary_grades: 6", "primary_grades: 5", tmp_path))
    sixth = region.students.school[region.students.grade == 6]
    assert region.schools.has[sixth, 1].all()
    assert region.schools.enrolment.sum(axis=0).tolist() == [1400, 600]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("base_year", "bas_year", "did you mean 'base_year'"),
        ("    strength", "    stength", "did you mean 'strength'"),
        ("primary_grades: 6", "primary_grades: six", "a whole number"),
        ("value: 260", "value: many", "a number"),
        ("value: 260, unit", "value: 260, kind: guessed, unit", "kind: one of measured, derived, assumed"),
        ("urban: 1, town: 2, village: 2", "urban: 1, town: 2", "no village"),
        ("    towns: [晓溪镇, 竹屏镇]", "    towns: []", "town schools"),
        ("nine_year: {urban: 0, town: 1", "nine_year: {urban: 0, town: 2", "at most 1"),
        ("name: village", "name: village\nname: village", "a second time"),
    ],
)
def test_a_wrong_profile_is_refused_with_what_was_expected(old: str, new: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        build_region(profile_with(old, new, tmp_path))
    assert says in str(refused.value)


def test_a_deficit_beyond_the_whole_need_is_refused(tmp_path: Path) -> None:
    sports: dict[str, Any] = {
        "old": "    grade_c_m2: {value: 300",
        "deficit": "value: 1e9, unit: m2, kind: assumed, source: x",
    }
    block = (
        "    indicators:\n      sports_area:\n        kind: assumed\n        source: x\n"
        f"        cv: {{primary: 0.5, junior: 0.4}}\n        deficit: {{{sports['deficit']}}}\n" + sports["old"]
    )
    with pytest.raises(InputError, match="whole need"):
        build_region(profile_with(sports["old"], block, tmp_path))


def test_an_unknown_profile_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'wuqing'"):
        build_region("wuqin")


def test_a_profile_that_leaves_out_its_districts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.yaml"
    path.write_text("name: bare\ntitle: {en: Bare, zh: 空}\nbase_year: 2019\nprimary_grades: 6\n", encoding="utf-8")
    with pytest.raises(InputError, match="no districts"):
        read_profile(path)
