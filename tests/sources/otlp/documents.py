"""OTLP documents written by hand from its definition (opentelemetry-proto 1.5), as JSON; also as protobuf."""

from __future__ import annotations

import copy

START = 1_700_000_000_123_456_789
TRACE, SPAN, PARENT = "4BF92F3577B34DA6A3CE929D0E0E4736", "00F067AA0BA902B7", "00f067AA0ba902b6"


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


RESOURCE = {"attributes": [text("service.name", "catalog"), text("service.instance.id", "catalog-1")]}

SPANS = {
    "resourceSpans": [
        {
            "resource": RESOURCE,
            "scopeSpans": [
                {
                    "scope": {"name": "http"},
                    "spans": [
                        {
                            "traceId": TRACE,
                            "spanId": SPAN,
                            "parentSpanId": PARENT,
                            "name": "GET /items",
                            "kind": 2,
                            "startTimeUnixNano": str(START),
                            "endTimeUnixNano": str(START + 1_500_000),
                            "attributes": [
                                text("http.request.method", "GET"),
                                text("http.method", "GET"),
                                {"key": "http.response.status_code", "value": {"intValue": "500"}},
                                {"key": "big", "value": {"intValue": "9007199254740993"}},
                                {"key": "share", "value": {"doubleValue": 0.5}},
                                {"key": "odd", "value": {"doubleValue": "NaN"}},
                                {"key": "cached", "value": {"boolValue": False}},
                                {"key": "raw", "value": {"bytesValue": "AP8="}},
                                {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}},
                                {"key": "map", "value": {"kvlistValue": {"values": [text("a", "b")]}}},
                                {"key": "nothing", "value": {}},
                                text("db.connection_string", "postgres://me:hidden@db/shop"),
                            ],
                            "events": [
                                {
                                    "timeUnixNano": str(START + 1),
                                    "name": "exception",
                                    "attributes": [text("exception.type", "KeyError")],
                                }
                            ],
                            "links": [{"traceId": "0" * 31 + "A", "spanId": "000000000000000B"}],
                            "status": {"code": 2, "message": "sold out"},
                        }
                    ],
                }
            ],
        }
    ]
}

LOGS = {
    "resourceLogs": [
        {
            "resource": RESOURCE,
            "scopeLogs": [
                {
                    "scope": {"name": "shop.catalog"},
                    "logRecords": [
                        {
                            "timeUnixNano": str(START),
                            "observedTimeUnixNano": str(START + 5),
                            "severityNumber": 18,
                            "severityText": "Error2",
                            "body": {"stringValue": "sold out, password=hunter2"},
                            "attributes": [text("code.function", "take")],
                            "traceId": TRACE,
                            "spanId": SPAN,
                        },
                        {
                            "observedTimeUnixNano": str(START + 6),
                            "severityText": "warning",
                            "body": {"kvlistValue": {"values": [text("left", "0")]}},
                            "traceId": "",
                        },
                        {"severityNumber": 9, "body": {"stringValue": "no time at all"}},
                    ],
                }
            ],
        }
    ]
}


def _metric(name, unit, **data):
    return {"name": name, "unit": unit, **data}


_TIME = {"timeUnixNano": str(START)}
METRICS = {
    "resourceMetrics": [
        {
            "resource": RESOURCE,
            "scopeMetrics": [
                {
                    "scope": {},
                    "metrics": [
                        _metric("queue.size", "{item}", gauge={"dataPoints": [{**_TIME, "asInt": "3"}]}),
                        _metric(
                            "calls",
                            "1",
                            sum={
                                "aggregationTemporality": 2,
                                "isMonotonic": True,
                                "dataPoints": [{**_TIME, "asDouble": 7.5, "attributes": [text("peer", "db")]}],
                            },
                        ),
                        _metric(
                            "connections",
                            "",
                            sum={"aggregationTemporality": 2, "dataPoints": [{**_TIME, "asInt": "-2"}]},
                        ),
                        _metric(
                            "request.duration",
                            "s",
                            histogram={
                                "aggregationTemporality": 2,
                                "dataPoints": [
                                    {
                                        **_TIME,
                                        "count": "6",
                                        "sum": 1.25,
                                        "explicitBounds": [0.1, 5],
                                        "bucketCounts": ["3", "2", "1"],
                                    }
                                ],
                            },
                        ),
                        _metric(
                            "old",
                            "s",
                            summary={
                                "dataPoints": [
                                    {
                                        **_TIME,
                                        "count": "4",
                                        "sum": 2.5,
                                        "quantileValues": [{"quantile": 0.5, "value": 0.25}],
                                    }
                                ]
                            },
                        ),
                        _metric(
                            "fine",
                            "s",
                            exponentialHistogram={
                                "aggregationTemporality": 2,
                                "dataPoints": [{**_TIME, "count": "2", "sum": 0.5, "scale": 3}],
                            },
                        ),
                        _metric("stale", "1", gauge={"dataPoints": [{**_TIME, "flags": 1}]}),
                        _metric("timeless", "1", gauge={"dataPoints": [{"asInt": "1"}]}),
                    ],
                }
            ],
        }
    ]
}


def spans(count, **changes):
    """A request of so many spans, each changed as told."""
    request = copy.deepcopy(SPANS)
    pattern = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    request["resourceSpans"][0]["scopeSpans"][0]["spans"] = [
        {**copy.deepcopy(pattern), "spanId": f"{number:016x}", **changes} for number in range(1, count + 1)
    ]
    return request


def protobuf(signal, document):
    """The same request in protobuf, by the library's own reader of its JSON, which expects ids in base64."""
    import base64

    from google.protobuf import json_format

    from pytest_anomod.sources.otlp.protobuf_rows import message_of

    def turned(value):
        if isinstance(value, list):
            return [turned(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64encode(bytes.fromhex(held)).decode()
            if key in ("traceId", "spanId", "parentSpanId")
            else turned(held)
            for key, held in value.items()
        }

    return json_format.ParseDict(turned(document), message_of(signal)()).SerializeToString()
