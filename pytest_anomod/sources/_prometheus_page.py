"""Reads the text that Prometheus scrapes; of a page that was read before, only the lines that changed."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence

Sample = tuple[str, str, str, float, Mapping[str, str]]
"""metric_name, unit, kind (gauge, counter, histogram), value, attributes."""

_SERIES = re.compile(
    rb'[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}[ \t]*|(?<=[ \t]))', re.DOTALL
)
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_SUFFIXES = ("_bucket", "_count", "_sum")
_UNITS = (("_seconds", "s"), ("_bytes", "By"), ("_milliseconds", "ms"))


class SeriesTable:
    """All series of all services, by number: what is the same in every sample of one is kept once."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.units: list[str] = []
        self.kinds: list[str] = []
        self.attributes: list[Mapping[str, str]] = []
        self._numbers: dict[tuple[bytes, str], int] = {}

    def number(self, text: bytes, kind: str) -> int | None:
        """The number of a series as a page writes it, of a declared kind ("" for none); None when it is no series."""
        number = self._numbers.get((text, kind))
        if number is None:
            match = _SERIES.fullmatch(text)
            attributes = None if match is None else _attributes((match[2] or b"").decode("utf-8", "replace"))
            if match is None or attributes is None:
                return None
            name = match[1].decode()
            number = self._numbers[text, kind] = self.add(name, _unit(name, kind), _kind(name, kind), attributes)
        return number

    def add(self, name: str, unit: str, kind: str, attributes: Mapping[str, str]) -> int:
        """A new number for a series."""
        self.names.append(name)
        self.units.append(unit)
        self.kinds.append(kind)
        self.attributes.append(attributes)
        return len(self.names) - 1


class PageReader:
    """Reads the pages of one service: which line holds which series is found out once, and again when that changed.

    `unreadable` counts lines of the last page that are no samples. When a series was created is left out: it is no
    measurement.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.unreadable = 0
        self._table = table
        self._lines: Sequence[bytes] = ()
        self._slots: list[tuple[bytes, int] | None] = []  # of each line: how its series begins it, place of the value
        self._series = array("i")
        self._values = array("d")

    def read(self, page: bytes) -> tuple[array[int], array[float]]:
        """Numbers of the series of a page, and their values."""
        lines = page.split(b"\n")
        if len(lines) != len(self._lines) or not self._follow(lines):
            self._learn(lines)
        self._lines = lines
        return self._series, self._values[:]

    def _follow(self, lines: Sequence[bytes]) -> bool:
        """Take over what changed; False when a line is not the sample that it was."""
        for place, (line, before) in enumerate(zip(lines, self._lines, strict=True)):
            if line == before:
                continue
            slot = self._slots[place]
            if slot is None or not line.startswith(slot[0]):
                return False
            value = _value(line[len(slot[0]) :])
            if value is None:
                return False
            if slot[1] >= 0:
                self._values[slot[1]] = value
        return True

    def _learn(self, lines: Sequence[bytes]) -> None:
        kinds: dict[str, str] = {}
        self._slots, self._series, self._values = [], array("i"), array("d")
        self.unreadable = 0
        for line in lines:
            slot = None
            if line.startswith(b"#"):
                words = line.decode("utf-8", "replace").split()
                if words[1:2] == ["TYPE"] and len(words) == 4:
                    kinds[words[2]] = words[3]
            elif line.strip():
                slot = self._sample(line, kinds)
                self.unreadable += slot is None
            self._slots.append(slot)

    def _sample(self, line: bytes, kinds: Mapping[str, str]) -> tuple[bytes, int] | None:
        match = _SERIES.match(line)
        if match is None:
            return None
        value = _value(line[match.end() :])
        name = match[1].decode()
        number = self._table.number(match[0], _declared(name, kinds))
        if value is None or number is None:
            return None
        if name.endswith("_created"):
            return match[0], -1
        self._series.append(number)
        self._values.append(value)
        return match[0], len(self._values) - 1


def _value(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(text.split()[0])  # a time or an exemplar may follow; the tick's own time is used
    except (ValueError, IndexError):
        return None


def _attributes(labels: str) -> dict[str, str] | None:
    attributes, place, end = {}, 0, len(labels.rstrip())
    while place < end:
        label = _LABEL.match(labels, place)
        if label is None:
            return None
        attributes[label[1]] = re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), label[2])
        place = label.end()
    return attributes


def _declared(name: str, kinds: Mapping[str, str]) -> str:
    """The kind that TYPE lines give the name: counter, gauge, histogram for a part of one; "" for none."""
    for suffix in _SUFFIXES:
        family = name.removesuffix(suffix)
        if family != name and kinds.get(family) in ("histogram", "summary"):
            return "histogram"
    kind = kinds.get(name) or kinds.get(name.removesuffix("_total"))
    return kind if kind in ("counter", "gauge") else ""


def _kind(name: str, declared: str) -> str:
    return declared or ("counter" if name.endswith("_total") else "gauge")


def _unit(name: str, declared: str) -> str:
    """By the name's ending; of a histogram's parts only the sum has the unit of the family."""
    if declared == "histogram":
        name = name.removesuffix("_sum") if name.endswith("_sum") else ""
    name = name.removesuffix("_total")
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "1")
