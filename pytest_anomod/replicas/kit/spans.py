"""Trace context (W3C) and spans, one JSON line for each finished span; some 10 us each, no exporter thread."""

import re
import time
from random import getrandbits
from types import TracebackType
from typing import Any, Literal, Self

from pytest_anomod.replicas.kit.logs import Log
from pytest_anomod.replicas.kit.telemetry import Telemetry

SpanKind = Literal["SERVER", "CLIENT", "INTERNAL"]

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})\Z")


class Context:
    """Where in a trace we are. Spans made from it are its children; its log lines carry its ids.

    `span_id` is "" in a new trace: the first span is then a root. `sampled` false means no spans and no log lines.
    """

    __slots__ = ("sampled", "span_id", "telemetry", "trace_id")

    def __init__(self, telemetry: Telemetry, trace_id: str, span_id: str, sampled: bool) -> None:
        self.telemetry = telemetry
        self.trace_id = trace_id
        self.span_id = span_id
        self.sampled = sampled

    @property
    def log(self) -> Log:
        """The log of this context: `ctx.log.info(...)`, `.warning`, `.error`, `.fatal`."""
        return Log(self)

    def span(self, name: str, kind: SpanKind = "INTERNAL", **attributes: Any) -> "Span":
        """A child span to be used as `with ctx.span(...) as child:`; `child` is the context for what happens inside."""
        return Span(self, name, kind, attributes)

    def client_span(self, name: str, peer: str, *, system: str = "", operation: str = "") -> "Span":
        """A CLIENT span of a call to `peer`; for a store give its system ("redis", "mongodb", ...) and operation."""
        attributes: dict[str, Any] = {"peer.service": peer}
        if system:
            attributes["db.system"] = system
            attributes["db.operation"] = operation
        return Span(self, name, "CLIENT", attributes)

    def traceparent(self) -> str:
        """The header that carries this context to a peer."""
        span_id = self.span_id or f"{getrandbits(64) | 1:016x}"
        return f"00-{self.trace_id}-{span_id}-{'01' if self.sampled else '00'}"


class Span(Context):
    """A span that is being measured; written when its `with` block ends, ERROR when an exception leaves it."""

    __slots__ = ("_kind", "_name", "_parent", "_start_unix", "_started", "attributes", "status")

    def __init__(self, parent: Context, name: str, kind: SpanKind, attributes: dict[str, Any]) -> None:
        self.telemetry = parent.telemetry
        self.trace_id = parent.trace_id
        self.sampled = sampled = parent.sampled
        self.span_id = f"{getrandbits(64) | 1:016x}" if sampled else parent.span_id
        self._name = name
        self._kind = kind
        self._parent = parent.span_id
        self.status = "UNSET"
        self.attributes = attributes

    def fail(self, message: str) -> None:
        """Mark the span as failed although no exception leaves it."""
        self.status = "ERROR"
        self.attributes["error.message"] = message

    def __enter__(self) -> Self:
        self._start_unix = time.time_ns()
        self._started = time.perf_counter_ns()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.sampled or not self.telemetry.enabled:
            return
        if error is not None:
            self.fail(str(error) or type(error).__name__)
        telemetry = self.telemetry
        telemetry.spans.write(
            {
                "trace_id": self.trace_id,
                "span_id": self.span_id,
                "parent_span_id": self._parent,
                "span_name": self._name,
                "span_kind": self._kind,
                "status_code": self.status,
                "start_unix_nano": self._start_unix,
                "duration_ns": time.perf_counter_ns() - self._started,
                "service_name": telemetry.service,
                "service_instance_id": telemetry.instance,
                "attributes": self.attributes,
            }
        )


def incoming_context(telemetry: Telemetry, traceparent: str) -> Context:
    """The context of a request: that of its header, or a new sampled trace when there is no valid header."""
    match = _TRACEPARENT.match(traceparent) if traceparent else None
    if match is None:
        return Context(telemetry, f"{getrandbits(128) | 1:032x}", "", True)
    trace_id, span_id, flags = match.groups()
    return Context(telemetry, trace_id, span_id, bool(int(flags, 16) & 1))


def process_context(telemetry: Telemetry) -> Context:
    """The context of what belongs to no request, such as the line a service writes when it starts."""
    return Context(telemetry, "", "", True)
