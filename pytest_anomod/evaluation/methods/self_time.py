"""Names the service whose own work takes more time than before, calls to others left out."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import by_service, spans_of


class SelfTime:
    """Milliseconds of own time that a request needs more than before: mean own time of spans, after less before."""

    name = "self_time"
    modalities = ("traces",)

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The rise by service; a service without spans on either side has none."""
        spans = spans_of(evidence)

        def rise(rows: np.ndarray) -> float:
            before, after = (spans.own_ms[rows[spans.after[rows] == side]] for side in (False, True))
            return float(after.mean() - before.mean()) if len(before) and len(after) else float("nan")

        return by_service(evidence, spans, rise, spans.blamed, among=np.ones(len(spans), dtype=bool))


OFFERS = (SelfTime(),)
