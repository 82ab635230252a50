"""Names the service with the most failed spans that it did not have before."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import by_service, seconds, spans_of


class NewErrors:
    """Failed spans a second, after less before."""

    name = "new_errors"
    modalities = ("traces",)
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The rise by service."""
        spans, (before_s, after_s) = spans_of(evidence), seconds(evidence)

        def rise(rows: np.ndarray) -> float:
            late = int(spans.after[rows].sum())
            return late / after_s - (len(rows) - late) / before_s

        return by_service(evidence, spans, rise, spans.service, among=spans.failed)


OFFERS = (NewErrors(),)
