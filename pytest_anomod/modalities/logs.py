"""Logs: what services and stores write while a case runs, joined to traces by their ids, secrets taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_anomod.modalities._sourced import SourcedCollector, readers_of
from pytest_anomod.model.modality import Column, Columns
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import EngineOutput, LogFile, Source
from pytest_anomod.sources import backends
from pytest_anomod.sources._rows import merged
from pytest_anomod.sources.backends import InboxReader
from pytest_anomod.sources.collect import Maker
from pytest_anomod.sources.engine_output import EngineOutputReader
from pytest_anomod.sources.joined_logs import joined
from pytest_anomod.sources.log_files import LogFileReader
from pytest_anomod.sources.read import LOG_FIELDS

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
    Column(
        name="observed_unix_nano",
        type="int64",
        doc="when the container engine took the line; null for plain processes, which write files",
        nullable=True,
    ),
)

READERS: dict[type, Maker] = {LogFile: LogFileReader, EngineOutput: EngineOutputReader, **backends.LOGS}


class LogCollector(SourcedCollector):
    """What services print; what they send over OTLP as well gives the lines their ids."""

    _given = 0

    @property
    def noted(self) -> Mapping[str, int]:
        """As of any collector, and lines that have the ids of their request by OTLP alone."""
        own = {"lines that got the ids of their request from OTLP": self._given} if self._given else {}
        return {**super().noted, **own}

    def _as_one(self, parts: Sequence[Columns]) -> Columns:
        both = list(zip(parts, self.readers, strict=True))
        sent = [part for part, reader in both if isinstance(reader, InboxReader)]
        printed = [part for part, reader in both if not isinstance(reader, InboxReader)]
        if not sent or not printed:
            return super()._as_one(parts)
        lines, rest, self._given = joined(merged(printed, self._fields), merged(sent, self._fields))
        return super()._as_one([lines, rest])


class Logs:
    """The modality of logs."""

    name = "logs"
    columns = COLUMNS
    has_length = False
    absence = "no service writes a log to a file or to its container engine, or sends one to us (OTLP)"

    def collector(self, deployment: Deployment, sources: Sequence[Source]) -> SourcedCollector | None:
        """A collector for one case."""
        readers = readers_of(READERS, deployment, sources)
        return LogCollector(self.name, LOG_FIELDS, readers) if readers else None


OFFERS = (Logs(),)
