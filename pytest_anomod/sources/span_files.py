"""Spans that our replicas write to files, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_anomod.model.source import SpanFile
from pytest_anomod.sources._files import FileReader, records
from pytest_anomod.sources._rows import Row
from pytest_anomod.sources.clean import clean
from pytest_anomod.sources.read import TRACE_FIELDS


class SpanFileReader(FileReader[SpanFile]):
    """Span files of all services."""

    fields = TRACE_FIELDS

    def parse(self, source: SpanFile, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a span file."""
        return (self._row(source.service, span) for _, span in records(lines))

    def _row(self, service: str, span: Any) -> Row | None:
        try:
            start = span["start_unix_nano"]
            return (
                start,
                span.get("service_name") or service,
                span.get("service_instance_id") or self.watch.at(service, start),
                span["trace_id"],
                span["span_id"],
                span.get("parent_span_id") or "",
                span["span_name"],
                span["span_kind"],
                span["status_code"],
                span["duration_ns"],
                clean(span.get("attributes") or {}),
            )
        except (KeyError, TypeError, AttributeError):  # torn, or no record of ours
            return None
