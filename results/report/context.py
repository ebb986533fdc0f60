"""What a report is written from: a run folder, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from model.behaviour import CALIBRATIONS
from model.errors import InputError
from model.ledger import TRANSFERS
from model.national_standard import INDICATORS as STOCKS
from results.comparison import Comparison, Difference, compare, places
from results.drawing import Look, looks
from results.fonts import has_chinese
from results.report import words
from results.run_folder import RunFolder
from results.series import BASELINE, Series
from results.summary import summarise
from results.summary_text import lever_title

HEADLINES = ("gap.score", "schools_passing", "local_stay", "spending.levers")
OVER_TIME = ("gap.score", "between_school_share", "schools_passing")
READ = (
    *dict.fromkeys((*HEADLINES, *OVER_TIME)),
    *(f"{kind}.{stock}" for kind in ("cv", "mean") for stock in STOCKS),
    "mean_score",
    "to_city",
    "standard_met",
)
SETTINGS = ("urban", "town", "village")
STAGES = ("primary", "junior")
RUNNING = ("payroll", "public_funds")  # what is paid without any policy
CAPITAL = "construction"  # receiver of capital works


@dataclass(frozen=True)
class Payment:
    """Yuan of one entry of the ledger in a year: mean over the runs that are done."""

    scenario: str
    calibration: str
    year: int
    payer: str
    receiver: str
    lever: str
    transfer: bool
    yuan: float


@dataclass(frozen=True)
class Context:
    """A run as a report sees it, and the language it is told in."""

    folder: RunFolder
    lang: str
    summary: Mapping[str, Any]
    series: Series
    comparison: Comparison | None
    moved: list[Difference]  # differences in places
    lived: Mapping[tuple[str, str], int]  # runs that are done, by scenario and calibration
    payments: list[Payment]
    district_names: Mapping[str, str]  # English → Chinese
    region_title: str
    figures: list[dict[str, Any]] | None  # of the region's profile; None where it cannot be read

    @classmethod
    def read(cls, folder: RunFolder, lang: str) -> Self:
        """All that a report needs. Raises InputError where the tables are not written or hold no run."""
        summary = summarise(folder)
        if not summary["years"]:
            failed = summary["runs"]["failed"]
            raise InputError(str(folder.path), f"no run that is done ({failed} failed)", "a run folder with results")
        lived = _lived(folder)
        several = len(folder.manifest["scenarios"]) > 1
        names, title, figures = _region(folder.manifest["region"]["profile"], lang)
        return cls(
            folder,
            lang,
            summary,
            Series.read(folder, [*READ, *_aimed_at(folder)]),
            _compared(folder) if several else None,
            places(folder) if several else [],
            lived,
            _payments(folder, lived),
            names,
            title,
            figures,
        )

    def say(self, word: str, /, **fill: object) -> str:
        """A word or sentence in the report's language."""
        return words.say(word, self.lang, **fill)

    @property
    def letters(self) -> str:
        """Language in which pictures are lettered: English where the Chinese font is missing."""
        return self.lang if has_chinese() else "en"

    def drawn(self, word: str, /, **fill: object) -> str:
        """A word or sentence for a picture."""
        return words.say(word, self.letters, **fill)

    @cached_property
    def looks(self) -> dict[str, Look]:
        """The look of every scenario."""
        return looks(self.series.scenarios)

    @property
    def years(self) -> list[int]:
        """School years of the run."""
        return self.series.years

    @property
    def span(self) -> dict[str, int]:
        """First and last school year, for sentences."""
        return {"first": self.years[0], "last": self.years[-1]}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What is reported on: each scenario but the reference, or the only one, under each calibration."""
        chosen = self.series.others or self.series.scenarios
        return [(s, c) for c in self.series.calibrations for s in chosen]

    @property
    def whole(self) -> list[tuple[str, str]]:
        """Every scenario under every calibration."""
        return [(s, c) for c in self.series.calibrations for s in self.series.scenarios]

    @property
    def reference(self) -> str | None:
        """What the others are compared with; None where there is one scenario."""
        return self.series.reference if self.series.others else None

    def replicates(self, scenario: str, calibration: str) -> int:
        """Runs that are done."""
        return self.lived.get((scenario, calibration), 0)

    # ---- names

    def scenario(self, name: str, lang: str = "") -> str:
        """A scenario's name; the baseline's in words."""
        return words.say("baseline", lang or self.lang) if name == BASELINE else name

    def told(self, scenario: str, calibration: str, lang: str = "") -> str:
        """A scenario, with its calibration where the run has several."""
        name = self.scenario(scenario, lang)
        if len(self.series.calibrations) == 1:
            return name
        return words.say("brackets", lang or self.lang, what=name, inside=calibration)

    def place(self, level: str, place: str, lang: str = "") -> str:
        """A place in words."""
        lang = lang or self.lang
        if level == "region":
            return words.say("region", lang)
        if level == "setting":
            return words.say("town setting" if place == "town" else place, lang)
        return self.district_names.get(place, place) if level == "district" and lang == "zh" else place

    def lever(self, name: str, lang: str = "") -> str:
        """A lever or another purpose of money in words."""
        lang = lang or self.lang
        return words.say(name, lang) if name in ("payroll", "secondment") else lever_title(name, lang)

    def party(self, name: str, lang: str = "") -> str:
        """Who pays or is paid, in words."""
        known = words.phrases("parties").get(name)
        return name if known is None else known[(lang or self.lang) == "zh"]

    def runs(self, n: int) -> str:
        """So many runs."""
        return self.say("run_one") if n == 1 else self.say("run_many", n=n)

    def sentence(self, *parts: str) -> str:
        """Sentences, each with a capital and a full stop."""
        stop = self.say("stop")
        whole = [self._capital(p) + ("" if p.endswith((".", "。")) else stop) for p in parts if p]
        return ("" if self.lang == "zh" else " ").join(whole)

    def _capital(self, text: str) -> str:
        """A capital first, unless a scenario's name stands there."""
        return text if text.startswith(tuple(self.series.scenarios)) else text[:1].upper() + text[1:]

    def listed(self, parts: list[str]) -> str:
        """Names in a row."""
        return self.say("comma").join(parts)

    # ---- places

    @property
    def shown_level(self) -> str:
        """Districts where the region has several, else towns."""
        return "district" if len(self.series.places("district")) > 1 else "town"

    def places_of(self, level: str) -> list[str]:
        """Places of a level in the region's order; settings from the city outwards."""
        held = self.series.places(level)
        return [s for s in SETTINGS if s in held] if level == "setting" else held


