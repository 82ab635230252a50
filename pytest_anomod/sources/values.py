"""Reads ids, times and JSON of foreign telemetry as exact values: no time is ever a float."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from pytest_anomod.model.clock import NS_PER_S

TRACE_DIGITS, SPAN_DIGITS = 32, 16
NS_PER_MS, NS_PER_US = 1_000_000, 1_000
_HEX = re.compile("[0-9a-fA-F]+")
_NEGATIVE = re.compile(r"-\d+", re.ASCII)
_DIGITS = 20
_LAST_NS = 2**63
_MAY_BE_SURROGATE = re.compile(rb"\\u[dD]|\xed[\xa0-\xbf]")
_FIRST = 10**8
"""An epoch below this number of seconds is a length, a count or the like."""
_UNITS = ((10**11, NS_PER_S), (10**14, NS_PER_MS), (10**17, NS_PER_US), (_LAST_NS, 1))
"""An epoch below the first number counts in units of so many nanoseconds: right for the years 1973 to 5138."""


class Number(float):
    """A float that remembers how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Number:
        """The value of a number in JSON."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def load_json(document: bytes, *, exact: bool = False) -> Any:
    """The value of a JSON document; ValueError for what is none, however broken.

    With `exact` every float is a Number. NaN and Infinity, which are no JSON, become text; halves of surrogate pairs,
    which no UTF-8 can hold, become U+FFFD.
    """
    try:
        value = json.loads(document, parse_float=Number if exact else _finite_float, parse_constant=str)
        has_escapes = b"\\u" in document or b"\xed" in document  # far faster to look for than what it may be
        return _without_lone_surrogates(value) if has_escapes and _MAY_BE_SURROGATE.search(document) else value
    except RecursionError as error:
        msg = "the JSON is nested too deeply"
        raise ValueError(msg) from error


def finite(value: float) -> float | str:
    """The number, or text for what JSON has no number for."""
    return value if math.isfinite(value) else str(value)


def _finite_float(text: str) -> float | str:
    return finite(float(text))


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    return value


def as_object(value: Any) -> dict[str, Any]:
    """The object that a JSON value is, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The list that a JSON value is, or an empty one."""
    return value if isinstance(value, list) else []


def trace_id(value: object) -> str:
    """32 lower-case hex digits, shorter ids padded with zeros in front; "" for what is no id, or is zero."""
    return _id(value, TRACE_DIGITS)


def span_id(value: object) -> str:
    """16 lower-case hex digits, shorter ids padded with zeros in front; "" for what is no id, or is zero."""
    return _id(value, SPAN_DIGITS)


def _id(value: object, digits: int) -> str:
    if not isinstance(value, str) or len(value) > digits or _HEX.fullmatch(value) is None or not value.strip("0"):
        return ""
    return value.lower().zfill(digits)


def integer(value: object) -> int | None:
    """An integer, also one written as text, as JSON has those of 64 bits; None for anything else, floats included."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if not isinstance(value, str) or len(value) > _DIGITS:
        return None
    is_plain = value.isdecimal() and value.isascii()  # which most are, and is told faster than by a pattern
    return int(value) if is_plain or _NEGATIVE.fullmatch(value) else None


def time_ns(value: object, unit_ns: int = 1) -> int | None:
    """Nanoseconds of an integer of `unit_ns` each; None unless it is a time after 1970 that fits 64 bits."""
    number = integer(value)
    if number is None:
        return None
    number *= unit_ns
    return number if 0 < number < _LAST_NS else None


def decimal_ns(text: str, unit_ns: int = NS_PER_S) -> int | None:
    """Nanoseconds of a decimal number of `unit_ns` each, exact to the digit; None unless it is a time after 1970."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or not 0 < number < _LAST_NS:  # before the product: 1e999999 has a million digits
        return None
    nanos = int(number * unit_ns)
    return nanos if 0 < nanos < _LAST_NS else None


def epoch_ns(value: object) -> int | None:
    """Nanoseconds of an epoch in seconds, milli-, micro- or nanoseconds, told apart by its size; None for no time.

    A float must be a Number.
    """
    text = value.text if isinstance(value, Number) else value if isinstance(value, str) else None
    if text is None:
        number = integer(value)
        text = None if number is None else str(number)
    size = None if text is None else decimal_ns(text, 1)
    if text is None or size is None or size < _FIRST:
        return None
    return decimal_ns(text, next(unit_ns for bound, unit_ns in _UNITS if size < bound))
