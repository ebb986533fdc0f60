"""The readable summary of a run, in English or Chinese, for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from results.targets import SIGN

Json = Mapping[str, Any]
Say = Callable[[str], str]  # a word in the language chosen
BESIDE = 2  # scenarios side by side
LONGEST = 20  # letters of a scenario's name over its column

WORDS: dict[str, tuple[str, str]] = {
    "cv": ("Official CV between schools", "校际差异系数（官方口径）"),
    "headlines": ("Gaps, enrolment, satisfaction", "差距、生源与满意度"),
    "by_payer": ("Money by payer, million yuan", "按支付方的经费（百万元）"),
    "by_lever": ("Money by lever, all years, million yuan", "按政策工具的经费（全部学年，百万元）"),
    "targets": ("Targets", "目标"),
    "notices": ("Notices", "提示"),
    "differences": ("Difference in {year}, paired on shared draws", "{year} 学年的差异（同一随机数配对）"),
    "stage": ("stage", "学段"),
    "limit": ("limit", "上限"),
    "lever": ("lever", "政策工具"),
    "real": ("real costs", "实际支出"),
    "transfer": ("transfers", "转移支付"),
    "all": ("all years", "全部学年"),
    "target": ("target", "目标"),
    "required": ("required", "要求"),
    "due": ("by", "期限"),
    "value": ("value", "数值"),
    "runs": ("runs", "达标"),
    "baseline": ("baseline", "基线"),
    "clause": ("clause", "条款"),
    "years": ("years", "学年"),
    "text": ("what happened", "情况"),
    "interval": ("difference (95 % interval)", "差异（95% 区间）"),
    "reached": ("reached", "达到"),
    "missed": ("missed", "未达到"),
    "in some runs": ("reached in some runs", "部分运行达到"),
    "not due": ("not yet due", "尚未到期"),
    "no value": ("without a value", "无数值"),
    "sum": ("sum", "合计"),
    "primary": ("primary", "小学"),
    "junior": ("junior", "初中"),
    "input": ("input (schools make most of the gap)", "投入（差距主要来自学校）"),
    "sorting": ("sorting (homes make most of the gap)", "分流（差距主要来自家庭）"),
    "yuan.real": ("real costs, all years, million yuan", "实际支出（全部学年，百万元）"),
    "yuan.transfer": ("transfers, all years, million yuan", "转移支付（全部学年，百万元）"),
    "district": ("district", "区"),
    "municipality": ("municipality", "市"),
    "receiving_district": ("receiving district", "受援区"),
    "payroll": ("payroll", "人员经费"),
    "secondment": ("secondment", "支教"),
}
MARKS = {"reached": ("✓", "green"), "missed": ("✗", "red"), "in some runs": ("◐", "yellow")}


def render(summary: Json, lang: str = "en") -> Iterator[RenderableType]:
    """The parts of the summary, to be printed one after the other."""
    say = _saying(lang)
    yield _head(summary, lang, say)
    for shown in _beside(summary["scenarios"]):
        yield _ends_table(shown, "cv", summary["years"], lang, say)
        yield _ends_table(shown, "headlines", summary["years"], lang, say)
        if any(one["yuan"]["by_payer"] for one in shown):
            yield _payer_table(shown, summary["years"], say)
            yield _lever_table(shown, lang, say)
    for one in summary["scenarios"]:
        if one["targets"]:
            yield _target_table(one, lang, say)
        if one["notices"]:
            yield _notice_table(one, lang, say)
    for rows in _pairs(summary["differences"]):
        yield _difference_table(rows, summary["years"][-1], lang, say)
    if summary["shared_draws"]:
        lines = [_shared(shared, lang) for shared in summary["shared_draws"]]
        yield Text("\n".join(lines) + "\n")
    for failure in summary["failures"]:
        key = " · ".join(str(failure[name]) for name in ("scenario", "calibration", "design_point", "replicate"))
        yield Text(f"✗ {key}: {failure['error']}", style="red")


def number(value: float | None) -> str:
    """A number at the precision that is read: 0.42, 61.3, 1,204."""
    if value is None:
        return "–"
    size = abs(value)
    text = f"{value:,.2f}" if size < 9.995 else f"{value:,.1f}" if size < 999.95 else f"{value:,.0f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def million(yuan: float | None) -> str:
    """Yuan in millions."""
    return number(None if yuan is None else yuan / 1e6)


def spans(years: Sequence[int]) -> str:
    """Years as spans: 2021–2023, 2026."""
    found: list[list[int]] = []
    for year in years:
        if found and year == found[-1][-1] + 1:
            found[-1].append(year)
        else:
            found.append([year])
    return ", ".join(f"{s[0]}–{s[-1]}" if len(s) > 1 else str(s[0]) for s in found)


def indicator_title(name: str, lang: str) -> str:
    """Title of an indicator as declared."""
    from model.indicators import INDICATORS

    declared = INDICATORS.get(name)
    return name if declared is None else str(declared.zh if lang == "zh" else declared.en)


def lever_title(name: str, lang: str) -> str:
    """Title of a lever, or of another purpose that money is spent on."""
    from model.levers import LEVERS

    if name not in LEVERS:
        return _saying(lang)(name)
    return LEVERS[name].TITLE_ZH if lang == "zh" else name.replace("_", " ")


# ---- words and cells


def _saying(lang: str) -> Say:
    def say(word: str) -> str:
        return WORDS.get(word, (word, word))[lang == "zh"]

    return say


def _stage(stage: str, say: Say) -> str:
    return "" if stage == "all" else say(stage)


def _range(spread: Json | None, form: Callable[[float | None], str] = number) -> str:
    """The range, where it is wider than the precision shown."""
    if not spread or "low" not in spread:
        return ""
    low, high = form(spread["low"]), form(spread["high"])
    return "" if low == high else f"{low}–{high}"


def _beneath(spread: Json | None, form: Callable[[float | None], str] = number) -> Text:
    """Mean, ✓ or ✗ where it is judged, and the range on a line beneath."""
    text = Text(form((spread or {}).get("mean")))
    passed = (spread or {}).get("passed")
    if passed is not None:
        mark, style = MARKS["reached" if passed == 1 else "missed" if passed == 0 else "in some runs"]
        text.append(f" {mark}", style)
    if shown := _range(spread, form):
        text.append(f"\n{shown}", "dim")
    return text


def _titled(title: str, table: Table) -> RenderableType:
    return Group(Text(title, style="bold"), table)


def _table(*columns: tuple[str, str]) -> Table:
    """A table with these (heading, justification) columns; text folds, numbers do not."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, justify in columns:
        text = justify == "left"
        made.add_column(heading, justify="left" if text else "right", overflow="fold", no_wrap=not text)
    return made


