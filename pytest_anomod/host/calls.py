"""Small HTTP calls to a deployment's host, agents and services, by plain sockets; no proxies, no redirects, no retries."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

from pytest_anomod.host.http_answer import read_answer
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

_PIECE = 1 << 18


def call_json(
    url: str, *, who: str, payload: Json = None, verb: str = "POST", token: str = "", timeout_s: float
) -> Json:
    """Send JSON, return the JSON answer; DeploymentError says that `who` did not answer, or what else it answered."""
    body = None if payload is None else json.dumps(payload).encode()
    headers = {"Connection": "close", "Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        status, answer = _exchange(verb, url, body, headers, timeout_s)
    except (OSError, ValueError) as error:
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
    """Status and body; ValueError for an answer that is no HTTP or is cut off."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not url.isascii() or not url.isprintable() or " " in url:  # it would ask for something else than it says
        raise ValueError("there are blanks or letters beyond ASCII in the address")
    length = {} if body is None and verb == "GET" else {"Content-Length": str(len(body or b""))}
    lines = [f"{verb} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in {**headers, **length}.items()]
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=timeout_s) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + (body or b""))
        came = b""
        while True:
            piece = connection.recv(_PIECE)
            came += piece
            answer = read_answer(came, ended=not piece)
            if answer is not None:
                return answer.status, answer.body
