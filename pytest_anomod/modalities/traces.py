"""Traces: every span that services finish while a case runs, with the service at the other end of each call."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_anomod.modalities._sourced import SourcedCollector, readers_of
from pytest_anomod.model.modality import Column, Columns
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import Source, SpanFile
from pytest_anomod.sources import backends
from pytest_anomod.sources.collect import Maker
from pytest_anomod.sources.read import TRACE_FIELDS
from pytest_anomod.sources.span_files import SpanFileReader

COLUMNS = (
    Column(name="trace_id", type="string", doc="32 hex digits; the same in the response that the request got"),
    Column(name="span_id", type="string", doc="16 hex digits"),
    Column(name="parent_span_id", type="string", doc="empty for a root; of the first span the caller's own id"),
    Column(name="span_name", type="string", doc="the operation"),
    Column(name="span_kind", type="string", doc="SERVER, CLIENT or INTERNAL"),
    Column(name="status_code", type="string", doc="UNSET, OK or ERROR"),
    Column(name="duration_ns", type="int64", doc="length of the span"),
    Column(
        name="peer",
        type="string",
        doc="service at the other end of a CLIENT span, as it says, else that of the SERVER span below; empty for none",
    ),
    Column(name="attributes", type="json", doc="peer.service, db.system, db.operation, error.message ..."),
)

READERS: dict[type, Maker] = {SpanFile: SpanFileReader, **backends.TRACES}


class TraceCollector(SourcedCollector):
    """Spans of all sources."""

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All spans that begin in the stretch, in time order."""
        columns = super().columns(start_ns, end_ns)
        return {**columns, "peer": peers(columns)}


def peers(spans: Columns) -> list[str]:
    """Of each span the service at the other end: what a CLIENT span says, else whose SERVER span is below it.

    Its attribute is `service.peer.name` (OpenTelemetry), or `peer.service`, which is older.
    """
    rows = zip(spans["span_kind"], spans["attributes"], strict=True)
    found = [
        str(given.get("service.peer.name") or given.get("peer.service") or "") if kind == "CLIENT" else ""
        for kind, given in rows
    ]
    unnamed = [row for row, kind in enumerate(spans["span_kind"]) if kind == "CLIENT" and not found[row]]
    below = _servers_below(spans) if unnamed else {}
    for row in unnamed:
        found[row] = below.get(spans["span_id"][row], "")
    return found


def _servers_below(spans: Columns) -> dict[str, str]:
    """The service of the SERVER span below each span that has one, by its id."""
    columns = spans["span_kind"], spans["parent_span_id"], spans["service_name"]
    return {parent: service for kind, parent, service in zip(*columns, strict=True) if kind == "SERVER" and parent}


class Traces:
    """The modality of traces."""

    name = "traces"
    columns = COLUMNS
    has_length = True
    absence = "no service sends spans to us (OTLP), and no Zipkin or Jaeger server is named"

    def collector(self, deployment: Deployment, sources: Sequence[Source]) -> TraceCollector | None:
        """A collector for one case."""
        readers = readers_of(READERS, deployment, sources)
        return TraceCollector(self.name, TRACE_FIELDS, readers) if readers else None


OFFERS = (Traces(),)
