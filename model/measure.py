"""Step 13. Indicators: what the school year looked like, counted once, after all other steps."""

from __future__ import annotations

from model.counts import Places, count_homes, count_money, count_schools
from model.gaps import measure_gaps
from model.indicators import Rows
from model.national_standard import score, stocks_of
from model.region import Region
from model.school_year import SchoolYear


def measure(region: Region, year: SchoolYear, rows: Rows, schools: bool = False) -> None:
    """Add this year's indicators to `rows`; `schools` adds the level of schools."""
    cards = score(stocks_of(region))
    places = Places(region, year, schools)
    count_schools(region, year, cards, places, rows)
    count_homes(region, year, places, rows)
    measure_gaps(region, year, cards, rows)
    count_money(region, year, rows)
