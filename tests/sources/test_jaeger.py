"""Jaeger's traces, by documents of its query API written by hand: references, typed tags, ids, warnings."""

from __future__ import annotations

import copy
import json
import random

import pytest
from sources.reading import records

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.sources import jaeger
from pytest_anomod.sources.jaeger import Jaeger
from pytest_anomod.sources.read import TRACE_FIELDS
from pytest_anomod.sources.spans import MISSING_PARENT

US = 1_700_000_000_123_456
TRACE = "1f2e3d4c5b6a7988"
WHOLE = "0" * 16 + TRACE
WINDOW = (US * 1_000 - 2**24, US * 1_000 + 2**27)


def tag(key, kind, value):
    return {"key": key, "type": kind, "value": value}


def reference(kind, span, trace=TRACE):
    return {"refType": kind, "traceID": trace, "spanID": span}


def span(span_id, *references, process="p1", after_us=0, tags=(), **others):
    return {
        "traceID": TRACE,
        "spanID": span_id,
        "operationName": "GET /items",
        "references": list(references),
        "startTime": US + after_us,
        "duration": 1_500,
        "tags": list(tags),
        "logs": [],
        "processID": process,
        "warnings": None,
        **others,
    }


def trace(*spans, trace_id=TRACE):
    processes = {
        "p1": {"serviceName": "gateway", "tags": [tag("service.instance.id", "string", "gateway-1")]},
        "p2": {"serviceName": "catalog", "tags": [tag("hostname", "string", "c0ffee")]},
    }
    return {"traceID": trace_id, "spans": list(spans), "processes": processes, "warnings": None}


def serve(backend, *traces):
    """A query service: of one service's traces with a span in the slice, the newest."""

    def answer(query):
        first, last = int(query["start"]), int(query["end"])
        within = [
            one
            for one in traces
            if any(
                first <= held["startTime"] <= last
                and one["processes"][held["processID"]]["serviceName"] == query["service"]
                for held in one["spans"]
            )
        ]
        return {"data": within[-int(query["limit"]) :], "total": 0, "limit": 0, "offset": 0, "errors": None}

    backend.answers["/api/traces"] = answer
    backend.answers["/api/services"] = {"data": ["gateway", "catalog"], "total": 2, "errors": None}


def read(backend, *traces, **options):
    serve(backend, *traces)
    return Jaeger(backend.url, **options).read(*WINDOW)


def test_spans_become_rows(backend):
    one = span(
        "b7",
        reference("CHILD_OF", "a"),
        tags=[
            tag("span.kind", "string", "client"),
            tag("error", "bool", True),
            tag("http.status_code", "int64", 503),
            tag("rows", "int64", "9007199254740993"),
            tag("share", "float64", "0.25"),
            tag("raw", "binary", "AP8="),
            tag("cached", "bool", "false"),
            tag("internal.span.format", "string", "proto"),
        ],
        logs=[{"timestamp": US + 7, "fields": [tag("event", "string", "retry"), tag("attempt", "int64", 2)]}],
    )
    [row] = records(read(backend, trace(one)), TRACE_FIELDS)
    assert row == {
        "time_unix_nano": US * 1_000,
        "service_name": "gateway",
        "service_instance_id": "gateway-1",
        "trace_id": WHOLE,
        "span_id": "00000000000000b7",
        "parent_span_id": "000000000000000a",
        "span_name": "GET /items",
        "span_kind": "CLIENT",
        "status_code": "ERROR",
        "duration_ns": 1_500_000,
        "attributes": {
            "error": True,
            "http.status_code": 503,
            "rows": 9007199254740993,
            "share": 0.25,
            "raw": "00ff",
            "cached": False,
            "events": [{"name": "retry", "time_unix_nano": (US + 7) * 1_000, "attributes": {"attempt": 2}}],
        },
    }


def test_a_trace_of_several_services_is_read_once(backend):
    whole = trace(span("a"), span("b", reference("CHILD_OF", "a"), process="p2", after_us=10))
    reading = read(backend, whole)
    assert sorted((row[1], row[2], row[4]) for row in reading.rows) == [
        ("catalog", None, "000000000000000b"),
        ("gateway", "gateway-1", "000000000000000a"),
    ]
    assert reading.noted == {}
    assert {query["service"] for path, query in backend.asked if path == "/api/traces"} == {"gateway", "catalog"}
    assert {type(query["limit"]) for path, query in backend.asked if path == "/api/traces"} == {str}


@pytest.mark.parametrize("services", [("gateway", "catalog"), ("catalog", "gateway")])
def test_the_longer_answer_counts_when_a_trace_still_grows(backend, services):
    spans = [span("a"), span("b", reference("CHILD_OF", "a"), process="p2")]
    backend.answers["/api/traces"] = lambda query: {
        "data": [trace(*(spans if query["service"] == "gateway" else spans[:1]))]
    }
    assert len(Jaeger(backend.url, services=services).read(*WINDOW).rows) == 2


