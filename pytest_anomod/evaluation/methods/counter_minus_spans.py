"""Names the service whose counter of requests rises above its spans: a mark of probes, not of a fault.

It should be at chance. If it is not, requests of a tool to its target are in the metrics and not in the traces. Counter
and spans are compared where the counter was told: nobody knows what a service counted that could not be asked.
"""

from __future__ import annotations

import re

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._series import Series, series_of
from pytest_anomod.evaluation.methods._spans import seconds, spans_of
from pytest_anomod.model.clock import NS_PER_S

LEAST_TOLD = 0.5
"""Share of the time on either side of the alarm for which a counter must have been told; else there is no score."""
GAP = 3.0
"""So many times longer than usual is the step to a row before which the service was not asked, or gave no answer."""
_REQUESTS = re.compile(r"(rpc_server|http)_requests_total|(rpc_server|http_request)_duration_seconds_count")


class CounterMinusSpans:
    """Requests counted less spans served, a second, after less before."""

    name = "counter_minus_spans"
    modalities = ("metrics", "traces")
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The rise by service; nothing unless both modalities are there."""
        if set(self.modalities) - set(evidence.granted):
            return {}
        series = series_of(evidence)
        found: dict[str, float] = {}
        for column, (name, metric) in enumerate(zip(series.services, series.metrics, strict=True)):
            if metric.endswith("_total") and _REQUESTS.fullmatch(metric) and name in evidence.services:
                found[name] = found.get(name, 0.0) + _surplus(evidence, series, column)
        return {name: value for name, value in found.items() if np.isfinite(value)}


def _surplus(evidence: Evidence, series: Series, column: int) -> float:
    """What one counter rises by a second beyond the spans of the same time, after less before; NaN if seldom told."""
    spans, told = spans_of(evidence), series.told[:, column]
    times, rates, after = series.times[told], series.values[told, column], series.after[told]
    if len(times) < 2:
        return float("nan")
    steps = np.diff(times, prepend=times[0] - (times[1] - times[0])) / NS_PER_S
    steps[steps > GAP * np.median(steps)] = 0.0  # nobody was told what was counted there
    served = spans.serves & (spans.service == spans.names.index(series.services[column]))
    ticks = np.searchsorted(times, spans.times[served])  # a rate is that of the time up to its tick
    traced = np.bincount(ticks, minlength=len(times) + 1)[: len(times)] * (steps > 0)
    value = 0.0
    for side, length_s, sign in zip((~after, after), seconds(evidence), (-1, 1), strict=True):
        told_s = float(steps[side].sum())
        if told_s < LEAST_TOLD * length_s:
            return float("nan")
        value += sign * float((rates * steps - traced)[side].sum()) / told_s
    return value


OFFERS = (CounterMinusSpans(),)
