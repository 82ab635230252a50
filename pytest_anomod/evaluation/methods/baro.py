"""BARO's rule: the largest robust score of any metric after the alarm.

Pham, Ha, Zhang, "BARO: Robust Root Cause Analysis for Microservices via Multivariate Bayesian Online Change Point
Detection" (FSE 2024), `RobustScorer`: (value - median) / interquartile range before the alarm, the highest after it;
columns that are constant before or after are left out. Tested against `fse-baro` 0.2.2 (`robust_scorer`) on the same
frames. The alarm is given, as in RCAEval; BARO's own detector of change points is not used.
"""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._series import series_of
from pytest_anomod.evaluation.methods.nsigma import largest


class Baro:
    """The RobustScorer of BARO on the metrics."""

    name = "baro"
    modalities = ("metrics",)

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The highest score of a service's metrics."""
        series = series_of(evidence)
        before = series.values[~series.after]
        if not len(before) or series.after.sum() == 0:
            return {}
        low, middle, high = np.quantile(before, [0.25, 0.5, 0.75], axis=0)
        return series.by_service(evidence, largest(series, middle, high - low))


OFFERS = (Baro(),)
