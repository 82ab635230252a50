"""Names the service whose requests became slowest, as a multiple of what they were."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import by_service, spans_of

LEAST = 5
"""Requests a service must have served before and after."""


class WorstLatency:
    """95th percentile of the spans a service served, after over before."""

    name = "worst_latency"
    modalities = ("traces",)
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The ratio by service."""
        spans = spans_of(evidence)

        def ratio(rows: np.ndarray) -> float:
            before, after = (spans.duration_ms[rows[spans.after[rows] == side]] for side in (False, True))
            if min(len(before), len(after)) < LEAST:
                return float("nan")
            return float(np.quantile(after, 0.95) / max(np.quantile(before, 0.95), 1e-3))

        return by_service(evidence, spans, ratio, spans.service, among=spans.serves)


OFFERS = (WorstLatency(),)
