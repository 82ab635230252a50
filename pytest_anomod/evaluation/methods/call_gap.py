"""Names the callee of calls that take longer than the callee's span: the time lost between the two."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import by_service, spans_of


class CallGap:
    """Milliseconds of a call that no span below it explains, mean after less before, laid on the callee."""

    name = "call_gap"
    modalities = ("traces",)
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The rise by callee."""
        spans = spans_of(evidence)

        def rise(rows: np.ndarray) -> float:
            before, after = (spans.own_ms[rows[spans.after[rows] == side]] for side in (False, True))
            return float(after.mean() - before.mean()) if len(before) and len(after) else float("nan")

        return by_service(evidence, spans, rise, spans.peer, among=spans.calls & (spans.peer >= 0))


OFFERS = (CallGap(),)
