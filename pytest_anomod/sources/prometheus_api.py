"""Metrics from the HTTP API of Prometheus, or of what speaks it (Thanos, Mimir, VictoriaMetrics)."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.redact import redact_json
from pytest_anomod.sources.api import Api
from pytest_anomod.sources.openmetrics import kind_of, unit_of
from pytest_anomod.sources.read import UNKNOWN_SERVICE, Reading, Row
from pytest_anomod.sources.values import Number, as_list, as_object, decimal_ns

SETTLE_S = 16.0
"""A scrape interval of 15 s, which is common, and a moment until its samples can be asked for."""

MOST_POINTS = 10_000
"""Of a series in one answer; Prometheus refuses more than 11,000."""

SERVICE_LABELS = ("service_name", "service", "app", "job")
INSTANCE_LABELS = ("service_instance_id", "pod", "instance")
NO_SAMPLE = "a sample without a time or a value that can be read"
NATIVE = "samples of native histograms"
_KINDS = {"counter": "counter", "gauge": "gauge"} | dict.fromkeys(("histogram", "summary"), "histogram")


class PrometheusApi:
    """Reads what `queries` select, from a URL such as http://127.0.0.1:9090.

    Without `step_s`, queries are selectors such as {namespace="shop"}, and every sample is read as it was scraped. With
    it they may be any PromQL, evaluated every so many seconds (query_range); Prometheus then repeats the last sample
    of a series for up to five minutes, so that one which died looks alive. The service and the instance of a series are
    the first labels of it that are named in `service_labels` and `instance_labels`.
    """

    def __init__(
        self,
        url: str,
        queries: Sequence[str],
        *,
        step_s: float | None = None,
        service_labels: Sequence[str] = SERVICE_LABELS,
        instance_labels: Sequence[str] = INSTANCE_LABELS,
        settle_s: float = SETTLE_S,
    ) -> None:
        if step_s is not None and step_s <= 0:
            msg = f"step_s {step_s!r} of a Prometheus source must be above 0, or None for the samples as scraped"
            raise CaptureError(msg)
        self.settle_s = settle_s
        self._queries = tuple(queries)
        self._step_s = step_s
        self._service_labels = service_labels
        self._instance_labels = instance_labels
        self._api = Api("Prometheus", url)

    def read(self, start_ns: int, end_ns: int) -> Reading:
        """Samples of the stretch; a series that several queries select is taken once."""
        dropped: Counter[str] = Counter()
        rows: dict[tuple[Any, ...], Row] = {}
        with self._api:
            declared = self._declared_kinds()
            for query in self._queries:
                for series in self._series(query, start_ns, end_ns):
                    found = self._rows(as_object(series), query, declared, dropped)
                    rows.update((key, row) for key, row in found if start_ns <= key[0] < end_ns)
        return Reading(rows=list(rows.values()), dropped=+dropped)

    def _declared_kinds(self) -> dict[str, Any]:
        """Metadata by family; not all that speak this API have it, and then names tell the kinds."""
        with contextlib.suppress(CaptureError):
            return as_object(self._data("/api/v1/metadata", {}))
        return {}

    def _series(self, query: str, start_ns: int, end_ns: int) -> Iterator[Any]:
        """Series with their samples of the stretch, piece by piece."""
        step_ns = NS_PER_S if self._step_s is None else max(1_000_000, int(self._step_s * NS_PER_S))
        piece_ns = MOST_POINTS * step_ns
        for begin in range(start_ns, end_ns, piece_ns):
            end = min(end_ns, begin + piece_ns)
            if self._step_s is None:
                length_ms = -(-(end - begin) // 1_000_000) + 1  # the range leaves its first moment out
                data = self._data("/api/v1/query", {"query": f"{query}[{length_ms}ms]", "time": _seconds(end)})
            else:
                question = {"start": _seconds(begin), "end": _seconds(end - 1), "step": f"{step_ns // 1_000_000}ms"}
                data = self._data("/api/v1/query_range", {"query": query, **question})
            if as_object(data).get("resultType") != "matrix":
                msg = (
                    f"Prometheus answered the query {query!r} with no series; give a selector, or any query and step_s"
                )
                raise CaptureError(msg)
            yield from as_list(data.get("result"))

    def _rows(
        self, series: dict[str, Any], query: str, declared: Mapping[str, Any], dropped: Counter[str]
    ) -> Iterator[tuple[tuple[Any, ...], Row]]:
        labels = {str(name): str(value) for name, value in as_object(series.get("metric")).items()}
        name = labels.pop("__name__", "") or query
        identity = (name, *sorted(labels.items()))
        service = next((labels[label] for label in self._service_labels if labels.get(label)), UNKNOWN_SERVICE)
        instance = next((labels[label] for label in self._instance_labels if labels.get(label)), None)
        kind = _declared(name, declared) or kind_of(name)
        unit, attributes = unit_of(name, kind), redact_json(labels)
        if series.get("histograms"):
            dropped[NATIVE] += len(as_list(series["histograms"]))
        for sample in as_list(series.get("values")):
            time_unix_nano, value = _sample(sample)
            if time_unix_nano is None or value is None:
                dropped[NO_SAMPLE] += 1
                continue
            row = (time_unix_nano, service, instance, name, unit, kind, value, attributes)
            yield (time_unix_nano, identity), row

    def _data(self, path: str, question: Mapping[str, str | int]) -> Any:
        answer = self._api.get(path, question, exact=True)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            said = str(as_object(answer).get("error") or answer)[:300]
            msg = f"Prometheus answered {path} with no success but {said}"
            raise CaptureError(msg)
        return answer.get("data")


def _sample(sample: Any) -> tuple[int | None, float | None]:
    """Time in nanoseconds, exact to the millisecond that Prometheus has, and value."""
    try:
        moment, value = sample
        text = moment.text if isinstance(moment, Number) else str(moment)
        return decimal_ns(text), float(value)
    except (TypeError, ValueError):
        return None, None


def _declared(name: str, declared: Mapping[str, Any]) -> str:
    """The kind that a target declared for the family of a series; "" for none."""
    families = [name, *(name.removesuffix(suffix) for suffix in ("_total", "_bucket", "_count", "_sum"))]
    for family in families:
        entries = as_list(declared.get(family))
        kind = _KINDS.get(str(as_object(entries[0]).get("type"))) if entries else None
        if kind is not None:
            return kind if kind != "histogram" or family != name else "gauge"  # a summary's quantile
    return ""


def _seconds(time_unix_nano: int) -> str:
    seconds, nanos = divmod(time_unix_nano, NS_PER_S)
    return f"{seconds}.{nanos:09d}"
