"""Names the service where failures begin: failed spans with no failed span below."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import by_service, seconds, spans_of


class DeepestError:
    """Failed spans a second without a failed span below, after less before; an unanswered call is its callee's."""

    name = "deepest_error"
    modalities = ("traces",)
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The rise by service."""
        spans, (before_s, after_s) = spans_of(evidence), seconds(evidence)
        above = np.zeros(len(spans), dtype=bool)
        above[spans.parent[spans.failed & (spans.parent >= 0)]] = True

        def rise(rows: np.ndarray) -> float:
            late = int(spans.after[rows].sum())
            return late / after_s - (len(rows) - late) / before_s

        return by_service(evidence, spans, rise, spans.blamed, among=spans.failed & ~above)


OFFERS = (DeepestError(),)
