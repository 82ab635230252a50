"""An HTTP/1.1 server: asyncio.Protocol on httptools, one request of a connection at a time, answers in order.

Knows chunked bodies, Content-Length, keep-alive, pipelining, HEAD, Expect: 100-continue, absolute-form targets and
HTTP/1.0. What it cannot take it refuses with 400, 413 or 431 and closes. There is no idle timeout, so no ticking.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import httptools

from pytest_anomod.replicas.kit.http import FRAMING_HEADERS, REASONS, Request, Response, text_response
from pytest_anomod.replicas.kit.net import HOST

MAX_HEAD = 64 * 1024
MAX_BODY = 100 * 1024 * 1024
MAX_PIPELINED = 32  # requests waiting on one connection before we stop reading from it

App = Callable[[Request], Awaitable[Response]]


class _Connection(asyncio.Protocol):
    """One client connection: parses into a queue of requests, runs them one after the other."""

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request | Response] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set before any other callback
        self._writable: asyncio.Future[None] | None = None
        self._in_head = True
        self._head_fed = 0
        self._refused = False
        self._closing = False
        self._lost = False
        self._continue_due = False
        self._new_message()

    def _new_message(self) -> None:
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._head_size = 0
        self._body: list[bytes] = []
        self._body_size = 0

    # transport callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # a running handler goes on to its end, as in a server with a thread per connection
        self._lost = True
        self._server.connections.discard(self)
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # nothing here speaks another protocol: the upgrade is ignored and the rest is HTTP again
            self._parser = httptools.HttpRequestParser(self)
            self._in_head, self._head_fed = True, 0
            self._after_feed()
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
            return
        except httptools.HttpParserError:
            self._refuse(400)
        self._after_feed()

    def eof_received(self) -> bool:
        # a client may close its half after the last request; it still gets the answers
        self._closing = True
        return self.busy

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        waiting, self._writable = self._writable, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # parser callbacks

    def on_message_begin(self) -> None:
        self._in_head = True
        self._new_message()

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value) + 4
        if self._in_head:  # later ones are trailers of a chunked body: counted, not kept
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_head, self._head_fed = False, 0
        expects = length = ""
        for name, value in self._headers:
            if name == "expect":
                expects = value.lower()
            elif name == "content-length":
                length = value
        if length.isdigit() and int(length) > MAX_BODY:
            self._refuse(413)
        elif expects == "100-continue" and self._parser.get_http_version() != "1.0":
            self._send_continue()

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > MAX_BODY:
            self._refuse(413)
        elif not self._refused:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._continue_due = False
        if self._head_size > MAX_HEAD:
            self._refuse(431)
        if self._refused:
            return
        request = self._request()
        if request is None:
            self._refuse(400)
            return
        self._queue.append(request)

    # from requests to answers

    @property
    def busy(self) -> bool:
        """Whether a request is being answered or waits for it."""
        return self._task is not None or bool(self._queue)

    def close_when_idle(self) -> None:
        """Close now if nothing is under way, else after the last answer."""
        self._closing = True
        if not self.busy:
            self._transport.close()

    def _request(self) -> Request | None:
        version = self._parser.get_http_version()
        has_host = any(name == "host" for name, _ in self._headers)
        if version == "1.1" and not has_host:
            return None
        method = self._parser.get_method().decode("ascii")
        target = self._target.decode("latin-1")
        path, query = target, ""
        if method != "CONNECT" and target != "*":
            try:
                url = httptools.parse_url(self._target)
            except httptools.HttpParserInvalidURLError:
                return None
            path = (url.path or b"/").decode("latin-1")
            query = (url.query or b"").decode("latin-1")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Request(method, target, path, query, self._headers, body, version, self._parser.should_keep_alive())

    def _refuse(self, status: int) -> None:
        if self._refused:
            return
        self._refused = True
        answer = text_response(f"{status} {REASONS[status]}\n", status)
        answer.close = True
        self._queue.append(answer)

    def _send_continue(self) -> None:
        if self.busy:
            self._continue_due = True  # answers of earlier requests come first
        else:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _after_feed(self) -> None:
        if self._in_head and max(self._head_fed, self._head_size) > MAX_HEAD:
            self._refuse(431)
        if self._queue and self._task is None:
            self._task = self._server.loop.create_task(self._run())
        if len(self._queue) >= MAX_PIPELINED or self._refused:
            self._transport.pause_reading()

    async def _run(self) -> None:
        try:
            while self._queue and not self._lost:
                entry = self._queue.popleft()
                keep = await self._answer(entry)
                if not keep:
                    await self._finish()
                    return
                if len(self._queue) == MAX_PIPELINED - 1 and not self._refused:
                    self._transport.resume_reading()
            if self._continue_due and not self._lost:
                self._continue_due = False
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        finally:
            self._task = None
        if self._closing:
            self._transport.close()

    async def _answer(self, entry: Request | Response) -> bool:
        if isinstance(entry, Response):
            await self._send(entry, None, False)
            return False
        self._server.in_flight += 1
        try:
            response = await self._server.app(entry)
            keep = entry.keep_alive and not response.close and not (self._closing and not self._queue)
            await self._send(response, entry, keep)
        finally:
            self._server.in_flight -= 1
        return keep

    async def _send(self, response: Response, request: Request | None, keep: bool) -> None:
        if self._lost:
            return
        head, chunked = _head(response, request, keep)
        bare = (request is not None and request.method == "HEAD") or response.status in (204, 304)
        body = response.body
        if bare:
            self._transport.write(head)
        elif not isinstance(body, bytes):
            self._transport.write(head)
            await self._stream(response, chunked)
        elif chunked:
            self._transport.write(head + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n")
        else:
            self._transport.write(head + body)

    async def _stream(self, response: Response, chunked: bool) -> None:
        async for piece in response.body:  # type: ignore[union-attr]  # not bytes, the caller looked
            if self._writable is not None:
                await self._writable
            if self._lost:
                return
            if piece:
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._transport.write(b"0\r\n\r\n")

    async def _finish(self) -> None:
        """Close so that the last answer arrives: closing over unread input would reset the connection."""
        if self._refused and not self._lost and self._transport.can_write_eof():
            self._transport.write_eof()
            self._transport.resume_reading()  # what still comes is dropped by data_received
            await asyncio.sleep(0.05)
        self._transport.close()


def _head(response: Response, request: Request | None, keep: bool) -> tuple[bytes, bool]:
    """The status line and headers of an answer, and whether its body goes out in chunks."""
    old = request is not None and request.version == "1.0"
    streamed = not isinstance(response.body, bytes)
    chunked = (response.chunked or streamed) and not old
    framing = {"connection": ("Connection", "keep-alive" if keep and not (streamed and old) else "close")}
    if chunked:
        framing["transfer-encoding"] = ("Transfer-Encoding", "chunked")
    elif not streamed and response.status != 204:
        framing["content-length"] = ("Content-Length", str(len(response.body)))  # type: ignore[arg-type]
    lines = [f"HTTP/1.1 {response.status} {response.reason or REASONS.get(response.status, '')}"]
    for name, value in response.headers:
        lowered = name.lower()
        if lowered in FRAMING_HEADERS:
            given = framing.pop(lowered, None)
            if given is not None:
                lines.append(f"{name}: {given[1]}")
        else:
            lines.append(f"{name}: {value}")
    rest = [framing[key] for key in ("transfer-encoding", "content-length", "connection") if key in framing]
    lines += [f"{name}: {value}" for name, value in rest]
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1"), chunked


class HttpServer:
    """Listens on one port at a time and can move to another without dropping a request under way."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.connections: set[_Connection] = set()
        self.in_flight = 0
        self.port: int | None = None
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]  # set by start
        self._listener: asyncio.Server | None = None
        self._host = HOST

    async def start(self, port: int, host: str = HOST) -> None:
        """Listen on a port (0: any free one), of the loopback address unless told another; OSError when it is taken."""
        self.loop = asyncio.get_running_loop()
        self._listener = await self.loop.create_server(lambda: _Connection(self), host, port, backlog=512)
        self._host = host
        self.port = self._listener.sockets[0].getsockname()[1]

    async def move(self, port: int) -> None:
        """Listen on another port instead. Idle connections close now, busy ones after their answer."""
        if port == self.port:
            return
        before, kept = self._listener, list(self.connections)
        await self.start(port, self._host)  # first, so that a port in use changes nothing
        await _stop_listening(before)
        for connection in kept:
            connection.close_when_idle()

    async def close(self, grace_s: float = 0.3) -> None:
        """Stop listening, let requests under way finish for at most `grace_s` seconds, close everything."""
        await _stop_listening(self._listener)
        self._listener = None
        for connection in list(self.connections):
            connection.close_when_idle()
        deadline = self.loop.time() + grace_s
        while self.connections and self.loop.time() < deadline:
            await asyncio.sleep(0.01)


async def _stop_listening(listener: asyncio.Server | None) -> None:
    if listener is None:
        return
    listener.close()
    # the socket is closed in the next turns of the loop; wait_closed() would wait for the connections, too
    for _ in range(3):
        await asyncio.sleep(0)
