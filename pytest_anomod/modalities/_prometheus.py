"""Reads the text that Prometheus scrapes: samples with name, kind, unit, attributes and value."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

Sample = tuple[str, str, str, float, Mapping[str, str]]
"""metric_name, unit, kind (gauge, counter, histogram), value, attributes."""

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_SERIES = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*\Z", re.DOTALL)
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_SUFFIXES = ("_bucket", "_count", "_sum")
_UNITS = (("_seconds", "s"), ("_bytes", "By"), ("_milliseconds", "ms"))


def samples(text: str) -> Iterator[Sample | None]:
    """Samples of a page; None for a line that is none. When a series was created is left out: it is no measurement."""
    kinds: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            words = line.split()
            if words[1:2] == ["TYPE"] and len(words) == 4:
                kinds[words[2]] = words[3]
        elif line.strip():
            sample = _sample(line, kinds)
            if sample is None or not sample[0].endswith("_created"):
                yield sample


def _sample(line: str, kinds: Mapping[str, str]) -> Sample | None:
    head, brace, tail = line.rpartition("}")
    if not brace:
        head, _, tail = line.partition(" ")
    series = _series(head + brace)
    try:
        value = float(tail.split()[0])  # a time may follow; the tick's own is used
    except (ValueError, IndexError):
        return None
    if series is None:
        return None
    name, attributes = series
    kind, unit = _kind_and_unit(name, kinds)
    return name, unit, kind, value, attributes


@functools.lru_cache(maxsize=65_536)  # the same series come back with every scrape
def _series(text: str) -> tuple[str, dict[str, str]] | None:
    match = _SERIES.match(text)
    if match is None:
        return None
    attributes, place, labels = {}, 0, match[2] or ""
    while place < len(labels.rstrip()):
        label = _LABEL.match(labels, place)
        if label is None:
            return None
        attributes[label[1]] = re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), label[2])
        place = label.end()
    return match[1], attributes


def _kind_and_unit(name: str, kinds: Mapping[str, str]) -> tuple[str, str]:
    """Kind by the TYPE line of the name or of the family it is a part of; unit by the name's ending."""
    for suffix in _SUFFIXES:
        family = name.removesuffix(suffix)
        if family != name and kinds.get(family) in ("histogram", "summary"):
            return "histogram", _unit(family) if suffix == "_sum" else "1"
    kind = kinds.get(name) or kinds.get(name.removesuffix("_total")) or ""
    if kind not in ("counter", "gauge"):
        kind = "counter" if name.endswith("_total") else "gauge"
    return kind, _unit(name)


def _unit(name: str) -> str:
    name = name.removesuffix("_total")
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "1")
