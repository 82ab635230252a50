"""Rows of OTLP's JSON, by a walk of our own; needs no library.

protobuf's own json_format costs some fifteen times as much, and takes ids for base64 where OTLP writes them in hex.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_anomod.sources.clean import clean
from pytest_anomod.sources.otlp import rows as common
from pytest_anomod.sources.otlp.rows import KINDS, STATUSES, Metric, Point, Resource, Tally
from pytest_anomod.sources.read import Row
from pytest_anomod.sources.values import SPAN_DIGITS, TRACE_DIGITS, integer, load_json, span_id, time_ns, trace_id

_LISTS = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
_DATA = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What the walk raises on a record of another shape than OTLP's."""

Walked = tuple[Resource, dict[str, Any], dict[str, Any]]
"""Resource, scope and one record."""


def parse(signal: str, payload: bytes) -> Any:
    """The request in a payload; ValueError when it is none."""
    request = load_json(payload)
    if not isinstance(request, dict):
        msg = f"it is a JSON {type(request).__name__} instead of an object"
        raise ValueError(msg)
    name = _LISTS[signal][0]
    if request and not isinstance(request.get(name), list):
        msg = f"it holds no list {name}"
        raise ValueError(msg)
    return request


def count(signal: str, request: Any) -> tuple[int, int]:
    """How many records a request has, and how many can't be taken; ValueError where it is not of OTLP's shape."""
    try:
        records = [record for _, _, record in _walk(signal, request)]
    except _BROKEN as error:
        msg = f"it is not of OTLP's shape ({type(error).__name__}: {error})"
        raise ValueError(msg) from error
    if signal != "traces":
        return len(records), 0
    return len(records), sum(_reason(span) is not None for span in records)


def _walk(signal: str, request: Any) -> Iterator[Walked]:
    resources, scopes, records = _LISTS[signal]
    for of_resource in request.get(resources) or ():
        resource = Resource.of(_attributes((of_resource.get("resource") or {}).get("attributes")))
        for of_scope in of_resource.get(scopes) or ():
            scope = of_scope.get("scope") or {}
            for record in of_scope.get(records) or ():
                yield resource, scope, record


def _reason(span: Any) -> str | None:
    """Why a span can't be taken."""
    if not isinstance(span, dict):
        return common.BAD_RECORD
    trace, own = span.get("traceId"), span.get("spanId")
    is_whole = isinstance(trace, str) and isinstance(own, str) and (len(trace), len(own)) == (TRACE_DIGITS, SPAN_DIGITS)
    if not (is_whole and trace_id(trace) and span_id(own)):
        return common.BAD_SPAN_ID
    return None if time_ns(span.get("startTimeUnixNano")) else common.BAD_SPAN_TIME


def _value(value: Any) -> Any:
    for kind, held in (value or {}).items():
        if kind == "intValue":
            number = integer(held)
            return held if number is None else number
        if kind == "arrayValue":
            return [_value(item) for item in held.get("values") or ()]
        if kind == "kvlistValue":
            return _attributes(held.get("values"))
        if kind == "bytesValue":
            return base64.b64decode(held).hex()
        return held  # stringValue, boolValue, doubleValue
    return None


def _attributes(pairs: Any) -> dict[str, Any]:
    found = {}
    for pair in pairs or ():
        value = pair.get("value")
        found[str(pair["key"])] = value["stringValue"] if value and "stringValue" in value else _value(value)
    return found


def _each(walked: Iterable[Walked], tally: Tally, take: Callable[..., Any]) -> Iterator[Any]:
    """What `take` makes of each record; one of a wrong shape is counted."""
    for one in walked:
        try:
            yield take(*one, tally)
        except _BROKEN:
            tally.dropped[common.BAD_RECORD] += 1


def spans(request: Any, tally: Tally) -> Iterator[Row]:
    """Rows of traces."""
    return (row for row in _each(_walk("traces", request), tally, _span) if row is not None)


def _span(resource: Resource, _: Any, span: Any, tally: Tally) -> Row | None:
    reason = _reason(span)
    if reason is not None:
        tally.dropped[reason] += 1
        return None
    attributes = _attributes(span.get("attributes"))
    if span.get("events"):
        attributes["events"] = [_event(event) for event in span["events"]]
    if span.get("links"):
        attributes["links"] = [_link(link) for link in span["links"]]
    status = span.get("status") or {}
    if status.get("message"):
        attributes["otel.status_description"] = str(status["message"])
    return common.span_row(
        int(span["startTimeUnixNano"]),
        time_ns(span.get("endTimeUnixNano")) or 0,
        resource,
        (span["traceId"].lower(), span["spanId"].lower(), span_id(span.get("parentSpanId"))),
        str(span.get("name") or ""),
        common.name_of(KINDS, span.get("kind")),
        common.name_of(STATUSES, status.get("code")),
        attributes,
        tally,
    )


