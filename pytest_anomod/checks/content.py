"""What the content of answers looks like: their shape without their values, so that poorer ones stand out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

_NUMBERS = re.compile(r"[0-9a-fA-F-]*[0-9][0-9a-fA-F-]*")
_TELLING = frozenset({"status", "code", "msg", "message", "error", "success"})
"""Fields that say how it went: their words are part of the shape, except in lists, whose entries have states."""

TEXT_LENGTH = 60
DEPTH = 4


def shape_of(body: str | None) -> str:
    """The skeleton of an answer: fields and kinds, what is empty, null, zero or false; never other values."""
    text = (body or "").strip()
    if not text:
        return "empty"
    if text[0] in "{[":
        try:
            return _skeleton(json.loads(text), "", DEPTH)
        except ValueError:
            return "broken " + _words(text[:20])
    return _words(text)


def novel(before: Sequence[str], after: Iterable[str]) -> tuple[list[int], list[int]]:
    """1 for each answer whose shape is new, else 0; in the baseline what was seen once counts as new.

    The share of shapes seen once estimates how many of the next draws are new though nothing changed (Good 1953).
    """
    counts = Counter(before)
    return [int(counts[shape] == 1) for shape in before], [int(shape not in counts) for shape in after]


def _skeleton(value: Any, field: str, depth: int, *, in_list: bool = False) -> str:
    is_telling = field.lower() in _TELLING
    if isinstance(value, dict):
        if not value:
            return "{}"
        if depth == 0:
            return "{...}"
        inner = (f"{key}:{_skeleton(value[key], key, depth - 1, in_list=in_list)}" for key in sorted(value))
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return f"[{_skeleton(value[0], '', depth - 1, in_list=True) if depth else '...'}]" if value else "[]"
    if isinstance(value, str):
        if not value:
            return "''"
        return _words(value) if is_telling and not in_list else "text"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if is_telling:
        return "number" if in_list else str(value)
    return "number" if value else "0"


def _words(text: str) -> str:
    return _NUMBERS.sub("#", text[:TEXT_LENGTH])
