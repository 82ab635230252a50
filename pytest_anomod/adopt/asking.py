"""Asks a system that is up: which protocol a server has, which page is its health check, which pages users can get."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.adopt.found import Answer
from pytest_anomod.host import probes
from pytest_anomod.host.probes import DOCUMENTS

ANSWER_WITHIN_S = 3.0
LIMIT_BYTES = 8 << 20
MOST_JOURNEYS = 12
HEALTH_PATHS = ("/health", "/healthz", "/actuator/health", "/ready", "/readyz", "/status", "/ping")


def engine_at(address: tuple[str, int]) -> Answer:
    """The engine of a server, found by trying HTTP, Redis and PostgreSQL; "" for anything else."""
    answer = _said(address, probes.question("http"))
    if answer.startswith(b"HTTP/"):
        return Answer(value="http", why="it answered an HTTP request")
    if _said(address, probes.question("redis"))[:5] in (b"+PONG", b"-NOAU", b"-DENI"):
        return Answer(value="redis", why="it answered PING as Redis does")
    if _said(address, probes.question("postgresql")) in (b"N", b"S"):
        return Answer(value="postgresql", why="it answered as PostgreSQL does")
    return Answer(value="", why="it answered neither HTTP, Redis nor PostgreSQL")


def health_path(url: str) -> Answer | None:
    """The path of the first usual health page that answers below 300; None if there is none."""
    for path in HEALTH_PATHS:
        status, _ = get(url, path)
        if 200 <= status < 300:
            return Answer(value=path, why=f"GET {path} answered {status}")
    return None


def journeys_at(url: str) -> tuple[Answer, ...]:
    """Paths that users can get: those of an OpenAPI document that need no parameter and answer below 400.

    Without such paths "/"; if that does not answer either, the health page.
    """
    for path in DOCUMENTS:
        status, body = get(url, path)
        document = _object(body) if status == 200 else {}
        if not isinstance(document.get("paths"), dict):
            continue
        answered = {route: get(url, route)[0] for route in pages_of(document) if route not in (path, *HEALTH_PATHS)}
        found = [
            Answer(value=route, why=f"GET without parameters in {path}; it answered {got}")
            for route, got in answered.items()
            if 0 < got < 400
        ]
        if found:
            return tuple(found[:MOST_JOURNEYS])
    status, _ = get(url, "/")
    if 0 < status < 400:
        return (Answer(value="/", why=f"GET / answered {status}"),)
    health = health_path(url)
    return (health,) if health is not None else ()


def pages_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Paths of GET operations of an OpenAPI (or Swagger) document that need no parameter, below its base path."""
    base = str(document.get("basePath") or "").rstrip("/")
    servers = document.get("servers") or ()
    if servers and isinstance(servers[0], dict):
        base = urlsplit(str(servers[0].get("url", ""))).path.rstrip("/")
    for path, item in document["paths"].items():
        operation = item.get("get") if isinstance(item, dict) else None
        if not isinstance(operation, dict) or "{" in path or not path.startswith("/"):
            continue
        parameters = [*(item.get("parameters") or ()), *(operation.get("parameters") or ())]
        if not any(isinstance(one, dict) and (one.get("required") or "$ref" in one) for one in parameters):
            yield base + path


def get(url: str, path: str) -> tuple[int, bytes]:
    """Status and body of a page; 0 when there is no answer in time."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers={"Accept": "*/*", "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(LIMIT_BYTES)
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _said(address: tuple[str, int], question: bytes) -> bytes:
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=ANSWER_WITHIN_S) as connection:
        connection.sendall(question)
        connection.settimeout(ANSWER_WITHIN_S)
        return connection.recv(probes.ANSWER_BYTES)
    return b""


def _object(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        document = json.loads(body)
        if isinstance(document, dict):
            return document
    return {}
