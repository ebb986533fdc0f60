"""`junheng region template`: write the tables to be filled in."""

from __future__ import annotations

from pathlib import Path

import calibration
from calibration.table_template import TABLES, csv_template, workbook_template
from junheng.commands import show
from model.errors import InputError

PROFILE = Path(calibration.__file__).with_name("profile_template.yaml")  # for `junheng region build`


def template(place: Path, *, lang: str) -> None:
    """Write a workbook (FILE.xlsx), CSV files (a folder) or a profile (FILE.yaml).

    Raises InputError where one exists or cannot be written.
    """
    if place.suffix.lower() == ".xlsx":
        files = {place: workbook_template(lang)}
    elif place.suffix.lower() in (".yaml", ".yml"):
        files = {place: PROFILE.read_bytes()}
    elif place.suffix and not place.is_dir():
        raise InputError(str(place), f"the ending {place.suffix}", "a folder, a workbook (.xlsx) or a profile (.yaml)")
    else:
        files = {place / f"{name}.csv": csv_template(name, lang) for name in TABLES}
    for path in files:
        if path.exists():
            raise InputError(str(path), "a file that exists already", "a name that is free")
    for path, data in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
        except OSError as error:
            raise InputError(str(path), error.strerror or str(error), "a place that can be written") from None
        show.console().print(f"{path}", markup=False)