def _compared(folder: RunFolder) -> Comparison | None:
    try:
        return compare(folder)
    except InputError:  # no outcome with a value on both sides: a scenario whose runs all failed
        return None


def _aimed_at(folder: RunFolder) -> list[str]:
    scenarios = folder.manifest["scenarios"].values()
    return sorted({target["indicator"] for scenario in scenarios for target in scenario["targets"]} - set(READ))


def _region(profile: str, lang: str) -> tuple[dict[str, str], str, list[dict[str, Any]] | None]:
    """Chinese names of districts, the region's title, the figures of its profile."""
    from model.profile import read_profile

    try:
        values, figures = read_profile(profile)
    except (InputError, OSError, UnicodeDecodeError):  # a saved region, or a profile that has moved
        return {}, profile, None
    names = {d["name"]["en"]: d["name"]["zh"] for d in values["districts"]}
    return names, values["title"]["zh" if lang == "zh" else "en"], figures


def _lived(folder: RunFolder) -> dict[tuple[str, str], int]:
    """How many runs of each scenario under each calibration are done."""
    names = ["scenario", "calibration", "replicate"]
    rows = folder.table("indicators", names, [("design_point", "=", 0), ("level", "=", "region")])
    plain = pa.table({n: rows[n] if n == "replicate" else pc.cast(rows[n], pa.string()) for n in names})
    counts = Counter((row["scenario"], row["calibration"]) for row in plain.group_by(names).aggregate([]).to_pylist())
    return dict(counts)


def _payments(folder: RunFolder, lived: Mapping[tuple[str, str], int]) -> list[Payment]:
    """The ledger, averaged over the runs that are done, a run that did not pay counting as zero."""
    by = ["scenario", "calibration", "year", "payer", "receiver", "lever", "item"]
    rows = folder.table("finance", filters=[("design_point", "=", 0)])
    plain = pa.table(
        {n: rows[n] if n == "year" else pc.cast(rows[n], pa.string()) for n in by} | {"yuan": rows["yuan"]}
    )
    sums: dict[tuple[Any, ...], float] = {}
    for row in plain.group_by(by, use_threads=False).aggregate([("yuan", "sum")]).to_pylist():
        key = (*(row[n] for n in by[:-1]), row["item"] in TRANSFERS)
        share = row["yuan_sum"] / lived[row["scenario"], row["calibration"]]
        sums[key] = sums.get(key, 0.0) + share
    return [Payment(s, c, y, who, to, lever, moved, yuan) for (s, c, y, who, to, lever, moved), yuan in sums.items()]


def other_calibration(calibration: str) -> str:
    """The calibration that was not run."""
    return next(c for c in CALIBRATIONS if c != calibration)
