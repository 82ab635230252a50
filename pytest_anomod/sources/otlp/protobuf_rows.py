"""Rows of OTLP's protobuf messages; needs opentelemetry-proto (the extra `otlp`)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_anomod.sources.clean import clean
from pytest_anomod.sources.otlp import rows as common
from pytest_anomod.sources.otlp.rows import KINDS, STATUSES, Metric, Point, Resource, Tally
from pytest_anomod.sources.read import Row
from pytest_anomod.sources.values import finite

_LAST_NS = 2**63
_NUMBERS = ("gauge", "sum")
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


@functools.cache
def message_of(signal: str) -> Any:
    """The class of the request that exports a signal."""
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        return trace_service_pb2.ExportTraceServiceRequest
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

        return logs_service_pb2.ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

    return metrics_service_pb2.ExportMetricsServiceRequest


def parse(signal: str, payload: bytes) -> Any:
    """The request in a payload; ValueError when it is none."""
    from google.protobuf.message import DecodeError

    try:
        request = message_of(signal).FromString(payload)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    if payload and not _resources(signal, request):
        msg = f"it holds no resource with {signal}"
        raise ValueError(msg)
    return request


def count(signal: str, request: Any) -> tuple[int, int]:
    """How many records a request has, and how many of them can't be taken; cheap."""
    if signal == "traces":
        spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
        return len(spans), sum(not _is_span(span) for span in spans)
    if signal == "logs":
        return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs), 0
    return sum(len(scope.metrics) for resource in request.resource_metrics for scope in resource.scope_metrics), 0


def _resources(signal: str, request: Any) -> Any:
    return getattr(request, {"traces": "resource_spans", "logs": "resource_logs"}.get(signal, "resource_metrics"))


def _is_span(span: Any) -> bool:
    return (
        len(span.trace_id) == 16
        and span.trace_id != _NO_TRACE
        and len(span.span_id) == 8
        and span.span_id != _NO_SPAN
        and 0 < span.start_time_unix_nano < _LAST_NS
    )


def _value(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which == "string_value":
        return value.string_value
    if which is None:
        return None
    if which == "array_value":
        return [_value(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    found = getattr(value, which)
    if which == "double_value":
        return finite(found)
    return found.hex() if which == "bytes_value" else found


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def spans(request: Any, tally: Tally) -> Iterator[Row]:
    """Rows of traces."""
    for of_resource in request.resource_spans:
        resource = Resource.of(_attributes(of_resource.resource.attributes))
        for span in itertools.chain.from_iterable(scope.spans for scope in of_resource.scope_spans):
            if not _is_span(span):
                is_timed = 0 < span.start_time_unix_nano < _LAST_NS
                tally.dropped[common.BAD_SPAN_ID if is_timed else common.BAD_SPAN_TIME] += 1
                continue
            attributes = _attributes(span.attributes)
            if span.events:
                attributes["events"] = [_event(event) for event in span.events]
            if span.links:
                attributes["links"] = [_link(link) for link in span.links]
            if span.status.message:
                attributes["otel.status_description"] = span.status.message
            yield common.span_row(
                span.start_time_unix_nano,
                _time(span.end_time_unix_nano) or 0,
                resource,
                (span.trace_id.hex(), span.span_id.hex(), _span_id(span.parent_span_id)),
                span.name,
                common.name_of(KINDS, span.kind),
                common.name_of(STATUSES, span.status.code),
                attributes,
                tally,
            )


def _span_id(raw: bytes) -> str:
    return raw.hex() if len(raw) == 8 and raw != _NO_SPAN else ""


def _event(event: Any) -> dict[str, Any]:
    return {
        "name": event.name,
        "time_unix_nano": event.time_unix_nano,
        "attributes": _attributes(event.attributes),
    }


def _link(link: Any) -> dict[str, Any]:
    return {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "attributes": _attributes(link.attributes),
    }


def logs(request: Any, came_ns: int, tally: Tally) -> Iterator[Row]:
    """Rows of logs; `came_ns` is when the request came."""
    for of_resource in request.resource_logs:
        resource = Resource.of(_attributes(of_resource.resource.attributes))
        for scope in of_resource.scope_logs:
            logger = {"otel.scope.name": scope.scope.name} if scope.scope.name else {}
            for record in scope.log_records:
                attributes = logger | _attributes(record.attributes)
                if record.event_name:
                    attributes["event.name"] = record.event_name
                trace = record.trace_id.hex() if len(record.trace_id) == 16 and record.trace_id != _NO_TRACE else ""
                yield common.log_row(
                    (_time(record.time_unix_nano), _time(record.observed_time_unix_nano), came_ns),
                    resource,
                    (record.severity_number, record.severity_text),
                    _value(record.body),
                    (trace, _span_id(record.span_id) if trace else ""),
                    attributes,
                    tally,
                )


def _time(nanos: int) -> int | None:
    return nanos if 0 < nanos < _LAST_NS else None


def metrics(request: Any, tally: Tally) -> Iterator[Point]:
    """Rows of metrics."""
    for of_resource in request.resource_metrics:
        resource = Resource.of(_attributes(of_resource.resource.attributes))
        for metric in itertools.chain.from_iterable(scope.metrics for scope in of_resource.scope_metrics):
            which = metric.WhichOneof("data")
            if which is None:
                tally.dropped[common.NO_SUCH_METRIC] += 1
                continue
            data = getattr(metric, which)
            is_delta = getattr(data, "aggregation_temporality", 0) == common.DELTA
            kind = "counter" if getattr(data, "is_monotonic", False) else "gauge"
            shared = Metric(resource, metric.name, metric.unit, kind, is_delta)
            for point in data.data_points:
                time_unix_nano = _time(point.time_unix_nano)
                if point.flags & common.NO_RECORDED_VALUE or (which in _NUMBERS and not point.WhichOneof("value")):
                    tally.dropped[common.NO_VALUE] += 1
                elif time_unix_nano is None:
                    tally.dropped[common.NO_POINT_TIME] += 1
                else:
                    yield from _points(shared, which, time_unix_nano, point, tally)


def _points(metric: Metric, which: str, time_unix_nano: int, point: Any, tally: Tally) -> Iterator[Point]:
    attributes = clean(_attributes(point.attributes))
    if which in _NUMBERS:
        value = float(getattr(point, point.WhichOneof("value")))
        yield common.point(metric, time_unix_nano, value, attributes)
    elif which == "summary":
        for quantile in point.quantile_values:
            labels = {**attributes, "quantile": repr(quantile.quantile)}
            yield common.point(metric, time_unix_nano, quantile.value, labels)
        yield from common.parts(metric, time_unix_nano, attributes, point.count, point.sum)
    else:
        total = point.sum if point.HasField("sum") else None
        buckets: Iterable[tuple[float, int]] = ()
        if which == "histogram":
            buckets = common.bounded(point.explicit_bounds, point.bucket_counts, tally)
        else:
            tally.dropped[common.BUCKETS] += 1
        yield from common.parts(metric, time_unix_nano, attributes, point.count, total, buckets)