def _name(one: Json, shown: Sequence[Json]) -> str:
    """Name of a scenario, with its calibration where it stands beside another calibration's."""
    name = str(one["scenario"])
    name = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    several = len({other["calibration"] for other in shown}) > 1
    return f"{name} ({one['calibration']})" if several else name


def _columns(shown: Sequence[Json], under: Sequence[str]) -> list[tuple[str, str]]:
    """Headings: each scenario's name over the first of its columns."""
    return [
        (f"{'' if i else _name(one, shown)}\n{heading}", "right") for one in shown for i, heading in enumerate(under)
    ]


def _beside(scenarios: Sequence[Json]) -> Iterator[Sequence[Json]]:
    for start in range(0, len(scenarios), BESIDE):
        yield scenarios[start : start + BESIDE]


def region_title(profile: str, lang: str) -> str:
    """The region, and that it is made up: of those shipped it is known, of a planner's file it is not."""
    if Path(profile).suffix:
        return f"区域 {profile}" if lang == "zh" else f"Region {profile}"
    return f"区域 {profile}（合成数据）" if lang == "zh" else f"Region {profile} (synthetic)"


# ---- parts


def _head(summary: Json, lang: str, say: Say) -> RenderableType:
    years = "–".join(map(str, summary["years"]))  # none where no run came to an end
    low, high = summary["range"]
    done, planned, failed = (summary["runs"][name] for name in ("done", "planned", "failed"))
    n, calibrations = summary["replicates"], ", ".join(map(say, summary["calibrations"]))
    if lang == "zh":
        region = "每次重复重建区域" if summary["redraw_region"] else "共用一个建成的区域"
        lines = [
            f"{region_title(summary['region'], lang)} · {years} 学年 · {n} 次重复，{region}",
            f"标定 {calibrations}",
            f"完成 {done}/{planned} 次运行" + (f"，失败 {failed} 次" if failed else ""),
            f"数值为均值，其下为重复间 {low}–{high}% 范围",
        ]
    else:
        region = "a region built for each" if summary["redraw_region"] else "on one built region"
        lines = [
            f"{region_title(summary['region'], lang)} · school years {years} · {n} replicates, {region}",
            f"Calibration {calibrations}",
            f"{done} of {planned} runs done" + (f", {failed} failed" if failed else ""),
            f"Means over replicates, their {low}–{high} % range beneath",
        ]
    return Text("\n".join(lines) + "\n")


