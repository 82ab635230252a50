"""JSON by the fastest parser there is; what it does not take, and Python's own does, is read and written by that."""

from __future__ import annotations

import json
from typing import Any

import orjson

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def loads(text: bytes | str) -> Any:
    """The value of a JSON text; ValueError for what is none. NaN and infinities are read as Python's own does."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)


def indented(value: Any) -> str:
    """A value as JSON for people to read, two spaces a level; NaN becomes null. TypeError for no JSON value."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def dumps(value: Any) -> bytes:
    """A value as compact JSON in UTF-8; half a surrogate pair becomes a question mark. TypeError for no JSON value."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _ENCODER.encode(value).encode("utf-8", "replace")
