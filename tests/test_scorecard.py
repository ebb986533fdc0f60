"""A planner's table against the national standard: does the verdict follow from the table alone?"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW

from calibration.columns import table_spec
from calibration.region_import import import_region
from calibration.school_table import STOCKS, read_schools
from calibration.scorecard import County, document, judged
from calibration.tables import Read
from calibration.tolerances import chosen
from experiments.scenario import load_scenario
from model.behaviour import load_behaviour
from model.build import build_region
from model.burn_in import burn_in
from model.errors import InputError
from model.national_standard import INDICATORS, score, standard, stocks_of
from model.region import Kind, Region, Subject
from model.simulate import simulate

STAGES = ("primary", "junior")
PER = dict(zip(STOCKS, (100, 100, 100, 1, 1, 1, 100), strict=True))
LINE = {  # 教督〔2017〕6号, written out once more
    "primary": dict(zip(STOCKS, ("4.2", "1", "0.9", "4.5", "7.5", "2000", "2.3"), strict=True)),
    "junior": dict(zip(STOCKS, ("5.3", "1", "0.9", "5.8", "10.2", "2500", "2.4"), strict=True)),
}
LIMIT = {"primary": 0.50, "junior": 0.45}
Row = dict[str, Any]


def table(rows: list[Row]) -> Read:
    """Rows as they are after reading."""
    spec = table_spec("schools")
    columns: dict[str, Any] = {}
    for name in {name for row in rows for name in row}:
        text = spec.columns[name].type in ("text", "choice")
        values = [row.get(name, "" if text else math.nan) for row in rows]
        columns[name] = np.array(values, object if text else float)
    return Read(Path("schools.csv"), "", spec, columns, np.arange(2, len(rows) + 2), {})


def written(path: Path, rows: list[Row]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names)] + [",".join(str(row.get(name, "")) for name in names) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def stocked(stage: str, pupils: int, times: float = 2.0, **other: Any) -> Row:
    """A school of one stage with so many times the standard of everything."""
    stock = {name: float(Fraction(LINE[stage][name])) * times * pupils / PER[name] for name in STOCKS}
    return {"school": f"{stage} {pupils}", "stage": stage, "pupils": pupils, **stock, **other}


def scored(rows: list[Row], **options: Any) -> dict[str, Any]:
    return document(judged(table(rows), **options))


# --- an independent implementation


def by_hand(rows: list[Row]) -> tuple[dict[str, list[tuple[float, dict[str, float]]]], bool]:
    """Each stage's schools, (pupils, value of each indicator), and the verdict: school by school, by statsmodels."""
    held: dict[str, list[tuple[float, dict[str, float]]]] = {stage: [] for stage in STAGES}
    for row in rows:
        several = row["stage"] == "nine-year"
        pupils = {s: row[f"{s}_pupils"] if several else row["pupils"] * (row["stage"] == s) for s in STAGES}
        weight = {"primary": pupils["primary"], "junior": 1.1 * pupils["junior"]}
        for stage in STAGES:
            if pupils[stage] == 0:
                continue
            share = weight[stage] / (weight["primary"] + weight["junior"])
            values = {}
            for name in STOCKS[:3]:
                values[name] = row[f"{stage}_{name}" if several else name] * 100 / pupils[stage]
            for name in STOCKS[3:]:
                values[name] = row[name] * share * PER[name] / pupils[stage]
            held[stage].append((pupils[stage], values))
    passed = True
    for stage in STAGES:
        for _, values in held[stage]:
            ratio = sorted(values[name] / float(LINE[stage][name]) for name in STOCKS)
            passed &= ratio[0] >= 0.85 and ratio[1] >= 1
        for name in STOCKS if held[stage] else ():
            passed &= variation(held[stage], name) <= LIMIT[stage]
    return held, bool(passed)


def variation(schools: list[tuple[float, dict[str, float]]], name: str) -> float:
    found = DescrStatsW([values[name] for _, values in schools], weights=[pupils for pupils, _ in schools], ddof=0)
    return float(found.std / found.mean) if found.mean > 0 else math.nan


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    made = []
    spread = draw(st.sampled_from([0.05, 0.4, 1.2]))  # counties that pass, that may, that do not
    ratios = st.floats(1.1 - spread / 2, 1.1 + spread).map(lambda x: max(x, 0.01))
    for number in range(draw(st.integers(1, 7))):
        stage = draw(st.sampled_from(["primary", "junior", "nine-year"]))
        pupils = draw(st.integers(1, 3000))
        row: Row = {"school": f"school {number}", "stage": stage, "pupils": pupils}
        if stage == "nine-year":
            row["primary_pupils"] = draw(st.integers(0, pupils))
            row["junior_pupils"] = pupils - row["primary_pupils"]
        for name in STOCKS:
            need = float(LINE["primary" if stage == "primary" else "junior"][name]) / PER[name]
            if stage == "nine-year" and name in STOCKS[:3]:
                for part in STAGES:
                    row[f"{part}_{name}"] = math.ceil(row[f"{part}_pupils"] * need * draw(ratios))
            else:
                stock = pupils * need * draw(ratios)
                row[name] = round(stock) if name in STOCKS[:3] else round(stock, 2)
        made.append(row)
    return made


