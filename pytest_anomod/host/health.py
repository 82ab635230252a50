"""Health checks of our replicas' servers: HTTP, Redis, PostgreSQL."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
from collections.abc import Mapping
from typing import Any

from pytest_anomod.model import clock

_MAY_I_POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
"""Answered by the server itself before the service sees a request: so asking leaves no trace in the telemetry."""
_QUESTIONS = {"redis": b"*1\r\n$4\r\nPING\r\n", "postgres": struct.pack("!ii", 8, 80_877_103)}
"""By the format of the log; of PostgreSQL it is the request for TLS. All others speak HTTP."""


def is_well(log_format: str, address: tuple[str, int], timeout_s: float) -> bool:
    """Whether the server there takes a connection and answers within so many seconds."""
    return "" in who_is_well({"": (log_format, address)}, timeout_s)


def who_is_well(asked: Mapping[str, tuple[str, tuple[str, int]]], timeout_s: float) -> set[str]:
    """Names of the servers (format of the log, address) that take a connection and answer within so many seconds.

    All are asked at once, in this thread.
    """
    well: set[str] = set()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for name, (_, address) in asked.items():
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            connection = stack.enter_context(socket.socket(family))
            connection.setblocking(False)
            with contextlib.suppress(OSError):  # a name that nobody knows
                connection.connect_ex(address)
                selector.register(connection, selectors.EVENT_WRITE, name)
        deadline = clock.monotonic_s() + timeout_s
        while selector.get_map() and (left_s := deadline - clock.monotonic_s()) > 0:
            for key, _ in selector.select(left_s):
                if _go_on(selector, key, asked[key.data][0]):
                    well.add(key.data)
    return well


def _go_on(selector: selectors.BaseSelector, key: selectors.SelectorKey, log_format: str) -> bool:
    """Ask on a connection that is there, or read the answer; True for a good one."""
    connection: Any = key.fileobj
    try:
        if key.events & selectors.EVENT_WRITE:
            connection.send(_QUESTIONS.get(log_format, _MAY_I_POST))
            selector.modify(connection, selectors.EVENT_READ, key.data)
            return False
        answer = connection.recv(64)
    except OSError:  # nobody listens, or it was closed
        answer = b""
    selector.unregister(connection)
    return _is_good(log_format, answer)


def _is_good(log_format: str, answer: bytes) -> bool:
    if log_format == "redis":
        return answer[:1] in (b"+", b"-")
    if log_format == "postgres":
        # the answer comes from a backend forked for us: the server takes connections, and no login is needed to know
        return answer[:1] in (b"N", b"S")
    status = answer.split(b" ", 2)[1:2]
    return bool(status) and status[0].isdigit() and int(status[0]) < 500
