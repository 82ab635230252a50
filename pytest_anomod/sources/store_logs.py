"""The raw text logs of stores, read as entries with a time; lines that belong to the entry before are joined to it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator

from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.sources.severity import DEBUG, ERROR, FATAL, INFO, WARN
from pytest_anomod.sources.text_logs import Entry

Parser = Callable[[Iterable[bytes]], Iterator[Entry | None]]
"""Entries of a log's lines; None for a line that belongs to no entry."""

_REDIS = re.compile(
    r"(?P<pid>\d+):(?:(?P<role>[A-Z]) (?P<day>\d{1,2}) (?P<month>[A-Z][a-z]{2}) (?P<year>\d{4}) "
    r"(?P<clock>\d\d:\d\d:\d\d)\.(?P<ms>\d{3}) (?P<level>[.*#-])|signal-handler \((?P<epoch>\d+)\)) (?P<body>.*)"
)
_REDIS_LEVELS = {".": DEBUG, "-": DEBUG, "*": INFO, "#": WARN}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_POSTGRES = re.compile(
    r"(?:(?P<epoch>\d{9,11})\.(?P<ms>\d{3})|(?P<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(?P<date_ms>\d{3}) (?:UTC|GMT))"
    r" \[(?P<pid>\d+)\][^:]*? ?(?P<level>[A-Z]+\d?):  (?P<body>.*)"
)
_POSTGRES_LEVELS = {
    "LOG": INFO,
    "INFO": INFO,
    "NOTICE": INFO,
    "WARNING": WARN,
    "ERROR": ERROR,
    "FATAL": FATAL,
    "PANIC": FATAL,
}
_POSTGRES_PARTS = frozenset({"DETAIL", "HINT", "CONTEXT", "STATEMENT", "QUERY", "LOCATION", "BACKTRACE"})


def parse_redis(lines: Iterable[bytes]) -> Iterator[Entry | None]:
    """Entries of a redis-server's log; its times have no zone: they are local times of this machine."""
    return _joined(lines, _redis_entry)


def parse_postgres(lines: Iterable[bytes]) -> Iterator[Entry | None]:
    """Entries of a PostgreSQL log with log_line_prefix "%n [%p] ", or the usual "%m [%p] " in UTC.

    DETAIL, HINT, STATEMENT and the like become attributes of the message they explain.
    """
    return _joined(lines, _postgres_entry)


PARSERS: dict[str, Parser] = {"redis": parse_redis, "postgres": parse_postgres}


def _joined(lines: Iterable[bytes], read: Callable[[str, Entry | None], Entry | None]) -> Iterator[Entry | None]:
    """Entries with the lines that follow them; a blank line is nothing, a line before the first entry is lost."""
    current: Entry | None = None
    for number, raw in enumerate(lines):
        line = raw.decode("utf-8", "replace").rstrip()
        entry = read(line, current)
        if entry is not None and entry is not current:
            if current is not None:
                yield current
            current = entry
            current.line = number
        elif entry is None and line.strip():
            if current is None:
                yield None
            else:
                _append(current, line)
    if current is not None:
        yield current


def _append(entry: Entry, line: str) -> None:
    """Join a line to the entry's message, or to the part of it that came last."""
    part = next(reversed(entry.attributes), "")
    if part.upper() in _POSTGRES_PARTS:
        entry.attributes[part] = f"{entry.attributes[part]}\n{line.strip()}"
    else:
        entry.body = f"{entry.body}\n{line.strip()}"


def _redis_entry(line: str, current: Entry | None) -> Entry | None:
    match = _REDIS.match(line)
    if match is None:
        return None
    attributes: dict[str, str | int] = {"pid": int(match["pid"])}
    if match["epoch"]:
        return Entry(
            time_unix_nano=int(match["epoch"]) * NS_PER_S, severity=WARN, body=match["body"], attributes=attributes
        )
    attributes["role"] = match["role"]
    hour, minute, second = map(int, match["clock"].split(":"))
    month = _MONTHS.index(match["month"]) + 1 if match["month"] in _MONTHS else 1
    local = dt.datetime(int(match["year"]), month, int(match["day"]), hour, minute, second).astimezone()
    return Entry(
        time_unix_nano=int(local.timestamp()) * NS_PER_S + int(match["ms"]) * 1_000_000,
        severity=_REDIS_LEVELS[match["level"]],
        body=match["body"],
        attributes=attributes,
    )


def _postgres_entry(line: str, current: Entry | None) -> Entry | None:
    match = _POSTGRES.match(line)
    if match is None:
        return None
    level = match["level"]
    if level in _POSTGRES_PARTS and current is not None and current.attributes["pid"] == int(match["pid"]):
        current.attributes[level.lower()] = match["body"]
        return current
    if match["epoch"]:
        time_unix_nano = int(match["epoch"]) * NS_PER_S + int(match["ms"]) * 1_000_000
    else:
        moment = dt.datetime.strptime(match["date"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)
        time_unix_nano = int(moment.timestamp()) * NS_PER_S + int(match["date_ms"]) * 1_000_000
    return Entry(
        time_unix_nano=time_unix_nano,
        severity=_POSTGRES_LEVELS.get(level, DEBUG if level.startswith("DEBUG") else INFO),
        body=match["body"],
        attributes={"pid": int(match["pid"]), "level": level},
    )
