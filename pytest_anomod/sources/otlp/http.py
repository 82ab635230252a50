"""The HTTP side of the receiver: POST /v1/traces, /v1/logs and /v1/metrics, in one thread with its own event loop."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from typing import cast

import httptools

from pytest_anomod.sources.otlp import wire
from pytest_anomod.sources.otlp.inbox import GZIP, JSON, MALFORMED, MOST_BYTES, TOO_LARGE, UNKNOWN_FORM, Inbox, Reply

_SIGNALS = {b"/v1/traces": "traces", b"/v1/logs": "logs", b"/v1/metrics": "metrics"}
_TYPES = {b"application/json": JSON, b"application/x-protobuf": 0, b"application/protobuf": 0}
_PACKINGS = {b"": 0, b"identity": 0, b"gzip": GZIP, b"x-gzip": GZIP}
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
}
_NO_HTTP = Reply(400, 3, "this is no request of HTTP/1.1")
_HEAD_BYTES = 1 << 16
_UPGRADE = re.compile(rb"\r\n(upgrade:)", re.IGNORECASE)
"""Java's own client offers HTTP/2 with every request. The parser would then leave the body to another protocol."""


class _Connection(asyncio.Protocol):
    """One sender; requests of a connection are answered in turn."""

    def __init__(self, inbox: Inbox, connections: set[_Connection]) -> None:
        self._inbox = inbox
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self.on_message_begin()
        self._is_in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if not self._is_in_message:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                if len(self._head) > _HEAD_BYTES or not self._head[:1].isalpha():
                    self._refuse(MALFORMED, _NO_HTTP)
                return
            data, self._head = _UPGRADE.sub(rb"\r\nX-\1", self._head[:end]) + self._head[end:], b""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(MALFORMED, _NO_HTTP)

    def on_message_begin(self) -> None:
        self._is_in_message = True
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_refused = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        length = self._headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > MOST_BYTES:
            self._refuse(TOO_LARGE, Reply(413, 8, f"more than {MOST_BYTES} bytes"))
        elif self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        if self._is_refused:
            return
        self._size += len(piece)
        self._pieces.append(piece)
        if self._size > MOST_BYTES:
            self._refuse(TOO_LARGE, Reply(413, 8, f"more than {MOST_BYTES} bytes"))

    def on_message_complete(self) -> None:
        self._is_in_message = False
        if not self._is_refused:
            self._answer(self._reply(), closes=not self._parser.should_keep_alive())

    def _refuse(self, reason: str, reply: Reply) -> None:
        """Take no more of a request, and end the connection."""
        self._is_refused = True
        self._pieces.clear()
        signal = _SIGNALS.get(self._path())
        self._answer(self._inbox.refuse(signal, reason, reply) if signal else reply, closes=True)

    def _path(self) -> bytes:
        return self._url.partition(b"?")[0].rstrip(b"/")

    def _reply(self) -> Reply:
        signal = _SIGNALS.get(self._path())
        if signal is None:
            return Reply(404, 5, "send to /v1/traces, /v1/logs or /v1/metrics")
        if self._parser.get_method() != b"POST":
            return Reply(405, 12, "only POST is understood")
        form = _TYPES.get(self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower())
        packing = _PACKINGS.get(self._headers.get(b"content-encoding", b"").strip().lower())
        if form is None or packing is None:
            reply = Reply(415, 3, "send application/x-protobuf or application/json, plain or in gzip")
            return self._inbox.refuse(signal, UNKNOWN_FORM, reply)
        return self._inbox.take(signal, form | packing, b"".join(self._pieces))

    def _answer(self, reply: Reply, *, closes: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        as_json = self._headers.get(b"content-type", b"").lower().startswith(b"application/json")
        body = wire.answer(_SIGNALS.get(self._path(), "traces"), reply, as_json=as_json)
        self._transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: application/%s\r\nContent-Length: %d\r\n%s\r\n%s"
            % (
                reply.status,
                _REASONS[reply.status],
                b"json" if as_json else b"x-protobuf",
                len(body),
                b"Connection: close\r\n" if closes else b"",
                body,
            )
        )
        if closes:
            self._transport.close()

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()


class HttpServer:
    """Listens from its making on; OSError when the address can't be had."""

    def __init__(self, inbox: Inbox, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._inbox = inbox
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="otlp-http", daemon=True)
        self._serves = threading.Event()
        self._thread.start()
        self._serves.wait(timeout=5.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self._inbox, self._connections), sock=self._socket)
        )
        self._serves.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for connection in list(self._connections):
                connection.close()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def close(self) -> None:
        """Stop listening, cut all connections; idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)