def test_only_the_services_that_are_named_are_asked_for(backend):
    read(backend, trace(span("a")), services=("gateway",))
    assert [(path, query.get("service")) for path, query in backend.asked] == [("/api/traces", "gateway")]


@pytest.mark.parametrize(
    ("references", "parent", "others"),
    [
        ([], "", 0),
        ([reference("CHILD_OF", "a")], "a", 0),
        ([reference("FOLLOWS_FROM", "a")], "a", 0),
        ([reference("FOLLOWS_FROM", "a"), reference("CHILD_OF", "c")], "c", 1),
        ([reference("CHILD_OF", "a", "77")], "", 1),
        ([reference("FOLLOWS_FROM", "a", "77"), reference("FOLLOWS_FROM", "c")], "c", 1),
        ([reference("CHILD_OF", "0" * 15 + "A", "0" * 16 + TRACE.upper())], "a", 0),
        ([reference("CHILD_OF", "no id"), None, 3], "", 0),
    ],
)
def test_the_parent_is_that_of_jaegers_own_model(backend, references, parent, others):
    reading = read(backend, trace(span("a"), span("c"), span("b", *references)))
    [row] = [row for row in records(reading, TRACE_FIELDS) if row["span_id"].endswith("b")]
    assert row["parent_span_id"] == (parent and parent.zfill(16))
    links = row["attributes"].get("links", [])
    assert len(links) == others
    assert all(len(link["trace_id"]) == 32 and link["type"] in ("CHILD_OF", "FOLLOWS_FROM") for link in links)


def test_old_answers_name_the_parent_itself(backend):
    reading = read(backend, trace(span("a"), span("b", parentSpanID="a")))
    assert {row[5] for row in reading.rows} == {"", "000000000000000a"}


def test_what_jaeger_warns_of_and_missing_parents_are_counted(backend):
    warned = span("b", reference("CHILD_OF", "f"), warnings=["clock skew adjusted"])
    assert read(backend, trace(warned)).noted == {jaeger.ADJUSTED: 1, MISSING_PARENT: 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"traceID": ""}, jaeger.NO_ID), ({"spanID": "0"}, jaeger.NO_ID), ({"startTime": 1.5}, jaeger.NO_TIME)],
)
def test_what_is_no_span_is_counted(backend, change, reason):
    backend.answers["/api/traces"] = {"data": [trace(span("a"), {**span("b"), **change})]}
    reading = Jaeger(backend.url, services=("gateway",)).read(*WINDOW)
    assert len(reading.rows) == 1
    assert reading.dropped == {reason: 1}


def test_slices_are_halved_until_all_traces_are_there_or_counted(backend):
    traces = [
        trace({**span("a", after_us=number * 777), "traceID": f"{number + 1:x}"}, trace_id=f"{number + 1:x}")
        for number in range(40)
    ]
    reading = read(backend, *traces, limit=5)
    assert len(reading.rows) == 40
    assert reading.dropped == {}
    crowd = [
        trace({**span("a", after_us=100), "traceID": f"{number + 1:x}"}, trace_id=f"{number + 1:x}")
        for number in range(9)
    ]
    reading = read(backend, *crowd, limit=5)
    assert len(reading.rows) == 5
    assert reading.dropped[jaeger.CUT] >= 1


@pytest.mark.parametrize(
    "answer",
    [{"data": None, "errors": [{"code": 400, "msg": "start is wrong"}]}, [], {"total": 0}, (500, {"errors": ["down"]})],
)
def test_a_backend_that_fails_is_told(backend, answer):
    backend.answers["/api/traces"] = answer
    with pytest.raises(CaptureError, match="Jaeger answered"):
        Jaeger(backend.url, services=("gateway",)).read(*WINDOW)


def test_no_change_of_an_answer_makes_the_reader_fall(backend):
    """Seeded: values anywhere in a good answer are replaced."""
    chance = random.Random(5)
    others = [None, True, -1, 1.5, 2**70, "", "x", [], {}, [[]], "\ud800"]
    tags = [
        tag("span.kind", "string", "server"),
        tag("n", "int64", 5),
        tag("f", "float64", 5),
        tag("b", "binary", "AA=="),
    ]
    whole = trace(span("a", tags=tags), span("b", reference("CHILD_OF", "a"), process="p2", logs=[{"fields": tags}]))
    for _ in range(150):
        changed = copy.deepcopy(whole)
        node = changed
        while True:
            key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not isinstance(node[key], dict | list) or not node[key] or chance.random() < 0.1:
                node[key] = chance.choice(others)
                break
            node = node[key]
        backend.answers["/api/traces"] = {"data": [changed, chance.choice(others)]}
        reading = Jaeger(backend.url, services=("gateway",)).read(*WINDOW)
        assert all(type(row[0]) is type(row[9]) is int for row in reading.rows)
        json.dumps(reading.rows, ensure_ascii=False, allow_nan=False).encode()
