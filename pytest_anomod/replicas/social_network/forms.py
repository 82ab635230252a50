"""How the gateway reads what clients send: forms and queries as nginx parses them, numbers as Lua converts them."""

import json
import re
from typing import Any
from urllib.parse import unquote_to_bytes

MOST_ARGUMENTS = 100

_DECIMAL = re.compile(r"\s*[+-]?\d+\s*\Z")
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


class NotAListError(ValueError):
    """A media list of a compose request is no JSON list; in the original this aborts the request's Lua thread."""


def parse(raw: bytes) -> dict[str, str]:
    """Fields of a query or a form body; the first of equal names counts, a name without "=" has no value.

    Nothing needs to be percent-encoded: blanks, colons, quotes and brackets stand for themselves, "+" is a blank.
    """
    fields: dict[str, str] = {}
    for piece in raw.split(b"&", MOST_ARGUMENTS)[:MOST_ARGUMENTS]:
        name, _, value = piece.partition(b"=")
        if name:
            fields.setdefault(_unescaped(name), _unescaped(value))
    return fields


def _unescaped(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


def complete(fields: dict[str, str], *names: str) -> bool:
    """True if every named field is there and not empty."""
    return all(fields.get(name) for name in names)


def integer(text: str) -> int:
    """A 64-bit number from text; what is no number counts as 0, fractions are cut off."""
    if _DECIMAL.match(text):
        number = int(text)
    else:
        try:
            number = int(float(text))
        except (ValueError, OverflowError):
            return 0
    return min(max(number, _INT64_MIN), _INT64_MAX)


def media_lists(fields: dict[str, str]) -> tuple[list[int], list[str]]:
    """Media ids and types of a compose request; both empty unless both texts are given.

    Ids in quotes are converted exactly; bare JSON numbers pass through a double, as in the original.
    """
    if not complete(fields, "media_ids", "media_types"):
        return [], []
    ids = [_media_id(item) for item in _json_list(fields["media_ids"])]
    types = [str(item) for item in _json_list(fields["media_types"])]
    return ids, types


def _media_id(item: Any) -> int:
    if isinstance(item, str):
        return integer(item)
    if isinstance(item, int | float):
        return integer(repr(float(item)))
    msg = f"a media id is neither text nor number: {item!r}"
    raise NotAListError(msg)


def _json_list(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        msg = f"not valid JSON: {text[:80]!r}"
        raise NotAListError(msg) from error
    if isinstance(value, dict):
        return []  # a Lua table without an array part
    if not isinstance(value, list):
        msg = f"not a JSON list: {text[:80]!r}"
        raise NotAListError(msg)
    return value


def cookie(header: str, name: str) -> str | None:
    """The value of one cookie of a Cookie header, or None."""
    for piece in header.split(";"):
        key, _, value = piece.strip().partition("=")
        if key == name and value:
            return value
    return None
