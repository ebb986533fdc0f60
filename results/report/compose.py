"""A report put together: read the run, write the chapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from results.fonts import has_chinese
from results.report.aims import notices, targets
from results.report.answer import answer
from results.report.context import Context
from results.report.document import Document, Section
from results.report.gaps import gaps
from results.report.headlines import headlines
from results.report.homes import enrolment_pull
from results.report.money import ledger_rows, spending
from results.report.places import report_card, who_moved
from results.report.responses import is_sweep, responses
from results.report.sensitivity import is_study, sensitivity
from results.report.trust import assumptions, provenance
from results.run_folder import COMPLETE, WITH_FAILURES, RunFolder

CHAPTERS = (
    answer,
    headlines,
    gaps,
    who_moved,
    report_card,
    enrolment_pull,
    spending,
    targets,
    notices,
    assumptions,
    provenance,
)
OF_A_STUDY = (sensitivity, assumptions, provenance)  # means over values that nobody decided on would say nothing


def compose(folder: RunFolder, lang: str) -> Document:
    """The report of a run in a language. Raises InputError where the run has no tables yet or no run is done."""
    context = Context.read(folder, lang)
    return Document(
        lang,
        context.say("title", region=context.region_title),
        context.say(
            "subtitle",
            scenarios=context.listed([context.scenario(s) for s in context.series.scenarios]),
            replicates=context.runs(context.series.replicates),
            **context.span,
        ),
        banners(context),
        [chapter(context) for chapter in _chapters(context)],
        {context.told(s, c): context.looks[s] for s, c in context.whole},
        ledger_rows(context),
        context.scenario(context.reference) if context.reference else "",
    )


def _chapters(context: Context) -> Sequence[Callable[[Context], Section]]:
    if is_study(context):
        return OF_A_STUDY
    return (responses, *CHAPTERS) if is_sweep(context) else CHAPTERS


def banners(context: Context) -> list[str]:
    """What a reader must know before anything else."""
    manifest, runs = context.folder.manifest, context.summary["runs"]
    found = [context.say("own_region" if context.figures is None else "synthetic")]
    if runs["failed"]:
        found.append(context.say("failed", failed=runs["failed"], planned=runs["planned"]))
    if context.folder.status not in (COMPLETE, WITH_FAILURES):
        found.append(context.say("not_finished", status=context.folder.status))
    if context.series.replicates == 1:
        found.append(context.say("one_replicate"))
    if context.reference is None and not is_study(context):
        found.append(context.say("no_reference"))
    if manifest["design"]["points"] > 1 and not is_study(context):
        found.append(context.say("design", n=manifest["design"]["points"]))
    if context.lang == "zh" and not has_chinese():
        found.append(context.say("english_letters"))
    return found
