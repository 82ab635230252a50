"""Names the service with the metric that moved most either way, in usual spreads that are no smaller than a floor."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._series import series_of

SHARE = 0.1
"""A spread below this share of the usual value counts as so much: a rise of 1 % of a steady figure is none."""
LEAST = 1e-3


class RobustShift:
    """|median after - median before| over the larger of interquartile range and floor, in the logarithm."""

    name = "robust_shift"
    modalities = ("metrics",)

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The largest shift of a service's metrics."""
        series = series_of(evidence)
        before, after = series.values[~series.after], series.values[series.after]
        if not len(before) or not len(after):
            return {}
        low, middle, high = np.quantile(before, [0.25, 0.5, 0.75], axis=0)
        spread = np.maximum(high - low, np.maximum(SHARE * np.abs(middle), LEAST))
        return series.by_service(evidence, np.log1p(np.abs(np.median(after, axis=0) - middle) / spread))


OFFERS = (RobustShift(),)
