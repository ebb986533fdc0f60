"""The picture of the README: `python -m results.pictures RUN PICTURE.png [CALIBRATION] [zh|en]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import InputError
from results.drawing import saved, titled
from results.pictures_over_time import Panel, trajectories
from results.report.context import Context
from results.report.gaps import finding, lines, note, target_lines
from results.run_folder import RunFolder
from results.summary_text import indicator_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("gap.score", "between_school_share")
STAGES = ("primary", "junior")
LANGUAGES = ("en", "zh")


def gaps(folder: RunFolder, calibration: str = "", lang: str = "en") -> Figure:
    """Score gap and between-school share over the years, with what the last year's differences say over them.

    `calibration`: the first of the run if empty. Raises InputError where the run has no such calibration or no
    tables.
    """
    calibrations = list(folder.manifest["calibrations"])
    chosen = calibration or calibrations[0]
    if chosen not in calibrations:
        raise InputError(str(folder.path), f"no calibration {chosen!r}", f"one of {', '.join(calibrations)}")
    context = Context.read(folder, lang)
    panels = [
        Panel(
            context.drawn("brackets", what=indicator_title(indicator, context.letters), inside=context.drawn(stage)),
            lines(context, chosen, indicator, stage),
            target_lines(context, chosen, indicator, stage),
        )
        for indicator in SHOWN
        for stage in STAGES
        if context.series.has(indicator, stage)
    ]
    figure = trajectories(panels, context.years, 2, context.drawn("year"), height=2.6, scale="row")
    stages = [stage for stage in STAGES if context.series.has(SHOWN[0], stage)]
    findings = [finding(context, s, c, SHOWN[0], stages) for s, c in context.pairs if c == chosen]
    aimed = any(panel.targets for panel in panels)
    under = context.say("of_run", region=context.region_title, calibration=context.say(chosen))
    return titled(figure, findings, under + note(context, aimed), context.letters)


def main(arguments: list[str]) -> int:
    """Draw a run folder into a file; returns the exit status."""
    if len(arguments) not in (2, 3, 4):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    run, picture, *rest = arguments
    lang = next((word for word in rest if word in LANGUAGES), LANGUAGES[0])
    calibration = next((word for word in rest if word not in LANGUAGES), "")
    try:
        drawn = gaps(RunFolder.open(Path(run)), calibration, lang)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    Path(picture).write_bytes(saved(drawn, "svg" if picture.endswith(".svg") else "png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
