"""`junheng status RUN`: how a batch stands, from another terminal, while it runs or after."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from results.ledger import Standing
from results.run_folder import LEDGER, RUNNING, RunFolder, who

MOST_FAILURES = 10  # that are shown to a person

WORDS = {
    "running": ("running", "运行中"),
    "complete": ("complete", "已完成"),
    "complete with failures": ("complete with failures", "已完成，有失败"),
    "interrupted": ("interrupted; go on with --resume", "已中断，可用 --resume 继续"),
}


def status(path: Path, *, json: bool, lang: str) -> None:
    """Print how a run folder stands. Raises InputError where it is none."""
    found = look(path)
    if json:
        from junheng.commands import show

        show.document(found)
        return
    sys.stdout.write("\n".join(_lines(found, lang)) + "\n")


def look(path: Path) -> dict[str, Any]:
    """How a run folder stands, as data: done, failed, left, pace, seconds left, failures, who runs it."""
    folder = RunFolder.open(path)
    manifest, state = folder.manifest, folder.status
    standing, failures = Standing(0, 0, 0.0, None), []  # so it is, too, while its ledger is being made
    if (path / LEDGER).exists():
        with suppress(sqlite3.OperationalError), folder.reading() as ledger:
            standing, failures = ledger.standing(), ledger.failures()
    left = max(0, manifest["runs"] - standing.done - standing.failed)
    running = state == RUNNING
    return {
        "folder": str(path),
        "status": state,
        "scenarios": list(manifest["scenarios"]),
        "runs": manifest["runs"],
        "done": standing.done,
        "failed": standing.failed,
        "left": left,
        "runs_a_second": standing.pace,
        "seconds_left": left / standing.pace if running and standing.pace else None,
        "seconds_since_last": time.time() - standing.last if standing.last else None,
        "sessions": manifest["sessions"],
        "failures": [{**key, "attempts": n, "error": text.strip().splitlines()[-1]} for key, n, text in failures],
    }


def _lines(found: dict[str, Any], lang: str) -> list[str]:
    zh = lang == "zh"
    state = WORDS[found["status"]][zh]
    share = 100 * (found["done"] + found["failed"]) / max(1, found["runs"])
    counts = found["runs"], found["done"], found["failed"], found["left"]
    named = " + ".join(found["scenarios"])
    if zh:
        lines = [f"{found['folder']}：{state}（{named}）"]
        lines += ["共 {} 次运行：完成 {}，失败 {}，剩余 {}".format(*counts) + f"（{share:.0f}%）"]
    else:
        lines = [f"{found['folder']}: {state} ({named})"]
        lines += ["{} runs: {} done, {} failed, {} left".format(*counts) + f" ({share:.0f} %)"]
    if found["runs_a_second"] and found["status"] == RUNNING:
        pace = f"{found['runs_a_second']:.3g}"
        rest = found["seconds_left"]
        left = "" if rest is None else f"，约剩 {duration(rest, lang)}" if zh else f", about {duration(rest)} left"
        lines.append(f"每秒 {pace} 次{left}" if zh else f"{pace} runs a second{left}")
    if found["status"] == RUNNING and found["seconds_since_last"] is not None:
        ago = duration(found["seconds_since_last"], lang)
        lines.append(f"最近一次完成于 {ago}前" if zh else f"last run settled {ago} ago")
    session = found["sessions"][-1]
    lines.append(f"{'进程' if zh else 'by'}: {who(session)}; {session['command']}")
    for failure in found["failures"][:MOST_FAILURES]:
        point = f", {'设计点' if zh else 'point'} {failure['design_point']}" if failure["design_point"] else ""
        whose = f"{failure['scenario']}, {failure['calibration']}{point}, {'重复' if zh else 'replicate'}"
        lines.append(f"✗ {whose} {failure['replicate']}: {failure['error']}")
    if more := len(found["failures"]) - MOST_FAILURES:
        lines += [f"… +{more}"] if more > 0 else []
    if found["failed"]:
        lines.append("重试：--resume --retry-failed" if zh else "retry them with --resume --retry-failed")
    return lines


def duration(seconds: float, lang: str = "en") -> str:
    """Seconds as people say them: 42 s, 3 min 10 s, 2 h 5 min."""
    whole = round(seconds)
    parts = (whole // 3600, whole // 60 % 60, whole % 60)
    units = ("小时", "分", "秒") if lang == "zh" else ("h", "min", "s")
    held = [f"{n} {unit}" for n, unit in zip(parts, units, strict=True) if n]
    return " ".join(held[:2]) or f"0 {units[2]}"
