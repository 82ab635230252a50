"""Records what a suite sends and gets, below every client library: http.client (and so urllib3, requests), httpx."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.workloads.record import Message, Records, empty_record
from pytest_anomod.workloads.suite_address import Addresses
from pytest_anomod.workloads.suite_login import Login

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_ID = re.compile(r"\d+|[0-9a-fA-F-]{32,36}|[0-9a-f]{16,}|\d{4}-\d\d-\d\d.*")
REFUSALS = (401, 403)
_OUTSIDE = "outside-of-tests"
_HTTPX_DISCONNECTS = ("ReadError", "WriteError", "CloseError")  # httpx's errors are no OSErrors


class WorkloadOver(KeyboardInterrupt):
    """The workload is ending: what a test would send next is not sent. No error, and no test may take it for one."""


class Exchange:
    """One request under way: its message, when it began, and how much of it has gone out."""

    def __init__(self, message: Message, journey: str, journey_id: int) -> None:
        self.message = message
        self.journey = journey
        self.journey_id = journey_id
        self.begun_ns = clock.now_ns()
        self.begun_s = clock.monotonic_s()
        self.head_is_out = False


class Wire:
    """What all requests of the process pass through; `test` says whose they are."""

    def __init__(
        self, addresses: Addresses, records: Records, *, body_limit: int, timeout_s: float, on_first: Callable[[], None]
    ) -> None:
        self.addresses = addresses
        self.timeout_s = timeout_s
        self.counts: Counter[str] = Counter()
        self.elsewhere = 0
        self.with_login, self.refused_without = 0, 0
        self.is_open = True
        self.login: Login | None = None
        self.in_flight: set[Exchange] = set()
        self._records = records
        self._body_limit = body_limit
        self._on_first = on_first
        self._test, self._test_id, self._step = _OUTSIDE, -1, 0
        self._usual: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def begin_test(self, journey: str, journey_id: int) -> None:
        """What is sent from now on belongs to this run of this test."""
        with self._lock:
            self._test, self._test_id, self._step = journey, journey_id, 0

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """What is sent in the block belongs to no test."""
        with self._lock:
            test = self._test, self._test_id, self._step
            self._test, self._test_id, self._step = _OUTSIDE, -1, 0
        try:
            yield
        finally:
            with self._lock:
                self._test, self._test_id, self._step = test

    def begin(self, method: str, target: str, host: str, port: int) -> Exchange | None:
        """An exchange with the system; None for anywhere else. WorkloadOver when nothing may be sent any more."""
        service = self.addresses.service(host, port)
        if service is None:
            self.elsewhere += 1
            return None
        if not self.is_open:
            raise WorkloadOver
        with self._lock:
            self._step += 1
            step, journey, journey_id = self._step, self._test, self._test_id
        path = target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2]
        message = Message(
            method=method,
            url=self.addresses.urls[service] + path,
            route=route_of(path),
            service=service,
            step=step,
            trace_id=os.urandom(16).hex(),
            span_id=os.urandom(8).hex(),
            headers={},
        )
        exchange = Exchange(message, journey, journey_id)
        self.in_flight.add(exchange)
        return exchange

    def traceparent(self, exchange: Exchange) -> str | None:
        """The header to add; None when the suite sends a good one itself, which is recorded then."""
        message = exchange.message
        own = _TRACEPARENT.fullmatch(next((v for k, v in message.headers.items() if k.lower() == "traceparent"), ""))
        if own is not None:
            message.trace_id, message.span_id = own.groups()
            return None
        return f"00-{message.trace_id}-{message.span_id}-01"

    def header(self, name: str, value: str) -> str:
        """The value with which a header of the suite goes out to the system: a fresh login for a written one."""
        return self.login.replaced(name, value) if self.login is not None else value

    def end(self, exchange: Exchange) -> None:
        """Write down an exchange that is over, once."""
        if exchange not in self.in_flight:
            return
        message, took_s = exchange.message, clock.monotonic_s() - exchange.begun_s
        key = (exchange.journey, message.step)
        record = {
            **empty_record(exchange.journey, exchange.journey_id, exchange.begun_ns, message.service),
            **message.fields(self._body_limit),
            "duration_ns": round(took_s * 1e9),
            "usual_status": self._usual.get(key, message.status),
        }
        self._records.write(record)
        has_login = carries_login(message.headers)
        self.with_login += has_login
        self.refused_without += not has_login and message.status in REFUSALS
        if message.status:
            self._usual[key] = message.status
        self.counts[message.error_kind or "answered"] += 1
        self.in_flight.discard(exchange)  # last: an end that comes in between finds it under way
        if self.counts.total() == 1:
            self._on_first()

    @contextlib.contextmanager
    def watch(self, exchange: Exchange, connecting: Callable[[], bool] = bool) -> Iterator[None]:
        """End the exchange when what is done in the block fails, and pass the failure on."""
        try:
            yield
        except BaseException as error:  # every way to fail is an observation, an interrupt too
            exchange.message.status = 0
            exchange.message.error_kind = error_kind(error, connecting=connecting())
            self.end(exchange)
            raise

    def install(self) -> None:
        """Pass everything through here that http.client sends, and httpx if it was imported; may be called again."""
        _tap_http_client(self)
        if "httpx" in sys.modules:
            from pytest_anomod.workloads.suite_httpx import tap_httpx

            tap_httpx(self)


def carries_login(headers: Mapping[str, str]) -> bool:
    """Whether a request has a bearer, or any other credentials, or a cookie; a scheme without anything is none."""
    given = {name.lower(): value for name, value in headers.items()}
    return bool(given.get("authorization", "").partition(" ")[2].strip() or given.get("cookie"))


def route_of(path: str) -> str:
    """A path as its kind: segments that look like ids are {id}, the query is left out."""
    bare = path.partition("?")[0].partition("#")[0]
    return "/".join("{id}" if _ID.fullmatch(segment) else segment for segment in bare.split("/"))


def error_kind(error: BaseException, *, connecting: bool) -> str:
    """connect, disconnect, timeout, protocol or cancelled, as the open loop names them."""
    name = type(error).__name__
    if "timeout" in name.lower():  # everyone has an own one, and so have decorators of tests
        return "timeout"
    if not isinstance(error, Exception):
        return "cancelled"
    if connecting or name == "ConnectError":
        return "connect"
    return "disconnect" if isinstance(error, OSError) or name in _HTTPX_DISCONNECTS else "protocol"


def _tap_http_client(wire: Wire) -> None:
    """Replace what HTTPConnection does at each step of an exchange; urllib3's connection is a subclass of it."""
    connection: Any = http.client.HTTPConnection
    if hasattr(connection, "_exchange"):
        return
    connection._exchange = None
    putrequest, putheader, endheaders = connection.putrequest, connection.putheader, connection.endheaders
    send, getresponse = connection.send, connection.getresponse

    def tapped_putrequest(self: Any, method: str, url: str, *arguments: Any, **options: Any) -> None:
        if self._exchange is not None:
            _give_up(wire, self)
        self._exchange = wire.begin(method, url, self.host, self.port)
        putrequest(self, method, url, *arguments, **options)

    def tapped_putheader(self: Any, header: Any, *values: Any) -> None:
        if self._exchange is not None:
            values = _sent(wire, self._exchange, _text(header), values)
        putheader(self, header, *values)

    def tapped_endheaders(self: Any, *arguments: Any, **options: Any) -> None:
        exchange = self._exchange
        if exchange is not None:
            header = wire.traceparent(exchange)
            if header is not None:
                self.putheader("traceparent", header)
            _bound(self, wire.timeout_s)
        endheaders(self, *arguments, **options)

    def tapped_send(self: Any, data: Any) -> None:
        exchange = self._exchange
        if exchange is None:
            send(self, data)
            return
        data = data.read() if hasattr(data, "read") else data
        with wire.watch(exchange, lambda: not exchange.head_is_out and self.sock is None):
            send(self, data)
        if exchange.head_is_out:
            exchange.message.body += data if isinstance(data, bytes) else bytes(data)
        exchange.head_is_out = True

    def tapped_getresponse(self: Any) -> Any:
        exchange = self._exchange
        if exchange is None:
            return getresponse(self)
        _bound(self, wire.timeout_s)
        self._exchange = None
        with wire.watch(exchange):
            response = getresponse(self)
            body = _taken(response)
        message = exchange.message
        message.status, message.response_body = response.status, body
        message.response_headers = list(response.headers.items())
        wire.end(exchange)
        return response

    connection.putrequest, connection.putheader, connection.endheaders = (
        tapped_putrequest, tapped_putheader, tapped_endheaders,
    )  # fmt: skip
    connection.send, connection.getresponse = tapped_send, tapped_getresponse


def _sent(wire: Wire, exchange: Exchange, header: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values with which a header goes out, which are recorded."""
    said = ", ".join(map(_text, values))
    sent = exchange.message.headers[header] = wire.header(header, said)
    return values if sent == said else (sent,)


def _give_up(wire: Wire, connection: Any) -> None:
    """A client began anew without waiting for the answer before."""
    exchange, connection._exchange = connection._exchange, None
    exchange.message.error_kind = "cancelled"
    wire.end(exchange)


def _bound(connection: Any, limit_s: float) -> None:
    """No wait on this connection lasts longer than the workload's timeout; shorter ones stay."""
    if not isinstance(connection.timeout, int | float) or connection.timeout > limit_s:
        connection.timeout = limit_s
    sock = connection.sock
    if sock is not None and (sock.gettimeout() is None or sock.gettimeout() > limit_s):
        sock.settimeout(limit_s)


def _taken(response: Any) -> bytes:
    """The whole body of an answer, which is then there to be read again as it came (in one chunk, if in chunks)."""
    chunked = response.chunked
    body: bytes = response.read()
    again = body
    if chunked and response._method != "HEAD":
        again = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        response.chunk_left = None
    else:
        response.length = len(body)
    response.fp = io.BytesIO(again)
    return body


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
