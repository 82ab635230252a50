"""Shared by readers of recorded requests: bodies by their type, headers to keep, and errors with their place."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.workloads.script import FORM, JSON, NONE, TEXT

_OURS = frozenset(
    {
        *("host", "connection", "content-length", "content-type", "accept-encoding", "traceparent", "tracestate"),
        *("origin", "referer", "user-agent", "if-none-match", "if-modified-since", "upgrade-insecure-requests"),
        *("cache-control", "pragma", "keep-alive", "te"),
    }
)
"""Headers that a client sets itself, or that say something of the browser only."""


def load_json(path: Path, where: str) -> Json:
    """The document of a file; ScenarioError says what is wrong, with line and column."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        msg = f"{where}: can't be read: {error.strerror}"
        raise ScenarioError(msg) from error
    except ValueError as error:
        msg = f"{where}: no JSON: {error}"
        raise ScenarioError(msg) from error


def kept_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that are sent again: no logins, no cookies, nothing that the client sets itself."""
    return {
        name: value
        for name, value in pairs
        if not name.startswith(":")
        and name.lower() not in _OURS
        and not name.lower().startswith(("sec-", "proxy-"))
        and not is_secret_name(name)
    }


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, Json]:
    """Pairs of a query or a form by name: a text, or a list of texts where the name is repeated."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def read_body(text: str, media: str) -> tuple[str, Json]:
    """How a recorded body is sent again, and what it is."""
    media = media.lower()
    if not text:
        return NONE, None
    if "json" in media or (not media and text.lstrip().startswith(("{", "["))):
        try:
            return JSON, json.loads(text)
        except ValueError:
            return TEXT, text
    if "x-www-form-urlencoded" in media:
        return FORM, grouped(parse_qsl(text, keep_blank_values=True))
    return TEXT, text
