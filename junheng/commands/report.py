"""`junheng report`: what a run found, as a page, a book, a PDF or pictures in its folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from junheng.commands import show
from results.report import write
from results.run_folder import RunFolder


def report(run: Path, *, lang: str, formats: Sequence[str], json: bool) -> None:
    """Write the report and print the files. Raises InputError where the run has none to tell."""
    files = write(RunFolder.open(run), lang, formats)
    if json:
        show.document({"files": [str(file) for file in files]})
        return
    sys.stdout.write("".join(f"{file}\n" for file in files))
