"""Protobuf and JSON of the same OTLP request give the same rows, and records that can't be taken are counted."""

from __future__ import annotations

import copy
import json
import random

import pytest
from sources.otlp import documents
from sources.otlp.documents import LOGS, METRICS, SPANS, START
from sources.reading import records

from pytest_anomod.model.redact import REDACTED
from pytest_anomod.sources.otlp import inbox as inboxes
from pytest_anomod.sources.otlp.inbox import JSON, Inbox
from pytest_anomod.sources.read import LOG_FIELDS, METRIC_FIELDS, TRACE_FIELDS, UNKNOWN_SERVICE
from pytest_anomod.sources.spans import MISSING_PARENT, SKEWED

FOREVER = (0, 2**63)
FORMS = ["json", "protobuf"]


def take(signal, document, form="json"):
    """A reading of one request, and what its sender was told."""
    inbox = Inbox(None, settle_s=10**10)  # the documents are old
    if form == "protobuf":
        pytest.importorskip("opentelemetry.proto.collector")
        reply = inbox.take(signal, 0, documents.protobuf(signal, document))
    else:
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        reply = inbox.take(signal, JSON, payload)
    reading = inbox.read(signal, *FOREVER)
    inbox.close()
    return reading, reply


@pytest.mark.parametrize("form", FORMS)
def test_a_span_becomes_a_row(form):
    reading, reply = take("traces", SPANS, form)
    assert reply.status == 200
    assert reply.rejected == 0
    [row] = records(reading, TRACE_FIELDS)
    attributes = row.pop("attributes")
    assert row == {
        "time_unix_nano": START,
        "service_name": "catalog",
        "service_instance_id": "catalog-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "parent_span_id": "00f067aa0ba902b6",
        "span_name": "GET /items",
        "span_kind": "SERVER",
        "status_code": "ERROR",
        "duration_ns": 1_500_000,
    }
    assert all(type(row[key]) is int for key in ("time_unix_nano", "duration_ns"))
    assert attributes == {
        "http.request.method": "GET",
        "http.method": "GET",
        "http.response.status_code": 500,
        "big": 9007199254740993,
        "share": 0.5,
        "odd": attributes["odd"],
        "cached": False,
        "raw": "00ff",
        "list": [1],
        "map": {"a": "b"},
        "nothing": None,
        "db.connection_string": f"postgres://{REDACTED}@db/shop",
        "events": [
            {"name": "exception", "time_unix_nano": START + 1, "attributes": {"exception.type": "KeyError"}},
        ],
        "links": [{"trace_id": "0" * 31 + "a", "span_id": "0" * 15 + "b", "attributes": {}}],
        "otel.status_description": "sold out",
    }
    assert attributes["odd"].lower() == "nan"
    assert reading.noted == {MISSING_PARENT: 1}
    assert not reading.dropped


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": "0" * 32}, inboxes.rows.BAD_SPAN_ID),
        ({"traceId": "ab"}, inboxes.rows.BAD_SPAN_ID),
        ({"spanId": ""}, inboxes.rows.BAD_SPAN_ID),
        ({"startTimeUnixNano": "0"}, inboxes.rows.BAD_SPAN_TIME),
        ({"startTimeUnixNano": str(2**63)}, inboxes.rows.BAD_SPAN_TIME),
    ],
)
def test_a_span_without_ids_or_time_is_rejected_and_counted(form, changes, reason):
    request = documents.spans(3)
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][1].update(changes)
    reading, reply = take("traces", request, form)
    assert (reply.status, reply.rejected) == (200, 1)
    assert len(reading.rows) == 2
    assert reading.dropped == {reason: 1}


@pytest.mark.parametrize("start", [1.7e18, "1.7e18", "soon", None, True, [], {}])
def test_a_time_that_is_no_integer_is_no_time(start):
    reading, reply = take("traces", documents.spans(1, startTimeUnixNano=start))
    assert reply.rejected == 1
    assert reading.dropped == {inboxes.rows.BAD_SPAN_TIME: 1}


