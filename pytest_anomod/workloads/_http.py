"""The HTTP/1.1 client of the load generator: connections that are kept, no retries, and a third of a library's CPU."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from pytest_anomod.model.clock import monotonic_s

IDLE_S = 15.0
"""A connection that was not used for so long is not used again: its server may close it any moment."""

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ENDED_BY_CLOSING = -1
_IN_CHUNKS = -2


class FailedError(Exception):
    """There is no whole answer; `kind` says why: connect, disconnect, timeout or protocol."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its body decoded."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def headers_for(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """All headers that are sent: those given, and what HTTP needs."""
    given = {name.lower() for name in headers}
    added = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
    if body or method not in _WITHOUT_BODY:
        added["Content-Length"] = str(len(body))
    whole = {} if "host" in given else {"Host": _host_of(url)}
    whole.update(headers)
    whole.update((name, value) for name, value in added.items() if name.lower() not in given)
    return whole


class Pool:
    """Connections by place, the one used last first. `timeout_s` bounds a request from connecting to its last byte."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[tuple[str, str, int], list[_Connection]] = collections.defaultdict(list)

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request, to which `headers_for` gave all headers; FailedError when there is no whole answer."""
        place, target = _place_of(url)
        message = _message(method, target, headers, body)
        connection = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = self._kept(place) or await _connect(place)
                answer = await connection.ask(message, method)
        except TimeoutError as error:
            raise FailedError("timeout") from error
        finally:
            if connection is not None:
                if connection.is_free():
                    connection.since_s = monotonic_s()
                    self._idle[place].append(connection)
                else:
                    connection.close()
        return _decoded(answer)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _kept(self, place: tuple[str, str, int]) -> _Connection | None:
        kept = self._idle[place]
        while kept:
            connection = kept.pop()
            if connection.is_free() and monotonic_s() - connection.since_s < IDLE_S:
                return connection
            connection.close()
        return None


class _Connection(asyncio.Protocol):
    """One connection, and the answer that is on its way."""

    def __init__(self) -> None:
        self.since_s = 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._method = ""
        self._received = bytearray()
        self._status = 0  # 0 until the head is there
        self._headers: list[tuple[str, str]] = []
        self._length = 0
        self._stays_open = True

    async def ask(self, message: bytes, method: str) -> Answer:
        """Send a request and wait for its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._method, self._status = method, 0
        self._transport.write(message)
        return await self._answer

    def is_free(self) -> bool:
        """Whether another request may be sent."""
        if self._transport is None or self._transport.is_closing() or not self._stays_open or self._received:
            return False
        return self._answer is None or (self._answer.done() and not self._answer.cancelled())

    def close(self) -> None:
        self._stays_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._answer is None or self._answer.done():
            self.close()  # it speaks without having been asked
            return
        try:
            self._read(ended=False)
        except (ValueError, IndexError):
            self._fail("protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stays_open = False
        if self._answer is None or self._answer.done():
            return
        try:
            self._read(ended=exc is None)
        except (ValueError, IndexError):
            self._fail("protocol")
        if not self._answer.done():
            self._fail("disconnect")

    def _fail(self, kind: str) -> None:
        assert self._answer is not None
        self._answer.set_exception(FailedError(kind))
        self.close()

    def _read(self, *, ended: bool) -> None:
        """Take the answer from what has come, if all of it has."""
        while not self._status:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).decode("utf-8", "surrogateescape")
            del self._received[: end + 4]
            self._read_head(head)
        body: bytes | None = None
        if self._length == _IN_CHUNKS:
            if self._received.endswith(b"\r\n\r\n"):
                body = _joined(bytes(self._received))
        elif self._length == _ENDED_BY_CLOSING:
            body = bytes(self._received) if ended else None
        elif len(self._received) >= self._length:
            body = bytes(self._received[: self._length])
        if body is None:
            return
        if self._length >= 0:
            del self._received[: self._length]  # what is left nobody asked for
        else:
            self._received.clear()
        assert self._answer is not None
        self._answer.set_result(Answer(self._status, self._headers, body))

    def _read_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        version, status = first.split(maxsplit=2)[:2]
        if not version.startswith("HTTP/1."):
            raise ValueError(first)
        if 100 <= int(status) < 200:
            return  # the answer itself follows
        self._status = int(status)
        self._headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        known = {name.lower(): value.lower() for name, value in self._headers}
        said = known.get("connection", "")
        self._stays_open = "close" not in said and (version != "HTTP/1.0" or "keep-alive" in said)
        if self._method == "HEAD" or self._status in (204, 304):
            self._length = 0
        elif "chunked" in known.get("transfer-encoding", ""):
            self._length = _IN_CHUNKS
        elif "content-length" in known:
            self._length = int(known["content-length"])
            if self._length < 0:
                raise ValueError(self._length)
        else:
            self._length, self._stays_open = _ENDED_BY_CLOSING, False


async def _connect(place: tuple[str, str, int]) -> _Connection:
    scheme, host, port = place
    loop: Any = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_connection(_Connection, host, port, ssl=True if scheme == "https" else None)
    except (OSError, UnicodeError) as error:  # the latter for a name that can be none
        raise FailedError("connect") from error
    return cast("_Connection", connection)


def _message(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines) or " " in target:
        raise FailedError("protocol")  # it would say something else than what is recorded
    return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape") + body


def _place_of(url: str) -> tuple[tuple[str, str, int], str]:
    """Where a URL leads, and what is asked for there, as it is written."""
    scheme, _, rest = url.partition("://")
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    target = rest[end:].partition("#")[0]
    return _parts(scheme, rest[:end]), target if target.startswith("/") else f"/{target}"


@functools.lru_cache(maxsize=256)
def _parts(scheme: str, netloc: str) -> tuple[str, str, int]:
    parts = urlsplit(f"{scheme}://{netloc}")
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _host_of(url: str) -> str:
    scheme, host, port = _place_of(url)[0]
    shown = f"[{host}]" if ":" in host else host
    return shown if port == (443 if scheme == "https" else 80) else f"{shown}:{port}"


def _joined(body: bytes) -> bytes | None:
    """The text of a body in chunks; None while it is not whole, ValueError for what are no chunks."""
    pieces: list[bytes] = []
    place = 0
    while (end := body.find(b"\r\n", place)) >= 0:
        size = int(body[place:end].partition(b";")[0], 16)
        if size < 0:
            raise ValueError(size)
        if size == 0:
            return b"".join(pieces)
        place = end + 2 + size + 2
        pieces.append(body[end + 2 : place - 2])
    return None


def _decoded(answer: Answer) -> Answer:
    """The answer with its body as it was before the server compressed it."""
    coding = next((value.lower() for name, value in answer.headers if name.lower() == "content-encoding"), "")
    if coding not in ("gzip", "deflate") or not answer.body:
        return answer
    import zlib

    for window in (47, -15):  # a header of either kind, or none
        try:
            return dataclasses.replace(answer, body=zlib.decompress(answer.body, window))
        except zlib.error:
            continue
    raise FailedError("protocol")
