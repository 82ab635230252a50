"""Protobuf by HTTP and gRPC, with the messages and the client of other people's make."""

from __future__ import annotations

import gzip
import http.client
import random
from urllib.parse import urlsplit

import pytest
from sources.otlp import documents
from sources.otlp.documents import LOGS, METRICS, SPANS

from pytest_anomod.sources.otlp import inbox as inboxes
from pytest_anomod.sources.otlp.receiver import OtlpReceiver

pytest.importorskip("opentelemetry.proto.collector")
FOREVER = (0, 2**63)
DOCUMENTS = {"traces": SPANS, "logs": LOGS, "metrics": METRICS}


def bad_span():
    request = documents.spans(3)
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = ""
    return documents.protobuf("traces", request)


@pytest.fixture
def receiver(tmp_path):
    pytest.importorskip("grpc")
    receiver = OtlpReceiver(directory=tmp_path, grpc=True)
    receiver.start()
    yield receiver
    receiver.close()


def post(receiver, signal, body, **headers):
    parts = urlsplit(receiver.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf", **headers})
    answer = connection.getresponse()
    said = answer.status, answer.headers["content-type"], answer.read()
    connection.close()
    return said


@pytest.mark.parametrize("signal", list(DOCUMENTS))
def test_each_signal_comes_by_http_and_by_grpc(receiver, signal):
    import grpc

    payload = documents.protobuf(signal, DOCUMENTS[signal])
    assert post(receiver, signal, payload) == (200, "application/x-protobuf", b"")
    assert post(receiver, signal, gzip.compress(payload), **{"Content-Encoding": "gzip"})[0] == 200
    by_http = receiver.read(signal, *FOREVER)
    receiver.clear(signal)
    with grpc.insecure_channel(receiver.grpc_target) as channel:
        names = {
            "traces": "trace.v1.TraceService",
            "logs": "logs.v1.LogsService",
            "metrics": "metrics.v1.MetricsService",
        }
        export = channel.unary_unary(f"/opentelemetry.proto.collector.{names[signal]}/Export")
        assert export(payload) == b""
        assert export(payload, compression=grpc.Compression.Gzip) == b""
    by_grpc = receiver.read(signal, *FOREVER)
    assert len(by_grpc.rows) == len(by_http.rows) > 0
    assert by_grpc.dropped == by_http.dropped


def test_the_replies_are_the_messages_that_otlp_declares(receiver):
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    status, _, body = post(receiver, "traces", bad_span())
    assert status == 200
    partial = trace_service_pb2.ExportTraceServiceResponse.FromString(body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, inboxes.REJECTED)
    status, kind, body = post(receiver, "traces", b"\xff\xff")
    assert (status, kind) == (400, "application/x-protobuf")
    assert body.startswith(b"\x08\x03\x12")  # google.rpc.Status: code 3, message
    assert b"malformed OTLP of traces" in body
    with grpc.insecure_channel(receiver.grpc_target) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        assert (
            export(bad_span())
            == trace_service_pb2.ExportTraceServiceResponse(partial_success=partial).SerializeToString()
        )
        with pytest.raises(grpc.RpcError) as caught:
            export(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert receiver.read("traces", *FOREVER).dropped[inboxes.MALFORMED] == 2


def test_logs_sent_to_the_path_of_traces_are_no_spans(inbox):
    reply = inbox.take("traces", 0, documents.protobuf("logs", LOGS))
    assert reply.status == 400 or reply.rejected == 3
    assert inbox.read("traces", *FOREVER).rows == []


@pytest.mark.parametrize("signal", list(DOCUMENTS))
def test_no_change_of_the_bytes_makes_the_receiver_fall(signal, inbox):
    """Seeded: bytes are turned, cut off and doubled."""
    chance = random.Random(11)
    whole = documents.protobuf(signal, DOCUMENTS[signal])
    statuses = set()
    for _ in range(500):
        payload = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            payload[chance.randrange(len(payload))] = chance.randrange(256)
        if chance.random() < 0.3:
            del payload[chance.randrange(len(payload)) :]
        statuses.add(inbox.take(signal, 0, bytes(payload)).status)
    reading = inbox.read(signal, *FOREVER)
    assert statuses == {200, 400}
    assert reading.dropped[inboxes.MALFORMED] > 0
    assert all(type(row[0]) is int and 0 < row[0] < 2**63 for row in reading.rows)
    assert reading.rows
