"""Reads one log line of an unknown format: JSON, logfmt, or plain text with a time and a level near its beginning."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_anomod.model.clock import NS_PER_S, iso_to_ns
from pytest_anomod.sources import severity
from pytest_anomod.sources.severity import Severity
from pytest_anomod.sources.values import as_object, epoch_ns, integer, load_json, span_id, time_ns, trace_id

ZONE_STEP_NS = 900 * NS_PER_S
"""Zones differ from UTC by whole quarters of an hour."""
MOST_OFF_NS = 3600 * NS_PER_S
"""A time further from the engine's is not when the line was written."""
_HEAD = 100
"""Characters at the beginning among which a level word is looked for."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(?: ?(Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d))?"
)
_CLF = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_LOUD = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|PANIC|ALERT|EMERG"
_SOFT = "trace|trce|debug|dbug|dbg|info|inf|notice|warn|warning|wrn|error|err|fail|severe|critical|crit|fatal|alert"
_LEADING_LEVEL = re.compile(rf"[\s\[<(|:-]*\b({_LOUD}|{_SOFT}|Info|Debug|Warning|Warn|Notice)\b(?:\[\d+\])?\s*[\]>):|]")
_LOUD_LEVEL = re.compile(rf"(?<![\w/.=-])({_LOUD})(?![\w/.=-])")
_LOUD_START = re.compile(rf" ?[\[<(]?({_LOUD})\b")
_MARKED_LEVEL = re.compile(rf"[\[<(]\s*({_LOUD}|{_SOFT})\s*[\]>)]", re.IGNORECASE)
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ ")
_BEFORE_TIME = re.compile(rf"[\[<(]?(?:(?:{_LOUD}|{_SOFT})[\]>):]*\s*)?[\[<(]?")
_AFTER_TIME = re.compile(r"[\])>]?[\s|,:-]*")
_AFTER_LEVEL = re.compile(rf"[\[<(]?(?:{_LOUD}|{_SOFT})\b[\]>)]?[\s|:-]*")

_LOGFMT_BEGIN = re.compile(r"[\w.@/-]+=")
_LOGFMT = re.compile(r'\s*([\w.@/-]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_TRACE_ID = re.compile(r"""(dd\.)?trace[_.-]?id["'\]]?\s*[=:]\s*["'\[]?([0-9a-f]{16,32})\b""", re.IGNORECASE)
_SPAN_ID = re.compile(r"""(dd\.)?span[_.-]?id["'\]]?\s*[=:]\s*["'\[]?([0-9a-f]{1,20})\b""", re.IGNORECASE)
_BOTH_IDS = re.compile(r"(?<![0-9a-f])([0-9a-f]{32})[,/-]([0-9a-f]{16})(?![0-9a-f])")

_OBJECTS = frozenset({"log", "trace", "span", "dd", "context", "ctx", "mdc", "otel"})
"""Objects in a line whose own fields may be a level or an id."""
_TIMES = ("timestamp", "time", "ts", "t", "datetime", "asctime", "timemillis", "timeunixnano", "instant", "date")
_LEVELS = ("level", "severity", "lvl", "loglevel", "levelname", "severitytext", "l")
_BODIES = ("message", "msg", "body", "shortmessage", "event", "m", "renderedmessage", "mt", "textpayload", "text")
_TRACES = ("traceid", "oteltraceid", "ddtraceid", "xb3traceid", "contexttraceid", "mdctraceid", "ctxtraceid")
_SPANS = ("spanid", "otelspanid", "ddspanid", "xb3spanid", "contextspanid", "mdcspanid", "ctxspanid")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """When the container engine took a line, and whether times without a zone are local times of this machine."""

    engine_ns: int | None = None
    is_local: bool = False

    def offset_ns(self, nanos: int) -> int:
        """What to add to a time that names no zone, taken for UTC."""
        if self.engine_ns is not None:  # it is local time somewhere, and not long ago
            return round((self.engine_ns - nanos) / ZONE_STEP_NS) * ZONE_STEP_NS
        if not self.is_local:
            return 0
        naive = dt.datetime.fromtimestamp(nanos // NS_PER_S, dt.UTC).replace(tzinfo=None)
        return -int((naive.astimezone().utcoffset() or dt.timedelta()).total_seconds()) * NS_PER_S


NOTHING_SEEN = Seen()


@dataclasses.dataclass(slots=True, kw_only=True)
class Line:
    """The content of one line; `begins`: it starts with a time or a level, so it is the first line of an entry."""

    text: str
    time_unix_nano: int | None = None
    severity: Severity | None = None
    body: str
    trace_id: str = ""
    span_id: str = ""
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    begins: bool


def read_line(text: str, seen: Seen = NOTHING_SEEN) -> Line:
    """A line by what it looks like; `seen` is what is known of when it was written."""
    text = (_ANSI.sub("", text) if "\x1b" in text else text).rstrip()
    fields = _json_fields(text) or _logfmt_fields(text)
    return _plain(text, seen) if fields is None else _structured(text, fields, seen)


def _json_fields(text: str) -> dict[str, Any] | None:
    if not (text.lstrip().startswith("{") and text.endswith("}")):
        return None
    try:
        return as_object(load_json(text.encode(), exact=True)) or None
    except ValueError:
        return None


def _logfmt_fields(text: str) -> dict[str, Any] | None:
    """Pairs of a line that is made of nothing else, one of which is a time, a level or a message."""
    if _LOGFMT_BEGIN.match(text) is None:
        return None
    fields: dict[str, Any] = {}
    place = 0
    while place < len(text):
        pair = _LOGFMT.match(text, place)
        if pair is None:
            return None
        fields[pair[1]] = _unquoted(pair[2])
        place = pair.end()
    known = {_plain_key(key) for key in fields}
    return None if known.isdisjoint((*_TIMES, *_LEVELS, *_BODIES)) else fields


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text, strict=False))
    except ValueError:  # an escape that JSON does not have
        return text[1:-1]