def agrees(made: list[Row], found: dict[str, Any]) -> None:
    held, passed = by_hand(made)
    nearly = []
    for stage in STAGES:
        assert (stage in found["county"]) is bool(held[stage])
        own = [school for school in found["schools"] if school["stage"] == stage]
        assert [school["pupils"] for school in own] == [pupils for pupils, _ in held[stage]]
        for school, (_, values) in zip(own, held[stage], strict=True):
            for name in STOCKS:
                assert school["values"][name] == pytest.approx(values[name], rel=1e-12)
                ratio = values[name] / float(LINE[stage][name])
                nearly += [abs(ratio - 1), abs(ratio - 0.85)]
        for name in STOCKS if held[stage] else ():
            card, cv = found["county"][stage][name], variation(held[stage], name)
            assert card["cv"] == (None if math.isnan(cv) else pytest.approx(cv, abs=1e-9))
            assert card["limit"] == LIMIT[stage]
            nearly.append(abs(cv - LIMIT[stage]))
    if min(nearly) > 1e-9:  # where rounding cannot decide
        assert found["passed"] is passed


@settings(max_examples=300, deadline=None)
@given(rows())
def test_the_score_agrees_with_weighted_statistics_of_statsmodels_and_the_rule_told_slowly(made: list[Row]) -> None:
    agrees(made, scored(made))


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(rows())
def test_it_agrees_on_thousands_of_tables(made: list[Row]) -> None:
    agrees(made, scored(made))


@settings(max_examples=40, deadline=None)
@given(rows())
def test_it_agrees_when_the_table_goes_through_a_file(tmp_path_factory: Any, made: list[Row]) -> None:
    path = written(tmp_path_factory.mktemp("tables") / "schools.csv", made)
    agrees(made, document(judged(read_schools(path))))


# --- published examples


def test_the_published_example_of_a_coefficient_of_variation() -> None:
    """Pupils 45, 37, 89, 76, 55 and books 279, 137, 935, 160, 402: 0.515 when weighted."""
    made = [
        stocked("primary", pupils, school=str(i), equipment_yuan=float(books))
        for i, (pupils, books) in enumerate(zip((45, 37, 89, 76, 55), (279, 137, 935, 160, 402), strict=True))
    ]
    card = scored(made)["county"]["primary"]["equipment_yuan"]
    assert card["cv"] == pytest.approx(0.515, abs=5e-4)
    assert card["mean"] == pytest.approx(6.334, abs=5e-4)


def nine_year(primary: int, junior: int, **stock: float) -> Row:
    row: Row = {"school": "九年", "stage": "nine-year", "primary_pupils": primary, "junior_pupils": junior}
    row |= {f"{part}_{name}": 50.0 for part in STAGES for name in STOCKS[:3]}
    return row | dict.fromkeys(STOCKS[3:], 1e6) | stock


def test_the_published_example_of_a_nine_year_school() -> None:
    """166 and 210 pupils share 23,226: 9,711.6 and 13,514.4."""
    found = scored([nine_year(166, 210, equipment_yuan=23226.0)])["schools"]
    assert [s["values"]["equipment_yuan"] * s["pupils"] for s in found] == pytest.approx([9711.6, 13514.4], abs=0.05)


def test_complete_and_twelve_year_schools_share_with_their_senior_stage() -> None:
    junior = {f"junior_{name}": 60.0 for name in STOCKS[:3]}
    primary = {f"primary_{name}": 60.0 for name in STOCKS[:3]}
    area = dict.fromkeys(STOCKS[3:], 3420.0)
    complete = {"school": "完中", "stage": "complete", "pupils": 300, "senior_pupils": 500, **junior, **area}
    parts = {"primary_pupils": 100, "junior_pupils": 100, "senior_pupils": 100}
    twelve = {"school": "十二年", "stage": "twelve-year", **parts, **primary, **junior, **area}
    found = {(s["school"], s["stage"]): s["values"]["sports_area_m2"] for s in scored([complete, twelve])["schools"]}
    assert found["完中", "junior"] == pytest.approx(3420 * 300 / (300 + 1.2 * 500) / 300)
    assert found["十二年", "primary"] == pytest.approx(1000 / 100)
    assert found["十二年", "junior"] == pytest.approx(1100 / 100)
    assert len(found) == 3


