"""Step 8c. The tests of July: what a school's last grade shows, and what the school added in the year."""

from __future__ import annotations

import numpy as np

from model.quality import observed_score
from model.region import STAGES, Region, Stage
from model.school_year import SchoolYear, Tested


def assessment(region: Region, year: SchoolYear) -> None:
    """Test the last two grades of each stage; set each school's score and value-added, in base-year SD.

    Value-added is the score beyond what the score of a year before predicts.
    """
    s, students, scale = region.schools, region.students, region.scale
    year.seen.value_added_before = s.value_added.copy()
    for stage in STAGES:
        last = region.primary_grades if stage == Stage.PRIMARY else 9
        before = region.grade_rows(last - 1, last - 1)
        rows = region.grade_rows(last, last)
        if rows.start == rows.stop:
            continue
        score = observed_score(region, year.behaviour, year.draws, rows)
        residual = score - score.mean()
        known = students.prior[rows].astype(np.float64)
        known -= known.mean()
        spread = (known * known).sum()
        if spread > 0:
            residual = residual - known * (known * residual).sum() / spread
        students.prior[rows] = score
        students.prior[before] = observed_score(region, year.behaviour, year.draws, before)
        school = students.school[rows]
        count = np.bincount(school, minlength=s.n)
        held = count > 0
        mean = np.bincount(school, score, s.n)[held] / count[held]
        if year.settling:  # the scale moves until the base year, then never again
            scale.score_mean[stage], scale.score_sd[stage] = score.mean(), max(score.std(), 1e-9)
            weight = count[held] / count.sum()
            scale.school_mean_sd[stage] = max(np.sqrt((weight * (mean - score.mean()) ** 2).sum()), 1e-9)
        s.score[:, stage] = 0.0
        s.value_added[:, stage] = 0.0
        s.score[held, stage] = (mean - scale.score_mean[stage]) / scale.score_sd[stage]
        added = np.bincount(school, residual, s.n)[held] / count[held]
        s.value_added[held, stage] = added / scale.score_sd[stage]
        year.seen.tested.append(Tested(int(stage), rows, score, residual))