def _plain_key(key: str) -> str:
    return "".join(filter(str.isalnum, key)).lower()


def _structured(text: str, fields: Mapping[str, Any], seen: Seen) -> Line:
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict) and key.lower() in _OBJECTS:
            flat.update((f"{key}.{inner}", held) for inner, held in value.items())
        else:
            flat[key] = value
    keys: dict[str, str] = {}
    for key in flat:
        keys.setdefault(_plain_key(key), key)

    def take(names: tuple[str, ...], read: Callable[[Any], Any]) -> Any:
        """What can be read of the first of these fields that has it; the field is then no attribute."""
        for name in names:
            if name in keys and (value := read(flat.get(keys[name]))) not in (None, ""):
                del flat[keys.pop(name)]
                return value
        return None

    time_unix_nano = take(_TIMES, lambda value: _field_time(value, seen))
    level = take(("severitynumber",), lambda value: _otel_number(value))
    level = take(_LEVELS, severity.of_level) or level or take(("levelno",), severity.of_python)
    body = take(_BODIES, lambda value: value if isinstance(value, str) else None)
    trace = take(_TRACES, any_trace_id)
    span = take(_SPANS, any_span_id)
    if trace is None and isinstance(parent := flat.get("traceparent"), str) and (both := _BOTH_IDS.search(parent)):
        trace, span = trace_id(both[1]), span_id(both[2])
    return Line(
        text=text,
        time_unix_nano=time_unix_nano,
        severity=level,
        body=body or text,
        trace_id=trace or "",
        span_id=span or "" if trace else "",
        attributes=flat,
        begins=True,
    )


def _otel_number(value: Any) -> Severity | None:
    number = integer(value)
    return severity.of_number(number) if number is not None and 1 <= number <= 24 else None


