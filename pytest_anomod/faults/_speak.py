"""Sends requests to a service as a probe: every request is unsampled, so that it leaves nothing in the telemetry."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

# HTTP/1.1 without a Host header: a server must refuse it (RFC 9112, 3.2) and does so before any handler, log or metric
_HTTP = b"GET /healthz HTTP/1.1\r\nConnection: close\r\ntraceparent: %s\r\n%s\r\n"
_FILL = b"X-Fill: %s\r\n"
_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)
"""Asks a PostgreSQL whether it speaks TLS, before any login; it answers with one byte."""
_ANSWERS = {"http": (b"HTTP/",), "redis": (b"+", b"-", b"$"), "postgresql": (b"S", b"N")}
"""How an answer to a probe begins; a Redis that wants a password says so, which is an answer as well."""
FILLABLE = ("http", "redis")
"""Engines whose probes can be of some size."""
FILL_MOST = 4_000
"""So many bytes any server takes as the head of a request: the smallest limits in use are 8 kB."""


def round_trip_s(address: tuple[str, int], engine: str, timeout_s: float, fill: int = 0) -> float:
    """Seconds from the first SYN to the first byte of an answer; infinite when none came in time.

    `engine` is `Service.engine` and decides the request: http, redis (PING), postgresql (its request for TLS). For any
    other engine nothing is sent: we end our side of the connection, and the answer is that the server ends its own.
    `fill` more bytes are sent, at most FILL_MOST, to engines that are FILLABLE.
    """
    import socket

    began = clock.monotonic_s()
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.settimeout(max(0.001, timeout_s - (clock.monotonic_s() - began)))
            if engine in _ANSWERS:
                connection.sendall(_question(engine, fill))
                answered = connection.recv(16).startswith(_ANSWERS[engine])
            else:
                connection.shutdown(socket.SHUT_WR)
                answered = _ends(connection, began + timeout_s)
            if answered:
                return clock.monotonic_s() - began
    except OSError:
        pass
    return float("inf")


def says_something(engine: str) -> bool:
    """Whether a round trip to an engine has a question and an answer."""
    return engine in _ANSWERS


def _question(engine: str, fill: int) -> bytes:
    if engine == "http":
        return _HTTP % (_unsampled().encode(), _FILL % (b"x" * fill) if fill else b"")
    if engine == "redis":
        return b"*2\r\n$4\r\nPING\r\n$%d\r\n%s\r\n" % (fill, b"x" * fill) if fill else b"*1\r\n$4\r\nPING\r\n"
    return _SSL_REQUEST


def _unsampled() -> str:
    """A new trace of which no span is to be kept (W3C Trace Context), for servers that answer without a Host."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"


def _ends(connection: Any, deadline_s: float) -> bool:
    """Whether the other side ends a connection in time, whatever it says before; a reset is an end as well."""
    try:
        while connection.recv(4_096):
            connection.settimeout(max(0.001, deadline_s - clock.monotonic_s()))
    except ConnectionResetError:
        pass
    return True


def ask(address: tuple[str, int], method: str, prefix: str, timeout_s: float, header: str = "") -> int:
    """Status of one request below a path, with a header ("Name: value") if one is given; 0 for none.

    The path does not exist (eight random digits) and there is no Host, so that a server that follows RFC 9112
    answers 400 before it does anything, and any other server answers that it does not know the path.
    """
    import http.client

    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    try:
        connection.putrequest(method, f"{prefix}{os.urandom(4).hex()}", skip_host=True)
        connection.putheader("Connection", "close")
        connection.putheader("traceparent", _unsampled())
        if header:
            connection.putheader(*header.split(": ", 1))
        connection.endheaders()
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def refuses(address: tuple[str, int]) -> bool:
    """Whether nothing listens there: the connection is refused at once."""
    import socket

    try:
        with socket.create_connection(address, timeout=0.5):
            return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


class HungUpError(DeploymentError):
    """A connection was taken and closed without an answer."""


def call(address: tuple[str, int], method: str, arguments: Mapping[str, Json], timeout_s: float) -> tuple[Json, float]:
    """Call an RPC method (POST /Method, a JSON object of arguments): the answer's JSON and the seconds it took.

    DeploymentError when there is no whole answer.
    """
    _, body, took_s = _exchange(address, "POST", f"/{method}", json.dumps(dict(arguments)), {}, timeout_s)
    try:
        return json.loads(body), took_s
    except ValueError as error:
        msg = f"{method} of {address[0]}:{address[1]} gave no answer: {error}"
        raise DeploymentError(msg) from error


def request(
    address: tuple[str, int],
    verb: str,
    path: str,
    body: Mapping[str, Json] | None,
    headers: Mapping[str, str],
    timeout_s: float,
) -> tuple[Json, float]:
    """Send an HTTP request, with a JSON body unless that is None: what came back, and the seconds it took.

    Below 400 that is {"status", "result"}: JSON, other text as it is, None for an empty body; from 400 on it is
    {"status", "error": {"message"}}. A status of 0 stands for a connection that was taken and closed without a word, as
    some servers do when a request fails. DeploymentError when there is no whole answer otherwise.
    """
    sent = None if body is None else json.dumps(dict(body))
    began = clock.monotonic_s()
    try:
        status, got, took_s = _exchange(address, verb, path, sent, headers, timeout_s)
    except HungUpError as error:
        return {"status": 0, "error": {"message": str(error)}}, clock.monotonic_s() - began
    text = got.decode("utf-8", "replace")
    if status >= 400:
        return {"status": status, "error": {"message": text}}, took_s
    try:
        result = json.loads(text) if text else None
    except ValueError:
        result = text
    return {"status": status, "result": result}, took_s


def _exchange(
    address: tuple[str, int], verb: str, path: str, body: str | None, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, bytes, float]:
    import http.client

    began = clock.monotonic_s()
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    sent = {
        **headers,
        **({} if body is None else {"Content-Type": "application/json"}),
        "Connection": "close",
        "traceparent": _unsampled(),
    }
    try:
        connection.request(verb, path, body, sent)
        response = connection.getresponse()
        return response.status, response.read(), clock.monotonic_s() - began
    except (OSError, http.client.HTTPException) as error:
        msg = f"{verb} {path} of {address[0]}:{address[1]} gave no answer: {error}"
        kind = HungUpError if isinstance(error, http.client.RemoteDisconnected) else DeploymentError
        raise kind(msg) from error
    finally:
        connection.close()