def _ends_table(shown: Sequence[Json], part: str, years: Sequence[int], lang: str, say: Say) -> RenderableType:
    """Indicators in the first and the last year, scenarios side by side."""
    made = _table(("", "left"), ("\n" + say("stage"), "left"), *_columns(shown, [str(year) for year in years]))
    found: dict[tuple[str, str], list[Json]] = {}
    for i, one in enumerate(shown):
        for row in one[part]:
            found.setdefault((row["indicator"], row["stage"]), [{} for _ in shown])[i] = row
    for (indicator, stage), rows in found.items():
        limit = next((row["limit"] for row in rows if "limit" in row), None)
        at = Text(_stage(stage, say))
        if limit is not None:
            at.append(f"\n≤ {limit:.2f}", "dim")
        title = _stock(indicator, lang) if part == "cv" else indicator_title(indicator, lang)
        made.add_row(title, at, *(_beneath(row.get(when)) for row in rows for when in ("first", "last")))
    return _titled(say(part), made)


def _stock(name: str, lang: str) -> str:
    """What a CV is of."""
    return indicator_title(f"cv.{name}", lang).removeprefix("CV of ").removesuffix("校际差异系数")


def _payer_table(shown: Sequence[Json], years: Sequence[int], say: Say) -> RenderableType:
    made = _table(("", "left"), *_columns(shown, [*map(str, years), say("all")]))
    payers = list(dict.fromkeys(row["payer"] for one in shown for row in one["yuan"]["by_payer"]))
    for payer in [*payers, None]:
        for kind in ("real", "transfer"):
            sums = [_of(one["yuan"], "payer", payer, kind) for one in shown]
            if any((s.get("all") or {}).get("mean") for s in sums):
                cells = [_beneath(s.get(span), million) for s in sums for span in ("first", "last", "all")]
                who = Text(say("sum" if payer is None else payer))
                made.add_row(who.append(f"\n{say(kind)}", "dim"), *cells)
    return _titled(say("by_payer"), made)


def _of(yuan: Json, by: str, name: str | None, kind: str) -> Json:
    """Sums of one payer or lever; of all where `name` is None."""
    if name is None:
        return dict(yuan[kind])
    return next((dict(row[kind]) for row in yuan[f"by_{by}"] if row[by] == name), {})


def _lever_table(shown: Sequence[Json], lang: str, say: Say) -> RenderableType:
    kinds = ("real", "transfer")
    made = _table(("", "left"), *_columns(shown, [say(kind) for kind in kinds]))
    for lever in dict.fromkeys(row["lever"] for one in shown for row in one["yuan"]["by_lever"]):
        sums = [_of(one["yuan"], "lever", lever, kind).get("all") for one in shown for kind in kinds]
        made.add_row(lever_title(lever, lang), *(_beneath(s, million) if s and s["mean"] else "" for s in sums))
    return _titled(say("by_lever"), made)


