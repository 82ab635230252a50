"""Rows of the lines of a log in one of the formats that we know, wherever the lines come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pytest_anomod.model.redact import redact_json, redact_text
from pytest_anomod.model.source import EngineOutput, LogFile
from pytest_anomod.sources._files import records
from pytest_anomod.sources._instances import InstanceWatch
from pytest_anomod.sources._rows import Row
from pytest_anomod.sources.clean import clean
from pytest_anomod.sources.store_logs import PARSERS
from pytest_anomod.sources.text_logs import entries

Log = LogFile | EngineOutput


def log_rows(
    source: Log, lines: Iterable[bytes], watch: InstanceWatch, observed: Sequence[int] = ()
) -> Iterable[Row | None]:
    """Rows by LOG_FIELDS, None for a line that can't be read; `observed` has a time for each line, or nothing."""
    if source.format == "json":
        return (_json_row(source, record, watch, _at(observed, number)) for number, record in records(lines))
    return _entry_rows(source, lines, watch, observed)


def _json_row(source: Log, record: Any, watch: InstanceWatch, observed: int | None) -> Row | None:
    try:
        time_unix_nano = record["time_unix_nano"]
        return (
            time_unix_nano,
            source.service,
            record.get("service_instance_id") or watch.at(source.service, time_unix_nano, source.number),
            record["severity_number"],
            record["severity_text"],
            redact_text(record["body"]),
            record.get("trace_id") or "",
            record.get("span_id") or "",
            clean(record.get("attributes") or {}),
            observed,
        )
    except (KeyError, TypeError, AttributeError):  # torn, or no record of ours
        return None


def _entry_rows(
    source: Log, lines: Iterable[bytes], watch: InstanceWatch, observed: Sequence[int]
) -> Iterator[Row | None]:
    parse = PARSERS.get(source.format)
    for entry in entries(lines, observed) if parse is None else parse(lines):
        if entry is None:
            yield None
            continue
        yield (
            entry.time_unix_nano,
            source.service,
            watch.at(source.service, entry.time_unix_nano, source.number),
            *entry.severity,
            redact_text(entry.body),
            entry.trace_id,
            entry.span_id,
            redact_json(entry.attributes),
            _at(observed, entry.line),
        )


def _at(observed: Sequence[int], number: int) -> int | None:
    return observed[number] if observed else None
