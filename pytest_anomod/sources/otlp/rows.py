"""Shared by the rows of OTLP's protobuf and JSON: names of enum numbers, parts of histograms, running sums."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_anomod.model.redact import redact_text
from pytest_anomod.sources import severity
from pytest_anomod.sources.clean import clean
from pytest_anomod.sources.read import UNKNOWN_SERVICE, Row

SIGNALS = ("traces", "logs", "metrics")

KINDS = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""By OTLP's number; an unspecified kind may be taken for INTERNAL, says its definition."""
STATUSES = ("UNSET", "OK", "ERROR")

BAD_SPAN_ID = "a span without a trace id of 16 bytes and a span id of 8, not zero"
BAD_SPAN_TIME = "a span without a start time of whole nanoseconds"
BAD_RECORD = "a record of a wrong shape"
NO_VALUE = "a data point that says it has no value"
NO_SUCH_METRIC = "a metric of a kind that OTLP does not have"
NO_POINT_TIME = "a data point without a time of whole nanoseconds"
BUCKETS = "buckets of an exponential histogram; its count and sum are there"
UNEVEN = "buckets of a histogram that do not fit its bounds"
ENDS_EARLY = "ends before it begins: its length is 0"
NO_TIME = "has no time of its own: the time at which it came is taken"

NO_RECORDED_VALUE = 1
"""Bit in the flags of a data point."""
DELTA = 1
"""Aggregation temporality of figures since the export before."""


@dataclasses.dataclass(slots=True)
class Tally:
    """Counts of one decoding, see Reading."""

    dropped: Counter[str] = dataclasses.field(default_factory=Counter)
    noted: Counter[str] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """Who sent."""

    service: str
    instance: str | None

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Resource:
        """By the conventions of OpenTelemetry."""
        instance = attributes.get("service.instance.id")
        service = str(attributes.get("service.name") or UNKNOWN_SERVICE)
        return cls(service, None if instance is None else str(instance))


def name_of(names: Sequence[str], number: Any) -> str:
    """Of a number of an enum, or of its name as protobuf writes it in JSON; the first name for anything else."""
    if isinstance(number, str):
        name = number.rpartition("_")[2]  # SPAN_KIND_SERVER, STATUS_CODE_OK
        return name if name in names else names[0]
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else names[0]


def span_row(
    start_ns: int,
    end_ns: int,
    resource: Resource,
    ids: tuple[str, str, str],
    name: str,
    kind: str,
    status: str,
    attributes: dict[str, Any],
    tally: Tally,
) -> Row:
    """A row of traces; `ids` are those of trace, span and parent."""
    if end_ns < start_ns:
        tally.noted[ENDS_EARLY] += 1
    return (
        start_ns,
        resource.service,
        resource.instance,
        *ids,
        name,
        kind,
        status,
        max(0, end_ns - start_ns),
        clean(attributes),
    )


def log_row(
    times: tuple[int | None, int | None, int],
    resource: Resource,
    level: tuple[int, str],
    body: Any,
    ids: tuple[str, str],
    attributes: dict[str, Any],
    tally: Tally,
) -> Row:
    """A row of logs; `times` are the record's own, when it was observed and when it came."""
    own, observed, came = times
    if own is None and observed is None:
        tally.noted[NO_TIME] += 1
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
    return (
        own or observed or came,
        resource.service,
        resource.instance,
        *severity.of_number(*level),
        redact_text(text),
        *ids,
        clean(attributes),
        observed,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """What the points of a metric share."""

    resource: Resource
    name: str
    unit: str
    kind: str
    is_delta: bool = False


Point = tuple[Row, bool]
"""A row of metrics, and whether its value counts from the export before."""


def point(metric: Metric, time_unix_nano: int, value: float, attributes: dict[str, Any]) -> Point:
    """A row of a number."""
    return _point(metric, time_unix_nano, metric.name, metric.unit or "1", metric.kind, value, attributes)


def parts(
    metric: Metric,
    time_unix_nano: int,
    attributes: dict[str, Any],
    count: int,
    total: float | None,
    buckets: Iterable[tuple[float, int]] = (),
) -> Iterator[Point]:
    """Rows of a histogram as Prometheus names them: _bucket up to each bound, _count, _sum; its kind is histogram."""
    name, below = metric.name, 0
    for bound, held in buckets:
        below += held
        labels = {**attributes, "le": "+Inf" if bound == float("inf") else repr(bound)}
        yield _point(metric, time_unix_nano, f"{name}_bucket", "1", "histogram", float(below), labels)
    yield _point(metric, time_unix_nano, f"{name}_count", "1", "histogram", float(count), attributes)
    if total is not None:
        yield _point(metric, time_unix_nano, f"{name}_sum", metric.unit or "1", "histogram", total, attributes)


def _point(
    metric: Metric, time_unix_nano: int, name: str, unit: str, kind: str, value: float, attributes: dict[str, Any]
) -> Point:
    resource = metric.resource
    row = (time_unix_nano, resource.service, resource.instance, name, unit, kind, value, attributes)
    return row, metric.is_delta


def bounded(bounds: Sequence[float], counts: Sequence[int], tally: Tally) -> Iterable[tuple[float, int]]:
    """Upper bounds and counts of buckets, the last bound infinite; none where their numbers do not fit together."""
    if not counts:
        return ()
    if len(counts) != len(bounds) + 1:
        tally.dropped[UNEVEN] += 1
        return ()
    return zip((*bounds, float("inf")), counts, strict=True)


def cumulative(points: Iterable[Point]) -> list[Row]:
    """Rows with running sums in the place of values that count from the export before, in time order of each series."""
    rows: list[Row] = []
    deltas: list[Row] = []
    for row, is_delta in points:
        (deltas if is_delta else rows).append(row)
    totals: defaultdict[tuple[Any, ...], float] = defaultdict(float)
    for row in sorted(deltas, key=lambda row: row[0]):
        series = (*row[1:6], json.dumps(row[7], sort_keys=True, default=str))
        totals[series] += row[6]
        rows.append((*row[:6], totals[series], row[7]))
    return rows