@pytest.mark.parametrize("form", FORMS)
def test_odd_spans_are_kept_and_what_is_odd_is_counted(form):
    parent = "00000000000000aa"
    request = documents.spans(4)
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[0].update(spanId=parent, parentSpanId="", kind=3)
    spans[1].update(parentSpanId=parent, endTimeUnixNano="0", kind=0)
    spans[2].update(parentSpanId=parent, kind=77 if form == "json" else 5, status={})
    request["resourceSpans"].append({"scopeSpans": [{"spans": [spans.pop()]}]})  # no resource at all
    late = request["resourceSpans"][1]["scopeSpans"][0]["spans"][0]
    late.update(parentSpanId=parent, endTimeUnixNano=str(START + 9_000_000_000))
    reading, _ = take("traces", request, form)
    found = {row["span_id"]: row for row in records(reading, TRACE_FIELDS)}
    assert [found[f"{number:016x}"]["duration_ns"] for number in (2, 3)] == [0, 1_500_000]
    assert found[f"{2:016x}"]["span_kind"] == "INTERNAL"
    assert found[f"{3:016x}"]["status_code"] == "UNSET"
    assert found[f"{4:016x}"]["service_name"] == UNKNOWN_SERVICE
    assert found[f"{4:016x}"]["service_instance_id"] is None
    assert reading.noted == {inboxes.rows.ENDS_EARLY: 1, SKEWED: 1}


@pytest.mark.parametrize("form", FORMS)
def test_log_records_become_rows(form):
    reading, _ = take("logs", LOGS, form)
    first, second, third = sorted(records(reading, LOG_FIELDS), key=lambda row: -len(row["trace_id"]))
    assert first == {
        "time_unix_nano": START,
        "service_name": "catalog",
        "service_instance_id": "catalog-1",
        "severity_number": 18,
        "severity_text": "ERROR",
        "body": f"sold out, password={REDACTED}",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "attributes": {"otel.scope.name": "shop.catalog", "code.function": "take"},
        "observed_unix_nano": START + 5,
    }
    assert (second["time_unix_nano"], second["severity_number"], second["severity_text"]) == (START + 6, 13, "WARN")
    assert json.loads(second["body"]) == {"left": "0"}
    assert third["time_unix_nano"] > START  # when it came
    assert third["observed_unix_nano"] is None
    assert reading.noted == {inboxes.rows.NO_TIME: 1}


@pytest.mark.parametrize("form", FORMS)
def test_metrics_become_rows_as_prometheus_would_name_them(form):
    reading, _ = take("metrics", METRICS, form)
    rows = records(reading, METRIC_FIELDS)
    assert {(row["time_unix_nano"], row["service_name"]) for row in rows} == {(START, "catalog")}
    assert [(row["metric_name"], row["unit"], row["kind"], row["value"], row["attributes"]) for row in rows] == [
        ("queue.size", "{item}", "gauge", 3.0, {}),
        ("calls", "1", "counter", 7.5, {"peer": "db"}),
        ("connections", "1", "gauge", -2.0, {}),
        ("request.duration_bucket", "1", "histogram", 3.0, {"le": "0.1"}),
        ("request.duration_bucket", "1", "histogram", 5.0, {"le": "5.0"}),
        ("request.duration_bucket", "1", "histogram", 6.0, {"le": "+Inf"}),
        ("request.duration_count", "1", "histogram", 6.0, {}),
        ("request.duration_sum", "s", "histogram", 1.25, {}),
        ("old", "s", "gauge", 0.25, {"quantile": "0.5"}),
        ("old_count", "1", "histogram", 4.0, {}),
        ("old_sum", "s", "histogram", 2.5, {}),
        ("fine_count", "1", "histogram", 2.0, {}),
        ("fine_sum", "s", "histogram", 0.5, {}),
    ]
    assert all(type(row["value"]) is float for row in rows)
    rows_of = inboxes.rows
    assert reading.dropped == {rows_of.BUCKETS: 1, rows_of.NO_VALUE: 1, rows_of.NO_POINT_TIME: 1}


