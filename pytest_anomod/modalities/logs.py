"""Logs: what services and stores write while a case runs, joined to traces by their ids, secrets taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pytest_anomod.modalities._file_collector import FileCollector
from pytest_anomod.modalities._rows import Row
from pytest_anomod.modalities._store_logs import PARSERS, Parser
from pytest_anomod.modalities._tail import QUIET_S, SETTLE_S
from pytest_anomod.model import clock
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import CaptureError, DeploymentError
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
    Column(
        name="observed_unix_nano",
        type="int64",
        doc="when the container engine took the line; null for plain processes, which write files",
        nullable=True,
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

    def parse(self, instance: Instance, lines: Iterable[bytes], observed: Sequence[int] = ()) -> Iterable[Row | None]:
        """Rows of a log; `observed` has a time for each line, or nothing."""
        if instance.log_format == "json":
            return (
                self._json_row(instance.service, record, _at(observed, number))
                for number, record in self.records(lines)
            )
        return self._store_rows(instance.service, PARSERS[instance.log_format], lines, observed)

    def _json_row(self, service: str, record: Any, observed: int | None) -> Row | None:
        try:
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
                observed,
            )
        except (KeyError, TypeError, AttributeError):  # torn, or no record of ours
            return None

    def _store_rows(
        self, service: str, parse: Parser, lines: Iterable[bytes], observed: Sequence[int]
    ) -> Iterator[Row | None]:
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
                _at(observed, entry.line),
            )


def _at(observed: Sequence[int], number: int) -> int | None:
    return observed[number] if observed else None


class EngineLogCollector(LogCollector):
    """What the engine of containers has of their output, with the time at which it took each line.

    It is read once, at the end: the engine keeps it through restarts of a container, until that is removed.
    """

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._engine: Any = deployment
        self._since_ns = 0
        self._instances: list[Instance] = []

    def start(self) -> None:
        """Remember the time, and whose output is in a format that we can read."""
        self._since_ns = clock.now_ns()
        self._instances = [instance for instance in self._deployment.instances() if self.path_of(instance)]
        self._watch.look()

    def edge(self, name: str) -> None:
        """See which instances run."""
        self._watch.look()

    def stop(self) -> None:
        """Wait for the last lines, read and parse all of them; idempotent."""
        if self._rows is not None or not self._since_ns:
            return
        try:
            outputs = self._settled()
        except DeploymentError as error:
            msg = f"the logs collector has no source any more: {error}"
            raise CaptureError(msg) from error
        self._watch.look()
        rows: list[Row] = []
        for instance, output in zip(self._instances, outputs, strict=True):
            observed, lines = [time for time, _ in output], [line for _, line in output]
            for row in self.parse(instance, lines, observed):
                if row is None:
                    self.dropped += 1
                else:
                    rows.append(row)
        self._rows = rows

    def _settled(self) -> list[Sequence[tuple[int, bytes]]]:
        """Everyone's lines, once none is younger than a moment, or after SETTLE_S."""
        deadline = clock.monotonic_s() + SETTLE_S
        with ThreadPoolExecutor(max_workers=8) as pool:
            while True:
                clock.sleep(QUIET_S)
                began = clock.now_ns()
                outputs = list(pool.map(lambda one: self._engine.output(one.service, self._since_ns), self._instances))
                newest = max((output[-1][0] for output in outputs if output), default=0)
                if newest < began - QUIET_S * NS_PER_S or clock.monotonic_s() > deadline:
                    return outputs


class Logs:
    """The modality of logs."""

    name = "logs"
    columns = COLUMNS
    has_length = False

    def collector(self, deployment: Deployment, sources: Mapping[str, Json]) -> LogCollector:
        """A collector for one case."""
        return EngineLogCollector(deployment) if hasattr(deployment, "output") else LogCollector(deployment)


OFFERS = (Logs(),)
