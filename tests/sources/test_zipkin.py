"""Zipkin's traces, by documents of its API v2 written by hand: ids, shared spans, limits, clocks, missing parents."""

from __future__ import annotations

import copy
import json
import random

import pytest
from sources.reading import records

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.redact import REDACTED
from pytest_anomod.sources import zipkin
from pytest_anomod.sources.read import TRACE_FIELDS, UNKNOWN_SERVICE
from pytest_anomod.sources.spans import MISSING_PARENT, SKEWED
from pytest_anomod.sources.zipkin import Zipkin

US = 1_700_000_000_123_456
TRACE = "A3ce929d0e0e4736"
WHOLE = "0" * 16 + TRACE.lower()
FOREVER = (US * 1_000 - 2**24, US * 1_000 + 2**27)


def span(span_id, parent=None, *, kind=None, service="gateway", after_us=0, length_us=1_000, **others):
    """A span as Zipkin hands it out: fields without a value are not there."""
    fields = {
        "traceId": TRACE,
        "id": span_id,
        "parentId": parent,
        "kind": kind,
        "name": "get /items",
        "timestamp": US + after_us,
        "duration": length_us,
        "localEndpoint": {"serviceName": service, "ipv4": "172.18.0.2"},
        **others,
    }
    return {name: value for name, value in fields.items() if value is not None}


TREE = [
    span("000000000000000a", kind="SERVER", length_us=9_000),
    span("000000000000000b", "000000000000000a", kind="CLIENT", after_us=1_000, length_us=6_000),
    span("000000000000000b", "000000000000000a", kind="SERVER", service="catalog", after_us=2_000, shared=True),
    span("000000000000000c", "000000000000000b", kind="CLIENT", service="catalog", after_us=2_100, length_us=500),
    span("000000000000000d", "000000000000000b", service="gateway", after_us=1_100, length_us=10),
    span("000000000000000e", "000000000000000b", service="sidecar", after_us=2_100, length_us=10),
]  # fmt: skip


def serve(backend, *traces):
    """A server that answers as Zipkin does: traces with a span in the slice, the newest, at most `limit`."""

    def answer(query):
        first, last = (int(query["endTs"]) - int(query["lookback"])) * 1_000, int(query["endTs"]) * 1_000
        within = [
            trace
            for trace in traces
            if any(not isinstance(one, dict) or first <= int(one.get("timestamp") or US) <= last for one in trace)
        ]
        return within[-int(query["limit"]) :]

    backend.answers["/api/v2/traces"] = answer


def read(backend, *traces, **options):
    serve(backend, *traces)
    return Zipkin(backend.url, **options).read(*FOREVER)


def test_spans_become_rows(backend):
    one = span(
        "B7",
        kind="CLIENT",
        tags={"http.path": "/items", "otel.status_code": "ERROR", "service.instance.id": "gateway-2", "password": "x"},
        remoteEndpoint={"serviceName": "catalog", "ipv4": "172.18.0.3", "port": 8080},
        annotations=[{"timestamp": US + 5, "value": "retry"}, {"value": "no time"}],
    )
    [row] = records(read(backend, [one]), TRACE_FIELDS)
    assert row == {
        "time_unix_nano": US * 1_000,
        "service_name": "gateway",
        "service_instance_id": "gateway-2",
        "trace_id": WHOLE,
        "span_id": "00000000000000b7",
        "parent_span_id": "",
        "span_name": "get /items",
        "span_kind": "CLIENT",
        "status_code": "ERROR",
        "duration_ns": 1_000_000,
        "attributes": {
            "http.path": "/items",
            "password": REDACTED,
            "peer.service": "catalog",
            "network.peer.address": "172.18.0.3",
            "network.peer.port": 8080,
            "events": [{"name": "retry", "time_unix_nano": (US + 5) * 1_000}],
        },
    }
    assert type(row["time_unix_nano"]) is type(row["duration_ns"]) is int


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({}, "UNSET"),
        ({"error": "timeout"}, "ERROR"),
        ({"error": ""}, "ERROR"),
        ({"error": "false"}, "UNSET"),
        ({"otel.status_code": "OK", "error": "true"}, "OK"),
    ],
)
def test_an_error_is_told_by_its_tags(backend, tags, status):
    [row] = records(read(backend, [span("a", tags=tags)]), TRACE_FIELDS)
    assert row["status_code"] == status


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("shared", [True, None])
def test_client_and_server_of_one_id_become_two_spans(backend, order, shared):
    spans = [{**one, "shared": shared} if "shared" in one else one for one in TREE]
    reading = read(backend, [{k: v for k, v in one.items() if v is not None} for one in spans[::order]])
    rows = records(reading, TRACE_FIELDS)
    ids = [row["span_id"] for row in rows]
    assert len(set(ids)) == len(ids) == len(TREE)
    of = {(row["service_name"], row["span_kind"]): row for row in rows}
    client, server = of["gateway", "CLIENT"], of["catalog", "SERVER"]
    assert client["span_id"] == "000000000000000b"
    assert client["parent_span_id"] == "000000000000000a"
    assert server["parent_span_id"] == client["span_id"]
    assert server["span_id"] not in {one["id"] for one in TREE}
    assert of["catalog", "CLIENT"]["parent_span_id"] == server["span_id"]  # made in the server's process
    assert of["gateway", "INTERNAL"]["parent_span_id"] == client["span_id"]  # made in the client's
    assert of["sidecar", "INTERNAL"]["parent_span_id"] == server["span_id"]
    assert reading.noted == {}
    again = read(backend, TREE)
    assert {row[4] for row in again.rows} == set(ids)  # the same at every reading