def _field_time(value: Any, seen: Seen) -> int | None:
    if isinstance(value, dict):  # Log4j's instant
        seconds, nanos = integer(value.get("epochSecond")), integer(value.get("nanoOfSecond"))
        nanoseconds = None if seconds is None else seconds * NS_PER_S + (nanos or 0)
        return _checked(time_ns(nanoseconds), seen)
    found = _time_in(value, 0, seen) if isinstance(value, str) else None
    return found[0] if found else _checked(epoch_ns(value), seen)


def any_trace_id(value: Any) -> str:
    """Of hex digits, or of the decimal 64 bits that Datadog writes."""
    return _any_id(value, 32, trace_id)


def any_span_id(value: Any) -> str:
    """Of hex digits, or of the decimal 64 bits that Datadog writes."""
    return _any_id(value, 16, span_id)


def _any_id(value: Any, digits: int, read: Callable[[object], str]) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text.isdecimal() and text.isascii() and len(text) <= 20 and len(text) not in (16, digits):
        return read(f"{int(text):x}")
    return read(text) if len(text) in (16, digits) else ""


def _plain(text: str, seen: Seen) -> Line:
    body, time_unix_nano, has_time = text, None, False
    before = _BEFORE_TIME.match(text)
    found = _time_in(text, before.end() if before else 0, seen)
    level = _level_of(text[:_HEAD])
    if found is not None:
        time_unix_nano, end = found
        has_time = True
        after = _AFTER_TIME.match(text, end)
        body = text[after.end() if after else end :]
        marker = _AFTER_LEVEL.match(body)
        body = body[marker.end() :] if marker else body
    elif clf := _CLF.search(text, 0, 200):
        time_unix_nano, has_time = _clf_time(clf, seen), True
    is_deep = text.startswith(("\t", "  "))
    begins = has_time or (not is_deep and any(mark.match(text) for mark in (_LEADING_LEVEL, _LOUD_START, _KLOG)))
    trace, span = _ids_in(text)
    return Line(
        text=text,
        time_unix_nano=time_unix_nano,
        severity=level,
        body=body or text,
        trace_id=trace,
        span_id=span,
        begins=begins,
    )


def _level_of(head: str) -> Severity | None:
    if klog := _KLOG.match(head):
        return severity.of_word(klog[1])
    match = _LEADING_LEVEL.match(head) or _LOUD_LEVEL.search(head) or _MARKED_LEVEL.search(head)
    return severity.of_word(match[1]) if match else None


def _time_in(text: str, place: int, seen: Seen) -> tuple[int | None, int] | None:
    """The time that stands there, None if it is none that can be, and where it ends."""
    match = _TIME.match(text, place)
    if match is None:
        return None
    year, month, day, moment, fraction, zone = match.groups()
    zone = "Z" if zone in ("UTC", "GMT") else zone or ""
    try:
        nanos = iso_to_ns(f"{year}-{month}-{day}T{moment}.{fraction or 0}{zone}")
        nanos += 0 if zone else seen.offset_ns(nanos)
    except (ValueError, OverflowError):  # no such day, or one that this machine's zone has no offset for
        return None, match.end()
    return _checked(time_ns(nanos), seen), match.end()


def _clf_time(match: re.Match[str], seen: Seen) -> int | None:
    day, month, year, moment, zone = match.groups()
    try:
        return _checked(iso_to_ns(f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{moment}{zone}"), seen)
    except (ValueError, OverflowError):
        return None


def _checked(nanos: int | None, seen: Seen) -> int | None:
    if nanos is None or (seen.engine_ns is not None and abs(nanos - seen.engine_ns) > MOST_OFF_NS):
        return None
    return nanos


def _ids_in(text: str) -> tuple[str, str]:
    if trace := _TRACE_ID.search(text):
        span = _SPAN_ID.search(text)
        found = any_trace_id(trace[2]) if trace[1] else trace_id(trace[2])
        return found, "" if span is None or not found else any_span_id(span[2])
    both = _BOTH_IDS.search(text)
    return (trace_id(both[1]), span_id(both[2])) if both else ("", "")
