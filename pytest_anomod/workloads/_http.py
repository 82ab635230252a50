"""The HTTP/1.1 client of the load generator: kept connections and no retries, on asyncio.Protocol and httptools."""

from __future__ import annotations

import asyncio
import collections
import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from pytest_anomod.model.clock import monotonic_s

IDLE_S = 15.0
"""A connection that was not used for so long is not used again: its server may close it any moment."""

_URL = re.compile(r"(.*?)://([^/?#]*)([^#]*)", re.DOTALL).match
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class FailedError(Exception):
    """There is no whole answer; `kind` says why: connect, disconnect, timeout or protocol."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Answer(NamedTuple):
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
        self._answer: asyncio.Future[Answer] | None = None
        self._stays_open = True

    async def ask(self, message: bytes, method: str) -> Answer:
        """Send a request and wait for its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)  # a new one: the last one waits for a body after HEAD
        self._method = method
        self._status = 0  # 0 until the head is there
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._transport.write(message)
        return await self._answer

    def is_free(self) -> bool:
        """Whether another request may be sent."""
        cancelled = self._answer is not None and self._answer.cancelled()
        return self._stays_open and self._is_answered() and not cancelled and not self._transport.is_closing()

    def close(self) -> None:
        self._stays_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._is_answered():
            self.close()  # it speaks without having been asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and not self._is_answered() and self._ends_by_closing():
            self._finish()
        self._fail("disconnect")

    def on_message_begin(self) -> None:
        if self._is_answered():
            self._stays_open = False  # another answer, for which nobody asked
        else:
            self._headers.clear()  # those of an interim answer

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # else it is a trailer
            self._headers.append((_text(name), _text(value)))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._is_answered():
            return
        self._status, self._stays_open = status, self._parser.should_keep_alive()
        if self._method == "HEAD":
            self._finish()  # the parser does not know that no body follows

    def on_body(self, piece: bytes) -> None:
        if self._is_answered():
            self._stays_open = False  # a body after HEAD
        else:
            self._body.append(piece)

    def on_message_complete(self) -> None:
        if self._status:
            self._finish()

    def _is_answered(self) -> bool:
        return self._answer is None or self._answer.done()

    def _ends_by_closing(self) -> bool:
        known = {name.lower(): value.lower() for name, value in self._headers}
        framed = "content-length" in known or "chunked" in known.get("transfer-encoding", "")
        return self._status > 0 and not framed

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(self._status, self._headers, b"".join(self._body)))

    def _fail(self, kind: str) -> None:
        """Close the connection, and fail the request that waits for its answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(FailedError(kind))
        self.close()


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
    split = _URL(url)
    scheme, netloc, target = split.groups() if split is not None else (url, "", "")
    return _parts(scheme, netloc), target if target.startswith("/") else f"/{target}"


@functools.lru_cache(maxsize=256)
def _parts(scheme: str, netloc: str) -> tuple[str, str, int]:
    parts = urlsplit(f"{scheme}://{netloc}")
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _host_of(url: str) -> str:
    return _shown(*_place_of(url)[0])


@functools.lru_cache(maxsize=256)
def _shown(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == (443 if scheme == "https" else 80) else f"{shown}:{port}"


def _text(given: bytes) -> str:
    return given.strip().decode("utf-8", "surrogateescape")


def _decoded(answer: Answer) -> Answer:
    """The answer with its body as it was before the server compressed it."""
    coding = next((value.lower() for name, value in answer.headers if name.lower() == "content-encoding"), "")
    if coding not in ("gzip", "deflate") or not answer.body:
        return answer
    import zlib

    for window in (47, -15):  # a header of either kind, or none
        try:
            return answer._replace(body=zlib.decompress(answer.body, window))
        except zlib.error:
            continue
    raise FailedError("protocol")