# --- a simulated year

OF_INDICATOR = dict(zip(STOCKS, INDICATORS, strict=True))


def as_table(region: Region, district: int | None) -> list[Row]:
    """A region's schools as a planner would write them down: raw stocks, a row a school."""
    made = []
    schools, teachers = region.schools, region.teachers
    flags = (teachers.degree_above, teachers.backbone > 0, teachers.subject != Subject.CORE)
    for i in np.flatnonzero(region.open_schools(region.year) & ((schools.district == district) | (district is None))):
        pupils = schools.enrolment[i].tolist()
        row: Row = {"school": schools.name[i], "kind": Kind(schools.kind[i]).name.lower()}
        counted = {
            (stage, name): int((flag & (teachers.school == i) & (teachers.stage == stage)).sum())
            for stage in (0, 1)
            for name, flag in zip(STOCKS, flags, strict=False)
        }
        row |= {name: float(getattr(schools, OF_INDICATOR[name])[i]) for name in STOCKS[3:]}
        row["sports_area_m2"] += float(schools.shared_sports[i])
        if min(pupils) > 0:
            row |= {"stage": "nine-year", "primary_pupils": pupils[0], "junior_pupils": pupils[1]}
            row |= {f"{STAGES[stage]}_{name}": count for (stage, name), count in counted.items()}
        else:
            own = int(pupils[1] > 0)
            row |= {"stage": STAGES[own], "pupils": pupils[own]}
            row |= {name: count for (stage, name), count in counted.items() if stage == own}
        made.append(row)
    return made


def test_a_simulated_year_is_what_the_score_says_of_its_schools_written_down_as_a_table(tmp_path: Path) -> None:
    """The run's own coefficients, means, shortfalls and shares are those of `junheng score` on the exported table."""
    behaviour, before = load_behaviour(), load_scenario("baseline").policy
    settled = burn_in(build_region("village"), behaviour, before)
    history = simulate(settled, load_scenario("wuqing-2020-2022").policy, behaviour, seed=3, years=2)
    region, told = history.region, history.indicators
    places = {("region", region.name): None}
    places |= {("district", str(name)): d for d, name in enumerate(region.districts.name_en)}
    for (level, place), district in places.items():
        path = written(tmp_path / f"{place}.csv", as_table(region, district))
        found = document(judged(read_schools(path)))
        here = (told["year"] == region.year) & (told["level"] == level) & (told["place"] == place)
        run = {
            (stage, name): value
            for stage, name, value in zip(
                told["stage"][here], told["indicator"][here], told["value"][here], strict=True
            )
        }
        for stage in STAGES:
            for name in STOCKS:
                card = found["county"][stage][name]
                for ours, theirs in (("cv", "cv"), ("mean", "mean"), ("shortfall", "shortfall")):
                    value = run[stage, f"{ours}.{OF_INDICATOR[name]}"]
                    assert card[theirs] == pytest.approx(value, rel=1e-9, abs=1e-9)
            own = [school["passed"] for school in found["schools"] if school["stage"] == stage]
            assert run[stage, "schools_passing"] == pytest.approx(np.mean(own))
            assert run[stage, "cvs_passed"] == sum(card["passed"] for card in found["county"][stage].values())
        assert run["all", "standard_met"] == found["passed"]


def test_a_region_made_of_a_table_scores_as_the_table_does(tmp_path: Path) -> None:
    path = written(tmp_path / "schools.csv", as_table(build_region("village"), None))
    found = document(judged(read_schools(path)))["county"]
    for card in score(stocks_of(import_region(path).region)):
        told = found[STAGES[card.stage]]
        assert card.cv == pytest.approx([told[name]["cv"] for name in STOCKS], rel=1e-12)
        assert card.shortfall.sum(axis=0) == pytest.approx([told[name]["shortfall"] for name in STOCKS], abs=1e-6)


# --- a hair on each side of each rule

