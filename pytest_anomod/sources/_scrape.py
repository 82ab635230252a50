"""Asks all services for their metrics at once, in one thread: requests go out first, answers are read as they come."""

from __future__ import annotations

import dataclasses
import re
import selectors
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from pytest_anomod.model import clock

CONNECT_TIMEOUT_S = 0.2
_PIECE = 1 << 18
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r|\Z)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What a service answered in time: its text, or why there is none (refused, timeout, status 503 ...)."""

    text: bytes = b""
    reason: str = ""


class Scraper:
    """Keeps one connection a service, and never more than one question open on it.

    A service that is stopped or starved answers late: its request stays open and is not sent again, so no requests
    queue up, and the round that waits when it answers has the page. Sockets are used directly, because `http.client`
    costs more for each page than the page itself.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._selector = selectors.DefaultSelector()

    def scrape(self, urls: Mapping[str, str], timeout_s: float) -> dict[str, Page]:
        """A page for every service of `urls`, after `timeout_s` seconds at the latest, or hardly later."""
        for service in set(self._lines) - set(urls):
            self._lines.pop(service).close()
        pages: dict[str, Page] = {}
        waiting: set[str] = set()
        for service, url in urls.items():
            reason = self._line(service, url).ask()
            if reason:
                pages[service] = Page(reason=reason)
            else:
                waiting.add(service)
        deadline = clock.monotonic_s() + timeout_s
        while waiting and (left_s := deadline - clock.monotonic_s()) > 0:
            for key, _ in self._selector.select(left_s):
                page = self._lines[key.data].read()
                if page is not None:
                    pages[key.data] = page
                    waiting.discard(key.data)
        return {service: pages.get(service) or Page(reason="timeout") for service in urls}

    def close(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        self._selector.close()

    def _line(self, service: str, url: str) -> _Line:
        line = self._lines.get(service)
        if line is None or line.url != url:
            if line is not None:
                line.close()
            line = self._lines[service] = _Line(service, url, self._selector)
        return line


class _Line:
    """The connection to one service."""

    def __init__(self, service: str, url: str, selector: selectors.BaseSelector) -> None:
        self.url = url
        self._service = service
        self._selector = selector
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._question = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept-Encoding: identity\r\n\r\n".encode()
        self._socket: socket.socket | None = None
        self._asked = False
        self._kept = False
        self._answer = b""

    def ask(self) -> str:
        """Send the question unless one is open; "" or why it can't be sent."""
        if self._asked:
            return ""
        if self._socket is not None and self._was_closed():
            self.close()  # by a restart of the service: once more, on a new one
        try:
            if self._socket is None:
                self._connect()
            assert self._socket is not None
            self._socket.sendall(self._question)
        except OSError as error:
            self.close()
            return _reason(error)
        self._asked = True
        return ""

    def read(self) -> Page | None:
        """The answer, or None while more of it must come."""
        assert self._socket is not None
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError as error:
            if self._may_ask_anew():
                return self._ask_anew()
            self.close()
            return Page(reason=_reason(error))
        if not piece and self._may_ask_anew():
            return self._ask_anew()
        self._answer += piece
        try:
            page, stays_open = _page(self._answer, ended=not piece)
        except ValueError:  # it was cut off, or is no HTTP
            was_asked = self._asked
            self.close()
            return Page(reason="disconnect") if was_asked else None
        if page is not None:
            self._asked, self._kept, self._answer = False, True, b""
            if not stays_open:
                self.close()
        return page

    def _may_ask_anew(self) -> bool:
        """Whether this connection was kept: the other end may have closed it while the question was on its way."""
        return self._kept and self._asked and not self._answer

    def _ask_anew(self) -> Page | None:
        self.close()
        reason = self.ask()
        return Page(reason=reason) if reason else None

    def close(self) -> None:
        self._asked, self._kept, self._answer = False, False, b""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=CONNECT_TIMEOUT_S)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self._service)

    def _was_closed(self) -> bool:
        """Whether the other end closed, or said something that nobody asked for."""
        assert self._socket is not None
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True


def _page(answer: bytes, *, ended: bool) -> tuple[Page | None, bool]:
    """What an answer says (None while it is not whole) and whether its connection may be used again.

    ValueError when it is no HTTP, or can't become whole as the connection was closed.
    """
    head, blank, body = answer.partition(b"\r\n\r\n")
    if not blank:
        if ended:
            raise ValueError
        return None, True
    version, status = head.split(maxsplit=2)[:2]
    if not version.startswith(b"HTTP/1."):
        raise ValueError
    stays_open = version == b"HTTP/1.1" and _CLOSE.search(head) is None
    length = _LENGTH.search(head)
    text: bytes | None
    if length is not None:
        text = body[: int(length[1])] if len(body) >= int(length[1]) else None
    elif _CHUNKED.search(head) is not None:
        text = _joined(body)
    else:
        text, stays_open = (body if ended else None), False
    if text is None:
        if ended:
            raise ValueError
        return None, stays_open
    return (Page(text=text) if int(status) == 200 else Page(reason=f"status {int(status)}")), stays_open


def _joined(body: bytes) -> bytes | None:
    """The text of a body in chunks; None while it is not whole, ValueError for what are no chunks."""
    pieces: list[bytes] = []
    place = 0
    while (end := body.find(b"\r\n", place)) >= 0:
        size = int(body[place:end].partition(b";")[0], 16)
        if size < 0:
            raise ValueError
        place = end + 2 + size + 2
        if size == 0:
            return b"".join(pieces) if body.endswith(b"\r\n\r\n", end) else None
        pieces.append(body[end + 2 : place - 2])
    return None


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "disconnect"