def _target_table(one: Json, lang: str, say: Say) -> RenderableType:
    states = [row["state"] for row in one["targets"]]
    known = ("reached", "in some runs", "missed", "not due", "no value")
    counts = ", ".join(f"{states.count(state)} {say(state)}" for state in known if state in states)
    headings = ("required", "due", "value", "runs", "baseline")
    made = _table(
        ("", "left"),
        (say("target"), "left"),
        (say("stage"), "left"),
        *((say(heading), "right") for heading in headings),
        (say("clause"), "left"),
    )
    for row in one["targets"]:
        place = "" if row["level"] == "region" else f" · {row['place'] or row['level']}"
        mark, style = MARKS.get(row["state"], ("", ""))
        value = Text(number((row["value"] or {}).get("mean")))
        value.append(f" {_range(row['value'])}".rstrip(), "dim")
        made.add_row(
            Text(mark, style),
            indicator_title(row["indicator"], lang) + place,
            _stage(row["stage"], say),
            f"{SIGN[row['direction']]} {row['required']:,g}",
            str(row["due"]),
            value,
            _percent(row["reached"]) if row["reached"] is not None else say(row["state"]),
            _percent(row["without_plan"]),
            row["clause"].replace(" ", "\n"),
        )
    return _titled(f"{say('targets')} · {one['scenario']} · {one['calibration']}: {counts}", made)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _notice_table(one: Json, lang: str, say: Say) -> RenderableType:
    made = _table((say("lever"), "left"), (say("years"), "left"), (say("text"), "left"))
    for row in one["notices"]:
        made.add_row(lever_title(row["lever"], lang), spans(row["years"]), row[lang])
    return _titled(f"{say('notices')} · {one['scenario']} · {one['calibration']}", made)


def _pairs(differences: Sequence[Json]) -> Iterator[list[Json]]:
    by: dict[tuple[str, str, str], list[Json]] = {}
    for row in differences:
        by.setdefault((row["a"], row["b"], row["calibration"]), []).append(row)
    yield from by.values()


def _difference_table(rows: Sequence[Json], year: int, lang: str, say: Say) -> RenderableType:
    made = _table(("", "left"), (say("stage"), "left"), (say("interval"), "right"))
    for row in rows:
        if row["low"] == row["high"] == 0:
            continue
        name = row["indicator"]
        form = million if name.startswith("yuan.") else _fine
        title = say(name) if name in WORDS else indicator_title(name, lang)
        mean, low, high = (_signed(row[part], form) for part in ("mean", "low", "high"))
        unsure = row["low"] <= 0 <= row["high"]
        made.add_row(title, _stage(row["stage"], say), f"{mean} ({low} … {high})", style="dim" if unsure else "")
    a, b, calibration = rows[0]["a"], rows[0]["b"], rows[0]["calibration"]
    return _titled(f"{say('differences').format(year=year)}: {a} − {b} · {calibration}", made)


def _fine(value: float | None) -> str:
    """A difference, with a digit more than the values it is of."""
    if value is None or abs(value) >= 1:
        return number(value)
    return f"{value:.3f}".replace("-", "−")


def _signed(value: float, form: Callable[[float | None], str]) -> str:
    text = form(value)
    return text if text.startswith("−") else f"+{text}"


def _shared(shared: Json, lang: str) -> str:
    ratio, n = f"{shared['ratio']:.2f}", shared["indicators"]
    pair = f"{shared['a']} − {shared['b']} · {shared['calibration']}"
    if lang == "zh":
        return f"共用随机数：差异的方差为独立随机数的 {ratio}（{n} 个指标的中位数；{pair}）"
    return (
        f"shared draws: variance of the difference is {ratio} of that of independent seeds"
        f" (median over {n} indicators)\n  {pair}"
    )
