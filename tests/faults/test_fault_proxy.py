"""The relay that stands in a service's place: that it hands on everything unchanged, late, lost or refused as told."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import http.server
import socket
import statistics
import threading
import time

import pytest
from programs import free_port, running, until

from pytest_anomod.faults._speak import refuses, round_trip_s
from pytest_anomod.faults.helpers import proxy


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the body it got, over kept connections."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def upstream():
    """The port of a small HTTP server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def relay(upstream: int, **options: object):
    port, ready = free_port(), free_port()
    with running("proxy", listen=port, upstream=upstream, ready=ready, deadline_s=20, **options) as child:
        until(lambda: not refuses(("127.0.0.1", port)))
        yield port, child


def post(connection: http.client.HTTPConnection, body: bytes, path: str = "/x") -> tuple[int, bytes]:
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_without_a_task_it_hands_on_everything_unchanged(upstream):
    """Many requests on one connection, among them one of a megabyte."""
    with relay(upstream) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for body in (b"one", b"x" * 1_000_000, b"", b"last"):
            assert post(connection, body) == (200, body)
        connection.close()


def test_a_delay_counts_each_way_and_is_no_bandwidth(upstream):
    """A large body takes two delays like a small one: its chunks travel side by side."""
    with relay(upstream, delay_ms=60) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        took: list[float] = []
        for body in (b"small", b"x" * 800_000):
            began = time.monotonic()
            assert post(connection, body) == (200, body)
            took.append(time.monotonic() - began)
        connection.close()
    assert min(took) > 0.11
    assert took[1] < 0.06 * 800_000 / 16_384  # one after the other its chunks would take at least so long


def test_loss_shows_as_retransmissions_and_loses_no_byte(upstream):
    """With every second packet lost, about 7 of 8 round trips wait at least 0.2 s; bodies arrive whole."""
    with relay(upstream, loss=0.5) as (port, _):
        times: list[float] = []
        threads = [
            threading.Thread(target=lambda: times.append(round_trip_s(("127.0.0.1", port), "http", 8.0)))
            for _ in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        slow = [time for time in times if time >= 0.18]
        assert 0.6 <= len(slow) / len(times) <= 0.99
        assert statistics.median(slow) >= 0.38
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        assert post(connection, b"abc") == (200, b"abc")
        connection.close()


def test_refused_requests_never_reach_the_service_and_the_connection_lives_on(upstream):
    """Only the method and path asked for are refused, body and all."""
    with relay(upstream, abort=1.0, abort_status=503, method="POST", prefix="/orders") as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        assert post(connection, b"abc", "/orders/1")[0] == 503
        assert post(connection, b"abc", "/other") == (200, b"abc")
        assert post(connection, b"x" * 100_000, "/orders/2")[0] == 503
        assert post(connection, b"still there", "/other") == (200, b"still there")
        connection.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"x-group": "beta"}, 503), ({"X-Group": "beta 2"}, 200), ({"X-Other": "beta"}, 200), ({}, 200)],
)
def test_only_requests_with_the_header_are_hit(upstream, headers, status):
    """A group of users: the header's name in any case, its whole value."""
    with relay(upstream, abort=1.0, header="X-Group: beta") as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/x", b"abc", headers)
        assert connection.getresponse().status == status
        connection.close()


@pytest.mark.parametrize(
    ("task", "is_hit"),
    [
        ({"abort": 1.0}, lambda status, took_s: status == 503),
        ({"hold": 1.0, "hold_ms": 200}, lambda status, took_s: took_s >= 0.2),
        ({"delay_ms": 100}, lambda status, took_s: took_s >= 0.2),
        ({"rate_kbit": 8}, lambda status, took_s: took_s >= 0.1),
        ({"loss": 0.9}, lambda status, took_s: took_s >= 0.2),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_comes_and_goes_hits_some_requests_and_then_none(upstream, task, is_hit):
    """There again after it was gone, on one and the same connection or on new ones."""
    changes: list[bool] = []

    def has_come_and_gone_twice(port: int) -> bool:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with contextlib.closing(connection), contextlib.suppress(OSError):  # six losses in a row end a connection
            status, _ = post(connection, b"x" * 50)
            hit = is_hit(status, time.monotonic() - began)
            if changes[-1:] != [hit]:
                changes.append(hit)
        return len(changes) >= 4

    with relay(upstream, on_s=0.3, off_s=0.3, **task) as (port, _):
        until(lambda: has_come_and_gone_twice(port))


def test_requests_that_are_held_up_arrive_whole_and_others_at_once(upstream):
    """Only the method and path asked for wait."""
    with relay(upstream, hold=1.0, hold_ms=300, method="POST", prefix="/orders") as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        took: dict[str, float] = {}
        for path in ("/orders/1", "/other"):
            began = time.monotonic()
            assert post(connection, b"x" * 50_000, path) == (200, b"x" * 50_000)
            took[path] = time.monotonic() - began
        connection.close()
    assert took["/orders/1"] >= 0.3
    assert took["/other"] < took["/orders/1"]


def test_a_narrow_line_is_shared_by_all_connections(upstream):
    """Two bodies of 20 kB at 800 kbit/s take 0.4 s there, and their answers as long back, begun a little earlier."""
    with relay(upstream, rate_kbit=800) as (port, _):
        answers: list[tuple[int, bytes]] = []

        def send() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            answers.append(post(connection, b"x" * 20_000))
            connection.close()

        threads = [threading.Thread(target=send) for _ in range(2)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    assert answers == [(200, b"x" * 20_000)] * 2
    assert took >= 0.5


def test_clients_that_went_away_are_not_waited_for():
    """Their chunks would need the line for 20 seconds; the one after them waits for the chunk that is on it only."""
    options = {"loss": 0, "delay_ms": 0, "jitter_ms": 0, "rate_kbit": 64, "on_s": 1, "off_s": 0, "seed": 1}

    async def play() -> tuple[float, list[object]]:
        road, began = proxy.Road(argparse.Namespace(**options)), time.monotonic()
        words = [False, *[True] * 40]
        before = [asyncio.ensure_future(road.pass_through(4000, "to", lambda gone=gone: gone)) for gone in words]
        await asyncio.sleep(0)
        await road.pass_through(80, "to", lambda: False)
        took = time.monotonic() - began
        return took, await asyncio.gather(*before, return_exceptions=True)

    took, ends = asyncio.run(play())
    assert 0.5 <= took < 5
    assert [type(end) for end in ends] == [type(None), *[proxy.Reset] * 40]


def test_it_waits_for_its_port_and_is_ready_before(upstream):
    """The service lets go of the port only when the relay is there to take it."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port, ready = owner.getsockname()[1], free_port()
        with running("proxy", listen=port, upstream=upstream, ready=ready, deadline_s=20):
            until(lambda: not refuses(("127.0.0.1", ready)))
            owner.close()
            until(lambda: round_trip_s(("127.0.0.1", port), "http", 0.5) < 0.5)


def test_when_it_ends_its_connections_end_too(upstream):
    """Kept connections of callers must not go on through a relay that is gone."""
    with relay(upstream, delay_ms=30) as (port, child):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as kept:
            until(lambda: round_trip_s(("127.0.0.1", port), "http", 1.0) < 1.0)
            child.terminate()
            assert child.wait(20) == 0
            with contextlib.suppress(ConnectionResetError):
                assert kept.recv(1) == b""
        assert refuses(("127.0.0.1", port))
