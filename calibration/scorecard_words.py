"""How a scorecard is worded for people: indicators, units and amounts in English and Chinese."""

from __future__ import annotations

import math

from calibration.school_table import stock_column
from model.national_standard import standard

UNITS = {  # of a value, and of the raw stock
    "degree_above": ("人/百生", "teachers", "人"),
    "backbone_teachers": ("人/百生", "teachers", "人"),
    "pe_art_teachers": ("人/百生", "teachers", "人"),
    "teaching_area": ("平方米/生", "m²", "平方米"),
    "sports_area": ("平方米/生", "m²", "平方米"),
    "equipment": ("元/生", "yuan", "元"),
    "multimedia_rooms": ("间/百生", "rooms", "间"),
}
LABELS = {
    "degree_above": "teachers above degree",
    "backbone_teachers": "backbone teachers",
    "pe_art_teachers": "PE and art teachers",
    "teaching_area": "teaching area",
    "sports_area": "sports area",
    "equipment": "equipment",
    "multimedia_rooms": "multimedia rooms",
}
WORDS = {
    "primary": ("primary", "小学"),
    "junior": ("junior", "初中"),
    "comma": (", ", "、"),
    "semicolon": ("; ", "；"),
    "passes": ("PASSES the seven resource indicators.", "七项资源配置指标：达标。"),
    "fails": ("DOES NOT PASS the seven resource indicators.", "七项资源配置指标：不达标。"),
    "stage_verdict": (
        "{stage}: {n} schools, {pupils} pupils; {failing} schools fail; {over} of 7 coefficients over the limit{which}",
        "{stage}：{n}所，{pupils}名学生；{failing}所学校不达标；7项差异系数中{over}项超限{which}",
    ),
    "listed": (" ({names})", "（{names}）"),
    "outside": ("not judged: {counted}", "不在评估范围：{counted}"),
    "out_special": ("special schools", "特殊教育学校"),
    "out_teaching_point": ("teaching points below 50 pupils", "不足50人的教学点"),
    "out_private": ("private schools (--private judges them)", "民办学校（加 --private 计入）"),
    "out_other": ("other schools", "其他学校"),
    "tolerances": ("tolerances: {names}", "适用放宽条件：{names}"),
    "county_title": (
        "County, {stage}: coefficient of variation at most {limit}",
        "县域{stage}：校际差异系数不高于{limit}",
    ),
    "indicator": ("indicator", "指标"),
    "unit": ("unit", "单位"),
    "standard": ("standard", "标准"),
    "mean": ("mean", "均值"),
    "cv": ("CV", "差异系数"),
    "limit": ("limit", "限值"),
    "within": ("within", "是否达标"),
    "below": ("schools below", "未达标校"),
    "missing": ("missing in all", "缺口合计"),
    "failing_title": (
        "Schools that fail: {n} (a school passes with 6 of 7 met and the other at 85 % or more; ↓ below 85 %)",
        "不达标学校：{n}所（至少6项达标、余项不低于标准的85%方为达标；↓为低于85%）",
    ),
    "school": ("school", "学校"),
    "district": ("district", "县区"),
    "stage": ("stage", "学段"),
    "pupils": ("pupils", "学生"),
    "met": ("met", "达标项"),
    "passed": ("passes", "是否达标"),
    "lacks": ("below the standard at: value (+ missing)", "未达标项：现值（+缺口）"),
    "more_schools": (
        "… and {n} more: --out FILE.xlsx or --json lists all.",
        "……另有{n}所：用 --out 文件.xlsx 或 --json 列出全部。",
    ),
    "lift_title": (
        "The least additions that bring each coefficient within its limit (nothing is taken from any school):",
        "使差异系数达标的最少增量（只增不减）：",
    ),
    "lift": (
        "{stage}, {indicator}: CV {before} → {limit} with {total}{cost} in {n} schools, each up to {level}: {schools}",
        "{stage}{indicator}：差异系数 {before} → {limit}，需增加{total}{cost}，涉及{n}所，均补至{level}：{schools}",
    ),
    "costs": (" (about {yuan})", "（约{yuan}）"),
    "costs_yearly": (" (about {yuan} a year)", "（每年约{yuan}）"),
    "enough": ("  Meeting the standard everywhere is enough.", "  各校达到标准即可满足。"),
    "and_more": (", …", "等"),
    "support_title": (
        "Support indicators that the table shows (not part of the verdict above):",
        "本表可判断的政府保障指标（不计入上述结论）：",
    ),
    "school_size": ("pupils of a school", "学校规模"),
    "class_size": ("pupils of the largest class", "最大班额"),
    "music_rooms": ("music rooms, 1 to 12 classes", "音乐教室（每12班1间）"),
    "art_rooms": ("art rooms, 1 to 12 classes", "美术教室（每12班1间）"),
    "music_room_m2": ("m² of the smallest music room", "最小音乐教室面积（平方米）"),
    "art_room_m2": ("m² of the smallest art room", "最小美术教室面积（平方米）"),
    "written": ("Written: {file}", "已写入：{file}"),
    # of the workbook
    "chart_over": ("{stage}: {n} of 7 coefficients over the limit: {names}", "{stage}：{n}项差异系数超限：{names}"),
    "chart_within": ("{stage}: all seven coefficients within the limit", "{stage}：七项差异系数均达标"),
    "sheet_county": ("County", "县域结果"),
    "sheet_schools": ("Schools", "学校指标"),
    "sheet_failing": ("Failing schools", "不达标学校"),
    "sheet_gaps": ("Missing", "达标缺口"),
    "sheet_lifts": ("Least additions", "差异系数补齐"),
    "sheet_support": ("Support indicators", "政府保障指标"),
    "sheet_notes": ("Notes", "说明"),
    "add": ("add", "增加"),
    "level": ("level reached", "补至"),
    "yuan": ("yuan", "元"),
    "cv_before": ("CV before", "原差异系数"),
    "cv_after": ("CV after", "补后差异系数"),
    "value": ("value", "现值"),
    "share": ("of the standard", "占标准"),
    "gap": ("missing", "缺口"),
    "gap_85": ("missing to 85 %", "距85%缺口"),
    "item": ("item", "项目"),
    "total": ("in all", "合计"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "rule_school": (
        "A school passes with at least 6 of 7 indicators at the standard and the other at 85 % of it or more.",
        "每所学校至少6项指标达标，余项不低于标准的85%。",
    ),
    "rule_cv": (
        "Every coefficient of variation (by pupils): primary at most {primary:.2f}, junior at most {junior:.2f}.",
        "所有指标校际差异系数（按学生数加权）：小学不高于{primary:.2f}，初中不高于{junior:.2f}。",
    ),
    "rule_split": (
        "Facilities of schools of several stages are shared by pupils weighted {weights}; teachers count by stage.",
        "一贯制学校、完全中学的设施按小学、初中、高中学生 {weights} 加权拆分；教师按学段计。",
    ),
    "rule_lift": (
        "Least additions: all schools below one level are raised to it, which is optimal where a unit costs the same "
        "everywhere; teachers and rooms in whole units. Lifts of different indicators are computed apart.",
        "最少增量：将低于某一水平的学校补至该水平（单位成本相同时为最优）；教师、教室按整数。各指标分别计算。",
    ),
    "rule_prices": (
        "Prices are the model's, assumptions where no source gives one: {prices}.",
        "单价为模型取值，无来源者为假设：{prices}。",
    ),
    "rule_source": (
        "Source: 教督〔2017〕6号, as restated in 武清政〔2020〕9号 and by a province; not the original wording.",
        "来源：教督〔2017〕6号，依武清政〔2020〕9号及省级办法转述，非原文。",
    ),
}


def say(word: str, lang: str, **values: object) -> str:
    """A word or sentence in `en` or `zh`."""
    return WORDS[word][lang == "zh"].format(**values)


def indicator(name: str, lang: str) -> str:
    """An indicator of the national standard."""
    return stock_column(name).zh.removesuffix("数") if lang == "zh" else LABELS[name]


def unit(name: str, lang: str) -> str:
    """The unit of an indicator's value."""
    if lang == "zh":
        return UNITS[name][0]
    return standard().unit[name].replace("m2", "m²").removeprefix("teachers ").removeprefix("rooms ")


def raw_unit(name: str, lang: str) -> str:
    """The unit of an indicator's stock."""
    return UNITS[name][2] if lang == "zh" else UNITS[name][1]


def number(value: float) -> str:
    """A value with as many digits as matter."""
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}".rstrip("0").rstrip(".")


def shown_below(value: float) -> str:
    """A value below a limit, rounded down so that it does not look as if it met it."""
    return number(math.floor(value) if value >= 1000 else math.floor(value * 100) / 100)


def amount(name: str, value: float, lang: str) -> str:
    """An amount of stock to be added, rounded up so that it is enough: whole teachers, rooms, m²; money as money."""
    if name == "equipment":
        return yuan_text(value, lang)
    whole = math.ceil(value - 1e-9)
    return f"{whole:,}{raw_unit(name, lang)}" if lang == "zh" else f"{whole:,} {_one(raw_unit(name, lang), whole)}"


def _one(word: str, count: int) -> str:
    return word.removesuffix("s") if count == 1 and word in ("teachers", "rooms") else word


def yuan_text(value: float, lang: str) -> str:
    """An amount of money as planners write it: 万元 and 亿元, or yuan."""
    if lang == "zh":
        return (
            f"{value / 1e8:,.2f}亿元"
            if value >= 1e8
            else f"{value / 1e4:,.1f}万元"
            if value >= 1e4
            else f"{value:,.0f}元"
        )
    return f"{value / 1e6:,.2f} million yuan" if value >= 1e6 else f"{math.ceil(value):,} yuan"