HAIR = 1e-6


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", STOCKS)
def test_one_indicator_may_miss_the_standard_but_not_85_percent_of_it(stage: str, name: str) -> None:
    for ratio, passes in ((0.85 + HAIR, True), (0.85 - HAIR, False)):
        row = stocked(stage, 400, 1.0 + HAIR)
        row[name] *= ratio / (1 + HAIR)
        assert scored([row])["passed"] is passes


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("one", "other"), [(0, 6), (3, 4), (2, 5)])
def test_six_indicators_must_be_met_and_a_hair_below_is_not_met(stage: str, one: int, other: int) -> None:
    for ratio, passes in ((1 + HAIR, True), (1 - HAIR, False)):
        row = stocked(stage, 400, 1.0 + HAIR)
        row[STOCKS[one]] *= 0.9
        row[STOCKS[other]] *= ratio / (1 + HAIR)
        found = scored([row])
        assert found["passed"] is passes
        assert found["schools"][0]["met"] == (6 if passes else 5)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", STOCKS)
def test_every_coefficient_must_be_within_the_limit_of_its_stage(stage: str, name: str) -> None:
    for cv, passes in ((LIMIT[stage] - HAIR, True), (LIMIT[stage] + HAIR, False)):
        low, high = (stocked(stage, 500, 4.0, school=school) for school in ("low", "high"))
        low[name] *= 1 - cv
        high[name] *= 1 + cv
        found = scored([low, high])
        assert all(school["passed"] for school in found["schools"])
        assert found["passed"] is passes
        assert found["county"][stage][name]["passed"] is passes


@pytest.mark.parametrize(
    ("name", "pupils", "stock"),
    [("sports_area_m2", 49, 367.5), ("equipment_yuan", 49, 98000.0), ("teaching_area_m2", 479, 2155.5)],
)
def test_a_school_exactly_on_the_standard_meets_it(name: str, pupils: int, stock: float) -> None:
    row = stocked("primary", pupils) | {name: stock}
    assert scored([row])["schools"][0]["met"] == 7


def test_a_teaching_point_counts_from_fifty_pupils_and_a_small_school_always() -> None:
    for pupils, kind, counts in ((49, "teaching_point", False), (50, "teaching_point", True), (12, "district", True)):
        bad = stocked("primary", pupils, 0.1, kind=kind)
        found = scored([stocked("primary", 800), bad])
        assert found["passed"] is not counts
        assert len(found["outside"]) == (not counts)


@pytest.mark.parametrize(
    ("kind", "asked", "counts"), [("private", False, 0), ("private", True, 1), ("special", True, 0)]
)
def test_private_schools_count_if_asked_and_special_schools_never(kind: str, asked: bool, counts: int) -> None:
    found = scored([stocked("primary", 800), stocked("primary", 500, 0.1, kind=kind)], private=asked)
    assert len(found["schools"]) == 1 + counts
    assert found["passed"] is not bool(counts)


def test_indoor_sports_space_is_taken_from_the_teaching_area() -> None:
    row = stocked("primary", 400, indoor_sports_m2=600.0)
    assert scored([row])["schools"][0]["values"]["teaching_area_m2"] == pytest.approx(9.0 - 1.5)


# --- tolerances


def test_itinerant_teachers_count_in_village_schools_of_50_to_99_pupils_only() -> None:
    for setting, pupils, counts in (
        ("village", 99, True),
        ("village", 100, False),
        ("village", 49, False),
        ("town", 60, False),
    ):
        row = stocked("primary", pupils, pe_art_teachers=0.0, itinerant_pe_art_teachers=2.0, setting=setting)
        plain = scored([row])["schools"][0]["values"]["pe_art_teachers"]
        eased = scored([row], tolerances=chosen(["itinerant-teachers"]))["schools"][0]["values"]["pe_art_teachers"]
        assert plain == 0
        assert eased == (pytest.approx(200 / pupils) if counts else 0)


def test_grounds_nearby_count_in_urban_schools_only() -> None:
    for setting, more in (("urban", 1.0), ("village", 0.0)):
        row = stocked("primary", 400, nearby_sports_m2=400.0, setting=setting)
        eased = scored([row], tolerances=chosen(["nearby-grounds"]))["schools"][0]["values"]["sports_area_m2"]
        assert eased == pytest.approx(15.0 + more)


def support_of(row: Row, item: str, *names: str) -> bool:
    found = scored([row], tolerances=chosen(list(names)))["support"]
    return next(one["passed"] for one in found if one["item"] == item)


