"""Small HTTP calls to a deployment's host, agents and services; only the standard library, no proxies, no retries."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json


def call_json(
    url: str, *, who: str, payload: Json = None, verb: str = "POST", token: str = "", timeout_s: float
) -> Json:
    """Send JSON, return the JSON answer; DeploymentError says that `who` did not answer, or what else it answered."""
    from http.client import HTTPException

    body = None if payload is None else json.dumps(payload).encode()
    headers = {"Connection": "close"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        status, answer = _exchange(verb, url, body, headers, timeout_s)
    except (OSError, HTTPException) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        msg = f"{who} can't be reached at {verb} {url}: {reason} (limit {timeout_s:g} s)"
        raise DeploymentError(msg) from error
    if status >= 300:
        msg = f"{who} answered {verb} {url} with {status}: {answer[:500].decode('utf-8', 'replace')}"
        raise DeploymentError(msg)
    try:
        return json.loads(answer) if answer.strip() else None
    except ValueError as error:
        msg = f"{who} answered {verb} {url} with something that is no JSON: {answer[:200]!r}"
        raise DeploymentError(msg) from error


def _exchange(verb: str, url: str, body: bytes | None, headers: dict[str, str], timeout_s: float) -> tuple[int, bytes]:
    from http.client import HTTPConnection

    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(verb, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
