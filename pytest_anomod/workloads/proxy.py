"""A recording proxy on loopback: requests of another tool's program go through it to the system, and are recorded.

It takes requests as a server does (GET /path) and as a proxy does (GET http://host/path). Each gets a trace id and a
fresh login in place of a written one. Requests to any other host are refused with 502. Redirects to the entry lead to
the proxy.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from pytest_anomod.model import clock
from pytest_anomod.workloads._http import FailedError, Pool, headers_for
from pytest_anomod.workloads.record import Message, Records, empty_record
from pytest_anomod.workloads.suite_address import Addresses, place_of
from pytest_anomod.workloads.suite_login import Login
from pytest_anomod.workloads.suite_wire import route_of

_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "content-length", "content-encoding"),
    }
)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
GATEWAY_ERRORS = {"timeout": 504}
"""What the client gets for a request without a whole answer: 502, of one that took too long 504."""


class Recorder:
    """Where requests go, how fast, and what is written of them; `counts` is by error kind, or "answered"."""

    def __init__(
        self,
        addresses: Addresses,
        entry: str,
        records: Records,
        *,
        login: Login | None,
        timeout_s: float,
        rate_rps: float,
        body_limit: int,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.is_open = True
        self.place = ""
        """Where the proxy itself listens: HOST:PORT."""
        self.in_flight = 0
        self._addresses, self._entry, self._records, self._login = addresses, entry, records, login
        self._rate_rps, self._body_limit = rate_rps, body_limit
        self._pool = Pool(timeout_s)
        self._due_s = 0.0
        self._number = 0
        self._usual: dict[str, int] = {}

    async def forward(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Answered:
        """Send a request on, write it down, and give what the client gets."""
        service, path = self._place(target, headers)
        if service is None or not self.is_open:
            return Answered(502, [], b"this proxy leads to the system under test and nowhere else\n")
        await self._turn()
        if not self.is_open:
            return Answered(502, [], b"the workload is over\n")
        message = self._message(method, service, path, headers, body)
        begun_ns, begun_s = clock.now_ns(), clock.monotonic_s()
        self.in_flight += 1
        try:
            sent = headers_for(method, message.url, message.headers, body)
            found = await self._pool.request(method, message.url, sent, body)
            message.status, message.response_headers, message.response_body = found.status, found.headers, found.body
            shown = [(name, self._led_back(name, value)) for name, value in found.headers]
            given = Answered(found.status, shown, found.body)
        except FailedError as error:
            message.error_kind = error.kind
            given = Answered(GATEWAY_ERRORS.get(error.kind, 502), [], b"")
        except asyncio.CancelledError:
            message.error_kind = "cancelled"
            raise
        finally:
            self.in_flight -= 1
            self._write(message, begun_ns, clock.monotonic_s() - begun_s)
        return given

    def close(self) -> None:
        """Close the connections to the system."""
        self._pool.close()

    async def _turn(self) -> None:
        """Wait until the next request may begin."""
        now = clock.monotonic_s()
        self._due_s = max(now, self._due_s + 1 / self._rate_rps)
        await asyncio.sleep(self._due_s - now)

    def _place(self, target: str, headers: list[tuple[str, str]]) -> tuple[str | None, str]:
        """The service that a request is for, None for anybody else; and the path."""
        if target.startswith("/"):
            host = next((value for name, value in headers if name.lower() == "host"), "")
            named = self._service(f"http://{host}") if host else None
            return named or self._entry, target
        parts = urlsplit(target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return self._service(target), path

    def _service(self, url: str) -> str | None:
        try:
            return self._addresses.service(*place_of(url))
        except ValueError:
            return None

    def _led_back(self, name: str, value: str) -> str:
        """A header of an answer; a redirect to the entry leads to the proxy, else a client would go straight there."""
        url = f"http:{value}" if value.startswith("//") else value
        if name.lower() != "location" or self._service(url) != self._entry:
            return value
        return urlsplit(url)._replace(netloc=self.place).geturl()

    def _message(self, method: str, service: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Message:
        kept = {name: value for name, value in headers if name.lower() not in _HOP and name.lower() != "host"}
        if self._login is not None:
            kept = {name: self._login.replaced(name, value) for name, value in kept.items()}
        own = _TRACEPARENT.fullmatch(next((value for name, value in kept.items() if name.lower() == "traceparent"), ""))
        trace_id, span_id = own.groups() if own else (os.urandom(16).hex(), os.urandom(8).hex())
        if not own:
            kept["traceparent"] = f"00-{trace_id}-{span_id}-01"
        return Message(
            method=method, url=self._addresses.urls[service] + path, route=route_of(path), service=service, step=1,
            trace_id=trace_id, span_id=span_id, headers=kept, body=body,
        )  # fmt: skip

    def _write(self, message: Message, begun_ns: int, took_s: float) -> None:
        """Write a request down; its journey is its method and route, for the file's own are not known here."""
        journey = f"{message.method} {message.route}"
        self._number += 1
        record = {
            **empty_record(journey, self._number, begun_ns, message.service),
            **message.fields(self._body_limit),
            "duration_ns": round(took_s * 1e9),
            "usual_status": self._usual.get(journey, message.status),
        }
        self._records.write(record)
        if message.status:
            self._usual[journey] = message.status
        self.counts[message.error_kind or "answered"] += 1