@pytest.mark.parametrize(
    ("row", "item", "names", "passes"),
    [
        (stocked("primary", 2000), "school_size", [], True),
        (stocked("primary", 2001), "school_size", [], False),
        (nine_year(1200, 1300), "school_size", [], True),
        (nine_year(1200, 1301), "school_size", [], False),
        (stocked("primary", 2400, built=2010.0), "school_size", ["older-schools"], True),
        (stocked("primary", 2401, built=2010.0), "school_size", ["older-schools"], False),
        (stocked("primary", 2400, built=2011.0), "school_size", ["older-schools"], False),
        (stocked("primary", 2400, migrant_share=0.51), "school_size", ["older-schools"], True),
        (stocked("primary", 2400, migrant_share=0.50), "school_size", ["older-schools"], False),
        (nine_year(1500, 1500, built=1999.0), "school_size", ["older-schools"], True),
        (stocked("primary", 400, largest_class=45.0), "class_size", [], True),
        (stocked("primary", 400, largest_class=46.0), "class_size", [], False),
        (stocked("junior", 400, largest_class=50.0), "class_size", [], True),
        (stocked("junior", 400, largest_class=51.0), "class_size", [], False),
        (stocked("primary", 400, classes=12.0, music_rooms=1.0), "music_rooms", [], True),
        (stocked("primary", 400, classes=13.0, music_rooms=1.0), "music_rooms", [], False),
        (stocked("primary", 400, music_room_m2=96.0), "music_room_m2", [], True),
        (stocked("primary", 400, music_room_m2=95.0, built=2016.0), "music_room_m2", [], False),
        (stocked("primary", 400, music_room_m2=73.0, built=2016.0), "music_room_m2", ["older-art-rooms"], True),
        (stocked("primary", 400, music_room_m2=72.0, built=2016.0), "music_room_m2", ["older-art-rooms"], False),
        (stocked("primary", 400, art_room_m2=67.0, built=2017.0), "art_room_m2", ["all"], False),
        (
            stocked("junior", 99, art_room_m2=61.0, built=2000.0, setting="village", largest_class=29.0),
            "art_room_m2",
            ["older-art-rooms"],
            True,
        ),
    ],
)
def test_support_indicators_and_their_tolerances(row: Row, item: str, names: list[str], passes: bool) -> None:
    if names == ["all"]:
        row = row | {"setting": "town", "nearby_sports_m2": 0.0, "itinerant_pe_art_teachers": 0.0}
    assert support_of(row, item, *names) is passes


def test_support_indicators_do_not_enter_the_verdict() -> None:
    found = scored([stocked("primary", 2600)])
    assert found["passed"] is True
    assert found["support"][0]["passed"] is False


def test_a_tolerance_that_cannot_be_judged_or_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="setting"):
        scored([stocked("primary", 60)], tolerances=chosen(["itinerant-teachers"]))
    with pytest.raises(InputError, match="nearby-grounds"):
        chosen(["nearby-ground"])


# --- what it would take


@settings(max_examples=60, deadline=None)
@given(rows())
def test_filling_every_gap_makes_every_school_pass_and_the_lifts_make_their_coefficients_pass(made: list[Row]) -> None:
    county = judged(table(made))
    for card, raised in zip(county.cards, county.lifts, strict=True):
        stock = card.values / standard().per * card.pupils[:, None]
        lifted = stock + card.shortfall
        line = standard().per_pupil[card.stage] * card.pupils[:, None]
        assert (lifted >= line * (1 - 1e-12)).all()
        over = np.flatnonzero(card.cv > card.limit).tolist()
        assert [lift.indicator for lift in raised] == [INDICATOR_NAMES[k] for k in over]
        for lift in raised:
            assert (lift.add >= 0).all()
            assert lift.after <= lift.limit
            assert lift.before > lift.limit


INDICATOR_NAMES = tuple(table_spec("schools").columns[name].stock for name in STOCKS)


def test_where_meeting_the_standard_is_enough_it_is() -> None:
    made = [stocked("primary", 500, times, school=str(times)) for times in (0.2, 1.0, 1.5)]
    found = scored(made)
    assert found["lifts"]
    assert all(lift["meeting_the_standard_is_enough"] for lift in found["lifts"])
    met = [row | {name: max(row[name], stocked("primary", 500, 1.0)[name]) for name in STOCKS} for row in made]
    assert all(card["passed"] for card in scored(met)["county"]["primary"].values())


def test_a_county_without_anything_of_an_indicator_has_no_coefficient_and_fails() -> None:
    found = scored([stocked("primary", 500, backbone_teachers=0.0), stocked("primary", 400, backbone_teachers=0.0)])
    assert found["county"]["primary"]["backbone_teachers"]["cv"] is None
    assert found["passed"] is False


def test_a_table_of_nothing_in_scope_does_not_pass() -> None:
    county: County = judged(table([stocked("primary", 30, kind="teaching_point")]))
    assert county.passed is False
    assert document(county)["county"] == {}
