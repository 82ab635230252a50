"""The result of a reader of a backend: rows, counts of dropped records by reason, counts of oddities."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Protocol

from pytest_anomod.model.fault import Json

Row = tuple[Json, ...]
"""Values in the order of the fields below; time_unix_nano is the first."""

COMMON = ("time_unix_nano", "service_name", "service_instance_id")
TRACE_FIELDS = (
    *COMMON,
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_name",
    "span_kind",
    "status_code",
    "duration_ns",
    "attributes",
)
"""Without `peer`: it is filled in once all spans of a case are there."""
LOG_FIELDS = (
    *COMMON,
    "severity_number",
    "severity_text",
    "body",
    "trace_id",
    "span_id",
    "attributes",
    "observed_unix_nano",
)
METRIC_FIELDS = (*COMMON, "metric_name", "unit", "kind", "value", "attributes")

UNKNOWN_SERVICE = "unknown_service"
"""OpenTelemetry's name of a service whose records name none."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Reading:
    """Rows of a stretch of time, without secrets, in no particular order.

    `dropped` counts records that are not in the rows, by reason; `noted` counts what is odd about rows that are.
    `service_instance_id` is None where the source does not say it.
    """

    rows: list[Row] = dataclasses.field(default_factory=list)
    dropped: Counter[str] = dataclasses.field(default_factory=Counter)
    noted: Counter[str] = dataclasses.field(default_factory=Counter)


class Reader(Protocol):
    """Reads one modality from a source that keeps records by itself.

    `settle_s` is how long after the end of a case its last records may still come: read no earlier.
    """

    settle_s: float

    def read(self, start_ns: int, end_ns: int) -> Reading:
        """Records with start_ns <= time_unix_nano < end_ns; CaptureError when the source does not answer."""
