"""A lean HTTP/1.1 client: keep-alive pools to named peers, on asyncio.Protocol and httptools.

A kept connection that the peer closed is noticed before it is used and replaced. Once bytes of a request were sent
nothing is tried again: the caller learns how the call failed (`TransportError.kind`). HEAD is not supported.
"""

import asyncio
from collections.abc import Iterable

import httptools

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.kit.net import NameTable, NoNameError, idle_watch

MAX_IDLE = 64


class ClientResponse:
    """Status, headers (lower case names, in order) and whole body of an answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name: str, default: str = "") -> str:
        """The first header of that name (lower case), or the default."""
        return next((value for key, value in self.headers if key == name), default)


class _Connection(asyncio.Protocol):
    """One connection; carries one call at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._answer: asyncio.Future[ClientResponse] | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream transport
        self._watch = idle_watch(transport.get_extra_info("socket").fileno())

    def usable(self) -> bool:
        """Whether the peer left this idle connection alone, asked of the kernel and not of what we read so far."""
        return not self.closed and not self._watch.poll(0)

    def send(self, data: bytes, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[ClientResponse]":
        """Send one request; the future gets the answer or a TransportError."""
        self._answer = loop.create_future()
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._complete = False
        self._transport.write(data)
        return self._answer

    def abort(self, kind: str = "closed") -> None:
        """Drop the connection; a waiting call fails with this kind."""
        self._fail(kind)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.abort()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort("protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and self._complete and not self.closed and self._unframed():
            self._deliver()
        self._fail("closed")

    def on_message_begin(self) -> None:
        self._headers = []
        self._body = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._complete = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() // 100 == 1:
            self._complete = False  # an interim answer, the real one follows
            return
        keep = self._parser.should_keep_alive()
        self._deliver()
        if not keep:
            self.closed = True
            self._transport.close()

    def _unframed(self) -> bool:
        return not any(name in ("content-length", "transfer-encoding") for name, _ in self._headers)

    def _deliver(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(ClientResponse(self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def _fail(self, kind: str) -> None:
        self.closed = True
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(TransportError(kind))  # type: ignore[arg-type]


class HttpPeer:
    """A named peer and the connections kept to it."""

    def __init__(self, names: NameTable, name: str, timeout_s: float = 10.0) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self._names = names
        self._idle: list[_Connection] = []
        self._closed = 0  # how often the kept connections were dropped
        names.add(self)

    @property
    def kept(self) -> int:
        """Connections that are open and wait for their next use."""
        return len(self._idle)

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_s: float | None = None,
    ) -> ClientResponse:
        """Send one request and wait for the whole answer, at most `timeout_s` seconds in all.

        Raises TransportError: resolve and refused before anything was sent, closed, timeout or protocol after it.
        """
        lines = [f"{method} {target} HTTP/1.1\r\nHost: {self.name}\r\nContent-Length: {len(body)}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        lines.append("\r\n")
        return await self.send("".join(lines).encode("latin-1") + body, timeout_s or self.timeout_s)

    async def send(self, data: bytes, timeout_s: float) -> ClientResponse:
        """Send a request that is bytes already; see `request`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        closed = self._closed
        connection = self._take() or await self._connect(loop, timeout_s)
        timer = loop.call_at(deadline, connection.abort, "timeout")
        try:
            answer = await connection.send(data, loop)
        except asyncio.CancelledError:
            connection.abort()  # its answer would be taken for the next one's
            raise
        finally:
            timer.cancel()
        if not connection.closed and len(self._idle) < MAX_IDLE and closed == self._closed:
            self._idle.append(connection)
        elif not connection.closed:
            connection.abort()
        return answer

    def close(self) -> None:
        """Drop the kept connections, and those at work as soon as they are free."""
        self._closed += 1
        while self._idle:
            self._idle.pop().abort()

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def _connect(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> _Connection:
        port = self._names.resolve(self.name)
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await loop.create_connection(_Connection, self._names.host(self.name), port)
        except TimeoutError:
            raise TransportError("timeout") from None
        except NoNameError:
            raise TransportError("resolve") from None
        except OSError:
            raise TransportError("refused") from None
        return connection
