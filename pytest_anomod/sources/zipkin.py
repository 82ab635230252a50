"""Traces from the API of Zipkin (v2), read by slices of time; client and server spans of one id are separated."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.sources.api import Api, Slice, in_slices
from pytest_anomod.sources.read import Reading
from pytest_anomod.sources.spans import Span, status_of, to_reading
from pytest_anomod.sources.values import NS_PER_MS, NS_PER_US, as_list, as_object, span_id, time_ns, trace_id

LIMIT = 1_000
SETTLE_S = 6.0
"""SDKs of OpenTelemetry send every 5 s unless told otherwise, Zipkin's own reporters every second."""

CUT = "more traces in 1 ms than the limit: at least one is missing"
NO_SPAN = "not a span"
NO_ID = "a span without a usable trace id or span id"
NO_TIME = "a span without a start time in whole microseconds"
NO_END = "has no duration: it was sent before its end, or is an event"
_KINDS = frozenset({"CLIENT", "SERVER", "PRODUCER", "CONSUMER"})


class Zipkin:
    """Reads traces from a Zipkin, or from what speaks its API, at a URL such as http://127.0.0.1:9411.

    `limit` is the most traces that one question asks for; a server may allow fewer, which can't be noticed.
    """

    def __init__(self, url: str, *, limit: int = LIMIT, settle_s: float = SETTLE_S) -> None:
        self.settle_s = settle_s
        self._limit = limit
        self._api = Api("Zipkin", url)

    def read(self, start_ns: int, end_ns: int) -> Reading:
        """Spans that begin in the stretch, of all services."""
        dropped: Counter[str] = Counter()
        with self._api:
            traces = self._traces(start_ns // NS_PER_MS, -(-end_ns // NS_PER_MS), dropped)
        spans: dict[tuple[Any, ...], Span] = {}
        for item in (item for trace in traces.values() for item in trace):
            span = _span(item)
            if isinstance(span, str):
                dropped[span] += 1
                continue
            local = as_object(item.get("localEndpoint"))
            place = span.service, str(local.get("ipv4")), str(local.get("port"))
            key_of_half = (span.trace_id, span.span_id, span.kind, *place)
            known = spans.get(key_of_half)
            if known is None or span.duration_ns > known.duration_ns:  # one that was sent before its end comes twice
                spans[key_of_half] = span
        return to_reading(spans.values(), start_ns, end_ns, dropped)

    def _traces(self, first_ms: int, last_ms: int, dropped: Counter[str]) -> dict[str, list[Any]]:
        """By id; one that neighbouring slices both have is taken once, the longer if it grew meanwhile."""
        traces: dict[str, list[Any]] = {}
        for answer, was_cut in in_slices(first_ms, last_ms, self._limit, self._ask, shortest=1):
            dropped[CUT] += was_cut
            for trace in answer:
                if not isinstance(trace, list) or not trace or not isinstance(trace[0], dict):
                    dropped[NO_SPAN] += 1
                elif len(trace) >= len(traces.get(key := str(trace[0].get("traceId")), ())):
                    traces[key] = trace
        return traces

    def _ask(self, piece: Slice) -> list[Any]:
        begin, end = piece
        question = {"endTs": end, "lookback": max(1, end - begin), "limit": self._limit}
        answer = self._api.get("/api/v2/traces", question)
        if not isinstance(answer, list):
            msg = f"Zipkin answered /api/v2/traces with {type(answer).__name__} instead of a list; is it a Zipkin?"
            raise CaptureError(msg)
        return answer


def _span(item: Any) -> Span | str:
    """The span, or why there is none. Microseconds become nanoseconds; a span without an end has a length of 0."""
    if not isinstance(item, dict):
        return NO_SPAN
    trace, span = trace_id(item.get("traceId")), span_id(item.get("id"))
    if not trace or not span:
        return NO_ID
    time_unix_nano = time_ns(item.get("timestamp"), NS_PER_US)
    if time_unix_nano is None:
        return NO_TIME
    tags = as_object(item.get("tags"))
    attributes = dict(tags)
    instance = attributes.pop("service.instance.id", None)
    attributes.pop("otel.status_code", None)
    remote = as_object(item.get("remoteEndpoint"))
    for name, key in (("peer.service", "serviceName"), ("network.peer.address", "ipv4"), ("network.peer.port", "port")):
        if remote.get(key):
            attributes.setdefault(name, remote[key])
    if events := [event for event in map(_event, as_list(item.get("annotations"))) if event]:
        attributes["events"] = events
    kind = str(item.get("kind", "")).upper()
    duration_ns = time_ns(item.get("duration"), NS_PER_US)
    return Span(
        time_unix_nano=time_unix_nano,
        service=str(as_object(item.get("localEndpoint")).get("serviceName") or ""),
        trace_id=trace,
        span_id=span,
        parent_id=span_id(item.get("parentId")),
        name=str(item.get("name") or ""),
        kind=kind if kind in _KINDS else "INTERNAL",
        status=status_of(tags),
        duration_ns=duration_ns or 0,
        instance=None if instance is None else str(instance),
        attributes=attributes,
        odd=NO_END if duration_ns is None else "",
    )


def _event(annotation: Any) -> dict[str, Any] | None:
    annotation = as_object(annotation)
    time_unix_nano = time_ns(annotation.get("timestamp"), NS_PER_US)
    if time_unix_nano is None:
        return None
    return {"name": str(annotation.get("value") or ""), "time_unix_nano": time_unix_nano}
