"""Traces: every span that services finish while a case runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.modalities._file_collector import FileCollector
from pytest_anomod.modalities._rows import Row
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Column
from pytest_anomod.model.redact import redact_json
from pytest_anomod.model.runtime import Deployment, Instance

COLUMNS = (
    Column(name="trace_id", type="string", doc="32 hex digits; the same in the response that the request got"),
    Column(name="span_id", type="string", doc="16 hex digits"),
    Column(name="parent_span_id", type="string", doc="empty for a root; of the first span the caller's own id"),
    Column(name="span_name", type="string", doc="the operation"),
    Column(name="span_kind", type="string", doc="SERVER, CLIENT or INTERNAL"),
    Column(name="status_code", type="string", doc="UNSET, OK or ERROR"),
    Column(name="duration_ns", type="int64", doc="length of the span"),
    Column(name="attributes", type="json", doc="peer.service, db.system, db.operation, error.message ..."),
)


class TraceCollector(FileCollector):
    """Span files of all services."""

    kind = "traces"
    fields = ("time_unix_nano", "service_name", "service_instance_id", *(column.name for column in COLUMNS))

    def path_of(self, instance: Instance) -> Path | None:
        """The span file of an instance."""
        return instance.span_file

    def parse(self, instance: Instance, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a span file."""
        return (self._row(instance.service, span) for _, span in self.records(lines))

    def _row(self, service: str, span: Any) -> Row | None:
        try:
            start = span["start_unix_nano"]
            return (
                start,
                span.get("service_name") or service,
                self.instance_id(span, service, start),
                span["trace_id"],
                span["span_id"],
                span.get("parent_span_id") or "",
                span["span_name"],
                span["span_kind"],
                span["status_code"],
                span["duration_ns"],
                redact_json(span.get("attributes") or {}),
            )
        except (KeyError, TypeError, AttributeError):  # torn, or no record of ours
            return None


class Traces:
    """The modality of traces."""

    name = "traces"
    columns = COLUMNS
    has_length = True

    def collector(self, deployment: Deployment, sources: Mapping[str, Json]) -> TraceCollector:
        """A collector for one case."""
        return TraceCollector(deployment)


OFFERS = (Traces(),)
