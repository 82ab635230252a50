"""The receiver over real sockets: what senders of every make send, and what they are answered."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import random
import re
import socket
import threading
from urllib.parse import urlsplit

import pytest
from sources.otlp import documents
from sources.otlp.documents import LOGS, METRICS, SPANS
from sources.reading import records

from pytest_anomod.model import clock
from pytest_anomod.model.clock import wait_until
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.sources.otlp import forward as forwarding
from pytest_anomod.sources.otlp import inbox as inboxes
from pytest_anomod.sources.otlp.receiver import NOT_FORWARDED, OtlpReceiver
from pytest_anomod.sources.read import TRACE_FIELDS

FOREVER = (0, 2**63)
ONE = json.dumps(SPANS).encode()


@pytest.fixture
def receiver(tmp_path):
    receiver = OtlpReceiver(directory=tmp_path)
    receiver.start()
    yield receiver
    receiver.close()


class Sender:
    """A client that keeps its connection."""

    def __init__(self, receiver):
        parts = urlsplit(receiver.url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def send(self, body, path="/v1/traces", verb="POST", **headers):
        given = {"Content-Type": "application/json", **{name.replace("_", "-"): held for name, held in headers.items()}}
        self.connection.request(verb, path, body, given, encode_chunked=given.get("Transfer-Encoding") == "chunked")
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def sender(receiver):
    sender = Sender(receiver)
    yield sender
    sender.connection.close()


def test_all_signals_come_by_one_connection(receiver, sender):
    for signal, document in (("traces", SPANS), ("logs", LOGS), ("metrics", METRICS)):
        assert sender.send(json.dumps(document), f"/v1/{signal}") == (200, b"{}")
        socket_before = sender.connection.sock
        assert receiver.read(signal, *FOREVER).rows
    assert socket_before is not None
    assert sender.connection.sock is socket_before


def test_it_listens_on_loopback_at_a_free_port(receiver):
    parts = urlsplit(receiver.url)
    assert parts.hostname == "127.0.0.1"
    assert parts.port > 0
    assert receiver.grpc_target is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "8.8.8.8", "2001:4860:4860::8888", "localhost", "example.org"])
def test_it_refuses_to_listen_where_strangers_could_send(host):
    with pytest.raises(CaptureError, match="does not listen on"):
        OtlpReceiver(host=host)


@pytest.mark.parametrize("host", ["172.18.0.1", "10.0.0.1", "127.0.0.2", "::1"])
def test_addresses_of_private_networks_are_taken(host):
    OtlpReceiver(host=host)


def test_a_port_in_use_is_told(receiver):
    port = urlsplit(receiver.url).port
    with pytest.raises(CaptureError, match=f"can't listen on 127.0.0.1 port {port}"):
        OtlpReceiver(port=port).start()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content_Type": "application/json; charset=utf-8"},
        {"Content_Encoding": "gzip"},
        {"Transfer_Encoding": "chunked"},
        {"Transfer_Encoding": "chunked", "Content_Encoding": "gzip"},
    ],
)
def test_bodies_in_chunks_and_in_gzip(receiver, sender, headers):
    body = gzip.compress(ONE) if "Content_Encoding" in headers else ONE
    if "Transfer_Encoding" in headers:
        body = iter([body[:7], body[7:300], body[300:]])
    assert sender.send(body, **headers) == (200, b"{}")
    assert [row["span_name"] for row in records(receiver.read("traces", *FOREVER), TRACE_FIELDS)] == ["GET /items"]


def test_a_sender_that_asks_before_it_sends_is_told_to_go_on(receiver):
    parts = urlsplit(receiver.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as stream:
        head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(ONE)}\r\n"
        )
        stream.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert stream.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.sendall(ONE)
        assert stream.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_offers_http_2_is_served_by_http_1(receiver):
    parts = urlsplit(receiver.url)
    head = "POST /v1/traces HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Type: application/json\r\n"
    offer = f"Content-Length: {len(ONE)}\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIA\r\n"
    request = f"{head}{offer}\r\n".encode() + ONE
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as stream:
        for cut in (len(head) + 40, 10):  # as Java's HttpClient sends it, twice by one connection
            stream.sendall(request[:cut])
            stream.sendall(request[cut:])
            assert stream.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(receiver.read("traces", *FOREVER).rows) == 1


def test_pieces_and_pipelined_requests_are_answered_in_turn(receiver):
    parts = urlsplit(receiver.url)
    request = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    wrong = request.replace(b"/v1/traces", b"/v1/other")
    stream = socket.create_connection((parts.hostname, parts.port), timeout=10)
    with stream, stream.makefile("rb") as answers:
        for place in range(len(request)):
            stream.sendall(request[place : place + 1])
        stream.sendall(wrong + request.replace(b"Content-Length", b"Connection: close\r\nContent-Length"))
        said = answers.read()
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"404", b"200"]


@pytest.mark.parametrize(
    ("body", "change", "status", "reason"),
    [
        (b"{", {}, 400, inboxes.MALFORMED),
        (b"no gzip", {"Content_Encoding": "gzip"}, 400, inboxes.MALFORMED),
        (gzip.compress(ONE)[:-20], {"Content_Encoding": "gzip"}, 400, inboxes.MALFORMED),
        (gzip.compress(ONE)[:-4], {"Content_Encoding": "gzip"}, 400, inboxes.MALFORMED),
        (ONE, {"Content_Encoding": "br"}, 415, inboxes.UNKNOWN_FORM),
        (ONE, {"Content_Type": "text/plain"}, 415, inboxes.UNKNOWN_FORM),
        (ONE, {"path": "/v1/profiles"}, 404, None),
        (ONE, {"path": "/"}, 404, None),
        (None, {"verb": "GET"}, 405, None),
    ],
)
def test_what_can_t_be_taken_is_told_and_counted(receiver, sender, body, change, status, reason):
    told, answer = sender.send(body, **change)
    assert told == status
    if "Content_Type" not in change:
        assert set(json.loads(answer)) == {"code", "message"}
    assert receiver.read("traces", *FOREVER).dropped == ({reason: 1} if reason else {})
    assert sender.send(ONE) == (200, b"{}")  # and the next is served


def test_rejected_spans_are_a_partial_success(receiver, sender):
    request = documents.spans(3)
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = ""
    status, answer = sender.send(json.dumps(request))
    assert status == 200
    assert json.loads(answer) == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": inboxes.REJECTED}}


def test_a_body_above_the_limit_is_refused_before_or_while_it_is_read(receiver, sender, monkeypatch):
    monkeypatch.setattr("pytest_anomod.sources.otlp.http.MOST_BYTES", 5_000)
    monkeypatch.setattr(inboxes, "MOST_BYTES", 5_000)
    assert sender.send(b" " * 5_001)[0] == 413
    sender.connection.close()
    assert sender.send(iter([b" " * 3_000] * 2), Transfer_Encoding="chunked")[0] == 413
    sender.connection.close()
    assert sender.send(gzip.compress(b" " * 5_001), Content_Encoding="gzip")[0] == 413
    assert receiver.read("traces", *FOREVER).dropped == {inboxes.TOO_LARGE: 3}


def test_noise_is_answered_and_the_receiver_lives(receiver, sender):
    parts = urlsplit(receiver.url)
    chance = random.Random(3)
    for noise in (
        b"\x16\x03\x01\x02\x00" * 40,
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        chance.randbytes(500),
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as stream:
            stream.sendall(noise + b"\r\n\r\n")
            assert stream.recv(20) == b"HTTP/1.1 400 Bad Req"
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as stream:
        stream.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx")  # and gone
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as stream:
        stream.sendall(b"GET /")
        with contextlib.suppress(ConnectionError):  # it is cut off before all is sent, which may reach us as a reset
            for _ in range(1_000):
                stream.sendall(b"x" * 1_000)  # a head without an end
            assert stream.recv(20) in (b"HTTP/1.1 400 Bad Req", b"")
    assert sender.send(ONE)[0] == 200


def test_only_the_stretch_is_read_and_clear_begins_anew(receiver, sender):
    sender.send(ONE)
    start = documents.START
    assert len(receiver.read("traces", start, start + 1).rows) == 1
    assert len(receiver.read("traces", start, start + 1).rows) == 1  # it is still there
    assert receiver.read("traces", start + 1, start + 2).rows == []
    sender.send(b"{")
    sender.send(json.dumps(LOGS), "/v1/logs")
    receiver.clear("traces")
    reading = receiver.read("traces", *FOREVER)
    assert (reading.rows, reading.dropped) == ([], {})
    assert receiver.read("logs", *FOREVER).rows
    sender.send(ONE)
    assert len(receiver.read("traces", *FOREVER).rows) == 1


def test_records_that_came_late_are_noted(tmp_path):
    receiver = OtlpReceiver(directory=tmp_path, settle_s=5.0)
    receiver.start()
    sender = Sender(receiver)
    now = clock.now_ns()
    for age_s, length_s in ((1, 0), (9, 0), (10, 9)):
        start = now - age_s * clock.NS_PER_S
        times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + length_s * clock.NS_PER_S)}
        sender.send(json.dumps(documents.spans(1, **times)))
    reading = receiver.read("traces", *FOREVER)
    sender.connection.close()
    receiver.close()
    assert len(reading.rows) == 3
    assert reading.noted[inboxes.LATE] == 1


def test_a_span_that_is_sent_again_is_taken_once(receiver, sender):
    for _ in range(3):
        assert sender.send(ONE) == (200, b"{}")
    reading = receiver.read("traces", *FOREVER)
    assert len(reading.rows) == 1
    assert reading.dropped == {inboxes.TWICE: 2}


def test_what_memory_may_not_hold_goes_to_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(inboxes, "IN_MEMORY_BYTES", 4_000)
    monkeypatch.setattr(inboxes, "KEPT_BYTES", 20_000)
    inbox = inboxes.Inbox(tmp_path)
    sent = 0
    while True:
        request = documents.spans(1, traceId=f"{sent + 1:032x}")
        reply = inbox.take("traces", inboxes.JSON, json.dumps(request).encode())
        if reply.status != 200:
            break
        sent += 1
    assert sent > 3
    assert reply.status == 413
    reading = inbox.read("traces", *FOREVER)
    assert len(reading.rows) == sent
    assert reading.dropped == {inboxes.FULL: 1}
    assert list(tmp_path.iterdir()) == []  # secrets in payloads end with this process, whatever happens
    inbox.close()


def test_many_senders_at_once_lose_nothing(receiver):
    def work(number):
        sender = Sender(receiver)
        for turn in range(20):
            request = documents.spans(2, traceId=f"{number * 100 + turn + 1:032x}")
            assert sender.send(gzip.compress(json.dumps(request).encode()), Content_Encoding="gzip")[0] == 200
        sender.connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = receiver.read("traces", *FOREVER).rows
    assert len({(row[3], row[4]) for row in rows}) == len(rows) == 8 * 20 * 2


def test_closing_ends_the_thread_and_the_connections(receiver, sender):
    sender.send(ONE)
    receiver.close()
    receiver.close()
    assert "otlp-http" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises((OSError, http.client.HTTPException)):
        sender.send(ONE)


def test_what_is_taken_is_forwarded_as_it_came(tmp_path, backend):
    receiver = OtlpReceiver(directory=tmp_path, forward_to=f"{backend.url}/otlp")
    receiver.start()
    sender = Sender(receiver)
    packed = gzip.compress(ONE)
    assert sender.send(packed, Content_Encoding="gzip")[0] == 200
    assert sender.send(b"{")[0] == 400
    wait_until(lambda: backend.bodies, timeout_s=10, what="the payload")
    receiver.close()
    [(path, headers, body)] = backend.bodies
    assert (path, headers["Content-Encoding"], headers["Content-Type"]) == (
        "/otlp/v1/traces",
        "gzip",
        "application/json",
    )
    assert body == packed
    assert receiver.forward_failed == 0
    sender.connection.close()


def test_what_can_t_be_forwarded_is_counted_and_nobody_waits(tmp_path, backend):
    backend.answers["/v1/traces"] = (503, b"")
    receiver = OtlpReceiver(directory=tmp_path, forward_to=backend.url)
    receiver.start()
    sender = Sender(receiver)
    assert sender.send(ONE)[0] == 200
    wait_until(lambda: receiver.forward_failed == 1, timeout_s=10, what="the count of what was refused there")
    reading = receiver.read("traces", *FOREVER)
    assert (len(reading.rows), reading.noted[NOT_FORWARDED]) == (1, 1)
    receiver.clear("traces")
    assert receiver.forward_failed == 0
    receiver.close()
    sender.connection.close()
    with pytest.raises(CaptureError, match="can't forward to 'ftp"):
        OtlpReceiver(forward_to="ftp://me:secret@host").start()


@pytest.mark.parametrize(("limit", "value"), [("WAITING", 1), ("WAITING_BYTES", 3)])
def test_what_waits_to_be_forwarded_is_bounded(monkeypatch, limit, value):
    """Nobody takes anything there, so that the thread is busy with the first: two, the first may have been sent off."""
    monkeypatch.setattr(forwarding, limit, value)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        forwarder = forwarding.Forwarder(f"http://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(4):
            forwarder.send("logs", inboxes.JSON, b"{}")
        assert forwarder.failed["logs"] >= 2
        with silent.accept()[0]:
            pass  # so it fails, and so does what follows
        forwarder.close(most_s=0)
    assert forwarder.failed["logs"] >= 2


def test_it_does_not_forward_to_itself(receiver):
    port = urlsplit(receiver.url).port
    receiver.close()
    with pytest.raises(CaptureError, match="can't forward to itself"):
        OtlpReceiver(port=port, forward_to=f"http://127.0.0.1:{port}").start()


def test_grpc_without_its_libraries_is_refused_at_the_start(monkeypatch):
    monkeypatch.setattr("pytest_anomod.sources.otlp.receiver.has_protobuf", lambda: False)
    with pytest.raises(CaptureError, match=r"pip install 'pytest-anomod\[otlp\]'"):
        OtlpReceiver(grpc=True).start()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_the_loopback_of_ipv6():
    receiver = OtlpReceiver(host="::1")
    receiver.start()
    try:
        assert receiver.url.startswith("http://[::1]:")
        sender = Sender(receiver)
        assert sender.send(ONE) == (200, b"{}")
        sender.connection.close()
    finally:
        receiver.close()


def test_protobuf_without_its_library_is_told(monkeypatch, inbox):
    monkeypatch.setattr(inbox, "_has_protobuf", False)
    reply = inbox.take("traces", 0, b"\x0a\x00")
    assert reply.status == 415
    assert "pytest-anomod[otlp]" in reply.message
    assert inbox.read("traces", *FOREVER).dropped == {inboxes.NO_PROTOBUF: 1}
