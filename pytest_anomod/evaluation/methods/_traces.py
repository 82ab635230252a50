"""The traces of a case as one: which operations each passed, whether it came after the alarm, whether it went wrong."""

from __future__ import annotations

import dataclasses

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._spans import Spans, spans_of

SIGMAS = 1.5
"""A trace is slow when it takes longer than its operations' mean own times and so many standard deviations of each."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Traces:
    """By trace number: `after` the alarm, `abnormal` (slow, or with a failed span); the spans they are made of."""

    spans: Spans
    after: np.ndarray
    abnormal: np.ndarray


def traces_of(evidence: Evidence) -> Traces:
    """The traces of the evidence."""
    return evidence.kept("traces", "traces", lambda: _read(spans_of(evidence)))


def _read(spans: Spans) -> Traces:
    count, operations = int(spans.trace.max(initial=-1)) + 1, int(spans.operation.max(initial=-1)) + 1
    after = np.ones(count, dtype=bool)
    after[spans.trace[~spans.after]] = False  # one that began before the alarm
    usual = ~spans.after
    sizes = np.bincount(spans.operation[usual], minlength=operations)
    own = spans.own_ms[usual]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(spans.operation[usual], weights=own, minlength=operations) / sizes
        square = np.bincount(spans.operation[usual], weights=own**2, minlength=operations) / sizes
    bound = mean + SIGMAS * np.sqrt(np.maximum(square - mean**2, 0.0))
    bound[sizes == 0] = np.inf  # what was never seen before is not slow
    expected = np.bincount(spans.trace, weights=bound[spans.operation], minlength=count)
    taken = np.bincount(spans.trace, weights=spans.own_ms, minlength=count)
    failed = np.bincount(spans.trace, weights=spans.failed, minlength=count) > 0
    return Traces(spans=spans, after=after, abnormal=failed | (taken > expected))
