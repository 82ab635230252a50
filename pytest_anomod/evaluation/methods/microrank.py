"""MicroRank: PageRank of operations over abnormal and normal traces, joined by a weighted spectrum.

Yu et al., "MicroRank: End-to-End Latency Issue Localization with Extended Spectrum Analysis in Microservice
Environments" (WWW 2021), after the authors' code (github.com/IntelligentDDS/MicroRank): damping 0.85, weight of calls
0.01, 25 rounds, D* of exponent 2. Three things differ. A trace is abnormal by its operations' own times and by failed
spans, for ours nest and fail. Abnormal and normal traces are both taken after the alarm; when none is normal, those
before it are. A service has the highest score of its operations.
"""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import Spans
from pytest_anomod.evaluation.methods._traces import traces_of

DAMPING = 0.85
CALLS = 0.01
ROUNDS = 25
LITTLE = 1e-7


class MicroRank:
    """PageRank on operations and traces, and a spectrum weighted by it."""

    name = "microrank"
    modalities = ("traces",)

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """D* by service; nothing when no trace is abnormal."""
        traces = traces_of(evidence)
        spans = traces.spans
        abnormal, normal = traces.after & traces.abnormal, traces.after & ~traces.abnormal
        if not normal.any():
            normal = ~traces.after & ~traces.abnormal
        if not abnormal.any() or not normal.any():
            return {}
        bad, bad_in = _weights(spans, abnormal, of_abnormal=True)
        good, good_in = _weights(spans, normal, of_abnormal=False)
        ef, nf = bad * bad_in, bad * (abnormal.sum() - bad_in)
        ep = good * good_in
        only_bad, only_good = (bad_in > 0) & (good_in == 0), (good_in > 0) & (bad_in == 0)
        ep = np.where(only_bad, LITTLE, np.where(only_good, (1 + good) * good_in, ep))
        ef, nf = np.where(only_good, LITTLE, ef), np.where(only_good, LITTLE, nf)
        scores = ef**2 / np.maximum(ep + nf, LITTLE)
        return _by_service(evidence, spans, np.where((bad_in > 0) | (good_in > 0), scores, 0.0))


def _by_service(evidence: Evidence, spans: Spans, scores: np.ndarray) -> dict[str, float]:
    owner = np.zeros(len(scores), dtype=np.int64)
    owner[spans.operation] = spans.blamed
    found: dict[str, float] = {}
    for code, value in zip(owner.tolist(), scores.tolist(), strict=True):
        name = spans.names[code]
        if name in evidence.services:
            found[name] = max(found.get(name, 0.0), value)
    return found


def _weights(spans: Spans, chosen: np.ndarray, *, of_abnormal: bool) -> tuple[np.ndarray, np.ndarray]:
    """PageRank weight of each operation over some traces, and in how many of them it is.

    Traces that pass the same operations equally often have the same weight; so they are one column, counted `often`.
    """
    count = int(spans.operation.max()) + 1
    rows = chosen[spans.trace]
    numbers = np.cumsum(chosen) - 1
    times = np.zeros((int(chosen.sum()), count), dtype=np.int32)
    np.add.at(times, (numbers[spans.trace[rows]], spans.operation[rows]), 1)
    columns, often = np.unique(times, axis=0, return_counts=True)
    passed = columns > 0
    to_operation = passed.T / passed.sum(axis=1)  # operation x column
    to_trace = passed / np.maximum((passed * often[:, None]).sum(axis=0), 1)  # column x operation
    preference = _preference(columns, often, of_abnormal=of_abnormal)
    calls = _calls(spans, rows, count)
    present = passed.any(axis=0)
    operations = present / (present.sum() + len(times))
    traces = np.full(len(columns), 1 / (present.sum() + len(times)))
    for _ in range(ROUNDS):
        new = DAMPING * (to_operation @ (traces * often) + CALLS * calls @ operations)
        traces = DAMPING * to_trace @ operations + (1 - DAMPING) * preference
        operations, traces = new / new.max(), traces / traces.max()
    weights = np.where(present, operations * operations[present].sum() / present.sum(), 0.0)
    return weights, (passed * often[:, None]).sum(axis=0)


def _preference(columns: np.ndarray, often: np.ndarray, *, of_abnormal: bool) -> np.ndarray:
    """How readily a walk begins at each trace: of a rare kind (its set of operations) and, if abnormal, a short one."""
    kinds, kind = np.unique(columns > 0, axis=0, return_inverse=True)
    size = np.bincount(kind.ravel(), weights=often)[kind.ravel()]
    if not of_abnormal:
        return np.asarray(1 / size / len(kinds))
    lengths = columns.sum(axis=1)
    return np.asarray(0.5 / (0.5 * size / len(kinds) + 1 / lengths) / (often / lengths).sum())


def _calls(spans: Spans, rows: np.ndarray, count: int) -> np.ndarray:
    """By (callee, caller) operation: 1 / the number of operations that the caller calls."""
    inner = np.flatnonzero(rows & (spans.parent >= 0))
    called = np.zeros((count, count))
    called[spans.operation[inner], spans.operation[spans.parent[inner]]] = 1.0
    return called / np.maximum(called.sum(axis=0), 1)


OFFERS = (MicroRank(),)
