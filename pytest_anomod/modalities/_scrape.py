"""Asks all services for their metrics at once, in one thread: requests go out first, answers are read as they come."""

from __future__ import annotations

import dataclasses
import http.client
import selectors
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from pytest_anomod.model import clock

CONNECT_TIMEOUT_S = 0.2
READ_TIMEOUT_S = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What a service answered in time: its text, or why there is none (refused, timeout, status 503 ...)."""

    text: bytes = b""
    reason: str = ""


class Scraper:
    """Keeps one connection a service, and never more than one question open on it.

    A service that is held or starved answers late: its question stays open and is not asked again, so nothing piles
    up in front of it, and once it answers the round that waits then has the page.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def scrape(self, urls: Mapping[str, str], timeout_s: float) -> dict[str, Page]:
        """A page for every service of `urls`, after `timeout_s` seconds at the latest, or hardly later."""
        for service in set(self._lines) - set(urls):
            self._lines.pop(service).close()
        pages: dict[str, Page] = {}
        with selectors.DefaultSelector() as selector:
            for service, url in urls.items():
                line = self._line(service, url)
                reason = line.ask()
                if reason:
                    pages[service] = Page(reason=reason)
                else:
                    selector.register(line.socket(), selectors.EVENT_READ, service)
            deadline = clock.monotonic_s() + timeout_s
            while selector.get_map() and (left_s := deadline - clock.monotonic_s()) > 0:
                for key, _ in selector.select(left_s):
                    selector.unregister(key.fileobj)
                    pages[key.data] = self._lines[key.data].read()
        return {service: pages.get(service) or Page(reason="timeout") for service in urls}

    def close(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def _line(self, service: str, url: str) -> _Line:
        line = self._lines.get(service)
        if line is None or line.url != url:
            if line is not None:
                line.close()
            line = self._lines[service] = _Line(url)
        return line


class _Line:
    """The connection to one service."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._path = parts.path or "/"
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=CONNECT_TIMEOUT_S
        )
        self._asked = False

    def ask(self) -> str:
        """Send the question unless one is open; "" or why it can't be sent."""
        if self._asked:
            return ""
        fresh = self._connection.sock is None
        try:
            self._send()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh:
                return _reason(error)
            return self.ask()  # the kept connection was closed by a restart of the service: once more, on a new one
        return ""

    def socket(self) -> socket.socket:
        """The socket to wait on."""
        return self._connection.sock

    def read(self) -> Page:
        """The answer, which has begun to come."""
        try:
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Page(reason=_reason(error))
        self._asked = False
        if response.status != 200:
            return Page(reason=f"status {response.status}")
        return Page(text=text)

    def close(self) -> None:
        self._asked = False
        self._connection.close()

    def _send(self) -> None:
        self._connection.request("GET", self._path)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(READ_TIMEOUT_S)
        self._asked = True


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "disconnect"