def test_a_server_half_without_its_client_keeps_its_id(backend):
    reading = read(backend, [TREE[2]])
    [row] = records(reading, TRACE_FIELDS)
    assert (row["span_id"], row["parent_span_id"]) == ("000000000000000b", "000000000000000a")
    assert reading.noted == {MISSING_PARENT: 1}


@pytest.mark.parametrize(("after_us", "length_us"), [(-5, 10), (9_500, 10), (4_000, 9_000)])
def test_clocks_that_disagree_are_counted_and_times_left_alone(backend, after_us, length_us):
    parent = span("a", kind="CLIENT", length_us=9_000)
    child = span("b", "a", kind="SERVER", service="catalog", after_us=after_us, length_us=length_us)
    reading = read(backend, [parent, child])
    assert reading.noted == {SKEWED: 1}
    assert {row[0] for row in reading.rows} == {US * 1_000, (US + after_us) * 1_000}


def test_messages_and_children_of_the_same_service_are_no_skew(backend):
    sent = span("a", kind="PRODUCER", length_us=10)
    worked = span("b", "a", kind="CONSUMER", service="mailer", after_us=5_000)
    outlasting = span("c", "d", after_us=5_000)
    client = span("d", kind="CLIENT", length_us=10)
    assert read(backend, [sent, worked, outlasting, client]).noted == {}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", zipkin.NO_SPAN),
        (None, zipkin.NO_SPAN),
        (span("a", traceId="x"), zipkin.NO_ID),
        (span("0000000000000000"), zipkin.NO_ID),
        (span("a", timestamp=0), zipkin.NO_TIME),
        (span("a", timestamp=US + 0.5), zipkin.NO_TIME),
    ],
)
def test_what_is_no_span_is_counted_and_the_rest_is_kept(backend, item, reason):
    reading = read(backend, [span("b"), item])
    assert len(reading.rows) == 1
    assert reading.dropped == {reason: 1}


def test_spans_without_a_name_an_endpoint_or_an_end_are_kept(backend):
    reading = read(backend, [{"traceId": TRACE, "id": "a", "timestamp": US, "localEndpoint": None, "tags": []}])
    [row] = records(reading, TRACE_FIELDS)
    assert (row["service_name"], row["span_name"], row["duration_ns"]) == (UNKNOWN_SERVICE, "", 0)
    assert reading.noted == {zipkin.NO_END: 1}


def test_a_span_reported_twice_is_taken_once_with_its_end(backend):
    unfinished = span("a")
    del unfinished["duration"]
    [row] = records(read(backend, [unfinished, span("a"), unfinished]), TRACE_FIELDS)
    assert row["duration_ns"] == 1_000_000


def test_slices_are_halved_until_all_traces_are_there(backend):
    traces = [[span("a", traceId=f"{number + 1:032x}", after_us=number * 777)] for number in range(60)]
    reading = read(backend, *traces, limit=7)
    assert {row[3] for row in reading.rows} == {f"{number + 1:032x}" for number in range(60)}
    assert len(reading.rows) == 60
    assert reading.dropped == {}
    assert len(backend.asked) < 200


def test_what_is_cut_at_the_limit_all_the_same_is_counted(backend):
    traces = [[span("a", traceId=f"{number + 1:032x}", after_us=100)] for number in range(9)]
    reading = read(backend, *traces, limit=4)
    assert len(reading.rows) == 4
    assert reading.dropped[zipkin.CUT] >= 1


def test_only_spans_that_begin_in_the_stretch_are_read(backend):
    serve(backend, TREE)
    start = (US + 2_000) * 1_000
    reading = Zipkin(backend.url).read(start, start + 1_000_001)
    assert sorted(row[0] for row in reading.rows) == [start, start + 100_000, start + 100_000]
    assert reading.noted == {}  # parents outside the stretch were read too


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            (500, b"no token=abc"),
            r"Zipkin answered http://127.0.0.1:\d+/api/v2/traces with 500: no token=",
        ),
        (b"<html>", "something that is no JSON"),
        ({"a": 1}, "with dict instead of a list"),
    ],
)
def test_a_backend_that_fails_is_told(backend, answer, message):
    backend.answers["/api/v2/traces"] = answer
    with pytest.raises(CaptureError, match=message) as caught:
        Zipkin(backend.url).read(*FOREVER)
    assert "abc" not in str(caught.value)


def test_a_password_in_the_url_is_sent_and_not_told(backend):
    url = backend.url.replace("//", "//me:hunter2@")
    serve(backend, [span("a")])
    assert Zipkin(url).read(*FOREVER).rows
    assert backend.headers[0]["Authorization"].startswith("Basic ")
    backend.close()
    with pytest.raises(CaptureError, match="Zipkin can't be read at") as caught:
        Zipkin(url).read(*FOREVER)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_no_change_of_an_answer_makes_the_reader_fall(backend):
    """Seeded: values anywhere in a good answer are replaced."""
    chance = random.Random(5)
    others = [None, True, -1, 1.5, 2**70, "", "x", [], {}, [[]], "\ud800"]
    for _ in range(150):
        traces = copy.deepcopy([TREE, TREE[:1]])
        trace = chance.choice(traces)
        one = chance.randrange(len(trace))
        if chance.random() < 0.8:
            trace[one][chance.choice(list(trace[one]))] = chance.choice(others)
        else:
            trace[one] = chance.choice(others)
        backend.answers["/api/v2/traces"] = traces
        reading = Zipkin(backend.url).read(*FOREVER)
        assert all(type(row[0]) is type(row[9]) is int for row in reading.rows)
        json.dumps(reading.rows, ensure_ascii=False).encode()
