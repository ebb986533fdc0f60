"""How the reading commands answer: one JSON document, or a table for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

PIPED = 240  # columns where standard output is not a terminal: rows stay lines that `grep` can use

ZH = {
    "all": "全部",
    "at_least": "不低于",
    "at_most": "不高于",
    "becomes": "成为",
    "by": "期限",
    "calibration": "标定",
    "choices": "可选值",
    "clause": "条款",
    "clauses": "条款",
    "date_or_period": "时间",
    "default": "中性值",
    "definition": "定义",
    "description": "说明",
    "direction": "方向",
    "document": "文件",
    "entries": "条目",
    "extends": "继承自",
    "field": "字段",
    "fields": "字段",
    "figures": "数据",
    "from": "起",
    "high": "上限",
    "indicator": "指标",
    "input": "投入标定",
    "junior": "初中",
    "kind": "类型",
    "level": "层级",
    "levels": "层级",
    "lever": "政策工具",
    "levers": "政策工具",
    "low": "下限",
    "mark": "可信度",
    "meaning": "含义",
    "meaning_en": "英文含义",
    "mechanism": "机制",
    "name": "名称",
    "note": "备注",
    "number": "文号",
    "path": "文件路径",
    "payer": "支付方",
    "phrase_zh": "原文",
    "place": "地点",
    "price": "单价项",
    "primary": "小学",
    "quantity": "数量",
    "range": "取值范围",
    "reason": "理由",
    "region": "区域",
    "regions": "区域",
    "required": "要求",
    "scenario": "情景",
    "scenarios": "情景",
    "section": "章节",
    "seed": "文本",
    "sorting": "分流标定",
    "source": "来源",
    "stage": "学段",
    "stages": "学段",
    "target": "目标",
    "targets": "目标",
    "title": "标题",
    "unit": "单位",
    "until": "止",
    "used_by": "被引用于",
    "value": "取值",
    "what": "项目",
    "where": "范围",
    "years": "学年",
}


def heading(name: str, lang: str) -> str:
    """The heading of a column or row."""
    return ZH.get(name, name) if lang == "zh" else name.replace("_", " ")


def console() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else PIPED, highlight=False)


def document(data: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], lang: str, title: str = "") -> Table:
    """Rows as a table with these columns."""
    made = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(heading(column, lang), overflow="fold", no_wrap=column in ("name", "clause", "years"))
    for row in rows:
        made.add_row(*(cell(row.get(column)) for column in columns))
    return made


def card(facts: Mapping[str, Any], lang: str) -> Table:
    """Facts about one thing, one a row."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            made.add_row(heading(name, lang), cell(value))
    return made


def cell(value: Any) -> Any:
    """A value as text; numbers plainly, lists with commas. Not markup."""
    from rich.text import Text

    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, list | tuple):
        return Text(", ".join(str(cell(v)) for v in value))
    return Text(str(value))
