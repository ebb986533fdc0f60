"""The command `junheng`: what can be asked, and how it ends.

Exit status: 0 done; 1 finished, but some runs failed; 2 the input or the call was wrong; 130 interrupted.
Commands import what they need when they are called, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.main import get_command

from model.errors import InputError, nearest_name, unknown

WRONG, INTERRUPTED = 2, 130
USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[1])  # of the click that this typer uses


def _one_of(*choices: str) -> Callable[[typer.CallbackParam, str | None], str | None]:
    """A check that an option's value is one of these."""

    def check(option: typer.CallbackParam, value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise unknown(option.opts[0], "value", value, choices)
        return value

    return check


Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else there.")]
Lang = Annotated[
    str, typer.Option("--lang", metavar="zh|en", callback=_one_of("zh", "en"), help="Language of what is shown.")
]
Calibration = Annotated[
    str,
    typer.Option(
        "--calibration",
        metavar="input|sorting|both",
        callback=_one_of("input", "sorting", "both"),
        help="Behaviour: schools make most of the gap, or homes do.",
    ),
]
Record = Annotated[
    str | None,
    typer.Option("--record", metavar="school", callback=_one_of("school"), help="Keep the level of schools, too."),
]

app = typer.Typer(
    name="junheng",
    help="均衡: regional education equalization, simulated. 区域义务教育优质均衡模拟。",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
scenario_app = typer.Typer(help="Write, check and compare scenario files.")
app.add_typer(scenario_app, name="scenario")


@app.callback(invoke_without_command=True)
def _junheng(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if show_version:
        typer.echo(_version())
        raise typer.Exit
    _need_subcommand(context)


@scenario_app.callback(invoke_without_command=True)
def _scenario(context: typer.Context) -> None:
    _need_subcommand(context)


@app.command("run")
def run(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO", help="Shipped scenarios or files.")],
    region: Annotated[str | None, typer.Option(help="Region, or a file; the scenarios' own if not given.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help="School years; the scenarios' own if not given.")] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Runs of each scenario, on seeds that scenarios share.")] = 8,
    redraw_region: Annotated[bool, typer.Option("--redraw-region", help="Build a region for each replicate.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws.")] = 1,
    calibration: Calibration = "input",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if not given.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LEVER.FIELD=VALUE", help="Set a field in every entry and year. Repeatable."),
    ] = None,
    record: Record = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; a new one under runs/.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the runs of --out that are not done.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="With --resume: failed runs too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many runs, time and disk.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    lang: Lang = "en",
) -> Any:
    """Live scenarios, replicated, into a run folder."""
    from junheng.commands.run import run as live

    return live(
        scenarios=scenarios,
        region=region,
        years=years,
        replicates=replicates,
        redraw_region=redraw_region,
        seed=seed,
        calibration=calibration,
        workers=workers,
        sets=sets or [],
        record=record,
        out=out,
        resume=resume,
        retry_failed=retry_failed,
        dry_run=dry_run,
        json=json,
        quiet=quiet,
        lang=lang,
    )


@app.command("validate")
def validate(
    region: Annotated[str, typer.Option(help="A shipped region or a profile's file.")] = "wuqing",
    regions: Annotated[int, typer.Option(min=1, help="Regions built, each from a seed of its own.")] = 8,
    calibration: Calibration = "both",
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if not given.")] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    lang: Lang = "en",
) -> Any:
    """Whether burned-in regions look like real ones: each moment, the evidence for it, and the verdict."""
    from junheng.commands.validate import validate as look

    return look(
        region=region,
        regions=regions,
        calibration=calibration,
        seed=seed,
        workers=workers,
        json=json,
        quiet=quiet,
        lang=lang,
    )


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which of them.")],
    like: Annotated[str, typer.Option(metavar="TEXT", help="Only rows in which this text stands.")] = "",
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """What there is: scenarios, regions, levers, indicators, parameters, targets, clauses."""
    from junheng.commands import listing

    listing.list_kind(kind, like=like, json=json, lang=lang)


@app.command("explain")
def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="E.g. teacher_rotation.term_years, WQ3-073.")],
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """What a lever, field, indicator, parameter, clause, scenario or region means, and what uses it."""
    from junheng.commands import explain as explaining

    explaining.explain(name, json=json, lang=lang)


@scenario_app.command("new")
def scenario_new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; never overwritten.")],
    extends: Annotated[str, typer.Option(help="The scenario it starts from.")] = "baseline",
    region: Annotated[str | None, typer.Option(help="Its region; the parent's if not given.")] = None,
) -> None:
    """Write a commented scenario file to start from."""
    from junheng.commands import scenario

    scenario.new(path, extends=extends, region=region)


@scenario_app.command("check")
def scenario_check(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO", help="Shipped scenarios or files.")],
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Validate scenarios: names, types, ranges, dates, clauses, places."""
    from junheng.commands import scenario

    scenario.check(scenarios, json=json, lang=lang)


@scenario_app.command("diff")
def scenario_diff(
    a: Annotated[str, typer.Argument(metavar="SCENARIO")],
    b: Annotated[str, typer.Argument(metavar="SCENARIO")],
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """What differs between two scenarios, lever by lever and year by year."""
    from junheng.commands import scenario

    scenario.show_diff(a, b, json=json, lang=lang)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where 均衡 cannot be written, it shows as an escape
            stream.reconfigure(errors="backslashreplace")
    try:
        status = get_command(app).main(arguments, prog_name="junheng", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        return _refuse(str(error))
    except USAGE_ERROR as error:
        return _refuse(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        print("junheng: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status if isinstance(status, int) else 0


def _refuse(message: str) -> int:
    print("junheng: " + " ".join(message.split()), file=sys.stderr)
    return WRONG


def _usage(error: Any) -> str:
    """What is wrong with the call, with the nearest command or option."""
    message = str(error.format_message()).rstrip(".")
    context = error.ctx
    known = list(getattr(context.command, "commands", {})) if context else []
    words = [w.strip("'\"") for w in message.split()]
    nearest = nearest_name(words[-1], known) if "command" in message and words else None
    if nearest and "mean" not in message:
        message += f"; did you mean {nearest!r}?"
    path = context.command_path if context else "junheng"
    return f"{message} (see `{path} --help`)"


def _need_subcommand(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(WRONG)


def _version() -> str:
    try:
        return version("junheng")
    except PackageNotFoundError:  # run from the source tree
        return "0+source"