@pytest.mark.parametrize("form", FORMS)
def test_values_that_count_from_the_export_before_are_added_up_in_time_order(form):
    points = [
        {"timeUnixNano": str(START + second), "asInt": str(value), "attributes": [documents.text("peer", peer)]}
        for second, value, peer in ((2, 30, "a"), (1, 1, "a"), (1, 100, "b"), (3, 5, "a"))
    ]
    request = copy.deepcopy(METRICS)
    request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"] = [
        {"name": "calls", "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}}
    ]
    reading, _ = take("metrics", request, form)
    rows = [(row["attributes"]["peer"], row["value"]) for row in records(reading, METRIC_FIELDS)]
    assert [value for peer, value in rows if peer == "a"] == [1.0, 31.0, 36.0]
    assert [value for peer, value in rows if peer == "b"] == [100.0]


def test_buckets_that_do_not_fit_are_counted_and_the_rest_is_taken():
    request = copy.deepcopy(METRICS)
    metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    metrics[:] = [metrics[3]]
    metrics[0]["histogram"]["dataPoints"][0]["bucketCounts"] = ["1"]
    reading, _ = take("metrics", request)
    assert [row["metric_name"] for row in records(reading, METRIC_FIELDS)] == [
        "request.duration_count",
        "request.duration_sum",
    ]
    assert reading.dropped == {inboxes.rows.UNEVEN: 1}


@pytest.mark.parametrize(
    ("signal", "payload"),
    [
        ("traces", b"{"),
        ("traces", b"[]"),
        ("traces", b"\xff\xff"),
        ("traces", b'{"resourceLogs": []}'),
        ("traces", b'{"resourceSpans": {}}'),
        ("traces", b'{"resourceSpans": [1]}'),
        ("traces", b'{"resourceSpans": [{"scopeSpans": [{"spans": 3}]}]}'),
        ("logs", b'{"resourceLogs": [{"resource": {"attributes": [{"value": {}}]}}]}'),
        ("metrics", b'{"resourceMetrics": "x"}'),
        ("traces", b'{"a":' * 100_000),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_and_counted(signal, payload, inbox):
    reply = inbox.take(signal, JSON, payload)
    assert (reply.status, reply.code) == (400, 3)
    assert inbox.read(signal, *FOREVER).dropped == {inboxes.MALFORMED: 1}


def test_records_of_a_wrong_shape_do_not_take_the_others_with_them():
    request = documents.spans(2)
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = [{"value": {"intValue": "1"}}]
    reading, _ = take("traces", request)
    assert len(reading.rows) == 1
    assert reading.dropped == {inboxes.rows.BAD_RECORD: 1}
    logs = copy.deepcopy(LOGS)
    logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"] += [5, None, {"attributes": 7}, {"severityNumber": "1e400"}]
    reading, _ = take("logs", logs)
    assert len(reading.rows) == 4
    assert reading.dropped == {inboxes.rows.BAD_RECORD: 3}


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_no_change_of_a_request_makes_the_receiver_fall(signal):
    """Seeded: values anywhere in a good request are replaced by others, and bytes of it are cut and turned."""
    chance = random.Random(7)
    whole = {"traces": SPANS, "logs": LOGS, "metrics": METRICS}[signal]
    others = [None, True, -1, 1e300, 2**70, "", "x", "9" * 400, [], {}, [[]], {"values": 3}, "\ud800"]
    refused = 0
    for _ in range(400):
        document = copy.deepcopy(whole)
        node = document
        while True:
            key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], dict | list) or not node[key] or chance.random() < 0.1:
                node[key] = chance.choice(others)
                break
            node = node[key]
        payload = json.dumps(document).encode()
        if chance.random() < 0.3:
            place = chance.randrange(len(payload))
            payload = payload[:place] + bytes([chance.randrange(256)]) + payload[place + 1 :]
        reading, reply = take(signal, payload)
        refused += reply.status == 400
        assert reply.status == 200 or reading.dropped[inboxes.MALFORMED] == 1
        for row in reading.rows:
            assert type(row[0]) is int
            assert 0 < row[0] < 2**63
            json.dumps(row, allow_nan=signal == "metrics", ensure_ascii=False).encode()
    assert 0 < refused < 400
