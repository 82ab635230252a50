"""Health checks of our replicas' servers: HTTP, Redis, PostgreSQL."""

from __future__ import annotations

import socket
import struct

_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)
_MAY_I_POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
"""Answered by the server itself before the service sees a request: so asking leaves no trace in the telemetry."""


def is_well(log_format: str, address: tuple[str, int], timeout_s: float) -> bool:
    """Whether the server there takes a connection and answers within so many seconds."""
    if log_format == "redis":
        return _ask(address, b"*1\r\n$4\r\nPING\r\n", timeout_s)[:1] in (b"+", b"-")
    if log_format == "postgres":
        # the answer comes from a backend forked for us: the server takes connections, and no login is needed to know
        return _ask(address, _SSL_REQUEST, timeout_s)[:1] in (b"N", b"S")
    status = _ask(address, _MAY_I_POST, timeout_s).split(b" ", 2)[1:2]
    return bool(status) and status[0].isdigit() and int(status[0]) < 500


def _ask(address: tuple[str, int], question: bytes, timeout_s: float) -> bytes:
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(question)
            return connection.recv(64)
    except OSError:
        return b""
