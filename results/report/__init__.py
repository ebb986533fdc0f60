"""The report of a run: what it found, in words, pictures and tables, as one HTML file, an Excel book or a PDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from model.errors import InputError, unknown
from results.run_folder import RunFolder

if TYPE_CHECKING:
    from results.report.document import Document

FOLDER = "report"
FORMATS = ("html", "xlsx", "pdf", "png", "svg")


def write(folder: RunFolder, lang: str = "en", formats: Sequence[str] = ("html",)) -> list[Path]:
    """Write a run's report into its folder `report/`; returns the files.

    `formats`: html, xlsx, pdf (needs the extra `pdf`), and png or svg for the pictures one by one. What was there
    under the same name is replaced once the new file is whole. Raises InputError, nothing written, for an unknown
    format, a run without tables, a package that is missing, a folder that cannot be written.
    """
    for form in formats:
        if form not in FORMATS:
            raise unknown("--format", "format", form, FORMATS)
    if "pdf" in formats:
        from results.report.pdf import check

        check()
    from results.report.compose import compose

    report = compose(folder, lang)
    place = folder.path / FOLDER
    written = []
    try:
        for name, content in _files(report, formats):
            _write(place / name, content)
            written.append(place / name)
    except OSError as error:
        raise InputError(str(place), error.strerror or str(error), "a folder that can be written") from None
    return written


def _files(report: Document, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file."""
    name = f"report-{report.lang}"
    if "html" in formats:
        from results.report.html import html

        yield f"{name}.html", html(report).encode()
    if "xlsx" in formats:
        from results.report.excel import book

        yield f"{name}.xlsx", book(report)
    if "pdf" in formats:
        from results.report.pdf import pdf

        yield f"{name}.pdf", pdf(report)
    if "png" in formats:
        yield from _pictures(report, "png")
    if "svg" in formats:
        yield from _pictures(report, "svg")


def _pictures(report: Document, form: Literal["png", "svg"]) -> Iterator[tuple[str, bytes]]:
    """Every picture, with its finding over it where that can be lettered."""
    from results.drawing import saved, titled
    from results.fonts import has_chinese

    for section in report.sections:
        for picture in section.pictures:
            figure = picture.draw()
            if report.lang == "en" or has_chinese():
                figure = titled(figure, picture.findings, picture.note, report.lang)
            yield f"pictures-{report.lang}/{picture.name}.{form}", saved(figure, form)


def _write(file: Path, content: bytes) -> None:
    """Write under another name first, so that the file is whole wherever it is seen."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
