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
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; all cores if not given.")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", metavar="ADDRESS", help="A Dask scheduler whose workers live the runs.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="LEVER.FIELD=VALUE", help="Set a field in every entry and year. Repeatable."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run folder; a new one under runs/.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the runs of --out that are not done.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="With --resume: failed runs too.")]
MixVersions = Annotated[
    bool, typer.Option("--mix-versions", help="With --resume: though the model or packages are others by now.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many runs, time and disk.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]

app = typer.Typer(
    name="junheng",
    help="均衡: regional education equalization, simulated. 区域义务教育优质均衡模拟。",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
scenario_app = typer.Typer(help="Write, check and compare scenario files.")
app.add_typer(scenario_app, name="scenario")
region_app = typer.Typer(help="Make, check and look at regions.")
app.add_typer(region_app, name="region")


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
    workers: Workers = None,
    cluster: Cluster = None,
    sets: Sets = None,
    record: Record = None,
    out: Out = None,
    resume: Resume = False,
    retry_failed: RetryFailed = False,
    mix_versions: MixVersions = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "en",
) -> Any:
    """Live scenarios, replicated, into a run folder."""
    from junheng.commands.batch import Asked
    from junheng.commands.run import run as live

    return live(
        Asked(workers, cluster, out, resume, retry_failed, mix_versions, dry_run, json, quiet, lang),
        scenarios=scenarios,
        region=region,
        years=years,
        replicates=replicates,
        redraw_region=redraw_region,
        seed=seed,
        calibration=calibration,
        sets=sets or [],
        record=record,
    )


@app.command("compare")
def compare(
    named: Annotated[list[str], typer.Argument(metavar="RUN | SCENARIO", help="A run folder, or scenarios.")],
    outcomes: Annotated[
        list[str] | None,
        typer.Option(
            "--outcome",
            "--indicator",
            metavar="NAME[:STAGE]",
            help="Outcomes, e.g. gap.score:primary, cv.*. Repeatable.",
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The scenario the others are compared with; the baseline, else the first.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="School year; the last if not given.")] = None,
    level: Annotated[str, typer.Option(help="region, district, town, setting, group or school.")] = "region",
    place: Annotated[str | None, typer.Option(help="One place of the level; all of them if not given.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="W", help="Replicates until the interval's half-width is W (0.02, or 10% of the mean)."),
    ] = None,
    most: Annotated[int, typer.Option("--max-replicates", min=1, help="With --precision: no more than these.")] = 200,
    equal_cost: Annotated[
        bool, typer.Option("--equal-cost", help="Scale the packages to the price of the first one, first.")
    ] = False,
    by_lever: Annotated[
        bool, typer.Option("--by-lever", help="How much each lever gave (more runs), and who lost.")
    ] = False,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME=LEVER,LEVER", help="With --by-lever: levers taken as one. Repeatable."),
    ] = None,
    orders: Annotated[
        int, typer.Option(min=1, help="With --by-lever and more than six: orders drawn for each replicate.")
    ] = 1,
    region: Annotated[str | None, typer.Option(help="Region, or a file; the scenarios' own if not given.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help="School years; the scenarios' own if not given.")] = None,
    replicates: Annotated[int | None, typer.Option(min=1, help="Runs of each scenario; 8 if not given.")] = None,
    redraw_region: Annotated[bool, typer.Option("--redraw-region", help="Build a region for each replicate.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Root of all draws; 1 if not given.")] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="input|sorting|both",
            callback=_one_of("input", "sorting", "both"),
            help="Behaviour: schools make most of the gap (input), or homes do.",
        ),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    sets: Sets = None,
    record: Record = None,
    out: Out = None,
    resume: Resume = False,
    retry_failed: RetryFailed = False,
    mix_versions: MixVersions = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "en",
) -> Any:
    """Compare scenarios, paired by replicate: differences with intervals, and what may be said of them."""
    from junheng.commands.batch import Asked
    from junheng.commands.compare import Question
    from junheng.commands.compare import compare as look

    return look(
        Asked(workers, cluster, out, resume, retry_failed, mix_versions, dry_run, json, quiet, lang),
        Question(
            outcomes or (),
            reference or "",
            year,
            level,
            place or "",
            precision,
            most,
            equal_cost,
            by_lever,
            groups or (),
            orders,
        ),
        named,
        {
            "region": region,
            "years": years,
            "replicates": replicates,
            "redraw_region": redraw_region,
            "seed": seed,
            "calibration": calibration,
            "set": sets,
            "record": record,
        },
    )


@app.command("sweep")
def sweep(
    named: Annotated[
        list[str], typer.Argument(metavar="SCENARIO | DESIGN.yaml", help="Scenarios, or one file of a design.")
    ],
    varied: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="NAME=FROM:TO:STEPS | NAME=A,B,C",
            help="A lever's field (LEVER.FIELD) or a parameter, over its values. Repeatable.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--design", metavar="grid|lhs|sobol", callback=_one_of("grid", "lhs", "sobol"), help="How values combine."
        ),
    ] = None,
    points: Annotated[int | None, typer.Option(min=1, help="Design points of lhs and sobol.")] = None,
    outcomes: Annotated[
        list[str] | None,
        typer.Option("--outcome", metavar="INDICATOR[:STAGE[:YEAR]]", help="What is looked at. Repeatable."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region, or a file; the scenarios' own if not given.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help="School years; the scenarios' own if not given.")] = None,
    replicates: Annotated[int | None, typer.Option(min=1, help="Runs of each point, on shared seeds; 8.")] = None,
    redraw_region: Annotated[bool, typer.Option("--redraw-region", help="Build a region for each replicate.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws.")] = 1,
    calibration: Calibration = "input",
    workers: Workers = None,
    cluster: Cluster = None,
    sets: Sets = None,
    record: Record = None,
    out: Out = None,
    resume: Resume = False,
    retry_failed: RetryFailed = False,
    mix_versions: MixVersions = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "en",
) -> Any:
    """Live a design of levers and parameters, and show how outcomes respond."""
    from junheng.commands.batch import Asked
    from junheng.commands.sweep import sweep as live

    return live(
        Asked(workers, cluster, out, resume, retry_failed, mix_versions, dry_run, json, quiet, lang),
        named=named,
        varied=varied or [],
        method=method,
        points=points,
        outcomes=outcomes or [],
        region=region,
        years=years,
        replicates=replicates,
        redraw_region=redraw_region,
        seed=seed,
        calibration=calibration,
        sets=sets or [],
        record=record,
    )


@app.command("sensitivity")
def sensitivity(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A shipped scenario or a file.")],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            help="Look at differences from this one on the same seeds, e.g. baseline: what the effect hangs on.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="auto|morris|sobol|pawn|delta",
            callback=_one_of("auto", "morris", "sobol", "pawn", "delta"),
            help="auto: Morris drops what does nothing, then Sobol, PAWN and delta from one sample.",
        ),
    ] = "auto",
    over: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Levers, uncertainties, groups and outcomes, as a sweep's.")
    ] = None,
    varied: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="NAME=FROM:TO | NAME=A,B,C",
            help="A lever's field (LEVER.FIELD) or a parameter, over its values. Repeatable.",
        ),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME=FACTOR,FACTOR", help="Factors taken as one. Repeatable."),
    ] = None,
    factors: Annotated[
        int | None, typer.Option(min=2, help="How many are varied where none are named: half levers; 10.")
    ] = None,
    outcomes: Annotated[
        list[str] | None,
        typer.Option("--outcome", metavar="INDICATOR[:STAGE[:YEAR]]", help="What is looked at. Repeatable."),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option(min=1, help="Most runs of each calibration; direct ones too where no surrogate is believed."),
    ] = None,
    direct: Annotated[bool, typer.Option("--direct", help="With --method sobol: no surrogate.")] = False,
    region: Annotated[str | None, typer.Option(help="Region, or a file; the scenario's own if not given.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help="School years; the scenario's own if not given.")] = None,
    replicates: Annotated[int | None, typer.Option(min=1, help="Runs of each point, on seeds of its own; 2.")] = None,
    redraw_region: Annotated[bool, typer.Option("--redraw-region", help="Build a region for each replicate.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws.")] = 1,
    calibration: Calibration = "input",
    workers: Workers = None,
    cluster: Cluster = None,
    sets: Sets = None,
    record: Record = None,
    out: Out = None,
    resume: Resume = False,
    retry_failed: RetryFailed = False,
    mix_versions: MixVersions = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "en",
) -> Any:
    """What drives an outcome: levers, what nobody has measured, or luck; with intervals."""
    from junheng.commands.batch import Asked
    from junheng.commands.sensitivity import sensitivity as live

    return live(
        Asked(workers, cluster, out, resume, retry_failed, mix_versions, dry_run, json, quiet, lang),
        scenario=scenario,
        against=against,
        method=method,
        over=over,
        varied=varied or [],
        groups=groups or [],
        factors=factors,
        outcomes=outcomes or [],
        runs=runs,
        direct=direct,
        region=region,
        years=years,
        replicates=replicates,
        redraw_region=redraw_region,
        seed=seed,
        calibration=calibration,
        sets=sets or [],
        record=record,
    )


@app.command("status")
def status(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """How a batch stands, from another terminal: done, failed, left, pace, time left, failures."""
    from junheng.commands.status import status as look

    look(run, json=json, lang=lang)


@app.command("report")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="html|xlsx|pdf|png|svg", help="Repeatable; png and svg: picture by picture."),
    ] = None,
    json: Json = False,
    lang: Lang = "en",
) -> None:
    """Tell what a run found: a page, an Excel book, a PDF or pictures, into RUN/report/."""
    from junheng.commands.report import report as tell

    tell(run, lang=lang, formats=formats or ["html"], json=json)


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


