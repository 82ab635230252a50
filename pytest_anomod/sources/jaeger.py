"""Traces from the query API of Jaeger (v1 JSON): one service a request, typed tags, ids without leading zeros."""

from __future__ import annotations

import base64
import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.sources.api import Api, Slice, in_slices
from pytest_anomod.sources.read import Reading
from pytest_anomod.sources.spans import Span, status_of, to_reading
from pytest_anomod.sources.values import (
    NS_PER_MS,
    NS_PER_US,
    as_list,
    as_object,
    finite,
    integer,
    span_id,
    time_ns,
    trace_id,
)

LIMIT = 1_000
SETTLE_S = 6.0
"""SDKs of OpenTelemetry send every 5 s unless told otherwise, Jaeger's own clients every second."""

CUT = "more traces of a service in 1 ms than the limit: at least one is missing"
NO_SPAN = "not a span"
NO_ID = "a span without a usable trace id or span id"
NO_TIME = "a span without a start time in whole microseconds"
ADJUSTED = "Jaeger has a warning about it, such as a clock that it adjusted"
_KINDS = frozenset({"CLIENT", "SERVER", "PRODUCER", "CONSUMER"})
_TURNED_TO_COLUMNS = ("span.kind", "otel.status_code", "internal.span.format")
_US_PER_MS = NS_PER_MS // NS_PER_US


class Jaeger:
    """Reads traces from a Jaeger query service, or from what speaks its API, at a URL such as http://127.0.0.1:16686.

    `services` are asked for; without any, all that Jaeger knows. Its query adjusts the times of spans whose clock
    disagrees with the parent's, unless it was started without that; such spans come with a warning and are counted.
    """

    def __init__(
        self, url: str, *, services: tuple[str, ...] = (), limit: int = LIMIT, settle_s: float = SETTLE_S
    ) -> None:
        self.settle_s = settle_s
        self._services = services
        self._limit = limit
        self._api = Api("Jaeger", url)

    def read(self, start_ns: int, end_ns: int) -> Reading:
        """Spans that begin in the stretch; a trace that several services took part in is taken once."""
        dropped: Counter[str] = Counter()
        with self._api:
            traces = self._traces(start_ns // NS_PER_US, -(-end_ns // NS_PER_US), dropped)
        return to_reading(_spans(traces.values(), dropped), start_ns, end_ns, dropped)

    def _traces(self, first_us: int, last_us: int, dropped: Counter[str]) -> dict[str, dict[str, Any]]:
        """By id; one that several services or slices have is taken once, the longer if it grew meanwhile."""
        traces: dict[str, dict[str, Any]] = {}
        for service in self._services or self._known_services():
            ask = functools.partial(self._ask, service)
            for answer, was_cut in in_slices(first_us, last_us, self._limit, ask, shortest=_US_PER_MS):
                dropped[CUT] += was_cut
                for trace in answer:
                    spans = as_list(as_object(trace).get("spans"))
                    if not spans:
                        dropped[NO_SPAN] += 1
                    elif (key := str(trace.get("traceID"))) not in traces or len(spans) > len(traces[key]["spans"]):
                        traces[key] = trace
        return traces

    def _known_services(self) -> list[str]:
        return [name for name in self._data("/api/services", {}) if isinstance(name, str)]

    def _ask(self, service: str, piece: Slice) -> list[Any]:
        begin, end = piece
        return self._data("/api/traces", {"service": service, "start": begin, "end": end, "limit": self._limit})

    def _data(self, path: str, question: dict[str, str | int]) -> list[Any]:
        answer = self._api.get(path, question)
        if not isinstance(answer, dict) or answer.get("errors") or "data" not in answer:
            said = str(as_object(answer).get("errors") or answer)[:300]
            msg = f"Jaeger answered {path} with no data but {said}"
            raise CaptureError(msg)
        return as_list(answer["data"])


def _spans(traces: Iterable[dict[str, Any]], dropped: Counter[str]) -> Iterator[Span]:
    for trace in traces:
        processes = as_object(trace.get("processes"))
        for item in trace["spans"]:
            span = _span(item, processes)
            if isinstance(span, str):
                dropped[span] += 1
            else:
                yield span


def _span(item: Any, processes: dict[str, Any]) -> Span | str:
    """The span, or why there is none."""
    if not isinstance(item, dict):
        return NO_SPAN
    trace, span = trace_id(item.get("traceID")), span_id(item.get("spanID"))
    if not trace or not span:
        return NO_ID
    time_unix_nano = time_ns(item.get("startTime"), NS_PER_US)
    if time_unix_nano is None:
        return NO_TIME
    process = as_object(processes.get(str(item.get("processID")))) or as_object(item.get("process"))
    tags = _tags(item.get("tags"))
    kind = str(tags.get("span.kind", "")).upper()
    parent, others = _references(item, trace)
    attributes = {key: value for key, value in tags.items() if key not in _TURNED_TO_COLUMNS}
    if others:
        attributes["links"] = others
    if events := [_event(log) for log in as_list(item.get("logs")) if isinstance(log, dict)]:
        attributes["events"] = events
    instance = _tags(process.get("tags")).get("service.instance.id")
    return Span(
        time_unix_nano=time_unix_nano,
        service=str(process.get("serviceName") or ""),
        trace_id=trace,
        span_id=span,
        parent_id=parent,
        name=str(item.get("operationName") or ""),
        kind=kind if kind in _KINDS else "INTERNAL",
        status=status_of(tags),
        duration_ns=time_ns(item.get("duration"), NS_PER_US) or 0,
        instance=None if instance is None else str(instance),
        attributes=attributes,
        odd=ADJUSTED if item.get("warnings") else "",
    )


def _references(item: dict[str, Any], trace: str) -> tuple[str, list[dict[str, str]]]:
    """The parent, as Jaeger's own model has it, and all other spans that this one refers to.

    The parent is the first CHILD_OF within the trace, else the first FOLLOWS_FROM within it; very old answers have
    `parentSpanID` instead.
    """
    found = []
    for reference in map(as_object, as_list(item.get("references"))):
        of_trace, of_span = trace_id(reference.get("traceID")), span_id(reference.get("spanID"))
        if of_trace and of_span:
            found.append({"type": str(reference.get("refType")), "trace_id": of_trace, "span_id": of_span})
    within = [reference for reference in found if reference["trace_id"] == trace]
    parents = [one for one in within if one["type"] == "CHILD_OF"] or [
        one for one in within if one["type"] == "FOLLOWS_FROM"
    ]
    if not parents:
        return span_id(item.get("parentSpanID")), found
    return parents[0]["span_id"], [reference for reference in found if reference is not parents[0]]


def _event(log: dict[str, Any]) -> dict[str, Any]:
    fields = _tags(log.get("fields"))
    name = str(fields.pop("event", None) or fields.get("message") or "log")
    return {"name": name, "time_unix_nano": time_ns(log.get("timestamp"), NS_PER_US), "attributes": fields}


def _tags(tags: Any) -> dict[str, Any]:
    return {str(tag["key"]): _typed(tag) for tag in as_list(tags) if isinstance(tag, dict) and "key" in tag}


def _typed(tag: dict[str, Any]) -> Any:
    """The value by its declared type: some storages hand out every value as text."""
    kind, value = tag.get("type"), tag.get("value")
    if kind == "bool":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "int64":
        number = integer(value)
        return value if number is None else number
    try:
        if kind == "float64":
            return finite(float(value))  # type: ignore[arg-type]
        if kind == "binary":
            return base64.b64decode(value, validate=True).hex()  # type: ignore[arg-type]
    except (ValueError, TypeError):
        pass
    return value
