"""Spectrum-based localisation: names the services that abnormal traces pass and others do not (Ochiai's formula)."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._traces import traces_of


class Ochiai:
    """Ochiai's coefficient of "passed this service" and "was abnormal" over the traces after the alarm.

    ef / sqrt((ef + nf) (ef + ep)), as Abreu et al. (PRDC 2006) use it for lines of code; a trace passes the services
    that it has spans of and those that these call.
    """

    name = "ochiai"
    modalities = ("traces",)

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The coefficient by service."""
        traces = traces_of(evidence)
        spans, count, names = traces.spans, len(traces.after), traces.spans.names
        passed = np.zeros((count, len(names)), dtype=bool)
        passed[spans.trace, spans.service] = True
        called = spans.peer >= 0
        passed[spans.trace[called], spans.peer[called]] = True
        abnormal, normal = passed[traces.after & traces.abnormal], passed[traces.after & ~traces.abnormal]
        ef, ep = abnormal.sum(axis=0), normal.sum(axis=0)
        scores = ef / np.sqrt(np.maximum(len(abnormal) * (ef + ep), 1))
        return {name: float(value) for name, value in zip(names, scores, strict=True) if name in evidence.services}


OFFERS = (Ochiai(),)