@app.command("score")
def score(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Schools, as .xlsx, .xls or CSV.")],
    sheet: Annotated[str | None, typer.Option(help="Of a workbook; else the one that has the headings.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Judge private schools, too.")] = False,
    tolerances: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            metavar="NAME",
            help="itinerant-teachers, nearby-grounds, older-art-rooms, older-schools, or all. Repeatable.",
        ),
    ] = None,
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.xlsx", help="A workbook to write; never overwritten.")
    ] = None,
    lang: Lang = "en",
    require_pass: Annotated[bool, typer.Option("--require-pass", help="Exit status 1 where the county fails.")] = False,
) -> Any:
    """The national standard on a real table of schools: what passes, what fails, what it would take."""
    from junheng.commands.score import score as judge

    return judge(
        table,
        sheet=sheet,
        private=private,
        tolerances=tolerances or [],
        json=json,
        out=out,
        lang=lang,
        require_pass=require_pass,
    )


@region_app.callback(invoke_without_command=True)
def _region(context: typer.Context) -> None:
    _need_subcommand(context)


@region_app.command("build")
def region_build(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="The region to write; never overwritten.")],
    profile: Annotated[str, typer.Option(metavar="NAME|FILE.yaml", help="A shipped profile or a file of totals.")],
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws.")] = 1,
    json: Json = False,
    lang: Lang = "en",
) -> Any:
    """Build a region from a profile: totals by setting, size distribution, initial means and CVs."""
    from junheng.commands import region

    return region.build(profile, seed=seed, out=out, json=json, lang=lang)


