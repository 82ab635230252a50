"""Logs: what services and stores write while a case runs, joined to traces by their ids, secrets taken out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_anomod.modalities._file_collector import FileCollector
from pytest_anomod.modalities._rows import Row
from pytest_anomod.modalities._store_logs import PARSERS, Parser
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Column
from pytest_anomod.model.redact import redact_json, redact_text
from pytest_anomod.model.runtime import Deployment, Instance

COLUMNS = (
    Column(
        name="severity_number", type="int32", doc="OpenTelemetry's number: 5 debug, 9 info, 13 warn, 17 error, 21 fatal"
    ),
    Column(name="severity_text", type="string", doc="DEBUG, INFO, WARN, ERROR or FATAL"),
    Column(name="body", type="string", doc="the message; lines of one entry are joined by a line feed"),
    Column(name="trace_id", type="string", doc="the request it belongs to, 32 hex digits; empty for none"),
    Column(name="span_id", type="string", doc="the span it was written in, 16 hex digits; empty for none"),
    Column(
        name="attributes", type="json", doc="code.filepath, code.lineno, code.function; of stores pid, statement ..."
    ),
)


class LogCollector(FileCollector):
    """Log files of all services and stores."""

    kind = "logs"
    fields = ("time_unix_nano", "service_name", "service_instance_id", *(column.name for column in COLUMNS))

    def path_of(self, instance: Instance) -> Path | None:
        """The log file of an instance, if it is in a format that we can read."""
        known = instance.log_format == "json" or instance.log_format in PARSERS
        return instance.log_file if known else None

    def parse(self, instance: Instance, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a log file."""
        if instance.log_format == "json":
            return (self._json_row(instance.service, line) for line in lines if line.strip())
        return self._store_rows(instance.service, PARSERS[instance.log_format], lines)

    def _json_row(self, service: str, line: bytes) -> Row | None:
        try:
            record = json.loads(line)
            time_unix_nano = record["time_unix_nano"]
            return (
                time_unix_nano,
                service,
                self.instance_id(record, service, time_unix_nano),
                record["severity_number"],
                record["severity_text"],
                redact_text(record["body"]),
                record.get("trace_id") or "",
                record.get("span_id") or "",
                redact_json(record.get("attributes") or {}),
            )
        except (ValueError, KeyError, TypeError, AttributeError):  # torn, or no record of ours
            return None

    def _store_rows(self, service: str, parse: Parser, lines: Iterable[bytes]) -> Iterator[Row | None]:
        for entry in parse(lines):
            if entry is None:
                yield None
                continue
            yield (
                entry.time_unix_nano,
                service,
                self.instance_id({}, service, entry.time_unix_nano),
                *entry.severity,
                redact_text(entry.body),
                "",
                "",
                redact_json(entry.attributes),
            )


class Logs:
    """The modality of logs."""

    name = "logs"
    columns = COLUMNS
    has_length = False

    def collector(self, deployment: Deployment, sources: Mapping[str, Json]) -> LogCollector:
        """A collector for one case."""
        return LogCollector(deployment)


OFFERS = (Logs(),)