def _event(event: Any) -> dict[str, Any]:
    return {
        "name": event.get("name") or "",
        "time_unix_nano": time_ns(event.get("timeUnixNano")),
        "attributes": _attributes(event.get("attributes")),
    }


def _link(link: Any) -> dict[str, Any]:
    return {
        "trace_id": trace_id(link.get("traceId")),
        "span_id": span_id(link.get("spanId")),
        "attributes": _attributes(link.get("attributes")),
    }


def logs(request: Any, came_ns: int, tally: Tally) -> Iterator[Row]:
    """Rows of logs; `came_ns` is when the request came."""

    def take(resource: Resource, scope: Any, record: Any, tally: Tally) -> Row:
        attributes = {"otel.scope.name": str(scope["name"])} if scope.get("name") else {}
        attributes |= _attributes(record.get("attributes"))
        if record.get("eventName"):
            attributes["event.name"] = str(record["eventName"])
        trace = trace_id(record.get("traceId"))
        level = record.get("severityNumber") or 0
        text = record.get("severityText") or ""
        return common.log_row(
            (time_ns(record.get("timeUnixNano")), time_ns(record.get("observedTimeUnixNano")), came_ns),
            resource,
            (0, level.rpartition("_")[2].rstrip("234")) if isinstance(level, str) else (int(level), text),
            _value(record.get("body")),
            (trace, span_id(record.get("spanId")) if trace else ""),
            attributes,
            tally,
        )

    return _each(_walk("logs", request), tally, take)


def metrics(request: Any, tally: Tally) -> Iterator[Point]:
    """Rows of metrics."""
    return itertools.chain.from_iterable(_each(_walk("metrics", request), tally, _metric))


def _metric(resource: Resource, _: Any, metric: Any, tally: Tally) -> list[Point]:
    which = next((name for name in _DATA if isinstance(metric.get(name), dict)), None)
    if which is None:
        tally.dropped[common.NO_SUCH_METRIC] += 1
        return []
    data = metric[which]
    is_delta = data.get("aggregationTemporality") in (common.DELTA, "AGGREGATION_TEMPORALITY_DELTA")
    kind = "counter" if data.get("isMonotonic") is True else "gauge"
    shared = Metric(resource, str(metric.get("name") or ""), str(metric.get("unit") or ""), kind, is_delta)
    found: list[Point] = []
    for point in data.get("dataPoints") or ():
        try:
            found += _points(shared, which, point, tally)
        except _BROKEN:
            tally.dropped[common.BAD_RECORD] += 1
    return found


def _points(metric: Metric, which: str, point: Any, tally: Tally) -> list[Point]:
    time_unix_nano = time_ns(point.get("timeUnixNano"))
    number = point.get("asDouble", point.get("asInt"))
    if int(point.get("flags") or 0) & common.NO_RECORDED_VALUE or (which in ("gauge", "sum") and number is None):
        tally.dropped[common.NO_VALUE] += 1
        return []
    if time_unix_nano is None:
        tally.dropped[common.NO_POINT_TIME] += 1
        return []
    attributes = clean(_attributes(point.get("attributes")))
    if which in ("gauge", "sum"):
        return [common.point(metric, time_unix_nano, float(number), attributes)]
    count = int(point.get("count") or 0)
    total = None if point.get("sum") is None else float(point["sum"])
    if which == "summary":
        rows = [
            common.point(
                metric,
                time_unix_nano,
                float(one.get("value") or 0),
                {**attributes, "quantile": repr(float(one.get("quantile") or 0))},
            )
            for one in point.get("quantileValues") or ()
        ]
        return [*rows, *common.parts(metric, time_unix_nano, attributes, count, total or 0.0)]
    buckets: Iterable[tuple[float, int]] = ()
    if which == "histogram":
        bounds = [float(bound) for bound in point.get("explicitBounds") or ()]
        buckets = common.bounded(bounds, [int(held) for held in point.get("bucketCounts") or ()], tally)
    else:
        tally.dropped[common.BUCKETS] += 1
    return list(common.parts(metric, time_unix_nano, attributes, count, total, buckets))
