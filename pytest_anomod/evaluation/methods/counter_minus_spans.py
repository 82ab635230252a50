"""Names the service whose counter of requests rises above its spans: a mark of probes, not of a fault.

It should be at chance. If it is not, requests of a tool to its target are in the metrics and not in the traces.
"""

from __future__ import annotations

import re

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._series import series_of
from pytest_anomod.evaluation.methods._spans import seconds, spans_of

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
        series, spans, (before_s, after_s) = series_of(evidence), spans_of(evidence), seconds(evidence)
        counted: dict[str, float] = {}
        for column, (name, metric) in enumerate(zip(series.services, series.metrics, strict=True)):
            if metric.endswith("_total") and _REQUESTS.fullmatch(metric) and name in evidence.services:
                values = series.values[:, column]
                rise = values[series.after].mean() - values[~series.after].mean() if series.after.any() else 0.0
                counted[name] = counted.get(name, 0.0) + float(rise)
        found = {}
        for name, rise in counted.items():
            served = spans.serves & (spans.service == spans.names.index(name))
            late = int((served & spans.after).sum())
            found[name] = rise - (late / after_s - (int(served.sum()) - late) / before_s)
        return {name: value for name, value in found.items() if np.isfinite(value)}


OFFERS = (CounterMinusSpans(),)
