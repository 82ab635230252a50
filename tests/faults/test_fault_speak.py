"""What probes say to a server, by the engine that it runs: answers, silence, and servers that we don't speak to."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import socketserver
import threading

import pytest
from programs import free_port, running, until

from pytest_anomod.faults import HttpAbort, HttpDelay, NetworkDelay, _relay, _speak
from pytest_anomod.faults._speak import FILL_MOST, refuses, round_trip_s
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.testing import fake_deployment

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@contextlib.contextmanager
def server(answer, *, ends=True):
    """A server that answers what it gets with `answer(it)`; at the end of what it gets it ends, or never does."""
    got, over = [], threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while part := self.request.recv(65_536):
                got.append(part)
                self.request.sendall(answer(part))
            if not ends:
                over.wait(30)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made.server_address, got
        over.set()
        made.shutdown()


@pytest.mark.parametrize(
    ("engine", "answer", "question"),
    [
        ("redis", b"+PONG\r\n", b"*1\r\n$4\r\nPING\r\n"),
        ("redis", b"-NOAUTH Authentication required.\r\n", b"*1\r\n$4\r\nPING\r\n"),
        ("postgresql", b"N", SSL_REQUEST),
        (
            "http",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nConnection: close\r\ntraceparent: 00-",
        ),
    ],
)
def test_an_engine_is_asked_in_its_own_way(engine, answer, question):
    """By what needs no login and does nothing; a refusal is an answer as well."""
    with server(lambda _: answer) as (address, got):
        assert round_trip_s(address, engine, 5.0) < 5.0
    said = b"".join(got)
    assert said.startswith(question)
    assert said == question or said.endswith(b"-00\r\n\r\n"), "unsampled"
    assert b"host" not in said.lower()


def test_another_engine_does_not_answer_in_that_way():
    """A Service that says the wrong engine is found out."""
    with server(lambda _: b"\x00\x00") as (address, _):
        for engine in ("redis", "postgresql", "http"):
            assert round_trip_s(address, engine, 5.0) == math.inf


def test_to_an_engine_that_we_do_not_speak_nothing_is_said():
    """That it ends the connection when we have is the answer; one that does not gives none."""
    with server(lambda _: b"") as (address, got):
        assert round_trip_s(address, "mysql", 5.0) < 5.0
        assert got == []
    with server(lambda _: b"", ends=False) as (address, _):
        assert round_trip_s(address, "", 0.2) == math.inf


def test_a_delay_shows_there_and_back_on_what_says_nothing():
    """The relay hands the end of one side on, and waits for the other's."""
    port, ready = free_port(), free_port()
    with server(lambda _: b"") as (address, _):
        options = {"upstream_host": address[0], "upstream": address[1], "delay_ms": 100, "deadline_s": 20}
        with running("proxy", listen=port, ready=ready, **options):
            until(lambda: not refuses(("127.0.0.1", ready)))
            until(lambda: not refuses(("127.0.0.1", port)))
            assert 0.2 <= round_trip_s(("127.0.0.1", port), "mongodb", 5.0) < 5.0


@pytest.mark.parametrize("engine", _speak.FILLABLE)
def test_a_filled_probe_is_so_much_larger(engine):
    """And never larger than any server takes."""
    sizes = {len(_speak._question(engine, fill)) for fill in (0, 1_000, FILL_MOST)}
    assert max(sizes) - min(sizes) >= FILL_MOST
    assert max(sizes) < 8_000


@pytest.fixture
def at(tmp_path, monkeypatch):
    """A fake deployment whose services are at an address."""
    made = fake_deployment(tmp_path)
    before = made.instances

    def place(address, engine="http"):
        there = tuple(dataclasses.replace(one, address=address, engine=engine) for one in before("app"))
        monkeypatch.setattr(made, "instances", lambda *_: there)
        return made

    return place


def test_who_answers_as_the_fault_would_can_not_be_told_from_it(at):
    """Any other status will do; a target that says nothing in HTTP will not."""
    with server(lambda _: b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") as (address, _):
        deployment = at(address)
        with pytest.raises(InjectionError, match="itself answers a probe below / with 503; abort with another status"):
            HttpAbort().prepare(deployment, "app")
        HttpAbort(status=502).prepare(deployment, "app")
        HttpDelay().prepare(deployment, "app")
    refused = pytest.raises(InjectionError, match="gives no HTTP answer to a probe")
    with server(lambda _: b"\x15\x03") as (address, _), refused:
        HttpDelay().prepare(at(address), "app")


def test_who_gives_no_answer_is_refused_before_the_baseline(at, monkeypatch):
    """Its fault would seem to be in already, and never be gone."""
    monkeypatch.setattr(_relay, "_ANSWER_S", 0.3)
    refused = pytest.raises(InjectionError, match="as its engine 'redis' would; does its Service say what it runs")
    with server(lambda _: b"\x00\x00") as (address, _), refused:
        NetworkDelay().prepare(at(address, "redis"), "app")
