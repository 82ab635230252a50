"""Reads the text that Prometheus scrapes, its own format and OpenMetrics; of a page read before, only what changed.

`prometheus_client` has parsers of both, which do not do. For a sample with an exemplar that of Prometheus's format
raises ValueError, and so does that of OpenMetrics for an empty exemplar, a blank line or a missing EOF: the rest of the
page is lost. And they read each label anew, at some 30 times the CPU of a page whose lines were seen before.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence

_LABELS = rb'\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}'
_SERIES = re.compile(
    rb"[ \t]*(?:([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:" + _LABELS + rb"[ \t]*|(?<=[ \t]))|" + _LABELS + rb"[ \t]*)",
    re.DOTALL,
)
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LABEL = re.compile(rf"\s*(?:([a-zA-Z_][a-zA-Z0-9_]*)|{_QUOTED})\s*=\s*{_QUOTED}\s*(?:,|$)", re.DOTALL)
_QUOTED_NAME = re.compile(rf"\s*{_QUOTED}\s*(?:,|$)", re.DOTALL)
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_SUFFIXES = ("_bucket", "_count", "_sum", "_gcount", "_gsum")
_ENDINGS = (("_seconds", "s"), ("_bytes", "By"), ("_milliseconds", "ms"))
_UNDERSCORE = 0x5F  # a number is looked for four times as fast as bytes are
_WITH_PARTS = frozenset({"histogram", "gaugehistogram", "summary"})


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
            series = series_of(text)
            if series is None:
                return None
            name, attributes = series
            number = self.add(name, unit_of(name, kind), kind or kind_of(name), attributes)
            self._numbers[text, kind] = number
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

    `unreadable` counts lines of the last page that are no samples, and a last line without its end, whose value may be
    cut. Exemplars and times of samples are ignored. `_created` series are left out, because they are no measurements.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.unreadable = 0
        self._table = table
        self._lines: Sequence[bytes] = ()
        self._slots: list[tuple[bytes, int] | None] = []  # of each line: how its series begins it, place of the value
        self._series = array("i")
        self._values = array("d")
        self._no_samples = 0

    def read(self, page: bytes) -> tuple[array[int], array[float]]:
        """Numbers of the series of a page, and their values."""
        lines = page.split(b"\n")
        is_cut = lines.pop().strip() not in (b"", b"# EOF")
        if len(lines) != len(self._lines) or not self._follow(lines):
            self._learn(lines)
        self.unreadable = self._no_samples + is_cut
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
        self._no_samples = 0
        for line in lines:
            slot = None
            if line.startswith(b"#"):
                words = line.decode("utf-8", "replace").split()
                if words[1:2] == ["TYPE"] and len(words) == 4:
                    kinds[words[2].strip('"')] = words[3]
            elif line.strip():
                slot = self._sample(line, kinds)
                self._no_samples += slot is None
            self._slots.append(slot)

    def _sample(self, line: bytes, kinds: Mapping[str, str]) -> tuple[bytes, int] | None:
        match = _SERIES.match(line)
        if match is None:
            return None
        # labels are read by the table, once for all services; a name in quotes is one of them
        series = (match[1].decode(), {}) if match[1] else series_of(match[0])
        if series is None:
            return None
        value = _value(line[match.end() :])
        number = self._table.number(match[0], _declared(series[0], kinds))
        if value is None or number is None:
            return None
        family = series[0].removesuffix("_created")
        if family != series[0] and (family in kinds or f"{family}_total" in kinds):
            return match[0], -1
        self._series.append(number)
        self._values.append(value)
        return match[0], len(self._values) - 1


def series_of(text: bytes) -> tuple[str, dict[str, str]] | None:
    """Name and labels of a series such as up{job="a"}, or {"a name in quotes", job="a"}; None for what is none."""
    match = _SERIES.fullmatch(text)
    if match is None:
        return None
    labels = (match[2] or match[3] or b"").decode("utf-8", "replace")
    name = (match[1] or b"").decode()
    if not name:
        quoted = _QUOTED_NAME.match(labels)
        if quoted is None or not quoted[1]:
            return None
        name, labels = _unescaped(quoted[1]), labels[quoted.end() :]
    attributes = _attributes(labels)
    return None if attributes is None else (name, attributes)


def kind_of(name: str) -> str:
    """Of a series of which no kind was declared."""
    return "counter" if name.endswith("_total") else "gauge"


def unit_of(name: str, kind: str) -> str:
    """By the name's ending; of a histogram's parts only the sum has the unit of the family."""
    if kind == "histogram":
        name = name.removesuffix("_sum") if name.endswith("_sum") else ""
    name = name.removesuffix("_total")
    return next((unit for ending, unit in _ENDINGS if name.endswith(ending)), "1")


def _value(text: bytes) -> float | None:
    if _UNDERSCORE in text and _UNDERSCORE in text.partition(b"#")[0]:  # 1_000 is a number to Python alone
        return None
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
        attributes[label[1] or _unescaped(label[2] or "")] = _unescaped(label[3])
        place = label.end()
    return attributes


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), text)


def _declared(name: str, kinds: Mapping[str, str]) -> str:
    """The kind that TYPE lines give the name: counter, gauge, histogram for a part of one; "" for none."""
    for suffix in _SUFFIXES:
        family = name.removesuffix(suffix)
        if family != name and kinds.get(family) in _WITH_PARTS:
            return "histogram"
    kind = kinds.get(name) or kinds.get(name.removesuffix("_total"))
    return kind if kind in ("counter", "gauge") else ""