class Answered:
    """What a client gets: status, headers and the body as it is before any coding."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.body = status, body
        self._headers = [(name, value) for name, value in headers if name.lower() not in _HOP]

    def encoded(self, method: str) -> bytes:
        """The bytes on the wire."""
        head = [f"HTTP/1.1 {self.status} Answer", *(f"{name}: {value}" for name, value in self._headers)]
        head.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(head) + "\r\n\r\n").encode("utf-8", "surrogateescape") + (
            b"" if method == "HEAD" or self.status in (204, 304) else self.body
        )


class _Client(asyncio.Protocol):
    """One connection of the program; its requests are answered one after the other."""

    def __init__(self, recorder: Recorder, tasks: set[asyncio.Task[None]]) -> None:
        self._recorder, self._tasks = recorder, tasks
        self._queue: asyncio.Queue[tuple[str, str, list[tuple[str, str]], bytes, bool]] = asyncio.Queue()
        self._parser = httptools.HttpRequestParser(self)
        self._target, self._headers, self._body = b"", [], b""  # type: ignore[var-annotated]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._task = asyncio.create_task(self._answer())
        self._tasks.add(self._task)
        self._task.add_done_callback(self._tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):  # CONNECT, too: nothing encrypted goes through
            self._transport.write(b"HTTP/1.1 502 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", [], b""

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        if any(name.lower() == "expect" for name, _ in self._headers):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        method, stays = self._parser.get_method().decode(), self._parser.should_keep_alive()
        self._queue.put_nowait((method, self._target.decode("utf-8", "replace"), self._headers, self._body, stays))

    async def _answer(self) -> None:
        while True:
            method, target, headers, body, stays = await self._queue.get()
            answered = await self._recorder.forward(method, target, headers, body)
            self._transport.write(answered.encoded(method))
            if not stays:
                self._transport.close()
                return


async def serve(recorder: Recorder, host: str = "127.0.0.1") -> tuple[int, Callable[[], Any]]:
    """Serve on a free port of loopback; the port, and a coroutine function that ends it."""
    tasks: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Client(recorder, tasks), host, 0)

    async def end() -> None:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        recorder.close()

    port = server.sockets[0].getsockname()[1]
    recorder.place = f"{host}:{port}"
    return port, end


def known_urls(spec: Mapping[str, Any], entry: str) -> Addresses:
    """Where a spec's services are, and which URLs of the file mean them."""
    urls = {entry: str(spec["entry_url"]), **(spec.get("urls") or {})}
    bases = {base: service or entry for base, service in (spec.get("bases") or {}).items()}
    return Addresses({name: url.rstrip("/") for name, url in urls.items()}, bases)
