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

LEAST_TOLD = 0.5
"""Share of the ticks on either side of the alarm at which a counter must have been told; else there is no score."""
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
    """What one counter rises by a second beyond the spans of the same ticks, after less before; NaN if seldom told."""
    spans, told, value = spans_of(evidence), series.told[:, column], 0.0
    served = spans.serves & (spans.service == spans.names.index(series.services[column]))
    ticks = np.searchsorted(series.times, spans.times)  # a rate is that of the time up to its tick
    seen = served & np.append(told, False)[ticks]
    for side, of_spans, length_s, sign in zip(
        (~series.after, series.after), (~spans.after, spans.after), seconds(evidence), (-1, 1), strict=True
    ):
        share = told[side].mean() if side.any() else 0.0
        if share < LEAST_TOLD:
            return float("nan")
        value += sign * (series.values[side & told, column].mean() - (seen & of_spans).sum() / (length_s * share))
    return float(value)


OFFERS = (CounterMinusSpans(),)
