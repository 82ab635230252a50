"""Numbers as foreign files write them: durations, rates, percentages; None for what is no such number."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(bps|bit)", re.IGNORECASE)
_THOUSANDS = {"": 1e-3, "k": 1.0, "m": 1e3, "g": 1e6, "t": 1e9}


def number(text: str) -> float | None:
    """A plain decimal number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None  # no nan, no infinity


def percent(text: str) -> float | None:
    """A percentage from 0 to 100, with or without its sign."""
    value = number(text.strip().removesuffix("%"))
    return value if value is not None and 0 <= value <= 100 else None


def seconds(text: str) -> float | None:
    """A duration as Go writes it: 1m30s, 100ms; a bare 0 as well."""
    text = text.strip()
    if not _DURATION.sub("", text) and text:
        return sum(float(count) * _SECONDS[unit] for count, unit in _DURATION.findall(text))
    return 0.0 if text == "0" else None


def kbit_per_s(text: str) -> float | None:
    """A rate as tc writes it: "bps" are bytes a second, "bit" are bits."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        return None
    count, scale, unit = float(match[1]), match[2].lower(), match[3].lower()
    return count * _THOUSANDS[scale] * (8 if unit == "bps" else 1)


def neat(value: float) -> float | int:
    """A whole number as an int, any other with three digits after the point."""
    return int(value) if value == int(value) else round(value, 3)
