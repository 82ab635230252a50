"""Removes secrets from attributes, fast: most of their names and texts are repeated in every record."""

from __future__ import annotations

from typing import Any

from pytest_anomod.model.redact import is_secret_name, redact_json

_KNOWN = 8_192
_KNOWN_LENGTH = 256
_PLAIN = frozenset({int, float, bool, type(None)})

_names: set[str] = set()  # that mean no secret
_texts: set[str] = set()  # that hold no secret


def clean(attributes: dict[str, Any]) -> dict[str, Any]:
    """The same object, its secrets replaced as redact_json does it."""
    for name, value in attributes.items():
        kind = type(value)
        if name in _names and (value in _texts if kind is str else kind in _PLAIN):
            continue
        cleaned = redact_json({name: value})[name]
        if cleaned != value:
            attributes[name] = cleaned
        elif not is_secret_name(name):
            _remember(_names, name)
            if kind is str:
                _remember(_texts, value)
    return attributes


def _remember(known: set[str], text: str) -> None:
    if len(known) >= _KNOWN:
        known.clear()
    if len(text) <= _KNOWN_LENGTH:
        known.add(text)
