"""Health checks of servers that are not ours: over HTTP, Redis, PostgreSQL, or by a TCP connection."""

from __future__ import annotations

import secrets
import socket
import struct

_POSTGRES = struct.pack("!ii", 8, 80_877_103)
"""The request for TLS: it is answered before any login."""
ANSWER_BYTES = 64
DOCUMENTS = (
    "/openapi.json",
    "/v3/api-docs",
    "/swagger.json",
    "/swagger/v1/swagger.json",
    "/api-docs",
    "/api/openapi.json",
)
"""Where a system may have its OpenAPI document."""


def kind_for(engine: str) -> str:
    """The kind of health check that an engine (Service.engine) understands; "tcp" for an unknown engine."""
    return engine if engine in ("http", "redis", "postgresql") else "tcp"


def question(kind: str, path: str = "/") -> bytes:
    """The bytes to send; none for tcp, where a connection is enough."""
    if kind == "http":
        # not sampled: a service that writes spans writes none of this
        parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
        lines = (f"GET {path} HTTP/1.1", "Host: localhost", f"traceparent: {parent}", "Connection: close", "", "")
        return "\r\n".join(lines).encode()
    return {"redis": b"*1\r\n$4\r\nPING\r\n", "postgresql": _POSTGRES}.get(kind, b"")


def is_good(kind: str, answer: bytes) -> bool:
    """Whether the first bytes of an answer are those of a healthy server; for HTTP a status below 500."""
    if kind == "redis":
        return answer[:1] in (b"+", b"-")
    if kind == "postgresql":
        return answer[:1] in (b"N", b"S")
    if kind == "http":
        words = answer.split(b" ", 2)
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit() and int(words[1]) < 500
    return True


def is_well(kind: str, address: tuple[str, int], timeout_s: float, path: str = "/") -> bool:
    """Whether the server there takes a connection and gives a good answer within so many seconds."""
    asked = question(kind, path)
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            if not asked:
                return True
            connection.sendall(asked)
            return is_good(kind, connection.recv(ANSWER_BYTES))
    except OSError:
        return False