@region_app.command("import")
def region_import(
    schools: Annotated[Path, typer.Argument(metavar="SCHOOLS", help="A table of schools: .xlsx or CSV.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="The region to write; never overwritten.")],
    teachers: Annotated[Path | None, typer.Option(metavar="FILE", help="A table of teachers.")] = None,
    flows: Annotated[Path | None, typer.Option(metavar="FILE", help="A table of home towns and schools.")] = None,
    profile: Annotated[
        str, typer.Option(metavar="NAME|FILE.yaml", help="What is missing is drawn from it.")
    ] = "wuqing",
    name: Annotated[str | None, typer.Option(help="Name of the region; that of the file if not given.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of the schools, where several have the headings.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws.")] = 1,
    base_year: Annotated[
        int | None, typer.Option(min=2000, max=2040, help="School year of the tables; the profile's if not given.")
    ] = None,
    primary_grades: Annotated[
        int | None, typer.Option(min=5, max=6, help="5 where schooling is 5-4; the profile's if not given.")
    ] = None,
    json: Json = False,
    lang: Lang = "en",
) -> Any:
    """Make a region of a planner's tables; what is missing is drawn, and a report says what."""
    from junheng.commands import region

    return region.import_tables(
        schools,
        teachers=teachers,
        flows=flows,
        profile=profile,
        name=name,
        sheet=sheet,
        seed=seed,
        base_year=base_year,
        primary_grades=primary_grades,
        out=out,
        json=json,
        lang=lang,
    )


@region_app.command("check")
def region_check(
    file: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A saved region, a profile, or a table of schools.")],
    teachers: Annotated[Path | None, typer.Option(metavar="FILE", help="A table of teachers beside it.")] = None,
    flows: Annotated[Path | None, typer.Option(metavar="FILE", help="A table of flows beside it.")] = None,
    profile: Annotated[str, typer.Option(metavar="NAME|FILE.yaml", help="Completes tables for the check.")] = "wuqing",
    json: Json = False,
    lang: Lang = "en",
) -> Any:
    """What is wrong or doubtful with a region or with tables; exit status 1 where something is wrong."""
    from junheng.commands import region

    return region.check(file, teachers=teachers, flows=flows, profile=profile, json=json, lang=lang)


@region_app.command("show")
def region_show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A shipped region, a profile, a saved region.")],
    seed: Annotated[int, typer.Option(min=0, help="Root of all draws, where it is built.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.png|.svg", help="Draw it, too.")] = None,
    json: Json = False,
    lang: Lang = "en",
) -> Any:
    """What is in a region: counts, sizes, the seven means and CVs, teachers by age; with --out a picture."""
    from junheng.commands import region

    return region.show_region(name, seed=seed, out=out, json=json, lang=lang)


@region_app.command("template")
def region_template(
    place: Annotated[
        Path, typer.Argument(metavar="[DIR|FILE.xlsx|FILE.yaml]", help="A folder for CSV, a workbook, or a profile.")
    ] = Path("junheng-tables.xlsx"),
    lang: Lang = "en",
) -> None:
    """Write the tables of schools, teachers and flows to be filled in, with comments."""
    from junheng.commands.region_template import template

    template(place, lang=lang)


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
