"""Turns spans of backends into rows: one id shared by client and server, missing parents, clocks that disagree."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_anomod.model.redact import redact_json
from pytest_anomod.sources.read import UNKNOWN_SERVICE, Reading, Row

SERVER_SIDE = frozenset({"SERVER", "CONSUMER"})
MISSING_PARENT = "its parent is not in the trace"
SKEWED = "begins before or ends after its parent, which another service measured"


@dataclasses.dataclass(slots=True, kw_only=True)
class Span:
    """One span, its ids as rows have them; `odd` is what is noted about it."""

    time_unix_nano: int
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    status: str
    duration_ns: int
    instance: str | None = None
    attributes: dict[str, Any]
    odd: str = ""

    def row(self) -> Row:
        """In the order of TRACE_FIELDS, without secrets."""
        return (
            self.time_unix_nano,
            self.service or UNKNOWN_SERVICE,
            self.instance,
            self.trace_id,
            self.span_id,
            self.parent_id,
            self.name,
            self.kind,
            self.status,
            self.duration_ns,
            redact_json(self.attributes),
        )


def part_shared_ids(spans: Iterable[Span]) -> int:
    """Give server spans that share their client's id one of their own, below it; says how many there were.

    Zipkin's B3 has client and server report the same span id. A child of that id belongs to the half of its own
    service, and to the server's half if no half is.
    """
    spans = list(spans)
    by_id: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        by_id[span.trace_id, span.span_id].append(span)
    servers_of: dict[tuple[str, str], list[Span]] = {}
    callers_of: dict[tuple[str, str], set[str]] = {}
    moved: set[int] = set()
    for key, group in by_id.items():
        servers = [span for span in group if span.kind in SERVER_SIDE]
        if servers and len(servers) < len(group):
            servers_of[key] = servers
            callers_of[key] = {span.service for span in group if span.kind not in SERVER_SIDE}
            moved.update(map(id, servers))
    for (trace, shared_id), servers in servers_of.items():
        for number, server in enumerate(servers):
            server.span_id = _own_id(trace, shared_id, server.service, number)
            server.parent_id = shared_id
    for span in spans:
        key = (span.trace_id, span.parent_id)
        if key not in servers_of or id(span) in moved:
            continue
        same = [server for server in servers_of[key] if server.service == span.service]
        if same or span.service not in callers_of[key]:
            span.parent_id = (same or servers_of[key])[0].span_id
    return len(moved)


def _own_id(trace: str, shared_id: str, service: str, number: int) -> str:
    """The same at every reading."""
    return hashlib.blake2b(f"{trace} {shared_id} {service} {number}".encode(), digest_size=8).hexdigest()


def links(rows: Iterable[Row], among: Iterable[Row]) -> Counter[str]:
    """What is odd about how rows of traces hang below those `among` which their parents are; nothing is changed.

    Only a CLIENT and what it called are compared in time: a message may well be worked on later.
    """
    found: Counter[str] = Counter()
    by_id = {(row[3], row[4]): row for row in among}
    for row in rows:
        if not row[5]:
            continue
        parent = by_id.get((row[3], row[5]))
        if parent is None:
            found[MISSING_PARENT] += 1
        elif parent[7] == "CLIENT" and row[1] != parent[1]:
            found[SKEWED] += row[0] < parent[0] or row[0] + row[9] > parent[0] + parent[9]
    return +found


def to_reading(spans: Iterable[Span], start_ns: int, end_ns: int, dropped: Counter[str]) -> Reading:
    """Rows of the spans that begin in a stretch, of traces that were read whole."""
    spans = list(spans)
    part_shared_ids(spans)
    rows = [span.row() for span in spans]
    within = [row for row in rows if start_ns <= row[0] < end_ns]
    noted = links(within, rows)
    noted.update(span.odd for span in spans if span.odd and start_ns <= span.time_unix_nano < end_ns)
    return Reading(rows=within, dropped=+dropped, noted=noted)


def status_of(tags: Mapping[str, Any]) -> str:
    """UNSET, OK or ERROR by OpenTelemetry's tag, else by the `error` tag of OpenTracing."""
    status = str(tags.get("otel.status_code", "")).upper()
    if status in ("OK", "ERROR"):
        return status
    error = tags.get("error")
    return "ERROR" if error is not None and error is not False and str(error).lower() != "false" else "UNSET"
