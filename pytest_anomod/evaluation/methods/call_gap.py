"""Names the callee of calls that take longer than the callee's span (time lost between the two), and the edge."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.method import Ranking
from pytest_anomod.evaluation.methods._spans import by_service, spans_of


class CallGap:
    """Milliseconds of a call that no span below it explains, mean after less before: of the callee, and of the edge."""

    name = "call_gap"
    modalities = ("traces",)
    trivial = True

    def rank(self, evidence: Evidence) -> Ranking:
        """The rise by callee, and by caller and callee."""
        spans = spans_of(evidence)

        def rise(rows: np.ndarray) -> float:
            before, after = (spans.own_ms[rows[spans.after[rows] == side]] for side in (False, True))
            return float(after.mean() - before.mean()) if len(before) and len(after) else float("nan")

        calls = spans.calls & (spans.peer >= 0)
        edges = {}
        for caller, callee in np.unique(np.column_stack([spans.service, spans.peer])[calls], axis=0):
            edge = spans.names[caller], spans.names[callee]
            value = rise(np.flatnonzero(calls & (spans.service == caller) & (spans.peer == callee)))
            if np.isfinite(value) and set(edge) <= set(evidence.services):
                edges[edge] = value
        return Ranking(services=by_service(evidence, spans, rise, spans.peer, among=calls), edges=edges)


OFFERS = (CallGap(),)
