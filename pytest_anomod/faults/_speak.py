"""Speaking to a service as a probe: every request is unsampled, so that it leaves no trace in the telemetry."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

# HTTP/1.1 without a Host header: a server must refuse it (RFC 9112, 3.2) and does so before any handler, log or metric
_ROUND_TRIP = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"


def round_trip_s(address: tuple[str, int], timeout_s: float) -> float:
    """Seconds from the first SYN to the first byte of an HTTP answer; infinite when none came in time."""
    import socket

    began = clock.monotonic_s()
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.settimeout(max(0.001, timeout_s - (clock.monotonic_s() - began)))
            connection.sendall(_ROUND_TRIP)
            if connection.recv(16).startswith(b"HTTP/"):
                return clock.monotonic_s() - began
    except OSError:
        pass
    return float("inf")


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


def call(address: tuple[str, int], method: str, arguments: Mapping[str, Json], timeout_s: float) -> tuple[Json, float]:
    """Call an RPC method (POST /Method, a JSON object of arguments): the answer's JSON and the seconds it took.

    DeploymentError when there is no whole answer.
    """
    import http.client

    began = clock.monotonic_s()
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    headers = {
        "Content-Type": "application/json",
        "Connection": "close",
        "traceparent": f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00",
    }
    try:
        connection.request("POST", f"/{method}", json.dumps(dict(arguments)), headers)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        msg = f"{method} of {address[0]}:{address[1]} gave no answer: {error}"
        raise DeploymentError(msg) from error
    finally:
        connection.close()
    return answer, clock.monotonic_s() - began
