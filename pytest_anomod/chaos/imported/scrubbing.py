"""Keeps the secrets of an experiment out of all that leaves the process which plays it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pytest_anomod.model import redact

SHORTEST = 4
"""Shorter values of secrets are taken out where they stand alone: within other texts they would be found by chance."""

_short: set[str] = set()


def know(secrets: Any, configuration: Any) -> None:
    """Remember the values that must not be told: all secrets, and configuration under names of secrets."""
    values = [str(value) for value in _leaves(secrets)]
    if isinstance(configuration, dict):
        values += [str(value) for name, value in configuration.items() if redact.is_secret_name(str(name)) and value]
    redact.know(value for value in values if len(value) >= SHORTEST)
    _short.update(value for value in values if 0 < len(value) < SHORTEST)


def clean(value: Any) -> Any:
    """The value as JSON without secrets, in names as well; what JSON does not know is its text."""
    return _told_out(redact.redact_json(json.loads(json.dumps(value, default=str))))


def names_only(secrets: Any) -> Any:
    """The block of secrets with its names alone."""
    if isinstance(secrets, dict):
        return {str(name): names_only(value) for name, value in secrets.items()}
    return redact.REDACTED


def _told_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {redact.redact_text(str(key)): _told_out(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_told_out(item) for item in value]
    return redact.REDACTED if isinstance(value, str) and value in _short else value


def _leaves(value: Any) -> Iterator[Any]:
    """All values of a nested mapping, but for empty ones and truth values."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None and value != "" and not isinstance(value, bool):
        yield value
