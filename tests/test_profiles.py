"""The shipped regions tianjin, ninghe and zibo-town: do they hold what is published, and is the rest plausible?"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.build import _share_out, build_region
from model.errors import InputError
from model.national_standard import BY_TEACHERS, INDICATORS, score, stocks_of
from model.people import cohort_size
from model.profile import FOLDER
from model.region import Kind, Network, Region, Setting, Stage

# Residents of the census of 2020; longitude and latitude of the centroid of each district's polygon; its streets and
# towns in the statistical code of 2023; the districts it borders on.
TIANJIN = {
    "Heping": (355000, 117.190, 39.118, 6, 0, "Hebei Hedong Hexi Nankai"),
    "Hedong": (858787, 117.250, 39.122, 13, 0, "Dongli Hebei Heping Hexi"),
    "Hexi": (822174, 117.226, 39.072, 14, 0, "Dongli Hedong Heping Jinnan Nankai Xiqing"),
    "Nankai": (890422, 117.149, 39.108, 12, 0, "Hebei Heping Hexi Hongqiao Xiqing"),
    "Hebei": (647702, 117.209, 39.166, 10, 0, "Beichen Dongli Hedong Heping Hongqiao Nankai"),
    "Hongqiao": (483130, 117.145, 39.163, 9, 0, "Beichen Hebei Nankai Xiqing"),
    "Dongli": (857027, 117.403, 39.132, 11, 0, "Beichen Binhai Hebei Hedong Hexi Jinnan Ninghe"),
    "Xiqing": (1195124, 117.112, 39.027, 5, 7, "Beichen Binhai Hexi Hongqiao Jinghai Jinnan Nankai Wuqing"),
    "Jinnan": (928066, 117.382, 38.962, 3, 8, "Binhai Dongli Hexi Xiqing"),
    "Beichen": (909643, 117.168, 39.252, 8, 9, "Dongli Hebei Hongqiao Ninghe Wuqing Xiqing"),
    "Wuqing": (1151313, 117.021, 39.451, 6, 24, "Baodi Beichen Ninghe Xiqing"),
    "Baodi": (722367, 117.402, 39.608, 6, 18, "Jizhou Ninghe Wuqing"),
    "Binhai": (2067318, 117.565, 38.906, 16, 5, "Dongli Jinghai Jinnan Ninghe Xiqing"),
    "Ninghe": (395314, 117.651, 39.377, 2, 13, "Baodi Beichen Binhai Dongli Wuqing"),
    "Jinghai": (787106, 116.960, 38.854, 2, 18, "Binhai Xiqing"),
    "Jizhou": (795516, 117.430, 40.000, 1, 26, "Baodi"),
}
CENTRAL = ("Heping", "Hedong", "Hexi", "Nankai", "Hebei", "Hongqiao")
MUNICIPAL = {
    "南开中学": "Nankai",
    "天津一中": "Heping",
    "耀华中学": "Heping",
    "新华中学": "Hexi",
    "实验中学": "Hexi",
    "实验小学": "Heping",
}


@pytest.fixture(scope="module")
def tianjin() -> Region:
    return build_region("tianjin")


@pytest.fixture(scope="module")
def ninghe() -> Region:
    return build_region("ninghe")


@pytest.fixture(scope="module")
def zibo() -> Region:
    return build_region("zibo-town")


def row(region: Region, name: str) -> int:
    return int(np.flatnonzero(region.schools.name == name)[0])


def by_district(region: Region, values: NDArray[Any]) -> NDArray[np.float64]:
    """Sum over the schools of each district."""
    return np.bincount(region.schools.district, values, region.districts.n).astype(np.float64)


def district(region: Region, name: str) -> int:
    return list(region.districts.name_en).index(name)


# --- Tianjin: totals


def test_tianjin_has_its_published_pupils_and_schools(tianjin: Region) -> None:
    schools = tianjin.schools
    assert schools.enrolment.sum(axis=0).tolist() == [770_900, 355_000]
    assert (schools.has[:, Stage.PRIMARY] & ~schools.has[:, Stage.JUNIOR]).sum() == 884
    assert tianjin.base_year == 2022
    assert np.bincount(tianjin.teachers.stage) == pytest.approx([770_900 / 16.19, 355_000 / 12.72], abs=1)


def test_pupils_a_resident_lie_between_the_census_and_the_youngest_district(tianjin: Region) -> None:
    residents = np.array([TIANJIN[str(name)][0] for name in tianjin.districts.name_en])
    pupils = by_district(tianjin, tianjin.schools.enrolment.sum(axis=1))
    rate = pupils / residents
    assert rate[district(tianjin, "Jinghai")] == pytest.approx(79_954 / 776_400, rel=0.05)  # 2025, the highest known
    assert rate.max() < 0.11
    assert rate.min() > 0.055
    outer = tianjin.districts.ring == "outer"
    assert rate[outer].min() > rate[tianjin.districts.ring == "suburban_ring"].max()


def test_what_is_known_of_single_districts_holds(tianjin: Region, ninghe: Region) -> None:
    schools = tianjin.schools
    count = np.bincount(schools.district)
    pupils = by_district(tianjin, schools.enrolment.sum(axis=1))
    jinghai, wuqing = district(tianjin, "Jinghai"), district(tianjin, "Wuqing")
    assert count[jinghai] == 136
    teachers = np.bincount(schools.district[tianjin.teachers.school])
    assert pupils[jinghai] / teachers[jinghai] == pytest.approx(79_954 / 6_103, rel=0.02)
    assert 87_000 <= pupils[wuqing] <= 119_000
    assert 150 <= count[wuqing] <= 200
    assert pupils[district(tianjin, "Ninghe")] == pytest.approx(ninghe.students.n, rel=0.03)
    heping = schools.has[schools.district == district(tianjin, "Heping")]
    assert heping[:, Stage.PRIMARY].sum() == 19


def test_junior_pupils_of_each_district_come_near_its_share(tianjin: Region) -> None:
    primary, junior = (by_district(tianjin, tianjin.schools.enrolment[:, stage]) for stage in Stage)
    assert junior / junior.sum() == pytest.approx(primary / primary.sum(), rel=0.1)


def test_every_official_table_of_every_district_is_reproduced(tianjin: Region) -> None:
    for d in range(tianjin.districts.n):
        targets = tianjin.official["indicators"][d]
        for stage, card in enumerate(score(stocks_of(tianjin, d))):
            for i, name in enumerate(INDICATORS):
                whole = name in BY_TEACHERS or name == "multimedia_rooms"
                assert card.cv[i] == pytest.approx(targets[name]["cv"][stage], abs=0.02 if whole else 1e-3), (d, name)
                assert card.mean[i] == pytest.approx(targets[name]["mean"][stage], rel=0.01), (d, name)


# --- Tianjin: places


def test_every_district_has_the_streets_and_towns_of_the_statistical_code(tianjin: Region) -> None:
    towns = tianjin.towns
    for d, name in enumerate(tianjin.districts.name_en):
        here = towns.setting[towns.district == d]
        assert ((here == Setting.URBAN).sum(), (here == Setting.TOWN).sum()) == TIANJIN[str(name)][3:5], name
    assert tianjin.districts.n == 16
    assert len(set(towns.name_zh)) == towns.n  # so that a policy can name one
    assert len(set(tianjin.schools.name)) == len(set(tianjin.schools.key)) == tianjin.schools.n


def test_the_centre_is_urban_and_villages_lie_outward(tianjin: Region) -> None:
    schools, ring = tianjin.schools, tianjin.districts.ring[tianjin.schools.district]
    assert set(tianjin.districts.name_en[tianjin.districts.ring == "central"]) == set(CENTRAL)
    assert (schools.setting[ring == "central"] == Setting.URBAN).all()
    share = {
        name: schools.enrolment[(ring == name) & (schools.setting == Setting.VILLAGE), 0].sum()
        / schools.enrolment[ring == name, 0].sum()
        for name in ("central", "suburban_ring", "outer")
    }
    assert share["central"] < share["suburban_ring"] < share["outer"]


def test_practice_is_strongest_in_the_centre_and_weakest_outside(tianjin: Region) -> None:
    def practice(*names: str) -> float:
        rows = np.isin(tianjin.schools.district, [district(tianjin, name) for name in names])
        return float(tianjin.schools.practice_mean[rows].mean())

    ring = practice("Dongli", "Xiqing", "Jinnan", "Beichen")
    outer = practice("Wuqing", "Baodi", "Ninghe", "Jinghai", "Jizhou")
    assert practice("Heping", "Hexi", "Nankai") > practice("Hebei", "Hedong", "Hongqiao") > outer
    assert practice("Heping", "Hexi", "Nankai") > ring > outer


def haversine_km(a: str, b: str) -> float:
    (lon1, lat1), (lon2, lat2) = (np.radians(TIANJIN[name][1:3]) for name in (a, b))
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return float(2 * 6371.0 * np.arcsin(np.sqrt(h)))


def test_districts_lie_as_far_apart_as_on_the_globe(tianjin: Region) -> None:
    centre = {str(f["name"]): f["value"] for f in tianjin.facts if ".centre_km." in str(f["name"])}
    names = list(TIANJIN)
    for a, b in combinations(range(16), 2):
        east, north = (
            centre[f"districts.{a + 1}.centre_km.{way}"] - centre[f"districts.{b + 1}.centre_km.{way}"]
            for way in ("east", "north")
        )
        assert np.hypot(east, north) == pytest.approx(haversine_km(names[a], names[b]), rel=0.02, abs=0.2)


def test_districts_border_on_their_neighbours(tianjin: Region) -> None:
    towns = tianjin.towns
    far = np.hypot(towns.x_km[:, None] - towns.x_km, towns.y_km[:, None] - towns.y_km)
    members = [towns.district == d for d in range(16)]
    gap = np.array([[far[np.ix_(a, b)].min() for b in members] for a in members])
    np.fill_diagonal(gap, np.inf)
    names = [str(name) for name in tianjin.districts.name_en]
    found = wanted = 0
    for d, name in enumerate(names):
        borders = TIANJIN[name][5].split()
        nearest = {names[i] for i in np.argsort(gap[d])[: len(borders)]}
        found, wanted = found + len(nearest & set(borders)), wanted + len(borders)
    assert found / wanted > 0.8


def test_no_town_lies_in_the_middle_of_another_district(tianjin: Region) -> None:
    figure = {str(f["name"]): float(f["value"]) for f in tianjin.facts}
    towns = tianjin.towns
    for d in range(16):
        name = f"districts.{d + 1}"
        east, north, area = (figure[f"{name}.{of}"] for of in ("centre_km.east", "centre_km.north", "area_km2"))
        far = np.hypot(towns.x_km - east, towns.y_km - north) / np.sqrt(area / np.pi)
        assert (far[towns.district == d] <= 1 + 1e-9).all()
        assert (far[towns.district != d] > 0.4).all()  # near the centroid of a crescent such as Xiqing others do lie


# --- Tianjin: named schools and what stood before the programme


def test_the_six_municipal_schools_are_where_they_are_and_no_other_is_municipal(tianjin: Region) -> None:
    schools = tianjin.schools
    assert set(schools.name[schools.kind == Kind.MUNICIPAL]) == set(MUNICIPAL)
    for name, home in MUNICIPAL.items():
        at = row(tianjin, name)
        assert tianjin.districts.name_en[schools.district[at]] == home
        stage = Stage.PRIMARY if name == "实验小学" else Stage.JUNIOR
        assert schools.has[at].tolist() == [stage == Stage.PRIMARY, stage == Stage.JUNIOR]
        like = (schools.district == schools.district[at]) & (schools.kind == Kind.DISTRICT) & schools.has[:, stage]
        assert schools.practice_mean[at] > np.quantile(schools.practice_mean[like], 0.75), name
        served = tianjin.catchments.right[:, stage] == schools.right[at, stage]
        others = ~served & (tianjin.catchments.district == schools.district[at])
        for added in (tianjin.catchments.ses_place, tianjin.catchments.ability_place):
            assert added[served].mean() > added[others].mean()
    assert schools.enrolment[row(tianjin, "实验小学"), 0] == pytest.approx(2000, rel=0.02)


def test_programme_one_has_left_its_published_numbers(tianjin: Region) -> None:
    n, schools = tianjin.networks, tianjin.schools
    with_municipal, communities = n.kind == Network.COOPERATIVE, n.kind == Network.COMMUNITY
    assert with_municipal.sum() == 25
    assert (schools.district[n.member[with_municipal]] == district(tianjin, "Binhai")).sum() == 14
    pairs = set(zip(schools.district[n.lead[communities]], schools.district[n.member[communities]], strict=True))
    assert len(pairs) == 8
    assert np.unique(schools.zone).size == 215
    assert (n.since <= tianjin.base_year).all()
    assert (n.until > tianjin.base_year).all()


def test_ties_join_schools_that_can_help_with_schools_that_can_be_helped(tianjin: Region) -> None:
    n, schools = tianjin.networks, tianjin.schools
    assert (schools.has[n.lead] & schools.has[n.member]).any(axis=1).all()
    assert (schools.district[n.lead] != schools.district[n.member]).all()
    assert (schools.kind[n.member] == Kind.DISTRICT).all()
    with_municipal, communities = n.kind == Network.COOPERATIVE, n.kind == Network.COMMUNITY
    assert (schools.kind[n.lead[with_municipal]] == Kind.MUNICIPAL).all()
    assert (schools.practice_mean[n.lead[communities]] > schools.practice_mean[n.member[communities]]).all()
    for kind in (with_municipal, communities):
        assert np.unique(n.member[kind]).size == kind.sum()


def test_a_zone_lies_in_one_district(tianjin: Region) -> None:
    schools = tianjin.schools
    for zone in np.unique(schools.zone):
        assert np.unique(schools.district[schools.zone == zone]).size == 1


# --- Ninghe


def test_ninghe_lies_in_its_published_ranges_and_names_the_schools_of_the_group(ninghe: Region) -> None:
    schools = ninghe.schools
    assert 30_000 <= ninghe.students.n <= 41_000
    assert 50 <= schools.n <= 70
    assert 2_300 <= ninghe.teachers.n <= 3_100
    towns = {
        "芦台第一小学": "芦台街道",
        "芦台一小教育集团北淮淀示范镇小学": "北淮淀镇",
        "芦台一小教育集团现代产业园区小学": "廉庄镇",
    }
    for name, town in towns.items():
        at = row(ninghe, name)
        assert ninghe.towns.name_zh[schools.town[at]] == town
        assert schools.has[at].tolist() == [True, False]
    lead = row(ninghe, "芦台第一小学")
    primary = schools.has[:, Stage.PRIMARY] & (schools.setting == Setting.URBAN)
    assert schools.practice_mean[lead] > np.quantile(schools.practice_mean[primary], 0.8)


# --- Zibo


def test_zibo_has_five_primary_and_four_junior_grades(zibo: Region) -> None:
    assert zibo.grades == (5, 4)
    students, has = zibo.students, zibo.schools.has
    assert has[students.school[students.grade == 5], Stage.PRIMARY].all()
    assert has[students.school[students.grade == 6], Stage.JUNIOR].all()
    assert zibo.schools.enrolment.sum(axis=0).tolist() == [22_800, 17_300]
    assert zibo.base_year < 2021  # the pilot was announced in April 2021


def test_zibo_has_the_children_that_the_census_counted(zibo: Region) -> None:
    aged_5_to_9, aged_10_to_14 = 23_062, 21_644
    assert zibo.students.n == pytest.approx(aged_5_to_9 * 4 / 5 + aged_10_to_14, rel=0.01)
    # the cohort of 2020 is .65 of the mean of 2016-19; entrants are ⅔ of births six years back and ⅓ of seven
    births = {2016: 6039, 2019: 4953, 2020: 3553, 2021: 3139}
    of = [cohort_size(zibo, year).sum() for year in (2026, 2027)]
    assert of[1] / of[0] == pytest.approx(
        (2 * births[2021] + births[2020]) / (2 * births[2020] + births[2019]), rel=2e-3
    )


def test_the_pilot_town_has_strong_schools_at_its_seat_and_villages_around_it(zibo: Region) -> None:
    schools, town = zibo.schools, list(zibo.towns.name_zh).index("马桥镇")
    for name, stage in (("马桥镇中心小学", Stage.PRIMARY), ("马桥镇初级中学", Stage.JUNIOR)):
        at = row(zibo, name)
        assert schools.town_seat[at]
        assert schools.town[at] == town
        like = schools.town_seat & schools.has[:, stage]
        assert schools.practice_mean[at] > np.median(schools.practice_mean[like])
    assert (schools.setting[schools.town == town] == Setting.VILLAGE).any()
    assert (schools.setting == Setting.URBAN).any()


# --- what a profile may say of named schools and of ties


def village_with(folder: Path, *changes: tuple[str, str], after: str = "") -> Path:
    """The village profile with changes, and with text after it."""
    text = (FOLDER / "village.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "mine.yaml"
    path.write_text(text + after, encoding="utf-8")
    return path


GRADE_C = "    grade_c_m2: {value: 300, unit: m2}\n"


def named(entry: str) -> tuple[str, str]:
    return GRADE_C, f"{GRADE_C}    named:\n      - {{{entry}}}\n"


def test_a_named_school_takes_the_place_of_another(tmp_path: Path) -> None:
    entry = "name: 书院, stage: primary, setting: village, town: 竹屏镇, run_by: private, pupils: {primary: 100}"
    before, after = build_region("village"), build_region(village_with(tmp_path, named(entry)))
    at = row(after, "书院")
    assert after.towns.name_zh[after.schools.town[at]] == "竹屏镇"
    assert after.schools.kind[at] == Kind.PRIVATE
    assert after.schools.enrolment[at, 0] == pytest.approx(100, abs=2)
    for column in ("setting", "district"):
        assert sorted(getattr(after.schools, column)) == sorted(getattr(before.schools, column))
    assert after.schools.enrolment.sum(axis=0).tolist() == before.schools.enrolment.sum(axis=0).tolist()
    other = before.schools.key[~np.isin(before.schools.key, after.schools.key)]
    assert other.size == 1


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("name: 书院, stage: primary, setting: village, town: 禾丰镇", "unknown town"),
        ("name: 书院, stage: secondary, setting: village, town: 竹屏镇", "unknown stage"),
        ("name: 书院, stage: primary, setting: rural, town: 竹屏镇", "unknown setting"),
        ("name: 书院, stage: primary, setting: village, town: 竹屏镇, run_by: municipl", "did you mean 'municipal'"),
        ("name: 书院, stage: junior, setting: village, town: 竹屏镇", "more named schools"),
        ("name: 书院, stage: primary, setting: urban, town: 云岚街道, pupils: {primary: 331}", "at most 330"),
    ],
)
def test_a_named_school_that_cannot_be_is_refused(entry: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        build_region(village_with(tmp_path, named(entry)))


def networks(*ties: str) -> str:
    return "\nnetworks:\n  kind: assumed\n  source: a test\n" + "".join(f"  {tie}\n" for tie in ties)


def test_ties_of_the_base_year_are_read(tmp_path: Path) -> None:
    ties = networks("communities: [{helper: Yunlan, helped: Qiuhe, since: 2018, schools: 2}]", "zones: 2")
    region = build_region(village_with(tmp_path, after=ties))
    assert (region.networks.kind == Network.COMMUNITY).all()
    assert (region.schools.district[region.networks.lead] == 0).all()
    assert (region.schools.district[region.networks.member] == 1).all()
    assert region.networks.n == 2
    assert np.unique(region.schools.zone).size == 2


@pytest.mark.parametrize(
    ("tie", "says"),
    [
        ("communities: [{helper: Yunlan, helped: Qiuh, since: 2018, schools: 2}]", "did you mean 'Qiuhe'"),
        ("cooperative: [{parent: 总校, district: Qiuhe, since: 2018, schools: 2}]", "unknown school"),
        ("pairs: [{helper: Yunlan, helped: Qiuhe, since: 2018, schools: 2}]", "unknown key"),
    ],
)
def test_ties_to_what_is_not_there_are_refused(tie: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        build_region(village_with(tmp_path, after=networks(tie)))


def test_two_towns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="晓溪镇 a second time"):
        build_region(village_with(tmp_path, ("towns: [禾丰镇, 松塘镇]", "towns: [禾丰镇, 晓溪镇]")))


# --- junior areas


def cost(served: NDArray[Any], load: NDArray[Any], size: NDArray[Any], far: NDArray[Any]) -> float:
    """Σ (load − size)²/size over schools + Σ (km / 16)² over pupils, as the documentation states it."""
    fullness = sum((load[served == j].sum() - size[j]) ** 2 / size[j] for j in range(size.size))
    return float(fullness + sum(load[i] * (far[i, j] / 16.0) ** 2 for i, j in enumerate(served)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 4))
def test_no_move_of_one_catchment_to_another_junior_school_would_help(seed: int, places: int, schools: int) -> None:
    rng = np.random.default_rng(seed)
    load, far = rng.uniform(20, 300, places), rng.uniform(0, 20, (places, schools))
    size = rng.uniform(0.5, 1.5, schools)
    size *= load.sum() / size.sum()
    kept = np.where(rng.random(places) < 0.2, rng.integers(0, schools, places), -1)
    served = _share_out(load, size, far, kept)
    assert (served[kept >= 0] == kept[kept >= 0]).all()
    best = cost(served, load, size, far)
    for i in np.flatnonzero(kept < 0):
        for j in range(schools):
            moved = served.copy()
            moved[i] = j
            assert cost(moved, load, size, far) >= best - 1e-6
