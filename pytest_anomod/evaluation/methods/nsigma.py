"""N-sigma: the largest score of any figure after the alarm, against mean and deviation before; also detects."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._binned import features_of, unusual
from pytest_anomod.evaluation.methods._series import Series, series_of


class NSigma:
    """Ranks by metrics, as RCAEval's `nsigma`: BARO's rule with mean and standard deviation."""

    name = "nsigma"
    modalities = ("metrics",)

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The highest score of a service's metrics."""
        series = series_of(evidence)
        before, after = series.values[~series.after], series.values[series.after]
        if not len(before) or not len(after):
            return {}
        return series.by_service(evidence, largest(series, before.mean(axis=0), before.std(axis=0)))


class NSigmaDetector:
    """Scores bins by how far figures of each modality lie from their median in the history (see `_binned.unusual`)."""

    name = "nsigma_detector"
    modalities = ("logs", "metrics", "traces", "api_responses")

    def score(self, evidence: Evidence) -> np.ndarray:
        """The mean over modalities of the logarithm of the mean of the five most unusual figures."""
        parts = [unusual(evidence, features_of(evidence, name)) for name in self.modalities if name in evidence.granted]
        return np.asarray(np.mean(parts, axis=0))


def largest(series: Series, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The largest score after the alarm of each column; NaN for one that is constant before or after.

    The published rules leave such columns out, and take a spread of 0 for 1, as scikit-learn's scalers do.
    """
    before, after = series.values[~series.after], series.values[series.after]
    moved = (before != before[0]).any(axis=0) & (after != after[0]).any(axis=0)
    scores = ((after - centre) / np.where(spread == 0, 1.0, spread)).max(axis=0)
    return np.where(moved, scores, np.nan)


OFFERS = (NSigma(), NSigmaDetector())
